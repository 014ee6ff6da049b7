/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A netmap descriptor as a descriptor: duplication, closing in ranges, calls that a device does not have, and
 * its way into other processes.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>

#include "fixture.h"

extern char **environ;
static const char *self;

ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
ssize_t __pread_chk(int fd, void *buf, size_t n, off_t off, size_t size);
ssize_t __pread64_chk(int fd, void *buf, size_t n, off_t off, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, __SOCKADDR_ARG from,
	socklen_t *len);
int __poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *mask,
	size_t size);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

/*
 * Is it a netmap descriptor, registered and with a packet to receive? poll first: an ioctl would make an
 * unknown session known.
 */
static int
ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN && ioctl(fd, NIOCRXSYNC) == 0;
}

static int
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
test_names(void)
{
	const int fds[] = {
		open("/dev/netmap", O_RDWR), open64("/dev/netmap", O_RDWR), openat(AT_FDCWD,
			"/dev/netmap", O_RDWR),
		openat64(-1, "/dev/netmap", O_RDWR), __open_2("/dev/netmap", O_RDWR),
			__open64_2("/dev/netmap", O_RDWR),
		__openat_2(AT_FDCWD, "/dev/netmap", O_RDWR), __openat64_2(AT_FDCWD, "/dev/netmap",
			O_RDWR | O_CLOEXEC),
		(int)syscall(SYS_openat, AT_FDCWD, "/dev/netmap", O_RDWR),
	};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		CHECK(fds[i] >= 0);
		CHECK(ioctl(fds[i], NIOCTXSYNC) == -1 && errno == ENXIO);
		CHECK(!!(fcntl(fds[i], F_GETFD) & FD_CLOEXEC) == (i == 7));
		CHECK(close(fds[i]) == 0);
		CHECK(close(fds[i]) == -1 && errno == EBADF);
	}
	CHECK(open("/dev/netmap-not", O_RDWR) == -1 && errno == ENOENT);
	CHECK(ioctl(0, TCGETS + 10000, NULL) == -1);
}

