/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface drivers: packets between the rings of a NIC port and an OS network interface.
 *
 * Two sides. The control side (driver_open ... driver_close) runs in netmapd, which has the privileges:
 * it makes the sockets and changes what must be changed at the interface. The data side (driver_attach
 * ... driver_detach) runs in whatever process syncs: it maps the kernel's packet rings from the sockets'
 * descriptors and drives them. What must survive from one process to the next lies in struct
 * driver_shared, in memory that all of them map.
 *
 * One process at a time drives one direction of one queue: the caller sees to that (the ring's busy
 * flag). Any process may go on where another stopped. Nothing here blocks, except driver_open and
 * driver_close for the time of some requests to the kernel. Functions return 0 or -errno unless they say
 * otherwise.
 */
#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <net/if.h>

#include "../engine/nic.h"

#define DRIVER_QUEUES_MAX	32
#define DRIVER_QUEUE_FDS	2	/* descriptors of a queue: receive, transmit; may be one and the same */
#define DRIVER_FDS_MAX		(DRIVER_QUEUES_MAX * DRIVER_QUEUE_FDS)

enum driver_kind {
	DRIVER_NONE = 0,	/* as a wish: the best that the interface can do */
	DRIVER_AFPACKET,	/* packet sockets with mapped rings: any interface */
	DRIVER_AFXDP,		/* AF_XDP sockets on the ports' buffers */
	DRIVER_TAP,		/* the other side of a TAP interface */
	DRIVER_KINDS
};

/* How an AF_XDP port moves its frames; also a wish. */
enum driver_xdp_mode {
	XDP_MODE_BEST = 0,	/* the first of the following that works */
	XDP_MODE_ZEROCOPY,	/* the device reads and writes the port's buffers */
	XDP_MODE_NATIVE,	/* XDP in the interface's driver, one copy */
	XDP_MODE_GENERIC,	/* XDP in the kernel's receive path, one copy */
};

/* How frames are kept from the host's stack. */
enum driver_ingress {
	INGRESS_AUTO = 0,	/* NETMAP_INGRESS=tcx|clsact|none if set, else tcx, else clsact */
	INGRESS_TCX,		/* a TCX link: Linux 6.6 */
	INGRESS_CLSACT,		/* a clsact filter and a guardian process */
	INGRESS_NONE,		/* the host's stack gets all frames as well */
};

/*
 * Memory of the region that the port's buffers lie in, as netmapd maps it. Buffer i starts at
 * base + headroom + i * buf_size, and base is a multiple of the page size. AF_XDP puts received data DRIVER_HEADROOM
 * bytes into a chunk; with that as the headroom, and buffers of 2048 or 4096 bytes, chunks are aligned as all drivers
 * like it.
 */
struct driver_memory {
	char *base;
	uint32_t headroom;	/* DRIVER_HEADROOM or 0 */
	uint32_t buf_size;	/* bytes */
	uint32_t buf_total;	/* buffers 0 and 1 are nobody's */
	uint32_t buf_left;	/* so many are free when the port is opened, less those for its host rings ... */
	uint32_t ring_bufs;	/* ... and each queue's rings will take so many of them */
	/* A buffer for the driver's own stock; 0: there is none left. NULL: no AF_XDP. */
	uint32_t (*buf_alloc)(void *arg);
	/* One of them back, or another one for it. 0: it was lost in the port's rings. */
	void (*buf_free)(void *arg, uint32_t idx);
	/* Zeroed memory at the same address in all processes, for what driver_shared has no room for. NULL: there is none. */
	void *(*shared_alloc)(void *arg, size_t size);
	void (*shared_free)(void *arg, void *p, size_t size);
	void *arg;
};

#define DRIVER_HEADROOM	256u	/* XDP_PACKET_HEADROOM */

/* Zeroes give the defaults. */
struct driver_params {
	enum driver_kind kind;	/* wish; NETMAP_DRIVER=afxdp|afxdp-copy|afxdp-generic|afpacket|tap if 0 and set */
	enum driver_xdp_mode xdp_mode;
	enum driver_ingress ingress;
	uint32_t queues;	/* ring pairs wanted, where the driver can choose; 0: as many as the interface has */
	const struct driver_memory *memory;	/* of the port's region; must stay until driver_close */
	uint32_t rx_bytes;	/* packet memory of a queue's receive ring, default 8 MiB */
	uint32_t tx_bytes;	/* of its transmit ring, default 1 MiB */
	bool no_promisc;
	const char *state_dir;	/* for notes on what is changed at the interface, see state_file.h; NULL: none are made */
};

