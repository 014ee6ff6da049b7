/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The netmap side of a device: ports for all threads, virtio-net header. Errors are printed where they
 * happen.
 */
#ifndef PKT_GEN_NETMAP_PORT_H
#define PKT_GEN_NETMAP_PORT_H

#include "device.h"

/*
 * Opens d->name: once with all its rings for one thread, else once for each thread with one ring (pair) each.
 * Returns 0 or -errno after a message.
 */
int netmap_ports_open(struct device *d, const struct options *o);
void netmap_ports_close(struct device *d);

/* Sets the vnet header's length if -H asks for one, and learns which one the port has. */
int netmap_vnet_setup(struct device *d, const struct options *o);

/* The rest of a line about the ports. */
void netmap_ports_describe(const struct device *d, const struct options *o);

#endif
