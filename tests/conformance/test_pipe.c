/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes between processes: nothing is lost, nothing changes its place, a full pipe waits. And what the slots
 * of both ends may rely on.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libnetmap.h>
#include <netmap_stats.h>

#include "harness.h"
#include "port.h"

struct stream {
	char master[NETMAP_REQ_IFNAMSIZ], slave[NETMAP_REQ_IFNAMSIZ];
	uint32_t slots;
	uint64_t frames;
	unsigned seed;
	bool busy;			/* the receiver does not sleep */
};

static void
stream_name(struct stream *s, const char *parent)
{
	snprintf(s->master, sizeof(s->master), "%s{1", vale(parent));
	snprintf(s->slave, sizeof(s->slave), "%s}1", vale(parent));
}

static void
stream_end(struct port *p, const struct stream *s, const char *name)
{
	port_open_as(p, name, &(struct nmreq_register){ .nr_tx_slots = s->slots, .nr_rx_slots = s->slots });
}

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16 & 0x7fff;
}

/* Batches of all sizes, as much as there is room for. */
static void
stream_send(void *arg)
{
	const struct stream *s = arg;
	unsigned seed = s->seed;
	uint8_t frame[256];
	struct port p;
	uint64_t n = 0;

	stream_end(&p, s, s->master);
	while (n < s->frames) {
		unsigned batch = 1 + next_random(&seed) % (s->slots * 2);

		for (; batch > 0 && n < s->frames; batch--, n++) {
			size_t len = FRAME_MIN + n % 100;

			frame_make(frame, len, 2, 1, n);
			if (!port_put(&p, frame, len))
				break;
		}
		if (nm_ring_empty(port_tx(&p, 0)))
			check_eq(port_poll(&p, POLLOUT, 20000), POLLOUT);
		else
			port_txsync(&p);
	}
	/* The descriptor goes when all has been taken: then no slot of ours is in use. */
	while (nm_tx_pending(port_tx(&p, 0))) {
		port_txsync(&p);
		sleep_ms(1);
	}
}

static void
stream_receive(const struct stream *s, struct port *p)
{
	struct netmap_ring *ring = port_rx(p, 0);
	unsigned seed = s->seed + 7;
	uint64_t n = 0;

	while (n < s->frames) {
		unsigned take = 1 + next_random(&seed) % s->slots, have;

		if (s->busy)
			port_rxsync(p);
		else
			check_eq(port_poll(p, POLLIN, 20000), POLLIN);
		have = nm_ring_space(ring);
		if (take > have)
			take = have;
		for (; take > 0; take--, n++) {
			const struct netmap_slot *slot = &ring->slot[ring->head];
			const char *buf = NETMAP_BUF(ring, slot->buf_idx);

			check_eq(slot->len, FRAME_MIN + n % 100);
			check_eq(frame_number(buf), n);
			check(frame_good(buf, slot->len));
			ring->head = ring->cur = nm_ring_next(ring, ring->head);
		}
	}
	port_rxsync(p);
}

static void
stream_run(uint32_t slots, uint64_t frames, bool busy)
{
	struct stream s = { .slots = slots, .frames = frames, .seed = slots, .busy = busy };
	struct port p;
	pid_t pid;

	stream_name(&s, "p");
	stream_end(&p, &s, s.slave);
	check_eq(port_rx(&p, 0)->num_slots, slots);
	pid = spawn(stream_send, &s);
	stream_receive(&s, &p);
	join(pid);
	port_close(&p);
}

static void
ordered_small(void)
{
	stream_run(8, 20000, false);
	stream_run(17, 20000, false);
	stream_run(3, 5000, false);
}

static void
ordered(void)
{
	stream_run(1000, 500000, false);
	stream_run(1024, 500000, false);
}

static void
ordered_busy(void)
{
	stream_run(100, 100000, true);
}

