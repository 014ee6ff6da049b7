/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One client writes anything into its rings and slots. Others work on the same switch, on the same kind of
 * pipes, and at the other end of its pipe: what they send arrives, in order and whole, nothing crashes, and
 * what was sent is what was received and what was counted as dropped.
 *
 * Two parts, without a module on the switch and then with one, for which a worker forwards. In the first everything
 * happens in one thread, from a fixed seed: a failure can be repeated. In the second a thread scribbles while another
 * syncs the scribbled rings, and one forwards, so that words change between any two looks of the engine.
 *
 *	fuzz_rings [rounds [seed]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "end.h"

#define ROUNDS		30000u
#define WATCHDOG	100u
#define RINGS		3u
#define SLOTS		64u
#define GOOD_SLOTS	256u
#define PTRS		8u
#define TOKEN		4711u
#define BAD_PORT	2u	/* index of the hostile port on its switch */

/* The hostile client's rings, by addresses that it cannot spoil. */
struct target {
	struct netmap_ring *ring[8];
	const struct kring *kr[8];
	unsigned n;
};

static struct {
	struct end good[2];		/* vale0:g0, g1 */
	struct end pipe[2];		/* x{1, x}1 */
	struct end bad, bad_pipe;	/* vale0:h with several rings; y{1 */
	struct end victim;		/* y}1 */
	struct target target;
	uint64_t ptr[PTRS];
	uint32_t seq[4];		/* of the good frames: switch both ways, pipe both ways */
	uint64_t to_bad;		/* frames that the good ones sent to the hostile one */
	uint64_t victim_got;		/* packets at the far end of the hostile client's pipe */
} f;

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	return random_below(&seed, n);
}

/* --- the hostile client --- */

static void
scribble_slot(const struct target *t, uint64_t *state)
{
	unsigned i = random_below(state, t->n);
	struct netmap_slot *slot = &t->ring[i]->slot[random_below(state, t->kr[i]->num_slots)];
	uint32_t total = t->kr[i]->buf_total;
	uint64_t r = random_next(state);

	switch (r % 8) {
	case 0:
		store_relaxed(&slot->buf_idx, (uint32_t)(r >> 32));
		break;
	case 1:
		store_relaxed(&slot->buf_idx, total - 2 + (uint32_t)(r >> 32) % 4);
		break;
	case 2:
	case 3:
		store_relaxed(&slot->buf_idx, (uint32_t)(r >> 32) % (2 * SLOTS));
		break;
	case 4:
		store_relaxed(&slot->len, (uint16_t)(r >> 32));
		break;
	case 5:
		store_relaxed(&slot->len, (uint16_t)((r >> 32) % 200));
		break;
	case 6:
		store_relaxed(&slot->flags, (uint16_t)(r >> 32));
		break;
	default:
		store_relaxed(&slot->flags, (uint16_t)((r >> 32) % 64));
		store_relaxed(&slot->ptr, (r >> 40) % 3 ? f.ptr[(r >> 48) % PTRS] : random_next(state));
		break;
	}
}

static void
scribble_ring(const struct target *t, uint64_t *state)
{
	unsigned i = random_below(state, t->n);
	struct netmap_ring *r = t->ring[i];
	uint32_t n = t->kr[i]->num_slots;
	uint64_t x = random_next(state);
	uint32_t value = x % 3 == 0 ? (uint32_t)(x >> 32) : (uint32_t)(x >> 32) % (n + 2);

	switch ((x >> 8) % 12) {
	case 0:
		store_relaxed(&r->head, value);
		break;
	case 1:
		store_relaxed(&r->cur, value);
		break;
	case 2:
		store_relaxed(&r->tail, value);
		break;
	case 3:
		store_relaxed(&r->flags, value);
		break;
	case 4:
		store_relaxed(&r->num_slots, value);
		break;
	case 5:
		store_relaxed(&r->nr_buf_size, value);
		break;
	case 6:
		store_relaxed(&r->buf_ofs, (int64_t)x);
		break;
	default:
		/* Legal moves, so that something goes through. */
		value = load_relaxed(&r->head);
		value = (value % n + (uint32_t)(x >> 40) % n) % n;
		store_relaxed(&r->cur, value);
		store_relaxed(&r->head, value);
		break;
	}
}