static void
test_device_calls(void)
{
	char buf[4] = "abc";
	struct iovec iov = { buf, 4 };
	struct test_port p;
	int on = 1;

	port_open(&p);
	CHECK(read(p.fd, buf, 4) == -1 && errno == EINVAL);
	CHECK(__read_chk(p.fd, buf, 4, 4) == -1 && errno == EINVAL);
	CHECK(write(p.fd, buf, 4) == -1 && errno == EINVAL);
	CHECK(readv(p.fd, &iov, 1) == -1 && errno == EINVAL);
	CHECK(writev(p.fd, &iov, 1) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_write, p.fd, buf, 4L) == -1 && errno == EINVAL);
	CHECK(pread(p.fd, buf, 4, 0) == -1 && errno == EINVAL);
	CHECK(pread64(p.fd, buf, 4, 0) == -1 && errno == EINVAL);
	CHECK(__pread_chk(p.fd, buf, 4, 0, 4) == -1 && errno == EINVAL);
	CHECK(__pread64_chk(p.fd, buf, 4, 0, 4) == -1 && errno == EINVAL);
	CHECK(pwrite(p.fd, buf, 4, 0) == -1 && errno == EINVAL);
	CHECK(preadv(p.fd, &iov, 1, 0) == -1 && errno == EINVAL);
	CHECK(pwritev(p.fd, &iov, 1, 0) == -1 && errno == EINVAL);
	CHECK(preadv2(p.fd, &iov, 1, 0, 0) == -1 && errno == EINVAL);
	CHECK(pwritev2(p.fd, &iov, 1, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_preadv, p.fd, &iov, 1L, 0L, 0L) == -1 && errno == EINVAL);
	CHECK(ioctl(p.fd, 0x12345678UL, &on) == -1 && errno == EOPNOTSUPP);
	CHECK(ioctl(p.fd, FIONBIO, &on) == 0 && fcntl(p.fd, F_GETFL) & O_NONBLOCK);
	CHECK(ioctl(p.fd, FIOCLEX) == 0 && fcntl(p.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(syscall(SYS_ioctl, p.fd, NIOCTXSYNC, 0L) == 0);
	port_close(&p);
}

/* To the program it is no socket; nothing that ends one reaches what netmapd has at the other end. */
static void
test_no_socket(void)
{
	struct timeval none = { 0, 0 };
	char buf[4] = "abc";
	struct iovec iov = { buf, 4 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	struct test_port p;

	port_open(&p);
	port_feed(&p);
	CHECK(send(p.fd, buf, 4, 0) == -1 && errno == ENOTSOCK);
	CHECK(sendto(p.fd, buf, 4, 0, NULL, 0) == -1 && errno == ENOTSOCK);
	CHECK(sendmsg(p.fd, &m.msg_hdr, 0) == -1 && errno == ENOTSOCK);
	CHECK(sendmmsg(p.fd, &m, 1, 0) == -1 && errno == ENOTSOCK);
	CHECK(recv(p.fd, buf, 4, MSG_DONTWAIT) == -1 && errno == ENOTSOCK);
	CHECK(__recv_chk(p.fd, buf, 4, 4, MSG_DONTWAIT) == -1 && errno == ENOTSOCK);
	CHECK(recvfrom(p.fd, buf, 4, MSG_DONTWAIT, NULL, NULL) == -1 && errno == ENOTSOCK);
	CHECK(__recvfrom_chk(p.fd, buf, 4, 4, MSG_DONTWAIT, NULL, NULL) == -1 && errno == ENOTSOCK);
	CHECK(recvmsg(p.fd, &m.msg_hdr, MSG_DONTWAIT) == -1 && errno == ENOTSOCK);
	CHECK(recvmmsg(p.fd, &m, 1, MSG_DONTWAIT, NULL) == -1 && errno == ENOTSOCK);
	CHECK(shutdown(p.fd, SHUT_RDWR) == -1 && errno == ENOTSOCK);
	CHECK(setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) == -1 && errno == ENOTSOCK);
	CHECK(syscall(SYS_shutdown, p.fd, (long)SHUT_RDWR) == -1 && errno == ENOTSOCK);
	CHECK(syscall(SYS_recvmsg, p.fd, &m.msg_hdr, (long)MSG_DONTWAIT) == -1 && errno == ENOTSOCK);
	CHECK(ready(p.fd));
	port_close(&p);
}

/* And the same calls on what is none of ours. */
static void
test_other_transfers(void)
{
	char buf[8];
	struct iovec iov = { buf, 4 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	int sv[2], file = memfd_create("file", MFD_CLOEXEC);

	CHECK(file >= 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, sv) == 0);
	CHECK(pwrite(file, "abcdefgh", 8, 0) == 8 && pread(file, buf, 4, 4) == 4 && memcmp(buf, "efgh", 4) == 0);
	CHECK(pwritev(file, &iov, 1, 8) == 4 && preadv(file, &iov, 1, 0) == 4 && memcmp(buf, "abcd", 4) == 0);
	CHECK(pwritev2(file, &iov, 1, 8, 0) == 4 && preadv2(file, &iov, 1, 2, 0) == 4);
	CHECK(memcmp(buf, "cdef", 4) == 0);
	CHECK(__pread_chk(file, buf, 4, 6, 4) == 4 && memcmp(buf, "ghab", 4) == 0);
	CHECK(syscall(SYS_pread64, (long)file, buf, 4L, 0L) == 4);
	CHECK(send(sv[0], "1", 1, 0) == 1 && recv(sv[1], buf, 8, 0) == 1 && buf[0] == '1');
	CHECK(sendto(sv[0], "2", 1, 0, NULL, 0) == 1 && recvfrom(sv[1], buf, 8, 0, NULL, NULL) == 1);
	CHECK(buf[0] == '2');
	CHECK(sendmmsg(sv[0], &m, 1, 0) == 1 && __recv_chk(sv[1], buf, 8, 8, 0) == 4);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	close(sv[0]);
	close(sv[1]);
	close(file);
}

static void
test_syscalls(void)
{
	struct timespec zero = { 0, 0 };
	struct pollfd f = { .events = POLLIN };
	struct test_port p;
	fd_set rd;

	port_open(&p);
	port_feed(&p);
	f.fd = p.fd;
	CHECK(syscall(SYS_ppoll, &f, 1L, &zero, NULL, 8L) == 1 && f.revents == POLLIN);
	FD_ZERO(&rd);
	FD_SET(p.fd, &rd);
	CHECK(syscall(SYS_pselect6, p.fd + 1L, &rd, NULL, NULL, &zero, NULL) == 1 && FD_ISSET(p.fd, &rd));
	CHECK(__poll_chk(&f, 1, 0, sizeof(f)) == 1 && __ppoll_chk(&f, 1, &zero, NULL, sizeof(f)) == 1);
	CHECK(syscall(SYS_getpid) == getpid());
	CHECK(syscall(SYS_close, (long)p.fd) == 0);
	CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLNVAL);
}

