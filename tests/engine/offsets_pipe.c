/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets in pipes, whose ends may have them or not: the receiver finds a frame where its slot says, at no
 * less than what it left there; the sender finds it where its slot says when that has come back. Buffers are
 * exchanged all the same.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "offsets_end.h"

#define OTHER_PROCESS	2u

struct kind {
	uint64_t initial, max;
	int bits;			/* < 0: no offsets */
};

static const struct kind kinds[] = { { 0, 0, -1 }, { 0, 0, 64 }, { 0, 300, 16 }, { 64, 64, 64 },
	{ 66, 255, 8 }, { 257, 511, 10 } };

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static uint32_t buf_size;

static void
two_open(struct end *a, const struct kind *ka, struct end *b, const struct kind *kb)
{
	offsets_open(a, "x{1", ka->initial, ka->max, ka->bits);
	offsets_open(b, "x}1", kb->initial, kb->max, kb->bits);
	buf_size = end_tx(a, 0)->nr_buf_size;
}

static void
two_close(struct end *a, struct end *b)
{
	end_close(a);
	end_close(b);
}

static uint64_t
largest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
smallest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where it comes: at the larger one, as far as limit and length allow. */
static uint64_t
expected(const struct kind *to, uint64_t own, uint64_t from, uint32_t len)
{
	return smallest(smallest(largest(own, from), to->max), buf_size - len);
}

/* Frames of several lengths with an offset of their own each, to slots with others. */
static void
frames_pass(struct end *a, struct end *b, const struct kind *ka, const struct kind *kb)
{
	static const uint32_t lens[] = { 14, 60, 61, 64, 1000, 1514, 2000 };
	static uint32_t seq;
	struct netmap_ring *tx = end_tx(a, 0), *rx = end_rx(b, 0);
	uint64_t from[7], own[7];
	uint32_t idx[7], first = tx->head, i;

	for (i = 0; i < 7; i++) {
		uint32_t at = (first + i) % 64;

		if (i % 3 != 0)
			slot_set_ofs(tx, at, ka->max * i / 7);
		if (i % 2 != 0)
			slot_set_ofs(rx, at, kb->max * (7 - i) / 7);
		if (slot_ofs(tx, at) + lens[i] > buf_size)
			slot_set_ofs(tx, at, buf_size - lens[i]);
		from[i] = slot_ofs(tx, at);
		own[i] = slot_ofs(rx, at);
		idx[i] = tx->slot[at].buf_idx;
		assert_true(offsets_put(tx, lens[i], MAC_ALL, mac(1), seq + i, 0));
	}
	end_txsync(a);
	for (i = 0; i < 7; i++) {
		if (i == 0)
			end_rxsync(b);
		assert_int_equal(rx->slot[rx->head].buf_idx, idx[i]);
		offsets_expect(b, lens[i], seq + i, expected(kb, own[i], from[i], lens[i]));
	}
	end_rxsync(b);
	end_txsync(a);
	/* They come back. */
	for (i = 0; i < 7; i++) {
		uint32_t at = (first + i) % 64;

		assert_int_equal(tx->slot[at].buf_idx, idx[i]);
		assert_int_equal(tx->slot[at].len, lens[i]);
		assert_int_equal(slot_ofs(tx, at), smallest(expected(kb, own[i], from[i], lens[i]), ka->max));
		assert_true(frame_is(slot_data(tx, at), lens[i], seq + i));
	}
	seq += 7;
	assert_int_equal(own_drops(end_ktx(a, 0)), 0);
	assert_int_equal(ring_space(tx), 63);
}

static void
test_combinations(void **state)
{
	struct end a, b;
	unsigned i, k, round;

	for (i = 0; i < KINDS; i++)
		for (k = 0; k < KINDS; k++) {
			two_open(&a, &kinds[i], &b, &kinds[k]);
			for (round = 0; round < 30; round++) {
				frames_pass(&a, &b, &kinds[i], &kinds[k]);
				frames_pass(&b, &a, &kinds[k], &kinds[i]);
			}
			two_close(&a, &b);
		}
}

/* Who has the same offsets on both sides and leaves them alone never has anything moved. */
static void
test_nothing_moves(void **state)
{
	struct netmap_ring *tx, *rx;
	struct end a, b;
	uint32_t i, k;

	two_open(&a, &kinds[3], &b, &kinds[3]);
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	for (i = 0; i < 200; i++) {
		char *data = slot_data(tx, tx->head);

		assert_int_equal(slot_ofs(tx, tx->head), 64);
		assert_true(offsets_put(tx, 500, MAC_ALL, mac(1), i, 0));
		end_txsync(&a);
		end_rxsync(&b);
		assert_ptr_equal(slot_data(rx, rx->head), data);
		offsets_expect(&b, 500, i, 64);
		end_rxsync(&b);
	}
	for (k = 0; k < 64; k++)
		assert_int_equal(slot_ofs(rx, k), 64);
	two_close(&a, &b);
}

/*
 * The bits of ptr that are nobody's offset go along, and come back; those that are one at one end stay there.
 */
