/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode and the sync loop, as a program has them from netmapd:
 *
 *	application --- CSB ---> loop (a thread in START) ---> switch <--- others, in processes of their own
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <netmap_stats.h>

#include "harness.h"
#include "port.h"

#define FRAMES		200u
#define ROUND_MS	10000		/* patience */
#define SCRIBBLES	300000u

/* A port in CSB mode with one ring pair: entry 0 is the TX ring, 1 the RX ring. */
struct csb {
	struct port p;
	struct nm_csb_atok *atok;
	struct nm_csb_ktoa *ktoa;
	bool eventfds;
	int ioeventfd[2], irqfd[2];
	uint32_t sleep_us;
	int mode;			/* -1: no option */
	pthread_t thread;
	_Atomic int tid;
	_Atomic bool ended;
	int result;
};

static int
csb_request(int fd, const char *name, struct nmreq_register *reg, void *atok, void *ktoa, uint32_t *status)
{
	struct nmreq_opt_csb opt = { .nro_opt = { .nro_reqtype = NETMAP_REQ_OPT_CSB }, .csb_atok = (uintptr_t)atok,
		.csb_ktoa = (uintptr_t)ktoa };
	struct nmreq_header h = { .nr_version = NETMAP_API, .nr_reqtype = reg != NULL ? NETMAP_REQ_REGISTER :
		NETMAP_REQ_CSB_ENABLE, .nr_body = (uintptr_t)reg, .nr_options = (uintptr_t)&opt };
	int err;

	snprintf(h.nr_name, sizeof(h.nr_name), "%s", name);
	err = ioctl(fd, NIOCCTRL, &h) == 0 ? 0 : -errno;
	if (status != NULL)
		*status = opt.nro_opt.nro_status;
	return err;
}

static void
csb_memory(struct csb *c)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	c->atok = (void *)p;
	c->ktoa = (void *)(p + 4096);
}

static void
csb_open(struct csb *c, const char *name, bool eventfds)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE };

	memset(c, 0, sizeof(*c));
	csb_memory(c);
	c->mode = -1;
	c->sleep_us = 100;
	c->eventfds = eventfds;
	for (int i = 0; i < 2; i++) {
		c->ioeventfd[i] = eventfds ? eventfd(0, 0) : -1;
		c->irqfd[i] = eventfds ? eventfd(0, 0) : -1;
	}
	c->p.fd = device_open();
	check_eq(csb_request(c->p.fd, name, &reg, c->atok, c->ktoa, NULL), 0);
	c->p.reg = reg;
	c->p.size = reg.nr_memsize;
	c->p.mem = mmap(NULL, c->p.size, PROT_READ | PROT_WRITE, MAP_SHARED, c->p.fd, 0);
	check(c->p.mem != MAP_FAILED);
	c->p.nifp = NETMAP_IF(c->p.mem, reg.nr_offset);
}

static int
csb_start(struct csb *c)
{
	struct {
		struct nmreq_option o;
		struct { int32_t io, irq; } fd[2];
	} e = { .o = { .nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, .nro_size = sizeof(e) } };
	struct nmreq_opt_sync_kloop_mode m = { .nro_opt = { .nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_MODE },
		.mode = (uint32_t)c->mode };
	struct nmreq_sync_kloop_start body = { .sleep_us = c->sleep_us };
	struct nmreq_header h = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_SYNC_KLOOP_START,
		.nr_body = (uintptr_t)&body };

	for (int i = 0; i < 2; i++) {
		e.fd[i].io = c->ioeventfd[i];
		e.fd[i].irq = c->irqfd[i];
	}
	if (c->mode >= 0)
		h.nr_options = (uintptr_t)&m;
	if (c->eventfds) {
		e.o.nro_next = h.nr_options;
		h.nr_options = (uintptr_t)&e;
	}
	return ioctl(c->p.fd, NIOCCTRL, &h) == 0 ? 0 : -errno;
}

static int
csb_stop(int fd)
{
	return request_try(fd, NETMAP_REQ_SYNC_KLOOP_STOP, "", NULL);
}

static void *
loop_thread(void *arg)
{
	struct csb *c = arg;

	c->tid = (int)syscall(SYS_gettid);
	c->result = csb_start(c);
	c->ended = true;
	return NULL;
}

