/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving packets from receive rings to transmit rings, whole packets only: a chain of fragments goes into one
 * ring, and not before its end is there and all of it has room.
 */
#ifndef BRIDGE_FORWARD_H
#define BRIDGE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include <libnetmap.h>

/* One direction. */
struct forward_path {
	struct nmport_d *from, *to;
	bool zero_copy;		/* exchange buffers: from and to have the same region */
	uint32_t from_bufs, to_bufs;	/* of their regions; indices are below */
	uint64_t packets, bytes;
	uint64_t oversize;	/* packets that no transmit ring can ever hold, dropped */
	uint64_t damaged;	/* packets with a bad index or length, dropped */
};

enum forward_state {
	FORWARD_IDLE,		/* everything received has been moved */
	FORWARD_MORE,		/* the burst ended it, there is more to move and room for it */
	FORWARD_FULL,		/* the transmit rings have no room for what is left */
};

/* Prepares a direction between two open ports. copy forbids the exchange of buffers. */
void forward_path_init(struct forward_path *p, struct nmport_d *from, struct nmport_d *to, bool copy);

/*
 * Moves up to burst slots for each pair of rings. Nothing is synced. Where a ring must get more room (or the
 * rest of a packet) before anything can go on, its cur is set to tail, so that poll() waits for that.
 */
enum forward_state forward_path_run(struct forward_path *p, unsigned burst);

#endif
