/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls on a descriptor: close and duplication keep the table in step, ioctl goes to the client. Also the one
 * place where the library's own descriptors are spared.
 */
#include "intercept.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>

/* For a program, the library's descriptors are not open. */
static bool
fd_spared(int fd)
{
	if (client_depth)
		return false;
	return fd_peek(fd) == &fd_owned || client_owns_fd(fd);
}

INTERCEPT int
close(int fd)
{
	int ret, saved;

	if (fd_spared(fd))
		return result_errno(-EBADF);
	if (!fd_peek(fd) || !process_owns_table())
		return libc.close(fd);
	/* First the table: once closed, the number may be another thread's. */
	fd_clear(fd);
	ret = libc.close(fd);
	saved = errno;
	process_reap();
	errno = saved;
	return ret;
}

/* A range without the library's descriptors, so that what remains can be closed piece by piece. */
static int
close_range_sparing(unsigned first, unsigned last, int flags)
{
	struct rlimit lim = { FD_LIMIT, FD_LIMIT };
	unsigned fd, end;
	int ret = 0;

	getrlimit(RLIMIT_NOFILE, &lim);
	end = lim.rlim_cur < (rlim_t)FD_LIMIT ? (unsigned)lim.rlim_cur : (unsigned)FD_LIMIT;
	for (fd = first; fd <= last && fd < end; fd++) {
		if (!fd_spared((int)fd))
			continue;
		if (fd > first)
			ret |= libc.close_range(first, fd - 1, flags);
		flags &= ~CLOSE_RANGE_UNSHARE;
		first = fd + 1;
	}
	if (first <= last)
		ret |= libc.close_range(first, last, flags);
	return ret ? -1 : 0;
}

static void
table_close(int fd, struct fd_entry *e, void *arg)
{
	if (e->kind != FD_OWNED)
		fd_replace(fd, e, NULL);
}

INTERCEPT int
close_range(unsigned first, unsigned last, int flags)
{
	int ret, saved;

	if (first > last || flags & ~(int)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || !process_active)
		return libc.close_range(first, last, flags);
	if (flags & CLOSE_RANGE_CLOEXEC)
		return libc.close_range(first, last, flags);
	if (process_owns_table())
		fd_walk(first, last, table_close, NULL);
	ret = close_range_sparing(first, last, flags);
	saved = errno;
	process_reap();
	errno = saved;
	return ret;
}

INTERCEPT void
closefrom(int low)
{
	close_range(low < 0 ? 0 : (unsigned)low, ~0U, 0);
}

/* The number `to` is now a duplicate of `from`. Returns `to`. */
static int
table_duplicate(int from, int to)
{
	struct fd_entry *e;
	int err;

	if (to < 0 || from == to || (!fd_peek(from) && !fd_peek(to)) || !process_owns_table())
		return to;
	e = fd_get(from);
	if (e && (e->kind == FD_OWNED || (e->kind == FD_SESSION && !session_current(from, e)))) {
		fd_put(e);
		e = fd_peek(from) == &fd_pending ? fd_ref(&fd_pending) : NULL;
	}
	err = fd_install(to, e);
	if (e)
		fd_put(e);
	if (err) {
		libc.close(to);
		return result_errno(err);
	}
	process_reap();
	return to;
}

INTERCEPT int
dup(int fd)
{
	return table_duplicate(fd, libc.dup(fd));
}

INTERCEPT int
dup2(int from, int to)
{
	if (fd_spared(to))
		return result_errno(-EBUSY);
	return table_duplicate(from, libc.dup2(from, to));
}

INTERCEPT int
dup3(int from, int to, int flags)
{
	if (fd_spared(to))
		return result_errno(-EBUSY);
	return table_duplicate(from, libc.dup3(from, to, flags));
}

INTERCEPT int
fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = libc.fcntl(fd, cmd, arg);
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return table_duplicate(fd, ret);
	return ret;
}
INTERCEPT_ALIAS(fcntl) __typeof__(fcntl) fcntl64;

static bool
request_is_netmap(unsigned long request)
{
	switch ((uint32_t)request) {
	case (uint32_t)NIOCTXSYNC:
	case (uint32_t)NIOCRXSYNC:
	case (uint32_t)NIOCCTRL:
	case (uint32_t)NIOCGINFO:
	case (uint32_t)NIOCREGIF:
	case (uint32_t)NIOCCONFIG:
		return true;
	}
	return false;
}

/* The requests that the kernel serves for any file, before the device sees them. */
static bool
request_is_generic(unsigned long request)
{
	return request == FIONBIO || request == FIOCLEX || request == FIONCLEX;
}

INTERCEPT int
ioctl(int fd, unsigned long request, ...)
{
	struct fd_entry *e;
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!fd_peek(fd)) {
		/* A session may have come on a way that nobody saw (pidfd_getfd): its first request tells. */
		if (!process_active || !request_is_netmap(request) || !process_marked(fd) ||
			!process_owns_table())
			return libc.ioctl(fd, request, arg);
		fd_install(fd, &fd_pending);
	}
	e = session_get(fd);
	if (!e)
		return libc.ioctl(fd, request, arg);
	if (!request_is_netmap(request) && (request_is_generic(request) || !session_current(fd, e))) {
		ret = libc.ioctl(fd, request, arg);
	} else {
		client_enter();
		ret = result_errno(client_ioctl(e->session, request, arg));
		client_leave();
	}
	fd_put(e);
	return ret;
}
