/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of all kinds of offsets, opened anew all the time, some of whose programs write anything into their
 * slots. Good ones write and read where their slots say: what they send each other arrives there, whole, and
 * beside it nothing of theirs is written. What comes from a bad one lies within a buffer.
 *
 * In the second part a thread goes on writing offsets, lengths and buffers while the bad ones' rings are
 * synced.
 *
 *	fuzz_offsets [rounds [seed]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "offsets_end.h"

#define ROUNDS		4000u
#define STEPS		8u
#define WATCHDOG	100u
#define SLOTS		64u
#define FILL		0x5a

enum { G0, G1, BAD, PIPE0, PIPE1, VICTIM, BAD_PIPE, ENDS };

static const char *const names[ENDS] = { "vale0:g0", "vale0:g1", "vale0:bad", "x{1", "x}1", "y{1", "y}1" };

static struct {
	struct end e[ENDS];
	uint64_t initial[ENDS], max[ENDS];
	uint32_t seq;
	uint64_t exchanged, from_bad, opened;
} f;

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	return random_below(&seed, n);
}

/* --- opening --- */

static uint32_t
buf_size(unsigned i)
{
	return end_ktx(&f.e[i], 0)->buf_size;
}

static void
end_choose(unsigned i)
{
	static const uint64_t limits[] = { 0, 1, 14, 63, 64, 65, 128, 600, 1000 };
	/* Good ones leave room for their own frames. */
	uint64_t max = i == BAD || i == BAD_PIPE ? below(2049) : limits[below(9)];
	int bits = below(3) == 0 ? -1 : below(2) ? 64 : (int)(12 + below(20));
	struct nmreq_register want = {
		.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = SLOTS, .nr_rx_slots = SLOTS, .nr_extra_bufs = 1
	};

	f.max[i] = bits < 0 ? 0 : max;
	f.initial[i] = f.max[i] == 0 ? 0 : below((uint32_t)f.max[i] + 1);
	check(offsets_try(&f.e[i], names[i], &want, f.initial[i], max, bits) == 0);
	memset(ring_buf(end_tx(&f.e[i], 0), f.e[i].nifp->ni_bufs_head) + 4, FILL, buf_size(i) - 4);
	f.opened++;
}

static void
reopen(unsigned i)
{
	/* The extra buffer is as it was. */
	if (i != BAD && i != BAD_PIPE && i != VICTIM) {
		const char *buf = ring_buf(end_tx(&f.e[i], 0), f.e[i].nifp->ni_bufs_head);
		uint32_t k;

		for (k = 4; k < buf_size(i); k++)
			check(buf[k] == FILL);
	}
	end_close(&f.e[i]);
	end_choose(i);
}

/* --- the bad ones --- */

static void
scribble(struct netmap_ring *r, const struct kring *kr, uint64_t *state)
{
	struct netmap_slot *slot = &r->slot[random_below(state, SLOTS)];
	static const uint16_t flags[8] = { NS_MOREFRAG, NS_BUF_CHANGED };
	uint64_t x = random_next(state);

	switch (x % 8) {
	case 0:
		store_relaxed(&slot->buf_idx, (uint32_t)(x >> 8) % (kr->buf_total + 3));
		break;
	case 1:
		store_relaxed(&slot->len, (uint16_t)(x >> 8));
		break;
	case 2:
		store_relaxed(&slot->len, (uint16_t)((x >> 8) % (kr->buf_size + 2)));
		break;
	case 3:
		store_relaxed(&slot->flags, flags[(x >> 8) % 8]);
		break;
	case 4:
		store_relaxed(&slot->ptr, x >> 8);
		break;
	default:
		store_relaxed(&slot->ptr, (x >> 8) % (kr->buf_size + 70));
		break;
	}
}

static void
scribble_on_end(const struct end *e, uint64_t *state)
{
	if (random_next(state) % 2)
		scribble(end_tx(e, 0), end_ktx(e, 0), state);
	else
		scribble(end_rx(e, 0), end_krx(e, 0), state);
}

/* Moves legally, and syncs. */
static void
bad_sync(struct end *e)
{
	struct netmap_ring *tx = end_tx(e, 0), *rx = end_rx(e, 0);
	uint32_t room = ring_space(tx);

	ring_move(tx, (tx->head + below(room + 1)) % SLOTS);
	check(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL) == 0);
	ring_move(rx, (rx->head + below(ring_space(rx) + 1)) % SLOTS);
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
}

/* --- the good ones --- */

/* Takes what came from anybody: within its buffer, behind the offset that the engine sees as well. */
static void
drain(unsigned i)
{
	struct end *e = &f.e[i];
	struct netmap_ring *r = end_rx(e, 0);
	const struct kring *kr = end_krx(e, 0);

	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
	for (; ring_space(r) > 0; ring_move(r, ring_next(r, r->head))) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot_idx_valid(kr, slot->buf_idx));
		check(slot_ofs(r, r->head) <= kr->offset_max &&
			slot_ofs(r, r->head) + slot->len <= kr->buf_size);
		f.from_bad++;
	}
	check(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL) == 0);
}

static uint64_t
any_offset(unsigned i)
{
	return f.max[i] == 0 ? 0 : below((uint32_t)f.max[i] + 1);
}

