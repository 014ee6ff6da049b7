/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trip times. */
#include "rtt.h"

#define SUB_BITS 2	/* buckets in a doubling, as a power of two */

unsigned rtt_bucket(uint64_t ns)
{
	unsigned top;

	if (ns < 1U << SUB_BITS)
		return (unsigned)ns;
	top = 63 - (unsigned)__builtin_clzll(ns);
	return ((top - SUB_BITS + 1) << SUB_BITS) +
		(unsigned)(ns >> (top - SUB_BITS) & ((1U << SUB_BITS) - 1));
}

uint64_t rtt_bucket_start(unsigned bucket)
{
	unsigned row = bucket >> SUB_BITS, column = bucket & ((1U << SUB_BITS) - 1);

	if (row == 0)
		return column;
	return (uint64_t)((1U << SUB_BITS) + column) << (row - 1);
}

void rtt_add(struct rtt_stats *s, uint64_t ns)
{
	if (s->count == 0 || ns < s->min_ns)
		s->min_ns = ns;
	if (s->count == 0 || ns > s->max_ns)
		s->max_ns = ns;
	s->count++;
	s->sum_ns += ns;
	s->buckets[rtt_bucket(ns)]++;
}

uint64_t rtt_quantile(const struct rtt_stats *s, double share)
{
	uint64_t seen = 0, end;

	for (unsigned i = 0; i + 1 < RTT_BUCKETS; i++) {
		seen += s->buckets[i];
		if (seen && (double)seen >= share * (double)s->count) {
			end = rtt_bucket_start(i + 1) - 1;
			return end < s->max_ns ? end : s->max_ns;
		}
	}
	return s->max_ns;
}

void rtt_print_line(const struct rtt_stats *s, FILE *out)
{
	if (s->count == 0) {
		fprintf(out, "RTT: no replies\n");
		return;
	}
	fprintf(out, "RTT: count %llu min %llu avg %llu max %llu ns\n", (unsigned long long)s->count,
		(unsigned long long)s->min_ns, (unsigned long long)(s->sum_ns / s->count),
		(unsigned long long)s->max_ns);
}

void rtt_print_histogram(const struct rtt_stats *s, FILE *out)
{
	rtt_print_line(s, out);
	if (s->count == 0)
		return;
	fprintf(out, "RTT: 50%% below %llu, 90%% below %llu, 99%% below %llu, 99.9%% below %llu ns\n",
		(unsigned long long)rtt_quantile(s, 0.5), (unsigned long long)rtt_quantile(s, 0.9),
		(unsigned long long)rtt_quantile(s, 0.99), (unsigned long long)rtt_quantile(s, 0.999));
	for (unsigned row = 0; row + 1 < RTT_BUCKETS >> SUB_BITS; row++) {
		const uint64_t *b = &s->buckets[row << SUB_BITS];
		uint64_t n = b[0] + b[1] + b[2] + b[3];

		if (n)
			fprintf(out, "%12llu .. %-12llu ns %12llu %6.2f%%\n",
				(unsigned long long)rtt_bucket_start(row << SUB_BITS),
				(unsigned long long)rtt_bucket_start((row + 1) << SUB_BITS) - 1,
				(unsigned long long)n, 100.0 * (double)n / (double)s->count);
	}
}
