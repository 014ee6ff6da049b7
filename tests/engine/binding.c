/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may be bound to which rings at the same time, which rings a registration selects, extra buffers, and
 * memory regions by id.
 */
#include <errno.h>
#include <string.h>

#include "end.h"

#define REG(...)	(&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, __VA_ARGS__ })
#define ONE(n, ...)	(&(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = (n), __VA_ARGS__ })

/* The rings told to the descriptor are tx [t0, t1) and rx [r0, r1); all others have offset 0. */
static void
selects(const struct end *e, uint32_t t0, uint32_t t1, uint32_t r0, uint32_t r1)
{
	uint32_t ntx = e->nifp->ni_tx_rings, nrx = e->nifp->ni_rx_rings, i;
	const struct binding *b = e->fd.binding;

	for (i = 0; i < ntx + 1; i++)
		assert_int_equal(e->nifp->ring_ofs[i] != 0, i >= t0 && i < t1);
	for (i = 0; i < nrx + 1; i++)
		assert_int_equal(e->nifp->ring_ofs[ntx + 1 + i] != 0, i >= r0 && i < r1);
	assert_int_equal(b->tx_last - b->tx_first, t1 - t0);
	assert_int_equal(b->rx_last - b->rx_first, r1 - r0);
	for (i = t0; i < t1; i++)
		assert_int_equal(end_tx(e, i)->ringid, i);
	for (i = r0; i < r1; i++)
		assert_int_equal(end_rx(e, i)->ringid, i);
}

static void
select_as(const char *name, const struct nmreq_register *want, uint32_t t0, uint32_t t1, uint32_t r0,
	uint32_t r1)
{
	struct end e;

	end_open_as(&e, name, want);
	selects(&e, t0, t1, r0, r1);
	end_close(&e);
}

static void
test_ring_selection(void **state)
{
	struct end all;

	end_open_as(&all, "vale0:a", REG(.nr_tx_rings = 3, .nr_rx_rings = 5));
	selects(&all, 0, 3, 0, 5);
	select_as("vale0:a", ONE(0), 0, 1, 0, 1);
	select_as("vale0:a", ONE(2), 2, 3, 2, 3);
	/* Valid in one direction: the other gets its first ring. */
	select_as("vale0:a", ONE(4), 0, 1, 4, 5);
	select_as("vale0:a", ONE(3, .nr_flags = NR_TX_RINGS_ONLY), 0, 1, 0, 0);
	select_as("vale0:a", ONE(1, .nr_flags = NR_TX_RINGS_ONLY), 1, 2, 0, 0);
	select_as("vale0:a", ONE(1, .nr_flags = NR_RX_RINGS_ONLY), 0, 0, 1, 2);
	select_as("vale0:a", REG(.nr_flags = NR_TX_RINGS_ONLY), 0, 3, 0, 0);
	select_as("vale0:a", REG(.nr_flags = NR_RX_RINGS_ONLY), 0, 0, 0, 5);
	select_as("vale0:a", REG(.nr_flags = NR_RX_RINGS_ONLY | NR_TX_RINGS_ONLY), 0, 0, 0, 0);
	end_close(&all);
	select_as("vale0:b", ONE(3, .nr_tx_rings = 4), 3, 4, 0, 1);
	select_as("x{1", ONE(1, .nr_tx_rings = 2, .nr_rx_rings = 2), 1, 2, 1, 2);
}

static void
test_syncs_without_rings(void **state)
{
	struct end e;

	end_open_bare(&e);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCTXSYNC, NULL), -ENXIO);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCRXSYNC, NULL), -ENXIO);
	assert_int_equal(inproc_poll(&e.fd, EV_IN, 0), EV_ERR);
	assert_int_equal(inproc_poll(&e.fd, 0, -1), EV_ERR);
	end_close(&e);
	end_open_as(&e, "vale0:a", REG(.nr_flags = NR_TX_RINGS_ONLY));
	assert_int_equal(inproc_ioctl(&e.fd, NIOCRXSYNC, NULL), 0);
	assert_int_equal(inproc_poll(&e.fd, EV_IN, 0), 0);
	end_close(&e);
	end_open_as(&e, "vale0:a", REG(.nr_flags = NR_RX_RINGS_ONLY));
	assert_int_equal(inproc_ioctl(&e.fd, NIOCTXSYNC, NULL), 0);
	assert_int_equal(inproc_poll(&e.fd, EV_OUT, 0), 0);
	end_close(&e);
}

