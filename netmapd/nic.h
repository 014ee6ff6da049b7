/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface drivers, from netmapd's side: the engine's os_nic_* and what a client needs to drive the rings itself.
 */
#ifndef NETMAPD_NIC_H
#define NETMAPD_NIC_H

#include <stdint.h>

#include "../host/message.h"

/* Address of the driver's part of the arena, and its descriptors (which stay the driver's). -ENXIO: no such NIC port. */
int nic_describe(uint32_t port_id, uint64_t *shared, struct message_fds *fds);

struct port;
/* For people: how this port reaches its interface, and why. */
void nic_mode(const struct port *p, char *buf, size_t size);

#endif /* NETMAPD_NIC_H */
