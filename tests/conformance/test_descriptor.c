/* SPDX-License-Identifier: BSD-2-Clause */
/* Netmap descriptors are file descriptors: dup, fork, exec, passing, close on the last reference. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define GONE_MS	5000

/* One frame from a to b, which must arrive unharmed. */
static void
transfer(struct port *a, struct port *b, uint64_t number)
{
	uint8_t out[FRAME_MIN], in[FRAME_ROOM];

	frame_make(out, sizeof(out), 0xff, 1, number);
	port_send(a, out, sizeof(out));
	check_eq(port_recv(b, in, 5000), sizeof(out));
	check(memcmp(in, out, sizeof(out)) == 0);
}

static void
two_opens(void)
{
	struct port a, b;
	int fd = device_open();

	port_open_two(&a, &b);
	check_errno(ioctl(fd, NIOCTXSYNC, NULL), ENXIO);
	transfer(&a, &b, 1);
	check_ok(close(fd));
	transfer(&a, &b, 2);
	port_close(&a);
	check_ok(ioctl(b.fd, NIOCRXSYNC, NULL));
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
	check(vale_index(vale("b")) >= 0);
}

static void
second_registration(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq old = { .nr_version = NETMAP_API, .nr_flags = NR_REG_ALL_NIC };
	struct port a, b;

	port_open_two(&a, &b);
	check_eq(request_try(a.fd, NETMAP_REQ_REGISTER, vale("c"), &reg), -EBUSY);
	strcpy(old.nr_name, vale("c"));
	check_errno(ioctl(a.fd, NIOCREGIF, &old), EBUSY);
	transfer(&a, &b, 1);
}

static void
unregistered(void)
{
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	struct epoll_event ev = { .events = EPOLLIN };
	fd_set rd, wr, ex;
	int fd = device_open(), ep = epoll_create1(0);

	check_errno(ioctl(fd, NIOCTXSYNC, NULL), ENXIO);
	check_errno(ioctl(fd, NIOCRXSYNC, NULL), ENXIO);
	check_eq((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), -1);
	check_eq(errno, EINVAL);
	pfd.fd = fd;
	check_eq(poll(&pfd, 1, 1000), 1);
	check_eq(pfd.revents, POLLERR);
	pfd.events = 0;
	check_eq(poll(&pfd, 1, -1), 1);
	check_eq(pfd.revents, POLLERR);
	check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	check_eq(epoll_wait(ep, &ev, 1, 1000), 1);
	check_eq(ev.events, EPOLLERR);
	/* select has no word for it: an error makes a descriptor readable and writable. */
	FD_ZERO(&rd);
	FD_SET(fd, &rd);
	wr = rd;
	FD_ZERO(&ex);
	FD_SET(fd, &ex);
	check_eq(select(fd + 1, &rd, &wr, &ex, &(struct timeval){ .tv_sec = 1 }), 2);
	check(FD_ISSET(fd, &rd) && FD_ISSET(fd, &wr) && !FD_ISSET(fd, &ex));
}

static void
duplicates(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct port a, b;
	int copy, high;

	port_open_two(&a, &b);
	check_ok(copy = dup(a.fd));
	high = fcntl(a.fd, F_DUPFD_CLOEXEC, 300);
	check(high >= 300);
	check_eq(fcntl(high, F_GETFD), FD_CLOEXEC);
	check_eq(fcntl(copy, F_GETFD), 0);
	check_eq(request_try(copy, NETMAP_REQ_REGISTER, vale("c"), &reg), -EBUSY);
	check_ok(close(a.fd));
	a.fd = copy;
	transfer(&a, &b, 1);
	transfer(&b, &a, 2);
	check_ok(close(copy));
	a.fd = high;
	transfer(&a, &b, 3);
	transfer(&b, &a, 4);
	port_close(&a);
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
}

