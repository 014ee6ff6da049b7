/* SPDX-License-Identifier: BSD-2-Clause */
/* Putting frames into netmap transmit rings. */
#include <errno.h>
#include <stdlib.h>

#include "dump.h"
#include "ring.h"

/* Bits of -o that the plain loop does not know. */
#define BITS_SLOW (OPT_PREFETCH | OPT_COPY | OPT_MEMCPY | OPT_INDIRECT | OPT_DUMP | OPT_RUBBISH)

static unsigned slots_needed(const struct tx_filler *f, unsigned len)
{
	return len <= f->frag_size ? 1 : (len + f->frag_size - 1) / f->frag_size;
}

int tx_filler_init(struct tx_filler *f, const struct options *o, struct frame_gen *gen,
		   const struct nmport_d *p)
{
	const struct netmap_ring *ring = NETMAP_TXRING(p->nifp, p->first_tx_ring);
	uint64_t offset = NETMAP_ROFFSET(ring, &ring->slot[ring->head < ring->num_slots ? ring->head : 0]);
	unsigned most, slots;

	*f = (struct tx_filler){ .gen = gen, .bits = o->bits, .num_bufs = region_buffers(p, ring) };
	f->offset = (o->bits & OPT_INDIRECT) || offset > ring->nr_buf_size / 2 ? 0 : (unsigned)offset;
	most = (o->bits & OPT_INDIRECT) ? UINT16_MAX : ring->nr_buf_size - f->offset;
	f->frag_size = o->frag_size;
	if (f->frag_size == 0 && o->frags)
		f->frag_size = (gen->len_max + o->frags - 1) / o->frags;
	if (f->frag_size == 0 || f->frag_size > most)
		f->frag_size = most;
	slots = slots_needed(f, gen->len_max);
	if (slots > NETMAP_MAX_FRAGS)
		return -EMSGSIZE;
	for (unsigned i = p->first_tx_ring; i <= p->last_tx_ring; i++) {
		if (slots >= NETMAP_TXRING(p->nifp, i)->num_slots)
			return -EMSGSIZE;
	}
	f->plain = gen->constant && slots == 1 && !(o->bits & BITS_SLOW) && ring->offset_mask == 0;
	/* Touched where buffers are used only. */
	f->marks = calloc(f->num_bufs ? f->num_bufs : 1, 1);
	return f->marks ? 0 : -ENOMEM;
}

void tx_filler_fini(struct tx_filler *f)
{
	free(f->marks);
	f->marks = NULL;
}

/* Rounding up to whole cache lines makes the copy cheaper; frames and buffers have room for it. */
static void bytes_copy(const struct tx_filler *f, const struct netmap_ring *ring, const uint8_t *src,
		       char *dst, unsigned len)
{
	unsigned rounded = (len + 63) & ~63U;

	if (f->bits & OPT_MEMCPY)
		memcpy(dst, src, len);
	else
		nm_pkt_copy(src, dst, (int)(rounded <= ring->nr_buf_size - f->offset ? rounded : len));
}

/*
 * Makes a buffer hold fragment number frag of the current frame, which begins at ofs. A marked buffer needs
 * no more than what differs between frames; one that is filled for the first time gets all that any frame has
 * there.
 */
static void buffer_write(struct tx_filler *f, struct netmap_ring *ring, const struct netmap_slot *slot,
			 uint32_t buf_idx, unsigned ofs, unsigned frag)
{
	const struct frame_gen *g = f->gen;
	unsigned len = g->len_max - ofs < f->frag_size ? g->len_max - ofs : f->frag_size;
	bool marked;

	if (buf_idx >= f->num_bufs)
		return;		/* not a buffer: the port will refuse the slot */
	marked = f->marks[buf_idx] == frag + 1 && !(slot->flags & NS_BUF_CHANGED) && !(f->bits & OPT_COPY);
	if (marked) {
		if (ofs >= g->head_len)
			return;
		if (len > g->head_len - ofs)
			len = g->head_len - ofs;
	}
	if (g->file && len > g->len - ofs)
		len = g->len - ofs;	/* another frame is behind this one */
	bytes_copy(f, ring, g->data + ofs, NETMAP_BUF(ring, buf_idx) + f->offset, len);
	f->marks[buf_idx] = (uint8_t)(frag + 1);
}

