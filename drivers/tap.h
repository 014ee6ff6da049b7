/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP driver: what its control side and its data side share. Private to drivers/.
 *
 * A port of this kind is the device behind a TAP interface: what the host's stack, or whoever else uses the interface,
 * sends on it the port receives, and what the port sends arrives there. Frames pass the descriptor with virtio-net headers:
 * what the stack hands over unfinished is segmented and completed here.
 */
#ifndef DRIVERS_TAP_H
#define DRIVERS_TAP_H

#include "../engine/vnet_hdr.h"
#include "backend.h"

/* A queue's further state, in shared memory: the packet that was read last, of which not all frames found room. */
struct tap_state {
	uint32_t len;			/* bytes; 0: there is none */
	uint32_t segment;		/* frames already made of it */
	uint8_t vnet[VNET_HDR_LEN];
	uint8_t frame[VNET_FRAME_MAX] __attribute__((aligned(64)));
};

/*
 * A TAP interface of that name in the namespace of the calling thread, brought up, for a port that is about to be opened: its descriptor.
 * It goes with the last one. -EEXIST if there is an interface of that name.
 */
int tap_create(struct driver_port *port, const char *ifname, struct driver_error *err);

/* An interface, up, whose other side nobody holds. One of a single queue tells by its carrier only. */
static inline bool tap_is_free(const struct netlink_link *link)
{
	return link->tap && link->tun_queues == 0 && !(link->flags & NETLINK_CARRIER);
}

#endif
