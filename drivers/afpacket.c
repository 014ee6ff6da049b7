/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_PACKET, control side: one receiving and one transmitting socket per queue, each with its ring. They
 * are two because only then can the receiving ring be of version 3 (blocks of frames of any length) and
 * the transmitting one of version 2, and so that a process that only receives does not map the other. Frames
 * longer than the transmit ring was made for, since the MTU grew, leave by the receiving socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "../engine/vnet_hdr.h"
#include "afpacket.h"
#include "error.h"
#include "ethtool.h"
#include "netns.h"

/* A block takes one frame of 64 KiB, or many small ones; a quiet link uses up one block per RX_TIMEOUT_MS. */
#define RX_BLOCK_SIZE		(128u << 10)
#define RX_BYTES_DEFAULT	(8u << 20)
#define RX_TIMEOUT_MS		1
#define TX_BLOCK_SIZE		(64u << 10)
#define TX_BYTES_DEFAULT	(1u << 20)
#define TX_FRAME_MIN		2048u
#define TX_FRAMES_MIN		16u
#define RING_BYTES_MAX		(256u << 20)

_Static_assert(TX_DATA_OFFSET == TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), "where data starts");
_Static_assert(RX_BLOCK_SIZE > VNET_FRAME_MAX + 4096, "a frame that the engine segments fits a block");

/* One queue's sockets, and the geometry of their rings. */
struct afpacket_sockets {
	int rx_fd, tx_fd;		/* -1: none */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
};

/* driver_port.backend: info.queues of them. */
struct afpacket_queues {
	struct afpacket_sockets queue[DRIVER_QUEUES_MAX];
};

/* A socket option that is a 1 or another int; what names it in errors. */
struct option {
	int level, name, value;
	const char *step;
	const char *capability;
};

static int options_set(int fd, const struct option *o, unsigned n, const char *ifname,
		       struct driver_error *err)
{
	for (; n; n--, o++)
		if (setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)) < 0)
			return driver_fail_step(err, -errno, ifname, o->step, o->capability);
	return 0;
}

static int socket_make(const char *ifname, struct driver_error *err)
{
	int fd = netns_socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return driver_fail_step(err, -errno, ifname, "opening a packet socket", "CAP_NET_RAW");
	return fd;
}

static int socket_bind(int fd, const struct driver_info *info, uint16_t protocol, struct driver_error *err)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)info->ifindex,
	};

	if (bind(fd, (const struct sockaddr *)&sll, sizeof(sll)) < 0)
		return driver_fail_step(err, -errno, info->name, "binding a packet socket to it",
					"CAP_NET_RAW");
	return 0;
}

static int ring_fail(struct driver_error *err, int code, const char *ifname, const char *which,
		     uint32_t bytes)
{
	if (code != -ENOMEM)
		return driver_fail_step(err, code, ifname, which, "CAP_NET_RAW");
	return driver_fail(err, code,
			   "%s: %s: the kernel has no %u KiB of memory for it; ask for a smaller ring",
			   ifname, which, bytes >> 10);
}

static int rx_ring_make(int fd, const struct driver_info *info, uint32_t bytes, struct afpacket_sockets *s,
			struct driver_error *err)
{
	struct tpacket_req3 req = { .tp_block_size = RX_BLOCK_SIZE, .tp_frame_size = TX_FRAME_MIN,
				    .tp_retire_blk_tov = RX_TIMEOUT_MS };

	if (bytes > RING_BYTES_MAX)
		bytes = RING_BYTES_MAX;
	req.tp_block_nr = bytes / RX_BLOCK_SIZE;
	if (req.tp_block_nr < 2)
		req.tp_block_nr = 2;
	req.tp_frame_nr = req.tp_block_nr * (RX_BLOCK_SIZE / req.tp_frame_size);
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return ring_fail(err, -errno, info->name, "making its receive ring",
				 req.tp_block_nr * RX_BLOCK_SIZE);
	s->rx_block_size = RX_BLOCK_SIZE;
	s->rx_block_nr = req.tp_block_nr;
	return 0;
}

