/* SPDX-License-Identifier: BSD-2-Clause */
/* Listings: order, selection, rates, the text, the JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "listing.h"
#include "print.h"
#include "records.h"

static struct records rec;

static struct netmap_stats *
snapshot(void)
{
	struct netmap_stats *s;

	assert_int_equal(records_snapshot(&rec, &s), 0);
	return s;
}

/* What was printed; to be freed. */
static char *
printed(const struct listing *l, bool verbose)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	print_listing(f, l, verbose);
	fclose(f);
	return text;
}

static void
expect_lines(const struct listing *l, bool verbose, const char *expected)
{
	char *text = printed(l, verbose);

	assert_string_equal(text, expected);
	free(text);
}

static void
ports_are_sorted(void **state)
{
	static const char *const order[] = { "vale2:z", "vale10:b", "vale10:a", "a", "a{1", "eth0", "eth1", "odd" };
	struct netmap_stats *s;
	struct listing l;

	(void)state;
	records_init(&rec);
	records_port(&rec, "a", PORT_VALE, 0);
	records_port(&rec, "odd", 99, 0);
	records_port(&rec, "eth1", PORT_NIC, 0);
	records_port(&rec, "vale10:a", PORT_VALE, 0)->switch_port = 1;
	records_port(&rec, "a{1", PORT_PIPE, 0);
	records_port(&rec, "eth0", PORT_NIC, 0);
	records_port(&rec, "vale2:z", PORT_VALE, 0);
	records_port(&rec, "vale10:b", PORT_VALE, 0);
	s = snapshot();
	assert_int_equal(listing_make(&l, s, NULL, NULL), 0);
	assert_int_equal(l.n, 8);
	for (unsigned i = 0; i < l.n; i++)
		assert_string_equal(l.ports[i].p->name, order[i]);
	assert_int_equal(listing_switch_ports(&l, 0), 1);
	assert_int_equal(listing_switch_ports(&l, 1), 2);
	assert_int_equal(listing_switch_ports(&l, 3), 0);
	listing_free(&l);
	netmap_stats_free(s);
}

static void
selection_takes_a_port_or_a_switch(void **state)
{
	static const struct {
		const char *only;
		unsigned n;
	} cases[] = {
		{ "vale0", 2 }, { "vale0:", 2 }, { "vale0:a", 1 }, { "vale", 0 }, { "vale0:c", 0 }, { "eth0", 1 },
		{ "eth", 0 }, { "", 0 }, { "p{1", 1 },
	};
	struct netmap_stats *s;
	struct listing l;

	(void)state;
	records_init(&rec);
	records_port(&rec, "vale0:a", PORT_VALE, 0);
	records_port(&rec, "vale0:b", PORT_VALE, 0);
	records_port(&rec, "vale01:b", PORT_VALE, 0);
	records_port(&rec, "eth0", PORT_NIC, 0);
	records_port(&rec, "p{1", PORT_PIPE, 0);
	s = snapshot();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(listing_make(&l, s, NULL, cases[i].only), 0);
		assert_int_equal(l.n, cases[i].n);
		listing_free(&l);
	}
	netmap_stats_free(s);
}

/* Two snapshots half a second apart: one port went on, one is new, one was closed and opened again. */
static void
two_snapshots(struct netmap_stats **before, struct netmap_stats **now)
{
	records_init(&rec);
	records_pair(&rec, "vale0:b", PORT_VALE, 5000, 5000);
	records_pair(&rec, "vale0:a", PORT_VALE, 100, 200);
	*before = snapshot();
	records_init(&rec);
	rec.reply.when_ns += 500000000;
	records_pair(&rec, "vale0:a", PORT_VALE, 1000100, 200);
	records_pair(&rec, "vale0:b", PORT_VALE, 1, 1);
	records_pair(&rec, "vale0:c", PORT_VALE, 7, 7);
	*now = snapshot();
}

static void
rates_need_the_same_port_before(void **state)
{
	struct netmap_stats *before, *now;
	struct listing l;

	(void)state;
	two_snapshots(&before, &now);
	assert_int_equal(listing_make(&l, now, before, NULL), 0);
	assert_int_equal(l.n, 3);
	assert_true(l.interval_s == 0.5);
	assert_true(l.ports[0].tx.rated && l.ports[0].tx.pps == 2000000 && l.ports[0].tx.bps == 960000000);
	assert_true(l.ports[0].rx.rated && l.ports[0].rx.pps == 0);
	assert_false(l.ports[1].tx.rated);
	assert_false(l.ports[2].tx.rated);
	listing_free(&l);
	/* The instance ended and another came: nothing goes on. */
	rec.info.generation++;
	netmap_stats_free(now);
	now = snapshot();
	assert_int_equal(listing_make(&l, now, before, NULL), 0);
	assert_false(l.ports[0].tx.rated);
	listing_free(&l);
	netmap_stats_free(before);
	netmap_stats_free(now);
}

