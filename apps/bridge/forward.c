/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving packets between rings.
 *
 * Of a received slot's flags only NS_MOREFRAG goes on. The high byte holds the number of fragments there, and
 * would be a destination port here.
 */
#include "../common/region.h"
#include "forward.h"

/* A packet at the head of a receive ring. */
struct packet {
	uint32_t slots;		/* in the receive ring; 0: its end is not there yet */
	uint32_t needs;		/* in the transmit ring */
	uint32_t bytes;
	bool damaged;
};

void forward_path_init(struct forward_path *p, struct nmport_d *from, struct nmport_d *to, bool copy)
{
	*p = (struct forward_path){ .from = from, .to = to, .zero_copy = !copy && from->mem == to->mem };
	p->from_bufs = region_buffers(from, NETMAP_RXRING(from->nifp, from->first_rx_ring));
	p->to_bufs = region_buffers(to, NETMAP_TXRING(to->nifp, to->first_tx_ring));
	/* A buffer that is handed on keeps its offset, which the other side must read in the same bits. */
	if (NETMAP_RXRING(from->nifp, from->first_rx_ring)->offset_mask !=
	    NETMAP_TXRING(to->nifp, to->first_tx_ring)->offset_mask)
		p->zero_copy = false;
}

/* Slots that len bytes take in another ring: copies are cut if its buffers are smaller. */
static uint32_t slots_for(const struct forward_path *p, const struct netmap_ring *tx, uint32_t len)
{
	return p->zero_copy || len <= tx->nr_buf_size ? 1 : (len + tx->nr_buf_size - 1) / tx->nr_buf_size;
}

static struct packet packet_look(const struct forward_path *p, const struct netmap_ring *rx, uint32_t head,
				 uint32_t avail, const struct netmap_ring *tx)
{
	struct packet pkt = { 0 };

	for (uint32_t n = 1; n <= avail; n++) {
		const struct netmap_slot *slot = &rx->slot[head];
		uint32_t len = slot->len;

		if (slot->buf_idx >= p->from_bufs || len + NETMAP_ROFFSET(rx, slot) > rx->nr_buf_size)
			pkt.damaged = true;
		pkt.needs += slots_for(p, tx, len);
		pkt.bytes += len;
		if (!(slot->flags & NS_MOREFRAG)) {
			pkt.slots = n;
			break;
		}
		head = nm_ring_next(rx, head);
	}
	return pkt;
}

/*
 * Exchanges the buffers of two slots, with the offsets and whatever else stands in ptr: it belongs to the
 * buffer.
 */
static void slot_exchange(struct netmap_slot *rs, struct netmap_slot *ts)
{
	struct netmap_slot r = *rs, t = *ts;

	*ts = (struct netmap_slot){ .buf_idx = r.buf_idx, .len = r.len, .ptr = r.ptr,
				    .flags = (uint16_t)((r.flags & NS_MOREFRAG) | NS_BUF_CHANGED) };
	*rs = (struct netmap_slot){
		.buf_idx = t.buf_idx, .len = r.len, .ptr = t.ptr, .flags = NS_BUF_CHANGED
	};
}

/* Copies a received slot into one or more slots from to on. Returns the slot behind them. */
static uint32_t slot_copy(const struct forward_path *p, const struct netmap_ring *rx,
			  const struct netmap_slot *rs, struct netmap_ring *tx, uint32_t to)
{
	uint32_t buf_idx = rs->buf_idx, left = rs->len;
	uint64_t ofs = NETMAP_ROFFSET(rx, rs);
	uint16_t more = rs->flags & NS_MOREFRAG;
	const char *src;

	/* The slot was looked at before; it is shared memory, so nothing is taken for granted. */
	if (buf_idx >= p->from_bufs || ofs + left > rx->nr_buf_size)
		left = 0;
	src = left ? NETMAP_BUF(rx, buf_idx) + ofs : "";
	do {
		struct netmap_slot *ts = &tx->slot[to];
		uint32_t len = left < tx->nr_buf_size ? left : tx->nr_buf_size;
		uint32_t tx_buf = ts->buf_idx;

		if (tx_buf < p->to_bufs)
			nm_pkt_copy(src, NETMAP_BUF(tx, tx_buf), (int)len);
		left -= len;
		src += len;
		ts->len = (uint16_t)len;
		ts->flags = left ? NS_MOREFRAG : more;
		NETMAP_WOFFSET(tx, ts, 0);
		to = nm_ring_next(tx, to);
	} while (left);
	return to;
}

