/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding table of a learning switch: Ethernet address to port, in buckets of four entries of one 64-bit word each, so that readers and writers in
 * different processes need no lock and a dead writer leaves no half-written entry.
 *
 * An address is held in the low 48 bits of a word, first byte lowest, as eight bytes loaded from a frame's start have it. Only unicast addresses are held:
 * their lowest bit, which is 0, is 1 in a static entry, which is neither learned over nor aged.
 */
#ifndef ENGINE_FDB_H
#define ENGINE_FDB_H

#include <stdint.h>

#include "atomic.h"

#define FDB_WAYS	4u
#define FDB_BUCKETS	1024u		/* default; powers of two */
#define FDB_BUCKETS_MIN	16u
#define FDB_BUCKETS_MAX	(1u << 20)
#define FDB_STATIC_MAX	(FDB_WAYS - 1)	/* of a bucket: the rest is for learning */
#define FDB_AGE_MAX	1000000u	/* seconds */
#define FDB_ADDR_MASK	UINT64_C(0xffffffffffff)
#define FDB_STATIC	UINT64_C(1)
#define FDB_NONE	0xffffu		/* no such address */

struct fdb {
	uint32_t age;			/* seconds until an entry that is not refreshed is forgotten, 0: never */
	uint32_t shift;			/* 64 - log2 of the number of buckets; constant */
	uint64_t entry[] __attribute__((aligned(128)));
};

static inline uint64_t
fdb_size(uint32_t buckets)
{
	return (uint64_t)buckets * FDB_WAYS * sizeof(uint64_t);
}

static inline uint32_t
fdb_entries(const struct fdb *t)
{
	return FDB_WAYS << (64 - t->shift);
}

/* Does this point to an entry of this very table? */
static inline bool
fdb_has(const struct fdb *t, const uint64_t *entry)
{
	return (uintptr_t)entry - (uintptr_t)t->entry < fdb_entries(t) * sizeof(t->entry[0]);
}

/* Seconds of a stamp's unit. The age, not 0, may change at any time: each use loads it once. */
static inline uint32_t
fdb_unit(uint32_t age)
{
	return (age - 1) / 128 + 1;
}

/* Time stamps count units of age/128 seconds, eight bits of them; now in seconds. */
static inline uint32_t
fdb_stamp(const struct fdb *t, uint32_t now)
{
	uint32_t age = load_relaxed(&t->age);

	return age == 0 ? 0 : now / fdb_unit(age) & 0xff;
}

static inline uint64_t
fdb_entry(uint64_t addr, uint32_t port, uint32_t stamp)
{
	return addr | (uint64_t)port << 48 | (uint64_t)stamp << 56;
}

/* For a new switch, in zeroed memory with room for fdb_size(buckets) behind it; buckets: a power of two. */
void fdb_init(struct fdb *t, uint32_t buckets, uint32_t age);
/* Port of an address, or FDB_NONE. */
uint32_t fdb_lookup(const struct fdb *t, uint64_t addr, uint32_t stamp);
/*
 * Learns that `addr` is behind `port`. Returns the entry that says so, or NULL if another thread took it, or a
 * static entry says something about the address. Addresses must be unicast and not 0.
 */
uint64_t *fdb_learn(struct fdb *t, uint64_t addr, uint32_t port, uint32_t stamp);
/*
 * The address is behind `port` from now on, whoever sends with it. -ENOSPC: its bucket has FDB_STATIC_MAX others. Control side, like all below.
 */
int fdb_static_set(struct fdb *t, uint64_t addr, uint32_t port);
/* Forgets what is known of an address, learned or static. -ENOENT: nothing. */
int fdb_forget(struct fdb *t, uint64_t addr);
/* A new age: all that was learned counts as seen now. */
void fdb_age_set(struct fdb *t, uint32_t age, uint32_t now);
/* Forgets all addresses behind a port that leaves. */
void fdb_flush_port(struct fdb *t, uint32_t port);
/* Seconds since the entry was refreshed, in steps of a 128th of the age. */
uint32_t fdb_entry_age(const struct fdb *t, uint64_t entry, uint32_t stamp);
/* Forgets what is too old, and what was learned of an address while an entry for it was made static. To be called at least once in `age` seconds: stamps are ambiguous after twice that. */
void fdb_expire(struct fdb *t, uint32_t stamp);

#endif /* ENGINE_FDB_H */
