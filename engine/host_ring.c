/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See host_ring.h. The threat model is that of sync.c: slots are loaded once, and positions are the engine's own or accepted by it.
 */
#include "host_ring.h"
#include "nic.h"
#include "os.h"
#include "sync.h"

static bool
ring_forwards(const struct arena_root *root, const struct kring *kr)
{
	return load_relaxed(&root->fwd) != 0 || (load_relaxed(&kr->uring->flags) & NR_FORWARD) != 0;
}

static bool
slot_forwards(const struct kring *kr, uint32_t i)
{
	return (slot_flags(slot_load(&kr->uslot[i])) & NS_FORWARD) != 0;
}

/* --- up: from the interface to the stack --- */

static void
up_lost(struct kring *kr, uint32_t from, uint32_t to)
{
	uint32_t now = os_seconds();

	counter_bump(&kr->own.drops[DROP_UNREACHABLE], index_diff(kr, to, from));
	if (kr->bad_logged == now && now != 0)
		return;
	kr->bad_logged = now;
	os_log(OS_LOG_WARNING, "port %s, rx ring %u: NR_FORWARD is set, but the host's stack cannot be reached: open the port's host rings too, "
		"with a * or ^ behind its name (%llu frames lost so far)", kr->port->name, kr->id,
		(unsigned long long)kr->own.drops[DROP_UNREACHABLE]);
}

/* Slots [from, to) of kr, each of which is for the stack. With the host's ring `to_host` held. */
static void
up_send(struct kring *kr, struct kring *to_host, uint32_t from, uint32_t to)
{
	struct nic_ring r;

	nic_ring_init(&r, kr, from, to);
	if (os_nic_sync(to_host, &r) < 0) {
		up_lost(kr, from, to);
		return;
	}
	/* No room at the other side, or a chain without an end. */
	if (r.from != to && r.from < kr->num_slots)
		r.drops[DROP_NO_ROOM] += index_diff(kr, to, r.from);
	nic_ring_count(to_host, &r);
}

/* The first slot in [i, end) that is for the stack, or that is not; end if there is none. */
static uint32_t
up_search(const struct kring *kr, uint32_t i, uint32_t end, bool all, bool forwards)
{
	while (i != end && (all || slot_forwards(kr, i)) != forwards)
		i = index_next(kr, i);
	return i;
}

/* `all`: whatever the slots say. */
static uint32_t
forward_up(const struct actor *self, struct kring *kr, bool all)
{
	const struct port *p = kr->port;
	uint32_t from = up_search(kr, kr->hwcur, kr->rhead, all, true), to;
	struct kring *to_host = p->num_host_tx > 0 ? p->tx[p->num_tx] : NULL;

	if (from == kr->rhead)
		return kr->rhead;
	if (to_host != NULL && !ring_hold(to_host, self))
		return from;
	while (from != kr->rhead) {
		to = up_search(kr, from, kr->rhead, all, false);
		if (to_host != NULL && load_relaxed(&p->host_id) != 0)
			up_send(kr, to_host, from, to);
		else
			up_lost(kr, from, to);
		from = up_search(kr, to, kr->rhead, all, true);
	}
	if (to_host != NULL)
		ring_release(to_host);
	return kr->rhead;
}

/* --- down: from the stack to the interface --- */

/* Where released slots of the host's ring go: TX ring after TX ring while they have room. */
struct down {
	const struct actor *self;
	const struct binding *b;
	uint32_t next;			/* ring to be tried next */
	struct kring *tx;		/* held, or NULL */
	uint32_t at, room;		/* in it */
};

static void
down_ring_finish(struct down *d)
{
	struct kring *tx = d->tx;

	if (tx == NULL)
		return;
	if (d->at != tx->rhead) {
		/* A program that waits for room further on goes on doing so. */
		if (index_diff(tx, tx->rcur, tx->rhead) < index_diff(tx, d->at, tx->rhead)) {
			store_relaxed(&tx->rcur, d->at);
			store_relaxed(&tx->uring->cur, d->at);
		}
		tx->rhead = d->at;
		/* Whoever sees the new head sees the slots before it. */
		store_release(&tx->uring->head, d->at);
	}
	ring_release(tx);
	d->tx = NULL;
}