/* Good moves: all that the engine gave. */
static void
move_legally(const struct target *t)
{
	unsigned i = below(t->n);
	struct netmap_ring *r = t->ring[i];

	r->head = t->kr[i]->rhead;
	r->cur = r->head;
	ring_move(r, below(2) ? t->kr[i]->rtail : t->kr[i]->rhead);
}

/* On a switch with a module: what was handed over. */
static void
work(void)
{
	while (inproc_work_switches())
		;
}

static void
hostile_sync(void)
{
	struct end *e = below(2) ? &f.bad : &f.bad_pipe;

	switch (below(3)) {
	case 0:
		check(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL) == 0);
		break;
	case 1:
		check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
		break;
	default:
		(void)inproc_poll(&e->fd, below(8), 0);
		break;
	}
}

static void
hostile_step(void)
{
	uint32_t n = below(20);

	while (n-- > 0)
		scribble_slot(&f.target, &seed);
	for (n = below(4); n > 0; n--)
		scribble_ring(&f.target, &seed);
	if (below(3) == 0)
		move_legally(&f.target);
	for (n = below(4); n > 0; n--)
		hostile_sync();
	work();
}

/* --- the engine's own state, whatever was written --- */

static void
state_is_sane(const struct target *t)
{
	unsigned i;

	for (i = 0; i < t->n; i++) {
		const struct kring *kr = t->kr[i];
		uint32_t n = kr->num_slots;

		check(kr->rhead < n && kr->rcur < n && kr->rtail < n && kr->hwcur < n && kr->hwtail < n);
		check(kr->busy == 0);
		check(kr->lease == NULL || lease_pos(kr->reserve) == kr->published);
		check(pos_diff(kr, kr->published, kr->released) < n || kr->dir == RING_TX);
	}
}

/* --- the good ones --- */

/* Up to n frames from one end to the other, all of which arrive. `way` counts them. */
static void
exchange(struct end *from, struct end *to, unsigned way, uint64_t dst, uint64_t src, uint16_t flags)
{
	uint32_t n = 1 + below(100), i;

	for (i = 0; i < n; i++)
		check(ring_put(
			end_tx(from, 0), 60 + (f.seq[way] + i) % 500, dst, src, f.seq[way] + i, flags));
	check(inproc_ioctl(&from->fd, NIOCTXSYNC, NULL) == 0);
	work();
	check(inproc_ioctl(&to->fd, NIOCRXSYNC, NULL) == 0);
	for (i = 0; i < n; i++) {
		struct netmap_ring *r = end_rx(to, 0);
		const struct netmap_slot *slot = &r->slot[r->head];

		check(ring_space(r) > 0);
		check(slot->len == 60 + (f.seq[way] + i) % 500);
		check(frame_is(ring_buf(r, slot->buf_idx), slot->len, f.seq[way] + i));
		ring_move(r, ring_next(r, r->head));
	}
	check(inproc_ioctl(&to->fd, NIOCRXSYNC, NULL) == 0);
	check(inproc_ioctl(&from->fd, NIOCTXSYNC, NULL) == 0);
	f.seq[way] += n;
}

/*
 * Takes what the hostile client sent to a good port: any bytes, but whole packets in slots that are all
 * right. Returns packets.
 */
static uint64_t
drain(struct end *e)
{
	struct netmap_ring *r = end_rx(e, 0);
	const struct kring *kr = end_krx(e, 0);
	uint64_t packets = 0;
	uint32_t flags = 0;

	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	while (ring_space(r) > 0) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot_idx_valid(kr, slot->buf_idx) && slot->len <= kr->buf_size);
		flags = slot->flags;
		packets += (flags & NS_MOREFRAG) == 0;
		ring_move(r, ring_next(r, r->head));
	}
	check((flags & NS_MOREFRAG) == 0);
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	return packets;
}

/*
 * From an address of its own: the hostile client may send the same bytes back, and the switch learns from
 * them, as it should.
 */