static void
text_is_a_table(void **state)
{
	struct proto_stats_ring *w;
	struct netmap_stats *s;
	struct listing l;

	(void)state;
	records_init(&rec);
	w = records_pair(&rec, "vale0:a", PORT_VALE, 1234567, 10);
	w[1].in.drops[DROP_NO_ROOM] = 5;
	w[1].own.drops[DROP_BAD_SLOT] = 2;
	w[1].own.bad_rings = 1;
	w[1].lease_age_s = 4;
	w[1].lease_pid = 99;
	records_pair(&rec, "p\x1b[1m{1", PORT_PIPE, 0, 0)[1].own.packets = 9;
	s = snapshot();
	assert_int_equal(listing_make(&l, s, NULL, NULL), 0);
	expect_lines(&l, false,
		"netmapd 1.2.3, pid 77, uid 1000, at /tmp/x.sock: 3 descriptors open\n"
		"vale0: 1 port\n"
		"PORT     TYPE  NO  MEM  USERS  TX PACKETS  TX BYTES  RX PACKETS  RX BYTES  DROPPED\n"
		"vale0:a  vale   0    2      1     1234567  74074020          10       600        7\n"
		"    rx ring 0: 7 dropped (no-room 5, bad-slot 2)\n"
		"    rx ring 0: head or cur was invalid 1 time: the ring was restored\n"
		"    rx ring 0: held up for 4 s by process 99, which reserved room and does not go on\n"
		"p?[1m{1  pipe   -    2      1           0         0           9         -        0\n");
	listing_free(&l);
	assert_int_equal(listing_make(&l, s, NULL, "none"), 0);
	expect_lines(&l, false, "netmapd 1.2.3, pid 77, uid 1000, at /tmp/x.sock: 3 descriptors open\nno ports\n");
	listing_free(&l);
	netmap_stats_free(s);
}

static void
text_shows_rates_and_details(void **state)
{
	struct netmap_stats *before, *now;
	struct listing l;

	(void)state;
	two_snapshots(&before, &now);
	assert_int_equal(listing_make(&l, now, before, "vale0"), 0);
	expect_lines(&l, false,
		"netmapd 1.2.3, pid 77, uid 1000, at /tmp/x.sock: 3 descriptors open\n"
		"vale0: 3 ports\n"
		"PORT     TYPE  NO  MEM  USERS  TX PACKETS   TX PPS     TX BPS  RX PACKETS  RX PPS  RX BPS  DROPPED\n"
		"vale0:a  vale   0    2      1     1000100  2.000 M  960.000 M         200       0       0        0\n"
		"vale0:b  vale   0    2      1           1        -          -           1       -       -        0\n"
		"vale0:c  vale   0    2      1           7        -          -           7       -       -        0\n");
	listing_free(&l);
	assert_int_equal(listing_make(&l, now, before, "vale0:a"), 0);
	expect_lines(&l, true,
		"netmapd 1.2.3, pid 77, uid 1000, at /tmp/x.sock: 3 descriptors open\n"
		"vale0: 1 port\n"
		"PORT     TYPE  NO  MEM  USERS  TX PACKETS   TX PPS     TX BPS  RX PACKETS  RX PPS  RX BPS  DROPPED\n"
		"vale0:a  vale   0    2      1     1000100  2.000 M  960.000 M         200       0       0        0\n"
		"    learning, region 2 of 4096 bytes\n"
		"    tx ring 0: 1024 slots, 1 in use, 1 user, 0 syncs, 1000100 packets, 60006000 bytes, 2.000 Mpps, 960.000 Mbps\n"
		"    rx ring 0: 1024 slots, 1 in use, 1 user, 0 syncs, 200 packets, 12000 bytes, 0 pps, 0 bps\n");
	listing_free(&l);
	netmap_stats_free(before);
	netmap_stats_free(now);
}

/* Of "a.b.0.c": the value there. */
static json_t *
value_at(json_t *root, const char *path)
{
	char copy[128], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key; (key = strsep(&rest, ".")) != NULL;)
		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(key)) : json_object_get(root, key);
	assert_non_null(root);
	return root;
}

