/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See kloop_host.h.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "../engine/request.h"
#include "fault.h"
#include "kloop_host.h"
#include "sys.h"

#define MORE_PER_RING	4u		/* descriptors behind a ring of an interface, at most */
#define MORE_ALWAYS	2u		/* the waker's, and one to spare */

const struct csb_access host_csb_access = { .load = fault_load, .store = fault_store };

int
host_csb_enable(struct binding *b, uint64_t atok, uint64_t ktoa)
{
	struct fault_guard guard;
	int err = fault_guard_begin(&guard);

	if (err != 0)
		return err;
	err = csb_enable(b, atok, ktoa, &host_csb_access);
	fault_guard_end(&guard);
	return err;
}

/* --- eventfds --- */

/* 0; -EBADF; -EINVAL. Where there is no /proc any open descriptor passes: it is the program's own. */
static int
eventfd_check(int fd)
{
	char path[40], target[32];
	long n;

	if (sys_fcntl(fd, F_GETFD, 0) < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = sys_call6(SYS_readlinkat, AT_FDCWD, (long)path, (long)target, sizeof(target) - 1, 0, 0);
	if (n < 0)
		return 0;
	target[n] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0 ? 0 : -EINVAL;
}

static int
eventfd_hold(struct host_kloop *h, int fd, int *held)
{
	int err = eventfd_check(fd);

	if (err != 0)
		return err;
	err = h->fd_hold(fd);
	if (err < 0)
		return err;
	*held = err;
	return 0;
}

static int
eventfds_hold(struct host_kloop *h, const struct nmreq_opt_sync_kloop_eventfds *e)
{
	int err;

	for (uint32_t i = 0; e != NULL && i < h->kl.rings; i++) {
		if (h->kl.kicks && (err = eventfd_hold(h, e->eventfds[i].ioeventfd, &h->fds[i].fd)) != 0)
			return err;
		if (e->eventfds[i].irqfd >= 0 && (err = eventfd_hold(h, e->eventfds[i].irqfd, &h->irqfd[i])) != 0)
			return err;
	}
	return 0;
}

/* A counter that is full is as good as a signal, and must not hold us up. */
static void
kick(struct kloop *kl, uint32_t ring)
{
	struct pollfd pfd = { .fd = HOST_KLOOP_OF(kl)->irqfd[ring], .events = POLLOUT };
	struct timespec now = { 0, 0 };
	uint64_t one = 1;

	if (pfd.fd >= 0 && sys_ppoll(&pfd, 1, &now, NULL) > 0 && (pfd.revents & POLLOUT) != 0)
		(void)sys_write(pfd.fd, &one, sizeof(one));
}

/* The program's eventfd may block, and another reader of its may have been faster. */
static void
signal_take(int fd)
{
	uint64_t count;
	struct iovec iov = { &count, sizeof(count) };

	if (sys_call6(SYS_preadv2, fd, (long)&iov, 1, -1, -1, RWF_NOWAIT) == -EOPNOTSUPP)
		(void)sys_read(fd, &count, sizeof(count));
}

bool
host_kloop_poll(struct host_kloop *h, unsigned n, uint32_t us)
{
	unsigned kickers = h->kl.kicks ? h->kl.rings : 0;
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };
	bool kicked = false;

	if (sys_ppoll(h->fds, kickers + n, &ts, NULL) <= 0)
		return false;
	for (unsigned i = 0; i < kickers; i++) {
		if ((h->fds[i].revents & POLLIN) == 0)
			continue;
		signal_take(h->fds[i].fd);
		kicked = true;
	}
	return kicked;
}

/* --- life --- */

static int
loop_make(struct host_kloop *h, const struct nmreq_opt_sync_kloop_eventfds *eventfds)
{
	size_t rings = h->kl.rings;
	long p;

	h->fds = NULL;
	h->more = (unsigned)rings * MORE_PER_RING + MORE_ALWAYS;
	h->size = (rings + h->more) * sizeof(*h->fds) + rings * (sizeof(*h->kl.ring) + sizeof(*h->irqfd));
	p = sys_mmap(NULL, h->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0)
		return (int)p;
	h->fds = (struct pollfd *)p;
	h->kl.ring = (struct kloop_ring *)(void *)(h->fds + rings + h->more);
	h->irqfd = (int *)(void *)(h->kl.ring + rings);
	for (size_t i = 0; i < rings; i++) {
		h->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		h->irqfd[i] = -1;
	}
	h->kl.access = &host_csb_access;
	h->kl.kick = kick;
	return eventfds_hold(h, eventfds);
}

static void
loop_free(struct host_kloop *h)
{
	if (h->fds == NULL)
		return;
	for (uint32_t i = 0; i < h->kl.rings; i++) {
		if (h->fds[i].fd >= 0)
			h->fd_drop(h->fds[i].fd);
		if (h->irqfd[i] >= 0)
			h->fd_drop(h->irqfd[i]);
	}
	sys_munmap(h->fds, h->size);
	h->fds = NULL;
}

static int
loop_run(struct host_kloop *h)
{
	struct fault_guard guard;
	int err = kloop_begin(&h->kl);

	if (err != 0)
		return err;
	err = fault_guard_begin(&guard);
	if (err == 0) {
		err = kloop_run(&h->kl);
		fault_guard_end(&guard);
	}
	kloop_end(&h->kl);
	sys_futex_wake(&h->kl.b->kloop, INT_MAX, 1);
	return err;
}

int
host_kloop_run(struct host_kloop *h, const struct nmreq_opt_sync_kloop_eventfds *eventfds)
{
	int cancel, err;

	/* As with a device: the call is no cancellation point. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	err = loop_make(h, eventfds);
	if (err == 0)
		err = loop_run(h);
	loop_free(h);
	pthread_setcancelstate(cancel, NULL);
	return err;
}

bool
host_kloop_ended(struct binding *b, unsigned ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	uint32_t word = load_acquire(&b->kloop);

	/* Without the STOP it is a loop that began after ours had ended. */
	if ((word & KLOOP_STOP) == 0 || word == KLOOP_STOP)
		return true;
	sys_futex_wait(&b->kloop, word, &ts, 1);
	word = load_acquire(&b->kloop);
	return (word & KLOOP_STOP) == 0 || word == KLOOP_STOP;
}