static void
send_to_hostile(void)
{
	uint32_t n = 1 + below(50), i;

	for (i = 0; i < n; i++)
		check(ring_put(end_tx(&f.good[0], 0), 60, mac(66), mac(77), 1u << 31,
			below(10) == 0 ? BAD_PORT << NS_PORT_SHIFT : 0));
	check(inproc_ioctl(&f.good[0].fd, NIOCTXSYNC, NULL) == 0);
	work();
	f.to_bad += n;
	/* To its pipe: as far as there is room. What comes back in the slots can be used. */
	n = below(20);
	while (n-- > 0 &&
		ring_put(
			end_tx(&f.victim, 0), 60, MAC_ALL, mac(1), 1u << 31, below(5) == 0 ? NS_MOREFRAG : 0))
		;
	check(inproc_ioctl(&f.victim.fd, NIOCTXSYNC, NULL) == 0);
	for (i = 0; i < SLOTS; i++) {
		const struct netmap_slot *slot = &end_tx(&f.victim, 0)->slot[i];

		check(slot_idx_valid(end_ktx(&f.victim, 0), slot->buf_idx) &&
			slot->len <= end_ktx(&f.victim, 0)->buf_size);
	}
}

/*
 * Slots that the hostile client passed through its pipe hold what it wants, but nothing outside the region.
 */
static void
take_from_hostile_pipe(void)
{
	struct netmap_ring *r = end_rx(&f.victim, 0);
	const struct kring *kr = end_krx(&f.victim, 0);

	check(inproc_ioctl(&f.victim.fd, NIOCRXSYNC, NULL) == 0);
	while (ring_space(r) > 0) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot_idx_valid(kr, slot->buf_idx) && slot->len <= kr->buf_size);
		f.victim_got += (slot->flags & NS_MOREFRAG) == 0;
		ring_move(r, ring_next(r, r->head));
	}
	check(inproc_ioctl(&f.victim.fd, NIOCRXSYNC, NULL) == 0);
}

static void
good_step(void)
{
	/* What the hostile one sent must not stand in the way. */
	(void)drain(&f.good[0]);
	(void)drain(&f.good[1]);
	exchange(&f.good[0], &f.good[1], 0, mac(2), mac(1), 0);
	exchange(&f.good[1], &f.good[0], 1, mac(1), mac(2), 0);
	exchange(&f.pipe[0], &f.pipe[1], 2, MAC_ALL, mac(1), 0);
	exchange(&f.pipe[1], &f.pipe[0], 3, MAC_ALL, mac(1), 0);
	send_to_hostile();
	take_from_hostile_pipe();
}

/* --- books --- */

static void
books_balance(void)
{
	uint64_t in = 0, no_room = 0;
	unsigned i;

	/* Frames that the good ones sent to the hostile port: arrived or counted. */
	for (i = 0; i < RINGS; i++) {
		in += end_krx(&f.bad, i)->in.packets;
		no_room += end_krx(&f.bad, i)->in.drops[DROP_NO_ROOM];
	}
	check(in + no_room == f.to_bad);
	/* Packets that it passed into its pipe: seen at the other end. */
	check(f.victim_got == end_ktx(&f.bad_pipe, 0)->own.packets);
	for (i = 0; i < 2; i++)
		check(end_ktx(&f.good[i], 0)->own.bad_rings + end_krx(&f.good[i], 0)->own.bad_rings +
				own_drops(end_ktx(&f.good[i], 0)) ==
			0);
}

/* --- a module --- */

static uint64_t
frame_dst(const uint8_t *frame)
{
	uint64_t dst = 0;

	for (unsigned i = 0; i < 6; i++)
		dst = dst << 8 | frame[i];
	return dst;
}

/* Good ones' frames go where their addresses say, the hostile one's anywhere, also where there is nothing, and changed anyhow. */
static void
module_lookup(void *ctx, struct netmap_switch_packet *p, unsigned n)
{
	static const uint64_t address[] = { 1, 2, 66 };
	uint64_t *state = ctx;

	for (unsigned i = 0; i < n; i++) {
		uint64_t x = random_next(state), to = frame_dst(p[i].header);

		if (p[i].src_port != BAD_PORT) {
			p[i].dst_port = to == MAC_ALL ? NETMAP_SWITCH_BROADCAST : NETMAP_SWITCH_DROP;
			for (unsigned k = 0; k < 3; k++)
				if (to == mac(address[k]))
					p[i].dst_port = (uint16_t)k;
			continue;
		}
		p[i].dst_port = x % 4 ? (uint16_t)(x >> 8) % 4 : (uint16_t)(x >> 8);
		p[i].dst_ring = (uint16_t)(x >> 24);
		p[i].rewrite = x % 3 ? 0 : (uint16_t)(x >> 40);
		for (unsigned k = 0; k < p[i].header_len && p[i].rewrite > 0; k++)
			p[i].header[k] ^= (uint8_t)(x >> 48);
	}
}

