/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A switch that forwards IPv4 packets by a table of routes: the longest prefix that the destination address has says to
 * which port, and, if the route has them, with which Ethernet addresses. Everything else is dropped, ARP included; no TTL is
 * counted down and no checksum looked at.
 *
 * NIOCCONFIG takes one command, a text in nm_ifreq.data that ends with a NUL:
 *
 *	add 10.1.0.0/16 3				to port 3
 *	add 10.1.0.0/16 3 02:00:00:00:00:01		... with this destination address
 *	add 10.1.0.0/16 3 02:00:00:00:00:01 02:00:00:00:00:02	... and this source address
 *	del 10.1.0.0/16
 *	flush						all of them
 *
 * EINVAL: no such command; ENOENT: no such route; ENOMEM. A route that is there already is replaced. "ok, 3 routes" comes
 * back in its place. The bits of an address behind the prefix do not count.
 *
 * The table is a binary trie with a node for each bit: 32 steps at most, and nobody needs to size it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/netmap.h>
#include <netmap_switch.h>

#define ETH_HEADER	14u
#define ETH_ADDRS	12u
#define IPV4_DST	(ETH_HEADER + 16u)
#define IPV4_HEADER	20u
#define TEXT(x)		TEXT_(x)
#define TEXT_(x)	#x
#define WORD_MAX	31

struct route {
	uint16_t port;
	bool has_dst, has_src;
	uint8_t addr[ETH_ADDRS];	/* destination, source */
};

struct node {
	struct node *child[2];
	struct route *route;		/* NULL: none ends here */
};

struct table {
	struct node root;
	unsigned routes;
};

/* --- the table --- */

static unsigned
bit(uint32_t addr, unsigned i)
{
	return addr >> (31 - i) & 1;
}

/* The node of a prefix; made if it is not there, or NULL. */
static struct node *
node_find(struct table *t, uint32_t addr, unsigned len, bool make)
{
	struct node *n = &t->root;

	for (unsigned i = 0; i < len && n != NULL; i++) {
		struct node **child = &n->child[bit(addr, i)];

		if (*child == NULL && make)
			*child = calloc(1, sizeof(**child));
		n = *child;
	}
	return n;
}

static const struct route *
route_find(const struct table *t, uint32_t addr)
{
	const struct route *best = t->root.route;
	const struct node *n = &t->root;

	for (unsigned i = 0; i < 32 && (n = n->child[bit(addr, i)]) != NULL; i++)
		if (n->route != NULL)
			best = n->route;
	return best;
}

static void
node_clear(struct node *n)
{
	for (unsigned i = 0; i < 2; i++) {
		if (n->child[i] != NULL)
			node_clear(n->child[i]);
		free(n->child[i]);
	}
	free(n->route);
	*n = (struct node){ .route = NULL };
}

static int
route_add(struct table *t, uint32_t addr, unsigned len, const struct route *r)
{
	struct node *n = node_find(t, addr, len, true);

	if (n == NULL)
		return -ENOMEM;
	if (n->route == NULL) {
		n->route = malloc(sizeof(*n->route));
		if (n->route == NULL)
			return -ENOMEM;
		t->routes++;
	}
	*n->route = *r;
	return 0;
}

static int
route_del(struct table *t, uint32_t addr, unsigned len)
{
	struct node *n = node_find(t, addr, len, false);

	if (n == NULL || n->route == NULL)
		return -ENOENT;
	free(n->route);
	n->route = NULL;
	t->routes--;
	return 0;
}

/* --- packets --- */

static void
packet_route(const struct table *t, struct netmap_switch_packet *p)
{
	const uint8_t *h = p->header;
	const struct route *r;

	if (p->header_len < ETH_HEADER + IPV4_HEADER || h[12] != 0x08 || h[13] != 0x00 || h[ETH_HEADER] >> 4 != 4)
		return;
	r = route_find(t, (uint32_t)h[IPV4_DST] << 24 | (uint32_t)h[IPV4_DST + 1] << 16 | (uint32_t)h[IPV4_DST + 2] << 8 | h[IPV4_DST + 3]);
	if (r == NULL)
		return;
	p->dst_port = r->port;
	if (r->has_dst) {
		memcpy(p->header, r->addr, r->has_src ? ETH_ADDRS : ETH_ADDRS / 2);
		p->rewrite = r->has_src ? ETH_ADDRS : ETH_ADDRS / 2;
	}
}

