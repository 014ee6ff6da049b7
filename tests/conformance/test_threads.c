/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads, or processes after a fork, on one descriptor: syncs side by side, and no wake-up lost. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"
#include "../sanitizer.h"

#define ROUNDS		10000
#define WAKE_MS		10000		/* a wake-up that takes so long is lost */

static void
thread_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	check_eq(pthread_create(t, NULL, fn, arg), 0);
}

/* --- two waiters --- */

enum kind {
	ALONE,			/* the descriptor is all that a waiter watches */
	AMONG_OTHERS,		/* there is a pipe as well, which stays silent */
	KINDS
};

/* Shared by everybody who takes part. */
struct meeting {
	pthread_barrier_t barrier;	/* sender, and both waiters */
	pthread_mutex_t lock;
	_Atomic unsigned over;
	_Atomic uint64_t taken;
};

struct waiter {
	struct meeting *m;
	struct port *port;
	int silent;
	enum kind kind;
	bool both;			/* each round wakes both; else one of them suffices */
};

static struct meeting *
meeting_make(void)
{
	struct meeting *m = shared_memory(sizeof(*m));
	pthread_barrierattr_t ba;
	pthread_mutexattr_t ma;

	pthread_barrierattr_init(&ba);
	pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&m->barrier, &ba, 3);
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&m->lock, &ma);
	return m;
}

static void
waiter_sleep(const struct waiter *w)
{
	struct pollfd pfd[2] = { { .fd = w->port->fd, .events = POLLIN }, { .fd = w->silent,
		.events = POLLIN } };
	int n = poll_any(pfd, w->kind == ALONE ? 1 : 2, WAKE_MS);

	if (n == 0)
		check_failed(__FILE__, __LINE__, "a wake-up was lost");
	check_eq(n, 1);
	check_eq(pfd[0].revents, POLLIN);
}

