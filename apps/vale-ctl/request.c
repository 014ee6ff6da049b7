/* SPDX-License-Identifier: BSD-2-Clause */
/* Control requests, each on a descriptor of its own. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libnetmap.h>
#include <netmap_switch_ctl.h>

#include "port_name.h"
#include "print.h"
#include "request.h"

#define NO_PORT_INDEX	255u		/* VALE_LIST: the switch is there, the port is not */

static uint64_t owner_token;		/* of requests; 0: none */

/* The header's name is what the request found, if it is one that finds names. */
static int
request_header(struct nmreq_header *h)
{
	int fd = open("/dev/netmap", O_RDWR | O_CLOEXEC), err = 0;

	/* That nothing serves us is not that a request found nothing. */
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	if (owner_token != 0)
		err = netmap_switch_token_use(fd, owner_token);
	if (err == 0 && ioctl(fd, NIOCCTRL, h) != 0)
		err = -errno;
	close(fd);
	return err;
}

static int
request(uint16_t type, const char *name, void *body)
{
	struct nmreq_header h;

	nmreq_header_init(&h, type, body);
	snprintf(h.nr_name, sizeof(h.nr_name), "%s", name);
	return request_header(&h);
}

/* --- -g --- */

int
request_info(const char *name, struct port_info *info)
{
	int err;

	memset(info, 0, sizeof(*info));
	err = request(NETMAP_REQ_PORT_INFO_GET, name, &info->port);
	if (err == 0)
		info->has_pools = request(NETMAP_REQ_POOLS_INFO_GET, name, &info->pools) == 0;
	return err;
}

static void
pool_print(FILE *out, const char *name, uint64_t offset, uint32_t objects, uint32_t size)
{
	fprintf(out, "  pool    %-7s %u objects of %u bytes, at %" PRIu64 "\n", name, objects, size, offset);
}

void
info_print(FILE *out, const char *name, const struct port_info *info)
{
	const struct nmreq_port_info_get *p = &info->port;
	const struct nmreq_pools_info *m = &info->pools;
	char clean[NETMAP_REQ_IFNAMSIZ];

	text_clean(clean, sizeof(clean), name);
	fprintf(out, "%s\n", clean);
	fprintf(out, "  rings   %u tx, %u rx; host rings %u tx, %u rx\n", p->nr_tx_rings, p->nr_rx_rings,
		p->nr_host_tx_rings, p->nr_host_rx_rings);
	fprintf(out, "  slots   %u tx, %u rx\n", p->nr_tx_slots, p->nr_rx_slots);
	fprintf(out, "  region  %u, %" PRIu64 " bytes\n", p->nr_mem_id, p->nr_memsize);
	if (!info->has_pools)
		return;
	pool_print(out, "if", m->nr_if_pool_offset, m->nr_if_pool_objtotal, m->nr_if_pool_objsize);
	pool_print(out, "ring", m->nr_ring_pool_offset, m->nr_ring_pool_objtotal, m->nr_ring_pool_objsize);
	pool_print(out, "buffer", m->nr_buf_pool_offset, m->nr_buf_pool_objtotal, m->nr_buf_pool_objsize);
}

/* --- the other commands --- */

/* What -m says: a number, or the region of a port. */
static int
region_find(const struct options *o, uint16_t *id)
{
	char name[PORT_NAME_MAX];
	const char *p = name;
	int32_t found;

	*id = o->mem_id;
	if (o->mem_port == NULL)
		return 0;
	if (port_name_complete(name, sizeof(name), o->mem_port) != 0)
		return -ENAMETOOLONG;
	found = nmreq_get_mem_id(&p, nmctx_get());
	if (found < 0)
		return -errno;
	*id = (uint16_t)found;
	return 0;
}

static int
attach(const struct options *o, FILE *out)
{
	struct ring_config c = options_ring_config(o);
	struct nmreq_vale_attach a = { .reg = {
		.nr_mode = o->command == COMMAND_ATTACH_HOST ? NR_REG_NIC_SW : NR_REG_ALL_NIC,
		.nr_tx_slots = c.tx_slots, .nr_rx_slots = c.rx_slots,
		.nr_tx_rings = c.tx_rings, .nr_rx_rings = c.rx_rings,
	} };
	int err = region_find(o, &a.reg.nr_mem_id);

	if (err == 0)
		err = request(NETMAP_REQ_VALE_ATTACH, o->name, &a);
	if (err == 0 && o->verbose)
		fprintf(out, "%s: port %u of the switch\n", o->name, a.port_index);
	return err;
}

