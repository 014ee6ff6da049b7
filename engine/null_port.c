/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See null_port.h.
 */
#include "null_port.h"
#include "extmem.h"
#include "os.h"

static int
numbers_check(const char *name, const struct port_want *want, struct why *why)
{
	if (want->tx_rings <= RINGS_MAX && want->rx_rings <= RINGS_MAX && want->tx_slots <= SLOTS_MAX && want->rx_slots <= SLOTS_MAX)
		return 0;
	os_format(why->text, sizeof(why->text), "port %s: a null port has at most %u rings of %u slots in each direction", name, RINGS_MAX, SLOTS_MAX);
	return -EINVAL;
}

/* Existing memory, or what the program gives; held. */
static int
region_choose(const char *name, const struct port_want *want, struct region **out, struct why *why)
{
	const struct region_need need = {
		.rings = (uint32_t)want->tx_rings + want->rx_rings,
		.largest_ring = want->tx_slots > want->rx_slots ? want->tx_slots : want->rx_slots,
	};

	if (want->memory != NULL)
		return extmem_region(want->memory, &need, name, out, why);
	*out = want->mem_id != 0 ? region_find(want->mem_id) : NULL;
	if (*out == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: a null port needs external memory or an existing region, and there is no region %u", name,
			want->mem_id);
		return -EINVAL;
	}
	region_get(*out);
	return 0;
}

int
null_port_create(const char *name, const struct port_want *want, struct port **out, struct why *why)
{
	struct region *r;
	struct port *p;
	int error = numbers_check(name, want, why);

	if (error == 0)
		error = region_choose(name, want, &r, why);
	if (error != 0)
		return error;
	p = port_new(PORT_NULL, name, NETMAP_REQ_IFNAMSIZ);
	if (p == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the description of a port", name);
		error = -ENOMEM;
		goto err_region;
	}
	p->num_tx = want->tx_rings;
	p->num_rx = want->rx_rings;
	p->tx_slots = want->tx_slots;
	p->rx_slots = want->rx_slots;
	p->max_frame = r->pool[POOL_BUF].obj_size;
	p->region = r;
	error = port_rings_create(p, true, why);
	if (error != 0)
		goto err_port;
	port_link(p);
	*out = p;
	return 0;

err_port:
	os_shared_free(p, sizeof(*p));
err_region:
	region_put(r);
	return error;
}