/* Returns when the loop has made its first round. */
static void
csb_run(struct csb *c)
{
	atomic_store((_Atomic uint32_t *)&c->ktoa[0].hwtail, UINT32_MAX);
	c->ended = false;
	check_eq(pthread_create(&c->thread, NULL, loop_thread, c), 0);
	wait_until(atomic_load((_Atomic uint32_t *)&c->ktoa[0].hwtail) != UINT32_MAX || c->ended, ROUND_MS);
}

static int
csb_join(struct csb *c)
{
	pthread_join(c->thread, NULL);
	return c->result;
}

/* --- the application's side --- */

static void
csb_write(struct csb *c, int i, uint32_t head)
{
	uint64_t one = 1;

	nm_sync_kloop_appl_write(&c->atok[i], head, head);
	if (!c->eventfds)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load((_Atomic uint32_t *)&c->ktoa[i].kern_need_kick) != 0)
		check_eq(write(c->ioeventfd[i], &one, sizeof(one)), sizeof(one));
}

/* Waits until the tail of ring i is not head. */
static uint32_t
csb_wait(struct csb *c, int i, uint32_t head)
{
	struct pollfd pfd = { .fd = c->irqfd[i], .events = POLLIN };
	uint64_t end = now_ms() + ROUND_MS, count;
	uint32_t hwcur, hwtail;

	for (;;) {
		nm_sync_kloop_appl_read(&c->ktoa[i], &hwtail, &hwcur);
		if (hwtail != head)
			return hwtail;
		check(now_ms() < end);
		if (!c->eventfds) {
			sleep_ms(1);
			continue;
		}
		atomic_store((_Atomic uint32_t *)&c->atok[i].appl_need_kick, 1);
		nm_sync_kloop_appl_read(&c->ktoa[i], &hwtail, &hwcur);
		if (hwtail == head && poll_any(&pfd, 1, ROUND_MS) == 1)
			check_eq(read(pfd.fd, &count, sizeof(count)), sizeof(count));
		atomic_store((_Atomic uint32_t *)&c->atok[i].appl_need_kick, 0);
	}
}

static void
csb_send(struct csb *c, uint64_t number)
{
	struct netmap_ring *r = NETMAP_TXRING(c->p.nifp, 0);
	uint32_t head = c->atok[0].head;

	csb_wait(c, 0, head);
	frame_make(NETMAP_BUF(r, r->slot[head].buf_idx), FRAME_MIN, 0xff, 1, number);
	r->slot[head].len = FRAME_MIN;
	r->slot[head].flags = 0;
	csb_write(c, 0, nm_ring_next(r, head));
}

static void
csb_expect(struct csb *c, uint64_t number)
{
	struct netmap_ring *r = NETMAP_RXRING(c->p.nifp, 0);
	uint32_t head = c->atok[1].head;
	const char *frame;

	csb_wait(c, 1, head);
	frame = NETMAP_BUF(r, r->slot[head].buf_idx);
	check_eq(r->slot[head].len, FRAME_MIN);
	check(frame_good(frame, FRAME_MIN));
	check_eq(frame_number(frame), number);
	csb_write(c, 1, nm_ring_next(r, head));
}

/* --- cases --- */

/* Sends back what it gets. */
static void
echo(void *arg)
{
	uint8_t frame[FRAME_ROOM];
	struct port p;

	port_open(&p, arg);
	for (unsigned i = 0; i < FRAMES; i++) {
		size_t len;

		port_broadcast(&p);
		do
			len = port_recv(&p, frame, ROUND_MS);
		while (len != 0 && frame_source(frame) != 1);
		check_eq(len, FRAME_MIN);
	}
	port_close(&p);
}

static void
through_others(bool eventfds, int mode)
{
	uint8_t frame[FRAME_ROOM];
	struct port other;
	struct csb c;

	csb_open(&c, vale("c"), eventfds);
	port_open(&other, vale("o"));
	c.mode = mode;
	csb_run(&c);
	for (uint64_t n = 0; n < FRAMES; n++) {
		csb_send(&c, n);
		check_eq(port_recv(&other, frame, ROUND_MS), FRAME_MIN);
		check(frame_good(frame, FRAME_MIN) && frame_number(frame) == n);
		frame_make(frame, FRAME_MIN, 0xff, 2, n + 1000);
		port_send(&other, frame, FRAME_MIN);
		csb_expect(&c, n + 1000);
	}
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
	port_close(&other);
	port_close(&c.p);
}

