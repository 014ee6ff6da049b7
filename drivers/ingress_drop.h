/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping an interface's frames from the host's stack: a drop at tc ingress, which lies behind the packet
 * taps. It goes away with the process that made it, however that one ends.
 */
#ifndef DRIVERS_INGRESS_DROP_H
#define DRIVERS_INGRESS_DROP_H

#include <stdint.h>

#include "driver.h"
#include "tc_hook.h"

struct ingress_drop {
	enum driver_ingress mode;	/* what is installed; INGRESS_NONE: nothing */
	struct tc_hook hook;
};

/*
 * The calling thread is in the interface's namespace. Frames that carry `mark` (0: none) pass, and lose it:
 * those that host rings give to the stack. A process that may not load programs (CAP_BPF) gets a drop of
 * all frames.
 */
int ingress_drop_add(struct ingress_drop *d, enum driver_ingress mode, const char *ifname, uint32_t ifindex,
		     uint32_t mark, struct driver_error *err);

/* In any namespace. */
void ingress_drop_remove(struct ingress_drop *d);

#endif
