/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching the links of a network namespace, see link_watch.h.
 *
 * Two sockets listen: rtnetlink tells of links, and the ethtool family of changed channels, which the former
 * does not mention. A third one asks for everything: at the start, and when the kernel dropped messages
 * (ENOBUFS). A message from before the answer may be read after it and take the known state back for a
 * moment; those behind it put that right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>

#include "genetlink.h"
#include "link_watch.h"
#include "netns.h"

#define MESSAGE_MAX	32768
#define REQUEST_MAX	1024
#define DUMP_TRIES	8
/*
 * What a burst of changes may take before the kernel drops messages; granted without a privilege up to
 * rmem_max.
 */
#define SOCKET_BYTES	(1 << 20)

struct known {
	struct netlink_link link;
	uint32_t rx_queues, tx_queues;
	bool seen;			/* by the dump that is running */
};

struct link_watch {
	int epoll_fd;
	struct netlink links;		/* listens */
	struct netlink channels;	/* listens; closed where the kernel has no such family */
	struct netlink ask, ask_channels;
	struct genetlink_family ethtool;
	bool stale;			/* messages were lost */
	struct known *known;
	unsigned n, room;
	link_watch_callback *callback;	/* NULL while the first state is taken */
	void *arg;
};

/* --- what is known --- */

static struct known *known_find(struct link_watch *w, uint32_t ifindex)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->known[i].link.ifindex == ifindex)
			return &w->known[i];
	return NULL;
}

static struct known *known_add(struct link_watch *w, uint32_t ifindex)
{
	unsigned room = w->room ? 2 * w->room : 16;
	struct known *more;

	if (w->n == w->room) {
		more = realloc(w->known, room * sizeof(*more));
		if (!more)
			return NULL;
		w->known = more;
		w->room = room;
	}
	more = &w->known[w->n++];
	memset(more, 0, sizeof(*more));
	more->link.ifindex = ifindex;
	return more;
}

static void report(struct link_watch *w, const struct known *k, unsigned changed, const char *old_name)
{
	struct link_event event = {
		.changed = changed, .link = &k->link, .rx_queues = k->rx_queues, .tx_queues = k->tx_queues,
	};

	if (!changed || !w->callback)
		return;
	if (changed & LINK_RENAMED)
		memcpy(event.old_name, old_name, IFNAMSIZ);
	w->callback(w->arg, &event);
}

static void known_remove(struct link_watch *w, struct known *k)
{
	struct known gone = *k;

	*k = w->known[--w->n];
	report(w, &gone, LINK_REMOVED, NULL);
}

static unsigned difference(const struct netlink_link *a, const struct netlink_link *b)
{
	unsigned flags = a->flags ^ b->flags, changed = 0;

	if (flags & IFF_UP)
		changed |= LINK_UP_DOWN;
	if (flags & NETLINK_CARRIER)
		changed |= LINK_CARRIER;
	if (flags & IFF_PROMISC)
		changed |= LINK_PROMISC;
	if (a->mtu != b->mtu)
		changed |= LINK_MTU;
	if (strcmp(a->name, b->name) != 0)
		changed |= LINK_RENAMED;
	if (memcmp(a->mac, b->mac, sizeof(a->mac)) != 0)
		changed |= LINK_MAC;
	if (a->xdp_attached != b->xdp_attached || a->xdp_native_id != b->xdp_native_id ||
	    a->xdp_generic_id != b->xdp_generic_id || a->xdp_hardware_id != b->xdp_hardware_id)
		changed |= LINK_XDP;
	return changed;
}

static void link_take(struct link_watch *w, const struct netlink_link *link)
{
	struct known *k = known_find(w, link->ifindex);
	char old_name[IFNAMSIZ] = "";
	unsigned changed = LINK_ADDED;

	if (k) {
		changed = difference(&k->link, link);
		memcpy(old_name, k->link.name, IFNAMSIZ);
	} else {
		k = known_add(w, link->ifindex);
	}
	if (!k) {
		/* No memory: asked for again the next time. */
		w->stale = true;
		return;
	}
	k->link = *link;
	k->seen = true;
	report(w, k, changed, old_name);
}

/* --- messages --- */

static int link_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_watch *w = arg;
	const struct nlattr *attr;
	struct netlink_link link;
	struct known *k;

	/* Bridges tell about their ports in messages of another family. */
	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    ifi->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	/* An event of a radio, without the link's state. */
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
		if (mnl_attr_get_type(attr) == IFLA_WIRELESS)
			return MNL_CB_OK;
	netlink_link_parse(nlh, &link);
	if (nlh->nlmsg_type == RTM_NEWLINK) {
		link_take(w, &link);
		return MNL_CB_OK;
	}
	k = known_find(w, link.ifindex);
	if (k)
		known_remove(w, k);
	return MNL_CB_OK;
}

static uint32_t header_ifindex(const struct nlattr *header)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, header)
		if (mnl_attr_get_type(attr) == ETHTOOL_A_HEADER_DEV_INDEX &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			return mnl_attr_get_u32(attr);
	return 0;
}

