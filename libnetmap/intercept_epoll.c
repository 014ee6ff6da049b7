/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll: every instance is known from its creation on, so that duplicates of its descriptor share one table
 * of netmap members (epoll_set.h, which also defines what edge-triggered means). An instance without netmap
 * members is the kernel's alone.
 */
#include "intercept.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/single_threaded.h>

#include "epoll_set.h"
#include "raw_syscall.h"
#include "wait.h"

struct epoll_call {
	struct wait w;			/* first: callbacks cast */
	struct fd_entry *entry;
	struct epoll_set *set;
	int epfd;
	struct epoll_event *ev;
	int max;
	bool precise;			/* the timeout is not in milliseconds */
	bool sleeping;
	uint64_t ticket;
	struct pollfd other;
};

/* --- creation and membership --- */

/* Without memory for it, the instance stays unknown until a netmap descriptor is added. */
static int
epoll_created(int fd)
{
	struct epoll_set *set;
	struct fd_entry *e;

	if (fd < 0 || !process_active || !process_owns_table())
		return fd;
	fd_clear(fd);
	set = epoll_set_new(false);
	if (!set)
		return fd;
	e = fd_entry_new(FD_EPOLL, set);
	if (!e) {
		epoll_set_free(set);
		return fd;
	}
	fd_install(fd, e);
	fd_put(e);
	return fd;
}

INTERCEPT int
epoll_create(int size)
{
	return epoll_created(libc.epoll_create(size));
}

INTERCEPT int
epoll_create1(int flags)
{
	return epoll_created(libc.epoll_create1(flags));
}

static struct fd_entry *
epoll_get(int epfd)
{
	struct fd_entry *e = fd_get(epfd);

	if (e && e->kind == FD_EPOLL) {
		process_enter();
		return e;
	}
	if (e)
		fd_put(e);
	return NULL;
}

/*
 * Is epfd an epoll instance? Takes fd, a netmap descriptor, out of the kernel's table, where it may be from
 * before it was known. 0 or -errno.
 */
static int
epoll_check(int epfd, int fd)
{
	struct epoll_event none = { 0 };
	long ret = raw_syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, fd, &none);

	return ret == -ENOENT ? 0 : (int)ret;
}

static int
epoll_ctl_session(int epfd, int op, int fd, struct fd_entry *e, const struct epoll_event *ev)
{
	struct fd_entry *epoll = epoll_get(epfd);
	int err = epoll_check(epfd, fd);

	if (err) {
		if (epoll) {
			fd_replace(epfd, epoll, NULL);
			fd_put(epoll);
		}
		return err;
	}
	if (!epoll) {
		if (op != EPOLL_CTL_ADD)
			return -ENOENT;
		epoll_created(epfd);
		epoll = epoll_get(epfd);
		if (!epoll)
			return -ENOMEM;
		atomic_store(&epoll->set->kernel_used, true);
	}
	err = epoll_set_ctl(epoll->set, epfd, op, fd, e, ev);
	fd_put(epoll);
	return err;
}

/* Any other descriptor, nested instances among them. */
static int
epoll_ctl_kernel(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct fd_entry *epoll = epoll_get(epfd), *inner;
	int ret;

	if (epoll && op == EPOLL_CTL_ADD)
		atomic_store(&epoll->set->kernel_used, true);
	ret = libc.epoll_ctl(epfd, op, fd, ev);
	inner = epoll ? epoll_get(fd) : NULL;
	if (inner) {
		if (ret == 0)
			epoll_set_ctl(epoll->set, epfd, op, fd, inner, ev);
		fd_put(inner);
	}
	if (epoll)
		fd_put(epoll);
	return ret;
}

INTERCEPT int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct fd_entry *e = fd_peek(fd) ? session_get(fd) : NULL;
	bool netmap = false;
	int ret;

	if (e) {
		netmap = process_owns_table() && session_current(fd, e);
		if (netmap)
			ret = result_errno(epoll_ctl_session(epfd, op, fd, e, ev));
		fd_put(e);
		process_reap_now();
	}
	if (netmap)
		return ret;
	if (!fd_peek(epfd))
		return libc.epoll_ctl(epfd, op, fd, ev);
	return epoll_ctl_kernel(epfd, op, fd, ev);
}

