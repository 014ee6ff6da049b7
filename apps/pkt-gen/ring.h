/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Putting frames into netmap transmit rings.
 *
 * What makes it fast is what it does not do: a buffer that holds the bytes already is not written again. Each
 * buffer of the region has a mark that says which fragment of the frame this filler wrote into it. Buffers
 * may come back from a pipe in another slot, or be exchanged for others; a slot that comes back with
 * NS_BUF_CHANGED is written anew in any case.
 */
#ifndef PKT_GEN_RING_H
#define PKT_GEN_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <libnetmap.h>

#include "../common/region.h"
#include "frame.h"

struct tx_filler {
	struct frame_gen *gen;
	uint32_t bits;		/* enum option_bits */
	unsigned frag_size;	/* bytes in a slot, at most a buffer unless indirect */
	unsigned offset;	/* in each buffer, where the rings have offsets: what slots began with */
	bool plain;		/* one slot of the same bytes for every packet, nothing else asked for */
	bool ready;		/* the generator's frame has not been sent yet */
	uint32_t num_bufs;	/* of the region */
	uint8_t *marks;		/* [num_bufs]: 0, or 1 + number of the fragment */
};

/*
 * Prepares to send the frames of gen over the rings of p. Returns 0, -ENOMEM, or -EMSGSIZE if the longest
 * frame does not fit into the slots of a packet or into the smallest ring.
 */
int tx_filler_init(struct tx_filler *f, const struct options *o, struct frame_gen *gen,
		   const struct nmport_d *p);
void tx_filler_fini(struct tx_filler *f);

/*
 * Puts up to max packets into the ring, as room allows, and moves head and cur. If room was the limit, cur
 * goes to tail, so that the next poll() waits for more. Adds the packets' bytes, vnet headers included, to
 * *bytes. Returns how many packets.
 */
unsigned tx_filler_fill(struct tx_filler *f, struct netmap_ring *ring, unsigned max, uint64_t *bytes);

/* Stores all of a slot but ptr at once: whoever reads it as one word finds it whole in the store buffer. */
static inline void slot_store(struct netmap_slot *slot, uint32_t buf_idx, uint16_t len, uint16_t flags)
{
	struct { uint32_t buf_idx; uint16_t len, flags; } word = { buf_idx, len, flags };

	_Static_assert(sizeof(word) == offsetof(struct netmap_slot, ptr), "a slot is one word and ptr");
	memcpy(slot, &word, sizeof(word));
}

#endif
