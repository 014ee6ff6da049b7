/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_XDP, data side: receiving.
 *
 * Slots, the rings and the shared state are hostile: each word is loaded once, and its copy is checked. Nothing that
 * stands in them leads outside the region; who spoils the rings makes this queue stop.
 *
 * A process may die anywhere. The place of a descriptor in its batch, of its slot behind r->from and of the buffer
 * given for it in the FILL ring are bound to each other until both rings' indexes are published, so whoever goes on
 * repeats the same swaps and recognizes those that were made: the slot has the descriptor's buffer already, and the
 * FILL ring, behind its producer, the one that the slot had.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "afxdp.h"
#include "frame.h"

#define FILL_LOW	NETMAP_MAX_FRAGS	/* with fewer left the kernel may have dropped a frame */

/* One call's work: local copies of the indexes, published at its end. */
struct rx_batch {
	const struct afxdp_map *m;
	struct nic_ring *r;
	const struct xdp_desc *descs;
	uint64_t *fill;
	uint32_t cons, avail;		/* descriptors that are there */
	uint32_t prod;			/* of the FILL ring */
	uint32_t taken;			/* descriptors done with, and as many buffers given */
};

/* A descriptor, checked. */
struct rx_part {
	uint32_t buf;			/* 0: no descriptor of ours */
	uint32_t offset, len;		/* in its chunk */
	bool more;
};

static struct rx_part part_load(const struct rx_batch *b, uint32_t i)
{
	const struct afxdp_map *m = b->m;
	const struct xdp_desc *d = &b->descs[(b->cons + i) & m->rx.mask];
	uint64_t addr = load_relaxed(&d->addr);
	struct rx_part p = {
		.offset = xsk_addr_offset(m, addr),
		.len = load_relaxed(&d->len),
		.more = load_relaxed(&d->options) & XDP_PKT_CONTD,
	};

	if (p.offset >= DRIVER_HEADROOM && p.offset <= m->chunk_size && p.len <= m->chunk_size - p.offset)
		p.buf = xsk_chunk_buf(m, xsk_addr_chunk(m, addr));
	return p;
}

static uint64_t *fill_entry(const struct rx_batch *b, uint32_t i)
{
	return &b->fill[(b->prod + i) & b->m->fill.mask];
}

/* Descriptor i's own buffer goes back to the kernel. */
static void part_return(const struct rx_batch *b, uint32_t i)
{
	const struct xdp_desc *d = &b->descs[(b->cons + i) & b->m->rx.mask];

	store_relaxed(fill_entry(b, i), xsk_addr_chunk(b->m, load_relaxed(&d->addr)));
}

/* May the slot's buffer be given away for descriptor i's? Not what the kernel has already, unless by an earlier try. */
static bool slot_usable(const struct rx_batch *b, uint32_t i, uint32_t own, uint32_t buf)
{
	const struct afxdp_map *m = b->m;

	if (own - 2u >= b->r->buf_total - 2u)
		return false;
	return own >= m->umem_bufs || own == buf || !bit_test(m->held, own) ||
	       load_relaxed(fill_entry(b, i)) == xsk_chunk_addr(m, own);
}

/* Slots from r->from up to `last` are given back empty. */
static void slots_empty(struct nic_ring *r, uint32_t last)
{
	r->drops[DROP_BAD_SLOT]++;
	for (;;) {
		uint32_t i = r->from;

		store_relaxed(&r->uslot[i].len, 0);
		store_relaxed(&r->uslot[i].flags, 0);
		r->from = slot_next(r, i);
		if (i == last)
			break;
	}
}

/*
 * Where the slot wants its data. The ring has offsets; if they do not fit behind this one, as far in front of it as need be.
 */
static uint32_t slot_place(struct nic_ring *r, uint32_t s, uint32_t len)
{
	uint64_t ptr = slot_load_ptr(&r->uslot[s]);
	uint32_t offset = nic_offset(r, ptr), most = len < r->offset_end ? r->offset_end - len : 0;

	if (offset > most)
		offset = most;
	if ((ptr & r->offset_mask) != offset)
		store_relaxed(&r->uslot[s].ptr, (ptr & ~r->offset_mask) | offset);
	return offset;
}

