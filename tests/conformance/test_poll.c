/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2) and ppoll(2) on netmap descriptors, alone and among others. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define PIPE_SLOTS	8

static void
one_frame(struct port *from)
{
	uint8_t frame[FRAME_MIN];

	frame_make(frame, sizeof(frame), 0xff, 1, 0);
	check(port_put(from, frame, sizeof(frame)));
}

static void
table(void)
{
	struct port a, b;

	port_open_two(&a, &b);
	check_eq(port_poll(&b, POLLIN, 0), 0);
	check_eq(port_poll(&b, POLLOUT, 0), POLLOUT);
	check_eq(port_poll(&b, POLLOUT, -1), POLLOUT);
	check_eq(port_poll(&b, POLLIN | POLLOUT, -1), POLLOUT);
	check_eq(port_poll(&b, 0, 0), 0);
	check_eq(port_poll(&b, POLLPRI, 0), 0);
	check_eq(port_poll(&b, POLLOUT | POLLWRNORM, 0), POLLOUT | POLLWRNORM);
	check_eq(port_poll(&b, POLLWRNORM, 0), POLLWRNORM);
	port_broadcast(&a);
	check_eq(port_poll(&b, POLLIN, -1), POLLIN);
	check_eq(port_poll(&b, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	check_eq(port_poll(&b, POLLIN | POLLRDNORM, 1000), POLLIN | POLLRDNORM);
	check_eq(port_poll(&b, POLLRDNORM, 1000), POLLRDNORM);
	/* Level: as long as something is there. */
	check_eq(port_poll(&b, POLLIN, 1000), POLLIN);
	/* cur at the tail says: what is there is not enough. */
	port_rx(&b, 0)->cur = port_rx(&b, 0)->tail;
	check_eq(port_poll(&b, POLLIN, 0), 0);
	port_broadcast(&a);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 2);
	port_rx(&b, 0)->head = port_rx(&b, 0)->cur = port_rx(&b, 0)->tail;
	check_eq(port_poll(&b, POLLIN, 0), 0);
}

/* Rule 2 of poll: what was put into tx rings goes out whatever was asked for, unless NR_NO_TX_POLL. */
static void
tx_flush(void)
{
	struct port a, quiet, b;

	port_open(&a, vale("a"));
	port_open_as(&quiet, vale("q"), &(struct nmreq_register){ .nr_flags = NR_NO_TX_POLL });
	port_open(&b, vale("b"));
	one_frame(&a);
	check_eq(port_poll(&a, POLLIN, 0), 0);
	check_eq(nm_tx_pending(port_tx(&a, 0)), 0);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 1);
	one_frame(&a);
	check_eq(port_poll(&a, 0, 0), 0);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 2);

	one_frame(&quiet);
	check_eq(port_poll(&quiet, POLLIN, 0), POLLIN);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 2);
	check_eq(port_poll(&quiet, POLLOUT, 0), POLLOUT);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 3);
	/* The receive rings are synced only if asked for, or with NR_DO_RX_POLL. */
	port_broadcast(&a);
	check_eq(port_poll(&b, POLLOUT, 0), POLLOUT);
	check_eq(nm_ring_space(port_rx(&b, 0)), 3);
}

static void
rx_poll_flag(void)
{
	struct port a, b;

	port_open(&a, vale("a"));
	port_open_as(&b, vale("b"), &(struct nmreq_register){ .nr_flags = NR_DO_RX_POLL });
	port_broadcast(&a);
	check_eq(port_poll(&b, POLLOUT, 0), POLLOUT);
	check_eq(nm_ring_space(port_rx(&b, 0)), 1);
}

