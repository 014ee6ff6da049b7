/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: each that syncs owns an actor, and each that waits sleeps on its actor's wake word (a futex), or on an event descriptor that netmapd and
 * the threads of this process signal.
 *
 * Who is about to sleep sets `sleep` and then looks at `wake`, with a full barrier between; who wakes sets `wake`, with a full barrier, and then looks
 * at `sleep`: one of the two sees the other. So `sleep` may be changed up to the last moment.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "../engine/os.h"
#include "../engine/sync.h"
#include "../host/spin.h"
#include "../host/sys.h"
#include "client_internal.h"

#define SLICE_S		1		/* longest sleep: a netmapd that was killed wakes nobody */
#define NEST_MAX	8u		/* sleeps within signal handlers within sleeps */
#define MASK_POLL_NS	1000000

struct client_waiter {
	struct actor *actor;
	uint32_t serial;		/* client_serial that the actor belongs to; 0: none */
	int event;			/* event descriptor, -1: none */
	uint32_t depth;			/* arm_begin without arm_end */
	uint8_t mode[NEST_MAX];		/* enum actor_sleep of each */
	struct spin spin;
	bool keyed;
};

static __thread struct client_waiter self __attribute__((tls_model("initial-exec"))) = { .event = -1 };

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

/*
 * Event descriptors of this process's threads, by actor: a waker in the same process needs no netmapd. They are never closed but go to the next
 * thread, so that a late wake-up hits an event descriptor and nothing else.
 */
static int event_of[ACTOR_MAX + 1];		/* descriptor + 1; 0: not ours, or none */
static int event_pool[64];			/* descriptor + 1 */
static uint32_t event_high;

/* --- coming and going --- */

static int
event_pool_take(void)
{
	for (size_t i = 0; i < sizeof(event_pool) / sizeof(event_pool[0]); i++) {
		int fd = load_relaxed(&event_pool[i]);

		if (fd != 0 && (fd = atomic_xchg(&event_pool[i], 0)) != 0)
			return fd - 1;
	}
	return -1;
}

static void
event_pool_give(int fd)
{
	for (size_t i = 0; i < sizeof(event_pool) / sizeof(event_pool[0]); i++) {
		int none = 0;

		if (load_relaxed(&event_pool[i]) == 0 && atomic_cas(&event_pool[i], &none, fd + 1))
			return;
	}
	/* So many idle ones: this one stays open, and is not used again. */
}

static void
thread_exit(void *arg)
{
	struct client_waiter *w = arg;
	struct proto_actor q;

	w->keyed = false;
	if (w->serial == client_serial && load_acquire(&client_process->pid) != 0) {
		q.actor = w->actor->id;
		store_relaxed(&event_of[q.actor], 0);
		/* If that is lost, netmapd hears of it with the end of the process. */
		(void)client_tell(PROTO_THREAD_EXIT, &q, sizeof(q));
	}
	if (w->event >= 0)
		event_pool_give(w->event);
	w->event = -1;
	w->serial = 0;
	w->actor = NULL;
}

static void
exit_key_make(void)
{
	pthread_key_create(&exit_key, thread_exit);
}

/* Gets an actor for this thread. */
static int
thread_enter(void)
{
	struct proto_thread q = { .tid = sys_gettid() };
	struct proto_thread_reply r;
	const struct client_call call = {
		.type = PROTO_THREAD,
		.body = &q,
		.body_size = sizeof(q),
		.reply = &r,
		.reply_size = sizeof(r),
	};
	uint32_t serial;
	int n;

	client_process_enter();
	/* If the connection changed meanwhile the number may be of the one before. */
	do {
		serial = load_relaxed(&client_serial);
		n = client_call(&call);
		if (n < 0)
			return n;
		if (n != sizeof(r) || r.actor == 0 || r.actor > ACTOR_MAX)
			return -EPROTO;
	} while (serial != load_relaxed(&client_serial));
	self.actor = &client_arena.root->actors[r.actor];
	self.event = -1;
	self.depth = 0;
	spin_init(&self.spin);
	self.serial = serial;
	if (!self.keyed) {
		pthread_once(&exit_once, exit_key_make);
		self.keyed = pthread_setspecific(exit_key, &self) == 0;
	}
	return 0;
}

