/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a switch sends a frame: learning, ageing, broadcast, NS_NO_LEARN and the sender's own choice of a
 * port.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

#define AGE	300u

static uint32_t sequence;

/* Sends a frame from one end; exactly the ends in `to` (a bitmap over e[0..n)) get it. */
static void
goes_to_flags(
	struct end *e, unsigned n, unsigned from, uint64_t dst, uint64_t src, uint16_t flags, unsigned to)
{
	unsigned i;

	sequence++;
	assert_true(ring_put(end_tx(&e[from], 0), 60, dst, src, sequence, flags));
	end_txsync(&e[from]);
	for (i = 0; i < n; i++) {
		if (to >> i & 1)
			end_expect(&e[i], 0, 60, sequence);
		end_expect_none(&e[i]);
	}
}

static void
goes_to(struct end *e, unsigned n, unsigned from, uint64_t dst, uint64_t src, unsigned to)
{
	goes_to_flags(e, n, from, dst, src, 0, to);
}

static void
open_ports(struct end *e, unsigned n)
{
	char name[32];
	unsigned i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "vale0:p%u", i);
		end_open_slots(&e[i], name, 64);
	}
}

static void
close_ports(struct end *e, unsigned n)
{
	while (n-- > 0)
		end_close(&e[n]);
}

static void
test_learning(void **state)
{
	struct end e[3];

	open_ports(e, 3);
	goes_to(e, 3, 0, mac(2), mac(1), 6);		/* not known: to all but the sender */
	goes_to(e, 3, 1, mac(1), mac(2), 1);		/* 1 is at port 0 */
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	goes_to(e, 3, 2, mac(2), mac(3), 2);
	goes_to(e, 3, 2, mac(3), mac(4), 0);		/* at the sender's own port */
	assert_drops(end_ktx(&e[2], 0), DROP_FILTERED, 1);
	goes_to(e, 3, 0, MAC_ALL, mac(1), 6);
	goes_to(e, 3, 1, MAC_GROUP, mac(2), 5);
	goes_to(e, 3, 0, mac(99), mac(1), 6);
	close_ports(e, 3);
}

/*
 * An address that moves away and back, with no other source in between on either port, is learned each time.
 */
static void
test_moves(void **state)
{
	struct end e[3];
	unsigned i;

	open_ports(e, 3);
	for (i = 0; i < 5; i++) {
		goes_to(e, 3, 0, MAC_ALL, mac(1), 6);
		goes_to(e, 3, 2, mac(1), mac(3), 1);
		goes_to(e, 3, 1, MAC_ALL, mac(1), 5);
		goes_to(e, 3, 2, mac(1), mac(3), 2);
	}
	close_ports(e, 3);
}

/* Group addresses and zero are never learned as sources. */
static void
test_bad_sources(void **state)
{
	struct end e[3];

	open_ports(e, 3);
	goes_to(e, 3, 0, MAC_ALL, MAC_ALL, 6);
	goes_to(e, 3, 0, MAC_ALL, MAC_GROUP, 6);
	goes_to(e, 3, 0, MAC_ALL, 0, 6);
	goes_to(e, 3, 1, MAC_GROUP, mac(1), 5);
	goes_to(e, 3, 1, 0, mac(1), 5);
	close_ports(e, 3);
}

static void
test_ageing(void **state)
{
	struct end e[3];
	unsigned i;

	open_ports(e, 3);
	goes_to(e, 3, 0, MAC_ALL, mac(1), 6);
	inproc_clock_advance(AGE / 2);
	goes_to(e, 3, 1, mac(1), mac(2), 1);
	/* Kept alive by traffic from it. */
	for (i = 0; i < 10; i++) {
		goes_to(e, 3, 0, mac(2), mac(1), 2);
		goes_to(e, 3, 1, mac(1), mac(2), 1);
		inproc_clock_advance(AGE / 2);
	}
	/* Traffic to it does not. */
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	for (i = 0; i < 2; i++) {
		goes_to(e, 3, 1, mac(1), mac(2), 1);
		inproc_clock_advance(AGE / 2 + 5);
	}
	goes_to(e, 3, 1, mac(1), mac(2), 5);
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	goes_to(e, 3, 1, mac(1), mac(2), 1);
	/* Long past the point where stamps wrap, in steps that the control side would take. */
	for (i = 0; i < 20; i++)
		inproc_clock_advance(AGE / 2);
	goes_to(e, 3, 1, mac(1), mac(2), 5);
	close_ports(e, 3);
}

static void
test_ageing_off(void **state)
{
	struct end e[3];
	unsigned i;

	inproc_root()->vale_age = 0;
	open_ports(e, 3);
	goes_to(e, 3, 0, MAC_ALL, mac(1), 6);
	for (i = 0; i < 20; i++)
		inproc_clock_advance(AGE);
	goes_to(e, 3, 1, mac(1), mac(2), 1);
	close_ports(e, 3);
}

