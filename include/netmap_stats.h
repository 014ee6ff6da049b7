/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics of netmap ports: what the instance of netmapd that serves this process has, and who that is.
 *
 * A program takes a snapshot, reads it, and frees it. Two snapshots and the time between them give rates.
 *
 *	struct netmap_stats *s;
 *	int err = netmap_stats_take(&s);	// 0 or -errno
 *
 *	for (unsigned i = 0; err == 0 && i < netmap_stats_ports(s); i++)
 *		puts(netmap_stats_port(s, i)->name);
 *	netmap_stats_free(s);
 *
 * Functions that can fail return 0 or -errno, and print nothing. Everything that a snapshot hands out belongs to it
 * and lasts until it is freed. A snapshot never changes: several threads may read one. Any thread may take one.
 *
 * Structures may grow at their end. The field `size` says how many bytes this version of the library has filled in:
 * a program that uses a field added after it was first published checks for it with netmap_stats_has().
 * They are for reading only; a program never makes one or copies one by value.
 *
 * Counters are 64 bits wide, begin at 0 with their port, and go with it. They are read while others count on: each
 * value is right, but values of one snapshot may be some packets apart.
 */
#ifndef NETMAP_STATS_H_
#define NETMAP_STATS_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A snapshot. */
struct netmap_stats;

/* Does *p, which points at a structure with a field `size`, have this field? */
#define netmap_stats_has(p, field) \
	((size_t)((const char *)(&(p)->field + 1) - (const char *)(p)) <= (size_t)(p)->size)

/* Who serves this process. */
struct netmap_stats_instance {
	uint32_t	size;		/* of this structure, in bytes */
	int32_t		pid;		/* of netmapd */
	uint32_t	uid;		/* its user */
	uint32_t	sessions;	/* open netmap descriptors of all programs */
	uint32_t	generation;	/* differs from one start of netmapd to the next */
	uint32_t	reserved;
	const char	*version;	/* of netmapd */
	const char	*socket;	/* path of its socket */
};

enum netmap_stats_type {
	NETMAP_STATS_OTHER = 0,		/* a type that this version of the library does not know */
	NETMAP_STATS_VALE,		/* port of a switch; without a ':' in its name a persistent one that is on none */
	NETMAP_STATS_PIPE,		/* one end of a pipe */
	NETMAP_STATS_NIC,		/* network interface */
	NETMAP_STATS_PARENT		/* on no switch: made for the pipes that are named after it */
};

struct netmap_stats_port {
	uint32_t	size;		/* of this structure, in bytes */
	uint32_t	type;		/* enum netmap_stats_type */
	const char	*name;		/* without "netmap:" */
	const char	*mode;		/* for people: how it forwards or reaches the interface; may be empty */
	uint32_t	rings;		/* of both directions */
	uint32_t	users;		/* descriptors and pipes that use the port */
	uint32_t	mem_id;		/* its memory region */
	uint32_t	switch_index;	/* VALE: number of the port on its switch; else 0 */
	uint64_t	mem_size;	/* bytes of the region, virtual: pages come with use */
	uint32_t	vnet_hdr_len;	/* bytes of virtio-net header in front of each frame: 0, 10 or 12 */
	uint32_t	reserved;
};

enum netmap_stats_dir {
	NETMAP_STATS_RX = 0,
	NETMAP_STATS_TX = 1
};

struct netmap_stats_ring {
	uint32_t	size;		/* of this structure, in bytes */
	uint32_t	dir;		/* enum netmap_stats_dir */
	uint32_t	id;		/* index among the rings of this direction */
	uint32_t	slots;		/* of which one always stays empty */
	uint32_t	used;		/* slots that hold frames: to be sent, or received and not given back */
	uint32_t	users;		/* descriptors bound to the ring */
	/*
	 * Transmitted by the program, or arrived for it (on receive rings of pipes: slots, and bytes stays 0).
	 * Dropped frames are not in it.
	 */
	uint64_t	packets;
	uint64_t	bytes;
	uint64_t	syncs;		/* by the program */
	uint64_t	bad_rings;	/* syncs that found an invalid head or cur: the ring was restored */
	/* Dropped frames by reason, netmap_stats_reasons() numbers; and their sum. */
	const uint64_t	*drops;
	uint64_t	drops_total;
	/*
	 * A receive ring is held up when a sender that has reserved room in it does not go on (stopped, in a
	 * debugger): for how many seconds, and which process. 0: it is not, or for less than two seconds. An age
	 * needs two looks: it counts from the first snapshot, of any program, that found the reservation.
	 */
	uint32_t	held_s;
	int32_t		held_pid;
};

/*
 * Takes a snapshot of all ports. Uses the process's connection to netmapd, or makes one: to the first of $NETMAP_SOCKET,
 * the system's instance, the user's private one that is there. Never starts an instance.
 * *out is the caller's, for netmap_stats_free(); NULL on failure. Waits for netmapd's answer.
 *
 * Errors: -ENOENT if no instance is running; -EOPNOTSUPP if this process is served by a real /dev/netmap, whose ports
 * only netmap's own requests can list; -EPERM if the instance does not serve this user; -EPROTO if it is of another
 * version, or what it said makes no sense; -EIO if it ended meanwhile; -ENOMEM, -EMFILE.
 */
int netmap_stats_take(struct netmap_stats **out);

/*
 * Why the last open(), ioctl() or mmap() of a netmap descriptor, or netmap_stats_take(), failed in this thread, in a
 * sentence for people: which port, what was needed, what to change. Empty if there is nothing to say. Lasts until the
 * thread's next call. Only after a failure is it about that call.
 */
const char *netmap_last_error(void);

/* s may be NULL. */
void netmap_stats_free(struct netmap_stats *s);

/* Who gave the snapshot. Never NULL. */
const struct netmap_stats_instance *netmap_stats_instance(const struct netmap_stats *s);

/* When it was taken: nanoseconds of CLOCK_MONOTONIC. */
uint64_t netmap_stats_time_ns(const struct netmap_stats *s);

/* Number of ports, and one of them: i in [0, number). NULL beyond. In no particular order. */
unsigned int netmap_stats_ports(const struct netmap_stats *s);
const struct netmap_stats_port *netmap_stats_port(const struct netmap_stats *s, unsigned int i);

/* A ring of port i: r in [0, netmap_stats_port(s, i)->rings), transmit rings first. NULL beyond. */
const struct netmap_stats_ring *netmap_stats_ring(const struct netmap_stats *s, unsigned int i, unsigned int r);

/*
 * How many reasons for drops there are, and the short name of one, "no-room"; NULL beyond. vale(4) explains them.
 * Numbers may shift from version to version, names stay.
 */
unsigned int netmap_stats_reasons(void);
const char *netmap_stats_reason_name(unsigned int reason);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* NETMAP_STATS_H_ */
