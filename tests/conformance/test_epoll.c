/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll(7) on netmap descriptors, alone and among others: level, edge and one-shot. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

static void
take_all(struct port *p)
{
	uint8_t in[FRAME_ROOM];

	port_rxsync(p);
	while (port_take(p, in) > 0)
		;
	port_rxsync(p);
}

static void
add(int ep, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event ev = { .events = events, .data.u32 = tag };

	check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

static void
modify(int ep, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event ev = { .events = events, .data.u32 = tag };

	check_ok(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
}

/* One event with this tag, or none if tag is 0. Returns its events. */
static uint32_t
expect(int ep, int ms, uint32_t tag)
{
	struct epoll_event ev[8] = { 0 };
	int n = epoll_wait(ep, ev, 8, ms);

	check_ok(n);
	check_eq(n, tag != 0);
	if (tag != 0)
		check_eq(ev[0].data.u32, tag);
	return tag != 0 ? ev[0].events : 0;
}

static void
level(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct port a, b;
	pid_t pid;

	port_open_two(&a, &b);
	add(ep, b.fd, EPOLLIN, 1);
	expect(ep, 0, 0);
	expect(ep, 30, 0);
	port_broadcast(&a);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	take_all(&b);
	expect(ep, 0, 0);
	modify(ep, b.fd, EPOLLIN | EPOLLOUT, 2);
	check_eq(expect(ep, -1, 2), EPOLLOUT);
	modify(ep, b.fd, EPOLLIN, 3);
	expect(ep, 0, 0);
	for (int i = 0; i < 3; i++) {
		pid = send_later(vale("c"), 40, 1);
		check_eq(expect(ep, 10000, 3), EPOLLIN);
		join(pid);
		take_all(&b);
	}
	port_broadcast(&a);
	check_ok(epoll_ctl(ep, EPOLL_CTL_DEL, b.fd, NULL));
	expect(ep, 0, 0);
	expect(ep, 20, 0);
}

static void
edge(void)
{
	int ep = epoll_create1(0);
	struct port a, b;
	pid_t pid;

	port_open_two(&a, &b);
	add(ep, b.fd, EPOLLIN | EPOLLET, 1);
	expect(ep, 0, 0);
	port_broadcast(&a);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	/* Not again, though the frame is still there. */
	expect(ep, 0, 0);
	expect(ep, 20, 0);
	/* Something new came: again. */
	port_broadcast(&a);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	expect(ep, 0, 0);
	pid = send_later(vale("c"), 40, 1);
	check_eq(expect(ep, 10000, 1), EPOLLIN);
	join(pid);
	expect(ep, 0, 0);
	take_all(&b);
	expect(ep, 0, 0);
	port_broadcast(&a);
	check_eq(expect(ep, 0, 1), EPOLLIN);
	/* A change counts as an edge. */
	modify(ep, b.fd, EPOLLIN | EPOLLET, 2);
	check_eq(expect(ep, 0, 2), EPOLLIN);
	expect(ep, 0, 0);
}

static void
edge_out(void)
{
	int ep = epoll_create1(0);
	uint8_t frame[FRAME_MIN] = { 0 };
	struct port m, s;

	port_open_pipe(&m, &s, 8);
	add(ep, m.fd, EPOLLOUT | EPOLLET, 1);
	check_eq(expect(ep, -1, 1), EPOLLOUT);
	expect(ep, 0, 0);
	while (port_put(&m, frame, sizeof(frame)))
		;
	expect(ep, 0, 0);
	expect(ep, 20, 0);
	take_all(&s);
	check_eq(expect(ep, 1000, 1), EPOLLOUT);
	expect(ep, 0, 0);
}

static void
oneshot(void)
{
	int ep = epoll_create1(0);
	struct port a, b;

	port_open_two(&a, &b);
	add(ep, b.fd, EPOLLIN | EPOLLONESHOT, 1);
	expect(ep, 0, 0);
	port_broadcast(&a);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	port_broadcast(&a);
	expect(ep, 0, 0);
	expect(ep, 20, 0);
	modify(ep, b.fd, EPOLLIN | EPOLLONESHOT, 2);
	check_eq(expect(ep, -1, 2), EPOLLIN);
	expect(ep, 0, 0);
}

static void
controls(void)
{
	int ep = epoll_create1(0), copy;
	struct epoll_event ev = { .events = EPOLLIN };
	struct port a, b;

	port_open_two(&a, &b);
	check_errno(epoll_ctl(ep, EPOLL_CTL_MOD, b.fd, &ev), ENOENT);
	check_errno(epoll_ctl(ep, EPOLL_CTL_DEL, b.fd, NULL), ENOENT);
	add(ep, b.fd, EPOLLIN, 1);
	check_errno(epoll_ctl(ep, EPOLL_CTL_ADD, b.fd, &ev), EEXIST);
	check_errno(epoll_ctl(ep, EPOLL_CTL_ADD, 12345, &ev), EBADF);
	check_errno(epoll_ctl(ep, 99, b.fd, &ev), EINVAL);
	check_errno(epoll_ctl(b.fd, EPOLL_CTL_ADD, a.fd, &ev), EINVAL);
	check_errno(epoll_wait(ep, &ev, 0, 0), EINVAL);
	check_errno(epoll_wait(b.fd, &ev, 1, 0), EINVAL);
	/* A duplicate is a member of its own. */
	check_ok(copy = dup(b.fd));
	add(ep, copy, EPOLLIN | EPOLLET, 2);
	port_broadcast(&a);
	{
		struct epoll_event two[4];

		check_eq(epoll_wait(ep, two, 4, -1), 2);
		check_eq(two[0].data.u32 + two[1].data.u32, 3);
		check_eq(epoll_wait(ep, two, 1, -1), 1);
	}
	/* The member goes with its last descriptor only. */
	check_ok(epoll_ctl(ep, EPOLL_CTL_DEL, copy, NULL));
	check_eq(expect(ep, 0, 1), EPOLLIN);
	port_close(&b);
	check_ok(close(copy));
	expect(ep, 0, 0);
}

/* Without EPOLLIN the receive rings are left alone, but what was put into tx rings goes out. */
static void
tx_flush(void)
{
	int ep = epoll_create1(0);
	uint8_t frame[FRAME_MIN];
	struct port a, b;

	port_open_two(&a, &b);
	add(ep, a.fd, EPOLLIN, 1);
	frame_make(frame, sizeof(frame), 0xff, 1, 0);
	check(port_put(&a, frame, sizeof(frame)));
	expect(ep, 0, 0);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 1);
}

static void
mixed(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 40000000 };
	int ep = epoll_create1(0), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0), fds[2],
		socks[2];
	struct epoll_event ev[8];
	struct port a, b;
	uint8_t in[FRAME_ROOM];
	uint64_t one = 1;
	pid_t pid;

	check_ok(pipe(fds));
	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	port_open_two(&a, &b);
	add(ep, event, EPOLLIN, 1);
	add(ep, b.fd, EPOLLIN, 2);
	add(ep, fds[0], EPOLLIN, 3);
	add(ep, socks[0], EPOLLIN | EPOLLET, 4);
	add(ep, timer, EPOLLIN, 5);
	expect(ep, 0, 0);
	check_eq(write(event, &one, 8), 8);
	check_eq(expect(ep, -1, 1), EPOLLIN);
	port_broadcast(&a);
	check_eq(epoll_wait(ep, ev, 8, -1), 2);
	/* With room for one, both come within two calls. */
	{
		uint32_t seen = 0;

		for (int i = 0; i < 2; i++) {
			check_eq(epoll_wait(ep, ev, 1, -1), 1);
			seen |= 1U << ev[0].data.u32;
		}
		check_eq(seen, 1 << 1 | 1 << 2);
	}
	check_eq(read(event, in, 8), 8);
	take_all(&b);
	check_eq(write(socks[1], "xy", 2), 2);
	check_eq(expect(ep, -1, 4), EPOLLIN);
	expect(ep, 0, 0);
	/* Sleeping: each kind ends it. */
	check_ok(timerfd_settime(timer, 0, &soon, NULL));
	check_eq(expect(ep, 10000, 5), EPOLLIN);
	check_eq(read(timer, in, 8), 8);
	for (int i = 0; i < 3; i++) {
		pid = send_later(vale("c"), 40, 1);
		check_eq(expect(ep, 10000, 2), EPOLLIN);
		join(pid);
		take_all(&b);
	}
}

