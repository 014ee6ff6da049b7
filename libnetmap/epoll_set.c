/* SPDX-License-Identifier: BSD-2-Clause */
/* The netmap members of an epoll instance, see epoll_set.h. */
#include "intercept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "epoll_set.h"
#include "raw_syscall.h"

#define EVENTS_PRIVATE		(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EVENTS_EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* an eventfd that is always readable; the same one in every instance */
static _Atomic int kick_fd = -1;
static const char kick_mark;		/* its address is the kick's event data */

struct epoll_set *
epoll_set_new(bool kernel_used)
{
	struct epoll_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	pthread_mutex_init(&set->lock, NULL);
	atomic_store(&set->kernel_used, kernel_used);
	return set;
}

void
epoll_set_free(struct epoll_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		fd_put(set->member[i].entry);
	free(set->member);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

void
epoll_set_forked(struct epoll_set *set)
{
	/*
	 * Threads that held the lock or slept do not exist in the child; and what the parent adds to the
	 * kernel's table counts here too.
	 */
	pthread_mutex_init(&set->lock, NULL);
	set->kick_in = false;
	atomic_store(&set->sleepers, 0);
	atomic_store(&set->kernel_used, true);
}

/* --- members --- */

static _Atomic unsigned *
members_like(struct epoll_set *set, const struct fd_entry *e)
{
	return e->kind == FD_EPOLL ? &set->nested : &set->sessions;
}

static void
member_remove(struct epoll_set *set, unsigned i)
{
	atomic_fetch_sub(members_like(set, set->member[i].entry), 1);
	fd_put(set->member[i].entry);
	set->member[i] = set->member[--set->n];
}

/* Members whose file this process has closed are none. Must be called with the set locked. */
static void
members_purge(struct epoll_set *set)
{
	for (unsigned i = 0; i < set->n; )
		if (atomic_load_explicit(&set->member[i].entry->slots, memory_order_acquire))
			i++;
		else
			member_remove(set, i);
}

static struct epoll_member *
member_find(struct epoll_set *set, int fd, const struct fd_entry *e)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->member[i].fd == fd && set->member[i].entry == e)
			return &set->member[i];
	return NULL;
}

static bool
members_reserve(struct epoll_set *set)
{
	unsigned room = set->room ? set->room * 2 : 4;
	struct epoll_member *more;

	if (set->n < set->room)
		return true;
	more = reallocarray(set->member, room, sizeof(*more));
	if (!more)
		return false;
	set->member = more;
	set->room = room;
	return true;
}

static short
member_wants(const struct epoll_member *m)
{
	return (short)(m->ev.events & ~EVENTS_PRIVATE & 0x7fff);
}

static uint64_t
member_progress(const struct epoll_member *m, short event)
{
	return client_progress(m->entry->session, event);
}

/* The nested instance's netmap members; if its kernel part is ready, then the kernel reports it. */
static uint32_t
member_nested_ready(const struct epoll_member *m)
{
	struct pollfd p = { .fd = m->fd, .events = POLLIN };
	struct timespec zero = { 0, 0 };

	if (!(m->ev.events & EPOLLIN) || !epoll_set_ready(m->entry->set))
		return 0;
	if (raw_syscall(SYS_ppoll, &p, 1, &zero, NULL, 0) == 1)
		return 0;
	return EPOLLIN;
}

static bool
member_news(const struct epoll_member *m, short ready)
{
	if (!(m->ev.events & EPOLLET) || m->unseen || ready & ~m->seen)
		return true;
	return (ready & (POLLIN | POLLRDNORM) && member_progress(m, POLLIN) != m->progress_in) ||
		(ready & (POLLOUT | POLLWRNORM) && member_progress(m, POLLOUT) != m->progress_out);
}

/* What there is to report of a member now. */
static uint32_t
member_look(struct epoll_member *m)
{
	short ready;

	if (m->spent)
		return 0;
	if (m->entry->kind == FD_EPOLL)
		return member_nested_ready(m);
	ready = session_poll(m->entry, member_wants(m));
	if (ready && member_news(m, ready))
		return (uint32_t)ready;
	m->seen = ready;
	return 0;
}