/* Both see each frame before anybody takes it: neither may miss it, whatever the other does. */
static void
waiter_both(const struct waiter *w)
{
	uint8_t in[FRAME_ROOM];

	for (unsigned i = 0; i < ROUNDS; i++) {
		waiter_sleep(w);
		/* One of the two takes the frame; the sender sends the next. */
		if (pthread_barrier_wait(&w->m->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			w->m->taken = i;
		pthread_mutex_lock(&w->m->lock);
		if (port_take(w->port, in) > 0) {
			check_eq(frame_number(in), i);
			port_rxsync(w->port);
		}
		pthread_mutex_unlock(&w->m->lock);
		pthread_barrier_wait(&w->m->barrier);
	}
}

/*
 * Who comes first takes it. The other may see it as well, or find nothing and go on waiting. The last frame
 * is for both, and stays.
 */
static void
waiter_any(const struct waiter *w)
{
	uint8_t in[FRAME_ROOM];

	for (;;) {
		waiter_sleep(w);
		pthread_mutex_lock(&w->m->lock);
		if (w->m->over) {
			pthread_mutex_unlock(&w->m->lock);
			return;
		}
		if (port_take(w->port, in) > 0) {
			check_eq(frame_number(in), w->m->taken);
			port_rxsync(w->port);
			w->m->taken++;
		}
		pthread_mutex_unlock(&w->m->lock);
	}
}

static void *
waiter_run(void *arg)
{
	const struct waiter *w = arg;

	if (w->both)
		waiter_both(w);
	else
		waiter_any(w);
	return NULL;
}

static void
waiter_process(void *arg)
{
	waiter_run(arg);
}

/*
 * The sending side of a meeting, with its own port. Now and then it lets the waiters fall asleep, and mostly
 * not: they are about to.
 */
static void
meeting_send(struct meeting *m, struct port *a, bool both)
{
	static const struct timespec pause = { .tv_nsec = 50000 };
	uint8_t frame[FRAME_MIN];

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t end;

		if (i % 8 == 0)
			nanosleep(&pause, NULL);
		frame_make(frame, sizeof(frame), 0xff, 1, i);
		port_send(a, frame, sizeof(frame));
		if (both) {
			pthread_barrier_wait(&m->barrier);
			pthread_barrier_wait(&m->barrier);
			continue;
		}
		end = now_ms() + WAKE_MS;
		for (unsigned spins = 0; m->taken <= i; spins++) {
			if (spins > 1000)
				sched_yield();
			if (spins % 4096 == 0 && now_ms() > end)
				check_failed(__FILE__, __LINE__, "frame %llu: a wake-up was lost",
					(unsigned long long)i);
		}
	}
	m->over = 1;
	frame_make(frame, sizeof(frame), 0xff, 1, ROUNDS);
	port_send(a, frame, sizeof(frame));
}

/* The two waiters are threads, or processes. */
static void
meet(enum kind kind, bool both, bool processes)
{
	struct meeting *m = meeting_make();
	struct port a, b;
	struct waiter w = { m, &b, -1, kind, both };
	pthread_t t[2];
	pid_t pid[2];
	int fds[2];

	check_ok(pipe(fds));
	w.silent = fds[0];
	port_open_two(&a, &b);
	for (int i = 0; i < 2; i++) {
		if (processes)
			pid[i] = spawn(waiter_process, &w);
		else
			thread_start(&t[i], waiter_run, &w);
	}
	meeting_send(m, &a, both);
	for (int i = 0; i < 2; i++) {
		if (processes)
			join(pid[i]);
		else
			pthread_join(t[i], NULL);
	}
}

static void threads_both(void) { meet(ALONE, true, false); }
static void threads_both_mixed(void) { meet(AMONG_OTHERS, true, false); }
static void threads_any(void) { meet(ALONE, false, false); }
static void threads_any_mixed(void) { meet(AMONG_OTHERS, false, false); }
static void processes_both(void) { meet(ALONE, true, true); }
static void processes_both_mixed(void) { meet(AMONG_OTHERS, true, true); }
static void processes_any(void) { meet(ALONE, false, true); }
static void processes_any_mixed(void) { meet(AMONG_OTHERS, false, true); }

/* --- two threads on one ring --- */

#define FRAMES	200000

struct pair {
	struct port tx, rx;
	pthread_mutex_t lock;
	uint64_t sent, received;
};

static void *
pair_send(void *arg)
{
	struct pair *p = arg;
	uint8_t frame[FRAME_MIN];
	bool full, over;

	do {
		pthread_mutex_lock(&p->lock);
		full = false;
		for (int i = 0; i < 50 && p->sent < FRAMES && !full; i++) {
			frame_make(frame, sizeof(frame), 2, 1, p->sent);
			full = !port_put(&p->tx, frame, sizeof(frame));
			p->sent += !full;
		}
		over = p->sent == FRAMES;
		pthread_mutex_unlock(&p->lock);
		/* Side by side with the other thread's: one of the two may find the ring taken. */
		if (full)
			check((port_poll(&p->tx, POLLOUT, 100) & POLLERR) == 0);
		else
			port_txsync(&p->tx);
	} while (!over);
	return NULL;
}

static void *
pair_receive(void *arg)
{
	struct pair *p = arg;
	uint8_t in[FRAME_ROOM];
	bool over;

	do {
		check((port_poll(&p->rx, POLLIN, 100) & POLLERR) == 0);
		pthread_mutex_lock(&p->lock);
		for (int i = 0; i < 50 && port_take(&p->rx, in) > 0; i++) {
			check_eq(frame_number(in), p->received);
			check(frame_good(in, FRAME_MIN));
			p->received++;
		}
		over = p->received == FRAMES;
		pthread_mutex_unlock(&p->lock);
		port_rxsync(&p->rx);
		port_txsync(&p->tx);
	} while (!over);
	return NULL;
}

static void
pipe_pair(struct pair *p)
{
	port_open_pipe(&p->tx, &p->rx, 256);
	pthread_mutex_init(&p->lock, NULL);
}

/* Two threads fill one tx ring, two empty one rx ring. */
static void
one_ring(void)
{
	static struct pair p;
	pthread_t t[4];

	pipe_pair(&p);
	for (int i = 0; i < 4; i++)
		thread_start(&t[i], i < 2 ? pair_send : pair_receive, &p);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	check_eq(p.received, FRAMES);
}

/* --- threads that open and close while others work --- */

static _Atomic bool churn_over;

static void *
churn(void *arg)
{
	const char *name = arg;
	struct port p;

	while (!churn_over) {
		port_open(&p, name);
		check_eq(port_poll(&p, POLLOUT, 1000), POLLOUT);
		port_close(&p);
	}
	return NULL;
}

static void
opens_meanwhile(void)
{
	static char names[2][NETMAP_REQ_IFNAMSIZ];
	static struct pair p;
	pthread_t t[4];

	pipe_pair(&p);
	for (int i = 0; i < 2; i++) {
		snprintf(names[i], sizeof(names[i]), "%s", vale(i ? "x" : "y"));
		thread_start(&t[2 + i], churn, names[i]);
	}
	thread_start(&t[0], pair_send, &p);
	thread_start(&t[1], pair_receive, &p);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	churn_over = true;
	pthread_join(t[2], NULL);
	pthread_join(t[3], NULL);
}

/* --- a thread that closes what another uses --- */

static _Atomic int open_now;

static void *
use_open(void *arg)
{
	while (!churn_over) {
		struct pollfd pfd = { .fd = open_now, .events = POLLIN | POLLOUT };

		/* Whatever the number is at that moment, the answer is that of some descriptor, or of none. */
		if (ioctl(pfd.fd, NIOCTXSYNC, NULL) < 0)
			check(errno == EBADF || errno == ENXIO || errno == ENOTTY);
		if (ioctl(pfd.fd, NIOCRXSYNC, NULL) < 0)
			check(errno == EBADF || errno == ENXIO || errno == ENOTTY);
		check_ok(poll_any(&pfd, 1, 0));
	}
	return NULL;
}

static void
closed_meanwhile(void)
{
	static struct pair p;
	struct port brief;
	pthread_t t[4];

#ifdef __SANITIZE_THREAD__
	skip("ThreadSanitizer has its own open() and close() in front, and misses what happens in ours");
#endif
	pipe_pair(&p);
	open_now = -1;
	for (int i = 0; i < 2; i++)
		thread_start(&t[i], use_open, NULL);
	thread_start(&t[2], pair_send, &p);
	thread_start(&t[3], pair_receive, &p);
	for (int i = 0; i < 400; i++) {
		port_open(&brief, vale(i % 2 ? "x" : "y"));
		open_now = brief.fd;
		sched_yield();
		port_close(&brief);
	}
	pthread_join(t[2], NULL);
	pthread_join(t[3], NULL);
	churn_over = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	/* The others have not noticed. */
	check_eq(p.received, FRAMES);
}

/* --- a thread that is cancelled while it waits --- */

/* Together they end before the case's time, but would not if each were noticed only after a second. */
#define CANCELLED	40

struct endless {
	struct pollfd pfd[2];
	nfds_t n;
	int ms;
};

static void *
wait_endless(void *arg)
{
	struct endless *e = arg;

	return (void *)(intptr_t)poll_any(e->pfd, e->n, e->ms);
}

static void
cancelled(void)
{
	struct port a, b;
	uint8_t frame[FRAME_MIN], in[FRAME_ROOM];
	struct endless e[2];
	pthread_t t[2];
	void *ret;
	int fds[2];

	if (cancel_untestable())
		return;
	check_ok(pipe(fds));
	port_open_two(&a, &b);
	for (uint64_t i = 0; i < CANCELLED; i++) {
		/* One is cancelled; the other waits on the same descriptor, and wakes as if alone. */
		for (int k = 0; k < 2; k++) {
			e[k] = (struct endless){ .n = i / 2 % 2 ? 2 : 1, .ms = k == 0 ? -1 : WAKE_MS };
			e[k].pfd[0] = (struct pollfd){ .fd = b.fd, .events = POLLIN };
			e[k].pfd[1] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
			thread_start(&t[k], wait_endless, &e[k]);
		}
		sleep_ms(5);
		check_eq(pthread_cancel(t[0]), 0);
		check_eq(pthread_join(t[0], &ret), 0);
		check(ret == PTHREAD_CANCELED);
		frame_make(frame, sizeof(frame), 0xff, 1, i);
		port_send(&a, frame, sizeof(frame));
		check_eq(pthread_join(t[1], &ret), 0);
		check_eq((intptr_t)ret, 1);
		check_eq(port_recv(&b, in, 1000), FRAME_MIN);
		check_eq(frame_number(in), i);
	}
}

/* More threads than the arena has room for at a time come and go. */
static void *
one_sync(void *arg)
{
	port_txsync(arg);
	check_eq(port_poll(arg, POLLIN, 1), 0);
	return NULL;
}

static void
many_threads(void)
{
	struct port a;
	pthread_t t[8];

	port_open(&a, vale("a"));
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 8; i++)
			thread_start(&t[i], one_sync, &a);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
}

static const struct test_case cases[] = {
	{ "threads_both", threads_both, 0, false },
	{ "threads_both_mixed", threads_both_mixed, 0, false },
	{ "threads_any", threads_any, 0, false },
	{ "threads_any_mixed", threads_any_mixed, 0, false },
	{ "processes_both", processes_both, 0, false },
	{ "processes_both_mixed", processes_both_mixed, 0, false },
	{ "processes_any", processes_any, 0, false },
	{ "processes_any_mixed", processes_any_mixed, 0, false },
	{ "one_ring", one_ring, 0, false },
	{ "opens_meanwhile", opens_meanwhile, 0, false },
	{ "closed_meanwhile", closed_meanwhile, 0, false },
	{ "cancelled", cancelled, 0, false },
	{ "many_threads", many_threads, 0, false },
};

TEST_MAIN(cases, NULL)
