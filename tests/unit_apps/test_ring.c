/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling transmit rings: what is in slots and buffers, and what is not written again. */
#include <errno.h>
#include <stdlib.h>

#include "fake_port.h"
#include "ring.h"
#include "unit.h"

#define SLOTS 16

struct fixture {
	struct fake_region region;
	struct nmport_d port;
	struct options opt;
	struct frame_gen gen;
	struct tx_filler filler;
};

static struct netmap_ring *fixture_start(struct fixture *f, unsigned min, unsigned max, unsigned stamp)
{
	struct options *o = &f->opt;

	fake_region_init(&f->region, 1, SLOTS, FAKE_BUF_SIZE);
	fake_port_make(&f->port, &f->region, 0);
	o->family = 4;
	o->len_min = min;
	o->len_max = max;
	assert_int_equal(ip_range_parse(&o->src, 4, 1, "10.0.0.1"), 0);
	assert_int_equal(ip_range_parse(&o->dst, 4, 1, "10.0.0.2"), 0);
	assert_int_equal(frame_gen_init(&f->gen, o, 0, stamp, NULL, 1), 0);
	assert_int_equal(tx_filler_init(&f->filler, o, &f->gen, &f->port), 0);
	return fake_tx(&f->port);
}

static void fixture_stop(struct fixture *f)
{
	tx_filler_fini(&f->filler);
	frame_gen_fini(&f->gen);
	fake_region_fini(&f->region);
}

/* Where rings have offsets, frames begin where slots did at first, in as many slots as that takes. */
static void offsets_are_kept(void **state)
{
	struct fixture f = { .opt = { .bits = 0 } };
	struct netmap_ring *ring;
	uint64_t bytes = 0;

	(void)state;
	ring = fixture_start(&f, 60, 60, 0);
	tx_filler_fini(&f.filler);
	memcpy((char *)(uintptr_t)&ring->offset_mask, &(uint64_t){ 0xfff }, sizeof(ring->offset_mask));
	for (unsigned i = 0; i < SLOTS; i++)
		ring->slot[i].ptr = 0x5000 | 128;
	assert_int_equal(tx_filler_init(&f.filler, &f.opt, &f.gen, &f.port), 0);
	assert_false(f.filler.plain);
	assert_int_equal(f.filler.frag_size, FAKE_BUF_SIZE - 128);
	/* Whatever stands in a slot that came back. */
	ring->slot[1].ptr = 0x7000 | 7;
	assert_int_equal(tx_filler_fill(&f.filler, ring, 3, &bytes), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ring->slot[i].ptr, (i == 1 ? 0x7000 : 0x5000) | 128);
		assert_memory_equal(NETMAP_BUF(ring, ring->slot[i].buf_idx) + 128, f.gen.data, 60);
	}
	fixture_stop(&f);
}

/* The host sends everything. */
static void ring_complete(struct netmap_ring *ring)
{
	ring->tail = (ring->head + SLOTS - 1) % SLOTS;
}

static void a_burst_is_put(void **state)
{
	struct fixture f = { .opt = { .bits = 0 } };
	struct netmap_ring *ring = fixture_start(&f, 60, 60, 0);
	uint64_t bytes = 0;

	(void)state;
	assert_true(f.filler.plain);
	assert_int_equal(tx_filler_fill(&f.filler, ring, 4, &bytes), 4);
	assert_int_equal(bytes, 240);
	assert_int_equal(ring->head, 4);
	assert_int_equal(ring->cur, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(ring->slot[i].len, 60);
		assert_int_equal(ring->slot[i].flags, i == 3 ? NS_REPORT : 0);
		assert_memory_equal(NETMAP_BUF(ring, ring->slot[i].buf_idx), f.gen.data, 60);
	}
	fixture_stop(&f);
}

static void a_lack_of_room_asks_for_more(void **state)
{
	struct fixture f = { .opt = { .bits = 0 } };
	struct netmap_ring *ring = fixture_start(&f, 60, 60, 0);
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(tx_filler_fill(&f.filler, ring, 100, &bytes), SLOTS - 1);
	assert_int_equal(ring->head, ring->tail);
	ring->tail = 3;
	assert_int_equal(tx_filler_fill(&f.filler, ring, 4, &bytes), 4);
	assert_int_equal(ring->head, 3);
	assert_int_equal(ring->cur, ring->tail);
	fixture_stop(&f);
}

static void buffers_are_written_once(void **state)
{
	struct fixture f = { .opt = { .bits = 0 } };
	struct netmap_ring *ring = fixture_start(&f, 60, 60, 0);
	uint64_t bytes = 0;
	char *buf;

	(void)state;
	tx_filler_fill(&f.filler, ring, SLOTS - 1, &bytes);
	ring_complete(ring);
	tx_filler_fill(&f.filler, ring, 1, &bytes);
	assert_int_equal(ring->head, 0);
	/* Slot 0 comes back as it was, slot 1 with another buffer, slot 2 marked as changed. */
	buf = NETMAP_BUF(ring, ring->slot[0].buf_idx);
	buf[0] = 'x';
	ring->slot[1].buf_idx = fake_rx(&f.port)->slot[0].buf_idx;
	ring->slot[2].flags = NS_BUF_CHANGED;
	NETMAP_BUF(ring, ring->slot[2].buf_idx)[0] = 'x';
	ring_complete(ring);
	tx_filler_fill(&f.filler, ring, 3, &bytes);
	assert_int_equal(buf[0], 'x');
	assert_memory_equal(NETMAP_BUF(ring, ring->slot[1].buf_idx), f.gen.data, 60);
	assert_memory_equal(NETMAP_BUF(ring, ring->slot[2].buf_idx), f.gen.data, 60);
	assert_int_equal(ring->slot[2].flags, NS_REPORT);
	fixture_stop(&f);
}

