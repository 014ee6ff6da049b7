/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets on a switch: between ports with and without, the receiver's data lie where the receiver's slot
 * says, nothing else is written, and nothing is read or written outside of buffers.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/vnet_hdr.h"
#include "offsets_end.h"

#define FILL	0x5a
#define SEQ_MAX	4096u

struct kind {
	uint64_t initial, max;
	int bits;			/* < 0: no offsets */
};

static const struct kind kinds[] = { { 0, 0, -1 }, { 0, 0, 64 }, { 0, 300, 16 }, { 64, 64, 64 },
	{ 66, 255, 8 }, { 257, 511, 10 } };

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static uint32_t buf_size;

static void
kind_open(struct end *e, const char *name, const struct kind *k)
{
	offsets_open(e, name, k->initial, k->max, k->bits);
	buf_size = end_tx(e, 0)->nr_buf_size;
}

/* Both know each other; rings are empty. */
static void
two_open(struct end *a, const struct kind *ka, struct end *b, const struct kind *kb)
{
	kind_open(a, "vale0:a", ka);
	kind_open(b, "vale0:b", kb);
	assert_true(offsets_put(end_tx(a, 0), 60, MAC_ALL, mac(1), 0, 0));
	end_txsync(a);
	assert_true(offsets_put(end_tx(b, 0), 60, mac(1), mac(2), 0, 0));
	end_txsync(b);
	end_flush(a);
	end_flush(b);
}

static void
two_close(struct end *a, struct end *b)
{
	end_close(a);
	end_close(b);
}

/* --- every combination --- */

static void
lengths_pass(struct end *a, uint64_t src, struct end *b, uint64_t dst, const struct kind *ka,
	const struct kind *kb)
{
	static const uint32_t lens[] = { 14, 15, 60, 61, 63, 64, 65, 127, 128, 129, 1000, 1514 };
	static uint32_t seq;
	struct netmap_ring *tx = end_tx(a, 0), *rx = end_rx(b, 0);
	uint32_t i, n, at, idx;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint64_t out = ka->max == 0 ? 0 : ka->max * (i % 3) / 2,
			 in = kb->max == 0 ? 0 : kb->max * (i % 5) / 4;

		/* Each offset in a slot of its own: whoever writes it there finds it there. */
		slot_set_ofs(tx, tx->head, out);
		at = rx->head;
		slot_set_ofs(rx, at, in);
		idx = rx->slot[at].buf_idx;
		ring_fill(rx, FILL);
		for (n = 0; n < 3; n++, seq++) {
			assert_true(offsets_put(
				tx, lens[i], n == 1 ? MAC_ALL : dst, src, seq, n == 2 ? NS_BUF_CHANGED : 0));
			assert_true(n > 0 || slot_ofs(tx, tx->head == 0 ? 63 : tx->head - 1) == out);
		}
		end_txsync(a);
		offsets_expect(b, lens[i], seq - 3, in);
		if (kb->bits >= 0 || ka->bits >= 0)
			assert_true(buf_untouched(rx, idx, in, lens[i], FILL));
		offsets_expect(b, lens[i], seq - 2, slot_ofs(rx, rx->head));
		offsets_expect(b, lens[i], seq - 1, slot_ofs(rx, rx->head));
		end_rxsync(b);
	}
	assert_int_equal(own_drops(end_ktx(a, 0)) + in_drops(end_krx(b, 0)), 0);
}

static void
test_combinations(void **state)
{
	struct end a, b;
	unsigned i, k, round;

	for (i = 0; i < KINDS; i++)
		for (k = 0; k < KINDS; k++) {
			two_open(&a, &kinds[i], &b, &kinds[k]);
			/* Around the ring. */
			for (round = 0; round < 4; round++) {
				lengths_pass(&a, mac(1), &b, mac(2), &kinds[i], &kinds[k]);
				lengths_pass(&b, mac(2), &a, mac(1), &kinds[k], &kinds[i]);
			}
			two_close(&a, &b);
		}
}

/*
 * What a receiver has written in a slot before it gave it back is where the next frame comes. The other bits
 * of ptr are its own.
 */
