/* SPDX-License-Identifier: BSD-2-Clause */
/* An interface opened through the driver, see rig.h. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>

#include "far.h"

static void *rig_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void rig_open(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size)
{
	struct driver_error err = { "" };
	char *mem;
	int rc;

	memset(g, 0, sizeof(*g));
	rc = driver_open(ns_fd(NS_A), ifname, NULL, &g->port, &err);
	if (rc) {
		fprintf(stderr, "driver_open: %d, %s\n", rc, err.text);
		abort();
	}
	g->slots = slots;
	g->buf_size = buf_size;
	g->buf_total = 2 + 2 * slots;
	g->bytes = sizeof(*g->st) + 2 * slots * sizeof(struct netmap_slot) + (size_t)g->buf_total * buf_size;
	mem = rig_memory(g->bytes);
	g->st = (void *)mem;
	g->rx = (void *)(mem + sizeof(*g->st));
	g->tx = g->rx + slots;
	g->bufs = (char *)(g->tx + slots);
	for (uint32_t i = 0; i < slots; i++) {
		g->rx[i].buf_idx = 2 + i;
		g->tx[i].buf_idx = 2 + slots + i;
	}
	driver_share(g->port, &g->st->sh);
	g->nfds = driver_fds(g->port, g->fds, DRIVER_FDS_MAX);
	rig_attach(g);
}

void rig_attach(struct rig *g)
{
	if (driver_attach(&g->st->sh, g->fds, g->nfds, &g->map) != 0)
		abort();
}

void rig_detach(struct rig *g)
{
	driver_detach(g->map);
	g->map = NULL;
}

void rig_close(struct rig *g)
{
	rig_detach(g);
	driver_close(g->port);
	munmap(g->st, g->bytes);
}

static void ring_init(const struct rig *g, struct nic_ring *r, struct netmap_slot *slot)
{
	memset(r, 0, sizeof(*r));
	r->uslot = slot;
	r->ubufs = g->bufs;
	r->num_slots = g->slots;
	r->buf_size = g->buf_size;
	r->buf_total = g->buf_total;
}

int rig_rxsync(struct rig *g)
{
	struct nic_ring r;
	int rc;

	ring_init(g, &r, g->rx);
	r.from = g->st->rx.from;
	r.to = (g->st->rx.user + g->slots - 1) % g->slots;
	rc = driver_rxsync(g->map, 0, &r);
	g->st->rx.from = r.from;
	for (int i = 0; i < DROP_REASONS; i++)
		g->st->rx_drops[i] += r.drops[i];
	if (r.ts_sec)
		g->st->ts_sec = r.ts_sec;
	return rc;
}

int rig_txsync(struct rig *g)
{
	struct nic_ring r;
	int rc;

	ring_init(g, &r, g->tx);
	r.from = g->st->tx.from;
	r.to = g->st->tx.user;
	rc = driver_txsync(g->map, 0, &r);
	g->st->tx.from = r.from;
	for (int i = 0; i < DROP_REASONS; i++)
		g->st->tx_drops[i] += r.drops[i];
	return rc;
}

size_t rig_take(struct rig *g, uint8_t *frame)
{
	size_t len = 0;
	struct netmap_slot *s;

	while (g->st->rx.user != g->st->rx.from) {
		s = &g->rx[g->st->rx.user];
		memcpy(frame + len, g->bufs + (size_t)s->buf_idx * g->buf_size, s->len);
		len += s->len;
		g->st->rx.user = (g->st->rx.user + 1) % g->slots;
		if (!(s->flags & NS_MOREFRAG))
			return len;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void rig_wait(struct rig *g, short events, int timeout_ms)
{
	struct pollfd pfds[DRIVER_QUEUE_FDS];
	int limit;
	unsigned n = driver_pollfds(g->map, 0, events, pfds, DRIVER_QUEUE_FDS, &limit);

	if (limit >= 0 && limit < timeout_ms)
		timeout_ms = limit;
	poll(pfds, n, timeout_ms);
}

size_t rig_recv(struct rig *g, uint8_t *frame, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	size_t len;

	for (;;) {
		len = rig_take(g, frame);
		if (len)
			return len;
		if (rig_rxsync(g) < 0)
			return 0;
		if (g->st->rx.user != g->st->rx.from)
			continue;
		if (now_ms() >= end)
			return 0;
		rig_wait(g, POLLIN, (int)(end - now_ms()));
	}
}

bool rig_put(struct rig *g, const void *frame, size_t len, uint32_t piece)
{
	uint32_t used = (g->st->tx.user + g->slots - g->st->tx.from) % g->slots;
	uint32_t n = (uint32_t)((len + piece - 1) / piece), part;
	const char *at = frame;

	if (used + n >= g->slots)
		return false;
	for (; n; n--) {
		struct netmap_slot *s = &g->tx[g->st->tx.user];

		part = len < piece ? (uint32_t)len : piece;
		memcpy(g->bufs + (size_t)s->buf_idx * g->buf_size, at, part);
		s->len = (uint16_t)part;
		s->flags = NS_BUF_CHANGED | (n > 1 ? NS_MOREFRAG : 0);
		at += part;
		len -= part;
		g->st->tx.user = (g->st->tx.user + 1) % g->slots;
	}
	return true;
}

void rig_send(struct rig *g, const void *frame, size_t len)
{
	while (!rig_put(g, frame, len, g->buf_size)) {
		rig_txsync(g);
		if (g->st->tx.from != g->st->tx.user)
			rig_wait(g, POLLOUT, 10);
	}
}
