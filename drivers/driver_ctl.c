/* SPDX-License-Identifier: BSD-2-Clause */
/* Control side of the interface drivers: opening, closing and watching an interface. Contract in driver.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if_arp.h>

#include <unistd.h>
#include <fcntl.h>
#include <sys/random.h>

#include "backend.h"
#include "error.h"
#include "host_stack.h"
#include "netns.h"
#include "tap.h"

/* The best first. */
static const struct driver_ctl_ops *const backends[] = {
	&afxdp_ctl_ops,
	&afpacket_ctl_ops,
	&tap_ctl_ops,
};

#define BACKENDS	(sizeof(backends) / sizeof(backends[0]))

struct open_job {
	struct driver_port *port;
	const char *ifname;
	bool make_tap;			/* if there is no interface of that name */
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

static int foreign_fail(const char *ifname, struct driver_error *err)
{
	return driver_fail(err, -EOPNOTSUPP,
			   "%s: netmapd may not enter the program's network namespace, and works with packet sockets of the program's; "
			   "give it CAP_SYS_ADMIN, or run a netmapd of its own there", ifname);
}

/* Opens the first driver that will have the interface; what the better ones said is kept as the reason. */
static int backend_open(struct driver_port *port, struct driver_error *err)
{
	struct driver_error said = { "" };
	int rc = -EOPNOTSUPP;

	driver_fail(err, rc, "%s: there is no driver of the kind asked for", port->info.name);
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct driver_ctl_ops *ops = backends[i];

		if (port->params.kind != ops->kind && (port->params.kind != DRIVER_NONE || ops->kind == DRIVER_TAP))
			continue;
		/* Only packet sockets can be made by somebody else. */
		if (netns_foreign() && ops->kind != DRIVER_AFPACKET)
			rc = foreign_fail(port->info.name, &said);
		else
			rc = ops->open(port, &said);
		if (rc == 0) {
			port->ops = ops;
			port->info.kind = ops->kind;
			return 0;
		}
		if (err)
			*err = said;
		snprintf(port->info.reason, sizeof(port->info.reason), "%.190s", said.text);
	}
	return rc;
}

/* A wish in the environment holds where the program has none. */
static void params_complete(struct driver_params *params)
{
	static const struct {
		const char *name;
		enum driver_kind kind;
		enum driver_xdp_mode mode;
	} wishes[] = {
		{ "afxdp", DRIVER_AFXDP, XDP_MODE_BEST },
		{ "afxdp-zerocopy", DRIVER_AFXDP, XDP_MODE_ZEROCOPY },
		{ "afxdp-native", DRIVER_AFXDP, XDP_MODE_NATIVE },
		{ "afxdp-generic", DRIVER_AFXDP, XDP_MODE_GENERIC },
		{ "afpacket", DRIVER_AFPACKET, XDP_MODE_BEST },
		{ "tap", DRIVER_TAP, XDP_MODE_BEST },
	};
	const char *wish = getenv("NETMAP_DRIVER");

	if (params->kind != DRIVER_NONE || !wish)
		return;
	for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		if (strcmp(wish, wishes[i].name) != 0)
			continue;
		params->kind = wishes[i].kind;
		params->xdp_mode = wishes[i].mode;
	}
}

/*
 * Switches off what would spoil frames. An interface that does not allow it can be used all the same, and so can one
 * whose former state cannot be noted down.
 */
static void state_enter(struct driver_port *port)
{
	static const struct state_wish wish = { .offloads = OFFLOADS_RX };
	struct driver_info *info = &port->info;
	char text[sizeof(info->notice)];
	int rc;

	/* What the device behind a TAP interface sends is not touched by it. */
	if (port->params.kind == DRIVER_TAP)
		return;
	rc = state_file_enter(&port->state, port->params.state_dir, info->name, &wish, info->notice,
			      sizeof(info->notice));
	if (rc && port->params.state_dir)
		rc = state_file_enter(&port->state, NULL, info->name, &wish, text, sizeof(text));
	port->state_held = rc == 0;
}

