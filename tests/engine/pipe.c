/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes: what goes in at one end comes out at the other, in order, with its buffer and its ptr; room comes
 * back as the receiver releases slots; and the two ends live and die together.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

static void
open_pipe(struct end *m, struct end *s, uint32_t slots)
{
	end_open_slots(m, "x{1", slots);
	end_open_slots(s, "x}1", slots);
}

static void
close_both(struct end *m, struct end *s)
{
	end_close(m);
	end_close(s);
}

static void
test_both_ways(void **state)
{
	static const uint32_t sizes[] = { 2, 3, 63, 1000, 1024, 4096 };
	uint64_t seed = 5;
	unsigned k;

	for (k = 0; k < 6; k++) {
		uint32_t sent[2] = { 0, 0 }, got[2] = { 0, 0 }, round, way;
		struct end e[2];

		open_pipe(&e[0], &e[1], sizes[k]);
		for (round = 0; round < 300; round++)
			for (way = 0; way < 2; way++) {
				uint32_t n = 1 + random_below(&seed, sizes[k] - 1);
				struct end *from = &e[way], *to = &e[!way];

				assert_int_equal(ring_space(end_tx(from, 0)), sizes[k] - 1);
				while (n-- > 0)
					assert_true(ring_put(
						end_tx(from, 0), 60, MAC_ALL, mac(way), sent[way]++, 0));
				end_txsync(from);
				while (got[way] < sent[way])
					end_expect(to, 0, 60, got[way]++);
				end_expect_none(to);
				/* The room comes back with the sender's next sync. */
				end_txsync(from);
			}
		assert_int_equal(end_ktx(&e[0], 0)->own.packets, sent[0]);
		close_both(&e[0], &e[1]);
	}
}

/* A full pipe takes nothing more and drops nothing; each slot that the receiver returns is room again. */
static void
test_back_pressure(void **state)
{
	struct end m, s;
	uint32_t i;

	open_pipe(&m, &s, 16);
	for (i = 0; ring_put(end_tx(&m, 0), 60, MAC_ALL, mac(1), i, 0); i++)
		;
	assert_int_equal(i, 15);
	end_txsync(&m);
	assert_int_equal(ring_space(end_tx(&m, 0)), 0);
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0), 0);
	/* What is there but not released is no room. */
	assert_int_equal(end_pending(&s, 0), 15);
	end_txsync(&m);
	assert_int_equal(ring_space(end_tx(&m, 0)), 0);
	for (i = 0; i < 5; i++)
		end_expect(&s, 0, 60, i);
	end_txsync(&m);
	assert_int_equal(ring_space(end_tx(&m, 0)), 0);
	end_rxsync(&s);
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0), EV_OUT);
	assert_int_equal(ring_space(end_tx(&m, 0)), 5);
	for (i = 15; i < 20; i++)
		assert_true(ring_put(end_tx(&m, 0), 60, MAC_ALL, mac(1), i, 0));
	end_txsync(&m);
	for (i = 5; i < 20; i++)
		end_expect(&s, 0, 60, i);
	end_expect_none(&s);
	close_both(&m, &s);
}

/*
 * ptr travels with the slot, and comes back with it: a completed slot holds what the receiver left there, and
 * the buffer that went through.
 */
static void
test_ptr_and_buffers(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t i, idx[15];
	struct end m, s;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	rx = end_rx(&s, 0);
	for (i = 0; i < 15; i++) {
		idx[i] = tx->slot[i].buf_idx;
		tx->slot[i].ptr = UINT64_C(0xabcdef0000000000) + i;
		assert_true(ring_put(tx, 60 + i, MAC_ALL, mac(1), i, NS_REPORT));
	}
	end_txsync(&m);
	end_rxsync(&s);
	for (i = 0; i < 15; i++) {
		assert_int_equal(rx->slot[i].buf_idx, idx[i]);
		assert_true(rx->slot[i].ptr == UINT64_C(0xabcdef0000000000) + i);
		assert_int_equal(rx->slot[i].len, 60 + i);
		assert_int_equal(rx->slot[i].flags, NS_REPORT);
		rx->slot[i].ptr = 1000 + i;
	}
	/* The receiver swaps two of the buffers. */
	rx->slot[3].buf_idx = idx[4];
	rx->slot[4].buf_idx = idx[3];
	ring_move(rx, 15);
	end_rxsync(&s);
	end_txsync(&m);
	assert_int_equal(ring_space(tx), 15);
	for (i = 0; i < 15; i++) {
		assert_int_equal(tx->slot[i].buf_idx, i == 3 ? idx[4] : i == 4 ? idx[3] : idx[i]);
		assert_true(tx->slot[i].ptr == 1000 + i);
		assert_int_equal(tx->slot[i].len, 60 + i);
	}
	close_both(&m, &s);
}