static void
ipv4_route_lookup(void *ctx, struct netmap_switch_packet *packets, unsigned int n)
{
	for (unsigned i = 0; i < n; i++)
		packet_route(ctx, &packets[i]);
}

/* --- commands --- */

static bool
mac_parse(const char *s, uint8_t *addr)
{
	unsigned b[6];
	int n = 0;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) != 6 || s[n] != '\0')
		return false;
	for (unsigned i = 0; i < 6; i++)
		addr[i] = (uint8_t)b[i];
	return true;
}

static bool
prefix_parse(const char *s, uint32_t *addr, unsigned *len)
{
	unsigned b[4];
	int n = 0;

	if (sscanf(s, "%3u.%3u.%3u.%3u/%2u%n", &b[0], &b[1], &b[2], &b[3], len, &n) != 5 || s[n] != '\0' || *len > 32)
		return false;
	*addr = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (b[i] > 255)
			return false;
		*addr = *addr << 8 | b[i];
	}
	return true;
}

static int
command_run(struct table *t, const char *text)
{
	char word[6][WORD_MAX + 1];
	int n = sscanf(text, "%" TEXT(WORD_MAX) "s %" TEXT(WORD_MAX) "s %" TEXT(WORD_MAX) "s %" TEXT(WORD_MAX) "s %" TEXT(WORD_MAX) "s %" TEXT(WORD_MAX) "s",
		word[0], word[1], word[2], word[3], word[4], word[5]);
	struct route r = { .has_dst = n >= 4, .has_src = n == 5 };
	uint32_t addr;
	unsigned len;
	char *end;

	if (n == 1 && strcmp(word[0], "flush") == 0) {
		node_clear(&t->root);
		t->routes = 0;
		return 0;
	}
	if (n < 2 || !prefix_parse(word[1], &addr, &len))
		return -EINVAL;
	if (n == 2 && strcmp(word[0], "del") == 0)
		return route_del(t, addr, len);
	if (n < 3 || n > 5 || strcmp(word[0], "add") != 0)
		return -EINVAL;
	r.port = (uint16_t)strtoul(word[2], &end, 10);
	if (word[2][0] < '0' || word[2][0] > '9' || *end != '\0' || strlen(word[2]) > 3 || r.port >= NETMAP_SWITCH_PORTS)
		return -EINVAL;
	if ((r.has_dst && !mac_parse(word[3], r.addr)) || (r.has_src && !mac_parse(word[4], r.addr + 6)))
		return -EINVAL;
	return route_add(t, addr, len, &r);
}

static int
ipv4_route_config(void *ctx, struct nm_ifreq *req)
{
	struct table *t = ctx;
	int err;

	if (memchr(req->data, '\0', sizeof(req->data)) == NULL)
		return -EINVAL;
	err = command_run(t, req->data);
	if (err == 0)
		snprintf(req->data, sizeof(req->data), "ok, %u routes", t->routes);
	return err;
}

/* --- life --- */

static int
ipv4_route_create(const char *switch_name, void **ctx)
{
	*ctx = calloc(1, sizeof(struct table));
	return *ctx != NULL ? 0 : -ENOMEM;
}

static void
ipv4_route_destroy(void *ctx)
{
	struct table *t = ctx;

	node_clear(&t->root);
	free(t);
}

const struct netmap_switch_module netmap_switch_module = {
	.abi = NETMAP_SWITCH_ABI,
	.size = sizeof(netmap_switch_module),
	.name = "ipv4_route",
	.header_len = ETH_HEADER + IPV4_HEADER,
	.create = ipv4_route_create,
	.destroy = ipv4_route_destroy,
	.lookup = ipv4_route_lookup,
	.config = ipv4_route_config,
};
