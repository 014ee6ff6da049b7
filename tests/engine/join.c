/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of a veth pair, joined ring to ring: what one sends the other receives, and the wire has none of it;
 * when an end is away, the wire has it all; and no buffer is ever in two slots.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "end.h"
#include "engine/os.h"

#define SLOTS		64u		/* of the test host's interfaces */
#define WATCHDOG	60u
#define OTHER_PROCESS	2u
#define WIRE_MAX	(1u << 20)

static struct end a, b;			/* nicA and nicB, the pair */

/* --- the wire: sequence numbers of frames that drivers were given, and frames that they have --- */

static struct {
	uint32_t sent[2], room;		/* frames that the driver still takes */
	uint32_t held;			/* slots that it keeps, at most */
	uint32_t seq[2][WIRE_MAX];
	uint32_t incoming[2], next[2];	/* frames that wait, and the next one's number */
	uint32_t looks[2];		/* for frames */
} wire;

static unsigned
side_of(const struct port *p)
{
	return p->name[3] == 'B';
}

static uint32_t
index_distance(uint32_t to, uint32_t from)
{
	return to >= from ? to - from : to + SLOTS - from;
}

static int
wire_tx(unsigned side, struct nic_ring *r)
{
	for (; r->from != r->to && wire.room > 0; wire.room--) {
		uint64_t word = slot_load(&r->uslot[r->from]);
		uint32_t at = __atomic_load_n(&wire.sent[side], __ATOMIC_RELAXED);
		int64_t seq = frame_seq(r->ubufs + (size_t)slot_idx(word) * r->buf_size, slot_len(word));

		check(at < WIRE_MAX && seq >= 0);
		wire.seq[side][at] = (uint32_t)seq;
		__atomic_store_n(&wire.sent[side], at + 1, __ATOMIC_RELEASE);
		r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		r->packets++;
	}
	/* Buffers are the driver's until the frames have left. */
	while (r->done != r->from && wire.held < index_distance(r->from, r->done))
		r->done = r->done + 1 == r->num_slots ? 0 : r->done + 1;
	return 0;
}

static int
wire_rx(unsigned side, struct nic_ring *r)
{
	wire.looks[side]++;
	while (r->from != r->to && wire.incoming[side] > 0) {
		struct netmap_slot *slot = &r->uslot[r->from];

		frame_make(r->ubufs + (size_t)slot->buf_idx * r->buf_size, 70, MAC_ALL, mac(9), wire.next[side]++);
		slot_store(slot, slot_word(slot->buf_idx, 70, 0));
		wire.incoming[side]--;
		r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		r->packets++;
	}
	return 0;
}

static int
wire_sync(struct kring *kr, struct nic_ring *r)
{
	return kr->dir == RING_TX ? wire_tx(side_of(kr->port), r) : wire_rx(side_of(kr->port), r);
}

static bool
wire_peers(const struct port *p, const struct port *q)
{
	return strcmp(p->name, q->name) != 0 && (p->name[3] == 'A' || p->name[3] == 'B') &&
		(q->name[3] == 'A' || q->name[3] == 'B');
}

static void
queues_set(uint16_t n)
{
	const struct inproc_hooks hooks = { .nic_queues = n, .nic_sync = wire_sync, .nic_peers = wire_peers };

	inproc_hooks_set(&hooks);
}

static int
setup(void **state)
{
	alarm(WATCHDOG);
	memset(&wire, 0, sizeof(wire));
	wire.room = UINT32_MAX;
	queues_set(1);
	return engine_setup(state);
}

#define join_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* --- common --- */

static void
open_pair(void)
{
	end_open(&a, "nicA");
	end_open(&b, "nicB");
	assert_int_equal(end_tx(&a, 0)->num_slots, SLOTS);
}

static void
close_pair(void)
{
	end_close(&a);
	end_close(&b);
}

static void
ring_buffers(const struct kring *kr, uint8_t *seen)
{
	for (uint32_t i = 0; i < kr->num_slots; i++) {
		uint32_t idx = slot_idx(slot_load(&kr->uslot[i]));

		assert_true(slot_idx_valid(kr, idx));
		assert_int_equal(seen[idx], 0);
		seen[idx] = 1;
	}
}

