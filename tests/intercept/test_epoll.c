/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll: netmap members beside the kernel's, level, edge and one-shot, duplicates and nesting, changes while
 * a thread sleeps.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

static int
ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, fd, &ev);
}

/* The one event that is there, or 0. */
static uint32_t
one(int ep, int timeout, uint64_t data)
{
	struct epoll_event ev[4] = { { 0 } };
	int n = epoll_wait(ep, ev, 4, timeout);

	CHECK(n == 0 || n == 1);
	CHECK(n == 0 || ev[0].data.u64 == data);
	return n ? ev[0].events : 0;
}

static void
test_members(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), other = dup(0);
	struct test_port p;

	port_open(&p);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN, 0) == -1 && errno == ENOENT);
	CHECK(ctl(ep, EPOLL_CTL_DEL, p.fd, 0, 0) == -1 && errno == ENOENT);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, NULL) == -1 && errno == EFAULT);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN, 7) == 0);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN, 7) == -1 && errno == EEXIST);
	CHECK(ctl(other, EPOLL_CTL_ADD, p.fd, EPOLLIN, 7) == -1 && errno == EINVAL);
	close(other);
	CHECK(ctl(other, EPOLL_CTL_ADD, p.fd, EPOLLIN, 7) == -1 && errno == EBADF);
	CHECK(ctl(ep, 99, p.fd, EPOLLIN, 7) == -1 && errno == EINVAL);
	struct epoll_event ev;
	CHECK(epoll_wait(ep, &ev, 0, 0) == -1 && errno == EINVAL);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN | EPOLLEXCLUSIVE, 0) == -1 && errno == EINVAL);
	CHECK(ctl(ep, EPOLL_CTL_DEL, p.fd, 0, 0) == 0);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0) == -1 &&
		errno == EINVAL);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN | EPOLLEXCLUSIVE, 9) == 0);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN, 0) == -1 && errno == EINVAL);
	port_feed(&p);
	CHECK(one(ep, -1, 9) == EPOLLIN);
	close(ep);
	CHECK(epoll_wait(ep, &ev, 1, 0) == -1 && errno == EBADF);
	port_close(&p);
}

static void
test_level(void)
{
	int ep = epoll_create(1), ev_fd = eventfd(0, 0);
	struct epoll_event ev[4];
	struct test_port a, b;

	port_open(&a);
	port_open(&b);
	CHECK(ctl(ep, EPOLL_CTL_ADD, a.fd, EPOLLIN, 0x1122334455667788) == 0);
	CHECK(one(ep, 0, 0) == 0);
	CHECK(one(ep, 10, 0) == 0);
	port_feed(&a);
	CHECK(one(ep, -1, 0x1122334455667788) == EPOLLIN);
	CHECK(one(ep, -1, 0x1122334455667788) == EPOLLIN);
	CHECK(ctl(ep, EPOLL_CTL_MOD, a.fd, EPOLLIN | EPOLLOUT, 5) == 0);
	CHECK(one(ep, -1, 5) == (EPOLLIN | EPOLLOUT));
	CHECK(port_take(&a) == 1);
	CHECK(one(ep, -1, 5) == EPOLLOUT);
	CHECK(ctl(ep, EPOLL_CTL_MOD, a.fd, EPOLLIN, 5) == 0);

	/* With a member of the kernel's, and a second one of ours. */
	CHECK(ctl(ep, EPOLL_CTL_ADD, ev_fd, EPOLLIN, 6) == 0);
	CHECK(ctl(ep, EPOLL_CTL_ADD, b.fd, EPOLLIN, 7) == 0);
	CHECK(one(ep, 5, 0) == 0);
	eventfd_write(ev_fd, 1);
	CHECK(one(ep, -1, 6) == EPOLLIN);
	port_feed(&b);
	CHECK(epoll_wait(ep, ev, 4, -1) == 2);
	port_feed(&a);
	CHECK(epoll_wait(ep, ev, 4, -1) == 3);
	/* With room for one, every member gets its turn. */
	unsigned seen = 0;
	for (int i = 0; i < 16; i++) {
		CHECK(epoll_wait(ep, ev, 1, -1) == 1);
		seen |= 1u << ev[0].data.u64;
	}
	CHECK(seen == (1u << 5 | 1u << 6 | 1u << 7));
	close(ev_fd);
	CHECK(epoll_wait(ep, ev, 4, -1) == 2);
	close(ep);
	port_close(&a);
	port_close(&b);
}

