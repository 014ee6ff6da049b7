/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions behind the interception, see libc_calls.h. The raw_* ones differ from libc's only in not
 * being cancellation points.
 */
#include "intercept.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "raw_syscall.h"

#define SIGSET_SIZE	8	/* bytes of a signal set as the kernel knows it */

static int
raw_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return raw_result(raw_syscall(SYS_openat, dir, path, flags, mode));
}

static int
raw_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return raw_openat(AT_FDCWD, path, flags, mode);
}

static int
raw___open_2(const char *path, int flags)
{
	return raw_openat(AT_FDCWD, path, flags, 0);
}

static int
raw___openat_2(int dir, const char *path, int flags)
{
	return raw_openat(dir, path, flags, 0);
}

static int
raw_close(int fd)
{
	return raw_result(raw_syscall(SYS_close, fd));
}

static int
raw_close_range(unsigned first, unsigned last, int flags)
{
	return raw_result(raw_syscall(SYS_close_range, first, last, flags));
}

static int
raw_dup(int fd)
{
	return raw_result(raw_syscall(SYS_dup, fd));
}

static int
raw_dup3(int from, int to, int flags)
{
	return raw_result(raw_syscall(SYS_dup3, from, to, flags));
}

static int
raw_dup2(int from, int to)
{
	if (from != to)
		return raw_dup3(from, to, 0);
	return raw_result(raw_syscall(SYS_fcntl, from, F_GETFD)) < 0 ? -1 : to;
}

static int
raw_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return raw_result(raw_syscall(SYS_fcntl, fd, cmd, arg));
}

static int
raw_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	long arg;

	va_start(ap, request);
	arg = va_arg(ap, long);
	va_end(ap);
	return raw_result(raw_syscall(SYS_ioctl, fd, request, arg));
}

/* Those that hand their arguments on. */
#define RAW(ret, name, params, nr, ...) \
	static ret raw_##name params { return raw_result(raw_syscall(nr, __VA_ARGS__)); }

RAW(ssize_t, read, (int fd, void *buf, size_t n), SYS_read, fd, buf, n)
RAW(ssize_t, write, (int fd, const void *buf, size_t n), SYS_write, fd, buf, n)
RAW(ssize_t, readv, (int fd, const struct iovec *iov, int n), SYS_readv, fd, iov, n)
RAW(ssize_t, writev, (int fd, const struct iovec *iov, int n), SYS_writev, fd, iov, n)
RAW(ssize_t, pread, (int fd, void *buf, size_t n, off_t off), SYS_pread64, fd, buf, n, off)
RAW(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t off), SYS_pwrite64, fd, buf, n, off)
RAW(ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t off), SYS_preadv, fd, iov, n, off)
RAW(ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t off), SYS_pwritev, fd, iov, n, off)
RAW(ssize_t, preadv2, (int fd, const struct iovec *iov, int n, off_t off, int flags), SYS_preadv2, fd, iov, n,
	off, 0, flags)
RAW(ssize_t, pwritev2, (int fd, const struct iovec *iov, int n, off_t off, int flags), SYS_pwritev2, fd, iov,
	n, off, 0, flags)

RAW(ssize_t, send, (int fd, const void *buf, size_t n, int flags), SYS_sendto, fd, buf, n, flags)
RAW(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to,
	socklen_t to_len), SYS_sendto, fd, buf, n, flags, to.__sockaddr__, to_len)
RAW(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), SYS_sendmsg, fd, msg, flags)
RAW(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags), SYS_sendmmsg, fd, msgs, n, flags)
RAW(ssize_t, recv, (int fd, void *buf, size_t n, int flags), SYS_recvfrom, fd, buf, n, flags)
RAW(ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *from_len),
	SYS_recvfrom, fd, buf, n, flags, from.__sockaddr__, from_len)
RAW(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), SYS_recvmsg, fd, msg, flags)
RAW(int, recvmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout),
	SYS_recvmmsg, fd, msgs, n, flags, timeout)
RAW(int, shutdown, (int fd, int how), SYS_shutdown, fd, how)
RAW(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), SYS_setsockopt, fd,
	level, name, value, len)

static void *
raw_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return (void *)raw_result(raw_syscall(SYS_mmap, addr, len, prot, flags, fd, off));
}

static int
raw_munmap(void *addr, size_t len)
{
	return raw_result(raw_syscall(SYS_munmap, addr, len));
}