/* What was behind a port is forgotten with it; the port that gets its number inherits nothing. */
static void
test_port_leaves(void **state)
{
	struct end e[4];

	open_ports(e, 3);
	goes_to(e, 3, 1, MAC_ALL, mac(2), 5);
	goes_to(e, 3, 2, MAC_ALL, mac(3), 3);
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	end_close(&e[1]);
	end_open_slots(&e[1], "vale0:new", 64);
	goes_to(e, 3, 0, mac(2), mac(1), 6);
	goes_to(e, 3, 0, mac(3), mac(1), 4);
	/* The sender's memory of what it learned last went too. */
	goes_to(e, 3, 1, MAC_ALL, mac(2), 5);
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	close_ports(e, 3);
}

/* Two switches know nothing of each other. */
static void
test_switches_apart(void **state)
{
	struct end e[4];

	end_open_slots(&e[0], "vale0:a", 64);
	end_open_slots(&e[1], "vale1:a", 64);
	end_open_slots(&e[2], "vale0:b", 64);
	end_open_slots(&e[3], "vale1:b", 64);
	goes_to(e, 4, 0, MAC_ALL, mac(1), 4);
	goes_to(e, 4, 1, MAC_ALL, mac(1), 8);
	goes_to(e, 4, 2, mac(1), mac(2), 1);
	goes_to(e, 4, 3, mac(1), mac(2), 2);
	close_ports(e, 4);
}

static void
test_no_learn(void **state)
{
	struct end e[3];

	open_ports(e, 3);
	goes_to_flags(e, 3, 0, MAC_ALL, mac(1), NS_NO_LEARN, 6);
	goes_to(e, 3, 1, mac(1), mac(2), 5);
	goes_to(e, 3, 0, MAC_ALL, mac(1), 6);
	/* Nor does it move what is known. */
	goes_to_flags(e, 3, 2, MAC_ALL, mac(1), NS_NO_LEARN, 3);
	goes_to(e, 3, 1, mac(1), mac(2), 1);
	/* In one batch with a frame from the same address that may be learned. */
	assert_true(ring_put(end_tx(&e[2], 0), 60, MAC_ALL, mac(7), 1, NS_NO_LEARN));
	assert_true(ring_put(end_tx(&e[2], 0), 60, MAC_ALL, mac(7), 2, 0));
	end_txsync(&e[2]);
	end_flush(&e[0]);
	end_flush(&e[1]);
	goes_to(e, 3, 0, mac(7), mac(1), 4);
	close_ports(e, 3);
}

/* The high byte of a slot's flags names the port; the table is not asked, but the source is learned. */
static void
test_port_override(void **state)
{
	struct end e[4];

	open_ports(e, 4);
	goes_to(e, 4, 1, MAC_ALL, mac(1), 13);
	goes_to_flags(e, 4, 0, mac(1), mac(5), 2 << NS_PORT_SHIFT, 4);
	goes_to_flags(e, 4, 0, MAC_ALL, mac(6), 3 << NS_PORT_SHIFT, 8);
	goes_to(e, 4, 3, mac(6), mac(4), 1);
	goes_to_flags(e, 4, 2, mac(99), mac(3), 1 << NS_PORT_SHIFT, 2);
	/* To oneself, to a port that is not there, to a number that no port has. */
	goes_to_flags(e, 4, 2, mac(1), mac(3), 2 << NS_PORT_SHIFT, 0);
	assert_drops(end_ktx(&e[2], 0), DROP_FILTERED, 1);
	goes_to_flags(e, 4, 2, mac(1), mac(3), 77 << NS_PORT_SHIFT, 0);
	goes_to_flags(e, 4, 2, mac(1), mac(3), 253 << NS_PORT_SHIFT, 0);
	goes_to_flags(e, 4, 2, mac(1), mac(3), 254 << NS_PORT_SHIFT, 0);
	goes_to_flags(e, 4, 2, mac(1), mac(3), 255 << NS_PORT_SHIFT, 0);
	assert_drops(end_ktx(&e[2], 0), DROP_FILTERED, 5);
	close_ports(e, 4);
}

/* A port with nobody else on its switch; a receiver that was the last and left. */
static void
test_nobody_there(void **state)
{
	struct end e[2];

	open_ports(e, 2);
	goes_to(e, 2, 1, MAC_ALL, mac(2), 1);
	end_close(&e[1]);
	end_send(&e[0], mac(2), mac(1), 60, 1);
	end_send(&e[0], MAC_ALL, mac(1), 60, 2);
	assert_drops(end_ktx(&e[0], 0), DROP_FILTERED, 2);
	end_close(&e[0]);
}

