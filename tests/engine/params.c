/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters: the table of them, their ranges, and what those of switches change; and the forwarding table by hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "end.h"
#include "engine/params.h"
#include "engine/port.h"

#define BUCKETS	16u
#define NOW	10000u

static bool
param_by_name(const char *name, struct param_info *info)
{
	for (uint32_t i = 0; param_get(i, info); i++)
		if (strcmp(info->name, name) == 0)
			return true;
	return false;
}

static uint64_t
param_value(const char *name)
{
	struct param_info info;

	assert_true(param_by_name(name, &info));
	return info.value;
}

/* A station's address as the forwarding table has it: first byte lowest. */
static uint64_t
addr(uint32_t station)
{
	return __builtin_bswap64(mac(station)) >> 16;
}

/* --- the table --- */

static void
test_all_are_there(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
	} usual[] = {
		{ "verbose", 0 }, { "debug", 0 }, { "no_timestamp", 0 }, { "no_pendintr", 1 }, { "txsync_retry", 2 }, { "fwd", 0 },
		{ "admode", 0 }, { "generic_hwcsum", 0 }, { "generic_mit", 100000 }, { "generic_ringsize", 1024 },
		{ "generic_rings", 1 }, { "generic_txqdisc", 1 }, { "ptnet_vnet_hdr", 1 }, { "ptnet_gso", 1 }, { "bridge_batch", 1024 },
		{ "max_bridges", 8 }, { "default_pipes", 0 }, { "if_size", 1024 }, { "if_num", 100 }, { "ring_size", 36864 },
		{ "ring_num", 200 }, { "buf_size", 2048 }, { "buf_num", 163840 }, { "priv_if_size", 1024 }, { "priv_if_num", 2 },
		{ "priv_ring_size", 20480 }, { "priv_ring_num", 4 }, { "priv_buf_size", 2048 }, { "priv_buf_num", 4098 },
		{ "if_curr_size", 0 }, { "if_curr_num", 0 }, { "ring_curr_size", 0 }, { "ring_curr_num", 0 }, { "buf_curr_size", 0 },
		{ "buf_curr_num", 0 }, { "sink_delay_ns", 100 }, { "sink_num", 1 }, { "vale_age", 300 }, { "fdb_buckets", 1024 },
	};
	struct param_info info;
	uint32_t n = 0;

	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		assert_true(param_by_name(usual[i].name, &info));
		assert_int_equal(info.value, usual[i].value);
		assert_int_equal(info.default_value, usual[i].value);
	}
	while (param_get(n, &info)) {
		/* No text is cut off. */
		assert_true(info.note[0] != '\0' && strlen(info.note) < sizeof(info.note) - 1);
		assert_true(info.read_only || !info.no_effect);
		n++;
	}
	assert_int_equal(n, sizeof(usual) / sizeof(usual[0]));
}

static void
test_setting(void **state)
{
	struct param_info info;
	struct why why;

	for (uint32_t i = 0; param_get(i, &info); i++) {
		why.text[0] = '\0';
		if (info.read_only) {
			assert_int_equal(param_set(info.name, info.value, &why), -EACCES);
			assert_true(why.text[0] != '\0');
			continue;
		}
		assert_int_equal(param_set(info.name, info.max, &why), 0);
		assert_int_equal(param_value(info.name), info.max);
		assert_int_equal(param_set(info.name, info.min, &why), 0);
		assert_int_equal(param_value(info.name), info.min);
		assert_int_equal(param_set(info.name, info.max + 1, &why), -ERANGE);
		assert_true(why.text[0] != '\0');
		if (info.min > 0)
			assert_int_equal(param_set(info.name, info.min - 1, &why), -ERANGE);
		assert_int_equal(param_set(info.name, UINT64_MAX, &why), -ERANGE);
		assert_int_equal(param_value(info.name), info.min);
		assert_int_equal(param_set(info.name, info.default_value, &why), 0);
	}
	assert_int_equal(param_set("fdb_buckets", 1000, &why), -ERANGE);
	assert_int_equal(param_set("nothing", 0, &why), -ENOENT);
	assert_int_equal(param_set("", 0, &why), -ENOENT);
	assert_int_equal(param_set("vale_agee", 0, &why), -ENOENT);
	assert_int_equal(param_set("0123456789012345678901234567890123456789", 0, &why), -ENOENT);
}

