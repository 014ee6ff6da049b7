/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client (libnetmap/client.h) without netmap: sessions are marked sockets, readiness is two counters in a
 * file that all processes of a test map (its path is in FAKE_NETMAP, for programs that the test runs), waking
 * is a futex and an eventfd for every waiter.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>

#include "../../libnetmap/client.h"
#include "../../libnetmap/protocol.h"
#include "../../libnetmap/raw_syscall.h"
#include "fake_client.h"
#include "fixture.h"

#define PORTS		64
#define WAITERS		64
#define ROOM		8
#define REGION		65536

#define EXPORT		__attribute__((visibility("default")))

struct fake_port {
	_Atomic uint64_t cookie;
	_Atomic int registered, dead;
	_Atomic int packets, room;
	_Atomic uint64_t moved_in, moved_out;
	_Atomic short armed[WAITERS];
};

struct fake_state {
	_Atomic uint32_t ports, waiters;
	struct fake_port port[PORTS];
	_Atomic uint32_t word[WAITERS];
};

struct client_session {
	_Atomic int refs;
	struct fake_port *port;
	uint64_t cookie;
};

struct client_waiter {
	uint32_t no, seen;
};

static struct fake_state *state;
static int state_fd = -1;
static int event_fd[WAITERS];
static _Atomic int server_fd[PORTS];
static _Atomic int mapped;
static _Atomic uint32_t fork_count;
struct fake_counters fake_counters;

static __thread struct client_waiter waiter;
static __thread uint32_t waiter_of = UINT32_MAX;

static int
own_fd(int fd)
{
	int high = (int)raw_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, CLIENT_FD_FLOOR);

	raw_syscall(SYS_close, fd);
	return high;
}

static void
waiters_make(void)
{
	for (int i = 0; i < WAITERS; i++)
		event_fd[i] = own_fd((int)raw_syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* The first process makes the state, those that it runs open it while it lives. */
__attribute__((constructor))
static void
fake_start(void)
{
	char *given = getenv("FAKE_NETMAP"), path[64];
	int fd = given ? open(given, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		/* Not close-on-exec: this process may become another program. */
		state_fd = (int)raw_syscall(SYS_memfd_create, "fake-netmap", 0);
		fd = (int)raw_syscall(SYS_fcntl, state_fd, F_DUPFD, CLIENT_FD_FLOOR);
		raw_syscall(SYS_close, state_fd);
		state_fd = fd;
		CHECK(fd >= 0 && ftruncate(fd, sizeof(*state)) == 0);
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
		setenv("FAKE_NETMAP", path, 1);
	}
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(state != MAP_FAILED);
	if (fd != state_fd)
		close(fd);
	waiters_make();
}

/* --- client.h --- */

static uint64_t
fd_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static struct client_session *
session_new(struct fake_port *p)
{
	struct client_session *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->port = p;
	s->cookie = atomic_load(&p->cookie);
	atomic_store(&s->refs, 1);
	atomic_fetch_add(&fake_counters.sessions, 1);
	return s;
}

int
client_open(int oflags, struct client_session **out)
{
	struct timeval mark = { PROTO_MARK_SEC, PROTO_MARK_USEC };
	uint32_t no = atomic_fetch_add(&state->ports, 1) % PORTS;
	struct fake_port *p = &state->port[no];
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | (oflags & O_CLOEXEC ? SOCK_CLOEXEC : 0), 0, sv) < 0)
		return -errno;
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &mark, sizeof(mark)) == 0);
	if (atomic_load(&server_fd[no]))
		raw_syscall(SYS_close, atomic_load(&server_fd[no]));
	atomic_store(&server_fd[no], own_fd(sv[1]));
	atomic_store(&p->cookie, fd_cookie(sv[0]));
	atomic_store(&p->registered, 0);
	atomic_store(&p->dead, 0);
	atomic_store(&p->packets, 0);
	atomic_store(&p->room, ROOM);
	for (int i = 0; i < WAITERS; i++)
		atomic_store(&p->armed[i], 0);
	*out = session_new(p);
	return sv[0];
}