static int
detach(const struct options *o, FILE *out)
{
	struct nmreq_vale_detach d = { 0 };
	int err = request(NETMAP_REQ_VALE_DETACH, o->name, &d);

	if (err == 0 && o->verbose)
		fprintf(out, "%s: was port %u of the switch\n", o->name, d.port_index);
	return err;
}

static int
port_new(const struct options *o, FILE *out)
{
	struct ring_config c = options_ring_config(o);
	struct nmreq_vale_newif n = {
		.nr_tx_slots = c.tx_slots, .nr_rx_slots = c.rx_slots,
		.nr_tx_rings = c.tx_rings, .nr_rx_rings = c.rx_rings,
	};
	int err = region_find(o, &n.nr_mem_id);

	if (err == 0)
		err = request(NETMAP_REQ_VALE_NEWIF, o->name, &n);
	if (err == 0 && o->verbose)
		fprintf(out, "%s: %u tx and %u rx rings, %u and %u slots, region %u\n", o->name,
			n.nr_tx_rings, n.nr_rx_rings, n.nr_tx_slots, n.nr_rx_slots, n.nr_mem_id);
	return err;
}

static int
polling(const struct options *o, FILE *out)
{
	bool on = o->command == COMMAND_POLLING_ON;
	struct polling_config c = options_polling_config(o);
	struct nmreq_vale_polling p = {
		.nr_mode = c.mode, .nr_first_cpu_id = c.first_cpu, .nr_num_polling_cpus = c.cpus,
	};
	int err = request(on ? NETMAP_REQ_VALE_POLLING_ENABLE : NETMAP_REQ_VALE_POLLING_DISABLE, o->name, &p);

	if (err == 0 && o->verbose)
		fprintf(out, "%s: polling %s\n", o->name, on ? "started" : "stopped");
	return err;
}

int
request_run(const struct options *o, FILE *out)
{
	owner_token = o->token;
	switch (o->command) {
	case COMMAND_ATTACH:
	case COMMAND_ATTACH_HOST:
		return attach(o, out);
	case COMMAND_DETACH:
		return detach(o, out);
	case COMMAND_NEW:
		return port_new(o, out);
	case COMMAND_REMOVE:
		return request(NETMAP_REQ_VALE_DELIF, o->name, NULL);
	case COMMAND_POLLING_ON:
	case COMMAND_POLLING_OFF:
		return polling(o, out);
	default:
		return -EINVAL;
	}
}

/* --- listing --- */

/* The switch of this name, any of its ports: -ENOENT if there is none. */
static int
list_find(const char *only, struct nmreq_vale_list *at)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	int err;

	/* The request tells a port from a switch by the colon. */
	snprintf(name, sizeof(name), "%s%s", only, strchr(only, ':') != NULL ? "" : ":");
	err = request(NETMAP_REQ_VALE_LIST, name, at);
	if (err != 0)
		return err;
	if (at->nr_port_idx == NO_PORT_INDEX && name[strlen(name) - 1] != ':')
		return -ENOENT;
	return 0;
}

int
request_list(const char *only, FILE *out)
{
	struct nmreq_vale_list at = { 0 }, first = { 0 };
	char clean[NETMAP_REQ_IFNAMSIZ];
	struct nmreq_header h;
	bool one_port, one_switch;
	int err;

	if (only != NULL) {
		err = list_find(only, &at);
		if (err != 0)
			return err;
		first = at;
	}
	one_port = only != NULL && first.nr_port_idx != NO_PORT_INDEX;
	one_switch = only != NULL && !one_port;
	if (one_switch)
		at.nr_port_idx = 0;
	do {
		nmreq_header_init(&h, NETMAP_REQ_VALE_LIST, &at);
		err = request_header(&h);
		if (err != 0 || (one_switch && at.nr_bridge_idx != first.nr_bridge_idx))
			break;
		text_clean(clean, sizeof(clean), h.nr_name);
		fprintf(out, "%s  switch %u, port %u\n", clean, at.nr_bridge_idx, at.nr_port_idx);
		at.nr_port_idx++;
	} while (!one_port);
	return err == -ENOENT ? 0 : err;
}
