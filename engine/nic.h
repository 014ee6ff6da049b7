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
 * over what it has done: whole packets only.
 */
struct nic_ring {
	struct netmap_slot *uslot;	/* hostile */
	char *ubufs;
	uint32_t num_slots;
	uint32_t buf_size;
	uint32_t buf_total;
	uint32_t from, to;
	/* Results, added up by the driver. */
	uint64_t packets;
	uint64_t bytes;
	uint64_t drops[DROP_REASONS];
	int64_t ts_sec, ts_usec;	/* RX: of the newest packet; 0 if the driver has none */
};

/* Both must be called with the ring held; -errno of the driver: the interface is down or gone. */
int nic_txsync(struct kring *kr, uint32_t head);
/* ts: seconds and microseconds of the newest frame, 0 if unknown. */
int nic_rxsync(struct kring *kr, uint32_t head, int64_t ts[2]);

#endif /* ENGINE_NIC_H */