/*
 * Put descriptor i's data into slot s. By exchange of buffers, in steps that can be repeated; by copy where the slot's
 * buffer is none that the kernel knows, or the data do not lie where a buffer begins.
 */
static void part_deliver(const struct rx_batch *b, uint32_t i, const struct rx_part *p, uint32_t s, uint32_t flags)
{
	const struct afxdp_map *m = b->m;
	struct nic_ring *r = b->r;
	uint32_t own = slot_idx(slot_load(&r->uslot[s])), offset = 0;

	if (unlikely(r->offset_mask != 0))
		offset = slot_place(r, s, p->len);
	if (likely(own - 2u < m->umem_bufs - 2u && p->offset == DRIVER_HEADROOM)) {
		if (likely(own != p->buf)) {
			store_relaxed(fill_entry(b, i), xsk_chunk_addr(m, own));
			bit_put(m->held, own, true);
			slot_store(&r->uslot[s], slot_word(p->buf, p->len, flags));
		} else {
			store_relaxed(&r->uslot[s].len, (uint16_t)p->len);
			store_relaxed(&r->uslot[s].flags, (uint16_t)flags);
		}
		bit_put(m->held, p->buf, false);
		/* Within the buffer; who repeats what a dead process began may move them once too often. */
		if (unlikely(offset != 0))
			memmove(r->ubufs + (size_t)p->buf * r->buf_size + offset, r->ubufs + (size_t)p->buf * r->buf_size, p->len);
		return;
	}
	/* The slot may have changed since it was looked at: then the data are lost, not more. */
	if (unlikely(own - 2u >= r->buf_total - 2u))
		r->drops[DROP_BAD_SLOT]++;
	else
		memcpy(r->ubufs + (size_t)own * r->buf_size + offset,
		       r->ubufs + (size_t)p->buf * r->buf_size + p->offset - DRIVER_HEADROOM, p->len);
	slot_store(&r->uslot[s], slot_word(own, p->len, flags));
	part_return(b, i);
}

/* n usable slots from r->from on. False if there is no room. Slots up to a bad one are given back empty on the way. */
static bool slots_reserve(const struct rx_batch *b, const struct rx_part *parts, uint32_t n)
{
	struct nic_ring *r = b->r;
	uint32_t s, k;

again:
	if (ring_room(r) < n)
		return false;
	for (s = r->from, k = 0; k < n; k++, s = slot_next(r, s)) {
		if (likely(slot_usable(b, b->taken + k, slot_idx(slot_load(&r->uslot[s])), parts[k].buf)))
			continue;
		slots_empty(r, s);
		goto again;
	}
	return true;
}

/*
 * The frame whose first descriptor is the next one. Returns its descriptors, 0 if its end is not there yet. Beyond
 * NETMAP_MAX_FRAGS they are only counted.
 */
static uint32_t frame_load(const struct rx_batch *b, struct rx_part *parts, uint32_t *len, bool *bad)
{
	struct rx_part p;
	uint32_t n = 0;

	*len = 0;
	*bad = false;
	do {
		if (b->taken + n == b->avail)
			return 0;
		p = part_load(b, b->taken + n);
		if (n < NETMAP_MAX_FRAGS)
			parts[n] = p;
		*bad |= p.buf == 0;
		*len += p.len;
		n++;
	} while (p.more);
	return n;
}

/* A reason to drop the frame, or DROP_REASONS. */
static int frame_verdict(const struct nic_ring *r, uint32_t n, uint32_t len, bool bad)
{
	if (bad)
		return DROP_BAD_HEADER;
	if (len < ETH_HEADER)
		return DROP_RUNT;
	if (n > NETMAP_MAX_FRAGS || n >= r->num_slots)
		return DROP_TOO_LONG;
	return DROP_REASONS;
}

