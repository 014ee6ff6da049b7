/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding of a batch, in two passes. The first looks at every slot and decides: it reads the frame's addresses, learns the source, finds the
 * destination. The second reserves room in each destination ring and copies. (A copy right behind the stores that made its source stalls on them.)
 *
 * Slots and frames of the sender, and slots of the receiver, are hostile: see the threat model in sync.c. Decisions are made on copies.
 */
#include "vale_batch.h"
#include "bytes.h"
#include "os.h"
#include "vale_copy.h"
#include "vale_offsets.h"
#include "vale_vnet.h"

/* --- first pass --- */

static void
source_learn(struct batch *b, uint64_t src)
{
	struct kring *kr = b->kr;

	b->src = src;
	if ((src & 1) != 0 || src == 0)
		return;
	/* The table is right in nearly every case: one load tells. A port may have come from another switch, which is no more. */
	if (fdb_has(&b->sw->fdb, kr->last_entry) && load_relaxed(kr->last_entry) == fdb_entry(src, b->index, b->stamp))
		return;
	kr->last_entry = fdb_learn(&b->sw->fdb, src, b->index, b->stamp);
}

static void
destination_find(struct batch *b, uint64_t dst)
{
	uint32_t port;

	b->dst = dst;
	if ((dst & 1) != 0) {
		b->dst_port = DST_BROADCAST;
		return;
	}
	port = fdb_lookup(&b->sw->fdb, dst, b->stamp);
	if (port == FDB_NONE)
		b->dst_port = DST_BROADCAST;
	else
		b->dst_port = port == b->index ? DST_DROP : port;
}

/* The first twelve bytes of a frame: d0 holds bytes 0..7, d1 bytes 8..11. */
static inline void
header_load(const char *data, uint64_t *d0, uint32_t *d1)
{
	__builtin_memcpy(d0, data, sizeof(*d0));
	__builtin_memcpy(d1, data + 8, sizeof(*d1));
}

static inline uint64_t
header_src(uint64_t d0, uint32_t d1)
{
	return d0 >> 48 | (uint64_t)d1 << 16;
}

/* Decides where a frame goes, by its first bytes. */
static uint32_t __attribute__((noinline))
frame_switch(struct batch *b, uint64_t d0, uint32_t d1, bool learn)
{
	uint64_t dst = d0 & FDB_ADDR_MASK;
	uint64_t src = header_src(d0, d1);

	if (src != b->src && learn)
		source_learn(b, src);
	if (dst != b->dst)
		destination_find(b, dst);
	return b->dst_port;
}

#define PAGE_LEAST	4096u

/*
 * A byte of each page: what cannot be read is dropped as a whole, before any of it is copied. Memory that goes away after this look leaves slots without data,
 * which are counted as well.
 */
static bool
caller_readable(uint64_t ptr, uint32_t len)
{
	uint32_t at;
	char byte;

	for (at = 0; at < len; at += PAGE_LEAST - (uint32_t)((ptr + at) % PAGE_LEAST))
		if (os_copy_from_caller(&byte, ptr + at, 1) != 0)
			return false;
	return true;
}

/* Adds one slot's bytes as fragments; data in the caller's memory may need several. Returns a drop reason, or -1. */
static int
slot_gather(struct batch *b, uint64_t word, uint64_t ptr, uint32_t limit)
{
	struct kring *kr = b->kr;
	uint32_t len = slot_len(word), done = 0;
	bool indirect = (slot_flags(word) & NS_INDIRECT) != 0;
	const char *data = indirect ? (const char *)(uintptr_t)ptr : NULL;

	if (!indirect) {
		uint32_t offset = slot_offset(kr, ptr);

		if (!slot_idx_valid(kr, slot_idx(word)))
			return DROP_BAD_SLOT;
		if (len > kr->buf_size - offset)
			return DROP_TOO_LONG;
		data = slot_buf(kr, slot_idx(word)) + offset;
	} else if (!caller_readable(ptr, len)) {
		return DROP_BAD_ADDRESS;
	}
	do {
		struct fragment *f = &b->frag[b->n];
		uint32_t part = len - done < kr->buf_size ? len - done : kr->buf_size;

		if (b->n == limit)
			return DROP_BAD_CHAIN;
		*f = (struct fragment){ .data = (const char *)((uintptr_t)data + done), .len = (uint16_t)part, .next = NO_PACKET, .indirect = indirect };
		b->n++;
		done += part;
	} while (done < len);
	return -1;
}

