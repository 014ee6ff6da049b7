/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping an interface's frames from the host's stack: a drop at tc ingress, which lies behind the packet
 * taps. It goes away with the process that made it, however that one ends.
 */
#ifndef DRIVERS_INGRESS_DROP_H
#define DRIVERS_INGRESS_DROP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "driver.h"
#include "netlink.h"

struct ingress_drop {
	enum driver_ingress mode;	/* what is installed; INGRESS_NONE: nothing */
	int link_fd;			/* TCX: the link, -1 if none */
	/* clsact */
	struct netlink nl;		/* in the interface's namespace */
	uint32_t ifindex;
	uint32_t handle;
	uint16_t prio;
	bool qdisc_ours;
	pid_t guardian;
	int guardian_fd;		/* a byte tells the guardian to leave, its end that we died */
};

/*
 * The calling thread is in the interface's namespace. Frames that carry `mark` (0: none) pass, and lose it: those that
 * host rings give to the stack.
 */
int ingress_drop_add(struct ingress_drop *d, enum driver_ingress mode, const char *ifname, uint32_t ifindex,
		     uint32_t mark, struct driver_error *err);

/* In any namespace. */
void ingress_drop_remove(struct ingress_drop *d);

#endif
