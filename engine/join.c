/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See join.h. Words of a joined TX ring: `published` is the position up to which its sender offers slots, `released` the one up to which the receiver has
 * taken them. All work on slots is the receiver's, in his own sync, so the two ends need no lock against each other, and frames from the driver come
 * into the RX ring by the same hand.
 *
 * Whoever takes slots holds the TX ring's `taker` word, and so does its sender while he changes over between the other end and the driver: he takes
 * back what he has offered only when nobody is about to take it, and who comes later finds nothing on offer. So every slot goes one way only.
 *
 * Taking a packet swaps two buffers, which are two stores. In front of them the receiver notes what he is about in his ring's take_word, so that after
 * a death between any two stores the swaps of an unfinished batch are undone (the sender's slots are as if nothing had happened), or a batch that was
 * complete is counted: no buffer is then in two slots.
 */
#include "join.h"
#include "nic.h"
#include "os.h"

#define BATCH_MAX	256u		/* slots, until the sender sees that they are taken */
#define TAKER_SPINS	200u
#define DRIVER_TURNS	16u		/* a busy ring looks at its driver every so many syncs */

/* take_word: number of the swap begun last, from 1, and the receiver's buffer in it; or that so many slots are complete. */
#define TAKE_COMPLETE	(UINT64_C(1) << 63)

/* What the receiver sees of a slot, beside ptr; what the sender's slot keeps. */
#define PASS_MASK	((uint64_t)NS_MOREFRAG << 48 | UINT64_C(0xffffffffffff))
#define KEEP_MASK	(~((uint64_t)(NS_BUF_CHANGED | NS_REPORT) << 48) & ~UINT64_C(0xffffffff))
#define CHANGED		((uint64_t)NS_BUF_CHANGED << 48)
/* What comes to the sender with the receiver's buffer: its index, and that it is a new one there too. */
#define RETURN_MASK	(CHANGED | UINT64_C(0xffffffff))

struct take_sums {
	uint64_t packets, bytes;
	uint32_t slots;
};

/* --- the taker word --- */

static bool
taker_try(struct kring *tx, const struct actor *self)
{
	uint32_t nobody = 0;

	/* A full barrier, and we see all that the last taker did. */
	return load_relaxed(&tx->taker) == 0 && atomic_cas(&tx->taker, &nobody, self->id);
}

static bool
taker_hold(struct kring *tx, const struct actor *self)
{
	unsigned i;

	for (i = 0; i < TAKER_SPINS; i++) {
		if (taker_try(tx, self))
			return true;
		cpu_relax();
	}
	return false;
}

static void
taker_release(struct kring *tx)
{
	store_release(&tx->taker, 0);
}

/* --- sender --- */

/* Position of slot hwcur: the driver moves on without counting. */
static uint64_t
position_of_hwcur(const struct kring *tx)
{
	return pos_add(tx, tx->own_pos, index_diff(tx, tx->hwcur, pos_index(tx, tx->own_pos)));
}

static void
slots_take_back(struct kring *tx)
{
	/* Pairs with the receiver's store: the buffers that he gave are in the slots. */
	uint64_t released = load_acquire(&tx->released);
	uint64_t n = pos_diff(tx, released, tx->own_pos);

	if (n == 0 || unlikely(n >= tx->num_slots))
		return;
	store_relaxed(&tx->hwcur, index_add(tx, tx->hwcur, (uint32_t)n));
	tx->hwtail = index_prev(tx, tx->hwcur);
	tx->own_pos = released;
}

/* With the taker word held: nothing is on offer any more. */
static void
offer_withdraw(struct kring *tx)
{
	store_relaxed(&tx->released, tx->own_pos);
	store_relaxed(&tx->published, tx->own_pos);
}

/* True if the driver has no slot of the ring any more; nothing new is given to it. */
static bool
driver_is_done(struct kring *tx)
{
	if (index_next(tx, tx->hwtail) != tx->hwcur)
		nic_txsync(tx, tx->hwcur);
	return index_next(tx, tx->hwtail) == tx->hwcur;
}

/* From the driver to the other end, or back. False: somebody is taking slots just now, or the driver still has some. */
static bool
tx_switch(struct kring *tx, const struct actor *self, bool to_join)
{
	if ((to_join && !driver_is_done(tx)) || !taker_hold(tx, self))
		return false;
	if (to_join)
		tx->own_pos = position_of_hwcur(tx);
	else
		slots_take_back(tx);
	offer_withdraw(tx);
	store_relaxed(&tx->joined, to_join);
	taker_release(tx);
	return true;
}

bool
join_txsync(struct arena_root *root, const struct actor *self, struct kring *tx, uint32_t head)
{
	struct kring *rx = load_acquire(&tx->join);
	uint64_t offered;

	/* If it cannot change over now, what there is waits for the next sync, as in a full ring. */
	if (unlikely((rx != NULL) != (tx->joined != 0)) && !tx_switch(tx, self, rx != NULL))
		return true;
	if (rx == NULL)
		return false;
	slots_take_back(tx);
	offered = pos_add(tx, tx->own_pos, index_diff(tx, head, tx->hwcur));
	if (offered == load_relaxed(&tx->published))
		return true;
	/* The receiver that sees the position sees the slots. */
	store_release(&tx->published, offered);
	/* Either the receiver's last look saw it, or we see that he sleeps. */
	fence_full();
	if (load_relaxed(&rx->rx_waiters) != 0)
		waitset_wake(root, &rx->rx_waiters, rx->wait_bits);
	return true;
}

/* --- receiver: slots --- */

/* Swap number n of a batch. `slot` and `there` are checked copies. */
static inline void
slot_swap(struct kring *rx, struct netmap_slot *ufrom, struct netmap_slot *uto, slot_pair slot, uint64_t there, uint32_t n, uint64_t mark)
{
	store_relaxed(&rx->take_word, (uint64_t)n << 32 | slot_idx(there));
	store_order();
	slot_store_pair(uto, slot & (slot_pair){ PASS_MASK, ~UINT64_C(0) });
	store_order();
	slot_store(ufrom, (slot[0] & KEEP_MASK) | (there & RETURN_MASK) | mark);
	store_order();
}

/*
 * Takes the first `n` swaps of the batch back, the last one first; that one may have been begun only. The word goes along, so that this too can be
 * repeated from where it stopped.
 */
static void
slots_unswap(struct kring *rx, struct kring *tx, uint32_t n)
{
	uint32_t i = pos_index(tx, pos_add(tx, rx->take_pos, n)), j = index_add(rx, rx->take_at, n), k;
	uint32_t own = (uint32_t)rx->take_word;

	for (k = n; k > 0; k--) {
		i = index_prev(tx, i);
		j = index_prev(rx, j);
		if (k < n)
			own = slot_idx(slot_load(&tx->uslot[i]));
		store_relaxed(&rx->take_word, (uint64_t)k << 32 | own);
		store_order();
		/* Else the sender's slot is as it was. */
		if (slot_idx(slot_load(&tx->uslot[i])) == own)
			slot_store_pair(&tx->uslot[i], slot_load_pair(&rx->uslot[j]));
		store_order();
		slot_store(&rx->uslot[j], slot_word(own, 0, 0));
		store_order();
	}
	store_relaxed(&rx->take_word, 0);
}

static void
batch_begin(struct kring *rx, const struct kring *tx)
{
	rx->take_pos = tx->released;
	rx->take_at = rx->hwtail;
	store_order();
}

static void
batch_complete(struct kring *rx, struct kring *tx, uint32_t n)
{
	store_relaxed(&rx->take_word, TAKE_COMPLETE | n);
	store_order();
	store_relaxed(&rx->hwtail, index_add(rx, rx->take_at, n));
	/* The sender that sees the position sees the buffers in his slots. */
	store_release(&tx->released, pos_add(tx, rx->take_pos, n));
	store_order();
	store_relaxed(&rx->take_word, 0);
}

/* Packets of one slot, up to `max` and to the first one that is anything else. Returns how many. */
static uint32_t
plain_take(struct kring *rx, struct kring *tx, uint32_t max, uint64_t mark, struct take_sums *sums)
{
	const struct slot_rules rules = slot_rules_of(tx);
	struct netmap_slot *ufrom = tx->uslot, *uto = rx->uslot;
	uint32_t i = pos_index(tx, rx->take_pos), j = rx->take_at, rx_slots = rx->num_slots, n;
	uint64_t bytes = 0;

	for (n = 0; n < max; n++) {
		slot_pair slot = slot_load_pair(&ufrom[i]);
		uint64_t word = slot[0], there = slot_load(&uto[j]);

		if (unlikely(!slot_keeps(&rules, word) || slot_idx(there) - 2 >= rules.limit || (slot_flags(word) & NS_MOREFRAG) != 0))
			break;
		slot_swap(rx, &ufrom[i], &uto[j], slot, there, n + 1, mark);
		bytes += slot_len(word);
		i = unlikely(i + 1 == rules.num_slots) ? 0 : i + 1;
		j = unlikely(j + 1 == rx_slots) ? 0 : j + 1;
	}
	sums->packets += n;
	sums->bytes += bytes;
	return n;
}

/* --- receiver: packets that are not plain --- */

enum look {
	LOOK_WHOLE,		/* `slots` slots, with as many to go to */
	LOOK_WAIT,		/* not complete, or no room */
	LOOK_BAD,		/* breaks the rules */
	LOOK_BAD_ROOM,		/* of the receiver's slots, number `slots` does */
};

static enum look
packet_look(const struct kring *rx, const struct kring *tx, uint32_t avail, uint32_t room, uint32_t *slots, enum drop_reason *reason)
{
	uint32_t i = pos_index(tx, tx->released), j = rx->hwtail, n = 0, k;
	bool bad = false, endless = false;
	uint64_t word;

	do {
		/* A chain beyond the limit, or that fills its ring, is cut where the slots end: nothing would come after it. */
		if (n == avail) {
			if (n <= NETMAP_MAX_FRAGS && n + 1 < tx->num_slots)
				return LOOK_WAIT;
			endless = true;
			break;
		}
		word = slot_load(&tx->uslot[i]);
		if (!slot_idx_valid(tx, slot_idx(word)) || slot_len(word) > tx->buf_size) {
			*reason = slot_idx_valid(tx, slot_idx(word)) ? DROP_TOO_LONG : DROP_BAD_SLOT;
			bad = true;
		}
		i = index_next(tx, i);
		n++;
	} while ((slot_flags(word) & NS_MOREFRAG) != 0);
	*slots = n;
	if (!bad && (endless || n > NETMAP_MAX_FRAGS || n >= rx->num_slots)) {
		*reason = DROP_BAD_CHAIN;
		bad = true;
	}
	if (bad)
		return LOOK_BAD;
	if (n > room)
		return LOOK_WAIT;
	for (k = 0; k < n; k++, j = index_next(rx, j))
		if (!slot_idx_valid(rx, slot_idx(slot_load(&rx->uslot[j])))) {
			*slots = k + 1;
			return LOOK_BAD_ROOM;
		}
	return LOOK_WHOLE;
}

/* A packet of n slots. False: the slots have changed since they were looked at. */
static bool
chain_take(struct kring *rx, struct kring *tx, uint32_t n, uint64_t mark, struct take_sums *sums)
{
	const struct slot_rules rules = slot_rules_of(tx);
	uint32_t i, j, k;
	uint64_t bytes = 0;

	batch_begin(rx, tx);
	i = pos_index(tx, rx->take_pos);
	j = rx->take_at;
	for (k = 1; k <= n; k++, i = index_next(tx, i), j = index_next(rx, j)) {
		slot_pair slot = slot_load_pair(&tx->uslot[i]);
		uint64_t word = slot[0], there = slot_load(&rx->uslot[j]);

		if (!slot_keeps(&rules, word) || slot_idx(there) - 2 >= rules.limit || ((slot_flags(word) & NS_MOREFRAG) != 0) != (k < n)) {
			slots_unswap(rx, tx, k - 1);
			return false;
		}
		slot_swap(rx, &tx->uslot[i], &rx->uslot[j], slot, there, k, mark);
		bytes += slot_len(word);
	}
	batch_complete(rx, tx, n);
	sums->packets++;
	sums->bytes += bytes;
	return true;
}

/* The sender's next n slots go nowhere. */
static void
packet_drop(struct kring *tx, uint32_t n, enum drop_reason reason)
{
	counter_bump(&tx->own.drops[reason], 1);
	store_release(&tx->released, pos_add(tx, tx->released, n));
}

/* n slots of the receiver's come out empty, since he has put something into the last of them that is no buffer. */
static void
room_spoilt(struct kring *rx, uint32_t n)
{
	uint32_t j = rx->hwtail, k;

	for (k = 0; k < n; k++, j = index_next(rx, j))
		slot_store(&rx->uslot[j], slot_word(slot_idx(slot_load(&rx->uslot[j])), 0, 0));
	counter_bump(&rx->own.drops[DROP_BAD_SLOT], 1);
	store_order();
	store_relaxed(&rx->hwtail, j);
}

/* Does something about the next packet; *avail and *room are slots. False: it has to wait. */
static bool
packet_take(struct kring *rx, struct kring *tx, uint32_t *avail, uint32_t *room, uint64_t mark, struct take_sums *sums)
{
	enum drop_reason reason = DROP_BAD_SLOT;
	uint32_t n = 0;

	switch (packet_look(rx, tx, *avail, *room, &n, &reason)) {
	case LOOK_WAIT:
		return false;
	case LOOK_BAD_ROOM:
		room_spoilt(rx, n);
		*room -= n;
		return true;
	case LOOK_WHOLE:
		if (chain_take(rx, tx, n, mark, sums)) {
			*room -= n;
			break;
		}
		/* FALLTHROUGH */
	case LOOK_BAD:
		packet_drop(tx, n, reason);
		break;
	}
	*avail -= n;
	sums->slots += n;
	return true;
}

/* --- receiver: rings --- */

static uint32_t
smallest(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t least = a < b ? a : b;

	least = c < least ? c : least;
	return least < BATCH_MAX ? least : BATCH_MAX;
}

/* With the taker word held. About `limit` slots at most. */
static void
ring_take(struct kring *rx, struct kring *tx, uint32_t limit, uint64_t mark, struct take_sums *sums)
{
	uint32_t room = index_diff(rx, index_prev(rx, rx->hwcur), rx->hwtail), avail, n;
	/* Pairs with the sender's publication: the slots up to there are filled. */
	uint64_t offered = pos_diff(tx, load_acquire(&tx->published), tx->released);

	if (unlikely(offered >= tx->num_slots))
		return;
	avail = (uint32_t)offered;
	while (avail > 0 && room > 0 && sums->slots < limit) {
		batch_begin(rx, tx);
		n = plain_take(rx, tx, smallest(avail, room, limit - sums->slots), mark, sums);
		if (n > 0) {
			batch_complete(rx, tx, n);
			sums->slots += n;
			avail -= n;
			room -= n;
		} else if (!packet_take(rx, tx, &avail, &room, mark, sums)) {
			break;
		}
	}
}

/*
 * A sender may keep frames ready in the buffers of his slots, as long as a new buffer comes with NS_BUF_CHANGED. Those that he has sent come back unmarked.
 */
static uint64_t
mark_for(const struct kring *rx)
{
	return rx->join_strange > 0 || load_relaxed(&rx->join_count) != 1 ? CHANGED : 0;
}

/* Slots that were taken from tx, all together. */
static uint32_t
ring_take_from(struct arena_root *root, const struct actor *self, struct kring *rx, struct kring *tx, uint32_t limit)
{
	struct take_sums sums = { 0, 0, 0 };

	/* Without the word, this only tells whether it is worth while. */
	if (load_relaxed(&tx->published) == load_relaxed(&tx->released) || !taker_try(tx, self))
		return 0;
	/* Its sender may have parted before we held the word; then he need not see that we do. */
	if (load_acquire(&tx->join) == rx) {
		tx->take_rx = rx;
		rx->take_tx = tx;
		store_order();
		ring_take(rx, tx, limit, mark_for(rx), &sums);
		store_order();
		rx->take_tx = NULL;
		tx->take_rx = NULL;
		counter_bump(&tx->own.packets, sums.packets);
		counter_bump(&tx->own.bytes, sums.bytes);
		rx->join_strange -= sums.slots < rx->join_strange ? sums.slots : rx->join_strange;
	}
	taker_release(tx);
	if (sums.slots == 0)
		return 0;
	counter_bump(&rx->own.packets, sums.packets);
	counter_bump(&rx->own.bytes, sums.bytes);
	/* Either the sender's last look saw the room, or we see that he sleeps. */
	fence_full();
	if (load_relaxed(&tx->tx_waiters) != 0)
		waitset_wake(root, &tx->tx_waiters, tx->wait_bits);
	return sums.slots;
}

/* From all rings that lead here. Returns slots. */
static uint32_t
rings_take(struct arena_root *root, const struct actor *self, struct kring *rx)
{
	uint32_t count = load_relaxed(&rx->join_count), taken = 0;
	uint32_t limit = count > 1 ? rx->num_slots / count : rx->num_slots;
	struct kring *tx;

	for (tx = load_acquire(&rx->join); tx != NULL; tx = load_acquire(&tx->join_next))
		taken += ring_take_from(root, self, rx, tx, limit);
	return taken;
}

/* The driver's turn. True if it had something. */
static bool
driver_take(struct kring *rx, uint32_t head, int64_t ts[2], int *error)
{
	uint32_t tail = rx->hwtail;

	*error = nic_rxsync(rx, head, ts);
	if (rx->hwtail == tail)
		return false;
	/* Its frames are in buffers that the other end had. */
	rx->join_strange = rx->num_slots;
	return true;
}

int
join_rxsync(struct arena_root *root, const struct actor *self, struct kring *rx, uint32_t head, int64_t ts[2])
{
	uint32_t serial = load_relaxed(&rx->join_serial);
	int error = 0;

	if (unlikely(rx->join_seen != serial)) {
		rx->join_seen = serial;
		rx->join_strange = rx->num_slots;
		rx->join_behind = 1;
	}
	rx->hwcur = head;
	/* What came over the wire before is older, as far as the kernel has handed it over by now. */
	if (unlikely(rx->join_behind) && (driver_take(rx, head, ts, &error) || error != 0))
		return error;
	rx->join_behind = 0;
	if (rings_take(root, self, rx) == 0 || ++rx->join_turn % DRIVER_TURNS == 0)
		driver_take(rx, head, ts, &error);
	return error;
}

bool
join_offers(const struct kring *rx)
{
	const struct kring *tx;

	for (tx = load_acquire(&rx->join); tx != NULL; tx = load_acquire(&tx->join_next))
		if (load_acquire(&tx->published) != load_relaxed(&tx->released))
			return true;
	return false;
}

/* --- after a death --- */

static void
take_repair(struct kring *rx, struct kring *tx)
{
	uint64_t word = rx->take_word;
	uint32_t n = (uint32_t)(word >> 32);

	if ((word & TAKE_COMPLETE) != 0)
		batch_complete(rx, tx, (uint32_t)word < rx->num_slots ? (uint32_t)word : 0);
	else if (n > 0 && n < rx->num_slots && n < tx->num_slots)
		slots_unswap(rx, tx, n);
	rx->take_word = 0;
	rx->take_tx = NULL;
	tx->take_rx = NULL;
	taker_release(tx);
}

/* The sender died in his sync: what he offered stays on offer, unless he was just changing over. */
static void
tx_repair(struct kring *tx, bool switching)
{
	if (tx->joined) {
		tx->own_pos = load_acquire(&tx->released);
		store_relaxed(&tx->hwcur, pos_index(tx, tx->own_pos));
		tx->hwtail = index_prev(tx, tx->hwcur);
	}
	if (!switching)
		return;
	tx->own_pos = position_of_hwcur(tx);
	offer_withdraw(tx);
	store_relaxed(&tx->joined, 0);
}

void
join_repair(struct kring *kr, uint32_t id)
{
	bool busy = load_acquire(&kr->busy) == id;

	if (kr->dir == RING_RX) {
		if (busy && kr->take_tx != NULL && load_acquire(&kr->take_tx->taker) == id)
			take_repair(kr, kr->take_tx);
		if (busy)
			kr->take_tx = NULL;
		return;
	}
	if (load_acquire(&kr->taker) != id) {
		if (busy)
			tx_repair(kr, false);
		return;
	}
	/* As a receiver who has begun, or not yet; or as the sender who changes over. */
	if (kr->take_rx != NULL) {
		take_repair(kr->take_rx, kr);
		return;
	}
	if (busy)
		tx_repair(kr, true);
	taker_release(kr);
}
