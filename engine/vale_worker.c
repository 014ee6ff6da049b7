/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See vale_worker.h. Slots and frames of senders are hostile, as everywhere: decisions are made on copies.
 */
#include "vale_worker.h"
#include "bytes.h"
#include "os.h"

#define PACKET_COUNTED	(-2)		/* gone, and counted where it was handed over */

/* --- gathering --- */

static int
fragment_add(struct batch *b, uint64_t word, uint64_t ptr, uint32_t limit)
{
	struct kring *kr = b->kr;
	bool indirect = (slot_flags(word) & NS_INDIRECT) != 0;
	uint32_t len = slot_len(word), offset = indirect ? 0 : slot_offset(kr, ptr);

	if (indirect && len == 0)
		return PACKET_COUNTED;
	if (!slot_idx_valid(kr, slot_idx(word)))
		return DROP_BAD_SLOT;
	if (len > kr->buf_size - offset)
		return DROP_TOO_LONG;
	if (b->n == limit)
		return DROP_BAD_CHAIN;
	b->frag[b->n++] = (struct fragment){ .data = slot_buf(kr, slot_idx(word)) + offset, .len = (uint16_t)len, .next = NO_PACKET };
	return -1;
}

/* Copies up to n bytes of a frame that begins at byte `ofs` of a fragment, of which `frags` are left. Returns how many. */
static uint32_t
header_read(uint8_t *to, uint32_t n, const struct fragment *f, uint32_t frags, uint32_t ofs)
{
	uint32_t done = 0;

	for (; frags > 0 && done < n; frags--, f++) {
		uint32_t part = f->len - ofs < n - done ? f->len - ofs : n - done;

		bytes_copy(to + done, f->data + ofs, part);
		done += part;
		ofs = 0;
	}
	return done;
}

/* The other way. */
static void
header_write(const uint8_t *from, uint32_t n, const struct fragment *f, uint32_t frags, uint32_t ofs)
{
	for (; frags > 0 && n > 0; frags--, f++) {
		uint32_t part = f->len - ofs < n ? f->len - ofs : n;

		bytes_copy((char *)(uintptr_t)f->data + ofs, from, part);
		from += part;
		n -= part;
		ofs = 0;
	}
}

/* What the module gets to know of the packet that was gathered last. A drop reason, or -1. */
static int
packet_show(struct vale_worker *w, struct batch *b, uint32_t first)
{
	uint32_t ofs, skip = packet_head(b, &b->frag[first], &ofs), k = (uint32_t)b->packets, i;
	uint32_t frags = b->n - first - skip, len = 0;
	const struct fragment *f = &b->frag[first + skip];
	struct netmap_switch_packet *p = &w->packet[k];

	if (f->len < ofs + ETH_HEADER)
		return b->n - first > 1 ? DROP_BAD_CHAIN : DROP_RUNT;
	for (i = 0; i < frags; i++)
		len += f[i].len;
	*p = (struct netmap_switch_packet){
		.header = w->header + k * NETMAP_SWITCH_HEADER_MAX,
		.len = len - ofs,
		.src_port = (uint16_t)b->index,
		.src_ring = b->kr->id,
		.dst_port = NETMAP_SWITCH_DROP,
		.dst_ring = b->kr->id,
	};
	p->header_len = header_read(p->header, w->header_len, f, frags, ofs);
	return -1;
}

/* One packet, from index i on, of at most `avail` slots. Returns how many it has. */
static uint32_t
packet_gather(struct vale_worker *w, struct batch *b, uint32_t i, uint32_t avail)
{
	struct kring *kr = b->kr;
	uint32_t first = b->n, taken = 0, flags, all_flags = 0;
	int why = -1;

	do {
		uint64_t word = slot_load(&kr->uslot[i]);

		flags = slot_flags(word);
		if (taken++ == 0)
			all_flags = flags;
		if (why == -1)
			why = fragment_add(b, word, slot_load_ptr(&kr->uslot[i]), first + NETMAP_MAX_FRAGS);
		if (unlikely((flags & NS_BUF_CHANGED) != 0))
			slot_store(&kr->uslot[i], word & ~((uint64_t)NS_BUF_CHANGED << 48));
		i = index_next(kr, i);
	} while ((flags & NS_MOREFRAG) != 0 && taken < avail);

	if (why == -1) {
		b->frag[first].count = (uint8_t)(b->n - first);
		why = w->module != NULL ? packet_show(w, b, first) : vale_packet_decide(b, &b->frag[first], all_flags);
	}
	if (unlikely(why != -1)) {
		if (why >= 0)
			drop(kr, (enum drop_reason)why, 1);
		b->n = first;
		return taken;
	}
	w->first[b->packets++] = (uint16_t)first;
	for (i = first; i < b->n; i++)
		b->bytes += b->frag[i].len;
	return taken;
}

