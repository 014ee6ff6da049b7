/* SPDX-License-Identifier: BSD-2-Clause */
/* What port.h says. */
#include "port.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <netmap_stats.h>

#include "harness.h"

#define FRAME_HEADER	14
#define FRAME_TYPE	0x88b5		/* for experiments */

int
device_open(void)
{
	int fd = open(NETMAP_DEVICE_NAME, O_RDWR);

	if (fd < 0)
		check_failed(__FILE__, __LINE__, "open: %s (%s)", strerror(errno), netmap_last_error());
	return fd;
}

int
request_try(int fd, uint16_t type, const char *name, void *body)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = type,
		.nr_body = (uintptr_t)body };

	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	return ioctl(fd, NIOCCTRL, &hdr) == 0 ? 0 : -errno;
}

static int
port_register(struct port *p, const char *name, const struct nmreq_register *want)
{
	static const struct nmreq_register all = { .nr_mode = NR_REG_ALL_NIC };
	int err;

	p->reg = want != NULL ? *want : all;
	if (p->reg.nr_mode == NR_REG_DEFAULT)
		p->reg.nr_mode = NR_REG_ALL_NIC;
	err = request_try(p->fd, NETMAP_REQ_REGISTER, name, &p->reg);
	if (err != 0)
		return err;
	p->size = p->reg.nr_memsize;
	p->mem = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (p->mem == MAP_FAILED)
		return -errno;
	p->nifp = NETMAP_IF(p->mem, p->reg.nr_offset);
	return 0;
}

int
port_try(struct port *p, const char *name, const struct nmreq_register *want)
{
	int err;

	p->fd = device_open();
	err = port_register(p, name, want);
	if (err != 0)
		close(p->fd);
	return err;
}

void
port_open_as(struct port *p, const char *name, const struct nmreq_register *want)
{
	int err = port_try(p, name, want);

	if (err != 0)
		check_failed(__FILE__, __LINE__, "opening %s: %s (%s)", name, strerror(-err),
			netmap_last_error());
}

void
port_open(struct port *p, const char *name)
{
	port_open_as(p, name, NULL);
}

void
port_open_two(struct port *a, struct port *b)
{
	port_open(a, vale("a"));
	port_open(b, vale("b"));
}

void
port_open_pipe(struct port *m, struct port *s, uint32_t slots)
{
	const struct nmreq_register want = { .nr_tx_slots = slots, .nr_rx_slots = slots };
	char name[NETMAP_REQ_IFNAMSIZ];

	snprintf(name, sizeof(name), "%s{1", vale("pipe"));
	port_open_as(m, name, &want);
	snprintf(name, sizeof(name), "%s}1", vale("pipe"));
	port_open_as(s, name, &want);
}

void
port_bind(struct port *p, int fd, const char *name)
{
	int err;

	p->fd = fd;
	err = port_register(p, name, NULL);
	if (err != 0)
		check_failed(__FILE__, __LINE__, "registering %s: %s (%s)", name, strerror(-err),
			netmap_last_error());
}

void
port_close(struct port *p)
{
	check_ok(munmap(p->mem, p->size));
	check_ok(close(p->fd));
	p->fd = -1;
}

struct netmap_ring *
port_tx(const struct port *p, unsigned ring)
{
	return NETMAP_TXRING(p->nifp, ring);
}

struct netmap_ring *
port_rx(const struct port *p, unsigned ring)
{
	return NETMAP_RXRING(p->nifp, ring);
}

int
vale_index(const char *name)
{
	struct nmreq_vale_list list = { 0 };
	int fd = device_open(), err = request_try(fd, NETMAP_REQ_VALE_LIST, name, &list);

	close(fd);
	if (err == -ENOENT || (err == 0 && list.nr_port_idx == 255))
		return -1;
	check_eq(err, 0);
	return (int)list.nr_port_idx;
}

const char *
vale(const char *port)
{
	static char names[4][NETMAP_REQ_IFNAMSIZ];
	static unsigned last;
	static pid_t case_pid;

	/* The case's process: what it spawns gets the same names. */
	if (case_pid == 0)
		case_pid = getpgrp();
	last = (last + 1) % 4;
	snprintf(names[last], sizeof(names[last]), "vale%x:%.5s", (unsigned)case_pid & 0xfffff, port);
	return names[last];
}

bool
port_put(struct port *p, const void *frame, size_t len)
{
	struct netmap_ring *ring = port_tx(p, 0);
	struct netmap_slot *slot = &ring->slot[ring->head];

	if (nm_ring_empty(ring))
		return false;
	memcpy(NETMAP_BUF(ring, slot->buf_idx), frame, len);
	slot->len = (uint16_t)len;
	slot->flags = 0;
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	return true;
}

void
port_txsync(struct port *p)
{
	check_ok(ioctl(p->fd, NIOCTXSYNC, NULL));
}

void
port_rxsync(struct port *p)
{
	check_ok(ioctl(p->fd, NIOCRXSYNC, NULL));
}

