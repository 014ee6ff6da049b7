/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option for offsets: what is refused, what a ring gets and keeps, and what comes back. Frames between
 * ports with and without offsets are in offsets_vale.c and offsets_pipe.c.
 */
#include <errno.h>
#include <string.h>

#include "offsets_end.h"

#define BUF_SIZE	(end_tx(&probe, 0)->nr_buf_size)

static struct end probe;

/* --- what is refused --- */

static void
test_refused(void **state)
{
	const struct {
		uint64_t initial, max;
		uint32_t bits;
		int error;
	} rows[] = {
		{ 0, 0, 0, 0 },
		{ 0, 0, 64, 0 },
		{ 0, 0, 65, -EINVAL },
		{ 0, 0, 0xffffffff, -EINVAL },
		{ 64, 64, 0, 0 },
		{ 65, 64, 0, -EINVAL },
		{ UINT64_MAX, 64, 0, -EINVAL },
		{ 0, 2048, 0, 0 },
		{ 0, 4096, 0, -EINVAL },
		{ 0, UINT64_MAX, 0, -EINVAL },
		{ 0, UINT64_C(1) << 32, 0, -EINVAL },
		{ 255, 255, 8, 0 },
		{ 0, 256, 8, -EINVAL },
		{ 1, 1, 1, 0 },
		{ 0, 2, 1, -EINVAL },
		{ 0, 1024, 63, 0 },
	};
	static const char *const names[] = { "vale3:x", "vale3:x{1", "vale3:x}1" };
	unsigned i, k;

	for (k = 0; k < 3; k++)
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct nmreq_opt_offsets opt = { .nro_initial_offset = rows[i].initial,
				.nro_max_offset = rows[i].max,
				.nro_offset_bits = rows[i].bits,
				.nro_tx_align = 12345,
				.nro_min_gap = 3 };
			struct end e;

			end_open_bare(&e);
			assert_int_equal(offsets_register(&e, names[k], NULL, &opt), rows[i].error);
			assert_int_equal(opt.nro_opt.nro_status, -rows[i].error);
			assert_int_equal(opt.nro_max_offset, rows[i].max);
			assert_int_equal(opt.nro_initial_offset, rows[i].initial);
			assert_int_equal(opt.nro_offset_bits,
				rows[i].error == 0 && rows[i].bits == 0 ? 64 : rows[i].bits);
			/* Nothing is left of a failure: the descriptor can be used again. */
			if (rows[i].error != 0) {
				assert_int_equal(end_register(&e, names[k]), 0);
				assert_int_equal(end_tx(&e, 0)->offset_mask, 0);
			}
			end_close(&e);
		}
}

/* The whole of the buffer, and not a byte more. */
static void
test_limit(void **state)
{
	struct end e;
	uint32_t size;

	end_open(&probe, "vale0:a");
	size = BUF_SIZE;
	assert_int_equal(offsets_try(&e, "vale0:b", NULL, size, size, 0), 0);
	end_close(&e);
	assert_int_equal(offsets_try(&e, "vale0:b", NULL, 0, size + 1, 0), -EINVAL);
	end_close(&probe);
}

static void
test_monitors(void **state)
{
	const struct nmreq_register zcopy = { .nr_mode = NR_REG_ALL_NIC,
		.nr_flags = NR_MONITOR_RX | NR_ZCOPY_MON };
	const struct nmreq_register copy = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_MONITOR_RX };
	struct nmreq_opt_offsets opt = { .nro_initial_offset = 8, .nro_max_offset = 8 };
	struct end e, m;

	offsets_open(&e, "vale0:a", 64, 128, 16);
	end_open_bare(&m);
	assert_int_equal(offsets_register(&m, "vale0:a", &zcopy, &opt), -EOPNOTSUPP);
	assert_int_equal(opt.nro_opt.nro_status, EOPNOTSUPP);
	assert_int_equal(offsets_register(&m, "vale0:a", &copy, &opt), 0);
	assert_true(end_rx(&m, 0)->offset_mask == UINT64_MAX);
	assert_int_equal(slot_ofs(end_rx(&m, 0), 3), 8);
	end_close(&m);
	end_close(&e);
}

