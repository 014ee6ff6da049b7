/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of a ring. Every place that can drop a frame counts it here, with its reason, on the ring where it happened.
 * They lie in shared memory and are read without locks.
 */
#ifndef ENGINE_STATS_H
#define ENGINE_STATS_H

#include <stdint.h>

enum drop_reason {
	DROP_NO_ROOM = 0,	/* destination ring full */
	DROP_RUNT,		/* shorter than an Ethernet header */
	DROP_TOO_LONG,		/* longer than a buffer, or than the destination takes */
	DROP_BAD_SLOT,		/* buffer index outside the region */
	DROP_BAD_CHAIN,		/* NS_MOREFRAG chain too long, or too short for the header */
	DROP_BAD_ADDRESS,	/* NS_INDIRECT data could not be read */
	DROP_FILTERED,		/* destination is the port it came from, or not there */
	DROP_BAD_HEADER,	/* virtio-net header that does not fit the frame */
	DROP_CANCELLED,		/* sender died while it copied */
	DROP_UNREACHABLE,	/* destination's memory could not be mapped here */
	DROP_DEVICE,		/* the interface refused or lost it */
	DROP_REASONS
};

struct ring_counters {
	uint64_t packets;
	uint64_t bytes;
	uint64_t syncs;
	uint64_t bad_rings;	/* head or cur that broke the rules: ring restored */
	uint64_t drops[DROP_REASONS];
};

/* Short name of a reason for tables and JSON, e.g. "no-room". */
const char *drop_reason_name(unsigned reason);

#endif /* ENGINE_STATS_H */
