/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leases step by step, in one thread: several owners take, finish and abandon parts of one receive ring in
 * every order, also where positions wrap. An owner here is just a number; none of them is a thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"
#include "engine/lease.h"

#define SLOTS	16u

static struct end e;
static struct kring *kr;

/* A receive ring whose positions begin at `start`. */
static void
ring_open(uint64_t start)
{
	uint32_t i;

	end_open_slots(&e, "vale0:a", SLOTS);
	kr = end_krx(&e, 0);
	kr->pos_mod = POS_LIMIT / SLOTS * SLOTS;
	assert_int_equal(start % SLOTS, 0);
	kr->reserve = lease_word(start, 0, 0);
	kr->published = kr->released = kr->released_seen = kr->own_pos = start;
	for (i = 0; i < SLOTS; i++)
		kr->lease[i] = ~UINT64_C(0);
}

static uint32_t
room(void)
{
	struct lease_view v;

	lease_look(kr, SLOTS, &v);
	return v.room;
}

static uint64_t
take(uint32_t owner, uint32_t n)
{
	struct lease_view v;
	uint64_t start;

	lease_look(kr, n, &v);
	assert_true(v.room >= n);
	assert_true(lease_take(kr, owner, &v, n, &start));
	return start;
}

/* Fills the slots with len 100 + owner and finishes. */
static void
finish(uint32_t owner, uint64_t start, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct netmap_slot *slot = &kr->uslot[pos_index(kr, pos_add(kr, start, i))];

		slot->len = (uint16_t)(100 + owner);
		slot->flags = 1 << 8;
	}
	lease_finish(kr, start, n, start);
}

static uint32_t
shown(void)
{
	return (uint32_t)pos_diff(kr, kr->published, kr->released);
}

/* The next n slots come from this owner, 0 for empty ones; takes them. */
static void
expect(uint32_t owner, uint32_t n)
{
	struct netmap_ring *r = end_rx(&e, 0);

	end_rxsync(&e);
	while (n-- > 0) {
		assert_int_not_equal(ring_space(r), 0);
		assert_int_equal(r->slot[r->head].len, owner == 0 ? 0 : 100 + owner);
		ring_move(r, ring_next(r, r->head));
	}
	end_rxsync(&e);
}

static void
in_order(void)
{
	uint64_t a = take(1, 3), b = take(2, 4), c = take(1, 2);

	assert_int_equal(room(), SLOTS - 1 - 9);
	finish(1, a, 3);
	assert_int_equal(shown(), 3);
	finish(2, b, 4);
	assert_int_equal(shown(), 7);
	finish(1, c, 2);
	assert_int_equal(shown(), 9);
	expect(1, 3);
	expect(2, 4);
	expect(1, 2);
	assert_int_equal(room(), SLOTS - 1);
}

static void
out_of_order(void)
{
	uint64_t a = take(1, 1), b = take(2, 2), c = take(3, 3), d = take(4, 4);

	finish(3, c, 3);
	assert_int_equal(shown(), 0);
	assert_int_equal(lease_oldest(kr), 1);
	finish(2, b, 2);
	assert_int_equal(shown(), 0);
	finish(1, a, 1);
	assert_int_equal(shown(), 6);
	assert_int_equal(lease_oldest(kr), 4);
	finish(4, d, 4);
	assert_int_equal(shown(), 10);
	assert_int_equal(lease_oldest(kr), 0);
	expect(1, 1);
	expect(2, 2);
	expect(3, 3);
	expect(4, 4);
}

/* The same positions at the start of time, and just before they wrap. */
static const uint64_t starts[] = { 0, SLOTS, POS_LIMIT / SLOTS * SLOTS - SLOTS, POS_LIMIT / SLOTS * SLOTS - 2 * SLOTS };

static void
test_orders(void **state)
{
	unsigned s, i;

	for (s = 0; s < 4; s++) {
		ring_open(starts[s]);
		for (i = 0; i < 50; i++) {
			in_order();
			out_of_order();
		}
		end_close(&e);
	}
}

