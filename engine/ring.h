/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings, ports and bindings as the data path sees them.
 *
 * Everything here lies in the arena: memory that all processes which run the data path map at one and the same address, so plain pointers between
 * these objects are fine, and pointers to anything else (functions, libc objects, process-private memory) are not.
 * The netmap rings, slots and buffers that applications see lie in regions (region.h): those words are hostile, and any variable that holds a
 * pointer to them is named with a `u` prefix.
 */
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi_types.h"
#include <net/netmap.h>

#include "actor.h"
#include "atomic.h"
#include "stats.h"

#define CACHE_LINE	128		/* two lines: the neighbour is fetched along */

#define SLOTS_MIN	2u
#define SLOTS_MAX	16384u
#define RINGS_MAX	256u

enum port_type {
	PORT_NONE = 0,
	PORT_VALE = 1,
	PORT_PIPE = 2,
	PORT_NIC = 3,
	PORT_MONITOR = 4,
	PORT_NULL = 5,
};

enum ring_dir {
	RING_RX = 0,			/* the numbers that netmap_ring.dir carries */
	RING_TX = 1,
};

/* Flags of a sync. */
#define SYNC_FORCE_READ		1u	/* NIOCRXSYNC: look for packets even if some are there */
#define SYNC_FORCE_RECLAIM	2u	/* NIOCTXSYNC: return room even if there is enough */

/*
 * Positions count slots since the ring was made, modulo the largest multiple of the ring's size below 2^40, so that index = position % size holds
 * also across the wrap. At 100 Mpps that takes three hours, longer than any thread holds a stale value and survives the comparison.
 */
#define POS_BITS	40
#define POS_LIMIT	((UINT64_C(1) << POS_BITS) - 1)	/* all ones is no position: a lease record that is none says so */
#define LEASE_MAX	4095u		/* slots in one lease */

struct region;
struct port;

/*
 * A lease word: position, owner, count. In kring.reserve the position is the end of the last reservation; in kring.lease[] it is the start of that
 * lease, and owner 0 says that the lease is finished.
 */
static inline uint64_t
lease_word(uint64_t pos, uint32_t owner, uint32_t count)
{
	return pos << 24 | (uint64_t)owner << 12 | count;
}

static inline uint64_t
lease_pos(uint64_t word)
{
	return word >> 24;
}

static inline uint32_t
lease_owner(uint64_t word)
{
	return word >> 12 & 0xfff;
}

static inline uint32_t
lease_count(uint64_t word)
{
	return word & 0xfff;
}

#define SWAP_GROUP	4u		/* slots that are swapped with one note of it */

/* Of a ring: who watches it, and how far they are. See monitor.c. */
struct ring_monitors {
	/* Written by the control side. */
	struct kring *copy;		/* first of the copy monitors' rings that show this one */
	struct kring *zcopy;		/* the zero-copy monitor's ring that is first in line */
	struct kring *next[2];		/* copy monitor: the next one that shows the same TX, RX ring; by enum ring_dir */
	struct kring *source;		/* copy monitor: the interface's RX ring that it shows */
	uint32_t serial;		/* TX: changes with the first of the copy monitors */
	/* Written by the thread that holds the ring. */
	uint32_t serial_seen;		/* TX: `serial` when `seen` was set */
	uint32_t seen;			/* TX: slot up to which copy monitors have seen what is to be sent */
	/* Swaps that are going on, for repair: the first slots here and there, how many, the monitor's buffers in the slots there; the ring there. */
	uint32_t swap_at, swap_to, swap_count;
	uint32_t swap_buf[SWAP_GROUP] __attribute__((aligned(16)));
	struct kring *swap_ring;
};

