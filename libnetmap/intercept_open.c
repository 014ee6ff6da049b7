/* SPDX-License-Identifier: BSD-2-Clause */
/* open(2) and its kin: "/dev/netmap" is a new session, any other path goes to libc. */
#include "intercept.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

int __open64_2(const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);

static bool
path_is_netmap(const char *path)
{
	/*
	 * The declarations promise a path that is not NULL, programs do not: such calls are for the kernel to
	 * refuse.
	 */
	__asm__("" : "+r"(path));
	return process_active && path && strcmp(path, "/dev/netmap") == 0 && process_owns_table();
}

static int
netmap_open(int flags)
{
	struct client_session *s;
	struct fd_entry *e;
	int fd, err;

	process_reap_now();
	client_enter();
	fd = client_open(flags, &s);
	client_leave();
	if (fd < 0)
		return result_errno(fd);
	e = fd_entry_new(FD_SESSION, s);
	if (!e) {
		client_put(s);
		err = -ENOMEM;
		goto err_close;
	}
	err = fd_install(fd, e);
	fd_put(e);
	if (err)
		goto err_close;
	return fd;

err_close:
	libc.close(fd);
	return result_errno(err);
}

/* A new file has this number, whatever the table says. */
static int
number_taken(int fd)
{
	if (fd >= 0 && fd_peek(fd) && process_owns_table())
		fd_clear(fd);
	return fd;
}

static mode_t
open_mode(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

INTERCEPT int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	if (path_is_netmap(path))
		return netmap_open(flags);
	va_start(ap, flags);
	mode = open_mode(flags, ap);
	va_end(ap);
	return number_taken(libc.open(path, flags, mode));
}

INTERCEPT int
openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	if (path_is_netmap(path))
		return netmap_open(flags);
	va_start(ap, flags);
	mode = open_mode(flags, ap);
	va_end(ap);
	return number_taken(libc.openat(dir, path, flags, mode));
}

INTERCEPT int
__open_2(const char *path, int flags)
{
	if (path_is_netmap(path))
		return netmap_open(flags);
	return number_taken(libc.__open_2(path, flags));
}

INTERCEPT int
__openat_2(int dir, const char *path, int flags)
{
	if (path_is_netmap(path))
		return netmap_open(flags);
	return number_taken(libc.__openat_2(dir, path, flags));
}

INTERCEPT_ALIAS(open) __typeof__(open) open64;
INTERCEPT_ALIAS(openat) __typeof__(openat) openat64;
INTERCEPT_ALIAS(__open_2) __typeof__(__open_2) __open64_2;
INTERCEPT_ALIAS(__openat_2) __typeof__(__openat_2) __openat64_2;
