/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the switch share: a batch of packets that are decided about, and a lease in a destination's ring that is being filled.
 */
#ifndef ENGINE_VALE_BATCH_H
#define ENGINE_VALE_BATCH_H

#include "lease.h"
#include "monitor.h"
#include "vale.h"

#define BATCH_MAX	1024u			/* frames' slots looked at before copying */
#define DST_BROADCAST	254u
#define DST_DROP	255u
#define NO_PACKET	0xffffu
#define SHOW_EVERY	64u			/* slots of a large batch published at a time */
#define ETH_HEADER	14u

/* One fragment of the batch. */
struct fragment {
	const char *data;			/* or an address of the caller's, if `indirect` */
	uint16_t len;
	uint8_t count;				/* first fragment: fragments of the packet. others: 0 */
	uint8_t dst;				/* first fragment: port index, DST_BROADCAST or DST_DROP */
	uint16_t next;				/* first fragment: next packet for the same destination */
	bool indirect;
};

struct batch {
	struct arena_root *root;
	struct actor *self;
	struct kring *kr;
	struct vale_switch *sw;
	uint32_t index;				/* of the sender's port there */
	uint32_t hdr_len;			/* of the virtio-net header in front of each frame, bytes */
	uint32_t ring;				/* of the destination, modulo its rings */
	uint32_t stamp;				/* of the forwarding table, now */
	uint32_t most;				/* fragments until it is full: parameter, at most BATCH_MAX */
	uint32_t n;				/* fragments */
	uint64_t packets, bytes;		/* what they amount to */
	uint64_t src, dst;			/* addresses seen last */
	uint32_t dst_port;			/* where `dst` leads */
	bool offsets;				/* fragments may begin, and end, anywhere in their buffers */
	bool uniform;				/* all packets: one fragment, to frag[0].dst, direct */
	struct fragment frag[BATCH_MAX + NETMAP_MAX_FRAGS];
};

/* A packet's frame begins so many fragments behind its first one, at byte *ofs: behind the virtio-net header, or the second fragment begins with it. */
static inline uint32_t
packet_head(const struct batch *b, const struct fragment *first, uint32_t *ofs)
{
	bool apart = b->hdr_len != 0 && first->len == b->hdr_len && first->count > 1;

	*ofs = apart ? 0 : b->hdr_len;
	return apart;
}

/* Where it goes by its addresses: sets first->dst. A reason to drop it, or -1. */
int vale_packet_decide(struct batch *b, struct fragment *first, uint32_t flags);
/* Delivers all packets, whose `dst` is set, and so is `uniform`. */
void vale_deliver(struct batch *b);

static inline void
drop(struct kring *kr, enum drop_reason why, uint64_t n)
{
	counter_bump(&kr->own.drops[why], n);
}

/* A destination's packets: those sent to it alone and those sent to all, each list in order of the batch. */
struct packet_lists {
	uint32_t unicast, broadcast;		/* indexes of first fragments, or NO_PACKET */
};

static inline uint32_t
lists_next(const struct batch *b, struct packet_lists *l)
{
	uint32_t *from = l->unicast < l->broadcast ? &l->unicast : &l->broadcast;
	uint32_t i = *from;

	if (i != NO_PACKET)
		*from = b->frag[i].next;
	return i;
}

/* How many slots the first packets of the lists need, as long as they fit; *packets counts them, *left those that do not fit. */
static inline uint32_t
lists_measure(const struct batch *b, struct packet_lists l, uint32_t room, uint32_t *packets, uint32_t *left)
{
	uint32_t i, slots = 0;
	bool full = false;

	*packets = *left = 0;
	while ((i = lists_next(b, &l)) != NO_PACKET) {
		full = full || slots + b->frag[i].count > room;
		if (full) {
			++*left;
			continue;
		}
		slots += b->frag[i].count;
		++*packets;
	}
	return slots;
}

struct target {
	struct kring *kr;
	uint64_t start;				/* position of the lease */
	uint64_t shown;				/* published up to here */
	uint32_t index;				/* slot to be filled next */
	uint32_t since;				/* slots filled since `shown` */
	uint32_t show_at;			/* how many of them make it worth to show them */
	uint32_t slots;				/* of the lease */
	uint32_t left;				/* of them from `shown` on */
	uint32_t owner;
	uint64_t packets, bytes;
};

/* Shows what is filled, if the lease is first in line; else tries again after as many slots more. */
static inline void
target_show(struct target *t)
{
	if (!lease_publish_part(t->kr, t->owner, t->shown, t->since, t->left - t->since)) {
		t->show_at = t->since + SHOW_EVERY;
		return;
	}
	t->shown = pos_add(t->kr, t->shown, t->since);
	t->left -= t->since;
	t->since = 0;
	t->show_at = SHOW_EVERY;
}

/* The slot to be filled next holds buffer idx with len bytes in it: describes it and goes on to the next. */
static inline void
target_push(struct target *t, uint32_t idx, uint32_t len, uint32_t flags)
{
	slot_store(&t->kr->uslot[t->index], slot_word(idx, len, flags));
	t->bytes += len;
	t->index = index_next(t->kr, t->index);
	/* Whole packets only. */
	if (++t->since >= t->show_at && (flags & NS_MOREFRAG) == 0)
		target_show(t);
}

static inline bool
target_begin(struct target *t, struct kring *kr, struct actor *self, const struct lease_view *v, uint32_t slots)
{
	if (!lease_take(kr, self->id, v, slots, &t->start))
		return false;
	t->kr = kr;
	t->shown = t->start;
	t->index = pos_index(kr, t->start);
	t->since = 0;
	/* Monitors are shown a batch as a whole, and before the port is. */
	t->show_at = ring_monitored(kr) ? UINT32_MAX : SHOW_EVERY;
	t->slots = slots;
	t->left = slots;
	t->owner = self->id;
	t->packets = 0;
	t->bytes = 0;
	return true;
}

static inline void
target_finish(struct target *t, struct arena_root *root)
{
	struct kring *kr = t->kr;

	counter_add(&kr->in.packets, t->packets);
	counter_add(&kr->in.bytes, t->bytes);
	if (ring_monitored(kr))
		monitor_arrived(root, t->owner, kr, pos_index(kr, t->shown), t->left);
	lease_finish(kr, t->start, t->slots, t->shown);
	/* The barrier in lease_finish: a receiver that armed itself before it saw our tail is seen here. */
	if (load_relaxed(&kr->rx_waiters) != 0)
		waitset_wake(root, &kr->rx_waiters, kr->wait_bits);
}

#endif /* ENGINE_VALE_BATCH_H */
