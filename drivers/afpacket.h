/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_PACKET driver: what its control side and its data side share. Private to drivers/. */
#ifndef DRIVERS_AFPACKET_H
#define DRIVERS_AFPACKET_H

#include <stddef.h>
#include <stdint.h>

#include "driver.h"

#define ETH_HEADER		14
#define VLAN_TAG		4
#define VLAN_TAGS_MAX		2	/* room for so many tags beyond the MTU in a transmit frame */

/* Offset of the virtio-net header in a transmit frame: TPACKET2_HDRLEN - sizeof(struct sockaddr_ll). */
#define TX_DATA_OFFSET		32

/* Geometry of the rings and the interface, as the sockets were set up. */
struct afpacket_sockets {
	int rx_fd, tx_fd;		/* -1: none */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
};

/* Control side. The calling thread is in the interface's namespace. */
int afpacket_open(const struct driver_info *info, const struct driver_params *params,
		  struct afpacket_sockets *s, struct driver_error *err);
void afpacket_close(struct afpacket_sockets *s);

/* Data side: one queue as this process maps it. Geometry is a checked private copy. */
struct afpacket_map {
	int rx_fd, tx_fd;
	uint8_t *rx, *tx;		/* NULL: not mapped */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
	uint8_t *bounce;		/* VNET_FRAME_MAX bytes, for frames longer than a buffer */
};

int afpacket_attach(const struct driver_shared *sh, const int *fds, struct afpacket_map *m);
void afpacket_detach(struct afpacket_map *m);
int afpacket_txsync(struct afpacket_map *m, struct driver_shared *sh, struct driver_queue *q,
		    struct nic_ring *r);
int afpacket_rxsync(struct afpacket_map *m, struct driver_shared *sh, struct driver_queue *q,
		    struct nic_ring *r);
unsigned afpacket_pollfds(struct afpacket_map *m, struct driver_queue *q, short events, struct pollfd *pfds,
			  int *timeout_ms);

/* Is the interface of this socket up? 0, -ENETDOWN or -ENXIO. */
int afpacket_link(int fd, uint32_t ifindex);

#endif
