/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors: what they see of switch ports, pipes and interfaces, and when; which rings; several of them; what is kept
 * when there is no room; and that no buffer is ever in two slots.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "end.h"

#define WATCHDOG	60u
#define TX		NR_MONITOR_TX
#define RX		NR_MONITOR_RX
#define BOTH		(NR_MONITOR_TX | NR_MONITOR_RX)
#define ZCOPY		NR_ZCOPY_MON

static struct end a, b, m[4];

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

#define monitor_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

static void
open_monitor(struct end *e, const char *name, uint64_t flags)
{
	end_open_as(e, name, &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = flags });
}

static void
open_two(const char *first, const char *second, uint32_t slots)
{
	end_open_slots(&a, first, slots);
	end_open_slots(&b, second, slots);
}

static void
close_two(void)
{
	end_close(&a);
	end_close(&b);
}

/* The monitor's ring i shows frame `seq` next, sent or received. */
static void
expect(struct end *e, uint32_t i, uint32_t seq, bool sent)
{
	struct netmap_ring *r = end_rx(e, i);

	if (ring_space(r) == 0)
		end_rxsync(e);
	assert_int_not_equal(ring_space(r), 0);
	assert_int_equal((r->slot[r->head].flags & NS_TXMON) != 0, sent);
	end_expect(e, i, 60, seq);
}

static void
send_n(struct end *e, uint32_t n, uint32_t seq)
{
	while (n-- > 0)
		assert_true(ring_put(end_tx(e, 0), 60, MAC_ALL, mac(1), seq++, 0));
	end_txsync(e);
}

/* No buffer of region `e->reg.nr_mem_id` is in two slots of rings that refer to their buffers alone. */
static void
buffers_once(const struct end *const ends[], unsigned n, bool rx_own)
{
	static uint8_t seen[1u << 20];
	unsigned i, dir;
	uint32_t j, k;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < n; i++)
		for (dir = 0; dir < 2; dir++) {
			const struct port *p = ends[i]->fd.binding->port;
			uint32_t rings = dir == RING_TX ? p->num_tx : p->num_rx;

			/* A pipe's RX ring holds what its TX ring does. */
			if (dir == RING_RX && !rx_own && p->type == PORT_PIPE)
				continue;
			for (j = 0; j < rings; j++) {
				const struct kring *kr = dir == RING_TX ? p->tx[j] : p->rx[j];

				for (k = 0; k < kr->num_slots; k++) {
					uint32_t idx = kr->uslot[k].buf_idx;

					assert_true(slot_idx_valid(kr, idx) && idx < sizeof(seen));
					assert_int_equal(seen[idx], 0);
					seen[idx] = 1;
				}
			}
		}
}

/* --- registration --- */

static void
refused(const char *name, uint32_t mode, uint16_t ring, uint64_t flags, int error)
{
	struct end e;

	assert_int_equal(end_try(&e, name,
		&(struct nmreq_register){ .nr_mode = mode, .nr_ringid = ring, .nr_flags = flags }), error);
}

static void
test_register(void **state)
{
	uint64_t used;
	struct end held;

	refused("vale0:a", NR_REG_ALL_NIC, 0, TX, -EINVAL);
	refused("x{1", NR_REG_ALL_NIC, 0, TX, -EINVAL);
	refused("none0", NR_REG_ALL_NIC, 0, TX, -ENXIO);
	/* A pipe holds its parent, which is not in netmap mode for that. */
	end_open(&held, "vale0:p{1");
	refused("vale0:p", NR_REG_ALL_NIC, 0, TX, -EINVAL);
	end_close(&held);

	end_open_as(&a, "vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 2, .nr_rx_rings = 3,
		.nr_tx_slots = 50, .nr_rx_slots = 60 });
	used = inproc_memory_used();
	refused("vale0:a", NR_REG_SW, 0, TX, -EINVAL);
	refused("vale0:a", NR_REG_ONE_NIC, 3, TX, -EINVAL);
	refused("vale0:a", NR_REG_DEFAULT, 0, TX, -EINVAL);
	open_monitor(&m[0], "vale0:a", RX);
	assert_int_equal(m[0].reg.nr_tx_rings, 1);
	assert_int_equal(m[0].reg.nr_rx_rings, 3);
	assert_int_equal(m[0].reg.nr_rx_slots, 60);
	assert_int_equal(m[0].reg.nr_flags, RX);
	assert_int_not_equal(m[0].reg.nr_mem_id, a.reg.nr_mem_id);
	/* Everything forces both directions, and is told. Another monitor is another port, so nobody is in the way. */
	end_open_as(&m[1], "vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = ZCOPY | NR_EXCLUSIVE,
		.nr_rx_slots = 10000, .nr_tx_slots = 7 });
	assert_int_equal(m[1].reg.nr_flags, ZCOPY | BOTH | NR_EXCLUSIVE);
	assert_int_equal(m[1].reg.nr_mem_id, a.reg.nr_mem_id);
	assert_int_equal(m[1].reg.nr_rx_slots, 4096);
	assert_int_equal(m[1].reg.nr_tx_slots, 7);
	end_close(&m[0]);
	end_close(&m[1]);
	assert_true(inproc_memory_used() == used);
	/* A copy monitor in the port's own memory. */
	end_open_as(&m[0], "vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = TX,
		.nr_mem_id = a.reg.nr_mem_id });
	assert_int_equal(m[0].reg.nr_mem_id, a.reg.nr_mem_id);
	send_n(&a, 1, 5);
	expect(&m[0], 0, 5, true);
	end_close(&m[0]);
	end_close(&a);
}

