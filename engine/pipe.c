/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See pipe.h. The sender does all the work on slots: it copies a new slot into the receiver's ring, and when the receiver has returned that slot,
 * copies it back, with whatever buffer and `ptr` the receiver left in it. So a completed TX slot holds the very packet that went through it, which
 * programs that hand one packet to several pipes in turn rely on. The receiver only moves its cursor.
 *
 * Both ends share a region, so any index valid here is valid there; it is checked all the same before it is passed on.
 */
#include "pipe.h"
#include "os.h"

/* Slots that came back: the receiver will not touch them until they are published again. */
static void
slots_take_back(struct kring *kr, struct kring *rx)
{
	/* Pairs with the release of the cursor: what the receiver wrote into the slots is visible. */
	uint64_t returned = load_acquire(&rx->released);
	uint64_t n = pos_diff(kr, returned, kr->own_free), left;
	struct netmap_slot *uto = kr->uslot, *ufrom = rx->uslot;
	const struct slot_rules rules = slot_rules_of(kr);
	uint32_t i;

	if (n == 0 || unlikely(n >= kr->num_slots))
		return;
	i = pos_index(kr, kr->own_free);
	for (left = n; left > 0; left--) {
		slot_pair slot = slot_load_pair(&ufrom[i]);

		/* A receiver that spoiled its slot: the sender keeps the buffer that it sent. */
		if (slot_keeps(&rules, slot[0]))
			slot_store_pair(&uto[i], slot);
		else
			store_relaxed(&uto[i].ptr, slot[1]);
		i = unlikely(i + 1 == rules.num_slots) ? 0 : i + 1;
	}
	kr->hwtail = index_add(kr, kr->hwtail, (uint32_t)n);
	kr->own_free = returned;
}

/* A slot that breaks the rules arrives empty, in the buffer that was there, and is counted in `bad`. */
static uint64_t __attribute__((noinline))
slot_pass_bad(struct kring *rx, uint32_t i, slot_pair slot, uint32_t bad[2])
{
	uint64_t there = slot_load(&rx->uslot[i]);
	uint64_t word = slot_word(slot_idx(there), 0, slot_flags(slot[0]) & NS_MOREFRAG);

	bad[slot_idx_valid(rx, slot_idx(slot[0]))]++;
	store_relaxed(&rx->uslot[i].ptr, slot[1]);
	slot_store(&rx->uslot[i], word);
	return word;
}

/* The flag has gone with the slots [from, to). */
static void __attribute__((noinline))
buf_changed_clear(struct kring *kr, uint32_t from, uint32_t to)
{
	for (; from != to; from = index_next(kr, from))
		slot_store(&kr->uslot[from], slot_load(&kr->uslot[from]) & ~((uint64_t)NS_BUF_CHANGED << 48));
}

static void __attribute__((noinline))
bad_slots_count(struct kring *kr, uint32_t bad[2])
{
	counter_bump(&kr->own.drops[DROP_BAD_SLOT], bad[0]);
	counter_bump(&kr->own.drops[DROP_TOO_LONG], bad[1]);
	bad[0] = bad[1] = 0;
}

void
pipe_txsync(struct arena_root *root, struct kring *kr, uint32_t head)
{
	struct kring *rx = kr->peer;
	uint32_t i = kr->hwcur, done = kr->hwcur, slots = index_diff(kr, head, kr->hwcur);
	struct netmap_slot *uto = rx->uslot, *ufrom = kr->uslot;
	const struct slot_rules rules = slot_rules_of(kr);
	uint64_t packets = 0, bytes = 0, open_bytes = 0;
	uint32_t bad[2] = { 0, 0 }, flags = 0;

	/* Passing a slot again, while its packet is not complete, does no harm. */
	for (; slots > 0; slots--) {
		slot_pair slot = slot_load_pair(&ufrom[i]);
		uint64_t word = slot[0];

		if (slot_keeps(&rules, word))
			slot_store_pair(&uto[i], slot);
		else
			word = slot_pass_bad(rx, i, slot, bad);
		i = unlikely(i + 1 == rules.num_slots) ? 0 : i + 1;
		open_bytes += slot_len(word);
		flags |= slot_flags(word);
		if (unlikely((slot_flags(word) & NS_MOREFRAG) != 0))
			continue;
		/* A packet is complete. An unfinished one stays here until its last slot comes. */
		done = i;
		packets++;
		bytes += open_bytes;
		open_bytes = 0;
		if (unlikely((bad[0] | bad[1]) != 0))
			bad_slots_count(kr, bad);
	}
	if (packets > 0) {
		if (unlikely((flags & NS_BUF_CHANGED) != 0))
			buf_changed_clear(kr, kr->hwcur, done);
		kr->own_pos = pos_add(kr, kr->own_pos, index_diff(kr, done, kr->hwcur));
		store_relaxed(&kr->hwcur, done);
		/* The receiver that sees the tail sees the slots. */
		store_release(&rx->published, kr->own_pos);
		counter_bump(&kr->own.packets, packets);
		counter_bump(&kr->own.bytes, bytes);
		counter_bump(&rx->in.packets, packets);
		counter_bump(&rx->in.bytes, bytes);
		/* Either the receiver's last look saw our tail, or we see that it sleeps. */
		fence_full();
		if (load_relaxed(&rx->rx_waiters) != 0)
			waitset_wake(root, &rx->rx_waiters, rx->wait_bits);
	}
	slots_take_back(kr, rx);
}