/* A ring whose size does not divide 2^40: positions wrap at a multiple of it. */
static void
test_odd_size_wraps(void **state)
{
	struct end tx;
	uint32_t i, got = 0;

	end_open_slots(&tx, "vale0:t", 64);
	end_open_slots(&e, "vale0:a", 7);
	kr = end_krx(&e, 0);
	assert_true(kr->pos_mod % 7 == 0 && kr->pos_mod <= UINT64_C(1) << POS_BITS &&
		kr->pos_mod + 7 > UINT64_C(1) << POS_BITS);
	kr->published = kr->released = kr->released_seen = kr->own_pos = kr->pos_mod - 21;
	kr->reserve = lease_word(kr->pos_mod - 21, 0, 0);
	for (i = 0; i < 100; i++) {
		end_send(&tx, MAC_ALL, mac(1), 60, i);
		if (i % 3 == 2)
			for (; got <= i; got++)
				end_expect(&e, 0, 60, got);
		end_rxsync(&e);
	}
	assert_true(kr->published < 100);
	assert_int_equal(in_drops(kr), 0);
	end_close(&e);
	end_close(&tx);
}

static void
test_full(void **state)
{
	uint64_t a, b;

	ring_open(0);
	a = take(1, 10);
	b = take(2, 5);
	assert_int_equal(room(), 0);
	finish(2, b, 5);
	assert_int_equal(room(), 0);
	finish(1, a, 10);
	assert_int_equal(room(), 0);
	assert_int_equal(shown(), 15);
	expect(1, 4);
	assert_int_equal(room(), 4);
	a = take(3, 4);
	assert_int_equal(room(), 0);
	finish(3, a, 4);
	expect(1, 6);
	expect(2, 5);
	expect(3, 4);
	end_close(&e);
}

/* Who comes second has to look again. */
static void
test_lost_race(void **state)
{
	struct lease_view v, w;
	uint64_t start;

	ring_open(0);
	lease_look(kr, 3, &v);
	lease_look(kr, 3, &w);
	assert_true(lease_take(kr, 1, &v, 3, &start));
	assert_false(lease_take(kr, 2, &w, 3, &start));
	lease_look(kr, 3, &w);
	assert_true(lease_take(kr, 2, &w, 3, &start));
	assert_int_equal(start, 3);
	finish(2, 3, 3);
	finish(1, 0, 3);
	expect(1, 3);
	expect(2, 3);
	end_close(&e);
}

/*
 * A sender looked, then stood still while others filled the ring several times over: what it does then harms
 * nobody.
 */
static void
test_late_taker(void **state)
{
	struct lease_view v;
	uint64_t a, b, start;
	unsigned i;

	ring_open(0);
	/* The word that it sees names a lease that has no record, since its owner finished in turn. */
	a = take(1, 2);
	finish(1, a, 2);
	lease_look(kr, 3, &v);
	expect(1, 2);
	/* Owner 1 goes on alone until its first lease's place comes up again. */
	for (i = 0; i < 7; i++) {
		a = take(1, 2);
		finish(1, a, 2);
		expect(1, 2);
	}
	assert_int_equal(pos_index(kr, kr->published), 0);
	/* Now that place holds the record of a lease that was finished out of turn ... */
	a = take(2, 14);
	finish(2, a, 14);
	expect(2, 14);
	a = take(2, 2);
	b = take(3, 2);
	assert_int_equal(pos_index(kr, b), 0);
	finish(3, b, 2);
	assert_int_equal(shown(), 0);
	/* ... when the late one comes with its old word. */
	assert_false(lease_take(kr, 4, &v, 3, &start));
	finish(2, a, 2);
	assert_int_equal(shown(), 4);
	expect(2, 2);
	expect(3, 2);
	assert_int_equal(room(), SLOTS - 1);
	end_close(&e);
}

/* --- parts --- */

static void
test_publish_part(void **state)
{
	uint64_t a, b;
	uint32_t i;

	ring_open(starts[2]);
	for (i = 0; i < 20; i++) {
		a = take(1, 8);
		b = take(2, 4);
		/* Not its turn. */
		assert_false(lease_publish_part(kr, 2, b, 2, 2));
		assert_int_equal(shown(), 0);
		kr->uslot[pos_index(kr, a)].len = kr->uslot[pos_index(kr, pos_add(kr, a, 1))].len = 101;
		assert_true(lease_publish_part(kr, 1, a, 2, 6));
		assert_int_equal(shown(), 2);
		assert_int_equal(lease_oldest(kr), 1);
		expect(1, 2);
		finish(2, b, 4);
		assert_int_equal(shown(), 0);
		kr->uslot[pos_index(kr, pos_add(kr, a, 2))].len = 101;
		assert_true(lease_publish_part(kr, 1, pos_add(kr, a, 2), 1, 5));
		for (unsigned j = 3; j < 8; j++)
			kr->uslot[pos_index(kr, pos_add(kr, a, j))].len = 101;
		lease_finish(kr, a, 8, pos_add(kr, a, 3));
		assert_int_equal(shown(), 10);
		expect(1, 6);
		expect(2, 4);
	}
	end_close(&e);
}