/* Nothing can be sent through a monitor. */
static void
test_no_sending(void **state)
{
	open_two("vale0:a", "vale0:b", 16);
	open_monitor(&m[0], "vale0:a", BOTH);
	assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), 0);
	assert_true((inproc_poll(&m[0].fd, EV_OUT, 0) & EV_ERR) != 0);
	assert_true(ring_put(end_tx(&m[0], 0), 60, MAC_ALL, mac(1), 1, 0));
	assert_int_equal(inproc_ioctl(&m[0].fd, NIOCTXSYNC, NULL), 0);
	end_expect_none(&b);
	end_expect_none(&a);
	end_close(&m[0]);
	close_two();
}

/* --- copies --- */

/* What is sent shows at the sync, what is received when it comes, read or not; each once, where it was asked for. */
static void
copy_shows(const char *first, const char *second)
{
	static const uint64_t flags[3] = { TX, RX, BOTH };
	uint32_t i, round, seq = 0;

	open_two(first, second, 32);
	for (i = 0; i < 3; i++)
		open_monitor(&m[i], first, flags[i]);
	for (round = 0; round < 50; round++) {
		send_n(&a, 3, seq);
		for (i = 0; i < 3; i++) {
			expect(&m[0], 0, seq + i, true);
			expect(&m[2], 0, seq + i, true);
			end_expect(&b, 0, 60, seq + i);
		}
		send_n(&b, 2, seq + 3);
		for (i = 3; i < 5; i++) {
			expect(&m[1], 0, seq + i, false);
			expect(&m[2], 0, seq + i, false);
		}
		for (i = 0; i < 3; i++)
			end_expect_none(&m[i]);
		end_expect(&a, 0, 60, seq + 3);
		end_expect(&a, 0, 60, seq + 4);
		end_expect_none(&a);
		end_expect_none(&b);
		end_txsync(&a);
		end_txsync(&b);
		for (i = 0; i < 3; i++)
			end_expect_none(&m[i]);
		seq += 5;
	}
	assert_int_equal(end_krx(&m[2], 0)->in.packets, 50 * 5);
	for (i = 0; i < 3; i++)
		end_close(&m[i]);
	/* As if they had not been. */
	assert_int_equal(end_ktx(&a, 0)->monitored | end_krx(&a, 0)->monitored, 0);
	send_n(&a, 1, seq);
	end_expect(&b, 0, 60, seq);
	close_two();
}

static void
test_copy(void **state)
{
	copy_shows("vale0:a", "vale0:b");
	copy_shows("x{1", "x}1");
	copy_shows("x}1", "x{1");
}

