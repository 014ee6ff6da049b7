/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netmapd's log: lines to standard error, to a file of bounded size, or to syslog.
 */
#ifndef NETMAPD_LOG_H
#define NETMAPD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/os.h"

/* Everything up to this level is logged. Lines go to standard error until log_to_* says otherwise. */
void log_level(enum os_log_level level);
/* The file is moved to PATH.1 when it has grown to a megabyte. 0 or -errno. */
int log_to_file(const char *path);
void log_to_syslog(void);
void log_close(void);

/* One line a second for an event that others can cause; tells how many were left out. */
struct log_rate {
	uint32_t second;
	uint32_t dropped;
};

void log_limited(struct log_rate *rate, enum os_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* NETMAPD_LOG_H */
