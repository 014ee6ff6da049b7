/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as they lie in the slots of a ring, see frame.h. */
#include <errno.h>
#include <string.h>

#include "frame.h"

#define HEADER_LOOK	64	/* bytes in which tags are looked for */

int tx_frame_load(const struct nic_ring *r, struct tx_frame *f)
{
	int verdict = DROP_REASONS;
	uint32_t i = r->from, offset = 0, len;
	uint64_t word;

	f->slots = f->len = f->nfrags = 0;
	for (;;) {
		if (i == r->to) {
			if (f->slots > NETMAP_MAX_FRAGS)
				return DROP_BAD_CHAIN;
			return -EAGAIN;
		}
		word = slot_load(&r->uslot[i]);
		len = slot_len(word);
		f->slots++;
		if (unlikely(r->offset_mask != 0))
			offset = nic_offset(r, slot_load_ptr(&r->uslot[i]));
		if (slot_idx(word) - 2u >= r->buf_total - 2u || len > r->buf_size - offset)
			verdict = DROP_BAD_SLOT;
		if (f->nfrags < NETMAP_MAX_FRAGS) {
			f->word[f->nfrags] = word;
			f->at[f->nfrags++] = (uint64_t)slot_idx(word) * r->buf_size + offset;
		} else {
			verdict = DROP_BAD_CHAIN;
		}
		f->len += len;
		if (!(slot_flags(word) & NS_MOREFRAG))
			return verdict;
		i = slot_next(r, i);
	}
}

void tx_frame_take(struct nic_ring *r, const struct tx_frame *f)
{
	for (uint32_t n = 0; n < f->slots; n++) {
		struct netmap_slot *uslot = &r->uslot[r->from];

		if (n < f->nfrags && (slot_flags(f->word[n]) & (NS_BUF_CHANGED | NS_REPORT)))
			store_relaxed(&uslot->flags, slot_flags(f->word[n]) & ~(NS_BUF_CHANGED | NS_REPORT));
		r->from = slot_next(r, r->from);
	}
}

/* How long may the frame be that starts with these bytes? */
static uint32_t tx_limit(const uint8_t *header, uint32_t len, uint32_t mtu)
{
	uint32_t limit = mtu + ETH_HEADER, type;

	for (uint32_t at = 12; at + 2 <= len; at += VLAN_TAG) {
		type = (uint32_t)header[at] << 8 | header[at + 1];
		if (type != TYPE_VLAN && type != TYPE_QINQ)
			break;
		limit += VLAN_TAG;
	}
	return limit;
}

int tx_frame_check(const struct nic_ring *r, const struct tx_frame *f, uint32_t mtu)
{
	struct tx_place start = { 0, 0 };
	uint8_t header[HEADER_LOOK];
	uint32_t n;

	if (f->len < ETH_HEADER)
		return DROP_RUNT;
	if (likely(f->len <= mtu + ETH_HEADER))
		return DROP_REASONS;
	n = tx_frame_copy(r, f, &start, header, sizeof(header));
	return f->len <= tx_limit(header, n, mtu) ? DROP_REASONS : DROP_TOO_LONG;
}

uint32_t tx_frame_copy(const struct nic_ring *r, const struct tx_frame *f, struct tx_place *from, void *to,
		       uint32_t room)
{
	uint32_t done = 0, len, n;

	while (from->frag < f->nfrags && done < room) {
		len = slot_len(f->word[from->frag]);
		n = len - from->offset;
		if (n > room - done)
			n = room - done;
		memcpy((char *)to + done, r->ubufs + f->at[from->frag] + from->offset, n);
		done += n;
		from->offset += n;
		if (from->offset == len) {
			from->frag++;
			from->offset = 0;
		}
	}
	return done;
}
