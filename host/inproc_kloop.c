/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode and the sync loop of the engine inside one program, see inproc.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "inproc.h"
#include "inproc_kloop.h"
#include "kloop_host.h"
#include "sys.h"

#define STOP_LOOK_MS	100

struct inproc_loop {
	struct host_kloop h;		/* first */
	uint32_t binding_id;
};

/* Event descriptors by actor, + 1. They are never closed: a late wake-up hits an event descriptor and nothing else. */
static int event_of[ACTOR_MAX + 1];

static int
event_get(const struct actor *self)
{
	int fd = load_acquire(&event_of[self->id]);

	if (fd != 0)
		return fd - 1;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd >= 0)
		store_release(&event_of[self->id], fd + 1);
	return fd;
}

void
inproc_event_wake(const struct actor *a)
{
	int fd = load_acquire(&event_of[a->id]);
	uint64_t one = 1;

	if (fd != 0)
		(void)sys_write(fd - 1, &one, sizeof(one));
}

/* --- what the engine's loop asks for --- */

static int
loop_enter(struct kloop *kl)
{
	const struct inproc_loop *l = (const struct inproc_loop *)(const void *)kl;

	kl->before = actor_enter(kl->root, kl->self);
	if (load_acquire(&kl->b->id) == l->binding_id && load_acquire(&kl->b->registered) != 0)
		return 0;
	actor_leave(kl->self, kl->before);
	return -EBADF;
}

static void
loop_leave(struct kloop *kl)
{
	actor_leave(kl->self, kl->before);
}

static void
loop_arm(struct kloop *kl)
{
	store_relaxed(&kl->self->sleep, kl->kicks ? ACTOR_SLEEP_FD : ACTOR_SLEEP_FUTEX);
	store_relaxed(&kl->self->wake, 0);
	if (kl->kicks && loop_enter(kl) == 0) {
		binding_arm(kl->root, kl->self, kl->b, EV_IN | EV_OUT);
		loop_leave(kl);
	}
}

static void
loop_disarm(struct kloop *kl)
{
	if (kl->kicks && loop_enter(kl) == 0) {
		binding_disarm(kl->root, kl->self, kl->b, EV_IN | EV_OUT);
		loop_leave(kl);
	}
	store_relaxed(&kl->self->sleep, ACTOR_SLEEP_NONE);
}

static void
loop_wait(struct kloop *kl, uint32_t us, unsigned found)
{
	struct host_kloop *h = HOST_KLOOP_OF(kl);
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };
	struct pollfd *own = h->fds + kl->rings;
	uint64_t count;

	if (!kl->kicks) {
		if (load_acquire(&kl->self->wake) == 0)
			sys_futex_wait(&kl->self->wake, 0, &ts, 0);
		return;
	}
	*own = (struct pollfd){ .fd = event_get(kl->self), .events = POLLIN };
	host_kloop_poll(h, 1, us);
	if ((own->revents & POLLIN) != 0)
		(void)sys_read(own->fd, &count, sizeof(count));
}

static const struct kloop_host loop_host = {
	.enter = loop_enter,
	.leave = loop_leave,
	.arm = loop_arm,
	.disarm = loop_disarm,
	.wait = loop_wait,
};

/* --- requests --- */

static int
fd_hold(int fd)
{
	return sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void
fd_drop(int fd)
{
	sys_close(fd);
}

int
inproc_kloop_start(struct inproc_fd *fd, struct request_msg *msg)
{
	const struct nmreq_opt_sync_kloop_eventfds *eventfds;
	struct inproc_loop l = { .binding_id = fd->binding->id };
	struct kloop *kl = &l.h.kl;
	const char *why;
	int error;

	kl->root = inproc_root();
	kl->self = inproc_actor();
	kl->b = fd->binding;
	kl->host = &loop_host;
	l.h.fd_hold = fd_hold;
	l.h.fd_drop = fd_drop;
	kl->before = actor_enter(kl->root, kl->self);
	error = kloop_params(fd->binding, msg, kl, &eventfds, &why);
	actor_leave(kl->self, kl->before);
	if (error != 0)
		return error;
	if (kl->kicks && event_get(kl->self) < 0)
		return -EMFILE;
	return host_kloop_run(&l.h, eventfds);
}

int
inproc_kloop_stop(struct inproc_fd *fd)
{
	if (load_acquire(&fd->binding->registered) == 0)
		return -ENXIO;
	if (kloop_stop(inproc_root(), fd->binding))
		while (!host_kloop_ended(fd->binding, STOP_LOOK_MS))
			;
	return 0;
}

int
inproc_csb_enable(struct inproc_fd *fd, uint64_t atok, uint64_t ktoa)
{
	struct actor *self = inproc_actor();
	uint64_t before = actor_enter(inproc_root(), self);
	int error = 0;

	if (load_acquire(&fd->binding->registered) != 0)
		error = host_csb_enable(fd->binding, atok, ktoa);
	actor_leave(self, before);
	return error;
}