/* Frames from one to the other. In a pipe they may come behind the offset that the receiver left. */
static void
exchange(unsigned from, unsigned to, uint64_t dst, uint64_t src)
{
	struct netmap_ring *tx = end_tx(&f.e[from], 0), *rx = end_rx(&f.e[to], 0);
	bool is_pipe = end_ktx(&f.e[from], 0)->type == PORT_PIPE,
	     exact = !is_pipe && (f.max[from] > 0 || f.max[to] > 0);
	uint32_t n = 1 + below(20), at, i;
	uint64_t own[20], out[20];

	check(ring_space(tx) == SLOTS - 1);
	for (i = 0; i < n; i++) {
		at = (rx->head + i) % SLOTS;
		out[i] = any_offset(from);
		own[i] = any_offset(to);
		slot_set_ofs(rx, at, own[i]);
		slot_set_ofs(tx, tx->head, out[i]);
		if (exact)
			memset(ring_buf(rx, rx->slot[at].buf_idx), FILL, buf_size(to));
		check(offsets_put(tx, 60 + (f.seq + i) % 900, dst, src, f.seq + i,
			below(10) == 0 ? NS_BUF_CHANGED : 0));
	}
	check(inproc_ioctl(&f.e[from].fd, NIOCTXSYNC, NULL) == 0);
	check(inproc_ioctl(&f.e[to].fd, NIOCRXSYNC, NULL) == 0);
	for (i = 0; i < n; i++, ring_move(rx, ring_next(rx, rx->head))) {
		uint64_t want = is_pipe && out[i] > own[i] ? out[i] : own[i];
		uint32_t len = 60 + (f.seq + i) % 900;

		at = rx->head;
		want = want < f.max[to] ? want : f.max[to];
		check(ring_space(rx) > 0 && rx->slot[at].len == len);
		check(slot_ofs(rx, at) == want && frame_is(slot_data(rx, at), len, f.seq + i));
		check(!exact || buf_untouched(rx, rx->slot[at].buf_idx, want, len, FILL));
	}
	check(inproc_ioctl(&f.e[to].fd, NIOCRXSYNC, NULL) == 0);
	check(inproc_ioctl(&f.e[from].fd, NIOCTXSYNC, NULL) == 0);
	f.seq += n;
	f.exchanged += n;
}

static void
good_step(void)
{
	drain(G0);
	drain(G1);
	/* What the bad one sent in their names is learned, as it should be: theirs come last. */
	exchange(G0, G1, MAC_ALL, mac(1));
	drain(G0);
	exchange(G1, G0, MAC_ALL, mac(2));
	drain(G1);
	exchange(PIPE0, PIPE1, MAC_ALL, mac(1));
	exchange(PIPE1, PIPE0, MAC_ALL, mac(1));
	drain(VICTIM);
	while (below(4) > 0 && offsets_put(end_tx(&f.e[VICTIM], 0), 60, MAC_ALL, mac(1), 0, 0))
		;
	check(inproc_ioctl(&f.e[VICTIM].fd, NIOCTXSYNC, NULL) == 0);
}

/*
 * The bad one at the other end returns slots in which offset and length may be anything that fits: its
 * program would look before it writes.
 */
static void
victim_slots_reset(void)
{
	struct netmap_ring *r = end_tx(&f.e[VICTIM], 0);
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		check(slot_idx_valid(end_ktx(&f.e[VICTIM], 0), r->slot[i].buf_idx));
		check(slot_ofs(r, i) <= end_ktx(&f.e[VICTIM], 0)->offset_max);
	}
}

/* --- rounds --- */

static void
open_everything(void)
{
	unsigned i;

	memset(&f, 0, sizeof(f));
	for (i = 0; i < ENDS; i++)
		end_choose(i);
}

static void
close_everything(const char *what)
{
	unsigned i;

	for (i = 0; i < ENDS; i++)
		end_close(&f.e[i]);
	printf("%s: %llu frames of good ones, %llu of bad ones, %llu times opened\n", what,
		(unsigned long long)f.exchanged, (unsigned long long)f.from_bad,
		(unsigned long long)f.opened);
	check(f.exchanged > 0 && f.from_bad > 0 && f.opened > ENDS);
}

static void
one_thread(uint32_t rounds)
{
	uint32_t n;

	open_everything();
	while (rounds-- > 0) {
		for (n = 0; n < STEPS; n++) {
			scribble_on_end(&f.e[BAD], &seed);
			scribble_on_end(&f.e[BAD_PIPE], &seed);
		}
		bad_sync(&f.e[BAD]);
		bad_sync(&f.e[BAD_PIPE]);
		good_step();
		victim_slots_reset();
		if (below(5) == 0)
			reopen(below(ENDS));
	}
	close_everything("one thread");
}

/* --- words that change under the engine's eyes --- */

#if !defined(ENGINE_TSAN)

static bool stop;

static void *
scribble_always(void *arg)
{
	uint64_t state = 3;

	while (!load_acquire(&stop)) {
		scribble_on_end(&f.e[BAD], &state);
		scribble_on_end(&f.e[BAD_PIPE], &state);
	}
	return NULL;
}

static void
two_threads(uint32_t rounds)
{
	pthread_t t;

	open_everything();
	stop = false;
	check(pthread_create(&t, NULL, scribble_always, NULL) == 0);
	while (rounds-- > 0) {
		bad_sync(&f.e[BAD]);
		bad_sync(&f.e[BAD_PIPE]);
		good_step();
		/* The thread has the others'. */
		if (below(5) == 0)
			reopen(below(2) ? G0 + below(2) : PIPE0 + below(2));
	}
	store_release(&stop, true);
	check(pthread_join(t, NULL) == 0);
	close_everything("two threads");
}

#else

/* By design these threads race for every word of the bad ones' slots. */
static void
two_threads(uint32_t rounds)
{
	printf("two threads: not under ThreadSanitizer\n");
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
	two_threads(rounds);
	check(engine_teardown(NULL) == 0);
	return 0;
}
