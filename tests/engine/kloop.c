/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sync loop: frames through ports in CSB mode, who wakes whom, idleness, and how loops end.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "csb_end.h"
#include "engine/kloop.h"

#define FRAMES	500u
#define PIECE	25u

static struct csb_end a, b;
static struct end plain;

struct send_job {
	struct csb_end *c;
	uint32_t ring, n;
	uint64_t dst;
};

static void *
sender(void *arg)
{
	const struct send_job *j = arg;

	csb_send(j->c, j->ring, j->n, 0, j->dst);
	return NULL;
}

/*
 * Frames from a to b and back, both in the loop. VALE drops what there is no room for: so in pieces, two of which fit, since the loop may not have seen
 * yet that the last one was released.
 */
static void
both_ways(void)
{
	for (uint32_t seq = 0; seq < FRAMES; seq += PIECE) {
		csb_send(&a, 0, PIECE, seq, MAC_ALL);
		csb_expect(&b, 0, PIECE, seq);
		csb_send(&b, 0, PIECE, seq, MAC_ALL);
		csb_expect(&a, 0, PIECE, seq);
	}
}

static void
stop_both(void)
{
	assert_int_equal(csb_stop(&a), 0);
	assert_int_equal(csb_stop(&b), 0);
	assert_int_equal(csb_join(&a), 0);
	assert_int_equal(csb_join(&b), 0);
	csb_close(&a);
	csb_close(&b);
}

static void
test_vale_timed(void **state)
{
	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	a.sleep_us = 0;
	csb_run(&a);
	csb_run(&b);
	both_ways();
	assert_int_equal(a.ktoa[0].kern_need_kick, 0);
	stop_both();
}

static void
vale_kicked(int mode)
{
	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	csb_eventfds(&a);
	csb_eventfds(&b);
	a.mode = b.mode = mode;
	csb_run(&a);
	csb_run(&b);
	both_ways();
	stop_both();
}

static void
test_vale_kicked(void **state)
{
	vale_kicked(-1);
}

static void
test_direct(void **state)
{
	for (int mode = 0; mode <= 3; mode++)
		vale_kicked(mode);
}

/* --- a switch that a worker forwards for --- */

#define TOKEN	4711u

static uint32_t work_ends;

static void
other_port(void *ctx, struct netmap_switch_packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i].dst_port = p[i].src_port == 0;
}

static const struct netmap_switch_module crossed = {
	.abi = NETMAP_SWITCH_ABI, .size = sizeof(crossed), .name = "crossed", .lookup = other_port,
};

static void *
worker(void *arg)
{
	while (load_acquire(&work_ends) == 0)
		if (!inproc_work_switches())
			usleep(100);
	inproc_thread_done();
	return NULL;
}

/* The loop hands over, and finds out that there is room again: from the worker, if it sleeps. */
static void
worker_forwards(bool eventfds)
{
	const struct kring *tx;
	uint32_t tail;
	pthread_t t;

	assert_int_equal(inproc_own("vale0", TOKEN), 0);
	assert_int_equal(inproc_module_set("vale0", TOKEN, &crossed), 0);
	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	if (eventfds) {
		csb_eventfds(&a);
		csb_eventfds(&b);
	}
	store_release(&work_ends, 0);
	assert_int_equal(pthread_create(&t, NULL, worker, NULL), 0);
	csb_run(&a);
	csb_run(&b);
	both_ways();
	/* More than the ring holds: what does not fit at the other end is dropped there. */
	tx = end_ktx(&a.e, 0);
	csb_send(&a, 0, 4 * tx->num_slots, FRAMES, MAC_ALL);
	for (int i = 0; i < 1000 && load_relaxed(&tx->own.packets) < FRAMES + 4 * tx->num_slots; i++)
		sleep_ms(1);
	assert_int_equal(load_relaxed(&tx->own.packets), FRAMES + 4 * tx->num_slots);
	for (int i = 0; i < 1000; i++, sleep_ms(1)) {
		uint32_t cur;

		csb_read(&a, 0, &cur, &tail);
		if (ring_next(end_tx(&a.e, 0), tail) == cur)
			break;
	}
	assert_int_equal(ring_next(end_tx(&a.e, 0), tail), a.atok[0].head);
	stop_both();
	store_release(&work_ends, 1);
	pthread_join(t, NULL);
	assert_int_equal(inproc_disown("vale0", TOKEN), 0);
}

