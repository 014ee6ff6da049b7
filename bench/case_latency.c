/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Latencies through the public API: the round trip of one packet, the time
 * until a blocked receiver runs, and what a blocked receiver costs while
 * nothing arrives.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bench.h"
#include "clock.h"
#include "crew.h"
#include "port.h"

#define FRAME_LEN	60
#define STAMP_OFFSET	16
#define WARMUP_NS	50000000ull
#define GAP_NS		1000000ull	/* between wake-ups: long enough to fall asleep */
#define LOST_NS		2000000000ull

static int
packet_send(struct bench_port *p, const uint8_t *header, uint64_t stamp)
{
	struct netmap_ring *ring = p->tx;
	struct netmap_slot *slot = &ring->slot[ring->head];
	char *buf = NETMAP_BUF(ring, slot->buf_idx);

	if (nm_ring_space(ring) == 0) {
		/* a pipe: the room comes back with a sync */
		if (ioctl(p->d->fd, NIOCTXSYNC, NULL) != 0)
			return -1;
		if (nm_ring_space(ring) == 0) {
			errno = ENOBUFS;
			return -1;
		}
	}
	memcpy(buf, header, BENCH_HEADER_LEN);
	memcpy(buf + STAMP_OFFSET, &stamp, sizeof(stamp));
	slot->len = FRAME_LEN;
	slot->flags = 0;
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	return ioctl(p->d->fd, NIOCTXSYNC, NULL);
}

/* Takes one ready packet and returns its stamp. */
static uint64_t
packet_take(struct bench_port *p)
{
	struct netmap_ring *ring = p->rx;
	uint64_t stamp;

	memcpy(&stamp, NETMAP_BUF(ring, ring->slot[ring->head].buf_idx) + STAMP_OFFSET, sizeof(stamp));
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	return stamp;
}

/* Waits for one packet. Returns 1, 0 if the crew was stopped first, or -1. */
static int
packet_wait(struct crew_seat *seat, struct bench_port *p, uint64_t *stamp)
{
	uint64_t start = 0;

	while (!crew_stopped(seat)) {
		int ready = port_receive(p);

		if (ready < 0)
			return crew_fail(seat, "receive: %s", strerror(errno));
		if (ready > 0) {
			*stamp = packet_take(p);
			return 1;
		}
		if (p->wait != BENCH_BUSY && start == 0)
			start = clock_ns();
		if (start != 0 && clock_ns() - start > LOST_NS)
			return crew_fail(seat, "a packet was lost, or its wake-up");
		crew_idle(seat);
	}
	return 0;
}

/* Sends back what it gets. */
static int
echo_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	uint64_t stamp;
	int ret = 0;

	if (port_open_receiver(&port, c, 0) != 0)
		return crew_fail(seat, "echo: %s", port_error());
	frame_header(header, STATION_RECEIVER, STATION_SENDER);
	crew_ready(seat);
	while (ret == 0 && packet_wait(seat, &port, &stamp) > 0)
		if (packet_send(&port, header, stamp) != 0)
			ret = crew_fail(seat, "echo: %s", strerror(errno));
	if (seat->me->message[0] != '\0')
		ret = -1;
	port_close(&port);
	return ret;
}

static int
ping_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	uint64_t warm, stamp;
	int ret = 0;

	if (port_open_sender(&port, c, 0) != 0)
		return crew_fail(seat, "ping: %s", port_error());
	frame_header(header, STATION_SENDER, STATION_RECEIVER);
	crew_ready(seat);
	warm = clock_ns() + WARMUP_NS;
	while (ret == 0 && !crew_stopped(seat)) {
		uint64_t start = clock_ns();

		if (packet_send(&port, header, start) != 0)
			ret = crew_fail(seat, "ping: %s", strerror(errno));
		else if (packet_wait(seat, &port, &stamp) <= 0)
			break;
		else if (start >= warm)
			crew_sample(seat, clock_ns() - start);
	}
	if (seat->me->message[0] != '\0')
		ret = -1;
	port_close(&port);
	return ret;
}

/* Sends a packet now and then, with the time in it. */
static int
waker_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	struct bench_case waker = *c;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	int ret = 0;

	waker.wait = BENCH_BUSY;
	if (port_open_sender(&port, &waker, 0) != 0)
		return crew_fail(seat, "waker: %s", port_error());
	frame_header(header, STATION_SENDER, STATION_RECEIVER);
	crew_ready(seat);
	while (ret == 0 && !crew_stopped(seat)) {
		clock_sleep_ns(GAP_NS);
		if (c->kind == BENCH_WAKEUP && packet_send(&port, header, clock_ns()) != 0)
			ret = crew_fail(seat, "waker: %s", strerror(errno));
	}
	port_close(&port);
	return ret;
}

static int
sleeper_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	struct bench_port port;
	uint64_t warm;
	int ret = 0;

	if (port_open_receiver(&port, c, 0) != 0)
		return crew_fail(seat, "sleeper: %s", port_error());
	crew_ready(seat);
	warm = clock_ns() + WARMUP_NS;
	while (!crew_stopped(seat)) {
		int ready = port_receive(&port);
		uint64_t now = clock_ns();

		if (ready < 0) {
			ret = crew_fail(seat, "sleeper: %s", strerror(errno));
			break;
		}
		while (ready-- > 0) {
			uint64_t stamp = packet_take(&port);

			if (stamp >= warm)
				crew_sample(seat, now - stamp);
		}
	}
	port_close(&port);
	return ret;
}

static int
samples_store(const struct crew *crew, struct bench_run *run, char *message)
{
	const struct crew_shared *shared = crew->shared;
	size_t n = shared->samples;
	double *v;

	if (n == 0) {
		snprintf(message, BENCH_MESSAGE_MAX, "no packet arrived");
		return -ENODATA;
	}
	v = malloc(n * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = shared->sample_ns[i];
	run->value[METRIC_P50_NS] = stats_quantile(v, n, 0.5);
	run->value[METRIC_P99_NS] = stats_quantile(v, n, 0.99);
	run->value[METRIC_MAX_NS] = v[n - 1];
	free(v);
	return 0;
}

int
bench_latency_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	const bool pingpong = c->kind == BENCH_PINGPONG;
	struct crew crew;
	int ret = crew_init(&crew), stopped;

	if (ret != 0) {
		snprintf(message, BENCH_MESSAGE_MAX, "%s", crew.message);
		return ret;
	}
	ret = crew_add(&crew, pingpong ? echo_role : sleeper_role, c, o->cores.rx, CREW_ALONE);
	if (ret == 0)
		ret = crew_add(&crew, pingpong ? ping_role : waker_role, c, o->cores.tx[0], CREW_ALONE);
	if (ret == 0) {
		crew_go(&crew);
		clock_sleep_ns(WARMUP_NS + (uint64_t)(o->seconds * 1e9));
	}
	stopped = crew_stop(&crew);
	if (ret == 0)
		ret = stopped;
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : crew.message);
	if (ret == 0 && c->kind != BENCH_IDLE)
		ret = samples_store(&crew, run, message);
	if (ret == 0 && c->kind != BENCH_PINGPONG && crew.shared->member[0].wall_ns != 0)
		run->value[METRIC_CPU_SHARE] = (double)crew.shared->member[0].cpu_ns /
		    (double)crew.shared->member[0].wall_ns;
	crew_fini(&crew);
	return ret;
}
