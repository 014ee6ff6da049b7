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
 * synced); -ENXIO if nothing is registered. A ring that another thread is syncing is skipped.
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

/* Frees what a dead thread held: its busy flags and leases, on every ring of the arena. Control side. Returns the number of leases cancelled. */
unsigned actor_recover(struct arena_root *root, uint32_t id);

#endif /* ENGINE_SYNC_H */
