/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending and receiving through netmap ports, see loop.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "clock.h"
#include "loop.h"

#define PACE_TICKS	10000	/* bursts a second of a paced sender */

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
	return ioctl(p->d->fd, NIOCTXSYNC, NULL) == 0 ? (int)n : -1;
}

/* At the end one end of a pipe may be closed before the other looks at the clock. */
static int
loop_failed(struct crew_seat *seat, const char *who)
{
	return crew_stopped(seat) ? 0 : crew_fail(seat, "%s: %s", who, strerror(errno));
}

int
loop_send(struct crew_seat *seat, const struct bench_port *p, const struct bench_case *c,
    const uint8_t *header)
{
	const uint32_t burst = c->pace / PACE_TICKS;
	uint64_t next = clock_ns();

	while (!crew_stopped(seat)) {
		uint32_t want = c->batch;
		int n;

		if (burst != 0) {
			uint64_t now = clock_ns();

			next += 1000000000 / PACE_TICKS;
			if (next > now)
				clock_sleep_ns(next - now);
			want = burst;
		}
		n = batch_send(seat, p, c, header, want);
		if (n < 0)
			return loop_failed(seat, "sender");
		crew_count(seat, (uint64_t)n);
		crew_turn(seat);
	}
	return 0;
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

int
loop_receive(struct crew_seat *seat, struct bench_port *ports, unsigned int n, const struct bench_case *c)
{
	uint64_t sum = 0;

	while (!crew_stopped(seat)) {
		bool idle = true;

		for (unsigned int i = 0; i < n; i++) {
			int ready = port_receive(&ports[i]);

			if (ready < 0)
				return loop_failed(seat, "receiver");
			if (ready == 0)
				continue;
			idle = false;
			crew_count(seat, batch_take(&ports[i], c, (uint32_t)ready, &sum));
			crew_turn(seat);
		}
		if (idle)
			crew_idle(seat);
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
	return 0;
}

int
loop_exchange(struct crew_seat *seat, const struct bench_port *tx, struct bench_port *rx,
    const struct bench_case *c, const uint8_t *header)
{
	uint64_t sum = 0;

	while (!crew_stopped(seat)) {
		int ready = batch_send(seat, tx, c, header, c->batch);

		if (ready >= 0)
			ready = port_receive(rx);
		if (ready < 0)
			return crew_fail(seat, "both ends: %s", strerror(errno));
		crew_count(seat, batch_take(rx, c, (uint32_t)ready, &sum));
	}
	__asm__ volatile("" : : "r"(sum));
	return 0;
}