/* Every slot of both ends has a buffer of its own. */
static void
assert_buffers(void)
{
	uint8_t *seen = calloc(1, end_ktx(&a, 0)->buf_total);

	assert_non_null(seen);
	for (unsigned i = 0; i < 2; i++) {
		const struct port *p = (i == 0 ? &a : &b)->fd.binding->port;

		for (unsigned k = 0; k < port_tx_rings(p); k++)
			ring_buffers(p->tx[k], seen);
		for (unsigned k = 0; k < port_rx_rings(p); k++)
			ring_buffers(p->rx[k], seen);
	}
	free(seen);
}

static void
put(struct end *e, uint32_t seq)
{
	assert_true(ring_put(end_tx(e, 0), 60, MAC_ALL, mac(1), seq, 0));
}

static void
assert_wire(unsigned side, uint32_t n, uint32_t first)
{
	assert_int_equal(wire.sent[side], n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(wire.seq[side][i], first + i);
}

/* --- tests --- */

static void
test_both_ways(void **state)
{
	uint32_t sent[2] = { 0, 0 }, got[2] = { 0, 0 };
	struct end *end[2] = { &a, &b };
	uint64_t seed = 7;

	open_pair();
	assert_ptr_equal(end_ktx(&a, 0)->join, end_krx(&b, 0));
	for (unsigned round = 0; round < 300; round++)
		for (unsigned way = 0; way < 2; way++) {
			uint32_t n = 1 + random_below(&seed, SLOTS - 1);

			assert_int_equal(ring_space(end_tx(end[way], 0)), SLOTS - 1);
			while (n-- > 0)
				put(end[way], sent[way]++);
			end_txsync(end[way]);
			while (got[way] < sent[way])
				end_expect(end[!way], 0, 60, got[way]++);
			end_expect_none(end[!way]);
			end_txsync(end[way]);
		}
	assert_buffers();
	assert_int_equal(end_ktx(&a, 0)->own.packets, sent[0]);
	assert_int_equal(end_ktx(&a, 0)->own.bytes, 60 * sent[0]);
	assert_int_equal(end_krx(&b, 0)->own.packets, sent[0]);
	assert_int_equal(end_krx(&b, 0)->own.bytes, 60 * sent[0]);
	assert_int_equal(wire.sent[0] + wire.sent[1], 0);
	close_pair();
}

/* What the receiver has no room for stays with the sender. */
static void
test_back_pressure(void **state)
{
	uint32_t i;

	open_pair();
	for (i = 0; i < SLOTS - 1; i++)
		put(&a, i);
	end_txsync(&a);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), 0);
	assert_int_equal(end_pending(&b, 0), SLOTS - 1);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), EV_OUT);
	for (; i < 2 * (SLOTS - 1); i++)
		put(&a, i);
	end_txsync(&a);
	/* The receiver's ring is full, and so is the sender's. */
	end_rxsync(&b);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), 0);
	for (i = 0; i < 5; i++)
		end_expect(&b, 0, 60, i);
	end_rxsync(&b);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), EV_OUT);
	assert_int_equal(ring_space(end_tx(&a, 0)), 5);
	for (; i < 2 * (SLOTS - 1); i++)
		end_expect(&b, 0, 60, i);
	end_expect_none(&b);
	assert_int_equal(own_drops(end_ktx(&a, 0)) + own_drops(end_krx(&b, 0)), 0);
	assert_buffers();
	close_pair();
}

