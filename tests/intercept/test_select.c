/* SPDX-License-Identifier: BSD-2-Clause */
/* select and pselect: exact bits, sets of any size, the timeout. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

static struct timeval no_wait = { 0, 0 };

static void
test_bits(void)
{
	struct test_port a, b;
	fd_set rd, wr, ex;
	struct timeval tv = { 0, 0 };
	int pipe_fd[2], n;

	port_open(&a);
	port_open(&b);
	CHECK(pipe(pipe_fd) == 0);
	FD_ZERO(&rd);
	FD_ZERO(&wr);
	FD_ZERO(&ex);
	FD_SET(a.fd, &rd);
	FD_SET(a.fd, &wr);
	FD_SET(a.fd, &ex);
	FD_SET(b.fd, &rd);
	FD_SET(pipe_fd[0], &rd);
	FD_SET(pipe_fd[1], &wr);
	n = pipe_fd[1] + 1;
	CHECK(select(n, &rd, &wr, &ex, &tv) == 2);
	CHECK(!FD_ISSET(a.fd, &rd) && FD_ISSET(a.fd, &wr) && !FD_ISSET(a.fd, &ex));
	CHECK(!FD_ISSET(b.fd, &rd) && !FD_ISSET(pipe_fd[0], &rd) && FD_ISSET(pipe_fd[1], &wr));

	port_feed(&a);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	FD_SET(a.fd, &rd);
	FD_SET(b.fd, &rd);
	FD_SET(pipe_fd[0], &rd);
	CHECK(select(n, &rd, NULL, NULL, NULL) == 2);
	CHECK(FD_ISSET(a.fd, &rd) && !FD_ISSET(b.fd, &rd) && FD_ISSET(pipe_fd[0], &rd));

	/* Bits beyond nfds in the last word are cleared, later words are left alone. */
	memset(&rd, 0xff, sizeof(rd));
	CHECK(select(0, &rd, NULL, NULL, &no_wait) == 0);
	FD_ZERO(&rd);
	FD_SET(a.fd, &rd);
	FD_SET(63, &rd);
	FD_SET(70, &rd);
	CHECK(select(a.fd + 1, &rd, NULL, NULL, NULL) == 1);
	CHECK(FD_ISSET(a.fd, &rd) && !FD_ISSET(63, &rd) && FD_ISSET(70, &rd));
	CHECK(select(-1, &rd, NULL, NULL, &no_wait) == -1 && errno == EINVAL);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	port_close(&a);
	port_close(&b);
}

static void
test_errors(void)
{
	struct timeval bad = { -1, 0 };
	struct test_port p;
	fd_set rd, before;
	int closed = dup(0);

	close(closed);
	port_open_unregistered(&p);
	FD_ZERO(&rd);
	FD_SET(p.fd, &rd);
	/* An error counts as readable and writable. */
	CHECK(select(p.fd + 1, &rd, NULL, NULL, NULL) == 1 && FD_ISSET(p.fd, &rd));
	CHECK(select(p.fd + 1, NULL, &rd, NULL, NULL) == 1 && FD_ISSET(p.fd, &rd));
	CHECK(select(p.fd + 1, NULL, NULL, &rd, &no_wait) == 0 && !FD_ISSET(p.fd, &rd));
	CHECK(select(p.fd + 1, &rd, NULL, NULL, &no_wait) == 0);
	FD_SET(p.fd, &rd);
	CHECK(select(p.fd + 1, &rd, NULL, NULL, &bad) == -1 && errno == EINVAL);
	FD_SET(closed + 5, &rd);
	before = rd;
	CHECK(select(p.fd + 10, &rd, NULL, NULL, &no_wait) == -1 && errno == EBADF);
	CHECK(memcmp(&before, &rd, sizeof(rd)) == 0);
	port_close(&p);
}

static void
test_timeout(void)
{
	struct timespec ts = { 0, 40000000 }, start, end;
	struct timeval tv = { 0, 60000 };
	struct test_port p;
	fd_set rd;

	port_open(&p);
	FD_ZERO(&rd);
	FD_SET(p.fd, &rd);
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK(select(p.fd + 1, &rd, NULL, NULL, &tv) == 0 && !FD_ISSET(p.fd, &rd));
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec >= 60000000);
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	FD_SET(p.fd, &rd);
	CHECK(pselect(p.fd + 1, &rd, NULL, NULL, &ts, NULL) == 0 && ts.tv_nsec == 40000000);
	port_feed(&p);
	FD_SET(p.fd, &rd);
	tv = (struct timeval){ 5, 0 };
	CHECK(select(p.fd + 1, &rd, NULL, NULL, &tv) == 1 && tv.tv_sec >= 4);
	port_close(&p);
}

/* Numbers above FD_SETSIZE in a set that the program made; and getdtablesize() with an ordinary set. */
static void
test_large(void)
{
	enum { HIGH = 3000 };
	unsigned long bits[(HIGH + 64) / 64 + 1] = { 0 };
	struct rlimit lim;
	struct test_port p;
	fd_set *rd = (fd_set *)bits, small;
	int high;

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	if (lim.rlim_max < 8192) {
		printf("test_large skipped: not enough descriptors\n");
		return;
	}
	lim.rlim_cur = 8192;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	port_open(&p);
	port_feed(&p);
	FD_ZERO(&small);
	FD_SET(p.fd, &small);
	CHECK(select(getdtablesize(), &small, NULL, NULL, &no_wait) == 1 && FD_ISSET(p.fd, &small));

	high = fcntl(p.fd, F_DUPFD, HIGH);
	CHECK(high >= HIGH);
	bits[high / 64] |= 1UL << high % 64;
	CHECK(select(high + 1, rd, NULL, NULL, NULL) == 1 && bits[high / 64] == 1UL << high % 64);
	CHECK(port_take(&p) == 1);
	CHECK(select(high + 1, rd, NULL, NULL, &no_wait) == 0 && bits[high / 64] == 0);
	close(high);
	port_close(&p);
}

static void
on_signal(int sig)
{
}

static void
test_mask(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct timespec zero = { 0, 0 };
	sigset_t usr1, none;
	struct test_port p;
	fd_set rd;

	port_open(&p);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	FD_ZERO(&rd);
	FD_SET(p.fd, &rd);
	raise(SIGUSR1);
	CHECK(pselect(p.fd + 1, &rd, NULL, NULL, NULL, &none) == -1 && errno == EINTR && FD_ISSET(p.fd, &rd));
	raise(SIGUSR1);
	CHECK(pselect(p.fd + 1, &rd, NULL, NULL, &zero, &none) == -1 && errno == EINTR);
	CHECK(pselect(p.fd + 1, &rd, NULL, NULL, &zero, &none) == 0);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	port_close(&p);
}

int
main(void)
{
	alarm(TEST_SECONDS);
	test_bits();
	test_errors();
	test_timeout();
	test_large();
	test_mask();
	return 0;
}
