/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare AF_XDP loop, see bare_nic.h. FROZEN.
 *
 * One socket on queue 0, a UMEM of its own with one chunk for each descriptor
 * of its ring, copy mode, need-wakeup. A sender needs no XDP program; a
 * receiver attaches one of five instructions that redirects every frame into
 * the socket, by a link that goes away with the process. All is done with
 * linux/if_xdp.h and bpf(2) alone.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bare_nic.h"

#define WAIT_MS		100

/* One ring between the kernel and this process. Entries are of desc or of addr. */
struct xdp_ring {
	uint32_t *producer, *consumer, *flags;	/* shared */
	union {
		struct xdp_desc *desc;		/* rx, tx */
		uint64_t *addr;			/* fill, completion */
	};
	uint32_t mask;
	uint32_t own;				/* our index: the one that the kernel reads */
	void *map;
	size_t map_size;
};

struct bare_nic {
	struct bare_nic_params p;
	int fd, map_fd, link_fd;		/* -1: none */
	char *umem;
	size_t umem_size;
	struct xdp_ring data;			/* rx or tx */
	struct xdp_ring pool;			/* fill or completion: where its chunks come from, or go to */
	uint32_t fresh;				/* tx: chunks that were never sent */
};

static int
bpf_call(int cmd, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

static int
xskmap_make(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_XSKMAP;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = 1;
	return bpf_call(BPF_MAP_CREATE, &attr);
}

static int
xskmap_set(int map_fd, int xsk_fd)
{
	const uint32_t queue = 0, value = (uint32_t)xsk_fd;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uintptr_t)&queue;
	attr.value = (uintptr_t)&value;
	return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}

/* return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS) */
static int
program_load(int map_fd)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map_fd },
		{ .code = 0 },	/* second half of the load */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"Dual BSD/GPL";
	return bpf_call(BPF_PROG_LOAD, &attr);
}

static int
program_attach(struct bare_nic *n, uint32_t ifindex)
{
	union bpf_attr attr;
	int prog;

	n->map_fd = xskmap_make();
	if (n->map_fd < 0)
		return n->map_fd;
	prog = program_load(n->map_fd);
	if (prog < 0)
		return prog;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = n->p.xdp_mode == BARE_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
	n->link_fd = bpf_call(BPF_LINK_CREATE, &attr);
	close(prog);
	return n->link_fd < 0 ? n->link_fd : 0;
}

static int
umem_make(struct bare_nic *n)
{
	struct xdp_umem_reg reg;

	n->umem_size = (size_t)n->p.slots * BARE_NIC_CHUNK;
	n->umem = mmap(NULL, n->umem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
	    -1, 0);
	if (n->umem == MAP_FAILED) {
		n->umem = NULL;
		return -errno;
	}
	memset(&reg, 0, sizeof(reg));
	reg.addr = (uintptr_t)n->umem;
	reg.len = n->umem_size;
	reg.chunk_size = BARE_NIC_CHUNK;
	return setsockopt(n->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) != 0 ? -errno : 0;
}

static int
ring_size_set(const struct bare_nic *n, int option)
{
	const int slots = (int)n->p.slots;

	return setsockopt(n->fd, SOL_XDP, option, &slots, sizeof(slots)) != 0 ? -errno : 0;
}

static int
ring_map(const struct bare_nic *n, struct xdp_ring *r, const struct xdp_ring_offset *off, size_t entry,
    uint64_t page_offset)
{
	r->map_size = off->desc + n->p.slots * entry;
	r->map = mmap(NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, n->fd,
	    (off_t)page_offset);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return -errno;
	}
	r->producer = (uint32_t *)((char *)r->map + off->producer);
	r->consumer = (uint32_t *)((char *)r->map + off->consumer);
	r->flags = (uint32_t *)((char *)r->map + off->flags);
	r->desc = (struct xdp_desc *)((char *)r->map + off->desc);
	r->mask = n->p.slots - 1;
	return 0;
}

