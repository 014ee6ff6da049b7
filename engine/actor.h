/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actors: the threads that run the data path.
 *
 * Every thread that syncs rings, in whatever process, owns one entry of a table in shared memory. Leases and busy flags carry its number, so
 * that whoever finds them knows whom to ask after; a thread that sleeps is woken through it; and an entry says whether its thread is inside the
 * data path right now, which is what the control side waits for before it frees anything that the data path may hold.
 */
#ifndef ENGINE_ACTOR_H
#define ENGINE_ACTOR_H

#include <stdint.h>

#define ACTOR_MAX	4095u		/* numbers 1..4095: twelve bits of a lease, 0 means nobody */

enum actor_sleep {
	ACTOR_SLEEP_NONE = 0,		/* not sleeping: setting the word is enough */
	ACTOR_SLEEP_FUTEX = 1,		/* sleeps on the word itself */
	ACTOR_SLEEP_FD = 2,		/* sleeps in the kernel on several descriptors: needs a signal on its event descriptor */
};

struct actor {
	/* Written by wakers. */
	uint32_t wake __attribute__((aligned(128)));	/* 0 armed, 1 woken; the futex word */
	/* Written by the owning thread. */
	uint32_t sleep;			/* enum actor_sleep */
	uint64_t inside;		/* 0, or the epoch in which the thread entered the data path */
	/* Written by the control side. */
	uint32_t id;			/* own number */
	uint32_t process;		/* number of the process in the control side's table, 0: entry is free */
	int32_t pid;
	int32_t tid;
};

/*
 * A set of actors who want to hear of a change: one bit each, and a summary word that says which words of bits may be non-zero.
 * Registration is used up by a wake-up. Costs the waker one load while nobody sleeps.
 */
#define WAITSET_WORDS	64

struct waitset {
	uint64_t summary;
	uint64_t bits[WAITSET_WORDS];
};

struct arena_root;

/*
 * Brackets the data path. From enter to leave nothing that the thread can reach in the arena is freed. Nests (a signal handler may sync inside a sync):
 * leave takes what enter returned.
 */
uint64_t actor_enter(const struct arena_root *root, struct actor *a);
void actor_leave(struct actor *a, uint64_t before);

void waitset_add(uint64_t *summary, uint64_t *bits, const struct actor *a);
void waitset_remove(uint64_t *bits, const struct actor *a);
/* The caller's change must be visible (full barrier) before it looks at the summary. Returns the number of actors woken. */
unsigned waitset_wake(struct arena_root *root, uint64_t *summary, uint64_t *bits);

#endif /* ENGINE_ACTOR_H */