/* --- waiting --- */

/* What the kernel's table has now. Number of events, or -errno. */
static int
epoll_kernel_events(struct epoll_call *c, struct epoll_event *ev, int room, const sigset_t *mask)
{
	bool kicked = false;
	int n;

	if (room <= 0)
		return 0;
	n = libc.epoll_pwait(c->epfd, ev, room, 0, mask);
	if (n < 0)
		return -errno;
	n = epoll_set_filter(ev, n, &kicked);
	if (kicked)
		epoll_set_pass_kick(c->set, c->epfd);
	return n;
}

static int
epoll_collect(struct wait *w)
{
	struct epoll_call *c = (struct epoll_call *)w;
	int n = 0;

	/* When the netmap members filled the whole array the last time, the kernel's come first. */
	if (atomic_load_explicit(&c->set->kernel_first, memory_order_relaxed)) {
		n = epoll_kernel_events(c, c->ev, c->max - c->max / 2, NULL);
		if (n < 0)
			return n;
	}
	return n + epoll_set_collect(c->set, c->ev + n, c->max - n);
}

static int
epoll_collect_others(struct wait *w, int n, bool fresh)
{
	struct epoll_call *c = (struct epoll_call *)w;
	struct timespec zero = { 0, 0 };

	if (fresh || atomic_load(&c->set->kernel_used))
		return epoll_kernel_events(c, c->ev + n, c->max - n, n ? NULL : w->mask);
	if (n == 0 && w->mask && libc.ppoll(NULL, 0, &zero, w->mask) < 0)
		return -errno;
	return 0;
}

static int
epoll_before(struct wait *w)
{
	struct epoll_call *c = (struct epoll_call *)w;
	struct epoll_event none;

	c->ticket = epoll_set_sleep(c->set);
	c->sleeping = true;
	c->other = (struct pollfd){ .fd = c->epfd, .events = POLLIN };
	w->n_others = 1;
	if (!atomic_load(&c->set->kernel_used) && __libc_single_threaded) {
		/*
		 * Nobody can change the set meanwhile, so the sessions are all there is to watch; the
		 * descriptor is checked at least.
		 */
		w->n_others = 0;
		if (raw_syscall(SYS_epoll_pwait, c->epfd, &none, 1, 0, NULL, 0) == -EBADF)
			return -EBADF;
	}
	return epoll_set_sources(c->set, w);
}

static void
epoll_after(struct wait *w)
{
	struct epoll_call *c = (struct epoll_call *)w;

	if (c->sleeping)
		epoll_set_wake(c->set, c->epfd, c->ticket);
	c->sleeping = false;
}

static void
epoll_release(struct wait *w)
{
	fd_put(((struct epoll_call *)w)->entry);
}

static void
epoll_cancelled(void *arg)
{
	struct epoll_call *c = arg;

	epoll_after(&c->w);
	epoll_release(&c->w);
}

static int
timeout_to_ms(const struct timespec *left)
{
	if (!left)
		return -1;
	return (int)(left->tv_sec * 1000 + (left->tv_nsec + 999999) / 1000000);
}

/* A function of its own: its frame may be left by cancellation. */
static __attribute__((noinline)) int
epoll_sleep_in_kernel(struct epoll_call *c, const struct timespec *left)
{
	int n;

	pthread_cleanup_push(epoll_cancelled, c);
	if (c->precise)
		n = libc.epoll_pwait2(c->epfd, c->ev, c->max, left, c->w.mask);
	else if (c->w.mask)
		n = libc.epoll_pwait(c->epfd, c->ev, c->max, timeout_to_ms(left), c->w.mask);
	else
		n = libc.epoll_wait(c->epfd, c->ev, c->max, timeout_to_ms(left));
	pthread_cleanup_pop(0);
	return n < 0 ? -errno : n;
}

