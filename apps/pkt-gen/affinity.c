/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU a thread runs on. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "affinity.h"

unsigned affinity_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n < 1 ? 1 : (unsigned)n;
}

int affinity_cpu(const struct options *o, unsigned id, unsigned system_cpus)
{
	unsigned cpus = o->cpus && o->cpus < system_cpus ? o->cpus : system_cpus;

	if (o->cpu_first < 0)
		return -1;
	return (int)(((unsigned)o->cpu_first + id % cpus) % system_cpus);
}

int affinity_bind(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}
