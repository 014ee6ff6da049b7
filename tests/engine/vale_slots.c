/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a switch does with slots: packets of several, indirect data, and everything that can be wrong with
 * one. Each dropped frame is counted with its reason, and what stands around it arrives.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "end.h"

#define BIG_MAX		65535u

static struct end a, b;

static int
setup(void **state)
{
	int error = engine_setup(state);

	if (error != 0)
		return error;
	end_open_slots(&a, "vale0:a", 256);
	end_open_slots(&b, "vale0:b", 256);
	end_send(&b, MAC_ALL, mac(2), 60, 0);
	end_flush(&a);
	return 0;
}

static int
teardown(void **state)
{
	end_close(&a);
	end_close(&b);
	return engine_teardown(state);
}

#define slots_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Fills the slot at the head with len bytes as they are, without moving head. */
static struct netmap_slot *
slot_fill(const char *data, uint32_t len, uint16_t flags)
{
	struct netmap_ring *r = end_tx(&a, 0);
	struct netmap_slot *slot = &r->slot[r->head];

	assert_int_not_equal(ring_space(r), 0);
	if (data != NULL)
		memcpy(ring_buf(r, slot->buf_idx), data, len);
	slot->len = (uint16_t)len;
	slot->flags = flags;
	ring_move(r, ring_next(r, r->head));
	return slot;
}

/* Puts one frame into the TX ring in pieces of these lengths. */
static void
put_pieces(const char *frame, const uint32_t *len, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		slot_fill(frame, len[i], i + 1 < n ? NS_MOREFRAG : 0);
		frame += len[i];
	}
}

/*
 * Takes the next packet out of b's ring into buf. Checks its flags: the number of slots in each, NS_MOREFRAG
 * in all but the last.
 */
static uint32_t
take_packet(char *buf, unsigned *slots)
{
	struct netmap_ring *r = end_rx(&b, 0);
	uint32_t len = 0, total = 0, n = 0, flags;

	if (ring_space(r) == 0)
		end_rxsync(&b);
	do {
		const struct netmap_slot *slot = &r->slot[r->head];

		assert_int_not_equal(ring_space(r), 0);
		flags = slot->flags;
		if (n == 0)
			total = NS_RFRAGS(slot);
		assert_int_equal(NS_RFRAGS(slot), total);
		assert_true(slot->len <= r->nr_buf_size && len + slot->len <= 2 * BIG_MAX);
		memcpy(buf + len, ring_buf(r, slot->buf_idx), slot->len);
		len += slot->len;
		n++;
		ring_move(r, ring_next(r, r->head));
	} while (flags & NS_MOREFRAG);
	assert_int_equal(n, total);
	*slots = n;
	return len;
}

static void
expect_packet(const char *frame, uint32_t len, unsigned slots)
{
	static char got[2 * BIG_MAX];
	unsigned n;

	assert_int_equal(take_packet(got, &n), len);
	assert_int_equal(n, slots);
	assert_memory_equal(got, frame, len);
}

/* Traffic goes on as if nothing had been. */
static void
still_works(void)
{
	end_send(&a, mac(2), mac(1), 60, 4711);
	end_expect(&b, 0, 60, 4711);
	end_expect_none(&b);
}

/* --- packets of several slots --- */

static void
test_chains(void **state)
{
	static const uint32_t pieces[][5] = { { 60, 1 }, { 14, 1, 1, 1, 1 }, { 2048, 2048, 100 },
		{ 100, 0, 100 }, { 20, 2000, 1, 64, 63 } };
	static const unsigned n[] = { 2, 5, 3, 3, 5 };
	static char frame[BIG_MAX];
	unsigned i, j;

	for (i = 0; i < 5; i++) {
		uint32_t len = 0;

		for (j = 0; j < n[i]; j++)
			len += pieces[i][j];
		frame_make(frame, len, mac(2), mac(1), i);
		put_pieces(frame, pieces[i], n[i]);
		end_txsync(&a);
		assert_int_equal(ring_space(end_tx(&a, 0)), 255);
		expect_packet(frame, len, n[i]);
	}
	assert_int_equal(end_krx(&b, 0)->in.packets, 5);
	assert_drops(end_ktx(&a, 0), DROP_NO_ROOM, 0);
	still_works();
}

