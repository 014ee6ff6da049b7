/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that die in the data path, or stop there. What they held is given back, whatever they had done of
 * it; what they sent before is not lost; and memory is freed when nobody can be at it any more.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "end.h"
#include "engine/lease.h"
#include "engine/os.h"

#define WATCHDOG	60u
#define OTHER_PROCESS	2u

static struct end a, b;

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

#define death_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* A thread of another process; it is there in the engine's books only. */
static struct actor *
victim(void)
{
	struct actor *v;

	assert_int_equal(actor_alloc(OTHER_PROCESS, 12345, 12346, &v), 0);
	return v;
}

/* What the parts of a sync change, one after the other. */
struct words {
	uint64_t own_pos, own_free, published, released;
	uint32_t hwcur, hwtail;
};

static struct words
words_of(const struct kring *kr, const struct kring *rx)
{
	return (struct words){ kr->own_pos, kr->own_free, rx->published, rx->released, kr->hwcur,
		kr->hwtail };
}

/* --- rings that are held --- */

/*
 * The sender of a pipe dies in its sync, after `step` of its stores. The packets are there then, or after the
 * next sync: each once.
 */
static void
pipe_tx_dies(unsigned step)
{
	struct kring *kr, *rx;
	struct words before, after;
	struct actor *v = victim();
	uint32_t i, seq = 0, got = 0, round;

	end_open_slots(&a, "x{1", 8);
	end_open_slots(&b, "x}1", 8);
	kr = end_ktx(&a, 0);
	rx = kr->peer;
	for (round = 0; round < 20; round++) {
		/* Room that came back and packets to go: the sync has both to do. */
		for (i = 0; i < 3; i++)
			assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), seq++, 0));
		before = words_of(kr, rx);
		end_txsync(&a);
		after = words_of(kr, rx);
		kr->own_pos = step > 0 ? after.own_pos : before.own_pos;
		kr->hwcur = step > 1 ? after.hwcur : before.hwcur;
		rx->published = step > 2 ? after.published : before.published;
		kr->hwtail = step > 3 ? after.hwtail : before.hwtail;
		kr->own_free = step > 4 ? after.own_free : before.own_free;
		store_relaxed(&kr->busy, v->id);
		actor_free(v);
		assert_int_equal(kr->busy, 0);
		if (step <= 2)
			end_expect_none(&b);
		end_txsync(&a);
		while (got < seq)
			end_expect(&b, 0, 60, got++);
		end_expect_none(&b);
		end_txsync(&a);
		assert_int_equal(ring_space(end_tx(&a, 0)), 7);
		v = victim();
	}
	actor_free(v);
	end_close(&a);
	end_close(&b);
}

static void
test_pipe_sender(void **state)
{
	unsigned step;

	for (step = 0; step <= 5; step++)
		pipe_tx_dies(step);
}

/* A receiver dies in its sync: of a pipe, or of a switch port. */
static void
rx_dies(const char *from, const char *to, unsigned step)
{
	struct kring *kr;
	struct words before, after;
	struct actor *v = victim();
	uint32_t seq = 0, got = 0, round;

	end_open_slots(&a, from, 8);
	end_open_slots(&b, to, 8);
	kr = end_krx(&b, 0);
	for (round = 0; round < 20; round++) {
		end_send(&a, MAC_ALL, mac(1), 60, seq++);
		end_send(&a, MAC_ALL, mac(1), 60, seq++);
		before = words_of(kr, kr);
		end_rxsync(&b);
		after = words_of(kr, kr);
		kr->hwcur = step > 0 ? after.hwcur : before.hwcur;
		kr->released = step > 1 ? after.released : before.released;
		kr->own_pos = step > 2 ? after.own_pos : before.own_pos;
		kr->hwtail = step > 3 ? after.hwtail : before.hwtail;
		store_relaxed(&kr->busy, v->id);
		actor_free(v);
		assert_int_equal(kr->busy, 0);
		while (got < seq)
			end_expect(&b, 0, 60, got++);
		end_expect_none(&b);
		v = victim();
	}
	assert_int_equal(in_drops(kr), 0);
	actor_free(v);
	end_close(&a);
	end_close(&b);
}

