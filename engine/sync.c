/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Syncs of rings on behalf of a descriptor, and the passes of poll.
 *
 * Threat model. A client may write anything, at any time, from any thread, into its region: the netmap_ring headers, the slots, the buffers. So
 * each of those words is loaded once into a local, the local is checked, and the word is not looked at again; slots are taken as two 8-byte copies;
 * indexes must lie in [2, buffers), lengths within a buffer, chains are bounded. What the engine believes (rhead, hwcur, hwtail ...) lies in the
 * arena, which only processes of the instance's own trust map; every value from there that indexes memory is still kept in range. A ring whose
 * head or cur breaks the rules is restored from the engine's state, counted, and named in a log line at most once a second; no other client notices.
 * Pointers and fields with a `u` prefix are user-visible words.
 */
#include "sync.h"
#include "host_ring.h"
#include "join.h"
#include "lease.h"
#include "monitor.h"
#include "nic.h"
#include "os.h"
#include "pipe.h"
#include "vale.h"

/* --- holding a ring --- */

bool
ring_hold(struct kring *kr, const struct actor *self)
{
	uint32_t nobody = 0;

	return load_relaxed(&kr->busy) == 0 && atomic_cas(&kr->busy, &nobody, self->id);
}

void
ring_release(struct kring *kr)
{
	/* The next holder sees all that we did to the ring. */
	store_release(&kr->busy, 0);
}

/* --- what the application says, and what it is told --- */

static void
uring_show_tail(struct kring *kr)
{
	store_relaxed(&kr->rtail, kr->hwtail);
	/* The slots behind the tail are visible to whoever sees it: other threads may read it without a sync. */
	store_release(&kr->uring->tail, kr->rtail);
}

/* `head` and `cur` broke the rules: the engine keeps what it believes. */
static void
ring_complain(struct kring *kr, uint32_t head, uint32_t cur)
{
	uint32_t now = os_seconds();

	counter_bump(&kr->own.bad_rings, 1);
	store_relaxed(&kr->rcur, kr->rhead);
	if (kr->bad_logged == now && now != 0)
		return;
	kr->bad_logged = now;
	os_log(OS_LOG_WARNING, "port %s, %s ring %u: head %u or cur %u is not within [%u, %u] of %u slots; ring restored (%llu times so far)",
		kr->port->name, kr->dir == RING_TX ? "tx" : "rx", kr->id, head, cur, kr->rhead, kr->rtail, kr->num_slots,
		(unsigned long long)kr->own.bad_rings);
}

/* Puts back what the engine believes. */
static void
uring_restore(struct kring *kr)
{
	store_relaxed(&kr->uring->head, kr->rhead);
	store_relaxed(&kr->uring->cur, kr->rhead);
	store_relaxed(&kr->uring->tail, kr->rtail);
}

static inline bool
claim_accept(struct kring *kr, uint32_t head, uint32_t cur)
{
	uint32_t n = kr->num_slots;

	if (unlikely(head >= n || cur >= n ||
	    index_diff(kr, head, kr->rhead) > index_diff(kr, kr->rtail, kr->rhead) ||
	    index_diff(kr, cur, head) > index_diff(kr, kr->rtail, head))) {
		ring_complain(kr, head, cur);
		return false;
	}
	kr->rhead = head;
	/* rcur, rtail and a TX ring's hwcur are also read by threads that find the ring busy. */
	store_relaxed(&kr->rcur, cur);
	return true;
}

bool
uring_accept(struct kring *kr)
{
	/* Slots that the application filled before it moved head are visible. */
	uint32_t head = load_acquire(&kr->uring->head);
	uint32_t cur = load_relaxed(&kr->uring->cur);

	if (unlikely(!claim_accept(kr, head, cur))) {
		uring_restore(kr);
		return false;
	}
	if (unlikely(load_relaxed(&kr->uring->tail) != kr->rtail))
		store_relaxed(&kr->uring->tail, kr->rtail);
	return true;
}

