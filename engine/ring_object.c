/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and unmaking rings: the netmap_ring that programs see, and the engine's kring for it.
 */
#include "bytes.h"
#include "os.h"
#include "port.h"

static uint32_t
uring_bytes(uint32_t slots)
{
	return (uint32_t)(sizeof(struct netmap_ring) + slots * sizeof(struct netmap_slot));
}

static void
uring_init(struct kring *kr)
{
	const struct region_pool *bufs = &kr->region->pool[POOL_BUF];
	struct netmap_ring *ring = kr->uring;

	bytes_zero(ring, kr->uring_size);
	ring->buf_ofs = (kr->region->base + bufs->offset) - (char *)ring;
	ring->num_slots = kr->num_slots;
	ring->nr_buf_size = kr->buf_size;
	ring->ringid = kr->id;
	ring->dir = kr->dir;
	ring->tail = kr->hwtail;
}

static int
uring_fill(struct kring *kr, struct why *why)
{
	struct region *r = kr->region;
	uint32_t i;

	for (i = 0; i < kr->num_slots; i++) {
		uint32_t idx = region_buf_alloc(r);

		if (idx == 0) {
			os_format(why->text, sizeof(why->text),
				"port %s: the buffer pool of memory region %u (made for %s) has %u free of the %u buffers for ring %u; "
				"close other descriptors of the region, or use fewer slots, rings or extra buffers", kr->port->name,
				r->id, r->owner, i, kr->num_slots, kr->id);
			while (i-- > 0)
				region_buf_free(r, kr->uslot[i].buf_idx);
			return -ENOMEM;
		}
		slot_store(&kr->uslot[i], slot_word(idx, kr->buf_size, 0));
	}
	return 0;
}

static void
kring_init(struct kring *kr, struct port *p, enum ring_dir dir, uint16_t id, uint32_t slots)
{
	struct region *r = p->region;

	kr->ubufs = r->base + r->pool[POOL_BUF].offset;
	kr->uslot = kr->uring->slot;
	kr->port = p;
	kr->region = r;
	/* A null port's ring may have no slots. */
	kr->pos_mod = slots > 0 ? POS_LIMIT / slots * slots : 1;
	kr->num_slots = slots;
	kr->buf_size = r->pool[POOL_BUF].obj_size;
	kr->buf_total = r->pool[POOL_BUF].obj_total;
	kr->offset_end = kr->buf_size;
	kr->id = id;
	kr->dir = (uint8_t)dir;
	kr->type = p->type;
	kr->host = id >= (dir == RING_TX ? p->num_tx : p->num_rx);
	kr->hwtail = dir == RING_TX && slots > 0 ? slots - 1 : 0;
	kr->rtail = kr->hwtail;
}

static int
leases_create(struct kring *kr)
{
	uint32_t i;

	kr->lease = os_shared_alloc(kr->num_slots * sizeof(*kr->lease));
	if (kr->lease == NULL)
		return -ENOMEM;
	/* No position is all ones: no record stands for a lease. */
	for (i = 0; i < kr->num_slots; i++)
		kr->lease[i] = ~UINT64_C(0);
	return 0;
}

int
kring_create(struct port *p, enum ring_dir dir, uint16_t id, uint32_t slots, bool with_bufs, struct kring **out, struct why *why)
{
	struct kring *kr = os_shared_alloc(sizeof(*kr));
	int error = -ENOMEM;

	if (kr == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the state of ring %u", p->name, id);
		return -ENOMEM;
	}
	kr->uring_size = uring_bytes(slots);
	kr->uring = region_alloc(p->region, POOL_RING, kr->uring_size, p->name, why);
	if (kr->uring == NULL)
		goto err_kring;
	kring_init(kr, p, dir, id, slots);
	if (dir == RING_RX && (p->type == PORT_VALE || p->type == PORT_MONITOR) && leases_create(kr) != 0) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the leases of ring %u", p->name, id);
		goto err_uring;
	}
	uring_init(kr);
	if (with_bufs) {
		error = uring_fill(kr, why);
		if (error != 0)
			goto err_leases;
	}
	*out = kr;
	return 0;

err_leases:
	os_shared_free(kr->lease, slots * sizeof(*kr->lease));
err_uring:
	region_free(p->region, POOL_RING, kr->uring, kr->uring_size);
err_kring:
	os_shared_free(kr, sizeof(*kr));
	return error;
}

void
kring_destroy(struct kring *kr)
{
	uint32_t i;

	/* Whatever buffers the slots hold now: wrong or double indexes are ignored. */
	for (i = 0; i < kr->num_slots; i++)
		region_buf_free(kr->region, slot_idx(slot_load(&kr->uslot[i])));
	region_free(kr->region, POOL_RING, kr->uring, kr->uring_size);
	os_shared_free(kr->lease, kr->num_slots * sizeof(*kr->lease));
	os_shared_free(kr, sizeof(*kr));
}

int
port_rings_create(struct port *p, bool bufs_rx, struct why *why)
{
	int error = -ENOMEM;
	uint16_t i;

	p->tx = os_shared_alloc((port_tx_rings(p) + 1u) * sizeof(*p->tx));
	p->rx = os_shared_alloc((port_rx_rings(p) + 1u) * sizeof(*p->rx));
	if (p->tx == NULL || p->rx == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for its table of rings", p->name);
		goto err;
	}
	for (i = 0; i < port_rx_rings(p); i++) {
		error = kring_create(p, RING_RX, i, p->rx_slots, bufs_rx, &p->rx[i], why);
		if (error != 0)
			goto err;
	}
	for (i = 0; i < port_tx_rings(p); i++) {
		error = kring_create(p, RING_TX, i, p->tx_slots, true, &p->tx[i], why);
		if (error != 0)
			goto err;
	}
	return 0;
err:
	port_rings_destroy(p);
	return error;
}

static void
rings_destroy(struct kring **kr, uint32_t n)
{
	uint32_t i;

	for (i = 0; kr != NULL && i < n; i++)
		if (kr[i] != NULL)
			kring_destroy(kr[i]);
	os_shared_free(kr, (n + 1u) * sizeof(*kr));
}

void
port_rings_destroy(struct port *p)
{
	rings_destroy(p->tx, port_tx_rings(p));
	rings_destroy(p->rx, port_rx_rings(p));
	p->tx = p->rx = NULL;
}

void
port_rings_link(struct port *a, struct port *b)
{
	uint16_t i;
	uint32_t j;

	for (i = 0; i < a->num_tx; i++) {
		a->tx[i]->peer = b->rx[i];
		b->rx[i]->peer = a->tx[i];
		/* As after a full turn: an RX slot refers to what its TX slot holds. */
		for (j = 0; j < a->tx[i]->num_slots; j++)
			slot_store(&b->rx[i]->uslot[j], slot_load(&a->tx[i]->uslot[j]));
	}
}