static void
test_edge(void)
{
	int ep = epoll_create1(0);
	struct test_port p;

	port_open(&p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN | EPOLLET, 1) == 0);
	CHECK(one(ep, 0, 1) == 0);
	port_feed(&p);
	CHECK(one(ep, -1, 1) == EPOLLIN);
	CHECK(one(ep, 0, 1) == 0);
	CHECK(one(ep, 20, 1) == 0);
	/* More arrives, though the first was not taken; and after all was taken without a look in between. */
	port_feed(&p);
	CHECK(one(ep, -1, 1) == EPOLLIN);
	CHECK(one(ep, 0, 1) == 0);
	CHECK(port_take(&p) == 2);
	port_feed(&p);
	CHECK(one(ep, -1, 1) == EPOLLIN);
	/* Modifying it makes it new. */
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN | EPOLLET, 1) == 0);
	CHECK(one(ep, -1, 1) == EPOLLIN);
	CHECK(one(ep, 0, 1) == 0);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN | EPOLLOUT | EPOLLET, 1) == 0);
	CHECK(one(ep, -1, 1) == (EPOLLIN | EPOLLOUT));
	CHECK(one(ep, 0, 1) == 0);
	port_take(&p);
	port_fill(&p);
	CHECK(one(ep, 0, 1) == 0);
	port_make_room(&p);
	CHECK(one(ep, -1, 1) == EPOLLOUT);
	close(ep);
	port_close(&p);
}

static void
test_oneshot(void)
{
	int ep = epoll_create1(0);
	struct test_port p;

	port_open(&p);
	port_feed(&p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN | EPOLLONESHOT, 1) == 0);
	CHECK(one(ep, -1, 1) == EPOLLIN);
	port_feed(&p);
	CHECK(one(ep, 10, 1) == 0);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p.fd, EPOLLIN | EPOLLONESHOT, 2) == 0);
	CHECK(one(ep, -1, 2) == EPOLLIN);
	CHECK(one(ep, 0, 2) == 0);
	close(ep);
	port_close(&p);
}

/* Duplicates of either descriptor, and the end of a member. */
static void
test_duplicates(void)
{
	int ep = epoll_create1(0), ep2 = dup(ep), other;
	struct test_port p;

	port_open(&p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN, 1) == 0);
	port_feed(&p);
	CHECK(one(ep2, -1, 1) == EPOLLIN);
	close(ep);
	CHECK(one(ep2, -1, 1) == EPOLLIN);

	/*
	 * The same file under another number is a member of its own; it stays until its last number is
	 * closed.
	 */
	other = dup(p.fd);
	CHECK(ctl(ep2, EPOLL_CTL_ADD, other, EPOLLIN, 1) == 0);
	CHECK(ctl(ep2, EPOLL_CTL_DEL, p.fd, 0, 0) == 0);
	CHECK(one(ep2, -1, 1) == EPOLLIN);
	close(other);
	CHECK(one(ep2, -1, 1) == EPOLLIN);
	port_close(&p);
	CHECK(one(ep2, 10, 1) == 0);
	close(ep2);
}

static void
test_nested(void)
{
	int outer = epoll_create1(0), inner = epoll_create1(0), pipe_fd[2];
	struct pollfd f = { .fd = inner, .events = POLLIN };
	struct test_port p;
	fd_set rd;

	port_open(&p);
	CHECK(pipe(pipe_fd) == 0);
	CHECK(ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 3) == 0);
	CHECK(one(outer, 5, 3) == 0);
	CHECK(ctl(inner, EPOLL_CTL_ADD, p.fd, EPOLLIN, 4) == 0);
	CHECK(ctl(inner, EPOLL_CTL_ADD, pipe_fd[0], EPOLLIN, 5) == 0);
	CHECK(one(outer, 5, 3) == 0);
	CHECK(poll(&f, 1, 5) == 0);
	port_feed(&p);
	CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
	FD_ZERO(&rd);
	FD_SET(inner, &rd);
	CHECK(select(inner + 1, &rd, NULL, NULL, NULL) == 1 && FD_ISSET(inner, &rd));
	CHECK(one(outer, -1, 3) == EPOLLIN);
	CHECK(one(inner, -1, 4) == EPOLLIN);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	CHECK(one(outer, -1, 3) == EPOLLIN);
	CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
	CHECK(port_take(&p) == 1);
	CHECK(one(outer, -1, 3) == EPOLLIN);
	CHECK(one(inner, -1, 5) == EPOLLIN);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(inner);
	CHECK(one(outer, 5, 3) == 0);
	close(outer);
	port_close(&p);
}

