/* SPDX-License-Identifier: BSD-2-Clause */
/* Sorting, matching and summing. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "listing.h"

const char *
listing_type_name(uint32_t type)
{
	switch (type) {
	case NETMAP_STATS_VALE:
		return "vale";
	case NETMAP_STATS_PIPE:
		return "pipe";
	case NETMAP_STATS_NIC:
		return "nic";
	case NETMAP_STATS_PARENT:
		return "parent";
	default:
		return "other";
	}
}

static void
switch_name_set(struct listing_port *lp)
{
	const char *colon = strchr(lp->p->name, ':');
	size_t n = colon != NULL ? (size_t)(colon - lp->p->name) : 0;

	if (lp->p->type != NETMAP_STATS_VALE || n >= sizeof(lp->sw))
		n = 0;
	memcpy(lp->sw, lp->p->name, n);
	lp->sw[n] = '\0';
}

static unsigned
type_rank(const struct listing_port *lp)
{
	switch (lp->p->type) {
	case NETMAP_STATS_OTHER:
		return UINT_MAX;
	case NETMAP_STATS_PARENT:
		return NETMAP_STATS_PIPE;
	default:
		return lp->p->type;
	}
}

static int
port_compare(const void *va, const void *vb)
{
	const struct listing_port *a = va, *b = vb;
	int c;

	if (type_rank(a) != type_rank(b))
		return type_rank(a) < type_rank(b) ? -1 : 1;
	/* Persistent ports that are on no switch come after those that are. */
	if ((a->sw[0] == '\0') != (b->sw[0] == '\0'))
		return a->sw[0] != '\0' ? -1 : 1;
	/* Digits compare as numbers: vale2 stands before vale10. */
	c = strverscmp(a->sw, b->sw);
	if (c == 0 && a->p->switch_index != b->p->switch_index)
		return a->p->switch_index < b->p->switch_index ? -1 : 1;
	return c != 0 ? c : strverscmp(a->p->name, b->p->name);
}

static bool
port_wanted(const struct listing_port *lp, const char *only)
{
	size_t n;

	if (only == NULL || strcmp(lp->p->name, only) == 0)
		return true;
	n = strlen(lp->sw);
	return n > 0 && strncmp(only, lp->sw, n) == 0 &&
		(only[n] == '\0' || (only[n] == ':' && only[n + 1] == '\0'));
}

static int
ports_take(const struct netmap_stats *s, const char *only, struct listing_port **out, unsigned *out_n)
{
	unsigned total = netmap_stats_ports(s), n = 0;
	struct listing_port *ports = calloc((size_t)total + 1, sizeof(*ports));

	if (ports == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < total; i++) {
		ports[n] = (struct listing_port){ .p = netmap_stats_port(s, i), .index = i, .before = UINT_MAX };
		switch_name_set(&ports[n]);
		n += port_wanted(&ports[n], only);
	}
	qsort(ports, n, sizeof(*ports), port_compare);
	*out = ports;
	*out_n = n;
	return 0;
}

static bool
rings_went_on(const struct netmap_stats_ring *now, const struct netmap_stats_ring *before)
{
	return now->dir == before->dir && now->id == before->id && now->packets >= before->packets &&
		now->bytes >= before->bytes && now->syncs >= before->syncs;
}

/* A port that was closed and opened again in between counts from 0: it is another one. */
static bool
port_went_on(const struct listing *l, const struct listing_port *now, const struct listing_port *before)
{
	if (now->p->rings != before->p->rings)
		return false;
	for (unsigned r = 0; r < now->p->rings; r++)
		if (!rings_went_on(netmap_stats_ring(l->now, now->index, r),
				netmap_stats_ring(l->before, before->index, r)))
			return false;
	return true;
}

static int
ports_match(struct listing *l, const char *only)
{
	struct listing_port *before;
	unsigned n;
	int err = ports_take(l->before, only, &before, &n);

	if (err != 0)
		return err;
	for (unsigned i = 0; i < l->n; i++) {
		struct listing_port *found = bsearch(&l->ports[i], before, n, sizeof(*before), port_compare);

		if (found != NULL && port_went_on(l, &l->ports[i], found))
			l->ports[i].before = found->index;
	}
	free(before);
	return 0;
}

static void
traffic_rate(struct traffic *t, const struct listing *l, uint64_t packets_before, uint64_t bytes_before)
{
	t->rated = true;
	t->pps = (double)(t->packets - packets_before) / l->interval_s;
	t->bps = 8 * (double)(t->bytes - bytes_before) / l->interval_s;
}

struct traffic
listing_ring(const struct listing *l, const struct listing_port *lp, unsigned r)
{
	const struct netmap_stats_ring *ring = netmap_stats_ring(l->now, lp->index, r), *before;
	struct traffic t = { .packets = ring->packets, .bytes = ring->bytes };

	if (lp->before != UINT_MAX && l->interval_s > 0) {
		before = netmap_stats_ring(l->before, lp->before, r);
		traffic_rate(&t, l, before->packets, before->bytes);
	}
	return t;
}

static void
port_sum(const struct listing *l, struct listing_port *lp)
{
	lp->tx.rated = lp->rx.rated = lp->before != UINT_MAX && l->interval_s > 0;
	for (unsigned r = 0; r < lp->p->rings; r++) {
		const struct netmap_stats_ring *ring = netmap_stats_ring(l->now, lp->index, r);
		struct traffic *sum = ring->dir == NETMAP_STATS_TX ? &lp->tx : &lp->rx;
		struct traffic t = listing_ring(l, lp, r);

		sum->packets += t.packets;
		sum->bytes += t.bytes;
		sum->pps += t.pps;
		sum->bps += t.bps;
		lp->drops += ring->drops_total;
	}
}

int
listing_make(struct listing *l, const struct netmap_stats *now, const struct netmap_stats *before,
	const char *only)
{
	int err;

	*l = (struct listing){ .now = now, .before = before };
	err = ports_take(now, only, &l->ports, &l->n);
	if (err != 0)
		return err;
	if (before != NULL && netmap_stats_time_ns(now) > netmap_stats_time_ns(before) &&
	    netmap_stats_instance(now)->generation == netmap_stats_instance(before)->generation) {
		l->interval_s = (double)(netmap_stats_time_ns(now) - netmap_stats_time_ns(before)) / 1e9;
		err = ports_match(l, only);
	}
	if (err != 0)
		listing_free(l);
	for (unsigned i = 0; i < l->n; i++)
		port_sum(l, &l->ports[i]);
	return err;
}

void
listing_free(struct listing *l)
{
	free(l->ports);
	*l = (struct listing){ .n = 0 };
}

unsigned
listing_switch_ports(const struct listing *l, unsigned i)
{
	unsigned n = 0;

	if (l->ports[i].sw[0] == '\0')
		return 0;
	while (i + n < l->n && strcmp(l->ports[i + n].sw, l->ports[i].sw) == 0)
		n++;
	return n;
}
