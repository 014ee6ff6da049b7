/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine alone: one thread, one core, no other process. Nanoseconds a packet for a VALE port to another, into a switch where nobody listens, and
 * through a pipe, and on a switch where a module decides; the data are written once and not read, so that what is left is the engine's own work. Then
 * the bytes that a receiver gets when 64 KiB TCP packets are segmented for it, as a ratio to those of plain 1500 byte frames, and what a monitor costs
 * that the same thread reads. One JSON object a line on stdout.
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

#define PACKETS		10000000ul
#define RUNS		5
#define BYTES		4000000000ul		/* of a run that counts bytes */
#define VNET_HDR	12u
#define TSO_LEN		65226u			/* an Ethernet header, the longest whole number of segments */
#define TSO_MSS		1460u
#define TSO_BATCH	8u			/* packets */

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
end_open(struct end *e, const char *name, uint8_t last, uint64_t flags)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = flags };
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

/* A worker, which is this thread, forwards what is sent. */
static bool deferred;

static double
run(struct end *a, struct end *b, unsigned batch)
{
	double start = seconds();
	unsigned long n = 0;

	while (n < PACKETS) {
		n += end_send(a, batch);
		if (deferred)
			inproc_work_switches();
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

	end_open(&a, from, 1, 0);
	if (to != NULL)
		end_open(&b, to, 2, 0);
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

/* As programs do: length and flags of each slot are set anew. */
static void
end_prepare(struct end *e, unsigned len, unsigned batch)
{
	uint32_t i = e->tx->head;

	for (; batch > 0; batch--, i = i + 1 == e->tx->num_slots ? 0 : i + 1) {
		e->tx->slot[i].len = (uint16_t)len;
		e->tx->slot[i].flags = 0;
	}
}

static double
run_monitored(struct end *a, struct end *b, struct end *m, unsigned len, unsigned batch)
{
	double start = seconds();
	unsigned long n = 0;

	while (n < PACKETS) {
		end_prepare(a, len, batch);
		n += end_send(a, batch);
		end_receive(b);
		if (m != NULL)
			end_receive(m);
	}
	return (seconds() - start) / (double)n * 1e9;
}

/* With a monitor of the sender, which is read or not, beside the same without one: A B A B. */
static void
measure_monitor(const char *what, const char *from, const char *to, uint64_t flags, unsigned len, unsigned batch, bool read)
{
	double ns[2][RUNS];
	struct end a, b, m;
	int i;

	end_open(&a, from, 1, 0);
	end_open(&b, to, 2, 0);
	end_fill(&a, &b, len);
	end_fill(&b, &a, len);
	end_send(&b, 1);
	end_receive(&a);
	for (i = 0; i < RUNS; i++) {
		ns[0][i] = run_monitored(&a, &b, NULL, len, batch);
		end_open(&m, from, 3, flags);
		ns[1][i] = run_monitored(&a, &b, read ? &m : NULL, len, batch);
		inproc_close(&m.fd);
	}
	for (i = 0; i < 2; i++)
		qsort(ns[i], RUNS, sizeof(ns[i][0]), compare);
	printf("{\"name\":\"engine/monitor/%s\",\"value\":%.2f,\"unit\":\"ns\",\"bytes\":%u,\"batch\":%u,\"without\":%.2f}\n", what, ns[1][RUNS / 2],
		len, batch, ns[0][RUNS / 2]);
	inproc_close(&a.fd);
	inproc_close(&b.fd);
}

/* --- segmentation --- */

static void
end_header_set(struct end *e, const char *name, unsigned len)
{
	struct nmreq_port_hdr body = { .nr_hdr_len = len };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_PORT_HDR_SET, .nr_body = (uintptr_t)&body };

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	if (inproc_ioctl(&e->fd, NIOCCTRL, &hdr) != 0) {
		fprintf(stderr, "%s\n", e->fd.why);
		exit(1);
	}
}

/* A TCP packet of TSO_LEN bytes to be segmented, behind its virtio-net header. */
static void
tso_make(uint8_t *p, const struct end *from, const struct end *to)
{
	static const uint8_t ip_tcp[40] = { 0x45, [8] = 64, 6, [12] = 10, 0, 0, 1, 10, 0, 0, 2, [32] = 0x50, 0x10 };
	const uint16_t gso[4] = { 54, TSO_MSS, 34, 16 };
	uint16_t len = TSO_LEN - 14;

	memset(p, 0, VNET_HDR + TSO_LEN);
	p[0] = 1;	/* checksum to be completed */
	p[1] = 1;	/* TCP over IPv4 */
	memcpy(p + 2, gso, sizeof(gso));
	p += VNET_HDR;
	memcpy(p, to->addr, 6);
	memcpy(p + 6, from->addr, 6);
	memcpy(p + 12, "\x08\x00", 2);
	memcpy(p + 14, ip_tcp, sizeof(ip_tcp));
	p[16] = (uint8_t)(len >> 8);
	p[17] = (uint8_t)len;
}

/* Fills the TX ring with as many such packets as it holds whole; returns the slots of one. */
static unsigned
tso_fill(struct end *e, const struct end *to)
{
	static uint8_t packet[VNET_HDR + TSO_LEN];
	unsigned buf = e->tx->nr_buf_size, slots = (sizeof(packet) + buf - 1) / buf;
	uint32_t i;

	tso_make(packet, e, to);
	for (i = 0; i < e->tx->num_slots; i++) {
		unsigned k = i % slots, ofs = k * buf, part = sizeof(packet) - ofs < buf ? sizeof(packet) - ofs : buf;

		memcpy(NETMAP_BUF(e->tx, e->tx->slot[i].buf_idx), packet + ofs, part);
		e->tx->slot[i].len = (uint16_t)part;
		e->tx->slot[i].flags = k + 1 < slots ? NS_MOREFRAG : 0;
	}
	return slots;
}

/* Bytes a nanosecond that arrive. `slots`: of a packet, of which `batch` go at a time. */
static double
run_bytes(struct end *a, struct end *b, unsigned slots, unsigned batch)
{
	unsigned whole = a->tx->num_slots / slots * slots;
	unsigned long bytes = 0;
	double start = seconds();

	while (bytes < BYTES) {
		uint32_t head = a->tx->head + slots * batch, i;

		/* Packets do not cross the ring's end: its last slots are skipped, as empty ones. */
		if (head > whole) {
			for (i = a->tx->head; i < a->tx->num_slots; i++)
				if (i >= whole)
					a->tx->slot[i].flags = a->tx->slot[i].len = 0;
			head = 0;
		}
		a->tx->head = a->tx->cur = head % a->tx->num_slots;
		inproc_ioctl(&a->fd, NIOCTXSYNC, NULL);
		inproc_ioctl(&b->fd, NIOCRXSYNC, NULL);
		for (i = b->rx->head; i != b->rx->tail; i = i + 1 == b->rx->num_slots ? 0 : i + 1)
			bytes += b->rx->slot[i].len;
		b->rx->head = b->rx->cur = b->rx->tail;
	}
	return (double)bytes / (seconds() - start) * 1e-9;
}

static void
measure_tso(void)
{
	struct end a, b, big;
	double plain[RUNS], tso[RUNS], ratio[RUNS];
	unsigned slots;
	int i;

	end_open(&a, "vale2:a", 1, 0);
	end_open(&b, "vale2:b", 2, 0);
	end_open(&big, "vale2:big", 3, 0);
	end_fill(&a, &b, 1500);
	end_fill(&b, &a, 60);
	end_send(&b, 1);
	end_header_set(&big, "vale2:big", VNET_HDR);
	slots = tso_fill(&big, &b);
	for (i = 0; i < RUNS; i++) {
		plain[i] = run_bytes(&a, &b, 1, 256);
		tso[i] = run_bytes(&big, &b, slots, TSO_BATCH);
		ratio[i] = tso[i] / plain[i];
	}
	qsort(plain, RUNS, sizeof(plain[0]), compare);
	qsort(tso, RUNS, sizeof(tso[0]), compare);
	qsort(ratio, RUNS, sizeof(ratio[0]), compare);
	printf("{\"name\":\"vnet/plain\",\"value\":%.2f,\"unit\":\"GB/s\",\"bytes\":1500,\"batch\":256}\n", plain[RUNS / 2]);
	printf("{\"name\":\"vnet/tso\",\"value\":%.2f,\"unit\":\"GB/s\",\"bytes\":%u,\"batch\":%u,\"ratio\":%.2f}\n", tso[RUNS / 2],
		TSO_LEN, TSO_BATCH, ratio[RUNS / 2]);
	inproc_close(&a.fd);
	inproc_close(&b.fd);
	inproc_close(&big.fd);
}

/* The least that a module can do: all goes to port 1. */
static void
module_lookup(void *ctx, struct netmap_switch_packet *packets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		packets[i].dst_port = 1;
}

static void
measure_module(unsigned len, unsigned batch)
{
	static const struct netmap_switch_module module = {
		.abi = NETMAP_SWITCH_ABI, .size = sizeof(module), .name = "bench", .header_len = 64, .lookup = module_lookup,
	};

	if (inproc_own("vale2", 1) != 0 || inproc_module_set("vale2", 1, &module) != 0)
		exit(1);
	deferred = true;
	measure("module", "vale2:a", "vale2:b", len, batch);
	deferred = false;
	inproc_disown("vale2", 1);
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
	measure_module(len, batch);
	measure_monitor("pipe/zcopy", "p{2", "p}2", NR_ZCOPY_MON, len, batch, true);
	measure_monitor("pipe/zcopy-ignored", "p{2", "p}2", NR_ZCOPY_MON, len, batch, false);
	measure_monitor("pipe/copy", "p{2", "p}2", NR_MONITOR_TX, len, batch, true);
	measure_monitor("vale/zcopy", "vale3:a", "vale3:b", NR_ZCOPY_MON, len, batch, true);
	measure_monitor("vale/copy", "vale3:a", "vale3:b", NR_MONITOR_TX, len, batch, true);
	measure_tso();
	return inproc_stop() == 0 ? 0 : 1;
}
