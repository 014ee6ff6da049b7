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

/* The lowest first, as netmapd does. */
static uint32_t rig_buf_alloc(void *arg)
{
	struct rig *g = arg;

	return g->nfree ? g->free[--g->nfree] : 0;
}

static void rig_buf_free(void *arg, uint32_t idx)
{
	struct rig *g = arg;

	if (idx)
		g->free[g->nfree++] = idx;
}

static void *rig_shared_alloc(void *arg, size_t size)
{
	(void)arg;
	return rig_memory(size);
}

static void rig_shared_free(void *arg, void *p, size_t size)
{
	(void)arg;
	munmap(p, size);
}

/* Buffers start at a page, behind the headroom; in front of them is all else. */
static void rig_layout(struct rig *g, uint32_t slots, uint32_t buf_size, uint32_t headroom)
{
	size_t head = sizeof(*g->st) + 2 * slots * sizeof(struct netmap_slot);
	char *mem;

	head = (head + 4095) / 4096 * 4096;
	g->slots = slots;
	g->buf_size = buf_size;
	g->buf_total = 2 + 2 * slots + RIG_STOCK;
	g->bytes = head + (size_t)g->buf_total * buf_size + 4096;
	mem = rig_memory(g->bytes);
	g->st = (void *)mem;
	g->rx = (void *)(mem + sizeof(*g->st));
	g->tx = g->rx + slots;
	g->memory = (struct driver_memory){
		.base = mem + head, .headroom = headroom, .buf_size = buf_size, .buf_total = g->buf_total,
		.buf_alloc = rig_buf_alloc, .buf_free = rig_buf_free,
		.shared_alloc = rig_shared_alloc, .shared_free = rig_shared_free, .arg = g,
	};
	g->bufs = mem + head + headroom;
	g->free = calloc(g->buf_total, sizeof(*g->free));
	if (!g->free)
		abort();
	for (uint32_t i = g->buf_total - 1; i >= 2; i--)
		g->free[g->nfree++] = i;
	g->memory.buf_left = g->nfree;
}

static int rig_try_behind(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size, uint32_t headroom, struct driver_error *err)
{
	struct driver_params params = { .memory = &g->memory };
	int rc;

	memset(g, 0, sizeof(*g));
	rig_layout(g, slots, buf_size, headroom);
	rc = driver_open(ns_fd(NS_A), ifname, &params, &g->port, err);
	if (rc) {
		munmap(g->st, g->bytes);
		free(g->free);
		return rc;
	}
	for (uint32_t i = 0; i < slots; i++) {
		g->rx[i].buf_idx = rig_buf_alloc(g);
		g->tx[i].buf_idx = rig_buf_alloc(g);
	}
	driver_share(g->port, &g->st->sh);
	g->nfds = driver_fds(g->port, g->fds, DRIVER_FDS_MAX);
	rig_attach(g);
	return 0;
}

int rig_try(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size, struct driver_error *err)
{
	return rig_try_behind(g, ifname, slots, buf_size, DRIVER_HEADROOM, err);
}

void rig_open(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size)
{
	rig_open_behind(g, ifname, slots, buf_size, DRIVER_HEADROOM);
}

void rig_open_behind(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size, uint32_t headroom)
{
	struct driver_error err = { "" };
	int rc = rig_try_behind(g, ifname, slots, buf_size, headroom, &err);

	if (rc) {
		fprintf(stderr, "driver_open: %d, %s\n", rc, err.text);
		abort();
	}
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
	free(g->free);
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
	rc = driver_rxsync(g->map, g->queue, &r);
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
	r.done = g->st->tx.done;
	rc = driver_txsync(g->map, g->queue, &r);
	g->st->tx.from = r.from;
	g->st->tx.done = r.done;
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
	unsigned n = driver_pollfds(g->map, g->queue, events, pfds, DRIVER_QUEUE_FDS, &limit);

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
	uint32_t used = (g->st->tx.user + g->slots - g->st->tx.done) % g->slots;
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
		if (g->st->tx.done != g->st->tx.user)
			rig_wait(g, POLLOUT, 10);
	}
}
