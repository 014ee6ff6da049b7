/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_XDP driver: what its control side and its data side share. Private to drivers/.
 *
 * The UMEM of each queue's socket is [0, umem_bufs) of the buffers of the port's region: chunk i is buffer i with the
 * kernel's headroom in front, so a descriptor for a whole buffer points exactly at it. A chunk ends where the next one
 * begins, or after a page, which is the most that the kernel knows, and holds a frame, or part of one, of at most its
 * size less DRIVER_HEADROOM. Where the distance of the buffers is no chunk size of the kernel's, or the memory has no
 * headroom in front of buffer 0, the UMEM has unaligned chunks: the kernel takes whatever address it is given.
 *
 * Receiving, a slot and the kernel swap buffers. For each descriptor taken from the RX ring one buffer is put into the
 * FILL ring, so the producer of that is always `stock` ahead of the consumer of this; who died between the two
 * stores is found by that.
 *
 * Sending, a slot's buffer is the kernel's until it comes back on the COMPLETION ring. Whatever does not lie in the
 * UMEM, or is longer than a chunk, goes out by copy from a few buffers of the driver's own.
 */
#ifndef DRIVERS_AFXDP_H
#define DRIVERS_AFXDP_H

#include <linux/if_xdp.h>

#include "backend.h"

/* Newer than the oldest headers that this is built with. */
#ifndef XDP_USE_SG
#define XDP_USE_SG		(1 << 4)	/* Linux 6.6 */
#define XDP_PKT_CONTD		(1 << 0)
#endif

#define XSK_RING_MAX		16384u		/* entries */
#define XSK_COPY_BUFS		64u		/* own transmit buffers of a queue */
#define XSK_FRAME_DESCS		16u		/* of one sent frame: the kernel's limit is MAX_SKB_FRAGS + 1 */
#define XSK_FRAME_DESCS_ZC	8u		/* the least that zero-copy drivers with more than one can do */

/* driver_queue.xsk_flags */
enum {
	XSK_SG = 1 << 0,		/* frames in several descriptors */
	XSK_ZEROCOPY = 1 << 1,
	XSK_BUSY_POLL = 1 << 2,
	XSK_UNALIGNED = 1 << 3,		/* the offset in a chunk stands in the high bits of received addresses */
};

/* What became of the transmit descriptor at this place in the ring. Written before the producer index that covers it. */
struct xsk_tx_entry {
	uint16_t start, end;		/* slots of its frame, or its own slot: [start, end) */
	uint32_t copies;		/* own buffers given to the kernel so far, this one with them; XSK_TX_DONE */
};

#define XSK_TX_DONE	(1u << 31)	/* completed before one that was sent earlier */

/*
 * Further state of a queue, in shared memory. Behind it: tx_size entries, then a bitmap of umem_bufs bits, in which a
 * bit is set for each buffer that the driver holds for receiving.
 */
struct xsk_state {
	uint64_t losses;		/* of the receive side, as they were counted last */

	uint64_t tx_mark __attribute__((aligned(128)));	/* at the start of the last sync: producer << 32 | slot */
	uint32_t tx_done;		/* place of the first descriptor that is not completed; counts like the ring's indexes */
	uint32_t copy_buf[XSK_COPY_BUFS];	/* constant */
} __attribute__((aligned(128)));

static inline struct xsk_tx_entry *xsk_tx_entries(struct xsk_state *st)
{
	return (void *)(st + 1);
}

static inline uint64_t *xsk_held(struct xsk_state *st, uint32_t tx_size)
{
	return (void *)(xsk_tx_entries(st) + tx_size);
}

static inline size_t xsk_state_size(uint32_t tx_size, uint32_t umem_bufs)
{
	return sizeof(struct xsk_state) + tx_size * sizeof(struct xsk_tx_entry) + (umem_bufs + 63) / 64 * 8;
}

static inline bool bit_test(const uint64_t *map, uint32_t i)
{
	return load_relaxed(&map[i / 64]) >> i % 64 & 1;
}

/* One writer. */
static inline void bit_put(uint64_t *map, uint32_t i, bool value)
{
	uint64_t word = load_relaxed(&map[i / 64]), bit = UINT64_C(1) << i % 64;

	store_relaxed(&map[i / 64], value ? word | bit : word & ~bit);
}

/* --- data side --- */

/* One ring as this process maps it. */
struct xsk_ring {
	uint32_t *producer, *consumer, *flags;
	void *entries;
	uint32_t size, mask;		/* entries, a power of two */
	void *base;			/* NULL: not mapped */
	size_t bytes;
};