static void
test_receiver(void **state)
{
	unsigned step;

	for (step = 0; step <= 4; step++) {
		rx_dies("x{1", "x}1", step);
		rx_dies("vale0:a", "vale0:b", step);
	}
}

/* A switch port's sender: what it had not finished goes out with the next sync. */
static void
test_vale_sender(void **state)
{
	struct actor *v = victim();
	uint32_t i;

	end_open_slots(&a, "vale0:a", 8);
	end_open_slots(&b, "vale0:b", 8);
	for (i = 0; i < 3; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), i, 0));
	store_relaxed(&end_ktx(&a, 0)->busy, v->id);
	end_txsync(&a);
	end_expect_none(&b);
	actor_free(v);
	end_txsync(&a);
	for (i = 0; i < 3; i++)
		end_expect(&b, 0, 60, i);
	end_expect_none(&b);
	end_close(&a);
	end_close(&b);
}

/* Others' holds stay. */
static void
test_only_its_own(void **state)
{
	struct actor *v = victim(), *w = victim();
	struct lease_view view;
	uint64_t mine, other;

	end_open_slots(&a, "vale0:a", 8);
	end_open_slots(&b, "vale0:b", 16);
	store_relaxed(&end_ktx(&a, 0)->busy, w->id);
	lease_look(end_krx(&b, 0), 2, &view);
	assert_true(lease_take(end_krx(&b, 0), w->id, &view, 2, &other));
	lease_look(end_krx(&b, 0), 3, &view);
	assert_true(lease_take(end_krx(&b, 0), v->id, &view, 3, &mine));
	actor_free(v);
	assert_int_equal(end_ktx(&a, 0)->busy, w->id);
	assert_int_equal(lease_oldest(end_krx(&b, 0)), w->id);
	end_expect_none(&b);
	assert_non_null(strstr(inproc_log_last(), "12345"));
	/* Both at once, with their process. */
	v = victim();
	lease_look(end_krx(&b, 0), 1, &view);
	assert_true(lease_take(end_krx(&b, 0), v->id, &view, 1, &mine));
	engine_process_gone(OTHER_PROCESS);
	assert_int_equal(end_ktx(&a, 0)->busy, 0);
	assert_int_equal(lease_oldest(end_krx(&b, 0)), 0);
	assert_int_equal(end_pending(&b, 0), 6);
	assert_drops(end_krx(&b, 0), DROP_CANCELLED, 6);
	end_flush(&b);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_expect(&b, 0, 60, 1);
	end_close(&a);
	end_close(&b);
}

/*
 * A sender that stands still with a lease: the others go on as long as there is room, what they send is held
 * back, and what does not fit is counted. When it goes on, or dies, everything comes.
 */
static void
test_sender_stands_still(void **state)
{
	struct kring *kr;
	struct lease_view view;
	uint64_t start;
	unsigned dies;
	uint32_t i;

	for (dies = 0; dies < 2; dies++) {
		struct actor *v = victim();

		end_open_slots(&a, "vale0:a", 32);
		end_open_slots(&b, "vale0:b", 16);
		kr = end_krx(&b, 0);
		end_send(&a, MAC_ALL, mac(1), 60, 100);
		lease_look(kr, 2, &view);
		assert_true(lease_take(kr, v->id, &view, 2, &start));
		for (i = 0; i < 20; i++)
			end_send(&a, MAC_ALL, mac(1), 60, i);
		end_expect(&b, 0, 60, 100);
		end_expect_none(&b);
		assert_int_equal(lease_oldest(kr), v->id);
		assert_int_equal(kr->in.drops[DROP_NO_ROOM], 20 - 12);
		if (dies) {
			actor_free(v);
		} else {
			for (i = 0; i < 2; i++)
				kr->uslot[pos_index(kr, start + i)].len = 0;
			lease_finish(kr, start, 2, start);
		}
		assert_int_equal(end_pending(&b, 0), 14);
		for (i = 0; i < 14; i++) {
			if (i >= 2) {
				end_expect(&b, 0, 60, i - 2);
				continue;
			}
			assert_int_equal(end_rx(&b, 0)->slot[end_rx(&b, 0)->head].len, 0);
			ring_move(end_rx(&b, 0), ring_next(end_rx(&b, 0), end_rx(&b, 0)->head));
		}
		end_rxsync(&b);
		end_send(&a, MAC_ALL, mac(1), 60, 200);
		end_expect(&b, 0, 60, 200);
		if (!dies)
			actor_free(v);
		end_close(&a);
		end_close(&b);
	}
}