struct driver_error {
	char text[320];		/* interface, step, reason and remedy, no newline */
};

/*
 * State of one queue. In shared memory: every word is checked when it is loaded. What the drivers need
 * beyond the words in common lies in a part of each one's own.
 */
struct driver_queue {
	/* Constant while the port is open. */
	uint32_t kind;		/* enum driver_kind */
	/* AF_PACKET: geometry of the rings. */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
	uint32_t mark;		/* AF_PACKET: frames of this mark are those that host rings gave to the stack */
	/* AF_XDP: geometry; see afxdp.h. */
	uint32_t xsk_rx_size, xsk_tx_size;	/* entries; the fill ring is as large as the first, completion as the second */
	uint32_t xsk_stock;	/* buffers in the kernel's hands for receiving */
	uint32_t xsk_flags;
	uint32_t umem_bufs;	/* buffers [0, umem_bufs) are in the socket's UMEM */
	uint32_t umem_buf_size;	/* bytes */
	uint32_t umem_first;	/* bytes in front of buffer 0 in the UMEM */
	uint64_t xsk_state;	/* address in shared memory of the driver's further state of this queue */
	uint64_t tap_state;	/* TAP: the same */

	/* Receive side: written by whoever syncs the RX ring. */
	uint32_t rx_block __attribute__((aligned(128)));	/* block that is being read */
	uint32_t rx_offset;	/* of the next packet in it */
	uint32_t rx_left;	/* packets left in it, 0: it is still to be looked at */
	uint32_t rx_segment;	/* frames already made of the next packet */
	uint32_t rx_stats_due;	/* packets came since the kernel's drop counter was read */
	uint32_t rx_error;	/* errno of a dead link, 0 while it lives */

	/* Transmit side: written by whoever syncs the TX ring. */
	uint32_t tx_slot __attribute__((aligned(128)));	/* next one to fill */
	uint32_t tx_error;
	uint32_t tx_waits;	/* a frame that does not go through the ring waits for room in the device */
} __attribute__((aligned(128)));

/* What the data sides of all processes share. Filled by driver_share, no pointers. */
struct driver_shared {
	uint32_t queues;
	uint32_t ifindex;		/* in the interface's namespace */
	uint32_t mtu;			/* bytes; driver_refresh may change it at any time */
	uint32_t gone;			/* errno: the interface is gone or was changed so that the port must be opened anew */
	struct driver_queue queue[DRIVER_QUEUES_MAX];
};

/* What the control side knows of an interface. */
struct driver_info {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	uint32_t mtu;			/* bytes */
	uint32_t flags;			/* IFF_* */
	uint8_t mac[6];
	uint32_t queues;
	enum driver_kind kind;
	enum driver_ingress ingress;	/* what was installed */
	char mode[64];			/* for logs and vale-ctl: kind and ingress in words */
	char reason[192];		/* why not a better mode, in words; empty: it is the best one */
	uint32_t peer_ifindex;		/* veth: the other end, in its own namespace; else 0 */
	uint64_t peer_netns;		/* veth: inode of that namespace, 0 unknown */
	char notice[200];		/* what did not go well with its offloads, at driver_open or driver_stop */
};

struct driver_port;	/* control side */
struct driver_map;	/* data side */

/* ---- control side (netmapd) ---- */

/* In front of an interface's name: the device behind that TAP interface, which is made if it is not there. */
#define DRIVER_TAP_PREFIX	"tap:"

/*
 * Open an interface for packet I/O and keep its frames from the host's stack. netns_fd: descriptor of the
 * network namespace that the name belongs to, or -1 for the caller's own; only a helper thread enters it.
 * params may be NULL. On failure err->text says what is wrong and what helps, and everything is as
 * before: -ENXIO no such interface, -ENETDOWN it is down, -EOPNOTSUPP not an Ethernet interface or a
 * kernel that lacks something, -EPERM a capability is missing, others as the kernel gave them.
 */