/* Sent although nobody takes it, and although there is no room. Shown once. */
static void
test_sent_when_synced(void **state)
{
	uint32_t i;

	end_open_slots(&a, "vale0:a", 16);
	open_monitor(&m[0], "vale0:a", TX);
	send_n(&a, 2, 1);
	assert_drops(end_ktx(&a, 0), DROP_FILTERED, 2);
	expect(&m[0], 0, 1, true);
	expect(&m[0], 0, 2, true);
	end_close(&m[0]);
	end_close(&a);

	open_two("x{1", "x}1", 16);
	open_monitor(&m[0], "x{1", TX);
	/* A packet that is not complete waits; it is not shown twice. */
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 0, NS_MOREFRAG));
	end_txsync(&a);
	end_txsync(&a);
	end_expect_none(&m[0]);
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 1, 0));
	end_txsync(&a);
	end_txsync(&a);
	assert_int_equal(end_pending(&m[0], 0), 2);
	assert_int_equal(end_rx(&m[0], 0)->slot[0].flags, NS_MOREFRAG | NS_TXMON);
	assert_int_equal(end_rx(&m[0], 0)->slot[1].flags, NS_TXMON);
	end_flush(&m[0]);
	/* A monitor that comes later begins with what comes later. */
	send_n(&a, 1, 2);
	open_monitor(&m[1], "x{1", TX);
	send_n(&a, 1, 3);
	expect(&m[1], 0, 3, true);
	for (i = 2; i < 4; i++)
		expect(&m[0], 0, i, true);
	end_close(&m[0]);
	end_close(&m[1]);
	close_two();
}

/* Chains, flags and lengths as they are; what the sender has elsewhere in its memory is fetched. */
static void
test_slots(void **state)
{
	static char far[3000];
	struct netmap_ring *tx, *rx;
	uint32_t i;

	open_two("vale0:a", "vale0:b", 16);
	open_monitor(&m[0], "vale0:a", TX);
	open_monitor(&m[1], "vale0:b", RX);
	tx = end_tx(&a, 0);
	for (i = 0; i < 3; i++)
		assert_true(ring_put(tx, 100 + i, MAC_ALL, mac(1), i, i < 2 ? NS_MOREFRAG : 0x1200 | NS_REPORT));
	end_txsync(&a);
	assert_int_equal(end_pending(&m[0], 0), 3);
	assert_int_equal(end_pending(&m[1], 0), 3);
	for (i = 0; i < 3; i++) {
		rx = end_rx(&m[0], 0);
		assert_int_equal(rx->slot[i].len, 100 + i);
		assert_int_equal(rx->slot[i].flags, (i < 2 ? NS_MOREFRAG : 0x1200 | NS_REPORT) | NS_TXMON);
		assert_true(frame_is(ring_buf(rx, rx->slot[i].buf_idx), 100 + i, i));
		rx = end_rx(&m[1], 0);
		assert_int_equal(rx->slot[i].len, 100 + i);
		assert_int_equal(rx->slot[i].flags, 3 << 8 | (i < 2 ? NS_MOREFRAG : 0));
		assert_true(frame_is(ring_buf(rx, rx->slot[i].buf_idx), 100 + i, i));
	}
	end_flush(&m[0]);
	frame_make(far, 1400, MAC_ALL, mac(1), 9);
	tx->slot[tx->head].ptr = (uintptr_t)far;
	tx->slot[tx->head].len = 1400;
	tx->slot[tx->head].flags = NS_INDIRECT;
	ring_move(tx, ring_next(tx, tx->head));
	end_txsync(&a);
	end_expect(&m[0], 0, 1400, 9);
	/* Memory that is not there. */
	tx->slot[tx->head].ptr = 4096;
	tx->slot[tx->head].len = 1400;
	tx->slot[tx->head].flags = NS_INDIRECT;
	ring_move(tx, ring_next(tx, tx->head));
	end_txsync(&a);
	assert_int_equal(end_pending(&m[0], 0), 1);
	assert_int_equal(end_rx(&m[0], 0)->slot[end_rx(&m[0], 0)->head].len, 0);
	assert_drops(end_krx(&m[0], 0), DROP_BAD_ADDRESS, 1);
	end_close(&m[0]);
	end_close(&m[1]);
	close_two();
}

/* A ring with offsets, as its first user asks for them. */
static void
give_offsets(struct kring *kr, uint32_t offset)
{
	uint32_t i;

	kr->offset_mask = 0xffff;
	kr->offset_max = 128;
	for (i = 0; i < kr->num_slots; i++)
		kr->uslot[i].ptr = UINT64_C(0xabc0000) | offset;
}