/* The kernel wants fill and completion rings to be there even if they are not used. */
static int
rings_make(struct bare_nic *n)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	int ret = ring_size_set(n, XDP_UMEM_FILL_RING);

	if (ret == 0)
		ret = ring_size_set(n, XDP_UMEM_COMPLETION_RING);
	if (ret == 0)
		ret = ring_size_set(n, n->p.receive ? XDP_RX_RING : XDP_TX_RING);
	if (ret != 0)
		return ret;
	if (getsockopt(n->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) != 0)
		return -errno;
	if (n->p.receive) {
		ret = ring_map(n, &n->data, &off.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
		return ret != 0 ? ret :
		    ring_map(n, &n->pool, &off.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	}
	ret = ring_map(n, &n->data, &off.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	return ret != 0 ? ret :
	    ring_map(n, &n->pool, &off.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
}

static int
socket_bind(const struct bare_nic *n, uint32_t ifindex)
{
	const struct sockaddr_xdp sxdp = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_queue_id = 0,
		.sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};

	return bind(n->fd, (const struct sockaddr *)&sxdp, sizeof(sxdp)) != 0 ? -errno : 0;
}

/* All chunks to the kernel. */
static void
pool_fill(struct bare_nic *n)
{
	for (uint32_t i = 0; i < n->p.slots; i++)
		n->pool.addr[i] = (uint64_t)i * BARE_NIC_CHUNK;
	n->pool.own = n->p.slots;
	__atomic_store_n(n->pool.producer, n->pool.own, __ATOMIC_RELEASE);
}

static void
ring_unmap(struct xdp_ring *r)
{
	if (r->map != NULL)
		munmap(r->map, r->map_size);
}

static void
xdp_close(struct bare_nic *n)
{
	if (n->link_fd >= 0)
		close(n->link_fd);
	ring_unmap(&n->data);
	ring_unmap(&n->pool);
	if (n->fd >= 0)
		close(n->fd);
	if (n->map_fd >= 0)
		close(n->map_fd);
	if (n->umem != NULL)
		munmap(n->umem, n->umem_size);
	free(n);
}

static int
xdp_open_steps(struct bare_nic *n, const char **step)
{
	const uint32_t ifindex = if_nametoindex(n->p.ifname);
	int ret;

	*step = "finding the interface";
	if (ifindex == 0)
		return -errno;
	*step = "AF_XDP socket";
	n->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	*step = "UMEM";
	ret = umem_make(n);
	if (ret != 0)
		return ret;
	*step = "rings";
	ret = rings_make(n);
	if (ret != 0)
		return ret;
	*step = "binding to queue 0";
	if (n->p.receive)
		pool_fill(n);
	ret = socket_bind(n, ifindex);
	if (ret != 0 || !n->p.receive)
		return ret;
	*step = "attaching the XDP program";
	ret = program_attach(n, ifindex);
	return ret != 0 ? ret : xskmap_set(n->map_fd, n->fd);
}

static int
xdp_open(const struct bare_nic_params *p, struct bare_nic **out, const char **step)
{
	struct bare_nic *n = calloc(1, sizeof(*n));
	int ret;

	*step = "memory";
	if (n == NULL)
		return -ENOMEM;
	n->p = *p;
	n->fd = n->map_fd = n->link_fd = -1;
	ret = xdp_open_steps(n, step);
	if (ret != 0)
		xdp_close(n);
	else
		*out = n;
	return ret;
}

/* Puts up to a batch of frames into the tx ring; their chunks are new, or come from the completion ring. */
static uint32_t
frames_put(struct bare_nic *n)
{
	/* acquire: the kernel has read what it completes before it is written again */
	const uint32_t done = __atomic_load_n(n->pool.producer, __ATOMIC_ACQUIRE) - n->pool.own;
	const uint32_t room = n->p.slots - n->fresh + done;
	const uint32_t count = room < n->p.batch ? room : n->p.batch;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t addr = n->fresh < n->p.slots ? (uint64_t)n->fresh++ * BARE_NIC_CHUNK :
		    n->pool.addr[n->pool.own++ & n->pool.mask];

		memcpy(n->umem + addr, n->p.header, BARE_NIC_HEADER_LEN);
		n->data.desc[n->data.own++ & n->data.mask] = (struct xdp_desc){ .addr = addr, .len = n->p.len };
	}
	/* release: our reading of the completed addresses is over; frames and descriptors are seen first */
	__atomic_store_n(n->pool.consumer, n->pool.own, __ATOMIC_RELEASE);
	__atomic_store_n(n->data.producer, n->data.own, __ATOMIC_RELEASE);
	return count;
}

/* In copy mode the kernel sends some tens of frames a call; a busy device stops it earlier. */
static int
frames_kick(const struct bare_nic *n, const uint32_t *stop)
{
	while (__atomic_load_n(n->data.consumer, __ATOMIC_ACQUIRE) != n->data.own && !bare_nic_stopped(stop)) {
		if ((__atomic_load_n(n->data.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) == 0)
			break;
		if (sendto(n->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
		    errno != ENOBUFS)
			return -errno;
	}
	return 0;
}

static int
sender_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	int ret = 0;

	while (ret == 0 && !bare_nic_stopped(stop)) {
		uint32_t count = frames_put(n);

		ret = frames_kick(n, stop);
		bare_nic_count(packets, count);
	}
	return ret;
}

/* Takes up to a batch of frames and gives their chunks back at once. */
static uint32_t
frames_take(struct bare_nic *n, uint64_t *sum)
{
	/* acquire: descriptors and data are read after the index that covers them */
	uint32_t count = __atomic_load_n(n->data.producer, __ATOMIC_ACQUIRE) - n->data.own;
	uint64_t acc = 0;

	if (count > n->p.batch)
		count = n->p.batch;
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *d = &n->data.desc[n->data.own++ & n->data.mask];
		uint64_t word;

		memcpy(&word, n->umem + d->addr, sizeof(word));
		acc += word + d->len;
		/* the kernel finds the chunk that an address lies in */
		n->pool.addr[n->pool.own++ & n->pool.mask] = d->addr;
	}
	*sum += acc;
	if (count > 0) {
		/* release: our reading is over before the kernel writes there again */
		__atomic_store_n(n->data.consumer, n->data.own, __ATOMIC_RELEASE);
		__atomic_store_n(n->pool.producer, n->pool.own, __ATOMIC_RELEASE);
	}
	return count;
}

static void
receiver_wait(const struct bare_nic *n)
{
	struct pollfd pfd = { .fd = n->fd, .events = POLLIN };

	if (n->p.block)
		poll(&pfd, 1, WAIT_MS);
	else if ((__atomic_load_n(n->pool.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0)
		recvfrom(n->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	else
		bare_nic_relax();
}

static int
receiver_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	uint64_t sum = 0;

	while (!bare_nic_stopped(stop)) {
		uint32_t count = frames_take(n, &sum);

		if (count > 0)
			bare_nic_count(packets, count);
		else
			receiver_wait(n);
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
	return 0;
}

static int
xdp_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	return n->p.receive ? receiver_run(n, stop, packets) : sender_run(n, stop, packets);
}

const struct bare_nic_ops bare_xdp_ops = { .open = xdp_open, .run = xdp_run, .close = xdp_close };
