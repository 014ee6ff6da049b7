/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of the benchmark, see port.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "port.h"

#define WAIT_MS		100
#define DEFAULT_SLOTS	1024

static char error_text[BENCH_MESSAGE_MAX];

static void
error_keep(struct nmctx *ctx, const char *text)
{
	snprintf(error_text, sizeof(error_text), "%s", text);
}

const char *
port_error(void)
{
	return error_text[0] != '\0' ? error_text : strerror(errno);
}

static int
wait_prepare(struct bench_port *p, enum bench_wait wait)
{
	struct epoll_event ev = { .events = EPOLLIN };

	p->wait = wait;
	if (wait == BENCH_MIXED) {
		p->other = eventfd(0, EFD_CLOEXEC);
		return p->other < 0 ? -1 : 0;
	}
	if (wait == BENCH_EPOLL) {
		p->other = epoll_create1(EPOLL_CLOEXEC);
		return p->other < 0 ? -1 : epoll_ctl(p->other, EPOLL_CTL_ADD, p->d->fd, &ev);
	}
	return 0;
}

static int
slots_check(const struct bench_port *p, const struct bench_case *c, const char *name)
{
	/* an interface has as many as its driver gives it */
	if (c->kind == BENCH_NIC || (p->rx->num_slots == c->slots && p->tx->num_slots == c->slots))
		return 0;
	snprintf(error_text, sizeof(error_text), "%s has %u and %u slots instead of %u", name, p->tx->num_slots,
	    p->rx->num_slots, c->slots);
	errno = ENOBUFS;
	return -1;
}

static int
port_open(struct bench_port *p, const struct bench_case *c, const char *name)
{
	char spec[96];
	int saved;

	memset(p, 0, sizeof(*p));
	p->other = -1;
	nmctx_get()->error = error_keep;
	if (c->slots == DEFAULT_SLOTS)
		snprintf(spec, sizeof(spec), "%s", name);
	else
		snprintf(spec, sizeof(spec), "%s@conf:slots=%u", name, c->slots);
	p->d = nmport_open(spec);
	if (p->d == NULL)
		return -1;
	p->tx = NETMAP_TXRING(p->d->nifp, p->d->first_tx_ring);
	p->rx = NETMAP_RXRING(p->d->nifp, p->d->first_rx_ring);
	if (slots_check(p, c, name) != 0 || wait_prepare(p, c->wait) != 0)
		goto err_close;
	return 0;

err_close:
	saved = errno;
	port_close(p);
	errno = saved;
	return -1;
}

static void
receiver_name(char *name, size_t size, const struct bench_case *c, unsigned int index)
{
	if (c->path == BENCH_VALE)
		snprintf(name, size, "valebench:r");
	else
		snprintf(name, size, "netmap:bench%u{x", index);
}

static void
sender_name(char *name, size_t size, const struct bench_case *c, unsigned int index)
{
	if (c->path == BENCH_VALE)
		snprintf(name, size, "valebench:s%u", index);
	else
		snprintf(name, size, "netmap:bench%u}x", index);
}

int
port_open_receiver(struct bench_port *p, const struct bench_case *c, unsigned int index)
{
	char name[32];

	receiver_name(name, sizeof(name), c, index);
	return port_open(p, c, name);
}

int
port_open_sender(struct bench_port *p, const struct bench_case *c, unsigned int index)
{
	char name[32];

	sender_name(name, sizeof(name), c, index);
	return port_open(p, c, name);
}

int
port_open_monitor(struct bench_port *p, const struct bench_case *c)
{
	const char *flags = !c->watch_copy ? "z" : c->watch_rx ? "r" : "t";
	char name[32], spec[40];

	if (c->watch_rx)
		receiver_name(name, sizeof(name), c, 0);
	else
		sender_name(name, sizeof(name), c, 0);
	snprintf(spec, sizeof(spec), "%s/%s", name, flags);
	return port_open(p, c, spec);
}

int
port_open_idle(struct bench_port *p, const struct bench_case *c, unsigned int index)
{
	char name[32];

	snprintf(name, sizeof(name), "valebench:i%u", index);
	return port_open(p, c, name);
}

int
port_open_interface(struct bench_port *p, const struct bench_case *c, const char *ifname)
{
	char name[32];

	snprintf(name, sizeof(name), "netmap:%s", ifname);
	return port_open(p, c, name);
}

void
port_close(struct bench_port *p)
{
	if (p->other >= 0)
		close(p->other);
	nmport_close(p->d);
	p->d = NULL;
	p->other = -1;
}

static void
station_mac(uint8_t mac[6], uint32_t station)
{
	if (station == STATION_ALL) {
		memset(mac, 0xff, 6);
		return;
	}
	mac[0] = 0x02;
	mac[1] = 0;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(station >> (24 - 8 * i));
}

void
frame_header(uint8_t header[BENCH_HEADER_LEN], uint32_t from, uint32_t to)
{
	station_mac(header, to);
	station_mac(header + 6, from);
	/* EtherType for local experiments */
	header[12] = 0x88;
	header[13] = 0xb5;
}

void
port_prefill(const struct bench_port *p, uint32_t from, uint32_t to)
{
	uint8_t header[BENCH_HEADER_LEN];

	frame_header(header, from, to);
	for (uint32_t i = 0; i < p->tx->num_slots; i++)
		memcpy(NETMAP_BUF(p->tx, p->tx->slot[i].buf_idx), header, sizeof(header));
}

int
port_announce(const struct bench_port *p, uint32_t from, uint32_t to)
{
	struct netmap_slot *slot = &p->tx->slot[p->tx->head];
	char *buf = NETMAP_BUF(p->tx, slot->buf_idx);

	memset(buf, 0, 60);
	frame_header((uint8_t *)buf, from, to);
	slot->len = 60;
	slot->flags = 0;
	p->tx->head = p->tx->cur = nm_ring_next(p->tx, p->tx->head);
	return ioctl(p->d->fd, NIOCTXSYNC, NULL);
}

int
port_receive(struct bench_port *p)
{
	struct pollfd fds[2] = {
		{ .fd = p->d->fd, .events = POLLIN }, { .fd = p->other, .events = POLLIN },
	};
	struct epoll_event ev;
	int n = 1;

	switch (p->wait) {
	case BENCH_BUSY:
		break;
	case BENCH_POLL:
		n = poll(fds, 1, WAIT_MS);
		break;
	case BENCH_MIXED:
		n = poll(fds, 2, WAIT_MS);
		break;
	case BENCH_EPOLL:
		n = epoll_wait(p->other, &ev, 1, WAIT_MS);
		break;
	}
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	if ((fds[0].revents & POLLERR) != 0) {
		errno = EIO;
		return -1;
	}
	if (n == 0)
		return 0;
	/* poll has synced the ring; epoll and the busy loop have to */
	if ((p->wait == BENCH_BUSY || p->wait == BENCH_EPOLL) && ioctl(p->d->fd, NIOCRXSYNC, NULL) != 0)
		return -1;
	return (int)nm_ring_space(p->rx);
}