/* 64 slots are a packet, 65 are not. */
static void
test_longest_chain(void **state)
{
	static char frame[BIG_MAX];
	uint32_t len[66], i;

	for (i = 0; i < 66; i++)
		len[i] = 100;
	frame_make(frame, 6600, mac(2), mac(1), 1);
	put_pieces(frame, len, 64);
	put_pieces(frame, len, 65);
	put_pieces(frame, len, 66);
	assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), 5, 0));
	end_txsync(&a);
	expect_packet(frame, 6400, 64);
	end_expect(&b, 0, 60, 5);
	end_expect_none(&b);
	assert_drops(end_ktx(&a, 0), DROP_BAD_CHAIN, 2);
	still_works();
}

/* A chain without its last slot is sent as it is. */
static void
test_truncated_chain(void **state)
{
	static char frame[BIG_MAX];
	uint32_t i;

	frame_make(frame, 300, mac(2), mac(1), 1);
	for (i = 0; i < 3; i++)
		slot_fill(frame + 100 * i, 100, NS_MOREFRAG);
	end_txsync(&a);
	expect_packet(frame, 300, 3);
	slot_fill(frame, 100, NS_MOREFRAG);
	end_txsync(&a);
	expect_packet(frame, 100, 1);
	/* A whole ring of them, too long for a packet. */
	for (i = 0; i < 255; i++)
		slot_fill(frame, 100, NS_MOREFRAG);
	end_txsync(&a);
	assert_drops(end_ktx(&a, 0), DROP_BAD_CHAIN, 1);
	still_works();
}

/* Chains in all sizes through a ring that they wrap around in, and lie across the switch's batches. */
static void
test_chains_wrap(void **state)
{
	static char frame[BIG_MAX];
	uint64_t seed = 3;
	uint32_t round, len[64], sum, n, i;

	for (round = 0; round < 300; round++) {
		n = 1 + random_below(&seed, 64);
		sum = 0;
		for (i = 0; i < n; i++) {
			len[i] = i == 0 ? 14 + random_below(&seed, 900) : random_below(&seed, 1000);
			sum += len[i];
		}
		frame_make(frame, sum, round % 3 == 0 ? MAC_ALL : mac(2), mac(1), round);
		put_pieces(frame, len, n);
		end_txsync(&a);
		expect_packet(frame, sum, n);
		end_expect_none(&b);
	}
}

/* --- indirect data --- */

static void
put_indirect(const void *data, uint32_t len, uint16_t flags)
{
	slot_fill(NULL, len, NS_INDIRECT | flags)->ptr = (uintptr_t)data;
}

static void
test_indirect(void **state)
{
	static char frame[BIG_MAX];
	const uint32_t buf = end_tx(&a, 0)->nr_buf_size;
	const uint32_t len[] = { 14, 60, 1514, buf - 1, buf, buf + 1, 2 * buf, 9000, 65534, 65535 };
	unsigned i;

	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		frame_make(frame, len[i], i % 2 ? MAC_ALL : mac(2), mac(1), i);
		put_indirect(frame, len[i], 0);
		end_txsync(&a);
		expect_packet(frame, len[i], (len[i] + buf - 1) / buf);
	}
	still_works();
}

/* A header in the slot's buffer, the rest elsewhere; and indirect data in the middle of a chain. */
static void
test_indirect_in_chain(void **state)
{
	static char frame[BIG_MAX];

	frame_make(frame, 1000, mac(2), mac(1), 1);
	slot_fill(frame, 14, NS_MOREFRAG);
	put_indirect(frame + 14, 900, NS_MOREFRAG);
	slot_fill(frame + 914, 86, 0);
	end_txsync(&a);
	expect_packet(frame, 1000, 3);
	/* Too long together. */
	frame_make(frame, 65535, mac(2), mac(1), 1);
	put_indirect(frame, 65535, NS_MOREFRAG);
	put_indirect(frame, 65535, NS_MOREFRAG);
	put_indirect(frame, 65535, 0);
	end_txsync(&a);
	assert_drops(end_ktx(&a, 0), DROP_BAD_CHAIN, 1);
	still_works();
}

static void
test_indirect_bad_address(void **state)
{
	static const uint64_t bad[] = { 0, 1, 4095, UINT64_C(0x7fffffffffff), UINT64_C(0x800000000000),
		UINT64_C(0xffffffffffffffff), UINT64_C(0xfffffffffffff000), UINT64_C(0xffff800000000000) };
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_indirect((void *)(uintptr_t)bad[i], i % 2 ? 60 : 65535, 0);
		assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
		end_txsync(&a);
		end_expect(&b, 0, 60, i);
	}
	assert_drops(end_ktx(&a, 0), DROP_BAD_ADDRESS, i);
	still_works();
}

