/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option for offsets, between processes: the request, what becomes of frames, and what the library makes
 * of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define FRAME	200
#define FRAMES	100

/* bits < 0: without the option. */
struct kind {
	uint64_t initial, max;
	int bits;
};

static const struct kind kinds[] = { { 0, 0, -1 }, { 64, 64, 64 }, { 30, 200, 10 } };

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static int
offsets_request(int fd, const char *name, struct nmreq_register *reg, struct nmreq_opt_offsets *opt)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API,
		.nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)reg,
		.nr_options = (uintptr_t)opt };

	opt->nro_opt.nro_reqtype = NETMAP_REQ_OPT_OFFSETS;
	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	return ioctl(fd, NIOCCTRL, &hdr) == 0 ? 0 : -errno;
}

static void
kind_open(struct port *p, const char *name, const struct kind *k)
{
	struct nmreq_opt_offsets opt = { .nro_initial_offset = k->initial,
		.nro_max_offset = k->max,
		.nro_offset_bits = (uint32_t)k->bits };

	if (k->bits < 0) {
		port_open(p, name);
		return;
	}
	p->fd = device_open();
	p->reg = (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
	check_eq(offsets_request(p->fd, name, &p->reg, &opt), 0);
	check_eq(opt.nro_opt.nro_status, 0);
	p->size = p->reg.nr_memsize;
	p->mem = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	check(p->mem != MAP_FAILED);
	p->nifp = NETMAP_IF(p->mem, p->reg.nr_offset);
}

/* --- the request --- */

static void
refused(void)
{
	static const struct {
		uint64_t initial, max;
		uint32_t bits;
		int error;
	} rows[] = { { 0, 0, 65, EINVAL }, { 0, 1 << 20, 0, EINVAL }, { 0, UINT64_MAX, 0, EINVAL },
		{ 0, 256, 8, EINVAL }, { 65, 64, 0, EINVAL }, { 64, 64, 0, 0 }, { 255, 255, 8, 0 },
		{ 0, 0, 0, 0 } };
	unsigned i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nmreq_opt_offsets opt = { .nro_initial_offset = rows[i].initial,
			.nro_max_offset = rows[i].max,
			.nro_offset_bits = rows[i].bits };
		struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
		int fd = device_open();

		check_eq(offsets_request(fd, vale("a"), &reg, &opt), -rows[i].error);
		check_eq(opt.nro_opt.nro_status, rows[i].error);
		check_eq(opt.nro_max_offset, rows[i].max);
		check_eq(opt.nro_offset_bits, rows[i].error == 0 && rows[i].bits == 0 ? 64 : rows[i].bits);
		close(fd);
	}
}

static void
busy(void)
{
	struct nmreq_opt_offsets opt = { .nro_max_offset = 201, .nro_offset_bits = 10 };
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct port a, b;
	int fd;

	kind_open(&a, vale("a"), &kinds[2]);
	check_eq(port_tx(&a, 0)->offset_mask, 1023);
	check_eq(NETMAP_ROFFSET(port_rx(&a, 0), &port_rx(&a, 0)->slot[17]), 30);
	NETMAP_WOFFSET(port_tx(&a, 0), &port_tx(&a, 0)->slot[3], 77);
	fd = device_open();
	check_eq(offsets_request(fd, vale("a"), &reg, &opt), -EBUSY);
	check_eq(opt.nro_opt.nro_status, EBUSY);
	opt.nro_max_offset = 10;
	opt.nro_offset_bits = 11;
	check_eq(offsets_request(fd, vale("a"), &reg, &opt), -EBUSY);
	opt.nro_offset_bits = 10;
	check_eq(offsets_request(fd, vale("a"), &reg, &opt), 0);
	close(fd);
	/* Who comes later finds the slots as they are. */
	port_open(&b, vale("a"));
	check_eq(NETMAP_ROFFSET(port_tx(&b, 0), &port_tx(&b, 0)->slot[3]), 77);
	check_eq(NETMAP_ROFFSET(port_tx(&b, 0), &port_tx(&b, 0)->slot[4]), 30);
}

static void
not_supported(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC,
		.nr_flags = NR_MONITOR_TX | NR_MONITOR_RX | NR_ZCOPY_MON };
	struct nmreq_opt_offsets opt = { .nro_max_offset = 8 };
	struct port a;
	int fd = device_open();

	port_open(&a, vale("a"));
	check_eq(offsets_request(fd, vale("a"), &reg, &opt), -EOPNOTSUPP);
	check_eq(opt.nro_opt.nro_status, EOPNOTSUPP);
	close(fd);
}

/* --- frames --- */

struct side {
	char name[64];
	unsigned kind;
};

