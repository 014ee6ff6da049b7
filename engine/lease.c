/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See lease.h.
 */
#include "lease.h"

void
lease_look(struct kring *kr, uint32_t want, struct lease_view *v)
{
	uint64_t used, cursor;

	do {
		v->word = load_acquire(&kr->reserve);
		/* Pairs with the release below: what orders our writes after the consumer's reads came to us through another sender. */
		used = pos_diff(kr, lease_pos(v->word), load_acquire(&kr->released_seen));
		if (used < kr->num_slots && kr->num_slots - 1 - used >= want)
			break;
		/* Pairs with the consumer's release: its reads of the slots come before we write them. */
		cursor = load_acquire(&kr->released);
		store_release(&kr->released_seen, cursor);
		used = pos_diff(kr, lease_pos(v->word), cursor);
		/* The consumer is past our word: others reserved, filled and lost to it what came since. The ring is not full, the word is old. */
	} while (used >= kr->num_slots);
	v->room = kr->num_slots - 1 - (uint32_t)used;
}

/* The lease that `word` names must have its record before the word is overwritten. */
static void
lease_record_holder(struct kring *kr, uint64_t word)
{
	uint32_t count = lease_count(word);
	uint64_t start, *record, old;

	if (count == 0)
		return;
	start = lease_pos(word) >= count ? lease_pos(word) - count : lease_pos(word) + kr->pos_mod - count;
	record = &kr->lease[pos_index(kr, start)];
	do {
		old = load_acquire(record);
		/*
		 * If the word is an old one, the place may belong to a later lease by now: keep off it. If it was the ring's word after we read the
		 * record, then whoever replaced it since wrote that record first, and our exchange fails.
		 */
		if (load_acquire(&kr->reserve) != word)
			return;
		/* It has one if its owner finished out of turn, or another reserver was here. */
		if (lease_pos(old) == start && lease_count(old) == count)
			return;
		/* Fails also for a late exchange of somebody with an older word: look again. */
	} while (!atomic_cas(record, &old, lease_word(start, lease_owner(word), count)));
}

bool
lease_take(struct kring *kr, uint32_t owner, const struct lease_view *v, uint32_t n, uint64_t *start)
{
	uint64_t old = v->word;

	/* Our own last lease is finished: nothing to record. */
	if (lease_owner(old) != owner)
		lease_record_holder(kr, old);
	if (!atomic_cas(&kr->reserve, &old, lease_word(pos_add(kr, lease_pos(v->word), n), owner, n)))
		return false;
	*start = lease_pos(v->word);
	return true;
}

bool
lease_publish_part(struct kring *kr, uint32_t owner, uint64_t shown, uint32_t n, uint32_t left)
{
	uint64_t tail = pos_add(kr, shown, n);

	/* Acquire: who sees our tail sees also what its earlier owners filled before they set the one that we found. */
	if (load_acquire(&kr->published) != shown)
		return false;
	if (left > 0)
		store_relaxed(&kr->lease[pos_index(kr, tail)], lease_word(tail, owner, left));
	/* The consumer that sees the new tail sees the slots behind it; who looks for unfinished leases, the record. */
	store_release(&kr->published, tail);
	return true;
}

/* Moves the tail over every finished lease at its front. */
static void
lease_advance(struct kring *kr)
{
	for (;;) {
		uint64_t tail = load_acquire(&kr->published);
		uint64_t record;

		if (tail == lease_pos(load_relaxed(&kr->reserve)))
			return;
		/* Pairs with the release in lease_finish: the slots of that lease are visible to whoever sees the tail that we set. */
		record = load_acquire(&kr->lease[pos_index(kr, tail)]);
		if (lease_pos(record) != tail || lease_owner(record) != 0)
			return;
		atomic_cas(&kr->published, &tail, pos_add(kr, tail, lease_count(record)));
	}
}

void
lease_finish(struct kring *kr, uint64_t start, uint32_t n, uint64_t shown)
{
	uint64_t end = pos_add(kr, start, n);

	if (shown == end) {
		/* All of it was shown in parts. From then on the tail is not ours: the next lease's owner may be storing it. */
		fence_full();
	} else if (load_acquire(&kr->published) == shown) {	/* acquire: as in lease_publish_part */
		/* All before us is published, and nobody else moves the tail from here: one store. */
		store_release(&kr->published, end);
		/* A later lease may finish right now: either it sees our tail, or we see its record. Also orders the look for sleepers. */
		fence_full();
	} else {
		store_release(&kr->lease[pos_index(kr, start)], lease_word(start, 0, n));
		fence_full();
		lease_advance(kr);
		return;
	}
	if (lease_pos(load_relaxed(&kr->reserve)) != end)
		lease_advance(kr);
}

static void
slots_empty(struct kring *kr, uint64_t pos, uint64_t n)
{
	uint32_t i = pos_index(kr, pos);

	for (; n > 0; n--, i = index_next(kr, i)) {
		uint64_t word = slot_load(&kr->uslot[i]);

		slot_store(&kr->uslot[i], slot_word(slot_idx(word), 0, 0));
		counter_add(&kr->in.drops[DROP_CANCELLED], 1);
	}
}

/*
 * The lease, or the rest of it, that begins at position `pos`: where the tail stands, or where another lease ends. Its start, owner and count as one
 * word; count 0 if it is not there any more.
 */
static uint64_t
lease_at(const struct kring *kr, uint64_t pos)
{
	uint64_t word = load_acquire(&kr->reserve);
	uint64_t record = load_acquire(&kr->lease[pos_index(kr, pos)]);
	uint64_t left = pos_diff(kr, lease_pos(word), pos);

	if (lease_pos(record) == pos)
		return record;
	/* The last one may have no record yet. */
	if (left <= lease_count(word))
		return lease_word(pos, lease_owner(word), (uint32_t)left);
	return 0;
}

unsigned
lease_cancel(struct kring *kr, uint32_t owner)
{
	uint64_t from = load_acquire(&kr->published), pos = from;
	unsigned cancelled = 0;

	while (pos != lease_pos(load_acquire(&kr->reserve))) {
		uint64_t lease = lease_at(kr, pos);
		uint32_t count = lease_count(lease);

		if (count == 0) {
			/*
			 * The others went on meanwhile, and where we stand is in the past: again from where the tail is, which cannot pass what we
			 * look for.
			 */
			pos = load_acquire(&kr->published);
			if (pos == from)
				break;
			from = pos;
			continue;
		}
		if (lease_owner(lease) == owner) {
			slots_empty(kr, pos, count);
			store_release(&kr->lease[pos_index(kr, pos)], lease_word(pos, 0, count));
			cancelled++;
		}
		pos = pos_add(kr, pos, count);
	}
	fence_full();
	lease_advance(kr);
	return cancelled;
}

uint32_t
lease_oldest(const struct kring *kr)
{
	uint64_t pos = load_acquire(&kr->published);

	if (pos == lease_pos(load_acquire(&kr->reserve)))
		return 0;
	return lease_owner(lease_at(kr, pos));
}