int
client_adopt(int fd, struct client_session **out)
{
	uint64_t cookie = fd_cookie(fd);

	atomic_fetch_add(&fake_counters.adopted, 1);
	for (int i = 0; cookie && i < PORTS; i++)
		if (atomic_load(&state->port[i].cookie) == cookie) {
			*out = session_new(&state->port[i]);
			return 0;
		}
	return -ENOTTY;
}

struct client_session *
client_get(struct client_session *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
client_put(struct client_session *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	atomic_fetch_sub(&fake_counters.sessions, 1);
	free(s);
}

uint64_t
client_cookie(const struct client_session *s)
{
	return s->cookie;
}

int
client_ioctl(struct client_session *s, unsigned long request, void *arg)
{
	struct fake_port *p = s->port;

	atomic_fetch_add(&fake_counters.ioctls, 1);
	switch (request) {
	case NIOCREGIF:
	case NIOCCTRL:
		atomic_store(&p->registered, 1);
		return 0;
	case NIOCTXSYNC:
	case NIOCRXSYNC:
		return atomic_load(&p->registered) ? 0 : -ENXIO;
	}
	return -EOPNOTSUPP;
}

int
client_mmap(struct client_session *s, int fd, void *addr, size_t length, int prot, int flags,
	off_t offset, void **out)
{
	if (!atomic_load(&s->port->registered) || offset + length > REGION)
		return -EINVAL;
	*out = mmap(addr, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | (flags & MAP_FIXED), -1, 0);
	if (*out == MAP_FAILED)
		return -errno;
	atomic_fetch_add(&mapped, 1);
	return 0;
}

bool
client_mapped_any(void)
{
	return atomic_load(&mapped) != 0;
}

void
client_unmapped(const void *addr, size_t length)
{
	atomic_fetch_add(&fake_counters.unmapped, 1);
	atomic_fetch_add(&fake_counters.unmapped_bytes, length);
}

short
client_poll(struct client_session *s, short events)
{
	struct fake_port *p = s->port;
	short ready = 0;

	if (!atomic_load(&p->registered) || atomic_load(&p->dead))
		return POLLERR;
	if (events & POLLIN && atomic_load(&p->packets) > 0)
		ready |= POLLIN;
	if (events & POLLOUT && atomic_load(&p->room) > 0)
		ready |= POLLOUT;
	return ready;
}

struct client_waiter *
client_waiter(void)
{
	if (waiter_of != atomic_load(&fork_count)) {
		waiter.no = atomic_fetch_add(&state->waiters, 1) % WAITERS;
		waiter_of = atomic_load(&fork_count);
	}
	return &waiter;
}

void
client_arm_begin(struct client_waiter *w, bool with_fd)
{
	client_waiter_drain(w);
	w->seen = atomic_load(&state->word[w->no]);
}

void
client_arm(struct client_waiter *w, struct client_session *s, short events)
{
	atomic_fetch_add(&fake_counters.armed, 1);
	atomic_fetch_or(&s->port->armed[w->no], events);
}

void
client_disarm(struct client_waiter *w, struct client_session *s, short events)
{
	atomic_fetch_sub(&fake_counters.armed, 1);
	atomic_store(&s->port->armed[w->no], 0);
}

void
client_arm_end(struct client_waiter *w)
{
}

int
client_wait(struct client_waiter *w, const struct timespec *timeout, const void *sigmask)
{
	struct pollfd p = { .fd = event_fd[w->no], .events = POLLIN };
	struct timespec slice = { 1, 0 };
	bool sliced = !timeout || timeout->tv_sec >= 1;
	int type;
	long ret;

	if (!sliced)
		slice = *timeout;
	atomic_fetch_add(&fake_counters.waits, 1);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	if (sigmask)
		ret = raw_syscall(SYS_ppoll, &p, 1, &slice, sigmask, 8);
	else
		ret = raw_syscall(SYS_futex, &state->word[w->no], FUTEX_WAIT, w->seen, &slice, NULL, 0);
	pthread_setcanceltype(type, NULL);
	if (sigmask ? ret == 0 : ret == -ETIMEDOUT)
		return sliced ? 0 : -ETIMEDOUT;
	return ret == -EINTR ? -EINTR : 0;
}

bool
client_spin_begin(void)
{
	return false;
}

void
client_spin_end(bool found)
{
}

int
client_waiter_fd(struct client_waiter *w)
{
	return event_fd[w->no];
}

void
client_waiter_drain(struct client_waiter *w)
{
	uint64_t n;

	raw_syscall(SYS_read, event_fd[w->no], &n, sizeof(n));
}

unsigned
client_kernel_fds(struct client_session *s, short events, struct pollfd *fds, unsigned max)
{
	return 0;
}

int
client_kernel_timeout(struct client_session *s, short events)
{
	return -1;
}

uint64_t
client_progress(struct client_session *s, short event)
{
	return atomic_load(event == POLLIN ? &s->port->moved_in : &s->port->moved_out);
}

bool
client_owns_fd(int fd)
{
	if (fd == state_fd)
		return true;
	for (int i = 0; i < WAITERS; i++)
		if (event_fd[i] == fd)
			return true;
	for (int i = 0; i < PORTS; i++)
		if (fd && atomic_load(&server_fd[i]) == fd)
			return true;
	return false;
}

/* A server's end in two processes would hide hang-ups, see design: the child lets go of its copies. */
void
client_forked(void)
{
	for (int i = 0; i < PORTS; i++)
		if (atomic_load(&server_fd[i]))
			raw_syscall(SYS_close, atomic_exchange(&server_fd[i], 0));
	atomic_fetch_add(&fork_count, 1);
	atomic_fetch_add(&fake_counters.forked, 1);
}

/* --- fixture.h --- */

/* In shared memory, at the same address in forked children. */
static struct fake_port *
port_of(const struct test_port *p)
{
	return p->mem;
}

static void
port_wake(struct fake_port *f, short event)
{
	const uint64_t one = 1;

	for (int i = 0; i < WAITERS; i++) {
		if (!(atomic_load(&f->armed[i]) & event))
			continue;
		atomic_fetch_add(&state->word[i], 1);
		raw_syscall(SYS_futex, &state->word[i], FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
		raw_syscall(SYS_write, event_fd[i], &one, sizeof(one));
	}
}

EXPORT void
port_open_unregistered(struct test_port *p)
{
	uint64_t cookie;

	memset(p, 0, sizeof(*p));
	p->fd = open("/dev/netmap", O_RDWR);
	CHECK(p->fd >= 0);
	cookie = fd_cookie(p->fd);
	for (int i = 0; i < PORTS && !p->mem; i++)
		if (atomic_load(&state->port[i].cookie) == cookie)
			p->mem = &state->port[i];
	CHECK(p->mem);
}

EXPORT void
port_open(struct test_port *p)
{
	struct nmreq_header h = { .nr_version = NETMAP_API };

	port_open_unregistered(p);
	CHECK(ioctl(p->fd, NIOCCTRL, &h) == 0);
}

EXPORT void
port_close(struct test_port *p)
{
	close(p->fd);
}

EXPORT void
port_feed(struct test_port *p)
{
	struct fake_port *f = port_of(p);

	atomic_fetch_add(&f->packets, 1);
	atomic_fetch_add(&f->moved_in, 1);
	port_wake(f, POLLIN);
}

EXPORT int
port_take(struct test_port *p)
{
	return atomic_exchange(&port_of(p)->packets, 0);
}

EXPORT void
port_fill(struct test_port *p)
{
	atomic_store(&port_of(p)->room, 0);
}

EXPORT void
port_make_room(struct test_port *p)
{
	struct fake_port *f = port_of(p);

	atomic_fetch_add(&f->room, 1);
	atomic_fetch_add(&f->moved_out, 1);
	port_wake(f, POLLOUT);
}

/* --- fake_client.h --- */

EXPORT struct fake_counters *
fake_counts(void)
{
	return &fake_counters;
}

EXPORT bool
fake_own_fds_open(void)
{
	for (int i = 0; i < WAITERS; i++)
		if (raw_syscall(SYS_fcntl, event_fd[i], F_GETFD) < 0)
			return false;
	return true;
}

EXPORT void
fake_hang_up(struct test_port *p)
{
	struct fake_port *f = port_of(p);
	int fd = atomic_exchange(&server_fd[f - state->port], 0);

	CHECK(fd > 0);
	raw_syscall(SYS_close, fd);
}
