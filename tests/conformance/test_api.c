/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both libraries of programs over a live instance: nm_open and its family, nmport_open and its own; and a
 * capture program in the manner of libpcap.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NETMAP_WITH_LIBS
#include <libnetmap.h>

#include "harness.h"
#include "port.h"

static struct nm_desc *
old_open(const char *name)
{
	struct nm_desc *d = nm_open(name, NULL, 0, NULL);

	if (d == NULL)
		check_failed(__FILE__, __LINE__, "nm_open(%s): %s", name, strerror(errno));
	return d;
}

static struct nmport_d *
new_open(const char *name)
{
	struct nmport_d *d = nmport_open(name);

	if (d == NULL)
		check_failed(__FILE__, __LINE__, "nmport_open(%s): %s", name, strerror(errno));
	return d;
}

static void
wait_for(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	check_eq(poll(&pfd, 1, 5000), 1);
	check_eq(pfd.revents, POLLIN);
}

static void
old_and_new(void)
{
	struct nm_desc *a = old_open(vale("a"));
	struct nmport_d *b = new_open(vale("b"));
	struct nm_pkthdr hdr;
	struct netmap_ring *ring;
	uint8_t frame[FRAME_MIN], *buf;

	frame_make(frame, sizeof(frame), 0xff, 1, 1);
	check_eq(nm_inject(a, frame, sizeof(frame)), sizeof(frame));
	check_ok(ioctl(NETMAP_FD(a), NIOCTXSYNC, NULL));
	wait_for(b->fd);
	check(b->first_rx_ring == 0 && b->last_rx_ring == 0);
	ring = NETMAP_RXRING(b->nifp, b->first_rx_ring);
	check_eq(nm_ring_space(ring), 1);
	check(memcmp(NETMAP_BUF(ring, ring->slot[0].buf_idx), frame, sizeof(frame)) == 0);
	ring->head = ring->cur = 1;
	frame_make(frame, sizeof(frame), 1, 2, 2);
	check_eq(nmport_inject(b, frame, sizeof(frame)), sizeof(frame));
	check_ok(ioctl(b->fd, NIOCTXSYNC, NULL));
	wait_for(a->fd);
	buf = nm_nextpkt(a, &hdr);
	check(buf != NULL && hdr.len == sizeof(frame) && memcmp(buf, frame, sizeof(frame)) == 0);
	check(nm_nextpkt(a, &hdr) == NULL);
	check_eq(nm_close(a), 0);
	nmport_close(b);
}

static void
inject_full(void)
{
	struct nmport_d *m, *s;
	uint8_t frame[4000];
	char name[NETMAP_REQ_IFNAMSIZ];
	unsigned n = 0;

	memset(frame, 3, sizeof(frame));
	snprintf(name, sizeof(name), "%s{1@conf:slots=16", vale("p"));
	m = new_open(name);
	check_eq(m->reg.nr_tx_slots, 16);
	snprintf(name, sizeof(name), "%s}1", vale("p"));
	s = new_open(name);
	/* Two slots each: seven fit into fifteen. */
	while (nmport_inject(m, frame, sizeof(frame)) != 0)
		n++;
	check_eq(n, 7);
	check_ok(ioctl(m->fd, NIOCTXSYNC, NULL));
	check_ok(ioctl(s->fd, NIOCRXSYNC, NULL));
	check_eq(nm_ring_space(NETMAP_RXRING(s->nifp, 0)), 14);
	check_eq(NETMAP_RXRING(s->nifp, 0)->slot[0].flags & NS_MOREFRAG, NS_MOREFRAG);
	nmport_close(m);
	nmport_close(s);
}

/* Ports of one region share one mapping: by pointers programs see that buffers may be swapped. */
static void
shared_region(void)
{
	struct nmport_d *a = new_open(vale("a")), *b, *c, *d;
	char name[NETMAP_REQ_IFNAMSIZ];

	snprintf(name, sizeof(name), "%s@%u", vale("b"), a->reg.nr_mem_id);
	b = new_open(name);
	check(b->mem == a->mem && b->reg.nr_mem_id == a->reg.nr_mem_id);
	c = new_open(vale("c"));
	check(c->mem != a->mem);
	snprintf(name, sizeof(name), "%s@share=%s", vale("d"), vale("a"));
	d = new_open(name);
	check(d->mem == a->mem);
	/* The one that made the mapping goes first. */
	nmport_close(a);
	NETMAP_TXRING(b->nifp, 0)->slot[0].len = 60;
	memset(NETMAP_BUF(NETMAP_TXRING(b->nifp, 0), NETMAP_TXRING(b->nifp, 0)->slot[0].buf_idx), 0xff, 60);
	NETMAP_TXRING(b->nifp, 0)->head = NETMAP_TXRING(b->nifp, 0)->cur = 1;
	check_ok(ioctl(b->fd, NIOCTXSYNC, NULL));
	wait_for(d->fd);
	wait_for(c->fd);
	nmport_close(b);
	nmport_close(c);
	nmport_close(d);
}

