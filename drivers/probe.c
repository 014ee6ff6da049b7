/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding out about an interface, see probe.h. The system's part is in probe_system.c, XDP's in probe_xdp.c.
 */
#include <errno.h>
#include <string.h>
#include <net/if_arp.h>

#include "netns.h"
#include "probe.h"

static enum probe_kind kind_find(const struct netlink_link *link)
{
	static const struct {
		const char *name;
		enum probe_kind kind;
	} kinds[] = {
		{ "veth", PROBE_VETH }, { "bridge", PROBE_BRIDGE }, { "bond", PROBE_BOND }, { "team",
											     PROBE_BOND },
		{ "macvlan", PROBE_MACVLAN }, { "macvtap", PROBE_MACVLAN }, { "vlan", PROBE_VLAN },
	};

	if (link->type == ARPHRD_LOOPBACK)
		return PROBE_LOOPBACK;
	if (strcmp(link->kind, "tun") == 0)
		return link->tap ? PROBE_TAP : PROBE_TUN;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(link->kind, kinds[i].name) == 0)
			return kinds[i].kind;
	return link->kind[0] ? PROBE_VIRTUAL : PROBE_DEVICE;
}

static void ethtool_ask(struct probe *p)
{
	struct ethtool e;

	if (ethtool_open(&e, p->link.name) < 0)
		return;
	p->has_identity = ethtool_identity_get(&e, &p->identity) == 0;
	p->has_queues = ethtool_queues_get(&e, &p->rx_queues, &p->tx_queues) == 0;
	p->has_channels = ethtool_channels_get(&e, &p->channels) == 0;
	p->has_rings = ethtool_rings_get(&e, &p->rings) == 0;
	p->has_flow_control = ethtool_flow_control_get(&e, &p->flow_control) == 0;
	p->has_offloads = offloads_plan(&e, OFFLOADS_RX, &p->offloads, p->offloads_fixed,
					sizeof(p->offloads_fixed)) == 0;
	ethtool_close(&e);
}

/*
 * What the driver does not tell: a tap has a queue for each descriptor that holds it open, others have what
 * they have room for.
 */
static void queues_guess(struct probe *p)
{
	if (p->has_queues && p->rx_queues)
		return;
	p->rx_queues = p->link.tun_queues ? p->link.tun_queues : p->link.rx_queues;
	p->tx_queues = p->link.tun_queues ? p->link.tun_queues : p->link.tx_queues;
}

struct probe_job {
	const char *ifname;
	struct probe *p;
};

/* Runs in the namespace. */
static int probe_run(void *arg)
{
	struct probe_job *job = arg;
	struct probe *p = job->p;
	struct netlink nl;
	int err;

	probe_system(p);
	err = netlink_open(&nl);
	if (err)
		return err;
	err = netlink_link_get(&nl, job->ifname, 0, &p->link);
	netlink_close(&nl);
	/* The kernel knows other names too, and finds such as are too long to be one wrong. */
	if (err == -ENODEV || err == -EINVAL || err == -ERANGE)
		return 0;
	if (err)
		return err;
	p->exists = true;
	p->kind = kind_find(&p->link);
	ethtool_ask(p);
	queues_guess(p);
	probe_xdp(p);
	probe_irqs(p);
	return 0;
}

int probe_interface(int netns_fd, const char *ifname, struct probe *out)
{
	struct probe_job job = { .ifname = ifname, .p = out };
	int entered;

	memset(out, 0, sizeof(*out));
	return netns_call(netns_fd, probe_run, &job, &entered);
}