/* With the ring held: what the application has moved to, from its ring or from `claim`. */
static inline bool
ring_accept(struct kring *kr, const struct ring_claim *claim)
{
	return claim == NULL ? uring_accept(kr) : claim_accept(kr, claim->head, claim->cur);
}

/* With a claim the caller tells the application. */
static inline void
ring_show(struct kring *kr, const struct ring_claim *claim)
{
	if (claim == NULL)
		uring_show_tail(kr);
	else
		store_relaxed(&kr->rtail, kr->hwtail);
}

static void
uring_stamp(const struct arena_root *root, struct kring *kr, int64_t ts[2])
{
	if (load_relaxed(&root->no_timestamp) != 0 && (load_relaxed(&kr->uring->flags) & NR_TIMESTAMP) == 0)
		return;
	if (ts[0] == 0)
		os_wall_clock(&ts[0], &ts[1]);
	kr->uring->ts.tv_sec = ts[0];
	kr->uring->ts.tv_usec = ts[1];
}

/* --- one ring --- */

static inline __attribute__((always_inline)) enum ring_result
ring_txsync_from(struct arena_root *root, struct actor *self, struct kring *kr, const struct ring_claim *claim)
{
	enum ring_result result = RING_OK;
	uint32_t tail;

	if (unlikely(load_relaxed(&kr->stopped) != 0))
		return RING_ERROR;
	if (!ring_hold(kr, self))
		return RING_BUSY;
	tail = kr->hwtail;
	if (!ring_accept(kr, claim)) {
		ring_release(kr);
		return RING_BAD;
	}
	counter_bump(&kr->own.syncs, 1);
	if (ring_monitored(kr))
		monitor_sending(root, self->id, kr, kr->rhead);
	switch (kr->type) {
	case PORT_VALE:
		if (unlikely(load_relaxed(&kr->deferred) != 0))
			vale_handover(root, self, kr, kr->rhead);
		else if (kr->rhead != kr->hwcur)
			vale_txsync(root, self, kr, kr->rhead);
		break;
	case PORT_PIPE:
		pipe_txsync(root, kr, kr->rhead);
		break;
	case PORT_NIC:
		if ((unlikely(ring_joined(kr) || kr->joined)) && join_txsync(root, self, kr, kr->rhead))
			break;
		if (nic_txsync(kr, kr->rhead) < 0)
			result = RING_ERROR;
		break;
	case PORT_MONITOR:
		/* Nothing is sent here. */
		result = RING_BAD;
		break;
	}
	if (ring_monitored(kr))
		monitor_sent(root, self->id, kr, tail);
	ring_show(kr, claim);
	ring_release(kr);
	return result;
}

static enum ring_result
ring_txsync(struct arena_root *root, struct actor *self, struct kring *kr)
{
	return ring_txsync_from(root, self, kr, NULL);
}

/* Returns room to the producer and takes what it published: VALE ports and pipes. True if there are new packets. */
static bool
ring_consume(struct arena_root *root, struct kring *kr)
{
	uint32_t freed = index_diff(kr, kr->rhead, kr->hwcur);
	uint64_t tail, fresh;

	if (freed > 0) {
		kr->hwcur = kr->rhead;
		/* The producer that sees the room sees that we are done with the slots. */
		store_release(&kr->released, pos_add(kr, kr->released, freed));
		if (kr->type == PORT_PIPE) {
			/* Either the sender's last look saw the room, or we see that it sleeps. */
			fence_full();
			if (load_relaxed(&kr->tx_waiters) != 0)
				waitset_wake(root, &kr->tx_waiters, kr->peer->wait_bits);
		}
	}
	/* Pairs with the publication: the slots up to the tail are filled. */
	tail = load_acquire(&kr->published);
	fresh = pos_diff(kr, tail, kr->own_pos);
	if (fresh == 0 || fresh >= kr->num_slots)
		return false;
	kr->own_pos = tail;
	kr->hwtail = index_add(kr, kr->hwtail, (uint32_t)fresh);
	counter_bump(&kr->own.packets, fresh);
	return true;
}

