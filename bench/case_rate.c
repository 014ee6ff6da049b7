/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates through the public API: the same work for each packet as in the bare
 * loop, so that the two can be divided by one another. What counts is what
 * the receiver got: a switch drops when the receiver is slow, so what the
 * senders offered is reported beside it.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bare_loop.h"
#include "bench.h"
#include "clock.h"
#include "crew.h"
#include "port.h"

#define WARMUP_MS	150
#define PACE_TICKS	10000	/* bursts a second of a paced sender */

struct sender_arg {
	const struct bench_case *c;
	unsigned int index;
};

static void
batch_fill(const struct bench_port *p, const struct bench_case *c, const uint8_t *header, uint32_t n)
{
	struct netmap_ring *ring = p->tx;
	uint32_t head = ring->head;

	for (uint32_t i = 0; i < n; i++) {
		struct netmap_slot *slot = &ring->slot[head];

		slot->len = (uint16_t)c->len;
		slot->flags = 0;
		if (c->touch)
			memcpy(NETMAP_BUF(ring, slot->buf_idx), header, BENCH_HEADER_LEN);
		head = nm_ring_next(ring, head);
	}
	ring->head = ring->cur = head;
}

/* Sends up to one batch of want packets. Returns how many, or -1 with errno set. */
static int
batch_send(struct crew_seat *seat, const struct bench_port *p, const struct bench_case *c,
    const uint8_t *header, uint32_t want)
{
	uint32_t n = nm_ring_space(p->tx);

	if (n > want)
		n = want;
	if (n == 0 && c->wait != BENCH_BUSY) {
		struct pollfd pfd = { .fd = p->d->fd, .events = POLLOUT };

		return poll(&pfd, 1, 100) < 0 && errno != EINTR ? -1 : 0;
	}
	if (n == 0)
		crew_idle(seat);
	else
		batch_fill(p, c, header, n);
	if (ioctl(p->d->fd, NIOCTXSYNC, NULL) != 0)
		return -1;
	crew_count(seat, n);
	return (int)n;
}

static int
sender_loop(struct crew_seat *seat, const struct bench_port *p, const struct bench_case *c,
    const uint8_t *header)
{
	const uint32_t burst = c->pace / PACE_TICKS;
	uint64_t next = clock_ns();

	while (!crew_stopped(seat)) {
		uint32_t want = c->batch;

		if (burst != 0) {
			uint64_t now = clock_ns();

			next += 1000000000 / PACE_TICKS;
			if (next > now)
				clock_sleep_ns(next - now);
			want = burst;
		}
		if (batch_send(seat, p, c, header, want) < 0)
			return crew_fail(seat, "sender: %s", strerror(errno));
	}
	return 0;
}

static int
sender_role(struct crew_seat *seat)
{
	const struct sender_arg *arg = seat->arg;
	const uint32_t from = STATION_SENDER + arg->index;
	const uint32_t to = arg->c->broadcast ? STATION_ALL : STATION_RECEIVER;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	int ret;

	if (port_open_sender(&port, arg->c, arg->index) != 0)
		return crew_fail(seat, "sender: %s", port_error());
	frame_header(header, from, to);
	port_prefill(&port, from, to);
	crew_ready(seat);
	ret = sender_loop(seat, &port, arg->c, header);
	port_close(&port);
	return ret;
}

/* Takes up to one batch of what is ready. */
static uint32_t
batch_take(const struct bench_port *p, const struct bench_case *c, uint32_t ready, uint64_t *sum)
{
	struct netmap_ring *ring = p->rx;
	uint32_t head = ring->head, n = ready < c->batch ? ready : c->batch;
	uint64_t acc = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct netmap_slot *slot = &ring->slot[head];
		uint64_t word = 0;

		if (c->touch)
			memcpy(&word, NETMAP_BUF(ring, slot->buf_idx), sizeof(word));
		acc += word + slot->len + slot->flags;
		head = nm_ring_next(ring, head);
	}
	*sum += acc;
	ring->head = ring->cur = head;
	return n;
}

static int
receiver_loop(struct crew_seat *seat, struct bench_port *ports, unsigned int n, const struct bench_case *c)
{
	uint64_t sum = 0;

	while (!crew_stopped(seat)) {
		bool idle = true;

		for (unsigned int i = 0; i < n; i++) {
			int ready = port_receive(&ports[i]);

			if (ready < 0)
				return crew_fail(seat, "receiver: %s", strerror(errno));
			if (ready == 0)
				continue;
			idle = false;
			crew_count(seat, batch_take(&ports[i], c, (uint32_t)ready, &sum));
		}
		if (idle)
			crew_idle(seat);
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
	return 0;
}

static int
receiver_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	/* a pipe has two ends, so each sender has its own; a switch has one port for all of them */
	const unsigned int n = c->path == BENCH_PIPE ? c->senders : 1;
	struct bench_port ports[BARE_MAX_SENDERS];
	unsigned int opened;
	int ret = 0;

	for (opened = 0; opened < n; opened++) {
		if (port_open_receiver(&ports[opened], c, opened) != 0) {
			ret = crew_fail(seat, "receiver: %s", port_error());
			goto err_close;
		}
	}
	if (c->path == BENCH_VALE && port_announce(&ports[0], STATION_RECEIVER, STATION_ALL) != 0) {
		ret = crew_fail(seat, "receiver: %s", strerror(errno));
		goto err_close;
	}
	crew_ready(seat);
	ret = receiver_loop(seat, ports, n, c);
err_close:
	while (opened-- > 0)
		port_close(&ports[opened]);
	return ret;
}