static void
test_initial_and_own(void **state)
{
	struct end a, b;
	struct netmap_ring *rx;
	uint32_t i;

	two_open(&a, &kinds[0], &b, &kinds[2]);
	rx = end_rx(&b, 0);
	for (i = 0; i < 64; i++)
		rx->slot[i].ptr = UINT64_C(0x1234567890ab0000) | i * 3;
	for (i = 0; i < 300; i++) {
		uint32_t at = rx->head;

		end_send(&a, mac(2), mac(1), 100, i);
		offsets_expect(&b, 100, i, at * 3);
		assert_true(rx->slot[at].ptr == (UINT64_C(0x1234567890ab0000) | at * 3));
		end_rxsync(&b);
	}
	two_close(&a, &b);
}

/* To all: each gets it where he wants it. */
static void
test_broadcast(void **state)
{
	struct end e[KINDS];
	char name[] = "vale0:x";
	unsigned i, k;

	for (i = 0; i < KINDS; i++) {
		name[6] = (char)('a' + i);
		kind_open(&e[i], name, &kinds[i]);
	}
	for (i = 0; i < KINDS; i++) {
		for (k = 0; k < 10; k++)
			assert_true(
				offsets_put(end_tx(&e[i], 0), 60 + 100 * k, MAC_ALL, mac(i), i * 10 + k, 0));
		/* And one to a single port among them. */
		assert_true(offsets_put(end_tx(&e[i], 0), 77, mac(i == 0 ? 1 : 0), mac(i), 999, 0));
		end_txsync(&e[i]);
		for (k = 0; k < KINDS; k++) {
			struct netmap_ring *r = end_rx(&e[k], 0);
			uint32_t n = end_pending(&e[k], 0), j;

			assert_true(n == (k == i ? 0 : 10) || (k != i && n == 11));
			for (j = 0; j < n; j++) {
				assert_int_equal(slot_ofs(r, r->head), kinds[k].initial);
				assert_true(frame_is(slot_data(r, r->head), r->slot[r->head].len,
					j < 10 ? i * 10 + j : 999));
				ring_move(r, ring_next(r, r->head));
			}
			end_rxsync(&e[k]);
		}
	}
	for (i = 0; i < KINDS; i++)
		end_close(&e[i]);
}

/* --- limits --- */

/*
 * A higher offset than allowed is one at the limit, for both sides, and a frame that does not end in its
 * buffer is none.
 */
static void
test_sender_limits(void **state)
{
	const struct kind k = { 0, 500, 16 };
	struct netmap_ring *tx;
	struct end a, b;
	char *data;

	two_open(&a, &k, &b, &kinds[0]);
	tx = end_tx(&a, 0);
	data = ring_buf(tx, tx->slot[tx->head].buf_idx) + 500;
	frame_make(data, 100, mac(2), mac(1), 7);
	slot_set_ofs(tx, tx->head, 0xffff);
	tx->slot[tx->head].len = 100;
	ring_move(tx, ring_next(tx, tx->head));
	end_txsync(&a);
	offsets_expect(&b, 100, 7, 0);
	/* The last byte of the buffer, and one more. */
	slot_set_ofs(tx, tx->head, 100);
	assert_true(offsets_put(tx, buf_size - 100, mac(2), mac(1), 8, 0));
	end_txsync(&a);
	offsets_expect(&b, buf_size - 100, 8, 0);
	slot_set_ofs(tx, tx->head, 100);
	tx->slot[tx->head].len = (uint16_t)(buf_size - 99);
	tx->slot[tx->head].flags = 0;
	ring_move(tx, ring_next(tx, tx->head));
	end_txsync(&a);
	end_expect_none(&b);
	assert_drops(end_ktx(&a, 0), DROP_TOO_LONG, 1);
	two_close(&a, &b);
}

