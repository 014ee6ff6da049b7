/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_XDP, data side: sending.
 *
 * Slots are hostile: each is loaded once, all of a frame's are checked before any is handed on. The rings and the
 * shared state are written by whoever drives this queue; what is wrong in them can at worst make this queue stop.
 *
 * The producer index of the TX ring is what counts: frames below it are sent, whoever put them there. For each
 * descriptor an entry beside the ring says which slots it stands for, so that another process knows where a dead one
 * was, and which slots are done when descriptors come back, in whatever order.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "afxdp.h"
#include "frame.h"

#define KICKS_MAX	512	/* calls to the kernel in one go while it takes a part each time */

/* One call's work. */
struct tx_batch {
	const struct afxdp_map *m;
	struct nic_ring *r;
	struct xdp_desc *descs;
	uint32_t prod, done;		/* of the TX ring: next place; first descriptor in flight */
	uint32_t copies;		/* own buffers given out so far, up to prod */
};

static struct xsk_tx_entry *entry_at(const struct afxdp_map *m, uint32_t place)
{
	return &m->entry[place & m->tx.mask];
}

static uint32_t copies_at(const struct afxdp_map *m, uint32_t place)
{
	return load_relaxed(&entry_at(m, place)->copies) & ~XSK_TX_DONE;
}

/* --- what comes back --- */

/* A descriptor came back before an earlier one. Addresses that are not in flight are none of ours. */
static void completed_early(struct tx_batch *b, uint64_t addr)
{
	for (uint32_t i = b->done; i != b->prod; i++) {
		struct xsk_tx_entry *e = entry_at(b->m, i);
		uint32_t copies = load_relaxed(&e->copies);

		if (load_relaxed(&b->descs[i & b->m->tx.mask].addr) != addr || (copies & XSK_TX_DONE))
			continue;
		store_relaxed(&e->copies, copies | XSK_TX_DONE);
		return;
	}
}

static void done_advance(struct tx_batch *b)
{
	do
		b->done++;
	while (b->done != b->prod && (load_relaxed(&entry_at(b->m, b->done)->copies) & XSK_TX_DONE));
}

static void completions_take(struct tx_batch *b)
{
	const struct afxdp_map *m = b->m;
	const uint64_t *addrs = m->comp.entries;
	/* Acquire: addresses are read after the index that covers them. */
	uint32_t producer = load_acquire(m->comp.producer), cons = load_relaxed(m->comp.consumer);

	if (producer == cons)
		return;
	if (producer - cons > m->comp.size)
		cons = producer;
	for (; cons != producer; cons++) {
		uint64_t addr = load_relaxed(&addrs[cons & m->comp.mask]);

		if (likely(b->done != b->prod && load_relaxed(&b->descs[b->done & m->tx.mask].addr) == addr))
			done_advance(b);
		else
			completed_early(b, addr);
	}
	store_relaxed(&m->state->tx_done, b->done);
	/* The room is the kernel's after we have read what was in it. */
	store_release(m->comp.consumer, cons);
}

/* --- what goes out --- */

/* `at`: of the data, from buffer 0 on. */
static void desc_put(struct tx_batch *b, uint64_t at, uint32_t len, bool more, uint32_t start, uint32_t end)
{
	const struct afxdp_map *m = b->m;
	struct xdp_desc *d = &b->descs[b->prod & m->tx.mask];
	struct xsk_tx_entry *e = entry_at(m, b->prod);

	store_relaxed(&d->addr, at + m->first);
	store_relaxed(&d->len, len);
	store_relaxed(&d->options, more ? XDP_PKT_CONTD : 0u);
	store_relaxed(&e->start, (uint16_t)start);
	store_relaxed(&e->end, (uint16_t)end);
	store_relaxed(&e->copies, b->copies & ~XSK_TX_DONE);
	b->prod++;
}

static uint32_t tx_room(const struct tx_batch *b)
{
	/* In flight are never more than the ring has places: entries of those stay readable, and completions find room. */
	return b->m->tx.size - (b->prod - b->done);
}