static void
member_reported(struct epoll_member *m, uint32_t ready)
{
	m->seen = (short)ready;
	m->unseen = false;
	m->spent = m->ev.events & EPOLLONESHOT;
	if (m->entry->kind == FD_SESSION && m->ev.events & EPOLLET) {
		m->progress_in = member_progress(m, POLLIN);
		m->progress_out = member_progress(m, POLLOUT);
	}
}

int
epoll_set_collect(struct epoll_set *set, struct epoll_event *ev, int max)
{
	unsigned looked;
	int n = 0;

	pthread_mutex_lock(&set->lock);
	members_purge(set);
	for (looked = 0; looked < set->n && n < max; looked++) {
		struct epoll_member *m = &set->member[(set->next + looked) % set->n];
		uint32_t ready = member_look(m);

		if (!ready)
			continue;
		ev[n].events = ready;
		ev[n++].data = m->ev.data;
		member_reported(m, ready);
	}
	/* Who had no room this time comes first the next time. */
	set->next = set->n ? (set->next + looked) % set->n : 0;
	pthread_mutex_unlock(&set->lock);
	return n;
}

bool
epoll_set_ready(struct epoll_set *set)
{
	bool ready = false;

	pthread_mutex_lock(&set->lock);
	members_purge(set);
	for (unsigned i = 0; i < set->n && !ready; i++)
		ready = member_look(&set->member[i]) != 0;
	pthread_mutex_unlock(&set->lock);
	return ready;
}

bool
epoll_set_nested_active(struct epoll_set *set)
{
	bool active = false;

	pthread_mutex_lock(&set->lock);
	members_purge(set);
	for (unsigned i = 0; i < set->n && !active; i++)
		active = set->member[i].entry->kind == FD_EPOLL &&
			epoll_set_active(set->member[i].entry->set);
	pthread_mutex_unlock(&set->lock);
	return active;
}

int
epoll_set_sources(struct epoll_set *set, struct wait *w)
{
	int err = 0;

	pthread_mutex_lock(&set->lock);
	members_purge(set);
	for (unsigned i = 0; i < set->n && !err; i++) {
		struct epoll_member *m = &set->member[i];

		if (m->spent)
			continue;
		if (m->entry->kind == FD_EPOLL)
			err = epoll_set_sources(m->entry->set, w);
		else
			err = wait_add(w, m->fd, m->entry, member_wants(m));
	}
	pthread_mutex_unlock(&set->lock);
	return err;
}

/* --- changes while others sleep --- */

#define SLEEPERS(word)		((unsigned)(word) & 0xffff)
#define SLEEPERS_STALE(word)	((unsigned)((word) >> 16) & 0xffff)
#define SLEEPERS_CHANGES(word)	((uint32_t)((word) >> 32))

uint64_t
epoll_set_sleep(struct epoll_set *set)
{
	return atomic_fetch_add(&set->sleepers, 1);
}

static bool
kick_ctl(int epfd, int op)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = (void *)&kick_mark };

	return raw_syscall(SYS_epoll_ctl, epfd, op, atomic_load(&kick_fd), &ev) == 0;
}

void
epoll_set_wake(struct epoll_set *set, int epfd, uint64_t ticket)
{
	uint64_t word = atomic_load(&set->sleepers), next;

	do {
		next = word - 1;
		if (SLEEPERS_CHANGES(word) != SLEEPERS_CHANGES(ticket) && SLEEPERS_STALE(word))
			next -= 1 << 16;
	} while (!atomic_compare_exchange_weak(&set->sleepers, &word, next));
	if (!SLEEPERS_STALE(word) || SLEEPERS_STALE(next))
		return;
	/* The last one who had to be told. */
	pthread_mutex_lock(&set->lock);
	if (set->kick_in && !SLEEPERS_STALE(atomic_load(&set->sleepers))) {
		kick_ctl(epfd, EPOLL_CTL_DEL);
		set->kick_in = false;
	}
	pthread_mutex_unlock(&set->lock);
}

