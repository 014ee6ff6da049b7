/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings of switch ports: sizes and wrap-around, what happens when one is full, several of them a port, many
 * ports, and that a receiver never sees a part of a packet.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

static void
open_pair(struct end *a, struct end *b, uint32_t tx_slots, uint32_t rx_slots)
{
	end_open_as(a, "vale0:a",
		&(struct nmreq_register){
			.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = tx_slots, .nr_rx_slots = 64 });
	end_open_as(b, "vale0:b",
		&(struct nmreq_register){
			.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 64, .nr_rx_slots = rx_slots });
	end_send(b, MAC_ALL, mac(2), 60, 0);
	end_flush(a);
}

/* Batches of all sizes through rings of odd sizes, many times around. */
static void
test_wrap(void **state)
{
	static const uint32_t sizes[] = { 2, 3, 63, 1000, 1024, 4096 };
	uint64_t seed = 5;
	unsigned s, t;

	for (s = 0; s < 6; s++)
		for (t = 0; t < 6; t++) {
			uint32_t sent = 0, got = 0, rounds = 200 + 4 * sizes[s] / (sizes[t] - 1);
			uint32_t most = sizes[s] < sizes[t] ? sizes[s] : sizes[t];
			struct end a, b;

			open_pair(&a, &b, sizes[s], sizes[t]);
			if (rounds > 1000)
				rounds = 1000;
			while (rounds-- > 0) {
				uint32_t n = 1 + random_below(&seed, most - 1);

				assert_int_equal(ring_space(end_tx(&a, 0)), sizes[s] - 1);
				while (n-- > 0)
					assert_true(ring_put(
						end_tx(&a, 0), 60 + sent % 5, mac(2), mac(1), sent, 0)),
						sent++;
				end_txsync(&a);
				for (; got < sent; got++)
					end_expect(&b, 0, 60 + got % 5, got);
				end_rxsync(&b);
			}
			assert_int_equal(end_krx(&b, 0)->in.packets, sent);
			assert_int_equal(in_drops(end_krx(&b, 0)), 0);
			end_close(&a);
			end_close(&b);
		}
}

/* A full ring takes what fits and drops the rest, in order, with a count. */
static void
test_full(void **state)
{
	struct end a, b;
	uint32_t i, round;

	open_pair(&a, &b, 256, 64);
	for (round = 0; round < 5; round++) {
		uint64_t drops = end_krx(&b, 0)->in.drops[DROP_NO_ROOM];

		for (i = 0; i < 200; i++)
			assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
		end_txsync(&a);
		assert_int_equal(ring_space(end_tx(&a, 0)), 255);
		assert_int_equal(end_krx(&b, 0)->in.drops[DROP_NO_ROOM] - drops, 200 - 63);
		end_send(&a, mac(2), mac(1), 60, 999);
		assert_int_equal(end_krx(&b, 0)->in.drops[DROP_NO_ROOM] - drops, 200 - 62);
		/* Some room, some frames. */
		for (i = 0; i < 10; i++)
			end_expect(&b, 0, 60, i);
		end_rxsync(&b);
		for (i = 0; i < 20; i++)
			assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), 1000 + i, 0));
		end_txsync(&a);
		assert_int_equal(end_krx(&b, 0)->in.drops[DROP_NO_ROOM] - drops, 200 - 62 + 10);
		for (i = 10; i < 63; i++)
			end_expect(&b, 0, 60, i);
		for (i = 0; i < 10; i++)
			end_expect(&b, 0, 60, 1000 + i);
		end_expect_none(&b);
	}
	end_close(&a);
	end_close(&b);
}

/* A packet that does not fit entirely is dropped entirely, and those after it too: no reordering. */
static void
test_full_of_chains(void **state)
{
	struct end a, b;
	uint32_t i, j;

	open_pair(&a, &b, 256, 32);
	for (i = 0; i < 20; i++)
		for (j = 0; j < 4; j++)
			assert_true(ring_put(
				end_tx(&a, 0), 60, mac(2), mac(1), i * 4 + j, j < 3 ? NS_MOREFRAG : 0));
	assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), 999, 0));
	end_txsync(&a);
	assert_int_equal(end_pending(&b, 0), 28);
	assert_drops(end_krx(&b, 0), DROP_NO_ROOM, 14);
	for (i = 0; i < 28; i++) {
		const struct netmap_ring *r = end_rx(&b, 0);
		const struct netmap_slot *slot = &r->slot[r->head];

		assert_int_equal(slot->flags, 4 << 8 | (i % 4 < 3 ? NS_MOREFRAG : 0));
		assert_true(frame_is(ring_buf(r, slot->buf_idx), 60, i));
		ring_move(end_rx(&b, 0), ring_next(r, r->head));
	}
	/* One that can never fit. */
	end_rxsync(&b);
	for (j = 0; j < 33; j++)
		assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), j, j < 32 ? NS_MOREFRAG : 0));
	end_txsync(&a);
	end_expect_none(&b);
	assert_drops(end_krx(&b, 0), DROP_NO_ROOM, 15);
	end_send(&a, mac(2), mac(1), 60, 5);
	end_expect(&b, 0, 60, 5);
	end_close(&a);
	end_close(&b);
}

