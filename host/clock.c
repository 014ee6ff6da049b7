/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's clocks, for every host in user space. Both go through the vDSO: no system call.
 */
#include <time.h>

#include "../engine/os.h"

uint32_t
os_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

void
os_wall_clock(int64_t *sec, int64_t *usec)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*sec = ts.tv_sec;
	*usec = ts.tv_nsec / 1000;
}
