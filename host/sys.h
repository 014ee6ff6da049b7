/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls made directly.
 *
 * libnetmap takes over open, close, mmap, poll and others from the C library, so its own use of them must go around
 * its wrappers. These also leave errno alone, are no cancellation points, and may be called in signal handlers and in
 * the child of a vfork. Results are the kernel's: a value, or -errno.
 */
#ifndef HOST_SYS_H
#define HOST_SYS_H

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "../libnetmap/raw_syscall.h"

#define sys_call6	raw_syscall6

static inline int
sys_close(int fd)
{
	return sys_call6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int
sys_open(const char *path, int flags, int mode)
{
	return sys_call6(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

static inline long
sys_read(int fd, void *buf, size_t n)
{
	return sys_call6(SYS_read, fd, (long)buf, n, 0, 0, 0);
}

static inline long
sys_write(int fd, const void *buf, size_t n)
{
	return sys_call6(SYS_write, fd, (long)buf, n, 0, 0, 0);
}

static inline long
sys_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return sys_call6(SYS_pwrite64, fd, (long)buf, n, offset, 0, 0);
}

static inline int
sys_fcntl(int fd, int cmd, long arg)
{
	return sys_call6(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}

/* The address, or -errno: addresses of user space are never in the last page. */
static inline long
sys_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return sys_call6(SYS_mmap, (long)addr, length, prot, flags, fd, offset);
}

static inline int
sys_munmap(void *addr, size_t length)
{
	return sys_call6(SYS_munmap, (long)addr, length, 0, 0, 0, 0);
}

static inline int
sys_madvise(void *addr, size_t length, int advice)
{
	return sys_call6(SYS_madvise, (long)addr, length, advice, 0, 0, 0);
}

static inline int
sys_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	return sys_call6(SYS_getsockopt, fd, level, name, (long)value, (long)size, 0);
}

static inline long
sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return sys_call6(SYS_sendmsg, fd, (long)msg, flags, 0, 0, 0);
}

static inline long
sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return sys_call6(SYS_recvmsg, fd, (long)msg, flags, 0, 0, 0);
}

/* The kernel's signal sets are 8 bytes, the first of the C library's. The timeout is written to. */
static inline int
sys_ppoll(struct pollfd *fds, unsigned n, struct timespec *timeout, const void *sigmask)
{
	return sys_call6(SYS_ppoll, (long)fds, n, (long)timeout, (long)sigmask, 8, 0);
}

static inline int
sys_sigmask(int how, const uint64_t *set, uint64_t *old)
{
	return sys_call6(SYS_rt_sigprocmask, how, (long)set, (long)old, 8, 0, 0);
}

static inline int
sys_getpid(void)
{
	return sys_call6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int
sys_gettid(void)
{
	return sys_call6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* `shared`: the word lies in memory that other processes map too. The timeout is relative; NULL: none. */
static inline int
sys_futex_wait(const uint32_t *word, uint32_t value, const struct timespec *timeout, int shared)
{
	return sys_call6(SYS_futex, (long)word, shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, (long)timeout, 0, 0);
}

static inline int
sys_futex_wake(const uint32_t *word, int n, int shared)
{
	return sys_call6(SYS_futex, (long)word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, n, 0, 0, 0);
}

#endif /* HOST_SYS_H */