static uint64_t module_state = 5;

static int
module_create(const char *name, void **ctx)
{
	*ctx = &module_state;
	return 0;
}

static const struct netmap_switch_module module = {
	.abi = NETMAP_SWITCH_ABI, .size = sizeof(module), .name = "fuzz", .header_len = 64, .create = module_create, .lookup = module_lookup,
};

/* --- set up --- */

static void
target_add(struct netmap_ring *r, const struct kring *kr)
{
	f.target.ring[f.target.n] = r;
	f.target.kr[f.target.n++] = kr;
}

static void
pointers_make(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 65536 + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(map != MAP_FAILED && munmap(map + 65536, page) == 0);
	memset(map, 0x77, 65536);
	f.ptr[0] = 0;
	f.ptr[1] = (uintptr_t)map;
	f.ptr[2] = (uintptr_t)map + 65536 - 100;
	f.ptr[3] = (uintptr_t)map + 65536 - 2200;
	f.ptr[4] = (uintptr_t)map + 65536;
	f.ptr[5] = UINT64_MAX;
	f.ptr[6] = UINT64_MAX - 3000;
	f.ptr[7] = UINT64_C(0x800000000000);
}

static void
open_everything(void)
{
	unsigned i;

	memset(&f, 0, sizeof(f));
	end_open_slots(&f.good[0], "vale0:g0", GOOD_SLOTS);
	end_open_slots(&f.good[1], "vale0:g1", GOOD_SLOTS);
	/* Known before the hostile client is there: it must not have frames of theirs to send again. */
	end_send(&f.good[0], MAC_ALL, mac(1), 60, 0);
	end_send(&f.good[1], MAC_ALL, mac(2), 60, 0);
	work();
	end_open_slots(&f.pipe[0], "x{1", GOOD_SLOTS);
	end_open_slots(&f.pipe[1], "x}1", GOOD_SLOTS);
	end_open_as(&f.bad, "vale0:h",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_tx_rings = RINGS,
			.nr_rx_rings = RINGS,
			.nr_tx_slots = SLOTS,
			.nr_rx_slots = SLOTS });
	end_open_slots(&f.bad_pipe, "y{1", SLOTS);
	end_open_slots(&f.victim, "y}1", SLOTS);
	for (i = 0; i < RINGS; i++) {
		target_add(end_tx(&f.bad, i), end_ktx(&f.bad, i));
		target_add(end_rx(&f.bad, i), end_krx(&f.bad, i));
	}
	target_add(end_tx(&f.bad_pipe, 0), end_ktx(&f.bad_pipe, 0));
	target_add(end_rx(&f.bad_pipe, 0), end_krx(&f.bad_pipe, 0));
	pointers_make();
	end_send(&f.bad, MAC_ALL, mac(66), 60, 0);
	work();
	(void)end_flush(&f.good[0]);
	(void)end_flush(&f.good[1]);
	(void)end_flush(&f.bad);
	work();
	f.to_bad = end_krx(&f.bad, 0)->in.packets;
}

static void
close_everything(void)
{
	end_close(&f.bad);
	end_close(&f.bad_pipe);
	end_close(&f.victim);
	end_close(&f.pipe[0]);
	end_close(&f.pipe[1]);
	end_close(&f.good[0]);
	end_close(&f.good[1]);
	munmap((void *)(uintptr_t)f.ptr[1], 65536);
}

