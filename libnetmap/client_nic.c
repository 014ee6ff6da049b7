/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data side of interface drivers in this process: one attachment for a port's interface, one for its host rings, each made at the first sync that
 * needs it and kept until no session here does. Each has a number of its own: struct port.id, struct port.host_id.
 */
#include <errno.h>

#include "../drivers/driver.h"
#include "../engine/monitor.h"
#include "../engine/os.h"
#include "../engine/sync.h"
#include "../host/sys.h"
#include "client_internal.h"

#define NICS_MAX	256u
#define NIC_CLOSING	UINT32_MAX

struct nic {
	uint32_t id;			/* 0: free; NIC_CLOSING */
	uint32_t users;			/* sessions; under the tables lock */
	struct driver_map *map;
	int fd[DRIVER_FDS_MAX];
	unsigned fds;
};

static struct nic nics[NICS_MAX];

/* The first entry from the one that is `id`'s by right on that has the id `wanted`, 0 in free ones. */
static struct nic *
nic_entry(uint32_t id, uint32_t wanted)
{
	for (unsigned i = 0; i < NICS_MAX; i++)
		if (load_acquire(&nics[(id + i) % NICS_MAX].id) == wanted)
			return &nics[(id + i) % NICS_MAX];
	return NULL;
}

/* Lock-free: entries in use do not move. */
static struct nic *
nic_find(uint32_t id)
{
	return nic_entry(id, id);
}

static void
nic_close(struct nic *n)
{
	driver_detach(n->map);
	while (n->fds > 0)
		client_fd_close(n->fd[--n->fds]);
	n->map = NULL;
	store_release(&n->id, 0);
}

/* Takes the descriptors over. */
static int
nic_open(struct nic *n, uint32_t id, uint64_t shared, struct message_fds *fds)
{
	int err = 0;

	n->fds = 0;
	if (!client_arena_has(shared, sizeof(struct driver_shared)) || fds->n > DRIVER_FDS_MAX) {
		message_fds_close(fds);
		return -EPROTO;
	}
	for (unsigned i = 0; i < fds->n; i++) {
		int fd = client_fd_own(fds->fd[i], CLIENT_FD_SHARED);

		if (fd < 0)
			err = fd;
		else
			n->fd[n->fds++] = fd;
	}
	fds->n = 0;
	if (err == 0)
		err = driver_attach((struct driver_shared *)(uintptr_t)shared, n->fd, n->fds, &n->map);
	if (err != 0) {
		while (n->fds > 0)
			client_fd_close(n->fd[--n->fds]);
		return err;
	}
	store_release(&n->id, id);
	return 0;
}

/* One user less. True if it was the last one: then client_nics_close follows. Under the tables lock. */
static bool
nic_leave(uint32_t id)
{
	struct nic *n = id != 0 ? nic_find(id) : NULL;

	if (n == NULL || --n->users > 0)
		return false;
	store_release(&n->id, NIC_CLOSING);
	return true;
}

/* Is some thread of this process inside the data path, where it may use what it found before? */
static bool
threads_inside(void)
{
	const struct actor *a = client_arena.root->actors;
	int32_t pid = (int32_t)load_relaxed(&client_process->pid);

	/* Who enters from now on finds what we found. */
	fence_full();
	for (unsigned i = 1; i <= ACTOR_MAX; i++)
		if (load_relaxed(&a[i].pid) == pid && load_acquire(&a[i].inside) != 0)
			return true;
	return false;
}

/* Counts this session as a user of the attachment `id`, which is made from what netmapd sent if there is none. Under the tables lock. */
static int
nic_enter(struct client_session *s, enum client_nic_side side, uint32_t id, uint64_t shared, struct message_fds *fds)
{
	struct nic *n = nic_find(id);
	int err;

	if (n == NULL) {
		n = nic_entry(id, 0);
		if (n == NULL)
			return -ENOMEM;
		err = nic_open(n, id, shared, fds);
		if (err != 0)
			return err;
		n->users = 0;
	}
	n->users++;
	store_release(&s->nic[side], id);
	return 0;
}