int
vale_packet_decide(struct batch *b, struct fragment *first, uint32_t flags)
{
	uint32_t ofs, d1, port;
	const struct fragment *f = first + packet_head(b, first, &ofs);
	char copy[ETH_HEADER];
	uint64_t d0;

	if (f->len < ofs + ETH_HEADER)
		return first->count > 1 ? DROP_BAD_CHAIN : DROP_RUNT;
	if (f->indirect) {
		if (os_copy_from_caller(copy, (uint64_t)(uintptr_t)f->data + ofs, sizeof(copy)) != 0)
			return DROP_BAD_ADDRESS;
		header_load(copy, &d0, &d1);
	} else {
		header_load(f->data + ofs, &d0, &d1);
	}
	first->dst = (uint8_t)frame_switch(b, d0, d1, (flags & NS_NO_LEARN) == 0);
	/* The sender may name the port itself. Port 0 cannot be named: 0 means no override. */
	port = (flags & NS_PORT_MASK) >> NS_PORT_SHIFT;
	if (port != 0)
		first->dst = (uint8_t)(port >= VALE_PORTS || port == b->index ? DST_DROP : port);
	return -1;
}

/*
 * One packet that is not the plain case: chained, indirect, with flags, or wrong. Takes its slots from index i, at most `avail`; returns how many.
 * A chain that ends at `head` without its last slot is sent as it is.
 */
static uint32_t __attribute__((noinline))
packet_gather(struct batch *b, uint32_t i, uint32_t avail)
{
	struct kring *kr = b->kr;
	uint32_t first = b->n, taken = 0, flags, all_flags = 0;
	int why = -1;

	do {
		uint64_t word = slot_load(&kr->uslot[i]);

		flags = slot_flags(word);
		if (taken == 0)
			all_flags = flags;
		if (why < 0)
			why = slot_gather(b, word, slot_load_ptr(&kr->uslot[i]), first + NETMAP_MAX_FRAGS);
		if ((flags & NS_BUF_CHANGED) != 0)
			slot_store(&kr->uslot[i], word & ~((uint64_t)NS_BUF_CHANGED << 48));
		i = index_next(kr, i);
		taken++;
	} while ((flags & NS_MOREFRAG) != 0 && taken < avail);

	if (why < 0) {
		b->frag[first].count = (uint8_t)(b->n - first);
		why = vale_packet_decide(b, &b->frag[first], all_flags);
	}
	if (why >= 0) {
		drop(kr, (enum drop_reason)why, 1);
		b->n = first;
		return taken;
	}
	b->packets++;
	for (i = first; i < b->n; i++)
		b->bytes += b->frag[i].len;
	if (b->n - first > 1 || b->frag[first].indirect || b->frag[first].dst != b->frag[0].dst)
		b->uniform = false;
	return taken;
}

#define SPECIAL_FLAGS	(NS_MOREFRAG | NS_INDIRECT | NS_NO_LEARN | NS_PORT_MASK | NS_BUF_CHANGED)

/*
 * The plain case: slots of one direct frame each, with no flags that matter here. Takes them from index i on, at most `avail` and as many as the batch has
 * room for, and stops before the first that is anything else. Returns how many.
 */
