/* SPDX-License-Identifier: BSD-2-Clause */
/* A port without a host: rings and buffers in ordinary memory. Tests play the host by moving tails. */
#ifndef FAKE_PORT_H
#define FAKE_PORT_H

#include <libnetmap.h>

#define FAKE_BUF_SIZE 2048

/*
 * A region with room for ports ports, each with one tx and one rx ring of num_slots slots. Port i is made by
 * fake_port_make(). Buffer indices start at 2 and differ in all slots of the region.
 */
struct fake_region {
	struct nmem_d mem;
	unsigned num_slots, ports;
	uint32_t buf_size;
};

void fake_region_init(struct fake_region *r, unsigned ports, unsigned num_slots, uint32_t buf_size);
void fake_region_fini(struct fake_region *r);

/* Makes port i of the region. All tx slots but one are free, the rx ring is empty. */
void fake_port_make(struct nmport_d *d, struct fake_region *r, unsigned i);

static inline struct netmap_ring *fake_tx(const struct nmport_d *d)
{
	return NETMAP_TXRING(d->nifp, 0);
}

static inline struct netmap_ring *fake_rx(const struct nmport_d *d)
{
	return NETMAP_RXRING(d->nifp, 0);
}

/* Puts a slot with len bytes of the value fill behind the tail of the rx ring. */
void fake_receive(const struct nmport_d *d, unsigned len, uint16_t flags, uint8_t fill);

#endif