static void
clones(void)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	struct nmport_d *a, *b;

	snprintf(name, sizeof(name), "%s@conf:rings=4", vale("a"));
	a = new_open(name);
	check_eq(a->last_tx_ring, 3);
	b = nmport_clone(a);
	check(b != NULL);
	b->reg.nr_mode = NR_REG_ONE_NIC;
	b->reg.nr_ringid = 3;
	check_ok(nmport_open_desc(b));
	check(b->first_tx_ring == 3 && b->last_tx_ring == 3 && b->mem == a->mem);
	check(NETMAP_TXRING(b->nifp, 3) == NETMAP_TXRING(a->nifp, 3));
	nmport_close(a);
	nmport_close(b);
}

static void
old_details(void)
{
	struct nm_desc *p, *c;
	char name[NETMAP_REQ_IFNAMSIZ];
	struct nmreq req = { .nr_tx_rings = 2, .nr_rx_rings = 2, .nr_tx_slots = 128, .nr_rx_slots = 128,
		.nr_arg3 = 7 };

	p = nm_open(vale("a"), &req, NM_OPEN_ARG3 | NM_OPEN_RING_CFG, NULL);
	check(p != NULL);
	check(p->last_tx_ring == 1 && p->last_rx_ring == 1 && p->req.nr_tx_slots == 128);
	check(p->memsize == p->req.nr_memsize && p->done_mmap);
	/* A second port of its region takes the parent's mapping. */
	snprintf(name, sizeof(name), "%s@%u", vale("b"), p->req.nr_arg2);
	c = nm_open(name, NULL, NM_OPEN_NO_MMAP, p);
	check(c != NULL && c->mem == p->mem && !c->done_mmap);
	check_eq(nm_close(c), 0);
	snprintf(name, sizeof(name), "%s-1/x", vale("c"));
	req = (struct nmreq){ .nr_tx_rings = 2, .nr_rx_rings = 2 };
	c = nm_open(name, &req, 0, NULL);
	check(c != NULL && c->first_tx_ring == 1 && c->last_tx_ring == 1);
	check_eq(nm_close(c), 0);
	check_eq(nm_close(p), 0);
	snprintf(name, sizeof(name), "%s{3", vale("p"));
	p = old_open(name);
	snprintf(name, sizeof(name), "%s}3", vale("p"));
	c = old_open(name);
	check_eq(nm_inject(p, "0123456789012345678901234567890123456789012345678901234567890", 60), 60);
	check_ok(ioctl(p->fd, NIOCTXSYNC, NULL));
	wait_for(c->fd);
	check_eq(nm_close(p), 0);
	check_eq(nm_close(c), 0);
}

/* --- capture --- */

#define CAPTURED	5000

struct capture {
	uint64_t next, bytes, lasts;
};

static void
capture_frame(unsigned char *arg, const struct nm_pkthdr *hdr, const unsigned char *buf)
{
	struct capture *c = (void *)arg;

	check_eq(hdr->caplen, hdr->len);
	check_eq(hdr->len, FRAME_MIN + c->next % 1000);
	check_eq(frame_number(buf), c->next);
	check(frame_good(buf, hdr->len));
	check(hdr->ts.tv_sec > 1000000000);
	c->next++;
	c->bytes += hdr->len;
	c->lasts += (hdr->flags & NM_MORE_PKTS) == 0;
}

/*
 * What libpcap does with netmap: opens a port by its name, waits, and hands each packet to a callback; here
 * to the last of them.
 */
static void
capture_run(void *arg)
{
	struct nm_desc *d = old_open(arg);
	struct capture c = { 0 };
	unsigned calls = 0;

	while (c.next < CAPTURED) {
		struct pollfd pfd = { .fd = NETMAP_FD(d), .events = POLLIN };
		int n;

		check_eq(poll(&pfd, 1, 10000), 1);
		/* By turns all that is there, and some of it. */
		n = nm_dispatch(d, calls % 3 == 0 ? -1 : (int)(calls % 7) + 1, capture_frame, (void *)&c);
		check(n > 0 || nm_ring_empty(NETMAP_RXRING(d->nifp, 0)));
		calls += n > 0;
	}
	check_eq(c.lasts, calls);
	check_eq(nm_close(d), 0);
}

static void
capture(void)
{
	static char name[NETMAP_REQ_IFNAMSIZ], peer[NETMAP_REQ_IFNAMSIZ];
	static uint8_t frame[FRAME_ROOM];
	struct port p;
	pid_t pid;

	/* A pipe, so that nothing is lost. */
	snprintf(name, sizeof(name), "%s}1", vale("p"));
	snprintf(peer, sizeof(peer), "%s{1", vale("p"));
	pid = spawn(capture_run, name);
	port_open(&p, peer);
	for (uint64_t n = 0; n < CAPTURED; n++) {
		size_t len = FRAME_MIN + n % 1000;

		frame_make(frame, len, 2, 1, n);
		while (!port_put(&p, frame, len))
			check_eq(port_poll(&p, POLLOUT, 10000), POLLOUT);
	}
	port_txsync(&p);
	join(pid);
}

static const struct test_case cases[] = {
	{ "old_and_new", old_and_new, 0, false },
	{ "inject_full", inject_full, 0, false },
	{ "shared_region", shared_region, 0, false },
	{ "clones", clones, 0, false },
	{ "old_details", old_details, 0, false },
	{ "capture", capture, 0, false },
};

TEST_MAIN(cases, NULL)