/* --- sleepers --- */

struct sleeper {
	struct end *end;
	unsigned events, got;
};

static void *
sleep_for(void *arg)
{
	struct sleeper *s = arg;

	s->got = inproc_poll(&s->end->fd, s->events, -1);
	inproc_thread_done();
	return NULL;
}

/* Until the thread sleeps, as far as can be seen. */
static void
wait_for_sleeper(const uint64_t *waiters)
{
	while (load_relaxed(waiters) == 0)
		usleep(100);
	usleep(2000);
}

/* Dies between the publication and the wake-up. */
static void
test_publisher_wakes_nobody(void **state)
{
	struct sleeper s = { &b, EV_IN, 0 };
	struct actor *v = victim();
	struct lease_view view;
	uint64_t start;
	struct kring *kr;
	pthread_t t;

	end_open_slots(&a, "vale0:a", 8);
	end_open_slots(&b, "vale0:b", 16);
	kr = end_krx(&b, 0);
	check(pthread_create(&t, NULL, sleep_for, &s) == 0);
	wait_for_sleeper(&kr->rx_waiters);
	lease_look(kr, 2, &view);
	assert_true(lease_take(kr, v->id, &view, 2, &start));
	lease_finish(kr, start, 2, start);
	actor_free(v);
	check(pthread_join(t, NULL) == 0);
	assert_int_equal(s.got, EV_IN);
	end_close(&a);
	end_close(&b);
}

static void
test_pipe_ends_wake_nobody(void **state)
{
	struct sleeper reader = { &b, EV_IN, 0 }, writer = { &a, EV_OUT, 0 };
	struct actor *v;
	struct kring *rx;
	pthread_t t;

	end_open_slots(&a, "x{1", 2);
	end_open_slots(&b, "x}1", 2);
	rx = end_krx(&b, 0);
	/* The sender published. */
	v = victim();
	check(pthread_create(&t, NULL, sleep_for, &reader) == 0);
	wait_for_sleeper(&rx->rx_waiters);
	store_release(&rx->published, 1);
	store_relaxed(&end_ktx(&a, 0)->busy, v->id);
	actor_free(v);
	check(pthread_join(t, NULL) == 0);
	assert_int_equal(reader.got, EV_IN);
	end_close(&a);
	end_close(&b);

	/* The receiver released. */
	end_open_slots(&a, "x{1", 2);
	end_open_slots(&b, "x}1", 2);
	rx = end_krx(&b, 0);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_rxsync(&b);
	v = victim();
	check(pthread_create(&t, NULL, sleep_for, &writer) == 0);
	wait_for_sleeper(&rx->tx_waiters);
	store_release(&rx->released, 1);
	store_relaxed(&rx->busy, v->id);
	actor_free(v);
	check(pthread_join(t, NULL) == 0);
	assert_int_equal(writer.got, EV_OUT);
	end_close(&a);
	end_close(&b);
}

/* --- memory --- */

/*
 * The address of a binding outlives the session: it leads to no other memory, to no other session while a
 * thread that knew it is inside, and to one with another id afterwards.
 */
