/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot of all ports: read without locks while clients count on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../engine/attach.h"
#include "../engine/lease.h"
#include "../engine/os.h"
#include "../engine/persistent.h"
#include "../engine/vale_worker.h"
#include "arena.h"
#include "nic.h"
#include "server.h"
#include "stats.h"

/* The lease that was the oldest unfinished one of a ring when it was last looked at. */
struct lease_seen {
	const struct kring *ring;
	uint64_t published;
	uint32_t owner;
	uint32_t since;			/* second */
};

#define LEASES_SEEN	64u

static struct lease_seen leases[LEASES_SEEN];

static void
counters_read(struct ring_counters *to, const struct ring_counters *from)
{
	to->packets = load_relaxed(&from->packets);
	to->bytes = load_relaxed(&from->bytes);
	to->syncs = load_relaxed(&from->syncs);
	to->bad_rings = load_relaxed(&from->bad_rings);
	for (unsigned i = 0; i < DROP_REASONS; i++)
		to->drops[i] = load_relaxed(&from->drops[i]);
}

/* An age needs two looks: the first one that finds a lease at the head of the line starts its clock. */
static void
lease_read(const struct kring *kr, struct proto_stats_ring *r)
{
	uint32_t owner = kr->lease != NULL ? lease_oldest(kr) : 0, now = os_seconds();
	struct lease_seen *seen = &leases[((uintptr_t)kr / sizeof(*kr)) % LEASES_SEEN];
	uint64_t published = load_relaxed(&kr->published);

	if (owner == 0 || owner > ACTOR_MAX) {
		if (seen->ring == kr)
			seen->ring = NULL;
		return;
	}
	if (seen->ring != kr || seen->published != published || seen->owner != owner) {
		*seen = (struct lease_seen){ .ring = kr, .published = published, .owner = owner, .since = now };
		return;
	}
	if (now - seen->since > 1) {
		r->lease_age_s = now - seen->since;
		r->lease_pid = load_relaxed(&server_root()->actors[owner].pid);
	}
}

static uint32_t
ring_used(const struct kring *kr)
{
	uint32_t from, to, n = kr->num_slots;

	if (kr->type != PORT_NIC && kr->dir == RING_RX) {
		uint64_t used = pos_diff(kr, load_relaxed(&kr->published), load_relaxed(&kr->released));

		return used < n ? (uint32_t)used : 0;
	}
	if (load_relaxed(&kr->handed) != 0) {
		uint64_t used = pos_diff(kr, load_relaxed(&kr->published), load_relaxed(&kr->released));

		return used < n ? (uint32_t)used : 0;
	}
	/* RX: delivered and not given back. TX: given, and not taken away. */
	from = load_relaxed(&kr->hwcur);
	to = kr->dir == RING_RX ? load_relaxed(&kr->hwtail) : load_relaxed(&kr->rhead);
	return from < n && to < n ? index_diff(kr, to, from) : 0;
}

static void
ring_describe(const struct kring *kr, struct proto_stats_ring *r)
{
	memset(r, 0, sizeof(*r));
	counters_read(&r->own, &kr->own);
	counters_read(&r->in, &kr->in);
	r->dir = kr->dir;
	r->id = kr->id;
	r->slots = kr->num_slots;
	r->used = ring_used(kr);
	r->users = kr->users;
	lease_read(kr, r);
}

/* Behind what the port itself is: who forwards what it sends. */
static void
switch_mode(const struct vale_switch *sw, char *mode, size_t size)
{
	size_t n = strlen(mode);

	if (n > 0 && n + 2 < size) {
		memcpy(mode + n, ", ", 3);
		n += 2;
	}
	vale_describe(sw, mode + n, size - n);
}

static void
port_describe(const struct port *p, struct proto_stats_port *d)
{
	memset(d, 0, sizeof(*d));
	port_full_name(p, d->name);
	switch (p->type) {
	case PORT_VALE:
		if (!attach_describe(p, d->mode, sizeof(d->mode)) && !persistent_describe(p, d->mode, sizeof(d->mode)))
			snprintf(d->mode, sizeof(d->mode), "%s", p->sw == NULL ? "parent of pipes" : p->sw->worker == NULL ? "learning" : "");
		if (p->sw != NULL && p->sw->worker != NULL)
			switch_mode(p->sw, d->mode, sizeof(d->mode));
		break;
	case PORT_PIPE:
		strcpy(d->mode, "pipe");
		break;
	case PORT_NIC:
		nic_mode(p, d->mode, sizeof(d->mode));
		break;
	case PORT_MONITOR:
		strcpy(d->mode, (p->monitor_flags & NR_ZCOPY_MON) != 0 ? "monitor, zero-copy" : "monitor");
		break;
	case PORT_NULL:
		strcpy(d->mode, "null");
		break;
	}
	d->type = p->type | (p->persistent ? PROTO_PORT_PERSISTENT : 0);
	d->rings = port_tx_rings(p) + port_rx_rings(p);
	d->mem_id = p->region->id;
	/* A persistent port is a user of itself. */
	d->users = p->users - p->persistent;
	d->mem_size = p->region->size;
	d->switch_port = p->type == PORT_VALE ? p->sw_index : 0;
	d->hdr_len = p->hdr_len;
}

static uint64_t
snapshot_size(uint32_t *ports)
{
	uint64_t size = 0;

	*ports = 0;
	for (const struct port *p = server_root()->ports; p != NULL; p = p->list_next) {
		size += sizeof(struct proto_stats_port);
		size += ((uint64_t)port_tx_rings(p) + port_rx_rings(p)) * sizeof(struct proto_stats_ring);
		(*ports)++;
	}
	return size;
}

static void
snapshot_fill(char *to)
{
	for (const struct port *p = server_root()->ports; p != NULL; p = p->list_next) {
		port_describe(p, (struct proto_stats_port *)(void *)to);
		to += sizeof(struct proto_stats_port);
		for (unsigned i = 0; i < port_tx_rings(p); i++, to += sizeof(struct proto_stats_ring))
			ring_describe(p->tx[i], (struct proto_stats_ring *)(void *)to);
		for (unsigned i = 0; i < port_rx_rings(p); i++, to += sizeof(struct proto_stats_ring))
			ring_describe(p->rx[i], (struct proto_stats_ring *)(void *)to);
	}
}

int
stats_collect(struct proto_stats_reply *r)
{
	struct timespec ts;
	char *snapshot;
	int fd, err = 0;

	memset(r, 0, sizeof(*r));
	r->size = snapshot_size(&r->ports);
	snapshot = malloc(r->size + 1);
	if (snapshot == NULL)
		return -ENOMEM;
	snapshot_fill(snapshot);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	r->when_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	fd = arena_memfd("netmap-stats", r->size, F_SEAL_SHRINK | F_SEAL_GROW);
	if (fd < 0) {
		err = fd;
		goto out;
	}
	if (pwrite(fd, snapshot, r->size, 0) != (ssize_t)r->size || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
		err = -errno;
		close(fd);
	}
out:
	free(snapshot);
	return err != 0 ? err : fd;
}
