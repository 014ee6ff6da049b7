/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See vnet_end.h.
 */
#include <string.h>

#include "vnet_end.h"

int
vnet_set(struct end *e, const char *name, uint32_t hdr_len)
{
	struct nmreq_port_hdr body = { .nr_hdr_len = hdr_len };

	return end_request(e, NETMAP_REQ_PORT_HDR_SET, name, &body);
}

void
vnet_open(struct end *e, const char *name, uint32_t hdr_len, uint32_t slots)
{
	end_open_as(e, name,
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_flags = NR_ACCEPT_VNET_HDR,
			.nr_tx_slots = slots,
			.nr_rx_slots = slots });
	assert_int_equal(vnet_set(e, name, hdr_len), 0);
}

void
vnet_put(struct end *e, const void *data, uint32_t len, uint32_t first, uint32_t cut)
{
	struct netmap_ring *r = end_tx(e, 0);
	uint32_t done = 0, part = first != 0 ? first : cut;

	do {
		struct netmap_slot *slot = &r->slot[r->head];

		assert_int_not_equal(ring_space(r), 0);
		if (part > len - done)
			part = len - done;
		memcpy(ring_buf(r, slot->buf_idx), (const char *)data + done, part);
		done += part;
		slot->len = (uint16_t)part;
		slot->flags = done < len ? NS_MOREFRAG : 0;
		part = cut;
		ring_move(r, ring_next(r, r->head));
	} while (done < len);
}

uint32_t
vnet_take(struct end *e, uint8_t *buf, unsigned *slots)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t len = 0, flags;

	*slots = 0;
	if (ring_space(r) == 0)
		end_rxsync(e);
	if (ring_space(r) == 0)
		return 0;
	do {
		const struct netmap_slot *slot = &r->slot[r->head];

		assert_int_not_equal(ring_space(r), 0);
		flags = slot->flags;
		assert_true(slot->len <= r->nr_buf_size && len + slot->len <= PACKET_MAX);
		memcpy(buf + len, ring_buf(r, slot->buf_idx), slot->len);
		len += slot->len;
		++*slots;
		ring_move(r, ring_next(r, r->head));
	} while (flags & NS_MOREFRAG);
	assert_int_equal(flags >> 8, *slots);
	return len;
}

void
vnet_expect(struct end *e, const void *data, uint32_t len)
{
	static uint8_t got[PACKET_MAX];
	const uint32_t buf = end_rx(e, 0)->nr_buf_size;
	unsigned slots;

	assert_int_equal(vnet_take(e, got, &slots), len);
	assert_int_equal(slots, (len + buf - 1) / buf);
	assert_memory_equal(got, data, len);
}
