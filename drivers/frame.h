/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as they lie in the slots of a ring: what the drivers that read or fill those have in common. Private to drivers/. */
#ifndef DRIVERS_FRAME_H
#define DRIVERS_FRAME_H

#include <stdint.h>

#include "../engine/nic.h"

#define ETH_HEADER		14
#define VLAN_TAG		4
#define TYPE_VLAN		0x8100
#define TYPE_QINQ		0x88a8

/* A frame to be sent as its slots describe it: checked copies. */
struct tx_frame {
	uint32_t slots;			/* it takes up so many in the ring */
	uint32_t len;
	uint32_t nfrags;
	uint64_t word[NETMAP_MAX_FRAGS];	/* slots as they were loaded */
	uint64_t at[NETMAP_MAX_FRAGS];		/* where their data begin, from r->ubufs on */
};

static inline uint32_t slot_next(const struct nic_ring *r, uint32_t i)
{
	return i + 1 == r->num_slots ? 0 : i + 1;
}

/* Slots from r->from up to r->to. */
static inline uint32_t ring_room(const struct nic_ring *r)
{
	return r->to >= r->from ? r->to - r->from : r->to + r->num_slots - r->from;
}

/*
 * Load the slots of the frame at r->from. Returns -EAGAIN if its end is not there yet, a drop reason if
 * it must be dropped, DROP_REASONS if it is fine. A chain beyond the limit is cut where the slots end.
 */
int tx_frame_load(const struct nic_ring *r, struct tx_frame *f);

/* Take the slots of a frame out of the ring. */
void tx_frame_take(struct nic_ring *r, const struct tx_frame *f);

/* Is it as long as an interface takes it? A drop reason, or DROP_REASONS. 4 bytes more than the MTU for each VLAN tag. */
int tx_frame_check(const struct nic_ring *r, const struct tx_frame *f, uint32_t mtu);

/* A place in a frame. */
struct tx_place {
	uint32_t frag, offset;
};

/* Copy up to `room` bytes of the frame from a place on, which is moved behind them. Returns how many. */
uint32_t tx_frame_copy(const struct nic_ring *r, const struct tx_frame *f, struct tx_place *from, void *to,
		       uint32_t room);

#endif
