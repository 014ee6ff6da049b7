/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A switch that spreads flows: what comes from a port outside of a set goes to one of the set's ports, and always to the same
 * one, and the same ring there, for packets with the same addresses, protocol and ports, in either direction. What the ports
 * of the set send goes to port `back`, or nowhere. Fragments and what is not IPv4 or IPv6 go by their addresses alone.
 *
 * NIOCCONFIG takes one command, a text in nm_ifreq.data that ends with a NUL:
 *
 *	ports 2,3,4		the set: 1 to 32 ports, none twice
 *	back 0			or: back none
 *
 * EINVAL: no such command. The command comes back as it was. Without a set everything is dropped.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <net/netmap.h>
#include <netmap_switch.h>

#define ETH_HEADER	14u
#define VLAN_TAG	4u
#define SET_MAX		32u
#define RINGS		256u

struct spread {
	unsigned n;
	uint16_t port[SET_MAX];
	bool member[NETMAP_SWITCH_PORTS];
	uint16_t back;
};

/* --- flows --- */

/* Good in all its bits (the finalizer of SplitMix64). */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static uint64_t
sum(const uint8_t *p, unsigned n)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < n; i++)
		h = h << 8 ^ h >> 56 ^ p[i];
	return mix(h + n);
}

/* TCP, UDP, DCCP, SCTP, UDP-Lite: they begin with the two ports. */
static bool
has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* Both directions of a flow have the same sums. */
static uint64_t
pair_sum(const uint8_t *a, const uint8_t *b, unsigned n)
{
	return sum(a, n) + sum(b, n);
}

static uint64_t
flow_hash(const struct netmap_switch_packet *p)
{
	const uint8_t *h = p->header;
	uint32_t l3 = ETH_HEADER, l4 = 0, len = p->header_len;
	uint8_t protocol = 0;
	uint64_t hash;

	if (len >= ETH_HEADER + VLAN_TAG && h[12] == 0x81 && h[13] == 0x00)
		l3 += VLAN_TAG;
	if (h[l3 - 2] == 0x08 && h[l3 - 1] == 0x00 && len >= l3 + 20) {
		hash = pair_sum(h + l3 + 12, h + l3 + 16, 4);
		protocol = h[l3 + 9];
		/* Later fragments have no ports, and the first one must go where they do. */
		if (((h[l3 + 6] & 0x3f) | h[l3 + 7]) == 0)
			l4 = l3 + (h[l3] & 15u) * 4;
	} else if (h[l3 - 2] == 0x86 && h[l3 - 1] == 0xdd && len >= l3 + 40) {
		hash = pair_sum(h + l3 + 8, h + l3 + 24, 16);
		protocol = h[l3 + 6];
		l4 = l3 + 40;
		if (!has_ports(protocol))
			protocol = 0;
	} else {
		return mix(pair_sum(h, h + 6, 6));
	}
	if (l4 != 0 && has_ports(protocol) && len >= l4 + 4)
		hash += 3 * pair_sum(h + l4, h + l4 + 2, 2);
	return mix(hash + protocol);
}

/* --- packets --- */

static void
flow_hash_lookup(void *ctx, struct netmap_switch_packet *packets, unsigned int n)
{
	const struct spread *s = ctx;

	for (unsigned i = 0; i < n; i++) {
		struct netmap_switch_packet *p = &packets[i];
		uint64_t hash;

		if (p->src_port < NETMAP_SWITCH_PORTS && s->member[p->src_port]) {
			p->dst_port = s->back;
		} else if (s->n > 0) {
			hash = flow_hash(p);
			p->dst_port = s->port[(hash >> 32) % s->n];
			p->dst_ring = (uint16_t)(hash % RINGS);
		}
	}
}

/* --- commands --- */

/* A port's number up to `end`, or -1. */
static int
port_parse(const char **text, char until)
{
	char *end;
	unsigned long n;

	if (**text < '0' || **text > '9')
		return -1;
	n = strtoul(*text, &end, 10);
	if (n >= NETMAP_SWITCH_PORTS || (*end != until && *end != '\0'))
		return -1;
	*text = *end == '\0' ? end : end + 1;
	return (int)n;
}

static int
set_take(struct spread *s, const char *text)
{
	struct spread t = { .back = s->back };

	do {
		int port = port_parse(&text, ',');

		if (port < 0 || t.n == SET_MAX || t.member[port])
			return -EINVAL;
		t.port[t.n++] = (uint16_t)port;
		t.member[port] = true;
	} while (*text != '\0');
	*s = t;
	return 0;
}

static int
flow_hash_config(void *ctx, struct nm_ifreq *req)
{
	struct spread *s = ctx;
	const char *text = req->data;
	int port;

	if (memchr(req->data, '\0', sizeof(req->data)) == NULL)
		return -EINVAL;
	if (strncmp(text, "ports ", 6) == 0)
		return set_take(s, text + 6);
	if (strncmp(text, "back ", 5) != 0)
		return -EINVAL;
	text += 5;
	port = strcmp(text, "none") == 0 ? (int)NETMAP_SWITCH_DROP : port_parse(&text, '\0');
	if (port < 0)
		return -EINVAL;
	s->back = (uint16_t)port;
	return 0;
}

/* --- life --- */

static int
flow_hash_create(const char *switch_name, void **ctx)
{
	struct spread *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->back = NETMAP_SWITCH_DROP;
	*ctx = s;
	return 0;
}

const struct netmap_switch_module netmap_switch_module = {
	.abi = NETMAP_SWITCH_ABI,
	.size = sizeof(netmap_switch_module),
	.name = "flow_hash",
	.header_len = 128,
	.create = flow_hash_create,
	.destroy = free,
	.lookup = flow_hash_lookup,
	.config = flow_hash_config,
};
