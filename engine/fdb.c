/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fdb.h.
 */
#include <stddef.h>

#include "fdb.h"
#include "atomic.h"

static inline uint64_t *
fdb_bucket(const struct fdb *t, uint64_t addr)
{
	/* Fibonacci hashing: the high bits of the product depend on all 48 of the address. */
	uint64_t h = addr * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t *)(uintptr_t)&t->entry[(h >> 54 & (FDB_BUCKETS - 1)) * FDB_WAYS];
}

_Static_assert(FDB_BUCKETS == 1u << 10, "fdb_bucket takes the top ten bits");

static inline bool
entry_stale(const struct fdb *t, uint64_t entry, uint32_t stamp)
{
	uint32_t unit = (t->age + 127) / 128;

	return t->age != 0 && ((stamp - (uint32_t)(entry >> 56)) & 0xff) * unit > t->age;
}

uint32_t
fdb_lookup(const struct fdb *t, uint64_t addr, uint32_t stamp)
{
	const uint64_t *bucket = fdb_bucket(t, addr);
	unsigned i;

	for (i = 0; i < FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&bucket[i]);

		if (e != 0 && (e & FDB_ADDR_MASK) == addr)
			return entry_stale(t, e, stamp) ? FDB_NONE : (uint32_t)(e >> 48) & 0xff;
	}
	return FDB_NONE;
}

uint64_t *
fdb_learn(struct fdb *t, uint64_t addr, uint32_t port, uint32_t stamp)
{
	uint64_t want = fdb_entry(addr, port, stamp);
	uint64_t *bucket = fdb_bucket(t, addr), *victim = bucket;
	uint64_t old = load_relaxed(bucket);
	unsigned i;

	for (i = 0; i < FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&bucket[i]);

		if (e == want)
			return &bucket[i];
		if (e != 0 && (e & FDB_ADDR_MASK) == addr) {
			victim = &bucket[i];
			old = e;
			break;
		}
		/* An empty one, else the oldest. */
		if (old != 0 && (e == 0 || ((stamp - (uint32_t)(e >> 56)) & 0xff) > ((stamp - (uint32_t)(old >> 56)) & 0xff))) {
			victim = &bucket[i];
			old = e;
		}
	}
	return atomic_cas(victim, &old, want) ? victim : NULL;
}

void
fdb_flush_port(struct fdb *t, uint32_t port)
{
	unsigned i;

	for (i = 0; i < FDB_BUCKETS * FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&t->entry[i]);

		if (e != 0 && (e >> 48 & 0xff) == port)
			atomic_cas(&t->entry[i], &e, 0);
	}
}

void
fdb_expire(struct fdb *t, uint32_t stamp)
{
	unsigned i;

	for (i = 0; i < FDB_BUCKETS * FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&t->entry[i]);

		if (e != 0 && entry_stale(t, e, stamp))
			atomic_cas(&t->entry[i], &e, 0);
	}
}