static bool
down_room(struct down *d)
{
	while (d->tx == NULL || d->room == 0) {
		struct kring *tx;

		down_ring_finish(d);
		if (d->next == d->b->port->num_tx)
			return false;
		tx = d->b->tx[d->next++];
		if (load_relaxed(&tx->stopped) != 0 || !ring_hold(tx, d->self))
			continue;
		d->tx = tx;
		d->at = tx->rhead;
		d->room = 0;
		if (!uring_accept(tx))
			continue;
		d->at = tx->rhead;
		d->room = index_diff(tx, tx->rtail, tx->rhead);
	}
	return true;
}

/* Buffers are exchanged: the data stay where they are, if the other ring can say so. */
static void
down_offset(const struct kring *tx, uint32_t at, const struct kring *kr, uint64_t word, uint32_t offset)
{
	uint32_t to = offset < tx->offset_max ? offset : tx->offset_max;

	slot_move_data(kr, word, to, offset);
	if (tx->offset_mask != 0)
		store_relaxed(&tx->uslot[at].ptr, slot_ptr(tx, slot_load_ptr(&tx->uslot[at]), to));
}

static void
down_move(struct down *d, struct kring *kr, uint32_t i)
{
	uint64_t word = slot_load(&kr->uslot[i]), old;
	uint32_t offset = slot_offset(kr, slot_load_ptr(&kr->uslot[i]));

	if (!slot_idx_valid(kr, slot_idx(word)) || slot_len(word) > kr->buf_size - offset) {
		counter_bump(&kr->own.drops[DROP_BAD_SLOT], 1);
		return;
	}
	if (!down_room(d)) {
		counter_bump(&kr->own.drops[DROP_NO_ROOM], 1);
		return;
	}
	old = slot_load(&d->tx->uslot[d->at]);
	down_offset(d->tx, d->at, kr, word, offset);
	slot_store(&d->tx->uslot[d->at], slot_word(slot_idx(word), slot_len(word), NS_BUF_CHANGED));
	slot_store(&kr->uslot[i], slot_word(slot_idx(old), 0, NS_BUF_CHANGED));
	d->at = index_next(d->tx, d->at);
	d->room--;
}

static void
forward_down(const struct actor *self, const struct binding *b, struct kring *kr)
{
	struct down d = { .self = self, .b = b };
	uint32_t i;

	for (i = kr->hwcur; i != kr->rhead; i = index_next(kr, i))
		if (slot_forwards(kr, i))
			down_move(&d, kr, i);
	down_ring_finish(&d);
}

/* --- either --- */

bool
host_ring_forwards_down(const struct arena_root *root, const struct binding *b)
{
	const struct port *p = b->port;

	/* In CSB mode the TX rings do not say where the program is. */
	return p->type == PORT_NIC && load_relaxed(&b->csb) == 0 && b->tx_first == 0 && b->tx_last >= p->num_tx &&
		b->rx_first <= p->num_rx && b->rx_last > p->num_rx && ring_forwards(root, b->rx[p->num_rx]);
}

uint32_t
host_ring_forward(const struct arena_root *root, const struct actor *self, struct binding *b, struct kring *kr)
{
	bool all = load_relaxed(&root->fwd) != 0;

	if (likely(!ring_forwards(root, kr)))
		return kr->rhead;
	if (kr->host == 0) {
		/* By the parameter, without a wish of the program: only where there is a stack to send to. */
		if (all && load_relaxed(&kr->port->host_id) == 0 && (load_relaxed(&kr->uring->flags) & NR_FORWARD) == 0)
			return kr->rhead;
		/* The process makes sure that the host's side can be reached from it before it syncs the next time. */
		store_relaxed(&b->forwards, 1);
		return forward_up(self, kr, all);
	}
	if (kr->id == kr->port->num_rx && host_ring_forwards_down(root, b))
		forward_down(self, b, kr);
	return kr->rhead;
}
