/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines with rates. Their form is what scripts parse: do not change it. */
#include <math.h>
#include <stdio.h>

#include "../common/units.h"
#include "report.h"

#define NO_MIN_SPACE 99999	/* what stands for "none seen" */

void rate_history_add(struct rate_history *h, double pps)
{
	h->pps[h->count++ % RATE_HISTORY] = pps;
}

void rate_history_get(const struct rate_history *h, double *mean, double *deviation)
{
	unsigned n = h->count < RATE_HISTORY ? h->count : RATE_HISTORY;
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++)
		sum += h->pps[i];
	*mean = n ? sum / n : 0;
	for (unsigned i = 0; i < n; i++)
		squares += (h->pps[i] - *mean) * (h->pps[i] - *mean);
	*deviation = n ? sqrt(squares / n) : 0;
}

static double bits_of(uint64_t packets, uint64_t bytes, bool framing)
{
	return 8.0 * ((double)bytes + (framing ? (double)packets * FRAMING_BYTES : 0));
}

void report_format(char *buf, size_t size, const struct options *o, const struct counts *from,
		   const struct counts *to, uint64_t usec, struct rate_history *h)
{
	uint64_t packets = to->packets - from->packets, events = to->events - from->events;
	double seconds = (double)(usec ? usec : 1) / 1e6;
	double pps = (double)packets / seconds;
	double bps = bits_of(packets, to->bytes - from->bytes, o->count_framing) / seconds;
	int n;

	rate_history_add(h, pps);
	n = snprintf(buf, size, "%spps (%spkts %sbps in %llu usec) %.2f avg_batch %u min_space",
		     units_format(pps, o->raw_units).s, units_format((double)packets, o->raw_units).s,
		     units_format(bps, o->raw_units).s, (unsigned long long)usec,
		     events ? (double)packets / (double)events : 0.0,
		     to->min_space == UINT32_MAX ? NO_MIN_SPACE : to->min_space);
	if ((o->bits & OPT_PPS_STATS) && n > 0 && (size_t)n < size) {
		double mean, deviation;

		rate_history_get(h, &mean, &deviation);
		snprintf(buf + n, size - (size_t)n, " [avg/std %s/%spps]", units_format(mean, o->raw_units).s,
			 units_format(deviation, o->raw_units).s);
	}
}

void report_format_final(char *buf, size_t size, const struct options *o, const char *verb,
			 const struct counts *total, uint64_t ns)
{
	double seconds = (double)(ns ? ns : 1) / 1e9;
	double packets = (double)total->packets, pps, bps, raw;

	if (total->packets == 0) {
		snprintf(buf, size, "%s nothing.", verb);
		return;
	}
	pps = packets / seconds;
	bps = bits_of(total->packets, total->bytes, o->count_framing) / seconds;
	raw = bits_of(total->packets, total->bytes, true) / seconds;
	snprintf(buf, size,
		 "%s %llu packets %llu bytes %llu events %llu bytes each in %.2f seconds.\n"
		 "Speed: %spps Bandwidth: %sbps (raw %sbps). Average batch: %.2f pkts",
		 verb, (unsigned long long)total->packets, (unsigned long long)total->bytes,
		 (unsigned long long)total->events, (unsigned long long)(total->bytes / total->packets),
		 seconds, units_format(pps, o->raw_units).s, units_format(bps, o->raw_units).s,
		 units_format(raw, o->raw_units).s, total->events ? packets / (double)total->events : 0.0);
}