static void
timed(void)
{
	through_others(false, -1);
}

static void
kicked(void)
{
	through_others(true, -1);
}

static void
direct(void)
{
	for (int mode = 0; mode <= 3; mode++)
		through_others(true, mode);
}

static void
pipes(void)
{
	struct csb a, b;
	char name[64];

	snprintf(name, sizeof(name), "%s{1", vale("p"));
	csb_open(&a, name, true);
	snprintf(name, sizeof(name), "%s}1", vale("p"));
	csb_open(&b, name, false);
	csb_run(&a);
	csb_run(&b);
	for (uint64_t n = 0; n < 10 * FRAMES; n++) {
		csb_send(&a, n);
		if (n >= FRAMES)
			csb_expect(&b, n - FRAMES);
	}
	check_eq(csb_stop(a.p.fd), 0);
	check_eq(csb_stop(b.p.fd), 0);
	check_eq(csb_join(&a), 0);
	check_eq(csb_join(&b), 0);
}

/* Frames of a process of its own wake the loop that sleeps. */
static void
other_process(void)
{
	const char *name = vale("e");
	struct csb c;
	pid_t pid;

	csb_open(&c, vale("c"), true);
	csb_run(&c);
	pid = spawn(echo, (void *)(uintptr_t)name);
	for (unsigned i = 0; i < FRAMES; i++) {
		struct netmap_ring *r = NETMAP_RXRING(c.p.nifp, 0);
		uint32_t head = c.atok[1].head;

		csb_wait(&c, 1, head);
		csb_write(&c, 1, nm_ring_next(r, head));
		csb_send(&c, i);
	}
	join(pid);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
}

static void
errors(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_sync_kloop_start start = { .sleep_us = 1000001 };
	struct csb c;
	int fd = device_open();
	uint32_t status;

	csb_memory(&c);
	check_eq(csb_stop(fd), -ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start), -EINVAL);
	check(strstr(netmap_last_error(), "1000000") != NULL);
	start.sleep_us = 1000000;
	check_eq(request_try(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start), -ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_CSB_ENABLE, "", NULL), -EINVAL);
	check_eq(csb_request(fd, "", NULL, c.atok, c.ktoa, &status), 0);
	check_eq(csb_request(fd, vale("a"), &reg, c.atok, c.ktoa, &status), -EINVAL);
	check_eq(status, EINVAL);
	reg.nr_flags = NR_EXCLUSIVE;
	check_eq(csb_request(fd, vale("a"), &reg, (char *)c.atok + 16, c.ktoa, &status), -EINVAL);
	check_eq(csb_request(fd, vale("a"), &reg, c.atok, (void *)4096, &status), -EFAULT);
	check_eq(status, EFAULT);
	/* It has left nothing behind. */
	check(vale_index(vale("a")) < 0);
	check_errno(ioctl(fd, NIOCTXSYNC, NULL), ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_REGISTER, vale("a"), &reg), 0);
	check_eq(request_try(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start), -EINVAL);
	check(strstr(netmap_last_error(), "not in CSB mode") != NULL);
	check_ok(ioctl(fd, NIOCTXSYNC, NULL));
	check_eq(csb_request(fd, "", NULL, (void *)128, c.ktoa, &status), -EFAULT);
	check_ok(ioctl(fd, NIOCTXSYNC, NULL));
	check_eq(csb_request(fd, "", NULL, c.atok, c.ktoa, &status), 0);
	check_errno(ioctl(fd, NIOCTXSYNC, NULL), EBUSY);
	check_errno(ioctl(fd, NIOCRXSYNC, NULL), EBUSY);
	check_eq(poll_any(&(struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT }, 1, -1), 1);
}