/* New buffers come marked, those that the sender has sent before do not; other flags stay where they are. */
static void
test_marks(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t i, seq = 0, got = 0, at;

	open_pair();
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	for (i = 0; i < 5 * SLOTS; i++) {
		at = tx->head;
		tx->slot[at].ptr = 1000 + i;
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), seq++, NS_REPORT | NS_FORWARD | NS_INDIRECT | NS_BUF_CHANGED));
		end_txsync(&a);
		end_rxsync(&b);
		assert_int_equal(rx->slot[rx->head].flags, 0);
		assert_true(rx->slot[rx->head].ptr == 1000 + i);
		assert_int_equal(tx->slot[at].flags & ~NS_BUF_CHANGED, NS_FORWARD | NS_INDIRECT);
		/* After one turn all the receiver's slots hold buffers that came from here. */
		assert_int_equal(tx->slot[at].flags & NS_BUF_CHANGED, i < SLOTS ? NS_BUF_CHANGED : 0);
		/* A buffer that the receiver put there is new too. */
		if (i == 2 * SLOTS)
			rx->slot[rx->head].flags = NS_BUF_CHANGED;
		end_expect(&b, 0, 60, got++);
		end_rxsync(&b);
		end_txsync(&a);
		if (i == 2 * SLOTS)
			break;
	}
	for (i = 0; i < SLOTS; i++) {
		at = tx->head;
		put(&a, seq++);
		end_txsync(&a);
		end_expect(&b, 0, 60, got++);
		assert_int_equal(tx->slot[at].flags & NS_BUF_CHANGED, i + 1 < SLOTS ? 0 : NS_BUF_CHANGED);
	}
	end_rxsync(&b);
	/* And those that a driver has written to. */
	wire.incoming[1] = 3;
	assert_int_equal(end_flush(&b), 3);
	at = tx->head;
	put(&a, seq);
	end_txsync(&a);
	assert_int_equal(end_flush(&b), 1);
	assert_int_equal(tx->slot[at].flags & NS_BUF_CHANGED, NS_BUF_CHANGED);
	close_pair();
}

/* Whole packets only. */
static void
test_chains(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t i, n, seq = 0, got = 0;
	uint64_t seed = 3;

	open_pair();
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	for (unsigned round = 0; round < 200; round++) {
		n = 1 + random_below(&seed, 20);
		for (i = 0; i < n; i++) {
			assert_true(ring_put(tx, 60, MAC_ALL, mac(1), seq++, i + 1 < n ? NS_MOREFRAG : 0));
			end_txsync(&a);
			assert_int_equal(end_pending(&b, 0), i + 1 < n ? 0 : n);
		}
		for (i = 0; i < n; i++) {
			assert_int_equal(rx->slot[rx->head].flags, i + 1 < n ? NS_MOREFRAG : 0);
			assert_true(frame_is(ring_buf(rx, rx->slot[rx->head].buf_idx), 60, got++));
			ring_move(rx, ring_next(rx, rx->head));
		}
		end_rxsync(&b);
		end_txsync(&a);
		assert_int_equal(ring_space(tx), SLOTS - 1);
	}
	/* Room for one slot less than it has. */
	for (i = 0; i < SLOTS - 5; i++)
		put(&a, seq++);
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), SLOTS - 5);
	end_txsync(&a);
	for (i = 0; i < 5; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), seq++, i < 4 ? NS_MOREFRAG : 0));
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), SLOTS - 5);
	end_expect(&b, 0, 60, got++);
	assert_int_equal(end_pending(&b, 0), SLOTS - 1);
	assert_int_equal(end_flush(&b), SLOTS - 1);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	assert_buffers();
	close_pair();
}

/* A chain that fills the ring and has no end is dropped: it must not stop the pair for ever. One that just fits arrives. */
static void
test_endless_chain(void **state)
{
	struct netmap_ring *tx;
	uint32_t i;

	open_pair();
	tx = end_tx(&a, 0);
	for (i = 0; i < SLOTS - 1; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, i + 1 < SLOTS - 1 ? NS_MOREFRAG : 0));
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), SLOTS - 1);
	assert_int_equal(end_flush(&b), SLOTS - 1);
	end_txsync(&a);
	for (i = 0; i < SLOTS - 1; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, NS_MOREFRAG));
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), 0);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_BAD_CHAIN], 1);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	put(&a, 7);
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), 1);
	end_expect(&b, 0, 60, 7);
	assert_buffers();
	close_pair();
}