/* The kick descriptor, -1 if there can be none. */
static int
kick_make(void)
{
	int fd = atomic_load(&kick_fd), low, none = -1;

	if (fd >= 0)
		return fd;
	low = (int)raw_syscall(SYS_eventfd2, 1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (low < 0)
		return -1;
	fd = (int)raw_syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, CLIENT_FD_FLOOR);
	if (fd < 0)	/* the process may not have that many */
		fd = (int)raw_syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, low + 1);
	raw_syscall(SYS_close, low);
	if (fd < 0)
		return -1;
	if (!fd_own(fd) || !atomic_compare_exchange_strong(&kick_fd, &none, fd)) {
		fd_clear(fd);
		raw_syscall(SYS_close, fd);
	}
	return atomic_load(&kick_fd);
}

/*
 * The table has changed: every thread that sleeps looks again. Edge-triggered, an event of the kick
 * descriptor reaches one thread, which passes it on (epoll_set_pass_kick) until no sleeper is left from
 * before the change. Must be called with the set locked.
 */
static void
epoll_set_kick(struct epoll_set *set, int epfd)
{
	uint64_t word = atomic_load(&set->sleepers), next;

	do {
		next = (uint64_t)(SLEEPERS_CHANGES(word) + 1) << 32 | (uint64_t)SLEEPERS(word) << 16 |
			SLEEPERS(word);
	} while (!atomic_compare_exchange_weak(&set->sleepers, &word, next));
	if (!SLEEPERS(word) || kick_make() < 0)
		return;
	/* Bounded, since a sleeper that left by longjmp is counted for ever. */
	atomic_store(&set->kicks_left, 64 * SLEEPERS(word));
	if (set->kick_in)
		kick_ctl(epfd, EPOLL_CTL_MOD);
	else
		set->kick_in = kick_ctl(epfd, EPOLL_CTL_ADD);
}

void
epoll_set_pass_kick(struct epoll_set *set, int epfd)
{
	unsigned left = atomic_load(&set->kicks_left);

	if (!SLEEPERS_STALE(atomic_load(&set->sleepers)))
		return;
	do {
		if (!left)
			return;
	} while (!atomic_compare_exchange_weak(&set->kicks_left, &left, left - 1));
	pthread_mutex_lock(&set->lock);
	if (set->kick_in)
		kick_ctl(epfd, EPOLL_CTL_MOD);
	pthread_mutex_unlock(&set->lock);
	raw_syscall(SYS_sched_yield);
}

int
epoll_set_filter(struct epoll_event *ev, int n, bool *kicked)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr == (const void *)&kick_mark)
			*kicked = true;
		else if (kept++ != i)
			ev[kept - 1] = ev[i];
	}
	return kept;
}

/* --- epoll_ctl --- */

static int
member_add(struct epoll_set *set, int fd, struct fd_entry *e, const struct epoll_event *ev)
{
	if (ev->events & EPOLLEXCLUSIVE && (ev->events & ~EVENTS_EXCLUSIVE_OK || e->kind == FD_EPOLL))
		return -EINVAL;
	if (!members_reserve(set))
		return -ENOMEM;
	set->member[set->n++] = (struct epoll_member){ .fd = fd, .entry = fd_ref(e), .ev = *ev,
		.unseen = true };
	atomic_fetch_add(members_like(set, e), 1);
	return 0;
}

static int
member_modify(struct epoll_member *m, const struct epoll_event *ev)
{
	if ((m->ev.events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	m->ev = *ev;
	m->spent = false;
	m->unseen = true;
	return 0;
}

int
epoll_set_ctl(struct epoll_set *set, int epfd, int op, int fd, struct fd_entry *e,
	const struct epoll_event *ev)
{
	struct epoll_event copy = { 0 };
	struct epoll_member *m;
	int err;

	if (op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD) {
		if (!ev)
			return -EFAULT;
		copy = *ev;
	}
	pthread_mutex_lock(&set->lock);
	members_purge(set);
	m = member_find(set, fd, e);
	switch (op) {
	case EPOLL_CTL_ADD:
		err = m ? -EEXIST : member_add(set, fd, e, &copy);
		break;
	case EPOLL_CTL_MOD:
		err = m ? member_modify(m, &copy) : -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		err = m ? 0 : -ENOENT;
		if (m)
			member_remove(set, (unsigned)(m - set->member));
		break;
	default:
		err = -EINVAL;
	}
	if (!err && op != EPOLL_CTL_DEL)
		epoll_set_kick(set, epfd);
	pthread_mutex_unlock(&set->lock);
	return err;
}
