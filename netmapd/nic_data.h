/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data side of interface drivers in netmapd itself, for its workers. A record serves one side of a port, the
 * interface or its host rings. Made and dropped by the control thread; used by any thread.
 */
#ifndef NETMAPD_NIC_DATA_H
#define NETMAPD_NIC_DATA_H

#include <poll.h>
#include <stdbool.h>

#include "../engine/ring.h"

struct nic_data;

/* Attaches the driver, unless another record of this side is there already. 0 or -errno. */
int nic_data_get(const struct port *port, bool host, struct nic_data **out);
/* Drops it with its last user. NULL is ignored. */
void nic_data_put(struct nic_data *d);

/* The rings that this thread syncs from now on are of this record's side. */
void nic_data_use(struct nic_data *d);

#define NIC_DATA_FDS	2		/* of a queue, at most */

/* What to wait for on one queue, as driver_pollfds says. */
unsigned nic_data_pollfds(const struct nic_data *d, unsigned queue, short events, struct pollfd *fds, unsigned max, int *timeout_ms);

/* After a sync failed: is it for good? */
bool nic_data_gone(const struct nic_data *d);

#endif /* NETMAPD_NIC_DATA_H */
