/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hosts of the sync loop in user space share: the loop runs in the thread that called SYNC_KLOOP_START, in the process whose memory has the
 * CSB arrays, and the eventfds are that process's.
 */
#ifndef HOST_KLOOP_HOST_H
#define HOST_KLOOP_HOST_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../engine/kloop.h"

struct host_kloop {
	struct kloop kl;		/* first: the engine's functions hand it back */
	/* The host's to fill: the descriptors are held as long as the loop runs, whatever the program does with their numbers. */
	int (*fd_hold)(int fd);		/* another number for the same file, or -errno */
	void (*fd_drop)(int fd);
	/* Set by host_kloop_run. */
	struct pollfd *fds;		/* ioeventfds (kl.kicks), then room for `more` of the waiter's own */
	unsigned more;
	int *irqfd;			/* one for each ring, -1: none */
	size_t size;			/* bytes mapped at `fds` */
};

#define HOST_KLOOP_OF(kl_)	((struct host_kloop *)(void *)(kl_))

/* For csb_enable, inside a fault guard. */
extern const struct csb_access host_csb_access;

/* Enables CSB mode as csb.h says, with a guard. */
int host_csb_enable(struct binding *b, uint64_t atok, uint64_t ktoa);

/*
 * After kloop_params, with root, self, b and host set: the whole loop, in this thread, which cannot be cancelled meanwhile. Result of the request: besides
 * those of kloop_begin and kloop_run, -EBADF: one of the eventfds is no open descriptor; -EINVAL: no eventfd; -ENOMEM, -EMFILE.
 */
int host_kloop_run(struct host_kloop *h, const struct nmreq_opt_sync_kloop_eventfds *eventfds);

/*
 * Sleeps until one of the ioeventfds or of the first n of the `more` entries of h->fds behind them is ready, at most us microseconds. Takes the signals of
 * the ioeventfds. True if one of them came.
 */
bool host_kloop_poll(struct host_kloop *h, unsigned n, uint32_t us);

/* STOP has been asked of the loop (kloop_stop was true): sleeps until it ended, or `ms` have passed. True: it has. */
bool host_kloop_ended(struct binding *b, unsigned ms);

#endif /* HOST_KLOOP_HOST_H */
