/* SPDX-License-Identifier: BSD-2-Clause */
/* An interface opened through the driver: rings and buffers in shared memory, no engine around them. */
#ifndef NETNS_DRIVER_RIG_H
#define NETNS_DRIVER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../drivers/driver.h"

struct rig_ring {
	uint32_t from;		/* driver's place */
	uint32_t user;		/* ours */
	uint32_t done;		/* TX: from here on the driver may still read */
};

/* Shared by processes that fork: any of them can go on. */
struct rig_state {
	struct driver_shared sh;
	struct rig_ring rx, tx;
	uint64_t rx_drops[DROP_REASONS], tx_drops[DROP_REASONS];
	int64_t ts_sec;
};

struct rig {
	struct driver_port *port;
	struct driver_map *map;
	struct rig_state *st;
	struct netmap_slot *rx, *tx;
	char *bufs;
	struct driver_memory memory;
	uint32_t slots, buf_size, buf_total;
	unsigned queue;		/* that is synced; to be changed while nothing is in flight */
	uint32_t *free;		/* buffers that nobody has */
	uint32_t nfree;
	int fds[DRIVER_FDS_MAX];
	unsigned nfds;
	size_t bytes;
};

#define RIG_STOCK	(4 * 2112)	/* buffers for the driver */

/* slots: of each ring. Fails the test if the interface cannot be opened. */
void rig_open(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size);
/* With so many bytes between a page and buffer 0; the others have DRIVER_HEADROOM. */
void rig_open_behind(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size, uint32_t headroom);
/* The same, and tells what driver_open says. */
int rig_try(struct rig *g, const char *ifname, uint32_t slots, uint32_t buf_size, struct driver_error *err);
void rig_attach(struct rig *g);
void rig_detach(struct rig *g);
void rig_close(struct rig *g);

/* One sync each; the driver's return value. */
int rig_rxsync(struct rig *g);
int rig_txsync(struct rig *g);

/* Take the next received frame from the ring, without a sync. 0: none. */
size_t rig_take(struct rig *g, uint8_t *frame);

/* The next frame, waiting up to timeout_ms. 0: none came. */
size_t rig_recv(struct rig *g, uint8_t *frame, int timeout_ms);

/* Put a frame into the transmit ring, in slots of at most piece bytes. False: no room. */
bool rig_put(struct rig *g, const void *frame, size_t len, uint32_t piece);

/* Put and sync until there was room. */
void rig_send(struct rig *g, const void *frame, size_t len);

/* Wait for an event as the driver says. */
void rig_wait(struct rig *g, short events, int timeout_ms);

#endif
