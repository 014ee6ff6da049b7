/* SPDX-License-Identifier: BSD-2-Clause */
/* The wait loop, see wait.h. */
#include "intercept.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "../engine/atomic.h"
#include "raw_syscall.h"
#include "wait.h"

#define WAIT_SLICE_MS	2
#define WAIT_LOOK_MS	1000

bool
wait_array_reserve(struct wait_array *a, size_t need)
{
	size_t size = a->size;
	long mem;

	if (need <= size)
		return true;
	while (size < need || size < 4096)
		size *= 2;
	mem = raw_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)mem > -4096UL)
		return false;
	memcpy((void *)mem, a->at, a->size);
	wait_array_free(a);
	*a = (struct wait_array){ (void *)mem, size, true };
	return true;
}

void
wait_array_free(struct wait_array *a)
{
	if (a->mapped)
		raw_syscall(SYS_munmap, a->at, a->size);
	a->mapped = false;
}

void
wait_init(struct wait *w)
{
	w->src_mem = (struct wait_array){ w->src_first, sizeof(w->src_first), false };
	w->kfds_mem = (struct wait_array){ w->kfds_first, sizeof(w->kfds_first), false };
	w->src = w->src_first;
	w->kfds = w->kfds_first;
	w->n_src = w->n_armed = w->n_others = 0;
	w->restart = w->begun = w->asleep = false;
}

int
wait_add(struct wait *w, int fd, struct fd_entry *e, short events)
{
	if (!wait_array_reserve(&w->src_mem, (w->n_src + 1) * sizeof(*w->src)))
		return -ENOMEM;
	w->src = w->src_mem.at;
	w->src[w->n_src++] = (struct wait_source){ fd_ref(e), fd, events };
	return 0;
}

short
session_poll(struct fd_entry *e, short events)
{
	short want = events & ~(POLLRDNORM | POLLWRNORM), got, ret;

	if (events & POLLRDNORM)
		want |= POLLIN;
	if (events & POLLWRNORM)
		want |= POLLOUT;
	got = client_poll(e->session, want);
	ret = got & (POLLERR | POLLHUP);
	if (got & POLLIN)
		ret |= events & (POLLIN | POLLRDNORM);
	if (got & POLLOUT)
		ret |= events & (POLLOUT | POLLWRNORM);
	if (atomic_load_explicit(&e->hung_up, memory_order_relaxed))
		ret |= POLLERR;
	return ret;
}

static void
wait_disarm(struct wait *w)
{
	while (w->n_armed) {
		struct wait_source *s = &w->src[--w->n_armed];

		client_disarm(w->waiter, s->entry->session, s->events);
	}
	if (w->begun)
		client_arm_end(w->waiter);
	w->begun = false;
}

static void
wait_drop_sources(struct wait *w)
{
	while (w->n_src)
		fd_put(w->src[--w->n_src].entry);
}

/* Undoes what a sleep did, in whatever state it is. */
static void
wait_sleep_end(struct wait *w)
{
	wait_disarm(w);
	wait_drop_sources(w);
	if (w->asleep && w->after)
		w->after(w);
	w->asleep = false;
}

void
wait_fini(struct wait *w)
{
	wait_sleep_end(w);
	wait_array_free(&w->src_mem);
	wait_array_free(&w->kfds_mem);
}

static void
wait_cancelled(void *arg)
{
	struct wait *w = arg;

	wait_fini(w);
	if (w->release)
		w->release(w);
}

/*
 * Fills w->kfds: the others, then the sessions' own descriptors, then what stands behind them. Returns how
 * many, 0 if the sessions are all, or -ENOMEM. The last place is left for the waiter's descriptor.
 */
static int
wait_kernel_set(struct wait *w)
{
	unsigned n = w->n_others + w->n_src, behind = 0;

	if (!wait_array_reserve(&w->kfds_mem, (n + 1 + 8) * sizeof(*w->kfds)))
		return -ENOMEM;
	w->kfds = w->kfds_mem.at;
	for (unsigned i = 0; i < w->n_src; i++) {
		struct wait_source *s = &w->src[i];
		unsigned room, got;

		w->kfds[w->n_others + i] = (struct pollfd){ .fd = fd_peek(s->fd) == s->entry ? s->fd : -1 };
		for (;;) {
			room = w->kfds_mem.size / sizeof(*w->kfds) - (n + behind + 1);
			got = client_kernel_fds(s->entry->session, s->events, w->kfds + n + behind, room);
			if (got < room)
				break;
			if (!wait_array_reserve(&w->kfds_mem, w->kfds_mem.size * 2))
				return -ENOMEM;
			w->kfds = w->kfds_mem.at;
		}
		behind += got;
	}
	if (!w->n_others && !behind)
		return 0;
	if (w->n_others)
		memcpy(w->kfds, w->others, w->n_others * sizeof(*w->kfds));
	return (int)(n + behind);
}