static void *
raw_mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	va_list ap;
	void *to;

	va_start(ap, flags);
	to = va_arg(ap, void *);
	va_end(ap);
	return (void *)raw_result(raw_syscall(SYS_mremap, addr, len, new_len, flags, to));
}

static int
raw_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left;

	if (timeout)
		left = *timeout;
	return raw_result(raw_syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, SIGSET_SIZE));
}

static int
raw_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000L };

	return raw_ppoll(fds, n, timeout < 0 ? NULL : &ts, NULL);
}

static int
raw_pselect(int n, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout, const sigset_t *mask)
{
	const long sig[2] = { (long)mask, SIGSET_SIZE };
	struct timespec left;

	if (timeout)
		left = *timeout;
	return raw_result(raw_syscall(SYS_pselect6, n, rd, wr, ex, timeout ? &left : NULL, sig));
}

static int
raw_select(int n, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout)
{
	struct timespec left;
	long ret;

	if (!timeout)
		return raw_result(raw_syscall(SYS_pselect6, n, rd, wr, ex, NULL, NULL));
	left.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	left.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	ret = raw_syscall(SYS_pselect6, n, rd, wr, ex, &left, NULL);
	timeout->tv_sec = left.tv_sec;
	timeout->tv_usec = left.tv_nsec / 1000;
	return raw_result(ret);
}

static int
raw_epoll_create1(int flags)
{
	return raw_result(raw_syscall(SYS_epoll_create1, flags));
}

static int
raw_epoll_create(int size)
{
	return size <= 0 ? raw_result(-EINVAL) : raw_epoll_create1(0);
}

static int
raw_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	return raw_result(raw_syscall(SYS_epoll_ctl, epfd, op, fd, ev));
}

static int
raw_epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask)
{
	return raw_result(raw_syscall(SYS_epoll_pwait, epfd, ev, max, timeout, mask, SIGSET_SIZE));
}

static int
raw_epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	return raw_epoll_pwait(epfd, ev, max, timeout, NULL);
}

static int
raw_epoll_pwait2(int epfd, struct epoll_event *ev, int max, const struct timespec *timeout,
	const sigset_t *mask)
{
	return raw_result(raw_syscall(SYS_epoll_pwait2, epfd, ev, max, timeout, mask, SIGSET_SIZE));
}

static long
raw_syscall_any(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return raw_result(raw_syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
}

struct libc_calls libc = {
	.open = raw_open, .openat = raw_openat, .__open_2 = raw___open_2, .__openat_2 = raw___openat_2,
	.close = raw_close, .close_range = raw_close_range, .dup = raw_dup, .dup2 = raw_dup2,
		.dup3 = raw_dup3,
	.fcntl = raw_fcntl, .ioctl = raw_ioctl,
	.read = raw_read, .write = raw_write, .readv = raw_readv, .writev = raw_writev,
	.mmap = raw_mmap, .munmap = raw_munmap, .mremap = raw_mremap,
	.poll = raw_poll, .ppoll = raw_ppoll, .select = raw_select, .pselect = raw_pselect,
	.epoll_create = raw_epoll_create, .epoll_create1 = raw_epoll_create1, .epoll_ctl = raw_epoll_ctl,
	.epoll_wait = raw_epoll_wait, .epoll_pwait = raw_epoll_pwait, .epoll_pwait2 = raw_epoll_pwait2,
	.pread = raw_pread, .pwrite = raw_pwrite, .preadv = raw_preadv, .pwritev = raw_pwritev,
	.preadv2 = raw_preadv2, .pwritev2 = raw_pwritev2,
	.send = raw_send, .sendto = raw_sendto, .sendmsg = raw_sendmsg, .sendmmsg = raw_sendmmsg,
	.recv = raw_recv, .recvfrom = raw_recvfrom, .recvmsg = raw_recvmsg, .recvmmsg = raw_recvmmsg,
	.shutdown = raw_shutdown, .setsockopt = raw_setsockopt, .syscall = raw_syscall_any,
};

static const struct {
	const char *name;
	size_t offset;
} libc_names[] = {
#define LIBC_CALL_NAME(ret, name, args) { #name, offsetof(struct libc_calls, name) },
	LIBC_CALLS(LIBC_CALL_NAME)
#undef LIBC_CALL_NAME
};

void
libc_resolve(void)
{
	for (size_t i = 0; i < sizeof(libc_names) / sizeof(libc_names[0]); i++) {
		void *found = dlsym(RTLD_NEXT, libc_names[i].name);

		if (found)
			memcpy((char *)&libc + libc_names[i].offset, &found, sizeof(found));
	}
}