static int rx_socket_open(const struct driver_port *port, struct afpacket_sockets *s, struct driver_error *err)
{
	const struct driver_info *info = &port->info;
	const struct driver_params *params = &port->params;
	static const struct option options[] = {
		{ SOL_PACKET, PACKET_VERSION, TPACKET_V3, "asking for TPACKET_V3", "CAP_NET_RAW" },
		{ SOL_PACKET, PACKET_VNET_HDR, 1, "asking for virtio-net headers", "CAP_NET_RAW" },
		{ SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "ignoring outgoing frames", "CAP_NET_RAW" },
		/* What it sends is longer than the transmit ring was made for. */
		{ SOL_PACKET, PACKET_QDISC_BYPASS, 1, "going past its queueing discipline", "CAP_NET_RAW" },
	};
	struct packet_mreq promisc = { .mr_ifindex = (int)info->ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd, rc;

	fd = socket_make(info->name, err);
	if (fd < 0)
		return fd;
	rc = options_set(fd, options, sizeof(options) / sizeof(options[0]), info->name, err);
	if (rc)
		goto err_socket;
	rc = rx_ring_make(fd, info, params->rx_bytes ? params->rx_bytes : RX_BYTES_DEFAULT, s, err);
	if (rc)
		goto err_socket;
	if (!params->no_promisc &&
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0) {
		rc = driver_fail_step(err, -errno, info->name, "making it promiscuous", "CAP_NET_RAW");
		goto err_socket;
	}
	rc = socket_bind(fd, info, ETH_P_ALL, err);
	if (rc)
		goto err_socket;
	s->rx_fd = fd;
	return 0;

err_socket:
	close(fd);
	return rc;
}

/* Frames are powers of two, so that they never straddle a block. */
static int tx_ring_make(int fd, const struct driver_info *info, uint32_t bytes, struct afpacket_sockets *s,
			struct driver_error *err)
{
	uint32_t need = TX_DATA_OFFSET + VNET_HDR_LEN + ETH_HEADER + VLAN_TAGS_MAX * VLAN_TAG + info->mtu;
	struct tpacket_req req = { .tp_frame_size = TX_FRAME_MIN };

	if (need > RING_BYTES_MAX / TX_FRAMES_MIN)
		return driver_fail(err, -EOPNOTSUPP, "%s: its MTU of %u is too large", info->name, info->mtu);
	while (req.tp_frame_size < need)
		req.tp_frame_size *= 2;
	if (bytes < TX_FRAMES_MIN * req.tp_frame_size)
		bytes = TX_FRAMES_MIN * req.tp_frame_size;
	if (bytes > RING_BYTES_MAX)
		bytes = RING_BYTES_MAX;
	req.tp_block_size = req.tp_frame_size > TX_BLOCK_SIZE ? req.tp_frame_size : TX_BLOCK_SIZE;
	req.tp_block_nr = (bytes + req.tp_block_size - 1) / req.tp_block_size;
	req.tp_frame_nr = req.tp_block_nr * (req.tp_block_size / req.tp_frame_size);
	if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0)
		return ring_fail(err, -errno, info->name, "making its transmit ring",
				 req.tp_block_nr * req.tp_block_size);
	s->tx_frame_size = req.tp_frame_size;
	s->tx_frame_nr = req.tp_frame_nr;
	return 0;
}

/*
 * The virtio-net header in front of transmitted frames asks for no offload. It is there because the kernel then
 * leaves the judgement of lengths to us: without it, only one kind of VLAN tag may go beyond the MTU. And it tells how
 * much of a frame is to be copied.
 *
 * With PACKET_LOSS the slot of a frame that the kernel refuses comes back as that of one that was sent
 * (TP_STATUS_AVAILABLE, never WRONG_FORMAT), so such frames cannot be counted; without it one of them stops
 * the ring. Lengths are checked before the kernel gets a frame.
 */
static int tx_socket_open(const struct driver_info *info, const struct driver_params *params,
			  struct afpacket_sockets *s, struct driver_error *err)
{
	static const struct option options[] = {
		{ SOL_PACKET, PACKET_VERSION, TPACKET_V2, "asking for TPACKET_V2", "CAP_NET_RAW" },
		{ SOL_PACKET, PACKET_VNET_HDR, 1, "asking for virtio-net headers", "CAP_NET_RAW" },
		{ SOL_PACKET, PACKET_QDISC_BYPASS, 1, "going past its queueing discipline", "CAP_NET_RAW" },
		{ SOL_PACKET, PACKET_LOSS, 1, "skipping frames that it refuses", "CAP_NET_RAW" },
	};
	int sndbuf = 2 * TX_BYTES_DEFAULT, fd, rc;

