/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_PACKET driver: what its control side and its data side share. Private to drivers/. */
#ifndef DRIVERS_AFPACKET_H
#define DRIVERS_AFPACKET_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "frame.h"

#define VLAN_TAGS_MAX		2	/* room for so many tags beyond the MTU in a transmit frame */

/* Offset of the virtio-net header in a transmit frame: TPACKET2_HDRLEN - sizeof(struct sockaddr_ll). */
#define TX_DATA_OFFSET		32

/* Data side: one queue as this process maps it. Geometry is a checked private copy. */
struct afpacket_map {
	int rx_fd, tx_fd;		/* frames that the transmit ring has no room for leave by rx_fd */
	uint8_t *rx, *tx;		/* NULL: not mapped */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
	int64_t link_asked;		/* for moment_passed */
};

int afpacket_txsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);
int afpacket_rxsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);

/* Has the frame that was put into the ring last not been taken by the device yet? */
bool afpacket_tx_left(const struct afpacket_map *m, const struct driver_queue *q);

/* Is the interface of this socket up? 0, -ENETDOWN or -ENXIO. */
int afpacket_link(int fd, uint32_t ifindex);

#endif