/*
 * A program that hands each packet from pipe to pipe reads the completed slot one behind tail: it holds the
 * packet that went.
 */
static void
test_completed_slot(void **state)
{
	struct netmap_ring *tx;
	struct end m, s;
	uint32_t i, at;

	open_pipe(&m, &s, 4);
	tx = end_tx(&m, 0);
	for (i = 0; i < 100; i++) {
		at = tx->head;
		tx->slot[at].ptr = i;
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, 0));
		end_txsync(&m);
		end_expect(&s, 0, 60, i);
		end_rxsync(&s);
		end_txsync(&m);
		assert_int_equal((tx->tail + 1) % 4, tx->head);
		assert_true(tx->slot[at].ptr == i);
		assert_true(frame_is(ring_buf(tx, tx->slot[at].buf_idx), 60, i));
	}
	close_both(&m, &s);
}

static void
test_flags(void **state)
{
	struct netmap_ring *tx, *rx;
	struct end m, s;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	rx = end_rx(&s, 0);
	/* Copied verbatim; the change of a buffer is told once. */
	assert_true(ring_put(tx, 60, MAC_ALL, mac(1), 0, NS_BUF_CHANGED | NS_FORWARD | NS_INDIRECT | 0x4200));
	end_txsync(&m);
	end_rxsync(&s);
	assert_int_equal(rx->slot[0].flags, NS_BUF_CHANGED | NS_FORWARD | NS_INDIRECT | 0x4200);
	assert_int_equal(tx->slot[0].flags, NS_FORWARD | NS_INDIRECT | 0x4200);
	end_expect(&s, 0, 60, 0);
	/* Also for a packet that was held back over several syncs. */
	assert_true(ring_put(tx, 60, MAC_ALL, mac(1), 1, NS_BUF_CHANGED | NS_MOREFRAG));
	end_txsync(&m);
	end_txsync(&m);
	assert_true(ring_put(tx, 60, MAC_ALL, mac(1), 2, 0));
	end_txsync(&m);
	assert_int_equal(end_pending(&s, 0), 2);
	assert_int_equal(rx->slot[1].flags, NS_BUF_CHANGED | NS_MOREFRAG);
	close_both(&m, &s);
}

/* A packet of several slots is shown when its last slot is sent. */
static void
test_held_back(void **state)
{
	struct netmap_ring *tx;
	struct end m, s;
	uint32_t i, round;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	for (round = 0; round < 20; round++) {
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), 0, 0));
		for (i = 1; i < 5; i++) {
			assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, i < 4 ? NS_MOREFRAG : 0));
			end_txsync(&m);
			assert_int_equal(end_pending(&s, 0), i < 4 ? 1 : 5);
		}
		end_expect(&s, 0, 60, 0);
		for (i = 1; i < 5; i++) {
			const struct netmap_ring *rx = end_rx(&s, 0);

			assert_int_equal(rx->slot[rx->head].flags, i < 4 ? NS_MOREFRAG : 0);
			assert_true(frame_is(ring_buf(rx, rx->slot[rx->head].buf_idx), 60, i));
			ring_move(end_rx(&s, 0), ring_next(rx, rx->head));
		}
		end_expect_none(&s);
		end_txsync(&m);
	}
	assert_int_equal(end_ktx(&m, 0)->own.packets, 40);
	close_both(&m, &s);
}

/* One end closes and comes again: packets stay, in both directions. */
static void
test_reopen(void **state)
{
	uint64_t used = inproc_memory_used();
	struct end m, s;
	uint32_t i;

	open_pipe(&m, &s, 16);
	for (i = 0; i < 5; i++)
		end_send(&m, MAC_ALL, mac(1), 60, i);
	end_send(&s, MAC_ALL, mac(1), 60, 100);
	end_expect(&s, 0, 60, 0);
	end_close(&s);
	end_send(&m, MAC_ALL, mac(1), 60, 5);
	end_expect(&m, 0, 60, 100);
	end_open(&s, "x}1");
	assert_int_equal(s.reg.nr_tx_slots, 16);
	for (i = 1; i < 6; i++)
		end_expect(&s, 0, 60, i);
	end_close(&m);
	end_send(&s, MAC_ALL, mac(1), 60, 101);
	end_open_slots(&m, "x{1", 99);
	assert_int_equal(m.reg.nr_tx_slots, 16);
	end_expect(&m, 0, 60, 101);
	close_both(&m, &s);
	assert_true(inproc_memory_used() == used);
	/* A new pipe of the same name is empty, and has the size that it is asked for. */
	open_pipe(&m, &s, 32);
	assert_int_equal(m.reg.nr_tx_slots, 32);
	end_expect_none(&s);
	close_both(&m, &s);
}

