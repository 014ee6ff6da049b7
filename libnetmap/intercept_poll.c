/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll(2): netmap descriptors run their sync passes here, all others are the kernel's. An epoll instance with
 * netmap members counts as both; members that another thread adds to it during the call are seen from the
 * next call on.
 */
#include "intercept.h"

#include <pthread.h>

#include "epoll_set.h"
#include "poll_call.h"
#include "raw_syscall.h"

int __poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t fds_size);
int __ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *mask,
	size_t fds_size);
void __chk_fail(void) __attribute__((noreturn));

#define POLL_MAX	(1u << 20)	/* longer arrays are for the kernel to refuse */

struct poll_item {
	struct fd_entry *entry;		/* counted: a session, or an epoll instance with netmap members */
	unsigned index;			/* in the program's array */
};

struct poll_call {
	struct wait w;			/* first: callbacks cast */
	struct pollfd *fds;		/* the program's */
	unsigned nfds;
	struct poll_item *item;
	unsigned n_items;
	unsigned *other_index;		/* of w.others[], in the program's array */
	struct wait_array item_mem, other_mem, index_mem;
	struct poll_item item_first[8];
	struct pollfd other_first[16];
	unsigned index_first[16];
};

static void
poll_init(struct poll_call *c)
{
	c->item_mem = (struct wait_array){ c->item_first, sizeof(c->item_first), false };
	c->other_mem = (struct wait_array){ c->other_first, sizeof(c->other_first), false };
	c->index_mem = (struct wait_array){ c->index_first, sizeof(c->index_first), false };
	c->n_items = 0;
	wait_init(&c->w);
}

static void
poll_release(struct wait *w)
{
	struct poll_call *c = (struct poll_call *)w;

	while (c->n_items)
		fd_put(c->item[--c->n_items].entry);
	wait_array_free(&c->item_mem);
	wait_array_free(&c->other_mem);
	wait_array_free(&c->index_mem);
}

static bool
poll_add_item(struct poll_call *c, struct fd_entry *e, unsigned index)
{
	if (!wait_array_reserve(&c->item_mem, (c->n_items + 1) * sizeof(*c->item))) {
		fd_put(e);
		return false;
	}
	c->item = c->item_mem.at;
	c->item[c->n_items++] = (struct poll_item){ e, index };
	return true;
}

static bool
poll_add_other(struct poll_call *c, unsigned index)
{
	unsigned n = c->w.n_others;

	if (!wait_array_reserve(&c->other_mem, (n + 1) * sizeof(*c->w.others)) ||
	    !wait_array_reserve(&c->index_mem, (n + 1) * sizeof(*c->other_index)))
		return false;
	c->w.others = c->other_mem.at;
	c->other_index = c->index_mem.at;
	c->w.others[n] = (struct pollfd){ .fd = c->fds[index].fd, .events = c->fds[index].events };
	c->other_index[n] = index;
	c->w.n_others++;
	return true;
}

/* A counted entry if fd needs more than the kernel's poll. */
static struct fd_entry *
poll_entry(int fd)
{
	struct fd_entry *e;

	if (!fd_peek(fd))
		return NULL;
	e = session_get(fd);
	if (e)
		return e;
	e = fd_get(fd);
	if (e && e->kind == FD_EPOLL && epoll_set_active(e->set))
		return e;
	if (e)
		fd_put(e);
	return NULL;
}

static bool
poll_sort(struct poll_call *c)
{
	for (unsigned i = 0; i < c->nfds; i++) {
		struct fd_entry *e;
		bool other;

		c->fds[i].revents = 0;
		if (c->fds[i].fd < 0)
			continue;
		e = poll_entry(c->fds[i].fd);
		other = !e || e->kind == FD_EPOLL;
		if (e && !poll_add_item(c, e, i))
			return false;
		if (other && !poll_add_other(c, i))
			return false;
	}
	return true;
}

static short
item_look(const struct poll_item *item, short events)
{
	if (item->entry->kind == FD_SESSION)
		return session_poll(item->entry, events);
	events &= POLLIN | POLLRDNORM;
	return events && epoll_set_ready(item->entry->set) ? events : 0;
}

