/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates of a crew, see rate.h. */
#include <math.h>

#include "clock.h"
#include "rate.h"

#define WARMUP_NS	150000000ull

struct count {
	uint64_t at_ns, received, sent;
};

static struct count
crew_counts(const struct crew *crew, unsigned int senders)
{
	struct count n = { .at_ns = clock_ns() };

	n.received = __atomic_load_n(&crew->shared->member[0].packets, __ATOMIC_RELAXED);
	for (unsigned int i = 1; i <= senders; i++)
		n.sent += __atomic_load_n(&crew->shared->member[i].packets, __ATOMIC_RELAXED);
	return n;
}

void
rate_count(struct crew *crew, unsigned int senders, double seconds, struct rate *rate)
{
	struct count from, to;
	double ns, sent, received;

	crew_go(crew);
	clock_sleep_ns(WARMUP_NS);
	from = crew_counts(crew, senders);
	clock_sleep_ns((uint64_t)(seconds * 1e9));
	to = crew_counts(crew, senders);
	ns = (double)(to.at_ns - from.at_ns);
	sent = (double)(to.sent - from.sent);
	received = (double)(to.received - from.received);
	rate->rx_pps = received * 1e9 / ns;
	rate->tx_pps = sent * 1e9 / ns;
	rate->loss = sent <= 0 || received > sent ? 0 : (sent - received) / sent;
}

static double
cpu_per_packet(const struct crew_member *m, unsigned int n)
{
	double cpu = 0, packets = 0;

	for (unsigned int i = 0; i < n; i++) {
		cpu += (double)m[i].cpu_ns;
		packets += (double)m[i].cpu_packets;
	}
	return packets > 0 ? cpu / packets : (double)NAN;
}

/* Below 1 somebody else was running on the CPU of one of n busy processes. */
static double
cpu_share_least(const struct crew_member *m, unsigned int n)
{
	double least = 1;

	for (unsigned int i = 0; i < n; i++) {
		double share = m[i].wall_ns != 0 ? (double)m[i].cpu_ns / (double)m[i].wall_ns : 1;

		if (share < least)
			least = share;
	}
	return least;
}

void
rate_add_cpu(const struct crew *crew, unsigned int senders, struct rate *rate)
{
	rate->rx_cpu_ns = cpu_per_packet(&crew->shared->member[0], 1);
	rate->tx_cpu_ns = cpu_per_packet(&crew->shared->member[1], senders);
	rate->cpu_share = cpu_share_least(crew->shared->member, 1 + senders);
}