static void
timeouts(void)
{
	static const struct timespec fifty = { .tv_nsec = 50000000 };
	struct pollfd pfd = { .events = POLLIN };
	struct timespec bad = { .tv_nsec = 1000000000 };
	struct port b;
	uint64_t start;

	port_open(&b, vale("b"));
	pfd.fd = b.fd;
	start = now_ms();
	check_eq(poll(&pfd, 1, 80), 0);
	check(now_ms() - start >= 79);
	start = now_ms();
	check_eq(ppoll(&pfd, 1, &fifty, NULL), 0);
	check(now_ms() - start >= 49);
	check_errno(ppoll(&pfd, 1, &bad, NULL), EINVAL);
	/* Numbers that are none of ours. */
	check_eq(poll(NULL, 0, 0), 0);
	pfd.fd = -1;
	check_eq(poll(&pfd, 1, 0), 0);
	check_eq(pfd.revents, 0);
	pfd.fd = 12345;
	check_eq(poll(&pfd, 1, -1), 1);
	check_eq(pfd.revents, POLLNVAL);
}

static void
sleeps_until_frame(void)
{
	struct port b;
	uint8_t in[FRAME_ROOM];
	pid_t pid;

	port_open(&b, vale("b"));
	for (int i = 0; i < 5; i++) {
		pid = send_later(vale("a"), 30, 1);
		check_eq(port_poll(&b, POLLIN, i % 2 ? -1 : 20000), POLLIN);
		check_eq(port_take(&b, in), FRAME_MIN);
		join(pid);
	}
}

static void
drain_later(void *arg)
{
	struct port *s = arg;
	uint8_t in[FRAME_ROOM];

	sleep_ms(50);
	port_rxsync(s);
	check_eq(port_take(s, in), FRAME_MIN);
	port_rxsync(s);
	sleep_ms(200);
}

/* A full pipe is not writable until the receiver gives slots back. */
static void
full_pipe(void)
{
	struct port m, s;
	pid_t pid;

	port_open_pipe(&m, &s, PIPE_SLOTS);
	check_eq(port_poll(&s, POLLIN, 0), 0);
	for (unsigned i = 0; i < PIPE_SLOTS - 1; i++) {
		check_eq(port_poll(&m, POLLOUT, 0), POLLOUT);
		one_frame(&m);
	}
	check(nm_ring_empty(port_tx(&m, 0)));
	check_eq(port_poll(&m, POLLOUT, 0), 0);
	check_eq(port_poll(&m, POLLOUT, 20), 0);
	check_eq(port_poll(&m, POLLIN, 0), 0);
	check_eq(port_poll(&s, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&s, 0)), PIPE_SLOTS - 1);
	pid = spawn(drain_later, &s);
	check_eq(port_poll(&m, POLLOUT, 10000), POLLOUT);
	check_eq(nm_ring_space(port_tx(&m, 0)), 1);
	join(pid);
}

