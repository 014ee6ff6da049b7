/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that die while they show frames to monitors: no buffer is in two slots after it, whatever store was the last; what others
 * do goes on; and nobody sleeps for ever.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "end.h"
#include "engine/lease.h"
#include "engine/monitor.h"

#define WATCHDOG	60u
#define OTHER_PROCESS	2u
#define SWAPS		2u
#define STEPS		(SWAPS * 3 + 3)		/* stores of swap_dies, with none of them and all of them */

static struct end a, b, m[3];

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

#define death_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

static struct actor *
victim(void)
{
	struct actor *v;

	assert_int_equal(actor_alloc(OTHER_PROCESS, 12345, 12346, &v), 0);
	return v;
}

static void
open_monitor(struct end *e, const char *name, uint64_t flags)
{
	end_open_as(e, name, &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = flags });
}

/* No buffer is in two of the slots of these rings. */
static void
buffers_once(const struct kring *const kr[], unsigned n)
{
	static uint8_t seen[1u << 20];
	unsigned i;
	uint32_t k;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < n; i++)
		for (k = 0; k < kr[i]->num_slots; k++) {
			uint32_t idx = kr[i]->uslot[k].buf_idx;

			assert_true(slot_idx_valid(kr[i], idx) && idx < sizeof(seen));
			assert_int_equal(seen[idx], 0);
			seen[idx] = 1;
		}
}

/*
 * The victim holds ring `kr` and moves the frames of SWAPS of its slots, from i on, to the monitor, as monitor.c does it: a note, the slots there, the slots
 * here, each followed by its echo at a pipe's other end. It dies after so many of these stores.
 */
static void
swap_dies(struct kring *kr, struct kring *mon, uint32_t i, unsigned step)
{
	struct actor *v = victim();
	uint64_t start, word[SWAPS];
	struct lease_view view;
	unsigned at = 1, k;
	uint32_t j;

	lease_look(mon, SWAPS, &view);
	assert_true(lease_take(mon, v->id, &view, SWAPS, &start));
	j = pos_index(mon, start);
	store_relaxed(&kr->busy, v->id);
	kr->mon.swap_ring = mon;
	kr->mon.swap_at = i;
	kr->mon.swap_to = j;
	for (k = 0; k < SWAPS; k++) {
		word[k] = slot_load(&kr->uslot[index_add(kr, i, k)]);
		kr->mon.swap_buf[k] = slot_idx(slot_load(&mon->uslot[index_add(mon, j, k)]));
	}
	if (step >= at++)
		kr->mon.swap_count = SWAPS;
	for (k = 0; k < SWAPS; k++)
		if (step >= at++)
			slot_store(&mon->uslot[index_add(mon, j, k)], word[k]);
	for (k = 0; k < SWAPS; k++) {
		uint64_t given = slot_word(kr->mon.swap_buf[k], slot_len(word[k]), NS_BUF_CHANGED);

		if (step >= at++)
			slot_store(&kr->uslot[index_add(kr, i, k)], given);
		if (kr->type == PORT_PIPE && step >= at++)
			slot_store(&kr->peer->uslot[index_add(kr, i, k)], given);
	}
	if (step >= at)
		kr->mon.swap_count = 0;
	actor_free(v);
	assert_int_equal(kr->busy, 0);
	assert_int_equal(kr->mon.swap_count, 0);
	assert_null(kr->mon.swap_ring);
	assert_int_equal(lease_oldest(mon), 0);
	/* Nothing at a pipe's other end leads to what was given away. */
	for (k = 0; kr->type == PORT_PIPE && step > SWAPS && k < SWAPS; k++)
		assert_int_equal(kr->peer->uslot[index_add(kr, i, k)].buf_idx, kr->uslot[index_add(kr, i, k)].buf_idx);
}