/* A reply and a notice look the same. */
static int channels_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	uint32_t ifindex = 0, combined = 0, rx = 0, tx = 0;
	struct link_watch *w = arg;
	const struct nlattr *attr;
	struct known *k;

	if (genl->cmd != ETHTOOL_MSG_CHANNELS_GET_REPLY && genl->cmd != ETHTOOL_MSG_CHANNELS_NTF)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*genl)) {
		if (mnl_attr_get_type(attr) == ETHTOOL_A_CHANNELS_HEADER)
			ifindex = header_ifindex(attr);
		if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
			continue;
		if (mnl_attr_get_type(attr) == ETHTOOL_A_CHANNELS_COMBINED_COUNT)
			combined = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == ETHTOOL_A_CHANNELS_RX_COUNT)
			rx = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == ETHTOOL_A_CHANNELS_TX_COUNT)
			tx = mnl_attr_get_u32(attr);
	}
	k = known_find(w, ifindex);
	if (k && (k->rx_queues != combined + rx || k->tx_queues != combined + tx)) {
		k->rx_queues = combined + rx;
		k->tx_queues = combined + tx;
		report(w, k, LINK_QUEUES, NULL);
	}
	return MNL_CB_OK;
}

/* --- asking for everything --- */

static int channels_dump(struct link_watch *w)
{
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh;

	if (!w->ask_channels.sock)
		return 0;
	nlh = genetlink_request(buf, &w->ethtool, ETHTOOL_MSG_CHANNELS_GET, ETHTOOL_GENL_VERSION, NLM_F_DUMP);
	mnl_attr_nest_end(nlh, mnl_attr_nest_start(nlh, ETHTOOL_A_CHANNELS_HEADER));
	return netlink_run(&w->ask_channels, nlh, channels_cb, w);
}

static int resync(struct link_watch *w)
{
	int err = -EINTR;

	w->stale = false;
	for (unsigned i = 0; i < w->n; i++)
		w->known[i].seen = false;
	for (int tries = 0; tries < DUMP_TRIES && err == -EINTR; tries++)
		err = netlink_link_dump(&w->ask, link_cb, w);
	if (err == 0) {
		for (unsigned i = w->n; i-- > 0;)
			if (!w->known[i].seen)
				known_remove(w, &w->known[i]);
		err = channels_dump(w);
	}
	if (err)
		w->stale = true;
	return err;
}

/* --- reading --- */

static int socket_drain(struct link_watch *w, struct netlink *nl, mnl_cb_t cb)
{
	char buf[MESSAGE_MAX];
	ssize_t n;

	for (;;) {
		n = recv(netlink_fd(nl), buf, sizeof(buf), MSG_DONTWAIT);
		if (n >= 0) {
			/* Of any number, from any port. */
			mnl_cb_run(buf, (size_t)n, 0, 0, cb, w);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return 0;
		if (errno != ENOBUFS)
			return -errno;
		w->stale = true;
	}
}

int link_watch_read(struct link_watch *w, link_watch_callback *callback, void *arg)
{
	int err;

	w->callback = callback;
	w->arg = arg;
	err = socket_drain(w, &w->links, link_cb);
	if (err == 0 && w->channels.sock)
		err = socket_drain(w, &w->channels, channels_cb);
	if (err == 0 && w->stale)
		err = resync(w);
	w->callback = NULL;
	return err;
}

int link_watch_fd(const struct link_watch *w)
{
	return w->epoll_fd;
}

/* --- opening --- */

static int listen_to(struct link_watch *w, struct netlink *nl, uint32_t group)
{
	static const int bytes = SOCKET_BYTES;
	struct epoll_event event = { .events = EPOLLIN };

	setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, (void *)&group, sizeof(group)) < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, netlink_fd(nl), &event) < 0)
		return -errno;
	return 0;
}

/* Without it the numbers of queues are not known, and all else is. */
static void channels_open(struct link_watch *w)
{
	if (netlink_open_protocol(&w->ask_channels, NETLINK_GENERIC) < 0)
		return;
	if (genetlink_family_get(&w->ask_channels, ETHTOOL_GENL_NAME, ETHTOOL_MCGRP_MONITOR_NAME,
				 &w->ethtool) < 0 ||
	    w->ethtool.group == 0 || netlink_open_protocol(&w->channels, NETLINK_GENERIC) < 0)
		goto err_ask;
	if (listen_to(w, &w->channels, w->ethtool.group) < 0)
		goto err_channels;
	return;

err_channels:
	netlink_close(&w->channels);
err_ask:
	netlink_close(&w->ask_channels);
}

/* Runs in the namespace: sockets stay in theirs. */
static int watch_open(void *arg)
{
	struct link_watch *w = arg;
	int err = netlink_open(&w->links);

	if (err)
		return err;
	err = listen_to(w, &w->links, RTNLGRP_LINK);
	if (err)
		return err;
	err = netlink_open(&w->ask);
	if (err)
		return err;
	channels_open(w);
	return resync(w);
}

int link_watch_open(int netns_fd, struct link_watch **out)
{
	struct link_watch *w = calloc(1, sizeof(*w));
	int err, entered;

	if (!w)
		return -ENOMEM;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = w->epoll_fd < 0 ? -errno : netns_call(netns_fd, watch_open, w, &entered);
	if (err) {
		link_watch_close(w);
		return err;
	}
	*out = w;
	return 0;
}

void link_watch_close(struct link_watch *w)
{
	if (!w)
		return;
	netlink_close(&w->channels);
	netlink_close(&w->ask_channels);
	netlink_close(&w->ask);
	netlink_close(&w->links);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	free(w->known);
	free(w);
}