struct kring {
	/* Constant while the ring exists. */
	struct netmap_ring *uring;	/* hostile */
	struct netmap_slot *uslot;	/* hostile */
	char *ubufs;			/* buffer 0 of the region */
	struct port *port;
	struct region *region;
	struct kring *peer;		/* pipe: the ring at the other end, tx to rx and back */
	uint64_t *lease;		/* VALE rx: one record per slot, see lease.c */
	uint64_t pos_mod;		/* positions are modulo this */
	uint32_t num_slots;
	uint32_t buf_size;		/* bytes */
	uint32_t buf_total;		/* buffers in the region; valid indexes are 2..buf_total-1 */
	uint16_t id;			/* index among the port's rings of this direction, the host's after the NIC's */
	uint8_t dir;			/* enum ring_dir */
	uint8_t type;			/* enum port_type of the port: what to dispatch on */
	uint8_t host;			/* NIC: 1 for a ring to the host's stack */
	uint8_t deferred;		/* VALE TX: a worker takes what is sent here, see vale_worker.h; control side, never goes back to 0 */
	uint32_t open;			/* some descriptor is bound to it: VALE delivers only then */
	/* NIC, veth pair, see join.c: TX: the ring at the other end that it leads to. RX: the first of those that lead here. NULL: none. */
	struct kring *join;
	struct kring *join_next;	/* TX: the next that leads to the same ring */
	uint32_t join_count;		/* RX: how many lead here */
	uint32_t join_serial;		/* RX: changes whenever a ring is joined to it */
	uint32_t uring_size;		/* bytes of the object in the ring pool */
	uint32_t monitored;		/* MONITORED_*: some monitor shows it */
	uint64_t offset_mask;		/* of slot.ptr; 0: data begin where their buffers do. With the last ones below, see offsets.h */

	/* Owner's line: written by the one thread that holds `busy`. */
	uint32_t busy __attribute__((aligned(CACHE_LINE)));	/* actor number of the holder, 0 free */
	uint32_t rhead, rcur, rtail;	/* what was last accepted from, and shown to, the application */
	uint32_t hwcur, hwtail;		/* TX: hwcur..rhead-1 to send, rhead..hwtail-1 free. RX: hwcur..hwtail-1 delivered, unreleased */
	uint64_t own_pos;		/* TX: position of hwcur. RX: position of hwtail */
	uint64_t own_free;		/* pipe TX: position up to which completed slots were taken back */
	uint32_t handed;		/* VALE TX, deferred: the positions below are valid; set once */
	uint64_t *last_entry;		/* VALE TX: forwarding entry of the source seen last */
	struct ring_counters own;	/* counters of the thread that syncs this ring */
	uint32_t users;			/* bindings on this ring (control side only) */
	uint32_t exclusive;		/* one of them holds it alone (control side only) */
	uint32_t bad_logged;		/* second in which misuse was last logged */
	uint32_t stopped;		/* the port is going away: syncs give EIO, poll POLLERR */
	/* NIC, joined. */
	uint32_t joined;		/* TX: what the application sends goes to `join`, not to the driver */
	uint32_t join_seen;		/* RX: join_serial when frames were last taken */
	uint32_t join_strange;		/* RX: so many slots hold buffers that the other end has never sent */
	uint32_t join_turn;		/* RX: syncs, for looking at the driver from time to time */
	uint32_t join_behind;		/* RX: the driver may still have frames from before the rings were joined */
	/* RX: what is being taken from a joined ring, for repair. The word is 0 while slots are as they should be. */
	uint32_t take_at;		/* slot here, and position there, where it began */
	uint64_t take_pos;
	uint64_t take_word;
	struct kring *take_tx;

	/* Producers' line: VALE senders, by compare-and-swap. */
	uint64_t reserve __attribute__((aligned(CACHE_LINE)));
	uint64_t released_seen;		/* `released` as some sender saw it last: never ahead of it */
	struct ring_counters in;	/* frames that arrived at this ring, and those that did not fit; several writers */

	/* Published tail: producer writes, consumer reads. */
	uint64_t published __attribute__((aligned(CACHE_LINE)));
	uint64_t tx_waiters;		/* summary of who waits for room: NIC TX, deferred VALE TX; pipe RX, with the bits in the peer's tx ring */