static inline __attribute__((always_inline)) uint32_t
plain_gather_behind(struct batch *b, uint32_t i, uint32_t avail, uint32_t hdr_len, bool offsets)
{
	const struct kring *kr = b->kr;
	const struct slot_rules rules = slot_rules_of(kr);
	const struct netmap_slot *uslot = kr->uslot;
	const char *ubufs = kr->ubufs;
	struct fragment *f = &b->frag[b->n];
	uint32_t room = b->most - b->n, most = avail < room ? avail : room, n;
	uint32_t first_dst = b->n > 0 ? b->frag[0].dst : b->dst_port, differ = 0;
	uint64_t src = b->src, dst = b->dst, bytes = 0;
	uint32_t dst_port = b->dst_port;

	for (n = 0; n < most; n++, f++) {
		uint64_t word = slot_load(&uslot[i]), d0;
		uint32_t len = slot_len(word), d1;
		uint32_t offset = offsets ? slot_offset(kr, slot_load_ptr(&uslot[i])) : 0;
		const char *data = ubufs + (size_t)slot_idx(word) * rules.buf_size + offset;

		if (unlikely((slot_flags(word) & SPECIAL_FLAGS) != 0 || !slot_keeps(&rules, word) || len < hdr_len + ETH_HEADER ||
		    len > rules.buf_size - offset))
			break;
		header_load(data + hdr_len, &d0, &d1);
		if (unlikely((d0 & FDB_ADDR_MASK) != dst || header_src(d0, d1) != src)) {
			dst_port = frame_switch(b, d0, d1, true);
			src = b->src;
			dst = b->dst;
			if (n == 0 && b->n == 0)
				first_dst = dst_port;
		}
		*f = (struct fragment){ .data = data, .len = (uint16_t)len, .count = 1, .dst = (uint8_t)dst_port, .next = NO_PACKET };
		differ |= dst_port ^ first_dst;
		bytes += len;
		i = unlikely(i + 1 == rules.num_slots) ? 0 : i + 1;
	}
	b->n += n;
	b->packets += n;
	b->bytes += bytes;
	if (differ != 0)
		b->uniform = false;
	return n;
}

/* A function of its own, so that the loops in it have the registers. */
static uint32_t __attribute__((noinline))
plain_gather(struct batch *b, uint32_t i, uint32_t avail)
{
	/* A loop of its own for the usual case. */
	if (likely(b->hdr_len == 0 && !b->offsets))
		return plain_gather_behind(b, i, avail, 0, false);
	return b->offsets ? plain_gather_behind(b, i, avail, b->hdr_len, true) : plain_gather_behind(b, i, avail, b->hdr_len, false);
}

/* Looks at slots from index i until `avail` are looked at or the batch is full. Returns how many. */
static uint32_t
batch_gather(struct batch *b, uint32_t i, uint32_t avail)
{
	uint32_t taken = 0;

	b->n = 0;
	b->packets = b->bytes = 0;
	b->uniform = true;
	while (taken < avail && b->n < b->most) {
		uint32_t n = plain_gather(b, i, avail - taken);

		taken += n;
		i = index_add(b->kr, i, n);
		if (taken < avail && b->n < b->most) {
			n = packet_gather(b, i, avail - taken);
			taken += n;
			i = index_add(b->kr, i, n);
		}
	}
	return taken;
}

/* --- second pass --- */

static inline void
target_fill(struct target *t, const struct fragment *f, uint32_t flags)
{
	struct kring *kr = t->kr;
	uint32_t idx = slot_idx(slot_load(&kr->uslot[t->index]));
	uint32_t len = f->len;

	if (unlikely(!slot_idx_valid(kr, idx))) {
		/* The receiver spoiled its own slot. */
		counter_add(&kr->in.drops[DROP_BAD_SLOT], 1);
		len = 0;
	} else if (unlikely(len > kr->buf_size)) {
		/* The two regions have buffers of different sizes. */
		counter_add(&kr->in.drops[DROP_TOO_LONG], 1);
		len = 0;
	} else if (unlikely(f->indirect)) {
		if (os_copy_from_caller(slot_buf(kr, idx), (uint64_t)(uintptr_t)f->data, len) != 0) {
			counter_add(&kr->in.drops[DROP_BAD_ADDRESS], 1);
			len = 0;
		}
	} else {
		vale_copy(slot_buf(kr, idx), f->data, len);
	}
	target_push(t, idx, len, flags);
}

/* Ring `ring` (modulo their number) of the port at that index, if frames can be delivered there; else *why says why not. */
static struct kring *
target_find(struct batch *b, uint32_t port_index, uint32_t ring, enum drop_reason *why)
{
	struct port *port = load_acquire(&b->sw->port[port_index]);
	struct kring *kr;

	*why = DROP_FILTERED;
	if (port == NULL || load_relaxed(&port->gone))
		return NULL;
	kr = port->rx[ring % port->num_rx];
	if (load_relaxed(&kr->open) == 0)
		return NULL;
	*why = DROP_UNREACHABLE;
	return os_region_ready(kr->region) ? kr : NULL;
}

