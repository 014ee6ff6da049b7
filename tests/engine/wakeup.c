/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping and being woken: no wake-up is lost, whoever else is at the ring at that moment. A test that hangs
 * is a lost wake-up; the watchdog turns it into a failure.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "end.h"

#if defined(ENGINE_TSAN) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS		10000u
#else
#define ROUNDS		20000u
#endif
#define WATCHDOG	60u	/* seconds: a test takes about one */

static struct end e[4];

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

static pthread_t
run(void *(*f)(void *), void *arg)
{
	pthread_t t;

	check(pthread_create(&t, NULL, f, arg) == 0);
	return t;
}

static void
join(pthread_t t)
{
	check(pthread_join(t, NULL) == 0);
}

/* Takes one frame, sleeping until it is there. */
static uint32_t
take_one(struct end *end)
{
	struct netmap_ring *r = end_rx(end, 0);
	const struct netmap_slot *slot;
	int64_t seq;

	while (ring_space(r) == 0)
		check((inproc_poll(&end->fd, EV_IN, -1) & EV_ERR) == 0);
	slot = &r->slot[r->head];
	seq = frame_seq(ring_buf(r, slot->buf_idx), slot->len);
	check(seq >= 0);
	ring_move(r, ring_next(r, r->head));
	return (uint32_t)seq;
}

static void
give_one(struct end *end, uint32_t seq)
{
	struct netmap_ring *r = end_tx(end, 0);

	while (!ring_put(r, 60, MAC_ALL, mac(1), seq, 0))
		check((inproc_poll(&end->fd, EV_OUT, -1) & EV_ERR) == 0);
	check(inproc_ioctl(&end->fd, NIOCTXSYNC, NULL) == 0);
}

static void *
echo(void *arg)
{
	struct end *end = arg;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++)
		give_one(end, take_one(end));
	return NULL;
}

static void
ping_pong(const char *one, const char *other)
{
	pthread_t t;
	uint32_t i;

	end_open_slots(&e[0], one, 8);
	end_open_slots(&e[1], other, 8);
	t = run(echo, &e[1]);
	for (i = 0; i < ROUNDS; i++) {
		give_one(&e[0], i);
		assert_int_equal(take_one(&e[0]), i);
	}
	join(t);
	end_close(&e[0]);
	end_close(&e[1]);
}

static void
test_ping_pong_vale(void **state)
{
	ping_pong("vale0:a", "vale0:b");
}

static void
test_ping_pong_pipe(void **state)
{
	ping_pong("x{1", "x}1");
}

static void *
send_many(void *arg)
{
	uint32_t i;

	for (i = 0; i < 10 * ROUNDS; i++)
		give_one(arg, i);
	return NULL;
}

/* A pipe with room for one packet: both sides sleep all the time, the sender for room. */
static void
test_pipe_of_one(void **state)
{
	pthread_t t;
	uint32_t i;

	end_open_slots(&e[0], "x{1", 2);
	end_open_slots(&e[1], "x}1", 2);
	t = run(send_many, &e[0]);
	for (i = 0; i < 10 * ROUNDS; i++)
		assert_int_equal(take_one(&e[1]), i);
	/* The last room is given back too. */
	end_rxsync(&e[1]);
	join(t);
	end_close(&e[0]);
	end_close(&e[1]);
}

static uint32_t taken[2];

/*
 * Takes one frame from a ring that another thread takes from as well. Both see the same head: who wins the
 * slot moves it.
 */
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
take_shared(struct end *end, uint32_t *seq)
{
	struct netmap_ring *r = end_rx(end, 0);
	bool got = false;

	pthread_mutex_lock(&ring_lock);
	if (ring_space(r) > 0) {
		*seq = (uint32_t)frame_seq(ring_buf(r, r->slot[r->head].buf_idx), r->slot[r->head].len);
		ring_move(r, ring_next(r, r->head));
		got = true;
	}
	pthread_mutex_unlock(&ring_lock);
	return got;
}

struct waiter {
	struct end *end;
	uint32_t *taken;
};

#define STOP	0xffffffffu