/* A packet with a bad slot goes nowhere and is counted; its neighbours arrive. */
static void
test_bad_slots(void **state)
{
	struct netmap_ring *tx;
	uint32_t i, good[4], at[4] = { 0, 2, 4, 6 };

	open_pair();
	tx = end_tx(&a, 0);
	for (i = 0; i < 10; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, i == 3 ? NS_MOREFRAG : 0));
	for (i = 0; i < 4; i++)
		good[i] = tx->slot[at[i]].buf_idx;
	tx->slot[0].buf_idx = 1;
	tx->slot[2].buf_idx = 0xffffffff;
	tx->slot[4].buf_idx = end_ktx(&a, 0)->buf_total;	/* the second of two */
	tx->slot[6].len = (uint16_t)(tx->nr_buf_size + 1);
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), 5);
	end_expect(&b, 0, 60, 1);
	end_expect(&b, 0, 60, 5);
	for (i = 7; i < 10; i++)
		end_expect(&b, 0, 60, i);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_BAD_SLOT], 3);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_TOO_LONG], 1);
	assert_int_equal(end_ktx(&a, 0)->own.packets, 5);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	for (i = 0; i < 4; i++)
		tx->slot[at[i]].buf_idx = good[i];
	assert_buffers();
	close_pair();
}

/* What the receiver spoils comes out empty, and costs the sender nothing. */
static void
test_bad_room(void **state)
{
	struct netmap_ring *tx, *rx;
	uint32_t i, good[2];

	open_pair();
	tx = end_tx(&a, 0);
	rx = end_rx(&b, 0);
	good[0] = rx->slot[1].buf_idx;
	good[1] = rx->slot[4].buf_idx;
	rx->slot[1].buf_idx = 0;
	rx->slot[4].buf_idx = end_ktx(&a, 0)->buf_total;
	for (i = 0; i < 5; i++)
		assert_true(ring_put(tx, 60, MAC_ALL, mac(1), i, i == 1 || i == 2 ? NS_MOREFRAG : 0));
	end_txsync(&a);
	end_rxsync(&b);
	/* 0, spoilt, 1 2, spoilt with the slots before it ... */
	assert_int_equal(rx->slot[0].len, 60);
	assert_int_equal(rx->slot[1].len, 0);
	assert_int_equal(rx->slot[2].len, 0);
	assert_int_equal(rx->slot[4].len, 0);
	assert_int_equal(end_krx(&b, 0)->own.drops[DROP_BAD_SLOT], 2);
	assert_int_equal(end_krx(&b, 0)->own.packets, 3);
	assert_int_equal(ring_space(rx), 5 + 5 - 1);
	rx->slot[1].buf_idx = good[0];
	rx->slot[4].buf_idx = good[1];
	for (i = 5; i < 9; i++)
		assert_true(frame_is(ring_buf(rx, rx->slot[i].buf_idx), 60, i - 4));
	assert_buffers();
	close_pair();
}

/* An end goes and comes: what was not taken goes over the wire, in order, once. */
static void
test_part_and_join(void **state)
{
	uint32_t i, seq = 0, got = 0, on_wire = 0;

	open_pair();
	for (unsigned round = 0; round < 20; round++) {
		for (i = 0; i < 10; i++)
			put(&a, seq++);
		end_txsync(&a);
		for (i = 0; i < 4; i++)
			end_expect(&b, 0, 60, got++);
		/* All ten are taken. */
		for (i = 0; i < 6; i++)
			end_expect(&b, 0, 60, got++);
		for (i = 0; i < 7; i++)
			put(&a, seq++);
		end_txsync(&a);
		end_close(&b);
		assert_null(end_ktx(&a, 0)->join);
		if (round % 2 == 0)
			end_txsync(&a);
		else
			assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), EV_OUT);
		on_wire += 7;
		assert_int_equal(wire.sent[0], on_wire);
		assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1);
		for (i = 0; i < 3; i++)
			put(&a, seq++);
		if (round % 3 != 0) {
			end_txsync(&a);
			on_wire += 3;
		}
		end_open(&b, "nicB");
		end_txsync(&a);
		for (i = 0; i < 3 && round % 3 == 0; i++)
			end_expect(&b, 0, 60, seq - 3 + i);
		end_expect_none(&b);
		assert_int_equal(wire.sent[0], on_wire);
		got = seq;
	}
	end_rxsync(&b);
	end_txsync(&a);
	assert_buffers();
	close_pair();
}

