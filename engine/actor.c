/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entering and leaving the data path; sets of sleepers and their wake-up.
 */
#include "actor.h"
#include "os.h"
#include "ring.h"

uint64_t
actor_enter(const struct arena_root *root, struct actor *a)
{
	uint64_t before = load_relaxed(&a->inside);

	if (before != 0)
		return before;
	store_relaxed(&a->inside, load_relaxed(&root->epoch));
	/* The control side must see us inside before we load any pointer that it may retire. */
	fence_full();
	return 0;
}

void
actor_leave(struct actor *a, uint64_t before)
{
	/* All our uses of what we found come before the control side sees us gone. */
	if (before == 0)
		store_release(&a->inside, 0);
}

void
waitset_add(uint64_t *summary, uint64_t *bits, const struct actor *a)
{
	uint32_t word = a->id / 64;

	/* Bits first: a waker that finds the summary set takes every word that it names. Both are full barriers for the caller's re-check. */
	atomic_or(&bits[word], UINT64_C(1) << (a->id % 64));
	atomic_or(summary, UINT64_C(1) << word);
}

void
waitset_remove(uint64_t *bits, const struct actor *a)
{
	uint64_t bit = UINT64_C(1) << (a->id % 64);

	/* The summary may stay set: the next waker finds an empty word and clears it. Clearing it here could hide a newcomer. */
	if (load_relaxed(&bits[a->id / 64]) & bit)
		atomic_and(&bits[a->id / 64], ~bit);
}

static unsigned
actors_wake(struct arena_root *root, uint32_t first, uint64_t bits)
{
	unsigned n = 0;

	while (bits != 0) {
		struct actor *a = &root->actors[first + (uint32_t)__builtin_ctzll(bits)];

		bits &= bits - 1;
		if (load_relaxed(&a->id) == 0 || atomic_xchg(&a->wake, 1) != 0)
			continue;
		os_wake(a);
		n++;
	}
	return n;
}

unsigned
waitset_wake(struct arena_root *root, uint64_t *summary, uint64_t *bits)
{
	uint64_t words = atomic_xchg(summary, 0);
	unsigned n = 0;

	while (words != 0) {
		uint32_t word = (uint32_t)__builtin_ctzll(words);

		words &= words - 1;
		n += actors_wake(root, word * 64, atomic_xchg(&bits[word], 0));
	}
	return n;
}
