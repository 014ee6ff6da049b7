/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See offsets.h. A ring gets its offsets with its first user, and keeps them while it has any: nobody who is
 * told of a mask sees another one later.
 */
#include "offsets.h"
#include "os.h"

#define BITS_ALL	64u
#define SENDER_SPINS	10000u		/* longer than a batch takes */
#define CONTROL_ACTOR	(ACTOR_MAX + 1)	/* holds a ring for the control side; no thread has that number */

/* --- the option --- */

static bool
port_supports(const struct port *p)
{
	return p->type == PORT_VALE || p->type == PORT_PIPE || p->type == PORT_NIC || p->type == PORT_NULL ||
		(p->type == PORT_MONITOR && (p->monitor_flags & NR_ZCOPY_MON) == 0);
}

static uint64_t
mask_of(uint32_t bits)
{
	return bits == BITS_ALL ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

static uint32_t
bits_of(uint64_t mask)
{
	return mask == 0 ? 0 : BITS_ALL - (uint32_t)__builtin_clzll(mask);
}

static int
option_refuse(
	const struct port *p, struct nmreq_opt_offsets *opt, int error, const char *text, struct why *why)
{
	os_format(why->text, sizeof(why->text),
		"port %s: offsets of at most %llu, at first %llu, in %u bits, with buffers of %u bytes: %s",
		p->name, (unsigned long long)opt->nro_max_offset, (unsigned long long)opt->nro_initial_offset,
		opt->nro_offset_bits, p->region->pool[POOL_BUF].obj_size, text);
	opt->nro_opt.nro_status = (uint32_t)-error;
	return error;
}

int
offsets_parse(const struct port *p, struct nmreq_opt_offsets *opt, struct offsets *o, struct why *why)
{
	uint32_t buf_size = p->region->pool[POOL_BUF].obj_size, bits;

	*o = (struct offsets){ 0 };
	if (opt == NULL)
		return 0;
	bits = opt->nro_offset_bits != 0 ? opt->nro_offset_bits : BITS_ALL;
	if (!port_supports(p))
		return option_refuse(p, opt, -EOPNOTSUPP, "this kind of port has none", why);
	if (bits > BITS_ALL)
		return option_refuse(p, opt, -EINVAL, "slots have 64 bits for them", why);
	if (opt->nro_max_offset > buf_size)
		return option_refuse(p, opt, -EINVAL, "the highest one is outside the buffer", why);
	if (opt->nro_max_offset > mask_of(bits))
		return option_refuse(p, opt, -EINVAL, "the highest one does not fit into the bits", why);
	if (opt->nro_initial_offset > opt->nro_max_offset)
		return option_refuse(p, opt, -EINVAL, "the first one is above the highest", why);
	o->mask = mask_of(bits);
	o->max = (uint32_t)opt->nro_max_offset;
	o->initial = (uint32_t)opt->nro_initial_offset;
	/* As much as there is. */
	o->gap = opt->nro_min_gap < buf_size - o->max ? (uint32_t)opt->nro_min_gap : buf_size - o->max;
	opt->nro_offset_bits = bits;
	return 0;
}

void
offsets_tell(const struct kring *kr, struct nmreq_opt_offsets *opt)
{
	if (kr->offset_max < opt->nro_max_offset)
		opt->nro_max_offset = kr->offset_max;
	if (bits_of(kr->offset_mask) < opt->nro_offset_bits)
		opt->nro_offset_bits = bits_of(kr->offset_mask);
}

/* --- rings --- */

static int
ring_refuse(const struct kring *kr, const char *text, struct why *why)
{
	os_format(why->text, sizeof(why->text),
		"port %s: %s ring %u: %s (it has offsets of at most %u in %u bits)", kr->port->name,
		kr->dir == RING_TX ? "tx" : "rx", kr->id, text, kr->offset_max, bits_of(kr->offset_mask));
	return -EBUSY;
}

int
offsets_check(const struct kring *kr, const struct offsets *o, struct why *why)
{
	if (kr->users == 0 || ((o->mask & ~kr->offset_mask) == 0 && o->max <= kr->offset_max))
		return 0;
	return ring_refuse(kr, "its other users know of smaller offsets only", why);
}

/* A pipe's sender works on the receiver's ring as well, and goes on while that one has no user. */
static struct kring *
sender_hold(struct kring *kr)
{
	struct kring *tx = kr->peer;
	uint32_t i;

	for (i = 0; i < SENDER_SPINS; i++) {
		uint32_t nobody = 0;

		if (load_relaxed(&tx->busy) == 0 && atomic_cas(&tx->busy, &nobody, CONTROL_ACTOR))
			return tx;
		cpu_relax();
	}
	return NULL;
}

/* Slots [*from, return value) hold data that somebody is still to get. */
static uint32_t
slots_waiting(const struct kring *kr, uint32_t *from)
{
	*from = kr->hwcur;
	if (kr->type == PORT_NULL || kr->dir == RING_TX)
		return kr->rhead;
	return kr->type == PORT_NIC ? kr->hwtail : pos_index(kr, load_acquire(&kr->published));
}

/*
 * Data that begin at `old` stay where they are if the ring's new offsets can say so. `old` and the length are
 * checked copies of what the slot said; a slot that was wrong stays so, and its reader will see that.
 */
static uint32_t
data_keep(const struct kring *kr, uint64_t word, uint32_t old)
{
	uint32_t offset = old < kr->offset_max ? old : kr->offset_max;

	if (slot_idx_valid(kr, slot_idx(word)) && slot_len(word) <= kr->buf_size - old)
		slot_move_data(kr, word, offset, old);
	return offset;
}

static uint32_t
old_offset(uint64_t ptr, const struct offsets *old)
{
	return (ptr & old->mask) < old->max ? (uint32_t)(ptr & old->mask) : old->max;
}

static void
slots_set(struct kring *kr, const struct offsets *old, uint32_t initial)
{
	uint32_t from, end = slots_waiting(kr, &from), n = index_diff(kr, end, from), i;

	for (i = 0; i < kr->num_slots; i++) {
		struct netmap_slot *uslot = &kr->uslot[i];
		uint64_t ptr = slot_load_ptr(uslot);
		uint32_t offset = initial;

		if (index_diff(kr, i, from) < n)
			offset = data_keep(kr, slot_load(uslot), old_offset(ptr, old));
		store_relaxed(&uslot->ptr, slot_ptr(kr, ptr, offset));
	}
}

int
offsets_set(struct kring *kr, const struct offsets *o, struct why *why)
{
	const struct offsets old = { .mask = kr->offset_mask, .max = kr->offset_max };
	struct kring *tx = NULL;

	if (kr->users > 0 || (o->mask == 0 && kr->offset_mask == 0))
		return 0;
	if (!retire_passed(kr->closed_at))
		return ring_refuse(kr, "some thread is still busy with it", why);
	if (kr->type == PORT_PIPE && kr->dir == RING_RX) {
		tx = sender_hold(kr);
		if (tx == NULL)
			return ring_refuse(kr, "the other end is sending just now", why);
	}
	kr->offset_mask = o->mask;
	kr->offset_max = o->max;
	kr->offset_end = kr->buf_size - o->gap;
	kr->uring->offset_mask = o->mask;
	slots_set(kr, &old, o->initial);
	/* The next sender sees all that. */
	if (tx != NULL)
		store_release(&tx->busy, 0);
	return 0;
}