/* The receiver comes again before the sender has noticed: what was on offer is on offer to the new one. */
static void
test_offer_stays(void **state)
{
	uint32_t i;

	open_pair();
	for (i = 0; i < 10; i++)
		put(&a, i);
	end_txsync(&a);
	end_close(&b);
	end_open(&b, "nicB");
	for (i = 0; i < 10; i++)
		end_expect(&b, 0, 60, i);
	end_expect_none(&b);
	end_txsync(&a);
	assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1);
	/* And the sender, too: a ring that stays keeps what is in it. */
	assert_int_equal(wire.sent[0], 0);
	assert_buffers();
	close_pair();
}

/* Slots that the driver has not done with are not given away. */
static void
test_driver_holds(void **state)
{
	uint32_t i;

	wire.held = 4;
	end_open(&a, "nicA");
	for (i = 0; i < 10; i++)
		put(&a, i);
	end_txsync(&a);
	assert_wire(0, 10, 0);
	assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1 - 4);
	end_open(&b, "nicB");
	put(&a, i);
	end_txsync(&a);
	end_expect_none(&b);
	assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1 - 5);
	wire.held = 2;
	end_txsync(&a);
	end_expect_none(&b);
	assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1 - 3);
	wire.held = 0;
	end_txsync(&a);
	end_expect(&b, 0, 60, 10);
	end_txsync(&a);
	assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1);
	assert_int_equal(wire.sent[0], 10);
	assert_buffers();
	close_pair();
}

/* Rings that are not open on both sides are the driver's; others are joined one by one. */
static void
test_directions(void **state)
{
	const struct nmreq_register tx_only = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_TX_RINGS_ONLY };
	struct end third;

	end_open(&a, "nicA");
	end_open_as(&b, "nicB", &tx_only);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	assert_wire(0, 1, 1);
	assert_non_null(b.fd.binding->port->tx[0]->join);
	assert_null(a.fd.binding->port->tx[0]->join);
	end_send(&b, MAC_ALL, mac(1), 60, 5);
	end_expect(&a, 0, 60, 5);
	end_close(&b);
	/* Not each interface is the other end. */
	end_open(&third, "nicC");
	assert_null(third.fd.binding->port->join_peer);
	end_send(&a, MAC_ALL, mac(1), 60, 2);
	assert_wire(0, 2, 1);
	end_close(&third);
	end_close(&a);
}

/* What comes from the driver of a joined ring arrives as well, also under load. */
static void
test_driver_too(void **state)
{
	struct netmap_ring *rx;
	uint32_t seq = 0, got = 0, from_wire = 0, rounds = 0;

	open_pair();
	rx = end_rx(&b, 0);
	wire.incoming[1] = 100;
	wire.next[1] = 0;
	while (from_wire < 100 || got < 2000) {
		assert_true(++rounds < 1000);
		for (unsigned i = 0; i < 10 && seq < 2000; i++)
			put(&a, seq++);
		end_txsync(&a);
		end_rxsync(&b);
		for (; ring_space(rx) > 0; ring_move(rx, ring_next(rx, rx->head))) {
			const struct netmap_slot *slot = &rx->slot[rx->head];
			bool driver = slot->len == 70;

			assert_true(frame_is(ring_buf(rx, slot->buf_idx), slot->len, driver ? from_wire++ : got++));
		}
		end_rxsync(&b);
		end_txsync(&a);
	}
	assert_int_equal(from_wire, 100);
	assert_int_equal(got, 2000);
	assert_int_equal(end_krx(&b, 0)->own.packets, 2100);
	assert_buffers();
	close_pair();
}

