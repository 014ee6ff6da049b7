/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of a veth pair know each other by interface index and by the number that each one's network namespace
 * has for the other's. An index alone says nothing: namespaces count for themselves.
 */
#include <string.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "backend.h"
#include "netns.h"
#include "veth.h"

#define NSID_NONE	(-1)

static int nsid_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtgenmsg)) {
		if (mnl_attr_get_type(attr) == NETNSA_NSID && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			*(int32_t *)arg = (int32_t)mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

/* The number that the namespace of nl has for that of fd; NSID_NONE. */
static int32_t nsid_of(struct netlink *nl, int fd)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	int32_t id = NSID_NONE;

	nlh->nlmsg_type = RTM_GETNSID;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	gen->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)fd);
	return netlink_run(nl, nlh, nsid_cb, &id) == 0 ? id : NSID_NONE;
}

/* Is b the other end of a, as far as a's side tells? */
static bool leads_to(struct driver_port *a, const struct driver_port *b)
{
	struct netlink_link link;

	if (netlink_link_get(&a->nl, NULL, a->info.ifindex, &link) != 0 || strcmp(link.kind, "veth") != 0 ||
	    link.peer != b->info.ifindex)
		return false;
	if (link.peer_nsid == NSID_NONE)
		return netns_same(a->netns_fd, b->netns_fd);
	return nsid_of(&a->nl, b->netns_fd) == link.peer_nsid;
}

bool veth_are_peers(struct driver_port *a, struct driver_port *b)
{
	return leads_to(a, b) && leads_to(b, a);
}