/* An epoll instance is a descriptor itself. */
static void
nested(void)
{
	int ep = epoll_create1(0), outer = epoll_create1(0);
	struct pollfd pfd = { .fd = ep, .events = POLLIN };
	struct port a, b;
	pid_t pid;

	port_open_two(&a, &b);
	add(ep, b.fd, EPOLLIN, 1);
	check_eq(poll(&pfd, 1, 0), 0);
	pid = send_later(vale("c"), 40, 1);
	check_eq(poll(&pfd, 1, 10000), 1);
	check_eq(pfd.revents, POLLIN);
	join(pid);
	check_eq(expect(ep, 0, 1), EPOLLIN);
	take_all(&b);
	check_eq(poll(&pfd, 1, 0), 0);
	add(outer, ep, EPOLLIN, 7);
	expect(outer, 0, 0);
	port_broadcast(&a);
	check_eq(expect(outer, 1000, 7), EPOLLIN);
	take_all(&b);
	pid = send_later(vale("c"), 40, 1);
	check_eq(expect(outer, 10000, 7), EPOLLIN);
	join(pid);
}

struct adder {
	int ep, fd;
};

static void *
add_later(void *arg)
{
	const struct adder *a = arg;

	sleep_ms(50);
	add(a->ep, a->fd, EPOLLIN, 9);
	return NULL;
}

