/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads send into one receiver at the same time. Every frame is checked, byte for byte and in its
 * sender's order; what is missing at the end is what was counted as dropped. In some of the tests other
 * senders take leases, do nothing with them, and die.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "end.h"
#include "engine/lease.h"

#if defined(ENGINE_TSAN)
#define FRAMES		10000u
#else
#define FRAMES		60000u
#endif
#define SENDERS		4u
#define WATCHDOG	100u	/* seconds: a test takes about one */

struct sender {
	struct end end;
	uint32_t id;
	uint32_t batch;			/* most packets at once */
	bool even;			/* as many each time */
	uint32_t window;		/* packets not yet received, 0: any number */
	bool chains;			/* packets of 1 to 5 slots */
	uint32_t received;		/* packets of which the receiver gave the room back */
	uint64_t expect;		/* next sequence number at the receiver */
};

static struct sender sender[SENDERS];
static struct end receiver;
static uint32_t running;		/* senders that are not done */
static uint64_t empty_slots;		/* seen by the receiver */

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

#define threads_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* --- senders --- */

static uint32_t
packet_slots(const struct sender *s, uint32_t seq)
{
	return s->chains ? 1 + seq % 5 : 1;
}

static uint32_t
piece_len(uint32_t seq, uint32_t i)
{
	return 60 + (seq * 13 + i) % 700;
}

/* Writes one packet; false if the TX ring, or the window, has no room for it. */
static bool
put_packet(struct sender *s, uint32_t seq)
{
	struct netmap_ring *r = end_tx(&s->end, 0);
	uint32_t slots = packet_slots(s, seq), i;

	if (s->window != 0 && seq - __atomic_load_n(&s->received, __ATOMIC_ACQUIRE) >= s->window)
		return false;
	if (ring_space(r) < slots)
		return false;
	for (i = 0; i < slots; i++)
		check(ring_put(r, piece_len(seq, i), mac(1), mac(100 + s->id), seq,
			i + 1 < slots ? NS_MOREFRAG : 0));
	return true;
}

static void *
send_all(void *arg)
{
	struct sender *s = arg;
	uint64_t seed = s->id;
	uint32_t seq = 0, before, n;

	while (seq < FRAMES) {
		before = seq;
		n = 1 + random_below(&seed, s->batch);
		for (n = s->even ? s->batch : n; n > 0 && seq < FRAMES && put_packet(s, seq); n--)
			seq++;
		if (seq == before)
			usleep(0);
		check(inproc_ioctl(&s->end.fd, NIOCTXSYNC, NULL) == 0);
	}
	inproc_thread_done();
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Takes a lease of a few slots, as a sender would, fills and shows a part of it or nothing, and dies. */
static void *
die_all_the_time(void *arg)
{
	struct kring *kr = end_krx(&receiver, 0);
	uint64_t seed = 7, start;
	struct lease_view v;
	uint32_t n;

	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) > 0) {
		struct actor *self = inproc_actor();

		(void)actor_enter(inproc_root(), self);
		n = 1 + random_below(&seed, 5);
		lease_look(kr, n, &v);
		if (v.room >= n)
			(void)lease_take(kr, self->id, &v, n, &start);
		inproc_thread_die();
		usleep(50);
	}
	return arg;
}

/* --- the receiver --- */

/* Checks the packet that begins at slot i and counts it in n[]; returns its slots. */
static uint32_t
packet_check(const struct netmap_ring *r, uint32_t i, uint32_t avail, uint32_t *n)
{
	const struct netmap_slot *slot = &r->slot[i];
	uint32_t slots = NS_RFRAGS(slot), id, j;
	const char *buf = ring_buf(r, slot->buf_idx);
	int64_t seq;

	if (slot->len == 0 && slot->flags == 0) {
		empty_slots++;
		return 1;
	}
	check(slots >= 1 && slots <= avail);
	seq = frame_seq(buf, slot->len);
	id = (uint32_t)(frame_src(buf) - mac(100));
	check(seq >= 0 && id < SENDERS);
	check((uint64_t)seq >= sender[id].expect);
	check(slots == packet_slots(&sender[id], (uint32_t)seq));
	for (j = 0; j < slots; j++, i = ring_next(r, i)) {
		slot = &r->slot[i];
		check(slot->flags == (slots << 8 | (j + 1 < slots ? NS_MOREFRAG : 0)));
		check(slot->len == piece_len((uint32_t)seq, j));
		check(frame_seq(ring_buf(r, slot->buf_idx), slot->len) == seq);
	}
	sender[id].expect = (uint64_t)seq + 1;
	n[id]++;
	return slots;
}

