/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates of a crew: member 0 receives, members 1 to senders send. */
#ifndef BENCH_RATE_H
#define BENCH_RATE_H

#include <stdint.h>

#include "bench.h"
#include "crew.h"

struct rate {
	double rx_pps, tx_pps;
	double loss;			/* 0..1 of what was sent */
	double rx_cpu_ns, tx_cpu_ns;	/* CPU time per packet; NAN if there was none */
	double cpu_share;		/* the least share of its CPU that one of them got, 0..1 */
};

/* Argument of a sender; a receiver's is the case. */
struct rate_sender {
	const struct bench_case *c;
	unsigned int index;
};

crew_role rate_receiver_role, rate_sender_role;

/* Releases a crew whose members are all there, lets it warm up, and counts its packets for so long. */
void rate_count(struct crew *crew, unsigned int senders, double seconds, struct rate *rate);

/* After crew_stop(): adds CPU times. */
void rate_add_cpu(const struct crew *crew, unsigned int senders, struct rate *rate);

#endif
