/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes rx and rxseq. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "../common/clock.h"
#include "dump.h"
#include "pcap_file.h"
#include "ring.h"
#include "worker.h"

/* Bits of -o that make the receiver look at packets. */
#define BITS_LOOK (OPT_PREFETCH | OPT_ACCESS | OPT_COPY | OPT_DUMP)

#define FRAME_ROOM (FRAME_LEN_MAX + VNET_LEN_MAX + FRAME_PADDING)

struct receiver {
	struct worker *w;
	bool look;		/* packets are looked at, not just counted */
	uint64_t received;
	uint32_t num_bufs;	/* of the region */
	uint8_t *room;		/* FRAME_ROOM bytes: what is read or copied goes here */
	bool continued;		/* the next slot is not the first of its packet */
	uint64_t word;		/* of -o 2, so that the reads are not for nothing */
};

/* Looks at a frame, or the first fragment of it, as the options ask. */
static void frame_look(struct receiver *r, const uint8_t *data, unsigned len, bool first)
{
	const struct worker *w = r->w;
	unsigned vnet = first ? w->dev->vnet_len : 0;
	uint64_t word;

	if ((w->opt->bits & OPT_ACCESS) && len >= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		r->word += word;
	}
	if (w->opt->bits & OPT_COPY) {
		if (w->opt->bits & OPT_MEMCPY)
			memcpy(r->room, data, len);
		else
			nm_pkt_copy(data, r->room, (int)len);
	}
	if (w->opt->bits & OPT_DUMP)
		dump_bytes(stdout, first ? "received" : "received, continued", data, len);
	if (w->opt->mode == MODE_RXSEQ && first && len > vnet)
		sequence_take_frame(&r->w->sequence, data + vnet, len - vnet, w->opt->verbose, stdout);
}

static void slot_look(struct receiver *r, const struct netmap_ring *ring, uint32_t i)
{
	const struct netmap_slot *slot = &ring->slot[i];
	uint32_t buf_idx = slot->buf_idx;
	unsigned len = slot->len;
	uint16_t flags = slot->flags;
	uint64_t ofs = NETMAP_ROFFSET(ring, slot);

	if (r->w->opt->bits & OPT_PREFETCH) {
		uint32_t next = ring->slot[nm_ring_next(ring, i)].buf_idx;

		__builtin_prefetch(NETMAP_BUF(ring, next < r->num_bufs ? next : 0));
	}
	if (buf_idx < r->num_bufs && ofs + len <= ring->nr_buf_size) {
		if (r->w->opt->bits & OPT_DUMP)
			printf("ring %u slot %u buffer %u flags %#x time %lld.%06ld\n", ring->ringid, i,
			       buf_idx, flags, (long long)ring->ts.tv_sec, (long)ring->ts.tv_usec);
		frame_look(r, (const uint8_t *)NETMAP_BUF(ring, buf_idx) + ofs, len, !r->continued);
	}
	r->continued = flags & NS_MOREFRAG;
}

/* Takes up to a burst of slots and gives them back, but no packet past limit (0: none). */
static void ring_receive(struct receiver *r, struct netmap_ring *ring, uint64_t limit)
{
	const uint32_t num_slots = ring->num_slots;
	uint32_t space = nm_ring_space(ring), head = ring->head;
	uint64_t packets = 0, bytes = 0;

	counters_note_space(&r->w->count, num_slots - 1 - space);
	if (space > r->w->burst)
		space = r->w->burst;
	for (uint32_t i = 0; i < space; i++) {
		const struct netmap_slot *slot = &ring->slot[head];
		uint16_t flags = slot->flags;

		bytes += slot->len;
		packets += !(flags & NS_MOREFRAG);
		if (unlikely(r->look))
			slot_look(r, ring, head);
		if (unlikely(++head == num_slots))
			head = 0;
		if (unlikely(packets == limit && limit))
			break;
	}
	ring->head = ring->cur = head;
	r->received += packets;
	counters_add(&r->w->count, packets, bytes - packets * r->w->dev->vnet_len, 1);
}

static void netmap_batch(struct receiver *r)
{
	const struct worker *w = r->w;
	const struct nmport_d *p = w->port;

	for (unsigned i = p->first_rx_ring; i <= p->last_rx_ring; i++) {
		struct netmap_ring *ring = NETMAP_RXRING(p->nifp, i);

		if (nm_ring_empty(ring))
			continue;
		if (w->limit && r->received >= w->limit)
			return;
		ring_receive(r, ring, w->limit ? w->limit - r->received : 0);
	}
}

/*
 * Waits for packets and reads them until the end. wait returns 1 if there are some, 0 after a time without,
 * -errno; batch takes them and returns 0, or -errno, or 1 if there will be no more.
 */
