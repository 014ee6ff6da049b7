/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few memory and string helpers that a freestanding build does not get from a libc.
 *
 * Nothing here reads past the bound it is given; strings in messages are never trusted to end.
 */
#ifndef ENGINE_BYTES_H
#define ENGINE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
bytes_copy(void *dst, const void *src, size_t n)
{
	__builtin_memcpy(dst, src, n);
}

static inline void
bytes_zero(void *dst, size_t n)
{
	__builtin_memset(dst, 0, n);
}

static inline bool
bytes_equal(const void *a, const void *b, size_t n)
{
	return __builtin_memcmp(a, b, n) == 0;
}

/* Length of the string in a field of size bytes; size if it has no NUL. */
static inline size_t
str_len(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && s[n] != '\0')
		n++;
	return n;
}

/* Copies up to len bytes, or to a NUL, into dst[size], cut to fit; dst always ends in a NUL. */
static inline size_t
str_copy(char *dst, size_t size, const char *src, size_t len)
{
	size_t n;

	if (size == 0)
		return 0;
	n = str_len(src, len < size - 1 ? len : size - 1);
	__builtin_memcpy(dst, src, n);
	dst[n] = '\0';
	return n;
}

/* Is the string in the field a[size] equal to the one in b[size]? */
static inline bool
str_equal(const char *a, const char *b, size_t size)
{
	size_t n = str_len(a, size);

	return n == str_len(b, size) && bytes_equal(a, b, n);
}

#endif
