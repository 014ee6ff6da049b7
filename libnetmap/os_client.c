/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine's data path needs from a client process and no other file here provides (regions: client_arena.c, interfaces: client_nic.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/copy.h"
#include "../host/sys.h"
#include "client_internal.h"

void
os_wake(struct actor *a)
{
	client_wake(a);
}

int
os_copy_from_caller(void *dst, uint64_t src, size_t n)
{
	return host_copy_in(dst, src, n);
}

/* A library does not print, unless it was asked to. */
void
os_log(enum os_log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	if (level == OS_LOG_DEBUG || getenv("NETMAP_VERBOSE") == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	sys_write(STDERR_FILENO, line, (size_t)n + 1);
}