	/* Consumer's line: consumer writes, producers read. */
	uint64_t released __attribute__((aligned(CACHE_LINE)));
	uint64_t rx_waiters;		/* summary of who waits for packets */
	uint32_t taker;			/* NIC TX, deferred VALE TX: actor number of who takes slots away, or changes where they go; 0: nobody */
	struct kring *take_rx;		/* ... into this ring; NULL: not so far yet */

	uint64_t wait_bits[WAITSET_WORDS] __attribute__((aligned(CACHE_LINE)));

	struct ring_monitors mon __attribute__((aligned(CACHE_LINE)));
	/* Offsets: they change, with their mask, while the ring has no user and nobody is at it. */
	uint32_t offset_max;		/* bytes, at most the mask and the buffer */
	uint32_t offset_end;		/* bytes: what is copied into a buffer ends here */
	uint64_t moving;		/* pipe TX: 1 + position of the packet whose data are being moved */
	uint64_t closed_at;		/* see retire_mark: when the last binding went (control side only) */
};

struct port {
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t type;			/* enum port_type */
	bool gone;			/* no longer usable: POLLERR for those still bound */
	uint16_t num_tx, num_rx;	/* rings, without the host's */
	uint16_t num_host_tx, num_host_rx;	/* NIC: rings to the host's stack, after the others in tx and rx */
	uint32_t tx_slots, rx_slots;
	uint32_t id;			/* number of this port, unique for the arena's life */
	struct region *region;
	struct kring **tx, **rx;	/* num_tx + num_host_tx, num_rx + num_host_rx pointers */

	/* VALE */
	struct vale_switch *sw;
	uint16_t sw_index;
	uint16_t hdr_len;		/* virtio-net header in front of each frame, bytes */
	uint32_t max_frame;		/* bytes */

	/* NIC */
	void *nic;			/* struct driver_shared, laid out by the driver */
	void *nic_host;			/* the same for the host rings, NULL while nobody is bound to them */
	uint32_t host_id;		/* unique like id, and new each time nic_host is made; 0 while there is none */

	/* Control side. */
	uint32_t users;			/* bindings and pipes that hold the port */
	struct port *pipe_parent;
	struct port *pipe_peer;
	uint32_t pipes;			/* pipe ports that hang off this one */
	bool auto_parent;		/* made for a pipe, on no switch */
	bool persistent;		/* VALE: stays until it is removed, see persistent.c */
	uint64_t nic_key;		/* interface that it stands for, 0 otherwise */
	struct port *list_next;
	struct port *join_peer;		/* NIC: the other end of a veth pair, if it is open as a port too */
	uint32_t host_users;		/* bindings that have host rings */
	void *host_data;		/* netmapd's own record of the port (NIC descriptors); never followed by the data path */
	struct attachment *attachment;	/* of an interface on a switch, which has the port for itself; see attach.c */
	uint32_t monitors;		/* monitors that show this port */
	struct port *monitored;		/* monitor: the port that it shows; NULL: that has gone */
	uint32_t monitor_flags;		/* monitor: NR_MONITOR_TX, NR_MONITOR_RX, NR_ZCOPY_MON */
	uint16_t monitor_first, monitor_last;	/* monitor: RX rings that show something, [first, last) */
};

/* All rings of a direction, the host's with them. */
static inline uint32_t
port_tx_rings(const struct port *p)
{
	return (uint32_t)p->num_tx + p->num_host_tx;
}

static inline uint32_t
port_rx_rings(const struct port *p)
{
	return (uint32_t)p->num_rx + p->num_host_rx;
}

