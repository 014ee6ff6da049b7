/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See pipe.h. The sender does all the work on slots: it copies a new slot into the receiver's ring, and when the receiver has returned that
 * slot, copies it back, with whatever buffer and `ptr` the receiver left in it. So a completed TX slot holds the very packet that went through
 * it, which programs that hand one packet to several pipes in turn rely on. The receiver only moves its cursor.
 *
 * Both ends share a region, so any index valid here is valid there; it is checked all the same before it is passed on.
 *
 * Offsets (offsets.h): a frame comes to the receiver at the larger of the sender's offset and the one that the receiver left in the slot, as far
 * as its limit and the frame's length allow, and at 0 if it has none; in a slot that comes back the data lie where they were, or where the
 * sender can say. Where that is somewhere else than the data are, they are moved within their buffer, packet by packet.
 */
#include "pipe.h"
#include "monitor.h"
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

/* Slots [hwcur, done) are in the receiver's ring: he may have them. */
static inline void
slots_publish(struct arena_root *root, struct kring *kr, uint32_t done, uint64_t packets, uint64_t bytes)
{
	struct kring *rx = kr->peer;

	if (ring_monitored(rx))
		monitor_arrived(root, kr->busy, rx, kr->hwcur, index_diff(kr, done, kr->hwcur));
	kr->own_pos = pos_add(kr, kr->own_pos, index_diff(kr, done, kr->hwcur));
	store_relaxed(&kr->hwcur, done);
	/* The receiver that sees the tail sees the slots. */
	store_release(&rx->published, kr->own_pos);
	counter_bump(&kr->own.packets, packets);
	counter_bump(&kr->own.bytes, bytes);
	counter_bump(&rx->in.packets, packets);
	counter_bump(&rx->in.bytes, bytes);
}

static inline void
receiver_wake(struct arena_root *root, struct kring *rx)
{
	/* Either the receiver's last look saw our tail, or we see that it sleeps. */
	fence_full();
	if (load_relaxed(&rx->rx_waiters) != 0)
		waitset_wake(root, &rx->rx_waiters, rx->wait_bits);
}

/* --- offsets, at one end or both --- */

/* ptr of a slot that goes from one ring into a slot of another: bits that hold an offset for either of them only are not passed on. */
static uint64_t
ptr_pass(const struct kring *to, uint64_t there, const struct kring *from, uint64_t ptr, uint32_t offset)
{
	ptr = (ptr & ~from->offset_mask) | (there & from->offset_mask);
	return slot_ptr(to, ptr, offset);
}

static inline bool
slot_keeps_behind(const struct kring *kr, uint64_t word, uint32_t offset)
{
	return slot_idx_valid(kr, slot_idx(word)) && slot_len(word) <= kr->buf_size - offset;
}

/* Where a frame that begins at `from` comes to the receiver, whose slot says `own`. */
static uint32_t
offset_choose(const struct kring *rx, uint32_t own, uint32_t from, uint32_t len)
{
	uint32_t to = own > from ? own : from;

	if (to > rx->offset_max)
		to = rx->offset_max;
	return to < rx->buf_size - len ? to : rx->buf_size - len;
}

/* Passes a slot, with `more` to come of its packet. Returns its word as it arrived; `spoilt`: without data. */
static uint64_t
slot_pass_offset(struct kring *kr, uint32_t i, bool more, bool spoilt, uint32_t bad[2])
{
	struct kring *rx = kr->peer;
	slot_pair slot = slot_load_pair(&kr->uslot[i]), there = slot_load_pair(&rx->uslot[i]);
	uint32_t from = slot_offset(kr, slot[1]), to = slot_offset(rx, there[1]);
	uint64_t word = (slot[0] & ~((uint64_t)NS_MOREFRAG << 48)) | (more ? (uint64_t)NS_MOREFRAG << 48 : 0);

	slot[0] = word;
	if (unlikely(!slot_keeps_behind(kr, word, from))) {
		slot[1] = ptr_pass(rx, there[1], kr, slot[1], to);
		return slot_pass_bad(rx, i, slot, bad);
	}
	if (unlikely(spoilt)) {
		word = slot_word(slot_idx(word), 0, slot_flags(word));
	} else {
		to = offset_choose(rx, to, from, slot_len(word));
		slot_move_data(kr, word, to, from);
	}
	slot_store_pair(&rx->uslot[i], (slot_pair){ word, ptr_pass(rx, there[1], kr, slot[1], to) });
	return word;
}

