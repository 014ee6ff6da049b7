/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls without libc: for the time before libc's own functions are known, and where errno must stay
 * untouched. No cancellation point. Returns what the kernel returns: a result, or -errno in [-4095, -1].
 */
#ifndef LIBNETMAP_RAW_SYSCALL_H
#define LIBNETMAP_RAW_SYSCALL_H

#include <errno.h>
#include <sys/syscall.h>

static inline long
raw_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4),
		"r"(x5) : "memory");
	return x0;
#else
#error "raw_syscall6 is not written for this architecture"
#endif
}

#define RAW_SYSCALL_(nr, a, b, c, d, e, f, ...) \
	raw_syscall6((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw_syscall(...) RAW_SYSCALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* What a libc function returns for a raw result: the result, or -1 with errno set. */
static inline long
raw_result(long ret)
{
	if ((unsigned long)ret > -4096UL) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

#endif /* LIBNETMAP_RAW_SYSCALL_H */
