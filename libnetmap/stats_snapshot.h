/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots of statistics, made from what netmapd sent. No connection in it. */
#ifndef LIBNETMAP_STATS_SNAPSHOT_H
#define LIBNETMAP_STATS_SNAPSHOT_H

#include <netmap_stats.h>

#include "protocol.h"

/* More than 254 ports with 32 rings on each of a thousand switches: no instance is that large. */
#define STATS_SIZE_MAX	(UINT64_C(1) << 31)

/*
 * records: a private copy of the reply->size bytes behind the reply. All three are hostile, but for that. *out is the
 * caller's.
 * 0; -EPROTO if the records are not what the protocol says they are; -ENOMEM.
 */
int stats_snapshot(const struct proto_info_reply *info, const struct proto_stats_reply *reply, const void *records,
	struct netmap_stats **out);

/* stats.c: for all that asks netmapd without being its client. */

/* Connects to the instance that runs; -ENOENT if there is none. 0 or -errno. */
int stats_connect(void);
/* A private copy, the caller's, of the sealed memfd with that many bytes. 0; -EPROTO if it is none; -ENOMEM, or as reading failed. */
int stats_records_copy(int fd, uint64_t size, void **out);

#endif /* LIBNETMAP_STATS_SNAPSHOT_H */
