/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors with the option for offsets, and frames at offsets.
 */
#ifndef TESTS_ENGINE_OFFSETS_END_H
#define TESTS_ENGINE_OFFSETS_END_H

#include "end.h"

/* Registers an open descriptor with this option, which is in and out. 0 or -errno. */
int offsets_register(
	struct end *e, const char *name, const struct nmreq_register *want, struct nmreq_opt_offsets *opt);
/* Opens a descriptor and registers it with these numbers; bits < 0: without the option. */
int offsets_try(struct end *e, const char *name, const struct nmreq_register *want, uint64_t initial,
	uint64_t max, int bits);
void offsets_open(struct end *e, const char *name, uint64_t initial, uint64_t max, int bits);

static inline uint64_t
slot_ofs(const struct netmap_ring *r, uint32_t i)
{
	return r->slot[i].ptr & r->offset_mask;
}

static inline void
slot_set_ofs(struct netmap_ring *r, uint32_t i, uint64_t ofs)
{
	r->slot[i].ptr = (r->slot[i].ptr & ~r->offset_mask) | (ofs & r->offset_mask);
}

/* Where the program reads and writes. */
static inline char *
slot_data(const struct netmap_ring *r, uint32_t i)
{
	return ring_buf(r, r->slot[i].buf_idx) + slot_ofs(r, i);
}

/* As ring_put, at the offset that the slot has. */
bool offsets_put(
	struct netmap_ring *r, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq, uint16_t flags);
/* Fills all buffers of the ring's slots. */
void ring_fill(struct netmap_ring *r, char byte);
/* Everything but [from, from + len) of the buffer has this byte. */
bool buf_untouched(const struct netmap_ring *r, uint32_t idx, uint64_t from, uint32_t len, char byte);
/*
 * The next slot of RX ring 0 is frame `seq` of `len` bytes in one piece, at this offset. Releases it. Syncs
 * first if the ring is empty.
 */
void offsets_expect(struct end *e, uint32_t len, uint32_t seq, uint64_t offset);

#endif /* TESTS_ENGINE_OFFSETS_END_H */
