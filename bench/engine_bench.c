/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine alone: one thread, one core, no other process. Nanoseconds a packet for a VALE port to another, into a switch where nobody listens, and
 * through a pipe; the data are written once and not read, so that what is left is the engine's own work. One JSON object a line on stdout.
 *
 *	engine-bench [bytes [batch]]		default 60, 256
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net/netmap.h>
#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>

#include "../host/inproc.h"

#define PACKETS		20000000ul
#define RUNS		5

struct end {
	struct inproc_fd fd;
	struct netmap_ring *tx, *rx;
	uint8_t addr[6];
};

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void
end_open(struct end *e, const char *name, uint8_t last)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_body = (uintptr_t)&reg };
	struct netmap_if *nifp;

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	if (inproc_open(&e->fd) != 0 || inproc_ioctl(&e->fd, NIOCCTRL, &hdr) != 0) {
		fprintf(stderr, "%s\n", e->fd.why);
		exit(1);
	}
	nifp = NETMAP_IF(inproc_memory(&e->fd), reg.nr_offset);
	e->tx = NETMAP_TXRING(nifp, 0);
	e->rx = NETMAP_RXRING(nifp, 0);
	memcpy(e->addr, (const uint8_t[6]){ 2, 0, 0, 0, 0, last }, 6);
}

/* Every TX buffer holds a frame for `to`. */
static void
end_fill(struct end *e, const struct end *to, unsigned len)
{
	uint32_t i;

	for (i = 0; i < e->tx->num_slots; i++) {
		char *frame = NETMAP_BUF(e->tx, e->tx->slot[i].buf_idx);

		memcpy(frame, to->addr, 6);
		memcpy(frame + 6, e->addr, 6);
		memcpy(frame + 12, "\x08\x00", 2);
		e->tx->slot[i].len = (uint16_t)len;
	}
}

static unsigned
end_send(struct end *e, unsigned batch)
{
	unsigned n = nm_ring_space(e->tx) < batch ? nm_ring_space(e->tx) : batch;

	e->tx->head = e->tx->cur = (e->tx->head + n) % e->tx->num_slots;
	inproc_ioctl(&e->fd, NIOCTXSYNC, NULL);
	return n;
}

static void
end_receive(struct end *e)
{
	inproc_ioctl(&e->fd, NIOCRXSYNC, NULL);
	e->rx->head = e->rx->cur = e->rx->tail;
}

static double
run(struct end *a, struct end *b, unsigned batch)
{
	double start = seconds();
	unsigned long n = 0;

	while (n < PACKETS) {
		n += end_send(a, batch);
		if (b != NULL)
			end_receive(b);
	}
	return (seconds() - start) / (double)n * 1e9;
}

static int
compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static void
measure(const char *what, const char *from, const char *to, unsigned len, unsigned batch)
{
	static const struct end nobody = { .addr = { 2, 0, 0, 0, 0, 9 } };
	double ns[RUNS];
	struct end a, b;
	int i;

	end_open(&a, from, 1);
	if (to != NULL)
		end_open(&b, to, 2);
	end_fill(&a, to != NULL ? &b : &nobody, len);
	if (to != NULL) {
		/* The switch learns where b is. */
		end_fill(&b, &a, len);
		end_send(&b, 1);
		end_receive(&a);
	}
	for (i = 0; i < RUNS; i++)
		ns[i] = run(&a, to != NULL ? &b : NULL, batch);
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	printf("{\"name\":\"engine/%s\",\"value\":%.2f,\"unit\":\"ns\",\"bytes\":%u,\"batch\":%u}\n", what, ns[RUNS / 2], len, batch);
	inproc_close(&a.fd);
	if (to != NULL)
		inproc_close(&b.fd);
}

int
main(int argc, char **argv)
{
	unsigned len = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
	unsigned batch = argc > 2 ? (unsigned)atoi(argv[2]) : 256;

	if (len < 14 || len > 2048 || batch == 0) {
		fprintf(stderr, "usage: %s [bytes 14..2048 [batch]]\n", argv[0]);
		return 2;
	}
	if (inproc_start() != 0)
		return 1;
	measure("vale", "vale0:a", "vale0:b", len, batch);
	measure("empty", "vale1:a", NULL, len, batch);
	measure("pipe", "p{1", "p}1", len, batch);
	return inproc_stop() == 0 ? 0 : 1;
}