static inline __attribute__((always_inline)) enum ring_result
ring_rxsync_from(struct arena_root *root, struct actor *self, struct binding *b, struct kring *kr, const struct ring_claim *claim)
{
	enum ring_result result = RING_OK;
	int64_t ts[2] = { 0, 0 };
	bool fresh;

	if (unlikely(load_relaxed(&kr->stopped) != 0))
		return RING_ERROR;
	if (!ring_hold(kr, self))
		return RING_BUSY;
	/* A restored ring is synced all the same: it has released nothing. */
	if (!ring_accept(kr, claim))
		result = RING_BAD;
	counter_bump(&kr->own.syncs, 1);
	if (kr->type == PORT_NIC) {
		uint32_t tail = kr->hwtail, head = host_ring_forward(root, self, b, kr);

		if (ring_monitored(kr))
			monitor_released(root, self->id, kr, head);
		if ((unlikely(ring_joined(kr)) ? join_rxsync(root, self, kr, head, ts) : nic_rxsync(kr, head, ts)) < 0)
			result = RING_ERROR;
		fresh = kr->hwtail != tail;
		if (ring_monitored(kr))
			monitor_arrived(root, self->id, kr, tail, index_diff(kr, kr->hwtail, tail));
	} else {
		if (ring_monitored(kr))
			monitor_released(root, self->id, kr, kr->rhead);
		fresh = ring_consume(root, kr);
		if (kr->type == PORT_MONITOR && monitor_pull(root, self, kr))
			fresh |= ring_consume(root, kr);
	}
	if (fresh)
		uring_stamp(root, kr, ts);
	ring_show(kr, claim);
	ring_release(kr);
	return result;
}

static enum ring_result
ring_rxsync(struct arena_root *root, struct actor *self, struct binding *b, struct kring *kr)
{
	return ring_rxsync_from(root, self, b, kr, NULL);
}

enum ring_result
ring_sync_claim(struct arena_root *root, struct actor *self, struct binding *b, struct kring *kr, const struct ring_claim *claim)
{
	return kr->dir == RING_TX ? ring_txsync_from(root, self, kr, claim) : ring_rxsync_from(root, self, b, kr, claim);
}

/* --- a descriptor's rings --- */

static bool
binding_usable(const struct binding *b)
{
	/* Pairs with the control side, which sets it last. */
	return load_acquire(&b->registered) != 0;
}

/* May its rings be synced by a call, now? 0 or -errno. */
static int
binding_refusal(const struct binding *b)
{
	if (unlikely(!binding_usable(b)))
		return -ENXIO;
	return likely(load_relaxed(&b->csb) == 0) ? 0 : -EBUSY;
}

int
binding_txsync(struct arena_root *root, struct actor *self, struct binding *b)
{
	uint64_t before = actor_enter(root, self);
	int error = binding_refusal(b);
	uint32_t i;

	if (error != 0) {
		actor_leave(self, before);
		return error;
	}
	for (i = b->tx_first; i < b->tx_last; i++)
		if (ring_txsync(root, self, b->tx[i]) == RING_ERROR)
			error = -EIO;
	actor_leave(self, before);
	return error;
}

int
binding_rxsync(struct arena_root *root, struct actor *self, struct binding *b)
{
	uint64_t before = actor_enter(root, self);
	int error = binding_refusal(b);
	uint32_t i;

	if (error != 0) {
		actor_leave(self, before);
		return error;
	}
	for (i = b->rx_first; i < b->rx_last; i++)
		if (ring_rxsync(root, self, b, b->rx[i]) == RING_ERROR)
			error = -EIO;
	actor_leave(self, before);
	return error;
}

/* --- poll --- */

static unsigned
result_event(enum ring_result r)
{
	return r == RING_BAD || r == RING_ERROR ? EV_ERR : 0;
}

/*
 * A ring that another thread is syncing: that thread may have had its look before what we wait for came, and need not look again. So, what is there by the
 * other side's word beyond what the application has? At worst the caller is told of something that its other thread is just taking.
 */
static bool
busy_has_packets(const struct kring *kr)
{
	if (kr->type == PORT_NIC)
		return join_offers(kr);
	return pos_index(kr, load_acquire(&kr->published)) != load_relaxed(&kr->rcur);
}

