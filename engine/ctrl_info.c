/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that look, and one that sets what they show: PORT_INFO_GET, POOLS_INFO_GET, PORT_HDR_GET and PORT_HDR_SET, VALE_LIST.
 */
#include "bytes.h"
#include "os.h"
#include "persistent.h"
#include "session.h"
#include "vnet_hdr.h"

void
port_tell_numbers(const struct port *p, uint32_t *tx_slots, uint32_t *rx_slots, uint16_t *tx_rings, uint16_t *rx_rings)
{
	*tx_slots = p->tx_slots;
	*rx_slots = p->rx_slots;
	*tx_rings = p->num_tx;
	*rx_rings = p->num_rx;
}

/* With an empty name: of a region alone. Programs probe the API's version that way, so it succeeds also while there is no region. */
static int
region_info(const struct request_msg *msg, struct nmreq_port_info_get *info, struct why *why)
{
	const struct region *r = region_find(info->nr_mem_id != 0 ? info->nr_mem_id : 1);

	(void)msg;
	if (r == NULL && info->nr_mem_id > 1) {
		os_format(why->text, sizeof(why->text), "there is no memory region %u", info->nr_mem_id);
		return -EINVAL;
	}
	bytes_zero(info, sizeof(*info));
	info->nr_mem_id = r != NULL ? r->id : 1;
	info->nr_memsize = r != NULL ? r->size : 0;
	return 0;
}

int
request_port_info(void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_port_info_get *info = request_body(msg);
	struct port_want want = { .mode = NR_REG_ALL_NIC, .mem_id = info->nr_mem_id, .tx_slots = info->nr_tx_slots,
		.rx_slots = info->nr_rx_slots, .tx_rings = info->nr_tx_rings, .rx_rings = info->nr_rx_rings,
		.host_tx_rings = info->nr_host_tx_rings, .host_rx_rings = info->nr_host_rx_rings };
	struct port *p;
	int error;

	if (msg->hdr.nr_name[0] == '\0')
		return region_info(msg, info, why);
	error = port_open(caller, msg->hdr.nr_name, &want, true, &p, why);
	if (error != 0)
		return error;
	info->nr_memsize = p->region->size;
	port_tell_numbers(p, &info->nr_tx_slots, &info->nr_rx_slots, &info->nr_tx_rings, &info->nr_rx_rings);
	info->nr_host_tx_rings = p->num_host_tx;
	info->nr_host_rx_rings = p->num_host_rx;
	info->nr_mem_id = p->region->id;
	port_drop(p);
	return 0;
}

int
request_pools_info(void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_pools_info *info = request_body(msg);
	struct port_want want = { .mode = NR_REG_ALL_NIC, .mem_id = info->nr_mem_id };
	struct port *p;
	int error;

	if (msg->hdr.nr_name[0] == '\0') {
		os_format(why->text, sizeof(why->text), "a request for pools needs the name of a port");
		return -ENXIO;
	}
	error = port_open(caller, msg->hdr.nr_name, &want, true, &p, why);
	if (error != 0)
		return error;
	region_tell(p->region, info);
	port_drop(p);
	return 0;
}

int
request_port_hdr_get(void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_port_hdr *hdr = request_body(msg);
	const struct port_want want = { .mode = NR_REG_ALL_NIC };
	struct port *p;
	int error = port_open(caller, msg->hdr.nr_name, &want, false, &p, why);

	if (error != 0)
		return error;
	hdr->nr_hdr_len = p->hdr_len;
	port_drop(p);
	return 0;
}

int
request_port_hdr_set(void *caller, struct request_msg *msg, struct why *why)
{
	const uint32_t len = ((const struct nmreq_port_hdr *)request_body(msg))->nr_hdr_len;
	const struct port_want want = { .mode = NR_REG_ALL_NIC };
	struct port *p;
	int error = port_open(caller, msg->hdr.nr_name, &want, false, &p, why);

	if (error != 0)
		return error == -ENODEV ? -ENXIO : error;
	if (p->type != PORT_VALE) {
		os_format(why->text, sizeof(why->text), "port %s: only VALE ports can have virtio-net headers", p->name);
		error = -ENXIO;
	} else if (p->attachment != NULL) {
		os_format(why->text, sizeof(why->text), "port %s: frames of an attached interface have no virtio-net header", p->name);
		error = -EBUSY;
	} else if (len != 0 && len != VNET_HDR_LEN && len != VNET_HDR_LEN_MRG) {
		os_format(why->text, sizeof(why->text), "port %s: a virtio-net header has 0, 10 or 12 bytes, not %u", p->name, len);
		error = -EINVAL;
	} else {
		store_relaxed(&p->max_frame, len != 0 ? p->region->pool[POOL_BUF].obj_size : VALE_FRAME_MAX);
		/* Who sees that segments have to be made sees how long they may be. */
		store_release(&p->hdr_len, (uint16_t)len);
	}
	port_drop(p);
	return error;
}

/* --- VALE_LIST --- */

#define NO_PORT_INDEX	255u

static int
list_named(struct request_msg *msg, struct nmreq_vale_list *list, struct why *why)
{
	char name[VALE_NAME_SIZE];
	const char *full = msg->hdr.nr_name;
	const struct vale_switch *sw;
	uint32_t i = 0, j;

	if (!bytes_equal(full, NM_BDG_NAME, 4)) {
		os_format(why->text, sizeof(why->text), "%s: the name of a switch begins with \"" NM_BDG_NAME "\"", full);
		return -EINVAL;
	}
	while (i < sizeof(name) - 1 && full[i] != '\0' && full[i] != ':') {
		name[i] = full[i];
		i++;
	}
	bytes_zero(name + i, sizeof(name) - i);
	/* A name that does not fit is that of no switch. */
	sw = full[i] == '\0' || full[i] == ':' ? vale_find(name) : NULL;
	if (sw == NULL) {
		os_format(why->text, sizeof(why->text), "%s: there is no switch %s", full, name);
		return -ENOENT;
	}
	list->nr_bridge_idx = (uint16_t)sw->index;
	list->nr_port_idx = NO_PORT_INDEX;
	for (j = 0; j < VALE_PORTS; j++)
		if (sw->port[j] != NULL && port_has_name(sw->port[j], full))
			list->nr_port_idx = j;
	return 0;
}

/* The first port at or after (switch index, port index). */
static int
list_next(struct request_msg *msg, struct nmreq_vale_list *list)
{
	const struct vale_switch *sw;
	uint32_t j = list->nr_port_idx;

	for (sw = vale_next(list->nr_bridge_idx); sw != NULL; sw = vale_next(sw->index + 1)) {
		if (sw->index != list->nr_bridge_idx)
			j = 0;
		for (; j < VALE_PORTS; j++) {
			if (sw->port[j] == NULL)
				continue;
			list->nr_bridge_idx = (uint16_t)sw->index;
			list->nr_port_idx = j;
			port_full_name(sw->port[j], msg->hdr.nr_name);
			return 0;
		}
	}
	return -ENOENT;
}

int
request_vale_list(struct request_msg *msg, struct why *why)
{
	struct nmreq_vale_list *list = request_body(msg);

	if (msg->hdr.nr_name[0] != '\0')
		return list_named(msg, list, why);
	return list_next(msg, list);
}
