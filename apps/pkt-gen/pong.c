/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode pong: sends every packet back with MAC and IP addresses exchanged. Checksums stay right, a sum has no
 * order.
 */
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../common/clock.h"
#include "ring.h"
#include "worker.h"

static void bytes_swap(uint8_t *a, uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void addresses_swap(uint8_t *eth, unsigned len, const uint8_t *own_mac)
{
	static const uint8_t none[MAC_LEN];
	unsigned payload = frame_udp_payload(eth, len);

	if (len < ETH_HEADER_LEN)
		return;
	bytes_swap(eth, eth + MAC_LEN, MAC_LEN);
	/* A group address is no source. Ports without an address of their own send it back all the same. */
	if ((eth[MAC_LEN] & 1) && memcmp(own_mac, none, MAC_LEN) != 0)
		memcpy(eth + MAC_LEN, own_mac, MAC_LEN);
	if (payload == 0)
		return;
	if (be16_load(eth + 12) == 0x0800)
		bytes_swap(eth + ETH_HEADER_LEN + 12, eth + ETH_HEADER_LEN + 16, 4);
	else
		bytes_swap(eth + ETH_HEADER_LEN + 8, eth + ETH_HEADER_LEN + 24, 16);
}

/* Slots of the packet at head, 0 if its end is not there. */
static uint32_t packet_slots(const struct netmap_ring *ring, uint32_t head, uint32_t space)
{
	for (uint32_t n = 1; n <= space; n++, head = nm_ring_next(ring, head)) {
		if (!(ring->slot[head].flags & NS_MOREFRAG))
			return n;
	}
	return 0;
}

static unsigned slot_copy(const struct worker *w, struct netmap_ring *rx, uint32_t from,
			  struct netmap_ring *tx, uint32_t to, uint32_t num_bufs, bool first)
{
	const struct netmap_slot *rs = &rx->slot[from];
	struct netmap_slot *ts = &tx->slot[to];
	uint32_t rx_buf = rs->buf_idx, tx_buf = ts->buf_idx;
	unsigned len = rs->len;
	uint16_t more = rs->flags & NS_MOREFRAG;
	uint64_t ofs = NETMAP_ROFFSET(rx, rs);
	uint8_t *dst = (uint8_t *)NETMAP_BUF(tx, tx_buf);
	unsigned vnet = first ? w->dev->vnet_len : 0;

	if (rx_buf >= num_bufs || tx_buf >= num_bufs || ofs + len > rx->nr_buf_size || len > tx->nr_buf_size)
		len = 0;	/* no port sends an empty slot */
	memcpy(dst, NETMAP_BUF(rx, rx_buf) + ofs, len);
	if (first && len > vnet)
		addresses_swap(dst + vnet, len - vnet, w->dev->mac);
	NETMAP_WOFFSET(tx, ts, 0);
	slot_store(ts, tx_buf, (uint16_t)len, more);
	return len;
}

/* Answers whole packets as long as the tx ring has room. Returns true if some are left for want of room. */
static bool ring_answer(struct worker *w, struct netmap_ring *rx, struct netmap_ring *tx, uint64_t *answered)
{
	uint32_t num_bufs = region_buffers(w->port, rx);
	uint32_t head = rx->head, space = nm_ring_space(rx), to = tx->head, room = nm_ring_space(tx);
	uint64_t packets = 0, bytes = 0;
	uint32_t n;

	while ((n = packet_slots(rx, head, space)) != 0 && n <= room &&
	       (!w->limit || *answered + packets < w->limit)) {
		for (uint32_t i = 0; i < n; i++) {
			bytes += slot_copy(w, rx, head, tx, to, num_bufs, i == 0);
			head = nm_ring_next(rx, head);
			to = nm_ring_next(tx, to);
		}
		bytes -= w->dev->vnet_len;
		space -= n;
		room -= n;
		packets++;
	}
	rx->head = head;
	/* A packet whose end has not come yet: wait for more, not for what is there. */
	rx->cur = n == 0 ? rx->tail : head;
	tx->head = to;
	tx->cur = n > room ? tx->tail : to;
	*answered += packets;
	counters_add(&w->count, packets, bytes, packets != 0);
	return n > room;
}

int pong_run(struct worker *w)
{
	const struct nmport_d *p = w->port;
	struct netmap_ring *tx = NETMAP_TXRING(p->nifp, p->first_tx_ring);
	uint64_t answered = 0;
	short events = POLLIN;

	while (!stop_requested && (!w->limit || answered < w->limit)) {
		bool full = false;
		int rc = device_port_wait(w->dev, w->port, events, WORKER_WAIT_MS);

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		w->last_ns = clock_now_ns();
		if (w->first_ns == 0)
			w->first_ns = w->last_ns;
		for (unsigned i = p->first_rx_ring; i <= p->last_rx_ring && !full; i++)
			full = ring_answer(w, NETMAP_RXRING(p->nifp, i), tx, &answered);
		ioctl(p->fd, NIOCTXSYNC);
		events = full ? POLLOUT : POLLIN;
	}
	/* The last slots go back too: a sender may wait for them. */
	ioctl(p->fd, NIOCRXSYNC);
	return 0;
}