/* Opening and closing a second descriptor does not disturb a ring, and both see the same. */
static void
test_shared_ring(void **state)
{
	struct end a, b, peer;
	uint32_t i;

	end_open_slots(&a, "vale0:a", 32);
	end_open_slots(&peer, "vale0:p", 32);
	for (i = 0; i < 5; i++)
		end_send(&peer, MAC_ALL, mac(1), 60, i);
	assert_int_equal(end_pending(&a, 0), 5);
	end_expect(&a, 0, 60, 0);
	end_open(&b, "vale0:a");
	assert_ptr_equal(end_rx(&a, 0), end_rx(&b, 0));
	assert_int_equal(end_rx(&b, 0)->head, 1);
	assert_int_equal(ring_space(end_rx(&b, 0)), 4);
	end_expect(&b, 0, 60, 1);
	end_expect(&a, 0, 60, 2);
	end_close(&a);
	end_expect(&b, 0, 60, 3);
	end_expect(&b, 0, 60, 4);
	end_send(&b, MAC_ALL, mac(2), 60, 9);
	end_expect(&peer, 0, 60, 9);
	end_close(&b);
	end_close(&peer);
}

static void
test_exclusive(void **state)
{
	const uint64_t x = NR_EXCLUSIVE;
	struct end all, one, two, e;

	end_open_as(&one, "vale0:a", ONE(1, .nr_tx_rings = 3, .nr_rx_rings = 3, .nr_flags = x));
	/* The rings of one are taken; others are not. */
	assert_int_equal(end_try(&e, "vale0:a", REG()), -EBUSY);
	assert_non_null(strstr(e.fd.why, "ring 1"));
	assert_int_equal(end_try(&e, "vale0:a", REG(.nr_flags = NR_RX_RINGS_ONLY)), -EBUSY);
	assert_int_equal(end_try(&e, "vale0:a", ONE(1)), -EBUSY);
	assert_int_equal(end_try(&e, "vale0:a", ONE(1, .nr_flags = x)), -EBUSY);
	end_open_as(&two, "vale0:a", ONE(2, .nr_flags = x));
	end_open_as(&e, "vale0:a", ONE(0));
	end_close(&e);
	end_close(&two);
	end_close(&one);

	end_open_as(&all, "vale0:a", REG(.nr_tx_rings = 2, .nr_rx_rings = 2, .nr_flags = NR_RX_RINGS_ONLY));
	/* RX rings have a user; TX rings are free. */
	assert_int_equal(end_try(&e, "vale0:a", REG(.nr_flags = x)), -EBUSY);
	end_open_as(&one, "vale0:a", ONE(0, .nr_flags = x | NR_TX_RINGS_ONLY));
	assert_int_equal(end_try(&e, "vale0:a", REG(.nr_flags = NR_TX_RINGS_ONLY)), -EBUSY);
	end_open_as(&two, "vale0:a", ONE(1, .nr_flags = NR_TX_RINGS_ONLY));
	end_close(&one);
	/* Given back. */
	end_open_as(&one, "vale0:a", REG());
	end_close(&one);
	end_close(&two);
	end_close(&all);
}

/* A refused registration takes none of its rings, not even those that were free. */
static void
test_all_or_nothing(void **state)
{
	struct end last, all, e;
	uint32_t i;

	end_open_as(&last, "vale0:a", ONE(3, .nr_tx_rings = 4, .nr_rx_rings = 4, .nr_flags = NR_EXCLUSIVE));
	assert_int_equal(end_try(&e, "vale0:a", REG(.nr_flags = NR_EXCLUSIVE)), -EBUSY);
	for (i = 0; i < 3; i++) {
		end_open_as(&e, "vale0:a", ONE(i, .nr_flags = NR_EXCLUSIVE));
		end_close(&e);
	}
	end_close(&last);
	end_open_as(&all, "vale0:a", REG(.nr_flags = NR_EXCLUSIVE));
	end_close(&all);
}

/*
 * Frames arrive only at rings that somebody is bound to; a ring keeps what arrived as long as its port lives.
 */
static void
test_open_rings_only(void **state)
{
	struct end tx_only, rx, peer, hold;

	end_open_as(&tx_only, "vale0:a", REG(.nr_flags = NR_TX_RINGS_ONLY));
	end_open(&peer, "vale0:p");
	end_send(&tx_only, MAC_ALL, mac(1), 60, 0);
	end_expect(&peer, 0, 60, 0);
	end_send(&peer, mac(1), mac(2), 60, 1);
	assert_drops(end_ktx(&peer, 0), DROP_FILTERED, 1);
	end_open_as(&rx, "vale0:a", REG(.nr_flags = NR_RX_RINGS_ONLY));
	end_send(&peer, mac(1), mac(2), 60, 2);
	end_close(&rx);
	end_send(&peer, mac(1), mac(2), 60, 3);
	end_open(&hold, "vale0:a");
	end_expect(&hold, 0, 60, 2);
	end_expect_none(&hold);
	end_close(&hold);
	end_close(&peer);
	end_close(&tx_only);
}

/* --- extra buffers --- */