static void
test_binding_of_closed(void **state)
{
	static struct inproc_fd other[600];
	const struct binding *closed;
	uint32_t id, i, again = 0;
	struct actor *v = victim();
	uint64_t inside;

	end_open_slots(&a, "vale0:a", 8);
	closed = a.fd.binding;
	id = closed->id;
	assert_int_not_equal(id, 0);
	inside = actor_enter(inproc_root(), v);
	assert_int_equal(closed->id, id);
	end_close(&a);
	for (i = 0; i < 600; i++) {
		assert_int_equal(inproc_open(&other[i]), 0);
		assert_true(other[i].binding != closed);
		assert_int_equal(closed->id, 0);
		assert_int_equal(closed->registered, 0);
	}
	for (i = 0; i < 600; i++)
		inproc_close(&other[i]);
	actor_leave(v, inside);
	actor_free(v);
	engine_tick();
	for (i = 0; i < 600; i++) {
		assert_int_equal(inproc_open(&other[i]), 0);
		assert_true(other[i].binding->id > id);
		again += other[i].binding == closed;
	}
	assert_int_equal(again, 1);
	for (i = 0; i < 600; i++)
		inproc_close(&other[i]);
}

/* A thread that stands still inside delays the freeing; its leaving or its death ends that. */
static void
test_freed_when_left(void **state)
{
	uint64_t used, inside;
	struct actor *v;
	unsigned round;

	for (round = 0; round < 2; round++) {
		used = inproc_memory_used();
		end_open_slots(&a, "vale0:a", 8);
		end_open_slots(&b, "vale0:a{1", 8);
		v = victim();
		inside = actor_enter(inproc_root(), v);
		end_close(&a);
		end_close(&b);
		assert_true(inproc_memory_used() > used);
		assert_true(engine_tick() > 0);
		/* Who comes later sees nothing of the old, and the same names can be used. */
		end_open_slots(&a, "vale0:a", 8);
		end_open_slots(&b, "vale0:b", 8);
		end_send(&a, MAC_ALL, mac(1), 60, 1);
		end_expect(&b, 0, 60, 1);
		end_close(&a);
		end_close(&b);
		if (round == 0)
			actor_leave(v, inside);
		actor_free(v);
		engine_tick();
		assert_true(inproc_memory_used() == used);
	}
}

/* A signal handler that syncs inside a sync: the outer one is still inside afterwards. */
static void
test_nested(void **state)
{
	struct actor *v = victim();
	uint64_t outer = actor_enter(inproc_root(), v), inner = actor_enter(inproc_root(), v);

	assert_true(v->inside != 0);
	actor_leave(v, inner);
	assert_true(v->inside != 0);
	actor_leave(v, outer);
	assert_true(v->inside == 0);
	actor_free(v);
}

static void
test_all_threads(void **state)
{
	static struct actor *v[ACTOR_MAX + 1];
	struct actor *more;
	unsigned n;

	(void)inproc_actor();
	for (n = 0; actor_alloc(OTHER_PROCESS, 1, 1, &v[n]) == 0; n++)
		;
	assert_int_equal(n, ACTOR_MAX - 1);
	assert_int_equal(actor_alloc(OTHER_PROCESS, 1, 1, &more), -EAGAIN);
	actor_free(v[77]);
	assert_int_equal(actor_alloc(OTHER_PROCESS, 1, 1, &more), 0);
	assert_ptr_equal(more, v[77]);
	/* The highest number of all works as an owner and as a sleeper. */
	end_open_slots(&a, "vale0:a", 8);
	end_open_slots(&b, "vale0:b", 8);
	more = &inproc_root()->actors[ACTOR_MAX];
	store_relaxed(&more->wake, 0);
	binding_arm(inproc_root(), more, b.fd.binding, EV_IN);
	assert_true(ring_put(end_tx(&a, 0), 60, MAC_ALL, mac(1), 1, 0));
	assert_int_equal(
		binding_txsync(inproc_root(), &inproc_root()->actors[ACTOR_MAX - 1], a.fd.binding), 0);
	assert_int_equal(more->wake, 1);
	end_expect(&b, 0, 60, 1);
	end_close(&a);
	end_close(&b);
	engine_process_gone(OTHER_PROCESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		death_test(test_pipe_sender),
		death_test(test_receiver),
		death_test(test_vale_sender),
		death_test(test_only_its_own),
		death_test(test_sender_stands_still),
		death_test(test_publisher_wakes_nobody),
		death_test(test_pipe_ends_wake_nobody),
		death_test(test_binding_of_closed),
		death_test(test_freed_when_left),
		death_test(test_nested),
		death_test(test_all_threads),
	};

	return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
