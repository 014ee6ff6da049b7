/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports with and without virtio-net headers send each other anything: headers and frames of all kinds with
 * bytes changed at random, in slots of any lengths, some with data elsewhere, at bad addresses, or not ended;
 * receivers spoil their slots, and lengths of headers change on the way. What arrives lies in slots that are
 * all right, in whole packets; what was not to be written is as it was; what was sent was delivered or
 * counted.
 *
 * In the second part a thread rewrites the senders' buffers while they are being forwarded.
 *
 *	fuzz_vnet [rounds [seed]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit_vnet/oracle.h"
#include "vnet_end.h"

#define ROUNDS		40000u
#define WATCHDOG	100u
#define PORTS		4u
#define SLOTS		256u
#define EXTRA		4u
#define FILL		0xa5

static const char *const names[PORTS] = { "vale0:a", "vale0:b", "vale0:c", "vale0:d" };
static const uint32_t lens[4] = { 0, 10, 12, 12 };

static struct {
	struct end e[PORTS];
	uint32_t hdr_len[PORTS];
	uint32_t extra[PORTS][EXTRA];	/* buffers in no ring */
	uint64_t frames, segments;	/* received, and those of them that arrived in a batch of segments */
} f;

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	return random_below(&seed, n);
}

static uint16_t
any16(void)
{
	static const uint16_t likely_ones[] = { 0, 1, 14, 34, 54, 1460, 65535 };

	return below(2) ? likely_ones[below(7)] : (uint16_t)below(1u << (1 + below(16)));
}

/* --- packets --- */

static void
spec_choose(struct spec *s)
{
	static const uint8_t types[] = { 0, 0, 1, 1, 3, 4, 5, 0x81, 0x84 };

	*s = (struct spec){ .version = below(2) ? 4 : 6,
		.ip_options = (int)below(11) * 4,
		.hopopts = below(4) == 0,
		.routing = below(4) == 0,
		.dstopts = below(4) == 0,
		.proto = (uint8_t)(below(2) ? 6 : below(8) ? 17 : 132),
		.tcp_options = (int)below(11) * 4,
		.payload = below(below(8) ? 3000 : 60000),
		.no_csum = below(4) == 0,
		.gso_type = types[below(sizeof(types))],
		.gso_size = (uint16_t)(below(4) ? 500 + below(1500) : any16()),
		.tags = { below(4) ? 0 : 0x8100, below(2) ? 0 : 0x88a8 } };
}

/* A packet for a port with such a header. Returns its length. */
static uint32_t
packet_make(uint8_t *p, uint32_t hdr_len)
{
	struct spec s;
	struct made m;
	uint32_t len, n;

	spec_choose(&s);
	made_init(&m, &s);
	for (n = below(3); n > 0; n--) {
		uint16_t v = any16();

		memcpy(m.hdr + below(5) * 2, &v, 2);
	}
	for (n = below(3); n > 0; n--)
		m.frame[12 + below(m.data - 12)] = (uint8_t)below(256);
	memcpy(p, m.hdr, 12);
	memcpy(p + hdr_len, m.frame, m.len);
	len = hdr_len + (below(8) ? m.len : below(m.len));
	made_free(&m);
	return len;
}

static uint64_t
somewhere(const uint8_t *data)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return random_next(&seed);
	default:
		return (uintptr_t)data;
	}
}

/* Puts it into slots of any lengths, as far as there is room. */
static void
packet_put(struct end *e, const uint8_t *p, uint32_t len)
{
	struct netmap_ring *r = end_tx(e, 0);
	bool elsewhere = below(8) == 0;
	uint32_t done = 0, cut = below(8) ? 2176 : 1 + below(2176);

	do {
		struct netmap_slot *slot = &r->slot[r->head];
		uint32_t part = below(6) ? cut : below(2) ? 10 + below(3) : below(100);

		if (ring_space(r) == 0)
			return;
		part = part < len - done ? part : len - done;
		slot->flags = done + part < len || below(50) == 0 ? NS_MOREFRAG : 0;
		if (elsewhere && below(2)) {
			slot->flags |= NS_INDIRECT;
			slot->ptr = somewhere(p + done);
		} else {
			memcpy(ring_buf(r, slot->buf_idx), p + done, part);
		}
		slot->len = (uint16_t)(below(500) ? part : any16());
		done += part;
		ring_move(r, ring_next(r, r->head));
	} while (done < len);
}

