/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Native veth: interfaces that are the two ends of a veth pair, both open as ports, are joined ring to ring while both rings are open. What one end
 * sends is taken from its TX ring by the receiver, who gives a free buffer for each one that he takes. Neither the kernel nor its driver sees the frames.
 */
#ifndef ENGINE_JOIN_H
#define ENGINE_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

/* --- data path; both must be called with the ring held, and head accepted --- */

/* Offers [hwcur, head) to the other end and takes back the slots that it is done with. False: not joined, the slots are the driver's. */
bool join_txsync(struct arena_root *root, const struct actor *self, struct kring *tx, uint32_t head);
/*
 * A sync of a joined RX ring: takes whole packets from the other end into the free slots, and lets the driver have its turn. `head` and `ts` as with
 * nic_rxsync(), and so is the result.
 */
int join_rxsync(struct arena_root *root, const struct actor *self, struct kring *rx, uint32_t head, int64_t ts[2]);
/* Something waits to be taken into this ring. The ring need not be held. */
bool join_offers(const struct kring *rx);

/* --- control side --- */

/* Actor `id` is dead: finishes or takes back what it was about with this ring. Before the ring's busy word is cleared. */
void join_repair(struct kring *kr, uint32_t id);
/* A new NIC port, in the list: finds the other end. */
void join_find(struct port *p);
/* Rings of the port were opened or closed: joins and parts. */
void join_update(struct port *p);
/* The port goes; none of its rings is open. */
void join_forget(struct port *p);

static inline bool
ring_joined(const struct kring *kr)
{
	return load_acquire(&kr->join) != NULL;
}

#endif /* ENGINE_JOIN_H */
