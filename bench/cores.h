/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs the benchmark's processes run on, and how far apart those CPUs are. */
#ifndef BENCH_CORES_H
#define BENCH_CORES_H

#include <sys/types.h>

#define CORES_MAX	3	/* receiver, and one or two senders */
#define CORES_NEAR_NS	250	/* a line's round trip below this is near */

enum cores_distance {
	CORES_NEAR,
	CORES_FAR,
	CORES_MIXED,	/* near before and far after, or the other way round */
};

struct cores {
	int rx;		/* the receiver's CPU */
	int tx[2];	/* the senders' CPUs; equal where there are only two CPUs */
};

/*
 * Chooses CPUs among those that this process may use, avoiding two hardware
 * threads of one core where possible. Returns 0, or -ENODEV with fewer than two.
 */
int cores_choose(struct cores *c);

/* Reads "RX,TX" or "RX,TX,TX2" into c. Returns 0 or -EINVAL. */
int cores_parse(const char *list, struct cores *c);

/* Pins the calling process. Returns 0 or -errno. */
int cores_pin(int cpu);

/*
 * Round trip in ns of a cache line between two CPUs: the median of several short trials.
 * Starts a process for the far end. Returns a negative value if that failed.
 */
double cores_round_trip_ns(int cpu_a, int cpu_b);

/* Tag of a run from the round trips before and after it. */
enum cores_distance cores_distance(double before_ns, double after_ns);
const char *cores_distance_name(enum cores_distance d);

#endif
