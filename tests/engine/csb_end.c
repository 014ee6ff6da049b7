/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See csb_end.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "csb_end.h"
#include "engine/kloop.h"

#define PATIENCE_MS	20000

void
sleep_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static struct nmreq_header
header(uint16_t type, const char *name, void *body, void *options)
{
	struct nmreq_header h = {
		.nr_version = NETMAP_API, .nr_reqtype = type, .nr_body = (uintptr_t)body, .nr_options = (uintptr_t)options
	};

	snprintf(h.nr_name, sizeof(h.nr_name), "%s", name);
	return h;
}

int
csb_request(struct end *e, const char *name, struct nmreq_register *reg, const void *atok, const void *ktoa, uint32_t *status)
{
	struct nmreq_opt_csb opt = {
		.nro_opt.nro_reqtype = NETMAP_REQ_OPT_CSB, .csb_atok = (uintptr_t)atok, .csb_ktoa = (uintptr_t)ktoa
	};
	struct nmreq_header h = header(reg != NULL ? NETMAP_REQ_REGISTER : NETMAP_REQ_CSB_ENABLE, name, reg, &opt);
	int error = inproc_ioctl(&e->fd, NIOCCTRL, &h);

	if (status != NULL)
		*status = opt.nro_opt.nro_status;
	if (error == 0 && reg != NULL) {
		e->reg = *reg;
		e->nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&e->fd) + reg->nr_offset);
	}
	return error;
}

void
csb_open(struct csb_end *c, const char *name, uint16_t rings)
{
	struct nmreq_register reg = {
		.nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE, .nr_tx_rings = rings, .nr_rx_rings = rings, .nr_tx_slots = 64,
		.nr_rx_slots = 64
	};
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(c, 0, sizeof(*c));
	assert_true(p != MAP_FAILED);
	c->atok = (void *)p;
	c->ktoa = (void *)(p + 4096);
	c->mode = -1;
	c->station = 1;
	c->tx = rings;
	c->rings = 2u * rings;
	c->sleep_us = 200;
	for (uint32_t i = 0; i < CSB_RINGS; i++)
		c->ioeventfd[i] = c->irqfd[i] = -1;
	end_open_bare(&c->e);
	assert_int_equal(csb_request(&c->e, name, &reg, c->atok, c->ktoa, NULL), 0);
}

void
csb_close(struct csb_end *c)
{
	if (c->started) {
		csb_stop(c);
		csb_join(c);
	}
	end_close(&c->e);
	for (uint32_t i = 0; i < CSB_RINGS; i++) {
		if (c->ioeventfd[i] >= 0)
			close(c->ioeventfd[i]);
		if (c->irqfd[i] >= 0)
			close(c->irqfd[i]);
	}
	munmap(c->atok, 8192);
}

void
csb_eventfds(struct csb_end *c)
{
	c->eventfds = true;
	for (uint32_t i = 0; i < c->rings; i++) {
		c->ioeventfd[i] = eventfd(0, 0);
		c->irqfd[i] = eventfd(0, 0);
	}
}

int
csb_start(struct csb_end *c, uint32_t status[2])
{
	struct {
		struct nmreq_option o;
		struct { int32_t io, irq; } fd[CSB_RINGS];
	} e = { .o = { .nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, .nro_size = 24 + 8u * c->rings } };
	struct nmreq_opt_sync_kloop_mode m = { .nro_opt.nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_MODE, .mode = (uint32_t)c->mode };
	struct nmreq_sync_kloop_start body = { .sleep_us = c->sleep_us };
	struct nmreq_header h = header(NETMAP_REQ_SYNC_KLOOP_START, "", &body, NULL);
	int error;

	_Static_assert(sizeof(e.o) == sizeof(struct nmreq_opt_sync_kloop_eventfds), "the array follows");
	for (uint32_t i = 0; i < c->rings; i++) {
		e.fd[i].io = c->ioeventfd[i];
		e.fd[i].irq = c->irqfd[i];
	}
	if (c->mode >= 0)
		h.nr_options = (uintptr_t)&m;
	if (c->eventfds) {
		e.o.nro_next = h.nr_options;
		h.nr_options = (uintptr_t)&e;
	}
	error = inproc_ioctl(&c->e.fd, NIOCCTRL, &h);
	if (status != NULL) {
		status[0] = e.o.nro_status;
		status[1] = m.nro_opt.nro_status;
	}
	return error;
}

static void *
loop_thread(void *arg)
{
	struct csb_end *c = arg;

	c->error = csb_start(c, NULL);
	inproc_thread_done();
	store_release(&c->ended, 1);
	return NULL;
}