/* More queues at one end than at the other. */
static void
test_queues(void **state)
{
	struct netmap_ring *rx;
	uint32_t i, k, got[3] = { 0, 0, 0 }, n = 0;

	queues_set(3);
	end_open(&a, "nicA");
	queues_set(1);
	end_open(&b, "nicB");
	rx = end_rx(&b, 0);
	for (k = 0; k < 3; k++)
		for (i = 0; i < SLOTS - 1; i++)
			assert_true(ring_put(end_tx(&a, k), 60, MAC_ALL, mac(k), k * 1000 + i, 0));
	end_txsync(&a);
	for (; n < 3 * (SLOTS - 1); n++) {
		const struct netmap_slot *slot;

		if (ring_space(rx) == 0) {
			end_rxsync(&b);
			/* Each has its share. */
			if (n == 0)
				for (k = 0; k < 3; k++)
					assert_true(end_ktx(&a, k)->own.packets > SLOTS / 4);
		}
		slot = &rx->slot[rx->head];
		k = (uint32_t)frame_src(ring_buf(rx, slot->buf_idx)) & 3;
		assert_true(ring_space(rx) > 0);
		assert_true(frame_is(ring_buf(rx, slot->buf_idx), 60, k * 1000 + got[k]++));
		ring_move(rx, ring_next(rx, rx->head));
	}
	end_expect_none(&b);
	/* Backwards there is one for one; the others are not joined. */
	end_send(&b, MAC_ALL, mac(1), 60, 77);
	end_expect(&a, 0, 60, 77);
	assert_buffers();
	end_close(&b);
	end_txsync(&a);
	for (k = 0; k < 3; k++)
		assert_int_equal(ring_space(end_tx(&a, k)), SLOTS - 1);
	end_close(&a);
}

/* --- deaths --- */

static struct actor *
victim(void)
{
	struct actor *v;

	assert_int_equal(actor_alloc(OTHER_PROCESS, 12345, 12346, &v), 0);
	return v;
}

/* The stores of a receiver who takes n slots, up to store number `stores`. */
static bool
take_in_part(struct kring *rx, struct kring *tx, uint32_t n, unsigned stores)
{
	uint32_t i = pos_index(tx, tx->released), j = rx->hwtail, k;
	unsigned left = stores;

#define STORE(x)	do { if (left-- == 0) return false; x; } while (0)
	STORE(tx->take_rx = rx);
	STORE(rx->take_tx = tx);
	STORE(rx->take_pos = tx->released);
	STORE(rx->take_at = rx->hwtail);
	for (k = 1; k <= n; k++, i = index_next(tx, i), j = index_next(rx, j)) {
		uint64_t word = slot_load(&tx->uslot[i]), there = slot_load(&rx->uslot[j]);

		STORE(rx->take_word = (uint64_t)k << 32 | slot_idx(there));
		STORE(slot_store_pair(&rx->uslot[j], slot_load_pair(&tx->uslot[i])));
		STORE(slot_store(&tx->uslot[i], (word & ~UINT64_C(0xffffffff)) | slot_idx(there)));
	}
	STORE(rx->take_word = UINT64_C(1) << 63 | n);
	STORE(rx->hwtail = index_add(rx, rx->take_at, n));
	STORE(tx->released = pos_add(tx, rx->take_pos, n));
	STORE(rx->take_word = 0);
	STORE(rx->take_tx = NULL);
	STORE(tx->take_rx = NULL);
#undef STORE
	return true;
}

/* The receiver dies after any of his stores: each frame arrives once, whole. */
static void
receiver_dies(bool ports_gone)
{
	uint32_t seq = 0, got = 0, i;
	unsigned stores;
	bool all = false;

	open_pair();
	for (stores = 0; !all; stores++) {
		struct kring *tx = end_ktx(&a, 0), *rx = end_krx(&b, 0);
		struct actor *v = victim();

		for (i = 0; i < 5; i++)
			put(&a, seq++);
		end_txsync(&a);
		rx->busy = v->id;
		tx->taker = v->id;
		all = take_in_part(rx, tx, 5, stores);
		v->inside = inproc_root()->epoch;
		if (ports_gone) {
			/* netmapd hears of the process's descriptors before it buries its threads. */
			end_close(&b);
			assert_int_equal(tx->taker, v->id);
			end_txsync(&a);
		}
		actor_free(v);
		assert_int_equal(tx->taker, 0);
		if (ports_gone) {
			end_open(&b, "nicB");
			end_txsync(&a);
			/* Either it had all of them, or they are there. */
			if (end_pending(&b, 0) != 0)
				for (got = seq - 5; got < seq; got++)
					end_expect(&b, 0, 60, got);
			else
				assert_true(wire.sent[0] > 0 || stores >= 4 + 3 * 5 + 1);
		} else {
			assert_int_equal(rx->busy, 0);
			while (got < seq)
				end_expect(&b, 0, 60, got++);
		}
		end_expect_none(&b);
		end_txsync(&a);
		assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1);
		assert_buffers();
	}
	assert_int_equal(stores, 4 + 3 * 5 + 6 + 1);
	close_pair();
}