static void
test_worker_timed(void **state)
{
	worker_forwards(false);
}

static void
test_worker_kicked(void **state)
{
	worker_forwards(true);
}

/* A pipe gives room back only when the receiver does: the sender waits for it through the loop. */
static void
pipe_through(bool eventfds)
{
	struct send_job job = { &a, 0, 4 * FRAMES, MAC_ALL };
	pthread_t t;

	csb_open(&a, "vale0:p{1", 1);
	csb_open(&b, "vale0:p}1", 1);
	if (eventfds) {
		csb_eventfds(&a);
		csb_eventfds(&b);
	}
	csb_run(&a);
	csb_run(&b);
	assert_int_equal(pthread_create(&t, NULL, sender, &job), 0);
	csb_expect(&b, 0, 4 * FRAMES, 0);
	pthread_join(t, NULL);
	stop_both();
}

static void
test_pipe(void **state)
{
	pipe_through(false);
	pipe_through(true);
}

static void
test_several_rings(void **state)
{
	uint32_t i;

	csb_open(&a, "vale0:a", 3);
	csb_open(&b, "vale0:b", 3);
	csb_eventfds(&a);
	csb_eventfds(&b);
	csb_run(&a);
	csb_run(&b);
	b.station = 2;
	/* The second teaches the switch: from ring i, to ring i. */
	csb_send(&b, 0, 1, 7, MAC_ALL);
	csb_expect(&a, 0, 1, 7);
	for (i = 0; i < 3; i++)
		csb_send(&a, i, 20, 100 * i, mac(2));
	for (i = 0; i < 3; i++)
		csb_expect(&b, i, 20, 100 * i);
	stop_both();
}

/* The other side calls for its syncs, and never hears of a CSB. */
static void
test_with_plain(void **state)
{
	uint32_t seq;

	csb_open(&a, "vale0:a", 1);
	end_open(&plain, "vale0:b");
	csb_eventfds(&a);
	csb_run(&a);
	for (seq = 0; seq < FRAMES; seq++) {
		end_send(&plain, MAC_ALL, mac(2), FRAME_MIN, seq);
		csb_expect(&a, 0, 1, seq);
		csb_send(&a, 0, 1, seq, MAC_ALL);
		assert_true((inproc_poll(&plain.fd, EV_IN, 10000) & EV_IN) != 0);
		end_expect(&plain, 0, FRAME_MIN, seq);
	}
	end_close(&plain);
	csb_close(&a);
}

/* What the program leaves in its rings is not looked at. */
static void
test_ring_words_unused(void **state)
{
	struct netmap_ring *tx, *rx;

	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	csb_run(&a);
	csb_run(&b);
	tx = end_tx(&a.e, 0);
	rx = end_rx(&b.e, 0);
	tx->head = tx->cur = tx->tail = 0x12345678;
	rx->head = rx->cur = rx->tail = 0x12345678;
	csb_send(&a, 0, 40, 0, MAC_ALL);
	csb_expect(&b, 0, 40, 0);
	assert_int_equal(tx->head, 0x12345678);
	assert_int_equal(tx->cur, 0x12345678);
	assert_int_equal(tx->tail, 0x12345678);
	assert_int_equal(rx->head, 0x12345678);
	assert_int_equal(rx->tail, 0x12345678);
	assert_int_equal(end_ktx(&a.e, 0)->own.bad_rings, 0);
	stop_both();
}

