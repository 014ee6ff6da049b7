/* SPDX-License-Identifier: BSD-2-Clause */
/* select(2) and pselect(2) on netmap descriptors, alone and among others. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

static fd_set
set_of(int a, int b)
{
	fd_set s;

	FD_ZERO(&s);
	if (a >= 0)
		FD_SET(a, &s);
	if (b >= 0)
		FD_SET(b, &s);
	return s;
}

static int
now(int nfds, fd_set *rd, fd_set *wr, fd_set *ex)
{
	struct timeval none = { 0, 0 };

	return select(nfds, rd, wr, ex, &none);
}

static void
table(void)
{
	struct port a, b;
	fd_set rd, wr, ex;

	port_open_two(&a, &b);
	rd = set_of(b.fd, -1);
	check_eq(now(b.fd + 1, &rd, NULL, NULL), 0);
	check(!FD_ISSET(b.fd, &rd));
	wr = set_of(a.fd, b.fd);
	check_eq(select(b.fd + 1, NULL, &wr, NULL, NULL), 2);
	check(FD_ISSET(a.fd, &wr) && FD_ISSET(b.fd, &wr));
	port_broadcast(&a);
	rd = set_of(a.fd, b.fd);
	wr = set_of(b.fd, -1);
	ex = set_of(a.fd, b.fd);
	check_eq(select(b.fd + 1, &rd, &wr, &ex, NULL), 2);
	check(!FD_ISSET(a.fd, &rd) && FD_ISSET(b.fd, &rd) && FD_ISSET(b.fd, &wr));
	check(!FD_ISSET(a.fd, &ex) && !FD_ISSET(b.fd, &ex));
	/* What lies behind nfds is neither looked at nor changed, up to the word that nfds ends in. */
	rd = set_of(a.fd, b.fd);
	check(a.fd < b.fd);
	check_eq(now(b.fd, &rd, NULL, NULL), 0);
	check_eq(now(0, NULL, NULL, NULL), 0);
	check_errno(now(-1, NULL, NULL, NULL), EINVAL);
}

static void
timeouts(void)
{
	struct timeval tv = { .tv_usec = 60000 };
	struct timespec ts = { .tv_nsec = 60000000 };
	struct port b;
	uint64_t start = now_ms();
	fd_set rd;
	pid_t pid;

	port_open(&b, vale("b"));
	rd = set_of(b.fd, -1);
	check_eq(select(b.fd + 1, &rd, NULL, NULL, &tv), 0);
	check(now_ms() - start >= 59);
	check(tv.tv_sec == 0 && tv.tv_usec == 0);
	rd = set_of(b.fd, -1);
	check_eq(pselect(b.fd + 1, &rd, NULL, NULL, &ts, NULL), 0);
	check_eq(ts.tv_nsec, 60000000);
	rd = set_of(b.fd, -1);
	tv.tv_usec = -1;
	check_errno(select(b.fd + 1, &rd, NULL, NULL, &tv), EINVAL);
	/* What is left of the time is told. */
	tv = (struct timeval){ .tv_sec = 20 };
	pid = send_later(vale("a"), 40, 1);
	rd = set_of(b.fd, -1);
	check_eq(select(b.fd + 1, &rd, NULL, NULL, &tv), 1);
	check(tv.tv_sec < 20 && tv.tv_sec > 0);
	join(pid);
}

static void
mixed(void)
{
	int fds[2], event = eventfd(0, 0), top;
	struct port a, b;
	uint8_t in[FRAME_ROOM];
	uint64_t one = 1;
	fd_set rd, wr;
	pid_t pid;

	check_ok(pipe(fds));
	port_open_two(&a, &b);
	top = fcntl(b.fd, F_DUPFD, 900);
	check(top >= 900);
	rd = set_of(fds[0], top);
	FD_SET(event, &rd);
	check_eq(now(top + 1, &rd, NULL, NULL), 0);
	check_eq(write(event, &one, 8), 8);
	rd = set_of(fds[0], top);
	FD_SET(event, &rd);
	check_eq(select(top + 1, &rd, NULL, NULL, NULL), 1);
	check(FD_ISSET(event, &rd));
	check_eq(read(event, in, 8), 8);
	for (int i = 0; i < 3; i++) {
		pid = send_later(vale("c"), 40, 1);
		rd = set_of(fds[0], top);
		wr = set_of(-1, -1);
		check_eq(select(top + 1, &rd, &wr, NULL, NULL), 1);
		check(FD_ISSET(top, &rd) && !FD_ISSET(fds[0], &rd));
		join(pid);
		check_eq(port_take(&b, in), FRAME_MIN);
		port_rxsync(&b);
	}
	port_broadcast(&a);
	check_eq(write(fds[1], "x", 1), 1);
	rd = set_of(fds[0], top);
	wr = set_of(fds[1], b.fd);
	check_eq(select(top + 1, &rd, &wr, NULL, NULL), 4);
	check_ok(close(top));
	rd = set_of(fds[0], top);
	check_errno(select(top + 1, &rd, NULL, NULL, NULL), EBADF);
}

static void
by_signals(void)
{
	sigset_t before;
	struct port b;
	fd_set rd;

	port_open(&b, vale("b"));
	signals_count(0);
	signals_block(&before);
	raise(SIGUSR1);
	rd = set_of(b.fd, -1);
	check_errno(pselect(b.fd + 1, &rd, NULL, NULL, NULL, &before), EINTR);
	check_eq(signals_seen, 1);
}

static const struct test_case cases[] = {
	{ "table", table, 0, false },
	{ "timeouts", timeouts, 0, false },
	{ "mixed", mixed, 0, false },
	{ "by_signals", by_signals, 0, false },
};

TEST_MAIN(cases, NULL)
