/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"

void
records_init(struct records *r)
{
	memset(r, 0, sizeof(*r));
	r->info = (struct proto_info_reply){
		.pid = 77, .uid = 1000, .sessions = 3, .generation = 5, .version = "1.2.3", .socket = "/tmp/x.sock",
	};
	r->reply.when_ns = 1000000000;
}

static void *
record_add(struct records *r, size_t size)
{
	void *at = r->bytes + r->reply.size;

	assert_true(r->reply.size + size <= sizeof(r->bytes));
	r->reply.size += size;
	return at;
}

struct proto_stats_port *
records_port(struct records *r, const char *name, uint32_t type, uint32_t rings)
{
	struct proto_stats_port *p = record_add(r, sizeof(*p));

	*p = (struct proto_stats_port){ .type = type, .rings = rings, .mem_id = 2, .users = 1, .mem_size = 4096 };
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->mode, sizeof(p->mode), "%s", type == PORT_VALE ? "learning" : "");
	r->reply.ports++;
	return p;
}

struct proto_stats_ring *
records_ring(struct records *r, uint32_t dir, uint32_t id)
{
	struct proto_stats_ring *ring = record_add(r, sizeof(*ring));

	*ring = (struct proto_stats_ring){ .dir = dir, .id = id, .slots = 1024, .used = 1, .users = 1 };
	return ring;
}

struct proto_stats_ring *
records_pair(struct records *r, const char *name, uint32_t type, uint64_t tx, uint64_t rx)
{
	struct proto_stats_ring *ring;

	records_port(r, name, type, 2);
	ring = records_ring(r, RING_TX, 0);
	ring->own.packets = tx;
	ring->own.bytes = tx * 60;
	ring = records_ring(r, RING_RX, 0);
	ring->in.packets = rx;
	ring->in.bytes = rx * 60;
	return ring - 1;
}

int
records_snapshot(const struct records *r, struct netmap_stats **out)
{
	void *copy = malloc(r->reply.size);
	int err;

	assert_true(copy != NULL || r->reply.size == 0);
	memcpy(copy, r->bytes, r->reply.size);
	*out = NULL;
	err = stats_snapshot(&r->info, &r->reply, copy, out);
	free(copy);
	assert_true((err == 0) == (*out != NULL));
	return err;
}
