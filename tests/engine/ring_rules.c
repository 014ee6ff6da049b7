/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of head, cur and tail: everything that breaks it leaves the ring as the engine knows it, is
 * counted, and is heard of by poll but not by the sync ioctls. And what the passes of poll do.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "end.h"

static struct end a, b;

static int
setup(void **state)
{
	int error = engine_setup(state);

	if (error != 0)
		return error;
	end_open_slots(&a, "vale0:a", 16);
	end_open_slots(&b, "vale0:b", 16);
	return 0;
}

static int
teardown(void **state)
{
	end_close(&a);
	end_close(&b);
	return engine_teardown(state);
}

#define rules_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

/* head and cur are good iff head is within [from, tail] and cur within [head, tail], circularly. */
static bool
allowed(uint32_t n, uint32_t from, uint32_t tail, uint32_t head, uint32_t cur)
{
	if (head >= n || cur >= n)
		return false;
	return (head + n - from) % n <= (tail + n - from) % n &&
		(cur + n - head) % n <= (tail + n - head) % n;
}

/* Every pair of values, on a ring that stands anywhere. `in` receives from `out`. */
static void
try_all(struct end *e, struct netmap_ring *r, const struct kring *kr, unsigned long cmd, unsigned events)
{
	static const uint32_t far[] = { 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0 };
	uint32_t from = r->head, tail = r->tail, n = r->num_slots, h, c;

	for (h = 0; h < n + 6; h++)
		for (c = 0; c < n + 6; c++) {
			uint32_t head = h < n + 2 ? h : far[h - n - 2], cur = c < n + 2 ? c : far[c - n - 2];
			uint64_t bad = kr->own.bad_rings;

			if (allowed(n, from, tail, head, cur))
				continue;
			r->head = head;
			r->cur = cur;
			if ((h + c) % 2 == 0)
				assert_int_equal(inproc_ioctl(&e->fd, cmd, NULL), 0);
			else
				assert_true((inproc_poll(&e->fd, events, 0) & EV_ERR) != 0);
			assert_int_equal(kr->own.bad_rings, bad + 1);
			assert_int_equal(r->head, from);
			assert_int_equal(r->cur, from);
			assert_int_equal(r->tail, tail);
		}
}

static void
test_bad_tx(void **state)
{
	uint32_t start, pending;

	for (start = 0; start < 16; start += 5)
		for (pending = 0; pending < 2; pending++) {
			while (end_tx(&a, 0)->head != start)
				end_send(&a, MAC_ALL, mac(1), 60, 1);
			end_flush(&b);
			try_all(&a, end_tx(&a, 0), end_ktx(&a, 0), NIOCTXSYNC, EV_OUT);
			/* Nothing went out, and the ring works. */
			end_expect_none(&b);
			end_send(&a, MAC_ALL, mac(1), 60, 7);
			end_expect(&b, 0, 60, 7);
		}
}

static void
test_bad_rx(void **state)
{
	static const uint32_t there[] = { 0, 1, 8, 15 };
	uint32_t i, j, seq = 0;

	for (i = 0; i < 4; i++) {
		for (j = 0; j < there[i]; j++)
			end_send(&a, MAC_ALL, mac(1), 60, seq + j);
		end_rxsync(&b);
		try_all(&b, end_rx(&b, 0), end_krx(&b, 0), NIOCRXSYNC, EV_IN);
		/* Still there, whole and in order. */
		for (j = 0; j < there[i]; j++)
			end_expect(&b, 0, 60, seq + j);
		end_expect_none(&b);
		seq += there[i] + 3;
		for (j = 0; j < 3; j++)
			end_send(&a, MAC_ALL, mac(1), 60, 0), end_flush(&b);
	}
}

/* A bad RX ring is restored, and synced all the same. */
static void
test_bad_rx_still_receives(void **state)
{
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rx(&b, 0)->head = 9;
	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), EV_IN | EV_ERR);
	end_expect(&b, 0, 60, 1);
}

/* poll of one direction does not judge the other. */
static void
test_bad_other_direction(void **state)
{
	end_rx(&b, 0)->head = 9;
	assert_int_equal(inproc_poll(&b.fd, EV_OUT, 0), EV_OUT);
	end_rx(&b, 0)->head = 0;
	/* But pending TX is looked at by default. */
	end_tx(&b, 0)->head = 99;
	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), EV_ERR);
	assert_int_equal(end_tx(&b, 0)->head, 0);
}

static void
test_tail_altered(void **state)
{
	static const uint32_t bad[] = { 0, 7, 15, 16, 0xffffffff };
	uint32_t i, tail;

	for (i = 0; i < 5; i++) {
		tail = end_tx(&a, 0)->tail;
		end_tx(&a, 0)->tail = bad[i];
		end_txsync(&a);
		assert_int_equal(end_tx(&a, 0)->tail, tail);
		end_send(&a, MAC_ALL, mac(1), 60, i);
		end_rxsync(&b);
		tail = end_rx(&b, 0)->tail;
		end_rx(&b, 0)->tail = bad[i];
		end_rxsync(&b);
		assert_int_equal(end_rx(&b, 0)->tail, tail);
	}
	assert_int_equal(end_ktx(&a, 0)->own.bad_rings + end_krx(&b, 0)->own.bad_rings, 0);
	for (i = 0; i < 5; i++)
		end_expect(&b, 0, 60, i);
}

