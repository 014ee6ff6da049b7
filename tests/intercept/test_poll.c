/* SPDX-License-Identifier: BSD-2-Clause */
/* poll and ppoll over every mix of descriptors and timeouts. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "../sanitizer.h"

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
poll_one(int fd, short events, int timeout, short *revents)
{
	struct pollfd p = { .fd = fd, .events = events, .revents = -1 };
	int n = poll(&p, 1, timeout);

	*revents = p.revents;
	return n;
}

static void
test_alone(void)
{
	struct test_port p;
	short got;

	port_open(&p);
	CHECK(poll_one(p.fd, POLLIN, 0, &got) == 0 && got == 0);
	CHECK(poll_one(p.fd, POLLIN | POLLOUT, 0, &got) == 1 && got == POLLOUT);
	CHECK(poll_one(p.fd, POLLOUT | POLLWRNORM, -1, &got) == 1 && got == (POLLOUT | POLLWRNORM));
	port_feed(&p);
	CHECK(poll_one(p.fd, POLLIN, 0, &got) == 1 && got == POLLIN);
	CHECK(poll_one(p.fd, POLLIN, -1, &got) == 1 && got == POLLIN);
	CHECK(poll_one(p.fd, POLLRDNORM, 1000, &got) == 1 && got == POLLRDNORM);
	CHECK(poll_one(p.fd, POLLIN | POLLOUT, 0, &got) == 1 && got == (POLLIN | POLLOUT));
	CHECK(poll_one(p.fd, 0, 0, &got) == 0 && got == 0);
	CHECK(port_take(&p) == 1);
	port_fill(&p);
	CHECK(poll_one(p.fd, POLLIN | POLLOUT, 0, &got) == 0);
	port_make_room(&p);
	CHECK(poll_one(p.fd, POLLIN | POLLOUT, -1, &got) == 1 && got == POLLOUT);
	port_close(&p);
	CHECK(poll_one(p.fd, POLLIN, -1, &got) == 1 && got == POLLNVAL);
}

static void
test_unregistered(void)
{
	struct test_port p;
	short got;

	port_open_unregistered(&p);
	CHECK(poll_one(p.fd, POLLIN, -1, &got) == 1 && got == POLLERR);
	CHECK(poll_one(p.fd, 0, -1, &got) == 1 && got == POLLERR);
	port_close(&p);
}

static void
test_sets(void)
{
	struct test_port a, b;
	int pipe_fd[2], closed;

	port_open(&a);
	port_open(&b);
	CHECK(pipe(pipe_fd) == 0);
	closed = dup(pipe_fd[0]);
	close(closed);

	/* Negative numbers are ignored, closed ones are POLLNVAL, the same one may come twice. */
	struct pollfd f[] = {
		{ a.fd, POLLIN, -1 }, { -1, POLLIN, -1 }, { pipe_fd[0], POLLIN, -1 }, { a.fd, POLLOUT,
			-1 }, { closed, POLLIN, -1 },
		{ b.fd, POLLIN, -1 }, { pipe_fd[1], POLLOUT, -1 }, { -5, 0, -1 },
	};
	CHECK(poll(f, 8, -1) == 3);
	CHECK(f[0].revents == 0 && f[1].revents == 0 && f[2].revents == 0 && f[3].revents == POLLOUT);
	CHECK(f[4].revents == POLLNVAL && f[5].revents == 0 && f[6].revents == POLLOUT && f[7].revents == 0);

	CHECK(write(pipe_fd[1], "x", 1) == 1);
	port_feed(&b);
	CHECK(poll(f, 8, 0) == 5);
	CHECK(f[0].revents == 0 && f[2].revents == POLLIN && f[5].revents == POLLIN);

	CHECK(poll(f, 0, 1) == 0);
	CHECK(poll(NULL, 0, 1) == 0);
	/* The kernel's descriptors alone are ready. */
	struct pollfd g[] = { { a.fd, POLLIN, -1 }, { pipe_fd[0], POLLIN, -1 } };
	CHECK(poll(g, 2, -1) == 1 && g[0].revents == 0 && g[1].revents == POLLIN);
	close(pipe_fd[1]);
	char c;
	CHECK(read(pipe_fd[0], &c, 1) == 1);
	CHECK(poll(g, 2, -1) == 1 && g[1].revents == POLLHUP);
	close(pipe_fd[0]);
	CHECK(poll(g, 2, -1) == 1 && g[1].revents == POLLNVAL);
	port_close(&a);
	port_close(&b);
}

