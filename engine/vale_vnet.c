/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See vale_vnet.h.
 *
 * A packet is planned first: its headers are copied into an iterator, which then knows for good how many frames
 * of which lengths it makes. A lease is taken for several planned packets at once, and filled from their
 * iterators. What the sender writes to its buffers meanwhile can spoil its own payload, and nothing else. Each
 * frame is packed into as few slots as it needs, with the receiver's header, if it has one, right in front of it.
 * Where the receiver's slots have offsets, that is as many as it needs with the highest of them.
 */
#include "vale_vnet.h"
#include "bytes.h"
#include "os.h"
#include "vnet_hdr.h"

#define PLANNED_MAX	16u
#define FRAGS_MAX	128u		/* at least those of one packet */

_Static_assert(FRAGS_MAX >= NETMAP_MAX_FRAGS, "a packet's fragments have room");

/* One packet of the sender's, and the frames that the receiver gets for it. */
struct planned {
	struct vnet_iter iter;
	uint32_t frames, slots;			/* all of them */
	uint8_t hdr[VNET_HDR_LEN_MRG];		/* the sender's virtio-net header, or zeros */
};

struct conversion {
	struct batch *b;
	struct kring *kr;
	uint32_t hdr_len;			/* the receiver's */
	uint32_t max_frame;			/* of segments */
	uint32_t room;				/* bytes of each slot, wherever its data begin */
	uint32_t n, slots, nfrags;		/* packets planned, slots that they need, fragments in use */
	struct planned planned[PLANNED_MAX];
	struct vnet_frag frags[FRAGS_MAX];
};

/* Slots for a frame of that length and its header. */
static uint32_t
frame_slots(const struct conversion *c, uint32_t len)
{
	return (c->hdr_len + len + c->room - 1) / c->room;
}

/* --- delivering what is planned --- */

/* The buffers of the next n slots, for `len` bytes. False if the receiver spoiled one of them. */
static bool
pieces_find(const struct conversion *c, const struct target *t, struct vnet_piece *piece, uint32_t *idx, uint32_t n, uint32_t len)
{
	const struct kring *kr = t->kr;
	uint32_t i = t->index, k;
	bool good = true;

	for (k = 0; k < n; k++, i = index_next(kr, i)) {
		idx[k] = slot_idx(slot_load(&kr->uslot[i]));
		good = good && slot_idx_valid(kr, idx[k]);
		piece[k].base = good ? slot_buf(kr, idx[k]) + slot_take_offset(kr, &kr->uslot[i]) : NULL;
		piece[k].len = len < c->room ? len : c->room;
		len -= piece[k].len;
	}
	return good;
}

/* Writes frame number k of a packet, the one that its iterator gives next. */
static void
frame_write(const struct conversion *c, struct target *t, struct planned *p, uint32_t k)
{
	uint32_t len = c->hdr_len + vnet_iter_len(&p->iter), n = frame_slots(c, len - c->hdr_len), i;
	struct vnet_piece piece[NETMAP_MAX_FRAGS];
	uint32_t idx[NETMAP_MAX_FRAGS];
	bool good = pieces_find(c, t, piece, idx, n, len);

	if (good) {
		bytes_copy(piece[0].base, p->hdr, c->hdr_len);
		piece[0].base = (char *)piece[0].base + c->hdr_len;
		piece[0].len -= c->hdr_len;
		vnet_iter_write(&p->iter, piece, n);
		piece[0].len += c->hdr_len;
	} else {
		/* Its slots come out empty. */
		counter_add(&t->kr->in.drops[DROP_BAD_SLOT], 1);
		vnet_iter_seek(&p->iter, k + 1);
	}
	for (i = 0; i < n; i++)
		target_push(t, idx[i], good ? piece[i].len : 0, n << 8 | (i + 1 < n ? NS_MOREFRAG : 0));
	t->packets++;
}

/* How many of the planned packets from number `from` on fit into so many slots and a lease; *slots: what they take. */
static uint32_t
planned_fit(const struct conversion *c, uint32_t from, uint32_t room, uint32_t *slots)
{
	uint32_t n = 0;

	if (room > LEASE_MAX)
		room = LEASE_MAX;
	for (*slots = 0; from + n < c->n && c->planned[from + n].slots <= room - *slots; n++)
		*slots += c->planned[from + n].slots;
	return n;
}

static void
planned_write(const struct conversion *c, struct target *t, struct planned *p)
{
	uint32_t k;

	for (k = 0; k < p->frames; k++)
		frame_write(c, t, p, k);
}

static void
planned_deliver(struct conversion *c)
{
	struct kring *kr = c->kr;
	uint32_t done, n, slots, i;
	struct lease_view v;
	struct target t;

	for (done = 0; done < c->n; done += n) {
		do {
			lease_look(kr, c->slots, &v);
			n = planned_fit(c, done, v.room, &slots);
		} while (n > 0 && !target_begin(&t, kr, c->b->self, &v, slots));
		if (n == 0) {
			counter_add(&kr->in.drops[DROP_NO_ROOM], c->n - done);
			break;
		}
		for (i = 0; i < n; i++)
			planned_write(c, &t, &c->planned[done + i]);
		target_finish(&t, c->b->root);
	}
	c->n = c->slots = c->nfrags = 0;
}