/* The header can be read, what follows cannot, in its own slot or in a later one of its chain: nothing comes, and it is counted once, by whom it was sent. */
static void
test_indirect_ends_early(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t to[] = { mac(2), MAC_ALL };
	static char frame[BIG_MAX];
	unsigned i;

	assert_true(map != MAP_FAILED);
	assert_int_equal(munmap(map + page, page), 0);
	for (i = 0; i < 2; i++) {
		frame_make(map + page - 64, 64, to[i], mac(1), 1);
		put_indirect(map + page - 64, 1000, 0);
		end_txsync(&a);
		end_expect_none(&b);
		frame_make(frame, 100, to[i], mac(1), 1);
		slot_fill(frame, 100, NS_MOREFRAG);
		put_indirect(map + page - 64, 64, NS_MOREFRAG);
		put_indirect(map + page - 64, 65, 0);
		end_txsync(&a);
		end_expect_none(&b);
	}
	assert_drops(end_ktx(&a, 0), DROP_BAD_ADDRESS, 4);
	assert_drops(end_krx(&b, 0), DROP_BAD_ADDRESS, 0);
	/* Up to the last byte that there is. */
	frame_make(map, (uint32_t)page, mac(2), mac(1), 2);
	put_indirect(map, (uint32_t)page, 0);
	end_txsync(&a);
	expect_packet(map, (uint32_t)page, (unsigned)((page + end_tx(&a, 0)->nr_buf_size - 1) / end_tx(&a, 0)->nr_buf_size));
	munmap(map, page);
	still_works();
}

/* --- slots that are wrong --- */

static void
test_lengths(void **state)
{
	const uint32_t buf = end_tx(&a, 0)->nr_buf_size;
	const struct {
		uint32_t len;
		int reason;
	} c[] = {
		{ 0, DROP_RUNT },
		{ 1, DROP_RUNT },
		{ 13, DROP_RUNT },
		{ 14, -1 },
		{ 15, -1 },
		{ 59, -1 },
		{ 63, -1 },
		{ 64, -1 },
		{ 65, -1 },
		{ 1514, -1 },
		{ buf - 1, -1 },
		{ buf, -1 },
		{ buf + 1, DROP_TOO_LONG },
		{ 0xffff, DROP_TOO_LONG },
	};
	uint64_t runts = 0, longs = 0;
	unsigned i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_true(ring_put(end_tx(&a, 0), c[i].len, mac(2), mac(1), i, 0));
		assert_true(ring_put(end_tx(&a, 0), 100, mac(2), mac(1), i + 100, 0));
		end_txsync(&a);
		runts += c[i].reason == DROP_RUNT;
		longs += c[i].reason == DROP_TOO_LONG;
		if (c[i].reason < 0)
			end_expect(&b, 0, c[i].len, i);
		end_expect(&b, 0, 100, i + 100);
		end_expect_none(&b);
	}
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_RUNT], runts);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_TOO_LONG], longs);
	assert_int_equal(own_drops(end_ktx(&a, 0)), runts + longs);
	assert_int_equal(end_krx(&b, 0)->in.packets, 2 * i - runts - longs);
}

/* The header must be in the first slot. */
static void
test_short_first_slot(void **state)
{
	static char frame[BIG_MAX];

	frame_make(frame, 100, mac(2), mac(1), 1);
	slot_fill(frame, 13, NS_MOREFRAG);
	slot_fill(frame + 13, 87, 0);
	slot_fill(frame, 0, NS_MOREFRAG);
	slot_fill(frame, 100, 0);
	end_txsync(&a);
	end_expect_none(&b);
	assert_drops(end_ktx(&a, 0), DROP_BAD_CHAIN, 2);
	still_works();
}

static void
test_bad_indexes(void **state)
{
	struct netmap_ring *r = end_tx(&a, 0);
	const uint32_t bad[] = { 0, 1, end_ktx(&a, 0)->buf_total, end_ktx(&a, 0)->buf_total + 1, 0x7fffffff,
		0x80000000, 0xffffffff };
	unsigned i;

	for (i = 0; i < 7; i++) {
		uint32_t at = r->head, good = r->slot[at].buf_idx;

		assert_true(ring_put(r, 60, mac(2), mac(1), i, 0));
		r->slot[at].buf_idx = bad[i];
		assert_true(ring_put(r, 60, mac(2), mac(1), i + 100, 0));
		end_txsync(&a);
		r->slot[at].buf_idx = good;
		end_expect(&b, 0, 60, i + 100);
		end_expect_none(&b);
	}
	assert_drops(end_ktx(&a, 0), DROP_BAD_SLOT, 7);
}

