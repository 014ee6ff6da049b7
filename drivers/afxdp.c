/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_XDP, control side: one socket per receive queue of the interface, since frames of a queue without one would be
 * lost. Each has a UMEM of its own over the same buffers, the lowest of the port's region. One packet socket, which
 * receives nothing, keeps the interface promiscuous and tells of its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "afxdp.h"
#include "error.h"
#include "ethtool.h"

#define RX_SIZE		2048u		/* entries, and buffers in the kernel's hands */
#define RX_SIZE_MANY	1024u		/* with more than FEW_QUEUES */
#define TX_SIZE		2048u
#define FEW_QUEUES	8u
#define QUEUE_SLOTS	2048u		/* that the rings of a queue usually have, both together */
#define UMEM_BUFS_MIN	16384u
#define SNDBUF		(4 << 20)	/* bytes of frames on their way out by copy */
#define BUSY_TRIES	40u		/* a queue is free some time after its last socket was closed */
#define BUSY_WAIT_US	5000u
#define FRAME_EXTRA	22u		/* Ethernet header and two tags */
#define ETH_P_NONE	0xffff		/* reserved: no frame has it */

/* Newer than the oldest headers that this is built with. */
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL	69
#define SO_BUSY_POLL_BUDGET	70
#endif
#define XDP_MAX_TX_SKB_BUDGET	9	/* Linux 6.17 */

#ifndef SOL_XDP
#define SOL_XDP		283
#endif
#ifndef AF_XDP
#define AF_XDP		44
#endif

struct afxdp_port {
	struct driver_port *port;
	struct netlink_link link;
	struct ethtool ethtool;
	struct afxdp_program program;
	uint32_t queues;
	uint32_t rx_size, stock;	/* of each queue */
	uint32_t umem_bufs, chunk_size, flags;
	bool unaligned;
	int watch_fd;			/* -1: none */
	int fd[DRIVER_QUEUES_MAX];	/* -1: none */
	uint32_t *bufs;			/* stock and copy buffers of all queues, as they were allocated */
	struct xsk_state *state[DRIVER_QUEUES_MAX];
};

static const struct driver_memory *memory_of(const struct afxdp_port *a)
{
	return a->port->params.memory;
}

static uint32_t bufs_of_queue(const struct afxdp_port *a)
{
	return a->stock + XSK_COPY_BUFS;
}

/* --- buffers and shared state --- */

static void bufs_free(struct afxdp_port *a)
{
	const struct driver_memory *mem = memory_of(a);

	for (uint32_t i = 0; a->bufs && i < a->queues * bufs_of_queue(a) && a->bufs[i]; i++)
		mem->buf_free(mem->arg, a->bufs[i]);
	free(a->bufs);
	a->bufs = NULL;
}

static void states_free(struct afxdp_port *a)
{
	const struct driver_memory *mem = memory_of(a);

	for (uint32_t q = 0; q < a->queues; q++)
		if (a->state[q])
			mem->shared_free(mem->arg, a->state[q], xsk_state_size(TX_SIZE, a->umem_bufs));
	memset(a->state, 0, sizeof(a->state));
}

/*
 * Since it was filled, the stock has been swapped with slots: what it is now stands in the bitmap, which is hostile.
 * As many as were taken are given back, 0 for those that cannot be told.
 */
static void stock_update(struct afxdp_port *a, uint32_t q)
{
	uint32_t *bufs = a->bufs + q * bufs_of_queue(a), n = 0;
	const uint64_t *held = xsk_held(a->state[q], TX_SIZE);

	for (uint32_t i = 2; i < a->umem_bufs && n < a->stock; i++)
		if (bit_test(held, i))
			bufs[n++] = i;
	for (; n < a->stock; n++)
		bufs[n] = 0;
}

static void bufs_return(struct afxdp_port *a)
{
	const struct driver_memory *mem = memory_of(a);

	for (uint32_t q = 0; q < a->queues; q++)
		stock_update(a, q);
	for (uint32_t i = 0; i < a->queues * bufs_of_queue(a); i++)
		mem->buf_free(mem->arg, a->bufs[i]);
	free(a->bufs);
	a->bufs = NULL;
}