static int
nic_attach(struct client_session *s, enum client_nic_side side, uint32_t port, uint32_t id)
{
	struct proto_nic q = { .port = port, .host = side == NIC_HOST };
	struct proto_nic_reply r;
	struct message_fds fds = { 0 };
	const struct client_call call = {
		.type = PROTO_NIC,
		.body = &q,
		.body_size = sizeof(q),
		.reply = &r,
		.reply_size = sizeof(r),
		.in = &fds,
	};
	struct client_guard g;
	bool left = false;
	int n = client_call(&call);

	if (n < 0)
		return n;
	if (n != sizeof(r) || r.fds != fds.n || r.id != id) {
		message_fds_close(&fds);
		return -EPROTO;
	}
	client_lock(CLIENT_LOCK_TABLES, &g);
	n = 0;
	if (s->nic[side] != 0 && s->nic[side] != id) {
		/* That of host rings which are closed since, and open again. */
		if (threads_inside()) {
			n = -EAGAIN;
		} else {
			left = nic_leave(s->nic[side]);
			s->nic[side] = 0;
		}
	}
	if (n == 0 && s->nic[side] != id)
		n = nic_enter(s, side, id, r.shared, &fds);
	client_unlock(CLIENT_LOCK_TABLES, &g);
	message_fds_close(&fds);
	if (left)
		client_nics_close();
	return n;
}

/*
 * What a monitor shows need not be there by the time it has been attached: nothing depends on it, since the monitored program's own syncs show its frames
 * too.
 */
static void
monitor_attach(struct client_session *s)
{
	const struct binding *b = s->binding;
	const struct kring *rx;
	uint32_t port = 0, host = 0;
	bool own = false;
	uint64_t before;
	int err;
	struct actor *self = client_self(&err);

	if (self == NULL || !client_session_enter(s, self, &before))
		return;
	/* The other port stays as long as we are inside. */
	rx = monitor_source(b);
	if (rx != NULL) {
		port = rx->port->id;
		own = b->rx_first < b->port->num_rx;
		host = binding_has_host(b) ? load_acquire(&rx->port->host_id) : 0;
	}
	actor_leave(self, before);
	if (port != 0 && own && load_acquire(&s->nic[NIC_OWN]) != port)
		(void)nic_attach(s, NIC_OWN, port, port);
	if (host != 0 && load_acquire(&s->nic[NIC_HOST]) != host)
		(void)nic_attach(s, NIC_HOST, port, host);
}

int
client_nic_attach(struct client_session *s)
{
	const struct binding *b = s->binding;
	const struct port *p = b->port;
	bool own = b->tx_first < p->num_tx || b->rx_first < p->num_rx, host = binding_has_host(b);
	uint32_t id = load_acquire(&p->host_id);
	int err;

	if (unlikely(p->type == PORT_MONITOR)) {
		monitor_attach(s);
		return 0;
	}
	if (own && unlikely(load_acquire(&s->nic[NIC_OWN]) != p->id)) {
		err = nic_attach(s, NIC_OWN, p->id, p->id);
		if (err != 0)
			return err;
	}
	if (!host && (likely(load_relaxed(&b->forwards) == 0) || id == 0))
		return 0;
	if (likely(load_acquire(&s->nic[NIC_HOST]) == id))
		return 0;
	err = nic_attach(s, NIC_HOST, p->id, id);
	/* Who only forwards goes on without: the engine counts what is lost. */
	return host ? err : 0;
}

bool
client_nic_release(struct client_session *s)
{
	bool last = false;

	for (unsigned i = 0; i < NIC_SIDES; i++) {
		last |= nic_leave(s->nic[i]);
		s->nic[i] = 0;
	}
	return last;
}