static void
test_swap_of_pipe(void **state)
{
	const struct kring *rings[4];
	uint32_t left = 0, i;
	unsigned step;

	end_open_slots(&a, "x{1", 16);
	end_open_slots(&b, "x}1", 16);
	open_monitor(&m[0], "x{1", NR_ZCOPY_MON);
	rings[0] = end_ktx(&a, 0);
	rings[1] = end_ktx(&b, 0);
	rings[2] = end_krx(&m[0], 0);
	rings[3] = end_ktx(&m[0], 0);
	left = region_bufs_left(rings[0]->region);
	for (step = 0; step < STEPS; step++) {
		for (i = 0; i < 5; i++)
			end_send(&a, MAC_ALL, mac(1), 60, i);
		swap_dies(end_ktx(&a, 0), end_krx(&m[0], 0), end_ktx(&a, 0)->hwcur, step);
		assert_int_equal(end_flush(&b), 5);
		end_txsync(&a);
		/* Some that come out empty, then the five. */
		assert_int_equal(end_pending(&m[0], 0), SWAPS + 5);
		for (i = 0; i < SWAPS; i++) {
			struct netmap_ring *r = end_rx(&m[0], 0);

			assert_int_equal(r->slot[r->head].len, 0);
			ring_move(r, ring_next(r, r->head));
		}
		for (i = 0; i < 5; i++)
			end_expect(&m[0], 0, 60, i);
		buffers_once(rings, 4);
	}
	assert_int_equal(end_krx(&m[0], 0)->in.drops[DROP_CANCELLED], SWAPS * STEPS);
	assert_int_equal(region_bufs_left(rings[0]->region), left);
	end_close(&m[0]);
	end_close(&a);
	end_close(&b);
}

/* The program of a monitor dies while it hands a frame on to the next. */
static void
test_swap_in_chain(void **state)
{
	const struct kring *rings[4];
	unsigned step;

	end_open_slots(&a, "vale0:a", 16);
	open_monitor(&m[0], "vale0:a", NR_ZCOPY_MON);
	open_monitor(&m[1], "vale0:a", NR_ZCOPY_MON);
	rings[0] = end_ktx(&a, 0);
	rings[1] = end_krx(&a, 0);
	rings[2] = end_krx(&m[0], 0);
	rings[3] = end_krx(&m[1], 0);
	for (step = 0; step < STEPS; step++) {
		end_send(&a, MAC_ALL, mac(1), 60, step);
		end_expect(&m[0], 0, 60, step);
		swap_dies(end_krx(&m[0], 0), end_krx(&m[1], 0), end_krx(&m[0], 0)->hwcur, step);
		buffers_once(rings, 4);
		assert_int_equal(end_flush(&m[1]), SWAPS);
		end_flush(&m[0]);
		end_flush(&m[1]);
		/* As before: what is given back goes on. */
		end_send(&a, MAC_ALL, mac(1), 60, 100 + step);
		end_expect(&m[0], 0, 60, 100 + step);
		end_rxsync(&m[0]);
		end_expect(&m[1], 0, 60, 100 + step);
		end_rxsync(&m[1]);
		buffers_once(rings, 4);
	}
	end_close(&m[0]);
	end_close(&m[1]);
	end_close(&a);
}

/* Somebody stands still with a lease on a copy monitor's ring: others go on; the monitor closes; then he dies, or goes on. */
static void
test_stands_still(void **state)
{
	struct actor *v = victim();
	struct lease_view view;
	uint64_t start, before, size;
	const struct kring *mon;
	uint32_t i;

	end_open_slots(&a, "vale0:a", 16);
	end_open_slots(&b, "vale0:b", 16);
	open_monitor(&m[0], "vale0:a", NR_MONITOR_TX);
	open_monitor(&m[1], "vale0:a", NR_MONITOR_TX);
	lease_look(end_krx(&m[0], 0), 1, &view);
	assert_true(lease_take(end_krx(&m[0], 0), v->id, &view, 1, &start));
	before = actor_enter(inproc_root(), v);
	for (i = 0; i < 40; i++) {
		end_send(&a, MAC_ALL, mac(1), 60, i);
		end_expect(&b, 0, 60, i);
		end_expect(&m[1], 0, 60, i);
		end_rxsync(&m[1]);
		end_expect_none(&m[0]);
	}
	assert_int_equal(end_krx(&m[0], 0)->in.drops[DROP_NO_ROOM], 40 - 14);
	/* Its memory stays while somebody may be at it. */
	mon = end_krx(&m[0], 0);
	size = mon->region->size;
	start = inproc_memory_used();
	end_close(&m[0]);
	end_close(&a);
	assert_int_equal(mon->num_slots, 16);
	assert_true(inproc_memory_used() > start - size);
	actor_leave(v, before);
	actor_free(v);
	inproc_clock_advance(1);
	assert_true(inproc_memory_used() < start - size);
	end_close(&m[1]);
	end_close(&b);
}

