/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions that this process knows, by the cookie of their descriptor, and what ioctl() does on them.
 *
 * The memory of a session is used again for others, but never given back: so a pointer that raced with the last client_put is still one to a session.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "../engine/csb.h"
#include "../engine/os.h"
#include "../engine/sync.h"
#include "../host/copy.h"
#include "../host/sys.h"
#include "client_internal.h"

#define CHUNK	4096u			/* bytes of sessions mapped at a time */
#define ATTEMPTS	5

static struct {
	struct client_session *list;	/* with references */
	struct client_session *spare;
	uint32_t count;
} sessions;

unsigned
client_sessions(void)
{
	return load_relaxed(&sessions.count);
}

static struct client_session *
spare_take(void)
{
	struct client_session *s = sessions.spare;
	long p;

	if (s == NULL) {
		p = sys_mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p < 0)
			return NULL;
		for (size_t i = 0; i < CHUNK / sizeof(*s); i++) {
			s = (struct client_session *)p + i;
			s->next = sessions.spare;
			sessions.spare = s;
		}
		s = sessions.spare;
	}
	sessions.spare = s->next;
	memset(s, 0, sizeof(*s));
	return s;
}

/* Of the present arena, with this cookie; counted. NULL. Under the lock. */
static struct client_session *
session_find(uint64_t cookie)
{
	struct client_session *s = sessions.list;

	while (s != NULL && (s->cookie != cookie || s->arena != client_arena.number))
		s = s->next;
	if (s != NULL)
		atomic_inc(&s->refs);
	return s;
}

/* The session that netmapd describes, counted: one that is known, or a new one. -errno. */
static int
session_enter(const struct proto_session_reply *r, struct client_session **out)
{
	struct client_session *s;
	struct client_guard g;

	if (!client_arena_has(r->binding, sizeof(struct binding)))
		return -EPROTO;
	client_lock(CLIENT_LOCK_TABLES, &g);
	s = session_find(r->cookie);
	if (s == NULL && (s = spare_take()) != NULL) {
		s->refs = 1;
		s->id = r->session;
		s->cookie = r->cookie;
		s->binding = (void *)(uintptr_t)r->binding;
		s->binding_id = r->binding_id;
		s->arena = client_arena.number;
		s->next = sessions.list;
		sessions.list = s;
		atomic_inc(&sessions.count);
	}
	client_unlock(CLIENT_LOCK_TABLES, &g);
	*out = s;
	return s != NULL ? 0 : -ENOMEM;
}

static int
session_ask(uint16_t type, int fd, struct message_fds *in, struct proto_session_reply *r)
{
	struct message_fds out = { .n = fd >= 0, .fd = { fd } };
	const struct client_call call = { .type = type, .out = &out, .reply = r, .reply_size = sizeof(*r), .in = in };
	int n = client_call(&call);

	return n < 0 ? n : n == sizeof(*r) ? 0 : -EPROTO;
}

static int
flags_set(int fd, int oflags)
{
	int err = 0;

	if ((oflags & O_CLOEXEC) == 0)
		err = sys_fcntl(fd, F_SETFD, 0);
	if (err == 0 && (oflags & O_NONBLOCK) != 0)
		err = sys_fcntl(fd, F_SETFL, O_NONBLOCK);
	return err;
}

/*
 * Interfaces are looked up in the network namespace of the thread that opens. A descriptor of it, out of the way, so that the session's gets the lowest
 * number there is; -1 if there is none.
 */
static int
netns_open(void)
{
	int fd = sys_open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	int high;

	if (fd < 0)
		return -1;
	high = sys_fcntl(fd, F_DUPFD_CLOEXEC, CLIENT_FD_FLOOR);
	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

int
client_open(int oflags, struct client_session **out)
{
	struct proto_session_reply r;
	struct message_fds fds = { 0 };
	int netns, fd, err;

	client_why_clear();
	netns = netns_open();
	for (int i = 0; i < ATTEMPTS; i++) {
		err = client_connect(true);
		if (err != 0)
			break;
		/* It may have been about to leave when we came. */
		err = session_ask(PROTO_OPEN, netns, &fds, &r);
		if (err != -EIO)
			break;
	}
	if (netns >= 0)
		sys_close(netns);
	if (err != 0)
		return err;
	fd = message_fds_take(&fds);
	message_fds_close(&fds);
	if (fd < 0)
		return -EPROTO;
	err = flags_set(fd, oflags);
	if (err == 0)
		err = session_enter(&r, out);
	if (err != 0) {
		sys_close(fd);
		return err;
	}
	return fd;
}

int
client_adopt(int fd, struct client_session **out)
{
	struct proto_session_reply r;
	struct timeval mark = { 0, 0 };
	socklen_t size = sizeof(mark), cookie_size = sizeof(uint64_t);
	uint64_t cookie = 0;
	struct client_guard g;
	int err;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &mark, &size) != 0 || mark.tv_sec != PROTO_MARK_SEC ||
	    mark.tv_usec != PROTO_MARK_USEC || sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_size) != 0)
		return -ENOTTY;
	client_process_enter();
	client_lock(CLIENT_LOCK_TABLES, &g);
	*out = session_find(cookie);
	client_unlock(CLIENT_LOCK_TABLES, &g);
	if (*out != NULL)
		return 0;
	/* A process that got the descriptor by exec has no connection yet. Nothing is started: only the descriptor's own netmapd can serve it. */
	err = client_connect(false);
	if (err == 0)
		err = session_ask(PROTO_ATTACH, fd, NULL, &r);
	if (err == 0)
		err = session_enter(&r, out);
	return err;
}

