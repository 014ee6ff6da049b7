/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: every one is checked as a receiver would check it, with checksums computed from scratch. */
#include <stdlib.h>

#include "frame.h"
#include "unit.h"

static void options_set(struct options *o, int family, unsigned min, unsigned max, const char *src,
			const char *dst)
{
	memset(o, 0, sizeof(*o));
	o->family = family;
	o->len_min = min;
	o->len_max = max;
	assert_int_equal(ip_range_parse(&o->src, family, 1234, src), 0);
	assert_int_equal(ip_range_parse(&o->dst, family, 1234, dst), 0);
	assert_int_equal(mac_range_parse(&o->src_mac, "02:00:00:00:00:01"), 0);
	assert_int_equal(mac_range_parse(&o->dst_mac, "02:00:00:00:00:02"), 0);
}

/* Lengths and checksums of a UDP frame. */
static void frame_check(const uint8_t *eth, unsigned len, int family)
{
	const uint8_t *ip = eth + 14, *udp = ip + (family == 4 ? 20 : 40);
	unsigned udp_len = len - (unsigned)(udp - eth);
	uint32_t sum;

	if (family == 4) {
		assert_int_equal(be16_load(ip + 2), len - 14);
		assert_int_equal(checksum_finish(checksum_add(ip, 20, 0)), 0);
		sum = checksum_add(ip + 12, 8, IP_PROTO_UDP + udp_len);
	} else {
		assert_int_equal(be16_load(ip + 4), udp_len);
		sum = checksum_add(ip + 8, 32, IP_PROTO_UDP + udp_len);
	}
	assert_int_equal(be16_load(udp + 4), udp_len);
	assert_int_not_equal(be16_load(udp + 6), 0);
	assert_int_equal(checksum_finish(checksum_add(udp, udp_len, sum)), 0);
}

static void checksum_is_the_known_one(void **state)
{
	/* A header from RFC 1071's family of examples: 0001 f203 f4f5 f6f7 sums to ddf2. */
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(checksum_finish(checksum_add(bytes, 8, 0)), 0xffff ^ 0xddf2);
	assert_int_equal(checksum_add("\x12\x34\x56", 3, 0), 0x1234 + 0x5600);
	assert_int_equal(checksum_finish(0xffffffff), 0);
}

static void generate(int family, unsigned min, unsigned max, const char *src, const char *dst, unsigned stamp,
		     uint32_t bits)
{
	struct options o;
	struct frame_gen g;

	options_set(&o, family, min, max, src, dst);
	o.bits = bits;
	for (unsigned vnet = 0; vnet <= 12; vnet += 12) {
		assert_int_equal(frame_gen_init(&g, &o, vnet, stamp, NULL, 1), 0);
		for (unsigned i = 0; i < 300; i++) {
			frame_gen_next(&g);
			assert_in_range(g.len, min + vnet, max + vnet);
			frame_check(g.data + vnet, g.len - vnet, family);
		}
		frame_gen_fini(&g);
	}
}

static void all_kinds_are_right(void **state)
{
	static const unsigned sizes[] = { 62, 63, 64, 65, 1514, 65536 };

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned stamp = 0; stamp <= 12; stamp += 4) {
			if (stamp == 8)
				continue;
			generate(4, sizes[i], sizes[i], "10.0.0.1", "10.1.0.1", stamp, 0);
			generate(6, sizes[i], sizes[i], "fd00::1", "fd00:1::1", stamp, 0);
			generate(4, 42, sizes[i], "10.0.0.1:1-10.0.0.9:9", "255.255.255.0-255.255.255.255",
				 stamp, 0);
			generate(6, 62, sizes[i], "fd00::1-fd00::ffff:ffff", "[fd00::1]:1-[fd00::1]:65535",
				 stamp, 0);
			generate(4, 42, sizes[i], "10.0.0.1", "10.1.0.1", stamp,
				 OPT_RANDOM_SRC | OPT_RANDOM_DST);
			generate(6, 62, sizes[i], "fd00::1", "fd00:1::1", stamp,
				 OPT_RANDOM_SRC | OPT_RANDOM_DST);
		}
	}
}

static void constant_frames_are_known_as_such(void **state)
{
	struct options o;
	struct frame_gen g;

	(void)state;
	options_set(&o, 4, 60, 60, "10.0.0.1", "10.1.0.1");
	assert_int_equal(frame_gen_init(&g, &o, 0, 0, NULL, 1), 0);
	assert_true(g.constant);
	assert_int_equal(g.len, 60);
	frame_check(g.data, g.len, 4);
	assert_memory_equal(g.data, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	frame_gen_fini(&g);
	options_set(&o, 4, 60, 61, "10.0.0.1", "10.1.0.1");
	assert_int_equal(frame_gen_init(&g, &o, 0, 0, NULL, 1), 0);
	assert_false(g.constant);
	frame_gen_fini(&g);
}

static void short_frames_are_cut(void **state)
{
	struct options o;
	struct frame_gen g;

	(void)state;
	for (unsigned len = FRAME_LEN_MIN; len < 62; len++) {
		options_set(&o, 6, len, len, "fd00::1", "fd00:1::1");
		assert_int_equal(frame_gen_init(&g, &o, 12, 0, NULL, 1), 0);
		frame_gen_next(&g);
		assert_int_equal(g.len, len + 12);
		frame_gen_fini(&g);
	}
}

static void destination_moves_when_sources_are_through(void **state)
{
	struct options o;
	struct frame_gen g;

	(void)state;
	options_set(&o, 4, 60, 60, "10.0.0.1-10.0.0.2", "10.1.0.1-10.1.0.3");
	assert_int_equal(frame_gen_init(&g, &o, 0, 0, NULL, 1), 0);
	for (unsigned i = 0; i < 12; i++) {
		frame_gen_next(&g);
		assert_int_equal(be32_load(g.data + 26), 0x0a000001 + i % 2);
		assert_int_equal(be32_load(g.data + 30), 0x0a010001 + i / 2 % 3);
	}
	frame_gen_fini(&g);
}

static void sequence_stands_in_the_payload(void **state)
{
	struct options o;
	struct frame_gen g;

	(void)state;
	options_set(&o, 4, 60, 60, "10.0.0.1", "10.1.0.1");
	assert_int_equal(frame_gen_init(&g, &o, 0, STAMP_SEQUENCE_LEN, NULL, 1), 0);
	for (unsigned i = 0; i < 5; i++) {
		frame_gen_next(&g);
		assert_int_equal(frame_udp_payload(g.data, g.len), 42);
		assert_int_equal(be32_load(g.data + 42), i);
	}
	frame_gen_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_the_known_one),
		cmocka_unit_test(all_kinds_are_right),
		cmocka_unit_test(constant_frames_are_known_as_such),
		cmocka_unit_test(short_frames_are_cut),
		cmocka_unit_test(destination_moves_when_sources_are_through),
		cmocka_unit_test(sequence_stands_in_the_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
