/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the arena lies: the same addresses in netmapd and in every process that runs the data path.
 * [state: ARENA_STATE bytes][regions: the rest]
 */
#ifndef HOST_PLACE_H
#define HOST_PLACE_H

#include <stdint.h>

/*
 * x86-64: between the heap of programs at low addresses and the lowest place where the kernel puts position-independent
 * ones; ASan, MSan, TSan and valgrind leave it free as well. aarch64 with 48 bits: likewise.
 */
#define ARENA_BASE	UINT64_C(0x550000000000)
#if defined(__aarch64__)
/* Kernels with 39 or 42 bits of user addresses: below the place of position-independent programs there. */
#define ARENA_BASE_LOW	UINT64_C(0x1000000000)
#endif

#define ARENA_SIZE	(UINT64_C(256) << 30)
#define ARENA_STATE	(UINT64_C(16) << 30)
/* Regions start at multiples of this, and at least one page after each stays empty: an overrun does not reach the next. */
#define ARENA_ALIGN	(UINT64_C(2) << 20)

/* Numbers of regions: 0 .. REGION_NUMBERS - 1. */
#define REGION_NUMBERS	4096u

#endif /* HOST_PLACE_H */