struct client_session *
client_get(struct client_session *s)
{
	atomic_inc(&s->refs);
	return s;
}

void
client_put(struct client_session *s)
{
	struct client_session **p;
	struct client_guard g;
	bool nic = false;

	client_process_enter();
	client_lock(CLIENT_LOCK_TABLES, &g);
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_SEQ_CST) == 0) {
		for (p = &sessions.list; *p != s; p = &(*p)->next)
			;
		*p = s->next;
		nic = client_nic_release(s);
		s->next = sessions.spare;
		sessions.spare = s;
		__atomic_sub_fetch(&sessions.count, 1, __ATOMIC_SEQ_CST);
	}
	client_unlock(CLIENT_LOCK_TABLES, &g);
	if (nic)
		client_nics_close();
}

uint64_t
client_cookie(const struct client_session *s)
{
	return s->cookie;
}

bool
client_session_usable(const struct client_session *s)
{
	return s->arena == client_arena.number && !client_dead(false);
}

bool
client_session_enter(const struct client_session *s, struct actor *self, uint64_t *before)
{
	*before = actor_enter(client_arena.root, self);
	if (likely(load_acquire(&s->binding->id) == s->binding_id))
		return true;
	actor_leave(self, *before);
	return false;
}

/* --- ioctl --- */

static int
io_copy_in(void *ctx, void *dst, uint64_t src, size_t n)
{
	return host_copy_in(dst, src, n);
}

static int
io_copy_out(void *ctx, uint64_t dst, const void *src, size_t n)
{
	return host_copy_out(dst, src, n);
}

/* Sends the gathered request and takes the reply into the same message. */
static int
request_exchange(struct client_session *s, struct request *r, const struct message_fds *fds)
{
	struct {
		struct proto_request q;
		struct proto_request_reply a;
	} m;
	size_t size = offsetof(struct proto_request_reply, msg) + r->len, error_size = 0;
	const struct client_call call = {
		.type = PROTO_REQUEST,
		.body = &m.q,
		.body_size = offsetof(struct proto_request, msg) + r->len,
		.out = fds,
		.reply = &m.a,
		.reply_size = size,
		.error_size = &error_size,
	};
	int n;

	m.q.session = s->id;
	m.q.reserved = 0;
	memcpy(&m.q.msg, &r->msg, r->len);
	n = client_call(&call);
	if ((n >= 0 && (size_t)n != size) || (n < 0 && error_size != size))
		return n < 0 ? n : -EPROTO;
	/* It is to be sent again as it was. */
	if (n == -EUSERS)
		return n;
	memcpy(&r->msg, &m.a.msg, r->len);
	m.a.why.text[sizeof(m.a.why.text) - 1] = '\0';
	if (n < 0 && m.a.why.text[0] != '\0')
		client_why_set("%s", m.a.why.text);
	return n < 0 ? n : 0;
}

/* The same, with sockets for a netmapd that may not make them itself. */
static int
request_exchange_sockets(struct client_session *s, struct request *r, const struct message_fds *fds)
{
	int err = request_exchange(s, r, fds), given;
	unsigned round;

	for (round = 0; err == -EUSERS && round < CLIENT_SOCKET_ROUNDS; round++) {
		given = client_sockets_send(s, round);
		if (given != 0)
			return given;
		err = request_exchange(s, r, fds);
	}
	if (err == -EUSERS)
		client_why_set("netmapd may not enter the program's network namespace (CAP_SYS_ADMIN is missing there), and the interface has more queues than a "
			"program can open sockets for; use fewer (ethtool -L)");
	return err == -EUSERS ? -EPERM : err;
}

/* With the file of the memory that a program gives: in the message its address is its offset there. */
static int
request_send_memory(struct client_session *s, struct request *r, struct nmreq_opt_extmem *ext)
{
	uint64_t addr = ext->nro_usrptr;
	struct client_memory memory;
	struct message_fds fds;
	int err = client_memory_open(addr, ext->nro_info.nr_memsize, &memory);

	if (err != 0) {
		ext->nro_opt.nro_status = (uint32_t)-err;
		return err;
	}
	fds = (struct message_fds){ .n = 1, .fd = { memory.fd } };
	ext->nro_usrptr = memory.offset;
	err = request_exchange_sockets(s, r, &fds);
	ext->nro_usrptr = addr;
	client_memory_close(&memory, err == 0);
	return err;
}