/* A member that another thread adds ends a sleep that is under way. */
static void
added_meanwhile(void)
{
	int ep = epoll_create1(0);
	struct port a, b, c;
	struct adder adder;
	pthread_t t;

	port_open_two(&a, &b);
	port_open(&c, vale("c"));
	port_broadcast(&a);
	for (int with_member = 0; with_member < 2; with_member++) {
		if (with_member) {
			check_ok(epoll_ctl(ep, EPOLL_CTL_DEL, b.fd, NULL));
			take_all(&c);
			add(ep, c.fd, EPOLLIN, 3);
		}
		adder = (struct adder){ ep, b.fd };
		check_eq(pthread_create(&t, NULL, add_later, &adder), 0);
		check_eq(expect(ep, 10000, 9), EPOLLIN);
		pthread_join(t, NULL);
	}
}

static void
by_signals(void)
{
	struct timespec twenty = { .tv_nsec = 20000000 };
	struct epoll_event ev;
	sigset_t before;
	int ep = epoll_create1(0);
	struct port b;

	port_open(&b, vale("b"));
	add(ep, b.fd, EPOLLIN, 1);
	signals_count(0);
	signals_block(&before);
	raise(SIGUSR1);
	check_eq(epoll_wait(ep, &ev, 1, 20), 0);
	check_errno(epoll_pwait(ep, &ev, 1, -1, &before), EINTR);
	check_eq(signals_seen, 1);
	raise(SIGUSR1);
	check_errno(epoll_pwait2(ep, &ev, 1, NULL, &before), EINTR);
	check_eq(signals_seen, 2);
	check_eq(epoll_pwait2(ep, &ev, 1, &twenty, NULL), 0);
}

/* The instance goes to a child, with its members. */
static void
child_waits(void *arg)
{
	const int *ep = arg;

	check_eq(expect(*ep, 10000, 1), EPOLLIN);
}

static void
forked(void)
{
	int ep = epoll_create1(0);
	struct port a, b;
	pid_t pid;

	port_open_two(&a, &b);
	add(ep, b.fd, EPOLLIN, 1);
	pid = spawn(child_waits, &ep);
	sleep_ms(50);
	port_broadcast(&a);
	check_eq(expect(ep, 10000, 1), EPOLLIN);
	join(pid);
}

static void
errors(void)
{
	int ep = epoll_create1(0), fd = device_open();
	struct port a;

	add(ep, fd, 0, 1);
	check_eq(expect(ep, 1000, 1), EPOLLERR);
	port_bind(&a, fd, vale("a"));
	expect(ep, 0, 0);
	port_tx(&a, 0)->head = 5000;
	modify(ep, fd, EPOLLOUT, 1);
	check_eq(expect(ep, 0, 1) & EPOLLERR, EPOLLERR);
	check_eq(expect(ep, 0, 1), EPOLLOUT);
}

static const struct test_case cases[] = {
	{ "level", level, 0, false },
	{ "edge", edge, 0, false },
	{ "edge_out", edge_out, 0, false },
	{ "oneshot", oneshot, 0, false },
	{ "controls", controls, 0, false },
	{ "tx_flush", tx_flush, 0, false },
	{ "mixed", mixed, 0, false },
	{ "nested", nested, 0, false },
	{ "added_meanwhile", added_meanwhile, 0, false },
	{ "by_signals", by_signals, 0, false },
	{ "forked", forked, 0, false },
	{ "errors", errors, 0, false },
};

static const char *const expected_log[] = { "ring restored", NULL };

TEST_MAIN(cases, expected_log)