static int
poll_collect(struct wait *w)
{
	struct poll_call *c = (struct poll_call *)w;
	int n = 0;

	for (unsigned i = 0; i < c->n_items; i++) {
		struct pollfd *p = &c->fds[c->item[i].index];

		p->revents = item_look(&c->item[i], p->events);
		n += p->revents != 0;
	}
	return n;
}

static int
poll_collect_others(struct wait *w, int n, bool fresh)
{
	struct poll_call *c = (struct poll_call *)w;
	struct timespec zero = { 0, 0 };
	int more = 0;

	if (!fresh && (w->n_others || (w->mask && n == 0)) &&
	    libc.ppoll(w->others, w->n_others, &zero, n ? NULL : w->mask) < 0)
		return -errno;
	for (unsigned i = 0; i < w->n_others; i++) {
		struct pollfd *p = &c->fds[c->other_index[i]];

		more += w->others[i].revents && !p->revents;
		p->revents |= w->others[i].revents;
	}
	return more;
}

static int
poll_before(struct wait *w)
{
	struct poll_call *c = (struct poll_call *)w;
	int err = 0;

	for (unsigned i = 0; i < c->n_items && !err; i++) {
		struct poll_item *item = &c->item[i];
		const struct pollfd *p = &c->fds[item->index];

		if (item->entry->kind == FD_SESSION)
			err = wait_add(w, p->fd, item->entry, p->events);
		else
			err = epoll_set_sources(item->entry->set, w);
	}
	return err;
}

int
poll_run(struct pollfd *fds, unsigned nfds, struct timeout *timeout, const sigset_t *mask)
{
	struct timespec left;
	struct poll_call c;
	bool again;
	int n;

	c.fds = fds;
	c.nfds = nfds;
	c.w.timeout = *timeout;
	c.w.mask = mask;
	c.w.collect = poll_collect;
	c.w.collect_others = poll_collect_others;
	c.w.before = poll_before;
	c.w.after = NULL;
	c.w.release = poll_release;
	do {
		poll_init(&c);
		if (!poll_sort(&c)) {
			n = -ENOMEM;
		} else if (!c.n_items) {
			/* Nothing of ours is left: a number that the table had was not what it said. */
			n = libc.ppoll(fds, nfds, timeout_left(&c.w.timeout, &left), mask);
			n = n < 0 ? -errno : n;
		} else {
			n = wait_run(&c.w);
		}
		again = c.w.restart;
		poll_release(&c.w);
		wait_fini(&c.w);
	} while (again);
	*timeout = c.w.timeout;
	return n;
}

bool
poll_concerned(const struct pollfd *fds, nfds_t nfds)
{
	if (!fds || nfds > POLL_MAX || atomic_load_explicit(&fd_highest, memory_order_relaxed) < 0)
		return false;
	for (nfds_t i = 0; i < nfds; i++)
		if (fd_peek(fds[i].fd))
			return true;
	return false;
}

/* Declared as neither NULL nor read, it may be and is. */
static struct pollfd *
poll_array(struct pollfd *fds)
{
	__asm__("" : "+r"(fds));
	return fds;
}

INTERCEPT int
poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	struct timeout t = timeout_ms(timeout);

	if (!poll_concerned(poll_array(fds), nfds))
		return libc.poll(fds, nfds, timeout);
	pthread_testcancel();
	return result_errno(poll_run(fds, (unsigned)nfds, &t, NULL));
}

INTERCEPT int
ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *mask)
{
	struct timeout t;

	if (!poll_concerned(poll_array(fds), nfds))
		return libc.ppoll(fds, nfds, timeout, mask);
	if (!timeout_ts_valid(timeout))
		return result_errno(-EINVAL);
	t = timeout_ts(timeout);
	pthread_testcancel();
	return result_errno(poll_run(fds, (unsigned)nfds, &t, mask));
}

INTERCEPT int
__poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t fds_size)
{
	if (fds_size / sizeof(*fds) < nfds)
		__chk_fail();
	return poll(fds, nfds, timeout);
}

INTERCEPT int
__ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *mask,
	size_t fds_size)
{
	if (fds_size / sizeof(*fds) < nfds)
		__chk_fail();
	return ppoll(fds, nfds, timeout, mask);
}