/* The engine's next start begins with the defaults, whatever was set. */
static void
test_start_forgets(void **state)
{
	struct why why;

	assert_int_equal(param_set("generic_ringsize", 64, &why), 0);
	engine_teardown(state);
	engine_setup(state);
	assert_int_equal(param_value("generic_ringsize"), 1024);
}

/* --- what they do --- */

/* The next frame, in slots of `part` bytes. */
static void
expect_pieces(struct end *e, uint32_t len, uint32_t part, uint32_t seq)
{
	struct netmap_ring *r = end_rx(e, 0);
	char frame[16384];
	uint32_t done = 0;

	while (done < len) {
		const struct netmap_slot *slot = &r->slot[r->head];

		assert_true(ring_space(r) > 0);
		assert_int_equal(slot->len, len - done < part ? len - done : part);
		assert_int_equal(slot->flags & NS_MOREFRAG, done + slot->len < len ? NS_MOREFRAG : 0);
		assert_int_equal(NS_RFRAGS(slot), (len + part - 1) / part);
		memcpy(frame + done, ring_buf(r, slot->buf_idx), slot->len);
		done += slot->len;
		ring_move(r, ring_next(r, r->head));
	}
	assert_true(frame_is(frame, len, seq));
}

/* Buffers of ports that are opened from then on; those that are open keep theirs. A multiple of the line is made of it. */
static void
test_buffers(void **state)
{
	struct end a, b;
	struct why why;

	end_open_slots(&a, "vale0:a", 64);
	assert_int_equal(param_set("priv_buf_size", 9001, &why), 0);
	end_open_slots(&b, "vale0:b", 64);
	assert_int_equal(end_tx(&a, 0)->nr_buf_size, 2176);
	assert_int_equal(end_tx(&b, 0)->nr_buf_size, 9024);
	/* What does not fit into one buffer goes into several; together with what does. */
	assert_true(ring_put(end_tx(&b, 0), 9000, mac(1), mac(2), 1, 0));
	assert_true(ring_put(end_tx(&b, 0), 100, mac(1), mac(2), 3, 0));
	end_txsync(&b);
	end_rxsync(&a);
	expect_pieces(&a, 9000, 2176, 1);
	end_expect(&a, 0, 100, 3);
	assert_true(ring_put(end_tx(&a, 0), 2000, mac(2), mac(1), 2, 0));
	end_txsync(&a);
	end_expect(&b, 0, 2000, 2);
	end_close(&a);
	end_close(&b);
	assert_int_equal(param_set("priv_buf_size", 2048, &why), 0);
}

static uint32_t sequence;

static void
goes_to(struct end *e, unsigned from, uint64_t dst, uint64_t src, unsigned to)
{
	sequence++;
	assert_true(ring_put(end_tx(&e[from], 0), 60, dst, src, sequence, 0));
	end_txsync(&e[from]);
	for (unsigned i = 0; i < 3; i++) {
		if (to >> i & 1)
			end_expect(&e[i], 0, 60, sequence);
		end_expect_none(&e[i]);
	}
}

static void
open_three(struct end *e)
{
	end_open_slots(&e[0], "vale0:p0", 64);
	end_open_slots(&e[1], "vale0:p1", 64);
	end_open_slots(&e[2], "vale0:p2", 64);
}

static void
close_three(struct end *e)
{
	for (unsigned i = 0; i < 3; i++)
		end_close(&e[i]);
}