/* True if all sources are still what they were when they were looked up. */
static bool
wait_sources_current(struct wait *w)
{
	for (unsigned i = 0; i < w->n_src; i++)
		if (!session_current(w->src[i].fd, w->src[i].entry))
			return false;
	return true;
}

/*
 * What is left of the timeout, or less: some rings have to be looked at every so many milliseconds, a thread
 * that nobody can wake through a descriptor looks at all of them, and a wake-up that goes through netmapd may
 * be lost with it or in its queue. The end of a slice is nothing but a reason to look again.
 */
static struct timespec *
wait_slice(struct wait *w, bool nobody_wakes, struct timespec *out)
{
	struct timespec *left = timeout_left(&w->timeout, out);
	int slice = nobody_wakes ? WAIT_SLICE_MS : w->n_src ? WAIT_LOOK_MS : -1;

	for (unsigned i = 0; i < w->n_src; i++) {
		int ms = client_kernel_timeout(w->src[i].entry->session, w->src[i].events);

		if (ms >= 0 && (slice < 0 || ms < slice))
			slice = ms;
	}
	if (slice < 0 || (left && left->tv_sec * 1000 + left->tv_nsec / 1000000 < slice))
		return left;
	*out = (struct timespec){ slice / 1000, slice % 1000 * 1000000L };
	return out;
}

/* 0: woken, or time to look; *fresh if others have something. -EINTR. */
static int
wait_in_kernel(struct wait *w, unsigned n, bool *fresh)
{
	int waker = client_waiter_fd(w->waiter);
	struct timespec left;
	int ret;

	w->kfds[n] = (struct pollfd){ .fd = waker, .events = POLLIN };
	ret = libc.ppoll(w->kfds, n + 1, wait_slice(w, waker < 0, &left), w->mask);
	if (ret < 0)
		return -errno;
	if (ret == 0)
		return 0;
	if (w->kfds[n].revents)
		client_waiter_drain(w->waiter);
	for (unsigned i = 0; i < w->n_others; i++) {
		w->others[i].revents = w->kfds[i].revents;
		if (w->others[i].revents)
			*fresh = true;
	}
	for (unsigned i = 0; i < w->n_src; i++)
		if (w->kfds[w->n_others + i].revents & (POLLHUP | POLLERR))
			atomic_store(&w->src[i].entry->hung_up, true);
	return 0;
}

/*
 * Arms, looks once more, sleeps. >0: results; 0: look again; -ESTALE: numbers changed; -EINTR and other
 * errors.
 */
static int
wait_sleep(struct wait *w, bool *fresh)
{
	struct timespec left;
	int n, in_kernel;

	w->asleep = true;
	n = w->before(w);
	if (n < 0)
		return n;
	w->waiter = client_waiter();
	if (!w->waiter)
		return -errno;
	in_kernel = wait_kernel_set(w);
	if (in_kernel < 0)
		return in_kernel;
	client_arm_begin(w->waiter, in_kernel > 0);
	w->begun = true;
	for (; w->n_armed < w->n_src; w->n_armed++)
		client_arm(w->waiter, w->src[w->n_armed].entry->session, w->src[w->n_armed].events);
	n = w->collect(w);
	if (n)
		return n;
	if (!wait_sources_current(w))
		return -ESTALE;
	if (in_kernel)
		return wait_in_kernel(w, (unsigned)in_kernel, fresh);
	n = client_wait(w->waiter, wait_slice(w, false, &left), w->mask);
	return n == -ETIMEDOUT ? 0 : n;
}

/* The sleep of one round. It may be the thread's last call. */
static int
wait_round(struct wait *w, bool *fresh)
{
	int ret;

	pthread_cleanup_push(wait_cancelled, w);
	ret = wait_sleep(w, fresh);
	wait_sleep_end(w);
	pthread_cleanup_pop(0);
	return ret;
}

/* Looks again for a moment, when that promises to be shorter than a sleep. Results as of collect. */
static int
wait_spin(struct wait *w)
{
	int64_t end;
	int n;

	if (!client_spin_begin())
		return 0;
	timeout_start(&w->timeout);
	end = timeout_now() + CLIENT_SPIN_NS;
	if (w->timeout.started && w->timeout.end < end)
		end = w->timeout.end;
	do {
		cpu_relax();
		n = w->collect(w);
	} while (n == 0 && timeout_now() < end);
	client_spin_end(n != 0);
	return n;
}

int
wait_run(struct wait *w)
{
	bool over = !w->timeout.forever && !w->timeout.ns;
	bool fresh = false;
	int n = w->collect(w), more;

	for (;;) {
		if (n > 0 || (n == 0 && (over || fresh))) {
			more = w->collect_others(w, n, fresh);
			if (more > 0 || n == 0)
				n += more;
		}
		if (n != 0 || over)
			return n;
		fresh = false;
		n = wait_spin(w);
		if (n != 0)
			continue;
		n = wait_round(w, &fresh);
		if (n < 0) {
			w->restart = n == -ESTALE;
			return n;
		}
		if (n == 0) {
			over = timeout_over(&w->timeout);
			n = w->collect(w);
		}
	}
}
