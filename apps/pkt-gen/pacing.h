/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending at a rate. Packet number n of a pacer is due n / rate seconds after its start: no error adds up,
 * whatever the rate. Arithmetic only, the caller brings the time and does the waiting.
 */
#ifndef PKT_GEN_PACING_H
#define PKT_GEN_PACING_H

#include <stdint.h>

#include "../common/clock.h"

/* A sender that falls back by more than this does not catch up with a flood. */
#define PACER_LAG_MAX_NS (20 * NS_PER_MS)

struct pacer {
	uint64_t rate;		/* packets a second, not 0 */
	uint64_t start_ns;
	uint64_t sent;		/* packets since start_ns */
};

static inline void pacer_init(struct pacer *p, uint64_t rate, uint64_t now_ns)
{
	*p = (struct pacer){ .rate = rate, .start_ns = now_ns };
}

/* When the next packet is due. */
static inline uint64_t pacer_due(const struct pacer *p)
{
	return p->start_ns + (uint64_t)((unsigned __int128)p->sent * NS_PER_SEC / p->rate);
}

/* Counts packets sent at now_ns. Starts a new schedule if the old one is far behind. */
static inline void pacer_sent(struct pacer *p, uint64_t packets, uint64_t now_ns)
{
	p->sent += packets;
	if (now_ns > pacer_due(p) + PACER_LAG_MAX_NS)
		pacer_init(p, p->rate, now_ns);
}

/* Two of these fit into a receiver's ring of the usual 1024 slots, even if it is late by one. */
#define PACER_BURST_MAX 256

/* Packets to send at once so that about four thousand batches a second result. */
static inline unsigned pacer_burst(uint64_t rate)
{
	uint64_t burst = rate / 4000;

	return burst < 1 ? 1 : burst < PACER_BURST_MAX ? (unsigned)burst : PACER_BURST_MAX;
}

/* What thread number i of n gets of a total: the parts add up to it. */
static inline uint64_t share_of(uint64_t total, unsigned i, unsigned n)
{
	return total / n + (i < total % n);
}

#endif