/*
 * Moves the whole packet. Returns the slot behind it in the transmit ring; *from becomes the one in the
 * receive ring.
 */
static uint32_t packet_move(const struct forward_path *p, struct netmap_ring *rx, uint32_t *from,
			    struct netmap_ring *tx, uint32_t to, const struct packet *pkt)
{
	uint32_t head = *from;

	for (uint32_t i = 0; i < pkt->slots; i++) {
		if (p->zero_copy) {
			slot_exchange(&rx->slot[head], &tx->slot[to]);
			to = nm_ring_next(tx, to);
		} else {
			to = slot_copy(p, rx, &rx->slot[head], tx, to);
		}
		head = nm_ring_next(rx, head);
	}
	*from = head;
	return to;
}

static uint32_t packet_skip(const struct netmap_ring *rx, uint32_t head, const struct packet *pkt)
{
	for (uint32_t i = 0; i < pkt->slots; i++)
		head = nm_ring_next(rx, head);
	return head;
}

/* Moves packets from one ring to another. */
static enum forward_state rings_run(struct forward_path *p, struct netmap_ring *rx, struct netmap_ring *tx,
				    unsigned burst)
{
	uint32_t avail = nm_ring_space(rx), room = nm_ring_space(tx), from = rx->head, to = tx->head;
	uint64_t packets = 0, bytes = 0;
	enum forward_state state = FORWARD_IDLE;
	struct packet pkt = { 0 };

	for (unsigned moved = 0; avail > 0; moved += pkt.slots) {
		if (moved >= burst) {
			state = FORWARD_MORE;
			break;
		}
		pkt = packet_look(p, rx, from, avail, tx);
		if (pkt.slots == 0 && avail < rx->num_slots - 1)
			break;
		if (pkt.slots == 0) {
			/* The ring is full and has no end of a packet: none can come. */
			pkt.slots = avail;
			pkt.damaged = true;
		}
		avail -= pkt.slots;
		if (pkt.damaged || pkt.needs >= tx->num_slots) {
			p->damaged += pkt.damaged;
			p->oversize += !pkt.damaged;
			from = packet_skip(rx, from, &pkt);
			continue;
		}
		if (pkt.needs > room) {
			state = FORWARD_FULL;
			break;
		}
		to = packet_move(p, rx, &from, tx, to, &pkt);
		room -= pkt.needs;
		packets++;
		bytes += pkt.bytes;
	}
	p->packets += packets;
	p->bytes += bytes;
	rx->head = from;
	rx->cur = state == FORWARD_IDLE ? rx->tail : from;
	tx->head = to;
	tx->cur = state == FORWARD_FULL ? tx->tail : to;
	return state;
}

enum forward_state forward_path_run(struct forward_path *p, unsigned burst)
{
	unsigned ri = p->from->first_rx_ring, ti = p->to->first_tx_ring;
	enum forward_state state = FORWARD_IDLE;

	while (ri <= p->from->last_rx_ring) {
		struct netmap_ring *rx = NETMAP_RXRING(p->from->nifp, ri);
		struct netmap_ring *tx = NETMAP_TXRING(p->to->nifp, ti);
		enum forward_state s;

		if (nm_ring_empty(rx)) {
			ri++;
			continue;
		}
		s = rings_run(p, rx, tx, burst);
		if (s == FORWARD_FULL && ti < p->to->last_tx_ring) {
			ti++;		/* the rest goes into the next ring */
			continue;
		}
		if (s == FORWARD_FULL)
			return FORWARD_FULL;
		if (s == FORWARD_MORE)
			state = FORWARD_MORE;
		ri++;
	}
	return state;
}