/* On a switch that is there already. */
static void
test_age_changes(void **state)
{
	struct end e[3];
	struct why why;

	open_three(e);
	goes_to(e, 0, MAC_ALL, mac(1), 6);
	assert_int_equal(param_set("vale_age", 10, &why), 0);
	goes_to(e, 1, mac(1), mac(2), 1);
	inproc_clock_advance(12);
	goes_to(e, 1, mac(1), mac(2), 5);
	goes_to(e, 0, mac(2), mac(1), 2);
	/* Never: what is known now stays. */
	assert_int_equal(param_set("vale_age", 0, &why), 0);
	for (unsigned i = 0; i < 20; i++)
		inproc_clock_advance(1000);
	goes_to(e, 1, mac(1), mac(2), 1);
	/* And counts as seen when there is an age again. */
	assert_int_equal(param_set("vale_age", 100, &why), 0);
	goes_to(e, 1, mac(1), mac(2), 1);
	inproc_clock_advance(99);
	goes_to(e, 1, mac(1), mac(2), 1);
	inproc_clock_advance(10);
	goes_to(e, 1, mac(1), mac(2), 5);
	close_three(e);
}

static void
test_static_entry(void **state)
{
	struct port *p;
	struct end e[3];

	open_three(e);
	assert_null(vale_port_find("vale0:p3"));
	p = vale_port_find("vale0:p1");
	assert_non_null(p);
	assert_int_equal(fdb_static_set(&p->sw->fdb, addr(9), p->sw_index), 0);
	goes_to(e, 0, mac(9), mac(1), 2);
	/* Who sends with the address gets nothing of it. */
	goes_to(e, 2, MAC_ALL, mac(9), 3);
	goes_to(e, 0, mac(9), mac(1), 2);
	for (unsigned i = 0; i < 10; i++)
		inproc_clock_advance(1000);
	goes_to(e, 0, mac(9), mac(1), 2);
	/* From itself to itself. */
	goes_to(e, 1, mac(9), mac(2), 0);
	assert_int_equal(fdb_forget(&p->sw->fdb, addr(9)), 0);
	assert_int_equal(fdb_forget(&p->sw->fdb, addr(9)), -ENOENT);
	goes_to(e, 0, mac(9), mac(1), 6);
	goes_to(e, 2, MAC_ALL, mac(9), 3);
	goes_to(e, 0, mac(9), mac(1), 4);
	/* It goes with its port. */
	assert_int_equal(fdb_static_set(&p->sw->fdb, addr(9), p->sw_index), 0);
	end_close(&e[1]);
	end_open_slots(&e[1], "vale0:new", 64);
	goes_to(e, 0, mac(9), mac(1), 6);
	close_three(e);
}

/* Small batches give the same frames in the same order, packets of several slots too. */
static void
test_bridge_batch(void **state)
{
	static const unsigned sizes[] = { 1, 2, 7, 1024 };
	struct end e[3];
	struct why why;

	open_three(e);
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		assert_int_equal(param_set("bridge_batch", sizes[s], &why), 0);
		for (unsigned i = 0; i < 20; i++)
			assert_true(ring_put(end_tx(&e[0], 0), 60, MAC_ALL, mac(1), i, 0));
		end_txsync(&e[0]);
		for (unsigned i = 0; i < 20; i++) {
			end_expect(&e[1], 0, 60, i);
			end_expect(&e[2], 0, 60, i);
		}
		end_expect_none(&e[1]);
		end_expect_none(&e[2]);
		for (unsigned i = 0; i < 20; i++)
			assert_true(ring_put(end_tx(&e[0], 0), 60, MAC_ALL, mac(1), i, i % 4 != 3 ? NS_MOREFRAG : 0));
		end_txsync(&e[0]);
		assert_int_equal(end_flush(&e[1]), 20);
		assert_int_equal(end_flush(&e[2]), 20);
	}
	/* The word is in shared memory, and may be anything. */
	inproc_root()->bridge_batch = 0;
	goes_to(e, 0, MAC_ALL, mac(1), 6);
	inproc_root()->bridge_batch = UINT32_MAX;
	goes_to(e, 0, MAC_ALL, mac(1), 6);
	close_three(e);
}