/*
 * Copies frames of one fragment each into consecutive slots: what target_fill does, for the common case. Takes n of them, stops early before one
 * whose slot needs a closer look. Returns how many.
 */
static uint32_t
target_fill_plain(struct target *t, const struct fragment *f, uint32_t n)
{
	const struct kring *kr = t->kr;
	const struct slot_rules rules = slot_rules_of(kr);
	struct netmap_slot *uslot = kr->uslot;
	char *ubufs = kr->ubufs;
	uint32_t index = t->index, i;
	uint64_t bytes = 0;

	for (i = 0; i < n; i++) {
		uint32_t idx = slot_idx(slot_load(&uslot[index]));
		uint32_t len = f[i].len;

		if (!slot_keeps(&rules, slot_word(idx, len, 0)))
			break;
		vale_copy(ubufs + (size_t)idx * rules.buf_size, f[i].data, len);
		slot_store(&uslot[index], slot_word(idx, len, 1u << NS_PORT_SHIFT));
		bytes += len;
		index = unlikely(index + 1 == rules.num_slots) ? 0 : index + 1;
	}
	t->index = index;
	t->bytes += bytes;
	t->since += i;
	return i;
}

static void
target_fill_run(struct target *t, const struct fragment *f, uint32_t n)
{
	while (n > 0) {
		uint32_t part = n < t->show_at - t->since ? n : t->show_at - t->since;
		uint32_t done = target_fill_plain(t, f, part);

		if (done == part && t->since >= t->show_at)
			target_show(t);
		if (done < part) {
			target_fill(t, &f[done], 1u << NS_PORT_SHIFT);
			done++;
		}
		f += done;
		n -= done;
	}
}

/* Does some fragment not fit into the receiver's buffers, which are smaller than the sender's? */
static bool __attribute__((noinline))
batch_too_long(const struct batch *b, const struct kring *kr)
{
	uint32_t i, longest = 0;

	for (i = 0; i < b->n; i++)
		if (b->frag[i].len > longest)
			longest = b->frag[i].len;
	return longest > kr->buf_size;
}

/* Frames have to be taken apart: another header than the sender's is to be in front of them, or buffers are too small. */
static inline bool
delivery_repacks(const struct batch *b, const struct kring *kr)
{
	return unlikely(load_relaxed(&kr->port->hdr_len) != b->hdr_len || (kr->buf_size < b->kr->buf_size && batch_too_long(b, kr)));
}

/* More than a copy from buffer to buffer: that, or offsets at one side or the other. */
static inline bool
delivery_special(const struct batch *b, const struct kring *kr)
{
	return unlikely(b->offsets || kr->offset_mask != 0) || delivery_repacks(b, kr);
}

static void __attribute__((noinline))
deliver_special(struct batch *b, struct kring *kr, struct packet_lists l)
{
	if (delivery_repacks(b, kr))
		vale_vnet_deliver(b, kr, l);
	else
		vale_offsets_deliver(b, kr, l);
}

static void __attribute__((noinline))
deliver_uniform_special(struct batch *b, struct kring *kr)
{
	uint32_t i;

	for (i = 0; i < b->n; i++)
		b->frag[i].next = (uint16_t)(i + 1 < b->n ? i + 1 : NO_PACKET);
	deliver_special(b, kr, (struct packet_lists){ 0, NO_PACKET });
}

/* A function of its own, so that the loops in it have the registers. */
static void __attribute__((noinline))
deliver_uniform_plain(struct batch *b, struct kring *kr)
{
	struct lease_view v;
	struct target t;
	uint32_t n, done;

	for (done = 0; done < b->n; done += n) {
		do {
			lease_look(kr, b->n - done, &v);
			n = v.room < b->n - done ? v.room : b->n - done;
			if (n == 0) {
				counter_add(&kr->in.drops[DROP_NO_ROOM], b->n - done);
				return;
			}
		} while (!target_begin(&t, kr, b->self, &v, n));
		target_fill_run(&t, &b->frag[done], n);
		t.packets = n;
		target_finish(&t, b->root);
	}
}