struct actor *
client_self(int *err)
{
	if (likely(self.serial == load_relaxed(&client_serial) && load_relaxed(&client_process->pid) != 0))
		return self.actor;
	*err = thread_enter();
	return *err == 0 ? self.actor : NULL;
}

void
client_threads_forked(void)
{
	for (uint32_t i = 1; i <= event_high; i++)
		event_of[i] = 0;
	for (size_t i = 0; i < sizeof(event_pool) / sizeof(event_pool[0]); i++)
		event_pool[i] = 0;
	event_high = 0;
}

struct client_waiter *
client_waiter(void)
{
	int err = 0;

	if (client_self(&err) != NULL)
		return &self;
	errno = -err;
	return NULL;
}

/* --- the event descriptor --- */

static int
event_announce(struct client_waiter *w)
{
	struct proto_actor q = { .actor = w->actor->id };
	struct message_fds fds = { .n = 1, .fd = { w->event } };
	const struct client_call call = { .type = PROTO_THREAD_FD, .body = &q, .body_size = sizeof(q), .out = &fds };
	int n = client_call(&call);
	uint32_t high;

	if (n < 0)
		return n;
	high = load_relaxed(&event_high);
	while (q.actor > high && !atomic_cas(&event_high, &high, q.actor))
		;
	store_release(&event_of[q.actor], w->event + 1);
	return 0;
}

static void
event_make(struct client_waiter *w)
{
	int fd;

	if (w->event >= 0)
		return;
	fd = event_pool_take();
	if (fd < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd >= 0)
			fd = client_fd_own(fd, CLIENT_FD_PRIVATE);
		if (fd < 0)
			return;
	}
	w->event = fd;
	client_waiter_drain(w);
	if (event_announce(w) != 0) {
		w->event = -1;
		event_pool_give(fd);
	}
}

int
client_waiter_fd(struct client_waiter *w)
{
	return w->event;
}

void
client_waiter_drain(struct client_waiter *w)
{
	uint64_t count;

	if (w->event >= 0)
		(void)sys_read(w->event, &count, sizeof(count));
}

static void
event_signal(int fd)
{
	uint64_t one = 1;

	(void)sys_write(fd, &one, sizeof(one));
}

void
client_wake(struct actor *a)
{
	uint32_t id;
	int fd;

	switch (load_relaxed(&a->sleep)) {
	case ACTOR_SLEEP_FUTEX:
		sys_futex_wake(&a->wake, INT_MAX, 1);
		break;
	case ACTOR_SLEEP_FD:
		id = (uint32_t)(a - client_arena.root->actors);
		if (id > ACTOR_MAX)
			break;
		fd = load_acquire(&event_of[id]);
		if (fd != 0)
			event_signal(fd - 1);
		else
			client_relay(id);
		break;
	}
}

/* --- sleeping --- */

static void
sleep_mode(struct client_waiter *w, enum actor_sleep mode)
{
	store_relaxed(&w->actor->sleep, (uint32_t)mode);
}

void
client_arm_begin(struct client_waiter *w, bool with_fd)
{
	enum actor_sleep mode = with_fd ? ACTOR_SLEEP_FD : ACTOR_SLEEP_FUTEX;

	if (with_fd)
		event_make(w);
	if (w->depth < NEST_MAX)
		w->mode[w->depth] = mode;
	w->depth++;
	store_relaxed(&w->actor->wake, 0);
	sleep_mode(w, mode);
	/* Registrations come after this, with full barriers of their own: whoever finds one finds the word armed. */
}