/*
 * What is pinned cannot be swapped out, so not the whole region is, which has room for many ports; but twice of what
 * is used up to here, so that buffers can be exchanged with another interface without a copy.
 */
static uint32_t umem_choose(const struct afxdp_port *a, uint32_t highest)
{
	uint64_t need = 2 * ((uint64_t)highest + 1 + a->queues * QUEUE_SLOTS);

	if (need < UMEM_BUFS_MIN)
		need = UMEM_BUFS_MIN;
	return need < memory_of(a)->buf_total ? (uint32_t)need : memory_of(a)->buf_total;
}

static int bufs_alloc(struct afxdp_port *a, struct driver_error *err)
{
	const struct driver_memory *mem = memory_of(a);
	uint32_t n = a->queues * bufs_of_queue(a), highest = 0;

	if (mem->buf_left < n + a->queues * mem->ring_bufs)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: AF_XDP takes %u buffers for %u queues beside %u for rings, the memory region has %u "
				   "left; give it more, or use fewer queues (ethtool -L %s)", a->port->info.name, n, a->queues,
				   a->queues * mem->ring_bufs, mem->buf_left, a->port->info.name);
	a->bufs = calloc(n, sizeof(*a->bufs));
	if (!a->bufs)
		return driver_fail(err, -ENOMEM, "%s: no memory for its record", a->port->info.name);
	for (uint32_t i = 0; i < n; i++) {
		a->bufs[i] = mem->buf_alloc(mem->arg);
		if (!a->bufs[i]) {
			bufs_free(a);
			return driver_fail(err, -ENOMEM,
					   "%s: AF_XDP takes %u buffers for %u queues, the memory region has not as "
					   "many left; use fewer queues (ethtool -L %s)", a->port->info.name, n,
					   a->queues, a->port->info.name);
		}
		if (a->bufs[i] > highest)
			highest = a->bufs[i];
	}
	a->umem_bufs = umem_choose(a, highest);
	return 0;
}

static int states_alloc(struct afxdp_port *a, struct driver_error *err)
{
	const struct driver_memory *mem = memory_of(a);

	for (uint32_t q = 0; q < a->queues; q++) {
		const uint32_t *bufs = a->bufs + q * bufs_of_queue(a);
		struct xsk_state *st = mem->shared_alloc(mem->arg, xsk_state_size(TX_SIZE, a->umem_bufs));

		if (!st) {
			states_free(a);
			return driver_fail(err, -ENOMEM, "%s: no shared memory left for its queues",
					   a->port->info.name);
		}
		a->state[q] = st;
		for (uint32_t i = 0; i < a->stock; i++)
			bit_put(xsk_held(st, TX_SIZE), bufs[i], true);
		memcpy(st->copy_buf, bufs + a->stock, sizeof(st->copy_buf));
	}
	return 0;
}

/* --- sockets --- */

