/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trip times: least, mean, greatest, and a histogram of four buckets for each doubling. */
#ifndef PKT_GEN_RTT_H
#define PKT_GEN_RTT_H

#include <stdint.h>
#include <stdio.h>

#define RTT_BUCKETS 256

struct rtt_stats {
	uint64_t count;
	uint64_t sum_ns, min_ns, max_ns;	/* valid if count is not 0 */
	uint64_t buckets[RTT_BUCKETS];
};

void rtt_add(struct rtt_stats *s, uint64_t ns);

/*
 * The upper end of the bucket in which the given share (0 to 1) of all times is reached, but not more than
 * the greatest.
 */
uint64_t rtt_quantile(const struct rtt_stats *s, double share);

/* The bucket of a time, and the first time of a bucket. */
unsigned rtt_bucket(uint64_t ns);
uint64_t rtt_bucket_start(unsigned bucket);

/* One line of an interval. */
void rtt_print_line(const struct rtt_stats *s, FILE *out);

/* Summary and histogram, one line for each doubling that occurred. */
void rtt_print_histogram(const struct rtt_stats *s, FILE *out);

#endif