static void
test_null_port(void **state)
{
	struct nmreq_register want = { .nr_mode = NR_REG_NULL,
		.nr_tx_rings = 1,
		.nr_rx_rings = 2,
		.nr_tx_slots = 8,
		.nr_rx_slots = 16 };
	struct end e, n;

	end_open(&e, "vale0:a");
	want.nr_mem_id = e.reg.nr_mem_id;
	assert_int_equal(offsets_try(&n, "nothing", &want, 32, 64, 10), 0);
	assert_int_equal(end_tx(&n, 0)->offset_mask, 1023);
	assert_int_equal(slot_ofs(end_tx(&n, 0), 7), 32);
	assert_int_equal(end_rx(&n, 1)->offset_mask, 1023);
	assert_int_equal(slot_ofs(end_rx(&n, 1), 15), 32);
	end_close(&n);
	want.nr_tx_rings = want.nr_rx_rings = want.nr_tx_slots = want.nr_rx_slots = 0;
	assert_int_equal(offsets_try(&n, "nothing", &want, 32, 64, 10), 0);
	end_close(&n);
	end_close(&e);
}

/* --- what a ring gets --- */

static void
test_rings(void **state)
{
	struct nmreq_register want = { .nr_mode = NR_REG_ALL_NIC,
		.nr_tx_rings = 2,
		.nr_rx_rings = 2,
		.nr_tx_slots = 64,
		.nr_rx_slots = 64 };
	struct nmreq_opt_offsets opt = { .nro_initial_offset = 66, .nro_max_offset = 200 };
	struct end e;
	uint32_t i, k;

	end_open_bare(&e);
	assert_int_equal(offsets_register(&e, "vale0:a", &want, &opt), 0);
	assert_int_equal(opt.nro_offset_bits, 64);
	for (k = 0; k < 2; k++)
		for (i = 0; i < 64; i++) {
			assert_true(end_tx(&e, k)->offset_mask == UINT64_MAX &&
				end_rx(&e, k)->offset_mask == UINT64_MAX);
			assert_int_equal(end_tx(&e, k)->slot[i].ptr, 66);
			assert_int_equal(end_rx(&e, k)->slot[i].ptr, 66);
			assert_int_equal(end_tx(&e, k)->slot[i].len, end_tx(&e, k)->nr_buf_size);
		}
	end_close(&e);
}

/* Only the first user of a ring writes into its slots, and what he has is what others get, or they do not. */
static void
test_users(void **state)
{
	struct nmreq_opt_offsets opt = {
		.nro_initial_offset = 3, .nro_max_offset = 50, .nro_offset_bits = 8
	};
	struct end a, b;

	offsets_open(&a, "vale0:a", 64, 128, 16);
	end_tx(&a, 0)->slot[5].ptr = 99;
	/* Smaller wishes are met with what there is, */
	end_open_bare(&b);
	assert_int_equal(offsets_register(&b, "vale0:a", NULL, &opt), 0);
	assert_int_equal(opt.nro_max_offset, 50);
	assert_int_equal(opt.nro_offset_bits, 8);
	assert_int_equal(end_tx(&b, 0)->offset_mask, 0xffff);
	assert_int_equal(slot_ofs(end_tx(&b, 0), 4), 64);
	assert_int_equal(slot_ofs(end_tx(&b, 0), 5), 99);
	end_close(&b);
	/* equal ones too, larger ones are not, */
	assert_int_equal(offsets_try(&b, "vale0:a", NULL, 0, 128, 16), 0);
	end_close(&b);
	assert_int_equal(offsets_try(&b, "vale0:a", NULL, 0, 129, 16), -EBUSY);
	assert_int_equal(offsets_try(&b, "vale0:a", NULL, 0, 128, 17), -EBUSY);
	assert_int_equal(offsets_try(&b, "vale0:a", NULL, 0, 128, 0), -EBUSY);
	/* and none is no wish at all. */
	end_open(&b, "vale0:a");
	assert_int_equal(end_rx(&b, 0)->offset_mask, 0xffff);
	assert_int_equal(slot_ofs(end_tx(&b, 0), 5), 99);
	end_close(&b);
	end_close(&a);
	/* Nobody is told that there are offsets where he thought that there are none. */
	end_open(&a, "vale0:a");
	assert_int_equal(end_tx(&a, 0)->offset_mask, 0);
	assert_int_equal(offsets_try(&b, "vale0:a", NULL, 0, 0, 1), -EBUSY);
	end_close(&a);
}