/* --- receivers --- */

static void
buffers_fill(const struct end *e)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t i;

	for (i = 0; i < r->num_slots; i++)
		if (slot_idx_valid(end_krx(e, 0), r->slot[i].buf_idx))
			memset(ring_buf(r, r->slot[i].buf_idx), FILL, r->nr_buf_size);
}

/* Takes what is in the ring. `filled`: behind the data, rounded up to 64 bytes, nothing was written. */
static void
drain(const struct end *e, bool filled, bool spoiled)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t flags = 0, i, packets = 0;

	check(inproc_ioctl((struct inproc_fd *)(uintptr_t)&e->fd, NIOCRXSYNC, NULL) == 0);
	for (; ring_space(r) > 0; ring_move(r, ring_next(r, r->head))) {
		const struct netmap_slot *slot = &r->slot[r->head];
		const uint8_t *buf = (const uint8_t *)ring_buf(r, slot->buf_idx);

		flags = slot->flags;
		packets += (flags & NS_MOREFRAG) == 0;
		if (spoiled && slot->len == 0)
			continue;
		check(slot_idx_valid(end_krx(e, 0), slot->buf_idx) && slot->len <= r->nr_buf_size);
		for (i = (slot->len + 63u) & ~63u; filled && i < r->nr_buf_size; i++)
			check(buf[i] == FILL);
	}
	check((flags & NS_MOREFRAG) == 0);
	f.frames += packets;
	f.segments += packets > 8;
	check(inproc_ioctl((struct inproc_fd *)(uintptr_t)&e->fd, NIOCRXSYNC, NULL) == 0);
}

static void
extra_check(unsigned port)
{
	struct netmap_ring *r = end_rx(&f.e[port], 0);
	unsigned i, k;

	for (i = 0; i < EXTRA; i++) {
		const uint8_t *buf = (const uint8_t *)ring_buf(r, f.extra[port][i]);

		for (k = 0; k < r->nr_buf_size; k++)
			check(buf[k] == FILL);
	}
}

static void
state_is_sane(const struct end *e)
{
	const struct kring *rx = end_krx(e, 0), *tx = end_ktx(e, 0);

	check(rx->busy == 0 && tx->busy == 0);
	check(lease_pos(rx->reserve) == rx->published);
	check(pos_diff(rx, rx->published, rx->released) < rx->num_slots);
	check(tx->hwcur < tx->num_slots && tx->hwtail < tx->num_slots);
}

/* A receiver names buffers that are none of its, or not there. Gives the right one back. */
static uint32_t
slot_spoil(struct end *e, uint32_t i)
{
	struct netmap_ring *r = end_rx(e, 0);
	uint32_t was = r->slot[i].buf_idx;

	r->slot[i].buf_idx = below(2) ? below(2) : (uint32_t)random_next(&seed) | 0x100000;
	return was;
}

/* --- rounds --- */

static void
header_change(unsigned port)
{
	f.hdr_len[port] = lens[below(4)];
	check(vnet_set(&f.e[port], names[port], f.hdr_len[port]) == 0);
}

