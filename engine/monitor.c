/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See monitor.h. A monitor's ring has many producers: whoever syncs one of the two rings that it shows. They share it as the senders of a switch share a
 * port's, with leases (lease.h), so one that dies leaves slots that come out empty.
 *
 * Swapping a buffer is two stores: the frame's buffer into the monitor's slot, the monitor's buffer into the slot that the frame was in. In front of
 * those of a few slots the thread notes the monitor's buffers and where the slots are in the monitored ring; so after a death between two stores the
 * second one can be made up for, and no buffer is in two slots.
 *
 * The threat model is that of sync.c. Slots on both sides are hostile: each is loaded once, and what is stored is made from checked copies. A slot that
 * breaks the rules comes out empty, in the monitor's own buffer.
 */
#include "monitor.h"
#include "bytes.h"
#include "join.h"
#include "lease.h"
#include "nic.h"
#include "os.h"
#include "sync.h"
#include "vale_copy.h"

#define MOREFRAG_BIT	53	/* of a slot's word */

/* Slots on their way from a ring to a monitor's. */
struct passage {
	const struct kring *from;
	struct kring *to;
	uint32_t i, j;			/* next slot of each */
	uint32_t n;			/* slots left */
	uint64_t keep, mark;		/* of a slot's word: what stays, and what is added */
	uint64_t special;		/* bits of it that make the slot one that is not plain */
	bool plain;			/* some slots may be */
	uint64_t start;			/* the lease */
	uint32_t slots;
	uint64_t packets, bytes;
};

/* --- room --- */

/* How many of the n slots do not fit: the first ones, and then to the end of the packet that is cut. */
static uint32_t
slots_skip(const struct kring *kr, uint32_t i, uint32_t n, uint32_t room)
{
	uint32_t skip;

	if (likely(n <= room))
		return 0;
	for (skip = n - room; skip < n; skip++)
		if ((slot_flags(slot_load(&kr->uslot[index_add(kr, i, skip - 1)])) & NS_MOREFRAG) == 0)
			break;
	return skip;
}

/* A lease for n slots of `from` from index i on, or the newest of them. False: there is room for none. */
static bool
passage_begin(struct passage *p, struct kring *to, uint32_t owner, const struct kring *from, uint32_t i, uint32_t n)
{
	struct lease_view v;
	uint32_t skip;

	if (unlikely(!os_region_ready(to->region))) {
		counter_add(&to->in.drops[DROP_UNREACHABLE], n);
		return false;
	}
	do {
		lease_look(to, n, &v);
		skip = v.room > 0 ? slots_skip(from, i, n, v.room) : n;
		if (skip == n)
			break;
	} while (!lease_take(to, owner, &v, n - skip, &p->start));
	if (unlikely(skip > 0))
		counter_add(&to->in.drops[DROP_NO_ROOM], skip);
	p->from = from;
	p->to = to;
	p->i = index_add(from, i, skip);
	p->n = p->slots = n - skip;
	p->j = p->n > 0 ? pos_index(to, p->start) : 0;
	/* Frames that were sent are marked. What comes from a monitor was marked there. */
	p->keep = from->type == PORT_MONITOR ? ~UINT64_C(0) : ~((uint64_t)NS_TXMON << 48);
	p->mark = from->dir == RING_TX ? (uint64_t)NS_TXMON << 48 : 0;
	p->special = from->type == PORT_VALE && from->dir == RING_TX ? (uint64_t)NS_INDIRECT << 48 : 0;
	p->plain = (from->offset_mask | to->offset_mask) == 0;
	p->packets = p->bytes = 0;
	return p->n > 0;
}

static void
passage_end(struct arena_root *root, struct passage *p)
{
	struct kring *to = p->to;

	counter_add(&to->in.packets, p->packets);
	counter_add(&to->in.bytes, p->bytes);
	lease_finish(to, p->start, p->slots, p->start);
	/* The barrier in lease_finish: a reader that armed itself before it saw our tail is seen here. */
	if (load_relaxed(&to->rx_waiters) != 0)
		waitset_wake(root, &to->rx_waiters, to->wait_bits);
}

