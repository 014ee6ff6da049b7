/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports from end to end through the client, with a netmapd that the first open starts: VALE, pipes, errors, two processes, fork, exec, passing of
 * descriptors, mappings that outlive their descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"

static void
exchange(const char *from, const char *to)
{
	struct tport a, b;

	CHECK(port_open(&a, from) == 0);
	CHECK(port_open(&b, to) == 0);
	for (uint32_t i = 0; i < 5000; i++) {
		port_send(&a, i);
		CHECK(port_receive(&b) == i);
		port_send(&b, ~i);
		CHECK(port_receive(&a) == ~i);
	}
	port_close(&a);
	port_close(&b);
}

/* Each end in a process of its own, blocking. */
static void
exchange_processes(const char *from, const char *to)
{
	struct tport p;
	int ready[2];
	char c = 0;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK(port_open(&p, to) == 0);
		CHECK(write(ready[1], &c, 1) == 1);
		for (uint32_t i = 0; i < 3000; i++) {
			CHECK(port_receive(&p) == i);
			port_send(&p, i + 1);
		}
		port_close(&p);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(port_open(&p, from) == 0);
	for (uint32_t i = 0; i < 3000; i++) {
		port_send(&p, i);
		CHECK(port_receive(&p) == i + 1);
	}
	CHECK(child_wait(pid) == 0);
	port_close(&p);
	close(ready[0]);
	close(ready[1]);
}

static void
errors(void)
{
	struct client_session *s;
	struct nmreq_header hdr;
	struct tport p;
	int fd = client_open(O_RDWR | O_CLOEXEC, &s);
	void *mem;

	CHECK(fd >= 0 && fd < CLIENT_FD_FLOOR);
	CHECK(client_ioctl(s, NIOCTXSYNC, NULL) == -ENXIO);
	CHECK(client_ioctl(s, NIOCRXSYNC, NULL) == -ENXIO);
	CHECK(client_poll(s, POLLIN) == POLLERR);
	CHECK(client_ioctl(s, NIOCCTRL, NULL) == -EINVAL);
	CHECK(client_ioctl(s, NIOCCTRL, (void *)8) == -EFAULT);
	CHECK(client_ioctl(s, 0x1234, &hdr) == -EOPNOTSUPP);
	CHECK(client_mmap(s, fd, NULL, 4096, PROT_READ, MAP_SHARED, 0, &mem) == -EINVAL);
	CHECK(!client_mapped_any());
	client_put(s);
	close(fd);
	CHECK(port_open(&p, "no-such-interface") == -ENXIO);
	CHECK(strstr(client_last_why(), "no-such-interface") != NULL);
}

/* A child uses what its parent opened. */
static void
forked(void)
{
	struct tport a, b;
	pid_t pid;

	CHECK(port_open(&a, "vale3:a") == 0);
	CHECK(port_open(&b, "vale3:b") == 0);
	pid = fork();
	if (pid == 0) {
		for (uint32_t i = 0; i < 100; i++)
			port_send(&a, i);
		_exit(0);
	}
	for (uint32_t i = 0; i < 100; i++)
		CHECK(port_receive(&b) == i);
	CHECK(child_wait(pid) == 0);
	/* The child's end was not the last. */
	port_send(&a, 7);
	CHECK(port_receive(&b) == 7);
	port_close(&a);
	port_close(&b);
}

static void
fd_send(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &msg, 0) == 1);
}

static int
fd_receive(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	CHECK(recvmsg(sock, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Another process gets a registered descriptor in a message, maps it, and goes on alone with it. */
static void
passed(void)
{
	struct tport a, b;
	int pair[2];
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	if (pid == 0) {
		memset(&a, 0, sizeof(a));
		a.fd = fd_receive(pair[1]);
		CHECK(read(pair[1], &a.reg, sizeof(a.reg)) == sizeof(a.reg));
		CHECK(client_adopt(a.fd, &a.s) == 0);
		port_map(&a);
		for (uint32_t i = 0; i < 10; i++)
			port_send(&a, i);
		CHECK(client_adopt(pair[1], &b.s) == -ENOTTY);
		_exit(0);
	}
	CHECK(port_open(&a, "vale4:a") == 0);
	CHECK(port_open(&b, "vale4:b") == 0);
	fd_send(pair[0], a.fd);
	CHECK(write(pair[0], &a.reg, sizeof(a.reg)) == sizeof(a.reg));
	port_close(&a);
	for (uint32_t i = 0; i < 10; i++)
		CHECK(port_receive(&b) == i);
	CHECK(child_wait(pid) == 0);
	port_close(&b);
	close(pair[0]);
	close(pair[1]);
}

/* This program again, with a netmap descriptor as its only knowledge. */
static int
exec_child(const char *fd, const char *offset, const char *size)
{
	struct tport p = { .fd = atoi(fd) };

	CHECK(client_adopt(p.fd, &p.s) == 0);
	p.reg.nr_offset = strtoull(offset, NULL, 10);
	p.reg.nr_memsize = strtoull(size, NULL, 10);
	port_map(&p);
	for (uint32_t i = 0; i < 10; i++)
		port_send(&p, i);
	return 0;
}

static void
executed(char *self)
{
	char fd[16], offset[32], size[32];
	struct tport a, b;
	pid_t pid;

	CHECK(port_open(&a, "vale5:a") == 0);
	CHECK(port_open(&b, "vale5:b") == 0);
	CHECK(fcntl(a.fd, F_SETFD, 0) == 0);
	snprintf(fd, sizeof(fd), "%d", a.fd);
	snprintf(offset, sizeof(offset), "%llu", (unsigned long long)a.reg.nr_offset);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)a.reg.nr_memsize);
	pid = fork();
	if (pid == 0) {
		execl(self, self, "exec", fd, offset, size, NULL);
		_exit(127);
	}
	for (uint32_t i = 0; i < 10; i++)
		CHECK(port_receive(&b) == i);
	CHECK(child_wait(pid) == 0);
	port_close(&a);
	port_close(&b);
}

static bool
name_free(void *name)
{
	struct tport p;

	/* A second binding of an exclusive name tells whether the first is still there. */
	if (port_open(&p, name) != 0)
		return false;
	port_close(&p);
	return true;
}

/* After close() the mapping keeps the session; what is left after a hole keeps it as well. */
static void
mapping_keeps(void)
{
	struct tport a, b;
	long page = sysconf(_SC_PAGESIZE);
	char *middle;

	CHECK(port_open(&a, "vale6:a") == 0);
	CHECK(port_open(&b, "vale6:b") == 0);
	CHECK(client_mapped_any());
	close(a.fd);
	middle = a.mem + a.size / (size_t)page / 2 * (size_t)page;
	munmap(middle, page);
	client_unmapped(middle, page);
	port_send(&a, 1);
	CHECK(port_receive(&b) == 1);
	munmap(a.mem, a.size);
	client_unmapped(a.mem, a.size);
	CHECK(client_mapped_any());
	client_put(a.s);
	port_close(&b);
	CHECK(!client_mapped_any());
	CHECK(wait_for(name_free, (void *)(uintptr_t)"vale6:a"));
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "exec") == 0)
		return exec_child(argv[2], argv[3], argv[4]);
	alarm(60);
	dir_begin();
	errors();
	exchange("vale0:a", "vale0:b");
	exchange("demo{1", "demo}1");
	exchange("vale1:x{1", "vale1:x}1");
	exchange_processes("vale2:a", "vale2:b");
	exchange_processes("two{1", "two}1");
	forked();
	passed();
	executed(argv[0]);
	mapping_keeps();
	dir_end();
	return 0;
}
