/* SPDX-License-Identifier: BSD-2-Clause */
/* netmapd's records: what is read from good ones, and that bad ones are refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"

static struct records rec;

static int
init(void **state)
{
	(void)state;
	records_init(&rec);
	return 0;
}

static struct netmap_stats *
good(void)
{
	struct netmap_stats *s;

	assert_int_equal(records_snapshot(&rec, &s), 0);
	return s;
}

static void
bad(void)
{
	struct netmap_stats *s;

	assert_int_equal(records_snapshot(&rec, &s), -EPROTO);
}

static void
empty_snapshot_tells_who_serves(void **state)
{
	struct netmap_stats *s = good();
	const struct netmap_stats_instance *in = netmap_stats_instance(s);

	(void)state;
	assert_int_equal(netmap_stats_ports(s), 0);
	assert_null(netmap_stats_port(s, 0));
	assert_null(netmap_stats_ring(s, 0, 0));
	assert_int_equal(in->pid, 77);
	assert_int_equal(in->uid, 1000);
	assert_int_equal(in->sessions, 3);
	assert_string_equal(in->version, "1.2.3");
	assert_string_equal(in->socket, "/tmp/x.sock");
	assert_true(netmap_stats_has(in, socket));
	assert_true(netmap_stats_time_ns(s) == 1000000000);
	netmap_stats_free(s);
	netmap_stats_free(NULL);
}

static void
ports_and_rings_are_read(void **state)
{
	struct proto_stats_ring *w = records_pair(&rec, "vale0:a", PORT_VALE, 10, 20);
	const struct netmap_stats_ring *r;
	struct netmap_stats *s;

	(void)state;
	w[0].own.drops[DROP_RUNT] = 3;
	w[1].in.drops[DROP_NO_ROOM] = 4;
	w[1].own.drops[DROP_NO_ROOM] = 1;
	w[1].own.packets = 19;		/* what the program collected, not what arrived */
	w[1].own.syncs = 6;
	w[1].lease_age_s = 9;
	w[1].lease_pid = 123;
	records_port(&rec, "eth0", PORT_NIC, 0);
	s = good();
	assert_int_equal(netmap_stats_ports(s), 2);
	assert_string_equal(netmap_stats_port(s, 0)->name, "vale0:a");
	assert_string_equal(netmap_stats_port(s, 0)->mode, "learning");
	assert_int_equal(netmap_stats_port(s, 0)->type, NETMAP_STATS_VALE);
	assert_int_equal(netmap_stats_port(s, 1)->type, NETMAP_STATS_NIC);
	assert_null(netmap_stats_ring(s, 1, 0));
	r = netmap_stats_ring(s, 0, 0);
	assert_int_equal(r->dir, NETMAP_STATS_TX);
	assert_int_equal(r->packets, 10);
	assert_int_equal(r->bytes, 600);
	assert_int_equal(r->drops_total, 3);
	assert_int_equal(r->drops[DROP_RUNT], 3);
	r = netmap_stats_ring(s, 0, 1);
	assert_int_equal(r->dir, NETMAP_STATS_RX);
	assert_int_equal(r->packets, 20);
	assert_int_equal(r->bytes, 1200);
	assert_int_equal(r->syncs, 6);
	assert_int_equal(r->drops_total, 5);
	assert_int_equal(r->held_s, 9);
	assert_int_equal(r->held_pid, 123);
	assert_null(netmap_stats_ring(s, 0, 2));
	netmap_stats_free(s);
}

static void
interfaces_count_in_their_own_syncs(void **state)
{
	struct proto_stats_ring *w = records_pair(&rec, "eth0", PORT_NIC, 10, 0);
	struct netmap_stats *s;

	(void)state;
	w[1].own.packets = 7;
	w[1].own.bytes = 700;
	s = good();
	assert_int_equal(netmap_stats_ring(s, 0, 1)->packets, 7);
	assert_int_equal(netmap_stats_ring(s, 0, 1)->bytes, 700);
	netmap_stats_free(s);
}

static void
types_are_told_apart(void **state)
{
	struct netmap_stats *s;

	(void)state;
	records_pair(&rec, "new", 4711, 0, 0);
	records_pair(&rec, "p", PORT_VALE, 0, 0);
	s = good();
	assert_int_equal(netmap_stats_port(s, 1)->type, NETMAP_STATS_PARENT);
	assert_int_equal(netmap_stats_port(s, 0)->type, NETMAP_STATS_OTHER);
	netmap_stats_free(s);
}

