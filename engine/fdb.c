/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fdb.h.
 */
#include <stddef.h>

#include "fdb.h"
#include "errno_abi.h"

static inline uint64_t *
fdb_bucket(const struct fdb *t, uint64_t addr)
{
	/* Fibonacci hashing: the high bits of the product depend on all 48 of the address. */
	uint64_t h = addr * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t *)(uintptr_t)&t->entry[(h >> t->shift) * FDB_WAYS];
}

static inline bool
entry_is(uint64_t entry, uint64_t addr)
{
	return entry != 0 && (entry & FDB_ADDR_MASK & ~FDB_STATIC) == addr;
}

uint32_t
fdb_entry_age(const struct fdb *t, uint64_t entry, uint32_t stamp)
{
	uint32_t age = load_relaxed(&t->age);

	return age == 0 ? 0 : ((stamp - (uint32_t)(entry >> 56)) & 0xff) * fdb_unit(age);
}

static inline bool
entry_stale(const struct fdb *t, uint64_t entry, uint32_t stamp)
{
	uint32_t age = load_relaxed(&t->age);

	return (entry & FDB_STATIC) == 0 && age != 0 && ((stamp - (uint32_t)(entry >> 56)) & 0xff) * fdb_unit(age) > age;
}

void
fdb_init(struct fdb *t, uint32_t buckets, uint32_t age)
{
	t->shift = 64 - (uint32_t)__builtin_ctz(buckets);
	t->age = age;
}

uint32_t
fdb_lookup(const struct fdb *t, uint64_t addr, uint32_t stamp)
{
	const uint64_t *bucket = fdb_bucket(t, addr);
	unsigned i;

	for (i = 0; i < FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&bucket[i]);

		if (entry_is(e, addr))
			return entry_stale(t, e, stamp) ? FDB_NONE : (uint32_t)(e >> 48) & 0xff;
	}
	return FDB_NONE;
}

/* Which of two entries makes room: an empty one, else the older one, never a static one. */
static inline bool
entry_better_victim(uint64_t e, uint64_t than, uint32_t stamp)
{
	if ((e & FDB_STATIC) != 0 || than == 0)
		return false;
	return e == 0 || (than & FDB_STATIC) != 0 || ((stamp - (uint32_t)(e >> 56)) & 0xff) > ((stamp - (uint32_t)(than >> 56)) & 0xff);
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
		if (entry_is(e, addr)) {
			victim = &bucket[i];
			old = e;
			break;
		}
		if (entry_better_victim(e, old, stamp)) {
			victim = &bucket[i];
			old = e;
		}
	}
	if ((old & FDB_STATIC) != 0)
		return NULL;
	return atomic_cas(victim, &old, want) ? victim : NULL;
}

/* Clears entries of an address; `all`: the static one too. True if there were any. */
static bool
bucket_clear(uint64_t *bucket, uint64_t addr, bool all)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&bucket[i]);

		while (entry_is(e, addr) && (all || (e & FDB_STATIC) == 0))
			if (atomic_cas(&bucket[i], &e, 0)) {
				any = true;
				break;
			}
	}
	return any;
}

int
fdb_static_set(struct fdb *t, uint64_t addr, uint32_t port)
{
	uint64_t *bucket = fdb_bucket(t, addr);
	unsigned i, count = 0, at = FDB_WAYS;
	uint64_t old;

	for (i = 0; i < FDB_WAYS; i++) {
		uint64_t e = load_relaxed(&bucket[i]);

		if ((e & FDB_STATIC) == 0)
			continue;
		count++;
		if (entry_is(e, addr))
			at = i;
	}
	if (at == FDB_WAYS && count >= FDB_STATIC_MAX)
		return -ENOSPC;
	/* Where it stands, or what was learned does, or nothing does; else something learned has to go. */
	for (i = 0; i < FDB_WAYS && at == FDB_WAYS; i++)
		if (entry_is(load_relaxed(&bucket[i]), addr))
			at = i;
	for (i = 0; i < FDB_WAYS && at == FDB_WAYS; i++)
		if (load_relaxed(&bucket[i]) == 0)
			at = i;
	for (i = 0; i < FDB_WAYS && at == FDB_WAYS; i++)
		if ((load_relaxed(&bucket[i]) & FDB_STATIC) == 0)
			at = i;
	old = load_relaxed(&bucket[at]);
	while (!atomic_cas(&bucket[at], &old, fdb_entry(addr | FDB_STATIC, port, 0)))
		;
	bucket_clear(bucket, addr, false);
	return 0;
}

int
fdb_forget(struct fdb *t, uint64_t addr)
{
	return bucket_clear(fdb_bucket(t, addr), addr, true) ? 0 : -ENOENT;
}

void
fdb_age_set(struct fdb *t, uint32_t age, uint32_t now)
{
	uint32_t i, n = fdb_entries(t), stamp;

	store_relaxed(&t->age, age);
	stamp = fdb_stamp(t, now);
	for (i = 0; i < n; i++) {
		uint64_t e = load_relaxed(&t->entry[i]);

		if (e != 0 && (e & FDB_STATIC) == 0)
			atomic_cas(&t->entry[i], &e, (e & ~(UINT64_C(0xff) << 56)) | (uint64_t)stamp << 56);
	}
}

void
fdb_flush_port(struct fdb *t, uint32_t port)
{
	uint32_t i, n = fdb_entries(t);

	for (i = 0; i < n; i++) {
		uint64_t e = load_relaxed(&t->entry[i]);

		if (e != 0 && (e >> 48 & 0xff) == port)
			atomic_cas(&t->entry[i], &e, 0);
	}
}

/* Is there a static entry for what was learned there? A sender may have been about to learn it when that was made. */
static bool
entry_covered(const struct fdb *t, uint32_t i, uint64_t entry)
{
	const uint64_t *bucket = &t->entry[i - i % FDB_WAYS];
	unsigned j;

	if ((entry & FDB_STATIC) != 0)
		return false;
	for (j = 0; j < FDB_WAYS; j++)
		if ((load_relaxed(&bucket[j]) & FDB_ADDR_MASK) == ((entry & FDB_ADDR_MASK) | FDB_STATIC))
			return true;
	return false;
}

void
fdb_expire(struct fdb *t, uint32_t stamp)
{
	uint32_t i, n = fdb_entries(t);

	for (i = 0; i < n; i++) {
		uint64_t e = load_relaxed(&t->entry[i]);

		if (e != 0 && (entry_stale(t, e, stamp) || entry_covered(t, i, e)))
			atomic_cas(&t->entry[i], &e, 0);
	}
}