static int umem_fail(const struct afxdp_port *a, int code, struct driver_error *err)
{
	uint64_t need = (uint64_t)a->umem_bufs * memory_of(a)->buf_size * a->queues;
	const char *ifname = a->port->info.name;
	struct rlimit limit;

	if (code == -ENOBUFS && getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return driver_fail(err, code,
				   "%s: AF_XDP pins %llu KiB of memory, RLIMIT_MEMLOCK allows %llu KiB; raise it "
				   "(ulimit -l, LimitMEMLOCK= of systemd), or give netmapd CAP_IPC_LOCK", ifname,
				   (unsigned long long)need >> 10, (unsigned long long)limit.rlim_cur >> 10);
	return driver_fail_step(err, code, ifname, "registering its buffers with AF_XDP", "CAP_NET_RAW");
}

static int rings_make(const struct afxdp_port *a, int fd, struct driver_error *err)
{
	const struct driver_memory *mem = memory_of(a);
	const struct xdp_umem_reg reg = {
		.addr = (uintptr_t)mem->base,
		.len = (uint64_t)a->umem_bufs * mem->buf_size,
		.chunk_size = a->chunk_size,
		.flags = a->unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0,
	};
	const struct {
		int name;
		uint32_t size;
	} rings[] = {
		{ XDP_UMEM_FILL_RING, a->rx_size }, { XDP_UMEM_COMPLETION_RING, TX_SIZE },
		{ XDP_RX_RING, a->rx_size }, { XDP_TX_RING, TX_SIZE },
	};

	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return umem_fail(a, -errno, err);
	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		if (setsockopt(fd, SOL_XDP, rings[i].name, &rings[i].size, sizeof(rings[i].size)) < 0)
			return driver_fail_step(err, -errno, a->port->info.name, "making the rings of AF_XDP",
						"CAP_NET_RAW");
	return 0;
}

static int stock_fill(const struct afxdp_port *a, uint32_t q, int fd, struct driver_error *err)
{
	const uint32_t *bufs = a->bufs + q * bufs_of_queue(a);
	const struct driver_memory *mem = memory_of(a);
	struct xsk_ring fill;
	int rc = xsk_ring_map(fd, XSK_FILL, a->rx_size, &fill);

	if (rc)
		return driver_fail_step(err, rc, a->port->info.name, "mapping the rings of AF_XDP", "CAP_NET_RAW");
	for (uint32_t i = 0; i < a->stock; i++)
		((uint64_t *)fill.entries)[i] = (uint64_t)bufs[i] * mem->buf_size + mem->headroom - DRIVER_HEADROOM;
	store_release(fill.producer, a->stock);
	xsk_ring_unmap(&fill);
	return 0;
}

/* None of these is worth an error: they cost rate, no frame. */
static void socket_tune(struct afxdp_port *a, int fd)
{
	const char *wish = getenv("NETMAP_BUSY_POLL");
	int sndbuf = SNDBUF, one = 1, budget = 64, usec = wish ? atoi(wish) : 0;
	uint32_t batch = TX_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &batch, sizeof(batch));
	if (usec > 0 && setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &usec, sizeof(usec)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget)) == 0)
		a->flags |= XSK_BUSY_POLL;
}

static int socket_bind(const struct afxdp_port *a, uint32_t q, int fd, bool zerocopy)
{
	const struct sockaddr_xdp sxdp = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | (zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
					 (a->flags & XSK_SG ? XDP_USE_SG : 0)),
		.sxdp_ifindex = a->port->info.ifindex,
		.sxdp_queue_id = q,
	};

	for (unsigned i = 0; bind(fd, (const struct sockaddr *)&sxdp, sizeof(sxdp)) < 0; i++) {
		if (errno != EBUSY || i == BUSY_TRIES)
			return -errno;
		usleep(BUSY_WAIT_US);
	}
	return 0;
}

static int socket_open(struct afxdp_port *a, uint32_t q, bool zerocopy, struct driver_error *err)
{
	const char *ifname = a->port->info.name;
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return driver_fail_step(err, -errno, ifname, "opening an AF_XDP socket", "CAP_NET_RAW");
	rc = rings_make(a, fd, err);
	if (rc)
		goto err_socket;
	rc = stock_fill(a, q, fd, err);
	if (rc)
		goto err_socket;
	socket_tune(a, fd);
	rc = socket_bind(a, q, fd, zerocopy);
	if (rc == -EBUSY) {
		driver_fail(err, rc, "%s: queue %u is in use by another AF_XDP socket; stop that program", ifname, q);
		goto err_socket;
	}
	if (rc == -EOPNOTSUPP && zerocopy) {
		driver_fail(err, rc, "%s: its driver has none", ifname);
		goto err_socket;
	}
	if (rc) {
		driver_fail_step(err, rc, ifname, "binding an AF_XDP socket", "CAP_NET_RAW");
		goto err_socket;
	}
	rc = afxdp_program_set(&a->program, q, fd);
	if (rc) {
		driver_fail_step(err, rc, ifname, "giving the XDP program its sockets", "CAP_BPF");
		goto err_socket;
	}
	a->fd[q] = fd;
	return 0;

err_socket:
	close(fd);
	return rc;
}

static void sockets_close(struct afxdp_port *a)
{
	for (uint32_t q = 0; q < a->queues; q++) {
		if (a->fd[q] >= 0)
			close(a->fd[q]);
		a->fd[q] = -1;
	}
}

static int sockets_open(struct afxdp_port *a, bool zerocopy, struct driver_error *err)
{
	for (uint32_t q = 0; q < a->queues; q++) {
		int rc = socket_open(a, q, zerocopy, err);

		if (rc) {
			sockets_close(a);
			return rc;
		}
	}
	return 0;
}