static void
test_receiver_limits(void **state)
{
	const struct kind k = { 0, 500, 16 };
	struct netmap_ring *rx;
	struct end a, b;
	uint32_t at, idx;

	two_open(&a, &kinds[0], &b, &k);
	rx = end_rx(&b, 0);
	ring_fill(rx, FILL);
	at = rx->head;
	slot_set_ofs(rx, at, 501);
	end_send(&a, mac(2), mac(1), 100, 1);
	offsets_expect(&b, 100, 1, 500);
	slot_set_ofs(rx, rx->head, 0xffff);
	idx = rx->slot[rx->head].buf_idx;
	end_send(&a, mac(2), mac(1), 1514, 2);
	offsets_expect(&b, 1514, 2, 500);
	assert_true(buf_untouched(rx, idx, 500, 1514, FILL));
	two_close(&a, &b);
}

/* The whole buffer is allowed, and the slots say so: nothing fits, nothing breaks, and lower ones work on. */
static void
test_no_room(void **state)
{
	struct kind k = { 0, 0, 0 };
	struct end a, b;
	uint32_t i;

	end_open(&a, "vale1:x");
	k.max = end_tx(&a, 0)->nr_buf_size;
	end_close(&a);
	two_open(&a, &kinds[0], &b, &k);
	for (i = 0; i < 10; i++)
		slot_set_ofs(end_rx(&b, 0), index_add(end_krx(&b, 0), end_rx(&b, 0)->head, i), k.max - 20);
	for (i = 0; i < 10; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
	end_txsync(&a);
	for (i = 0; i < 10; i++)
		offsets_expect(&b, 0, 0, k.max - 20);
	assert_int_equal(end_krx(&b, 0)->in.drops[DROP_TOO_LONG], 10);
	end_send(&a, mac(2), mac(1), 1514, 3);
	offsets_expect(&b, 1514, 3, 0);
	two_close(&a, &b);
}

/* The gap behind frames stays free. */
static void
test_gap(void **state)
{
	struct nmreq_opt_offsets opt = {
		.nro_max_offset = 100, .nro_initial_offset = 100, .nro_min_gap = 50
	};
	struct end a, b;
	struct netmap_ring *rx;
	uint32_t idx, size;

	end_open(&a, "vale0:a");
	size = end_tx(&a, 0)->nr_buf_size;
	end_open_bare(&b);
	assert_int_equal(offsets_register(&b, "vale0:b", NULL, &opt), 0);
	rx = end_rx(&b, 0);
	ring_fill(rx, FILL);
	idx = rx->slot[0].buf_idx;
	end_send(&a, MAC_ALL, mac(1), size - 150, 1);
	offsets_expect(&b, size - 150, 1, 100);
	assert_true(buf_untouched(rx, idx, 100, size - 150, FILL));
	/* One more byte goes into the next buffer. */
	idx = rx->slot[1].buf_idx;
	end_send(&a, MAC_ALL, mac(1), size - 149, 1);
	assert_int_equal(end_pending(&b, 0), 2);
	assert_int_equal(rx->slot[1].len, size - 150);
	assert_int_equal(rx->slot[2].len, 1);
	assert_true(buf_untouched(rx, idx, 100, size - 150, FILL));
	two_close(&a, &b);
}

/* --- buffers at the region's end: what is beyond it cannot be accessed --- */

static void
test_last_buffer(void **state)
{
	const struct kind k = { 0, 2000, 16 };
	struct netmap_ring *r;
	struct end a, b;
	uint32_t last, was;

	two_open(&a, &k, &b, &kinds[0]);
	last = end_ktx(&a, 0)->buf_total - 1;
	r = end_tx(&a, 0);
	was = r->slot[r->head].buf_idx;
	r->slot[r->head].buf_idx = last;
	slot_set_ofs(r, r->head, 2000);
	frame_make(ring_buf(r, last) + 2000, buf_size - 2000, mac(2), mac(1), 1);
	r->slot[r->head].len = (uint16_t)(buf_size - 2000);
	r->slot[r->head].flags = 0;
	ring_move(r, ring_next(r, r->head));
	end_txsync(&a);
	offsets_expect(&b, buf_size - 2000, 1, 0);
	r->slot[r->head == 0 ? 63 : r->head - 1].buf_idx = was;
	r = end_rx(&a, 0);
	was = r->slot[r->head].buf_idx;
	r->slot[r->head].buf_idx = last;
	slot_set_ofs(r, r->head, 2000);
	end_send(&b, mac(1), mac(2), buf_size - 2000, 2);
	offsets_expect(&a, buf_size - 2000, 2, 2000);
	r->slot[r->head == 0 ? 63 : r->head - 1].buf_idx = was;
	two_close(&a, &b);
}

/* --- packets of several slots --- */

/* Takes the next packet of b's ring into buf. Returns its length. */
static uint32_t
packet_take(struct end *e, char *buf, uint32_t *slots)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t len = 0, flags;

	*slots = 0;
	if (ring_space(r) == 0)
		end_rxsync(e);
	do {
		assert_int_not_equal(ring_space(r), 0);
		flags = r->slot[r->head].flags;
		memcpy(buf + len, slot_data(r, r->head), r->slot[r->head].len);
		len += r->slot[r->head].len;
		++*slots;
		assert_true(*slots == 1 || NS_RFRAGS(&r->slot[r->head]) >= *slots);
		ring_move(r, ring_next(r, r->head));
	} while (flags & NS_MOREFRAG);
	end_rxsync(e);
	return len;
}