/* What a registered descriptor is bound to. One per session, in the arena. */
struct binding {
	uint32_t id;
	uint32_t registered;		/* 0 no, 1 yes; set last, cleared first */
	struct port *port;
	struct kring **tx, **rx;	/* the port's arrays */
	uint16_t tx_first, tx_last;	/* rings [first, last) */
	uint16_t rx_first, rx_last;
	uint64_t flags;			/* NR_* of the registration */
	uint64_t mode;
	struct region *region;
	uint32_t forwards;		/* NIC: some ring was seen with NR_FORWARD: the host side is needed too */
	/* CSB mode, see csb.h and kloop.h. */
	uint32_t csb;			/* 1: head, cur and tail go through the arrays; syncs and poll are refused */
	uint32_t kloop;			/* number of the actor that runs the loop, and KLOOP_STOP */
	uint64_t csb_atok, csb_ktoa;	/* addresses in the memory of the process that runs the loop */
};

/* TX rings, then RX rings: the order of CSB entries and of eventfds. */
static inline uint32_t
binding_rings(const struct binding *b)
{
	return (uint32_t)(b->tx_last - b->tx_first) + (b->rx_last - b->rx_first);
}

static inline struct kring *
binding_ring(const struct binding *b, uint32_t i)
{
	uint32_t tx = (uint32_t)(b->tx_last - b->tx_first);

	return i < tx ? b->tx[b->tx_first + i] : b->rx[b->rx_first + i - tx];
}

static inline bool
binding_has_host(const struct binding *b)
{
	return b->tx_last > b->port->num_tx || b->rx_last > b->port->num_rx;
}

/* One per arena, at its start. */
struct arena_root {
	uint64_t magic;
	uint32_t layout;		/* ARENA_LAYOUT: bumped with any change to what lies in the arena */
	uint32_t generation;
	uint64_t epoch;			/* see actor_enter */
	struct actor *actors;		/* ACTOR_MAX + 1 entries, by number */
	uint32_t no_timestamp;		/* parameter: do not write ring->ts unless NR_TIMESTAMP */
	uint32_t vale_age;		/* parameter: seconds until a forwarding entry is forgotten, 0 never */
	uint32_t fwd;			/* parameter: every binding with host rings behaves as with NR_FORWARD */
	uint32_t txsync_retry;		/* parameter: more attempts at once when an attached interface has no room */
	uint32_t bridge_batch;		/* parameter: slots that a switch looks at before it copies */
	uint32_t reserved;
	struct port *ports;		/* all ports, list_next; control side writes */
};

#define ARENA_MAGIC	0x616e6572416d6eULL	/* "nmArena" */
#define ARENA_LAYOUT	6u

/* --- positions and indexes --- */

static inline uint64_t
pos_add(const struct kring *kr, uint64_t pos, uint32_t n)
{
	pos += n;
	return pos >= kr->pos_mod ? pos - kr->pos_mod : pos;
}

static inline uint64_t
pos_diff(const struct kring *kr, uint64_t later, uint64_t earlier)
{
	return later >= earlier ? later - earlier : later + kr->pos_mod - earlier;
}

static inline uint32_t
pos_index(const struct kring *kr, uint64_t pos)
{
	return pos % kr->num_slots;
}

static inline uint32_t
index_add(const struct kring *kr, uint32_t i, uint32_t n)
{
	i += n;
	return i >= kr->num_slots ? i - kr->num_slots : i;
}

static inline uint32_t
index_next(const struct kring *kr, uint32_t i)
{
	return unlikely(i + 1 == kr->num_slots) ? 0 : i + 1;
}

static inline uint32_t
index_prev(const struct kring *kr, uint32_t i)
{
	return i == 0 ? kr->num_slots - 1 : i - 1;
}

/* Slots from `from` up to `to`, exclusive. */
static inline uint32_t
index_diff(const struct kring *kr, uint32_t to, uint32_t from)
{
	return to >= from ? to - from : to + kr->num_slots - from;
}

/* --- slots ---
 * A slot is 16 bytes: one word idx|len|flags, one word ptr. Both are loaded once, checked as copies and stored whole.
 */
static inline uint64_t
slot_word(uint32_t idx, uint32_t len, uint32_t flags)
{
	return (uint64_t)idx | (uint64_t)(uint16_t)len << 32 | (uint64_t)flags << 48;
}

