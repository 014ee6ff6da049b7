/* SPDX-License-Identifier: BSD-2-Clause */
/* What a listing shows: the ports of a snapshot in order, their sums, and rates since an earlier one. */
#ifndef VALE_CTL_LISTING_H
#define VALE_CTL_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include <netmap_stats.h>

#define SWITCH_NAME_SIZE	64

/* Traffic of a ring, or of all rings of one direction. */
struct traffic {
	uint64_t packets, bytes;
	bool rated;			/* the rates are known */
	double pps, bps;		/* a second; bits of the frames as they lie in their buffers */
};

/* Not every ring knows the sizes of what it counts. */
static inline bool
traffic_sized(const struct traffic *t)
{
	return t->bytes != 0 || t->packets == 0;
}

struct listing_port {
	const struct netmap_stats_port *p;
	unsigned index;			/* in the snapshot */
	unsigned before;		/* in the earlier one; UINT_MAX: not there, or not the same port */
	char sw[SWITCH_NAME_SIZE];	/* name of its switch; empty: on none */
	struct traffic tx, rx;
	uint64_t drops;
};

struct listing {
	const struct netmap_stats *now, *before; /* the caller's; before: NULL without rates */
	double interval_s;		/* between them */
	struct listing_port *ports;	/* by switch and number; pipes and their parents; interfaces; others */
	unsigned n;
};

/*
 * Only the port `only`, or the ports on the switch of that name (a ":" at its end does not matter); NULL: all.
 * 0 or -ENOMEM. To be freed by listing_free; the snapshots must stay until then.
 */
int listing_make(struct listing *l, const struct netmap_stats *now, const struct netmap_stats *before,
	const char *only);
void listing_free(struct listing *l);

/* Traffic of ring r of a port of the listing. */
struct traffic listing_ring(const struct listing *l, const struct listing_port *lp, unsigned r);

/* Ports on the switch of l->ports[i] that stand from there on in the listing. 0 if it is on none. */
unsigned listing_switch_ports(const struct listing *l, unsigned i);

const char *listing_type_name(uint32_t type);

#endif
