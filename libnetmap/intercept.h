/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared by the files that take over libc's calls for netmap descriptors. To be included before any other
 * header: the functions are defined under libc's own names, so neither fortified nor 64-bit-offset variants
 * of the declarations may be in the way.
 *
 * Rules for every wrapper: a descriptor that the table does not know goes to libc unchanged; nothing here
 * takes a lock that a signal handler could find taken, epoll_* aside; errno is touched only on failure; the
 * table is changed only by the process that it belongs to (process.h).
 */
#ifndef LIBNETMAP_INTERCEPT_H
#define LIBNETMAP_INTERCEPT_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client.h"
#include "fdtable.h"
#include "libc_calls.h"
#include "process.h"

/* A function that programs find instead of libc's. */
#define INTERCEPT	__attribute__((visibility("default")))
/* The same function under another of libc's names: files are 64-bit everywhere that this is built for. */
#if __has_attribute(copy)
#define INTERCEPT_ALIAS(of)	__attribute__((visibility("default"), alias(#of), copy(of)))
#else
#define INTERCEPT_ALIAS(of)	__attribute__((visibility("default"), alias(#of)))
#endif

_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "the 64-suffixed names are aliases");

/*
 * A counted entry for a netmap descriptor, NULL if fd is not one. Attaches to a session that came by exec or
 * in a message, so only the first call for such a descriptor is not async-signal-safe. To be given back by
 * fd_put.
 */
struct fd_entry *session_get(int fd);

/*
 * client_poll with the names that poll(2) has besides POLLIN and POLLOUT; POLLERR once netmapd is gone.
 * (signal-safe)
 */
short session_poll(struct fd_entry *e, short events);

/*
 * Is number fd still what entry e says? Another file may have taken the number where no wrapper saw it
 * (fclose, posix_spawn). If not, the number is forgotten, or noted as a new arrival if it is another session.
 * Two system calls at most. (signal-safe)
 */
bool session_current(int fd, struct fd_entry *e);

/*
 * The error that transfers on fd fail with, EINVAL or ENOTSOCK as it is asked for: a netmap descriptor is a
 * socket to the kernel, and a device to the program. 0 for any other descriptor, after one look into the table.
 * (signal-safe, but for the first call on a descriptor that came by exec or in a message)
 */
#define transfer_refused(fd, err)	(__builtin_expect(fd_peek(fd) != NULL, 0) && fd_is_netmap(fd) ? (err) : 0)
bool fd_is_netmap(int fd);
/* As which of the two syscall(nr, ...) is refused; 0: not a transfer. */
int transfer_errno(long nr);

/* Does any of these descriptors need more than the kernel's poll? */
bool poll_concerned(const struct pollfd *fds, nfds_t nfds);
bool select_concerned(int nfds, const void *rd, const void *wr, const void *ex);

/*
 * mmap, munmap and close by the client itself are not the program's. Set around calls into the client that
 * may do such things.
 */
extern __thread int client_depth __attribute__((tls_model("initial-exec")));
#define client_enter()	((void)client_depth++)
#define client_leave()	((void)client_depth--)

/* The library's own descriptor, which programs that close everything must not hit. */
bool fd_own(int fd);

static inline int
result_errno(int err)
{
	if (err < 0) {
		errno = -err;
		return -1;
	}
	return err;
}

#endif /* LIBNETMAP_INTERCEPT_H */
