/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Null ports: rings as asked for, also none, which lead nowhere; memory and buffers that stay as long as they do.
 */
#include <errno.h>
#include <string.h>

#include "end.h"

#define NULL_PORT(...)	(&(struct nmreq_register){ .nr_mode = NR_REG_NULL, __VA_ARGS__ })

static struct end port, n[2];

static uint32_t
list_length(const struct end *e)
{
	const char *bufs = (const char *)inproc_memory(&e->fd) + e->fd.binding->region->pool[POOL_BUF].offset;
	uint32_t idx = e->nifp->ni_bufs_head, count = 0;

	for (; idx != 0; count++)
		memcpy(&idx, bufs + (uint64_t)idx * e->fd.binding->region->pool[POOL_BUF].obj_size, sizeof(idx));
	return count;
}

static void
test_needs_memory(void **state)
{
	assert_int_equal(end_try(&n[0], "x", NULL_PORT(.nr_mem_id = 0)), -EINVAL);
	assert_int_equal(end_try(&n[0], "x", NULL_PORT(.nr_mem_id = 1)), -EINVAL);
	assert_int_equal(end_try(&n[0], "x", NULL_PORT(.nr_mem_id = 77)), -EINVAL);
	end_open(&port, "vale0:p");
	assert_int_equal(end_try(&n[0], "x", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_tx_rings = 257)), -EINVAL);
	assert_int_equal(end_try(&n[0], "x", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_rx_slots = 16385)), -EINVAL);
	end_close(&port);
}

/* No rings at all: memory and buffers, after the port that made them has gone. */
static void
test_no_rings(void **state)
{
	uint64_t used = inproc_memory_used();

	end_open(&port, "vale0:p");
	end_open_as(&n[0], "", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_extra_bufs = 100));
	assert_int_equal(n[0].reg.nr_tx_rings, 0);
	assert_int_equal(n[0].reg.nr_rx_rings, 0);
	assert_int_equal(n[0].reg.nr_tx_slots, 0);
	assert_int_equal(n[0].reg.nr_extra_bufs, 100);
	assert_int_equal(list_length(&n[0]), 100);
	assert_int_equal(inproc_ioctl(&n[0].fd, NIOCTXSYNC, NULL), 0);
	assert_int_equal(inproc_ioctl(&n[0].fd, NIOCRXSYNC, NULL), 0);
	assert_int_equal(inproc_poll(&n[0].fd, EV_IN | EV_OUT, 0), 0);
	end_close(&port);
	/* Held. Another one of that name is another port. */
	end_open_as(&n[1], "", NULL_PORT(.nr_mem_id = n[0].reg.nr_mem_id, .nr_extra_bufs = 10));
	assert_int_equal(n[1].reg.nr_extra_bufs, 10);
	end_close(&n[0]);
	assert_int_equal(list_length(&n[1]), 10);
	end_close(&n[1]);
	assert_true(inproc_memory_used() == used);
}

/* Rings that lead nowhere. */
static void
test_rings(void **state)
{
	uint64_t used;
	uint32_t i;

	end_open(&port, "vale0:p");
	used = inproc_memory_used();
	end_open_as(&n[0], "vale0:p", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_tx_rings = 3, .nr_rx_rings = 1, .nr_tx_slots = 5,
		.nr_rx_slots = 17));
	assert_int_equal(n[0].reg.nr_tx_rings, 3);
	assert_int_equal(n[0].reg.nr_rx_rings, 1);
	assert_int_equal(n[0].reg.nr_tx_slots, 5);
	assert_int_equal(n[0].reg.nr_rx_slots, 17);
	assert_int_equal(n[0].reg.nr_host_tx_rings, 0);
	for (i = 0; i < 4; i++)
		assert_true(ring_put(end_tx(&n[0], 2), 60, MAC_ALL, mac(1), i, 0));
	end_txsync(&n[0]);
	end_txsync(&n[0]);
	/* Never sent. */
	assert_int_equal(ring_space(end_tx(&n[0], 2)), 0);
	assert_int_equal(end_pending(&n[0], 0), 0);
	assert_int_equal(inproc_poll(&n[0].fd, EV_IN, 20), 0);
	assert_int_equal(end_ktx(&n[0], 2)->own.packets, 0);
	/* The name is nobody's: the switch has its own port of it, and no one can attach or monitor this one. */
	assert_int_equal(end_try(&n[1], "vale0:p", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC }), 0);
	assert_int_equal(n[1].reg.nr_mem_id, port.reg.nr_mem_id);
	end_close(&n[1]);
	end_close(&n[0]);
	end_open_as(&n[0], "other", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_tx_rings = 1));
	assert_int_equal(end_try(&n[1], "other", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_MONITOR_TX }),
		-ENXIO);
	end_close(&n[0]);
	assert_true(inproc_memory_used() == used);
	end_close(&port);
}

/* Rings without slots: nothing that a program writes there does harm. */
static void
test_no_slots(void **state)
{
	struct netmap_ring *tx;
	uint32_t slots;

	end_open(&port, "vale0:p");
	for (slots = 0; slots < 3; slots++) {
		end_open_as(&n[0], "x", NULL_PORT(.nr_mem_id = port.reg.nr_mem_id, .nr_tx_rings = 2, .nr_rx_rings = 2, .nr_tx_slots = slots,
			.nr_rx_slots = slots));
		assert_int_equal(n[0].reg.nr_tx_slots, slots);
		tx = end_tx(&n[0], 1);
		assert_int_equal(tx->num_slots, slots);
		assert_int_equal(tx->tail, slots > 0 ? slots - 1 : 0);
		tx->head = tx->cur = 5;
		end_rx(&n[0], 0)->head = 77;
		assert_int_equal(inproc_ioctl(&n[0].fd, NIOCTXSYNC, NULL), 0);
		assert_int_equal(inproc_ioctl(&n[0].fd, NIOCRXSYNC, NULL), 0);
		(void)inproc_poll(&n[0].fd, EV_IN | EV_OUT, 0);
		assert_int_equal(tx->head, 0);
		end_close(&n[0]);
	}
	end_close(&port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_needs_memory),
		engine_test(test_no_rings),
		engine_test(test_rings),
		engine_test(test_no_slots),
	};

	return cmocka_run_group_tests_name("null_port", tests, NULL, NULL);
}