/* Pieces as long as they can be for the sender, and others. */
static void
chain_pass(struct end *a, struct end *b, const struct kind *ka, uint32_t piece, uint32_t n, uint32_t seq)
{
	static char frame[65536], got[65536];
	struct netmap_ring *tx = end_tx(a, 0);
	uint32_t len = piece * n, i, slots;

	frame_make(frame, len, mac(2), mac(1), seq);
	for (i = 0; i < n; i++) {
		slot_set_ofs(tx, tx->head, ka->initial);
		memcpy(slot_data(tx, tx->head), frame + i * piece, piece);
		tx->slot[tx->head].len = (uint16_t)piece;
		tx->slot[tx->head].flags = i + 1 < n ? NS_MOREFRAG : 0;
		ring_move(tx, ring_next(tx, tx->head));
	}
	end_txsync(a);
	assert_int_equal(packet_take(b, got, &slots), len);
	assert_memory_equal(got, frame, len);
}

static void
test_chains(void **state)
{
	struct end a, b;
	uint32_t i, k, n;

	for (i = 0; i < KINDS; i++)
		for (k = 0; k < KINDS; k++) {
			two_open(&a, &kinds[i], &b, &kinds[k]);
			for (n = 1; n < 20; n += 3) {
				chain_pass(&a, &b, &kinds[i], 100, n, n);
				chain_pass(&a, &b, &kinds[i], buf_size - (uint32_t)kinds[i].initial, n, n);
			}
			assert_int_equal(own_drops(end_ktx(&a, 0)) + in_drops(end_krx(&b, 0)), 0);
			two_close(&a, &b);
		}
}

/* With data elsewhere, all of ptr is an address. */
static void
test_indirect(void **state)
{
	static char frame[20000], got[20000];
	const struct kind k = { 64, 100, 64 };
	struct netmap_ring *tx;
	struct end a, b;
	unsigned kb;
	uint32_t slots;

	for (kb = 0; kb < KINDS; kb++) {
		two_open(&a, &k, &b, &kinds[kb]);
		tx = end_tx(&a, 0);
		frame_make(frame, 20000, mac(2), mac(1), kb);
		tx->slot[tx->head].ptr = (uintptr_t)frame;
		tx->slot[tx->head].len = 20000;
		tx->slot[tx->head].flags = NS_INDIRECT;
		ring_move(tx, ring_next(tx, tx->head));
		tx->slot[tx->head].ptr = 8;
		tx->slot[tx->head].len = 100;
		tx->slot[tx->head].flags = NS_INDIRECT;
		ring_move(tx, ring_next(tx, tx->head));
		end_txsync(&a);
		assert_int_equal(packet_take(&b, got, &slots), 20000);
		assert_memory_equal(got, frame, 20000);
		end_expect_none(&b);
		assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_BAD_ADDRESS], 1);
		two_close(&a, &b);
	}
}