/* --- the steps of afxdp_mode_choose --- */

static int attempt_attach(void *arg, bool generic, struct driver_error *err)
{
	struct afxdp_port *a = arg;

	return afxdp_program_attach(&a->program, a->port, &a->link, generic, err);
}

static void attempt_detach(void *arg)
{
	struct afxdp_port *a = arg;

	afxdp_program_detach(&a->program);
}

static int attempt_bind(void *arg, bool zerocopy, struct driver_error *err)
{
	struct afxdp_port *a = arg;
	const char *wish = getenv("NETMAP_XSK_SG");
	uint32_t part = a->chunk_size - DRIVER_HEADROOM;
	uint32_t longest = a->port->info.mtu + FRAME_EXTRA;
	int rc = -EINVAL;

	if (zerocopy && a->unaligned)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: devices take memory that was made for interfaces, with buffers of 2048 or 4096 bytes",
				   a->port->info.name);
	a->flags = (zerocopy ? XSK_ZEROCOPY : 0) | (a->unaligned ? XSK_UNALIGNED : 0);
	if (longest > part * (zerocopy ? XSK_FRAME_DESCS_ZC : XSK_FRAME_DESCS))
		return driver_fail(err, -EMSGSIZE, "%s: frames for its MTU of %u are too long for AF_XDP",
				   a->port->info.name, a->port->info.mtu);
	if (!wish || strcmp(wish, "no") != 0) {
		a->flags |= XSK_SG;
		rc = sockets_open(a, zerocopy, err);
	}
	/* A kernel that does not know the flag, or a driver that does not do it. */
	if (rc != -EINVAL && (rc != -EOPNOTSUPP || longest > part))
		return rc;
	if (longest > part)
		return driver_fail(err, -EMSGSIZE,
				   "%s: frames for its MTU of %u take several buffers, which this kernel or driver "
				   "does not do with AF_XDP (Linux 6.6 does); ip link set dev %s mtu %u",
				   a->port->info.name, a->port->info.mtu, a->port->info.name, part - FRAME_EXTRA);
	a->flags &= ~(uint32_t)XSK_SG;
	return sockets_open(a, zerocopy, err);
}

static const struct afxdp_attempt attempt = {
	.attach = attempt_attach,
	.bind = attempt_bind,
	.detach = attempt_detach,
};

/* --- opening --- */

/* The data side maps the rings of a socket that is bound. */
static int remap_check(const struct afxdp_port *a, struct driver_error *err)
{
	const char *wish = getenv("NETMAP_XSK_REMAP");
	struct xsk_ring fill;
	int rc = wish && strcmp(wish, "no") == 0 ? -EBUSY : xsk_ring_map(a->fd[0], XSK_FILL, a->rx_size, &fill);

	if (rc)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: this kernel does not let other processes map the rings of an AF_XDP socket "
				   "(Linux 6.4 does)", a->port->info.name);
	xsk_ring_unmap(&fill);
	return 0;
}

static int watch_open(struct afxdp_port *a, struct driver_error *err)
{
	static struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	static const struct sock_fprog filter = { .len = 1, .filter = &nothing };
	const struct driver_info *info = &a->port->info;
	struct packet_mreq promisc = { .mr_ifindex = (int)info->ifindex, .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_NONE), .sll_ifindex = (int)info->ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return driver_fail_step(err, -errno, info->name, "opening a packet socket", "CAP_NET_RAW");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    bind(fd, (const struct sockaddr *)&sll, sizeof(sll)) < 0 ||
	    (!a->port->params.no_promisc &&
	     setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0)) {
		rc = driver_fail_step(err, -errno, info->name, "watching it with a packet socket", "CAP_NET_RAW");
		close(fd);
		return rc;
	}
	a->watch_fd = fd;
	return 0;
}