static void
test_large_set(void)
{
	enum { N = 700 };
	struct pollfd f[N + 1];
	int pipe_fd[2];
	struct test_port p;

	port_open(&p);
	CHECK(pipe(pipe_fd) == 0);
	for (int i = 0; i <= N; i++)
		f[i] = (struct pollfd){ i % 2 ? pipe_fd[0] : p.fd, POLLIN, -1 };
	CHECK(poll(f, N + 1, 5) == 0);
	port_feed(&p);
	CHECK(poll(f, N + 1, -1) == N / 2 + 1);
	CHECK(f[0].revents == POLLIN && f[1].revents == 0 && f[N].revents == POLLIN);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	CHECK(poll(f, N + 1, -1) == N + 1);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	port_close(&p);
}

static void
test_timeouts(void)
{
	const int ms[] = { 1, 20, 130 };
	struct test_port p;
	int pipe_fd[2];
	double start;

	port_open(&p);
	CHECK(pipe(pipe_fd) == 0);
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		struct timespec ts = { 0, ms[i] * 1000000L };
		struct pollfd f[] = { { p.fd, POLLIN, 0 }, { pipe_fd[0], POLLIN, 0 } };

		for (nfds_t n = 1; n <= 2; n++) {
			start = now();
			CHECK(poll(f, n, ms[i]) == 0);
			CHECK(now() - start >= ms[i] / 1e3);
			start = now();
			CHECK(ppoll(f, n, &ts, NULL) == 0);
			CHECK(now() - start >= ms[i] / 1e3);
			CHECK(ts.tv_nsec == ms[i] * 1000000L);
		}
	}
	struct timespec bad = { 0, 1000000000 }, zero = { 0, 0 };
	struct pollfd f = { p.fd, POLLIN, 0 };
	CHECK(ppoll(&f, 1, &bad, NULL) == -1 && errno == EINVAL);
	CHECK(ppoll(&f, 1, &zero, NULL) == 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	port_close(&p);
}

static volatile sig_atomic_t signals;

static void
on_signal(int sig)
{
	signals++;
}

