/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The netmap members of an epoll instance: a table beside the kernel's own, which holds all other members.
 *
 * A member is known by its number and open file, as with the kernel, and leaves the set when the last number
 * of this process for that file is closed. Level-triggered members are reported whenever they are ready. An
 * edge-triggered (EPOLLET) one is reported when it is ready and something is new since the last report: it
 * was added or modified, or a bit that was off at the last look is on, or slots arrived in a ready direction
 * (client_progress). EPOLLONESHOT members are silent after a report until modified. EPOLLEXCLUSIVE members
 * wake every waiter.
 *
 * After a fork, parent and child go on with a copy each (the kernel's part stays common).
 *
 * An epoll instance that is a member of another one stands in the kernel's table as usual and here as well,
 * for its netmap members; these are reported level-triggered, one level deep.
 *
 * Calls on a set with netmap members take its lock, so they are not for signal handlers.
 */
#ifndef LIBNETMAP_EPOLL_SET_H
#define LIBNETMAP_EPOLL_SET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "fdtable.h"
#include "wait.h"

struct epoll_member {
	int fd;
	struct fd_entry *entry;		/* counted */
	struct epoll_event ev;		/* as given by the program */
	bool spent;			/* EPOLLONESHOT, reported */
	bool unseen;			/* nothing was reported since it was added or modified */
	short seen;			/* what was ready at the last look */
	uint64_t progress_in, progress_out;
};

struct epoll_set {
	pthread_mutex_t lock;		/* members, kick_in */
	struct epoll_member *member;
	unsigned n, room, next;		/* next: where the next look starts */
	bool kick_in;			/* the kick descriptor is in the kernel's table */
	_Atomic unsigned sessions;	/* members that are netmap descriptors, for a look without the lock */
	_Atomic unsigned nested;	/* members that are epoll instances */
	_Atomic bool kernel_used;	/* the kernel's table may have members */
	_Atomic bool kernel_first;	/* the last call left no room for the kernel's */
	/*
	 * Threads that sleep on this instance: changes of the table (32 bits), sleepers from before the last
	 * change (16), sleepers (16). All sleep with the kernel's instance in view, if other threads exist,
	 * so a change wakes them through it: see epoll_set_kick.
	 */
	_Atomic uint64_t sleepers;
	_Atomic unsigned kicks_left;
};

/* kernel_used: whether the kernel's table may already have members. NULL: out of memory. */
struct epoll_set *epoll_set_new(bool kernel_used);
void epoll_set_free(struct epoll_set *set);
void epoll_set_forked(struct epoll_set *set);

/*
 * epoll_ctl for a netmap descriptor or a nested instance. The caller has made sure that epfd is an epoll
 * instance. 0 or -errno.
 */
int epoll_set_ctl(struct epoll_set *set, int epfd, int op, int fd, struct fd_entry *e,
	const struct epoll_event *ev);

/* Reports up to max ready members: how many. */
int epoll_set_collect(struct epoll_set *set, struct epoll_event *ev, int max);
/* Would epoll_set_collect report something? */
bool epoll_set_ready(struct epoll_set *set);
/* wait_add for all members. 0 or -ENOMEM. */
int epoll_set_sources(struct epoll_set *set, struct wait *w);

bool epoll_set_nested_active(struct epoll_set *set);

/* Are there netmap members? If not, the instance is the kernel's alone. */
static inline bool
epoll_set_active(struct epoll_set *set)
{
	return atomic_load_explicit(&set->sessions, memory_order_acquire) ||
		(atomic_load_explicit(&set->nested, memory_order_acquire) && epoll_set_nested_active(set));
}

/* Around a sleep with the kernel's instance in view: the ticket says which changes the sleeper has seen. */
uint64_t epoll_set_sleep(struct epoll_set *set);
void epoll_set_wake(struct epoll_set *set, int epfd, uint64_t ticket);

/*
 * Takes the library's own events out of what the kernel reported; how many are left. *kicked if there were
 * any.
 */
int epoll_set_filter(struct epoll_event *ev, int n, bool *kicked);
/*
 * To be called by the thread that took such an event, after epoll_set_wake: passes it on while others have
 * not seen the change.
 */
void epoll_set_pass_kick(struct epoll_set *set, int epfd);

#endif /* LIBNETMAP_EPOLL_SET_H */
