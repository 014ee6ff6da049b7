/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets on interfaces: the two ends of a wire are opened with and without, in each combination. Frames of
 * all lengths are sent from any offset, both ways, and arrive where the receiver's slots say.
 *
 *	offsets IFNAME PEER
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnetmap.h>

#define FRAMES		300u
#define BATCH		10u
#define HEADER		14u

#define check(x)	((x) ? (void)0 : failed(#x, __LINE__))

struct kind {
	uint64_t initial, max;		/* max 0: without offsets */
};

static const struct kind kinds[] = { { 0, 0 }, { 64, 64 }, { 2, 300 } };

struct end {
	const char *name;
	const struct kind *kind;
	struct nmport_d *d;
	struct netmap_ring *tx, *rx;
};

static unsigned frame_now;

static void __attribute__((noreturn))
failed(const char *what, int line)
{
	fprintf(stderr, "offsets.c:%d: %s does not hold, at frame %u\n", line, what, frame_now);
	exit(1);
}

static void
end_open(struct end *e, const char *ifname, const struct kind *k)
{
	char name[64];

	snprintf(name, sizeof(name), "netmap:%s", ifname);
	e->name = ifname;
	e->kind = k;
	e->d = nmport_prepare(name);
	check(e->d != NULL);
	if (k->max != 0)
		check(nmport_offset(e->d, k->initial, k->max, 16, 0) == 0);
	check(nmport_open_desc(e->d) == 0);
	e->tx = NETMAP_TXRING(e->d->nifp, 0);
	e->rx = NETMAP_RXRING(e->d->nifp, 0);
	check(e->tx->offset_mask == (k->max != 0 ? 0xffff : 0));
}

static unsigned
frame_len(unsigned n)
{
	return 60 + n * 37 % 1455;
}

static void
frame_make(char *frame, unsigned n)
{
	unsigned len = frame_len(n), i;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\2\0\0\0\0\1\x88\xb5", 8);
	for (i = HEADER; i < len; i++)
		frame[i] = (char)(n * 7 + i);
}

static void
batch_send(struct end *e, unsigned first)
{
	unsigned i;

	for (i = 0; i < BATCH; i++) {
		struct netmap_slot *slot = &e->tx->slot[e->tx->head];
		uint64_t ofs = e->kind->max * ((first + i) % 4) / 3;

		frame_now = first + i;
		check(!nm_ring_empty(e->tx));
		NETMAP_WOFFSET(e->tx, slot, ofs);
		/* Where nothing is to be read. */
		memset(NETMAP_BUF(e->tx, slot->buf_idx), 0, e->tx->nr_buf_size);
		frame_make(NETMAP_BUF_OFFSET(e->tx, slot), first + i);
		slot->len = (uint16_t)frame_len(first + i);
		slot->flags = 0;
		e->tx->head = e->tx->cur = nm_ring_next(e->tx, e->tx->head);
	}
	check(ioctl(e->d->fd, NIOCTXSYNC, NULL) == 0);
}

/* Other frames may come along. */
static int
frame_ours(const struct end *e, const struct netmap_slot *slot)
{
	const char *frame = NETMAP_BUF_OFFSET(e->rx, slot);

	return memcmp(frame + 12, "\x88\xb5", 2) == 0;
}

static void
frame_check(const struct end *e, const struct netmap_slot *slot, uint64_t ofs, unsigned n)
{
	const char *buf = NETMAP_BUF(e->rx, slot->buf_idx);
	char want[2048];

	frame_now = n;
	frame_make(want, n);
	check(NETMAP_ROFFSET(e->rx, slot) == ofs);
	check(slot->len == frame_len(n));
	check(memcmp(buf + ofs, want, slot->len) == 0);
}

/* Asks for the next frames to come to certain places. */
static void
places_choose(struct end *e, uint64_t *ofs)
{
	uint32_t i, at;

	for (i = 0, at = e->rx->head; i < e->rx->num_slots; i++, at = nm_ring_next(e->rx, at)) {
		ofs[at] = e->kind->max * (at % 5) / 4;
		NETMAP_WOFFSET(e->rx, &e->rx->slot[at], ofs[at]);
	}
}

static void
batch_receive(struct end *e, const uint64_t *ofs, unsigned first)
{
	struct pollfd pfd = { .fd = e->d->fd, .events = POLLIN };
	unsigned n = 0, tries = 0;

	while (n < BATCH) {
		struct netmap_slot *slot = &e->rx->slot[e->rx->head];

		frame_now = first + n;
		if (nm_ring_empty(e->rx)) {
			check(tries++ < 200);
			check(poll(&pfd, 1, 50) >= 0 && (pfd.revents & POLLERR) == 0);
			continue;
		}
		if (frame_ours(e, slot))
			frame_check(e, slot, ofs[e->rx->head], first + n++);
		/* It stays there for the next turn. */
		e->rx->head = e->rx->cur = nm_ring_next(e->rx, e->rx->head);
	}
	check(ioctl(e->d->fd, NIOCRXSYNC, NULL) == 0);
}

static void
one_way(struct end *from, struct end *to)
{
	uint64_t *ofs = calloc(to->rx->num_slots, sizeof(*ofs));
	unsigned n;

	check(ofs != NULL);
	check(ioctl(to->d->fd, NIOCRXSYNC, NULL) == 0);
	to->rx->head = to->rx->cur = to->rx->tail;
	check(ioctl(to->d->fd, NIOCRXSYNC, NULL) == 0);
	places_choose(to, ofs);
	for (n = 0; n < FRAMES; n += BATCH) {
		batch_send(from, n);
		batch_receive(to, ofs, n);
	}
	free(ofs);
}

int
main(int argc, char **argv)
{
	unsigned i, k, kinds_n = sizeof(kinds) / sizeof(kinds[0]);
	struct end a, b;

	if (argc != 3)
		return 2;
	for (i = 0; i < kinds_n; i++)
		for (k = 0; k < kinds_n; k++) {
			end_open(&a, argv[1], &kinds[i]);
			end_open(&b, argv[2], &kinds[k]);
			one_way(&a, &b);
			one_way(&b, &a);
			nmport_close(a.d);
			nmport_close(b.d);
			printf("offsets up to %llu and %llu: %u frames each way\n",
				(unsigned long long)kinds[i].max, (unsigned long long)kinds[k].max, FRAMES);
		}
	return 0;
}
