/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and order statistics, see clock.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "clock.h"

uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void
clock_sleep_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static uint64_t
timeval_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000000 + (uint64_t)tv->tv_usec * 1000;
}

static uint64_t
usage_ns(int who)
{
	struct rusage ru;

	if (getrusage(who, &ru) != 0)
		return 0;
	return timeval_ns(&ru.ru_utime) + timeval_ns(&ru.ru_stime);
}

uint64_t
clock_cpu_ns(void)
{
	return usage_ns(RUSAGE_SELF);
}

uint64_t
clock_children_cpu_ns(void)
{
	return usage_ns(RUSAGE_CHILDREN);
}

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
stats_quantile(double *v, size_t n, double q)
{
	size_t at;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), double_compare);
	at = (size_t)(q * (double)(n - 1) + 0.5);
	return at < n ? v[at] : v[n - 1];
}

double
stats_median(double *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), double_compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