/*
 * All of a lease is shown before its owner finishes: from then on the tail belongs to those behind it. What they finished before comes with the
 * owner's last step.
 */
static void
test_all_shown_in_parts(void **state)
{
	uint64_t a, b;
	uint32_t i, j;

	ring_open(starts[2]);
	for (i = 0; i < 40; i++) {
		a = take(1, 4);
		b = take(2, 3);
		for (j = 0; j < 4; j++)
			kr->uslot[pos_index(kr, pos_add(kr, a, j))].len = 101;
		if (i % 2)
			finish(2, b, 3);
		assert_true(lease_publish_part(kr, 1, a, 4, 0));
		assert_int_equal(shown(), 4);
		if (i % 2 == 0) {
			finish(2, b, 3);
			assert_int_equal(shown(), 7);
			expect(1, 4);
			expect(2, 3);
		}
		lease_finish(kr, a, 4, b);
		assert_int_equal(lease_oldest(kr), 0);
		if (i % 2) {
			expect(1, 4);
			expect(2, 3);
		}
		assert_int_equal(room(), SLOTS - 1);
	}
	end_close(&e);
}

/* --- dead owners --- */

/*
 * Leases of owners 1..n in order, sizes 1..n; `dead` is a bitmap of who dies, `done` of who finishes, before
 * or after the deaths.
 */
static void
deaths(uint64_t start, unsigned n, unsigned dead, unsigned done, bool finish_first)
{
	uint64_t at[6], drops = kr->in.drops[DROP_CANCELLED];
	unsigned i, cancelled = 0, empty = 0;

	for (i = 0; i < n; i++)
		at[i] = take(i + 1, i + 1);
	for (i = n; finish_first && i-- > 0;)
		if (done >> i & 1)
			finish(i + 1, at[i], i + 1);
	for (i = 0; i < n; i++)
		if (dead >> i & 1) {
			cancelled += lease_cancel(kr, i + 1);
			empty += i + 1;
		}
	assert_int_equal(cancelled, (unsigned)__builtin_popcount(dead));
	assert_int_equal(kr->in.drops[DROP_CANCELLED] - drops, empty);
	for (i = n; !finish_first && i-- > 0;)
		if (done >> i & 1)
			finish(i + 1, at[i], i + 1);
	assert_int_equal(lease_oldest(kr), 0);
	for (i = 0; i < n; i++)
		expect(dead >> i & 1 ? 0 : i + 1, i + 1);
	assert_int_equal(room(), SLOTS - 1);
}

static void
test_cancel(void **state)
{
	unsigned s, dead;

	for (s = 0; s < 4; s++) {
		ring_open(starts[s]);
		for (dead = 0; dead < 32; dead++) {
			deaths(starts[s], 5, dead, ~dead, false);
			deaths(starts[s], 5, dead, ~dead, true);
			deaths(starts[s], 4, dead & 15, ~dead, true);
		}
		end_close(&e);
	}
}

/* It had shown a part. */
static void
test_cancel_rest(void **state)
{
	uint64_t a, b;
	uint32_t behind, i;

	for (behind = 0; behind < 2; behind++) {
		ring_open(starts[2]);
		for (i = 0; i < 40; i++) {
			a = take(1, 6);
			b = behind ? take(2, 3) : 0;
			kr->uslot[pos_index(kr, a)].len = kr->uslot[pos_index(kr, pos_add(kr, a, 1))].len =
				101;
			assert_true(lease_publish_part(kr, 1, a, 2, 4));
			if (i % 2)
				expect(1, 2);
			assert_int_equal(lease_cancel(kr, 1), 1);
			assert_int_equal(lease_cancel(kr, 1), 0);
			if (behind)
				finish(2, b, 3);
			if (i % 2 == 0)
				expect(1, 2);
			expect(0, 4);
			if (behind)
				expect(2, 3);
			/* The number goes to another thread, which begins where the dead one ended. */
			a = take(1, 2);
			finish(1, a, 2);
			expect(1, 2);
			assert_int_equal(lease_oldest(kr), 0);
		}
		end_close(&e);
	}
}

