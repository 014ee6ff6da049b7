/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: the life of a struct nmport_d from nmport_new() to nmport_delete(), the mappings that ports share,
 * and injection of packets.
 *
 * The device is reached with plain open(), ioctl() and mmap(): in the shared library these are the functions
 * that serve the user-space host.
 *
 * Memory of a region is writable by every program that maps it. Counts and offsets in there are loaded once
 * and checked against the mapping before they are used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <netmap_stats.h>

#include "nmport_internal.h"

/* Not there where these files are used without the user host. */
#pragma weak netmap_last_error

#define LOAD_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)

/* ---- new, parse ---- */

struct nmport_d *
nmport_new(void)
{
	struct nmctx *ctx = nmctx_get();
	struct nmport_d *d;

	d = nmctx_malloc(ctx, sizeof(*d));
	if (d == NULL) {
		nmctx_ferror(ctx, "out of memory for a port descriptor (%zu bytes)", sizeof(*d));
		return NULL;
	}
	memset(d, 0, sizeof(*d));
	nmreq_header_init(&d->hdr, NETMAP_REQ_REGISTER, &d->reg);
	d->ctx = ctx;
	d->fd = -1;
	return d;
}

void
nmport_delete(struct nmport_d *d)
{
	int saved = errno;

	nmctx_free(d->ctx, d);
	errno = saved;
}

void
nmport_do_cleanup(struct nmport_d *d)
{
	struct nmport_cleanup_d *c;

	while ((c = d->clist) != NULL) {
		d->clist = c->next;
		c->cleanup(c, d);
	}
}

int
nmport_parse(struct nmport_d *d, const char *portspec)
{
	const char *p = portspec;

	/* a failed parse has left the header empty */
	if (d->hdr.nr_version == 0)
		nmreq_header_init(&d->hdr, NETMAP_REQ_REGISTER, &d->reg);
	if (nmreq_header_decode_at(portspec, &p, &d->hdr, d->ctx) < 0 ||
	    nmreq_register_decode_at(portspec, &p, &d->reg, d->ctx) < 0 ||
	    nmreq_options_decode_at(portspec, p, nmport_opt_parsers, d, d->ctx) < 0) {
		nmport_undo_parse(d);
		return -1;
	}
	return 0;
}

void
nmport_undo_parse(struct nmport_d *d)
{
	int saved = errno;

	nmport_do_cleanup(d);
	memset(&d->hdr, 0, sizeof(d->hdr));
	memset(&d->reg, 0, sizeof(d->reg));
	errno = saved;
}

struct nmport_d *
nmport_prepare(const char *portspec)
{
	struct nmport_d *d;

	d = nmport_new();
	if (d == NULL)
		return NULL;
	if (nmport_parse(d, portspec) < 0) {
		nmport_delete(d);
		return NULL;
	}
	return d;
}

void
nmport_undo_prepare(struct nmport_d *d)
{
	if (d == NULL)
		return;
	nmport_undo_parse(d);
	nmport_delete(d);
}