static bool
busy_has_room(const struct kring *kr)
{
	const struct kring *taken = kr->type == PORT_PIPE ? kr->peer : load_relaxed(&kr->joined) || load_relaxed(&kr->handed) ? kr : NULL;

	return taken != NULL && index_prev(kr, pos_index(kr, load_acquire(&taken->released))) != load_relaxed(&kr->rcur);
}

/* Nothing to send, and nothing that an interface's driver still has to say of what was sent. */
static bool
tx_idle(const struct kring *kr)
{
	uint32_t hwcur = load_relaxed(&kr->hwcur);

	return load_relaxed(&kr->uring->head) == hwcur && (kr->type != PORT_NIC || index_next(kr, load_relaxed(&kr->hwtail)) == hwcur);
}

/* One pass over the TX rings. With `wanted`, looks for room until some ring has it; rings with something to send are synced in any case. */
static unsigned
poll_tx_pass(struct arena_root *root, struct actor *self, struct binding *b, bool wanted)
{
	unsigned got = 0;
	uint32_t i;

	for (i = b->tx_first; i < b->tx_last; i++) {
		struct kring *kr = b->tx[i];
		bool look = wanted && (got & EV_OUT) == 0;
		enum ring_result r;

		if (!look && tx_idle(kr))
			continue;
		r = ring_txsync(root, self, kr);
		got |= result_event(r);
		if (look && (load_relaxed(&kr->rcur) != load_relaxed(&kr->rtail) || (r == RING_BUSY && busy_has_room(kr))))
			got |= EV_OUT;
	}
	return got;
}

static unsigned
poll_rx_pass(struct arena_root *root, struct actor *self, struct binding *b)
{
	unsigned got = 0;
	uint32_t i;

	for (i = b->rx_first; i < b->rx_last; i++) {
		struct kring *kr = b->rx[i];
		enum ring_result r = ring_rxsync(root, self, b, kr);

		got |= result_event(r);
		if (load_relaxed(&kr->rcur) != load_relaxed(&kr->rtail) || (r == RING_BUSY && busy_has_packets(kr)))
			got |= EV_IN;
	}
	return got;
}

unsigned
binding_poll(struct arena_root *root, struct actor *self, struct binding *b, unsigned events)
{
	uint64_t before = actor_enter(root, self);
	unsigned got = 0;

	if (binding_refusal(b) != 0 || load_relaxed(&b->port->gone)) {
		actor_leave(self, before);
		return EV_ERR;
	}
	if ((events & EV_OUT) != 0 || (b->flags & NR_NO_TX_POLL) == 0)
		got |= poll_tx_pass(root, self, b, (events & EV_OUT) != 0);
	if ((events & EV_IN) != 0 || (b->flags & NR_DO_RX_POLL) != 0)
		got |= poll_rx_pass(root, self, b);
	/* What the host's stack sent may have been moved to the interface's rings. */
	if (host_ring_forwards_down(root, b))
		got |= poll_tx_pass(root, self, b, false);
	actor_leave(self, before);
	return got & (events | EV_ERR);
}

void
binding_arm(struct arena_root *root, struct actor *self, struct binding *b, unsigned events)
{
	uint64_t before = actor_enter(root, self);
	uint32_t i;

	if (binding_usable(b)) {
		if ((events & EV_IN) != 0)
			for (i = b->rx_first; i < b->rx_last; i++)
				waitset_add(&b->rx[i]->rx_waiters, b->rx[i]->wait_bits, self);
		/* A VALE ring takes everything at once, and nobody waits for room in it, unless a worker forwards. */
		if ((events & EV_OUT) != 0)
			for (i = b->tx_first; i < b->tx_last; i++) {
				struct kring *kr = b->tx[i];

				if (kr->type == PORT_PIPE)
					waitset_add(&kr->peer->tx_waiters, kr->wait_bits, self);
				else if (kr->type == PORT_NIC || load_relaxed(&kr->deferred) != 0)
					waitset_add(&kr->tx_waiters, kr->wait_bits, self);
			}
	}
	actor_leave(self, before);
}

