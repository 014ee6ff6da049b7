/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking again for a moment before sleeping: whether that pays, by how it went lately. One record a thread.
 */
#ifndef HOST_SPIN_H
#define HOST_SPIN_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define SPIN_NS		20000	/* longest: about what a sleep and its wake-up cost */
#define SPIN_SCORE_MAX	8
#define SPIN_TRY	32u	/* without recent success, one sleep in so many spins */

struct spin {
	uint32_t score;		/* how well it did lately */
	uint32_t misses;	/* sleeps without a try since it stopped paying */
	bool one_cpu;		/* nobody else runs meanwhile */
};

static inline void
spin_init(struct spin *s)
{
	cpu_set_t set;

	*s = (struct spin){ .one_cpu = sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 };
}

/* Worth it while the last ones were, and now and then to find out. */
static inline bool
spin_begin(struct spin *s)
{
	if (s->one_cpu)
		return false;
	return s->score > 0 || ++s->misses % SPIN_TRY == 0;
}

static inline void
spin_end(struct spin *s, bool found)
{
	if (found)
		s->score = SPIN_SCORE_MAX;
	else if (s->score > 0)
		s->score--;
}

#endif /* HOST_SPIN_H */