static void
poll_says_error(void)
{
	struct csb c;

	csb_open(&c, vale("c"), true);
	check_eq(port_poll(&c.p, POLLIN, -1), POLLERR);
	check_eq(port_poll(&c.p, POLLOUT, 0), POLLERR);
	csb_run(&c);
	check_eq(port_poll(&c.p, POLLIN | POLLOUT, -1), POLLERR);
	check_errno(ioctl(c.p.fd, NIOCTXSYNC, NULL), EBUSY);
	/* What the loop forbids. */
	check_eq(csb_start(&c), -EBUSY);
	check_eq(csb_request(c.p.fd, "", NULL, c.atok, c.ktoa, NULL), -EBUSY);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
	/* Descriptors that are none. */
	c.irqfd[1] = 100000;
	check_eq(csb_start(&c), -EBADF);
	c.irqfd[1] = c.p.fd;
	check_eq(csb_start(&c), -EINVAL);
	c.irqfd[1] = -1;
	c.ioeventfd[0] = -1;
	c.mode = NM_OPT_SYNC_KLOOP_DIRECT_RX;
	check_eq(csb_start(&c), -EINVAL);
}

static void
stop_is_sticky(void)
{
	struct csb c;

	csb_open(&c, vale("c"), true);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_start(&c), 0);
	csb_run(&c);
	check(!c.ended);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
}

static void
stopper(void *arg)
{
	sleep_ms(50);
	check_eq(csb_stop(*(int *)arg), 0);
}

/* By a process that has the descriptor from us. */
static void
stop_from_elsewhere(void)
{
	struct csb c;
	pid_t pid;

	for (int eventfds = 0; eventfds < 2; eventfds++) {
		csb_open(&c, vale("c"), eventfds != 0);
		c.sleep_us = 1000000;
		pid = spawn(stopper, &c.p.fd);
		csb_run(&c);
		check_eq(csb_join(&c), 0);
		join(pid);
		port_close(&c.p);
	}
}

static void
run_in_child(void *arg)
{
	struct csb *c = arg;

	/* The arrays are this process's own copies. */
	csb_start(c);
}

/* The process that runs the loop is killed: another one can. */
static void
killed(void)
{
	struct csb c;
	pid_t pid;

	for (int i = 0; i < 10; i++) {
		csb_open(&c, vale("c"), i % 2 != 0);
		pid = spawn(run_in_child, &c);
		wait_until(csb_request(c.p.fd, "", NULL, c.atok, c.ktoa, NULL) == -EBUSY, ROUND_MS);
		sleep_ms((unsigned)i);
		stop_process(pid, SIGKILL);
		wait_until(csb_request(c.p.fd, "", NULL, c.atok, c.ktoa, NULL) == 0, ROUND_MS);
		csb_run(&c);
		csb_send(&c, 1);
		check_eq(csb_stop(c.p.fd), 0);
		check_eq(csb_join(&c), 0);
		port_close(&c.p);
	}
}

/* STOP does not wait for ever for a process that is killed instead. */
static void
killed_while_stopping(void)
{
	struct csb c;
	pid_t pid, by;

	csb_open(&c, vale("c"), true);
	pid = spawn(run_in_child, &c);
	wait_until(csb_request(c.p.fd, "", NULL, c.atok, c.ktoa, NULL) == -EBUSY, ROUND_MS);
	check_ok(kill(pid, SIGSTOP));
	by = spawn(stopper, &c.p.fd);
	sleep_ms(100);
	stop_process(pid, SIGKILL);
	join(by);
}

static void
leave_thread(int sig)
{
	pthread_exit(NULL);
}

static void
thread_leaves(void)
{
	struct csb c;

	check(signal(SIGUSR1, leave_thread) != SIG_ERR);
	csb_open(&c, vale("c"), true);
	csb_run(&c);
	wait_until(atomic_load((_Atomic uint32_t *)&c.ktoa[0].kern_need_kick) != 0, ROUND_MS);
	check_eq(pthread_kill(c.thread, SIGUSR1), 0);
	csb_join(&c);
	wait_until(csb_request(c.p.fd, "", NULL, c.atok, c.ktoa, NULL) == 0, ROUND_MS);
	csb_run(&c);
	csb_send(&c, 1);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
}

static void
closed_while_running(void)
{
	struct csb c;

	csb_open(&c, vale("c"), true);
	csb_run(&c);
	munmap(c.p.mem, c.p.size);
	close(c.p.fd);
	/* Whichever it sees first. */
	check(csb_join(&c) == -EBADF || c.result == -ENXIO);
	check(vale_index(vale("c")) < 0);
}

