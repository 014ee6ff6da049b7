/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data path's entry points. All of them run in the caller's thread, on state in the arena; none blocks or takes a lock.
 */
#ifndef ENGINE_SYNC_H
#define ENGINE_SYNC_H

#include <stdint.h>

#include "ring.h"

/* Event bits of binding_poll: the numbers of poll(2). */
#define EV_IN	0x0001u
#define EV_OUT	0x0004u
#define EV_ERR	0x0008u

/*
 * NIOCTXSYNC and NIOCRXSYNC: every bound ring of that direction, in order. 0; -EIO if some ring's port is going away (the others were
 * synced); -ENXIO if nothing is registered; -EBUSY in CSB mode. A ring that another thread is syncing is skipped.
 */
int binding_txsync(struct arena_root *root, struct actor *self, struct binding *b);
int binding_rxsync(struct arena_root *root, struct actor *self, struct binding *b);

/*
 * The sync passes of poll(): returns which of the events asked for (EV_IN, EV_OUT) are there, and EV_ERR. Does not block.
 */
unsigned binding_poll(struct arena_root *root, struct actor *self, struct binding *b, unsigned events);

/*
 * Asks for a wake-up of `self` when the events may have come. To sleep: set self->wake to 0 and self->sleep, arm every binding, call binding_poll
 * for each once more, and only then sleep until self->wake is 1. Disarm afterwards, woken or not.
 */
void binding_arm(struct arena_root *root, struct actor *self, struct binding *b, unsigned events);
void binding_disarm(struct arena_root *root, struct actor *self, struct binding *b, unsigned events);
/* True if the kernel must be asked too: a bound NIC ring becomes ready behind a descriptor of the driver's. */
bool binding_has_nic(const struct binding *b);

/* --- for the other files of the data path --- */

enum ring_result {
	RING_OK,
	RING_BUSY,		/* another thread is at it: skipped */
	RING_BAD,		/* head or cur broke the rules */
	RING_ERROR,		/* the port is going away, or its interface failed */
};

/* Where the application is, when it does not say so in its ring. Both are hostile. */
struct ring_claim {
	uint32_t head, cur;
};

/*
 * Syncs one ring of a binding in CSB mode, inside the data path: as the calls above, but nothing is read from or written to head, cur and tail of the
 * netmap_ring. The results are the ring's hwcur and hwtail.
 */
enum ring_result ring_sync_claim(struct arena_root *root, struct actor *self, struct binding *b, struct kring *kr, const struct ring_claim *claim);

/* Makes the ring the caller's alone; false if another thread has it. */
bool ring_hold(struct kring *kr, const struct actor *self);
void ring_release(struct kring *kr);
/*
 * Takes head and cur from the application: both must lie in [rhead, rtail] in this order, circularly. False: the ring was restored. With the ring held.
 */
bool uring_accept(struct kring *kr);

/* Whoever sleeps on the port's rings looks for himself what there is. */
void sleepers_wake(struct arena_root *root, struct port *p);

/* Frees what a dead thread held: its busy flags and leases, on every ring of the arena. Control side. Returns the number of leases cancelled. */
unsigned actor_recover(struct arena_root *root, uint32_t id);

#endif /* ENGINE_SYNC_H */