/* The numbers of the end that is opened first are its own; the other's are their mirror image. */
static void
test_asymmetric(void **state)
{
	struct end m, s;
	uint32_t i, j;

	end_open_as(&m, "x{1",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_tx_slots = 16,
			.nr_rx_slots = 50,
			.nr_tx_rings = 3,
			.nr_rx_rings = 2 });
	end_open(&s, "x}1");
	assert_int_equal(s.reg.nr_tx_slots, 50);
	assert_int_equal(s.reg.nr_rx_slots, 16);
	assert_int_equal(s.reg.nr_tx_rings, 2);
	assert_int_equal(s.reg.nr_rx_rings, 3);
	for (i = 0; i < 3; i++)
		for (j = 0; j < 15; j++)
			assert_true(ring_put(end_tx(&m, i), 60, MAC_ALL, mac(1), i * 100 + j, 0));
	end_txsync(&m);
	for (i = 0; i < 2; i++)
		for (j = 0; j < 49; j++)
			assert_true(ring_put(end_tx(&s, i), 60, MAC_ALL, mac(1), 1000 + i * 100 + j, 0));
	end_txsync(&s);
	for (i = 0; i < 3; i++)
		for (j = 0; j < 15; j++)
			end_expect(&s, i, 60, i * 100 + j);
	for (i = 0; i < 2; i++)
		for (j = 0; j < 49; j++)
			end_expect(&m, i, 60, 1000 + i * 100 + j);
	close_both(&m, &s);
}

/* More pipes on a parent than the reference has, each with its own traffic. */
static void
test_many(void **state)
{
	static struct end m[100], s[100];
	uint64_t used = inproc_memory_used();
	struct end parent;
	char name[32];
	uint32_t i;

	end_open_slots(&parent, "vale0:p", 64);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "vale0:p{id_%u", i);
		end_open(&m[i], name);
		assert_int_equal(m[i].reg.nr_mem_id, parent.reg.nr_mem_id);
		name[7] = '}';
		end_open(&s[i], name);
		end_send(&m[i], MAC_ALL, mac(i), 60, i);
	}
	/* The parent can go first. */
	end_close(&parent);
	for (i = 0; i < 100; i++) {
		end_expect(&s[i], 0, 60, i);
		end_expect_none(&s[i]);
	}
	for (i = 0; i < 100; i++)
		close_both(&m[i], &s[99 - i]);
	assert_true(inproc_memory_used() == used);
}

/* The parent is an ordinary port meanwhile: on its switch, or on none. */
static void
test_parents(void **state)
{
	struct end m, s, p, other, again;
	struct nmreq_port_info_get info = { 0 };

	end_open(&m, "vale0:p{1");
	end_open(&other, "vale0:other");
	end_open(&p, "vale0:p");
	end_send(&other, MAC_ALL, mac(1), 60, 1);
	end_expect(&p, 0, 60, 1);
	end_open(&s, "vale0:p}1");
	end_send(&m, MAC_ALL, mac(1), 60, 2);
	end_expect(&s, 0, 60, 2);
	end_expect_none(&p);
	end_close(&p);
	end_close(&other);
	close_both(&m, &s);

	end_open(&m, "lone{1");
	end_open(&p, "lone");
	assert_int_equal(p.reg.nr_mem_id, m.reg.nr_mem_id);
	end_send(&p, MAC_ALL, mac(1), 60, 1);
	assert_drops(end_ktx(&p, 0), DROP_FILTERED, 1);
	end_close(&m);
	/* Held by the descriptor alone, then gone. */
	end_send(&p, MAC_ALL, mac(1), 60, 1);
	end_open(&again, "lone}other");
	end_close(&p);
	end_close(&again);
	end_open_bare(&p);
	assert_int_equal(end_request(&p, NETMAP_REQ_PORT_INFO_GET, "lone", &info), -ENXIO);
	end_close(&p);
}

