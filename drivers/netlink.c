/* SPDX-License-Identifier: BSD-2-Clause */
/* The rtnetlink requests that the drivers need, see netlink.h. */
#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <net/if.h>

#include "netlink.h"

#define REQUEST_MAX	1024
#define REPLY_MAX	32768	/* what the kernel puts in one reply at most */

int netlink_open(struct netlink *nl)
{
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->sock)
		return -errno;
	nl->seq = 0;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;

		netlink_close(nl);
		return err;
	}
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

static struct nlmsghdr *request_init(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return nlh;
}

/* Send a request and run cb over the replies until the last one. */
static int request_run(struct netlink *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	unsigned portid = mnl_socket_get_portid(nl->sock);
	char buf[REPLY_MAX];
	ssize_t n;
	int rc;

	nlh->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		rc = mnl_cb_run(buf, n, nl->seq, portid, cb, arg);
		if (rc < 0 && errno != ESRCH)	/* ESRCH: late reply to an earlier request */
			return -errno;
	} while (n < 0 || rc != MNL_CB_STOP);
	return 0;
}

static int link_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct netlink_link *out = arg;
	const struct nlattr *attr;

	out->ifindex = (uint32_t)ifi->ifi_index;
	out->flags = ifi->ifi_flags;
	out->type = ifi->ifi_type;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi)) {
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			out->mtu = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
			memcpy(out->mac, mnl_attr_get_payload(attr), 6);
	}
	return MNL_CB_OK;
}

int netlink_link_get(struct netlink *nl, const char *ifname, uint32_t ifindex, struct netlink_link *out)
{
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = request_init(buf, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	memset(out, 0, sizeof(*out));
	ifi->ifi_family = AF_UNSPEC;
	if (ifname) {
		if (strlen(ifname) >= IFNAMSIZ)
			return -ENODEV;
		mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	} else {
		ifi->ifi_index = (int)ifindex;
	}
	return request_run(nl, nlh, link_cb, out);
}

static struct tcmsg *tc_put(struct nlmsghdr *nlh, uint32_t ifindex, uint32_t handle, uint32_t parent)
{
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_handle = handle;
	tc->tcm_parent = parent;
	return tc;
}

static int clsact_request(struct netlink *nl, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = request_init(buf, type, NLM_F_ACK | flags);

	tc_put(nlh, ifindex, TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT);
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	return request_run(nl, nlh, NULL, NULL);
}

int netlink_clsact_add(struct netlink *nl, uint32_t ifindex)
{
	return clsact_request(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
}

int netlink_clsact_del(struct netlink *nl, uint32_t ifindex)
{
	return clsact_request(nl, RTM_DELQDISC, 0, ifindex);
}

/*
 * Classic BPF, which needs CAP_NET_ADMIN in the interface's namespace and no more: "return TC_ACT_SHOT", the
 * verdict taken as it is (direct action).
 */
static int drop_request(struct netlink *nl, uint16_t type, uint16_t flags, uint32_t ifindex, uint16_t prio,
			uint32_t handle)
{
	static const struct sock_filter program = { .code = BPF_RET | BPF_K, .k = TC_ACT_SHOT };
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = request_init(buf, type, NLM_F_ACK | flags);
	struct tcmsg *tc = tc_put(nlh, ifindex, handle, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
	struct nlattr *options;

	tc->tcm_info = TC_H_MAKE((uint32_t)prio << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	if (type == RTM_NEWTFILTER) {
		options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
		mnl_attr_put_u16(nlh, TCA_BPF_OPS_LEN, 1);
		mnl_attr_put(nlh, TCA_BPF_OPS, sizeof(program), &program);
		mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
		mnl_attr_nest_end(nlh, options);
	}
	return request_run(nl, nlh, NULL, NULL);
}

int netlink_drop_add(struct netlink *nl, uint32_t ifindex, uint16_t prio, uint32_t handle)
{
	return drop_request(nl, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, prio, handle);
}

int netlink_drop_del(struct netlink *nl, uint32_t ifindex, uint16_t prio, uint32_t handle)
{
	return drop_request(nl, RTM_DELTFILTER, 0, ifindex, prio, handle);
}

static int count_cb(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	++*(unsigned *)arg;
	return MNL_CB_OK;
}

bool netlink_clsact_used(struct netlink *nl, uint32_t ifindex)
{
	static const uint32_t sides[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh;
	unsigned count = 0;

	for (unsigned i = 0; i < 2; i++) {
		nlh = request_init(buf, RTM_GETTFILTER, NLM_F_DUMP);
		tc_put(nlh, ifindex, 0, TC_H_MAKE(TC_H_CLSACT, sides[i]));
		if (request_run(nl, nlh, count_cb, &count) < 0)
			return true;
	}
	return count > 0;
}