/* Frames lie where the slots of either ring say; a monitor without offsets has them where its buffers begin, also one that takes no copies otherwise. */
static void
test_offsets(void **state)
{
	struct netmap_ring *tx, *rx;
	const struct netmap_slot *slot;
	uint32_t i;

	end_open_slots(&a, "vale0:a", 16);
	open_monitor(&m[0], "vale0:a", TX);
	open_monitor(&m[1], "vale0:a", TX);
	open_monitor(&m[2], "vale0:a", ZCOPY);
	tx = end_tx(&a, 0);
	give_offsets(end_ktx(&a, 0), 40);
	give_offsets(end_krx(&m[1], 0), 100);
	for (i = 0; i < 5; i++) {
		frame_make(ring_buf(tx, tx->slot[i].buf_idx) + 40, 60, MAC_ALL, mac(1), i);
		tx->slot[i].len = 60;
	}
	ring_move(tx, 5);
	end_txsync(&a);
	end_rxsync(&m[1]);
	rx = end_rx(&m[1], 0);
	for (i = 0; i < 5; i++) {
		expect(&m[0], 0, i, true);
		expect(&m[2], 0, i, true);
		slot = &rx->slot[i];
		assert_int_equal(slot->len, 60);
		assert_true(frame_is(ring_buf(rx, slot->buf_idx) + 100, 60, i));
	}
	/* More than fits behind the offset. */
	tx->slot[5].len = (uint16_t)(tx->nr_buf_size - 40);
	tx->slot[6].len = (uint16_t)(tx->nr_buf_size - 39);
	ring_move(tx, 7);
	end_txsync(&a);
	assert_int_equal(end_pending(&m[1], 0), 7);
	assert_int_equal(rx->slot[5].len, rx->nr_buf_size - 100);
	assert_int_equal(rx->slot[6].len, 0);
	assert_drops(end_krx(&m[1], 0), DROP_TOO_LONG, 1);
	for (i = 0; i < 3; i++)
		end_close(&m[i]);
	end_close(&a);
}

/* --- rings --- */

static void
test_ring_choice(void **state)
{
	const struct nmreq_register want = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 2, .nr_rx_rings = 3, .nr_tx_slots = 16,
		.nr_rx_slots = 16 };
	uint32_t i;

	end_open_as(&a, "x{1", &want);
	end_open(&b, "x}1");
	open_monitor(&m[0], "x{1", BOTH);
	end_open_as(&m[1], "x{1", &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1, .nr_flags = BOTH });
	end_open_as(&m[2], "x{1", &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 2, .nr_flags = BOTH });
	for (i = 0; i < 2; i++)
		assert_true(ring_put(end_tx(&a, i), 60, MAC_ALL, mac(1), i, 0));
	for (i = 0; i < 3; i++)
		assert_true(ring_put(end_tx(&b, i), 60, MAC_ALL, mac(1), 10 + i, 0));
	end_txsync(&a);
	end_txsync(&b);
	for (i = 0; i < 2; i++)
		expect(&m[0], i, i, true);
	for (i = 0; i < 3; i++)
		expect(&m[0], i, 10 + i, false);
	expect(&m[1], 1, 1, true);
	expect(&m[1], 1, 11, false);
	expect(&m[2], 2, 12, false);
	end_rxsync(&m[1]);
	end_rxsync(&m[2]);
	assert_int_equal(ring_space(end_rx(&m[1], 1)) + ring_space(end_rx(&m[2], 2)), 0);
	for (i = 0; i < 3; i++)
		end_close(&m[i]);
	close_two();
}

/* --- overflow --- */

