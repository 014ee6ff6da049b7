/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data side of interface drivers in this process: one attachment a port, made at the first sync, kept until no session here is bound to the port.
 */
#include <errno.h>

#include "../drivers/driver.h"
#include "../engine/os.h"
#include "../engine/sync.h"
#include "../host/sys.h"
#include "client_internal.h"

#define NICS_MAX	256u
#define PORT_CLOSING	UINT32_MAX

struct nic {
	uint32_t port;			/* port.id; 0: free; PORT_CLOSING */
	uint32_t users;			/* sessions; under the tables lock */
	struct driver_map *map;
	int fd[DRIVER_FDS_MAX];
	unsigned fds;
};

static struct nic nics[NICS_MAX];

/* Lock-free: entries of ports in use do not move. */
static struct nic *
nic_find(uint32_t port)
{
	for (unsigned i = 0; i < NICS_MAX; i++)
		if (load_acquire(&nics[(port + i) % NICS_MAX].port) == port)
			return &nics[(port + i) % NICS_MAX];
	return NULL;
}

static void
nic_close(struct nic *n)
{
	driver_detach(n->map);
	while (n->fds > 0)
		client_fd_close(n->fd[--n->fds]);
	n->map = NULL;
	store_release(&n->port, 0);
}

/* Takes the descriptors over. */
static int
nic_open(struct nic *n, uint32_t port, uint64_t shared, struct message_fds *fds)
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
	store_release(&n->port, port);
	return 0;
}

/* Counts this session as a user of the port's attachment, which is made from what netmapd sent if there is none. Under the tables lock. */
static int
nic_enter(struct client_session *s, uint32_t port, uint64_t shared, struct message_fds *fds)
{
	struct nic *n = nic_find(port);
	int err;

	if (s->nic_port == port) {
		message_fds_close(fds);
		return 0;
	}
	if (n == NULL) {
		n = nic_find(0);
		if (n == NULL) {
			message_fds_close(fds);
			return -ENOMEM;
		}
		err = nic_open(n, port, shared, fds);
		if (err != 0)
			return err;
		n->users = 0;
	}
	message_fds_close(fds);
	n->users++;
	store_release(&s->nic_port, port);
	return 0;
}

int
client_nic_attach(struct client_session *s)
{
	uint32_t port = s->binding->port->id;
	struct proto_nic q = { .port = port };
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
	int n;

	if (likely(load_acquire(&s->nic_port) == port))
		return 0;
	n = client_call(&call);
	if (n < 0)
		return n;
	if (n != sizeof(r) || r.fds != fds.n) {
		message_fds_close(&fds);
		return -EPROTO;
	}
	client_lock(CLIENT_LOCK_TABLES, &g);
	n = nic_enter(s, port, r.shared, &fds);
	client_unlock(CLIENT_LOCK_TABLES, &g);
	return n;
}

bool
client_nic_release(struct client_session *s)
{
	struct nic *n = s->nic_port != 0 ? nic_find(s->nic_port) : NULL;

	if (n == NULL || --n->users > 0)
		return false;
	store_release(&n->port, PORT_CLOSING);
	return true;
}

void
client_nics_close(void)
{
	uint32_t closing;

	for (unsigned i = 0; i < NICS_MAX; i++) {
		closing = PORT_CLOSING;
		/* Only one thread closes it; until it is free nobody finds it. */
		if (load_relaxed(&nics[i].port) == PORT_CLOSING && atomic_cas(&nics[i].port, &closing, PORT_CLOSING - 1))
			nic_close(&nics[i]);
	}
}

int
os_nic_sync(struct kring *kr, struct nic_ring *ring)
{
	struct nic *n = nic_find(kr->port->id);

	if (n == NULL)
		return -ENXIO;
	return kr->dir == RING_TX ? driver_txsync(n->map, kr->id, ring) : driver_rxsync(n->map, kr->id, ring);
}

/* --- waiting --- */

/* Calls the driver for every bound queue; *timeout_ms is the shortest that any of them wants. Descriptors found, at most max. */
static unsigned
pollfds(struct client_session *s, short events, struct pollfd *fds, unsigned max, int *timeout_ms)
{
	const struct binding *b = s->binding;
	struct nic *n;
	unsigned found = 0, q;
	struct pollfd queue[DRIVER_QUEUE_FDS];

	*timeout_ms = -1;
	if (!client_session_usable(s) || !binding_has_nic(b) || client_nic_attach(s) != 0)
		return 0;
	n = nic_find(s->nic_port);
	if (n == NULL)
		return 0;
	for (q = 0; q < b->port->num_rx || q < b->port->num_tx; q++) {
		short want = 0;
		unsigned got;
		int ms;

		if ((events & POLLIN) != 0 && q >= b->rx_first && q < b->rx_last)
			want |= POLLIN;
		if ((events & POLLOUT) != 0 && q >= b->tx_first && q < b->tx_last)
			want |= POLLOUT;
		if (want == 0)
			continue;
		got = driver_pollfds(n->map, q, want, queue, DRIVER_QUEUE_FDS, &ms);
		if (ms >= 0 && (*timeout_ms < 0 || ms < *timeout_ms))
			*timeout_ms = ms;
		for (unsigned i = 0; i < got && found < max; i++)
			fds[found++] = queue[i];
	}
	return found;
}

unsigned
client_kernel_fds(struct client_session *s, short events, struct pollfd *fds, unsigned max)
{
	int timeout_ms;

	return pollfds(s, events, fds, max, &timeout_ms);
}

int
client_kernel_timeout(struct client_session *s, short events)
{
	int timeout_ms;

	pollfds(s, events, NULL, 0, &timeout_ms);
	return timeout_ms;
}
