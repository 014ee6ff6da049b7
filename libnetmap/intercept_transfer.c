/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing: what a device that has neither answers, EINVAL, and what one that is no socket answers
 * to the calls for sockets, ENOTSOCK. None of them reaches the socket that a netmap descriptor is: netmapd
 * reads nothing from it, and shutting it down would end the session.
 */
#include "intercept.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __read_chk(int fd, void *buf, size_t n, size_t buf_size);
ssize_t __pread_chk(int fd, void *buf, size_t n, off_t off, size_t buf_size);
ssize_t __pread64_chk(int fd, void *buf, size_t n, off_t off, size_t buf_size);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t buf_size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t buf_size, int flags, __SOCKADDR_ARG from,
	socklen_t *from_len);
void __chk_fail(void) __attribute__((noreturn));

bool
fd_is_netmap(int fd)
{
	struct fd_entry *e = session_get(fd);
	bool yes;

	if (!e)
		return false;
	yes = session_current(fd, e);
	fd_put(e);
	return yes;
}

#define REFUSED(err, ret, name, params, ...) \
	INTERCEPT ret \
	name params \
	{ \
		if (transfer_refused(fd, err)) \
			return result_errno(-(err)); \
		return libc.name(__VA_ARGS__); \
	}

REFUSED(EINVAL, ssize_t, read, (int fd, void *buf, size_t n), fd, buf, n)
REFUSED(EINVAL, ssize_t, write, (int fd, const void *buf, size_t n), fd, buf, n)
REFUSED(EINVAL, ssize_t, readv, (int fd, const struct iovec *iov, int n), fd, iov, n)
REFUSED(EINVAL, ssize_t, writev, (int fd, const struct iovec *iov, int n), fd, iov, n)
REFUSED(EINVAL, ssize_t, pread, (int fd, void *buf, size_t n, off_t off), fd, buf, n, off)
REFUSED(EINVAL, ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t off), fd, buf, n, off)
REFUSED(EINVAL, ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t off), fd, iov, n, off)
REFUSED(EINVAL, ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t off), fd, iov, n, off)
REFUSED(EINVAL, ssize_t, preadv2, (int fd, const struct iovec *iov, int n, off_t off, int flags), fd, iov, n,
	off, flags)
REFUSED(EINVAL, ssize_t, pwritev2, (int fd, const struct iovec *iov, int n, off_t off, int flags), fd, iov, n,
	off, flags)
INTERCEPT_ALIAS(pread) __typeof__(pread) pread64;
INTERCEPT_ALIAS(pwrite) __typeof__(pwrite) pwrite64;
INTERCEPT_ALIAS(preadv) __typeof__(preadv) preadv64;
INTERCEPT_ALIAS(pwritev) __typeof__(pwritev) pwritev64;
INTERCEPT_ALIAS(preadv2) __typeof__(preadv2) preadv64v2;
INTERCEPT_ALIAS(pwritev2) __typeof__(pwritev2) pwritev64v2;

REFUSED(ENOTSOCK, ssize_t, send, (int fd, const void *buf, size_t n, int flags), fd, buf, n, flags)
REFUSED(ENOTSOCK, ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to,
	socklen_t to_len), fd, buf, n, flags, to, to_len)
REFUSED(ENOTSOCK, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), fd, msg, flags)
REFUSED(ENOTSOCK, int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags), fd, msgs, n, flags)
REFUSED(ENOTSOCK, ssize_t, recv, (int fd, void *buf, size_t n, int flags), fd, buf, n, flags)
REFUSED(ENOTSOCK, ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from,
	socklen_t *from_len), fd, buf, n, flags, from, from_len)
REFUSED(ENOTSOCK, int, shutdown, (int fd, int how), fd, how)
REFUSED(ENOTSOCK, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), fd, level,
	name, value, len)

/* --- as hardened programs call them --- */

INTERCEPT ssize_t
__read_chk(int fd, void *buf, size_t n, size_t buf_size)
{
	if (n > buf_size)
		__chk_fail();
	return read(fd, buf, n);
}

INTERCEPT ssize_t
__pread_chk(int fd, void *buf, size_t n, off_t off, size_t buf_size)
{
	if (n > buf_size)
		__chk_fail();
	return pread(fd, buf, n, off);
}
INTERCEPT_ALIAS(__pread_chk) __typeof__(__pread_chk) __pread64_chk;

INTERCEPT ssize_t
__recv_chk(int fd, void *buf, size_t n, size_t buf_size, int flags)
{
	if (n > buf_size)
		__chk_fail();
	return recv(fd, buf, n, flags);
}

INTERCEPT ssize_t
__recvfrom_chk(int fd, void *buf, size_t n, size_t buf_size, int flags, __SOCKADDR_ARG from,
	socklen_t *from_len)
{
	if (n > buf_size)
		__chk_fail();
	return recvfrom(fd, buf, n, flags, from, from_len);
}

/* --- by number --- */

int
transfer_errno(long nr)
{
	switch (nr) {
	case SYS_read: case SYS_readv: case SYS_pread64: case SYS_preadv: case SYS_preadv2:
	case SYS_write: case SYS_writev: case SYS_pwrite64: case SYS_pwritev: case SYS_pwritev2:
		return EINVAL;
	case SYS_sendto: case SYS_sendmsg: case SYS_sendmmsg:
	case SYS_recvfrom: case SYS_recvmsg: case SYS_recvmmsg:
	case SYS_shutdown: case SYS_setsockopt:
		return ENOTSOCK;
	}
	return 0;
}