static void
json_has_its_keys(void **state)
{
	struct netmap_stats *before, *now;
	struct proto_stats_ring *w;
	struct listing l;
	json_t *root;

	(void)state;
	two_snapshots(&before, &now);
	netmap_stats_free(now);
	w = records_pair(&rec, "bad\xff{1", PORT_PIPE, UINT64_MAX, 0);
	w[1].own.packets = 5;
	w[1].own.drops[DROP_NO_ROOM] = 3;
	w[1].lease_age_s = 2;
	w[1].lease_pid = 8;
	now = snapshot();
	assert_int_equal(listing_make(&l, now, before, NULL), 0);
	root = json_listing(&l);
	assert_non_null(root);
	assert_int_equal(json_integer_value(value_at(root, "instance.pid")), 77);
	assert_string_equal(json_string_value(value_at(root, "instance.socket")), "/tmp/x.sock");
	assert_int_equal(json_integer_value(value_at(root, "time_ns")), 1500000000);
	assert_true(json_real_value(value_at(root, "interval_s")) == 0.5);
	assert_string_equal(json_string_value(value_at(root, "switches.0.name")), "vale0");
	assert_int_equal(json_integer_value(value_at(root, "switches.0.ports")), 3);
	assert_true(json_real_value(value_at(root, "ports.0.tx.packets_per_s")) == 2000000);
	assert_true(json_is_null(value_at(root, "ports.1.tx.packets_per_s")));
	assert_string_equal(json_string_value(value_at(root, "ports.0.switch")), "vale0");
	assert_string_equal(json_string_value(value_at(root, "ports.3.name")), "bad?{1");
	assert_true(json_is_null(value_at(root, "ports.3.switch")));
	assert_true(json_integer_value(value_at(root, "ports.3.tx.packets")) == INT64_MAX);
	assert_int_equal(json_integer_value(value_at(root, "ports.3.rx.packets")), 5);
	assert_true(json_is_null(value_at(root, "ports.3.rx.bytes")));
	assert_int_equal(json_integer_value(value_at(root, "ports.3.rings.1.drops.no-room")), 3);
	assert_int_equal(json_integer_value(value_at(root, "ports.3.rings.1.held.pid")), 8);
	assert_true(json_is_null(value_at(root, "ports.0.rings.0.held")));
	assert_string_equal(json_string_value(value_at(root, "ports.0.rings.1.dir")), "rx");
	json_decref(root);
	listing_free(&l);
	netmap_stats_free(before);
	netmap_stats_free(now);
}

static void
json_without_an_instance_has_the_same_keys(void **state)
{
	struct netmap_stats *s;
	struct listing l;
	json_t *empty = json_listing_empty(), *full, *value;
	const char *key;

	(void)state;
	records_init(&rec);
	s = snapshot();
	assert_int_equal(listing_make(&l, s, NULL, NULL), 0);
	full = json_listing(&l);
	assert_non_null(empty);
	assert_int_equal(json_object_size(empty), json_object_size(full));
	json_object_foreach(full, key, value)
		assert_non_null(json_object_get(empty, key));
	json_decref(empty);
	json_decref(full);
	listing_free(&l);
	netmap_stats_free(s);
}

static void
json_tells_of_a_port(void **state)
{
	struct port_info info = { .port = { .nr_tx_rings = 2, .nr_rx_slots = 512, .nr_mem_id = 3 } };
	json_t *root = json_info("vale0:a", &info);

	(void)state;
	assert_int_equal(json_integer_value(value_at(root, "tx_rings")), 2);
	assert_int_equal(json_integer_value(value_at(root, "rx_slots")), 512);
	assert_true(json_is_null(value_at(root, "pools")));
	json_decref(root);
	info.has_pools = true;
	info.pools.nr_buf_pool_objsize = 2048;
	root = json_info("vale0:a", &info);
	assert_int_equal(json_integer_value(value_at(root, "pools.buf.object_size")), 2048);
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_sorted),
		cmocka_unit_test(selection_takes_a_port_or_a_switch),
		cmocka_unit_test(rates_need_the_same_port_before),
		cmocka_unit_test(text_is_a_table),
		cmocka_unit_test(text_shows_rates_and_details),
		cmocka_unit_test(json_has_its_keys),
		cmocka_unit_test(json_without_an_instance_has_the_same_keys),
		cmocka_unit_test(json_tells_of_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