static void
test_duplicates(void)
{
	struct test_port p;
	int a, b, c, d, e, null = open("/dev/null", O_RDWR);

	port_open(&p);
	port_feed(&p);
	a = dup(p.fd);
	b = fcntl(p.fd, F_DUPFD, 100);
	c = fcntl(p.fd, F_DUPFD_CLOEXEC, 100);
	d = dup2(p.fd, 200);
	e = dup3(p.fd, 201, O_CLOEXEC);
	CHECK(a >= 0 && b >= 100 && c > b && d == 200 && e == 201);
	CHECK(fcntl(c, F_GETFD) == FD_CLOEXEC && fcntl(e, F_GETFD) == FD_CLOEXEC);
	CHECK(dup2(p.fd, p.fd) == p.fd && dup3(p.fd, p.fd, 0) == -1 && errno == EINVAL);
	CHECK(dup2(1 << 28, p.fd) == -1 && errno == EBADF);
	CHECK(ready(a) && ready(b) && ready(c) && ready(d) && ready(e) && ready(p.fd));
	CHECK(close(p.fd) == 0);
	CHECK(ready(a));
	/* One file over the other. */
	CHECK(dup2(null, a) == a && write(a, "x", 1) == 1 && ioctl(a, NIOCRXSYNC) == -1 && errno == ENOTTY);
	CHECK(dup2(b, a) == a && ready(a));
	CHECK(close(a) == 0 && close(b) == 0 && close(c) == 0 && close(d) == 0);
	CHECK(ready(e) && close(e) == 0);
	close(null);
}

static void
test_ranges(void)
{
	struct test_port p, q;
	int a, null;

	port_open(&p);
	port_open(&q);
	a = dup2(p.fd, 100);
	port_feed(&p);
	CHECK(close_range(q.fd, q.fd, CLOSE_RANGE_CLOEXEC) == 0 && fcntl(q.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(close_range(101, 99, 0) == -1 && errno == EINVAL);
	CHECK(close_range(60, 150, 0) == 0);
	CHECK(!is_open(a) && ready(p.fd));
	CHECK(close_range(3, ~0U, 0) == 0);
	CHECK(!is_open(p.fd) && !is_open(q.fd));
	/* What the library needs has survived. */
	port_open(&p);
	port_feed(&p);
	CHECK(ready(p.fd));
	closefrom(3);
	CHECK(!is_open(p.fd));
	for (int fd = 3; fd < 2000; fd++)
		close(fd);
	port_open(&p);
	port_feed(&p);
	struct pollfd f[] = { { p.fd, POLLIN, 0 }, { 0, 0, 0 } };
	CHECK(poll(f, 2, -1) >= 1 && f[0].revents == POLLIN);
	port_take(&p);
	null = open("/dev/null", O_RDWR);
	CHECK(dup2(null, p.fd) == p.fd);
	CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLIN);
	close(null);
	close(p.fd);
}

static void
test_memory(void)
{
	struct test_port p;
	void *a, *b;

	port_open_unregistered(&p);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0) == MAP_FAILED && errno == EINVAL);
	port_close(&p);
	port_open(&p);
	a = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	CHECK(a != MAP_FAILED);
	b = (void *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ, (long)MAP_SHARED, (long)p.fd, 0L);
	CHECK(b != MAP_FAILED && munmap(b, 4096) == 0);
	CHECK(mremap(a, 16384, 8192, 0) == a);
	b = mmap(a, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(b == a && munmap(a, 8192) == 0);
	port_close(&p);
}

