/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The waiting under poll, select and epoll_wait: sync passes first, sleep only if nothing is ready, and look
 * again after every wake-up. The caller says what its descriptors are through callbacks.
 *
 * Sleeping takes one of two forms. If sessions are all there is, the thread waits in client_wait. If the
 * kernel has descriptors to watch as well, it sleeps in ppoll over those, the descriptor by which the thread
 * is woken, and the sessions' own (without events: a hang-up says that netmapd died).
 */
#ifndef LIBNETMAP_WAIT_H
#define LIBNETMAP_WAIT_H

#include <poll.h>
#include <signal.h>

#include "client.h"
#include "fdtable.h"
#include "timeout.h"

struct wait_source {
	struct fd_entry *entry;		/* counted, of a session */
	int fd;				/* the number by which it was asked about */
	short events;
};

/*
 * Array that starts in its owner's memory and moves to a mapping when it grows; malloc is not for signal
 * handlers.
 */
struct wait_array {
	void *at;
	size_t size;		/* bytes */
	bool mapped;
};

struct wait {
	/* Set by the caller. */
	struct timeout timeout;
	const sigset_t *mask;
	struct pollfd *others;		/* what the kernel watches; revents are filled in by the sleep */
	unsigned n_others;
	/* out: the wait ended because a number changed its meaning; look everything up again */
	bool restart;

	/* The sync passes. How many results there are (0: nothing is ready). */
	int (*collect)(struct wait *w);
	/*
	 * Adds the kernel's results to `n` others: how many there are in addition, or -errno. Called when n >
	 * 0, when the time is over, and when the sleep found some: then `fresh` says that others[].revents
	 * are of now, otherwise they have to be asked for (without waiting).
	 */
	int (*collect_others)(struct wait *w, int n, bool fresh);
	/*
	 * Before a sleep: wait_add for every session that may end it. 0 or -errno. And the opposite, NULL if
	 * there is nothing to do.
	 */
	int (*before)(struct wait *w);
	void (*after)(struct wait *w);
	/* The caller's resources, when the thread is cancelled. */
	void (*release)(struct wait *w);

	/* Own. */
	struct client_waiter *waiter;
	struct wait_source *src;
	unsigned n_src, n_armed;
	bool begun, asleep;
	struct pollfd *kfds;
	struct wait_array src_mem, kfds_mem;
	struct wait_source src_first[8];
	struct pollfd kfds_first[32];
};

void wait_init(struct wait *w);
/* What wait_init and the run left behind. */
void wait_fini(struct wait *w);
/* Number of results; 0: the time is over; -EINTR and other errors. */
int wait_run(struct wait *w);

/* A session that may end the coming sleep; takes its own reference. 0 or -ENOMEM. */
int wait_add(struct wait *w, int fd, struct fd_entry *e, short events);

/* Room for `need` bytes, contents kept. False: out of memory. */
bool wait_array_reserve(struct wait_array *a, size_t need);
void wait_array_free(struct wait_array *a);

#endif /* LIBNETMAP_WAIT_H */
