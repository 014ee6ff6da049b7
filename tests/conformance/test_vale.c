/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches, between processes: who gets which frame, in which order, in how many slots. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

/* Sends one frame between stations. */
static void
send_one(struct port *p, unsigned dst, unsigned src, uint64_t number)
{
	uint8_t frame[FRAME_MIN];

	frame_make(frame, sizeof(frame), dst, src, number);
	port_send(p, frame, sizeof(frame));
}

/* The port has this frame next; nothing if number is 0. */
static void
expect(struct port *p, uint64_t number)
{
	uint8_t in[FRAME_ROOM];
	size_t len;

	port_rxsync(p);
	len = port_take(p, in);
	if (number == 0) {
		check_eq(len, 0);
		return;
	}
	check_eq(len, FRAME_MIN);
	check(frame_good(in, len));
	check_eq(frame_number(in), number);
}

static void
forwarding(void)
{
	uint8_t frame[FRAME_MIN];
	struct port a, b, c;

	port_open_two(&a, &b);
	port_open(&c, vale("c"));
	/* Nobody knows station 2 yet: everybody gets it, but the sender. */
	send_one(&a, 2, 1, 1);
	expect(&b, 1);
	expect(&c, 1);
	expect(&a, 0);
	/* Its answer tells where both are. */
	send_one(&b, 1, 2, 2);
	expect(&a, 2);
	expect(&c, 0);
	send_one(&a, 2, 1, 3);
	expect(&b, 3);
	expect(&c, 0);
	/* Broadcast, and multicast. */
	send_one(&c, 0xff, 3, 4);
	expect(&a, 4);
	expect(&b, 4);
	expect(&c, 0);
	frame_make(frame, sizeof(frame), 2, 1, 5);
	frame[0] = 3;
	port_send(&a, frame, sizeof(frame));
	expect(&b, 5);
	expect(&c, 5);
	/* To a station at the same port: nobody gets it. */
	send_one(&a, 1, 4, 6);
	expect(&a, 0);
	expect(&b, 0);
	expect(&c, 0);
	/* Station 2 moves, twice: the switch follows. */
	send_one(&c, 1, 2, 7);
	expect(&a, 7);
	send_one(&a, 2, 1, 8);
	expect(&c, 8);
	expect(&b, 0);
	send_one(&b, 1, 2, 9);
	expect(&a, 9);
	send_one(&a, 2, 1, 10);
	expect(&b, 10);
	expect(&c, 0);
	/* A port that goes is forgotten. */
	port_close(&b);
	wait_until(vale_index(vale("b")) < 0, 5000);
	send_one(&a, 2, 1, 11);
	expect(&c, 11);
}

static void
slot_flags(void)
{
	struct port a, b, c;
	struct netmap_ring *ring;
	uint8_t frame[FRAME_MIN];

	port_open_two(&a, &b);
	port_open(&c, vale("c"));
	ring = port_tx(&a, 0);
	/* NS_NO_LEARN: where station 1 is stays unknown. */
	frame_make(frame, sizeof(frame), 0xff, 1, 1);
	check(port_put(&a, frame, sizeof(frame)));
	ring->slot[0].flags = NS_NO_LEARN;
	port_txsync(&a);
	expect(&b, 1);
	expect(&c, 1);
	send_one(&b, 1, 2, 2);
	expect(&a, 2);
	expect(&c, 2);
	/* The sender names the port itself: c is number 2. */
	check_eq(vale_index(vale("c")), 2);
	frame_make(frame, sizeof(frame), 2, 1, 3);
	check(port_put(&a, frame, sizeof(frame)));
	ring->slot[1].flags = 2 << NS_PORT_SHIFT;
	port_txsync(&a);
	expect(&b, 0);
	expect(&c, 3);
	/* Frames that are none. */
	check(port_put(&a, frame, 0));
	check(port_put(&a, frame, 13));
	check(port_put(&a, frame, sizeof(frame)));
	ring->slot[4].buf_idx = 0xfffffff;
	check(port_put(&a, frame, sizeof(frame)));
	ring->slot[5].len = 60000;
	frame_make(frame, sizeof(frame), 0xff, 1, 4);
	check(port_put(&a, frame, sizeof(frame)));
	port_txsync(&a);
	expect(&b, 4);
	expect(&b, 0);
	check_eq(nm_ring_space(ring), 1023);
}