void
port_send(struct port *p, const void *frame, size_t len)
{
	while (!port_put(p, frame, len))
		check_eq(port_poll(p, POLLOUT, 10000), POLLOUT);
	port_txsync(p);
}

size_t
port_take(struct port *p, void *frame)
{
	struct netmap_ring *ring = port_rx(p, 0);
	const struct netmap_slot *slot = &ring->slot[ring->head];
	size_t len = slot->len;

	if (nm_ring_empty(ring))
		return 0;
	check(len <= FRAME_ROOM);
	memcpy(frame, NETMAP_BUF(ring, slot->buf_idx), len);
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	return len;
}

size_t
port_recv(struct port *p, void *frame, int ms)
{
	size_t len = port_take(p, frame);

	if (len > 0)
		return len;
	if (port_poll(p, POLLIN, ms) == 0)
		return 0;
	return port_take(p, frame);
}

#ifdef __SANITIZE_THREAD__
static int (*lib_poll)(struct pollfd *fds, nfds_t n, int ms);

__attribute__((constructor))
static void
lib_poll_find(void)
{
	void *lib = dlopen("libnetmap.so.0", RTLD_NOW | RTLD_NOLOAD);

	check(lib != NULL);
	lib_poll = (int (*)(struct pollfd *, nfds_t, int))(uintptr_t)dlsym(lib, "poll");
}

int
poll_any(struct pollfd *fds, nfds_t n, int ms)
{
	return lib_poll(fds, n, ms);
}
#else
int
poll_any(struct pollfd *fds, nfds_t n, int ms)
{
	return poll(fds, n, ms);
}
#endif

short
port_poll(const struct port *p, short events, int ms)
{
	struct pollfd pfd = { .fd = p->fd, .events = events };
	int n = poll_any(&pfd, 1, ms);

	check_ok(n);
	check_eq(n, pfd.revents != 0);
	return pfd.revents;
}

void
port_broadcast(struct port *p)
{
	uint8_t frame[FRAME_MIN];

	frame_make(frame, sizeof(frame), 0xff, 1, 0);
	port_send(p, frame, sizeof(frame));
}

uint64_t
port_drops(const char *name, const char *reason)
{
	struct netmap_stats *s;
	uint64_t drops = 0;
	unsigned k = 0;

	check_eq(netmap_stats_take(&s), 0);
	while (strcmp(netmap_stats_reason_name(k), reason) != 0)
		k++;
	for (unsigned i = 0; i < netmap_stats_ports(s); i++) {
		if (strcmp(netmap_stats_port(s, i)->name, name) != 0)
			continue;
		for (unsigned r = 0; r < netmap_stats_port(s, i)->rings; r++)
			if (netmap_stats_ring(s, i, r)->dir == NETMAP_STATS_RX)
				drops += netmap_stats_ring(s, i, r)->drops[k];
	}
	netmap_stats_free(s);
	return drops;
}

struct later {
	const char *name;
	unsigned ms, n;
};

static void
later_run(void *arg)
{
	const struct later *l = arg;
	uint8_t frame[FRAME_MIN];
	struct port p;

	port_open(&p, l->name);
	sleep_ms(l->ms);
	for (unsigned i = 0; i < l->n; i++) {
		frame_make(frame, sizeof(frame), 0xff, 99, i);
		port_send(&p, frame, sizeof(frame));
	}
}

pid_t
send_later(const char *name, unsigned ms, unsigned n)
{
	struct later l = { name, ms, n };

	return spawn(later_run, &l);
}

static void
station(uint8_t *mac, unsigned number)
{
	memset(mac, number == 0xff ? 0xff : 0, 6);
	if (number != 0xff) {
		mac[0] = 2;
		mac[5] = (uint8_t)number;
	}
}

static uint8_t
filler(uint64_t number, size_t i)
{
	return (uint8_t)(number * 7 + i * 13 + (i >> 8));
}

void
frame_make(void *frame, size_t len, unsigned dst, unsigned src, uint64_t number)
{
	uint8_t *f = frame;

	station(f, dst);
	station(f + 6, src);
	f[12] = FRAME_TYPE >> 8;
	f[13] = FRAME_TYPE & 0xff;
	memcpy(f + FRAME_HEADER, &number, sizeof(number));
	for (size_t i = FRAME_HEADER + sizeof(number); i < len; i++)
		f[i] = filler(number, i);
}

bool
frame_good(const void *frame, size_t len)
{
	const uint8_t *f = frame;
	uint64_t number = frame_number(frame);

	if (len < FRAME_HEADER + sizeof(number) || f[12] != FRAME_TYPE >> 8 || f[13] != (FRAME_TYPE & 0xff))
		return false;
	for (size_t i = FRAME_HEADER + sizeof(number); i < len; i++)
		if (f[i] != filler(number, i))
			return false;
	return true;
}

uint64_t
frame_number(const void *frame)
{
	uint64_t number;

	memcpy(&number, (const uint8_t *)frame + FRAME_HEADER, sizeof(number));
	return number;
}

unsigned
frame_source(const void *frame)
{
	return ((const uint8_t *)frame)[11];
}