struct nmport_d *
nmport_clone(struct nmport_d *d)
{
	struct nmport_d *c;

	if (d->extmem != NULL && !d->register_done) {
		nmctx_ferror(d->ctx, "cannot clone %s: with external memory it has to be registered first",
			d->hdr.nr_name);
		errno = EINVAL;
		return NULL;
	}
	c = nmctx_malloc(d->ctx, sizeof(*c));
	if (c == NULL) {
		nmctx_ferror(d->ctx, "out of memory for a clone of %s", d->hdr.nr_name);
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->hdr = d->hdr;
	c->hdr.nr_options = 0;
	c->hdr.nr_body = (uintptr_t)&c->reg;
	c->reg = d->reg;
	c->ctx = d->ctx;
	c->fd = -1;
	return c;
}

/* ---- register ---- */

/* Reports that `what` cannot be done, why by errno, and what netmapd says about it if it does. */
static void
call_report(const struct nmport_d *d, const char *what)
{
	const char *why = netmap_last_error != NULL ? netmap_last_error() : "";
	int saved = errno;

	nmctx_ferror(d->ctx, "cannot %s: %s%s%s", what, strerror(saved), why[0] != '\0' ? ": " : "", why);
	errno = saved;
}

static void
register_report(struct nmport_d *d)
{
	char what[NETMAP_REQ_IFNAMSIZ + 16];
	int saved = errno;
	struct nmreq_option *o;

	snprintf(what, sizeof(what), "register %s", d->hdr.nr_name);
	call_report(d, what);
	nmreq_foreach_option(&d->hdr, o) {
		if (o->nro_status != 0)
			nmctx_ferror(d->ctx, "option %s of %s: %s", nmreq_option_name(o->nro_reqtype),
				d->hdr.nr_name, strerror((int)o->nro_status));
	}
	errno = saved;
}

int
nmport_register(struct nmport_d *d)
{
	if (d->register_done) {
		nmctx_ferror(d->ctx, "%s is registered already", d->hdr.nr_name);
		errno = EINVAL;
		return -1;
	}
	d->fd = open(NETMAP_DEVICE_NAME, O_RDWR);
	if (d->fd < 0) {
		call_report(d, "open " NETMAP_DEVICE_NAME);
		return -1;
	}
	if (ioctl(d->fd, NIOCCTRL, &d->hdr) < 0) {
		register_report(d);
		nmport_undo_register(d);
		return -1;
	}
	d->register_done = 1;
	return 0;
}

void
nmport_undo_register(struct nmport_d *d)
{
	int saved = errno;

	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->register_done = 0;
	errno = saved;
}

/* ---- mmap ---- */

/* The context's mapping of a region, with a reference; NULL if there is none. The context is locked. */
static struct nmem_d *
mem_find(struct nmctx *ctx, uint16_t mem_id)
{
	struct nmem_d *m;

	for (m = ctx->mem_descs; m != NULL && m->mem_id != mem_id; m = m->next)
		;
	if (m != NULL)
		m->refcount++;
	return m;
}

static int
mem_map(struct nmport_d *d, struct nmem_d *m)
{
	char what[NETMAP_REQ_IFNAMSIZ + 64];

	m->mem_id = d->reg.nr_mem_id;
	if (d->extmem != NULL) {
		m->mem = (void *)(uintptr_t)d->extmem->nro_usrptr;
		m->size = d->extmem->nro_info.nr_memsize;
		m->is_extmem = 1;
		return 0;
	}
	m->size = d->reg.nr_memsize;
	m->mem = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	if (m->mem == MAP_FAILED) {
		snprintf(what, sizeof(what), "map the memory of %s (%zu bytes)", d->hdr.nr_name, m->size);
		call_report(d, what);
		return -1;
	}
	return 0;
}

/* A new mapping for d in the context's list, with one reference. The context is locked. */
static struct nmem_d *
mem_new(struct nmport_d *d)
{
	struct nmctx *ctx = d->ctx;
	struct nmem_d *m;
	int saved;

	m = nmctx_malloc(ctx, sizeof(*m));
	if (m == NULL) {
		nmctx_ferror(ctx, "out of memory for the mapping of %s", d->hdr.nr_name);
		return NULL;
	}
	memset(m, 0, sizeof(*m));
	if (mem_map(d, m) < 0)
		goto err_free;
	m->refcount = 1;
	m->next = ctx->mem_descs;
	if (m->next != NULL)
		m->next->prev = m;
	ctx->mem_descs = m;
	return m;

err_free:
	saved = errno;
	nmctx_free(ctx, m);
	errno = saved;
	return NULL;
}

/* Drops a reference. The context is locked. */
static void
mem_put(struct nmctx *ctx, struct nmem_d *m)
{
	if (--m->refcount > 0)
		return;
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		ctx->mem_descs = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	if (!m->is_extmem)
		munmap(m->mem, m->size);
	nmctx_free(ctx, m);
}

static bool
mem_contains(const struct nmem_d *m, const void *p, size_t len)
{
	uintptr_t ofs = (uintptr_t)p - (uintptr_t)m->mem;

	return (uintptr_t)p >= (uintptr_t)m->mem && ofs <= m->size && len <= m->size - ofs;
}

/* The bound rings of one direction, of which ofs has n offsets, are one interval. */
static void
ring_interval(const ssize_t *ofs, uint32_t n, uint16_t *first, uint16_t *last)
{
	uint32_t i = 0;

	while (i < n && LOAD_ONCE(ofs[i]) == 0)
		i++;
	*first = (uint16_t)i;
	while (i < n && LOAD_ONCE(ofs[i]) != 0)
		i++;
	*last = (uint16_t)(i - 1);
}

/* Finds netmap_if and rings of d in its mapping. */
static int
port_locate(struct nmport_d *d)
{
	uint64_t ofs = d->reg.nr_offset;
	uint64_t n_tx, n_rx;
	struct netmap_if *nifp;

	if (ofs > d->mem->size || d->mem->size - ofs < sizeof(*nifp))
		return -1;
	nifp = NETMAP_IF(d->mem->mem, ofs);
	n_tx = (uint64_t)LOAD_ONCE(nifp->ni_tx_rings) + LOAD_ONCE(nifp->ni_host_tx_rings);
	n_rx = (uint64_t)LOAD_ONCE(nifp->ni_rx_rings) + LOAD_ONCE(nifp->ni_host_rx_rings);
	if (n_tx > UINT16_MAX || n_rx > UINT16_MAX)
		return -1;
	if (!mem_contains(d->mem, nifp->ring_ofs, (n_tx + n_rx) * sizeof(nifp->ring_ofs[0])))
		return -1;
	d->nifp = nifp;
	ring_interval(nifp->ring_ofs, (uint32_t)n_tx, &d->first_tx_ring, &d->last_tx_ring);
	ring_interval(nifp->ring_ofs + n_tx, (uint32_t)n_rx, &d->first_rx_ring, &d->last_rx_ring);
	d->cur_tx_ring = d->first_tx_ring;
	d->cur_rx_ring = d->first_rx_ring;
	return 0;
}

int
nmport_mmap(struct nmport_d *d)
{
	if (!d->register_done || d->mmap_done) {
		nmctx_ferror(d->ctx, "cannot map the memory of %s: it is %s", d->hdr.nr_name,
			d->mmap_done ? "mapped already" : "not registered");
		errno = EINVAL;
		return -1;
	}
	nmctx_lock(d->ctx);
	d->mem = mem_find(d->ctx, d->reg.nr_mem_id);
	if (d->mem == NULL)
		d->mem = mem_new(d);
	nmctx_unlock(d->ctx);
	if (d->mem == NULL)
		return -1;
	d->mmap_done = 1;
	if (port_locate(d) < 0) {
		nmctx_ferror(d->ctx, "the memory of %s (%zu bytes) has no valid interface structure at %llu",
			d->hdr.nr_name, d->mem->size, (unsigned long long)d->reg.nr_offset);
		nmport_undo_mmap(d);
		errno = EINVAL;
		return -1;
	}
	return 0;
}

void
nmport_undo_mmap(struct nmport_d *d)
{
	int saved = errno;

	if (d->mem != NULL) {
		nmctx_lock(d->ctx);
		mem_put(d->ctx, d->mem);
		nmctx_unlock(d->ctx);
	}
	d->mem = NULL;
	d->mmap_done = 0;
	d->nifp = NULL;
	d->first_tx_ring = d->last_tx_ring = d->cur_tx_ring = 0;
	d->first_rx_ring = d->last_rx_ring = d->cur_rx_ring = 0;
	errno = saved;
}

/* ---- all in one ---- */

int
nmport_open_desc(struct nmport_d *d)
{
	if (nmport_register(d) < 0)
		return -1;
	if (nmport_mmap(d) < 0) {
		nmport_undo_register(d);
		return -1;
	}
	return 0;
}

void
nmport_undo_open_desc(struct nmport_d *d)
{
	nmport_undo_mmap(d);
	nmport_undo_register(d);
}

struct nmport_d *
nmport_open(const char *portspec)
{
	struct nmport_d *d;

	d = nmport_prepare(portspec);
	if (d == NULL)
		return NULL;
	if (nmport_open_desc(d) < 0) {
		nmport_undo_prepare(d);
		return NULL;
	}
	return d;
}

void
nmport_close(struct nmport_d *d)
{
	if (d == NULL)
		return;
	nmport_undo_open_desc(d);
	nmport_undo_prepare(d);
}

/* ---- injection ---- */

/*
 * Fills slots of a ring with the packet, and hands them over if all of it has a place. Slots before that are
 * the program's: what was written to them does not matter if there is no place.
 */
static bool
ring_inject(const struct nmport_d *d, struct netmap_ring *ring, const char *buf, size_t size)
{
	uint32_t head = LOAD_ONCE(ring->head), tail = LOAD_ONCE(ring->tail), n = LOAD_ONCE(ring->num_slots);
	uint32_t buf_size = LOAD_ONCE(ring->nr_buf_size);
	uint32_t space;

	if (head >= n || tail >= n || !mem_contains(d->mem, ring->slot, (size_t)n * sizeof(ring->slot[0])))
		return false;
	space = tail >= head ? tail - head : tail + n - head;
	if (size > (uint64_t)space * buf_size)
		return false;
	for (; space > 0; space--) {
		struct netmap_slot *slot = &ring->slot[head];
		uint64_t ofs = NETMAP_ROFFSET(ring, slot);
		char *to = NETMAP_BUF(ring, LOAD_ONCE(slot->buf_idx));
		size_t len;

		if (ofs >= buf_size || !mem_contains(d->mem, to, buf_size))
			return false;
		len = buf_size - ofs;
		if (len > UINT16_MAX)
			len = UINT16_MAX;
		if (len > size)
			len = size;
		memcpy(to + ofs, buf, len);
		slot->len = (uint16_t)len;
		slot->flags = len < size ? NS_MOREFRAG : 0;
		buf += len;
		size -= len;
		head = head + 1 == n ? 0 : head + 1;
		if (size == 0) {
			ring->head = ring->cur = head;
			return true;
		}
	}
	return false;
}

int
nmport_inject(struct nmport_d *d, const void *buf, size_t size)
{
	uint32_t first = d->first_tx_ring, last = d->last_tx_ring;
	uint32_t ri = d->cur_tx_ring;
	uint32_t i;

	/* last is the number before first if there are no rings, also when that wraps */
	if (!d->mmap_done || size == 0 || size > INT32_MAX || last < first || last == UINT16_MAX)
		return 0;
	if (ri < first || ri > last)
		ri = first;
	for (i = first; i <= last; i++) {
		struct netmap_ring *ring = NETMAP_TXRING(d->nifp, ri);

		d->cur_tx_ring = (uint16_t)ri;
		if (mem_contains(d->mem, ring, sizeof(*ring)) && ring_inject(d, ring, buf, size))
			return (int)size;
		ri = ri == last ? first : ri + 1;
	}
	return 0;
}
