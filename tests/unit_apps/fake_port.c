/* SPDX-License-Identifier: BSD-2-Clause */
/* A port without a host. */
#define NETMAP_HOST_SIDE
#include <stdlib.h>
#include <string.h>

#include "fake_port.h"

#define IF_SIZE 256

static size_t ring_size(const struct fake_region *r)
{
	size_t size = sizeof(struct netmap_ring) + r->num_slots * sizeof(struct netmap_slot);

	return (size + NM_CACHE_ALIGN - 1) / NM_CACHE_ALIGN * NM_CACHE_ALIGN;
}

static size_t bufs_start(const struct fake_region *r)
{
	return r->ports * (IF_SIZE + 2 * ring_size(r));
}

void fake_region_init(struct fake_region *r, unsigned ports, unsigned num_slots, uint32_t buf_size)
{
	memset(r, 0, sizeof(*r));
	r->ports = ports;
	r->num_slots = num_slots;
	r->buf_size = buf_size;
	r->mem.size = bufs_start(r) + (size_t)(2 + 2 * ports * num_slots) * buf_size;
	r->mem.mem = aligned_alloc(NM_CACHE_ALIGN,
				   (r->mem.size + NM_CACHE_ALIGN - 1) / NM_CACHE_ALIGN * NM_CACHE_ALIGN);
	if (!r->mem.mem)
		abort();
	memset(r->mem.mem, 0, r->mem.size);
}

void fake_region_fini(struct fake_region *r)
{
	free(r->mem.mem);
}

static void ring_make(const struct fake_region *r, struct netmap_ring *ring, unsigned number, uint16_t dir)
{
	ring->buf_ofs = (char *)r->mem.mem + bufs_start(r) - (char *)ring;
	ring->num_slots = r->num_slots;
	ring->nr_buf_size = r->buf_size;
	ring->dir = dir;
	ring->tail = dir ? r->num_slots - 1 : 0;
	for (unsigned i = 0; i < r->num_slots; i++)
		ring->slot[i].buf_idx = 2 + number * r->num_slots + i;
}

void fake_port_make(struct nmport_d *d, struct fake_region *r, unsigned i)
{
	char *base = (char *)r->mem.mem + i * (IF_SIZE + 2 * ring_size(r));
	struct netmap_if *nifp = (struct netmap_if *)(void *)base;

	memset(d, 0, sizeof(*d));
	d->mem = &r->mem;
	d->fd = -1;
	d->nifp = nifp;
	nifp->ni_tx_rings = nifp->ni_rx_rings = 1;
	nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;
	nifp->ring_ofs[0] = IF_SIZE;
	nifp->ring_ofs[2] = (ssize_t)(IF_SIZE + ring_size(r));
	ring_make(r, NETMAP_TXRING(nifp, 0), 2 * i, 1);
	ring_make(r, NETMAP_RXRING(nifp, 0), 2 * i + 1, 0);
}

void fake_receive(const struct nmport_d *d, unsigned len, uint16_t flags, uint8_t fill)
{
	struct netmap_ring *ring = fake_rx(d);
	struct netmap_slot *slot = &ring->slot[ring->tail];

	slot->len = (uint16_t)len;
	slot->flags = flags;
	memset(NETMAP_BUF(ring, slot->buf_idx), fill, len);
	ring->tail = nm_ring_next(ring, ring->tail);
}
