/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors of interfaces: frames are seen although the program does not read them, host rings are shown beside the interface's own, and an interface that
 * is joined with the other end of a veth pair is shown like any other.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "end.h"

#define SLOTS	64u		/* of the test host's interfaces */
#define QUEUES	2u
#define BOTH	(NR_MONITOR_TX | NR_MONITOR_RX)

static struct end a, b, m[2];

/* --- the wire of nicA: frames that wait by ring, and frames that were sent; what nicB sends arrives at nicA --- */

static struct {
	uint32_t incoming[QUEUES + 1], next;
	uint32_t sent;
	bool stuck;			/* takes nothing */
	uint32_t keep;			/* slots that it still has */
} wire;

static int
wire_tx(const struct kring *kr, struct nic_ring *r)
{
	for (; r->from != r->to && !wire.stuck; r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1) {
		wire.sent++;
		r->packets++;
		if (kr->port->name[3] == 'B')
			wire.incoming[0]++;
	}
	while (r->done != r->from && index_diff(kr, r->from, r->done) > wire.keep)
		r->done = r->done + 1 == r->num_slots ? 0 : r->done + 1;
	return 0;
}

static int
wire_sync(struct kring *kr, struct nic_ring *r)
{
	if (kr->dir == RING_TX)
		return wire_tx(kr, r);
	while (r->from != r->to && kr->port->name[3] == 'A' && wire.incoming[kr->id] > 0) {
		struct netmap_slot *slot = &r->uslot[r->from];

		frame_make(r->ubufs + (size_t)slot->buf_idx * r->buf_size, 60, MAC_ALL, mac(9), wire.next++);
		slot_store(slot, slot_word(slot->buf_idx, 60, 0));
		wire.incoming[kr->id]--;
		r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		r->packets++;
	}
	return 0;
}

static bool
wire_peers(const struct port *p, const struct port *q)
{
	return p != q && (p->name[3] == 'A' || p->name[3] == 'B') && (q->name[3] == 'A' || q->name[3] == 'B');
}

static int
setup(void **state)
{
	const struct inproc_hooks hooks = { .nic_queues = QUEUES, .nic_sync = wire_sync, .nic_peers = wire_peers };

	memset(&wire, 0, sizeof(wire));
	inproc_hooks_set(&hooks);
	return engine_setup(state);
}

#define nic_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

static void
open_monitor(struct end *e, const char *name, uint32_t mode, uint64_t flags)
{
	end_open_as(e, name, &(struct nmreq_register){ .nr_mode = mode, .nr_flags = flags });
}

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

/* --- tests --- */

static void
test_not_open(void **state)
{
	struct end e;

	assert_int_equal(end_try(&e, "nicA", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = BOTH }), -EINVAL);
	assert_non_null(strstr(inproc_log_last(), "no open port"));
}

/* The program does not read: the monitor looks for itself, as far as the program's ring has room. */
static void
test_looks_for_itself(void **state)
{
	uint32_t i;

	end_open(&a, "nicA");
	open_monitor(&m[0], "nicA", NR_REG_ALL_NIC, BOTH);
	open_monitor(&m[1], "nicA", NR_REG_ALL_NIC, NR_MONITOR_RX);
	assert_int_equal(m[0].reg.nr_rx_rings, QUEUES);
	assert_int_not_equal(m[0].reg.nr_mem_id, a.reg.nr_mem_id);
	wire.incoming[0] = 5;
	wire.incoming[1] = 1;
	assert_int_equal(inproc_poll(&m[0].fd, EV_IN, 0), EV_IN);
	for (i = 0; i < 5; i++)
		expect(&m[0], 0, i, false);
	expect(&m[0], 1, 5, false);
	end_expect_none(&m[0]);
	/* Each once, and for the program they are still there. */
	for (i = 0; i < 5; i++) {
		expect(&m[1], 0, i, false);
		end_expect(&a, 0, 60, i);
	}
	end_expect(&a, 1, 60, 5);
	wire.incoming[0] = 3;
	for (i = 6; i < 9; i++)
		end_expect(&a, 0, 60, i);
	for (i = 6; i < 9; i++)
		expect(&m[0], 0, i, false);
	end_rxsync(&a);
	/* The program's ring is full. */
	wire.incoming[0] = 100;
	end_rxsync(&m[0]);
	end_rxsync(&m[0]);
	assert_int_equal(ring_space(end_rx(&m[0], 0)), SLOTS - 1);
	assert_int_equal(wire.incoming[0], 100 - (SLOTS - 1));
	end_close(&m[0]);
	end_close(&m[1]);
	end_close(&a);
}