/* A broadcast into full and empty rings: each for itself. */
static void
test_full_broadcast(void **state)
{
	struct end a, b, c;
	uint32_t i;

	open_pair(&a, &b, 256, 8);
	end_open_slots(&c, "vale0:c", 256);
	for (i = 0; i < 100; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), i, 0));
	end_txsync(&a);
	for (i = 0; i < 7; i++)
		end_expect(&b, 0, 60, i);
	for (i = 0; i < 100; i++)
		end_expect(&c, 0, 60, i);
	assert_drops(end_krx(&b, 0), DROP_NO_ROOM, 93);
	assert_int_equal(in_drops(end_krx(&c, 0)), 0);
	assert_int_equal(own_drops(end_ktx(&a, 0)), 0);
	end_close(&a);
	end_close(&b);
	end_close(&c);
}

/* Unicast goes to the ring with the sender's number, modulo; everything else to ring 0. */
static void
test_many_rings(void **state)
{
	struct end a, b;
	uint32_t i;

	end_open_as(&a, "vale0:a",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_tx_rings = 16,
			.nr_rx_rings = 16,
			.nr_tx_slots = 32,
			.nr_rx_slots = 32 });
	end_open_as(&b, "vale0:b",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_tx_rings = 3,
			.nr_rx_rings = 5,
			.nr_tx_slots = 128,
			.nr_rx_slots = 128 });
	end_send(&b, MAC_ALL, mac(2), 60, 0);
	end_flush(&a);
	for (i = 0; i < 16; i++) {
		assert_true(ring_put(end_tx(&a, i), 60, mac(2), mac(1), i, 0));
		assert_true(ring_put(end_tx(&a, i), 60, MAC_ALL, mac(1), 100 + i, 0));
		assert_true(ring_put(end_tx(&a, i), 60, mac(2), mac(1), 200 + i, 0));
	}
	end_txsync(&a);
	for (i = 0; i < 16; i++) {
		end_expect(&b, i % 5, 60, i);
		end_expect(&b, 0, 60, 100 + i);
		end_expect(&b, i % 5, 60, 200 + i);
	}
	end_expect_none(&b);
	for (i = 0; i < 3; i++) {
		assert_true(ring_put(end_tx(&b, i), 60, mac(1), mac(2), 300 + i, 0));
		assert_true(ring_put(end_tx(&b, i), 60, mac(77), mac(2), 400 + i, 0));
	}
	end_txsync(&b);
	for (i = 0; i < 3; i++) {
		end_expect(&a, i, 60, 300 + i);
		end_expect(&a, 0, 60, 400 + i);
	}
	end_expect_none(&a);
	end_close(&a);
	end_close(&b);
}

/* A descriptor on one ring of several sees its own alone; a ring without one gets nothing. */
static void
test_one_ring_of_many(void **state)
{
	struct end a, one;
	struct nmreq_register want = {
		.nr_mode = NR_REG_ONE_NIC, .nr_ringid = 2, .nr_tx_rings = 4, .nr_rx_rings = 4
	};
	uint32_t i;

	end_open_as(&one, "vale0:b", &want);
	end_open_as(&a, "vale0:a",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 4, .nr_rx_rings = 4 });
	assert_true(ring_put(end_tx(&one, 2), 60, MAC_ALL, mac(2), 1, 0));
	end_txsync(&one);
	end_expect(&a, 0, 60, 1);
	for (i = 0; i < 4; i++)
		assert_true(ring_put(end_tx(&a, i), 60, mac(2), mac(1), i, 0));
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 9, 0));
	end_txsync(&a);
	end_expect(&one, 2, 60, 2);
	assert_int_equal(end_pending(&one, 2), 0);
	assert_int_equal(end_ktx(&a, 0)->own.drops[DROP_FILTERED], 2);
	assert_int_equal(end_ktx(&a, 1)->own.drops[DROP_FILTERED], 1);
	assert_int_equal(end_ktx(&a, 2)->own.drops[DROP_FILTERED], 0);
	end_close(&a);
	end_close(&one);
}