/* --- planning --- */

/*
 * How many slots the iterator's frames need; 0 if one of them needs more than a packet can have. All but the last
 * have the same length.
 */
static uint32_t
slots_count(const struct conversion *c, struct planned *p)
{
	uint32_t most = frame_slots(c, vnet_iter_len(&p->iter)), last;

	p->frames = vnet_iter_count(&p->iter);
	vnet_iter_seek(&p->iter, p->frames - 1);
	last = frame_slots(c, vnet_iter_len(&p->iter));
	vnet_iter_seek(&p->iter, 0);
	return most > NETMAP_MAX_FRAGS ? 0 : (p->frames - 1) * most + last;
}

/* Sets the iterator up. frag[0] holds all of the sender's header. Returns a drop reason, or -1. */
static int
planned_init(const struct conversion *c, struct planned *p, struct vnet_frag *frag, uint32_t n)
{
	struct vnet_source src = { .frags = frag, .nfrags = n };
	uint32_t skip = c->b->hdr_len, len = 0, i;
	int error;

	bytes_zero(p->hdr, sizeof(p->hdr));
	if (skip != 0) {
		bytes_copy(p->hdr, frag[0].base, skip == c->hdr_len ? skip : VNET_HDR_LEN);
		frag[0].base = (const char *)frag[0].base + skip;
		frag[0].len -= skip;
		if (c->hdr_len == 0) {
			src.hdr = p->hdr;
			src.hdr_len = VNET_HDR_LEN;
			/* A frame that stays one frame is not measured between other ports either. */
			src.max_frame = p->hdr[1] != 0 ? c->max_frame : 0;
		}
	}
	for (i = 0; i < n; i++)
		len += frag[i].len;
	if (len > VNET_FRAME_MAX)
		return DROP_TOO_LONG;
	error = vnet_iter_init(&p->iter, &src);
	if (error != 0)
		return error == -EMSGSIZE ? DROP_TOO_LONG : DROP_BAD_HEADER;
	p->slots = slots_count(c, p);
	return p->slots == 0 ? DROP_TOO_LONG : -1;
}

/* Plans the packet in the n fragments behind those in use. There is a place for it. */
static void
packet_plan(struct conversion *c, uint32_t n)
{
	struct planned *p = &c->planned[c->n];
	int why = planned_init(c, p, &c->frags[c->nfrags], n);

	if (why >= 0) {
		drop(c->b->kr, (enum drop_reason)why, 1);
		return;
	}
	/* More than the ring ever has, or a lease can take. */
	if (p->slots >= c->kr->num_slots || p->slots > LEASE_MAX) {
		counter_add(&c->kr->in.drops[DROP_NO_ROOM], 1);
		return;
	}
	c->n++;
	c->nfrags += n;
	c->slots += p->slots;
}

/* A packet with data in the caller's memory, which has to be copied before it can be looked at. */
static void __attribute__((noinline))
indirect_deliver(struct conversion *c, const struct fragment *f)
{
	char bounce[VNET_HDR_LEN_MRG + VNET_FRAME_MAX];
	uint32_t len = 0, i;

	planned_deliver(c);
	for (i = 0; i < f->count; len += f[i].len, i++) {
		if (f[i].len > sizeof(bounce) - len) {
			drop(c->b->kr, DROP_TOO_LONG, 1);
			return;
		}
		if (!f[i].indirect) {
			bytes_copy(bounce + len, f[i].data, f[i].len);
		} else if (os_copy_from_caller(bounce + len, (uint64_t)(uintptr_t)f[i].data, f[i].len) != 0) {
			drop(c->b->kr, DROP_BAD_ADDRESS, 1);
			return;
		}
	}
	c->frags[0] = (struct vnet_frag){ bounce, len };
	packet_plan(c, 1);
	planned_deliver(c);
}

static void
packet_deliver(struct conversion *c, const struct fragment *f)
{
	bool indirect = false;
	uint32_t i;

	for (i = 0; i < f->count; i++)
		indirect = indirect || f[i].indirect;
	if (indirect) {
		indirect_deliver(c, f);
		return;
	}
	if (c->n == PLANNED_MAX || f->count > FRAGS_MAX - c->nfrags)
		planned_deliver(c);
	for (i = 0; i < f->count; i++)
		c->frags[c->nfrags + i] = (struct vnet_frag){ f[i].data, f[i].len };
	packet_plan(c, f->count);
}

void
vale_vnet_deliver(struct batch *b, struct kring *kr, struct packet_lists l)
{
	struct conversion c;
	uint32_t first;

	c.b = b;
	c.kr = kr;
	/* Acquire: the limit is not older than the length. */
	c.hdr_len = load_acquire(&kr->port->hdr_len);
	c.max_frame = load_relaxed(&kr->port->max_frame);
	c.room = slot_room(kr, kr->offset_max);
	c.n = c.slots = c.nfrags = 0;
	while ((first = lists_next(b, &l)) != NO_PACKET)
		if (likely(c.room >= VALE_ROOM_MIN))
			packet_deliver(&c, &b->frag[first]);
		else
			counter_add(&kr->in.drops[DROP_TOO_LONG], 1);
	planned_deliver(&c);
}
