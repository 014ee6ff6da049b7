/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode and the sync loop in this process: the parts of these requests that need the program's memory, threads and descriptors.
 */
#include <errno.h>
#include <string.h>

#include "../engine/kloop.h"
#include "../engine/sync.h"
#include "../host/kloop_host.h"
#include "../host/sys.h"
#include "client_internal.h"

#define DOWN_US		100000		/* until an interface that is down is tried again */
#define FULL_US		1000		/* between looks at an interface that has what there is no room for */
#define NO_WAKER_US	2000		/* between looks, if nobody can wake us */
#define STOP_LOOK_MS	100		/* the loop's thread may have been killed: netmapd finds out, and wakes nobody */

struct client_loop {
	struct host_kloop h;		/* first */
	struct client_session *s;
	struct client_waiter *w;
	bool interface;			/* the last sleep was ended by the interface alone */
};

static struct client_loop *
loop_of(struct kloop *kl)
{
	return (struct client_loop *)(void *)kl;
}

/* --- what the engine's loop asks for --- */

static int
loop_enter(struct kloop *kl)
{
	struct client_loop *l = loop_of(kl);
	int err;
	struct actor *self = client_sync_begin(l->s, &kl->before, &err);

	if (self == NULL)
		return err;
	kl->self = self;
	return 0;
}

static void
loop_leave(struct kloop *kl)
{
	actor_leave(kl->self, kl->before);
}

static void
loop_arm(struct kloop *kl)
{
	struct client_loop *l = loop_of(kl);

	client_arm_begin(l->w, kl->kicks);
	if (kl->kicks)
		client_arm(l->w, l->s, POLLIN | POLLOUT);
}

static void
loop_disarm(struct kloop *kl)
{
	struct client_loop *l = loop_of(kl);

	if (kl->kicks)
		client_disarm(l->w, l->s, POLLIN | POLLOUT);
	client_arm_end(l->w);
}

/* The interface's own descriptors, as far as something could be done with what they tell: entries from fds[0] on, *us shortened. */
static unsigned
interface_fds(struct client_loop *l, unsigned found, struct pollfd *fds, unsigned max, uint32_t *us)
{
	short events = (short)(((found & KLOOP_ROOM) != 0 ? POLLIN : 0) | ((found & KLOOP_FULL) != 0 ? POLLOUT : 0));
	uint32_t limit = *us;
	unsigned n = 0;
	int ms;

	if ((found & KLOOP_FAILED) != 0) {
		limit = DOWN_US;
	} else if (l->interface && !l->h.kl.moved) {
		/* It came to nothing: no room, for instance. */
		limit = FULL_US;
	} else if (events != 0) {
		n = client_kernel_fds(l->s, events, fds, max);
		ms = client_kernel_timeout(l->s, events);
		if (ms >= 0)
			limit = (uint32_t)ms * 1000;
	}
	if (limit < *us)
		*us = limit;
	return n;
}

static void
loop_wait(struct kloop *kl, uint32_t us, unsigned found)
{
	struct client_loop *l = loop_of(kl);
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };
	struct pollfd *more = l->h.fds + kl->rings;
	unsigned n;
	bool kicked;

	if (!kl->kicks) {
		/* Who asks for no sleep gets none while there is something to do. */
		if (us == 0 && (found & KLOOP_MOVED) != 0)
			return;
		if (us == 0)
			ts.tv_nsec = 1;
		if (load_acquire(&kl->self->wake) == 0)
			sys_futex_wait(&kl->self->wake, 0, &ts, 1);
		return;
	}
	n = interface_fds(l, found, more + 1, l->h.more - 1, &us);
	more[0] = (struct pollfd){ .fd = client_waiter_fd(l->w), .events = POLLIN };
	if (more[0].fd < 0 && us > NO_WAKER_US)
		us = NO_WAKER_US;
	kicked = host_kloop_poll(&l->h, n + 1, us);
	if ((more[0].revents & POLLIN) != 0) {
		client_waiter_drain(l->w);
		kicked = true;
	}
	l->interface = n > 0 && !kicked;
	kl->moved = false;
}

