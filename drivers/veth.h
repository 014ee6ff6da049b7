/* SPDX-License-Identifier: BSD-2-Clause */
/* veth interfaces: which two belong together. */
#ifndef DRIVERS_VETH_H
#define DRIVERS_VETH_H

#include <stdbool.h>

struct driver_port;

/*
 * Are the two open interfaces the ends of one veth pair, in whatever network namespaces? Asks the kernel. False also
 * if that cannot be found out.
 */
bool veth_are_peers(struct driver_port *a, struct driver_port *b);

#endif