static void
reasons_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < netmap_stats_reasons(); i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(netmap_stats_reason_name(i), netmap_stats_reason_name(j));
	assert_null(netmap_stats_reason_name(netmap_stats_reasons()));
}

static void
sizes_must_agree(void **state)
{
	(void)state;
	records_pair(&rec, "vale0:a", PORT_VALE, 1, 1);
	rec.reply.size--;
	bad();
	rec.reply.size += 2;
	bad();
	rec.reply.size--;
	rec.reply.ports = 2;
	bad();
	rec.reply.ports = 0;
	bad();
	rec.reply.ports = UINT32_MAX;
	bad();
	rec.reply.ports = 1;
	rec.reply.size = 0;
	bad();
	rec.reply.size = STATS_SIZE_MAX + 1;
	assert_int_equal(stats_snapshot(&rec.info, &rec.reply, rec.bytes, &(struct netmap_stats *){ NULL }), -EPROTO);
}

/* A port that takes the place of the next one for rings: more rings than there is memory for. */
static void
ring_numbers_are_bounded(void **state)
{
	struct proto_stats_port *p = records_port(&rec, "a", PORT_VALE, UINT32_MAX);

	(void)state;
	for (unsigned i = 0; i < 17; i++)
		records_port(&rec, "b", PORT_VALE, 0);
	bad();
	p->rings = 10;
	for (unsigned i = 0; i < 10; i++) {
		struct proto_stats_ring ring = { .dir = RING_TX, .id = i, .slots = 1024 };

		memcpy(rec.bytes + sizeof(*p) + i * sizeof(ring), &ring, sizeof(ring));
	}
	bad();
}

static void
texts_must_end(void **state)
{
	struct proto_stats_port *p = records_port(&rec, "a", PORT_VALE, 0);

	(void)state;
	memset(p->name, 'x', sizeof(p->name));
	bad();
	p->name[0] = '\0';
	bad();
	strcpy(p->name, "a");
	memset(p->mode, 'x', sizeof(p->mode));
	bad();
	p->mode[0] = '\0';
	memset(rec.info.version, 'x', sizeof(rec.info.version));
	bad();
	rec.info.version[0] = '\0';
	memset(rec.info.socket, 'x', sizeof(rec.info.socket));
	bad();
}

static void
ring_values_are_bounded(void **state)
{
	struct proto_stats_ring *w = records_pair(&rec, "a", PORT_VALE, 0, 0), saved = *w;

	(void)state;
	w->dir = 2;
	bad();
	*w = saved;
	w->id = RINGS_MAX;
	bad();
	*w = saved;
	w->slots = SLOTS_MAX + 1;
	bad();
	w->slots = 0;
	bad();
	*w = saved;
	w->used = w->slots;
	bad();
	*w = saved;
	w->lease_pid = -1;
	bad();
	*w = saved;
	netmap_stats_free(good());
}

/* Random changes: refused or not, nothing is read or written beyond. */
static void
garbage_is_survived(void **state)
{
	struct netmap_stats *s;

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		records_init(&rec);
		for (unsigned i = 0; i < 3; i++)
			records_pair(&rec, "vale0:a", PORT_VALE, 1, 2);
		for (unsigned i = 0; i < 4; i++)
			rec.bytes[(unsigned)rand() % rec.reply.size] = (uint8_t)(rand() % 3 == 0 ? 0 : rand());
		if (rand() % 4 == 0)
			rec.reply.size = (unsigned)rand() % (rec.reply.size + 1);
		if (rand() % 4 == 0)
			rec.reply.ports = (unsigned)rand() % 8;
		records_snapshot(&rec, &s);
		netmap_stats_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty_snapshot_tells_who_serves, init),
		cmocka_unit_test_setup(ports_and_rings_are_read, init),
		cmocka_unit_test_setup(interfaces_count_in_their_own_syncs, init),
		cmocka_unit_test_setup(types_are_told_apart, init),
		cmocka_unit_test(reasons_have_names),
		cmocka_unit_test_setup(sizes_must_agree, init),
		cmocka_unit_test_setup(ring_numbers_are_bounded, init),
		cmocka_unit_test_setup(texts_must_end, init),
		cmocka_unit_test_setup(ring_values_are_bounded, init),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
