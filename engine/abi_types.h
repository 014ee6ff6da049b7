/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few outside types that the public ABI headers need, for a build without any system header: struct
 * timeval, ssize_t, IFNAMSIZ and the encoding of ioctl numbers, as Linux has them on LP64. Include this
 * before <net/netmap.h>.
 *
 * In a hosted build the system's own definitions are used instead (they are the same, tests/abi holds both to
 * the same numbers), so that engine headers and system headers can stand in one source file.
 */
#ifndef ENGINE_ABI_TYPES_H
#define ENGINE_ABI_TYPES_H

/* Who includes this is the side that writes the fields which programs see as const. */
#ifndef NETMAP_HOST_SIDE
#define NETMAP_HOST_SIDE
#endif

#if !__STDC_HOSTED__ && !defined(NETMAP_ABI_TYPES)
#define NETMAP_ABI_TYPES

#include <stddef.h>
#include <stdint.h>

typedef __PTRDIFF_TYPE__ ssize_t;

struct timeval {
	long	tv_sec;
	long	tv_usec;
};

#define IFNAMSIZ	16

/* bits 31..30 direction, 29..16 size of the argument, 15..8 type, 7..0 number */
#define _IOC(dir, type, nr, size)	(((dir) << 30) | ((size) << 16) | ((type) << 8) | (nr))
#define _IO(type, nr)			_IOC(0U, (type), (nr), 0U)
#define _IOWR(type, nr, argtype)	_IOC(3U, (type), (nr), (unsigned int)sizeof(argtype))

#endif /* freestanding */

#endif /* ENGINE_ABI_TYPES_H */