/* Behind the last slot of the packet at index i; *whole: it does not go on behind `head`. */
static uint32_t
packet_end(const struct kring *kr, uint32_t i, uint32_t head, bool *whole)
{
	uint32_t flags = NS_MOREFRAG;

	while (i != head && (flags & NS_MOREFRAG) != 0) {
		flags = slot_flags(slot_load(&kr->uslot[i]));
		i = index_next(kr, i);
	}
	*whole = (flags & NS_MOREFRAG) == 0;
	return i;
}

/*
 * Data that were moved must not be moved again: packets are passed whole, and each is published at once. Who died between the two left a note in
 * front of it; nobody knows where the data of that packet are, and it comes out empty.
 */
static void
packet_pass(struct arena_root *root, struct kring *kr, uint32_t end)
{
	uint64_t note = kr->own_pos + 1, bytes = 0;
	bool spoilt = kr->moving == note;
	uint32_t bad[2] = { 0, 0 }, i;

	store_relaxed(&kr->moving, note);
	store_order();
	for (i = kr->hwcur; i != end; i = index_next(kr, i)) {
		uint64_t word = slot_pass_offset(kr, i, index_next(kr, i) != end, spoilt, bad);

		bytes += slot_len(word);
		if (unlikely((slot_flags(word) & NS_BUF_CHANGED) != 0))
			buf_changed_clear(kr, i, index_next(kr, i));
	}
	if (spoilt)
		counter_bump(&kr->own.drops[DROP_CANCELLED], 1);
	bad_slots_count(kr, bad);
	slots_publish(root, kr, end, 1, bytes);
}

/* As slots_take_back. */
static void
slots_take_back_offset(struct kring *kr)
{
	struct kring *rx = kr->peer;
	uint64_t n = pos_diff(kr, load_acquire(&rx->released), kr->own_free);

	if (n >= kr->num_slots)
		return;
	for (; n > 0; n--) {
		uint32_t i = pos_index(kr, kr->own_free);
		slot_pair slot = slot_load_pair(&rx->uslot[i]), there = slot_load_pair(&kr->uslot[i]);
		uint32_t from = slot_offset(rx, slot[1]), to = slot_offset(kr, there[1]);

		if (slot_keeps_behind(rx, slot[0], from)) {
			to = from < kr->offset_max ? from : kr->offset_max;
			slot_move_data(rx, slot[0], to, from);
			there[0] = slot[0];
		}
		there[1] = ptr_pass(kr, there[1], rx, slot[1], to);
		slot_store_pair(&kr->uslot[i], there);
		kr->hwtail = index_next(kr, kr->hwtail);
		kr->own_free = pos_add(kr, kr->own_free, 1);
	}
}

static void __attribute__((noinline))
pipe_txsync_offset(struct arena_root *root, struct kring *kr, uint32_t head)
{
	uint32_t before = kr->hwcur, end;
	bool whole;

	for (end = packet_end(kr, kr->hwcur, head, &whole); whole; end = packet_end(kr, kr->hwcur, head, &whole))
		packet_pass(root, kr, end);
	if (kr->hwcur != before)
		receiver_wake(root, kr->peer);
	slots_take_back_offset(kr);
}

/* --- either --- */

void
pipe_txsync(struct arena_root *root, struct kring *kr, uint32_t head)
{
	struct kring *rx = kr->peer;
	uint32_t i = kr->hwcur, done = kr->hwcur, slots = index_diff(kr, head, kr->hwcur);
	struct netmap_slot *uto = rx->uslot, *ufrom = kr->uslot;
	const struct slot_rules rules = slot_rules_of(kr);
	uint64_t packets = 0, bytes = 0, open_bytes = 0;
	uint32_t bad[2] = { 0, 0 }, flags = 0;

	if (unlikely((kr->offset_mask | rx->offset_mask) != 0)) {
		pipe_txsync_offset(root, kr, head);
		return;
	}
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
		slots_publish(root, kr, done, packets, bytes);
		receiver_wake(root, rx);
	}
	slots_take_back(kr, rx);
}
