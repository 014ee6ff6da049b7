/* SPDX-License-Identifier: BSD-2-Clause */
/* TAP, control side: attaching to an interface that is there, or making one. See tap.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "error.h"
#include "tap.h"

/* Newer than the oldest headers that this is built with: Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

/* What the stack may leave to be done. */
#define OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define OFFLOADS_UDP	(TUN_F_USO4 | TUN_F_USO6)

/* driver_port.backend */
struct tap_queues {
	int fd[DRIVER_QUEUES_MAX];
	struct tap_state *state[DRIVER_QUEUES_MAX];
};

static int tun_open(const char *ifname, struct driver_error *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return driver_fail(err, -EOPNOTSUPP, "%s: this kernel has no /dev/net/tun; modprobe tun", ifname);
	if (fd < 0)
		return driver_fail_step(err, -errno, ifname, "opening /dev/net/tun", "CAP_NET_ADMIN");
	return fd;
}

/* With several queues, or, where the interface was made for one, with that. 0 or -errno. */
static int tun_attach(int fd, const char *ifname, int more)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | more) };

	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return 0;
	if (errno != EINVAL || more)
		return -errno;
	ifr.ifr_flags &= ~IFF_MULTI_QUEUE;
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static int interface_up(const char *ifname)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		rc = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int tap_create(struct driver_port *port, const char *ifname, struct driver_error *err)
{
	struct netlink_link link;
	int fd, rc;

	if (ifname[0] == '\0' || strlen(ifname) >= IFNAMSIZ)
		return driver_fail(err, -ENXIO, "%s: not a name that an interface can have", ifname);
	if (netlink_link_get(&port->nl, ifname, 0, &link) != -ENODEV)
		return -EEXIST;
	fd = tun_open(ifname, err);
	if (fd < 0)
		return fd;
	rc = tun_attach(fd, ifname, IFF_TUN_EXCL);
	if (rc == 0)
		rc = interface_up(ifname);
	if (rc) {
		close(fd);
		return driver_fail_step(err, rc, ifname, "making a TAP interface", "CAP_NET_ADMIN");
	}
	return fd;
}

static int queue_setup(int fd, const char *ifname, struct driver_error *err)
{
	int size = VNET_HDR_LEN;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
		return driver_fail_step(err, -errno, ifname, "asking for virtio-net headers", "CAP_NET_ADMIN");
	/* Without offloads, or some of them, it is slower. */
	if (ioctl(fd, TUNSETOFFLOAD, OFFLOADS | OFFLOADS_UDP) < 0)
		ioctl(fd, TUNSETOFFLOAD, OFFLOADS);
	return 0;
}

static int queue_open(struct driver_port *port, struct driver_error *err)
{
	const char *ifname = port->info.name;
	int fd = port->tap_fd, rc = 0;

	port->tap_fd = -1;
	if (fd < 0) {
		fd = tun_open(ifname, err);
		if (fd < 0)
			return fd;
		rc = tun_attach(fd, ifname, 0);
		if (rc == -EBUSY)
			driver_fail(err, rc, "%s: another program holds the device behind it", ifname);
		else if (rc)
			driver_fail_step(err, rc, ifname, "attaching to it as its device", "CAP_NET_ADMIN");
	}
	if (rc == 0)
		rc = queue_setup(fd, ifname, err);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/* What of the interface was there before: is it one, and is it free? */
static int interface_check(struct driver_port *port, struct driver_error *err)
{
	struct netlink_link link;
	int rc = netlink_link_get(&port->nl, NULL, port->info.ifindex, &link);

	if (rc)
		return driver_fail_step(err, rc, port->info.name, "reading its state", "CAP_NET_ADMIN");
	if (!link.tap)
		return driver_fail(err, -EOPNOTSUPP, "%s: not a TAP interface, so there is no device behind it to be had",
				   port->info.name);
	if (port->tap_fd < 0 && link.tun_queues > 0)
		return driver_fail(err, -EBUSY, "%s: another program holds the device behind it; open the interface itself, "
				   "as netmap:%s", port->info.name, port->info.name);
	return 0;
}

static void queues_close(struct driver_port *port)
{
	struct tap_queues *q = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++) {
		/* A persistent interface stays, and its next holder starts without. */
		ioctl(q->fd[i], TUNSETOFFLOAD, 0);
		close(q->fd[i]);
		q->fd[i] = -1;
	}
}

static void states_free(struct driver_port *port)
{
	const struct driver_memory *mem = port->params.memory;
	struct tap_queues *q = port->backend;

	for (unsigned i = 0; i < DRIVER_QUEUES_MAX; i++)
		if (q->state[i])
			mem->shared_free(mem->arg, q->state[i], sizeof(struct tap_state));
	free(q);
	port->backend = NULL;
}

static int tap_open(struct driver_port *port, struct driver_error *err)
{
	const struct driver_memory *mem = port->params.memory;
	uint32_t wanted = port->params.queues ? port->params.queues : 1;
	struct driver_info *info = &port->info;
	struct tap_queues *q;
	int rc = interface_check(port, err);

	if (rc)
		return rc;
	q = calloc(1, sizeof(*q));
	if (!q || !mem || !mem->shared_alloc) {
		free(q);
		return driver_fail(err, -ENOMEM, "%s: no memory for its queues", info->name);
	}
	port->backend = q;
	for (info->queues = 0; info->queues < wanted && info->queues < DRIVER_QUEUES_MAX; info->queues++) {
		q->state[info->queues] = mem->shared_alloc(mem->arg, sizeof(struct tap_state));
		rc = q->state[info->queues] ? queue_open(port, err)
			: driver_fail(err, -ENOMEM, "%s: no shared memory for a queue", info->name);
		if (rc < 0)
			goto err_queues;
		q->fd[info->queues] = rc;
	}
	/* The stack is meant to have what the port sends. */
	port->params.ingress = INGRESS_NONE;
	snprintf(info->mode, sizeof(info->mode), "tap");
	return 0;

err_queues:
	queues_close(port);
	states_free(port);
	return rc;
}

static void tap_share(const struct driver_port *port, struct driver_shared *sh)
{
	const struct tap_queues *q = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++)
		sh->queue[i].tap_state = (uintptr_t)q->state[i];
}

static void tap_fds(const struct driver_port *port, int *fds)
{
	const struct tap_queues *q = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++)
		fds[i * DRIVER_QUEUE_FDS] = fds[i * DRIVER_QUEUE_FDS + 1] = q->fd[i];
}

const struct driver_ctl_ops tap_ctl_ops = {
	.kind = DRIVER_TAP,
	.name = "tap",
	.open = tap_open,
	.close = queues_close,
	.release = states_free,
	.share = tap_share,
	.fds = tap_fds,
};
