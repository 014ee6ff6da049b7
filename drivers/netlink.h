/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rtnetlink requests that the drivers need. A socket stays in the network namespace where it was opened.
 * After netlink_open nothing here allocates or locks, so it can be used in a child of a threaded process.
 */
#ifndef DRIVERS_NETLINK_H
#define DRIVERS_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

struct netlink {
	struct mnl_socket *sock;	/* NULL: closed */
	uint32_t seq;
};

struct netlink_link {
	uint32_t ifindex, mtu, flags;
	uint16_t type;			/* ARPHRD_* */
	uint8_t mac[6];
};

int netlink_open(struct netlink *nl);
void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

/* By name, or by index if ifname is NULL. -ENODEV if there is none. */
int netlink_link_get(struct netlink *nl, const char *ifname, uint32_t ifindex, struct netlink_link *out);

/* The qdisc that holds ingress filters. add: -EEXIST if there is one already. */
int netlink_clsact_add(struct netlink *nl, uint32_t ifindex);
int netlink_clsact_del(struct netlink *nl, uint32_t ifindex);

/* An ingress filter at priority prio that drops every frame; handle tells it from others there. */
int netlink_drop_add(struct netlink *nl, uint32_t ifindex, uint16_t prio, uint32_t handle);
int netlink_drop_del(struct netlink *nl, uint32_t ifindex, uint16_t prio, uint32_t handle);

/* Does the clsact qdisc hold any filter? True if that cannot be found out. */
bool netlink_clsact_used(struct netlink *nl, uint32_t ifindex);

#endif