static void
overflow(uint64_t flags)
{
	uint32_t i, round, seq = 0;

	open_two("vale0:a", "vale0:b", 256);
	end_open_as(&m[0], "vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = flags, .nr_rx_slots = 16 });
	for (round = 1; round <= 20; round++) {
		/* Of those that come together the newest stay. */
		send_n(&a, 200, seq);
		seq += 200;
		assert_int_equal(end_pending(&m[0], 0), 15);
		/* What comes when it is full is lost. */
		send_n(&a, 3, 1u << 30);
		for (i = 15; i > 0; i--)
			expect(&m[0], 0, seq - i, true);
		end_expect_none(&m[0]);
		assert_int_equal(end_krx(&m[0], 0)->in.drops[DROP_NO_ROOM], round * (200 - 15 + 3));
		assert_int_equal(end_flush(&b), 203);
	}
	end_close(&m[0]);
	close_two();
}

static void
test_overflow(void **state)
{
	uint32_t i;

	overflow(TX);
	overflow(ZCOPY);
	/* On the receiving side too, where a large batch is shown to the receiver in parts. */
	open_two("vale0:a", "vale0:b", 256);
	end_open_as(&m[0], "vale0:b", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = RX, .nr_rx_slots = 16 });
	send_n(&a, 200, 0);
	for (i = 185; i < 200; i++)
		expect(&m[0], 0, i, false);
	end_expect_none(&m[0]);
	for (i = 0; i < 200; i++)
		end_expect(&b, 0, 60, i);
	/* Only whole packets: 5 of 4 slots, of which 3 fit. */
	for (i = 0; i < 20; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), i, i % 4 != 3 ? NS_MOREFRAG : 0));
	end_txsync(&a);
	assert_int_equal(end_pending(&m[0], 0), 12);
	for (i = 8; i < 20; i++) {
		const struct netmap_ring *r = end_rx(&m[0], 0);

		assert_int_equal(r->slot[r->head].flags & NS_MOREFRAG, i % 4 != 3 ? NS_MOREFRAG : 0);
		assert_true(frame_is(ring_buf(r, r->slot[r->head].buf_idx), 60, i));
		ring_move(end_rx(&m[0], 0), ring_next(r, r->head));
	}
	end_close(&m[0]);
	close_two();
}

/* --- no copies --- */

/* Of a pipe: sent frames when their slots come back, received ones when they are given back. */
static void
test_zcopy_pipe(void **state)
{
	const struct end *all[] = { &a, &b, &m[0] };
	uint32_t i, seq = 0, round;

	open_two("x{1", "x}1", 16);
	open_monitor(&m[0], "x{1", ZCOPY);
	for (round = 0; round < 100; round++) {
		send_n(&a, 4, seq);
		end_expect_none(&m[0]);
		for (i = 0; i < 4; i++)
			end_expect(&b, 0, 60, seq + i);
		end_rxsync(&b);
		end_expect_none(&m[0]);
		end_txsync(&a);
		for (i = 0; i < 4; i++)
			expect(&m[0], 0, seq + i, true);
		/* All slots are back, and say that they have other buffers. */
		assert_int_equal(ring_space(end_tx(&a, 0)), 15);
		for (i = 1; i <= 4; i++)
			assert_true((end_tx(&a, 0)->slot[(end_tx(&a, 0)->head + 16 - i) % 16].flags & NS_BUF_CHANGED) != 0);
		send_n(&b, 3, seq + 4);
		end_expect(&a, 0, 60, seq + 4);
		end_expect(&a, 0, 60, seq + 5);
		end_expect_none(&m[0]);
		end_rxsync(&a);
		expect(&m[0], 0, seq + 4, false);
		expect(&m[0], 0, seq + 5, false);
		end_expect_none(&m[0]);
		end_expect(&a, 0, 60, seq + 6);
		end_rxsync(&a);
		expect(&m[0], 0, seq + 6, false);
		end_rxsync(&m[0]);
		end_txsync(&b);
		assert_int_equal(ring_space(end_tx(&b, 0)), 15);
		buffers_once(all, 3, false);
		seq += 7;
	}
	end_close(&m[0]);
	close_two();
}

static void
test_zcopy_vale(void **state)
{
	const struct end *in_a[] = { &a, &m[0] }, *in_b[] = { &b, &m[1] };
	uint32_t i, seq = 0, round;

	open_two("vale0:a", "vale0:b", 16);
	open_monitor(&m[0], "vale0:a", ZCOPY);
	open_monitor(&m[1], "vale0:b", ZCOPY);
	for (round = 0; round < 100; round++) {
		send_n(&a, 5, seq);
		for (i = 0; i < 5; i++) {
			expect(&m[0], 0, seq + i, true);
			end_expect(&b, 0, 60, seq + i);
		}
		end_expect_none(&m[1]);
		end_rxsync(&b);
		for (i = 0; i < 5; i++)
			expect(&m[1], 0, seq + i, false);
		end_expect_none(&m[0]);
		end_rxsync(&m[1]);
		buffers_once(in_a, 2, true);
		buffers_once(in_b, 2, true);
		seq += 5;
	}
	end_close(&m[0]);
	end_close(&m[1]);
	close_two();
}

