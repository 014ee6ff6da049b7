/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The netlink requests that the drivers need. A socket stays in the network namespace where it was opened.
 * After netlink_open nothing here allocates or locks, so it can be used in a child of a threaded process.
 */
#ifndef DRIVERS_NETLINK_H
#define DRIVERS_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>
#include <libmnl/libmnl.h>

struct netlink {
	struct mnl_socket *sock;	/* NULL: closed */
	uint32_t seq;
};

/* In a link's flags: IFF_LOWER_UP, which is in a header that does not go with the C library's. */
#define NETLINK_CARRIER		(1u << 16)

#define NETLINK_KIND_MAX	16
#define NETLINK_DEVICE_MAX	32

/* What the kernel tells of a link. What it does not tell is zero or empty. */
struct netlink_link {
	uint32_t ifindex, mtu, flags;	/* IFF_*, NETLINK_CARRIER */
	uint16_t type;			/* ARPHRD_* */
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char kind[NETLINK_KIND_MAX];	/* "veth", "tun", "bridge" ...; empty: a device, or the loopback */
	char port_of[NETLINK_KIND_MAX];	/* kind of what this one is a port of: "bridge", "bond" ... */
	uint32_t master;		/* its ifindex */
	uint32_t peer;			/* ifindex of the other end (veth) or of what is below (macvlan ...) */
	int32_t peer_nsid;		/* its namespace, as this one numbers them; -1: this one */
	uint32_t rx_queues, tx_queues;	/* that there is room for; see ethtool_queues_get for those in use */
	bool tap;			/* kind "tun": with Ethernet headers */
	uint32_t tun_queues;		/* kind "tun": descriptors that hold it open now */
	uint8_t xdp_attached;		/* XDP_ATTACHED_*; the programs' ids: */
	uint32_t xdp_native_id, xdp_generic_id, xdp_hardware_id;
	char device[NETLINK_DEVICE_MAX];	/* on its bus: "0000:00:03.0", "virtio2"; Linux 5.14 */
};

int netlink_open(struct netlink *nl);

/* The same for NETLINK_GENERIC and others. */
int netlink_open_protocol(struct netlink *nl, int protocol);

void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

/*
 * Send a request, which may be a dump, and run cb (may be NULL) over the replies until the last one. The
 * number of nlh is set here. -EINTR: what a dump told may be a mixture of before and after a change. -EIO:
 * the answer is not there, which happens when somebody else has the socket, too (netns.h).
 */
int netlink_run(struct netlink *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);

/* Fills link with what nlh, an RTM_NEWLINK or RTM_DELLINK, says. */
void netlink_link_parse(const struct nlmsghdr *nlh, struct netlink_link *link);

/* Has cb called with a RTM_NEWLINK for each link of the namespace. */
int netlink_link_dump(struct netlink *nl, mnl_cb_t cb, void *arg);

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
