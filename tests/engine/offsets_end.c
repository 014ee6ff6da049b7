/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See offsets_end.h.
 */
#include <stdio.h>
#include <string.h>

#include "offsets_end.h"

int
offsets_register(
	struct end *e, const char *name, const struct nmreq_register *want, struct nmreq_opt_offsets *opt)
{
	static const struct nmreq_register usual = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)&e->reg, .nr_options = (uintptr_t)opt };
	int error;

	if (opt != NULL)
		opt->nro_opt.nro_reqtype = NETMAP_REQ_OPT_OFFSETS;
	e->reg = want != NULL ? *want : usual;
	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	error = inproc_ioctl(&e->fd, NIOCCTRL, &hdr);
	if (error == 0)
		e->nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&e->fd) + e->reg.nr_offset);
	return error;
}

int
offsets_try(struct end *e, const char *name, const struct nmreq_register *want, uint64_t initial,
	uint64_t max, int bits)
{
	struct nmreq_opt_offsets opt = {
		.nro_initial_offset = initial, .nro_max_offset = max, .nro_offset_bits = (uint32_t)bits
	};
	int error;

	end_open_bare(e);
	error = offsets_register(e, name, want, bits >= 0 ? &opt : NULL);
	if (error != 0)
		end_close(e);
	return error;
}

void
offsets_open(struct end *e, const char *name, uint64_t initial, uint64_t max, int bits)
{
	assert_int_equal(offsets_try(e, name,
				 &(struct nmreq_register){
					 .nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 64, .nr_rx_slots = 64 },
				 initial, max, bits),
		0);
}

bool
offsets_put(struct netmap_ring *r, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq, uint16_t flags)
{
	struct netmap_slot *slot = &r->slot[r->head];

	if (ring_space(r) == 0)
		return false;
	frame_make(slot_data(r, r->head), len, dst, src, seq);
	slot->len = (uint16_t)len;
	slot->flags = flags;
	ring_move(r, ring_next(r, r->head));
	return true;
}

void
ring_fill(struct netmap_ring *r, char byte)
{
	uint32_t i;

	for (i = 0; i < r->num_slots; i++)
		memset(ring_buf(r, r->slot[i].buf_idx), byte, r->nr_buf_size);
}

bool
buf_untouched(const struct netmap_ring *r, uint32_t idx, uint64_t from, uint32_t len, char byte)
{
	const char *buf = ring_buf(r, idx);
	uint32_t i;

	for (i = 0; i < r->nr_buf_size; i++)
		if ((i < from || i >= from + len) && buf[i] != byte)
			return false;
	return true;
}

void
offsets_expect(struct end *e, uint32_t len, uint32_t seq, uint64_t offset)
{
	struct netmap_ring *r = end_rx(e, 0);
	const struct netmap_slot *slot = &r->slot[r->head];

	if (ring_space(r) == 0)
		end_rxsync(e);
	assert_int_not_equal(ring_space(r), 0);
	assert_int_equal(slot->len, len);
	assert_int_equal(slot->flags & NS_MOREFRAG, 0);
	assert_int_equal(slot_ofs(r, r->head), offset);
	assert_true(frame_is(slot_data(r, r->head), len, seq));
	ring_move(r, ring_next(r, r->head));
}
