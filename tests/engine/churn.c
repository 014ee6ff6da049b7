/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports, switches, pipes and descriptors come and go while other threads send and receive around them.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "end.h"

#if defined(ENGINE_TSAN) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS		300u
#else
#define ROUNDS		2000u
#endif
#define WATCHDOG	100u

static struct end e[4];
static bool stop;
static uint32_t sent, got;

static int
setup(void **state)
{
	alarm(WATCHDOG);
	stop = false;
	sent = got = 0;
	return engine_setup(state);
}

/*
 * The control side looks at slots to find buffers that nobody refers to; programs write their slots without
 * asking anybody, as the API has it. The engine loads such words once and checks them.
 */
const char *__tsan_default_suppressions(void) __attribute__((visibility("default")));

const char *
__tsan_default_suppressions(void)
{
	return "race:region_sweep\nrace:kring_destroy\n";
}

#define churn_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

static bool
stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void
join_all(pthread_t *t, unsigned n)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	while (n-- > 0)
		check(pthread_join(t[n], NULL) == 0);
}

/* Broadcasts, and frames to addresses that come and go. */
static void *
send_to_all(void *arg)
{
	struct end *end = arg;
	uint64_t seed = 1;
	uint32_t i;

	while (!stopped()) {
		for (i = 0; i < 5; i++)
			/* No room: another descriptor's thread was at the ring when we synced. */
			if (ring_put(end_tx(end, 0), 60,
				    random_below(&seed, 2) ? MAC_ALL : mac(50 + random_below(&seed, 8)),
				    mac(1), sent, 0))
				sent++;
		check(inproc_ioctl(&end->fd, NIOCTXSYNC, NULL) == 0);
	}
	inproc_thread_done();
	return NULL;
}

static void *
receive_all(void *arg)
{
	struct end *end = arg;
	struct netmap_ring *r = end_rx(end, 0);

	while (!stopped()) {
		(void)inproc_poll(&end->fd, EV_IN, 1);
		while (ring_space(r) > 0) {
			const struct netmap_slot *slot = &r->slot[r->head];

			check(frame_seq(ring_buf(r, slot->buf_idx), slot->len) >= 0);
			ring_move(r, ring_next(r, r->head));
			__atomic_add_fetch(&got, 1, __ATOMIC_RELAXED);
		}
	}
	inproc_thread_done();
	return NULL;
}

static void
test_ports(void **state)
{
	char name[32];
	pthread_t t[2];
	uint32_t i;

	end_open_slots(&e[0], "vale0:a", 32);
	end_open_slots(&e[1], "vale0:b", 32);
	check(pthread_create(&t[0], NULL, send_to_all, &e[0]) == 0);
	check(pthread_create(&t[1], NULL, receive_all, &e[1]) == 0);
	while (__atomic_load_n(&got, __ATOMIC_RELAXED) == 0)
		usleep(100);
	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "vale0:n%u", i % 8);
		end_open_slots(&e[2], name, 16);
		end_send(&e[2], i % 2 ? MAC_ALL : mac(1), mac(50 + i % 8), 60, i);
		(void)end_flush(&e[2]);
		end_close(&e[2]);
	}
	join_all(t, 2);
	assert_true(got > 0);
	end_close(&e[0]);
	end_close(&e[1]);
}

/* Descriptors on the sender's own ring and on the receiver's. */
static void
test_descriptors(void **state)
{
	pthread_t t[2];
	uint32_t i;

	end_open_slots(&e[0], "vale0:a", 32);
	end_open_slots(&e[1], "vale0:b", 32);
	check(pthread_create(&t[0], NULL, send_to_all, &e[0]) == 0);
	check(pthread_create(&t[1], NULL, receive_all, &e[1]) == 0);
	while (__atomic_load_n(&got, __ATOMIC_RELAXED) == 0)
		usleep(100);
	for (i = 0; i < ROUNDS; i++) {
		end_open(&e[2], i % 2 ? "vale0:a" : "vale0:b");
		end_txsync(&e[2]);
		end_rxsync(&e[2]);
		assert_int_equal(inproc_poll(&e[2].fd, EV_IN | EV_OUT, 0) & EV_ERR, 0);
		end_close(&e[2]);
	}
	join_all(t, 2);
	assert_true(got > 0);
	end_close(&e[0]);
	end_close(&e[1]);
}