void
client_arm(struct client_waiter *w, struct client_session *s, short events)
{
	uint64_t before;

	if (!client_session_usable(s) || !client_session_enter(s, w->actor, &before))
		return;
	binding_arm(client_arena.root, w->actor, s->binding, (unsigned)events & (EV_IN | EV_OUT));
	actor_leave(w->actor, before);
}

void
client_disarm(struct client_waiter *w, struct client_session *s, short events)
{
	uint64_t before;

	if (!client_session_usable(s) || !client_session_enter(s, w->actor, &before))
		return;
	binding_disarm(client_arena.root, w->actor, s->binding, (unsigned)events & (EV_IN | EV_OUT));
	actor_leave(w->actor, before);
}

void
client_arm_end(struct client_waiter *w)
{
	sleep_mode(w, ACTOR_SLEEP_NONE);
	if (w->depth > 0)
		w->depth--;
	if (w->depth == 0)
		return;
	/* We ran in a handler, within another sleep of this thread, whose registrations we may have used up: it has to look again. */
	sleep_mode(w, w->depth <= NEST_MAX ? w->mode[w->depth - 1] : ACTOR_SLEEP_FUTEX);
	store_release(&w->actor->wake, 1);
	if (w->depth <= NEST_MAX && w->mode[w->depth - 1] == ACTOR_SLEEP_FD && w->event >= 0)
		event_signal(w->event);
}

bool
client_spin_begin(void)
{
	return self.serial != 0 && spin_begin(&self.spin);
}

void
client_spin_end(bool found)
{
	spin_end(&self.spin, found);
}

/* The shorter of the timeout and a slice. True if it is the timeout. */
static bool
slice_of(const struct timespec *timeout, struct timespec *slice)
{
	*slice = (struct timespec){ .tv_sec = SLICE_S };
	if (timeout == NULL || timeout->tv_sec >= SLICE_S)
		return false;
	*slice = *timeout;
	return true;
}

/*
 * The sleeps of client_wait, which may be the thread's last act: it can be cancelled in the system call, as in libc's own, and nowhere else around it.
 * client.h says what callers have to have in place.
 */
static int
sleep_futex(const uint32_t *word, const struct timespec *slice)
{
	int type, err;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	err = sys_futex_wait(word, 0, slice, 1);
	pthread_setcanceltype(type, NULL);
	return err;
}

static int
sleep_ppoll(struct pollfd *pfd, struct timespec *slice, const void *sigmask)
{
	int type, n;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	n = sys_ppoll(pfd, 1, slice, sigmask);
	pthread_setcanceltype(type, NULL);
	return n;
}

/* With a signal mask only the kernel can change it and sleep in one step: on the event descriptor. */
static int
wait_masked(struct client_waiter *w, struct timespec *slice, bool whole, const void *sigmask)
{
	struct pollfd pfd = { .events = POLLIN };
	int n;

	event_make(w);
	pfd.fd = w->event;
	if (w->event < 0 && slice->tv_sec + slice->tv_nsec / MASK_POLL_NS > 0) {
		*slice = (struct timespec){ .tv_nsec = MASK_POLL_NS };
		whole = false;
	}
	sleep_mode(w, ACTOR_SLEEP_FD);
	fence_full();
	if (load_acquire(&w->actor->wake) != 0)
		return 0;
	n = sleep_ppoll(&pfd, slice, sigmask);
	if (n > 0)
		client_waiter_drain(w);
	if (n < 0)
		return n;
	return n == 0 && whole ? -ETIMEDOUT : 0;
}

int
client_wait(struct client_waiter *w, const struct timespec *timeout, const void *sigmask)
{
	struct timespec slice;
	bool whole = slice_of(timeout, &slice);
	int err;

	if (load_acquire(&w->actor->wake) != 0)
		return 0;
	if (sigmask != NULL)
		return wait_masked(w, &slice, whole, sigmask);
	err = sleep_futex(&w->actor->wake, &slice);
	if (err == -ETIMEDOUT)
		return whole ? -ETIMEDOUT : 0;
	return err == -EINTR ? err : 0;
}
