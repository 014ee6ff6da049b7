/* SPDX-License-Identifier: BSD-2-Clause */
/* Control side of the interface drivers: opening, closing and watching an interface. Contract in driver.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if_arp.h>

#include "afpacket.h"
#include "error.h"
#include "ingress_drop.h"
#include "netlink.h"
#include "netns.h"

struct driver_port {
	struct driver_info info;
	struct netlink nl;		/* in the interface's namespace */
	struct ingress_drop drop;
	struct afpacket_sockets queue[DRIVER_QUEUES_MAX];
};

struct open_job {
	struct driver_port *port;
	const char *ifname;
	const struct driver_params *params;
	struct driver_error *err;
};

static void info_update(struct driver_info *info, const struct netlink_link *link)
{
	info->ifindex = link->ifindex;
	info->mtu = link->mtu;
	info->flags = link->flags;
	memcpy(info->mac, link->mac, sizeof(info->mac));
}

static int link_check(const struct open_job *job, struct netlink_link *link)
{
	int rc = netlink_link_get(&job->port->nl, job->ifname, 0, link);

	if (rc == -ENODEV)
		return driver_fail(job->err, -ENXIO,
				   "%s: no such interface in the caller's network namespace", job->ifname);
	if (rc)
		return driver_fail_step(job->err, rc, job->ifname, "reading its state", "CAP_NET_ADMIN");
	if (link->type != ARPHRD_ETHER && link->type != ARPHRD_LOOPBACK)
		return driver_fail(job->err, -EOPNOTSUPP, "%s: not an Ethernet interface (link type %u)",
				   job->ifname, link->type);
	if (!(link->flags & IFF_UP))
		return driver_fail(job->err, -ENETDOWN, "%s: interface is down; ip link set dev %s up",
				   job->ifname, job->ifname);
	return 0;
}

/* Runs in the interface's namespace. */
static int port_open(void *arg)
{
	static const char *const ingress_names[] = {
		[INGRESS_TCX] = "tcx", [INGRESS_CLSACT] = "clsact", [INGRESS_NONE] = "none",
	};
	struct open_job *job = arg;
	struct driver_port *port = job->port;
	struct driver_info *info = &port->info;
	struct netlink_link link;
	int rc;

	rc = netlink_open(&port->nl);
	if (rc)
		return driver_fail_step(job->err, rc, job->ifname, "opening a netlink socket",
					"CAP_NET_ADMIN");
	rc = link_check(job, &link);
	if (rc)
		goto err_netlink;
	snprintf(info->name, sizeof(info->name), "%s", job->ifname);
	info_update(info, &link);
	info->queues = 1;
	info->kind = DRIVER_AFPACKET;
	rc = afpacket_open(info, job->params, &port->queue[0], job->err);
	if (rc)
		goto err_netlink;
	rc = ingress_drop_add(&port->drop, job->params->ingress, info->name, info->ifindex, job->err);
	if (rc)
		goto err_sockets;
	info->ingress = port->drop.mode;
	snprintf(info->mode, sizeof(info->mode), "af_packet, ingress drop: %s", ingress_names[info->ingress]);
	return 0;

err_sockets:
	afpacket_close(&port->queue[0]);
err_netlink:
	netlink_close(&port->nl);
	return rc;
}

int driver_open(int netns_fd, const char *ifname, const struct driver_params *params,
		struct driver_port **out, struct driver_error *err)
{
	static const struct driver_params defaults;
	struct open_job job = { .ifname = ifname, .params = params ? params : &defaults, .err = err };
	int rc, entered;

	job.port = calloc(1, sizeof(*job.port));
	if (!job.port)
		return driver_fail(err, -ENOMEM, "%s: no memory for its record", ifname);
	rc = netns_call(netns_fd, port_open, &job, &entered);
	if (!entered)
		driver_fail_step(err, rc, ifname, "entering the caller's network namespace", "CAP_SYS_ADMIN");
	if (rc) {
		free(job.port);
		return rc;
	}
	*out = job.port;
	return 0;
}

void driver_close(struct driver_port *port)
{
	if (!port)
		return;
	ingress_drop_remove(&port->drop);
	for (uint32_t i = 0; i < port->info.queues; i++)
		afpacket_close(&port->queue[i]);
	netlink_close(&port->nl);
	free(port);
}

const struct driver_info *driver_info(const struct driver_port *port)
{
	return &port->info;
}

void driver_share(const struct driver_port *port, struct driver_shared *sh)
{
	const struct afpacket_sockets *s = &port->queue[0];

	memset(sh, 0, sizeof(*sh));
	sh->kind = port->info.kind;
	sh->queues = port->info.queues;
	sh->ifindex = port->info.ifindex;
	sh->mtu = port->info.mtu;
	sh->rx_block_size = s->rx_block_size;
	sh->rx_block_nr = s->rx_block_nr;
	sh->tx_frame_size = s->tx_frame_size;
	sh->tx_frame_nr = s->tx_frame_nr;
}

unsigned driver_fds(const struct driver_port *port, int *fds, unsigned max)
{
	unsigned n = 0;

	if (max < port->info.queues * DRIVER_QUEUE_FDS)
		return 0;
	for (uint32_t i = 0; i < port->info.queues; i++) {
		fds[n++] = port->queue[i].rx_fd;
		fds[n++] = port->queue[i].tx_fd;
	}
	return n;
}

int driver_refresh(struct driver_port *port, struct driver_shared *sh)
{
	struct netlink_link link;
	int rc;

	rc = netlink_link_get(&port->nl, NULL, port->info.ifindex, &link);
	if (rc)
		return rc == -ENODEV ? -ENXIO : rc;
	info_update(&port->info, &link);
	__atomic_store_n(&sh->mtu, link.mtu, __ATOMIC_RELAXED);
	return 0;
}