static inline uint64_t
slot_load(const struct netmap_slot *uslot)
{
	return load_relaxed((const uint64_t *)(const void *)uslot);
}

static inline void
slot_store(struct netmap_slot *uslot, uint64_t word)
{
	store_relaxed((uint64_t *)(void *)uslot, word);
}

static inline uint64_t
slot_load_ptr(const struct netmap_slot *uslot)
{
	return load_relaxed(&uslot->ptr);
}

/* A whole slot in one register where the machine has such; its first word is the one above. Loaded and stored once, as it is. */
typedef uint64_t slot_pair __attribute__((vector_size(16), aligned(8), may_alias));

static inline slot_pair
slot_load_pair(const struct netmap_slot *uslot)
{
	return *(const volatile slot_pair *)(const void *)uslot;
}

static inline void
slot_store_pair(struct netmap_slot *uslot, slot_pair slot)
{
	*(volatile slot_pair *)(void *)uslot = slot;
}

static inline uint32_t
slot_idx(uint64_t word)
{
	return (uint32_t)word;
}

static inline uint32_t
slot_len(uint64_t word)
{
	return word >> 32 & 0xffff;
}

static inline uint32_t
slot_flags(uint64_t word)
{
	return word >> 48;
}

static inline bool
slot_idx_valid(const struct kring *kr, uint32_t idx)
{
	return idx - 2u < kr->buf_total - 2u;
}

/* What the loops over slots need, in registers: a store to a slot might change anything in memory, as far as the compiler knows. */
struct slot_rules {
	uint32_t num_slots, buf_size, limit;
};

static inline struct slot_rules
slot_rules_of(const struct kring *kr)
{
	return (struct slot_rules){ kr->num_slots, kr->buf_size, kr->buf_total - 2 };
}

static inline bool
slot_keeps(const struct slot_rules *r, uint64_t word)
{
	return likely(slot_idx(word) - 2 < r->limit && slot_len(word) <= r->buf_size);
}

static inline char *
slot_buf(const struct kring *kr, uint32_t idx)
{
	return kr->ubufs + (size_t)idx * kr->buf_size;
}

/* Where the data of a slot with this ptr begin in its buffer: at most the buffer's size. 0 on a ring without offsets. */
static inline uint32_t
slot_offset(const struct kring *kr, uint64_t ptr)
{
	uint64_t offset = ptr & kr->offset_mask;

	return offset < kr->offset_max ? (uint32_t)offset : kr->offset_max;
}

/* That ptr with this offset, which the ring allows, in it. */
static inline uint64_t
slot_ptr(const struct kring *kr, uint64_t ptr, uint32_t offset)
{
	return (ptr & ~kr->offset_mask) | offset;
}

/* Where the next data of this slot go, of which its ptr is left to speak: an offset beyond the limit is one at it. */
static inline uint32_t
slot_take_offset(const struct kring *kr, struct netmap_slot *uslot)
{
	uint64_t ptr = slot_load_ptr(uslot);
	uint32_t offset = slot_offset(kr, ptr);

	if (unlikely((ptr & kr->offset_mask) != offset))
		store_relaxed(&uslot->ptr, slot_ptr(kr, ptr, offset));
	return offset;
}

/* Data of a slot that keeps the rules, from one offset to another. */
static inline void
slot_move_data(const struct kring *kr, uint64_t word, uint32_t to, uint32_t from)
{
	char *buf = slot_buf(kr, slot_idx(word));

	if (to != from)
		__builtin_memmove(buf + to, buf + from, slot_len(word));
}

/* How many bytes may be copied into a buffer behind this offset. */
static inline uint32_t
slot_room(const struct kring *kr, uint32_t offset)
{
	return offset < kr->offset_end ? kr->offset_end - offset : 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "slot words are packed for little-endian machines");
_Static_assert(sizeof(struct netmap_slot) == 16, "slot layout");

#endif /* ENGINE_RING_H */
