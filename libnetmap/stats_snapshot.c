/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: netmapd's records, checked and turned into the public structures, and the functions that read them.
 *
 * A record is copied out before it is looked at, so that it needs no alignment. Counters are any numbers; all that a
 * program may use as an index, a size or a text is checked.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats_snapshot.h"

#define FIELD_SIZE(type, field)	sizeof(((type *)0)->field)

struct snapshot_ring {
	struct netmap_stats_ring pub;
	uint64_t drops[DROP_REASONS];
};

struct snapshot_port {
	struct netmap_stats_port pub;
	const struct snapshot_ring *rings;
	char name[FIELD_SIZE(struct proto_stats_port, name)];
	char mode[FIELD_SIZE(struct proto_stats_port, mode)];
};

struct netmap_stats {
	struct netmap_stats_instance instance;
	char version[FIELD_SIZE(struct proto_info_reply, version)];
	char socket[FIELD_SIZE(struct proto_info_reply, socket)];
	uint64_t time_ns;
	unsigned num_ports;
	struct snapshot_port *ports;
	struct snapshot_ring *rings;
};


/* What is left of the records. */
struct reader {
	const char *at;
	size_t left;
};

static bool
reader_take(struct reader *r, void *to, size_t size)
{
	if (r->left < size)
		return false;
	memcpy(to, r->at, size);
	r->at += size;
	r->left -= size;
	return true;
}

/* Both of the same size. A text without an end is no text. */
static bool
text_take(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	return memchr(to, '\0', size) != NULL;
}

static enum netmap_stats_type
type_public(uint32_t type, const char *name)
{
	switch (type) {
	case PORT_VALE | PROTO_PORT_PERSISTENT:
		return NETMAP_STATS_VALE;
	case PORT_VALE:
		return strchr(name, ':') != NULL ? NETMAP_STATS_VALE : NETMAP_STATS_PARENT;
	case PORT_PIPE:
		return NETMAP_STATS_PIPE;
	case PORT_NIC:
		return NETMAP_STATS_NIC;
	default:
		return NETMAP_STATS_OTHER;
	}
}

/* Senders put frames into the receive rings of VALE ports; other rings are moved by their own syncs only. */
static void
ring_counters_set(struct snapshot_ring *r, const struct proto_stats_ring *w)
{
	const struct ring_counters *traffic = w->dir == RING_RX && w->in.packets != 0 ? &w->in : &w->own;

	r->pub.packets = traffic->packets;
	r->pub.bytes = traffic->bytes;
	r->pub.syncs = w->own.syncs;
	r->pub.bad_rings = w->own.bad_rings;
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		r->drops[i] = w->own.drops[i] + w->in.drops[i];
		r->pub.drops_total += r->drops[i];
	}
	r->pub.drops = r->drops;
}

static bool
ring_set(struct snapshot_ring *r, const struct proto_stats_ring *w)
{
	if (w->dir > RING_TX || w->id >= RINGS_MAX || w->slots < SLOTS_MIN || w->slots > SLOTS_MAX)
		return false;
	if (w->used >= w->slots || w->lease_pid < 0)
		return false;
	r->pub = (struct netmap_stats_ring){
		.size = sizeof(r->pub),
		.dir = w->dir == RING_TX ? NETMAP_STATS_TX : NETMAP_STATS_RX,
		.id = w->id,
		.slots = w->slots,
		.used = w->used,
		.users = w->users,
		.held_s = w->lease_age_s,
		.held_pid = w->lease_age_s != 0 ? w->lease_pid : 0,
	};
	ring_counters_set(r, w);
	return true;
}

static bool
port_set(struct snapshot_port *p, const struct proto_stats_port *w)
{
	if (!text_take(p->name, w->name, sizeof(p->name)) || p->name[0] == '\0')
		return false;
	if (!text_take(p->mode, w->mode, sizeof(p->mode)))
		return false;
	p->pub = (struct netmap_stats_port){
		.size = sizeof(p->pub),
		.type = type_public(w->type, p->name),
		.name = p->name,
		.mode = p->mode,
		.rings = w->rings,
		.users = w->users,
		.mem_id = w->mem_id,
		.switch_index = (w->type & ~PROTO_PORT_PERSISTENT) == PORT_VALE ? w->switch_port : 0,
		.mem_size = w->mem_size,
		.vnet_hdr_len = w->hdr_len,
	};
	return true;
}

