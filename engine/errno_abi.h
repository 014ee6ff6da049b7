/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error numbers for a build that has no <errno.h>: Linux's, which are what programs see.
 *
 * In a hosted build the same names may already be there, or come later with the same values.
 */
#ifndef ENGINE_ERRNO_ABI_H
#define ENGINE_ERRNO_ABI_H

#ifndef EPERM
#define EPERM		1
#endif
#ifndef ENOENT
#define ENOENT		2
#endif
#ifndef EINTR
#define EINTR		4
#endif
#ifndef EIO
#define EIO		5
#endif
#ifndef ENXIO
#define ENXIO		6
#endif
#ifndef E2BIG
#define E2BIG		7
#endif
#ifndef EBADF
#define EBADF		9
#endif
#ifndef EAGAIN
#define EAGAIN		11
#endif
#ifndef ENOMEM
#define ENOMEM		12
#endif
#ifndef EACCES
#define EACCES		13
#endif
#ifndef EFAULT
#define EFAULT		14
#endif
#ifndef EBUSY
#define EBUSY		16
#endif
#ifndef EEXIST
#define EEXIST		17
#endif
#ifndef ENODEV
#define ENODEV		19
#endif
#ifndef EINVAL
#define EINVAL		22
#endif
#ifndef ENFILE
#define ENFILE		23
#endif
#ifndef ENOTTY
#define ENOTTY		25
#endif
#ifndef ENOSPC
#define ENOSPC		28
#endif
#ifndef EDOM
#define EDOM		33
#endif
#ifndef ERANGE
#define ERANGE		34
#endif
#ifndef ENAMETOOLONG
#define ENAMETOOLONG	36
#endif
#ifndef EPROTO
#define EPROTO		71
#endif
#ifndef EOVERFLOW
#define EOVERFLOW	75
#endif
#ifndef EMSGSIZE
#define EMSGSIZE	90
#endif
#ifndef EOPNOTSUPP
#define EOPNOTSUPP	95
#endif
#ifndef EADDRINUSE
#define EADDRINUSE	98
#endif
#ifndef ENOBUFS
#define ENOBUFS		105
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT	110
#endif

#endif