/* --- other headers at the other end --- */

static void
test_headers(void **state)
{
	static const uint32_t lens[] = { 0, 10, 12 };
	struct nmreq_port_hdr hdr;
	struct end a, b;
	unsigned i, k, n;

	for (i = 0; i < KINDS; i++)
		for (k = 0; k < KINDS; k++)
			for (n = 0; n < 9; n++) {
				uint32_t la = lens[n / 3], lb = lens[n % 3];
				struct netmap_ring *tx, *rx;
				char *data;

				two_open(&a, &kinds[i], &b, &kinds[k]);
				hdr.nr_hdr_len = la;
				assert_int_equal(
					end_request(&a, NETMAP_REQ_PORT_HDR_SET, "vale0:a", &hdr), 0);
				hdr.nr_hdr_len = lb;
				assert_int_equal(
					end_request(&b, NETMAP_REQ_PORT_HDR_SET, "vale0:b", &hdr), 0);
				tx = end_tx(&a, 0);
				rx = end_rx(&b, 0);
				ring_fill(rx, FILL);
				data = slot_data(tx, tx->head);
				memset(data, 0, la);
				if (la == 12)
					data[10] = 5;
				frame_make(data + la, 200, mac(2), mac(1), n);
				tx->slot[tx->head].len = (uint16_t)(la + 200);
				ring_move(tx, ring_next(tx, tx->head));
				end_txsync(&a);
				assert_int_equal(end_pending(&b, 0), 1);
				assert_int_equal(rx->slot[rx->head].len, lb + 200);
				assert_int_equal(slot_ofs(rx, rx->head), kinds[k].initial);
				assert_true(frame_is(slot_data(rx, rx->head) + lb, 200, n));
				assert_true(lb != 12 || slot_data(rx, rx->head)[10] == (la == 12 ? 5 : 0));
				if (kinds[i].bits >= 0 || kinds[k].bits >= 0 || la != lb)
					assert_true(buf_untouched(rx, rx->slot[rx->head].buf_idx,
						kinds[k].initial, lb + 200, FILL));
				two_close(&a, &b);
			}
}

/*
 * Equal headers, but the receiver's slots are too small for the sender's: packed anew, the header all the
 * same.
 */
static void
test_headers_repacked(void **state)
{
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 12 };
	static char packet[65536], got[65536];
	struct netmap_ring *tx;
	struct end a, b;
	uint32_t slots, i;

	two_open(&a, &kinds[0], &b, &kinds[5]);
	assert_int_equal(end_request(&a, NETMAP_REQ_PORT_HDR_SET, "vale0:a", &hdr), 0);
	assert_int_equal(end_request(&b, NETMAP_REQ_PORT_HDR_SET, "vale0:b", &hdr), 0);
	for (i = 0; i < 12; i++)
		packet[i] = (char)(i + 1);
	frame_make(packet + 12, 2 * buf_size - 12, mac(2), mac(1), 1);
	tx = end_tx(&a, 0);
	for (i = 0; i < 2; i++) {
		memcpy(slot_data(tx, tx->head), packet + i * buf_size, buf_size);
		tx->slot[tx->head].len = (uint16_t)buf_size;
		tx->slot[tx->head].flags = i == 0 ? NS_MOREFRAG : 0;
		ring_move(tx, ring_next(tx, tx->head));
	}
	end_txsync(&a);
	assert_int_equal(packet_take(&b, got, &slots), 2 * buf_size);
	assert_int_equal(slots, 3);
	assert_memory_equal(got, packet, 2 * buf_size);
	two_close(&a, &b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_combinations),
		engine_test(test_initial_and_own),
		engine_test(test_broadcast),
		engine_test(test_sender_limits),
		engine_test(test_receiver_limits),
		engine_test(test_no_room),
		engine_test(test_gap),
		engine_test(test_last_buffer),
		engine_test(test_chains),
		engine_test(test_indirect),
		engine_test(test_headers),
		engine_test(test_headers_repacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