	fd = socket_make(info->name, err);
	if (fd < 0)
		return fd;
	rc = options_set(fd, options, sizeof(options) / sizeof(options[0]), info->name, err);
	if (rc)
		goto err_socket;
	rc = tx_ring_make(fd, info, params->tx_bytes ? params->tx_bytes : TX_BYTES_DEFAULT, s, err);
	if (rc)
		goto err_socket;
	rc = socket_bind(fd, info, 0, err);
	if (rc)
		goto err_socket;
	/* A small buffer costs rate, no frame: not worth an error. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	s->tx_fd = fd;
	return 0;

err_socket:
	close(fd);
	return rc;
}

static void sockets_close(struct afpacket_sockets *s)
{
	if (s->rx_fd >= 0)
		close(s->rx_fd);
	if (s->tx_fd >= 0)
		close(s->tx_fd);
	s->rx_fd = s->tx_fd = -1;
}

static int sockets_open(const struct driver_port *port, struct afpacket_sockets *s, struct driver_error *err)
{
	int rc;

	s->rx_fd = s->tx_fd = -1;
	rc = tx_socket_open(&port->info, &port->params, s, err);
	if (rc)
		return rc;
	rc = rx_socket_open(port, s, err);
	if (rc)
		sockets_close(s);
	return rc;
}

/*
 * The queue whose socket must be the first of the group. Drivers note the receive queue, counted from 1, in
 * the field that the kernel takes modulo the number of sockets; in what comes out of a veth it is the far
 * end's transmit queue, from 0.
 */
static uint32_t fanout_first(struct driver_port *port)
{
	struct netlink_link link;

	if (netlink_link_get(&port->nl, NULL, port->info.ifindex, &link) == 0 && strcmp(link.kind, "veth") == 0)
		return 0;
	return port->info.queues - 1;
}

/* What an interface received goes to the socket of its receive queue. What a stack sent goes by its flow. */
static int fanout_join(struct driver_port *port, struct afpacket_queues *q, struct driver_error *err)
{
	uint32_t n = port->info.queues, mode = port->host ? PACKET_FANOUT_HASH : PACKET_FANOUT_QM;
	uint32_t first = fanout_first(port);
	int group = (int)((mode | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
	socklen_t len = sizeof(group);

	for (uint32_t i = 0; i < n; i++) {
		int fd = q->queue[(first + i) % n].rx_fd;

		if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) < 0 ||
		    (i == 0 && getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &len) < 0))
			return driver_fail_step(err, -errno, port->info.name, "sharing its frames among queues",
						"CAP_NET_RAW");
		group = (int)(((uint32_t)group & 0xffff) | mode << 16);
	}
	return 0;
}

/* As many as the interface has in use; what cannot be asked has one. */
static uint32_t queues_of(const struct driver_port *port)
{
	uint32_t rx = 1, tx = 1, n = port->params.queues;
	struct ethtool e;

	if (n == 0 && ethtool_open(&e, port->info.name) == 0) {
		if (ethtool_queues_get(&e, &rx, &tx) == 0)
			n = rx;
		ethtool_close(&e);
	}
	return n == 0 ? 1 : n < DRIVER_QUEUES_MAX ? n : DRIVER_QUEUES_MAX;
}

static int afpacket_open(struct driver_port *port, struct driver_error *err)
{
	struct driver_info *info = &port->info;
	struct afpacket_queues *q = calloc(1, sizeof(*q));
	uint32_t i;
	int rc = 0;

	if (!q)
		return driver_fail(err, -ENOMEM, "%s: no memory for its sockets", info->name);
	info->queues = queues_of(port);
	for (i = 0; i < info->queues; i++) {
		rc = sockets_open(port, &q->queue[i], err);
		if (rc)
			goto err_sockets;
	}
	if (info->queues > 1)
		rc = fanout_join(port, q, err);
	if (rc)
		goto err_sockets;
	port->backend = q;
	snprintf(info->mode, sizeof(info->mode), "af_packet");
	return 0;

err_sockets:
	while (i-- > 0)
		sockets_close(&q->queue[i]);
	free(q);
	return rc;
}

static void afpacket_close(struct driver_port *port)
{
	struct afpacket_queues *q = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++)
		sockets_close(&q->queue[i]);
	free(q);
	port->backend = NULL;
}

static void afpacket_share(const struct driver_port *port, struct driver_shared *sh)
{
	const struct afpacket_queues *queues = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++) {
		const struct afpacket_sockets *s = &queues->queue[i];
		struct driver_queue *q = &sh->queue[i];

		q->rx_block_size = s->rx_block_size;
		q->rx_block_nr = s->rx_block_nr;
		q->tx_frame_size = s->tx_frame_size;
		q->tx_frame_nr = s->tx_frame_nr;
		q->mark = port->mark;
	}
}

static void afpacket_fds(const struct driver_port *port, int *fds)
{
	const struct afpacket_queues *queues = port->backend;

	for (uint32_t i = 0; i < port->info.queues; i++) {
		fds[i * DRIVER_QUEUE_FDS] = queues->queue[i].rx_fd;
		fds[i * DRIVER_QUEUE_FDS + 1] = queues->queue[i].tx_fd;
	}
}

/* A filter costs time with every frame: there is none before host rings. It stays then, as some may still be on their way. */
static int afpacket_mark_ignore(const struct driver_port *port)
{
	const struct afpacket_queues *queues = port->backend;
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port->mark, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = { .len = sizeof(program) / sizeof(program[0]), .filter = program };

	for (uint32_t i = 0; i < port->info.queues; i++)
		if (setsockopt(queues->queue[i].rx_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
			return -errno;
	return 0;
}

const struct driver_ctl_ops afpacket_ctl_ops = {
	.kind = DRIVER_AFPACKET,
	.name = "afpacket",
	.open = afpacket_open,
	.close = afpacket_close,
	.share = afpacket_share,
	.mark_ignore = afpacket_mark_ignore,
	.fds = afpacket_fds,
};
