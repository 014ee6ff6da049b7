/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sanitizer a test is built with, for what it cannot bear. */
#ifndef TESTS_SANITIZER_H
#define TESTS_SANITIZER_H

#include <stdbool.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN	1
#endif
#endif

/* AddressSanitizer loses track of the stack of a thread that is cancelled asynchronously. */
static inline bool
cancel_untestable(void)
{
#ifdef TEST_ASAN
	puts("skipped: AddressSanitizer does not follow a cancelled thread");
	return true;
#else
	return false;
#endif
}

#endif
