/* SPDX-License-Identifier: BSD-2-Clause */
/* How the drivers' control side words its errors. Private to drivers/. */
#ifndef DRIVERS_ERROR_H
#define DRIVERS_ERROR_H

#include "driver.h"

/* Set the text of err (may be NULL) and return code, a negative errno. */
int driver_fail(struct driver_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for a step at an interface that failed with code: adds the errno's words, and names the missing
 * capability (e.g. "CAP_NET_RAW") if it is EPERM or EACCES.
 */
int driver_fail_step(struct driver_error *err, int code, const char *ifname, const char *step,
		     const char *capability);

#endif
