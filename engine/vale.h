/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VALE: the learning switch.
 */
#ifndef ENGINE_VALE_H
#define ENGINE_VALE_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb.h"
#include "ring.h"

#define VALE_PORTS	254u		/* indexes 0..253 */
#define VALE_NAME_SIZE	16
#define VALE_FRAME_MAX	1514u		/* segments made for a port without virtio-net headers */

struct vale_worker;

struct vale_switch {
	char name[VALE_NAME_SIZE];
	uint64_t active[4];		/* bitmap of the indexes in use */
	struct port *port[VALE_PORTS];
	uint32_t sleeper;		/* actor number of the worker that wants to hear of packets, 0: it is awake, or there is none */

	/* Control side. */
	bool held;			/* stays without ports */
	uint64_t token;			/* who owns the switch knows it; 0: nobody does */
	struct vale_worker *worker;	/* the host's memory, see vale_worker.h; NULL: whoever sends forwards */
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

/* The same for a ring that a worker takes from: hands them over, and finds what it has taken. */
void vale_handover(struct arena_root *root, struct actor *self, struct kring *kr, uint32_t head);
/* Wakes the worker of the port's switch, if it sleeps. */
void vale_worker_wake(struct arena_root *root, const struct port *p);
/* The switch that the port is on, and its number there. A port that changes its switch just now is on none. */
struct vale_switch *vale_switch_of(const struct port *p, uint32_t *index);

#endif /* ENGINE_VALE_H */
