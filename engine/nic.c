/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings of interfaces: the driver moves the frames, the engine keeps the books.
 */
#include "nic.h"
#include "bytes.h"
#include "os.h"

void
nic_ring_init(struct nic_ring *r, const struct kring *kr, uint32_t from, uint32_t to)
{
	bytes_zero(r, sizeof(*r));
	r->uslot = kr->uslot;
	r->ubufs = kr->ubufs;
	r->num_slots = kr->num_slots;
	r->buf_size = kr->buf_size;
	r->buf_total = kr->buf_total;
	r->offset_mask = kr->offset_mask;
	r->offset_max = kr->offset_max;
	r->offset_end = kr->offset_end;
	r->from = from;
	r->to = to;
}

void
nic_ring_count(struct kring *kr, const struct nic_ring *r)
{
	unsigned i;

	counter_bump(&kr->own.packets, r->packets);
	counter_bump(&kr->own.bytes, r->bytes);
	for (i = 0; i < DROP_REASONS; i++)
		if (r->drops[i] != 0)
			counter_bump(&kr->own.drops[i], r->drops[i]);
}

int
nic_txsync(struct kring *kr, uint32_t head)
{
	uint32_t done = index_next(kr, kr->hwtail);
	struct nic_ring r;
	int error = 0;

	nic_ring_init(&r, kr, kr->hwcur, head);
	r.done = done;
	if (r.from != r.to || r.from != done)
		error = os_nic_sync(kr, &r);
	else if (unlikely(load_relaxed(&kr->port->gone)))
		error = -ENXIO;
	nic_ring_count(kr, &r);
	if (r.from < kr->num_slots)
		store_relaxed(&kr->hwcur, r.from);
	if (r.done < kr->num_slots && index_diff(kr, r.done, done) <= index_diff(kr, kr->hwcur, done))
		kr->hwtail = index_prev(kr, r.done);
	return error;
}

int
nic_rxsync(struct kring *kr, uint32_t head, int64_t ts[2])
{
	struct nic_ring r;
	int error = 0;

	kr->hwcur = head;
	nic_ring_init(&r, kr, kr->hwtail, index_prev(kr, head));
	if (r.from != r.to)
		error = os_nic_sync(kr, &r);
	nic_ring_count(kr, &r);
	if (r.from < kr->num_slots)
		kr->hwtail = r.from;
	ts[0] = r.ts_sec;
	ts[1] = r.ts_usec;
	return error;
}