static void a_bad_index_is_not_written(void **state)
{
	struct fixture f = { .opt = { .bits = 0 } };
	struct netmap_ring *ring = fixture_start(&f, 60, 60, 0);
	uint64_t bytes = 0;

	(void)state;
	ring->slot[0].buf_idx = UINT32_MAX;
	ring->slot[1].buf_idx = f.filler.num_bufs;
	assert_int_equal(tx_filler_fill(&f.filler, ring, 3, &bytes), 3);
	fixture_stop(&f);
}

/* Puts the fragments from slot i on together. Returns their length; *i becomes the slot behind them. */
static unsigned packet_gather(struct netmap_ring *ring, uint32_t *i, uint8_t *out)
{
	unsigned len = 0;
	uint16_t flags;

	do {
		struct netmap_slot *slot = &ring->slot[*i];

		memcpy(out + len, NETMAP_BUF(ring, slot->buf_idx), slot->len);
		len += slot->len;
		flags = slot->flags;
		*i = nm_ring_next(ring, *i);
	} while (flags & NS_MOREFRAG);
	return len;
}

static void fragments_make_the_frame(void **state)
{
	struct fixture f = { .opt = { .frag_size = 100 } };
	struct netmap_ring *ring = fixture_start(&f, 250, 350, STAMP_SEQUENCE_LEN);
	uint8_t got[512];
	uint32_t number = 0;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		uint32_t first = ring->head;
		uint64_t bytes = 0, gathered = 0;
		unsigned n = tx_filler_fill(&f.filler, ring, 3, &bytes);

		assert_int_equal(n, 3);
		while (first != ring->head) {
			unsigned len = packet_gather(ring, &first, got);

			assert_in_range(len, 250, 350);
			assert_int_equal(be32_load(got + 42), number++);
			/* Behind the stamp stands the pattern, whatever the buffer was used for before. */
			assert_memory_equal(got + 46, f.gen.frame + 46, len - 46);
			gathered += len;
		}
		assert_int_equal(gathered, bytes);
		ring_complete(ring);
	}
	fixture_stop(&f);
}

static void a_frame_that_does_not_fit_waits(void **state)
{
	struct fixture f = { .opt = { .frag_size = 60 } };
	struct netmap_ring *ring = fixture_start(&f, 300, 300, STAMP_SEQUENCE_LEN);
	uint64_t bytes = 0;
	uint8_t got[512];
	uint32_t i;

	(void)state;
	/* 15 slots hold three packets of five; the fourth is made but must wait. */
	assert_int_equal(tx_filler_fill(&f.filler, ring, 4, &bytes), 3);
	assert_int_equal(ring->cur, ring->tail);
	i = ring->head;
	ring_complete(ring);
	assert_int_equal(tx_filler_fill(&f.filler, ring, 1, &bytes), 1);
	packet_gather(ring, &i, got);
	assert_int_equal(be32_load(got + 42), 3);
	fixture_stop(&f);
}

static void impossible_frames_are_refused(void **state)
{
	struct fixture f = { .opt = { .frag_size = 10 } };
	struct tx_filler filler;

	(void)state;
	fixture_start(&f, 60, 60, 0);
	f.gen.len_max = 161;
	assert_int_equal(tx_filler_init(&filler, &f.opt, &f.gen, &f.port), -EMSGSIZE);
	f.gen.len_max = 150;
	assert_int_equal(tx_filler_init(&filler, &f.opt, &f.gen, &f.port), 0);
	tx_filler_fini(&filler);
	fixture_stop(&f);
}

static void indirect_slots_point_at_the_frame(void **state)
{
	struct fixture f = { .opt = { .bits = OPT_INDIRECT } };
	struct netmap_ring *ring = fixture_start(&f, 9000, 9000, 0);
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(tx_filler_fill(&f.filler, ring, 1, &bytes), 1);
	assert_int_equal(ring->head, 1);
	assert_int_equal(ring->slot[0].len, 9000);
	assert_int_equal(ring->slot[0].flags, NS_INDIRECT | NS_REPORT);
	assert_true(ring->slot[0].ptr == (uintptr_t)f.gen.data);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_kept), cmocka_unit_test(a_burst_is_put),
		cmocka_unit_test(a_lack_of_room_asks_for_more),
		cmocka_unit_test(buffers_are_written_once),
		cmocka_unit_test(a_bad_index_is_not_written),
		cmocka_unit_test(fragments_make_the_frame),
		cmocka_unit_test(a_frame_that_does_not_fit_waits),
		cmocka_unit_test(impossible_frames_are_refused),
		cmocka_unit_test(indirect_slots_point_at_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
