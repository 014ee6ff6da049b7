/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy of a frame from buffer to buffer, in steps of 64 bytes: it may read and write up to the next multiple of 64 beyond `len`, which stays inside
 * both buffers since their size is a multiple of 64.
 */
#ifndef ENGINE_VALE_COPY_H
#define ENGINE_VALE_COPY_H

#include <stdint.h>

typedef uint64_t copy_vector __attribute__((vector_size(16), aligned(1), may_alias));

static inline __attribute__((always_inline)) void
copy_64(char *dst, const char *src)
{
	const copy_vector *s = (const copy_vector *)(const void *)src;
	copy_vector *d = (copy_vector *)(void *)dst;
	copy_vector a = s[0], b = s[1], c = s[2], e = s[3];

	d[0] = a;
	d[1] = b;
	d[2] = c;
	d[3] = e;
}

static inline void
vale_copy(char *dst, const char *src, uint32_t len)
{
	const char *end = src + len;

	for (; src < end; src += 64, dst += 64)
		copy_64(dst, src);
}

#endif /* ENGINE_VALE_COPY_H */