static const struct kloop_host loop_host = {
	.enter = loop_enter,
	.leave = loop_leave,
	.arm = loop_arm,
	.disarm = loop_disarm,
	.wait = loop_wait,
};

/* --- descriptors --- */

static int
fd_hold(int fd)
{
	int copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? copy : client_fd_own(copy, CLIENT_FD_PRIVATE);
}

/* --- requests --- */

/*
 * client_session_usable and client_session_enter, registered or not. *self and *before are for actor_leave.
 */
static int
binding_enter(struct client_session *s, struct actor **self, uint64_t *before)
{
	int err = 0;

	if (!client_session_usable(s))
		return -EIO;
	*self = client_self(&err);
	if (*self == NULL)
		return err;
	return client_session_enter(s, *self, before) ? 0 : -EBADF;
}

static int
kloop_start(struct client_session *s, struct request_msg *msg)
{
	struct client_loop l = { .s = s };
	const struct nmreq_opt_sync_kloop_eventfds *eventfds;
	const char *why;
	uint64_t before;
	int err = binding_enter(s, &l.h.kl.self, &before);

	if (err != 0)
		return err;
	err = kloop_params(s->binding, msg, &l.h.kl, &eventfds, &why);
	actor_leave(l.h.kl.self, before);
	if (err != 0) {
		client_why_set("sync loop: %s", why);
		return err;
	}
	l.w = client_waiter();
	if (l.w == NULL)
		return -ENOMEM;
	l.h.kl.root = client_arena.root;
	l.h.kl.b = s->binding;
	l.h.kl.host = &loop_host;
	l.h.fd_hold = fd_hold;
	l.h.fd_drop = client_fd_close;
	return host_kloop_run(&l.h, eventfds);
}

/* Is the session still open, and the loop its own? */
static bool
stop_pending(struct client_session *s)
{
	struct actor *self;
	uint64_t before;
	bool ended;

	if (binding_enter(s, &self, &before) != 0)
		return false;
	actor_leave(self, before);
	ended = host_kloop_ended(s->binding, STOP_LOOK_MS);
	return !ended;
}

static int
kloop_stop_wait(struct client_session *s)
{
	struct actor *self;
	uint64_t before;
	bool running = false;
	int err = binding_enter(s, &self, &before);

	if (err != 0)
		return err;
	if (load_acquire(&s->binding->registered) == 0)
		err = -ENXIO;
	else
		running = kloop_stop(client_arena.root, s->binding);
	/* From a signal handler within the loop's own thread there is nothing to wait for. */
	running = running && kloop_runner(s->binding) != self->id;
	actor_leave(self, before);
	while (running)
		running = stop_pending(s);
	return err;
}

bool
client_kloop_request(struct client_session *s, struct request_msg *msg, int *err)
{
	if (msg->kind != REQUEST_CTRL)
		return false;
	switch (msg->hdr.nr_reqtype) {
	case NETMAP_REQ_SYNC_KLOOP_START:
		*err = kloop_start(s, msg);
		return true;
	case NETMAP_REQ_SYNC_KLOOP_STOP:
		*err = kloop_stop_wait(s);
		return true;
	default:
		return false;
	}
}

static void
registration_undo(const struct client_session *s)
{
	struct proto_session q = { .session = s->id };
	const struct client_call call = { .type = PROTO_UNREGISTER, .body = &q, .body_size = sizeof(q) };

	/* If that fails there is no netmapd any more, and no registration. */
	(void)client_call(&call);
}

int
client_csb_enable(struct client_session *s, uint64_t atok, uint64_t ktoa, bool undo)
{
	struct actor *self;
	uint64_t before;
	int err = binding_enter(s, &self, &before);

	if (err != 0)
		return err;
	if (load_acquire(&s->binding->registered) != 0)
		err = host_csb_enable(s->binding, atok, ktoa);
	if (err != 0)
		client_why_set("port %s: CSB mode: the arrays at %llx and %llx cannot be read and written for all rings", s->binding->port->name,
			(unsigned long long)atok, (unsigned long long)ktoa);
	actor_leave(self, before);
	if (err != 0 && undo)
		registration_undo(s);
	return err;
}
