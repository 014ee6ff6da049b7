/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding table of a learning switch: Ethernet address to port, in buckets of four entries of one 64-bit word each, so that readers and writers in
 * different processes need no lock and a dead writer leaves no half-written entry.
 *
 * An address is held in the low 48 bits of a word, first byte lowest, as eight bytes loaded from a frame's start have it.
 */
#ifndef ENGINE_FDB_H
#define ENGINE_FDB_H

#include <stdint.h>

#define FDB_WAYS	4u
#define FDB_BUCKETS	1024u		/* power of two */
#define FDB_ADDR_MASK	UINT64_C(0xffffffffffff)
#define FDB_NONE	0xffffu		/* no such address */

struct fdb {
	uint64_t entry[FDB_BUCKETS * FDB_WAYS] __attribute__((aligned(128)));
	uint32_t age;			/* seconds until an entry that is not refreshed is forgotten, 0: never */
};

/* Time stamps count units of age/128 seconds, eight bits of them; now in seconds. */
static inline uint32_t
fdb_stamp(const struct fdb *t, uint32_t now)
{
	return t->age == 0 ? 0 : now / ((t->age + 127) / 128) & 0xff;
}

static inline uint64_t
fdb_entry(uint64_t addr, uint32_t port, uint32_t stamp)
{
	return addr | (uint64_t)port << 48 | (uint64_t)stamp << 56;
}

/* Port of an address, or FDB_NONE. */
uint32_t fdb_lookup(const struct fdb *t, uint64_t addr, uint32_t stamp);
/* Learns that `addr` is behind `port`. Returns the entry that says so, or NULL if another thread took it. Addresses must be unicast and not 0. */
uint64_t *fdb_learn(struct fdb *t, uint64_t addr, uint32_t port, uint32_t stamp);
/* Forgets all addresses behind a port that leaves. */
void fdb_flush_port(struct fdb *t, uint32_t port);
/* Forgets what is too old. To be called at least once in `age` seconds: stamps are ambiguous after twice that. */
void fdb_expire(struct fdb *t, uint32_t stamp);

#endif /* ENGINE_FDB_H */