/* Several leases of one owner, as of several rings' frames: all go. */
/*
 * The first lease is shown in part and that part is released: a lease of the next lap begins where the first began, and takes over its record. A dead
 * owner's lease between them is still found, and so is the first if it is its owner who died.
 */
static void
test_cancel_behind_part(void **state)
{
	uint64_t a, b, c, d;
	uint32_t dead;

	for (dead = 1; dead <= 2; dead++) {
		ring_open(starts[2]);
		a = take(1, 4);
		b = take(2, 3);
		kr->uslot[pos_index(kr, a)].len = kr->uslot[pos_index(kr, pos_add(kr, a, 1))].len = 101;
		assert_true(lease_publish_part(kr, 1, a, 2, 2));
		expect(1, 2);
		c = take(3, SLOTS - 7);
		d = take(4, 1);
		assert_int_equal(pos_index(kr, d), pos_index(kr, a));
		finish(4, d, 1);
		finish(3, c, SLOTS - 7);
		assert_int_equal(shown(), 0);
		assert_int_equal(lease_cancel(kr, dead), 1);
		if (dead == 1) {
			finish(2, b, 3);
		} else {
			for (unsigned j = 2; j < 4; j++)
				kr->uslot[pos_index(kr, pos_add(kr, a, j))].len = 101;
			lease_finish(kr, a, 4, pos_add(kr, a, 2));
		}
		expect(dead == 1 ? 0 : 1, 2);
		expect(dead == 1 ? 2 : 0, 3);
		expect(3, SLOTS - 7);
		expect(4, 1);
		end_close(&e);
	}
}

static void
test_cancel_several(void **state)
{
	uint64_t a;

	ring_open(0);
	take(1, 2);
	a = take(2, 3);
	kr->reserve = lease_word(lease_pos(kr->reserve), 2, 3);
	take(1, 4);
	assert_int_equal(lease_cancel(kr, 1), 2);
	assert_int_equal(shown(), 2);
	finish(2, a, 3);
	expect(0, 2);
	expect(2, 3);
	expect(0, 4);
	assert_int_equal(lease_cancel(kr, 2), 0);
	end_close(&e);
}

/* Random owners, sizes, orders and deaths against a list of what must come out. */
static void
test_random(void **state)
{
	struct {
		uint64_t start;
		uint32_t owner, n;
		bool done;
	} l[16];
	uint32_t count = 0, next_owner = 1, i, step;
	uint64_t seed = 99;

	ring_open(starts[2]);
	for (step = 0; step < 30000; step++) {
		uint32_t what = random_below(&seed, 10), r = room();

		if (what < 4 && r > 0 && count < 15) {
			l[count].n = 1 + random_below(&seed, r < 5 ? r : 5);
			l[count].owner = next_owner;
			l[count].done = false;
			next_owner = next_owner % 200 + 1;
			l[count].start = take(l[count].owner, l[count].n);
			count++;
		} else if (what < 9 && count > 0) {
			i = random_below(&seed, count);
			if (!l[i].done && what < 8) {
				finish(l[i].owner, l[i].start, l[i].n);
				l[i].done = true;
			} else if (!l[i].done) {
				assert_int_equal(lease_cancel(kr, l[i].owner), 1);
				l[i].owner = 0;
				l[i].done = true;
			}
		}
		for (i = 0; i < count && l[i].done; i++)
			expect(l[i].owner, l[i].n);
		memmove(l, l + i, (count - i) * sizeof(l[0]));
		count -= i;
		assert_int_equal(shown(), 0);
		assert_int_equal(lease_oldest(kr), count > 0 ? l[0].owner : 0);
	}
	for (i = 0; i < count; i++)
		if (!l[i].done)
			finish(l[i].owner, l[i].start, l[i].n);
	end_close(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_orders),
		engine_test(test_odd_size_wraps),
		engine_test(test_full),
		engine_test(test_lost_race),
		engine_test(test_late_taker),
		engine_test(test_publish_part),
		engine_test(test_all_shown_in_parts),
		engine_test(test_cancel),
		engine_test(test_cancel_rest),
		engine_test(test_cancel_behind_part),
		engine_test(test_cancel_several),
		engine_test(test_random),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
