/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface drivers, from netmapd's side: the engine's os_nic_* and what a client needs to drive the rings itself.
 */
#ifndef NETMAPD_NIC_H
#define NETMAPD_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "../host/message.h"
#include "../libnetmap/protocol.h"

/*
 * What a client needs of a port's driver, and its descriptors (which stay the driver's). host: of the side of its host rings. -ENXIO: no such NIC
 * port, or it has no host rings open.
 */
int nic_describe(uint32_t port_id, bool host, struct proto_nic_reply *r, struct message_fds *fds);

struct port;
/* Its interface has changed: LINK_* of link_watch.h. */
void nic_changed(struct port *p, unsigned changed);
/* For people: how this port reaches its interface, and why. */
void nic_mode(const struct port *p, char *buf, size_t size);

#endif /* NETMAPD_NIC_H */