/* One batch with frames to every kind of destination arrives in the batch's order everywhere. */
static void
test_order_in_a_batch(void **state)
{
	struct end e[4];
	uint64_t state_of = 11;
	unsigned expect[4][64], n[4] = { 0 }, i, p, round;

	open_ports(e, 4);
	for (p = 0; p < 4; p++)
		end_send(&e[p], MAC_ALL, mac(p + 1), 60, 0);
	for (p = 0; p < 4; p++)
		end_flush(&e[p]);
	for (round = 0; round < 50; round++) {
		memset(n, 0, sizeof(n));
		for (i = 0; i < 63; i++) {
			uint32_t kind = random_below(&state_of, 6);
			uint64_t dst = kind == 0 ? MAC_ALL
				: kind == 1	 ? MAC_GROUP
				: kind == 2	 ? mac(77)
						 : mac(kind - 1);

			assert_true(ring_put(end_tx(&e[0], 0), 60, dst, mac(1), i, 0));
			for (p = 1; p < 4; p++)
				if (kind < 3 || kind - 2 == p)
					expect[p][n[p]++] = i;
		}
		end_txsync(&e[0]);
		for (p = 1; p < 4; p++) {
			for (i = 0; i < n[p]; i++)
				end_expect(&e[p], 0, 60, expect[p][i]);
			end_expect_none(&e[p]);
		}
	}
	close_ports(e, 4);
}

/*
 * More addresses than the table holds: frames to those that fell out go to all, and never to a wrong port
 * alone.
 */
static void
test_table_full(void **state)
{
	struct end e[3];
	uint32_t i, known = 0;

	open_ports(e, 3);
	for (i = 0; i < 3 * FDB_BUCKETS * FDB_WAYS; i++) {
		end_send(&e[0], MAC_ALL, mac(1000 + i), 60, i);
		end_flush(&e[1]);
		end_flush(&e[2]);
	}
	for (i = 0; i < 3 * FDB_BUCKETS * FDB_WAYS; i++) {
		end_send(&e[1], mac(1000 + i), mac(1), 60, i);
		end_expect(&e[0], 0, 60, i);
		if (end_flush(&e[2]) == 0)
			known++;
	}
	assert_true(known > FDB_BUCKETS * FDB_WAYS / 2);
	close_ports(e, 3);
}

/* A region that cannot be mapped here: counted as such. */
static const struct region *out_of_reach;

static bool
region_in_reach(const struct region *r)
{
	return r != out_of_reach;
}

static void
test_unreachable(void **state)
{
	const struct inproc_hooks hooks = { .region_ready = region_in_reach };
	struct end e[3];

	open_ports(e, 3);
	goes_to(e, 3, 1, MAC_ALL, mac(2), 5);
	out_of_reach = end_krx(&e[1], 0)->region;
	inproc_hooks_set(&hooks);
	goes_to(e, 3, 0, MAC_ALL, mac(1), 4);
	goes_to(e, 3, 0, mac(2), mac(1), 0);
	assert_int_equal(end_ktx(&e[0], 0)->own.drops[DROP_UNREACHABLE] +
			end_krx(&e[1], 0)->in.drops[DROP_UNREACHABLE],
		2);
	inproc_hooks_set(NULL);
	goes_to(e, 3, 0, mac(2), mac(1), 2);
	close_ports(e, 3);
}

/* To all where the only other port is out of reach: one reason for one packet, alone and in a batch of several destinations. */
static void
test_unreachable_to_all(void **state)
{
	const struct inproc_hooks hooks = { .region_ready = region_in_reach };
	const uint64_t *drops;
	struct end e[2];

	open_ports(e, 2);
	drops = end_ktx(&e[0], 0)->own.drops;
	out_of_reach = end_krx(&e[1], 0)->region;
	inproc_hooks_set(&hooks);
	goes_to(e, 2, 0, MAC_ALL, mac(1), 0);
	assert_int_equal(drops[DROP_UNREACHABLE], 1);
	assert_int_equal(drops[DROP_FILTERED], 0);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	assert_true(ring_put(end_tx(&e[0], 0), 60, MAC_ALL, mac(1), 2, 0));
	assert_true(ring_put(end_tx(&e[0], 0), 60, mac(1), mac(1), 3, 0));
	end_txsync(&e[0]);
	assert_int_equal(drops[DROP_UNREACHABLE], 3);
	assert_int_equal(drops[DROP_FILTERED], 1);
	inproc_hooks_set(NULL);
	close_ports(e, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_learning),
		engine_test(test_moves),
		engine_test(test_bad_sources),
		engine_test(test_ageing),
		engine_test(test_ageing_off),
		engine_test(test_port_leaves),
		engine_test(test_switches_apart),
		engine_test(test_no_learn),
		engine_test(test_port_override),
		engine_test(test_nobody_there),
		engine_test(test_order_in_a_batch),
		engine_test(test_table_full),
		engine_test(test_unreachable),
		engine_test(test_unreachable_to_all),
	};

	return cmocka_run_group_tests_name("VALE forwarding", tests, NULL, NULL);
}
