/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads, and two processes after a fork, wait on one descriptor; every packet must wake both. A wake-up
 * that got lost shows as a wait that only the once-a-second look ends.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

/* Who missed a wake-up looks again a second later. Once, a busy machine may be that late as well. */
enum { ROUNDS = 10000, SLOW_MS = 900, SLOW_MAX = 1 };
enum way { ALONE, MIXED, EPOLL, WAYS };

static const char *const way_name[WAYS] = { "poll", "poll with a pipe", "epoll" };

struct shared {
	_Atomic int round;		/* that may be waited for */
	_Atomic int came, woken;	/* waiters, over all rounds */
	_Atomic int slow, slowest_ms;
	_Atomic int64_t fed;
};

static struct shared *s;
static struct test_port port;
static int pipe_fd[2], ep;

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* No yielding: with other work on the machine, each would cost a time slice. */
static void
until(_Atomic int *word, int value)
{
	const struct timespec t = { 0, 1000 };

	while (atomic_load(word) != value)
		nanosleep(&t, NULL);
}

static void
wait_once(enum way way)
{
	struct pollfd f[] = { { port.fd, POLLIN, 0 }, { pipe_fd[0], POLLIN, 0 } };
	struct epoll_event ev;

	if (way == EPOLL)
		CHECK(epoll_wait(ep, &ev, 1, -1) == 1 && ev.data.u32 == 77);
	else
		CHECK(poll(f, way == MIXED ? 2 : 1, -1) == 1 && f[0].revents == POLLIN);
}

static void
note_latency(int ms)
{
	int seen = atomic_load(&s->slowest_ms);

	while (ms > seen && !atomic_compare_exchange_weak(&s->slowest_ms, &seen, ms))
		;
	if (ms > SLOW_MS)
		atomic_fetch_add(&s->slow, 1);
}

static void *
waiter(void *arg)
{
	enum way way = *(enum way *)arg;

	for (int r = 0; r < ROUNDS; r++) {
		until(&s->round, r);
		atomic_fetch_add(&s->came, 1);
		wait_once(way);
		note_latency((int)(now_ms() - atomic_load(&s->fed)));
		atomic_fetch_add(&s->woken, 1);
	}
	return NULL;
}

static void
feed_all(void)
{
	for (int r = 0; r < ROUNDS; r++) {
		until(&s->came, 2 * (r + 1));
		/* Sometimes they sleep by now, sometimes not. */
		for (volatile int i = 0; i < r % 64 * 500; i++)
			;
		atomic_store(&s->fed, now_ms());
		port_feed(&port);
		until(&s->woken, 2 * (r + 1));
		CHECK(port_take(&port) == 1);
		atomic_store(&s->round, r + 1);
	}
}

static void
run(enum way way, int processes)
{
	pthread_t t[2];
	pid_t pid[2];
	int status;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 2; i++) {
		if (!processes) {
			CHECK(pthread_create(&t[i], NULL, waiter, &way) == 0);
			continue;
		}
		pid[i] = fork();
		if (pid[i] == 0) {
			alarm(2 * TEST_SECONDS);
			waiter(&way);
			_exit(0);
		}
	}
	feed_all();
	for (int i = 0; i < 2; i++) {
		if (processes)
			CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
		else
			CHECK(pthread_join(t[i], NULL) == 0);
	}
	printf("two %s, %s: %d rounds, the slowest took %d ms, %d were slow\n",
		processes ? "processes" : "threads", way_name[way], ROUNDS,
		atomic_load(&s->slowest_ms), atomic_load(&s->slow));
	fflush(stdout);
	CHECK(atomic_load(&s->slow) <= SLOW_MAX);
}

int
main(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 77 };

	alarm(2 * TEST_SECONDS);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(s != MAP_FAILED);
	CHECK(pipe(pipe_fd) == 0);
	port_open(&port);
	ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, port.fd, &ev) == 0);
	for (int way = 0; way < WAYS; way++) {
		run(way, 0);
		run(way, 1);
	}
	port_close(&port);
	return 0;
}