/* Number of buffers on the list; marks them in `seen`. */
static uint32_t
extra_walk(const struct end *e, uint8_t *seen, uint32_t size)
{
	const struct netmap_ring *r = end_tx(e, 0);
	uint32_t idx = e->nifp->ni_bufs_head, n = 0;

	while (idx != 0) {
		assert_true(idx >= 2 && idx < size);
		assert_int_equal(seen[idx]++, 0);
		idx = *(uint32_t *)(void *)ring_buf(r, idx);
		n++;
	}
	return n;
}

static void
test_extra_buffers(void **state)
{
	static const uint32_t wanted[] = { 0, 1, 7, 1000, 5000 };
	static uint8_t seen[1 << 16];
	struct end e;
	uint32_t i, j;

	for (i = 0; i < 5; i++) {
		memset(seen, 0, sizeof(seen));
		end_open_as(
			&e, "vale0:a", REG(.nr_tx_slots = 64, .nr_rx_slots = 64, .nr_extra_bufs = wanted[i]));
		assert_int_equal(e.reg.nr_extra_bufs, wanted[i]);
		for (j = 0; j < 64; j++) {
			seen[end_tx(&e, 0)->slot[j].buf_idx]++;
			seen[end_rx(&e, 0)->slot[j].buf_idx]++;
		}
		assert_int_equal(extra_walk(&e, seen, sizeof(seen)), wanted[i]);
		end_close(&e);
	}
}

/* As many as there are, never an error. */
static void
test_extra_buffers_short(void **state)
{
	struct end a, b, c;
	uint32_t rest;

	end_open_as(&a, "vale0:a", REG(.nr_tx_slots = 16, .nr_rx_slots = 16));
	end_open_as(&b, "vale0:a", REG(.nr_extra_bufs = 0xffffffff));
	rest = b.reg.nr_extra_bufs;
	assert_true(rest > 0);
	end_open_as(&c, "vale0:a", REG(.nr_extra_bufs = 5));
	assert_int_equal(c.reg.nr_extra_bufs, 0);
	assert_int_equal(c.nifp->ni_bufs_head, 0);
	end_close(&c);
	end_close(&b);
	/* They came back. */
	end_open_as(&b, "vale0:a", REG(.nr_extra_bufs = 0xffffffff));
	assert_int_equal(b.reg.nr_extra_bufs, rest);
	/*
	 * One put into a ring instead of the buffer there: what is on the list at the end is what comes back.
	 */
	end_tx(&a, 0)->slot[3].buf_idx = b.nifp->ni_bufs_head;
	b.nifp->ni_bufs_head = *(uint32_t *)(void *)ring_buf(end_tx(&a, 0), b.nifp->ni_bufs_head);
	end_close(&b);
	end_open_as(&b, "vale0:a", REG(.nr_extra_bufs = 0xffffffff));
	assert_int_equal(b.reg.nr_extra_bufs, rest - 1);
	end_close(&b);
	end_close(&a);
}

static bool
extra_has(const struct end *e, const struct netmap_ring *r, uint32_t buf)
{
	uint32_t idx = e->nifp->ni_bufs_head;

	while (idx != 0 && idx != buf)
		idx = *(uint32_t *)(void *)ring_buf(r, idx);
	return idx != 0;
}

/*
 * A program has a buffer in its hand, between two slots: nobody else is given it, whatever comes and goes in
 * the region meanwhile.
 */
static void
test_buffer_in_hand(void **state)
{
	struct end a, b, c, m, s;
	uint32_t hand;

	end_open_slots(&a, "vale0:a", 16);
	end_open_as(&b, "vale0:b", REG(.nr_tx_slots = 16, .nr_rx_slots = 16, .nr_mem_id = a.reg.nr_mem_id));
	end_open_slots(&m, "vale0:b{1", 16);
	end_close(&b);
	/* The pipe alone holds the region now, and its descriptor has a buffer in hand. */
	end_close(&a);
	hand = end_tx(&m, 0)->slot[4].buf_idx;
	end_tx(&m, 0)->slot[4].buf_idx = end_tx(&m, 0)->slot[5].buf_idx;
	end_open_as(&c, "vale0:c", REG(.nr_tx_slots = 16, .nr_rx_slots = 16, .nr_mem_id = m.reg.nr_mem_id));
	end_close(&c);
	end_open(&s, "vale0:b}1");
	end_rx(&s, 0)->slot[4].buf_idx = end_rx(&s, 0)->slot[5].buf_idx;
	end_close(&s);
	end_open_as(&c, "vale0:c",
		REG(.nr_tx_slots = 16, .nr_rx_slots = 16, .nr_mem_id = m.reg.nr_mem_id,
			.nr_extra_bufs = 0xffffffff));
	assert_false(extra_has(&c, end_tx(&c, 0), hand));
	end_close(&c);
	end_close(&m);
}