/* Slots that are wrong arrive empty, in a good buffer, and are counted; their neighbours arrive whole. */
static void
test_bad_slots(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t bad[5], i;
	struct end m, s;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	rx = end_rx(&s, 0);
	bad[0] = 0;
	bad[1] = 1;
	bad[2] = end_ktx(&m, 0)->buf_total;
	bad[3] = 0xffffffff;
	for (i = 0; i < 10; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, 0));
	for (i = 0; i < 4; i++)
		tx->slot[2 * i].buf_idx = bad[i];
	tx->slot[8].len = (uint16_t)(tx->nr_buf_size + 1);
	end_txsync(&m);
	assert_int_equal(end_pending(&s, 0), 10);
	for (i = 0; i < 10; i++) {
		if (i % 2 == 1) {
			end_expect(&s, 0, 60, i);
			continue;
		}
		assert_int_equal(rx->slot[i].len, 0);
		assert_true(rx->slot[i].buf_idx >= 2 && rx->slot[i].buf_idx < bad[2]);
		ring_move(rx, i + 1);
	}
	assert_int_equal(end_ktx(&m, 0)->own.drops[DROP_BAD_SLOT], 4);
	assert_int_equal(end_ktx(&m, 0)->own.drops[DROP_TOO_LONG], 1);
	end_rxsync(&s);
	end_txsync(&m);
	/* The sender is left with good slots. */
	for (i = 0; i < 16; i++)
		assert_true(tx->slot[i].buf_idx >= 2 && tx->slot[i].buf_idx < bad[2]);
	close_both(&m, &s);
}

/*
 * What a receiver writes into slots that it returns cannot give the sender a buffer outside the region, or a
 * length beyond a buffer.
 */
static void
test_receiver_spoils_slots(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t total, i, round;
	struct end m, s;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	rx = end_rx(&s, 0);
	total = end_ktx(&m, 0)->buf_total;
	for (round = 0; round < 5; round++) {
		while (ring_put(tx, 60, MAC_ALL, mac(1), 1, 0))
			;
		end_txsync(&m);
		end_rxsync(&s);
		for (i = 0; i < 16; i++) {
			rx->slot[i].buf_idx = i % 4 == 0 ? 0
				: i % 4 == 1		 ? 0xffffffff
				: i % 4 == 2		 ? total
							 : 1;
			rx->slot[i].len = 0xffff;
		}
		ring_move(rx, rx->tail);
		end_rxsync(&s);
		end_txsync(&m);
		assert_int_equal(ring_space(tx), 15);
		for (i = 0; i < 16; i++) {
			assert_true(tx->slot[i].buf_idx >= 2 && tx->slot[i].buf_idx < total);
			assert_true(tx->slot[i].len <= tx->nr_buf_size);
		}
	}
	close_both(&m, &s);
}

/* Positions wrap long after anybody looks: begin a little before. */
static void
test_positions_wrap(void **state)
{
	static const uint32_t sizes[] = { 2, 7, 16, 1000 };
	uint32_t k, i, seq = 0, got = 0;
	struct end m, s;

	for (k = 0; k < 4; k++) {
		struct kring *tx, *rx;
		uint64_t start;

		open_pipe(&m, &s, sizes[k]);
		tx = end_ktx(&m, 0);
		rx = tx->peer;
		start = tx->pos_mod - 2 * sizes[k];
		tx->own_pos = tx->own_free = start;
		rx->published = rx->released = rx->own_pos = start;
		for (i = 0; i < 20 * sizes[k]; i++) {
			assert_true(ring_put(end_tx(&m, 0), 60, MAC_ALL, mac(1), seq++, 0));
			end_txsync(&m);
			if (i % 3 == 2 || ring_space(end_tx(&m, 0)) == 0)
				while (got < seq)
					end_expect(&s, 0, 60, got++);
			end_rxsync(&s);
			end_txsync(&m);
		}
		assert_true(rx->published < start);
		while (got < seq)
			end_expect(&s, 0, 60, got++);
		close_both(&m, &s);
	}
}

/* Held back slots that are wrong are counted once. */
static void
test_bad_slot_held_back(void **state)
{
	struct netmap_ring *tx;
	struct end m, s;
	uint32_t good;

	open_pipe(&m, &s, 16);
	tx = end_tx(&m, 0);
	good = tx->slot[0].buf_idx;
	tx->slot[0].buf_idx = 1;
	tx->slot[0].len = 60;
	tx->slot[0].flags = NS_MOREFRAG;
	ring_move(tx, 1);
	end_txsync(&m);
	end_txsync(&m);
	end_txsync(&m);
	assert_true(ring_put(tx, 60, MAC_ALL, mac(1), 1, 0));
	end_txsync(&m);
	assert_int_equal(end_pending(&s, 0), 2);
	assert_drops(end_ktx(&m, 0), DROP_BAD_SLOT, 1);
	tx->slot[0].buf_idx = good;
	close_both(&m, &s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_both_ways),
		engine_test(test_back_pressure),
		engine_test(test_ptr_and_buffers),
		engine_test(test_completed_slot),
		engine_test(test_flags),
		engine_test(test_held_back),
		engine_test(test_reopen),
		engine_test(test_asymmetric),
		engine_test(test_many),
		engine_test(test_parents),
		engine_test(test_bad_slots),
		engine_test(test_receiver_spoils_slots),
		engine_test(test_bad_slot_held_back),
		engine_test(test_positions_wrap),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