/* Deliver the next frame. False if that must wait. */
static bool frame_take(struct rx_batch *b)
{
	struct rx_part parts[NETMAP_MAX_FRAGS];
	struct nic_ring *r = b->r;
	uint32_t len, n, i;
	bool bad;
	int verdict;

	n = frame_load(b, parts, &len, &bad);
	if (n == 0)
		return false;
	verdict = frame_verdict(r, n, len, bad);
	if (verdict != DROP_REASONS) {
		r->drops[verdict]++;
		for (i = 0; i < n; i++)
			part_return(b, b->taken + i);
		b->taken += n;
		return true;
	}
	if (!slots_reserve(b, parts, n))
		return false;
	for (i = 0; i < n; i++) {
		part_deliver(b, b->taken + i, &parts[i], r->from, i + 1 < n ? NS_MOREFRAG : 0);
		r->from = slot_next(r, r->from);
	}
	b->taken += n;
	r->packets++;
	r->bytes += len;
	return true;
}

/* What the kernel dropped since it was last asked, for want of room or of buffers. */
static void losses_count(const struct afxdp_map *m, struct nic_ring *r)
{
	struct xdp_statistics stats;
	socklen_t len = sizeof(stats);
	uint64_t now;

	memset(&stats, 0, sizeof(stats));
	if (getsockopt(m->fd, SOL_XDP, XDP_STATISTICS, &stats, &len) < 0)
		return;
	now = stats.rx_dropped + stats.rx_ring_full;
	r->drops[DROP_DEVICE] += now - load_relaxed(&m->state->losses);
	store_relaxed(&m->state->losses, now);
}

/* Nothing to read: does the device wait for us, or is the link dead? */
static int idle(struct afxdp_map *m, struct driver_queue *q)
{
	bool kick = (m->flags & XSK_BUSY_POLL) || (load_relaxed(m->fill.flags) & XDP_RING_NEED_WAKEUP);
	socklen_t len = sizeof(int);
	int err = 0;

	if (!kick && !load_relaxed(&q->rx_error) &&
	    (!moment_passed(&m->link_asked) || getsockopt(m->watch_fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err == 0))
		return 0;
	err = afxdp_receive_kick(m);
	store_relaxed(&q->rx_error, (uint32_t)-err);
	return err;
}

/* Where to go on: behind what a dead process gave to the FILL ring. -EIO: the rings are spoilt. */
static int batch_init(struct rx_batch *b, const struct afxdp_map *m, struct nic_ring *r)
{
	/* Acquire: descriptors and data are read after the index that covers them. */
	uint32_t producer = load_acquire(m->rx.producer), cons = load_relaxed(m->rx.consumer);

	*b = (struct rx_batch){ .m = m, .r = r, .descs = m->rx.entries, .fill = m->fill.entries };
	b->prod = load_relaxed(m->fill.producer);
	b->cons = b->prod - m->stock;
	b->avail = producer - b->cons;
	if (unlikely(b->cons != cons)) {
		if (b->cons - cons > m->rx.size)
			return -EIO;
		store_release(m->rx.consumer, b->cons);
	}
	return b->avail <= m->rx.size ? 0 : -EIO;
}

int afxdp_rxsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	struct afxdp_map *m = map;
	struct rx_batch b;
	bool scarce;

	(void)sh;
	if (r->from == r->to)
		return 0;
	if (r->buf_size != m->buf_size || r->buf_total < m->umem_bufs || batch_init(&b, m, r) < 0)
		return -EIO;
	if (b.avail == 0)
		return idle(m, q);
	scarce = b.prod - load_relaxed(m->fill.consumer) < FILL_LOW || b.avail == m->rx.size;
	while (b.taken < b.avail && r->from != r->to && frame_take(&b))
		;
	/* The kernel sees the buffers before it sees that they are there; and the step that decides comes first. */
	store_release(m->fill.producer, b.prod + b.taken);
	store_release(m->rx.consumer, b.cons + b.taken);
	if (scarce)
		losses_count(m, r);
	if ((load_relaxed(m->fill.flags) & XDP_RING_NEED_WAKEUP) && b.taken)
		afxdp_receive_kick(m);
	return 0;
}
