/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes what netmapd sends as statistics. Includes cmocka with the headers that it wants before it. */
#ifndef RECORDS_H
#define RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libnetmap/protocol.h"
#include "libnetmap/stats_snapshot.h"

#define RECORDS_SIZE	65536

struct records {
	struct proto_info_reply info;
	struct proto_stats_reply reply;
	uint8_t bytes[RECORDS_SIZE];
};

/* No ports. */
void records_init(struct records *r);
/* The records just added, to be changed; unaligned places do not occur. */
struct proto_stats_port *records_port(struct records *r, const char *name, uint32_t type, uint32_t rings);
struct proto_stats_ring *records_ring(struct records *r, uint32_t dir, uint32_t id);
/* A port with one ring each way, and packets of 60 bytes. Returns its transmit ring, which the receive ring follows. */
struct proto_stats_ring *records_pair(struct records *r, const char *name, uint32_t type, uint64_t tx, uint64_t rx);

/* Of an exact copy on the heap, so that a reader that goes too far is found out. */
int records_snapshot(const struct records *r, struct netmap_stats **out);

#endif