/* 254 ports and no more; each reaches each; leaving makes room. */
static void
test_many_ports(void **state)
{
	static struct end e[VALE_PORTS];
	struct end more;
	char name[32];
	uint32_t i, j;

	for (i = 0; i < VALE_PORTS; i++) {
		snprintf(name, sizeof(name), "vale0:p%u", i);
		end_open_slots(&e[i], name, 16);
	}
	assert_int_equal(end_try(&more, "vale0:more", NULL), -ENOMEM);
	assert_non_null(strstr(more.fd.why, "254"));
	end_open_slots(&more, "vale1:more", 16);
	end_close(&more);
	for (i = 0; i < VALE_PORTS; i += 23) {
		end_send(&e[i], MAC_ALL, mac(i), 60, i);
		for (j = 0; j < VALE_PORTS; j++)
			if (j != i)
				end_expect(&e[j], 0, 60, i);
	}
	for (i = 0; i < VALE_PORTS; i++)
		end_send(&e[i], i == 0 ? MAC_ALL : mac(0), mac(i), 60, i), end_flush(&e[0]);
	for (i = 0; i < VALE_PORTS; i++)
		end_flush(&e[i]);
	for (i = 0; i < VALE_PORTS; i++) {
		j = (i * 101 + 7) % VALE_PORTS;
		if (i == j)
			continue;
		end_send(&e[i], mac(j), mac(i), 60, 1000 + i);
		end_expect(&e[j], 0, 60, 1000 + i);
	}
	for (i = 0; i < VALE_PORTS; i++)
		end_expect_none(&e[i]);
	end_close(&e[100]);
	end_open_slots(&e[100], "vale0:again", 16);
	assert_int_equal(end_try(&more, "vale0:more", NULL), -ENOMEM);
	for (i = 0; i < VALE_PORTS; i++)
		end_close(&e[i]);
}

static void
test_many_switches(void **state)
{
	static struct end a[100], b[100];
	char name[32];
	uint32_t i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "vale%u:a", i);
		end_open_slots(&a[i], name, 16);
		snprintf(name, sizeof(name), "vale%u:b", i);
		end_open_slots(&b[i], name, 16);
	}
	for (i = 0; i < 100; i++)
		end_send(&a[i], MAC_ALL, mac(1), 60, i);
	for (i = 0; i < 100; i++) {
		end_expect(&b[i], 0, 60, i);
		end_expect_none(&b[i]);
		end_close(&a[i]);
		end_close(&b[i]);
	}
}

/* --- what a receiver sees while a sender is at it --- */

static struct end *watched;
static uint32_t seen_most;

/*
 * Called in the middle of the sender's copying: what is visible now must end with the last slot of a packet.
 */
static void
look_in_between(uint64_t src, size_t n)
{
	struct netmap_ring *r = end_rx(watched, 0);
	uint32_t space;

	if (inproc_ioctl(&watched->fd, NIOCRXSYNC, NULL) != 0)
		return;
	space = ring_space(r);
	if (space > seen_most)
		seen_most = space;
	if (space > 0)
		assert_int_equal(r->slot[(r->tail + r->num_slots - 1) % r->num_slots].flags & NS_MOREFRAG, 0);
}

static void
test_no_part_of_a_packet(void **state)
{
	const struct inproc_hooks hooks = { .copy_from_caller = look_in_between };
	static char data[3000];
	struct end a, b;
	uint32_t lead, i;

	open_pair(&a, &b, 256, 256);
	watched = &b;
	frame_make(data, sizeof(data), mac(2), mac(1), 1);
	inproc_hooks_set(&hooks);
	for (lead = 55; lead < 70; lead++) {
		for (i = 0; i < lead; i++)
			assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
		for (i = 0; i < 12; i++) {
			struct netmap_ring *r = end_tx(&a, 0);

			r->slot[r->head].len = 100;
			r->slot[r->head].flags = NS_INDIRECT | (i < 11 ? NS_MOREFRAG : 0);
			r->slot[r->head].ptr = (uintptr_t)data;
			ring_move(r, ring_next(r, r->head));
		}
		end_txsync(&a);
		assert_int_equal(end_flush(&b), lead + 12);
	}
	/* It did look at some. */
	assert_true(seen_most > 0);
	inproc_hooks_set(NULL);
	end_close(&a);
	end_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_wrap),
		engine_test(test_full),
		engine_test(test_full_of_chains),
		engine_test(test_full_broadcast),
		engine_test(test_many_rings),
		engine_test(test_one_ring_of_many),
		engine_test(test_many_ports),
		engine_test(test_many_switches),
		engine_test(test_no_part_of_a_packet),
	};

	return cmocka_run_group_tests_name("VALE rings", tests, NULL, NULL);
}
