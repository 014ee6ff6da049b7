/* SPDX-License-Identifier: BSD-2-Clause */
/* The netlink requests that the drivers need, see netlink.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "netlink.h"
#include "netns.h"

#define REQUEST_MAX	1024
#define REPLY_MAX	32768	/* what the kernel puts in one reply at most */

int netlink_open(struct netlink *nl)
{
	return netlink_open_protocol(nl, NETLINK_ROUTE);
}

int netlink_open_protocol(struct netlink *nl, int protocol)
{
	int fd = netns_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	nl->sock = mnl_socket_fdopen(fd);
	if (!nl->sock) {
		close(fd);
		return -errno;
	}
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

/*
 * The kernel has answered when the request is sent, and goes on with a long answer whenever some of it is taken. So nothing is waited for: whoever
 * lent the socket (netns.h) has it still, and can take answers from it, or have them dropped.
 */
static ssize_t answer_take(struct netlink *nl, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(netlink_fd(nl), buf, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EIO : -errno;
	return n == 0 ? -EIO : n;
}

int netlink_run(struct netlink *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	unsigned portid = mnl_socket_get_portid(nl->sock);
	char buf[REPLY_MAX];
	ssize_t n;
	int rc;

	nlh->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = answer_take(nl, buf, sizeof(buf));
		if (n < 0)
			return n;
		rc = mnl_cb_run(buf, n, nl->seq, portid, cb, arg);
		if (rc < 0 && errno != ESRCH)	/* ESRCH: late reply to an earlier request */
			return -errno;
	} while (rc != MNL_CB_STOP);
	return 0;
}

static void text_take(char *out, size_t size, const struct nlattr *attr)
{
	/* Not every kernel's string ends with a NUL. */
	snprintf(out, size, "%.*s", (int)mnl_attr_get_payload_len(attr),
		 (const char *)mnl_attr_get_payload(attr));
}

/* 0 if it is shorter than it should be. */
static uint32_t number_take(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

static void tun_parse(const struct nlattr *data, struct netlink_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data) {
		if (mnl_attr_get_type(attr) == IFLA_TUN_TYPE && mnl_attr_get_payload_len(attr) >= 1)
			link->tap = mnl_attr_get_u8(attr) == IFF_TAP;
		if (mnl_attr_get_type(attr) == IFLA_TUN_NUM_QUEUES)
			link->tun_queues = number_take(attr);
	}
}

static void linkinfo_parse(const struct nlattr *info, struct netlink_link *link)
{
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested(attr, info) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			text_take(link->kind, sizeof(link->kind), attr);
			break;
		case IFLA_INFO_SLAVE_KIND:
			text_take(link->port_of, sizeof(link->port_of), attr);
			break;
		case IFLA_INFO_DATA:
			data = attr;
			break;
		}
	}
	if (data && strcmp(link->kind, "tun") == 0)
		tun_parse(data, link);
}

static void xdp_parse(const struct nlattr *xdp, struct netlink_link *link)
{
	const struct nlattr *attr;
	uint32_t id = 0;

	link->xdp_attached = XDP_ATTACHED_NONE;
	link->xdp_native_id = link->xdp_generic_id = link->xdp_hardware_id = 0;
	mnl_attr_for_each_nested(attr, xdp) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_XDP_ATTACHED:
			link->xdp_attached = mnl_attr_get_payload_len(attr) >= 1 ? mnl_attr_get_u8(attr) : 0;
			break;
		case IFLA_XDP_PROG_ID:
			id = number_take(attr);
			break;
		case IFLA_XDP_DRV_PROG_ID:
			link->xdp_native_id = number_take(attr);
			break;
		case IFLA_XDP_SKB_PROG_ID:
			link->xdp_generic_id = number_take(attr);
			break;
		case IFLA_XDP_HW_PROG_ID:
			link->xdp_hardware_id = number_take(attr);
			break;
		}
	}
	if (link->xdp_attached == XDP_ATTACHED_DRV && !link->xdp_native_id)
		link->xdp_native_id = id;
	if (link->xdp_attached == XDP_ATTACHED_SKB && !link->xdp_generic_id)
		link->xdp_generic_id = id;
}

static void link_attr_take(const struct nlattr *attr, struct netlink_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		text_take(link->name, sizeof(link->name), attr);
		break;
	case IFLA_MTU:
		link->mtu = number_take(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_MASTER:
		link->master = number_take(attr);
		break;
	case IFLA_LINK:
		link->peer = number_take(attr);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_nsid = (int32_t)number_take(attr);
		break;
	case IFLA_NUM_RX_QUEUES:
		link->rx_queues = number_take(attr);
		break;
	case IFLA_NUM_TX_QUEUES:
		link->tx_queues = number_take(attr);
		break;
	case IFLA_LINKINFO:
		linkinfo_parse(attr, link);
		break;
	case IFLA_XDP:
		xdp_parse(attr, link);
		break;
	case IFLA_PARENT_DEV_NAME:
		text_take(link->device, sizeof(link->device), attr);
		break;
	}
}

void netlink_link_parse(const struct nlmsghdr *nlh, struct netlink_link *link)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	*link = (struct netlink_link){
		.ifindex = (uint32_t)ifi->ifi_index, .flags = ifi->ifi_flags, .type = ifi->ifi_type,
		.peer_nsid = -1,
	};
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
		link_attr_take(attr, link);
}

static int link_cb(const struct nlmsghdr *nlh, void *arg)
{
	netlink_link_parse(nlh, arg);
	return MNL_CB_OK;
}

int netlink_link_dump(struct netlink *nl, mnl_cb_t cb, void *arg)
{
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = request_init(buf, RTM_GETLINK, NLM_F_DUMP);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	return netlink_run(nl, nlh, cb, arg);
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
	return netlink_run(nl, nlh, link_cb, out);
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
	return netlink_run(nl, nlh, NULL, NULL);
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
	return netlink_run(nl, nlh, NULL, NULL);
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
		if (netlink_run(nl, nlh, count_cb, &count) < 0)
			return true;
	}
	return count > 0;
}