/* Takes what is there; tells the senders when they have the room back. Returns packets. */
static uint32_t
receive(void)
{
	struct netmap_ring *r = end_rx(&receiver, 0);
	uint32_t n[SENDERS] = { 0 }, sum = 0, i = r->head, slots;

	check(inproc_ioctl(&receiver.fd, NIOCRXSYNC, NULL) == 0);
	while (i != r->tail) {
		slots = packet_check(r, i, (r->tail + r->num_slots - i) % r->num_slots, n);
		while (slots-- > 0)
			i = ring_next(r, i);
	}
	ring_move(r, i);
	check(inproc_ioctl(&receiver.fd, NIOCRXSYNC, NULL) == 0);
	for (i = 0; i < SENDERS; i++) {
		__atomic_add_fetch(&sender[i].received, n[i], __ATOMIC_RELEASE);
		sum += n[i];
	}
	return sum;
}

static void
open_all(uint32_t slots, uint32_t tx_slots)
{
	char name[] = "vale0:s0";
	uint32_t i;

	memset(sender, 0, sizeof(sender));
	empty_slots = 0;
	end_open_slots(&receiver, "vale0:r", slots);
	for (i = 0; i < SENDERS; i++, name[7]++) {
		sender[i].id = i;
		sender[i].batch = 20;
		end_open_slots(&sender[i].end, name, tx_slots);
	}
	end_send(&receiver, MAC_ALL, mac(1), 60, 0);
	for (i = 0; i < SENDERS; i++)
		end_flush(&sender[i].end);
}

/* Runs all senders to their end, and as many that die. Returns the number of packets received. */
static uint64_t
run_all(unsigned dying)
{
	pthread_t t[SENDERS + 2];
	uint64_t sum = 0;
	uint32_t i;

	running = SENDERS;
	for (i = 0; i < SENDERS; i++)
		check(pthread_create(&t[i], NULL, send_all, &sender[i]) == 0);
	for (i = 0; i < dying; i++)
		check(pthread_create(&t[SENDERS + i], NULL, die_all_the_time, NULL) == 0);
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) > 0)
		sum += receive();
	for (i = 0; i < SENDERS + dying; i++)
		check(pthread_join(t[i], NULL) == 0);
	/* A look may find nothing but slots that the dead left empty: the end is where the ring is. */
	do
		sum += receive();
	while (end_rx(&receiver, 0)->head != end_rx(&receiver, 0)->tail);
	return sum;
}

static void
close_all(void)
{
	const struct kring *kr = end_krx(&receiver, 0);
	uint32_t i;

	assert_int_equal(lease_oldest(kr), 0);
	assert_int_equal(kr->in.drops[DROP_CANCELLED], empty_slots);
	for (i = 0; i < SENDERS; i++) {
		assert_int_equal(end_ktx(&sender[i].end, 0)->own.packets, FRAMES);
		assert_int_equal(own_drops(end_ktx(&sender[i].end, 0)), 0);
		end_close(&sender[i].end);
	}
	end_close(&receiver);
}

/* Nobody sends more than there is room for: nothing is lost, a busy ring is never taken for a full one. */
static void
test_within_window(void **state)
{
	uint32_t i;

	open_all(64, 64);
	for (i = 0; i < SENDERS; i++)
		sender[i].window = 63 / SENDERS;
	assert_int_equal(run_all(0), SENDERS * FRAMES);
	assert_int_equal(in_drops(end_krx(&receiver, 0)), 0);
	close_all();
}