void
client_nics_close(void)
{
	uint32_t closing;

	for (unsigned i = 0; i < NICS_MAX; i++) {
		closing = NIC_CLOSING;
		/* Only one thread closes it; until it is free nobody finds it. */
		if (load_relaxed(&nics[i].id) == NIC_CLOSING && atomic_cas(&nics[i].id, &closing, NIC_CLOSING - 1))
			nic_close(&nics[i]);
	}
}

int
os_nic_sync(struct kring *kr, struct nic_ring *ring)
{
	const struct port *p = kr->port;
	uint32_t id = kr->host != 0 ? load_acquire(&p->host_id) : p->id, queue = kr->id;
	struct nic *n = id != 0 ? nic_find(id) : NULL;

	if (n == NULL)
		return -ENXIO;
	if (kr->host != 0)
		queue -= kr->dir == RING_TX ? p->num_tx : p->num_rx;
	return kr->dir == RING_TX ? driver_txsync(n->map, queue, ring) : driver_rxsync(n->map, queue, ring);
}

/* --- waiting --- */

/* What is collected: descriptors, and the shortest time that a driver wants. */
struct waiting {
	short events;
	struct pollfd *fds;
	unsigned max, found;
	int timeout_ms;
};

/* Of one side: queue q is ring base + q. */
static void
side_wait(const struct nic *n, const struct binding *b, uint32_t tx_base, uint32_t rx_base, unsigned queues, struct waiting *w)
{
	struct pollfd queue[DRIVER_QUEUE_FDS];
	unsigned got, q;
	short want;
	int ms;

	for (q = 0; q < queues; q++) {
		want = 0;
		if ((w->events & POLLIN) != 0 && rx_base + q >= b->rx_first && rx_base + q < b->rx_last)
			want |= POLLIN;
		/* In a joined ring the other end makes room, and wakes us when it has, or when it parts. */
		if ((w->events & POLLOUT) != 0 && tx_base + q >= b->tx_first && tx_base + q < b->tx_last &&
		    load_relaxed(&b->tx[tx_base + q]->joined) == 0)
			want |= POLLOUT;
		if (want == 0)
			continue;
		got = driver_pollfds(n->map, q, want, queue, DRIVER_QUEUE_FDS, &ms);
		if (ms >= 0 && (w->timeout_ms < 0 || ms < w->timeout_ms))
			w->timeout_ms = ms;
		for (unsigned i = 0; i < got && w->found < w->max; i++)
			w->fds[w->found++] = queue[i];
	}
}

static unsigned
larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void
wait_collect(struct client_session *s, struct waiting *w)
{
	const struct binding *b = s->binding;
	const struct port *p;
	const struct nic *n;

	if (!client_session_usable(s) || !binding_has_nic(b) || client_nic_attach(s) != 0)
		return;
	p = b->port;
	/* A monitor has the rings of what it shows, but sends nothing. */
	if (p->type == PORT_MONITOR)
		w->events &= POLLIN;
	n = s->nic[NIC_OWN] != 0 ? nic_find(s->nic[NIC_OWN]) : NULL;
	if (n != NULL)
		side_wait(n, b, 0, 0, larger(p->num_tx, p->num_rx), w);
	n = binding_has_host(b) && s->nic[NIC_HOST] != 0 ? nic_find(s->nic[NIC_HOST]) : NULL;
	if (n != NULL)
		side_wait(n, b, p->num_tx, p->num_rx, larger(p->num_host_tx, p->num_host_rx), w);
}

unsigned
client_kernel_fds(struct client_session *s, short events, struct pollfd *fds, unsigned max)
{
	struct waiting w = { .events = events, .fds = fds, .max = max, .timeout_ms = -1 };

	wait_collect(s, &w);
	return w.found;
}

int
client_kernel_timeout(struct client_session *s, short events)
{
	struct waiting w = { .events = events, .timeout_ms = -1 };

	wait_collect(s, &w);
	return w.timeout_ms;
}