static void
by_signals(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 50000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t before;
	struct port b;
	timer_t timer;
	int fds[2];

	check_ok(pipe(fds));
	port_open(&b, vale("b"));
	pfd[0].fd = b.fd;
	pfd[1].fd = fds[0];
	signals_count(SA_RESTART);
	check_ok(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	/* poll is never restarted: with our descriptor alone, and with another one. */
	for (unsigned n = 1; n <= 2; n++) {
		check_ok(timer_settime(timer, 0, &soon, NULL));
		check_errno(poll(pfd, n, 10000), EINTR);
		check_eq(signals_seen, n);
	}
	/* ppoll lets it in that was blocked, and only while it waits. */
	signals_block(&before);
	for (unsigned n = 1; n <= 2; n++) {
		raise(SIGUSR1);
		check_eq(signals_seen, 1 + n);
		check_errno(ppoll(pfd, n, NULL, &before), EINTR);
		check_eq(signals_seen, 2 + n);
	}
	raise(SIGUSR1);
	check_eq(poll(pfd, 2, 20), 0);
	check_eq(signals_seen, 4);
}

/*
 * Kernel descriptors of several kinds next to ours: whoever is first ends the wait, and each tells its own.
 */
static void
mixed(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 40000000 };
	struct pollfd pfd[6];
	struct port a, b;
	int fds[2], socks[2], event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	uint8_t in[FRAME_ROOM];
	uint64_t eight = 8;
	pid_t pid;

	check_ok(pipe(fds));
	check_ok(socketpair(AF_UNIX, SOCK_DGRAM, 0, socks));
	port_open_two(&a, &b);
	const int all[6] = { fds[0], b.fd, socks[0], event, timer, a.fd };

	for (int i = 0; i < 6; i++)
		pfd[i] = (struct pollfd){ .fd = all[i], .events = POLLIN };
	check_eq(poll(pfd, 6, 0), 0);
	check_eq(poll(pfd, 6, 30), 0);

	check_eq(write(fds[1], "x", 1), 1);
	check_eq(poll(pfd, 6, -1), 1);
	check_eq(pfd[0].revents, POLLIN);
	check_eq(read(fds[0], in, 1), 1);
	check_eq(write(socks[1], "x", 1), 1);
	check_eq(write(event, &eight, 8), 8);
	check_eq(poll(pfd, 6, -1), 2);
	check(pfd[0].revents == 0 && pfd[2].revents == POLLIN && pfd[3].revents == POLLIN);
	/* Ours is ready as well: all of them are told. */
	port_broadcast(&a);
	check_eq(poll(pfd, 6, -1), 3);
	check_eq(pfd[1].revents, POLLIN);
	check_eq(read(socks[0], in, 1), 1);
	check_eq(read(event, in, 8), 8);
	check_eq(poll(pfd, 6, -1), 1);
	port_rxsync(&b);
	check_eq(port_take(&b, in), FRAME_MIN);

	/* Sleeping: woken by one of the kernel's, then by ours. */
	check_ok(timerfd_settime(timer, 0, &soon, NULL));
	check_eq(poll(pfd, 6, 10000), 1);
	check_eq(pfd[4].revents, POLLIN);
	check_eq(read(timer, in, 8), 8);
	for (int i = 0; i < 3; i++) {
		pid = send_later(vale("c"), 40, 1);
		check_eq(poll(pfd, 6, 10000), 2);
		check(pfd[1].revents == POLLIN && pfd[5].revents == POLLIN);
		join(pid);
		port_rxsync(&a);
		port_rxsync(&b);
		check_eq(port_take(&a, in), FRAME_MIN);
		check_eq(port_take(&b, in), FRAME_MIN);
		check_eq(poll(pfd, 6, 0), 0);
	}
	check_ok(close(fds[1]));
	check_eq(poll(pfd, 6, -1), 1);
	check_eq(pfd[0].revents, POLLHUP);
}

static void
same_twice(void)
{
	struct pollfd pfd[3];
	struct port a, b;

	port_open_two(&a, &b);
	pfd[0] = (struct pollfd){ .fd = b.fd, .events = POLLIN };
	pfd[1] = (struct pollfd){ .fd = b.fd, .events = POLLOUT };
	pfd[2] = (struct pollfd){ .fd = dup(b.fd), .events = POLLIN | POLLOUT };
	check_eq(poll(pfd, 3, 1000), 2);
	check(pfd[0].revents == 0 && pfd[1].revents == POLLOUT && pfd[2].revents == POLLOUT);
	port_broadcast(&a);
	check_eq(poll(pfd, 3, 1000), 3);
	check(pfd[0].revents == POLLIN && pfd[1].revents == POLLOUT && pfd[2].revents == (POLLIN | POLLOUT));
}

/* More than fit into any small array. */
static void
crowd(void)
{
	enum { N = 60 };
	struct pollfd pfd[2 * N];
	struct port p[N], a;
	char name[8];
	pid_t pid;

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		port_open(&p[i], vale(name));
		pfd[i] = (struct pollfd){ .fd = p[i].fd, .events = POLLIN };
		pfd[N + i] = (struct pollfd){ .fd = eventfd(0, 0), .events = POLLIN };
	}
	check_eq(poll(pfd, N, 20), 0);
	check_eq(poll(pfd, 2 * N, 20), 0);
	pid = send_later(vale("a"), 50, 1);
	check(poll(pfd, 2 * N, 10000) >= 1);
	join(pid);
	check_eq(poll(pfd, 2 * N, 0), N);
	for (int i = 0; i < N; i++)
		check_eq(pfd[i].revents, POLLIN);
	port_open(&a, vale("a"));
	check_eq(poll(pfd, N, -1), N);
}

