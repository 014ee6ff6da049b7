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
#include <stdint.h>
#include <poll.h>
#include <net/if.h>

#include "../engine/nic.h"

#define DRIVER_QUEUES_MAX	16
#define DRIVER_QUEUE_FDS	2	/* descriptors of a queue: receive, transmit */
#define DRIVER_FDS_MAX		(DRIVER_QUEUES_MAX * DRIVER_QUEUE_FDS)

enum driver_kind {
	DRIVER_NONE = 0,
	DRIVER_AFPACKET = 1,
};

/* How frames are kept from the host's stack. */
enum driver_ingress {
	INGRESS_AUTO = 0,	/* NETMAP_INGRESS=tcx|clsact|none if set, else tcx, else clsact */
	INGRESS_TCX,		/* a TCX link: Linux 6.6 */
	INGRESS_CLSACT,		/* a clsact filter and a guardian process */
	INGRESS_NONE,		/* the host's stack gets all frames as well */
};

/* Zeroes give the defaults. */
struct driver_params {
	enum driver_ingress ingress;
	uint32_t rx_bytes;	/* packet memory of a queue's receive ring, default 8 MiB */
	uint32_t tx_bytes;	/* of its transmit ring, default 1 MiB */
	bool no_promisc;
};

struct driver_error {
	char text[320];		/* interface, step, reason and remedy, no newline */
};

/* State of one queue. In shared memory: every word is checked when it is loaded. */
struct driver_queue {
	/* Receive side: written by whoever syncs the RX ring. */
	uint32_t rx_block;	/* block that is being read */
	uint32_t rx_offset;	/* of the next packet in it */
	uint32_t rx_left;	/* packets left in it, 0: it is still to be looked at */
	uint32_t rx_segment;	/* frames already made of the next packet */
	uint32_t rx_stats_due;	/* packets came since the kernel's drop counter was read */
	uint32_t rx_error;	/* errno of a dead link, 0 while it lives */

	/* Transmit side: written by whoever syncs the TX ring. */
	uint32_t tx_slot __attribute__((aligned(128)));	/* next one to fill */
	uint32_t tx_error;
} __attribute__((aligned(128)));

/* What the data sides of all processes share. Filled by driver_share, no pointers. */
struct driver_shared {
	uint32_t kind;			/* enum driver_kind */
	uint32_t queues;
	uint32_t ifindex;		/* in the interface's namespace */
	uint32_t mtu;			/* bytes; driver_refresh may change it at any time */
	uint32_t rx_block_size, rx_block_nr;
	uint32_t tx_frame_size, tx_frame_nr;
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
};

struct driver_port;	/* control side */
struct driver_map;	/* data side */

/* ---- control side (netmapd) ---- */

/*
 * Open an interface for packet I/O and keep its frames from the host's stack. netns_fd: descriptor of the
 * network namespace that the name belongs to, or -1 for the caller's own; only a helper thread enters it.
 * params may be NULL. On failure err->text says what is wrong and what helps, and everything is as
 * before: -ENXIO no such interface, -ENETDOWN it is down, -EOPNOTSUPP not an Ethernet interface or a
 * kernel that lacks something, -EPERM a capability is missing, others as the kernel gave them.
 */
int driver_open(int netns_fd, const char *ifname, const struct driver_params *params,
		struct driver_port **out, struct driver_error *err);

/* Undo all that driver_open did. The sockets live on where other processes hold them. NULL is ignored. */
void driver_close(struct driver_port *port);

const struct driver_info *driver_info(const struct driver_port *port);

/* Write the initial shared state to sh. Must be done before any driver_attach to it. */
void driver_share(const struct driver_port *port, struct driver_shared *sh);

/*
 * The descriptors that a data side needs, in the order that driver_attach takes. They stay the port's.
 * Returns their number, 0 if max is too small.
 */
unsigned driver_fds(const struct driver_port *port, int *fds, unsigned max);

/* Read MTU, flags and MAC again, into driver_info and sh. -ENXIO if the interface is gone. */
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
 * taken; what stays behind is an incomplete NS_MOREFRAG chain, or waits for room in the kernel's ring.
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
 * buffer index comes out empty (length 0), counted. r->ts_*: arrival of the newest packet, untouched if
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
