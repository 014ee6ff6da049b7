/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See end.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "end.h"

#define ETH_HEADER	14u
#define MARK		0x6e6d6672u	/* in front of the sequence number */

void
check_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
	abort();
}

int
engine_setup(void **state)
{
	return inproc_start();
}

/* Descriptors that are open, so that a test that fails leaves none to the next. */
static struct inproc_fd opened[8192];
static unsigned nopened;

static int
fd_open(struct inproc_fd *fd)
{
	int error = inproc_open(fd);

	if (error == 0 && nopened < sizeof(opened) / sizeof(opened[0]))
		opened[nopened++] = *fd;
	return error;
}

static void
fd_close(struct inproc_fd *fd)
{
	unsigned i;

	for (i = 0; i < nopened; i++)
		if (opened[i].session == fd->session) {
			opened[i] = opened[--nopened];
			break;
		}
	inproc_close(fd);
}

int
engine_teardown(void **state)
{
	int error;

	inproc_fail_after(-1);
	inproc_hooks_set(NULL);
	while (nopened > 0)
		inproc_close(&opened[--nopened]);
	error = inproc_stop();
	if (error != 0)
		fprintf(stderr, "engine memory left: %llu bytes\n", (unsigned long long)inproc_memory_used());
	return error;
}

/* --- descriptors --- */

int
end_request(struct end *e, uint16_t type, const char *name, void *body)
{
	struct nmreq_header hdr = {
		.nr_version = NETMAP_API, .nr_reqtype = type, .nr_body = (uintptr_t)body
	};

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	return inproc_ioctl(&e->fd, NIOCCTRL, &hdr);
}

void
end_open_bare(struct end *e)
{
	memset(e, 0, sizeof(*e));
	assert_int_equal(fd_open(&e->fd), 0);
}

int
end_register(struct end *e, const char *name)
{
	int error = end_request(e, NETMAP_REQ_REGISTER, name, &e->reg);

	if (error == 0)
		e->nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&e->fd) + e->reg.nr_offset);
	return error;
}

int
end_try(struct end *e, const char *name, const struct nmreq_register *want)
{
	static const struct nmreq_register usual = { .nr_mode = NR_REG_ALL_NIC };
	int error;

	memset(e, 0, sizeof(*e));
	error = fd_open(&e->fd);
	if (error != 0)
		return error;
	e->reg = want != NULL ? *want : usual;
	error = end_register(e, name);
	if (error != 0) {
		fd_close(&e->fd);
		e->fd.binding = NULL;
	}
	return error;
}

void
end_open_as(struct end *e, const char *name, const struct nmreq_register *want)
{
	int error = end_try(e, name, want);

	if (error != 0)
		print_error("%s: error %d: %s\n", name, error, e->fd.why);
	assert_int_equal(error, 0);
}

void
end_open(struct end *e, const char *name)
{
	end_open_as(e, name, NULL);
}

void
end_open_slots(struct end *e, const char *name, uint32_t slots)
{
	end_open_as(e, name,
		&(struct nmreq_register){
			.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = slots, .nr_rx_slots = slots });
}

void
end_close(struct end *e)
{
	fd_close(&e->fd);
	e->nifp = NULL;
}

struct netmap_ring *
end_tx(const struct end *e, uint32_t i)
{
	return (struct netmap_ring *)(void *)((char *)e->nifp + e->nifp->ring_ofs[i]);
}

struct netmap_ring *
end_rx(const struct end *e, uint32_t i)
{
	return (struct netmap_ring *)(void *)((char *)e->nifp +
		e->nifp->ring_ofs[e->nifp->ni_tx_rings + e->nifp->ni_host_tx_rings + i]);
}

struct kring *
end_ktx(const struct end *e, uint32_t i)
{
	return e->fd.binding->tx[i];
}

struct kring *
end_krx(const struct end *e, uint32_t i)
{
	return e->fd.binding->rx[i];
}

/* --- frames --- */

static void
mac_store(char *at, uint64_t addr)
{
	int i;

	for (i = 5; i >= 0; i--, addr >>= 8)
		at[i] = (char)addr;
}

static uint8_t
pattern(uint32_t len, uint32_t seq, uint32_t i)
{
	return (uint8_t)(seq * 7 + len + i);
}