static uint32_t
batch_gather(struct vale_worker *w, struct batch *b, uint32_t i, uint32_t avail)
{
	uint32_t taken = 0, n;

	b->n = 0;
	b->packets = b->bytes = 0;
	for (; taken < avail && b->n < b->most; taken += n) {
		n = packet_gather(w, b, i, avail - taken);
		i = index_add(b->kr, i, n);
	}
	return taken;
}

/* --- deciding --- */

/* At most once a second. */
static void
module_complain(struct vale_worker *w, uint32_t port)
{
	uint32_t now = os_seconds();

	if (w->complained == now)
		return;
	w->complained = now;
	os_log(OS_LOG_WARNING, "switch %s: module %s sends to port %u: ports are 0 to %u, %u is all, %u is none; dropped", w->sw->name, w->name, port,
		VALE_PORTS - 1, DST_BROADCAST, DST_DROP);
}

/* What the module said of packet k. */
static void
answer_take(struct vale_worker *w, struct batch *b, uint32_t k)
{
	const struct netmap_switch_packet *p = &w->packet[k];
	struct fragment *f = &b->frag[w->first[k]];
	uint32_t d = p->dst_port, ofs, skip;

	if (unlikely(d > DST_DROP)) {
		module_complain(w, d);
		d = DST_DROP;
	}
	f->dst = (uint8_t)(d == b->index ? DST_DROP : d);
	if (p->rewrite == 0)
		return;
	skip = packet_head(b, f, &ofs);
	header_write(w->header + k * NETMAP_SWITCH_HEADER_MAX, p->rewrite < w->header_len ? p->rewrite : w->header_len, f + skip, f->count - skip, ofs);
}

static void
batch_decide(struct vale_worker *w, struct batch *b)
{
	uint32_t k;

	w->module->lookup(w->ctx, w->packet, (unsigned)b->packets);
	for (k = 0; k < b->packets; k++)
		answer_take(w, b, k);
}

/* --- delivering --- */

/* Packets that go to ring `ring`, from number k on. */
static void
part_gather(struct vale_worker *w, uint32_t k, uint32_t ring)
{
	const struct batch *b = &w->b;
	struct batch *part = &w->part;

	part->n = 0;
	part->ring = ring;
	for (; k < b->packets; k++) {
		const struct fragment *f = &b->frag[w->first[k]];

		if (w->taken[k] || w->packet[k].dst_ring != ring)
			continue;
		w->taken[k] = true;
		bytes_copy(&part->frag[part->n], f, f->count * sizeof(*f));
		part->n += f->count;
	}
}

static void
batch_deliver(struct batch *b)
{
	uint32_t i;

	b->uniform = true;
	for (i = 0; i < b->n && b->uniform; i++)
		b->uniform = b->frag[i].count == 1 && b->frag[i].dst == b->frag[0].dst;
	vale_deliver(b);
}

static void
batch_deliver_rings(struct vale_worker *w, struct batch *b)
{
	uint32_t k;

	bytes_copy(&w->part, b, offsetof(struct batch, frag));
	bytes_zero(w->taken, sizeof(w->taken));
	for (k = 0; k < b->packets; k++) {
		if (w->taken[k])
			continue;
		part_gather(w, k, w->packet[k].dst_ring);
		batch_deliver(&w->part);
	}
}