/* The kernel alone. *again if the set got netmap members meanwhile. */
static int
epoll_wait_kernel(struct epoll_call *c, bool *again)
{
	struct timespec left;
	bool kicked = false;
	int n = 0;

	c->ticket = epoll_set_sleep(c->set);
	c->sleeping = true;
	/* Members that came before the ticket do not kick. */
	if (epoll_set_active(c->set))
		kicked = true;
	else
		n = epoll_sleep_in_kernel(c, timeout_left(&c->w.timeout, &left));
	epoll_after(&c->w);
	if (n < 0)
		return n;
	n = epoll_set_filter(c->ev, n, &kicked);
	if (kicked)
		epoll_set_pass_kick(c->set, c->epfd);
	*again = kicked && n == 0;
	return n;
}

static int
epoll_run(struct epoll_call *c)
{
	bool again;
	int n;

	c->set = c->entry->set;
	do {
		again = false;
		if (!epoll_set_active(c->set)) {
			n = epoll_wait_kernel(c, &again);
			continue;
		}
		if (c->max <= 0)
			return -EINVAL;
		if (!c->ev)
			return -EFAULT;
		pthread_testcancel();
		wait_init(&c->w);
		c->w.others = &c->other;
		n = wait_run(&c->w);
		again = c->w.restart;
		wait_fini(&c->w);
	} while (again);
	if (atomic_load(&c->set->kernel_used) && epoll_set_active(c->set))
		atomic_store(&c->set->kernel_first, n == c->max && !atomic_load(&c->set->kernel_first));
	return n;
}

static int
epoll_wait_any(struct fd_entry *e, int epfd, struct epoll_event *ev, int max, struct timeout timeout,
	bool precise,
	const sigset_t *mask)
{
	struct epoll_call c;
	int ret;

	c.w.timeout = timeout;
	c.w.mask = mask;
	c.w.collect = epoll_collect;
	c.w.collect_others = epoll_collect_others;
	c.w.before = epoll_before;
	c.w.after = epoll_after;
	c.w.release = epoll_release;
	c.entry = e;
	c.epfd = epfd;
	c.ev = ev;
	c.max = max;
	c.precise = precise;
	c.sleeping = false;
	ret = epoll_run(&c);
	fd_put(e);
	return result_errno(ret);
}

/*
 * NULL if the call is the kernel's alone: nothing known, or nothing to wait for that could change meanwhile.
 */
static struct fd_entry *
epoll_concerned(int epfd, bool no_wait)
{
	struct fd_entry *e;

	if (!fd_peek(epfd))
		return NULL;
	e = epoll_get(epfd);
	if (e && no_wait && !epoll_set_active(e->set)) {
		fd_put(e);
		return NULL;
	}
	return e;
}

INTERCEPT int
epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	struct fd_entry *e = epoll_concerned(epfd, timeout == 0);

	if (!e)
		return libc.epoll_wait(epfd, ev, max, timeout);
	return epoll_wait_any(e, epfd, ev, max, timeout_ms(timeout), false, NULL);
}

INTERCEPT int
epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask)
{
	struct fd_entry *e = epoll_concerned(epfd, timeout == 0);

	if (!e)
		return libc.epoll_pwait(epfd, ev, max, timeout, mask);
	return epoll_wait_any(e, epfd, ev, max, timeout_ms(timeout), false, mask);
}

INTERCEPT int
epoll_pwait2(int epfd, struct epoll_event *ev, int max, const struct timespec *timeout, const sigset_t *mask)
{
	struct fd_entry *e = epoll_concerned(epfd, timeout && !timeout->tv_sec && !timeout->tv_nsec);

	if (!e)
		return libc.epoll_pwait2(epfd, ev, max, timeout, mask);
	if (!timeout_ts_valid(timeout)) {
		fd_put(e);
		return result_errno(-EINVAL);
	}
	return epoll_wait_any(e, epfd, ev, max, timeout_ts(timeout), true, mask);
}