/* --- slots --- */

/* The frame is not in the slot's buffer: a switch takes it from the sender's memory. */
static inline bool
slot_indirect(const struct kring *kr, uint64_t word)
{
	return (slot_flags(word) & NS_INDIRECT) != 0 && kr->type == PORT_VALE && kr->dir == RING_TX;
}

/* A slot that is not plain, into buffer `there` of the monitor's. Returns the length that comes of it, or a drop reason as a negative number less one. */
static int
slot_fetch(const struct passage *p, uint64_t word, uint32_t there)
{
	const struct kring *from = p->from, *to = p->to;
	uint64_t ptr = slot_load_ptr(&from->uslot[p->i]);
	uint32_t at, len = slot_len(word), offset = slot_offset(from, ptr), room;
	char *data;

	if (!slot_idx_valid(to, there))
		return -1 - DROP_BAD_SLOT;
	at = slot_take_offset(to, &to->uslot[p->j]);
	room = slot_room(to, at);
	data = slot_buf(to, there) + at;
	room = len < room ? len : room;
	if (slot_indirect(from, word))
		return os_copy_from_caller(data, ptr, room) == 0 ? (int)room : -1 - DROP_BAD_ADDRESS;
	if (!slot_idx_valid(from, slot_idx(word)))
		return -1 - DROP_BAD_SLOT;
	if (len > from->buf_size - offset)
		return -1 - DROP_TOO_LONG;
	bytes_copy(data, slot_buf(from, slot_idx(word)) + offset, room);
	return (int)room;
}

/* The next slot, whatever it is, by way of a copy. */
static void __attribute__((noinline))
slot_special(struct passage *p)
{
	struct netmap_slot *uto = &p->to->uslot[p->j];
	uint64_t word = slot_load(&p->from->uslot[p->i]);
	uint32_t there = slot_idx(slot_load(uto)), flags = slot_flags((word & p->keep) | p->mark);
	int len = slot_fetch(p, word, there);

	if (len < 0) {
		counter_add(&p->to->in.drops[-1 - len], 1);
		len = 0;
	}
	if (slot_indirect(p->from, word))
		flags &= ~(uint32_t)NS_INDIRECT;
	slot_store(uto, slot_word(there, (uint32_t)len, flags));
	p->i = index_next(p->from, p->i);
	p->j = index_next(p->to, p->j);
	p->n--;
	p->packets += (flags & NS_MOREFRAG) == 0;
	p->bytes += (uint32_t)len;
}

/* n plain slots were dealt with, of which `more` were not the last of their packet. */
static void
passage_advance(struct passage *p, uint32_t n, uint64_t more, uint64_t bytes)
{
	p->i = index_add(p->from, p->i, n);
	p->j = index_add(p->to, p->j, n);
	p->n -= n;
	p->packets += n - more;
	p->bytes += bytes;
}

/* One whose frame begins where its buffer does, as it will in the monitor's. */
static inline bool
slot_plain(const struct slot_rules *rules, uint64_t word, uint64_t special, uint32_t there, uint32_t limit)
{
	return likely(slot_keeps(rules, word) && there - 2 < limit && (word & special) == 0);
}

