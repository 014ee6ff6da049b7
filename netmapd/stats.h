/* SPDX-License-Identifier: BSD-2-Clause */
/* PROTO_STATS: all ports and the counters of their rings. */
#ifndef NETMAPD_STATS_H
#define NETMAPD_STATS_H

#include "../libnetmap/protocol.h"

/* A sealed memfd, the caller's, with *r filled; or -errno. */
int stats_collect(struct proto_stats_reply *r);

#endif /* NETMAPD_STATS_H */
