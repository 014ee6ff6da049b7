/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions behind the interception: libc's (or those of the next library in the search order), and,
 * until libc_resolve has run, equivalent bare system calls. So wrappers work from the first instruction of
 * the process on, also while the loader or malloc set themselves up.
 */
#ifndef LIBNETMAP_LIBC_CALLS_H
#define LIBNETMAP_LIBC_CALLS_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#define LIBC_CALLS(X) \
	X(int, open, (const char *path, int flags, ...)) \
	X(int, openat, (int dir, const char *path, int flags, ...)) \
	X(int, __open_2, (const char *path, int flags)) \
	X(int, __openat_2, (int dir, const char *path, int flags)) \
	X(int, close, (int fd)) \
	X(int, close_range, (unsigned first, unsigned last, int flags)) \
	X(int, dup, (int fd)) \
	X(int, dup2, (int from, int to)) \
	X(int, dup3, (int from, int to, int flags)) \
	X(int, fcntl, (int fd, int cmd, ...)) \
	X(int, ioctl, (int fd, unsigned long request, ...)) \
	X(ssize_t, read, (int fd, void *buf, size_t n)) \
	X(ssize_t, write, (int fd, const void *buf, size_t n)) \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int n)) \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int n)) \
	X(ssize_t, pread, (int fd, void *buf, size_t n, off_t off)) \
	X(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t off)) \
	X(ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t off)) \
	X(ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t off)) \
	X(ssize_t, preadv2, (int fd, const struct iovec *iov, int n, off_t off, int flags)) \
	X(ssize_t, pwritev2, (int fd, const struct iovec *iov, int n, off_t off, int flags)) \
	X(void *, mmap, (void *addr, size_t len, int prot, int flags, int fd, off_t off)) \
	X(int, munmap, (void *addr, size_t len)) \
	X(void *, mremap, (void *addr, size_t len, size_t new_len, int flags, ...)) \
	X(int, poll, (struct pollfd *fds, nfds_t n, int timeout)) \
	X(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)) \
	X(int, select, (int n, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout)) \
	X(int, pselect, (int n, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout, \
		const sigset_t *mask)) \
	X(int, epoll_create, (int size)) \
	X(int, epoll_create1, (int flags)) \
	X(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *ev)) \
	X(int, epoll_wait, (int epfd, struct epoll_event *ev, int max, int timeout)) \
	X(int, epoll_pwait, (int epfd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask)) \
	X(int, epoll_pwait2, (int epfd, struct epoll_event *ev, int max, const struct timespec *timeout, \
		const sigset_t *mask)) \
	X(ssize_t, send, (int fd, const void *buf, size_t n, int flags)) \
	X(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to, \
		socklen_t to_len)) \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags)) \
	X(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags)) \
	X(ssize_t, recv, (int fd, void *buf, size_t n, int flags)) \
	X(ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from, \
		socklen_t *from_len)) \
	X(int, shutdown, (int fd, int how)) \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len)) \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags)) \
	X(int, recvmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)) \
	X(long, syscall, (long nr, ...))

struct libc_calls {
#define LIBC_CALL_MEMBER(ret, name, args) ret (*name) args;
	LIBC_CALLS(LIBC_CALL_MEMBER)
#undef LIBC_CALL_MEMBER
};

extern struct libc_calls libc;

/*
 * Looks the functions up; those that are not found stay bare system calls. Once, from the library's
 * constructor.
 */
void libc_resolve(void);

#endif /* LIBNETMAP_LIBC_CALLS_H */
