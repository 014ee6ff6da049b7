/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching the links of one network namespace. For a loop that is told by a descriptor: nothing here blocks,
 * except for requests to the kernel when it starts and after the kernel had to drop messages.
 */
#ifndef DRIVERS_LINK_WATCH_H
#define DRIVERS_LINK_WATCH_H

#include <stdint.h>

#include "netlink.h"

/* What changed. */
enum {
	LINK_ADDED = 1 << 0,
	LINK_REMOVED = 1 << 1,		/* deleted, or moved to another namespace */
	LINK_UP_DOWN = 1 << 2,		/* IFF_UP in flags */
	LINK_CARRIER = 1 << 3,		/* NETLINK_CARRIER in flags */
	LINK_MTU = 1 << 4,
	LINK_RENAMED = 1 << 5,
	LINK_QUEUES = 1 << 6,		/* in use: drivers that can change them say so */
	LINK_MAC = 1 << 7,
	LINK_XDP = 1 << 8,		/* another XDP program, or none */
	LINK_PROMISC = 1 << 9,		/* IFF_PROMISC in flags */
};

struct link_event {
	unsigned changed;
	const struct netlink_link *link;	/* as it is now; as it was, if removed */
	uint32_t rx_queues, tx_queues;		/* in use; 0: not known */
	char old_name[IFNAMSIZ];		/* LINK_RENAMED */
};

typedef void link_watch_callback(void *arg, const struct link_event *event);

struct link_watch;

/*
 * Watch the namespace of netns_fd (-1: the caller's own). What is there already is not reported. 0 or -errno:
 * -EPERM the namespace cannot be entered.
 */
int link_watch_open(int netns_fd, struct link_watch **out);
void link_watch_close(struct link_watch *w);

/* Readable when link_watch_read has something to do. */
int link_watch_fd(const struct link_watch *w);

/*
 * Report all that happened since. Several changes of a link may come as one event, and a link that came and
 * went as none. The callback must not close w. 0, or -errno if the kernel cannot be asked: call again later.
 */
int link_watch_read(struct link_watch *w, link_watch_callback *callback, void *arg);

#endif