/* All packets of the batch are single fragments to one ring: the common case. */
static void
deliver_uniform(struct batch *b, struct kring *kr)
{
	if (delivery_special(b, kr))
		deliver_uniform_special(b, kr);
	else
		deliver_uniform_plain(b, kr);
}

static void
packet_copy(struct batch *b, struct target *t, uint32_t first)
{
	uint32_t count = b->frag[first].count, j;

	for (j = 0; j < count; j++)
		target_fill(t, &b->frag[first + j], count << 8 | (j + 1 < count ? NS_MOREFRAG : 0));
	t->packets++;
}

static void
deliver_lists(struct batch *b, struct kring *kr, struct packet_lists l)
{
	struct lease_view v;
	struct target t;
	uint32_t slots, packets, left;

	if (delivery_special(b, kr)) {
		deliver_special(b, kr, l);
		return;
	}
	do {
		lease_look(kr, b->n, &v);
		slots = lists_measure(b, l, v.room, &packets, &left);
		if (slots == 0)
			break;
	} while (!target_begin(&t, kr, b->self, &v, slots));
	if (left > 0)
		counter_add(&kr->in.drops[DROP_NO_ROOM], left);
	if (slots == 0)
		return;
	while (packets-- > 0)
		packet_copy(b, &t, lists_next(b, &l));
	target_finish(&t, b->root);
}

struct batch_lists {
	uint16_t first[VALE_PORTS + 2], last[VALE_PORTS + 2];
	uint64_t used[4];			/* ports with unicast packets */
	uint32_t dropped;
};

static void
batch_sort(struct batch *b, struct batch_lists *l)
{
	uint32_t i;

	bytes_zero(l->used, sizeof(l->used));
	l->first[DST_BROADCAST] = NO_PACKET;
	l->dropped = 0;
	for (i = 0; i < b->n; i += b->frag[i].count) {
		uint32_t d = b->frag[i].dst;
		bool fresh = d == DST_BROADCAST ? l->first[d] == NO_PACKET : (l->used[d / 64] >> d % 64 & 1) == 0;

		if (d == DST_DROP) {
			l->dropped++;
			continue;
		}
		if (fresh) {
			l->first[d] = (uint16_t)i;
			if (d != DST_BROADCAST)
				l->used[d / 64] |= UINT64_C(1) << d % 64;
		} else {
			b->frag[l->last[d]].next = (uint16_t)i;
		}
		l->last[d] = (uint16_t)i;
	}
}

static uint32_t
list_length(const struct batch *b, uint32_t first)
{
	uint32_t n = 0;

	for (; first != NO_PACKET; first = b->frag[first].next)
		n++;
	return n;
}

/* Packets to one port, and those to all: in order if both go to the same ring. True if the port took the broadcast, or it was counted that it did not. */
static bool
port_deliver(struct batch *b, uint32_t d, uint32_t unicast, uint32_t broadcast)
{
	struct packet_lists l = { unicast, broadcast };
	struct kring *uni = NULL, *all = NULL;
	enum drop_reason why;
	bool settled = false;

	if (broadcast != NO_PACKET) {
		all = target_find(b, d, 0, &why);
		settled = all != NULL || why != DROP_FILTERED;
		if (all == NULL && settled)
			drop(b->kr, why, list_length(b, broadcast));
	}
	if (unicast != NO_PACKET) {
		uni = target_find(b, d, b->ring, &why);
		if (uni == NULL)
			drop(b->kr, why, list_length(b, unicast));
	}
	if (uni != NULL && uni == all) {
		deliver_lists(b, uni, l);
		return settled;
	}
	if (uni != NULL)
		deliver_lists(b, uni, (struct packet_lists){ unicast, NO_PACKET });
	if (all != NULL)
		deliver_lists(b, all, (struct packet_lists){ NO_PACKET, broadcast });
	return settled;
}

