/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See null_port.h.
 */
#include "null_port.h"
#include "os.h"

static int
numbers_check(const char *name, const struct port_want *want, struct why *why)
{
	if (want->tx_rings <= RINGS_MAX && want->rx_rings <= RINGS_MAX && want->tx_slots <= SLOTS_MAX && want->rx_slots <= SLOTS_MAX)
		return 0;
	os_format(why->text, sizeof(why->text), "port %s: a null port has at most %u rings of %u slots in each direction", name, RINGS_MAX, SLOTS_MAX);
	return -EINVAL;
}

int
null_port_create(const char *name, const struct port_want *want, struct port **out, struct why *why)
{
	struct region *r = want->mem_id != 0 ? region_find(want->mem_id) : NULL;
	struct port *p;
	int error;

	if (r == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: a null port needs an existing memory region, and there is no region %u", name,
			want->mem_id);
		return -EINVAL;
	}
	error = numbers_check(name, want, why);
	if (error != 0)
		return error;
	p = port_new(PORT_NULL, name, NETMAP_REQ_IFNAMSIZ);
	if (p == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the description of a port", name);
		return -ENOMEM;
	}
	p->num_tx = want->tx_rings;
	p->num_rx = want->rx_rings;
	p->tx_slots = want->tx_slots;
	p->rx_slots = want->rx_slots;
	p->max_frame = r->pool[POOL_BUF].obj_size;
	p->region = r;
	region_get(r);
	error = port_rings_create(p, true, why);
	if (error != 0)
		goto err_region;
	port_link(p);
	*out = p;
	return 0;

err_region:
	region_put(r);
	os_shared_free(p, sizeof(*p));
	return error;
}
