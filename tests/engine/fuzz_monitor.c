/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors among hostile programs: those of the monitored ports, and those of the monitors, write anything into rings and slots. A copy monitor of a good
 * program gets slots that are all right; good ports notice nothing; the engine's books stay sane. First in one thread, from a fixed seed; then with a
 * thread that scribbles while another syncs.
 *
 *	fuzz_monitor [rounds [seed]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "end.h"
#include "engine/lease.h"

#define ROUNDS		20000u
#define WATCHDOG	100u
#define SLOTS		32u
#define RINGS_MAX_HERE	32u
#define BOTH		(NR_MONITOR_TX | NR_MONITOR_RX)

/* Hostile: a switch port and two ends of a pipe, and monitors of each, copying and not, in chains. */
enum hostile { SWITCH, MASTER, SLAVE, COPY_SWITCH, ZCOPY_SWITCH, CHAIN_SWITCH, COPY_PIPE, ZCOPY_PIPE, CHAIN_PIPE, HOSTILES };

static const struct {
	const char *name;
	uint64_t flags;
} hostile_port[HOSTILES] = {
	[SWITCH] = { "vale0:h", 0 },
	[MASTER] = { "y{1", 0 },
	[SLAVE] = { "y}1", 0 },
	[COPY_SWITCH] = { "vale0:h", BOTH },
	[ZCOPY_SWITCH] = { "vale0:h", NR_ZCOPY_MON },
	[CHAIN_SWITCH] = { "vale0:h", NR_ZCOPY_MON },
	[COPY_PIPE] = { "y{1", BOTH },
	[ZCOPY_PIPE] = { "y{1", NR_ZCOPY_MON },
	[CHAIN_PIPE] = { "y}1", NR_ZCOPY_MON },
};

static struct {
	struct end hostile[HOSTILES];
	struct end good[2];			/* vale0:g0, g1 */
	struct end copy[3];			/* of the hostile switch port and pipe, of g1: good programs */
	struct netmap_ring *ring[RINGS_MAX_HERE];	/* the hostile ones' */
	const struct kring *kr[RINGS_MAX_HERE];
	unsigned n;
	uint32_t seq;
} f;

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	return random_below(&seed, n);
}

/* --- the hostile programs --- */

static void
scribble(uint64_t *state)
{
	unsigned i = random_below(state, f.n);
	struct netmap_ring *r = f.ring[i];
	const struct kring *kr = f.kr[i];
	struct netmap_slot *slot = &r->slot[random_below(state, kr->num_slots)];
	uint64_t x = random_next(state);
	uint32_t n = kr->num_slots;

	switch (x % 12) {
	case 0:
		store_relaxed(&slot->buf_idx, (uint32_t)(x >> 32));
		break;
	case 1:
		store_relaxed(&slot->buf_idx, kr->buf_total - 2 + (uint32_t)(x >> 32) % 4);
		break;
	case 2:
		store_relaxed(&slot->buf_idx, (uint32_t)(x >> 32) % (4 * SLOTS));
		break;
	case 3:
		store_relaxed(&slot->len, (uint16_t)(x >> 32));
		break;
	case 4:
	case 5:
		store_relaxed(&slot->flags, (uint16_t)((x >> 32) % 128));
		store_relaxed(&slot->ptr, (x >> 8) % 2 ? (uintptr_t)&f : x);
		break;
	case 6:
		store_relaxed(&slot->len, (uint16_t)((x >> 32) % 200));
		store_relaxed(&slot->flags, (uint16_t)(x >> 48));
		break;
	case 7:
		store_relaxed(&r->head, (uint32_t)(x >> 32) % (n + 2));
		break;
	case 8:
		store_relaxed(&r->num_slots, (uint32_t)(x >> 32));
		store_relaxed(&r->nr_buf_size, (uint32_t)(x >> 16));
		break;
	default:
		/* Moves that may be legal, so that something goes through. */
		n = (load_relaxed(&r->head) % n + (uint32_t)(x >> 32) % n) % n;
		store_relaxed(&r->cur, n);
		store_relaxed(&r->head, n);
		break;
	}
}

static void
hostile_sync(void)
{
	struct end *e = &f.hostile[below(HOSTILES)];
	unsigned i;

	/* All that the engine gave, now and then. */
	for (i = 0; i < f.n && below(3) == 0; i++)
		if (f.kr[i]->port == e->fd.binding->port) {
			f.ring[i]->cur = f.kr[i]->rtail;
			f.ring[i]->head = f.kr[i]->rtail;
		}
	check(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL) == 0);
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	(void)inproc_poll(&e->fd, below(8), 0);
}

/* --- the good ones --- */

static void
drain(struct end *e)
{
	struct netmap_ring *r = end_rx(e, 0);
	const struct kring *kr = end_krx(e, 0);

	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	while (ring_space(r) > 0) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot_idx_valid(kr, slot->buf_idx) && slot->len <= kr->buf_size);
		ring_move(r, ring_next(r, r->head));
	}
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
}

static void
take(struct end *e, uint32_t n)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t i;

	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	check(ring_space(r) == n);
	for (i = 0; i < n; i++) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot->len == 70 && frame_is(ring_buf(r, slot->buf_idx), 70, f.seq + i));
		ring_move(r, ring_next(r, r->head));
	}
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
}