/* What AF_XDP cannot do, or what another driver does better if there is no wish. */
static int interface_check(const struct afxdp_port *a, struct driver_error *err)
{
	const struct driver_memory *mem = memory_of(a);
	const struct driver_info *info = &a->port->info;
	bool wished = a->port->params.kind == DRIVER_AFXDP;

	if (!mem || !mem->buf_alloc)
		return driver_fail(err, -EOPNOTSUPP, "%s: the memory region was not made for AF_XDP", info->name);
	if (mem->buf_size < XSK_CHUNK_MIN)
		return driver_fail(err, -EOPNOTSUPP, "%s: the memory region's buffers of %u bytes are too small for AF_XDP, "
				   "which takes %u", info->name, mem->buf_size, XSK_CHUNK_MIN);
	if (!wished && (info->flags & IFF_LOOPBACK))
		return driver_fail(err, -EOPNOTSUPP, "%s: the loopback interface has no XDP of its own", info->name);
	if (!wished && strcmp(a->link.kind, "tun") == 0)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: what segmentation and checksums the other side of a tap interface leaves "
				   "undone would be lost with XDP", info->name);
	return 0;
}

static void chunks_choose(struct afxdp_port *a)
{
	const struct driver_memory *mem = memory_of(a);

	a->chunk_size = xsk_chunk_size(mem->buf_size);
	a->unaligned = mem->headroom != DRIVER_HEADROOM || a->chunk_size != mem->buf_size || (a->chunk_size & (a->chunk_size - 1)) != 0;
}

/* Numbers of queues in use, 0: its driver does not tell. */
static void queues_ask(const struct afxdp_port *a, uint32_t *rx, uint32_t *tx)
{
	if (a->ethtool.fd < 0 || ethtool_queues_get(&a->ethtool, rx, tx) < 0)
		*rx = *tx = 0;
}

/* Frames of all queues in use must have a socket. */
static int queues_find(struct afxdp_port *a, struct driver_error *err)
{
	const char *ifname = a->port->info.name;
	uint32_t rx, tx;

	if (ethtool_open(&a->ethtool, ifname) < 0)
		a->ethtool.fd = -1;
	queues_ask(a, &rx, &tx);
	if (rx == 0)
		rx = a->link.rx_queues ? a->link.rx_queues : 1;
	if (tx == 0)
		tx = rx;
	if (tx < rx)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: has %u receive and %u transmit queues, AF_XDP takes both by one socket; "
				   "ethtool -L %s", ifname, rx, tx, ifname);
	if (rx > DRIVER_QUEUES_MAX)
		return driver_fail(err, -EOPNOTSUPP, "%s: has %u receive queues, more than %u; ethtool -L %s", ifname,
				   rx, DRIVER_QUEUES_MAX, ifname);
	a->queues = rx;
	a->rx_size = a->stock = rx > FEW_QUEUES ? RX_SIZE_MANY : RX_SIZE;
	return 0;
}

/*
 * Generic XDP comes behind what merges frames and takes tags out, and sees only what is in them: good enough without a
 * wish where hardware is below, which finishes frames and can be told not to do the rest.
 */
static bool generic_good(const struct afxdp_port *a)
{
	return a->link.kind[0] == '\0' && strncmp(a->link.device, "virtio", 6) != 0;
}

static void mode_describe(const struct afxdp_port *a, enum driver_xdp_mode mode, const struct driver_error *said)
{
	static const char *const names[] = {
		[XDP_MODE_ZEROCOPY] = "zero-copy", [XDP_MODE_NATIVE] = "native copy", [XDP_MODE_GENERIC] = "generic",
	};
	struct driver_info *info = &a->port->info;
	size_t used;

	snprintf(info->mode, sizeof(info->mode), "af_xdp %s", names[mode]);
	used = strlen(info->mode);
	if (a->queues > 1)
		snprintf(info->mode + used, sizeof(info->mode) - used, ", %u queues", a->queues);
	if (mode == XDP_MODE_GENERIC && !generic_good(a))
		snprintf(info->reason, sizeof(info->reason), "generic was asked for; what the far end leaves undone, "
			 "checksums, segmentation and VLAN tags, stays undone");
	else
		snprintf(info->reason, sizeof(info->reason), "%.190s", said->text);
}

