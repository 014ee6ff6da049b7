/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU a thread runs on. */
#ifndef PKT_GEN_AFFINITY_H
#define PKT_GEN_AFFINITY_H

#include "options.h"

/* CPUs that the system has. */
unsigned affinity_cpus(void);

/* The CPU of thread number id: the first of -a and the next ones, -c of them in turn. -1 without -a. */
int affinity_cpu(const struct options *o, unsigned id, unsigned system_cpus);

/* Binds the calling thread to a CPU. Returns 0 or -errno. */
int affinity_bind(int cpu);

#endif