static void
sender(void *arg)
{
	const struct side *s = arg;
	struct netmap_ring *r;
	struct port p;
	unsigned i;

	kind_open(&p, s->name, &kinds[s->kind]);
	r = port_tx(&p, 0);
	for (i = 0; i < FRAMES; i++) {
		struct netmap_slot *slot = &r->slot[r->head];

		if (i % 2 != 0)
			NETMAP_WOFFSET(r, slot, kinds[s->kind].max);
		frame_make(NETMAP_BUF_OFFSET(r, slot), FRAME, 0xff, 1, i);
		slot->len = FRAME;
		slot->flags = 0;
		r->head = r->cur = nm_ring_next(r, r->head);
	}
	port_txsync(&p);
	/* In a pipe they are there as long as we are, or the other end. */
	while (nm_tx_pending(r) && strchr(s->name, '{') != NULL && port_poll(&p, POLLOUT, 10) >= 0)
		port_txsync(&p);
}

static void
frames_expect(struct port *p)
{
	struct netmap_ring *r = port_rx(p, 0);
	unsigned i;

	for (i = 0; i < FRAMES; i++) {
		const struct netmap_slot *slot = &r->slot[r->head];

		if (nm_ring_empty(r))
			check_eq(port_poll(p, POLLIN, 5000), POLLIN);
		check_eq(slot->len, FRAME);
		check(frame_good(NETMAP_BUF_OFFSET(r, slot), FRAME));
		check_eq(frame_number(NETMAP_BUF_OFFSET(r, slot)), i);
		r->head = r->cur = nm_ring_next(r, r->head);
	}
	port_rxsync(p);
}

static void
between(const char *from, const char *to)
{
	struct side s;
	struct port p;
	pid_t pid;
	unsigned k;

	for (s.kind = 0; s.kind < KINDS; s.kind++)
		for (k = 0; k < KINDS; k++) {
			snprintf(s.name, sizeof(s.name), "%s", from);
			kind_open(&p, to, &kinds[k]);
			pid = spawn(sender, &s);
			frames_expect(&p);
			join(pid);
			port_close(&p);
		}
}

static void
on_a_switch(void)
{
	char to[64];

	strcpy(to, vale("to"));
	between(vale("from"), to);
}

static void
in_a_pipe(void)
{
	char to[64];

	strcpy(to, vale("p}1"));
	between(vale("p{1"), to);
}

/* --- the library --- */

static void
library(void)
{
	static uint8_t frame[4000];
	char name[96];
	struct nmport_d *d;
	struct netmap_ring *r;
	struct port p;

	nmctx_get()->verbose = 0;
	snprintf(name, sizeof(name), "%s@offset:initial=40,bits=12", vale("a"));
	d = nmport_open(name);
	check(d != NULL);
	r = NETMAP_TXRING(d->nifp, 0);
	check_eq(r->offset_mask, 4095);
	check_eq(NETMAP_ROFFSET(r, &r->slot[9]), 40);
	port_open(&p, vale("b"));
	/* In two slots, each behind its offset. */
	frame_make(frame, sizeof(frame), 0xff, 1, 4);
	check_eq(nmport_inject(d, frame, sizeof(frame)), sizeof(frame));
	check_eq(r->slot[0].len, r->nr_buf_size - 40);
	check_ok(ioctl(d->fd, NIOCTXSYNC, NULL));
	port_rxsync(&p);
	r = port_rx(&p, 0);
	check_eq(r->tail, 2);
	check_eq(r->slot[0].len + r->slot[1].len, sizeof(frame));
	check(memcmp(NETMAP_BUF(r, r->slot[0].buf_idx), frame, r->slot[0].len) == 0);
	check(memcmp(NETMAP_BUF(r, r->slot[1].buf_idx), frame + r->slot[0].len, r->slot[1].len) == 0);
	port_broadcast(&p);
	r = NETMAP_RXRING(d->nifp, 0);
	check_ok(ioctl(d->fd, NIOCRXSYNC, NULL));
	check_eq(r->tail, 1);
	check(frame_good(NETMAP_BUF(r, r->slot[0].buf_idx) + 40, FRAME_MIN));
	nmport_close(d);
	/* Its own function has a limit and a gap beside. */
	d = nmport_prepare(vale("c"));
	check(d != NULL);
	check_eq(nmport_offset(d, 8, 16, 0, 100), 0);
	check_eq(nmport_open_desc(d), 0);
	check(NETMAP_TXRING(d->nifp, 0)->offset_mask == UINT64_MAX);
	nmport_close(d);
	d = nmport_prepare(vale("c"));
	check_eq(nmport_offset(d, 17, 16, 0, 0), 0);
	check_eq(nmport_open_desc(d), -1);
	check_eq(errno, EINVAL);
	nmport_close(d);
}

static const struct test_case cases[] = {
	{ "refused", refused, 0, false },
	{ "busy", busy, 0, false },
	{ "not_supported", not_supported, 0, false },
	{ "on_a_switch", on_a_switch, 0, false },
	{ "in_a_pipe", in_a_pipe, 0, false },
	{ "library", library, 0, false },
};

/* Refused requests are logged with their reasons. */
static const char *const expected[] = { "request", "(error ", NULL };

TEST_MAIN(cases, expected)
