/* SPDX-License-Identifier: BSD-2-Clause */
/* PROTO_FDB and PROTO_FDB_SET: forwarding tables of switches. */
#ifndef NETMAPD_TABLE_H
#define NETMAPD_TABLE_H

#include "../libnetmap/protocol.h"

/* A sealed memfd, the caller's, with *r filled; -ENOENT: no switch of that name; or another -errno. */
int table_collect(const char *name, struct proto_fdb_reply *r);
/*
 * Makes or removes an entry. -ENOENT: no such port, switch or entry; -EINVAL: no unicast address; -ENOSPC: too many static entries of this hash. With a
 * sentence in *why. -EPROTO: no such operation.
 */
int table_change(const struct proto_fdb_set *q, struct why *why);

#endif /* NETMAPD_TABLE_H */
