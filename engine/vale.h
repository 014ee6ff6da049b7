/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VALE: the learning switch.
 */
#ifndef ENGINE_VALE_H
#define ENGINE_VALE_H

#include <stdint.h>

#include "fdb.h"
#include "ring.h"

#define VALE_PORTS	254u		/* indexes 0..253 */
#define VALE_NAME_SIZE	16
#define VALE_FRAME_MAX	1514u		/* segments made for a port without virtio-net headers */

struct vale_switch {
	char name[VALE_NAME_SIZE];
	uint64_t active[4];		/* bitmap of the indexes in use */
	struct port *port[VALE_PORTS];

	/* Control side. */
	uint32_t ports;
	uint32_t index;			/* among the switches, for listing */
	uint8_t free_next[VALE_PORTS];	/* indexes given back, most recent on top */
	uint32_t free_count;
	uint32_t fresh;			/* next index that was never used */
	struct vale_switch *next;

	struct fdb fdb __attribute__((aligned(128)));	/* last: its entries follow */
};

/* Forwards slots [hwcur, head) of a TX ring; always takes them all. Must be called with the ring held. */
void vale_txsync(struct arena_root *root, struct actor *self, struct kring *kr, uint32_t head);

#endif /* ENGINE_VALE_H */