/* Holds all ports of the switch but those of the receiver and the senders. */
static int
idle_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	const unsigned int n = c->ports - 1 - c->senders;
	struct bench_port *ports = calloc(n, sizeof(*ports));
	unsigned int opened = 0;
	int ret = 0;

	if (ports == NULL)
		return crew_fail(seat, "no memory");
	for (; opened < n; opened++) {
		if (port_open_idle(&ports[opened], c, opened) != 0) {
			ret = crew_fail(seat, "idle port %u: %s", opened, port_error());
			goto err_close;
		}
		port_announce(&ports[opened], STATION_IDLE + opened, STATION_RECEIVER);
	}
	crew_ready(seat);
	while (!crew_stopped(seat))
		clock_sleep_ns(20000000);
err_close:
	while (opened-- > 0)
		port_close(&ports[opened]);
	free(ports);
	return ret;
}

static int
crew_man(struct crew *crew, const struct bench_case *c, const struct cores *cores, struct sender_arg *args)
{
	const bool shared = c->senders > 1 && cores->tx[0] == cores->tx[1];
	int ret = crew_add(crew, receiver_role, c, cores->rx, false);

	for (unsigned int i = 0; i < c->senders && ret == 0; i++) {
		args[i] = (struct sender_arg){ .c = c, .index = i };
		ret = crew_add(crew, sender_role, &args[i], cores->tx[i], shared);
	}
	if (ret == 0 && c->ports > 1 + c->senders)
		ret = crew_add(crew, idle_role, c, cores->rx, false);
	return ret;
}

struct count {
	uint64_t at_ns, received, sent;
};

static struct count
crew_counts(const struct crew *crew, unsigned int senders)
{
	struct count n = { .at_ns = clock_ns() };

	n.received = __atomic_load_n(&crew->shared->member[0].packets, __ATOMIC_RELAXED);
	for (unsigned int i = 1; i <= senders; i++)
		n.sent += __atomic_load_n(&crew->shared->member[i].packets, __ATOMIC_RELAXED);
	return n;
}

static double
cpu_per_packet(const struct crew_member *m, unsigned int n)
{
	double cpu = 0, packets = 0;

	for (unsigned int i = 0; i < n; i++) {
		cpu += (double)m[i].cpu_ns;
		packets += (double)m[i].cpu_packets;
	}
	return packets > 0 ? cpu / packets : NAN;
}

/* The least share of its CPU that one of n busy processes got: below 1 somebody else was running there. */
static double
cpu_share_least(const struct crew_member *m, unsigned int n)
{
	double least = 1;

	for (unsigned int i = 0; i < n; i++) {
		double share = m[i].wall_ns != 0 ? (double)m[i].cpu_ns / (double)m[i].wall_ns : 1;

		if (share < least)
			least = share;
	}
	return least;
}

static void
rates_store(const struct bench_case *c, const struct count *from, const struct count *to, struct bench_run *run)
{
	double ns = (double)(to->at_ns - from->at_ns);
	double sent = (double)(to->sent - from->sent), received = (double)(to->received - from->received);

	run->value[METRIC_RX_PPS] = received * 1e9 / ns;
	run->value[METRIC_TX_PPS] = sent * 1e9 / ns;
	/* a pipe never drops: the difference is what is under way */
	run->value[METRIC_LOSS] = c->path == BENCH_PIPE || sent <= 0 || received > sent ?
	    0 : (sent - received) / sent;
}

int
bench_rate_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	struct sender_arg args[BARE_MAX_SENDERS];
	struct count from, to;
	struct crew crew;
	int ret = crew_init(&crew), stopped;

	if (ret != 0)
		goto out;
	ret = crew_man(&crew, c, &o->cores, args);
	if (ret == 0) {
		crew_go(&crew);
		clock_sleep_ns(WARMUP_MS * 1000000ull);
		from = crew_counts(&crew, c->senders);
		clock_sleep_ns((uint64_t)(o->seconds * 1e9));
		to = crew_counts(&crew, c->senders);
		rates_store(c, &from, &to, run);
	}
	stopped = crew_stop(&crew);
	if (ret == 0)
		ret = stopped;
	if (ret == 0) {
		run->value[METRIC_RX_CPU_NS] = cpu_per_packet(&crew.shared->member[0], 1);
		if (c->wait == BENCH_BUSY)
			run->value[METRIC_CPU_SHARE] = fmin(run->value[METRIC_CPU_SHARE],
			    cpu_share_least(crew.shared->member, 1 + c->senders));
		run->value[METRIC_TX_CPU_NS] = cpu_per_packet(&crew.shared->member[1], c->senders);
	}
	crew_fini(&crew);
out:
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : crew.message);
	return ret;
}
