/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A netmap program as they are in the field: it knows the headers alone, is not linked with libnetmap, and
 * was built with the usual hardening.
 *
 *	unlinked PORT PORT	sends frames from the first to the second,
	and waits for them in every way that there is
 *
 * Exit status 0; 2 if there is no /dev/netmap; 1 if something went wrong.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>

static void
need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "unlinked: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Through the numbers themselves, as some programs do. */
static int
device_open(void)
{
	int fd = open(NETMAP_DEVICE_NAME, O_RDWR);

	if (fd < 0 && errno == ENOENT)
		exit(2);
	need(fd >= 0, "open");
	return fd;
}

static struct netmap_if *
port_open(int fd, const char *name)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)&reg };
	char *mem;

	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	need(ioctl(fd, NIOCCTRL, &hdr) == 0, "NIOCCTRL");
	mem = mmap(NULL, reg.nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(mem != MAP_FAILED, "mmap");
	return NETMAP_IF(mem, reg.nr_offset);
}

static void
frame_send(int fd, struct netmap_if *nifp)
{
	struct netmap_ring *ring = NETMAP_TXRING(nifp, 0);
	struct netmap_slot *slot = &ring->slot[ring->head];

	need(!nm_ring_empty(ring), "room");
	memset(NETMAP_BUF(ring, slot->buf_idx), 0xff, 60);
	slot->len = 60;
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	need(ioctl(fd, NIOCTXSYNC, NULL) == 0, "NIOCTXSYNC");
}

static int
wait_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 5000) == 1 && pfd.revents == POLLIN;
}

static int
wait_ppoll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct timespec ts = { .tv_sec = 5 };

	return ppoll(&pfd, 1, &ts, NULL) == 1 && pfd.revents == POLLIN;
}

static int
wait_select(int fd)
{
	struct timeval tv = { .tv_sec = 5 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &tv) == 1 && FD_ISSET(fd, &set);
}

static int
wait_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), n;

	need(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
	n = epoll_wait(ep, &ev, 1, 5000);
	close(ep);
	return n == 1 && ev.events == EPOLLIN;
}

static int
wait_sync(int fd)
{
	return ioctl(fd, NIOCRXSYNC, NULL) == 0;
}

static int
wait_syscall(int fd)
{
	return syscall(SYS_ioctl, fd, NIOCRXSYNC, NULL) == 0;
}

static void
frame_expect(int fd, struct netmap_if *nifp, int (*wait_for)(int fd), const char *how)
{
	struct netmap_ring *ring = NETMAP_RXRING(nifp, 0);

	need(wait_for(fd), how);
	need(nm_ring_space(ring) == 1 && ring->slot[ring->head].len == 60, how);
	ring->head = ring->cur = ring->tail;
}

/* The sender: another process, some time later. */
static pid_t
send_later(int fd, struct netmap_if *nifp)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	usleep(20000);
	frame_send(fd, nifp);
	_exit(0);
}

int
main(int argc, char **argv)
{
	static const struct {
		int (*wait_for)(int fd);
		const char *how;
	} ways[] = {
		{ wait_sync, "NIOCRXSYNC" }, { wait_syscall, "syscall()" }, { wait_poll, "poll" },
			{ wait_ppoll, "ppoll" },
		{ wait_select, "select" }, { wait_epoll, "epoll" },
	};
	struct netmap_if *from, *to;
	struct nm_desc *d;
	int a, b, status;

	if (argc != 3)
		return 1;
	a = device_open();
	b = device_open();
	from = port_open(a, argv[1]);
	to = port_open(b, argv[2]);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		frame_send(a, from);
		frame_expect(b, to, ways[i].wait_for, ways[i].how);
		/* Asleep, for those that sleep. */
		if (i < 2)
			continue;
		pid_t pid = send_later(a, from);

		frame_expect(b, to, ways[i].wait_for, ways[i].how);
		need(waitpid(pid, &status, 0) == pid && status == 0, "sender");
	}
	close(a);
	d = nm_open(argv[1], NULL, 0, NULL);
	need(d != NULL, "nm_open");
	nm_close(d);
	return 0;
}