void
binding_disarm(struct arena_root *root, struct actor *self, struct binding *b, unsigned events)
{
	uint64_t before = actor_enter(root, self);
	uint32_t i;

	if (binding_usable(b)) {
		if ((events & EV_IN) != 0)
			for (i = b->rx_first; i < b->rx_last; i++)
				waitset_remove(b->rx[i]->wait_bits, self);
		if ((events & EV_OUT) != 0)
			for (i = b->tx_first; i < b->tx_last; i++)
				waitset_remove(b->tx[i]->wait_bits, self);
	}
	actor_leave(self, before);
}

bool
binding_has_nic(const struct binding *b)
{
	return binding_usable(b) && (b->port->type == PORT_NIC || unlikely(monitor_source(b) != NULL));
}

/* --- after a death --- */

/*
 * A thread died while it held the ring. What the other side saw, `published` and `released`, was stored in one piece after the slots that it speaks of:
 * the rest follows from it. The next holder repeats at most what was not yet shown.
 */
static void
ring_repair(struct kring *kr)
{
	if (kr->dir == RING_RX && kr->type != PORT_NIC) {
		kr->hwcur = pos_index(kr, kr->released);
		kr->hwtail = pos_index(kr, kr->own_pos);
	} else if (kr->type == PORT_PIPE) {
		kr->own_pos = kr->peer->published;
		store_relaxed(&kr->hwcur, pos_index(kr, kr->own_pos));
		kr->hwtail = index_prev(kr, pos_index(kr, kr->own_free));
	} else if (kr->handed != 0) {
		kr->own_pos = kr->published;
		store_relaxed(&kr->hwcur, pos_index(kr, kr->own_pos));
		kr->hwtail = index_prev(kr, pos_index(kr, load_relaxed(&kr->released)));
	}
}

static unsigned
rings_recover(struct kring **kr, uint32_t n, uint32_t id)
{
	unsigned cancelled = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (kr[i]->type == PORT_NIC)
			join_repair(kr[i], id);
		else if (load_acquire(&kr[i]->taker) == id)
			store_release(&kr[i]->taker, 0);
		if (load_acquire(&kr[i]->busy) == id) {
			ring_repair(kr[i]);
			ring_release(kr[i]);
		}
		if (kr[i]->lease != NULL)
			cancelled += lease_cancel(kr[i], id);
	}
	return cancelled;
}

void
sleepers_wake(struct arena_root *root, struct port *p)
{
	uint32_t i;

	for (i = 0; i < port_rx_rings(p); i++) {
		struct kring *kr = p->rx[i];

		fence_full();
		if (load_relaxed(&kr->rx_waiters) != 0)
			waitset_wake(root, &kr->rx_waiters, kr->wait_bits);
		if (kr->peer != NULL && load_relaxed(&kr->tx_waiters) != 0)
			waitset_wake(root, &kr->tx_waiters, kr->peer->wait_bits);
	}
	for (i = 0; i < port_tx_rings(p); i++)
		if (load_relaxed(&p->tx[i]->tx_waiters) != 0)
			waitset_wake(root, &p->tx[i]->tx_waiters, p->tx[i]->wait_bits);
	if (p->type == PORT_VALE)
		vale_worker_wake(root, p);
}

unsigned
actor_recover(struct arena_root *root, uint32_t id)
{
	unsigned cancelled = 0;
	struct port *p;

	for (p = root->ports; p != NULL; p = p->list_next)
		monitor_repair_port(p, id);
	for (p = root->ports; p != NULL; p = p->list_next) {
		cancelled += rings_recover(p->rx, port_rx_rings(p), id);
		rings_recover(p->tx, port_tx_rings(p), id);
	}
	/*
	 * The dead thread may have published, or released, and not come to wake anybody; and who found a ring busy with it waits for a look that does
	 * not come. Only now is everything in place that somebody may find on waking.
	 */
	for (p = root->ports; p != NULL; p = p->list_next)
		sleepers_wake(root, p);
	return cancelled;
}