/* Plain slots, up to the first that is not. */
static void
slots_copy(struct passage *p)
{
	const struct slot_rules from = slot_rules_of(p->from), to = slot_rules_of(p->to);
	const struct netmap_slot *ufrom = p->from->uslot;
	struct netmap_slot *uto = p->to->uslot;
	const char *ufrom_bufs = p->from->ubufs;
	char *uto_bufs = p->to->ubufs;
	uint64_t keep = p->keep, mark = p->mark, special = p->special, more = 0, bytes = 0;
	uint32_t i = p->i, j = p->j, most = p->n, n;

	for (n = 0; n < most; n++) {
		uint64_t word = slot_load(&ufrom[i]);
		uint32_t there = slot_idx(slot_load(&uto[j])), len = slot_len(word);

		if (!slot_plain(&from, word, special, there, to.limit))
			break;
		len = len < to.buf_size ? len : to.buf_size;
		vale_copy(uto_bufs + (size_t)there * to.buf_size, ufrom_bufs + (size_t)slot_idx(word) * from.buf_size, len);
		word = (word & keep) | mark;
		slot_store(&uto[j], slot_word(there, len, slot_flags(word)));
		more += word >> MOREFRAG_BIT & 1;
		bytes += len;
		i = unlikely(i + 1 == from.num_slots) ? 0 : i + 1;
		j = unlikely(j + 1 == to.num_slots) ? 0 : j + 1;
	}
	passage_advance(p, n, more, bytes);
}

/* Where the swaps of a passage happen, in registers: a store to a slot might change anything in memory, as far as the compiler knows. */
struct swap {
	struct netmap_slot *ufrom, *uto, *uecho;
	struct ring_monitors *note;
	struct slot_rules rules;
	uint64_t keep, mark, special;
	uint64_t more, bytes;
};

/* `count` slots from i and j on, which do not cross a ring's end. False: some slot is not plain, and nothing was done. */
static inline __attribute__((always_inline)) bool
swap_slots(struct swap *s, uint32_t i, uint32_t j, uint32_t count)
{
	struct netmap_slot *ufrom = &s->ufrom[i], *uto = &s->uto[j], *uecho = s->uecho != NULL ? &s->uecho[i] : NULL;
	uint64_t word[SWAP_GROUP], any = 0, bytes = 0;
	uint32_t there[SWAP_GROUP], k;

	#pragma GCC unroll 4
	for (k = 0; k < count; k++) {
		word[k] = slot_load(&ufrom[k]);
		there[k] = slot_idx(slot_load(&uto[k]));
		if (!slot_plain(&s->rules, word[k], s->special, there[k], s->rules.limit))
			return false;
		any |= word[k];
		bytes += slot_len(word[k]);
	}
	s->bytes += bytes;
	if (unlikely((any >> MOREFRAG_BIT & 1) != 0))
		for (k = 0; k < count; k++)
			s->more += word[k] >> MOREFRAG_BIT & 1;
	/* The note changes: what it spoke of is complete. */
	store_relaxed(&s->note->swap_count, 0);
	store_order();
	s->note->swap_at = i;
	s->note->swap_to = j;
	#pragma GCC unroll 4
	for (k = 0; k < count; k++)
		s->note->swap_buf[k] = there[k];
	store_order();
	store_relaxed(&s->note->swap_count, count);
	store_order();
	#pragma GCC unroll 4
	for (k = 0; k < count; k++)
		slot_store(&uto[k], (word[k] & s->keep) | s->mark);
	store_order();
	#pragma GCC unroll 4
	for (k = 0; k < count; k++) {
		word[k] = (word[k] & ~UINT64_C(0xffffffff)) | (uint64_t)NS_BUF_CHANGED << 48 | there[k];
		slot_store(&ufrom[k], word[k]);
		if (uecho != NULL)
			slot_store(&uecho[k], word[k]);
	}
	return true;
}

/* n slots, of which none crosses a ring's end. Returns how many of them were plain, up to the first that is not. */
static inline __attribute__((always_inline)) uint32_t
swap_run(struct swap *s, uint32_t i, uint32_t j, uint32_t n)
{
	uint32_t done = 0;

	for (; n - done >= SWAP_GROUP; done += SWAP_GROUP) {
		/* The monitor's program read it, on another CPU. */
		prefetch_write(&s->uto[j + done + 8 * SWAP_GROUP]);
		if (unlikely(!swap_slots(s, i + done, j + done, SWAP_GROUP)))
			break;
	}
	while (done < n && swap_slots(s, i + done, j + done, 1))
		done++;
	return done;
}