/* The other end of a pipe, over and over; nothing that goes through it is lost. */
static void *
pipe_send(void *arg)
{
	struct end *end = arg;

	while (!stopped()) {
		while (ring_put(end_tx(end, 0), 60, MAC_ALL, mac(1), sent, 0))
			sent++;
		(void)inproc_poll(&end->fd, EV_OUT, 1);
	}
	check(inproc_ioctl(&end->fd, NIOCTXSYNC, NULL) == 0);
	inproc_thread_done();
	return NULL;
}

static void
pipe_drain(struct end *end)
{
	struct netmap_ring *r = end_rx(end, 0);

	end_rxsync(end);
	while (r->head != r->tail) {
		const struct netmap_slot *slot = &r->slot[r->head];

		assert_int_equal(frame_seq(ring_buf(r, slot->buf_idx), slot->len), got++);
		ring_move(r, ring_next(r, r->head));
	}
	end_rxsync(end);
}

static void
test_pipe_end(void **state)
{
	pthread_t t[1];
	uint32_t i;

	end_open_slots(&e[0], "vale0:p{1", 16);
	check(pthread_create(&t[0], NULL, pipe_send, &e[0]) == 0);
	for (i = 0; i < ROUNDS; i++) {
		end_open(&e[1], "vale0:p}1");
		pipe_drain(&e[1]);
		if (i % 3 == 0) {
			end_open_slots(&e[2], "vale0:p{other", 16);
			end_close(&e[2]);
		}
		end_close(&e[1]);
	}
	join_all(t, 1);
	end_open(&e[1], "vale0:p}1");
	pipe_drain(&e[1]);
	end_txsync(&e[0]);
	pipe_drain(&e[1]);
	assert_int_equal(got, sent);
	assert_true(got > 0);
	end_close(&e[0]);
	end_close(&e[1]);
}

/* Threads with switches and pipes of their own: requests from several threads at once. */
static void *
make_and_drop(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct nmreq_register reg;
	struct inproc_fd fd[3];
	uint32_t i, j;

	for (i = 0; i < ROUNDS / 4; i++) {
		for (j = 0; j < 3; j++) {
			struct nmreq_header hdr = { .nr_version = NETMAP_API,
				.nr_reqtype = NETMAP_REQ_REGISTER,
				.nr_body = (uintptr_t)&reg };

			snprintf(hdr.nr_name, sizeof(hdr.nr_name), j < 2 ? "vale%u:p%u" : "vale%u:p%u{1",
				me % 2, me * 4 + j);
			memset(&reg, 0, sizeof(reg));
			reg.nr_mode = NR_REG_ALL_NIC;
			reg.nr_tx_slots = reg.nr_rx_slots = 8;
			check(inproc_open(&fd[j]) == 0);
			check(inproc_ioctl(&fd[j], NIOCCTRL, &hdr) == 0);
		}
		for (j = 0; j < 3; j++) {
			check(inproc_ioctl(&fd[j], NIOCTXSYNC, NULL) == 0);
			check(inproc_ioctl(&fd[j], NIOCRXSYNC, NULL) == 0);
			inproc_close(&fd[j]);
		}
	}
	inproc_thread_done();
	return NULL;
}

static void
test_requests(void **state)
{
	pthread_t t[4];
	uintptr_t i;

	for (i = 0; i < 4; i++)
		check(pthread_create(&t[i], NULL, make_and_drop, (void *)i) == 0);
	join_all(t, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		churn_test(test_ports),
		churn_test(test_descriptors),
		churn_test(test_pipe_end),
		churn_test(test_requests),
	};

	return cmocka_run_group_tests_name("churn", tests, NULL, NULL);
}