static void
test_bad_indexes(void **state)
{
	/* Of a ring that is at 3, all free: no slots, or cur behind head. */
	static const uint32_t bad[][2] = { { 64, 64 }, { UINT32_MAX, UINT32_MAX }, { 10, 64 }, { 10, 5 } };
	struct kring *kr;
	uint64_t seen;
	uint32_t i;

	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	kr = end_ktx(&a.e, 0);
	csb_eventfds(&a);
	csb_run(&a);
	csb_run(&b);
	csb_send(&a, 0, 3, 0, MAC_ALL);
	csb_expect(&b, 0, 3, 0);
	for (i = 0; i < 4; i++) {
		seen = load_relaxed(&kr->own.bad_rings);
		csb_write_cur(&a, 0, bad[i][0], bad[i][1]);
		while (load_relaxed(&kr->own.bad_rings) == seen)
			sleep_ms(1);
		assert_int_equal(a.ktoa[0].hwcur, 3);
	}
	csb_write(&a, 0, 3);
	csb_send(&a, 0, 3, 3, MAC_ALL);
	csb_expect(&b, 0, 3, 3);
	stop_both();
}

/* --- idleness --- */

/* Asleep: it wants to be kicked, and does nothing. */
static void
assert_idle(struct csb_end *c)
{
	uint64_t rounds;

	while (load_relaxed(&c->ktoa[0].kern_need_kick) == 0)
		sleep_ms(1);
	sleep_ms(20);
	rounds = csb_rounds(c, 0);
	sleep_ms(500);
	/* It looks by itself every 3 seconds, a few rounds. */
	assert_true(csb_rounds(c, 0) - rounds <= 2 * KLOOP_DRY_ROUNDS + 2);
}

static void
test_idle(void **state)
{
	uint64_t rounds;

	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	csb_eventfds(&a);
	b.sleep_us = 100000;
	csb_run(&a);
	csb_run(&b);
	assert_idle(&a);
	csb_send(&a, 0, 5, 0, MAC_ALL);
	csb_expect(&b, 0, 5, 0);
	assert_idle(&a);
	/* Also with frames that nobody takes, in a ring that is full, ... */
	csb_send(&b, 0, 50, 0, MAC_ALL);
	csb_send(&b, 0, 50, 50, MAC_ALL);
	assert_idle(&a);
	/* ... and with an index that is wrong. */
	csb_write(&a, 0, 1000);
	assert_idle(&a);
	/* The other one sleeps between rounds. */
	rounds = csb_rounds(&b, 0);
	sleep_ms(300);
	assert_true(csb_rounds(&b, 0) - rounds <= 4);
	stop_both();
}

static void
test_kicks_only_on_request(void **state)
{
	struct pollfd pfd;
	uint64_t count;

	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	csb_eventfds(&b);
	csb_run(&a);
	csb_run(&b);
	while (load_relaxed(&b.ktoa[1].kern_need_kick) == 0)
		sleep_ms(1);
	pfd = (struct pollfd){ .fd = b.irqfd[1], .events = POLLIN };
	if (poll(&pfd, 1, 0) == 1)
		assert_int_equal(read(b.irqfd[1], &count, sizeof(count)), sizeof(count));
	store_release(&b.atok[1].appl_need_kick, 0);
	csb_send(&a, 0, 1, 0, MAC_ALL);
	while (load_acquire(&b.ktoa[1].hwtail) == 0)
		sleep_ms(1);
	sleep_ms(20);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	store_release(&b.atok[1].appl_need_kick, 1);
	csb_send(&a, 0, 1, 1, MAC_ALL);
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	/* A counter that is full holds nobody up. */
	count = UINT64_MAX - 1;
	assert_int_equal(read(b.irqfd[1], &count, sizeof(count)), sizeof(count));
	count = UINT64_MAX - 1;
	assert_int_equal(write(b.irqfd[1], &count, sizeof(count)), sizeof(count));
	csb_send(&a, 0, 1, 2, MAC_ALL);
	while (load_acquire(&b.ktoa[1].hwtail) != 3)
		sleep_ms(1);
	stop_both();
}

/* --- ends --- */

static void
test_stop_asleep(void **state)
{
	for (int kicked = 0; kicked < 2; kicked++) {
		csb_open(&a, "vale0:a", 1);
		a.sleep_us = 1000000;
		if (kicked)
			csb_eventfds(&a);
		for (int i = 0; i < 20; i++) {
			csb_run(&a);
			sleep_ms((unsigned)i % 4);
			assert_int_equal(csb_stop(&a), 0);
			assert_false(csb_running(&a));
			assert_int_equal(csb_join(&a), 0);
		}
		csb_close(&a);
	}
}