static int
request_send(struct client_session *s, struct request *r)
{
	struct nmreq_opt_extmem *ext = request_extmem(&r->msg);
	struct client_guard g;
	int err;

	if (ext == NULL)
		return request_exchange_sockets(s, r, NULL);
	client_process_enter();
	client_lock(CLIENT_LOCK_MEMORY, &g);
	err = request_send_memory(s, r, ext);
	client_unlock(CLIENT_LOCK_MEMORY, &g);
	return err;
}

/* By netmapd; what it cannot do, since it does not see the program's memory, is done here. */
static int
request_serve(struct client_session *s, struct request *r)
{
	struct nmreq_opt_csb *csb = csb_option(&r->msg);
	uint64_t atok = csb != NULL ? csb->csb_atok : 0, ktoa = csb != NULL ? csb->csb_ktoa : 0;
	int err = client_session_usable(s) ? request_send(s, r) : -EIO;

	if (err != 0 || csb == NULL)
		return err;
	err = client_csb_enable(s, atok, ktoa, r->reqtype == NETMAP_REQ_REGISTER);
	csb->nro_opt.nro_status = (uint32_t)-err;
	return err;
}

static int
session_request_ioctl(struct client_session *s, unsigned long request, void *arg)
{
	static const struct request_io io = { .copy_in = io_copy_in, .copy_out = io_copy_out };
	struct request r;
	int err;

	client_why_clear();
	err = request_gather_ioctl(&io, (uint32_t)request, (uintptr_t)arg, &r);
	if (err == 0 && !client_kloop_request(s, &r.msg, &err))
		err = request_serve(s, &r);
	return request_writeback(&io, &r, err);
}

/* Registered, with all that its rings need mapped here? 0 or -errno. Inside the data path. */
static int
session_ready(const struct client_session *s)
{
	const struct binding *b = s->binding;
	const struct region *r;

	if (!load_acquire(&b->registered))
		return -ENXIO;
	r = load_relaxed(&b->region);
	return client_arena_has((uintptr_t)r, sizeof(*r)) && os_region_ready(r) ? 0 : -EIO;
}

struct actor *
client_sync_begin(struct client_session *s, uint64_t *before, int *err)
{
	struct actor *self;

	client_relay_retry();
	if (unlikely(!client_session_usable(s))) {
		*err = -EIO;
		return NULL;
	}
	self = client_self(err);
	if (unlikely(self == NULL))
		return NULL;
	if (unlikely(!client_session_enter(s, self, before)))
		goto err_closed;
	*err = session_ready(s);
	if (*err == 0 && binding_has_nic(s->binding)) {
		/* Attaching waits for threads inside, and must be none itself. */
		actor_leave(self, *before);
		*err = client_nic_attach(s) == 0 ? 0 : -EIO;
		if (unlikely(!client_session_enter(s, self, before)))
			goto err_closed;
	}
	if (likely(*err == 0))
		return self;
	actor_leave(self, *before);
	return NULL;

err_closed:
	*err = -EBADF;
	return NULL;
}

static int
session_sync(struct client_session *s, int (*sync)(struct arena_root *root, struct actor *self, struct binding *b))
{
	uint64_t before;
	int err;
	struct actor *self = client_sync_begin(s, &before, &err);

	if (unlikely(self == NULL))
		return err;
	err = sync(client_arena.root, self, s->binding);
	actor_leave(self, before);
	return err;
}

int
client_ioctl(struct client_session *s, unsigned long request, void *arg)
{
	switch ((uint32_t)request) {
	case NIOCTXSYNC:
		return session_sync(s, binding_txsync);
	case NIOCRXSYNC:
		return session_sync(s, binding_rxsync);
	default:
		return session_request_ioctl(s, request, arg);
	}
}

/* --- poll --- */

_Static_assert(EV_IN == POLLIN && EV_OUT == POLLOUT && EV_ERR == POLLERR, "the engine's events are poll's");

short
client_poll(struct client_session *s, short events)
{
	uint64_t before;
	int err;
	struct actor *self = client_sync_begin(s, &before, &err);
	unsigned got;

	if (unlikely(self == NULL))
		return POLLERR;
	got = binding_poll(client_arena.root, self, s->binding, (unsigned)events & (EV_IN | EV_OUT));
	actor_leave(self, before);
	return (short)got;
}

/*
 * Counts of slots that only grow. Receive rings count what arrived; of send rings, the room that came back is what the tail tells.
 */
static uint64_t
binding_progress(const struct binding *b, short event)
{
	uint64_t sum = 0;
	uint32_t i;

	if (!load_acquire(&b->registered))
		return 0;
	if ((event & POLLIN) != 0)
		for (i = b->rx_first; i < b->rx_last; i++)
			sum += load_relaxed(&b->rx[i]->own.packets);
	else
		for (i = b->tx_first; i < b->tx_last; i++)
			sum += load_relaxed(&b->tx[i]->own_free) + load_relaxed(&b->tx[i]->hwtail);
	return sum;
}

uint64_t
client_progress(struct client_session *s, short event)
{
	uint64_t before, sum;
	int err;
	struct actor *self = client_session_usable(s) ? client_self(&err) : NULL;

	if (self == NULL || !client_session_enter(s, self, &before))
		return 0;
	sum = binding_progress(s->binding, event);
	actor_leave(self, before);
	return sum;
}