/* Can the device read the frame where it lies? */
static bool frame_in_umem(const struct afxdp_map *m, const struct tx_frame *f)
{
	if (f->nfrags > m->descs_max)
		return false;
	for (uint32_t i = 0; i < f->nfrags; i++) {
		uint32_t offset = (uint32_t)(f->at[i] - (uint64_t)slot_idx(f->word[i]) * m->buf_size);

		if (slot_idx(f->word[i]) >= m->umem_bufs || slot_len(f->word[i]) - 1u >= m->part_max ||
		    offset > m->part_max - slot_len(f->word[i]))
			return false;
	}
	return true;
}

static int frame_send(struct tx_batch *b, const struct tx_frame *f)
{
	uint32_t slot = b->r->from, after;

	if (tx_room(b) < f->nfrags)
		return -EAGAIN;
	for (uint32_t i = 0; i < f->nfrags; i++, slot = after) {
		after = slot_next(b->r, slot);
		desc_put(b, f->at[i], slot_len(f->word[i]), i + 1 < f->nfrags, slot, after);
	}
	return DROP_REASONS;
}

/* Send the frame from buffers of our own. */
static int frame_copy(struct tx_batch *b, const struct tx_frame *f)
{
	const struct afxdp_map *m = b->m;
	uint32_t n = (f->len + m->part_max - 1) / m->part_max, buf, part, end;
	struct tx_place place = { 0, 0 };

	if (n > m->descs_max || n > XSK_COPY_BUFS)
		return DROP_TOO_LONG;
	if (tx_room(b) < n || b->copies - copies_at(m, b->done - 1) + n > XSK_COPY_BUFS)
		return -EAGAIN;
	end = (b->r->from + f->slots) % b->r->num_slots;
	for (; n; n--) {
		buf = m->copy_buf[b->copies++ % XSK_COPY_BUFS];
		part = tx_frame_copy(b->r, f, &place, b->r->ubufs + (size_t)buf * b->r->buf_size, m->part_max);
		desc_put(b, (uint64_t)buf * m->buf_size, part, n > 1, b->r->from, end);
	}
	return DROP_REASONS;
}

/* One frame of several slots, or one that is no plain case. False if it must wait. */
static bool frame_put(struct tx_batch *b, uint32_t mtu)
{
	struct nic_ring *r = b->r;
	struct tx_frame f;
	int verdict = tx_frame_load(r, &f);

	if (verdict == DROP_REASONS)
		verdict = tx_frame_check(r, &f, mtu);
	if (verdict == DROP_REASONS)
		verdict = frame_in_umem(b->m, &f) ? frame_send(b, &f) : frame_copy(b, &f);
	if (verdict == -EAGAIN)
		return false;
	tx_frame_take(r, &f);
	if (verdict != DROP_REASONS) {
		r->drops[verdict]++;
		return true;
	}
	r->packets++;
	r->bytes += f.len;
	return true;
}

/* Put as many frames into the kernel's ring as it has room for. Returns whether it got any. */
static bool batch_fill(struct tx_batch *b, uint32_t mtu)
{
	const struct afxdp_map *m = b->m;
	struct nic_ring *r = b->r;
	uint32_t first = b->prod, plain = mtu + ETH_HEADER < m->part_max ? mtu + ETH_HEADER : m->part_max;
	/* With offsets no slot is plain. */
	uint32_t plain_bufs = r->offset_mask == 0 ? m->umem_bufs - 2 : 0;

	while (r->from != r->to) {
		uint64_t word = slot_load(&r->uslot[r->from]);
		uint32_t len = slot_len(word), next = slot_next(r, r->from);

		/* A frame in one slot that the device can read there. */
		if (likely(slot_idx(word) - 2u < plain_bufs &&
			   len - ETH_HEADER <= plain - ETH_HEADER && !(slot_flags(word) & NS_MOREFRAG))) {
			if (tx_room(b) == 0)
				break;
			desc_put(b, (uint64_t)slot_idx(word) * m->buf_size, len, false, r->from, next);
			if (slot_flags(word) & (NS_BUF_CHANGED | NS_REPORT))
				store_relaxed(&r->uslot[r->from].flags,
					      slot_flags(word) & ~(NS_BUF_CHANGED | NS_REPORT));
			r->from = next;
			r->packets++;
			r->bytes += len;
			continue;
		}
		if (!frame_put(b, mtu))
			break;
	}
	if (b->prod == first)
		return false;
	/* The kernel sees descriptors and frames before it sees that they are there. */
	store_release(m->tx.producer, b->prod);
	return true;
}