/* Three in a row: each gets the frames when the one before gives them back. The one in the middle leaves, another comes. */
static void
test_chain(void **state)
{
	const struct end *all[] = { &a, &b, &m[0], &m[1], &m[2] };
	uint32_t i, k, seq = 0, round;

	open_two("x{1", "x}1", 16);
	for (k = 0; k < 3; k++)
		open_monitor(&m[k], "x{1", ZCOPY);
	/* Beside a chain, copies. */
	open_monitor(&m[3], "x{1", BOTH);
	for (round = 0; round < 60; round++) {
		unsigned in_line[3] = { 0, 1, 2 };

		if (round % 3 == 2) {
			end_close(&m[1]);
			open_monitor(&m[1], "x{1", ZCOPY);
		}
		/* Who came last is last. */
		if (round >= 2)
			in_line[1] = round % 3 == 2 || round > 2 ? 2 : 1;
		in_line[2] = in_line[1] == 2 ? 1 : 2;
		send_n(&a, 2, seq);
		send_n(&b, 1, seq + 2);
		end_expect(&b, 0, 60, seq);
		end_expect(&b, 0, 60, seq + 1);
		end_expect(&a, 0, 60, seq + 2);
		end_rxsync(&b);
		end_rxsync(&a);
		end_txsync(&a);
		end_txsync(&b);
		for (k = 0; k < 3; k++) {
			struct end *e = &m[in_line[k]];

			for (i = k + 1; i < 3; i++)
				end_expect_none(&m[in_line[i]]);
			expect(e, 0, seq + 2, false);
			expect(e, 0, seq, true);
			expect(e, 0, seq + 1, true);
			end_rxsync(e);
		}
		expect(&m[3], 0, seq, true);
		expect(&m[3], 0, seq + 1, true);
		expect(&m[3], 0, seq + 2, false);
		buffers_once(all, 5, false);
		seq += 3;
	}
	for (k = 0; k < 4; k++)
		end_close(&m[k]);
	close_two();
}

/* --- slots that are wrong --- */

static void
test_bad_slots(void **state)
{
	struct netmap_ring *tx;
	uint32_t i, bad[4], good[4], k;

	for (k = 0; k < 2; k++) {
		open_two("x{1", "x}1", 16);
		open_monitor(&m[0], "x{1", k == 0 ? TX : ZCOPY);
		tx = end_tx(&a, 0);
		bad[0] = 0;
		bad[1] = 1;
		bad[2] = end_ktx(&a, 0)->buf_total;
		bad[3] = UINT32_MAX;
		for (i = 0; i < 8; i++)
			assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, 0));
		for (i = 0; i < 4; i++) {
			good[i] = tx->slot[2 * i].buf_idx;
			tx->slot[2 * i].buf_idx = bad[i];
		}
		end_txsync(&a);
		assert_int_equal(end_flush(&b), 8);
		if (k == 1) {
			/* They came back with a buffer; so they are spoiled again, at the worst moment: while they are the port's. */
			for (i = 0; i < 4; i++)
				end_rx(&b, 0)->slot[2 * i].buf_idx = bad[i];
		}
		end_txsync(&a);
		assert_int_equal(end_pending(&m[0], 0), 8);
		for (i = 0; i < 8; i++) {
			struct netmap_ring *r = end_rx(&m[0], 0);

			if (i % 2 == 1 || (k == 1 && r->slot[r->head].len == 60)) {
				end_expect(&m[0], 0, 60, i);
				continue;
			}
			assert_int_equal(r->slot[i].len, 0);
			assert_true(slot_idx_valid(end_krx(&m[0], 0), r->slot[i].buf_idx));
			ring_move(r, ring_next(r, r->head));
		}
		assert_int_equal(end_krx(&m[0], 0)->in.drops[DROP_BAD_SLOT], 4);
		for (i = 0; i < 4; i++)
			tx->slot[2 * i].buf_idx = good[i];
		/* The monitor's own slots, spoiled: nothing is put there, and they get no buffer. */
		for (i = 0; i < 16; i++)
			end_rx(&m[0], 0)->slot[i].buf_idx = i % 2 ? 1 : UINT32_MAX;
		send_n(&a, 2, 50);
		assert_int_equal(end_flush(&b), 2);
		end_txsync(&a);
		end_rxsync(&m[0]);
		assert_int_equal(end_krx(&m[0], 0)->in.drops[DROP_BAD_SLOT], 6);
		for (i = 0; i < 16; i++)
			assert_true(slot_idx_valid(end_ktx(&a, 0), tx->slot[i].buf_idx));
		end_close(&m[0]);
		close_two();
	}
}