/* A head that went backwards: POLLERR, once; the ring is as it was, and others do not notice. */
static void
bad_ring(void)
{
	/* Out of the ring, and cur before head. */
	static const struct { uint32_t head, cur; } wrong[] = { { 1024, 1024 }, { 0xffffffff, 0 }, { 5, 3 },
		{ 1, 1024 } };
	struct port a, b, c;
	struct netmap_ring *ring;
	uint32_t head;

	port_open_two(&a, &b);
	port_open(&c, vale("c"));
	ring = port_tx(&a, 0);
	port_broadcast(&a);
	head = ring->head;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ring->head = wrong[i].head;
		ring->cur = wrong[i].cur;
		check_eq(port_poll(&a, POLLOUT, 1000) & POLLERR, POLLERR);
		check(ring->head == head && ring->cur == head);
		ring->head = wrong[i].head;
		ring->cur = wrong[i].cur;
		check_ok(ioctl(a.fd, NIOCTXSYNC, NULL));
		check(ring->head == head && ring->cur == head);
		check_eq(port_poll(&a, POLLOUT, 1000), POLLOUT);
	}
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	port_rx(&b, 0)->head = 5;
	check_eq(port_poll(&b, POLLIN, 0) & POLLERR, POLLERR);
	check_eq(port_poll(&b, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&b, 0)), 1);
	port_rx(&b, 0)->tail = 77;
	port_rxsync(&b);
	check_eq(nm_ring_space(port_rx(&b, 0)), 1);
	port_broadcast(&a);
	check_eq(port_poll(&c, POLLIN, 0), POLLIN);
	check_eq(nm_ring_space(port_rx(&c, 0)), 2);
}

static void
daemon_kill(void *arg)
{
	sleep_ms(100);
	kill(harness_daemon(), SIGKILL);
}

/*
 * netmapd is killed under a sleeper: POLLERR, not a sleep without end; a new one can be had when the old
 * descriptors are closed.
 */
static void
daemon_dies(void)
{
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct port b;
	int fds[2];
	pid_t pid;

	check_ok(pipe(fds));
	pfd[1].fd = fds[0];
	for (unsigned n = 1; n <= 2; n++) {
		port_open(&b, vale("b"));
		pfd[0].fd = b.fd;
		pid = spawn(daemon_kill, NULL);
		check_eq(poll(pfd, n, 10000), 1);
		check_eq(pfd[0].revents & (POLLERR | POLLIN | POLLOUT), POLLERR);
		join(pid);
		check_errno(ioctl(b.fd, NIOCRXSYNC, NULL), EIO);
		port_close(&b);
	}
	port_open(&b, vale("b"));
	check_eq(port_poll(&b, POLLOUT, 0), POLLOUT);
}

static const struct test_case cases[] = {
	{ "table", table, 0, false },
	{ "tx_flush", tx_flush, 0, false },
	{ "rx_poll_flag", rx_poll_flag, 0, false },
	{ "timeouts", timeouts, 0, false },
	{ "sleeps_until_frame", sleeps_until_frame, 0, false },
	{ "full_pipe", full_pipe, 0, false },
	{ "by_signals", by_signals, 0, false },
	{ "mixed", mixed, 0, false },
	{ "same_twice", same_twice, 0, false },
	{ "crowd", crowd, 0, false },
	{ "bad_ring", bad_ring, 0, false },
	{ "daemon_dies", daemon_dies, 0, false },
};

static const char *const expected_log[] = { "ring restored", NULL };

TEST_MAIN(cases, expected_log)