/* One queue as this process maps it. Geometry is a checked private copy. */
struct afxdp_map {
	int fd, watch_fd;
	struct xsk_ring rx, tx, fill, comp;
	struct xsk_state *state;
	struct xsk_tx_entry *entry;
	uint64_t *held;
	uint32_t stock, flags;
	uint32_t umem_bufs;
	uint32_t buf_size;		/* bytes from one buffer to the next */
	uint32_t chunk_size;		/* bytes */
	uint32_t first;			/* address of buffer 0 in the UMEM: DRIVER_HEADROOM or 0 */
	uint64_t inverse;		/* 2^32 / buf_size, rounded up */
	uint32_t part_max;		/* bytes of a frame that a chunk can hold */
	uint32_t descs_max;		/* of one sent frame */
	uint32_t copy_buf[XSK_COPY_BUFS];
	int64_t link_asked;		/* for moment_passed */
};

/* The most that a chunk can have: a page, and the least on machines with larger ones. */
#define XSK_CHUNK_MAX	4096u
#define XSK_CHUNK_MIN	2048u

static inline uint32_t xsk_chunk_size(uint32_t buf_size)
{
	return buf_size < XSK_CHUNK_MAX ? buf_size : XSK_CHUNK_MAX;
}

/* Address of a buffer's chunk in the UMEM; buffers of slots begin with number 2. */
static inline uint64_t xsk_chunk_addr(const struct afxdp_map *m, uint32_t buf)
{
	return (uint64_t)buf * m->buf_size + m->first - DRIVER_HEADROOM;
}

/* The buffer whose chunk is at this address; 0: none. */
static inline uint32_t xsk_chunk_buf(const struct afxdp_map *m, uint64_t addr)
{
	uint64_t at = addr + DRIVER_HEADROOM - m->first, buf;

	/* A multiple of buf_size below 2^32 is divided exactly. */
	buf = at <= UINT32_MAX ? at * m->inverse >> 32 : 0;
	return buf - 2 < m->umem_bufs - 2 && buf * m->buf_size == at ? (uint32_t)buf : 0;
}

/* A received address: where its chunk is, and how far into that the data begin. */
static inline uint64_t xsk_addr_chunk(const struct afxdp_map *m, uint64_t addr)
{
	return m->flags & XSK_UNALIGNED ? addr & XSK_UNALIGNED_BUF_ADDR_MASK : addr & ~(uint64_t)(m->chunk_size - 1);
}

static inline uint32_t xsk_addr_offset(const struct afxdp_map *m, uint64_t addr)
{
	return m->flags & XSK_UNALIGNED ? (uint32_t)(addr >> XSK_UNALIGNED_BUF_OFFSET_SHIFT) : (uint32_t)addr & (m->chunk_size - 1);
}

enum xsk_ring_id { XSK_RX, XSK_TX, XSK_FILL, XSK_COMP };

/* Map a ring of `size` entries. -EBUSY: this kernel does not let one map rings of a bound socket. */
int xsk_ring_map(int fd, enum xsk_ring_id id, uint32_t size, struct xsk_ring *ring);
void xsk_ring_unmap(struct xsk_ring *ring);

int afxdp_txsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);
int afxdp_rxsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r);

/* Asks the socket to receive, and how its interface is: 0, -ENETDOWN or -ENXIO. */
int afxdp_receive_kick(const struct afxdp_map *m);

/* --- control side --- */

struct bpf_object;

/* afxdp_program.c: the XDP program on an interface. */
struct afxdp_program {
	struct bpf_object *object;
	int link_fd, map_fd;		/* -1: none */
};

/*
 * Load the program and attach it; it goes away with link_fd. Where it runs on a veth in native mode it finishes what
 * the far end left unfinished; a kernel where that cannot be (before 6.3) is an error. Runs in the interface's namespace.
 */
int afxdp_program_attach(struct afxdp_program *p, struct driver_port *port, const struct netlink_link *link,
			 bool generic, struct driver_error *err);
int afxdp_program_set(const struct afxdp_program *p, uint32_t queue, int xsk_fd);
void afxdp_program_detach(struct afxdp_program *p);

/* afxdp_mode.c: which way an interface is driven. */
struct afxdp_attempt {
	/* Both undo what they did when they fail. */
	int (*attach)(void *arg, bool generic, struct driver_error *err);
	int (*bind)(void *arg, bool zerocopy, struct driver_error *err);
	void (*detach)(void *arg);
};

/*
 * Find the best mode that works, or try the one that is wished for. `generic`: that mode is good enough to be chosen
 * without a wish. *mode: what it is now. err: what is in the way of better ones, empty if nothing; on failure, of all.
 */
int afxdp_mode_choose(const struct afxdp_attempt *ops, void *arg, enum driver_xdp_mode wish, bool generic,
		      enum driver_xdp_mode *mode, struct driver_error *err);

#endif