bool
csb_running(const struct csb_end *c)
{
	return kloop_runner(c->e.fd.binding) != 0;
}

void
csb_run(struct csb_end *c)
{
	store_relaxed(&c->ended, 0);
	assert_int_equal(pthread_create(&c->thread, NULL, loop_thread, c), 0);
	c->started = true;
	while (!csb_running(c) && load_acquire(&c->ended) == 0)
		sleep_ms(1);
}

int
csb_stop(struct csb_end *c)
{
	struct nmreq_header h = header(NETMAP_REQ_SYNC_KLOOP_STOP, "", NULL, NULL);

	return inproc_ioctl(&c->e.fd, NIOCCTRL, &h);
}

int
csb_join(struct csb_end *c)
{
	assert_true(c->started);
	pthread_join(c->thread, NULL);
	c->started = false;
	return c->error;
}

/* --- the application's side --- */

void
csb_write_cur(struct csb_end *c, uint32_t i, uint32_t head, uint32_t cur)
{
	uint64_t one = 1;

#ifdef ENGINE_TSAN
	/* It knows no fences. */
	store_release(&c->atok[i].cur, cur);
	store_release(&c->atok[i].head, head);
#else
	nm_sync_kloop_appl_write(&c->atok[i], cur, head);
#endif
	if (c->ioeventfd[i] < 0)
		return;
	fence_full();
	if (load_relaxed(&c->ktoa[i].kern_need_kick) != 0)
		check(write(c->ioeventfd[i], &one, sizeof(one)) == sizeof(one));
}

void
csb_write(struct csb_end *c, uint32_t i, uint32_t head)
{
	csb_write_cur(c, i, head, head);
}

void
csb_read(struct csb_end *c, uint32_t i, uint32_t *hwcur, uint32_t *hwtail)
{
#ifdef ENGINE_TSAN
	*hwtail = load_acquire(&c->ktoa[i].hwtail);
	*hwcur = load_acquire(&c->ktoa[i].hwcur);
#else
	nm_sync_kloop_appl_read(&c->ktoa[i], hwtail, hwcur);
#endif
}

/* Waits until hwtail of ring i is not `head`: through the irqfd, if there is one. */
static uint32_t
tail_wait(struct csb_end *c, uint32_t i, uint32_t head)
{
	struct pollfd pfd = { .fd = c->irqfd[i], .events = POLLIN };
	uint32_t hwcur, hwtail;
	uint64_t count;

	for (;;) {
		csb_read(c, i, &hwcur, &hwtail);
		if (hwtail != head)
			return hwtail;
		if (!c->eventfds) {
			sleep_ms(1);
			continue;
		}
		store_relaxed(&c->atok[i].appl_need_kick, 1);
		fence_full();
		csb_read(c, i, &hwcur, &hwtail);
		if (hwtail == head) {
			check(poll(&pfd, 1, PATIENCE_MS) == 1);
			check(read(pfd.fd, &count, sizeof(count)) == sizeof(count));
		}
		store_relaxed(&c->atok[i].appl_need_kick, 0);
	}
}

void
csb_send(struct csb_end *c, uint32_t i, uint32_t n, uint32_t seq, uint64_t dst)
{
	struct netmap_ring *r = end_tx(&c->e, i);
	uint32_t head = c->atok[i].head, tail = head;

	while (n > 0) {
		if (head == tail) {
			tail = tail_wait(c, i, head);
			continue;
		}
		r->slot[head].len = FRAME_MIN;
		r->slot[head].flags = 0;
		frame_make(ring_buf(r, r->slot[head].buf_idx), FRAME_MIN, dst, mac(c->station), seq++);
		head = ring_next(r, head);
		n--;
		if (head == tail || n == 0 || n % 7 == 0)
			csb_write(c, i, head);
	}
}

void
csb_expect(struct csb_end *c, uint32_t i, uint32_t n, uint32_t seq)
{
	struct netmap_ring *r = end_rx(&c->e, i);
	uint32_t entry = c->tx + i, head = c->atok[entry].head, tail = head;

	while (n > 0) {
		if (head == tail) {
			tail = tail_wait(c, entry, head);
			continue;
		}
		check(r->slot[head].len == FRAME_MIN);
		check(frame_seq(ring_buf(r, r->slot[head].buf_idx), FRAME_MIN) == (int64_t)seq++);
		head = ring_next(r, head);
		n--;
		if (head == tail || n == 0)
			csb_write(c, entry, head);
	}
}

uint64_t
csb_rounds(const struct csb_end *c, uint32_t i)
{
	return load_relaxed(&binding_ring(c->e.fd.binding, i)->own.syncs);
}
