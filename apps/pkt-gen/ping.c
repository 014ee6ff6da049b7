/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modes ping and pong. A ping carries its number and the time it was made (frame.h, STAMP_PING_LEN); pong
 * sends it back with MAC and IP addresses exchanged, so the difference to the time of arrival is the round
 * trip.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dump.h"
#include "pacing.h"
#include "ring.h"
#include "rtt.h"
#include "worker.h"

/* A reply that takes longer is lost. */
#define REPLY_MAX_NS NS_PER_SEC

struct pinger {
	struct worker *w;
	struct frame_gen gen;
	struct tx_filler filler;
	struct pacer pacer;
	uint64_t sent, replies;
	uint64_t batch_replies;		/* to the last batch */
	uint64_t batch;			/* size of the last batch */
	uint64_t batch_ns;		/* when it was sent */
	uint64_t report_ns;		/* when the next line is due */
	uint32_t num_bufs;
	struct rtt_stats interval, total;
};

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void reply_take(struct pinger *p, const uint8_t *data, unsigned len, uint64_t now)
{
	unsigned vnet = p->w->dev->vnet_len, ofs;
	uint32_t stamp[3];
	uint64_t then;

	if (len <= vnet)
		return;
	ofs = frame_udp_payload(data + vnet, len - vnet);
	if (ofs == 0 || len - vnet - ofs < STAMP_PING_LEN)
		return;
	memcpy(stamp, data + vnet + ofs, sizeof(stamp));
	then = (uint64_t)stamp[1] * NS_PER_SEC + stamp[2];
	/* Somebody else's frames do not look like a recent ping of ours. */
	if (stamp[2] >= NS_PER_SEC || then > now || now - then > 10 * REPLY_MAX_NS ||
	    (uint32_t)p->sent - stamp[0] - 1 >= p->sent)
		return;
	rtt_add(&p->interval, now - then);
	rtt_add(&p->total, now - then);
	p->replies++;
	if ((uint32_t)p->sent - stamp[0] <= p->batch)
		p->batch_replies++;
}

static void ring_replies(struct pinger *p, struct netmap_ring *ring)
{
	uint32_t head = ring->head, tail = ring->tail;
	uint64_t now = realtime_ns();

	for (uint32_t n = nm_ring_space(ring); n > 0 && head != tail; n--, head = nm_ring_next(ring, head)) {
		const struct netmap_slot *slot = &ring->slot[head];
		uint32_t buf_idx = slot->buf_idx;
		unsigned len = slot->len;
		uint64_t ofs = NETMAP_ROFFSET(ring, slot);
		const uint8_t *data = (const uint8_t *)NETMAP_BUF(ring, buf_idx) + ofs;

		if (buf_idx >= p->num_bufs || ofs + len > ring->nr_buf_size)
			continue;
		if (p->w->opt->bits & OPT_DUMP)
			dump_bytes(stdout, "received", data, len);
		reply_take(p, data, len, now);
	}
	ring->head = ring->cur = head;
}

static void ping_send(struct pinger *p)
{
	struct worker *w = p->w;
	uint64_t left = w->limit ? w->limit - p->sent : w->burst, bytes = 0;
	unsigned max = left < w->burst ? (unsigned)left : w->burst, n;

	p->batch = p->batch_replies = 0;
	frame_gen_set_time(&p->gen);
	n = tx_filler_fill(&p->filler, NETMAP_TXRING(w->port->nifp, w->port->first_tx_ring), max, &bytes);
	ioctl(w->port->fd, NIOCTXSYNC);
	p->sent += n;
	p->batch_ns = clock_now_ns();
	counters_add(&w->count, n, bytes - (uint64_t)n * w->dev->vnet_len, n != 0);
	/* Without room, the next try comes when a reply would be overdue, or at the next one's time. */
	p->batch = n ? n : 1;
	if (w->rate)
		pacer_sent(&p->pacer, p->batch, p->batch_ns);
}

/*
 * When the next batch may go: at its time if there is a rate, else when all replies to the last one are here
 * or lost.
 */
static uint64_t next_send_ns(const struct pinger *p)
{
	bool finished = p->w->limit && p->sent >= p->w->limit;

	if (p->w->rate && !finished)
		return pacer_due(&p->pacer);
	return p->batch_replies >= p->batch ? 0 : p->batch_ns + REPLY_MAX_NS;
}

static void interval_report(struct pinger *p, uint64_t now)
{
	if (now < p->report_ns)
		return;
	rtt_print_line(&p->interval, stdout);
	p->interval = (struct rtt_stats){ 0 };
	p->report_ns = now + p->w->opt->report_ms * NS_PER_MS;
}

static int replies_wait(struct pinger *p, uint64_t until)
{
	const struct nmport_d *port = p->w->port;
	uint64_t now = clock_now_ns();
	uint64_t left = until > now ? until - now : 0;
	int ms = left >= WORKER_WAIT_MS * NS_PER_MS ? WORKER_WAIT_MS : (int)(left / NS_PER_MS);
	int rc = device_port_wait(p->w->dev, p->w->port, POLLIN, ms);

	if (rc <= 0)
		return rc;
	for (unsigned i = port->first_rx_ring; i <= port->last_rx_ring; i++) {
		struct netmap_ring *ring = NETMAP_RXRING(port->nifp, i);

		if (!nm_ring_empty(ring))
			ring_replies(p, ring);
	}
	return 0;
}

static int ping_loop(struct pinger *p)
{
	struct worker *w = p->w;

	p->report_ns = clock_now_ns() + w->opt->report_ms * NS_PER_MS;
	while (!stop_requested) {
		uint64_t due = next_send_ns(p), now = clock_now_ns();
		int rc;

		interval_report(p, now);
		if (now >= due) {
			if (w->limit && p->sent >= w->limit)
				break;
			ping_send(p);
			due = next_send_ns(p);
		}
		rc = replies_wait(p, due);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void ping_summary(const struct pinger *p)
{
	printf("Ping: %llu sent, %llu replies, %llu lost.\n", (unsigned long long)p->sent,
	       (unsigned long long)p->replies,
	       (unsigned long long)(p->sent > p->replies ? p->sent - p->replies : 0));
	rtt_print_histogram(&p->total, stdout);
}

int ping_run(struct worker *w)
{
	struct pinger *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		goto err_message;
	p->w = w;
	p->num_bufs = region_buffers(w->port, NETMAP_TXRING(w->port->nifp, w->port->first_tx_ring));
	rc = frame_gen_init(&p->gen, w->opt, w->dev->vnet_len, STAMP_PING_LEN, NULL, w->id + 1);
	if (rc)
		goto err_free;
	rc = tx_filler_init(&p->filler, w->opt, &p->gen, w->port);
	if (rc)
		goto err_fini_gen;
	w->first_ns = clock_now_ns();
	pacer_init(&p->pacer, w->rate, w->first_ns);
	rc = ping_loop(p);
	w->last_ns = clock_now_ns();
	ping_summary(p);
	tx_filler_fini(&p->filler);
	frame_gen_fini(&p->gen);
	free(p);
	return rc;

err_fini_gen:
	frame_gen_fini(&p->gen);
err_free:
	free(p);
err_message:
	fprintf(stderr, "pkt-gen: %s: cannot prepare pings of %u bytes: %s\n", w->dev->name, w->opt->len_max,
		strerror(-rc));
	return rc;
}