static int receive_loop(struct receiver *r, int (*wait)(struct receiver *, int),
			int (*batch)(struct receiver *))
{
	struct worker *w = r->w;
	int rc = 0;
	bool first;

	while (!stop_requested && (!w->limit || r->received < w->limit)) {
		rc = wait(r, w->opt->exit_when_idle ? 100 : WORKER_WAIT_MS);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			/* The first packet may take as long as it likes. */
			if (w->opt->exit_when_idle && w->first_ns &&
			    clock_now_ns() - w->last_ns >= NS_PER_SEC)
				return 0;
			continue;
		}
		/* Silence at the end does not count. */
		w->last_ns = clock_now_ns();
		first = w->first_ns == 0;
		if (first)
			w->first_ns = w->last_ns;
		rc = batch(r);
		/* If one batch is all there is, the time it took counts. */
		if (first || rc || (w->limit && r->received >= w->limit))
			w->last_ns = clock_now_ns();
		if (rc)
			break;
	}
	return rc < 0 ? rc : 0;
}

static int port_wait(struct receiver *r, int timeout_ms)
{
	return device_port_wait(r->w->dev, r->w->port, POLLIN, timeout_ms);
}

static int port_batch(struct receiver *r)
{
	netmap_batch(r);
	return 0;
}

static int fd_wait(struct receiver *r, int timeout_ms)
{
	struct pollfd pfd = { .fd = r->w->dev->fd, .events = POLLIN };

	/* A negative descriptor, as the null device has, is just a pause. */
	return poll(&pfd, 1, timeout_ms) > 0;
}

static int fd_batch(struct receiver *r)
{
	uint64_t bytes = 0;
	unsigned n = 0;
	ssize_t len = 0;

	while (n < r->w->burst && (!r->w->limit || r->received < r->w->limit)) {
		len = read(r->w->dev->fd, r->room, FRAME_ROOM);
		if (len < 0)
			break;
		if (r->look)
			frame_look(r, r->room, (unsigned)len, true);
		bytes += (uint64_t)len;
		r->received++;
		n++;
	}
	counters_add(&r->w->count, n, bytes, n != 0);
	if (len < 0 && errno != EAGAIN && errno != EINTR) {
		int rc = -errno;

		fprintf(stderr, "pkt-gen: %s: read: %s\n", r->w->dev->name, strerror(-rc));
		return rc;
	}
	return 0;
}

static int pcap_wait(struct receiver *r, int timeout_ms)
{
	(void)r;
	(void)timeout_ms;
	return 1;
}

static int pcap_batch(struct receiver *r)
{
	uint64_t bytes = 0;
	unsigned n = 0;
	int len = 1;

	while (n < r->w->burst && (!r->w->limit || r->received < r->w->limit)) {
		const uint8_t *data;

		len = pcap_file_read(r->w->dev->pcap, &data);
		if (len <= 0)
			break;
		if (r->look && len <= FRAME_LEN_MAX)
			frame_look(r, data, (unsigned)len, true);
		bytes += (uint64_t)len;
		r->received++;
		n++;
	}
	counters_add(&r->w->count, n, bytes, n != 0);
	if (len < 0)
		fprintf(stderr, "pkt-gen: %s: the file is damaged or cut short\n", r->w->dev->name);
	return len < 0 ? len : len == 0;
}

static void netmap_prepare(struct receiver *r)
{
	const struct nmport_d *p = r->w->port;

	r->num_bufs = region_buffers(p, NETMAP_RXRING(p->nifp, p->first_rx_ring));
	if (!(r->w->opt->bits & OPT_TIMESTAMP))
		return;
	for (unsigned i = p->first_rx_ring; i <= p->last_rx_ring; i++)
		NETMAP_RXRING(p->nifp, i)->flags |= NR_TIMESTAMP;
}

int receiver_run(struct worker *w)
{
	struct receiver r = { .w = w, .look = (w->opt->bits & BITS_LOOK) || w->opt->mode == MODE_RXSEQ };
	int rc;

	r.room = calloc(1, FRAME_ROOM);
	if (!r.room) {
		fprintf(stderr, "pkt-gen: no memory for a frame\n");
		return -ENOMEM;
	}
	if (w->port)
		netmap_prepare(&r);
	if (w->port) {
		rc = receive_loop(&r, port_wait, port_batch);
		/* The last slots go back too: a sender may wait for them. */
		ioctl(w->port->fd, NIOCRXSYNC);
	} else if (w->dev->kind == DEVICE_PCAP) {
		rc = receive_loop(&r, pcap_wait, pcap_batch);
	} else {
		rc = receive_loop(&r, fd_wait, fd_batch);
	}
	free(r.room);
	return rc;
}
