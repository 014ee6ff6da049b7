/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomics and barriers, wrapped once. Words shared between processes are only ever touched through these; a plain access to one is a bug.
 * The names say the ordering, the call site says what must be seen before what.
 */
#ifndef ENGINE_ATOMIC_H
#define ENGINE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

#if defined(__SANITIZE_THREAD__)
#define ENGINE_TSAN	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ENGINE_TSAN	1
#endif
#endif

/* Read-modify-write operations are full barriers: each of them stands where one is needed anyway. */
#define atomic_xchg(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_or(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_and(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define atomic_inc(p)		__atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST)
#define atomic_cas(p, old, v)	__atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)

/* For counters with several writers: no ordering. */
#define counter_add(p, v)	((void)__atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
/* For counters with one writer: readers may look at any time. */
#define counter_bump(p, v)	store_relaxed((p), load_relaxed(p) + (v))

/* Keeps stores in program order where only their order in this thread matters: for who finds them after its death. */
#define store_order()	__atomic_signal_fence(__ATOMIC_SEQ_CST)

/*
 * Store-load barrier. ThreadSanitizer knows no fences: there, a locked operation on a private word stands in for it.
 */
static inline void
fence_full(void)
{
#ifdef ENGINE_TSAN
	uint32_t word = 0;

	(void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#elif defined(__x86_64__)
	/* Half the price of mfence, and as strong for ordinary memory. */
	__asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void
cpu_relax(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/*
 * The line is wanted for writing soon, and another CPU has it. (The compiler's own falls back to a read where the baseline lacks the instruction; on
 * processors without it this one does nothing.)
 */
static inline void
prefetch_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" :: "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

#endif /* ENGINE_ATOMIC_H */
