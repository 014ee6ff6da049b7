/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small part of engine/os.h that netmapd implements and no other file of it does. Shared memory is in arena.c and regions.c, wake-ups in actors.c,
 * logging in log.c, interfaces in nic.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../engine/atomic.h"
#include "../engine/os.h"
#include "../engine/region.h"
#include "arena.h"

void *
os_alloc(size_t size)
{
	return calloc(1, size);
}

void
os_free(void *p)
{
	free(p);
}

int
os_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

bool
os_region_ready(const struct region *r)
{
	return arena_region(r->no) != NULL && load_relaxed(&r->failed) == 0;
}

void *
os_mutex_new(void)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	if (m != NULL)
		pthread_mutex_init(m, NULL);
	return m;
}

void
os_mutex_free(void *mutex)
{
	pthread_mutex_destroy(mutex);
	free(mutex);
}

void
os_mutex_lock(void *mutex)
{
	pthread_mutex_lock(mutex);
}

void
os_mutex_unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

/* netmapd has no caller's memory: slots with addresses in them are synced by the processes that filled them. */
int
os_copy_from_caller(void *dst, uint64_t src, size_t n)
{
	return -EFAULT;
}
