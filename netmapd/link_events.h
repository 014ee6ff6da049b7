/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to interfaces while they are open as ports: one watch for each network namespace that has such, in
 * netmapd's loop. All calls are the control thread's.
 */
#ifndef NETMAPD_LINK_EVENTS_H
#define NETMAPD_LINK_EVENTS_H

#include <stdint.h>

struct link_netns;
struct port;

/* Somebody who wants to know of one interface. Zeroed: of none. */
struct link_user {
	struct port *port;
	uint32_t ifindex;		/* 0: not known yet */
	unsigned changed;		/* LINK_*: to be told of */
	struct link_netns *netns;
	struct link_user *next;
};

/*
 * From now on changes in the namespace of netns_fd (-1: netmapd's own) are not missed; port and ifindex may be filled in until the loop goes on.
 * 0 or -errno.
 */
int link_events_join(struct link_user *u, int netns_fd);
/* Of one that never joined, or has left, nothing is done. */
void link_events_leave(struct link_user *u);

#endif /* NETMAPD_LINK_EVENTS_H */