/* A thread dies that holds the monitor's ring, or the port's. */
static void
test_holders(void **state)
{
	struct actor *v;

	end_open_slots(&a, "x{1", 16);
	end_open_slots(&b, "x}1", 16);
	open_monitor(&m[0], "x{1", NR_MONITOR_TX | NR_MONITOR_RX);
	open_monitor(&m[1], "x{1", NR_ZCOPY_MON);
	v = victim();
	store_relaxed(&end_krx(&m[0], 0)->busy, v->id);
	store_relaxed(&end_krx(&m[1], 0)->busy, v->id);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_expect(&b, 0, 60, 1);
	end_rxsync(&b);
	end_txsync(&a);
	end_expect_none(&m[0]);
	end_expect_none(&m[1]);
	actor_free(v);
	end_expect(&m[0], 0, 60, 1);
	end_expect(&m[1], 0, 60, 1);
	/* The sender dies when the copy has been shown, and before it was sent: it is sent once, and shown once. */
	v = victim();
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 2, 0));
	store_relaxed(&end_ktx(&a, 0)->busy, v->id);
	monitor_sending(inproc_root(), inproc_actor()->id, end_ktx(&a, 0), end_tx(&a, 0)->head);
	actor_free(v);
	end_txsync(&a);
	end_expect(&m[0], 0, 60, 2);
	end_expect_none(&m[0]);
	end_expect(&b, 0, 60, 2);
	end_expect_none(&b);
	end_close(&m[0]);
	end_close(&m[1]);
	end_close(&a);
	end_close(&b);
}

/* --- everything at once --- */

#define ROUNDS	300u

static uint32_t stop;

static void *
churn_reader(void *arg)
{
	struct end *e = arg;

	while (load_relaxed(&stop) == 0) {
		struct netmap_ring *r = end_rx(e, 0);

		(void)inproc_poll(&e->fd, EV_IN, 1);
		while (ring_space(r) > 0) {
			check(slot_idx_valid(end_krx(e, 0), r->slot[r->head].buf_idx));
			ring_move(r, ring_next(r, r->head));
		}
	}
	return NULL;
}

static void *
churn_sender(void *arg)
{
	struct end *e = arg;
	struct netmap_ring *r = end_tx(e, 0);

	while (load_relaxed(&stop) == 0) {
		/* The control side looks at slots, for buffers, whenever a descriptor is closed. */
		while (ring_space(r) > 0) {
			store_relaxed(&r->slot[r->head].len, 60);
			store_relaxed(&r->slot[r->head].flags, 0);
			ring_move(r, ring_next(r, r->head));
		}
		(void)inproc_poll(&e->fd, EV_OUT, 1);
	}
	return NULL;
}

/* Monitors come and go while the port is in full use by other threads; in the end all buffers are where they were. */
static void
churn(const char *first, const char *second)
{
	uint64_t used = inproc_memory_used(), seed = 7;
	uint32_t i, left;
	pthread_t t[2];
	bool open[3] = { false, false, false };

	end_open_slots(&a, first, 64);
	end_open_slots(&b, second, 64);
	left = region_bufs_left(end_ktx(&a, 0)->region);
	store_relaxed(&stop, 0);
	check(pthread_create(&t[0], NULL, churn_sender, &a) == 0);
	check(pthread_create(&t[1], NULL, churn_reader, &b) == 0);
	for (i = 0; i < ROUNDS; i++) {
		static const uint64_t flags[] = { NR_MONITOR_TX, NR_MONITOR_RX, NR_ZCOPY_MON, NR_ZCOPY_MON };
		uint32_t k = random_below(&seed, 3);

		if (open[k])
			end_close(&m[k]);
		else
			open_monitor(&m[k], random_below(&seed, 2) ? first : second, flags[random_below(&seed, 4)]);
		open[k] = !open[k];
		for (k = 0; k < 3; k++)
			if (open[k])
				(void)end_flush(&m[k]);
	}
	store_relaxed(&stop, 1);
	for (i = 0; i < 2; i++)
		check(pthread_join(t[i], NULL) == 0);
	for (i = 0; i < 3; i++)
		if (open[i])
			end_close(&m[i]);
	inproc_clock_advance(1);
	assert_int_equal(region_bufs_left(end_ktx(&a, 0)->region), left);
	end_close(&a);
	end_close(&b);
	inproc_clock_advance(1);
	assert_true(inproc_memory_used() == used);
}

static void
test_churn(void **state)
{
	churn("vale0:a", "vale0:b");
#ifndef ENGINE_TSAN
	/* A pipe's slots are stored as pairs of words, which the sanitizer takes for races with the look for buffers at a close. */
	churn("x{1", "x}1");
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		death_test(test_swap_of_pipe),
		death_test(test_swap_in_chain),
		death_test(test_stands_still),
		death_test(test_holders),
		death_test(test_churn),
	};

	return cmocka_run_group_tests_name("monitor_death", tests, NULL, NULL);
}