/* A list that is wrong in every way frees no more than it names. */
static void
test_extra_list_hostile(void **state)
{
	static const uint32_t bad[] = { 0xffffffff, 1, 0x7fffffff, 1 << 24 };
	struct end a, b, e;
	uint32_t i, before;

	end_open_slots(&a, "vale0:a", 16);
	end_open_as(&b, "vale0:b", REG(.nr_tx_slots = 16, .nr_rx_slots = 16, .nr_mem_id = a.reg.nr_mem_id));
	for (i = 0; i < 6; i++) {
		end_open_as(&e, "vale0:a", REG(.nr_extra_bufs = 3));
		before = e.nifp->ni_bufs_head;
		if (i < 4)
			e.nifp->ni_bufs_head = bad[i];
		else if (i == 4)		/* a loop */
			*(uint32_t *)(void *)ring_buf(end_tx(&a, 0), before) = before;
		else				/* a buffer of another port's ring */
			*(uint32_t *)(void *)ring_buf(end_tx(&a, 0), before) = end_tx(&b, 0)->slot[0].buf_idx;
		end_close(&e);
	}
	/* No buffer of a ring was given away. */
	end_open_as(&e, "vale0:a", REG(.nr_extra_bufs = 0xffffffff));
	{
		static uint8_t seen[1 << 20];
		uint32_t j;

		memset(seen, 0, sizeof(seen));
		for (j = 0; j < 16; j++) {
			seen[end_tx(&a, 0)->slot[j].buf_idx]++;
			seen[end_rx(&a, 0)->slot[j].buf_idx]++;
			seen[end_tx(&b, 0)->slot[j].buf_idx]++;
			seen[end_rx(&b, 0)->slot[j].buf_idx]++;
		}
		assert_int_equal(extra_walk(&e, seen, sizeof(seen)), e.reg.nr_extra_bufs);
	}
	end_close(&e);
	end_close(&b);
	end_close(&a);
}

/* A buffer that another program used comes to the next one empty. */
static void
test_recycled_is_zeroed(void **state)
{
	struct end a, e;
	uint32_t idx, i;
	char *buf;

	end_open_slots(&a, "vale0:a", 16);
	end_open_as(&e, "vale0:a", REG(.nr_extra_bufs = 1));
	idx = e.nifp->ni_bufs_head;
	memset(ring_buf(end_tx(&a, 0), idx) + 4, 0x5a, 1000);
	end_close(&e);
	end_open_as(&e, "vale0:a", REG(.nr_extra_bufs = 1));
	buf = ring_buf(end_tx(&a, 0), e.nifp->ni_bufs_head);
	for (i = 0; i < 2048; i++)
		assert_int_equal(buf[i], 0);
	end_close(&e);
	end_close(&a);
}

/* --- memory ids --- */

static void
test_memory_ids(void **state)
{
	struct end a, b, c;

	end_open(&a, "vale0:a");
	end_open(&b, "vale0:b");
	assert_int_not_equal(a.reg.nr_mem_id, b.reg.nr_mem_id);
	/* Not honoured for a port that is there. */
	end_open_as(&c, "vale0:b", REG(.nr_mem_id = a.reg.nr_mem_id));
	assert_int_equal(c.reg.nr_mem_id, b.reg.nr_mem_id);
	end_close(&c);
	/* An id that nobody has is wrong all the same. */
	assert_int_equal(end_try(&c, "vale0:b", REG(.nr_mem_id = 54321)), -EINVAL);
	end_open_as(&c, "vale0:c", REG(.nr_mem_id = a.reg.nr_mem_id));
	assert_int_equal(c.reg.nr_mem_id, a.reg.nr_mem_id);
	end_close(&c);
	/* A pipe has its parent's, and a new parent the one asked for. */
	end_open_as(&c, "vale0:a{1", REG(.nr_mem_id = b.reg.nr_mem_id));
	assert_int_equal(c.reg.nr_mem_id, a.reg.nr_mem_id);
	end_close(&c);
	end_open_as(&c, "new{1", REG(.nr_mem_id = b.reg.nr_mem_id));
	assert_int_equal(c.reg.nr_mem_id, b.reg.nr_mem_id);
	end_close(&c);
	end_close(&b);
	assert_int_equal(end_try(&c, "vale0:c", REG(.nr_mem_id = b.reg.nr_mem_id)), -EINVAL);
	end_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_ring_selection),
		engine_test(test_syncs_without_rings),
		engine_test(test_shared_ring),
		engine_test(test_exclusive),
		engine_test(test_all_or_nothing),
		engine_test(test_open_rings_only),
		engine_test(test_extra_buffers),
		engine_test(test_extra_buffers_short),
		engine_test(test_buffer_in_hand),
		engine_test(test_extra_list_hostile),
		engine_test(test_recycled_is_zeroed),
		engine_test(test_memory_ids),
	};

	return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