/* Another file takes the number: the port behind it goes, and the number is that file's. */
static void
overwritten(void)
{
	struct port a, b, c;
	int fds[2], was;
	char byte = 'x';

	port_open_two(&a, &b);
	port_open(&c, vale("c"));
	was = a.fd;
	check_ok(munmap(a.mem, a.size));
	check_eq(dup2(b.fd, was), was);
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
	check_ok(close(b.fd));
	b.fd = was;
	transfer(&b, &c, 1);
	transfer(&c, &b, 2);

	check_ok(pipe(fds));
	check_ok(munmap(b.mem, b.size));
	check_eq(dup3(fds[0], was, O_CLOEXEC), was);
	wait_until(vale_index(vale("b")) < 0, GONE_MS);
	check_errno(ioctl(was, NIOCTXSYNC, NULL), ENOTTY);
	check_eq(write(fds[1], &byte, 1), 1);
	byte = 0;
	check_eq(poll(&(struct pollfd){ .fd = was, .events = POLLIN }, 1, 1000), 1);
	check_eq(read(was, &byte, 1), 1);
	check_eq(byte, 'x');

	/* And back: a netmap descriptor where a pipe was. */
	check_eq(dup2(c.fd, was), was);
	check_ok(ioctl(was, NIOCTXSYNC, NULL));
	check_eq(dup2(c.fd, c.fd), c.fd);
	check_ok(ioctl(c.fd, NIOCTXSYNC, NULL));
	check_errno(dup3(c.fd, c.fd, 0), EINVAL);
}

static void
reused_number(void)
{
	struct port a;
	int fds[2], was;

	port_open(&a, vale("a"));
	/* Whatever number it got: a low one, as that of any new file. */
	was = fcntl(a.fd, F_DUPFD, 3);
	check_ok(close(a.fd));
	check_ok(close(was));
	was = was < a.fd ? was : a.fd;
	check_ok(pipe(fds));
	check_eq(fds[0], was);
	check_eq(poll(&(struct pollfd){ .fd = was, .events = POLLIN }, 1, 0), 0);
	check_errno(ioctl(was, NIOCRXSYNC, NULL), ENOTTY);
}

/* A close takes effect before the next open of the same thread does: as with a device. */
static void
close_then_open(void)
{
	const struct nmreq_register alone = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE };
	struct port p;

	for (int i = 0; i < 200; i++) {
		port_open_as(&p, vale("a"), &alone);
		port_close(&p);
	}
	/* The other order: the mapping goes last. */
	for (int i = 0; i < 200; i++) {
		port_open_as(&p, vale("a"), &alone);
		check_ok(close(p.fd));
		check_ok(munmap(p.mem, p.size));
	}
}

static void
fork_child(void *arg)
{
	struct port *p = arg;

	transfer(&p[0], &p[1], 100);
	/* A descriptor of its own, closed by its exit. */
	port_open(&p[2], vale("child"));
	transfer(&p[2], &p[0], 101);
	check(vale_index(vale("child")) >= 0);
}

static void
forked(void)
{
	struct port p[3];
	uint8_t in[FRAME_ROOM];
	pid_t pid;

	port_open(&p[0], vale("a"));
	port_open(&p[1], vale("b"));
	transfer(&p[0], &p[1], 1);
	pid = spawn(fork_child, p);
	join(pid);
	wait_until(vale_index(vale("child")) < 0, GONE_MS);
	/*
	 * The child's broadcast came here as well. The rings are the same memory: the parent goes on where
	 * the child stopped.
	 */
	check_eq(port_recv(&p[1], in, 1000), FRAME_MIN);
	transfer(&p[0], &p[1], 2);
	transfer(&p[1], &p[0], 3);
}

static void
fork_keep(void *arg)
{
	struct port *p = arg;
	uint8_t out[FRAME_MIN];
	char go;

	/* The parent has closed its copy by now. */
	check_eq(read(p[2].fd, &go, 1), 1);
	frame_make(out, sizeof(out), 0xff, 1, 7);
	port_send(&p[0], out, sizeof(out));
}

static void
fork_outlives(void)
{
	struct port p[3];
	uint8_t in[FRAME_ROOM];
	int fds[2];
	pid_t pid;

	check_ok(pipe(fds));
	port_open(&p[0], vale("a"));
	port_open(&p[1], vale("b"));
	p[2].fd = fds[0];
	pid = spawn(fork_keep, p);
	port_close(&p[0]);
	sleep_ms(50);
	check(vale_index(vale("a")) >= 0);
	check_eq(write(fds[1], "", 1), 1);
	check_eq(port_recv(&p[1], in, 5000), FRAME_MIN);
	check_eq(frame_number(in), 7);
	join(pid);
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
}