static void
test_receiver_dies(void **state)
{
	receiver_dies(false);
}

static void
test_receiver_dies_and_port_goes(void **state)
{
	receiver_dies(true);
}

/* And a second time, while what he was about is being taken back: by a thread that does so in its own sync. */
static void
test_undo_dies(void **state)
{
	uint32_t seq = 0, got = 0, i, step;

	open_pair();
	/* After all five swaps; then so many of them are undone, the last of these in part. */
	for (step = 0; step < 5 * 3; step++) {
		struct kring *tx = end_ktx(&a, 0), *rx = end_krx(&b, 0);
		struct actor *v = victim();
		unsigned left = step;

		for (i = 0; i < 5; i++)
			put(&a, seq++);
		end_txsync(&a);
		rx->busy = tx->taker = v->id;
		take_in_part(rx, tx, 5, 4 + 3 * 5);
		for (i = 5; i > 0 && left > 0; i--) {
			struct netmap_slot *ufrom = &tx->uslot[index_add(tx, pos_index(tx, rx->take_pos), i - 1)];
			struct netmap_slot *uto = &rx->uslot[index_add(rx, rx->take_at, i - 1)];
			uint32_t own = slot_idx(slot_load(ufrom));

			rx->take_word = (uint64_t)i << 32 | own;
			if (--left == 0)
				break;
			slot_store_pair(ufrom, slot_load_pair(uto));
			if (--left == 0)
				break;
			slot_store(uto, slot_word(own, 0, 0));
			--left;
		}
		actor_free(v);
		assert_buffers();
		while (got < seq)
			end_expect(&b, 0, 60, got++);
		end_expect_none(&b);
		end_txsync(&a);
	}
	close_pair();
}

/* The sender dies while he offers, or while he changes over to the driver or back. */
static void
test_sender_dies(void **state)
{
	uint32_t seq = 0, got = 0, i, step;

	open_pair();
	for (step = 0; step < 12; step++) {
		struct kring *tx = end_ktx(&a, 0);
		struct actor *v = victim();

		for (i = 0; i < 5; i++)
			put(&a, seq++);
		end_txsync(&a);
		end_expect(&b, 0, 60, got++);
		end_rxsync(&b);
		/* All are taken, and what came back is half booked. */
		tx->busy = v->id;
		if (step % 4 > 0 || step >= 8)
			tx->hwcur = pos_index(tx, tx->released);
		if (step % 4 > 1)
			tx->own_pos = tx->released;
		if (step >= 4)
			tx->taker = v->id;
		if (step % 4 > 2 && step >= 4)
			tx->released = tx->published = tx->own_pos;
		/* The driver is done, and had moved on. */
		if (step >= 8) {
			tx->joined = 0;
			tx->hwtail = index_prev(tx, tx->hwcur);
		}
		actor_free(v);
		assert_int_equal(tx->busy + tx->taker, 0);
		put(&a, seq++);
		end_txsync(&a);
		while (got < seq)
			end_expect(&b, 0, 60, got++);
		end_expect_none(&b);
		end_txsync(&a);
		assert_int_equal(ring_space(end_tx(&a, 0)), SLOTS - 1);
	}
	assert_int_equal(wire.sent[0], 0);
	assert_buffers();
	close_pair();
}

/* --- waiting, and threads --- */

#define FRAMES	200000u

static struct {
	struct end end;
	uint32_t stop;
	uint32_t frames;
	uint8_t *seen;			/* by sequence number: how often it arrived */
} load;

/* As ring_put(), with stores that the other threads' looks at the region's slots do not race with. */
static bool
load_put(struct netmap_ring *r, uint32_t seq)
{
	struct netmap_slot *slot = &r->slot[r->head];
	uint32_t idx = slot_idx(slot_load(slot));

	if (ring_space(r) == 0)
		return false;
	frame_make(ring_buf(r, idx), 60, MAC_ALL, mac(1), seq);
	slot_store(slot, slot_word(idx, 60, 0));
	ring_move(r, ring_next(r, r->head));
	return true;
}