static bool
batch_one_ring(const struct vale_worker *w, const struct batch *b)
{
	uint32_t k;

	for (k = 1; k < b->packets; k++)
		if (w->packet[k].dst_ring != w->packet[0].dst_ring)
			return false;
	return true;
}

static void
batch_forward(struct vale_worker *w, struct batch *b)
{
	struct kring *kr = b->kr;

	if (b->packets == 0)
		return;
	counter_bump(&kr->own.packets, b->packets);
	counter_bump(&kr->own.bytes, b->bytes);
	b->ring = kr->id;
	if (w->module != NULL) {
		batch_decide(w, b);
		if (!batch_one_ring(w, b)) {
			batch_deliver_rings(w, b);
			return;
		}
		b->ring = w->packet[0].dst_ring;
	}
	batch_deliver(b);
}

/* --- rings --- */

static void
batch_init(struct vale_worker *w, struct arena_root *root, struct actor *self, struct kring *kr, uint32_t index)
{
	struct batch *b = &w->b;
	uint32_t most = load_relaxed(&root->bridge_batch);

	b->root = root;
	b->self = self;
	b->kr = kr;
	b->sw = w->sw;
	b->index = index;
	b->hdr_len = load_relaxed(&kr->port->hdr_len);
	b->stamp = fdb_stamp(&w->sw->fdb, os_seconds());
	b->most = most - 1 < BATCH_MAX ? most : BATCH_MAX;
	b->src = 0;
	b->dst = ~UINT64_C(0);
	b->dst_port = DST_DROP;
	b->offsets = kr->offset_mask != 0;
}

/* Slots that were handed over, from `released` on. */
static uint32_t
ring_pending(const struct kring *kr)
{
	/* Pairs with the sender's release: the slots are filled. */
	uint64_t n = pos_diff(kr, load_acquire(&kr->published), load_relaxed(&kr->released));

	return n < kr->num_slots ? (uint32_t)n : 0;
}

static void
ring_forward(struct vale_worker *w, struct arena_root *root, struct actor *self, struct kring *kr, uint32_t index)
{
	uint32_t left = ring_pending(kr), n;

	batch_init(w, root, self, kr, index);
	for (; left > 0; left -= n) {
		uint64_t pos = load_relaxed(&kr->released);

		n = batch_gather(w, &w->b, pos_index(kr, pos), left);
		batch_forward(w, &w->b);
		store_release(&kr->released, pos_add(kr, pos, n));
		/* Either the sender's last look saw the room, or we see that it sleeps. */
		fence_full();
		if (load_relaxed(&kr->tx_waiters) != 0)
			waitset_wake(root, &kr->tx_waiters, kr->wait_bits);
	}
}

static bool
ring_take(struct vale_worker *w, struct arena_root *root, struct actor *self, struct kring *kr, uint32_t index)
{
	uint32_t nobody = 0;

	if (load_acquire(&kr->handed) == 0 || ring_pending(kr) == 0 || !atomic_cas(&kr->taker, &nobody, self->id))
		return false;
	ring_forward(w, root, self, kr, index);
	store_release(&kr->taker, 0);
	return true;
}

bool
vale_worker_step(struct arena_root *root, struct actor *self, struct vale_worker *w)
{
	bool moved = false;
	uint64_t before;
	uint32_t word, i;

	os_mutex_lock(w->lock);
	before = actor_enter(root, self);
	for (word = 0; word < 4; word++) {
		uint64_t bits = load_relaxed(&w->sw->active[word]);

		for (; bits != 0; bits &= bits - 1) {
			uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);
			const struct port *p = load_acquire(&w->sw->port[index]);

			for (i = 0; p != NULL && i < p->num_tx; i++)
				moved |= ring_take(w, root, self, p->tx[i], index);
		}
	}
	actor_leave(self, before);
	os_mutex_unlock(w->lock);
	return moved;
}

void
vale_worker_arm(struct vale_worker *w, const struct actor *self)
{
	store_relaxed(&w->sw->sleeper, self->id);
	/* The caller's look at the rings comes after it: see worker_wake. */
	fence_full();
}

void
vale_worker_disarm(struct vale_worker *w)
{
	store_relaxed(&w->sw->sleeper, 0);
}