/* What goes from one good port to the other arrives, and a monitor sees it. */
static void
exchange(void)
{
	uint32_t n = 1 + below(SLOTS / 2), i;

	for (i = 0; i < 2; i++)
		drain(&f.good[i]);
	for (i = 0; i < 3; i++)
		drain(&f.copy[i]);
	for (i = 0; i < n; i++)
		check(ring_put(end_tx(&f.good[0], 0), 70, mac(2), mac(1), f.seq + i, 0));
	check(inproc_ioctl(&f.good[0].fd, NIOCTXSYNC, NULL) == 0);
	take(&f.good[1], n);
	take(&f.copy[2], n);
	f.seq += n;
	/* Something for the hostile ones. */
	check(ring_put(end_tx(&f.good[0], 0), 70, mac(66), mac(77), 1, 0));
	check(inproc_ioctl(&f.good[0].fd, NIOCTXSYNC, NULL) == 0);
}

static void
state_is_sane(void)
{
	unsigned i;

	for (i = 0; i < f.n; i++) {
		const struct kring *kr = f.kr[i];
		uint32_t n = kr->num_slots;

		check(kr->rhead < n && kr->rcur < n && kr->rtail < n && kr->hwcur < n && kr->hwtail < n);
		check(kr->busy == 0 && kr->mon.swap_ring == NULL && kr->mon.swap_count == 0);
		check(kr->lease == NULL || lease_pos(kr->reserve) == kr->published);
	}
}

/* --- set up --- */

static void
hostile_open(struct end *e, const char *name, uint64_t flags)
{
	unsigned dir;

	end_open_as(e, name, &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = flags, .nr_tx_slots = SLOTS,
		.nr_rx_slots = SLOTS });
	for (dir = 0; dir < 2; dir++) {
		check(f.n < RINGS_MAX_HERE);
		f.ring[f.n] = dir == RING_TX ? end_tx(e, 0) : end_rx(e, 0);
		f.kr[f.n++] = dir == RING_TX ? end_ktx(e, 0) : end_krx(e, 0);
	}
}

static void
open_everything(void)
{
	static const char *const copied[3] = { "vale0:h", "y{1", "vale0:g1" };
	unsigned i;

	memset(&f, 0, sizeof(f));
	end_open_slots(&f.good[0], "vale0:g0", 64);
	end_open_slots(&f.good[1], "vale0:g1", 64);
	/* Known before the hostile ones are there: they must not have frames of theirs to send again. */
	end_send(&f.good[0], MAC_ALL, mac(1), 60, 0);
	end_send(&f.good[1], MAC_ALL, mac(2), 60, 0);
	for (i = 0; i < HOSTILES; i++)
		hostile_open(&f.hostile[i], hostile_port[i].name, hostile_port[i].flags);
	for (i = 0; i < 3; i++)
		end_open_as(&f.copy[i], copied[i], &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_flags = i == 2 ? NR_MONITOR_RX : BOTH });
}

static void
close_everything(void)
{
	unsigned i;

	for (i = COPY_SWITCH; i < HOSTILES; i++)
		print_message("%s: %llu frames, %llu dropped\n", f.hostile[i].fd.binding->port->name,
			(unsigned long long)end_krx(&f.hostile[i], 0)->in.packets,
			(unsigned long long)(in_drops(end_krx(&f.hostile[i], 0))));
	/* Ports before their monitors, and the other way round. */
	for (i = 0; i < HOSTILES; i++)
		end_close(&f.hostile[(i + 5) % HOSTILES]);
	for (i = 0; i < 3; i++)
		end_close(&f.copy[i]);
	for (i = 0; i < 2; i++)
		end_close(&f.good[i]);
}

static void
rounds_run(uint32_t rounds, bool by_itself)
{
	uint32_t i, n;

	for (i = 0; i < rounds; i++) {
		for (n = by_itself ? below(20) : 0; n > 0; n--)
			scribble(&seed);
		for (n = below(4); n > 0; n--)
			hostile_sync();
		if (i % 8 == 0)
			exchange();
		state_is_sane();
		if (i % 1000 == 999) {
			end_close(&f.hostile[ZCOPY_SWITCH]);
			f.n = 0;
			for (n = 0; n < HOSTILES; n++)
				if (n != ZCOPY_SWITCH)
					end_close(&f.hostile[n]);
			for (n = 0; n < HOSTILES; n++)
				hostile_open(&f.hostile[n], hostile_port[n].name, hostile_port[n].flags);
			for (n = 0; n < 2; n++) {
				end_close(&f.copy[n]);
				end_open_as(&f.copy[n], hostile_port[n == 0 ? SWITCH : MASTER].name,
					&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = BOTH });
			}
		}
	}
}

static uint32_t rounds = ROUNDS;

static void
test_one_thread(void **state)
{
	open_everything();
	rounds_run(rounds, true);
	close_everything();
}

#if !defined(ENGINE_TSAN)

static uint32_t stop;

static void *
scribbler(void *arg)
{
	uint64_t state = *(const uint64_t *)arg;

	while (load_relaxed(&stop) == 0)
		scribble(&state);
	return NULL;
}

/* Races are what it is about. */
static void
test_two_threads(void **state)
{
	uint64_t start = seed;
	pthread_t t;
	uint32_t i;

	for (i = 0; i < 10; i++, start++) {
		open_everything();
		store_relaxed(&stop, 0);
		check(pthread_create(&t, NULL, scribbler, &start) == 0);
		/* Fewer than make it open everything again. */
		rounds_run(rounds / 40 < 999 ? rounds / 40 : 999, false);
		store_relaxed(&stop, 1);
		check(pthread_join(t, NULL) == 0);
		close_everything();
	}
}

#endif

static int
setup(void **state)
{
	alarm(WATCHDOG);
	return engine_setup(state);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_thread, setup, engine_teardown),
#if !defined(ENGINE_TSAN)
		cmocka_unit_test_setup_teardown(test_two_threads, setup, engine_teardown),
#endif
	};

	if (argc > 1)
		rounds = (uint32_t)strtoul(argv[1], NULL, 0);
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	return cmocka_run_group_tests_name("fuzz_monitor", tests, NULL, NULL);
}