/* --- the port goes --- */

static void
port_goes(const char *first, const char *second, uint64_t flags, bool pipe)
{
	uint64_t used = inproc_memory_used();
	struct end again;

	open_two(first, second, 16);
	end_open(&again, first);
	open_monitor(&m[0], first, flags);
	open_monitor(&m[1], first, flags);
	/* Another descriptor has it still. */
	end_close(&a);
	send_n(&b, 1, 1);
	assert_int_equal(end_flush(&again), 1);
	assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), EV_IN);
	end_flush(&m[0]);
	end_close(&again);
	if (pipe) {
		/* The other end keeps the rings. */
		assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), 0);
		end_close(&b);
	}
	assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), EV_ERR);
	assert_int_equal(inproc_poll(&m[1].fd, EV_IN, -1), EV_ERR);
	assert_int_equal(inproc_ioctl(&m[0].fd, NIOCRXSYNC, NULL), -EIO);
	assert_int_equal(inproc_ioctl(&m[0].fd, NIOCTXSYNC, NULL), -EIO);
	/* A new port of that name is another one. */
	end_open(&a, first);
	if (pipe)
		end_open(&b, second);
	send_n(&b, 1, 2);
	end_expect(&a, 0, 60, 2);
	end_rxsync(&a);
	assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), EV_ERR);
	end_close(&m[0]);
	open_monitor(&m[0], first, flags);
	send_n(&b, 1, 3);
	end_expect(&a, 0, 60, 3);
	end_rxsync(&a);
	expect(&m[0], 0, 3, false);
	close_two();
	end_close(&m[1]);
	end_close(&m[0]);
	assert_true(inproc_memory_used() == used);
}

static void
test_port_goes(void **state)
{
	port_goes("vale0:a", "vale0:b", BOTH, false);
	port_goes("vale0:a", "vale0:b", ZCOPY, false);
	port_goes("x{1", "x}1", BOTH, true);
	port_goes("x{1", "x}1", ZCOPY, true);
}

/* --- sleeping --- */

static void *
sleeper(void *arg)
{
	struct end *e = arg;
	unsigned got;
	uint32_t n = 0;

	for (;;) {
		struct netmap_ring *r = end_rx(e, 0);

		got = inproc_poll(&e->fd, EV_IN, -1);
		if ((got & EV_ERR) != 0)
			break;
		for (; ring_space(r) > 0; n++)
			ring_move(r, ring_next(r, r->head));
	}
	return (void *)(uintptr_t)n;
}

static void
test_sleepers(void **state)
{
	static const uint64_t flags[3] = { TX, RX, ZCOPY };
	pthread_t t[3];
	void *got[3];
	uint32_t i, round, shown = 0;

	open_two("vale0:a", "vale0:b", 64);
	for (i = 0; i < 3; i++) {
		open_monitor(&m[i], i == 1 ? "vale0:b" : "vale0:a", flags[i]);
		check(pthread_create(&t[i], NULL, sleeper, &m[i]) == 0);
	}
	for (round = 0; round < 3000; round++) {
		send_n(&a, 1, round);
		end_expect(&b, 0, 60, round);
		/* All three have been woken before more frames come than they have room for. */
		for (; round % 32 == 31 && shown < (round + 1) * 3;) {
			usleep(100);
			shown = 0;
			for (i = 0; i < 3; i++)
				shown += (uint32_t)load_relaxed(&end_krx(&m[i], 0)->own.packets);
		}
	}
	/* The ports go, and wake them. */
	close_two();
	for (i = 0; i < 3; i++) {
		check(pthread_join(t[i], &got[i]) == 0);
		/* All but those that came after they were last waited for. */
		assert_true((uintptr_t)got[i] >= 2976 && (uintptr_t)got[i] <= 3000);
		end_close(&m[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		monitor_test(test_register),
		monitor_test(test_no_sending),
		monitor_test(test_copy),
		monitor_test(test_sent_when_synced),
		monitor_test(test_slots),
		monitor_test(test_offsets),
		monitor_test(test_ring_choice),
		monitor_test(test_overflow),
		monitor_test(test_zcopy_pipe),
		monitor_test(test_zcopy_vale),
		monitor_test(test_chain),
		monitor_test(test_bad_slots),
		monitor_test(test_port_goes),
		monitor_test(test_sleepers),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
