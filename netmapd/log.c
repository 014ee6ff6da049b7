/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log. os_log, which the engine calls, ends here as well, from any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../host/instance.h"
#include "log.h"

#define LOG_FILE_MAX	(1 << 20)	/* bytes */

static struct {
	enum os_log_level level;
	bool syslog;
	int fd;
	long size;
	char path[INSTANCE_PATH_MAX];
} to = { .level = OS_LOG_INFO, .fd = STDERR_FILENO };

static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;	/* one line at a time; guards fd and size */

void
log_level(enum os_log_level level)
{
	to.level = level;
}

static int
file_open(void)
{
	int fd = open(to.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	to.fd = fd;
	to.size = lseek(fd, 0, SEEK_END);
	return 0;
}

int
log_to_file(const char *path)
{
	int old = to.fd, err;

	if (strlen(path) >= sizeof(to.path))
		return -ENAMETOOLONG;
	strcpy(to.path, path);
	err = file_open();
	if (err != 0) {
		to.path[0] = '\0';
		return err;
	}
	if (old > STDERR_FILENO)
		close(old);
	return 0;
}

void
log_to_syslog(void)
{
	openlog("netmapd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	to.syslog = true;
}

void
log_close(void)
{
	if (to.fd > STDERR_FILENO)
		close(to.fd);
	to.fd = STDERR_FILENO;
	to.path[0] = '\0';
	if (to.syslog)
		closelog();
	to.syslog = false;
}

static void
file_rotate(void)
{
	char old[INSTANCE_PATH_MAX + 2];

	snprintf(old, sizeof(old), "%s.1", to.path);
	if (rename(to.path, old) != 0 && ftruncate(to.fd, 0) != 0)
		return;
	close(to.fd);
	to.fd = -1;
	file_open();
}

static void
line_write(enum os_log_level level, const char *text)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	char line[600], when[32] = "";
	int n;

	if (to.syslog) {
		syslog(priority[level], "%s", text);
		return;
	}
	if (to.path[0] != '\0') {
		time_t now = time(NULL);
		struct tm tm;

		if (to.size >= LOG_FILE_MAX)
			file_rotate();
		if (localtime_r(&now, &tm) != NULL)
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S ", &tm);
	}
	n = snprintf(line, sizeof(line), "%snetmapd: %s\n", when, text);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (write(to.fd, line, n) == n)
		to.size += n;
}

static void
line_format(enum os_log_level level, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	pthread_mutex_lock(&line_lock);
	line_write(level, text);
	pthread_mutex_unlock(&line_lock);
}

void
os_log(enum os_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > to.level)
		return;
	va_start(ap, fmt);
	line_format(level, fmt, ap);
	va_end(ap);
}

void
log_limited(struct log_rate *rate, enum os_log_level level, const char *fmt, ...)
{
	uint32_t now = os_seconds();
	va_list ap;

	if (level > to.level)
		return;
	if (rate->second == now) {
		rate->dropped++;
		return;
	}
	rate->second = now;
	va_start(ap, fmt);
	line_format(level, fmt, ap);
	va_end(ap);
	if (rate->dropped > 0) {
		os_log(level, "(%u more of these within a second)", rate->dropped);
		rate->dropped = 0;
	}
}
