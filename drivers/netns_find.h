/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a network namespace again. */
#ifndef DRIVERS_NETNS_FIND_H
#define DRIVERS_NETNS_FIND_H

#include <stdint.h>

/*
 * A descriptor of the namespace with this device and inode number, if a process that the caller may look at
 * is in it, or ip-netns(8) has a name for it. -ENOENT.
 */
int netns_find(uint64_t dev, uint64_t inode);

#endif
