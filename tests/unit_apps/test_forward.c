/* SPDX-License-Identifier: BSD-2-Clause */
/* bridge: moving packets from ring to ring. */
#include <string.h>

#include "fake_port.h"
#include "forward.h"
#include "unit.h"

#define SLOTS 8

struct fixture {
	struct fake_region region[2];
	struct nmport_d a, b;
	struct forward_path path;
};

static void fixture_start(struct fixture *f, bool shared, uint32_t to_buf_size)
{
	fake_region_init(&f->region[0], 2, SLOTS, FAKE_BUF_SIZE);
	fake_region_init(&f->region[1], 2, SLOTS, to_buf_size);
	fake_port_make(&f->a, &f->region[0], 0);
	fake_port_make(&f->b, &f->region[shared ? 0 : 1], 1);
	forward_path_init(&f->path, &f->a, &f->b, false);
	assert_int_equal(f->path.zero_copy, shared);
}

static void fixture_stop(struct fixture *f)
{
	fake_region_fini(&f->region[0]);
	fake_region_fini(&f->region[1]);
}

static void buffers_are_exchanged(void **state)
{
	struct fixture f;
	struct netmap_ring *rx, *tx;
	uint32_t rx_buf, tx_buf;

	(void)state;
	fixture_start(&f, true, FAKE_BUF_SIZE);
	rx = fake_rx(&f.a);
	tx = fake_tx(&f.b);
	rx_buf = rx->slot[0].buf_idx;
	tx_buf = tx->slot[0].buf_idx;
	fake_receive(&f.a, 60, 1 << NS_PORT_SHIFT, 'p');
	rx->slot[0].ptr = 77;
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(tx->slot[0].buf_idx, rx_buf);
	assert_int_equal(rx->slot[0].buf_idx, tx_buf);
	assert_int_equal(tx->slot[0].len, 60);
	assert_int_equal(tx->slot[0].flags, NS_BUF_CHANGED);
	assert_int_equal(rx->slot[0].flags, NS_BUF_CHANGED);
	assert_true(tx->slot[0].ptr == 77);
	assert_int_equal(tx->head, 1);
	assert_int_equal(tx->cur, 1);
	assert_int_equal(rx->head, 1);
	assert_int_equal(f.path.packets, 1);
	assert_int_equal(f.path.bytes, 60);
	fixture_stop(&f);
}

static void packets_are_copied(void **state)
{
	struct fixture f;
	struct netmap_ring *tx;
	uint32_t tx_buf;

	(void)state;
	fixture_start(&f, false, FAKE_BUF_SIZE);
	tx = fake_tx(&f.b);
	tx_buf = tx->slot[0].buf_idx;
	fake_receive(&f.a, 100, NS_MOREFRAG | 2 << NS_PORT_SHIFT, 'p');
	fake_receive(&f.a, 50, 2 << NS_PORT_SHIFT, 'q');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(tx->slot[0].buf_idx, tx_buf);
	assert_int_equal(tx->slot[0].flags, NS_MOREFRAG);
	assert_int_equal(tx->slot[1].flags, 0);
	assert_int_equal(tx->slot[1].len, 50);
	assert_int_equal(NETMAP_BUF(tx, tx_buf)[99], 'p');
	assert_int_equal(NETMAP_BUF(tx, tx->slot[1].buf_idx)[0], 'q');
	assert_int_equal(f.path.packets, 1);
	assert_int_equal(f.path.bytes, 150);
	fixture_stop(&f);
}

static void copies_are_cut_for_smaller_buffers(void **state)
{
	struct fixture f;
	struct netmap_ring *tx;

	(void)state;
	fixture_start(&f, false, 1024);
	tx = fake_tx(&f.b);
	fake_receive(&f.a, 2048, 0, 'p');
	fake_receive(&f.a, 1025, 0, 'q');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(tx->head, 4);
	assert_int_equal(tx->slot[0].len, 1024);
	assert_int_equal(tx->slot[0].flags, NS_MOREFRAG);
	assert_int_equal(tx->slot[1].len, 1024);
	assert_int_equal(tx->slot[1].flags, 0);
	assert_int_equal(tx->slot[2].flags, NS_MOREFRAG);
	assert_int_equal(tx->slot[3].len, 1);
	assert_int_equal(tx->slot[3].flags, 0);
	fixture_stop(&f);
}