void
frame_make(char *buf, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq)
{
	const uint32_t mark = MARK;
	uint32_t i;

	mac_store(buf, dst);
	mac_store(buf + 6, src);
	buf[12] = (char)0x88;
	buf[13] = (char)0xb5;
	for (i = ETH_HEADER; i < len; i++)
		buf[i] = (char)pattern(len, seq, i);
	if (len < FRAME_MIN)
		return;
	memcpy(buf + ETH_HEADER, &mark, 4);
	memcpy(buf + ETH_HEADER + 4, &seq, 4);
}

bool
frame_is(const char *buf, uint32_t len, uint32_t seq)
{
	const uint32_t start = len < FRAME_MIN ? ETH_HEADER : ETH_HEADER + 8, mark = MARK;
	uint32_t i;

	if (len >= FRAME_MIN &&
		(memcmp(buf + ETH_HEADER, &mark, 4) != 0 || memcmp(buf + ETH_HEADER + 4, &seq, 4) != 0))
		return false;
	for (i = start; i < len; i++)
		if ((uint8_t)buf[i] != pattern(len, seq, i))
			return false;
	return true;
}

int64_t
frame_seq(const char *buf, uint32_t len)
{
	uint32_t seq;

	if (len < FRAME_MIN)
		return -1;
	memcpy(&seq, buf + ETH_HEADER + 4, 4);
	return frame_is(buf, len, seq) ? (int64_t)seq : -1;
}

uint64_t
frame_src(const char *buf)
{
	uint64_t addr = 0;
	int i;

	for (i = 6; i < 12; i++)
		addr = addr << 8 | (uint8_t)buf[i];
	return addr;
}

bool
ring_put(struct netmap_ring *r, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq, uint16_t flags)
{
	struct netmap_slot *slot = &r->slot[r->head];

	if (ring_space(r) == 0)
		return false;
	if (len >= ETH_HEADER && len <= r->nr_buf_size)
		frame_make(ring_buf(r, slot->buf_idx), len, dst, src, seq);
	slot->len = (uint16_t)len;
	slot->flags = flags;
	ring_move(r, ring_next(r, r->head));
	return true;
}

void
end_txsync(struct end *e)
{
	assert_int_equal(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL), 0);
}

void
end_rxsync(struct end *e)
{
	assert_int_equal(inproc_ioctl(&e->fd, NIOCRXSYNC, NULL), 0);
}

void
end_send(struct end *e, uint64_t dst, uint64_t src, uint32_t len, uint32_t seq)
{
	assert_true(ring_put(end_tx(e, 0), len, dst, src, seq, 0));
	end_txsync(e);
}

uint32_t
end_pending(struct end *e, uint32_t i)
{
	end_rxsync(e);
	return ring_space(end_rx(e, i));
}

void
end_expect(struct end *e, uint32_t i, uint32_t len, uint32_t seq)
{
	struct netmap_ring *r = end_rx(e, i);
	const struct netmap_slot *slot = &r->slot[r->head];

	if (ring_space(r) == 0)
		end_rxsync(e);
	assert_int_not_equal(ring_space(r), 0);
	assert_int_equal(slot->len, len);
	assert_int_equal(slot->flags & NS_MOREFRAG, 0);
	assert_true(frame_is(ring_buf(r, slot->buf_idx), len, seq));
	ring_move(r, ring_next(r, r->head));
}

void
end_expect_none(struct end *e)
{
	uint32_t i;

	for (i = 0; i < e->reg.nr_rx_rings; i++)
		assert_int_equal(end_pending(e, i), 0);
}

uint32_t
end_flush(struct end *e)
{
	uint32_t i, n = 0;

	end_rxsync(e);
	for (i = 0; i < e->reg.nr_rx_rings; i++) {
		n += ring_space(end_rx(e, i));
		ring_move(end_rx(e, i), end_rx(e, i)->tail);
	}
	end_rxsync(e);
	return n;
}

/* --- counters --- */

static uint64_t
drops_sum(const struct ring_counters *c)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < DROP_REASONS; i++)
		sum += load_relaxed(&c->drops[i]);
	return sum;
}

uint64_t
own_drops(const struct kring *kr)
{
	return drops_sum(&kr->own);
}

uint64_t
in_drops(const struct kring *kr)
{
	return drops_sum(&kr->in);
}

void
assert_drops(const struct kring *kr, unsigned reason, uint64_t n)
{
	assert_int_equal(kr->own.drops[reason] + kr->in.drops[reason], n);
	assert_int_equal(own_drops(kr) + in_drops(kr), n);
}