static void *
sender_thread(void *arg)
{
	struct netmap_ring *tx = end_tx(&load.end, 0);
	uint32_t seq = 0;

	while (seq < load.frames) {
		check(inproc_poll(&load.end.fd, EV_OUT, 20000) == EV_OUT);
		while (seq < load.frames && load_put(tx, seq))
			seq++;
	}
	while (__atomic_load_n(&load.stop, __ATOMIC_ACQUIRE) == 0) {
		check(inproc_ioctl(&load.end.fd, NIOCTXSYNC, NULL) == 0);
		if (ring_space(tx) == SLOTS - 1)
			__atomic_store_n(&load.stop, 1, __ATOMIC_RELEASE);
		usleep(100);
	}
	inproc_thread_done();
	return NULL;
}

static uint32_t
receive_all(struct end *e, int64_t *last)
{
	struct netmap_ring *rx = end_rx(e, 0);
	uint32_t n = 0;

	for (; ring_space(rx) > 0; n++) {
		const struct netmap_slot *slot = &rx->slot[rx->head];
		int64_t seq = frame_seq(ring_buf(rx, slot->buf_idx), slot->len);

		assert_true(seq > *last);
		*last = seq;
		load.seen[seq]++;
		ring_move(rx, ring_next(rx, rx->head));
	}
	return n;
}

/* Both ends sleep whenever they have nothing to do; the receiver's end may go and come. */
static void
under_load(bool leaves)
{
	uint32_t got = 0, leave_at = 1000, leaves_done = 0, i, twice = 0, lost = 0;
	int64_t last = -1;
	pthread_t thread;
	uint64_t seed = 11;

	load.frames = FRAMES;
	load.stop = 0;
	load.seen = calloc(1, FRAMES);
	end_open(&load.end, "nicA");
	end_open(&b, "nicB");
	assert_int_equal(pthread_create(&thread, NULL, sender_thread, NULL), 0);
	while (__atomic_load_n(&load.stop, __ATOMIC_ACQUIRE) == 0) {
		inproc_poll(&b.fd, EV_IN, 10);
		got += receive_all(&b, &last);
		if (!leaves || got < leave_at)
			continue;
		leave_at = got + 1 + random_below(&seed, 3000);
		leaves_done++;
		end_close(&b);
		if (leaves_done % 3 == 0)
			usleep(50);
		end_open(&b, "nicB");
	}
	pthread_join(thread, NULL);
	end_rxsync(&b);
	receive_all(&b, &last);
	for (i = 0; i < wire.sent[0]; i++)
		load.seen[wire.seq[0][i]]++;
	for (i = 0; i < FRAMES; i++) {
		twice += load.seen[i] > 1;
		lost += load.seen[i] == 0;
	}
	assert_int_equal(twice, 0);
	/* What was in the ring of an end that left. */
	assert_true(lost <= leaves_done * (SLOTS - 1));
	assert_true(!leaves || leaves_done > 10);
	free(load.seen);
	a = load.end;
	assert_buffers();
	end_close(&load.end);
	end_close(&b);
}

static void
test_load(void **state)
{
	under_load(false);
	assert_int_equal(wire.sent[0], 0);
}

static void
test_load_and_leaving(void **state)
{
	under_load(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		join_test(test_both_ways),
		join_test(test_back_pressure),
		join_test(test_marks),
		join_test(test_chains),
		join_test(test_endless_chain),
		join_test(test_bad_slots),
		join_test(test_bad_room),
		join_test(test_part_and_join),
		join_test(test_offer_stays),
		join_test(test_driver_holds),
		join_test(test_directions),
		join_test(test_driver_too),
		join_test(test_queues),
		join_test(test_receiver_dies),
		join_test(test_receiver_dies_and_port_goes),
		join_test(test_undo_dies),
		join_test(test_sender_dies),
		join_test(test_load),
		join_test(test_load_and_leaving),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