static void
test_sending(void **state)
{
	uint32_t i;

	end_open(&a, "nicA");
	open_monitor(&m[0], "nicA", NR_REG_ALL_NIC, BOTH);
	open_monitor(&m[1], "nicA", NR_REG_ALL_NIC, NR_ZCOPY_MON);
	assert_int_equal(m[1].reg.nr_mem_id, a.reg.nr_mem_id);
	/* The driver takes nothing: copies are there, once, buffers are not. */
	wire.stuck = true;
	for (i = 0; i < 4; i++)
		end_send(&a, MAC_ALL, mac(1), 60, i);
	for (i = 0; i < 4; i++)
		expect(&m[0], 0, i, true);
	end_expect_none(&m[0]);
	end_expect_none(&m[1]);
	/* It takes them, and keeps two a while. */
	wire.stuck = false;
	wire.keep = 2;
	end_txsync(&a);
	expect(&m[1], 0, 0, true);
	expect(&m[1], 0, 1, true);
	end_expect_none(&m[1]);
	wire.keep = 0;
	end_txsync(&a);
	expect(&m[1], 0, 2, true);
	expect(&m[1], 0, 3, true);
	end_expect_none(&m[0]);
	assert_int_equal(wire.sent, 4);
	end_close(&m[0]);
	end_close(&m[1]);
	end_close(&a);
}

static void
test_host_rings(void **state)
{
	uint16_t first;

	end_open_as(&a, "nicA", &(struct nmreq_register){ .nr_mode = NR_REG_NIC_SW });
	open_monitor(&m[0], "nicA", NR_REG_NIC_SW, BOTH);
	open_monitor(&m[1], "nicA", NR_REG_SW, BOTH);
	assert_int_equal(inproc_nic_hosts(), 1);
	assert_int_equal(m[0].reg.nr_host_rx_rings, 1);
	assert_int_equal(m[0].reg.nr_host_tx_rings, 1);
	first = m[1].fd.binding->rx_first;
	assert_int_equal(first, QUEUES);
	wire.incoming[QUEUES] = 1;
	assert_true(ring_put(end_tx(&a, QUEUES), 60, MAC_ALL, mac(1), 77, 0));
	end_txsync(&a);
	expect(&m[0], QUEUES, 77, true);
	expect(&m[0], QUEUES, 0, false);
	expect(&m[1], QUEUES, 77, true);
	expect(&m[1], QUEUES, 0, false);
	end_close(&m[0]);
	end_close(&m[1]);
	end_close(&a);
	assert_int_equal(inproc_nic_hosts(), 0);
	/* A monitor of host rings that nobody has open opens nothing. */
	end_open(&a, "nicA");
	open_monitor(&m[0], "nicA", NR_REG_ONE_SW, BOTH);
	assert_int_equal(inproc_nic_hosts(), 0);
	assert_int_equal(inproc_ioctl(&m[0].fd, NIOCRXSYNC, NULL), 0);
	end_close(&m[0]);
	end_close(&a);
}

/*
 * Two ends of a veth pair. Copies are taken on the short way as well. A sender whose buffers are to be shown keeps them: it goes by the driver while it has
 * a zero-copy monitor.
 */
static void
test_joined(void **state)
{
	uint32_t i;

	end_open(&a, "nicA");
	end_open(&b, "nicB");
	assert_non_null(end_ktx(&b, 0)->join);
	open_monitor(&m[0], "nicA", NR_REG_ALL_NIC, NR_MONITOR_RX);
	for (i = 0; i < 5; i++)
		end_send(&b, MAC_ALL, mac(1), 60, 50 + i);
	for (i = 0; i < 5; i++)
		expect(&m[0], 0, 50 + i, false);
	for (i = 0; i < 5; i++)
		end_expect(&a, 0, 60, 50 + i);
	assert_int_equal(wire.sent, 0);
	end_rxsync(&a);
	end_txsync(&b);

	open_monitor(&m[1], "nicB", NR_REG_ALL_NIC, NR_ZCOPY_MON);
	assert_null(end_ktx(&b, 0)->join);
	assert_non_null(end_ktx(&a, 0)->join);
	for (i = 0; i < 5; i++)
		end_send(&b, MAC_ALL, mac(1), 60, 60 + i);
	end_txsync(&b);
	assert_int_equal(wire.sent, 5);
	for (i = 0; i < 5; i++)
		expect(&m[1], 0, 60 + i, true);
	for (i = 0; i < 5; i++)
		end_expect(&a, 0, 60, i);
	end_close(&m[1]);
	assert_non_null(end_ktx(&b, 0)->join);
	end_close(&m[0]);
	end_close(&a);
	end_close(&b);
}

/* The frames that a program gives back of a joined ring, by way of their buffers. */
static void
test_joined_zcopy_rx(void **state)
{
	uint32_t i, round;

	end_open(&a, "nicA");
	end_open(&b, "nicB");
	open_monitor(&m[0], "nicA", NR_REG_ALL_NIC, NR_ZCOPY_MON);
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 3; i++)
			end_send(&b, MAC_ALL, mac(1), 60, round * 3 + i);
		for (i = 0; i < 3; i++)
			end_expect(&a, 0, 60, round * 3 + i);
		end_expect_none(&m[0]);
		end_rxsync(&a);
		for (i = 0; i < 3; i++)
			expect(&m[0], 0, round * 3 + i, false);
		end_rxsync(&m[0]);
		end_txsync(&b);
	}
	assert_int_equal(wire.sent, 0);
	end_close(&m[0]);
	end_close(&a);
	end_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		nic_test(test_not_open),
		nic_test(test_looks_for_itself),
		nic_test(test_sending),
		nic_test(test_host_rings),
		nic_test(test_joined),
		nic_test(test_joined_zcopy_rx),
	};

	return cmocka_run_group_tests_name("monitor_nic", tests, NULL, NULL);
}
