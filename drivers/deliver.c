/* SPDX-License-Identifier: BSD-2-Clause */
/* Received packets with virtio-net headers into ring slots, see deliver.h. Slots are hostile. */
#include <errno.h>

#include "deliver.h"

/* A slot that is to be filled. */
struct place {
	uint32_t idx, offset;	/* buffer, and where in it */
	uint32_t len;
};

/* Where data go in the slot's buffer, and how many of them. An offset beyond the limit is told to be one at it. */
static void place_offset(const struct nic_ring *r, uint32_t i, struct place *p)
{
	uint64_t ptr = slot_load_ptr(&r->uslot[i]);

	p->offset = nic_offset(r, ptr);
	if ((ptr & r->offset_mask) != p->offset)
		store_relaxed(&r->uslot[i].ptr, (ptr & ~r->offset_mask) | p->offset);
	p->len = p->offset < r->offset_end ? r->offset_end - p->offset : 0;
}

/* Slots up to a bad one are given back empty. */
static void slots_empty(struct nic_ring *r, uint32_t last)
{
	r->drops[DROP_BAD_SLOT]++;
	for (bool done = false; !done; r->from = slot_next(r, r->from)) {
		done = r->from == last;
		store_relaxed(&r->uslot[r->from].len, 0);
		store_relaxed(&r->uslot[r->from].flags, 0);
	}
}

/*
 * The slots from r->from on that a frame of len bytes fills. Returns how many; -EAGAIN if there is no room, -EMSGSIZE if it
 * would not fit into an empty ring either. The search goes on behind bad slots.
 */
static int slots_reserve(struct nic_ring *r, uint32_t len, struct place *place)
{
	uint32_t least = (len + r->buf_size - 1) / r->buf_size, left, i, n;

	if (least > NETMAP_MAX_FRAGS || least >= r->num_slots)
		return -EMSGSIZE;
again:
	if (ring_room(r) < least)
		return -EAGAIN;
	for (i = r->from, n = 0, left = len; left > 0; i = slot_next(r, i), n++) {
		if (n == NETMAP_MAX_FRAGS || n + 1 == r->num_slots)
			return -EMSGSIZE;
		if (i == r->to)
			return -EAGAIN;
		place[n] = (struct place){ .idx = slot_idx(slot_load(&r->uslot[i])), .len = r->buf_size };
		if (place[n].idx - 2u >= r->buf_total - 2u) {
			slots_empty(r, i);
			goto again;
		}
		if (unlikely(r->offset_mask != 0))
			place_offset(r, i, &place[n]);
		if (place[n].len > left)
			place[n].len = left;
		left -= place[n].len;
	}
	return (int)n;
}

/* Describe what is in the n reserved slots, len bytes in all, and move on. */
static void slots_publish(struct nic_ring *r, uint32_t n, const struct place *place, uint32_t len)
{
	r->packets++;
	r->bytes += len;
	for (uint32_t k = 0; k < n; k++) {
		slot_store(&r->uslot[r->from], slot_word(place[k].idx, place[k].len, k + 1 < n ? NS_MOREFRAG : 0));
		r->from = slot_next(r, r->from);
	}
}

/* Write the iterator's next frame to the buffers of n slots. */
static void frame_write(struct nic_ring *r, struct vnet_iter *it, uint32_t n, const struct place *place)
{
	struct vnet_piece to[NETMAP_MAX_FRAGS];

	for (uint32_t k = 0; k < n; k++)
		to[k] = (struct vnet_piece){ r->ubufs + (size_t)place[k].idx * r->buf_size + place[k].offset, place[k].len };
	vnet_iter_write(it, to, n);
}

bool packet_deliver(struct nic_ring *r, struct vnet_source *src, uint32_t *segment)
{
	struct place place[NETMAP_MAX_FRAGS];
	struct vnet_iter it;
	uint32_t len;
	int n, err = vnet_iter_init(&it, src);

	if (err == -EMSGSIZE) {
		/* The sender's frames are longer than our MTU: they came over the wire like this. */
		src->max_frame = 0;
		err = vnet_iter_init(&it, src);
	}
	if (err) {
		r->drops[DROP_BAD_HEADER]++;
		return true;
	}
	vnet_iter_seek(&it, *segment);
	while ((len = vnet_iter_len(&it)) != 0) {
		n = slots_reserve(r, len, place);
		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			r->drops[DROP_TOO_LONG]++;
			vnet_iter_seek(&it, ++*segment);
			continue;
		}
		frame_write(r, &it, (uint32_t)n, place);
		slots_publish(r, (uint32_t)n, place, len);
		++*segment;
	}
	return true;
}