/* The `ptr` of a slot goes along with it, and comes back with the room. */
static void
pointers(void)
{
	struct stream s = { .slots = 8 };
	struct netmap_ring *tx, *rx;
	uint32_t sent, back;
	struct port m, e;

	stream_name(&s, "p");
	stream_end(&m, &s, s.master);
	stream_end(&e, &s, s.slave);
	check_eq(m.reg.nr_mem_id, e.reg.nr_mem_id);
	tx = port_tx(&m, 0);
	rx = port_rx(&e, 0);
	sent = tx->slot[0].buf_idx;
	back = rx->slot[0].buf_idx;
	tx->slot[0].ptr = 0x1122334455667788;
	tx->slot[0].len = 99;
	tx->slot[0].flags = NS_BUF_CHANGED | NS_REPORT;
	tx->head = tx->cur = 1;
	port_txsync(&m);
	port_rxsync(&e);
	check_eq(nm_ring_space(rx), 1);
	check_eq(rx->slot[0].buf_idx, sent);
	check_eq(rx->slot[0].ptr, 0x1122334455667788);
	check_eq(rx->slot[0].len, 99);
	check_eq(rx->slot[0].flags, NS_BUF_CHANGED | NS_REPORT);
	check_eq(tx->slot[0].flags & NS_BUF_CHANGED, 0);
	check_eq(nm_ring_space(tx), 6);
	/* Room comes back only when the receiver syncs. */
	rx->slot[0].ptr = 77;
	rx->head = rx->cur = 1;
	port_txsync(&m);
	check_eq(nm_ring_space(tx), 6);
	port_rxsync(&e);
	port_txsync(&m);
	check_eq(nm_ring_space(tx), 7);
	check(tx->slot[0].buf_idx == back || tx->slot[0].buf_idx == sent);
}

/* A packet of several slots is seen when it is complete. */
static void
fragments(void)
{
	struct stream s = { .slots = 8 };
	struct netmap_ring *tx, *rx;
	struct port m, e;

	stream_name(&s, "p");
	stream_end(&m, &s, s.master);
	stream_end(&e, &s, s.slave);
	tx = port_tx(&m, 0);
	rx = port_rx(&e, 0);
	for (int i = 0; i < 3; i++) {
		tx->slot[i].len = 60;
		tx->slot[i].flags = i == 0 ? 0 : NS_MOREFRAG;
	}
	tx->head = tx->cur = 3;
	port_txsync(&m);
	port_rxsync(&e);
	check_eq(nm_ring_space(rx), 1);
	tx->slot[3].flags = 0;
	tx->head = tx->cur = 4;
	check_eq(port_poll(&m, POLLOUT, 0), POLLOUT);
	port_rxsync(&e);
	check_eq(nm_ring_space(rx), 4);
	check(rx->slot[1].flags == NS_MOREFRAG && rx->slot[2].flags == NS_MOREFRAG && rx->slot[3].flags == 0);
}

/* One end goes and comes back: packets stay, and its successor goes on. */
static void
reopened(void)
{
	struct stream s = { .slots = 16 };
	uint8_t frame[FRAME_MIN], in[FRAME_ROOM];
	struct port m, e;

	stream_name(&s, "p");
	stream_end(&m, &s, s.master);
	stream_end(&e, &s, s.slave);
	for (uint64_t i = 0; i < 3; i++) {
		frame_make(frame, sizeof(frame), 2, 1, i);
		port_send(&m, frame, sizeof(frame));
	}
	port_close(&e);
	frame_make(frame, sizeof(frame), 2, 1, 3);
	port_send(&m, frame, sizeof(frame));
	/* Sizes of a pipe that is there do not change. */
	port_open_as(&e, s.slave, &(struct nmreq_register){ .nr_rx_slots = 100 });
	check_eq(e.reg.nr_rx_slots, 16);
	for (uint64_t i = 0; i < 4; i++) {
		check_eq(port_recv(&e, in, 1000), FRAME_MIN);
		check_eq(frame_number(in), i);
	}
	/* The sender dies with frames under way. */
	frame_make(frame, sizeof(frame), 2, 1, 4);
	port_send(&m, frame, sizeof(frame));
	port_close(&m);
	check_eq(port_recv(&e, in, 1000), FRAME_MIN);
	check_eq(frame_number(in), 4);
	stream_end(&m, &s, s.master);
	frame_make(frame, sizeof(frame), 2, 1, 5);
	port_send(&m, frame, sizeof(frame));
	check_eq(port_recv(&e, in, 1000), FRAME_MIN);
	check_eq(frame_number(in), 5);
}

/* What statistics call the port of this name. */
static void
check_mode(const char *name, const char *mode)
{
	struct netmap_stats *s;
	unsigned found = 0;

	check_eq(netmap_stats_take(&s), 0);
	for (unsigned i = 0; i < netmap_stats_ports(s); i++) {
		const struct netmap_stats_port *p = netmap_stats_port(s, i);

		if (strcmp(p->name, name) != 0)
			continue;
		found++;
		if (strcmp(p->mode, mode) != 0)
			check_failed(__FILE__, __LINE__, "the mode of %s is '%s', not '%s'", name, p->mode, mode);
	}
	check_eq(found, 1);
	netmap_stats_free(s);
}

