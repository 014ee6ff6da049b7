/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leases: how several senders fill one VALE receive ring at once, without a lock, and how what a dead one left is found.
 *
 * Room is reserved by one compare-and-swap on kring.reserve, which names the end of the reservation, its owner and its size. Before it replaces
 * that word, the next reserver makes sure that the lease it names has a record in kring.lease[]: so at any time at most one lease, the last, has
 * no record, and the word itself tells whose it is. Slots become visible in order: a lease is published when all before it are.
 */
#ifndef ENGINE_LEASE_H
#define ENGINE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

/* A look at the ring before a reservation. */
struct lease_view {
	uint64_t word;		/* kring.reserve as it was */
	uint32_t room;		/* slots that could be reserved */
};

/* Looks. Reloads the consumer's cursor if there seems to be less room than `want` slots. */
void lease_look(struct kring *kr, uint32_t want, struct lease_view *v);
/* Reserves n slots, 1 <= n <= v->room and <= LEASE_MAX. False if another sender came first: look again. */
bool lease_take(struct kring *kr, uint32_t owner, const struct lease_view *v, uint32_t n, uint64_t *start);
/*
 * The next n slots of a lease that is first in line may be shown early; `left` slots of it stay. Returns false if it is not its turn. Once the consumer
 * has released them, a lease of the next lap may begin where this one did and take over its record: so what is left gets a record of its own.
 */
bool lease_publish_part(struct kring *kr, uint32_t owner, uint64_t shown, uint32_t n, uint32_t left);
/* The slots [start, start+n) are filled. Publishes what is complete in order. Ends with a full barrier: the caller may look for sleepers. */
void lease_finish(struct kring *kr, uint64_t start, uint32_t n, uint64_t shown);
/* Ends all leases of a dead owner; their unpublished slots come out empty. Returns how many leases there were. Control side. */
unsigned lease_cancel(struct kring *kr, uint32_t owner);
/* Owner of the oldest unfinished lease, 0 if there is none. */
uint32_t lease_oldest(const struct kring *kr);

#endif /* ENGINE_LEASE_H */
