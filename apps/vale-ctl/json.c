/* SPDX-License-Identifier: BSD-2-Clause */
/* Listings as JSON. A value that cannot be made (no memory) makes all of it NULL. */
#include <errno.h>
#include <stdint.h>

#include "json.h"
#include "print.h"

#define TEXT_SIZE	256
#define REAL_DIGITS	12

/* JSON's integers are jansson's: signed. */
static json_t *
number(uint64_t n)
{
	return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX);
}

/* Names may hold bytes that are no UTF-8. */
static json_t *
text(const char *s)
{
	char clean[TEXT_SIZE];

	text_clean(clean, sizeof(clean), s);
	return json_string(clean);
}

static json_t *
rate(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static json_t *
traffic_json(const struct traffic *t)
{
	bool sized = traffic_sized(t);

	return json_pack("{s:o, s:o, s:o, s:o}",
		"packets", number(t->packets),
		"bytes", sized ? number(t->bytes) : json_null(),
		"packets_per_s", rate(t->rated, t->pps),
		"bits_per_s", rate(t->rated && sized, t->bps));
}

static json_t *
drops_json(const struct netmap_stats_ring *r)
{
	json_t *drops = json_object();

	for (unsigned i = 0; drops != NULL && i < netmap_stats_reasons(); i++) {
		if (json_object_set_new(drops, netmap_stats_reason_name(i), number(r->drops[i])) != 0) {
			json_decref(drops);
			return NULL;
		}
	}
	return drops;
}

static json_t *
held_json(const struct netmap_stats_ring *r)
{
	if (r->held_s == 0)
		return json_null();
	return json_pack("{s:o, s:i}", "seconds", number(r->held_s), "pid", r->held_pid);
}

static json_t *
ring_json(const struct listing *l, const struct listing_port *lp, unsigned k)
{
	const struct netmap_stats_ring *r = netmap_stats_ring(l->now, lp->index, k);
	struct traffic t = listing_ring(l, lp, k);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"dir", r->dir == NETMAP_STATS_TX ? "tx" : "rx",
		"id", number(r->id),
		"slots", number(r->slots),
		"used", number(r->used),
		"users", number(r->users),
		"syncs", number(r->syncs),
		"bad_rings", number(r->bad_rings),
		"traffic", traffic_json(&t),
		"dropped", number(r->drops_total),
		"drops", drops_json(r),
		"held", held_json(r));
}

static json_t *
rings_json(const struct listing *l, const struct listing_port *lp)
{
	json_t *rings = json_array();

	for (unsigned r = 0; rings != NULL && r < lp->p->rings; r++) {
		if (json_array_append_new(rings, ring_json(l, lp, r)) != 0) {
			json_decref(rings);
			return NULL;
		}
	}
	return rings;
}

static json_t *
port_json(const struct listing *l, const struct listing_port *lp)
{
	bool on_switch = lp->sw[0] != '\0';

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", text(lp->p->name),
		"type", listing_type_name(lp->p->type),
		"mode", text(lp->p->mode),
		"switch", on_switch ? text(lp->sw) : json_null(),
		"switch_index", on_switch ? number(lp->p->switch_index) : json_null(),
		"users", number(lp->p->users),
		"mem_id", number(lp->p->mem_id),
		"mem_size", number(lp->p->mem_size),
		"vnet_hdr_len", number(lp->p->vnet_hdr_len),
		"tx", traffic_json(&lp->tx),
		"rx", traffic_json(&lp->rx),
		"dropped", number(lp->drops),
		"rings", rings_json(l, lp));
}

static json_t *
ports_json(const struct listing *l)
{
	json_t *ports = json_array();

	for (unsigned i = 0; ports != NULL && i < l->n; i++) {
		if (json_array_append_new(ports, port_json(l, &l->ports[i])) != 0) {
			json_decref(ports);
			return NULL;
		}
	}
	return ports;
}

static json_t *
switches_json(const struct listing *l)
{
	json_t *switches = json_array();

	for (unsigned i = 0, n; switches != NULL && i < l->n && (n = listing_switch_ports(l, i)) > 0; i += n) {
		json_t *sw = json_pack("{s:o, s:o}", "name", text(l->ports[i].sw), "ports", number(n));

		if (json_array_append_new(switches, sw) != 0) {
			json_decref(switches);
			return NULL;
		}
	}
	return switches;
}

static json_t *
instance_json(const struct netmap_stats_instance *in)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}",
		"pid", in->pid,
		"uid", number(in->uid),
		"version", text(in->version),
		"socket", text(in->socket),
		"generation", number(in->generation),
		"sessions", number(in->sessions));
}

json_t *
json_listing(const struct listing *l)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
		"instance", instance_json(netmap_stats_instance(l->now)),
		"time_ns", number(netmap_stats_time_ns(l->now)),
		"interval_s", l->interval_s > 0 ? json_real(l->interval_s) : json_null(),
		"switches", switches_json(l),
		"ports", ports_json(l));
}

json_t *
json_listing_empty(void)
{
	return json_pack("{s:n, s:n, s:n, s:[], s:[]}",
		"instance", "time_ns", "interval_s", "switches", "ports");
}

static json_t *
pool_json(uint64_t offset, uint32_t objects, uint32_t size)
{
	return json_pack("{s:o, s:o, s:o}", "offset", number(offset), "objects", number(objects),
		"object_size", number(size));
}

static json_t *
pools_json(const struct nmreq_pools_info *p)
{
	return json_pack("{s:o, s:o, s:o}",
		"if", pool_json(p->nr_if_pool_offset, p->nr_if_pool_objtotal, p->nr_if_pool_objsize),
		"ring", pool_json(p->nr_ring_pool_offset, p->nr_ring_pool_objtotal, p->nr_ring_pool_objsize),
		"buf", pool_json(p->nr_buf_pool_offset, p->nr_buf_pool_objtotal, p->nr_buf_pool_objsize));
}

json_t *
json_info(const char *name, const struct port_info *info)
{
	const struct nmreq_port_info_get *p = &info->port;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", text(name),
		"tx_rings", number(p->nr_tx_rings),
		"rx_rings", number(p->nr_rx_rings),
		"tx_slots", number(p->nr_tx_slots),
		"rx_slots", number(p->nr_rx_slots),
		"host_tx_rings", number(p->nr_host_tx_rings),
		"host_rx_rings", number(p->nr_host_rx_rings),
		"mem_id", number(p->nr_mem_id),
		"mem_size", number(p->nr_memsize),
		"pools", info->has_pools ? pools_json(&info->pools) : json_null());
}

int
json_print(FILE *out, json_t *root)
{
	int rc;

	if (root == NULL)
		return -ENOMEM;
	rc = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS));
	json_decref(root);
	return rc != 0 || fputc('\n', out) == EOF ? -EIO : 0;
}