static void a_chain_without_its_end_stays(void **state)
{
	struct fixture f;
	struct netmap_ring *rx, *tx;

	(void)state;
	fixture_start(&f, true, FAKE_BUF_SIZE);
	rx = fake_rx(&f.a);
	tx = fake_tx(&f.b);
	fake_receive(&f.a, 60, 0, 'p');
	fake_receive(&f.a, 60, NS_MOREFRAG, 'q');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(tx->head, 1);
	assert_int_equal(rx->head, 1);
	assert_int_equal(rx->cur, rx->tail);
	fake_receive(&f.a, 60, 0, 'r');
	assert_int_equal(forward_path_run(&f.path, 1), FORWARD_IDLE);
	assert_int_equal(tx->head, 3);
	assert_int_equal(f.path.packets, 2);
	fixture_stop(&f);
}

static void a_chain_waits_for_all_its_room(void **state)
{
	struct fixture f;
	struct netmap_ring *rx, *tx;

	(void)state;
	fixture_start(&f, true, FAKE_BUF_SIZE);
	rx = fake_rx(&f.a);
	tx = fake_tx(&f.b);
	tx->tail = 2;
	fake_receive(&f.a, 60, NS_MOREFRAG, 'p');
	fake_receive(&f.a, 60, NS_MOREFRAG, 'p');
	fake_receive(&f.a, 60, 0, 'p');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_FULL);
	assert_int_equal(tx->head, 0);
	assert_int_equal(tx->cur, tx->tail);
	assert_int_equal(rx->head, 0);
	tx->tail = 3;
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(tx->head, 3);
	fixture_stop(&f);
}

static void the_burst_ends_a_turn(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, true, FAKE_BUF_SIZE);
	for (unsigned i = 0; i < 5; i++)
		fake_receive(&f.a, 60, 0, 'p');
	assert_int_equal(forward_path_run(&f.path, 2), FORWARD_MORE);
	assert_int_equal(f.path.packets, 2);
	assert_int_equal(forward_path_run(&f.path, 3), FORWARD_IDLE);
	assert_int_equal(f.path.packets, 5);
	fixture_stop(&f);
}

static void what_can_never_be_sent_is_dropped(void **state)
{
	struct fixture f;
	struct netmap_ring *rx;

	(void)state;
	/* Too many slots when cut. */
	fixture_start(&f, false, 256);
	fake_receive(&f.a, 2048, 0, 'p');
	fake_receive(&f.a, 60, 0, 'p');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(f.path.oversize, 1);
	assert_int_equal(f.path.packets, 1);
	fixture_stop(&f);
	/* A ring full of one packet without an end, and slots that are nonsense. */
	fixture_start(&f, true, FAKE_BUF_SIZE);
	rx = fake_rx(&f.a);
	for (unsigned i = 0; i < SLOTS - 1; i++)
		fake_receive(&f.a, 60, NS_MOREFRAG, 'p');
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(f.path.damaged, 1);
	assert_int_equal(rx->head, rx->tail);
	fake_receive(&f.a, 60, 0, 'p');
	rx->slot[SLOTS - 1].len = FAKE_BUF_SIZE + 1;
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(f.path.damaged, 2);
	fake_receive(&f.a, 60, 0, 'p');
	rx->slot[0].buf_idx = UINT32_MAX;
	assert_int_equal(forward_path_run(&f.path, 1024), FORWARD_IDLE);
	assert_int_equal(f.path.damaged, 3);
	assert_int_equal(f.path.packets, 0);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_are_exchanged),
		cmocka_unit_test(packets_are_copied),
		cmocka_unit_test(copies_are_cut_for_smaller_buffers),
		cmocka_unit_test(a_chain_without_its_end_stays),
		cmocka_unit_test(a_chain_waits_for_all_its_room),
		cmocka_unit_test(the_burst_ends_a_turn),
		cmocka_unit_test(what_can_never_be_sent_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
