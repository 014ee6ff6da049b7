/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of addresses: what is read, what is refused, in which order they are walked through. */
#include "addresses.h"
#include "unit.h"

static void ip4_is_read(void **state)
{
	struct ip_range r;

	(void)state;
	assert_int_equal(ip_range_parse(&r, 4, 1234, "10.0.0.1"), 0);
	assert_true(r.first == 0x0a000001 && r.last == r.first && ip_range_is_single(&r));
	assert_int_equal(r.port_first, 1234);
	assert_int_equal(ip_range_parse(&r, 4, 1234, "10.0.0.1:80-10.0.0.3:81"), 0);
	assert_true(r.first == 0x0a000001 && r.last == 0x0a000003);
	assert_int_equal(r.port_first, 80);
	assert_int_equal(r.port_last, 81);
	assert_int_equal(ip_range_parse(&r, 4, 7, "10.0.0.1:80-10.0.0.3"), 0);
	assert_int_equal(r.port_last, 80);
}

static void ip6_is_read(void **state)
{
	struct ip_range r;

	(void)state;
	assert_int_equal(ip_range_parse(&r, 6, 1234, "fd00::1"), 0);
	assert_true(r.first == ((unsigned __int128)0xfd00 << 112) + 1);
	assert_int_equal(ip_range_parse(&r, 6, 1234, "[fd00::1]:5-[fd00::ff]:6"), 0);
	assert_true(r.last - r.first == 0xfe);
	assert_int_equal(r.port_first, 5);
	assert_int_equal(r.port_last, 6);
	assert_int_equal(ip_range_parse(&r, 6, 9, "fd00::1-fd00::2"), 0);
	assert_int_equal(r.port_first, 9);
}

static void bad_ip_is_refused(void **state)
{
	static const char *const bad4[] = {
		"",
		"10.0.0",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0.1:80-",
		"10.0.0.2-10.0.0.1",
		"10.0.0.1:9-10.0.0.1:8",
		"fd00::1",
		"10.0.0.1:8x",
		"10.0.0.1 ",
		"300.0.0.1",
	};
	static const char *const bad6[] = {
		"", "10.0.0.1", "[fd00::1", "[fd00::1]x", "[fd00::1]:", "fd00::2-fd00::1",
	};
	struct ip_range r;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad4) / sizeof(bad4[0]); i++)
		assert_int_not_equal(ip_range_parse(&r, 4, 1, bad4[i]), 0);
	for (unsigned i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++)
		assert_int_not_equal(ip_range_parse(&r, 6, 1, bad6[i]), 0);
}

static void port_moves_first(void **state)
{
	static const struct { uint32_t addr; uint16_t port; } expected[] = {
		{ 0x0a000001, 8 }, { 0x0a000001, 9 }, { 0x0a000002, 8 }, { 0x0a000002, 9 }, { 0x0a000001, 8 },
	};
	struct ip_range r;

	(void)state;
	assert_int_equal(ip_range_parse(&r, 4, 1, "10.0.0.1:8-10.0.0.2:9"), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(r.now == expected[i].addr);
		assert_int_equal(r.port_now, expected[i].port);
		assert_int_equal(ip_range_advance(&r), i == 3);
	}
}

static void random_stays_inside(void **state)
{
	uint64_t seed = 1;
	struct ip_range r;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(ip_range_parse(&r, 4, 1, "10.0.0.1:8-10.0.0.4:9"), 0);
	for (unsigned i = 0; i < 1000; i++) {
		ip_range_shuffle(&r, &seed);
		assert_true(r.now >= r.first && r.now <= r.last);
		assert_true(r.port_now >= 8 && r.port_now <= 9);
		seen |= 1U << (2 * (unsigned)(r.now - r.first) + r.port_now - 8);
	}
	assert_int_equal(seen, 0xff);
}

static void mac_is_read(void **state)
{
	struct mac_range r;
	char buf[64];

	(void)state;
	assert_int_equal(mac_range_parse(&r, "02:00:00:00:00:fE-2:0:0:0:1:0"), 0);
	assert_true(r.first == 0x0200000000feULL && r.last == 0x020000000100ULL);
	assert_false(mac_range_advance(&r));
	assert_false(mac_range_advance(&r));
	assert_true(mac_range_advance(&r));
	assert_true(r.now == r.first);
	assert_string_equal(mac_range_format(&r, buf, sizeof(buf)), "02:00:00:00:00:fe-02:00:00:00:01:00");
	assert_int_not_equal(mac_range_parse(&r, ""), 0);
	assert_int_not_equal(mac_range_parse(&r, "02:00:00:00:00"), 0);
	assert_int_not_equal(mac_range_parse(&r, "02:00:00:00:00:00:00"), 0);
	assert_int_not_equal(mac_range_parse(&r, "02:00:00:00:00:001"), 0);
	assert_int_not_equal(mac_range_parse(&r, "02:00:00:00:00: 1"), 0);
	assert_int_not_equal(mac_range_parse(&r, "02:00:00:00:00:02-02:00:00:00:00:01"), 0);
}

static void bytes_stand_in_order(void **state)
{
	uint8_t mac[MAC_LEN], ip[16];

	(void)state;
	mac_store(mac, 0x010203040506ULL);
	assert_memory_equal(mac, "\1\2\3\4\5\6", 6);
	ip_address_store(ip, 4, 0x0a010203);
	assert_memory_equal(ip, "\x0a\1\2\3", 4);
	ip_address_store(ip, 6, ((unsigned __int128)0xfd00 << 112) + 0x1234);
	assert_memory_equal(ip, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x34", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_is_read),		cmocka_unit_test(ip6_is_read),
		cmocka_unit_test(bad_ip_is_refused),	cmocka_unit_test(port_moves_first),
		cmocka_unit_test(random_stays_inside),	cmocka_unit_test(mac_is_read),
		cmocka_unit_test(bytes_stand_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