/* Plain slots, as in slots_copy, by exchange. `kr` is p->from, for what is noted in it. Inlined for rings with another end and for those without. */
static inline __attribute__((always_inline)) void
slots_swap_with(struct passage *p, struct kring *kr, struct netmap_slot *uecho)
{
	struct swap s = { kr->uslot, p->to->uslot, uecho, &kr->mon, slot_rules_of(kr), p->keep, p->mark, p->special, 0, 0 };
	uint32_t i = p->i, j = p->j, n = 0, run, done;

	do {
		run = p->n - n < kr->num_slots - i ? p->n - n : kr->num_slots - i;
		run = run < p->to->num_slots - j ? run : p->to->num_slots - j;
		done = swap_run(&s, i, j, run);
		n += done;
		i = index_add(kr, i, done);
		j = index_add(p->to, j, done);
	} while (done == run && n < p->n);
	store_order();
	store_relaxed(&kr->mon.swap_count, 0);
	passage_advance(p, n, s.more, s.bytes);
}

static void
slots_swap(struct passage *p, struct kring *kr)
{
	/* Both ends of a pipe refer to the buffer, and the other one's slot is nobody's just now: none is left that leads to what is given away. */
	if (kr->type == PORT_PIPE)
		slots_swap_with(p, kr, kr->peer->uslot);
	else
		slots_swap_with(p, kr, NULL);
}

/* --- from rings to monitors --- */

static void
frames_copy(struct arena_root *root, uint32_t owner, const struct kring *kr, uint32_t i, uint32_t n)
{
	struct kring *mon;
	struct passage p;

	for (mon = load_acquire(&kr->mon.copy); mon != NULL; mon = load_acquire(&mon->mon.next[kr->dir])) {
		if (!passage_begin(&p, mon, owner, kr, i, n))
			continue;
		while (p.n > 0) {
			if (p.plain)
				slots_copy(&p);
			if (p.n > 0)
				slot_special(&p);
		}
		passage_end(root, &p);
	}
}

static void
frames_swap(struct arena_root *root, uint32_t owner, struct kring *kr, uint32_t i, uint32_t n)
{
	struct kring *mon = load_acquire(&kr->mon.zcopy);
	struct passage p;

	if (mon == NULL || !passage_begin(&p, mon, owner, kr, i, n))
		return;
	kr->mon.swap_ring = mon;
	while (p.n > 0) {
		if (p.plain)
			slots_swap(&p, kr);
		if (p.n > 0)
			slot_special(&p);
	}
	kr->mon.swap_ring = NULL;
	passage_end(root, &p);
}

/* Where a packet ends in [from, to), the last one that does: what follows waits for its end. */
static uint32_t
packets_end(const struct kring *kr, uint32_t from, uint32_t to)
{
	while (to != from && (slot_flags(slot_load(&kr->uslot[index_prev(kr, to)])) & NS_MOREFRAG) != 0)
		to = index_prev(kr, to);
	return to;
}

void
monitor_sending(struct arena_root *root, uint32_t owner, struct kring *tx, uint32_t head)
{
	uint32_t serial, from;

	if ((load_relaxed(&tx->monitored) & MONITORED_COPY) == 0)
		return;
	/* Some of what is to be sent may have been seen in an earlier sync, when the port could not take it. */
	serial = load_relaxed(&tx->mon.serial);
	from = tx->mon.seen;
	if (tx->mon.serial_seen != serial || index_diff(tx, from, tx->hwcur) > index_diff(tx, head, tx->hwcur))
		from = tx->hwcur;
	tx->mon.serial_seen = serial;
	/* A switch sends an unfinished packet as it is; other ports hold it back. */
	if (tx->type != PORT_VALE)
		head = packets_end(tx, from, head);
	tx->mon.seen = head;
	if (from != head)
		frames_copy(root, owner, tx, from, index_diff(tx, head, from));
}