static void
deliver_mixed(struct batch *b)
{
	struct batch_lists l;
	uint32_t self = b->index, broadcast, word;
	bool settled = false;

	batch_sort(b, &l);
	broadcast = l.first[DST_BROADCAST];
	for (word = 0; word < 4; word++) {
		uint64_t bits = l.used[word];

		if (broadcast != NO_PACKET)
			bits |= load_relaxed(&b->sw->active[word]);
		while (bits != 0) {
			uint32_t bit = (uint32_t)__builtin_ctzll(bits), d = word * 64 + bit;
			bool has = (l.used[word] >> bit & 1) != 0;

			bits &= bits - 1;
			if (d != self)
				settled |= port_deliver(b, d, has ? l.first[d] : NO_PACKET, broadcast);
		}
	}
	if (broadcast != NO_PACKET && !settled)
		l.dropped += list_length(b, broadcast);
	if (l.dropped > 0)
		drop(b->kr, DROP_FILTERED, l.dropped);
}

/* All packets are single fragments to everybody. */
static void
deliver_flood(struct batch *b)
{
	uint32_t word, self = b->index;
	bool settled = false;

	for (word = 0; word < 4; word++) {
		uint64_t bits = load_relaxed(&b->sw->active[word]);

		for (; bits != 0; bits &= bits - 1) {
			uint32_t d = word * 64 + (uint32_t)__builtin_ctzll(bits);
			enum drop_reason why = DROP_FILTERED;
			struct kring *kr = d == self ? NULL : target_find(b, d, 0, &why);

			if (kr != NULL)
				deliver_uniform(b, kr);
			else if (why != DROP_FILTERED)
				drop(b->kr, why, b->n);
			settled |= kr != NULL || why != DROP_FILTERED;
		}
	}
	if (!settled)
		drop(b->kr, DROP_FILTERED, b->n);
}

void
vale_deliver(struct batch *b)
{
	enum drop_reason why = DROP_FILTERED;
	struct kring *kr = NULL;

	if (b->n == 0)
		return;
	if (!b->uniform) {
		deliver_mixed(b);
		return;
	}
	if (b->frag[0].dst == DST_BROADCAST) {
		deliver_flood(b);
		return;
	}
	if (b->frag[0].dst != DST_DROP)
		kr = target_find(b, b->frag[0].dst, b->ring, &why);
	if (kr == NULL)
		drop(b->kr, why, b->n);
	else
		deliver_uniform(b, kr);
}

struct vale_switch *
vale_switch_of(const struct port *p, uint32_t *index)
{
	struct vale_switch *sw = load_acquire(&p->sw);

	*index = load_acquire(&p->sw_index);
	return load_relaxed(&p->sw) == sw ? sw : NULL;
}

void
vale_txsync(struct arena_root *root, struct actor *self, struct kring *kr, uint32_t head)
{
	struct batch b;
	struct vale_switch *sw = vale_switch_of(kr->port, &b.index);
	uint32_t avail = index_diff(kr, head, kr->hwcur), i = kr->hwcur, n;
	uint32_t most = load_relaxed(&root->bridge_batch);

	if (sw == NULL) {
		/* A port on no switch: nothing to send to. */
		drop(kr, DROP_FILTERED, avail);
		avail = 0;
	}
	b.root = root;
	b.self = self;
	b.kr = kr;
	b.sw = sw;
	b.ring = kr->id;
	b.most = most - 1 < BATCH_MAX ? most : BATCH_MAX;
	b.src = 0;
	b.dst = ~UINT64_C(0);
	b.dst_port = DST_DROP;
	b.hdr_len = load_relaxed(&kr->port->hdr_len);
	b.offsets = kr->offset_mask != 0;
	b.stamp = avail > 0 ? fdb_stamp(&sw->fdb, os_seconds()) : 0;
	for (; avail > 0; avail -= n) {
		n = batch_gather(&b, i, avail);
		counter_bump(&kr->own.packets, b.packets);
		counter_bump(&kr->own.bytes, b.bytes);
		vale_deliver(&b);
		i = index_add(kr, i, n);
	}
	store_relaxed(&kr->hwcur, head);
	kr->hwtail = index_prev(kr, head);
}
