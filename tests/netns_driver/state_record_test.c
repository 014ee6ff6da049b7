/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of state files, and what probing takes from tables: no privilege, no interface. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../drivers/probe.h"
#include "../../drivers/state_file.h"

#define HEAD	"netmap-state 1\nboot b-1\nnetns 4 4026531840\n"
#define IFACE	"interface 7 02:00:00:00:00:0a eth0\n"

static struct state_record parsed;

static void test_whole(void **state)
{
	assert_int_equal(state_record_parse(&parsed, HEAD IFACE "promisc\nfeature rx-gro\nfeature "
					    "rx-lro\nend\n"), 0);
	assert_string_equal(parsed.boot, "b-1");
	assert_int_equal(parsed.netns_dev, 4);
	assert_int_equal(parsed.netns_inode, 4026531840u);
	assert_int_equal(parsed.ifindex, 7);
	assert_memory_equal(parsed.mac, "\x02\0\0\0\0\x0a", 6);
	assert_string_equal(parsed.name, "eth0");
	assert_true(parsed.promisc);
	assert_int_equal(parsed.offloads.n, 2);
	assert_string_equal(parsed.offloads.name[1], "rx-lro");
}

static void test_there_and_back(void **state)
{
	char text[4096], again[4096];
	int len;

	assert_int_equal(state_record_parse(&parsed, HEAD IFACE "feature rx-gro\nend\n"), 0);
	len = state_record_format(&parsed, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_string_equal(text, HEAD IFACE "feature rx-gro\nend\n");
	for (int size = 0; size <= len; size++)
		assert_int_equal(state_record_format(&parsed, again, (size_t)size), -ENOSPC);
}

/* Any beginning of it, and any one byte of it changed, is no crash; cut anywhere it is no record. */
static void test_damaged(void **state)
{
	static const char whole[] = HEAD IFACE "promisc\nfeature rx-gro\nend\n";
	char text[sizeof(whole)];

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		memcpy(text, whole, len);
		text[len] = '\0';
		assert_int_equal(state_record_parse(&parsed, text), -EINVAL);
	}
	for (size_t at = 0; at < sizeof(whole) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(text, whole, sizeof(whole));
			text[at] = (char)byte;
			if (state_record_parse(&parsed, text) == 0)
				assert_int_equal(parsed.offloads.n, 1);
		}
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "netmap-state 2\n",
		HEAD "interface 0 02:00:00:00:00:0a eth0\nend\n",
		HEAD "interface -7 02:00:00:00:00:0a eth0\nend\n",
		HEAD "interface 4294967296 02:00:00:00:00:0a eth0\nend\n",
		HEAD "interface 7 2:0:0:0:0:a eth0\nend\n",
		HEAD "interface 7 02:00:00:00:00:0a an-interface-name\nend\n",
		HEAD IFACE "feature this-is-a-name-of-more-than-31-characters\nend\n",
		HEAD IFACE "feature \nend\n", HEAD IFACE "else\nend\n", HEAD IFACE "end\nmore",
		"netmap-state 1\nboot b-1\nnetns 4 99999999999999999999\n" IFACE "end\n",
	};
	char many[4096] = HEAD IFACE;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(state_record_parse(&parsed, bad[i]), -EINVAL);
	for (int i = 0; i <= OFFLOADS_MAX; i++)
		strcat(many, "feature x\n");
	strcat(many, "end\n");
	assert_int_equal(state_record_parse(&parsed, many), -EINVAL);
}

static void expect_table(const char *driver, uint32_t kernel, enum probe_answer native,
			 enum probe_answer zerocopy)
{
	struct probe_xdp x = { .sockets = true };

	probe_xdp_by_table(driver, kernel, &x);
	assert_int_equal(x.native, native);
	assert_int_equal(x.zerocopy, zerocopy);
	assert_int_equal(x.source, native == PROBE_UNKNOWN ? PROBE_FROM_NOTHING : PROBE_FROM_TABLE);
}

static void test_table(void **state)
{
	const uint32_t debian12 = PROBE_KERNEL(6, 1);

	expect_table("ice", debian12, PROBE_YES, PROBE_YES);
	expect_table("mlx5_core", debian12, PROBE_YES, PROBE_YES);
	expect_table("veth", debian12, PROBE_YES, PROBE_NO);
	expect_table("virtio_net", debian12, PROBE_YES, PROBE_NO);
	expect_table("virtio_net", PROBE_KERNEL(6, 11), PROBE_YES, PROBE_YES);
	expect_table("tsnep", debian12, PROBE_NO, PROBE_NO);
	expect_table("e1000", debian12, PROBE_UNKNOWN, PROBE_UNKNOWN);
	expect_table("", debian12, PROBE_UNKNOWN, PROBE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_there_and_back),
			cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