static const struct nmreq_register ring_1 = { .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1 };

/* Each ring has its own; they end with its last user. What waited in the ring is found all the same. */
static void
test_again(void **state)
{
	const struct nmreq_register two = { .nr_mode = NR_REG_ONE_NIC,
		.nr_tx_rings = 2,
		.nr_rx_rings = 2,
		.nr_tx_slots = 64,
		.nr_rx_slots = 64 };
	static const struct {
		int bits;
		uint64_t initial, max, found;
	} rows[] = { { 16, 100, 200, 8 }, { 10, 0, 50, 50 }, { -1, 0, 0, 0 }, { 64, 30, 30, 0 },
		{ -1, 0, 0, 0 } };
	struct end hold, a, other;
	struct netmap_ring *r;
	unsigned i;

	end_open_as(&hold, "vale0:a", &two);
	end_open_as(
		&other, "vale0:b", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 2 });
	assert_int_equal(offsets_try(&a, "vale0:a", &ring_1, 8, 8, 64), 0);
	end_send(&hold, MAC_ALL, mac(1), 60, 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = end_rx(&a, 1);
		assert_true(ring_put(end_tx(&other, 1), 200, mac(1), mac(2), i, 0));
		end_txsync(&other);
		end_close(&a);
		/* With the ring closed nothing arrives. */
		assert_true(ring_put(end_tx(&other, 1), 60, mac(1), mac(2), 99, 0));
		end_txsync(&other);
		assert_int_equal(
			offsets_try(&a, "vale0:a", &ring_1, rows[i].initial, rows[i].max, rows[i].bits), 0);
		r = end_rx(&a, 1);
		assert_true(r->offset_mask ==
			(rows[i].bits < 0		     ? 0
					: rows[i].bits == 64 ? UINT64_MAX
							     : (UINT64_C(1) << rows[i].bits) - 1));
		end_rxsync(&a);
		assert_int_equal(ring_space(r), 1);
		assert_int_equal(r->slot[r->head].len, 200);
		assert_int_equal(slot_ofs(r, r->head), rows[i].found);
		assert_true(frame_is(slot_data(r, r->head), 200, i));
		ring_move(r, r->tail);
		end_rxsync(&a);
		assert_int_equal(slot_ofs(r, r->head), rows[i].initial);
	}
	end_close(&a);
	end_close(&other);
	end_close(&hold);
}

static void
test_second_ring_busy(void **state)
{
	const struct nmreq_register two = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 2, .nr_rx_rings = 2 };
	struct nmreq_opt_offsets opt = { .nro_max_offset = 64 };
	struct end a, b;

	/* Ring 1 stands in the way: ring 0 is as it was. */
	end_open_as(&a, "vale0:a",
		&(struct nmreq_register){
			.nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1, .nr_tx_rings = 2, .nr_rx_rings = 2 });
	end_open_bare(&b);
	assert_int_equal(offsets_register(&b, "vale0:a", &two, &opt), -EBUSY);
	assert_int_equal(opt.nro_opt.nro_status, EBUSY);
	end_close(&b);
	assert_int_equal(end_ktx(&a, 0)->offset_mask, 0);
	assert_int_equal(end_ktx(&a, 0)->uring->offset_mask, 0);
	end_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_refused),
		engine_test(test_limit),
		engine_test(test_monitors),
		engine_test(test_null_port),
		engine_test(test_rings),
		engine_test(test_users),
		engine_test(test_again),
		engine_test(test_second_ring_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