static int
child_status(pid_t pid)
{
	int status = -1;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static void
test_fork(void)
{
	struct test_port p;
	pid_t pid;

	port_open(&p);
	port_feed(&p);
	for (int i = 0; i < 2; i++) {
		/* By fork() and by a call that libc knows nothing of. */
		pid = i ? (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L) : fork();
		if (pid == 0) {
			int again;

			CHECK(ready(p.fd));
			again = open("/dev/netmap", O_RDWR);
			CHECK(again >= 0 && again != p.fd && ready(p.fd));
			CHECK(close(p.fd) == 0);
			_exit(0);
		}
		CHECK(child_status(pid) == 0);
		CHECK(ready(p.fd));
	}
	port_close(&p);
}

/* Runs in the parent's memory, with its own descriptors: nothing of what it does to them is the parent's. */
static void
test_vfork(void)
{
	struct test_port p;
	pid_t pid;

	port_open(&p);
	port_feed(&p);
	pid = vfork();
	if (pid == 0) {
		if (!ready(p.fd))
			_exit(1);
		if (dup2(0, p.fd) != p.fd || close(p.fd) != 0 || close_range(3, ~0U, 0) != 0)
			_exit(2);
		_exit(0);
	}
	CHECK(child_status(pid) == 0);
	CHECK(ready(p.fd));
	port_close(&p);
}

static void
test_exec(void)
{
	char number[16], *args[] = { (char *)self, (char *)"child", number, NULL };
	posix_spawn_file_actions_t actions;
	struct test_port p;
	pid_t pid;

	port_open(&p);
	port_feed(&p);
	snprintf(number, sizeof(number), "%d", p.fd);
	pid = fork();
	if (pid == 0) {
		execv(self, args);
		_exit(127);
	}
	CHECK(child_status(pid) == 0);

	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, p.fd, 150) == 0);
	strcpy(number, "150");
	CHECK(posix_spawn(&pid, self, &actions, NULL, args, environ) == 0);
	CHECK(child_status(pid) == 0);
	posix_spawn_file_actions_destroy(&actions);
	CHECK(ready(p.fd));
	port_close(&p);
}

static void
send_fd(int sock, int fd)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	struct iovec iov = { (char *)"x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
		.msg_controllen = sizeof(c) };

	c.h.cmsg_level = SOL_SOCKET;
	c.h.cmsg_type = SCM_RIGHTS;
	c.h.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &m, 0) == 1);
}

static int
receive_fd(int sock, int many)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
		.msg_controllen = sizeof(c) } };
	int fd;

	if (many)
		CHECK(recvmmsg(sock, &m, 1, 0, NULL) == 1);
	else
		CHECK(recvmsg(sock, &m.msg_hdr, 0) == 1);
	CHECK(c.h.cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&c.h), sizeof(fd));
	return fd;
}

static void
test_passing(void)
{
	struct test_port p;
	int sv[2], fd;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	for (int many = 0; many < 2; many++) {
		/* The receiver knows nothing of the session. */
		pid = fork();
		if (pid == 0) {
			fd = receive_fd(sv[1], many);
			_exit(ready(fd) && ready(fd) ? 0 : 1);
		}
		port_open(&p);
		port_feed(&p);
		send_fd(sv[0], p.fd);
		CHECK(child_status(pid) == 0);
		/* And in this process, under another number. */
		send_fd(sv[0], p.fd);
		fd = receive_fd(sv[1], many);
		CHECK(fd != p.fd && ready(fd));
		close(fd);
		CHECK(ready(p.fd));
		port_close(&p);
	}
	close(sv[0]);
	close(sv[1]);
}

int
main(int argc, char **argv)
{
	alarm(TEST_SECONDS);
	self = "/proc/self/exe";
	if (argc == 3)
		return ready(atoi(argv[2])) ? 0 : 1;
	test_names();
	test_device_calls();
	test_no_socket();
	test_other_transfers();
	test_syscalls();
	test_duplicates();
	test_ranges();
	test_memory();
	test_fork();
	test_vfork();
	test_exec();
	test_passing();
	return 0;
}