/* Parents: made for the pipe, or there already; ids; and many pipes on one parent. */
static void
parents(void)
{
	const struct nmreq_register small = { .nr_tx_slots = 16, .nr_rx_slots = 16 };
	struct port parent, m[70], e[70];
	uint8_t frame[FRAME_MIN], in[FRAME_ROOM];
	char name[NETMAP_REQ_IFNAMSIZ];

	port_open_as(&m[0], "conform{some_id", &small);
	port_open_as(&e[0], "conform}some_id", &small);
	check_mode("conform", "parent of pipes");
	check_mode("conform{some_id", "pipe");
	frame_make(frame, sizeof(frame), 2, 1, 0);
	port_send(&e[0], frame, sizeof(frame));
	check_eq(port_recv(&m[0], in, 1000), FRAME_MIN);
	port_close(&m[0]);
	port_close(&e[0]);

	port_open(&parent, vale("p"));
	check_mode(vale("p"), "learning");
	for (uint64_t i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "%s{%u", vale("p"), (unsigned)i);
		port_open_as(&m[i], name, &small);
		snprintf(name, sizeof(name), "%s}%u", vale("p"), (unsigned)i);
		port_open_as(&e[i], name, &small);
		check_eq(m[i].reg.nr_mem_id, parent.reg.nr_mem_id);
		frame_make(frame, sizeof(frame), 2, 1, i);
		port_send(&m[i], frame, sizeof(frame));
	}
	for (uint64_t i = 0; i < 64; i++) {
		check_eq(port_recv(&e[i], in, 1000), FRAME_MIN);
		check_eq(frame_number(in), i);
	}
	/* All of them live in one region: buffers can be swapped between any two. */
	uint32_t idx = port_tx(&m[5], 0)->slot[1].buf_idx;

	port_tx(&m[5], 0)->slot[1].buf_idx = port_tx(&parent, 0)->slot[0].buf_idx;
	port_tx(&m[5], 0)->slot[1].flags = NS_BUF_CHANGED;
	port_tx(&parent, 0)->slot[0].buf_idx = idx;
	port_tx(&parent, 0)->slot[0].flags = NS_BUF_CHANGED;
	frame_make(frame, sizeof(frame), 2, 1, 7);
	memcpy(NETMAP_BUF(port_tx(&m[5], 0), port_tx(&m[5], 0)->slot[1].buf_idx), frame, sizeof(frame));
	port_tx(&m[5], 0)->slot[1].len = sizeof(frame);
	port_tx(&m[5], 0)->head = port_tx(&m[5], 0)->cur = 2;
	port_txsync(&m[5]);
	port_rxsync(&e[5]);
	check_eq(port_take(&e[5], in), FRAME_MIN);
	check_eq(frame_number(in), 7);
}

/* Extra buffers: a list through their first words, each to be had once. */
static void
extra_buffers(void)
{
	struct port p;
	uint32_t *next, idx, n = 0;
	uint8_t *seen;

	port_open_as(&p, vale("a"), &(struct nmreq_register){ .nr_extra_bufs = 50 });
	check_eq(p.reg.nr_extra_bufs, 50);
	seen = calloc(1, 1 << 20);
	for (uint32_t i = 0; i < 1024; i++)
		seen[port_tx(&p, 0)->slot[i].buf_idx] = seen[port_rx(&p, 0)->slot[i].buf_idx] = 1;
	for (idx = p.nifp->ni_bufs_head; idx != 0; idx = *next, n++) {
		check(idx >= 2 && idx < 1 << 20 && !seen[idx]);
		seen[idx] = 1;
		next = (uint32_t *)(void *)NETMAP_BUF(port_tx(&p, 0), idx);
	}
	check_eq(n, 50);
	free(seen);
}

static const struct test_case cases[] = {
	{ "ordered_small", ordered_small, 0, false },
	{ "ordered", ordered, 0, false },
	{ "ordered_busy", ordered_busy, 0, false },
	{ "pointers", pointers, 0, false },
	{ "fragments", fragments, 0, false },
	{ "reopened", reopened, 0, false },
	{ "parents", parents, 0, false },
	{ "extra_buffers", extra_buffers, 0, false },
};

TEST_MAIN(cases, NULL)