/* The constants of a ring are the engine's own: changing them changes nothing. */
static void
test_header_altered(void **state)
{
	struct netmap_ring *r = end_tx(&a, 0);
	uint32_t size = r->nr_buf_size;

	assert_true(ring_put(r, 60, MAC_ALL, mac(1), 1, 0));
	r->num_slots = 100000;
	r->nr_buf_size = 1u << 30;
	r->ringid = 77;
	r->dir = 0;
	end_txsync(&a);
	r->num_slots = 16;
	r->nr_buf_size = size;
	end_expect(&b, 0, 60, 1);
	memset((void *)(uintptr_t)&r->buf_ofs, 0xff, sizeof(r->buf_ofs));
	end_txsync(&a);
}

/* At most one line a second, and it names port, ring and rule. */
static void
test_logged(void **state)
{
	unsigned lines = inproc_log_lines(), i;

	for (i = 0; i < 1000; i++) {
		end_tx(&a, 0)->head = 16;
		end_txsync(&a);
	}
	assert_true(inproc_log_lines() - lines >= 1 && inproc_log_lines() - lines <= 3);
	assert_non_null(strstr(inproc_log_last(), "vale0:a"));
	assert_non_null(strstr(inproc_log_last(), "tx ring 0"));
	lines = inproc_log_lines();
	inproc_clock_advance(5);
	end_tx(&a, 0)->head = 16;
	end_txsync(&a);
	assert_int_equal(inproc_log_lines(), lines + 1);
	assert_int_equal(end_ktx(&a, 0)->own.bad_rings, 1001);
}

/* One bad ring of several: the others are synced. */
static void
test_bad_one_of_many(void **state)
{
	struct end m;
	uint32_t i;

	end_open_as(&m, "vale0:m",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 3, .nr_rx_rings = 3 });
	for (i = 0; i < 3; i++)
		assert_true(ring_put(end_tx(&m, i), 60, MAC_ALL, mac(1), i, 0));
	end_tx(&m, 1)->head = 5000;
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0) & EV_ERR, EV_ERR);
	end_txsync(&m);
	end_expect(&b, 0, 60, 0);
	end_expect(&b, 0, 60, 2);
	end_expect_none(&b);
	end_close(&m);
}

/* --- poll --- */

static void
test_poll_flushes_tx(void **state)
{
	struct end quiet;

	/* By default poll sends what is pending, whatever it is asked for. */
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 1, 0));
	assert_int_equal(inproc_poll(&a.fd, EV_IN, 0), 0);
	end_expect(&b, 0, 60, 1);
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 2, 0));
	assert_int_equal(inproc_poll(&a.fd, 0, 0), 0);
	end_expect(&b, 0, 60, 2);
	/* With NR_NO_TX_POLL only if asked for POLLOUT. */
	end_open_as(&quiet, "vale0:q",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_NO_TX_POLL });
	assert_true(ring_put(end_tx(&quiet, 0), 60, MAC_ALL, mac(3), 3, 0));
	assert_int_equal(inproc_poll(&quiet.fd, EV_IN, 0), 0);
	end_expect_none(&b);
	assert_int_equal(inproc_poll(&quiet.fd, EV_OUT, 0), EV_OUT);
	end_expect(&b, 0, 60, 3);
	end_close(&quiet);
}

static void
test_poll_rx(void **state)
{
	struct end eager;

	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), 0);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	/* Not looked at unless asked for ... */
	assert_int_equal(inproc_poll(&b.fd, EV_OUT, 0), EV_OUT);
	assert_int_equal(ring_space(end_rx(&b, 0)), 0);
	assert_int_equal(inproc_poll(&b.fd, EV_IN | EV_OUT, 0), EV_IN | EV_OUT);
	assert_int_equal(ring_space(end_rx(&b, 0)), 1);
	/* ... or with NR_DO_RX_POLL, which does not make it an event. */
	end_open_as(&eager, "vale0:e",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_DO_RX_POLL });
	end_send(&a, MAC_ALL, mac(1), 60, 2);
	assert_int_equal(inproc_poll(&eager.fd, EV_OUT, 0), EV_OUT);
	assert_int_equal(ring_space(end_rx(&eager, 0)), 1);
	assert_int_equal(inproc_poll(&eager.fd, 0, 0), 0);
	end_close(&eager);
}