static void
test_closed_while_running(void **state)
{
	csb_open(&a, "vale0:a", 1);
	csb_eventfds(&a);
	csb_run(&a);
	while (load_relaxed(&a.ktoa[0].kern_need_kick) == 0)
		sleep_ms(1);
	end_close(&a.e);
	assert_int_equal(csb_join(&a), -EBADF);
	/* Another one has its place, without a STOP that waits. */
	end_open(&plain, "vale0:a");
	assert_int_equal(plain.fd.binding->kloop, 0);
	end_close(&plain);
}

/* The program closes its own descriptors meanwhile, and others get the numbers. */
static void
test_descriptors_closed(void **state)
{
	int ioeventfd, irqfd;

	csb_open(&a, "vale0:a", 1);
	csb_open(&b, "vale0:b", 1);
	csb_eventfds(&a);
	csb_run(&a);
	csb_run(&b);
	ioeventfd = dup(a.ioeventfd[0]);
	irqfd = dup(a.irqfd[1]);
	assert_int_equal(dup2(0, a.ioeventfd[0]), a.ioeventfd[0]);
	assert_int_equal(dup2(0, a.irqfd[1]), a.irqfd[1]);
	close(a.ioeventfd[0]);
	close(a.irqfd[1]);
	a.ioeventfd[0] = ioeventfd;
	a.irqfd[1] = irqfd;
	csb_send(&a, 0, 10, 0, MAC_ALL);
	csb_expect(&b, 0, 10, 0);
	csb_send(&b, 0, 10, 0, MAC_ALL);
	csb_expect(&a, 0, 10, 0);
	stop_both();
}

/* The thread that runs the loop dies where it stands: somebody else can. */
static int
died(struct actor *self, struct inproc_fd *fd)
{
	struct kloop kl = { .root = inproc_root(), .self = self, .b = fd->binding };

	return kloop_begin(&kl);
}

static void
test_thread_dies(void **state)
{
	csb_open(&a, "vale0:a", 1);
	assert_int_equal(died(inproc_actor(), &a.e.fd), 0);
	assert_int_equal(csb_start(&a, NULL), -EBUSY);
	inproc_thread_die();
	assert_false(csb_running(&a));
	csb_run(&a);
	assert_true(csb_running(&a));
	csb_close(&a);
}

static void *
cancelled(void *arg)
{
	a.error = csb_start(&a, NULL);
	inproc_thread_done();
	pthread_testcancel();
	return NULL;
}

/* The call is no cancellation point: a cancelled thread goes on until the loop is stopped. */
static void
test_thread_cancelled(void **state)
{
	void *result;

	csb_open(&a, "vale0:a", 1);
	csb_eventfds(&a);
	a.error = 1;
	assert_int_equal(pthread_create(&a.thread, NULL, cancelled, NULL), 0);
	while (!csb_running(&a))
		sleep_ms(1);
	pthread_cancel(a.thread);
	csb_send(&a, 0, 10, 0, MAC_ALL);
	while (load_relaxed(&a.ktoa[0].hwcur) != 10)
		sleep_ms(1);
	assert_int_equal(csb_stop(&a), 0);
	pthread_join(a.thread, &result);
	assert_true(result == PTHREAD_CANCELED);
	csb_close(&a);
}

static int
setup(void **state)
{
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	return engine_setup(state);
}

#define loop_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(test_vale_timed),
		loop_test(test_vale_kicked),
		loop_test(test_direct),
		loop_test(test_worker_timed),
		loop_test(test_worker_kicked),
		loop_test(test_pipe),
		loop_test(test_several_rings),
		loop_test(test_with_plain),
		loop_test(test_ring_words_unused),
		loop_test(test_bad_indexes),
		loop_test(test_idle),
		loop_test(test_kicks_only_on_request),
		loop_test(test_stop_asleep),
		loop_test(test_closed_while_running),
		loop_test(test_descriptors_closed),
		loop_test(test_thread_dies),
		loop_test(test_thread_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
