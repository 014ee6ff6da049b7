/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors that arrive in messages, and netmap's calls made through syscall(2). */
#include "intercept.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- SCM_RIGHTS --- */

static void
message_arrived(struct msghdr *msg)
{
	struct cmsghdr *c;

	if (!process_active || client_depth || !msg->msg_control || !process_owns_table())
		return;
	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (process_marked(fd))
				fd_install(fd, &fd_pending);
			else
				fd_clear(fd);
		}
	}
}

INTERCEPT ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t ret;

	if (transfer_refused(fd, ENOTSOCK))
		return result_errno(-ENOTSOCK);
	ret = libc.recvmsg(fd, msg, flags);
	if (ret >= 0 && msg->msg_controllen)
		message_arrived(msg);
	return ret;
}

INTERCEPT int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	int ret;

	if (transfer_refused(fd, ENOTSOCK))
		return result_errno(-ENOTSOCK);
	ret = libc.recvmmsg(fd, msgs, n, flags, timeout);
	for (int i = 0; i < ret; i++)
		if (msgs[i].msg_hdr.msg_controllen)
			message_arrived(&msgs[i].msg_hdr);
	return ret;
}

/* --- syscall() --- */

/* Opening, closing, duplicating and memory. False: not one of these. */
static bool
syscall_file(long nr, const long *a, long *ret)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		*ret = open((const char *)a[0], (int)a[1], (mode_t)a[2]);
		return true;
#endif
	case SYS_openat:
		*ret = openat((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3]);
		return true;
	case SYS_close:
		*ret = close((int)a[0]);
		return true;
	case SYS_close_range:
		*ret = close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
		return true;
	case SYS_dup:
		*ret = dup((int)a[0]);
		return true;
#ifdef SYS_dup2
	case SYS_dup2:
		*ret = dup2((int)a[0], (int)a[1]);
		return true;
#endif
	case SYS_dup3:
		*ret = dup3((int)a[0], (int)a[1], (int)a[2]);
		return true;
	case SYS_fcntl:
		*ret = fcntl((int)a[0], (int)a[1], a[2]);
		return true;
	case SYS_ioctl:
		*ret = ioctl((int)a[0], (unsigned long)a[1], a[2]);
		return true;
	case SYS_mmap:
		*ret = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
		return true;
	case SYS_munmap:
		*ret = munmap((void *)a[0], (size_t)a[1]);
		return true;
	case SYS_mremap:
		*ret = (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
		return true;
	}
	return false;
}

static bool
syscall_transfer(long nr, const long *a, long *ret)
{
	int err = transfer_errno(nr);

	if (err == 0)
		return false;
	if (transfer_refused((int)a[0], err)) {
		*ret = result_errno(-err);
		return true;
	}
	switch (nr) {
	case SYS_recvmsg:
		*ret = recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]);
		return true;
	case SYS_recvmmsg:
		*ret = recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3],
			(struct timespec *)a[4]);
		return true;
	}
	return false;
}

/*
 * poll and select, if netmap descriptors are among those asked about: otherwise the kernel's own call differs
 * a little from libc's (ppoll and pselect6 write back what is left of the timeout), so it is left alone.
 */
static bool
syscall_poll(long nr, const long *a, long *ret)
{
	const struct { const sigset_t *mask; size_t size; } *sig;

	switch (nr) {
#ifdef SYS_poll
	case SYS_poll:
		*ret = poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
		return true;
#endif
#ifdef SYS_select
	case SYS_select:
		if (!select_concerned((int)a[0], (void *)a[1], (void *)a[2], (void *)a[3]))
			return false;
		*ret = select((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
			(struct timeval *)a[4]);
		return true;
#endif
	case SYS_ppoll:
		if (!poll_concerned((struct pollfd *)a[0], (nfds_t)a[1]))
			return false;
		*ret = ppoll((struct pollfd *)a[0], (nfds_t)a[1], (struct timespec *)a[2],
			(const sigset_t *)a[3]);
		return true;
	case SYS_pselect6:
		if (!select_concerned((int)a[0], (void *)a[1], (void *)a[2], (void *)a[3]))
			return false;
		sig = (const void *)a[5];
		*ret = pselect((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
			(struct timespec *)a[4], sig ? sig->mask : NULL);
		return true;
	}
	return false;
}

static bool
syscall_epoll(long nr, const long *a, long *ret)
{
	struct epoll_event *ev = (struct epoll_event *)a[1];

	switch (nr) {
#ifdef SYS_epoll_create
	case SYS_epoll_create:
		*ret = epoll_create((int)a[0]);
		return true;
	case SYS_epoll_wait:
		*ret = epoll_wait((int)a[0], ev, (int)a[2], (int)a[3]);
		return true;
#endif
	case SYS_epoll_create1:
		*ret = epoll_create1((int)a[0]);
		return true;
	case SYS_epoll_ctl:
		*ret = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
		return true;
	case SYS_epoll_pwait:
		*ret = epoll_pwait((int)a[0], ev, (int)a[2], (int)a[3], (const sigset_t *)a[4]);
		return true;
	case SYS_epoll_pwait2:
		*ret = epoll_pwait2((int)a[0], ev, (int)a[2], (const struct timespec *)a[3],
			(const sigset_t *)a[4]);
		return true;
	}
	return false;
}

/*
 * Takes six arguments whatever was passed, as libc's does: what is not there is not used. AddressSanitizer
 * need not know.
 */
INTERCEPT __attribute__((no_sanitize_address)) long
syscall(long nr, ...)
{
	long a[6], ret;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (process_active && (syscall_file(nr, a, &ret) || syscall_transfer(nr, a, &ret) ||
		syscall_poll(nr, a, &ret) ||
	    syscall_epoll(nr, a, &ret)))
		return ret;
	return libc.syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
