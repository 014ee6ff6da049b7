/* SPDX-License-Identifier: BSD-2-Clause */
/* Wake-ups through netmapd when its queue is full: none is forgotten, none is sent twice for one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../libnetmap/client_internal.h"

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

static unsigned room;				/* messages that the queue still takes */
static unsigned tried, told[ACTOR_MAX + 1];

int
client_tell(uint16_t type, const void *body, size_t size)
{
	const struct proto_actor *q = body;

	CHECK(type == PROTO_WAKE && size == sizeof(*q) && q->actor >= 1 && q->actor <= ACTOR_MAX);
	tried++;
	if (room == 0)
		return -EAGAIN;
	room--;
	told[q->actor]++;
	return 0;
}

static void
start(unsigned n)
{
	memset(told, 0, sizeof(told));
	tried = 0;
	room = n;
}

static unsigned
told_all(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i <= ACTOR_MAX; i++) {
		CHECK(told[i] <= 1);
		n += told[i];
	}
	return n;
}

int
main(void)
{
	static const uint32_t actors[] = { 1, 5, 63, 64, 65, 700, 4032, ACTOR_MAX };
	const unsigned n = sizeof(actors) / sizeof(actors[0]);

	/* With room it is one message, and nothing stays to be done. */
	start(10);
	client_relay(7);
	CHECK(told[7] == 1 && tried == 1);
	client_relay_retry();
	CHECK(tried == 1);

	/* Without, they wait; asking twice is asking once. */
	start(0);
	for (unsigned i = 0; i < 2 * n; i++)
		client_relay(actors[i % n]);
	CHECK(told_all() == 0);
	tried = 0;
	client_relay_retry();
	CHECK(told_all() == 0 && tried == 1);

	/* They go as there is room, one look at the queue more than that. */
	for (unsigned i = 1; i < n; i++) {
		room = 1;
		tried = 0;
		client_relay_retry();
		CHECK(told_all() == i && tried == 2);
	}
	room = 10;
	client_relay_retry();
	CHECK(told_all() == n);
	for (unsigned i = 0; i < n; i++)
		CHECK(told[actors[i]] == 1);
	tried = 0;
	client_relay_retry();
	CHECK(tried == 0);
	return 0;
}