static void
test_ptr(void **state)
{
	const struct kind narrow = { 0, 255, 8 }, wide = { 0, 511, 16 };
	struct netmap_ring *tx, *rx;
	struct end a, b;

	two_open(&a, &narrow, &b, &wide);
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	tx->slot[0].ptr = UINT64_C(0xaabbccddeeff7710);
	rx->slot[0].ptr = 0;
	assert_true(offsets_put(tx, 100, MAC_ALL, mac(1), 1, 0));
	end_txsync(&a);
	end_rxsync(&b);
	assert_true(rx->slot[0].ptr == UINT64_C(0xaabbccddeeff0010));
	rx->slot[0].ptr = UINT64_C(0x1122334455660010);
	offsets_expect(&b, 100, 1, 0x10);
	end_rxsync(&b);
	end_txsync(&a);
	assert_true(tx->slot[0].ptr == UINT64_C(0x1122334455667710));
	two_close(&a, &b);
	two_open(&a, &kinds[0], &b, &narrow);
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	/* A sender without offsets may keep anything there. */
	tx->slot[0].ptr = UINT64_C(0xaabbccddeeff77ff);
	rx->slot[0].ptr = 100;
	assert_true(ring_put(tx, 100, MAC_ALL, mac(1), 2, 0));
	end_txsync(&a);
	end_rxsync(&b);
	assert_true(rx->slot[0].ptr == (UINT64_C(0xaabbccddeeff7700) | 100));
	offsets_expect(&b, 100, 2, 100);
	end_rxsync(&b);
	end_txsync(&a);
	assert_true(tx->slot[0].ptr == UINT64_C(0xaabbccddeeff77ff));
	assert_true(frame_is(ring_buf(tx, tx->slot[0].buf_idx), 100, 2));
	two_close(&a, &b);
}

/* --- packets of several slots --- */

/* What is not complete is not touched, however often it is looked at; then it comes whole. */
static void
test_chain(void **state)
{
	static char frame[4096], got[4096];
	struct netmap_ring *tx, *rx;
	struct end a, b;
	unsigned i, k, n;

	for (i = 0; i < KINDS; i++)
		for (k = 0; k < KINDS; k++) {
			two_open(&a, &kinds[i], &b, &kinds[k]);
			tx = end_tx(&a, 0);
			rx = end_rx(&b, 0);
			frame_make(frame, 4000, MAC_ALL, mac(1), 5);
			/* In front of it, one that is. */
			assert_true(offsets_put(tx, 60, MAC_ALL, mac(1), 1, 0));
			for (n = 0; n < 4; n++) {
				memcpy(slot_data(tx, tx->head), frame + n * 1000, 1000);
				tx->slot[tx->head].len = 1000;
				tx->slot[tx->head].flags =
					(uint16_t)(NS_BUF_CHANGED | (n < 3 ? NS_MOREFRAG : 0));
				ring_move(tx, ring_next(tx, tx->head));
				end_txsync(&a);
				assert_int_equal(end_pending(&b, 0), n < 3 ? 1 : 5);
			}
			offsets_expect(&b, 60, 1, slot_ofs(rx, rx->head));
			for (n = 0; n < 4; n++) {
				memcpy(got + n * 1000, slot_data(rx, rx->head), 1000);
				assert_int_equal(slot_ofs(rx, rx->head),
					expected(&kinds[k], kinds[k].initial, kinds[i].initial, 1000));
				assert_int_equal(
					rx->slot[rx->head].flags, NS_BUF_CHANGED | (n < 3 ? NS_MOREFRAG : 0));
				ring_move(rx, ring_next(rx, rx->head));
			}
			assert_memory_equal(got, frame, 4000);
			for (n = 1; n < 5; n++)
				assert_int_equal(tx->slot[n].flags & NS_BUF_CHANGED, 0);
			end_rxsync(&b);
			end_txsync(&a);
			assert_int_equal(ring_space(tx), 63);
			two_close(&a, &b);
		}
}

/* --- slots that break the rules --- */

static void
test_bad_slots(void **state)
{
	const struct kind k = { 0, 200, 8 };
	struct netmap_ring *tx, *rx;
	struct end a, b;
	uint32_t was;

	two_open(&a, &k, &b, &k);
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	/* Capped. */
	frame_make(ring_buf(tx, tx->slot[0].buf_idx) + 200, 100, MAC_ALL, mac(1), 1);
	slot_set_ofs(tx, 0, 255);
	tx->slot[0].len = 100;
	/* Beyond the buffer's end. */
	slot_set_ofs(tx, 1, 100);
	tx->slot[1].len = (uint16_t)(buf_size - 99);
	/* No buffer. */
	was = tx->slot[2].buf_idx;
	tx->slot[2].buf_idx = 0xffffffff;
	tx->slot[2].len = 60;
	/* The receiver's own one is too high. */
	slot_set_ofs(rx, 3, 255);
	frame_make(slot_data(tx, 3), 100, MAC_ALL, mac(1), 3);
	tx->slot[3].len = 100;
	ring_move(tx, 4);
	end_txsync(&a);
	offsets_expect(&b, 100, 1, 200);
	offsets_expect(&b, 0, 0, 0);
	offsets_expect(&b, 0, 0, 0);
	offsets_expect(&b, 100, 3, 200);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_TOO_LONG], 1);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_BAD_SLOT], 1);
	/* What comes back is bad as well: the sender keeps what it has, where it is. */
	rx->slot[0].buf_idx = 1;
	rx->slot[3].len = (uint16_t)buf_size;
	end_rxsync(&b);
	tx->slot[2].buf_idx = was;
	end_txsync(&a);
	assert_int_equal(ring_space(tx), 63);
	assert_int_equal(tx->slot[0].len, 100);
	assert_true(slot_idx_valid(end_ktx(&a, 0), tx->slot[0].buf_idx));
	two_close(&a, &b);
}

