/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines with rates, as text. */
#ifndef PKT_GEN_REPORT_H
#define PKT_GEN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "options.h"

/* Preamble, frame delimiter, CRC and gap: what a frame takes on the wire besides its bytes. */
#define FRAMING_BYTES 24

/* The last reports' rates, for -A. */
#define RATE_HISTORY 15

struct rate_history {
	double pps[RATE_HISTORY];
	unsigned count;		/* of all reports */
};

void rate_history_add(struct rate_history *h, double pps);
void rate_history_get(const struct rate_history *h, double *mean, double *deviation);

/*
 * The line of an interval of usec microseconds: "... pps (... pkts ... bps in N usec) avg_batch min_space".
 * from and to are the counts at its ends; to->min_space is that of the interval. Adds to h, and shows mean
 * and deviation with -A.
 */
void report_format(char *buf, size_t size, const struct options *o, const struct counts *from,
		   const struct counts *to, uint64_t usec, struct rate_history *h);

/* The two final lines. verb is "Sent" or "Received". */
void report_format_final(char *buf, size_t size, const struct options *o, const char *verb,
			 const struct counts *total, uint64_t ns);

#endif
