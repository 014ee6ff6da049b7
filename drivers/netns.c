/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running something in another network namespace: a short-lived thread enters it, nobody else moves. Where that is not allowed, with sockets that
 * somebody made there: what is done through a socket happens in the socket's namespace, whoever does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "netns.h"

/* What is lent to this thread, and of which namespace; and the namespace that it works for from outside, -1: none. */
static __thread struct netns_sockets *lent;
static __thread int lent_netns = -1;
static __thread int foreign = -1;

struct netns_job {
	int netns_fd;
	int (*fn)(void *arg);
	void *arg;
	int result;
	int entered;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool netns_same(int a, int b)
{
	struct stat st_a, st_b;

	return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && same_file(&st_a, &st_b);
}

bool netns_is_own(int netns_fd)
{
	struct stat own, other;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(netns_fd, &other) == 0 && same_file(&own, &other);
}

/* For tests: as if CAP_SYS_ADMIN were missing. */
static bool netns_allowed(void)
{
	const char *wish = getenv("NETMAP_SETNS");

	return !wish || strcmp(wish, "no") != 0;
}

static void *netns_thread(void *arg)
{
	struct netns_job *job = arg;

	if (!netns_allowed()) {
		job->result = -EPERM;
		return NULL;
	}
	if (setns(job->netns_fd, CLONE_NEWNET) < 0) {
		job->result = -errno;
		return NULL;
	}
	job->entered = 1;
	job->result = job->fn(job->arg);
	return NULL;
}

/* In this thread. A call within another one's fn leaves that one its namespace. */
static int run_here(int as, int (*fn)(void *arg), void *arg)
{
	int outer = foreign, rc;

	foreign = as;
	rc = fn(arg);
	foreign = outer;
	return rc;
}

int netns_call(int netns_fd, int (*fn)(void *arg), void *arg, int *entered)
{
	struct netns_job job = { .netns_fd = netns_fd, .fn = fn, .arg = arg };
	sigset_t all, old;
	pthread_t thread;
	int err;

	/* Entering one's own namespace again would need a privilege for nothing. */
	if (netns_fd < 0 || netns_is_own(netns_fd)) {
		*entered = 1;
		return run_here(netns_fd < 0 ? foreign : -1, fn, arg);
	}
	*entered = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, netns_thread, &job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	if (!job.entered && job.result == -EPERM && lent && netns_same(netns_fd, lent_netns)) {
		job.entered = 1;
		job.result = run_here(netns_fd, fn, arg);
	}
	*entered = job.entered;
	return job.result;
}

/* --- sockets from there --- */

void netns_sockets_lend(struct netns_sockets *s, int netns_fd)
{
	lent = s;
	lent_netns = netns_fd;
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool socket_is(int fd, int domain, int type, int protocol)
{
	return socket_option(fd, SO_DOMAIN) == domain && socket_option(fd, SO_TYPE) == type &&
	       (domain != AF_NETLINK || socket_option(fd, SO_PROTOCOL) == protocol);
}

/* Packet sockets, netlink of two families, and one that any ioctl of interfaces can be made on. */
static bool socket_useful(int fd)
{
	return socket_is(fd, AF_PACKET, SOCK_RAW, 0) || socket_is(fd, AF_INET, SOCK_DGRAM, 0) ||
	       socket_is(fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) || socket_is(fd, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

static bool socket_of(int fd, int netns_fd)
{
	int own = ioctl(fd, SIOCGSKNS);
	bool same = own >= 0 && netns_same(own, netns_fd);

	if (own >= 0)
		close(own);
	return same;
}

int netns_sockets_add(struct netns_sockets *s, int netns_fd, int fd)
{
	int err = !socket_useful(fd) ? -EINVAL : !socket_of(fd, netns_fd) ? -EPERM : s->n == NETNS_SOCKETS_MAX ? -ENOSPC : 0;

	if (err)
		close(fd);
	else
		s->fd[s->n++] = fd;
	return err;
}

void netns_sockets_close(struct netns_sockets *s)
{
	while (s->n > 0)
		close(s->fd[--s->n]);
}

static int socket_take(int domain, int type, int protocol)
{
	for (unsigned i = 0; i < lent->n; i++) {
		int fd = lent->fd[i];

		if (!socket_is(fd, domain, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol))
			continue;
		/* For ioctls alone, one serves all. */
		if (domain == AF_INET)
			return fcntl(fd, F_DUPFD_CLOEXEC, 3);
		lent->fd[i] = lent->fd[--lent->n];
		if (fcntl(fd, F_SETFL, type & SOCK_NONBLOCK ? O_NONBLOCK : 0) == 0)
			return fd;
		close(fd);
		return -1;
	}
	lent->missed++;
	errno = EUSERS;
	return -1;
}

int netns_socket(int domain, int type, int protocol)
{
	return netns_foreign() ? socket_take(domain, type, protocol) : socket(domain, type, protocol);
}

bool netns_foreign(void)
{
	return foreign >= 0;
}

int netns_open(void)
{
	int fd = netns_foreign() ? fcntl(foreign, F_DUPFD_CLOEXEC, 3) : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_stat(struct stat *st)
{
	int rc = netns_foreign() ? fstat(foreign, st) : stat("/proc/thread-self/ns/net", st);

	return rc < 0 ? -errno : 0;
}