void
monitor_sent(struct arena_root *root, uint32_t owner, struct kring *tx, uint32_t tail)
{
	if ((load_relaxed(&tx->monitored) & MONITORED_ZCOPY) != 0 && tail != tx->hwtail)
		frames_swap(root, owner, tx, index_next(tx, tail), index_diff(tx, tx->hwtail, tail));
}

void
monitor_arrived(struct arena_root *root, uint32_t owner, const struct kring *rx, uint32_t i, uint32_t n)
{
	if ((load_relaxed(&rx->monitored) & MONITORED_COPY) != 0 && n > 0)
		frames_copy(root, owner, rx, i, n);
}

void
monitor_released(struct arena_root *root, uint32_t owner, struct kring *rx, uint32_t head)
{
	if ((load_relaxed(&rx->monitored) & MONITORED_ZCOPY) != 0 && head != rx->hwcur)
		frames_swap(root, owner, rx, rx->hwcur, index_diff(rx, head, rx->hwcur));
}

bool
monitor_pull(struct arena_root *root, struct actor *self, const struct kring *mon)
{
	struct kring *rx = load_acquire(&mon->mon.source);
	int64_t ts[2];
	uint32_t tail, n;

	if (rx == NULL || load_relaxed(&rx->open) == 0 || !os_region_ready(rx->region) || !ring_hold(rx, self))
		return false;
	tail = rx->hwtail;
	/* Whatever comes of it: the ring's own reader finds out for himself. */
	(void)(ring_joined(rx) ? join_rxsync(root, self, rx, rx->hwcur, ts) : nic_rxsync(rx, rx->hwcur, ts));
	n = index_diff(rx, rx->hwtail, tail);
	monitor_arrived(root, self->id, rx, tail, n);
	ring_release(rx);
	if (n == 0)
		return true;
	/* Who sleeps on the interface is not woken by what we have taken. */
	fence_full();
	if (load_relaxed(&rx->rx_waiters) != 0)
		waitset_wake(root, &rx->rx_waiters, rx->wait_bits);
	return true;
}

/* --- after a death --- */

/* The frame's buffer is in both slots: the first store was made, the second was not. */
static void
slot_repair(struct kring *kr, uint32_t i, uint64_t shown, uint32_t buf)
{
	uint64_t word = slot_load(&kr->uslot[i]);

	if (slot_idx(word) != buf && slot_idx(word) == slot_idx(shown))
		slot_store(&kr->uslot[i], slot_word(buf, slot_len(word), slot_flags(word) | NS_BUF_CHANGED));
}

static void
swap_repair(struct kring *kr, uint32_t id)
{
	struct kring *to = kr->mon.swap_ring;
	uint32_t count = kr->mon.swap_count, at = kr->mon.swap_at, j = kr->mon.swap_to, k;

	if (load_acquire(&kr->busy) != id || to == NULL)
		return;
	for (k = 0; k < count && count <= SWAP_GROUP && at < kr->num_slots && j < to->num_slots; k++) {
		uint64_t shown = slot_load(&to->uslot[j]);

		slot_repair(kr, at, shown, kr->mon.swap_buf[k]);
		if (kr->type == PORT_PIPE)
			slot_repair(kr->peer, at, shown, kr->mon.swap_buf[k]);
		at = index_next(kr, at);
		j = index_next(to, j);
	}
	kr->mon.swap_count = 0;
	kr->mon.swap_ring = NULL;
}

void
monitor_repair_port(struct port *p, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < port_tx_rings(p); i++)
		swap_repair(p->tx[i], id);
	for (i = 0; i < port_rx_rings(p); i++)
		swap_repair(p->rx[i], id);
}
