/* SPDX-License-Identifier: BSD-2-Clause */
/* What each driver implements, and what its control side works on. Private to drivers/. */
#ifndef DRIVERS_BACKEND_H
#define DRIVERS_BACKEND_H

#include <stddef.h>
#include <time.h>

#include "driver.h"
#include "ingress_drop.h"
#include "netlink.h"
#include "state_file.h"

/* ---- data side: one queue, driven as driver.h says ---- */

struct driver_data_ops {
	size_t map_size;		/* bytes of the private state, which is zeroed before attach */
	bool completes;			/* txsync sets r->done; the others have copied what they took */
	/* fds: DRIVER_QUEUE_FDS descriptors, the caller's. Geometry in q is hostile: to be copied and checked. */
	int (*attach)(struct driver_shared *sh, struct driver_queue *q, const int *fds, void *map);
	void (*detach)(void *map);
	int (*txsync)(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);
	int (*rxsync)(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);
	/* *timeout_ms is -1 on entry. */
	unsigned (*pollfds)(void *map, struct driver_queue *q, short events, struct pollfd *pfds,
			    int *timeout_ms);
};

extern const struct driver_data_ops afpacket_data_ops, afxdp_data_ops, tap_data_ops;

/*
 * Has the coarse clock gone on, by a few milliseconds, since this was last asked with the same *last? For what takes a system
 * call, and need not be known sooner: programs look for packets millions of times a second.
 */
static inline bool moment_passed(int64_t *last)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	if (ns == *last)
		return false;
	*last = ns;
	return true;
}

/* ---- control side ---- */

struct driver_port;

struct driver_ctl_ops {
	enum driver_kind kind;
	const char *name;		/* as NETMAP_DRIVER has it */
	/*
	 * Runs in the interface's namespace. port->info has name, index, MTU, flags, MAC; port->params and
	 * port->nl are set. Opens what it needs, sets info.queues and writes its part of info.mode. On
	 * failure everything is as before, and err says why.
	 */
	int (*open)(struct driver_port *port, struct driver_error *err);
	void (*close)(struct driver_port *port);
	/* What a data side may use until its end; called after close. NULL: nothing. */
	void (*release)(struct driver_port *port);
	/* Fills its words of sh->queue[0 .. info.queues). */
	void (*share)(const struct driver_port *port, struct driver_shared *sh);
	/* Can it go on with what the interface is now? As driver_refresh says. NULL: always. */
	int (*refresh)(const struct driver_port *port);
	/*
	 * Frames with the port's mark are what its host rings give to the stack, and those with the even one beside it what they have
	 * from it: from now on they are not to be received. NULL: they do not come where the driver receives. 0 or -errno.
	 */
	int (*mark_ignore)(const struct driver_port *port);
	/* Writes info.queues * DRIVER_QUEUE_FDS descriptors. */
	void (*fds)(const struct driver_port *port, int *fds);
};

extern const struct driver_ctl_ops afpacket_ctl_ops, afxdp_ctl_ops, tap_ctl_ops;

struct driver_port {
	struct driver_info info;
	struct driver_params params;
	struct netlink nl;		/* in the interface's namespace */
	int netns_fd;			/* own descriptor of that namespace */
	int tap_fd;			/* of a TAP interface made for this port, until its driver has it; -1 */
	uint32_t mark;			/* of frames that the host rings give to the stack: odd; less one: that taps see, and the stack does not get */
	struct ingress_drop drop;
	struct state_file state;	/* offloads that are off meanwhile */
	bool state_held;
	const struct driver_ctl_ops *ops;
	void *backend;			/* the driver's own record */
	bool stopped;
	void *host;			/* host side: host_stack.c's record; NULL for an interface */
};

#endif