/* A slot that is wrong in the middle of a chain takes the whole chain with it, and nothing else. */
static void
test_bad_slot_in_chain(void **state)
{
	static char frame[BIG_MAX];
	struct netmap_ring *r = end_tx(&a, 0);
	struct netmap_slot *slot;
	uint32_t good;

	frame_make(frame, 300, mac(2), mac(1), 1);
	slot_fill(frame, 100, NS_MOREFRAG);
	slot = slot_fill(frame + 100, 100, NS_MOREFRAG);
	slot_fill(frame + 200, 100, 0);
	good = slot->buf_idx;
	slot->buf_idx = 1;
	slot_fill(frame, 100, NS_MOREFRAG);
	slot_fill(NULL, r->nr_buf_size + 1, 0);
	slot_fill(frame, 300, 0);
	end_txsync(&a);
	slot->buf_idx = good;
	expect_packet(frame, 300, 1);
	end_expect_none(&b);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_BAD_SLOT], 1);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_TOO_LONG], 1);
	still_works();
}

/* A receiver that spoiled its own slots gets them empty; what is in good slots arrives. */
static void
test_receiver_spoils_slots(void **state)
{
	struct netmap_ring *r = end_rx(&b, 0);
	uint32_t at = r->head, good[3], i;

	for (i = 0; i < 3; i++) {
		good[i] = r->slot[at + 2 * i].buf_idx;
		r->slot[at + 2 * i].buf_idx = i == 0 ? 0 : i == 1 ? 0xffffffff : end_krx(&b, 0)->buf_total;
	}
	for (i = 0; i < 6; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), 6);
	for (i = 0; i < 6; i++) {
		if (i % 2 == 0) {
			assert_int_equal(r->slot[r->head].len, 0);
			r->slot[r->head].buf_idx = good[i / 2];
			ring_move(r, ring_next(r, r->head));
		} else {
			end_expect(&b, 0, 60, i);
		}
	}
	assert_drops(end_krx(&b, 0), DROP_BAD_SLOT, 3);
	still_works();
}

/* The flag is for the host's eyes: gone from sent slots, and never in received ones. */
static void
test_buf_changed(void **state)
{
	struct netmap_ring *r = end_tx(&a, 0);
	uint32_t at = r->head;

	assert_true(ring_put(r, 60, mac(2), mac(1), 1, NS_BUF_CHANGED));
	end_txsync(&a);
	assert_int_equal(r->slot[at].flags & NS_BUF_CHANGED, 0);
	end_rxsync(&b);
	assert_int_equal(end_rx(&b, 0)->slot[end_rx(&b, 0)->head].flags & NS_BUF_CHANGED, 0);
	end_expect(&b, 0, 60, 1);
}

/* A swapped buffer is the one that is sent; the receiver may swap too. */
static void
test_swapped_buffers(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0), *rx = end_rx(&b, 0);
	uint32_t i, keep;

	for (i = 0; i < 1000; i++) {
		uint32_t t = tx->head, u = (t + 7) % 255, r = rx->head;

		keep = tx->slot[t].buf_idx;
		tx->slot[t].buf_idx = tx->slot[u].buf_idx;
		tx->slot[u].buf_idx = keep;
		assert_true(ring_put(tx, 60, mac(2), mac(1), i, NS_BUF_CHANGED));
		end_txsync(&a);
		end_expect(&b, 0, 60, i);
		keep = rx->slot[r].buf_idx;
		rx->slot[r].buf_idx = rx->slot[(r + 100) % 256].buf_idx;
		rx->slot[(r + 100) % 256].buf_idx = keep;
		rx->slot[r].flags = NS_BUF_CHANGED;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		slots_test(test_chains),
		slots_test(test_longest_chain),
		slots_test(test_truncated_chain),
		slots_test(test_chains_wrap),
		slots_test(test_indirect),
		slots_test(test_indirect_in_chain),
		slots_test(test_indirect_bad_address),
		slots_test(test_indirect_ends_early),
		slots_test(test_lengths),
		slots_test(test_short_first_slot),
		slots_test(test_bad_indexes),
		slots_test(test_bad_slot_in_chain),
		slots_test(test_receiver_spoils_slots),
		slots_test(test_buf_changed),
		slots_test(test_swapped_buffers),
	};

	return cmocka_run_group_tests_name("VALE slots", tests, NULL, NULL);
}
