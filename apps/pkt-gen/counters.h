/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker has done so far. One thread writes, once a batch; any thread may read. */
#ifndef PKT_GEN_COUNTERS_H
#define PKT_GEN_COUNTERS_H

#include <stdint.h>

struct counters {
	uint64_t packets;
	uint64_t bytes;
	uint64_t events;	/* batches */
	uint32_t min_space;	/* least free slots seen since the reader took it, UINT32_MAX: none seen */
} __attribute__((__aligned__(128)));

struct counts {
	uint64_t packets, bytes, events;
	uint32_t min_space;
};

static inline void counters_init(struct counters *c)
{
	*c = (struct counters){ .min_space = UINT32_MAX };
}

/* Writer only. */
static inline void counters_add(struct counters *c, uint64_t packets, uint64_t bytes, uint64_t events)
{
	__atomic_store_n(&c->packets, c->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&c->bytes, c->bytes + bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&c->events, c->events + events, __ATOMIC_RELAXED);
}

/* Writer only. A value that the reader takes away at the same moment may be lost: it is a hint for people. */
static inline void counters_note_space(struct counters *c, uint32_t space)
{
	if (space < __atomic_load_n(&c->min_space, __ATOMIC_RELAXED))
		__atomic_store_n(&c->min_space, space, __ATOMIC_RELAXED);
}

/* Adds to sum, and starts a new interval of min_space. */
static inline void counters_take(struct counters *c, struct counts *sum)
{
	uint32_t space = __atomic_exchange_n(&c->min_space, UINT32_MAX, __ATOMIC_RELAXED);

	sum->packets += __atomic_load_n(&c->packets, __ATOMIC_RELAXED);
	sum->bytes += __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
	sum->events += __atomic_load_n(&c->events, __ATOMIC_RELAXED);
	if (space < sum->min_space)
		sum->min_space = space;
}

#endif
