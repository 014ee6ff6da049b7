/* SPDX-License-Identifier: BSD-2-Clause */
/* How the drivers' control side words its errors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

int driver_fail(struct driver_error *err, int code, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof(err->text), format, args);
		va_end(args);
	}
	return code;
}

int driver_fail_step(struct driver_error *err, int code, const char *ifname, const char *step,
		     const char *capability)
{
	if (code == -EPERM || code == -EACCES)
		return driver_fail(err, -EPERM,
				   "%s: %s: not permitted, %s is missing; run netmapd as root, or give "
				   "it this capability (setcap, or AmbientCapabilities= of systemd)",
				   ifname, step, capability);
	return driver_fail(err, code, "%s: %s: %s", ifname, step, strerror(-code));
}