/* --- ends that are closed and opened again --- */

/* What waits for the receiver is found, whatever offsets it comes back with. */
static void
test_reopened(void **state)
{
	struct end a, b;
	unsigned i, k, n;
	uint32_t seq = 0;

	for (i = 0; i < KINDS; i++) {
		two_open(&a, &kinds[i], &b, &kinds[0]);
		for (k = 0; k < KINDS * KINDS; k++) {
			const struct kind *old = &kinds[k / KINDS], *now = &kinds[k % KINDS];

			end_close(&b);
			offsets_open(&b, "x}1", old->initial, old->max, old->bits);
			for (n = 0; n < 5; n++)
				assert_true(offsets_put(end_tx(&a, 0), 100 + n, MAC_ALL, mac(1), seq + n, 0));
			end_txsync(&a);
			end_rxsync(&b);
			offsets_expect(&b, 100, seq, slot_ofs(end_rx(&b, 0), end_rx(&b, 0)->head));
			end_close(&b);
			/* While nobody is there, too. */
			for (; n < 10; n++)
				assert_true(offsets_put(end_tx(&a, 0), 100 + n, MAC_ALL, mac(1), seq + n, 0));
			end_txsync(&a);
			offsets_open(&b, "x}1", now->initial, now->max, now->bits);
			for (n = 1; n < 10; n++)
				offsets_expect(&b, 100 + n, seq + n,
					smallest(now->max, slot_ofs(end_rx(&b, 0), end_rx(&b, 0)->head)));
			end_rxsync(&b);
			end_txsync(&a);
			seq += 10;
		}
		two_close(&a, &b);
	}
}

/* A sender that is stopped in its sync has the receiver's ring. */
static void
test_reopened_under_way(void **state)
{
	struct end a, b;

	two_open(&a, &kinds[0], &b, &kinds[0]);
	end_close(&b);
	end_ktx(&a, 0)->busy = 77;
	assert_int_equal(offsets_try(&b, "x}1", NULL, 0, 10, 0), -EBUSY);
	/* Without offsets it does not matter. */
	end_open(&b, "x}1");
	end_close(&b);
	end_ktx(&a, 0)->busy = 0;
	assert_int_equal(offsets_try(&b, "x}1", NULL, 0, 10, 0), 0);
	two_close(&a, &b);
}

/* --- a sender that dies while data are moved --- */

static void
test_death(void **state)
{
	struct netmap_ring *tx;
	struct kring *kr;
	struct actor *v;
	struct end a, b;
	uint32_t i;

	two_open(&a, &kinds[0], &b, &kinds[3]);
	tx = end_tx(&a, 0);
	kr = end_ktx(&a, 0);
	for (i = 0; i < 3; i++)
		assert_true(ring_put(tx, 100, MAC_ALL, mac(1), i, i == 0 ? NS_MOREFRAG : 0));
	/* As the victim left it: the first packet's data are somewhere. */
	assert_int_equal(actor_alloc(OTHER_PROCESS, 12345, 12346, &v), 0);
	kr->busy = v->id;
	kr->moving = kr->own_pos + 1;
	actor_recover(inproc_root(), v->id);
	actor_free(v);
	end_txsync(&a);
	end_rxsync(&b);
	assert_int_equal(end_rx(&b, 0)->slot[0].flags & NS_MOREFRAG, NS_MOREFRAG);
	assert_int_equal(end_rx(&b, 0)->slot[0].len, 0);
	ring_move(end_rx(&b, 0), 1);
	offsets_expect(&b, 0, 0, 64);
	offsets_expect(&b, 100, 2, 64);
	assert_drops(kr, DROP_CANCELLED, 1);
	/* What is sent from now on is as good as ever. */
	for (i = 0; i < 200; i++) {
		assert_true(ring_put(tx, 100, MAC_ALL, mac(1), i, 0));
		end_txsync(&a);
		offsets_expect(&b, 100, i, 64);
		end_rxsync(&b);
	}
	assert_drops(kr, DROP_CANCELLED, 1);
	two_close(&a, &b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_combinations),
		engine_test(test_nothing_moves),
		engine_test(test_ptr),
		engine_test(test_chain),
		engine_test(test_bad_slots),
		engine_test(test_reopened),
		engine_test(test_reopened_under_way),
		engine_test(test_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