static void *
signal_later(void *arg)
{
	struct timespec t = { 0, 50000000 };

	nanosleep(&t, NULL);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* EINTR without a mask; with one, only what it lets through, and a signal that was pending before counts. */
static void
test_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), other;
	sigset_t usr1, none;
	struct timespec zero = { 0, 0 };
	int pipe_fd[2];
	struct test_port p;

	port_open(&p);
	CHECK(pipe(pipe_fd) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	for (nfds_t n = 1; n <= 2; n++) {
		struct pollfd f[] = { { p.fd, POLLIN, 0 }, { pipe_fd[0], POLLIN, 0 } };

		signals = 0;
		CHECK(pthread_create(&other, NULL, signal_later, &self) == 0);
		CHECK(poll(f, n, -1) == -1 && errno == EINTR && signals == 1);
		pthread_join(other, NULL);

		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
		raise(SIGUSR1);
		CHECK(poll(f, n, 10) == 0 && signals == 1);
		CHECK(ppoll(f, n, NULL, &none) == -1 && errno == EINTR && signals == 2);
		raise(SIGUSR1);
		CHECK(ppoll(f, n, &zero, &none) == -1 && errno == EINTR && signals == 3);
		/* What is ready comes first: the signal stays pending. */
		raise(SIGUSR1);
		port_feed(&p);
		CHECK(ppoll(f, n, NULL, &none) == 1 && signals == 3);
		CHECK(port_take(&p) == 1);
		CHECK(ppoll(f, n, NULL, &none) == -1 && errno == EINTR && signals == 4);
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	port_close(&p);
}

struct later {
	struct test_port *port;
	void (*act)(struct test_port *);
};

static void *
act_later(void *arg)
{
	struct later *l = arg;
	struct timespec t = { 0, 30000000 };

	nanosleep(&t, NULL);
	l->act(l->port);
	return NULL;
}

static void
close_it(struct test_port *p)
{
	close(p->fd);
}

/* Another thread makes it ready, or takes it away, while this one sleeps. */
static void
test_meanwhile(void)
{
	int pipe_fd[2];
	struct test_port p;
	pthread_t t;

	CHECK(pipe(pipe_fd) == 0);
	for (nfds_t n = 1; n <= 2; n++) {
		struct later l = { &p, port_feed };

		port_open(&p);
		struct pollfd f[] = { { p.fd, POLLIN, 0 }, { pipe_fd[0], POLLIN, 0 } };
		CHECK(pthread_create(&t, NULL, act_later, &l) == 0);
		CHECK(poll(f, n, -1) == 1 && f[0].revents == POLLIN);
		pthread_join(t, NULL);

		port_fill(&p);
		f[0].events = POLLOUT;
		l.act = port_make_room;
		CHECK(pthread_create(&t, NULL, act_later, &l) == 0);
		CHECK(poll(f, n, -1) == 1 && f[0].revents == POLLOUT);
		pthread_join(t, NULL);

		/* close() during poll: the call ends, at the latest at its timeout. */
		port_take(&p);
		f[0].events = POLLIN;
		l.act = close_it;
		CHECK(pthread_create(&t, NULL, act_later, &l) == 0);
		int got = poll(f, n, 1500);
		CHECK(got == 0 || (got == 1 && f[0].revents & (POLLNVAL | POLLERR)));
		pthread_join(t, NULL);
		CHECK(poll(f, n, 0) == 1 && f[0].revents == POLLNVAL);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* The number goes to another file where no wrapper sees it. */
static void
test_number_reused(void)
{
	struct pollfd f = { .events = POLLIN };
	struct test_port p;
	FILE *file;
	int fd;

	port_open(&p);
	f.fd = p.fd;
	file = fdopen(p.fd, "r+");
	CHECK(file && fclose(file) == 0);
	CHECK(poll(&f, 1, 3000) == 1 && f.revents & (POLLNVAL | POLLERR));

	port_open(&p);
	f.fd = p.fd;
	file = fdopen(p.fd, "r+");
	CHECK(file && fclose(file) == 0);
	do {
		fd = eventfd(0, 0);
		CHECK(fd >= 0 && fd < 1000);
	} while (fd != p.fd);
	CHECK(poll(&f, 1, 20) == 0);
	CHECK(eventfd_write(fd, 1) == 0);
	CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
	CHECK(write(fd, "12345678", 8) == 8);
	CHECK(close(fd) == 0);
}

/* Every way to sleep that a thread may be cancelled in, with our descriptor alone and with another one. */
enum sleep_kind { SLEEP_POLL, SLEEP_PPOLL, SLEEP_SELECT, SLEEP_EPOLL, SLEEP_KINDS };

/* All of them would take longer than the test may if each were noticed only after a second. */
#define CANCEL_ROUNDS	20

struct sleeper {
	enum sleep_kind kind;
	int fd, other;			/* other: -1 for none */
};

static void *
sleep_forever(void *arg)
{
	const struct sleeper *s = arg;
	struct pollfd f[2] = { { s->fd, POLLIN, 0 }, { s->other, POLLIN, 0 } };
	nfds_t n = s->other >= 0 ? 2 : 1;
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t mask;
	fd_set rd;
	int ep;

	switch (s->kind) {
	case SLEEP_POLL:
		poll(f, n, -1);
		break;
	case SLEEP_PPOLL:
		sigemptyset(&mask);
		ppoll(f, n, NULL, &mask);
		break;
	case SLEEP_SELECT:
		FD_ZERO(&rd);
		FD_SET(s->fd, &rd);
		if (s->other >= 0)
			FD_SET(s->other, &rd);
		select((s->fd > s->other ? s->fd : s->other) + 1, &rd, NULL, NULL, NULL);
		break;
	default:
		ep = epoll_create1(0);
		epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev);
		if (s->other >= 0)
			epoll_ctl(ep, EPOLL_CTL_ADD, s->other, &ev);
		epoll_wait(ep, &ev, 1, -1);
	}
	return NULL;
}

static void
test_cancel(void)
{
	struct timespec t = { 0, 3000000 };
	struct sleeper sleeper;
	struct test_port p;
	pthread_t thread;
	int pipe_fd[2];
	void *ret;

	if (cancel_untestable())
		return;
	port_open(&p);
	CHECK(pipe(pipe_fd) == 0);
	for (int i = 0; i < 2 * SLEEP_KINDS * CANCEL_ROUNDS; i++) {
		sleeper = (struct sleeper){ i / 2 % SLEEP_KINDS, p.fd, i % 2 ? pipe_fd[0] : -1 };
		CHECK(pthread_create(&thread, NULL, sleep_forever, &sleeper) == 0);
		nanosleep(&t, NULL);
		pthread_cancel(thread);
		CHECK(pthread_join(thread, &ret) == 0 && ret == PTHREAD_CANCELED);
	}
	/* Nothing of them is left in the way. */
	port_feed(&p);
	CHECK(poll(&(struct pollfd){ p.fd, POLLIN, 0 }, 1, -1) == 1);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	port_close(&p);
}

int
main(void)
{
	alarm(TEST_SECONDS);
	test_alone();
	test_unregistered();
	test_sets();
	test_large_set();
	test_timeouts();
	test_signals();
	test_meanwhile();
	test_number_reused();
	test_cancel();
	return 0;
}
