/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interface on a switch: moving packets between rings of the interface and rings of the port that stands for it on
 * the switch. Both lie in one region, so buffers change places and nothing is copied; the copying is the switch's.
 *
 *	interface rx -> port tx -> switch		the switch takes all
 *	interface tx <- port rx <- switch		while the interface has no room the port's ring fills, and the switch drops
 *
 * One thread at a time steps a pair. It is a thread like any other that syncs: it has an actor of its own, nothing here
 * blocks, and what the rings say is checked by the syncs as if a program had written it.
 */
#ifndef ENGINE_FORWARD_H
#define ENGINE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

struct forward_pair {
	/* Copies of two sessions' bindings, narrowed to at most one ring of each direction. */
	struct binding nic, vale;
	/* Set by the host's worker: the interface is no more, and the pair is not stepped any longer. */
	uint32_t gone;
	/* The host's. */
	void *job;
};

/* What a step found; bits. */
#define FORWARD_MOVED	1u	/* packets: there may be more */
#define FORWARD_FULL	2u	/* packets wait for room at the interface */
#define FORWARD_FAILED	4u	/* the interface is down or gone */

/* Moves what is there, at most a ring's slots each way. After a step that moved nothing no slot is held back. */
unsigned forward_step(struct arena_root *root, struct actor *self, struct forward_pair *p);

/*
 * Asks for a wake-up of `self` when packets come, those apart that the interface's driver announces: sleep as sync.h says
 * for bindings, with a step as the second look. A registration is used up by a wake-up; forward_armed tells whether it
 * is still there.
 */
void forward_arm(struct arena_root *root, struct actor *self, struct forward_pair *p);
void forward_disarm(struct arena_root *root, struct actor *self, struct forward_pair *p);
bool forward_armed(const struct actor *self, const struct forward_pair *p);

/* Slots with packets that are on their way, none of which goes on when the pair is given up. */
uint32_t forward_left(const struct forward_pair *p);

#endif /* ENGINE_FORWARD_H */