/*
 * The mark says where the last sync began. If the caller is still there, though descriptors were added, that one died
 * before it could say so: what it sent is not sent again. When nothing is in flight that cannot be told from a ring
 * that went its way without us; then it may be sent twice.
 */
static void batch_resume(struct tx_batch *b)
{
	struct nic_ring *r = b->r;
	uint64_t *mark = &b->m->state->tx_mark, began = load_relaxed(mark);
	uint32_t slot, ahead;

	if (likely((uint32_t)(began >> 32) == b->prod || (uint32_t)began != r->from || b->done == b->prod)) {
		store_relaxed(mark, (uint64_t)b->prod << 32 | r->from);
		return;
	}
	slot = load_relaxed(&entry_at(b->m, b->prod - 1)->end);
	ahead = slot >= r->from ? slot - r->from : slot + r->num_slots - r->from;
	if (slot < r->num_slots && ahead <= ring_room(r))
		r->from = slot;
}

/*
 * Let the kernel send what is in its ring. -EAGAIN if the device has no room now; frames then stay in the ring, in
 * order, for the next time.
 */
static int batch_kick(const struct tx_batch *b)
{
	const struct afxdp_map *m = b->m;
	uint32_t before = load_relaxed(m->tx.consumer), now;

	for (int i = 0; i < KICKS_MAX && before != b->prod; i++, before = now) {
		if (!(load_acquire(m->tx.flags) & XDP_RING_NEED_WAKEUP))
			return 0;
		if (sendto(m->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) < 0) {
			if (errno == ENETDOWN || errno == ENXIO)
				return -errno;
			/* The device dropped one. */
			if (errno == EBUSY)
				b->r->drops[DROP_DEVICE]++;
		}
		if (m->flags & XSK_ZEROCOPY)
			return 0;
		now = load_relaxed(m->tx.consumer);
		if (now == before)
			return -EAGAIN;
	}
	return before == b->prod ? 0 : -EAGAIN;
}

static bool batch_init(struct tx_batch *b, const struct afxdp_map *m, struct nic_ring *r)
{
	*b = (struct tx_batch){ .m = m, .r = r, .descs = m->tx.entries };
	b->prod = load_relaxed(m->tx.producer);
	b->done = load_relaxed(&m->state->tx_done);
	b->copies = copies_at(m, b->prod - 1);
	return r->buf_size == m->buf_size && r->buf_total >= m->umem_bufs && b->prod - b->done <= m->tx.size;
}

int afxdp_txsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	const struct afxdp_map *m = map;
	struct tx_batch b;
	int err;
	bool any;

	if (load_relaxed(&q->tx_error)) {
		err = afxdp_receive_kick(m);
		if (err)
			return err;
		store_relaxed(&q->tx_error, 0);
	}
	if (!batch_init(&b, m, r))
		return -EIO;
	batch_resume(&b);
	completions_take(&b);
	do {
		any = batch_fill(&b, load_relaxed(&sh->mtu));
		err = batch_kick(&b);
		completions_take(&b);
	} while (any && err == 0 && r->from != r->to);
	r->done = b.done == b.prod ? r->from : load_relaxed(&entry_at(m, b.done)->start);
	if (err == -ENETDOWN || err == -ENXIO) {
		store_relaxed(&q->tx_error, (uint32_t)-err);
		return err;
	}
	return 0;
}
