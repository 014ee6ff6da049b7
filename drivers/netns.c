/* SPDX-License-Identifier: BSD-2-Clause */
/* Running something in another network namespace: a short-lived thread enters it, nobody else moves. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netns.h"

struct netns_job {
	int netns_fd;
	int (*fn)(void *arg);
	void *arg;
	int result;
	int entered;
};

/* Entering one's own namespace again would need a privilege for nothing. */
static bool netns_is_own(int netns_fd)
{
	struct stat own, other;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(netns_fd, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
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

int netns_call(int netns_fd, int (*fn)(void *arg), void *arg, int *entered)
{
	struct netns_job job = { .netns_fd = netns_fd, .fn = fn, .arg = arg };
	sigset_t all, old;
	pthread_t thread;
	int err;

	if (netns_fd < 0 || netns_is_own(netns_fd)) {
		*entered = 1;
		return fn(arg);
	}
	*entered = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, netns_thread, &job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	*entered = job.entered;
	return job.result;
}
