/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the wrappers ask of the client: nothing is kept, nothing is forgotten, nothing is asked without need.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>

#include "fake_client.h"
#include "fixture.h"
#include "../sanitizer.h"

static struct fake_counters *c;

static void
test_given_back(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct test_port p, q;
	int ep, other;

	CHECK(c->sessions == 0);
	port_open(&p);
	port_open(&q);
	other = dup(p.fd);
	CHECK(c->sessions == 2);
	close(p.fd);
	CHECK(c->sessions == 2);
	close(other);
	CHECK(c->sessions == 1);
	/* A set holds its members no longer than they are open somewhere, or it is. */
	ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, q.fd, &ev) == 0);
	close(q.fd);
	CHECK(c->sessions == 1);
	close(ep);
	CHECK(c->sessions == 0);
	port_open(&p);
	dup2(0, p.fd);
	CHECK(c->sessions == 0);
	close(p.fd);
	port_open(&p);
	closefrom(3);
	CHECK(c->sessions == 0 && fake_own_fds_open());
	for (int fd = 3; fd < 1000; fd++)
		CHECK(close(fd) == -1 && errno == EBADF);
	CHECK(fake_own_fds_open());
}

static void
close_in_handler(int sig)
{
	close(100);
}

/* Where it may be a signal handler, the session is given back later. */
static void
test_handler(void)
{
	struct sigaction sa = { .sa_handler = close_in_handler };
	struct test_port p;

	port_open(&p);
	CHECK(dup2(p.fd, 100) == 100 && close(p.fd) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	CHECK(c->sessions == 1);
	port_open(&p);
	CHECK(c->sessions == 1);
	port_close(&p);
	CHECK(c->sessions == 0);
}

static void *
sleep_in_poll(void *arg)
{
	struct pollfd f[] = { { ((struct test_port *)arg)->fd, POLLIN, 0 },
		{ ((struct test_port *)arg)->peer, POLLIN, 0 } };

	poll(f, 2, -1);
	return NULL;
}

static void *
sleep_in_epoll(void *arg)
{
	struct epoll_event ev;

	epoll_wait(((struct test_port *)arg)->peer, &ev, 1, -1);
	return NULL;
}

/* A thread that is cancelled in its sleep leaves nothing armed and holds nothing. */
static void
test_cancelled(void)
{
	void *(*const sleepers[])(void *) = { sleep_in_poll, sleep_in_epoll, sleep_in_poll };
	struct epoll_event ev = { .events = EPOLLIN };
	struct test_port p;
	pthread_t t;
	int ep;

	if (cancel_untestable())
		return;
	for (size_t i = 0; i < sizeof(sleepers) / sizeof(sleepers[0]); i++) {
		port_open(&p);
		ep = epoll_create1(0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &ev) == 0);
		p.peer = i == 2 ? -1 : ep;
		CHECK(pthread_create(&t, NULL, sleepers[i], &p) == 0);
		usleep(30000);
		CHECK(c->armed > 0);
		pthread_cancel(t);
		pthread_join(t, NULL);
		CHECK(c->armed == 0);
		close(ep);
		port_close(&p);
		CHECK(c->sessions == 0);
	}
}

/* With others in the set, the kernel tells at once that netmapd is gone. */
static void
test_hang_up(void)
{
	int pipe_fd[2];
	struct test_port p;

	CHECK(pipe(pipe_fd) == 0);
	port_open(&p);
	struct pollfd f[] = { { p.fd, POLLIN, 0 }, { pipe_fd[0], POLLIN, 0 } };
	CHECK(poll(f, 2, 5) == 0);
	fake_hang_up(&p);
	CHECK(poll(f, 2, -1) == 1 && f[0].revents == POLLERR && f[1].revents == 0);
	CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLERR);
	port_close(&p);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void
test_unmapped(void)
{
	struct test_port p;
	char *a;

	port_open(&p);
	a = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(munmap(a, 4096) == 0 && c->unmapped == 0);
	a = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	CHECK(a != MAP_FAILED);
	CHECK(munmap(a + 1, 4096) == -1 && c->unmapped == 0);
	CHECK(mremap(a, 16384, 12288, 0) == a && c->unmapped == 1 && c->unmapped_bytes == 4096);
	CHECK(mmap(a, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
	CHECK(c->unmapped == 2 && c->unmapped_bytes == 8192);
	CHECK(munmap(a, 12000) == 0 && c->unmapped == 3 && c->unmapped_bytes == 8192 + 12288);
	port_close(&p);
}

/* A session is attached to at its first use, once; other sockets are never asked about. */
static void
test_adopted(void)
{
	char number[16], *args[] = { (char *)"self", (char *)"child", number, NULL };
	struct test_port p;
	int status;
	pid_t pid;

	port_open(&p);
	port_feed(&p);
	snprintf(number, sizeof(number), "%d", p.fd);
	pid = fork();
	if (pid == 0) {
		CHECK(c->forked == 1 && c->adopted == 0);
		execv("/proc/self/exe", args);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(c->forked == 0);
	port_close(&p);
}

static int
adopted_child(int fd)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	CHECK(c->adopted == 0 && c->sessions == 0);
	CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
	CHECK(c->adopted == 1 && c->sessions == 1);
	CHECK(dup2(fd, 90) == 90 && ioctl(90, NIOCRXSYNC) == 0 && c->adopted == 1);
	close(fd);
	CHECK(c->sessions == 1);
	close(90);
	CHECK(c->sessions == 0);
	return 0;
}

int
main(int argc, char **argv)
{
	alarm(TEST_SECONDS);
	c = fake_counts();
	if (argc == 3)
		return adopted_child(atoi(argv[2]));
	test_given_back();
	test_handler();
	test_cancelled();
	test_hang_up();
	test_unmapped();
	test_adopted();
	return 0;
}
