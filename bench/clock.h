/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and order statistics for the benchmark. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in ns. */
uint64_t clock_ns(void);

/* Sleeps that long, whatever signals arrive. */
void clock_sleep_ns(uint64_t ns);

/* User and system CPU time of the calling process in ns. */
uint64_t clock_cpu_ns(void);

/* The same of all its children that have ended. */
uint64_t clock_children_cpu_ns(void);

/* The q-quantile (0..1) of v[0..n-1], which is sorted in place; 0 if n is 0. */
double stats_quantile(double *v, size_t n, double q);
double stats_median(double *v, size_t n);

#endif