/* More than the receiver takes: what is lost is counted, packet by packet. */
static void
overload(uint32_t slots, uint32_t batch, bool chains, unsigned dying)
{
	const struct kring *kr;
	uint64_t got;
	uint32_t i;

	open_all(slots, 1024);
	kr = end_krx(&receiver, 0);
	for (i = 0; i < SENDERS; i++) {
		sender[i].chains = chains;
		sender[i].batch = batch;
		sender[i].even = batch % 64 == 0;
	}
	got = run_all(dying);
	assert_int_equal(kr->in.packets, got);
	assert_int_equal(got + kr->in.drops[DROP_NO_ROOM], SENDERS * FRAMES);
	assert_int_equal(in_drops(kr), kr->in.drops[DROP_NO_ROOM] + kr->in.drops[DROP_CANCELLED]);
	close_all();
}

static void
test_overload(void **state)
{
	overload(1000, 20, false, 0);
}

static void
test_overload_small_ring(void **state)
{
	overload(16, 20, true, 0);
}

static void
test_overload_chains(void **state)
{
	overload(1024, 20, true, 0);
}

/* Batches that are shown in parts while they are copied. */
static void
test_large_batches(void **state)
{
	overload(4096, 600, false, 0);
	/* Nothing is left to be shown at the end. */
	overload(4096, 64, false, 0);
	overload(1000, 150, true, 1);
}

static void
test_deaths(void **state)
{
	overload(256, 20, true, 2);
	assert_true(empty_slots > 0);
}

static void
test_deaths_small_ring(void **state)
{
	overload(16, 20, false, 2);
}

/* --- everybody to everybody --- */

#define MESH	4u

static struct end node[MESH];
static uint64_t node_got[MESH];
static uint32_t mesh_running;

static void
mesh_receive(uint32_t me)
{
	struct netmap_ring *r = end_rx(&node[me], 0);

	check(inproc_ioctl(&node[me].fd, NIOCRXSYNC, NULL) == 0);
	while (r->head != r->tail) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(frame_seq(ring_buf(r, slot->buf_idx), slot->len) >= 0);
		ring_move(r, ring_next(r, r->head));
		node_got[me]++;
	}
}

static void *
mesh_run(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, i;
	uint64_t seed = me;

	for (i = 0; i < FRAMES; i++) {
		uint32_t to = random_below(&seed, MESH + 1);

		check(ring_put(
			end_tx(&node[me], 0), 60 + i % 100, to == MESH ? MAC_ALL : mac(to), mac(me), i, 0));
		if (i % 8 == 7) {
			check(inproc_ioctl(&node[me].fd, NIOCTXSYNC, NULL) == 0);
			mesh_receive(me);
		}
	}
	check(inproc_ioctl(&node[me].fd, NIOCTXSYNC, NULL) == 0);
	inproc_thread_done();
	__atomic_sub_fetch(&mesh_running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void
test_mesh(void **state)
{
	char name[] = "vale0:n0";
	pthread_t t[MESH];
	uint32_t i;

	for (i = 0; i < MESH; i++, name[7]++)
		end_open_slots(&node[i], name, 32);
	memset(node_got, 0, sizeof(node_got));
	mesh_running = MESH;
	for (i = 0; i < MESH; i++)
		check(pthread_create(&t[i], NULL, mesh_run, (void *)(uintptr_t)i) == 0);
	for (i = 0; i < MESH; i++)
		check(pthread_join(t[i], NULL) == 0);
	for (i = 0; i < MESH; i++) {
		const struct kring *kr = end_krx(&node[i], 0);

		mesh_receive(i);
		assert_int_equal(node_got[i], kr->in.packets);
		assert_int_equal(in_drops(kr), kr->in.drops[DROP_NO_ROOM]);
		assert_int_equal(end_ktx(&node[i], 0)->own.packets, FRAMES);
	}
	for (i = 0; i < MESH; i++)
		end_close(&node[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		threads_test(test_within_window),
		threads_test(test_overload),
		threads_test(test_overload_small_ring),
		threads_test(test_overload_chains),
		threads_test(test_large_batches),
		threads_test(test_deaths),
		threads_test(test_deaths_small_ring),
		threads_test(test_mesh),
	};

	return cmocka_run_group_tests_name("lease, threads", tests, NULL, NULL);
}
