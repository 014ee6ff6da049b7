/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes tx and txseq. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "dump.h"
#include "pacing.h"
#include "pcap_file.h"
#include "ring.h"
#include "worker.h"

/* Nearer than this to its time a packet is waited for without sleeping. */
#define SPIN_NS (60 * NS_PER_US)
/* Longest sleep without looking for the end. */
#define SLEEP_NS (100 * NS_PER_MS)
/* How long packets may still leave the rings after the end was asked for. */
#define DRAIN_STOPPED_NS (200 * NS_PER_MS)
/* When the user is told what the program waits for. */
#define DRAIN_QUIET_NS (2 * NS_PER_SEC)

struct sender {
	struct worker *w;
	struct frame_gen gen;
	struct tx_filler filler;	/* netmap only */
	struct pacer pacer;		/* if the worker has a rate */
	uint64_t sent;
	unsigned ring;			/* where the next batch goes if there is a rate */
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Waits until the next packet is due, or the end was asked for. */
static void pace(const struct pacer *p)
{
	uint64_t due = pacer_due(p), now;

	while (!stop_requested && (now = clock_now_ns()) < due) {
		uint64_t left = due - now;
		struct timespec ts;

		if (left <= SPIN_NS) {
			cpu_relax();
			continue;
		}
		left -= SPIN_NS;
		ts = clock_to_timespec(left < SLEEP_NS ? left : SLEEP_NS);
		nanosleep(&ts, NULL);
	}
}

/* Packets of the next batch; 0 at the end. */
static unsigned batch_size(const struct sender *s)
{
	uint64_t left = s->w->limit - s->sent;

	if (stop_requested)
		return 0;
	return s->w->limit && left < s->w->burst ? (unsigned)left : s->w->burst;
}

static void batch_done(struct sender *s, unsigned n, uint64_t bytes)
{
	s->sent += n;
	counters_add(&s->w->count, n, bytes, n != 0);
	if (s->w->rate)
		pacer_sent(&s->pacer, n, clock_now_ns());
}

/* Vnet headers are not part of what is reported. */
static uint64_t payload_bytes(const struct sender *s, unsigned n, uint64_t bytes)
{
	return bytes - (uint64_t)n * s->w->dev->vnet_len;
}

/* A batch of up to a burst for one ring. */
static void ring_batch(struct sender *s, unsigned i)
{
	struct netmap_ring *ring = NETMAP_TXRING(s->w->port->nifp, i);
	unsigned n;
	uint64_t bytes = 0;

	counters_note_space(&s->w->count, nm_ring_space(ring));
	n = tx_filler_fill(&s->filler, ring, batch_size(s), &bytes);
	if (n)
		batch_done(s, n, payload_bytes(s, n, bytes));
}

/*
 * A batch for each ring of the port; at a rate for one of them in turn, since the pause comes after each
 * batch.
 */
static void netmap_batch(struct sender *s)
{
	const struct nmport_d *p = s->w->port;

	if (s->w->rate) {
		ring_batch(s, s->ring);
		s->ring = s->ring == p->last_tx_ring ? p->first_tx_ring : s->ring + 1;
		return;
	}
	for (unsigned i = p->first_tx_ring; i <= p->last_tx_ring && batch_size(s); i++)
		ring_batch(s, i);
}

static bool tx_pending(const struct nmport_d *p)
{
	for (unsigned i = p->first_tx_ring; i <= p->last_tx_ring; i++) {
		if (nm_tx_pending(NETMAP_TXRING(p->nifp, i)))
			return true;
	}
	return false;
}

/*
 * Until everything has left the rings, and that is the end of the measured time; not for long if the end was
 * asked for, a pipe's peer may be gone.
 */
static void netmap_drain(struct worker *w)
{
	const struct nmport_d *p = w->port;
	struct timespec pause = { .tv_nsec = 1000 };
	uint64_t deadline = 0, tell = clock_now_ns() + DRAIN_QUIET_NS;

	w->last_ns = clock_now_ns();
	ioctl(p->fd, NIOCTXSYNC);
	while (tx_pending(p)) {
		uint64_t now = clock_now_ns();

		if (stop_requested && deadline == 0)
			deadline = now + DRAIN_STOPPED_NS;
		if (deadline && now >= deadline)
			break;
		if (now >= tell) {
			fprintf(stderr, "pkt-gen: %s: waiting for the last packets to be sent or received\n",
				w->dev->name);
			tell = UINT64_MAX;
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < (long)NS_PER_MS)
			pause.tv_nsec *= 2;
		ioctl(p->fd, NIOCTXSYNC);
	}
	if (!tx_pending(p))
		w->last_ns = clock_now_ns();
}

static int netmap_send(struct sender *s)
{
	struct worker *w = s->w;

	s->ring = w->port->first_tx_ring;
	while (batch_size(s)) {
		int rc;

		if (w->rate) {
			/* What was put before must leave now: poll() comes only after the pause. */
			ioctl(w->port->fd, NIOCTXSYNC);
			pace(&s->pacer);
		}
		/* Sends, and sleeps only if no ring has more room than it had. */
		rc = device_port_wait(w->dev, w->port, POLLOUT, WORKER_WAIT_MS);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		if (s->gen.stamp_len == STAMP_PING_LEN)
			frame_gen_set_time(&s->gen);
		netmap_batch(s);
	}
	netmap_drain(w);
	return 0;
}

/* Writes one frame to the tap. Waits while its queue is full. */
static int tap_write(const struct worker *w, const uint8_t *data, unsigned len)
{
	struct pollfd pfd = { .fd = w->dev->fd, .events = POLLOUT };

	while (write(w->dev->fd, data, len) < 0) {
		if (stop_requested)
			return -EINTR;
		if (errno == EAGAIN) {
			poll(&pfd, 1, WORKER_WAIT_MS);
		} else if (errno != EINTR) {
			int rc = -errno;

			fprintf(stderr, "pkt-gen: %s: write: %s%s\n", w->dev->name, strerror(-rc),
				rc == -EIO ? ": bring the interface up" : "");
			return rc;
		}
	}
	return 0;
}

static int plain_batch(struct sender *s, unsigned max)
{
	struct worker *w = s->w;
	uint64_t bytes = 0;
	unsigned n;
	int rc = 0;

	for (n = 0; n < max; n++) {
		frame_gen_next(&s->gen);
		if (w->dev->kind == DEVICE_TAP)
			rc = tap_write(w, s->gen.data, s->gen.len);
		else if (w->dev->kind == DEVICE_PCAP)
			pcap_file_write(w->dev->pcap, s->gen.data, s->gen.len);
		if (rc)
			break;
		if (w->opt->bits & OPT_DUMP)
			dump_bytes(stdout, "sent", s->gen.data, s->gen.len);
		bytes += s->gen.len;
	}
	batch_done(s, n, bytes);
	return rc == -EINTR ? 0 : rc;
}

static int plain_send(struct sender *s)
{
	unsigned max;
	int rc = 0;

	while (rc == 0 && (max = batch_size(s)) != 0) {
		if (s->w->rate)
			pace(&s->pacer);
		if (s->gen.stamp_len == STAMP_PING_LEN)
			frame_gen_set_time(&s->gen);
		rc = plain_batch(s, max);
	}
	return rc;
}

static int filler_start(struct sender *s)
{
	const struct worker *w = s->w;
	int rc = tx_filler_init(&s->filler, w->opt, &s->gen, w->port);

	if (rc == -EMSGSIZE)
		fprintf(stderr,
			"pkt-gen: %s: a frame of %u bytes takes more slots than a packet (%d) or a ring may "
			"have: use smaller frames, fewer and larger fragments (-F, -M), or more slots (-C)\n",
			w->dev->name, s->gen.len_max, NETMAP_MAX_FRAGS);
	else if (rc)
		fprintf(stderr, "pkt-gen: %s: no memory for %u buffer marks\n", w->dev->name,
			s->filler.num_bufs);
	return rc;
}

int sender_run(struct worker *w)
{
	struct sender s = { .w = w };
	unsigned stamp = w->opt->mode == MODE_TXSEQ ? STAMP_SEQUENCE_LEN :
		(w->opt->bits & OPT_TIMESTAMP) ? STAMP_PING_LEN : 0;
	int rc = frame_gen_init(&s.gen, w->opt, w->dev->vnet_len, stamp, w->file, w->id + 1);

	if (rc) {
		fprintf(stderr, "pkt-gen: no memory for a frame of %u bytes\n", w->opt->len_max);
		return rc;
	}
	if (w->port) {
		rc = filler_start(&s);
		if (rc)
			goto err_fini_gen;
	}
	w->first_ns = clock_now_ns();
	pacer_init(&s.pacer, w->rate, w->first_ns);
	rc = w->port ? netmap_send(&s) : plain_send(&s);
	if (w->last_ns == 0)
		w->last_ns = clock_now_ns();
	if (w->port)
		tx_filler_fini(&s.filler);
err_fini_gen:
	frame_gen_fini(&s.gen);
	return rc;
}