static void
unmapped_while_running(void)
{
	struct csb c;

	for (int i = 0; i < 10; i++) {
		csb_open(&c, vale("c"), i % 2 != 0);
		csb_run(&c);
		/* The second is written only when there is something to say: before the loop sleeps, for instance. */
		check_ok(munmap(i % 4 != 3 ? (void *)c.atok : (void *)c.ktoa, 4096));
		if (c.eventfds)
			check_eq(write(c.ioeventfd[0], &(uint64_t){ 1 }, 8), 8);
		check_eq(csb_join(&c), -EFAULT);
		port_close(&c.p);
	}
}

static void *
scribble(void *arg)
{
	const struct csb *c = arg;
	unsigned seed = 1;

	for (unsigned i = 0; i < SCRIBBLES; i++) {
		uint32_t *word = (uint32_t *)(void *)(rand_r(&seed) % 2 ? (char *)c->atok : (char *)c->ktoa) + rand_r(&seed) % 32;

		atomic_store((_Atomic uint32_t *)word, rand_r(&seed) % 3 ? (uint32_t)rand_r(&seed) % 1030 : (uint32_t)rand_r(&seed) * 3);
	}
	return NULL;
}

static void
scribbled(void)
{
	struct netmap_ring *r;
	struct port x, y;
	struct csb c;
	pthread_t t;

	for (int eventfds = 0; eventfds < 2; eventfds++) {
		csb_open(&c, vale("c"), eventfds != 0);
		r = NETMAP_TXRING(c.p.nifp, 0);
		port_open(&x, vale("x"));
		port_open(&y, vale("y"));
		/* What the loop may be made to send. */
		for (uint32_t i = 0; i < r->num_slots; i++)
			r->slot[i].len = FRAME_MIN;
		csb_run(&c);
		check_eq(pthread_create(&t, NULL, scribble, &c), 0);
		for (uint64_t n = 0; n < 100; n++) {
			uint8_t frame[FRAME_ROOM];
			size_t len;

			frame_make(frame, FRAME_MIN, 0xff, 2, n);
			port_send(&x, frame, FRAME_MIN);
			/* Between them comes whatever the loop was made to send. */
			do
				len = port_recv(&y, frame, ROUND_MS);
			while (len != 0 && (len != FRAME_MIN || frame_source(frame) != 2));
			check(len == 0 || frame_number(frame) <= n);
		}
		pthread_join(t, NULL);
		check(!c.ended);
		check_eq(csb_stop(c.p.fd), 0);
		check_eq(csb_join(&c), 0);
		port_close(&x);
		port_close(&y);
		port_close(&c.p);
	}
}

/* How often the loop's thread has slept. */
static unsigned
sleeps(const struct csb *c)
{
	char path[64], line[128];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", c->tid);
	f = fopen(path, "r");
	check(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "voluntary_ctxt_switches: %u", &n) == 1)
			break;
	fclose(f);
	return n;
}

static void
idle(void)
{
	struct csb c;
	unsigned n;

	csb_open(&c, vale("c"), true);
	csb_run(&c);
	wait_until(atomic_load((_Atomic uint32_t *)&c.ktoa[0].kern_need_kick) != 0, ROUND_MS);
	sleep_ms(50);
	n = sleeps(&c);
	sleep_ms(1000);
	check(sleeps(&c) - n <= 4);
	check_eq(atomic_load((_Atomic uint32_t *)&c.ktoa[0].kern_need_kick), 1);
	check_eq(csb_stop(c.p.fd), 0);
	check_eq(csb_join(&c), 0);
}

static const struct test_case cases[] = {
	{ .name = "timed", .run = timed },
	{ .name = "kicked", .run = kicked },
	{ .name = "direct", .run = direct },
	{ .name = "pipes", .run = pipes },
	{ .name = "other_process", .run = other_process },
	{ .name = "errors", .run = errors },
	{ .name = "poll_says_error", .run = poll_says_error },
	{ .name = "stop_is_sticky", .run = stop_is_sticky },
	{ .name = "stop_from_elsewhere", .run = stop_from_elsewhere },
	{ .name = "killed", .run = killed },
	{ .name = "killed_while_stopping", .run = killed_while_stopping },
	{ .name = "thread_leaves", .run = thread_leaves },
	{ .name = "closed_while_running", .run = closed_while_running },
	{ .name = "unmapped_while_running", .run = unmapped_while_running },
	{ .name = "scribbled", .run = scribbled },
	{ .name = "idle", .run = idle },
};

static const char *const expected_log[] = { ": CSB mode", NULL };

TEST_MAIN(cases, expected_log)