struct sleeper {
	pthread_t thread;
	int ep;
	struct epoll_event ev;
	int n;
};

static void *
sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	s->n = epoll_wait(s->ep, &s->ev, 1, 10000);
	return NULL;
}

/* Threads that sleep before the first netmap member comes, and before the next one, notice each. */
static void
test_added_meanwhile(void)
{
	enum { N = 4 };
	const struct timespec t = { 0, 50000000 };
	struct sleeper s[N];
	struct test_port a, b;
	int ep = epoll_create1(0);

	port_open(&a);
	port_open(&b);
	port_feed(&b);
	for (int i = 0; i < N; i++) {
		s[i].ep = ep;
		CHECK(pthread_create(&s[i].thread, NULL, sleeper_run, &s[i]) == 0);
	}
	nanosleep(&t, NULL);
	CHECK(ctl(ep, EPOLL_CTL_ADD, a.fd, EPOLLIN, 1) == 0);
	nanosleep(&t, NULL);
	CHECK(ctl(ep, EPOLL_CTL_ADD, b.fd, EPOLLIN, 2) == 0);
	for (int i = 0; i < N; i++) {
		CHECK(pthread_join(s[i].thread, NULL) == 0);
		CHECK(s[i].n == 1 && s[i].ev.data.u64 == 2 && s[i].ev.events == EPOLLIN);
	}
	/* Nothing of it is left to see. */
	struct pollfd f = { .fd = ep, .events = POLLIN };
	CHECK(port_take(&b) == 1);
	CHECK(poll(&f, 1, 5) == 0);
	close(ep);
	port_close(&a);
	port_close(&b);
}

static void
test_fork(void)
{
	int ep = epoll_create1(0), status;
	struct test_port p;
	pid_t pid;

	port_open(&p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN, 8) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		alarm(TEST_SECONDS);
		_exit(one(ep, -1, 8) == EPOLLIN ? 0 : 1);
	}
	usleep(20000);
	port_feed(&p);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(one(ep, -1, 8) == EPOLLIN);
	close(ep);
	port_close(&p);
}

static void
on_signal(int sig)
{
}

static void
test_waits(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct timespec ts = { 0, 30000000 }, bad = { 0, -1 }, start, end;
	int ep = epoll_create1(0);
	struct epoll_event ev;
	sigset_t usr1, none;
	struct test_port p;

	port_open(&p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p.fd, EPOLLIN, 8) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK(epoll_pwait2(ep, &ev, 1, &ts, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec >= 30000000);
	CHECK(epoll_pwait2(ep, &ev, 1, &bad, NULL) == -1 && errno == EINVAL);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	CHECK(epoll_pwait(ep, &ev, 1, -1, &none) == -1 && errno == EINTR);
	raise(SIGUSR1);
	CHECK(epoll_pwait(ep, &ev, 1, 0, &none) == -1 && errno == EINTR);
	raise(SIGUSR1);
	CHECK(epoll_pwait2(ep, &ev, 1, NULL, &none) == -1 && errno == EINTR);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	port_feed(&p);
	CHECK(epoll_pwait(ep, &ev, 1, -1, NULL) == 1);
	CHECK(epoll_pwait2(ep, &ev, 1, NULL, NULL) == 1);
	close(ep);
	port_close(&p);
}

int
main(void)
{
	alarm(TEST_SECONDS);
	test_members();
	test_level();
	test_edge();
	test_oneshot();
	test_duplicates();
	test_nested();
	test_added_meanwhile();
	test_fork();
	test_waits();
	return 0;
}