/* There is room for so many rings. */
static int
records_read(struct netmap_stats *s, struct reader *r, uint64_t rings)
{
	struct proto_stats_port port;
	struct proto_stats_ring ring;
	struct snapshot_ring *next = s->rings;

	for (unsigned i = 0; i < s->num_ports; i++) {
		if (!reader_take(r, &port, sizeof(port)) || port.rings > rings || !port_set(&s->ports[i], &port))
			return -EPROTO;
		rings -= port.rings;
		s->ports[i].rings = next;
		for (unsigned k = 0; k < port.rings; k++, next++)
			if (!reader_take(r, &ring, sizeof(ring)) || !ring_set(next, &ring))
				return -EPROTO;
	}
	return r->left == 0 ? 0 : -EPROTO;
}

static int
instance_set(struct netmap_stats *s, const struct proto_info_reply *info)
{
	if (!text_take(s->version, info->version, sizeof(s->version)) ||
	    !text_take(s->socket, info->socket, sizeof(s->socket)))
		return -EPROTO;
	s->instance = (struct netmap_stats_instance){
		.size = sizeof(s->instance),
		.pid = info->pid,
		.uid = info->uid,
		.sessions = info->sessions,
		.generation = info->generation,
		.version = s->version,
		.socket = s->socket,
	};
	return 0;
}

int
stats_snapshot(const struct proto_info_reply *info, const struct proto_stats_reply *reply, const void *records,
	struct netmap_stats **out)
{
	uint64_t ports_size = (uint64_t)reply->ports * sizeof(struct proto_stats_port);
	struct reader r = { .at = records, .left = reply->size };
	struct netmap_stats *s;
	uint64_t rings;
	int err = -ENOMEM;

	/* What is no port is rings: so many there are, or the records are wrong. */
	if (reply->size > STATS_SIZE_MAX || ports_size > reply->size)
		return -EPROTO;
	rings = (reply->size - ports_size) / sizeof(struct proto_stats_ring);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->ports = calloc((size_t)reply->ports + 1, sizeof(*s->ports));
	s->rings = calloc(rings + 1, sizeof(*s->rings));
	if (s->ports == NULL || s->rings == NULL)
		goto err_free;
	s->num_ports = reply->ports;
	s->time_ns = reply->when_ns;
	err = instance_set(s, info);
	if (err == 0)
		err = records_read(s, &r, rings);
	if (err != 0)
		goto err_free;
	*out = s;
	return 0;

err_free:
	netmap_stats_free(s);
	return err;
}

void
netmap_stats_free(struct netmap_stats *s)
{
	if (s == NULL)
		return;
	free(s->rings);
	free(s->ports);
	free(s);
}

const struct netmap_stats_instance *
netmap_stats_instance(const struct netmap_stats *s)
{
	return &s->instance;
}

uint64_t
netmap_stats_time_ns(const struct netmap_stats *s)
{
	return s->time_ns;
}

unsigned int
netmap_stats_ports(const struct netmap_stats *s)
{
	return s->num_ports;
}

const struct netmap_stats_port *
netmap_stats_port(const struct netmap_stats *s, unsigned int i)
{
	return i < s->num_ports ? &s->ports[i].pub : NULL;
}

const struct netmap_stats_ring *
netmap_stats_ring(const struct netmap_stats *s, unsigned int i, unsigned int r)
{
	return i < s->num_ports && r < s->ports[i].pub.rings ? &s->ports[i].rings[r].pub : NULL;
}

unsigned int
netmap_stats_reasons(void)
{
	return DROP_REASONS;
}

const char *
netmap_stats_reason_name(unsigned int reason)
{
	return reason < DROP_REASONS ? drop_reason_name(reason) : NULL;
}
