/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A caller's memory for tests: 64 KiB at a fixed fake address, with holes that cannot be read or written,
 * behind the callbacks of struct request_io. Nothing outside it is accessible.
 */
#ifndef USER_MEMORY_H
#define USER_MEMORY_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "engine/request.h"

#define UM_BASE		0x7f0000000000ULL
#define UM_SIZE		65536U
#define UM_RANGES	256

struct um_range {
	uint64_t addr;
	uint64_t size;
};

struct user_memory {
	uint8_t bytes[UM_SIZE];
	struct um_range no_read, no_write;		/* size 0 = none */
	struct um_range read[UM_RANGES];		/* every successful copy_in, for those who look */
	unsigned int reads;
	unsigned int stray_writes;			/* copy_out to where nothing was read before */
};

static inline void *
um_at(struct user_memory *um, uint64_t addr)
{
	return um->bytes + (addr - UM_BASE);
}

static inline int
um_overlaps(const struct um_range *r, uint64_t addr, size_t n)
{
	return r->size != 0 && addr < r->addr + r->size && r->addr < addr + n;
}

static inline int
um_inside(uint64_t addr, size_t n)
{
	return addr >= UM_BASE && addr - UM_BASE <= UM_SIZE && n <= UM_SIZE - (addr - UM_BASE);
}

static inline int
um_copy_in(void *ctx, void *dst, uint64_t src, size_t n)
{
	struct user_memory *um = ctx;

	if (!um_inside(src, n) || um_overlaps(&um->no_read, src, n))
		return -EFAULT;
	memcpy(dst, um_at(um, src), n);
	if (um->reads < UM_RANGES)
		um->read[um->reads++] = (struct um_range){ src, n };
	return 0;
}

static inline int
um_copy_out(void *ctx, uint64_t dst, const void *src, size_t n)
{
	struct user_memory *um = ctx;
	unsigned int i;

	if (!um_inside(dst, n) || um_overlaps(&um->no_write, dst, n))
		return -EFAULT;
	for (i = 0; i < um->reads; i++) {
		if (dst >= um->read[i].addr && dst + n <= um->read[i].addr + um->read[i].size)
			break;
	}
	if (i == um->reads)
		um->stray_writes++;
	memcpy(um_at(um, dst), src, n);
	return 0;
}

static inline struct request_io
um_io(struct user_memory *um)
{
	return (struct request_io){ .ctx = um, .copy_in = um_copy_in, .copy_out = um_copy_out };
}

#endif