static uint32_t
statistics(const char *what)
{
	uint64_t bad = 0, drops = 0, packets = 0;
	unsigned i;

	for (i = 0; i < f.target.n; i++) {
		bad += f.target.kr[i]->own.bad_rings;
		drops += own_drops(f.target.kr[i]);
		packets += f.target.kr[i]->own.packets;
	}
	printf("%s: %llu bad rings, %llu frames dropped, %llu passed; good ones: %u and %u on the switch, %u "
	       "and %u in the pipe\n",
		what, (unsigned long long)bad, (unsigned long long)drops, (unsigned long long)packets,
		f.seq[0], f.seq[1], f.seq[2], f.seq[3]);
	return bad > 0 && drops > 0 && packets > 0;
}

static void
one_thread(uint32_t rounds)
{
	open_everything();
	while (rounds-- > 0) {
		uint32_t n = 1 + below(3);

		while (n-- > 0)
			hostile_step();
		state_is_sane(&f.target);
		if (below(4) == 0) {
			good_step();
			books_balance();
		}
	}
	check(statistics("one thread"));
	close_everything();
}

/* --- words that change under the engine's eyes --- */

#if !defined(ENGINE_TSAN)

static bool stop;

static void *
scribble_on(void *arg)
{
	uint64_t state = 3;

	(void)arg;
	while (!load_acquire(&stop)) {
		scribble_slot(&f.target, &state);
		scribble_slot(&f.target, &state);
		scribble_ring(&f.target, &state);
	}
	return NULL;
}

static void *
sync_on(void *arg)
{
	unsigned i = 0;

	(void)arg;
	while (!load_acquire(&stop)) {
		check(inproc_ioctl(&f.bad.fd, i++ % 2 ? NIOCTXSYNC : NIOCRXSYNC, NULL) == 0);
		check(inproc_ioctl(&f.bad_pipe.fd, i % 3 ? NIOCTXSYNC : NIOCRXSYNC, NULL) == 0);
	}
	inproc_thread_done();
	return NULL;
}

static void *
work_on(void *arg)
{
	(void)arg;
	while (!load_acquire(&stop))
		work();
	inproc_thread_done();
	return NULL;
}

/*
 * Good ports on another switch: on the hostile one's own their rings may be full of its frames at any moment.
 * The pipe's other end checks that its slots are all right.
 */
static void
three_threads(uint32_t rounds)
{
	struct end q[2];
	pthread_t t[3];

	open_everything();
	end_open_slots(&q[0], "vale1:a", GOOD_SLOTS);
	end_open_slots(&q[1], "vale1:b", GOOD_SLOTS);
	stop = false;
	check(pthread_create(&t[0], NULL, scribble_on, NULL) == 0);
	check(pthread_create(&t[1], NULL, sync_on, NULL) == 0);
	check(pthread_create(&t[2], NULL, work_on, NULL) == 0);
	while (rounds-- > 0) {
		(void)drain(&f.good[0]);
		(void)drain(&f.good[1]);
		exchange(&q[0], &q[1], 0, mac(2), mac(1), 0);
		exchange(&q[1], &q[0], 1, mac(1), mac(2), 0);
		exchange(&f.pipe[0], &f.pipe[1], 2, MAC_ALL, mac(1), 0);
		send_to_hostile();
		take_from_hostile_pipe();
	}
	store_release(&stop, true);
	check(pthread_join(t[0], NULL) == 0);
	check(pthread_join(t[1], NULL) == 0);
	check(pthread_join(t[2], NULL) == 0);
	take_from_hostile_pipe();
	state_is_sane(&f.target);
	check(f.victim_got == end_ktx(&f.bad_pipe, 0)->own.packets);
	(void)statistics("three threads");
	end_close(&q[0]);
	end_close(&q[1]);
	close_everything();
}

#else

/* By design these threads race for every word of the hostile client's region. */
static void
three_threads(uint32_t rounds)
{
	printf("three threads: not under ThreadSanitizer\n");
}

#endif

int
main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : ROUNDS;

	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	alarm(argc > 1 ? 0 : WATCHDOG);
	check(engine_setup(NULL) == 0);
	one_thread(rounds);
	three_threads(rounds / 10);
	check(inproc_own("vale0", TOKEN) == 0);
	check(inproc_module_set("vale0", TOKEN, &module) == 0);
	one_thread(rounds / 2);
	three_threads(rounds / 10);
	check(inproc_disown("vale0", TOKEN) == 0);
	check(engine_teardown(NULL) == 0);
	return 0;
}