/* Packets of several slots: all or nothing, and every slot says how many they are. */
static void
fragments(void)
{
	struct netmap_ring *tx, *rx;
	struct port a, b;

	port_open_two(&a, &b);
	tx = port_tx(&a, 0);
	rx = port_rx(&b, 0);
	for (int i = 0; i < 3; i++) {
		char *buf = NETMAP_BUF(tx, tx->slot[i].buf_idx);

		memset(buf, 0xff, 6);
		memset(buf + 6, 2, 2000);
		tx->slot[i].len = (uint16_t)(2000 - i);
		tx->slot[i].flags = i < 2 ? NS_MOREFRAG : 0;
	}
	tx->head = tx->cur = 3;
	port_txsync(&a);
	port_rxsync(&b);
	check_eq(nm_ring_space(rx), 3);
	for (int i = 0; i < 3; i++) {
		check_eq(rx->slot[i].len, 2000 - i);
		check_eq(NS_RFRAGS(&rx->slot[i]), 3);
		check_eq(rx->slot[i].flags & NS_MOREFRAG, i < 2 ? NS_MOREFRAG : 0);
		check_eq(NETMAP_BUF(rx, rx->slot[i].buf_idx)[1999 - i], 2);
	}
}

/* NS_INDIRECT: the data lie in the program's memory, more than one buffer of them. */
static void
indirect(void)
{
	struct netmap_ring *tx, *rx;
	struct port a, b;
	uint8_t *data = malloc(5000);
	size_t got = 0;

	port_open_two(&a, &b);
	tx = port_tx(&a, 0);
	rx = port_rx(&b, 0);
	for (size_t i = 0; i < 5000; i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	memset(data, 0xff, 6);
	tx->slot[0].ptr = (uintptr_t)data;
	tx->slot[0].len = 5000;
	tx->slot[0].flags = NS_INDIRECT;
	tx->slot[1].ptr = 0x1000;	/* nothing is there */
	tx->slot[1].len = 60;
	tx->slot[1].flags = NS_INDIRECT;
	tx->head = tx->cur = 2;
	port_txsync(&a);
	port_rxsync(&b);
	check_eq(nm_ring_space(rx), 3);
	for (int i = 0; i < 3; i++) {
		check_eq(NS_RFRAGS(&rx->slot[i]), 3);
		check(memcmp(NETMAP_BUF(rx, rx->slot[i].buf_idx), data + got, rx->slot[i].len) == 0);
		got += rx->slot[i].len;
	}
	check_eq(got, 5000);
	free(data);
}

/* Rings of one port are independent; a descriptor sees those that it asked for. */
static void
rings(void)
{
	const struct nmreq_register four = { .nr_tx_rings = 4, .nr_rx_rings = 4, .nr_tx_slots = 64,
		.nr_rx_slots = 64 };
	struct nmreq_register one = four;
	struct port a, b, b2;
	uint8_t frame[FRAME_MIN];

	port_open_as(&a, vale("a"), &four);
	one.nr_mode = NR_REG_ONE_NIC;
	one.nr_ringid = 2;
	port_open_as(&b, vale("b"), &one);
	for (unsigned i = 0; i < 4; i++) {
		check_eq(b.nifp->ring_ofs[i] != 0, i == 2);
		check_eq(b.nifp->ring_ofs[5 + i] != 0, i == 2);
		check(a.nifp->ring_ofs[i] != 0);
	}
	/* One host ring is counted even where there is none. */
	check(b.nifp->ni_host_tx_rings == 1 && b.nifp->ring_ofs[4] == 0 && b.nifp->ring_ofs[9] == 0);
	check_eq(b.nifp->ni_version, NETMAP_API);
	check(port_tx(&b, 2)->ringid == 2 && port_tx(&b, 2)->dir == 1 && port_rx(&b, 2)->dir == 0);
	/* A frame goes to the ring of the same number; broadcasts to ring 0. */
	frame_make(frame, sizeof(frame), 0xff, 2, 0);
	memcpy(NETMAP_BUF(port_tx(&b, 2), port_tx(&b, 2)->slot[0].buf_idx), frame, sizeof(frame));
	port_tx(&b, 2)->slot[0].len = sizeof(frame);
	port_tx(&b, 2)->head = port_tx(&b, 2)->cur = 1;
	port_txsync(&b);
	port_rxsync(&a);
	check(nm_ring_space(port_rx(&a, 0)) == 1 && nm_ring_space(port_rx(&a, 2)) == 0);
	frame_make(frame, sizeof(frame), 2, 1, 0);
	for (unsigned i = 0; i < 4; i++) {
		memcpy(NETMAP_BUF(port_tx(&a, i), port_tx(&a, i)->slot[0].buf_idx), frame, sizeof(frame));
		port_tx(&a, i)->slot[0].len = sizeof(frame);
		port_tx(&a, i)->head = port_tx(&a, i)->cur = 1;
	}
	port_txsync(&a);
	port_rxsync(&b);
	check_eq(nm_ring_space(port_rx(&b, 2)), 1);
	/* A second descriptor shares the ring, where it stands. */
	port_open_as(&b2, vale("b"), &one);
	check_eq(port_rx(&b2, 2)->tail, 1);
	check_eq(nm_ring_space(port_rx(&b2, 2)), 1);
	port_close(&b2);
	check_eq(nm_ring_space(port_rx(&b, 2)), 1);
}

static void
timestamps(void)
{
	struct timeval before, after;
	struct port a, b;

	port_open_two(&a, &b);
	gettimeofday(&before, NULL);
	send_one(&a, 0xff, 1, 1);
	check_eq(port_poll(&b, POLLIN, 1000), POLLIN);
	gettimeofday(&after, NULL);
	check(!timercmp(&port_rx(&b, 0)->ts, &before, <) && !timercmp(&port_rx(&b, 0)->ts, &after, >));
}

/* --- three processes --- */

#define ROUNDS	20000

struct station {
	unsigned self, next;
	_Atomic unsigned *ready;
};

/* Passes a token around: gets frame n from the one before, sends n + 1 to the one after. */
static void
station_run(void *arg)
{
	const struct station *s = arg;
	char name[8];
	uint8_t in[FRAME_ROOM];
	struct port p;

	snprintf(name, sizeof(name), "s%u", s->self);
	port_open(&p, vale(name));
	++*s->ready;
	while (*s->ready < 3)
		sleep_ms(1);
	if (s->self == 1)
		send_one(&p, s->next, s->self, 1);
	for (unsigned i = 0; i < ROUNDS / 3; i++) {
		uint64_t n;

		/* What was sent before the switch had learned comes to all. */
		do {
			size_t len = port_recv(&p, in, 10000);

			check_eq(len, FRAME_MIN);
			check(frame_good(in, len));
		} while (in[5] != s->self);
		n = frame_number(in);
		check_eq(n % 3, (s->self + 2) % 3);
		if (n < ROUNDS)
			send_one(&p, s->next, s->self, n + 1);
	}
}

static void
three_processes(void)
{
	_Atomic unsigned *ready = shared_memory(sizeof(*ready));
	struct station s[3] = { { 1, 2, ready }, { 2, 3, ready }, { 3, 1, ready } };
	pid_t pid[3];

	for (int i = 0; i < 3; i++)
		pid[i] = spawn(station_run, &s[i]);
	for (int i = 0; i < 3; i++)
		join(pid[i]);
}

/* --- several senders into one ring --- */

#define FLOOD	200000

struct flood {
	unsigned src;
	uint64_t frames;
};

static void
flood_run(void *arg)
{
	const struct flood *f = arg;
	uint8_t frame[FRAME_MIN];
	char name[8];
	struct port p;

	snprintf(name, sizeof(name), "f%u", f->src);
	port_open(&p, vale(name));
	for (uint64_t n = 0; n < f->frames; n++) {
		frame_make(frame, sizeof(frame), 9, f->src, n);
		while (!port_put(&p, frame, sizeof(frame)))
			port_txsync(&p);
		/* Whole leases are published at once, which takes another way than parts of them. */
		if (n % (f->src == 1 ? 64 : 100) == 0)
			port_txsync(&p);
	}
	port_txsync(&p);
}

/* Each sender's frames come in order; what does not come was counted. */
static void
two_senders(void)
{
	struct flood f[2] = { { 1, FLOOD }, { 2, FLOOD } };
	uint64_t next[3] = { 0 }, got = 0;
	uint8_t in[FRAME_ROOM];
	struct port b;
	pid_t pid[2];

	port_open(&b, vale("b"));
	send_one(&b, 0xff, 9, 0);
	for (int i = 0; i < 2; i++)
		pid[i] = spawn(flood_run, &f[i]);
	while (port_poll(&b, POLLIN, 1500) != 0) {
		size_t len;

		while ((len = port_take(&b, in)) > 0) {
			unsigned src = frame_source(in);

			check_eq(len, FRAME_MIN);
			check(frame_good(in, len));
			check(src == 1 || src == 2);
			check(frame_number(in) >= next[src]);
			next[src] = frame_number(in) + 1;
			got++;
		}
	}
	for (int i = 0; i < 2; i++)
		join(pid[i]);
	check(got > 0);
	check_eq(got + port_drops(vale("b"), "no-room"), 2 * FLOOD);
}

static const struct test_case cases[] = {
	{ "forwarding", forwarding, 0, false },
	{ "slot_flags", slot_flags, 0, false },
	{ "fragments", fragments, 0, false },
	{ "indirect", indirect, 0, false },
	{ "rings", rings, 0, false },
	{ "timestamps", timestamps, 0, false },
	{ "three_processes", three_processes, 0, false },
	{ "two_senders", two_senders, 0, false },
};

TEST_MAIN(cases, NULL)