static void
test_table_size(void **state)
{
	struct end e[3];
	struct why why;

	assert_int_equal(param_set("fdb_buckets", FDB_BUCKETS_MIN, &why), 0);
	open_three(e);
	assert_int_equal(fdb_entries(&vale_find("vale0")->fdb), FDB_BUCKETS_MIN * FDB_WAYS);
	for (unsigned i = 0; i < 3 * FDB_BUCKETS_MIN * FDB_WAYS; i++)
		goes_to(e, 0, MAC_ALL, mac(100 + i), 6);
	goes_to(e, 1, mac(100 + 3 * FDB_BUCKETS_MIN * FDB_WAYS - 1), mac(2), 1);
	close_three(e);
	assert_int_equal(param_set("fdb_buckets", FDB_BUCKETS_MAX, &why), 0);
	open_three(e);
	goes_to(e, 0, MAC_ALL, mac(1), 6);
	goes_to(e, 1, mac(1), mac(2), 1);
	close_three(e);
}

/* --- the forwarding table by itself --- */

static struct fdb *
table_new(void)
{
	struct fdb *t = aligned_alloc(128, sizeof(*t) + fdb_size(BUCKETS));

	assert_non_null(t);
	memset(t, 0, sizeof(*t) + fdb_size(BUCKETS));
	fdb_init(t, BUCKETS, 300);
	return t;
}

/* Static entries fill no bucket: the rest can always be learned. */
static void
test_static_limit(void **state)
{
	struct fdb *t = table_new();
	unsigned made = 0, refused = 0;

	for (unsigned i = 0; i < 1000; i++) {
		int err = fdb_static_set(t, addr(i), 5);

		assert_true(err == 0 || err == -ENOSPC);
		made += err == 0;
		refused += err != 0;
	}
	assert_int_equal(made, BUCKETS * FDB_STATIC_MAX);
	assert_true(refused > 0);
	for (unsigned i = 2000; i < 3000; i++) {
		assert_non_null(fdb_learn(t, addr(i), 7, 0));
		assert_int_equal(fdb_lookup(t, addr(i), 0), 7);
	}
	/* One that is there can be moved all the same. */
	for (unsigned i = 0; i < 1000; i++) {
		if (fdb_lookup(t, addr(i), 0) != 5)
			continue;
		assert_null(fdb_learn(t, addr(i), 7, 0));
		assert_int_equal(fdb_static_set(t, addr(i), 6), 0);
		assert_int_equal(fdb_lookup(t, addr(i), 0), 6);
	}
	fdb_flush_port(t, 6);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(fdb_lookup(t, addr(i), 0), FDB_NONE);
	free(t);
}

/* A sender learns the address just as it is made static. */
static void
test_static_covers(void **state)
{
	struct fdb *t = table_new();
	uint32_t stamp = fdb_stamp(t, NOW);
	uint64_t *learned = fdb_learn(t, addr(1), 3, stamp), word;

	assert_non_null(learned);
	word = *learned;
	/* Its place is taken, so the word comes back beside it. */
	assert_int_equal(fdb_static_set(t, addr(1), 4), 0);
	assert_int_equal(fdb_lookup(t, addr(1), stamp), 4);
	learned[1] = word;
	fdb_expire(t, stamp);
	assert_int_equal(learned[1], 0);
	assert_int_equal(fdb_lookup(t, addr(1), stamp), 4);
	assert_int_equal(fdb_entry_age(t, word, fdb_stamp(t, NOW + 60)), 60);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_all_are_there),
		engine_test(test_setting),
		engine_test(test_start_forgets),
		engine_test(test_age_changes),
		engine_test(test_static_entry),
		engine_test(test_bridge_batch),
		engine_test(test_table_size),
		engine_test(test_buffers),
		cmocka_unit_test(test_static_limit),
		cmocka_unit_test(test_static_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
