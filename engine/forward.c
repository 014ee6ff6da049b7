/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See forward.h.
 */
#include "forward.h"
#include "sync.h"

static struct kring *
rx_ring(const struct binding *b)
{
	return b->rx_first < b->rx_last ? b->rx[b->rx_first] : NULL;
}

static struct kring *
tx_ring(const struct binding *b)
{
	return b->tx_first < b->tx_last ? b->tx[b->tx_first] : NULL;
}

/* Slots of the packet at index i, of which `avail` are there: a chain without its end is as long as that. */
static uint32_t
packet_slots(const struct kring *kr, uint32_t i, uint32_t avail)
{
	uint32_t n = 1;

	while (n < avail && (slot_flags(slot_load(&kr->uslot[i])) & NS_MOREFRAG) != 0) {
		i = index_next(kr, i);
		n++;
	}
	return n;
}

/* Nothing goes on of a slot that came out empty (it was counted where that happened), and of a packet that fits nowhere. */
static bool
packet_dropped(struct kring *from, const struct kring *to, uint32_t i, uint32_t n)
{
	if (n == 1)
		return slot_len(slot_load(&from->uslot[i])) == 0;
	if (n <= NETMAP_MAX_FRAGS && n < to->num_slots)
		return false;
	counter_bump(&from->own.drops[DROP_BAD_CHAIN], 1);
	return true;
}

/* Interfaces are told that a slot has another buffer; to the switch that is a special case, which costs. */
static uint32_t
changed_flag(const struct kring *kr)
{
	return kr->type == PORT_VALE ? 0 : NS_BUF_CHANGED;
}

/* The buffers change places. Indexes are not looked at: each ring's sync checks what it finds. */
static inline void
slots_exchange(struct netmap_slot *ufrom, struct netmap_slot *uto, uint32_t from_flags, uint32_t to_flags)
{
	uint64_t full = slot_load(ufrom), empty = slot_load(uto);

	slot_store(uto, slot_word(slot_idx(full), slot_len(full), to_flags));
	slot_store(ufrom, slot_word(slot_idx(empty), slot_len(full), from_flags));
}

static void
head_set(struct kring *kr, uint32_t head)
{
	store_relaxed(&kr->uring->cur, head);
	store_release(&kr->uring->head, head);
}

/*
 * Moves whole packets from the start of an RX ring to a TX ring, as many as there is room for. To be called after the
 * first ring's sync, and to be followed by the second one's. Returns slots taken; *left: some had to stay.
 */
static uint32_t
packets_move(struct kring *from, struct kring *to, bool *left)
{
	uint32_t avail = index_diff(from, load_relaxed(&from->rtail), from->rhead);
	uint32_t room = index_diff(to, load_relaxed(&to->rtail), to->rhead);
	uint32_t from_flags = changed_flag(from), to_flags = changed_flag(to);
	uint32_t i = from->rhead, j = to->rhead, taken = 0, n;

	for (; taken < avail; taken += n) {
		n = packet_slots(from, i, avail - taken);
		if (unlikely(packet_dropped(from, to, i, n))) {
			i = index_add(from, i, n);
			continue;
		}
		if (n > room)
			break;
		room -= n;
		for (uint32_t more = n; more-- > 0;) {
			slots_exchange(&from->uslot[i], &to->uslot[j], from_flags, to_flags | (more > 0 ? NS_MOREFRAG : 0));
			i = index_next(from, i);
			j = index_next(to, j);
		}
	}
	*left = taken < avail;
	if (taken > 0) {
		head_set(from, i);
		head_set(to, j);
	}
	return taken;
}

static unsigned
step_to_switch(struct arena_root *root, struct actor *self, struct forward_pair *p)
{
	struct kring *from = rx_ring(&p->nic), *to = tx_ring(&p->vale);
	unsigned got = 0;
	bool left;

	if (from == NULL || to == NULL)
		return 0;
	/* What came before the interface failed is still there. */
	if (binding_rxsync(root, self, &p->nic) != 0)
		got = FORWARD_FAILED;
	if (packets_move(from, to, &left) == 0) {
		if (!left || load_relaxed(&to->deferred) == 0)
			return got;
		/* Where a worker forwards, room comes back later. */
		binding_txsync(root, self, &p->vale);
		if (packets_move(from, to, &left) == 0)
			return got;
	}
	binding_txsync(root, self, &p->vale);
	return got | FORWARD_MOVED;
}

static unsigned
step_to_interface(struct arena_root *root, struct actor *self, struct forward_pair *p)
{
	struct kring *from = rx_ring(&p->vale), *to = tx_ring(&p->nic);
	uint32_t retries = load_relaxed(&root->txsync_retry), tries;
	unsigned got = 0;
	bool left;

	if (from == NULL || to == NULL)
		return 0;
	for (tries = 0; tries <= retries; tries++) {
		/* Each time: it also gives back what the last round took. */
		binding_rxsync(root, self, &p->vale);
		if (packets_move(from, to, &left) > 0)
			got |= FORWARD_MOVED;
		if (binding_txsync(root, self, &p->nic) != 0)
			return got | FORWARD_FAILED;
		if (!left && to->rhead == load_relaxed(&to->hwcur))
			return got;
	}
	return got | FORWARD_FULL;
}

unsigned
forward_step(struct arena_root *root, struct actor *self, struct forward_pair *p)
{
	uint64_t before = actor_enter(root, self);
	unsigned got = step_to_switch(root, self, p) | step_to_interface(root, self, p);

	actor_leave(self, before);
	return got;
}

void
forward_arm(struct arena_root *root, struct actor *self, struct forward_pair *p)
{
	binding_arm(root, self, &p->vale, EV_IN | EV_OUT);
	/* Interfaces whose packets come another way than through the driver. */
	binding_arm(root, self, &p->nic, EV_IN | EV_OUT);
}

void
forward_disarm(struct arena_root *root, struct actor *self, struct forward_pair *p)
{
	binding_disarm(root, self, &p->vale, EV_IN | EV_OUT);
	binding_disarm(root, self, &p->nic, EV_IN | EV_OUT);
}

static bool
ring_armed(const struct actor *self, const struct kring *kr)
{
	return kr == NULL || (load_relaxed(&kr->wait_bits[self->id / 64]) >> self->id % 64 & 1) != 0;
}

bool
forward_armed(const struct actor *self, const struct forward_pair *p)
{
	const struct kring *tx = tx_ring(&p->vale);

	return ring_armed(self, rx_ring(&p->vale)) && ring_armed(self, rx_ring(&p->nic)) &&
		(tx == NULL || load_relaxed(&tx->deferred) == 0 || ring_armed(self, tx));
}

uint32_t
forward_left(const struct forward_pair *p)
{
	const struct kring *nic_rx = rx_ring(&p->nic), *nic_tx = tx_ring(&p->nic), *rx = rx_ring(&p->vale);
	uint32_t n = 0;

	if (nic_rx != NULL)
		n += index_diff(nic_rx, nic_rx->hwtail, nic_rx->hwcur);
	if (nic_tx != NULL)
		n += index_diff(nic_tx, nic_tx->rhead, load_relaxed(&nic_tx->hwcur));
	if (rx != NULL)
		n += (uint32_t)pos_diff(rx, load_acquire(&rx->published), load_relaxed(&rx->released));
	return n;
}