static void
round_run(unsigned from)
{
	static uint8_t p[PACKET_MAX];
	struct end *e = &f.e[from], *victim = &f.e[(from + 1 + below(3)) % PORTS];
	bool filled = below(8) == 0, spoiled = !filled && below(4) == 0;
	uint32_t was = 0, at = below(SLOTS);
	unsigned i;

	for (i = 0; filled && i < PORTS; i++)
		buffers_fill(&f.e[i]);
	if (spoiled)
		was = slot_spoil(victim, at);
	for (i = 1 + below(4); i > 0; i--)
		packet_put(e, p, packet_make(p, below(50) ? f.hdr_len[from] : lens[below(4)]));
	check(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL) == 0);
	for (i = 0; i < PORTS; i++) {
		drain(&f.e[i], filled, spoiled);
		state_is_sane(&f.e[i]);
	}
	if (spoiled)
		end_rx(victim, 0)->slot[at].buf_idx = was;
	if (below(100) == 0)
		header_change(below(PORTS));
	if (below(100) == 0)
		extra_check(below(PORTS));
}

static void
open_everything(void)
{
	unsigned i, k;

	memset(&f, 0, sizeof(f));
	for (i = 0; i < PORTS; i++) {
		struct netmap_ring *r;
		uint32_t idx;

		end_open_as(&f.e[i], names[i],
			&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
				.nr_flags = NR_ACCEPT_VNET_HDR,
				.nr_extra_bufs = EXTRA,
				.nr_tx_slots = SLOTS,
				.nr_rx_slots = SLOTS });
		f.hdr_len[i] = lens[i];
		check(vnet_set(&f.e[i], names[i], lens[i]) == 0);
		r = end_rx(&f.e[i], 0);
		idx = f.e[i].nifp->ni_bufs_head;
		for (k = 0; k < EXTRA; k++) {
			f.extra[i][k] = idx;
			memcpy(&idx, ring_buf(r, idx), 4);
			memset(ring_buf(r, f.extra[i][k]), FILL, r->nr_buf_size);
		}
		f.e[i].nifp->ni_bufs_head = 0;
	}
}

static void
close_everything(const char *what)
{
	uint64_t sent = 0, bad = 0, drops = 0;
	unsigned i;

	for (i = 0; i < PORTS; i++) {
		extra_check(i);
		sent += end_ktx(&f.e[i], 0)->own.packets;
		bad += end_ktx(&f.e[i], 0)->own.drops[DROP_BAD_HEADER];
		drops += own_drops(end_ktx(&f.e[i], 0)) + in_drops(end_krx(&f.e[i], 0));
	}
	printf("%s: %llu packets sent, %llu frames received, %llu dropped, %llu of them for their headers\n",
		what, (unsigned long long)sent, (unsigned long long)f.frames, (unsigned long long)drops,
		(unsigned long long)bad);
	check(sent > 0 && bad > 0 && f.frames > 0 && f.segments > 0);
	for (i = 0; i < PORTS; i++)
		end_close(&f.e[i]);
}

static void
one_thread(uint32_t rounds)
{
	open_everything();
	while (rounds-- > 0)
		round_run(below(PORTS));
	close_everything("one thread");
}

/* --- headers that change while they are read --- */

#if !defined(ENGINE_TSAN)

static bool stop;

static void *
scribble_on(void *arg)
{
	uint64_t state = 3;

	(void)arg;
	while (!load_acquire(&stop)) {
		struct netmap_ring *r = end_tx(&f.e[random_below(&state, PORTS)], 0);
		uint64_t x = random_next(&state);
		uint32_t idx = load_relaxed(&r->slot[x % SLOTS].buf_idx), most = (x >> 32) % 2 ? 12 : 100;

		/* Buffers of the TX ring stay its own: only what is in them changes. */
		store_relaxed((uint8_t *)ring_buf(r, idx) + (x >> 16) % most, (uint8_t)(x >> 40));
	}
	return NULL;
}

static void
two_threads(uint32_t rounds)
{
	pthread_t t;

	open_everything();
	stop = false;
	check(pthread_create(&t, NULL, scribble_on, NULL) == 0);
	while (rounds-- > 0)
		round_run(below(PORTS));
	store_release(&stop, true);
	check(pthread_join(t, NULL) == 0);
	close_everything("two threads");
}

#else

/* By design these threads race for the bytes of a frame. */
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
	two_threads(rounds / 2);
	check(engine_teardown(NULL) == 0);
	return 0;
}
