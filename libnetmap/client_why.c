/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One sentence a thread about what failed last.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/sys.h"
#include "client_internal.h"

static __thread char why[512] __attribute__((tls_model("initial-exec")));

const char *
client_last_why(void)
{
	return why;
}

void
client_why_clear(void)
{
	why[0] = '\0';
}

void
client_why_set(const char *fmt, ...)
{
	char line[sizeof(why) + 16];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (getenv("NETMAP_VERBOSE") == NULL)
		return;
	n = snprintf(line, sizeof(line), "netmap: %s\n", why);
	sys_write(STDERR_FILENO, line, n);
}