/* In the new image: descriptors are just numbers. */
static void
exec_entry(void)
{
	struct port p = { .fd = atoi(entry_args[0]) };
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	uint8_t out[FRAME_MIN];

	check_eq(port_poll(&p, POLLOUT, 1000), POLLOUT);
	check_eq(request_try(p.fd, NETMAP_REQ_REGISTER, "vale:other", &reg), -EBUSY);
	p.size = strtoul(entry_args[1], NULL, 10);
	p.mem = mmap(NULL, p.size, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	check(p.mem != MAP_FAILED);
	/* The first netmap_if of the region is that of its only descriptor. */
	p.nifp = NETMAP_IF(p.mem, 0);
	frame_make(out, sizeof(out), 0xff, 1, 42);
	port_send(&p, out, sizeof(out));
}

static void
exec_child(void *arg)
{
	const struct port *p = arg;
	char fd[16], size[32];

	snprintf(fd, sizeof(fd), "%d", p->fd);
	snprintf(size, sizeof(size), "%zu", p->size);
	reexec("exec_entry", fd, size);
}

static void
executed(void)
{
	struct port a, b;
	uint8_t in[FRAME_ROOM];
	pid_t pid;

	port_open_two(&a, &b);
	check_eq(a.reg.nr_offset, 0);
	pid = spawn(exec_child, &a);
	check_eq(port_recv(&b, in, 10000), FRAME_MIN);
	check_eq(frame_number(in), 42);
	join(pid);
	transfer(&a, &b, 1);
}

static void
cloexec_entry(void)
{
	check_errno(fcntl(atoi(entry_args[0]), F_GETFD), EBADF);
	check_ok(fcntl(atoi(entry_args[1]), F_GETFD));
}

static void
cloexec_child(void *arg)
{
	int fd = open("/dev/netmap", O_RDWR | O_CLOEXEC);
	char one[16], two[16];

	check(fd >= 0);
	check_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	snprintf(one, sizeof(one), "%d", fd);
	snprintf(two, sizeof(two), "%d", device_open());
	reexec("cloexec_entry", one, two);
}

static void
close_on_exec(void)
{
	join(spawn(cloexec_child, NULL));
}

static void
fd_send(int sock, int fd)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = { .buf = "" };
	struct iovec iov = { .iov_base = (char *)"x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
		.msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	check_eq(sendmsg(sock, &msg, 0), 1);
}

static int
fd_receive(int sock)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
		.msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c;
	int fd;

	check_eq(recvmsg(sock, &msg, 0), 1);
	c = CMSG_FIRSTHDR(&msg);
	check(c != NULL && c->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Never saw netmap before; gets a registered descriptor. */
static void
passing_child(void *arg)
{
	const int *sock = arg;
	struct port p = { .fd = fd_receive(*sock) };
	struct nmreq_port_info_get info = { 0 };
	uint8_t out[FRAME_MIN], in[FRAME_ROOM];

	check_eq(request_try(p.fd, NETMAP_REQ_PORT_INFO_GET, vale("a"), &info), 0);
	p.size = info.nr_memsize;
	p.mem = mmap(NULL, p.size, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	check(p.mem != MAP_FAILED);
	p.nifp = NETMAP_IF(p.mem, 0);
	frame_make(out, sizeof(out), 0xff, 1, 5);
	port_send(&p, out, sizeof(out));
	check_eq(port_recv(&p, in, 5000), FRAME_MIN);
	check_eq(frame_number(in), 6);
}

static void
passed(void)
{
	uint8_t out[FRAME_MIN], in[FRAME_ROOM];
	struct port a, b;
	int sock[2];
	pid_t pid;

	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = spawn(passing_child, &sock[1]);
	port_open_two(&a, &b);
	fd_send(sock[0], a.fd);
	port_close(&a);
	check_eq(port_recv(&b, in, 5000), FRAME_MIN);
	check_eq(frame_number(in), 5);
	frame_make(out, sizeof(out), 1, 2, 6);
	port_send(&b, out, sizeof(out));
	join(pid);
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
}

/* An unregistered descriptor is passed, and registered by the receiver: both have the port. */
static void
passed_early_child(void *arg)
{
	const int *sock = arg;
	struct port p;

	port_bind(&p, fd_receive(*sock), vale("a"));
	check_eq(write(*sock, "r", 1), 1);
	check_eq(read(*sock, p.mem, 1), 1);
}

static void
passed_unregistered(void)
{
	int sock[2], fd;
	char byte;
	pid_t pid;

	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = spawn(passed_early_child, &sock[1]);
	fd = device_open();
	fd_send(sock[0], fd);
	check_eq(read(sock[0], &byte, 1), 1);
	check_ok(ioctl(fd, NIOCTXSYNC, NULL));
	check_eq(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 1000), 1);
	check_eq(write(sock[0], "e", 1), 1);
	join(pid);
	check_ok(ioctl(fd, NIOCTXSYNC, NULL));
}

static void
mapping_keeps(void)
{
	struct port a, b;

	port_open_two(&a, &b);
	check_ok(close(a.fd));
	sleep_ms(50);
	check(vale_index(vale("a")) >= 0);
	/* Half of it is still a mapping. */
	check_ok(munmap(a.mem, a.size / 2 & ~4095UL));
	sleep_ms(50);
	check(vale_index(vale("a")) >= 0);
	check_ok(munmap(a.mem, a.size));
	wait_until(vale_index(vale("a")) < 0, GONE_MS);

	/* A mapping over it ends it as well. */
	check_ok(close(b.fd));
	check(mmap(b.mem, b.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == b.mem);
	wait_until(vale_index(vale("b")) < 0, GONE_MS);
}

static void
mapping_bounds(void)
{
	struct port a;
	char *second;

	port_open(&a, vale("a"));
	check_eq((intptr_t)mmap(NULL, a.size + 4096, PROT_READ, MAP_SHARED, a.fd, 0), -1);
	check_eq(errno, EINVAL);
	check_eq((intptr_t)mmap(NULL, a.size, PROT_READ, MAP_SHARED, a.fd, 4096), -1);
	check_eq(errno, EINVAL);
	second = mmap(NULL, a.size - 4096, PROT_READ, MAP_SHARED, a.fd, 4096);
	check(second != MAP_FAILED);
	/* The same memory. */
	port_tx(&a, 0)->sem[3] = 99;
	check_eq(((struct netmap_ring *)(second + ((char *)port_tx(&a, 0) - a.mem) - 4096))->sem[3], 99);
}

/* Descriptors that others close in one go. */
static void
closed_ranges(void)
{
	struct port a, b;
	int fd;

	port_open(&a, vale("a"));
	check_ok(munmap(a.mem, a.size));
	fd = fcntl(a.fd, F_DUPFD, 100);
	check(fd >= 100);
	check_ok(close(a.fd));
	check_ok(close_range(90, ~0U, 0));
	wait_until(vale_index(vale("a")) < 0, GONE_MS);
	check_errno(close(fd), EBADF);
	/* The library's own connection is still there. */
	port_open_two(&a, &b);
	transfer(&a, &b, 1);
}

static void
many(void)
{
	uint8_t out[FRAME_MIN], in[FRAME_ROOM];
	struct port p[100];

	for (unsigned i = 0; i < 100; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%u", i);
		port_open(&p[i], vale(name));
	}
	frame_make(out, sizeof(out), 0xff, 1, 5);
	port_send(&p[0], out, sizeof(out));
	for (unsigned i = 1; i < 100; i++) {
		check_eq(port_recv(&p[i], in, 1000), sizeof(out));
		check(memcmp(in, out, sizeof(out)) == 0);
	}
	for (unsigned i = 0; i < 100; i++)
		port_close(&p[i]);
}

static const struct test_case cases[] = {
	{ "two_opens", two_opens, 0, false },
	{ "second_registration", second_registration, 0, false },
	{ "unregistered", unregistered, 0, false },
	{ "duplicates", duplicates, 0, false },
	{ "overwritten", overwritten, 0, false },
	{ "reused_number", reused_number, 0, false },
	{ "close_then_open", close_then_open, 0, false },
	{ "forked", forked, 0, false },
	{ "fork_outlives", fork_outlives, 0, false },
	{ "executed", executed, 0, false },
	{ "exec_entry", exec_entry, 0, true },
	{ "close_on_exec", close_on_exec, 0, false },
	{ "cloexec_entry", cloexec_entry, 0, true },
	{ "passed", passed, 0, false },
	{ "passed_unregistered", passed_unregistered, 0, false },
	{ "mapping_keeps", mapping_keeps, 0, false },
	{ "mapping_bounds", mapping_bounds, 0, false },
	{ "closed_ranges", closed_ranges, 0, false },
	{ "many", many, 0, false },
};

static const char *const expected_log[] = { "this descriptor is registered already", NULL };

TEST_MAIN(cases, expected_log)
