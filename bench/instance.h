/* SPDX-License-Identifier: BSD-2-Clause */
/* A netmapd of our own for one measurement, with the driver that the measurement is about. */
#ifndef BENCH_INSTANCE_H
#define BENCH_INSTANCE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bed.h"

#define INSTANCE_MODE_MAX	64

struct instance {
	pid_t pid;
	int err_fd;
	char dir[64];
	char socket[96];
	char *socket_before;	/* NETMAP_SOCKET as it was */
};

/*
 * Starts one and makes processes that are forked from now on use it.
 * driver: NETMAP_DRIVER for it, NULL: the best that there is. join: whether both ends of a veth pair may be
 * joined ring to ring. Returns 0 or -errno with the reason in bed->message.
 */
int instance_start(struct instance *in, struct bed *bed, const char *driver, bool join);
void instance_stop(struct instance *in);

/* The mode of one of its ports, as vale-ctl shows it. -ENOENT if there is no such port. */
int instance_port_mode(const char *name, char mode[INSTANCE_MODE_MAX]);

#endif