/* The loop for packets that are all the same. */
static unsigned fill_plain(struct tx_filler *f, struct netmap_ring *ring, unsigned n)
{
	const uint16_t len = (uint16_t)f->gen->len;
	const uint8_t *marks = f->marks;
	const uint32_t num_bufs = f->num_bufs, num_slots = ring->num_slots;
	struct netmap_slot *slots = ring->slot;
	uint32_t head = ring->head;

	for (unsigned i = 0; i < n; i++) {
		struct netmap_slot *slot = &slots[head];
		uint32_t buf_idx = slot->buf_idx;

		if (unlikely((slot->flags & NS_BUF_CHANGED) || buf_idx >= num_bufs || marks[buf_idx] != 1))
			buffer_write(f, ring, slot, buf_idx, 0, 0);
		slot_store(slot, buf_idx, len, i + 1 == n ? NS_REPORT : 0);
		if (unlikely(++head == num_slots))
			head = 0;
	}
	ring->head = head;
	return n;
}

/* Puts the current frame into need slots from head on. Returns the slot behind them. */
static uint32_t packet_put(struct tx_filler *f, struct netmap_ring *ring, uint32_t head, unsigned need)
{
	const struct frame_gen *g = f->gen;

	for (unsigned frag = 0; frag < need; frag++) {
		struct netmap_slot *slot = &ring->slot[head];
		uint32_t buf_idx = slot->buf_idx;
		unsigned ofs = frag * f->frag_size;
		bool last = frag + 1 == need;
		unsigned len = last ? g->len - ofs : f->frag_size;
		uint16_t flags = last ? 0 : NS_MOREFRAG;

		if (f->bits & OPT_INDIRECT) {
			slot->ptr = (uintptr_t)(g->data + ofs);
			flags |= NS_INDIRECT;
		} else {
			NETMAP_WOFFSET(ring, slot, f->offset);
			if (!(f->bits & OPT_RUBBISH))
				buffer_write(f, ring, slot, buf_idx, ofs, frag);
		}
		slot_store(slot, buf_idx, (uint16_t)len, flags);
		head = nm_ring_next(ring, head);
		if (f->bits & OPT_PREFETCH) {
			uint32_t next = ring->slot[head].buf_idx;

			__builtin_prefetch(NETMAP_BUF(ring, next < f->num_bufs ? next : 0), 1);
		}
	}
	if (f->bits & OPT_DUMP)
		dump_bytes(stdout, "sent", g->data, g->len);
	return head;
}

/* The loop for everything else. */
static unsigned fill_general(struct tx_filler *f, struct netmap_ring *ring, unsigned max, uint64_t *bytes)
{
	uint32_t space = nm_ring_space(ring), head = ring->head, last = head;
	unsigned n;

	for (n = 0; n < max; n++) {
		unsigned need;

		if (!f->ready)
			frame_gen_next(f->gen);
		f->ready = true;
		need = slots_needed(f, f->gen->len);
		if (need > space)
			break;
		last = head;
		head = packet_put(f, ring, head, need);
		space -= need;
		*bytes += f->gen->len;
		f->ready = false;
	}
	if (n) {
		while (ring->slot[last].flags & NS_MOREFRAG)
			last = nm_ring_next(ring, last);
		ring->slot[last].flags |= NS_REPORT;
	}
	ring->head = head;
	return n;
}

unsigned tx_filler_fill(struct tx_filler *f, struct netmap_ring *ring, unsigned max, uint64_t *bytes)
{
	unsigned n;

	if (f->plain) {
		uint32_t space = nm_ring_space(ring);

		n = fill_plain(f, ring, max < space ? max : space);
		*bytes += (uint64_t)n * f->gen->len;
	} else {
		n = fill_general(f, ring, max, bytes);
	}
	ring->cur = n < max ? ring->tail : ring->head;
	return n;
}