static int port_start(struct afxdp_port *a, struct driver_error *err)
{
	struct driver_error said = { "" };
	enum driver_xdp_mode mode;
	int rc;

	rc = bufs_alloc(a, err);
	if (rc)
		return rc;
	rc = states_alloc(a, err);
	if (rc)
		goto err_bufs;
	rc = watch_open(a, err);
	if (rc)
		goto err_states;
	rc = afxdp_mode_choose(&attempt, a, a->port->params.xdp_mode, generic_good(a), &mode, &said);
	if (rc) {
		driver_fail(err, rc, "%s", said.text);
		goto err_watch;
	}
	rc = remap_check(a, err);
	if (rc)
		goto err_mode;
	mode_describe(a, mode, &said);
	return 0;

err_mode:
	sockets_close(a);
	afxdp_program_detach(&a->program);
err_watch:
	close(a->watch_fd);
err_states:
	states_free(a);
err_bufs:
	bufs_free(a);
	return rc;
}

static int afxdp_open(struct driver_port *port, struct driver_error *err)
{
	struct afxdp_port *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return driver_fail(err, -ENOMEM, "%s: no memory for its record", port->info.name);
	a->port = port;
	a->watch_fd = a->ethtool.fd = -1;
	for (unsigned q = 0; q < DRIVER_QUEUES_MAX; q++)
		a->fd[q] = -1;
	rc = netlink_link_get(&port->nl, NULL, port->info.ifindex, &a->link);
	if (rc) {
		driver_fail_step(err, rc, port->info.name, "reading its state", "CAP_NET_ADMIN");
		goto err_record;
	}
	rc = interface_check(a, err);
	if (rc == 0)
		chunks_choose(a);
	if (rc == 0)
		rc = queues_find(a, err);
	if (rc == 0)
		rc = port_start(a, err);
	if (rc)
		goto err_record;
	port->backend = a;
	port->info.queues = a->queues;
	return 0;

err_record:
	ethtool_close(&a->ethtool);
	free(a);
	return rc;
}

/* Without the program nothing comes to the sockets any more, whoever still holds them. */
static void afxdp_close(struct driver_port *port)
{
	struct afxdp_port *a = port->backend;

	afxdp_program_detach(&a->program);
	sockets_close(a);
	close(a->watch_fd);
	ethtool_close(&a->ethtool);
}

static void afxdp_release(struct driver_port *port)
{
	struct afxdp_port *a = port->backend;

	bufs_return(a);
	states_free(a);
	free(a);
}

static void afxdp_share(const struct driver_port *port, struct driver_shared *sh)
{
	const struct afxdp_port *a = port->backend;

	for (uint32_t i = 0; i < a->queues; i++) {
		struct driver_queue *q = &sh->queue[i];

		q->xsk_rx_size = a->rx_size;
		q->xsk_tx_size = TX_SIZE;
		q->xsk_stock = a->stock;
		q->xsk_flags = a->flags;
		q->umem_bufs = a->umem_bufs;
		q->umem_buf_size = memory_of(a)->buf_size;
		q->umem_first = memory_of(a)->headroom;
		q->xsk_state = (uintptr_t)a->state[i];
	}
}

static void afxdp_fds(const struct driver_port *port, int *fds)
{
	const struct afxdp_port *a = port->backend;

	for (uint32_t i = 0; i < a->queues; i++) {
		fds[i * DRIVER_QUEUE_FDS] = a->fd[i];
		fds[i * DRIVER_QUEUE_FDS + 1] = a->watch_fd;
	}
}

/* Longer frames than buffers were set up for, or queues without a socket, would be lost. */
static int afxdp_refresh(const struct driver_port *port)
{
	const struct afxdp_port *a = port->backend;
	uint32_t part = a->chunk_size - DRIVER_HEADROOM, descs = 1, rx, tx;

	if (a->flags & XSK_SG)
		descs = a->flags & XSK_ZEROCOPY ? XSK_FRAME_DESCS_ZC : XSK_FRAME_DESCS;
	if (port->info.mtu + FRAME_EXTRA > part * descs)
		return -EMSGSIZE;
	queues_ask(a, &rx, &tx);
	return rx != 0 && (rx != a->queues || tx < rx) ? -ESTALE : 0;
}

const struct driver_ctl_ops afxdp_ctl_ops = {
	.kind = DRIVER_AFXDP,
	.name = "afxdp",
	.open = afxdp_open,
	.close = afxdp_close,
	.release = afxdp_release,
	.refresh = afxdp_refresh,
	.share = afxdp_share,
	.fds = afxdp_fds,
};