int driver_open(int netns_fd, const char *ifname, const struct driver_params *params,
		struct driver_port **out, struct driver_error *err);

/*
 * Undo what driver_open did to the interface: it is the host's again. The sockets live on where other processes hold
 * them. What remains is what a data side may still use; driver_close gives that back.
 */
void driver_stop(struct driver_port *port);

/*
 * The end of a port, stopped or not: buffers and memory go back to params.memory. No data side may be inside a sync any
 * more, nor begin one. NULL is ignored.
 */
void driver_close(struct driver_port *port);

const struct driver_info *driver_info(const struct driver_port *port);

/* Write the initial shared state to sh. Must be done before any driver_attach to it. */
void driver_share(const struct driver_port *port, struct driver_shared *sh);

/*
 * The descriptors that a data side needs, in the order that driver_attach takes. They stay the port's.
 * Returns their number, 0 if max is too small or the port was stopped.
 */
unsigned driver_fds(const struct driver_port *port, int *fds, unsigned max);

/*
 * The host's side of an open interface: what the stack sends on it can be received from the new port, and what is sent to
 * the new port is received by the stack on that interface. `rings` queues, at least 1. The new port is
 * used like any other (driver_share, driver_fds ...) and closed before `nic`. While it is open nothing that
 * the stack sends reaches the wire by itself.
 */
int driver_host_open(struct driver_port *nic, unsigned rings, struct driver_port **out,
		     struct driver_error *err);

/*
 * Read MTU, flags and MAC again, into driver_info and sh. -ENXIO if the interface is gone. -EMSGSIZE (its MTU) or -ESTALE
 * (its queues): it was changed so that the port must be opened anew. Not for a port that was stopped.
 */
int driver_refresh(struct driver_port *port, struct driver_shared *sh);

/* ---- data side (any process) ---- */

/*
 * Map the packet rings. fds stay the caller's, who closes them after driver_detach, and sh must stay
 * mapped until then. -EINVAL if descriptors and shared state do not fit each other.
 */
int driver_attach(struct driver_shared *sh, const int *fds, unsigned nfds, struct driver_map **out);

void driver_detach(struct driver_map *map);

/*
 * Send slots [r->from, r->to). Frames leave as they are. r->from is advanced over the slots that were
 * taken; what stays behind is an incomplete NS_MOREFRAG chain, or waits for room in the kernel's ring. r->done is
 * advanced over the slots whose buffers nobody reads any more, r->from at most. To be called with r->from == r->to as
 * well, as long as that is behind.
 * Frames that cannot be sent (too short, longer than MTU + 14 + 4 per VLAN tag, bad slot, chain of more
 * than NETMAP_MAX_FRAGS) are taken and counted in r->drops. NS_BUF_CHANGED and NS_REPORT are cleared in
 * the slots taken. Returns 0, or -ENETDOWN or -ENXIO if the interface is down or gone; what was taken
 * before stays taken.
 */
int driver_txsync(struct driver_map *map, unsigned queue, struct nic_ring *r);

/*
 * Fill slots [r->from, r->to) with received frames, complete ones only, split over slots with NS_MOREFRAG
 * where they are longer than a buffer. VLAN tags are in the frames, checksums are finished, segmentation
 * is done. What does not fit stays for the next call, unless it would not fit an empty ring either:
 * counted in r->drops, as are frames that the kernel had no room for (DROP_DEVICE). A slot with a bad
 * buffer index comes out empty (length 0), counted. Slots may come back with other buffers than they had. r->ts_*: arrival of the newest packet, untouched if
 * none came. Returns 0, or -ENETDOWN or -ENXIO if the interface is down or gone and nothing is left to
 * read.
 */
int driver_rxsync(struct driver_map *map, unsigned queue, struct nic_ring *r);

/*
 * Descriptors to wait on for events (POLLIN and/or POLLOUT) of one queue, at most DRIVER_QUEUE_FDS.
 * Returns their number, 0 if max is too small. *timeout_ms: wait no longer than this before the next
 * driver_txsync, since frames are left that the device had no room for and nothing announces; -1 as long
 * as one likes. A descriptor that shows POLLERR: the next sync says why.
 */
unsigned driver_pollfds(struct driver_map *map, unsigned queue, short events, struct pollfd *pfds,
			unsigned max, int *timeout_ms);

#endif
