/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See vale_offsets.h.
 *
 * Data are copied byte by byte, as it were: with an offset, what vale_copy() reads and writes beyond their
 * end may be beyond the buffer. The receiver can change an offset at any time; it is loaded once for each
 * frame, and a frame that then does not fit comes out empty.
 */
#include "vale_offsets.h"
#include "bytes.h"
#include "os.h"
#include "vale_vnet.h"

/* Where a fragment goes. */
struct place {
	uint32_t idx, offset;
};

/* The longest fragment, and how many there are. */
static uint32_t
lists_longest(const struct batch *b, struct packet_lists l, uint32_t *slots)
{
	uint32_t longest = 0, i, j;

	*slots = 0;
	while ((i = lists_next(b, &l)) != NO_PACKET) {
		*slots += b->frag[i].count;
		for (j = 0; j < b->frag[i].count; j++)
			if (b->frag[i + j].len > longest)
				longest = b->frag[i + j].len;
	}
	return longest;
}

/* Does each fragment fit into any of the slots that they would get, as these are now? */
static bool
lists_fit(const struct batch *b, struct kring *kr, struct packet_lists l)
{
	uint32_t slots, longest = lists_longest(b, l, &slots), i;
	struct lease_view v;

	if (longest <= slot_room(kr, kr->offset_max))
		return true;
	lease_look(kr, slots, &v);
	slots = slots < v.room ? slots : v.room;
	for (i = pos_index(kr, lease_pos(v.word)); slots > 0; slots--, i = index_next(kr, i))
		if (longest > slot_room(kr, slot_offset(kr, slot_load_ptr(&kr->uslot[i]))))
			return false;
	return true;
}

/* The next slots, for the n fragments of a packet. A reason why it cannot go there, or -1. */
static int
places_find(const struct target *t, const struct fragment *f, uint32_t n, struct place *place)
{
	const struct kring *kr = t->kr;
	uint32_t i = t->index, j;
	int why = -1;

	for (j = 0; j < n; j++, i = index_next(kr, i)) {
		place[j].idx = slot_idx(slot_load(&kr->uslot[i]));
		place[j].offset = slot_take_offset(kr, &kr->uslot[i]);
		if (!slot_idx_valid(kr, place[j].idx))
			why = DROP_BAD_SLOT;
		else if (why < 0 && f[j].len > slot_room(kr, place[j].offset))
			why = DROP_TOO_LONG;
	}
	return why;
}

static bool
fragment_copy(const struct kring *kr, const struct fragment *f, const struct place *place)
{
	char *to = slot_buf(kr, place->idx) + place->offset;

	if (f->indirect)
		return os_copy_from_caller(to, (uint64_t)(uintptr_t)f->data, f->len) == 0;
	bytes_copy(to, f->data, f->len);
	return true;
}

static void
packet_copy(struct batch *b, struct target *t, uint32_t first)
{
	const struct fragment *f = &b->frag[first];
	struct place place[NETMAP_MAX_FRAGS];
	uint32_t count = f->count, j;
	int why = places_find(t, f, count, place);

	for (j = 0; j < count && why < 0; j++)
		if (!fragment_copy(t->kr, &f[j], &place[j]))
			why = DROP_BAD_ADDRESS;
	if (why >= 0)
		counter_add(&t->kr->in.drops[why], 1);
	for (j = 0; j < count; j++)
		target_push(t, place[j].idx, why < 0 ? f[j].len : 0,
			count << 8 | (j + 1 < count ? NS_MOREFRAG : 0));
	t->packets++;
}

void
vale_offsets_deliver(struct batch *b, struct kring *kr, struct packet_lists l)
{
	uint32_t slots, packets, left;
	struct lease_view v;
	struct target t;

	if (!lists_fit(b, kr, l) && slot_room(kr, kr->offset_max) >= VALE_ROOM_MIN) {
		vale_vnet_deliver(b, kr, l);
		return;
	}
	do {
		lease_look(kr, b->n, &v);
		slots = lists_measure(b, l, v.room, &packets, &left);
		if (slots == 0)
			break;
	} while (!target_begin(&t, kr, b->self, &v, slots));
	if (left > 0)
		counter_add(&kr->in.drops[DROP_NO_ROOM], left);
	if (slots == 0)
		return;
	while (packets-- > 0)
		packet_copy(b, &t, lists_next(b, &l));
	target_finish(&t, b->root);
}