static void *
wait_and_take(void *arg)
{
	struct waiter *w = arg;
	uint32_t seq = 0;

	while (seq != STOP) {
		check((inproc_poll(&w->end->fd, EV_IN, -1) & EV_ERR) == 0);
		while (take_shared(w->end, &seq) && seq != STOP)
			__atomic_add_fetch(w->taken, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Two threads wait on one descriptor, or on two of one ring: each frame wakes somebody who takes it. */
static void
two_waiters(struct end *first, struct end *second)
{
	struct waiter w[2] = { { first, &taken[0] }, { second, &taken[1] } };
	pthread_t t[2];
	uint32_t i;

	taken[0] = taken[1] = 0;
	for (i = 0; i < 2; i++)
		t[i] = run(wait_and_take, &w[i]);
	for (i = 0; i < ROUNDS; i++) {
		give_one(&e[0], i);
		while (__atomic_load_n(&taken[0], __ATOMIC_RELAXED) +
				__atomic_load_n(&taken[1], __ATOMIC_RELAXED) <=
			i)
			usleep(0);
	}
	/* One STOP a thread, each after the other was taken by somebody. */
	for (i = 0; i < 2; i++) {
		give_one(&e[0], STOP);
		usleep(20000);
	}
	join(t[0]);
	join(t[1]);
	assert_int_equal(taken[0] + taken[1], ROUNDS);
}

static void
test_two_threads_one_descriptor(void **state)
{
	end_open_slots(&e[0], "vale0:a", 8);
	end_open_slots(&e[1], "vale0:b", 8);
	two_waiters(&e[1], &e[1]);
	end_close(&e[0]);
	end_close(&e[1]);
}

static void
test_two_descriptors_one_ring(void **state)
{
	end_open_slots(&e[0], "x{1", 8);
	end_open_slots(&e[1], "x}1", 8);
	end_open(&e[2], "x}1");
	two_waiters(&e[1], &e[2]);
	end_close(&e[0]);
	end_close(&e[1]);
	end_close(&e[2]);
}

static volatile bool noise;

/* Holds the ring busy as much of the time as it can, without ever looking at what is there. */
static void *
sync_all_the_time(void *arg)
{
	struct end *end = arg;

	while (__atomic_load_n(&noise, __ATOMIC_RELAXED))
		check(inproc_ioctl(&end->fd, NIOCRXSYNC, NULL) == 0);
	return NULL;
}

/* Another thread syncs the ring that one waits on: to find it busy is not to find it empty. */
static void
test_busy_when_looked_at(void **state)
{
	pthread_t t, n;
	uint32_t i;

	end_open_slots(&e[0], "vale0:a", 8);
	end_open_slots(&e[1], "vale0:b", 8);
	noise = true;
	n = run(sync_all_the_time, &e[1]);
	t = run(echo, &e[1]);
	for (i = 0; i < ROUNDS; i++) {
		give_one(&e[0], i);
		assert_int_equal(take_one(&e[0]), i);
	}
	join(t);
	__atomic_store_n(&noise, false, __ATOMIC_RELAXED);
	join(n);
	end_close(&e[0]);
	end_close(&e[1]);
}

/*
 * The same in one thread: a packet comes after the ring's holder had its look, and the holder takes no other.
 */
static void
test_busy_holder_saw_nothing(void **state)
{
	struct kring *kr, *tx;

	end_open_slots(&e[0], "vale0:a", 8);
	end_open_slots(&e[1], "vale0:b", 8);
	kr = end_krx(&e[1], 0);
	store_relaxed(&kr->busy, ACTOR_MAX);
	assert_int_equal(inproc_poll(&e[1].fd, EV_IN, 0), 0);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	assert_int_equal(inproc_poll(&e[1].fd, EV_IN, 0), EV_IN);
	store_relaxed(&kr->busy, 0);
	end_expect(&e[1], 0, 60, 1);
	end_expect_none(&e[1]);
	store_relaxed(&kr->busy, ACTOR_MAX);
	assert_int_equal(inproc_poll(&e[1].fd, EV_IN, 0), 0);
	store_relaxed(&kr->busy, 0);
	end_close(&e[0]);
	end_close(&e[1]);

	/* Room in a pipe. */
	end_open_slots(&e[0], "x{1", 2);
	end_open_slots(&e[1], "x}1", 2);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	tx = end_ktx(&e[0], 0);
	store_relaxed(&tx->busy, ACTOR_MAX);
	assert_int_equal(inproc_poll(&e[0].fd, EV_OUT, 0), 0);
	end_expect(&e[1], 0, 60, 1);
	end_rxsync(&e[1]);
	assert_int_equal(inproc_poll(&e[0].fd, EV_OUT, 0), EV_OUT);
	store_relaxed(&tx->busy, 0);
	end_close(&e[0]);
	end_close(&e[1]);
}

/* Several sleepers on several rings of one switch: a broadcast wakes all of them. */
static void *
echo_from_all(void *arg)
{
	struct end *end = arg;
	uint32_t i;

	for (i = 0; i < ROUNDS / 4; i++) {
		check(take_one(end) == i);
		__atomic_add_fetch(&taken[0], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
test_broadcast_wakes_all(void **state)
{
	static const char *const name[] = { "vale0:a", "vale0:b", "vale0:c", "vale0:d" };
	pthread_t t[3];
	uint32_t i;

	taken[0] = 0;
	for (i = 0; i < 4; i++)
		end_open_slots(&e[i], name[i], 8);
	for (i = 0; i < 3; i++)
		t[i] = run(echo_from_all, &e[i + 1]);
	for (i = 0; i < ROUNDS / 4; i++) {
		give_one(&e[0], i);
		while (__atomic_load_n(&taken[0], __ATOMIC_RELAXED) < 3 * (i + 1))
			usleep(0);
	}
	for (i = 0; i < 3; i++)
		join(t[i]);
	for (i = 0; i < 4; i++)
		end_close(&e[i]);
}

/* A wake-up uses up the registration: who does not sleep costs nothing and gets no wake. */
static void
test_registration(void **state)
{
	struct actor *self = inproc_actor();
	struct kring *kr;

	end_open_slots(&e[0], "vale0:a", 8);
	end_open_slots(&e[1], "vale0:b", 8);
	kr = end_krx(&e[1], 0);
	store_relaxed(&self->wake, 0);
	binding_arm(inproc_root(), self, e[1].fd.binding, EV_IN);
	assert_true(kr->rx_waiters != 0);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	assert_int_equal(self->wake, 1);
	assert_true(kr->rx_waiters == 0);
	store_relaxed(&self->wake, 0);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	assert_int_equal(self->wake, 0);
	/* Disarmed: a waker finds nobody. */
	binding_arm(inproc_root(), self, e[1].fd.binding, EV_IN);
	binding_disarm(inproc_root(), self, e[1].fd.binding, EV_IN);
	end_send(&e[0], MAC_ALL, mac(1), 60, 1);
	assert_int_equal(self->wake, 0);
	end_close(&e[0]);
	end_close(&e[1]);
}

/* poll's limit holds, with and without somebody who wakes for nothing. */
static void
test_time_limit(void **state)
{
	end_open_slots(&e[0], "vale0:a", 8);
	assert_int_equal(inproc_poll(&e[0].fd, EV_IN, 1), 0);
	assert_int_equal(inproc_poll(&e[0].fd, EV_IN, 20), 0);
	end_close(&e[0]);
}

#define wakeup_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		wakeup_test(test_ping_pong_vale),
		wakeup_test(test_ping_pong_pipe),
		wakeup_test(test_pipe_of_one),
		wakeup_test(test_two_threads_one_descriptor),
		wakeup_test(test_two_descriptors_one_ring),
		wakeup_test(test_busy_when_looked_at),
		wakeup_test(test_busy_holder_saw_nothing),
		wakeup_test(test_broadcast_wakes_all),
		wakeup_test(test_registration),
		wakeup_test(test_time_limit),
	};

	return cmocka_run_group_tests_name("wake-up", tests, NULL, NULL);
}
