/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding between an interface's rings and those of its host stack, where the program asks for it: NR_FORWARD in a ring's flags, NS_FORWARD in
 * the slots that it releases.
 */
#ifndef ENGINE_HOST_RING_H
#define ENGINE_HOST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

/*
 * To be called with a NIC port's RX ring held, after head and cur were accepted and before slots go back to the driver. Returns up to where they may:
 * rhead, or less if the rest must wait for a ring that another thread is just syncing.
 *
 * Slots of an interface's ring are sent to the stack from where they are; that needs the port's host rings open, by whatever descriptor, and is
 * a counted drop without. Slots of the first host ring are exchanged with free ones of the interface's TX rings, the first ring that has room, if
 * the descriptor has all of these; their head and cur move. What finds no room is dropped and counted. The parameter `fwd` stands for NR_FORWARD on all
 * rings, and for NS_FORWARD in every slot of an interface's, where host rings are open.
 */
uint32_t host_ring_forward(const struct arena_root *root, const struct actor *self, struct binding *b, struct kring *kr);
/* True if a poll of this binding may have moved slots to TX rings, which are then to be synced. */
bool host_ring_forwards_down(const struct arena_root *root, const struct binding *b);

#endif /* ENGINE_HOST_RING_H */