static void state_leave(struct driver_port *port)
{
	if (port->state_held)
		state_file_leave(&port->state, port->info.notice, sizeof(port->info.notice));
	port->state_held = false;
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
	size_t used;
	int rc;

	port->netns_fd = netns_open();
	if (port->netns_fd < 0)
		return driver_fail(job->err, port->netns_fd, "%s: cannot name its network namespace: %s", job->ifname,
				   strerror(-port->netns_fd));
	rc = netlink_open(&port->nl);
	if (rc) {
		driver_fail_step(job->err, rc, job->ifname, "opening a netlink socket", "CAP_NET_ADMIN");
		goto err_netns;
	}
	if (job->make_tap && netns_foreign()) {
		rc = foreign_fail(job->ifname, job->err);
		goto err_netlink;
	}
	if (job->make_tap) {
		rc = tap_create(port, job->ifname, job->err);
		if (rc < 0 && rc != -EEXIST)
			goto err_netlink;
		port->tap_fd = rc;
	}
	rc = link_check(job, &link);
	if (rc)
		goto err_tap;
	/* Behind a TAP interface whose device nobody else is, there would be nobody. */
	if (port->params.kind == DRIVER_NONE && !netns_foreign() && tap_is_free(&link))
		port->params.kind = DRIVER_TAP;
	snprintf(info->name, sizeof(info->name), "%s", job->ifname);
	info_update(info, &link);
	state_enter(port);
	rc = backend_open(port, job->err);
	if (rc)
		goto err_state;
	rc = ingress_drop_add(&port->drop, port->params.ingress, info->name, info->ifindex, port->mark, job->err);
	if (rc)
		goto err_backend;
	info->ingress = port->drop.mode;
	used = strlen(info->mode);
	snprintf(info->mode + used, sizeof(info->mode) - used, ", ingress drop: %s", ingress_names[info->ingress]);
	return 0;

err_backend:
	port->ops->close(port);
	if (port->ops->release)
		port->ops->release(port);
err_state:
	state_leave(port);
err_tap:
	if (port->tap_fd >= 0)
		close(port->tap_fd);
err_netlink:
	netlink_close(&port->nl);
err_netns:
	close(port->netns_fd);
	return rc;
}

int driver_open(int netns_fd, const char *ifname, const struct driver_params *params,
		struct driver_port **out, struct driver_error *err)
{
	static const struct driver_params defaults;
	struct open_job job = { .ifname = ifname, .err = err };
	int rc, entered;

	job.port = calloc(1, sizeof(*job.port));
	if (!job.port)
		return driver_fail(err, -ENOMEM, "%s: no memory for its record", ifname);
	job.port->params = params ? *params : defaults;
	job.port->tap_fd = -1;
	if (strncmp(ifname, DRIVER_TAP_PREFIX, strlen(DRIVER_TAP_PREFIX)) == 0) {
		job.ifname += strlen(DRIVER_TAP_PREFIX);
		job.make_tap = true;
		job.port->params.kind = DRIVER_TAP;
	}
	params_complete(&job.port->params);
	do {
		if (getrandom(&job.port->mark, sizeof(job.port->mark), 0) < 0)
			job.port->mark = (uint32_t)getpid() << 8;
		job.port->mark |= 1;
	} while (job.port->mark == 1);
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

void driver_stop(struct driver_port *port)
{
	if (port->stopped)
		return;
	port->stopped = true;
	if (port->host)
		host_stack_close(port);
	ingress_drop_remove(&port->drop);
	port->ops->close(port);
	state_leave(port);
	netlink_close(&port->nl);
	close(port->netns_fd);
}

void driver_close(struct driver_port *port)
{
	if (!port)
		return;
	driver_stop(port);
	if (port->ops->release)
		port->ops->release(port);
	free(port);
}

const struct driver_info *driver_info(const struct driver_port *port)
{
	return &port->info;
}

void driver_share(const struct driver_port *port, struct driver_shared *sh)
{
	memset(sh, 0, sizeof(*sh));
	sh->queues = port->info.queues;
	sh->ifindex = port->info.ifindex;
	sh->mtu = port->info.mtu;
	for (uint32_t i = 0; i < sh->queues; i++)
		sh->queue[i].kind = port->info.kind;
	port->ops->share(port, sh);
}

unsigned driver_fds(const struct driver_port *port, int *fds, unsigned max)
{
	unsigned n = port->info.queues * DRIVER_QUEUE_FDS;

	if (max < n || port->stopped)
		return 0;
	port->ops->fds(port, fds);
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
	return port->ops->refresh ? port->ops->refresh(port) : 0;
}