/* poll looks at cur, not at head: a program may leave packets where they are and wait for more. */
static void
test_poll_by_cur(void **state)
{
	struct netmap_ring *r = end_rx(&b, 0);

	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_send(&a, MAC_ALL, mac(1), 60, 2);
	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), EV_IN);
	r->cur = r->tail;
	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), 0);
	assert_int_equal(r->head, 0);
	end_send(&a, MAC_ALL, mac(1), 60, 3);
	assert_int_equal(inproc_poll(&b.fd, EV_IN, 0), EV_IN);
	assert_int_equal(ring_space(r), 3);
	end_expect(&b, 0, 60, 1);
	end_expect(&b, 0, 60, 2);
	end_expect(&b, 0, 60, 3);
}

/* "More than what is there", on a pipe's TX ring. */
static void
test_poll_tx_by_cur(void **state)
{
	struct end m, s;

	end_open_slots(&m, "x{1", 16);
	end_open(&s, "x}1");
	end_tx(&m, 0)->cur = end_tx(&m, 0)->tail;
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0), 0);
	end_tx(&m, 0)->cur = 0;
	end_send(&m, MAC_ALL, mac(1), 60, 1);
	end_tx(&m, 0)->cur = end_tx(&m, 0)->tail;
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0), 0);
	end_expect(&s, 0, 60, 1);
	end_rxsync(&s);
	assert_int_equal(inproc_poll(&m.fd, EV_OUT, 0), EV_OUT);
	end_close(&m);
	end_close(&s);
}

static void
test_timestamps(void **state)
{
	struct netmap_ring *r = end_rx(&b, 0);
	time_t now = time(NULL);
	struct timeval ts;

	end_rxsync(&b);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rxsync(&b);
	assert_true(r->ts.tv_sec >= now && r->ts.tv_sec <= now + 60);
	assert_true(r->ts.tv_usec >= 0 && r->ts.tv_usec < 1000000);
	assert_true(end_tx(&a, 0)->ts.tv_sec == 0);
	/* Switched off, but for rings that ask. */
	inproc_root()->no_timestamp = 1;
	ts = r->ts;
	memset(&r->ts, 0, sizeof(r->ts));
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rxsync(&b);
	assert_true(r->ts.tv_sec == 0);
	r->flags = NR_TIMESTAMP;
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rxsync(&b);
	assert_true(r->ts.tv_sec >= ts.tv_sec);
}

/* The scratch area is the program's. */
static void
test_scratch_area(void **state)
{
	uint32_t i;

	memset(end_tx(&a, 0)->sem, 0x11, sizeof(end_tx(&a, 0)->sem));
	memset(end_rx(&b, 0)->sem, 0x22, sizeof(end_rx(&b, 0)->sem));
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rx(&b, 0)->head = 99;
	end_rxsync(&b);
	for (i = 0; i < 128; i++) {
		assert_int_equal(end_tx(&a, 0)->sem[i], 0x11);
		assert_int_equal(end_rx(&b, 0)->sem[i], 0x22);
	}
}

/* A ring that another thread is syncing is skipped, without an error. */
static void
test_busy_ring(void **state)
{
	struct kring *kr = end_ktx(&a, 0);

	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 1, 0));
	store_relaxed(&kr->busy, ACTOR_MAX);
	end_txsync(&a);
	assert_int_equal(inproc_poll(&a.fd, EV_IN, 0), 0);
	end_expect_none(&b);
	store_relaxed(&kr->busy, 0);
	end_txsync(&a);
	end_expect(&b, 0, 60, 1);
}

/* Rings of a port that goes away: EIO after the others were synced, POLLERR. */
static void
test_stopped_ring(void **state)
{
	store_relaxed(&end_ktx(&a, 0)->stopped, 1);
	assert_int_equal(inproc_ioctl(&a.fd, NIOCTXSYNC, NULL), -EIO);
	assert_int_equal(inproc_ioctl(&a.fd, NIOCRXSYNC, NULL), 0);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0) & EV_ERR, EV_ERR);
	store_relaxed(&end_krx(&a, 0)->stopped, 1);
	assert_int_equal(inproc_ioctl(&a.fd, NIOCRXSYNC, NULL), -EIO);
	assert_int_equal(inproc_poll(&a.fd, EV_IN, 0) & EV_ERR, EV_ERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		rules_test(test_bad_tx),
		rules_test(test_bad_rx),
		rules_test(test_bad_rx_still_receives),
		rules_test(test_bad_other_direction),
		rules_test(test_tail_altered),
		rules_test(test_header_altered),
		rules_test(test_logged),
		rules_test(test_bad_one_of_many),
		rules_test(test_poll_flushes_tx),
		rules_test(test_poll_rx),
		rules_test(test_poll_by_cur),
		rules_test(test_poll_tx_by_cur),
		rules_test(test_timestamps),
		rules_test(test_scratch_area),
		rules_test(test_busy_ring),
		rules_test(test_stopped_ring),
	};

	return cmocka_run_group_tests_name("ring rules", tests, NULL, NULL);
}
