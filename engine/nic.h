/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the engine hands ring slots to an interface driver.
 */
#ifndef ENGINE_NIC_H
#define ENGINE_NIC_H

#include <stdint.h>

#include "ring.h"

/*
 * Slots [from, to) of a ring, circular. TX: to be sent; RX: to be filled. The driver loads each slot once, checks its copy, and advances `from`
 * over what it has done: whole packets only. TX: slots [done, from) were taken before, but somebody may still read their buffers.
 */
struct nic_ring {
	struct netmap_slot *uslot;	/* hostile */
	char *ubufs;
	uint32_t num_slots;
	uint32_t buf_size;
	uint32_t buf_total;
	uint32_t from, to;
	uint32_t done;			/* TX only */
	/* Of kr, see offsets.h: where a slot's data are, or go, is what nic_offset() says. */
	uint64_t offset_mask;
	uint32_t offset_max, offset_end;
	/* Results, added up by the driver. */
	uint64_t packets;
	uint64_t bytes;
	uint64_t drops[DROP_REASONS];
	int64_t ts_sec, ts_usec;	/* RX: of the newest packet; 0 if the driver has none */
};

/* Where the data of a slot with this ptr begin in its buffer: at most buf_size. */
static inline uint32_t
nic_offset(const struct nic_ring *r, uint64_t ptr)
{
	uint64_t offset = ptr & r->offset_mask;

	return offset < r->offset_max ? (uint32_t)offset : r->offset_max;
}

/* Describes slots [from, to) of kr; books what was done as kr's. */
void nic_ring_init(struct nic_ring *r, const struct kring *kr, uint32_t from, uint32_t to);
void nic_ring_count(struct kring *kr, const struct nic_ring *r);

/* Both must be called with the ring held; -errno of the driver: the interface is down or gone. */
int nic_txsync(struct kring *kr, uint32_t head);
/* ts: seconds and microseconds of the newest frame, 0 if unknown. */
int nic_rxsync(struct kring *kr, uint32_t head, int64_t ts[2]);

#endif /* ENGINE_NIC_H */
