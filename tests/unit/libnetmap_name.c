/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port names: subsystem, vpname, mode, flags and memory id, and what a failed parse reports and leaves alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "libnetmap_fake.h"

#define BAD		(-1)

struct name_case {
	const char	*spec;
	const char	*name;		/* NULL: the header is invalid */
	const char	*suffix;	/* what is left after the header */
};

static const struct name_case name_cases[] = {
	{ "netmap:eth0", "eth0", "" },
	{ "netmap:eth0.5", "eth0.5", "" },
	{ "netmap:eth0-1", "eth0", "-1" },
	{ "netmap:eth0-", "eth0", "-" },
	{ "netmap:eth0*", "eth0", "*" },
	{ "netmap:eth0^3/x", "eth0", "^3/x" },
	{ "netmap:eth0@2/R", "eth0", "@2/R" },
	{ "netmap:eth0/R@xxx", "eth0", "/R@xxx" },
	{ "netmap:eth0&", "eth0&", "" },
	{ "netmap:eth0+", "eth0+", "" },
	{ "netmap:vale0:0", "vale0:0", "" },
	{ "netmap:pipe{1", "pipe{1", "" },
	{ "netmap:pipe}in_2*", "pipe}in_2", "*" },
	{ "netmap:pipe{in-7", "pipe{in", "-7" },
	{ "vale:x", "vale:x", "" },
	{ "vale0:x", "vale0:x", "" },
	{ "valeXXX:YYY", "valeXXX:YYY", "" },
	{ "valeXXX:YYY-4", "valeXXX:YYY", "-4" },
	{ "vale_1:x{a-4", "vale_1:x{a", "-4" },
	{ "netmap:012345678901234567890123456789012345678901234567890123456789012",
		"012345678901234567890123456789012345678901234567890123456789012", "" },
	{ "vale0:6789012345678901234567890123456789012345678901234567890123456-2",
		NULL, NULL },
	{ "netmap:0123456789012345678901234567890123456789012345678901234567890123", NULL, NULL },
	{ "", NULL, NULL },
	{ "eth0", NULL, NULL },
	{ "netmap", NULL, NULL },
	{ "netmap:", NULL, NULL },
	{ "netmap:^", NULL, NULL },
	{ "netmap:-1", NULL, NULL },
	{ "netmap:@2", NULL, NULL },
	{ "netmap:{", NULL, NULL },
	{ "netmap:{1", NULL, NULL },
	{ "netmap:pipe{", NULL, NULL },
	{ "netmap:pipe{1}2", NULL, NULL },
	{ "netmap:pipe{1.2", NULL, NULL },
	{ "netmapXXX:eth0", NULL, NULL },
	{ "vale", NULL, NULL },
	{ "vale0", NULL, NULL },
	{ "vale0:", NULL, NULL },
	{ "vale-0:x", NULL, NULL },
	{ "value0:x", NULL, NULL },
};

static void
test_header(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(name_cases) / sizeof(name_cases[0]); i++) {
		const struct name_case *c = &name_cases[i];
		struct nmreq_header h, before;
		const char *p = c->spec;

		print_message("%s\n", c->spec);
		memset(&h, 0x5a, sizeof(h));
		before = h;
		if (c->name != NULL) {
			assert_int_equal(nmreq_header_decode(&p, &h, &fake_ctx), 0);
			assert_string_equal(h.nr_name, c->name);
			assert_string_equal(p, c->suffix);
			memcpy(h.nr_name, before.nr_name, sizeof(h.nr_name));
		} else {
			errno = 0;
			fake.n_errors = 0;
			assert_int_equal(nmreq_header_decode(&p, &h, &fake_ctx), -1);
			assert_int_equal(errno, EINVAL);
			assert_int_equal(fake.n_errors, 1);
			assert_ptr_equal(p, c->spec);
		}
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

/* The longest existing interface wins over a ring number. */
static void
test_interface_with_dash(void **state)
{
	static const struct {
		const char *interfaces, *spec, *name, *suffix;
	} cases[] = {
		{ "my-eth-2 my-eth my", "netmap:my-eth-2", "my-eth-2", "" },
		{ "my-eth my", "netmap:my-eth-2", "my-eth", "-2" },
		{ "my", "netmap:my-eth-2", "my", "-eth-2" },
		{ "", "netmap:my-eth-2", "my", "-eth-2" },
		{ "my-eth-2", "netmap:my-eth-2-3/R", "my-eth-2", "-3/R" },
		{ "my-eth", "netmap:my-eth^", "my-eth", "^" },
		{ "my-eth", "netmap:my-eth*/x", "my-eth", "*/x" },
		{ "my-eth", "netmap:my-eth@2", "my-eth", "@2" },
		{ "my-eth", "netmap:my-eth{in-7", "my-eth{in", "-7" },
		{ "my-", "netmap:my-", "my-", "" },
		{ "my-", "netmap:my--1", "my-", "-1" },
		{ "", "netmap:my-{1", "my", "-{1" },
		/* the id of a pipe is not an interface, nor is a port of a switch */
		{ "in-7 pipe{in-7", "netmap:pipe{in-7", "pipe{in", "-7" },
		{ "my-eth", "vale0:my-eth", "vale0:my", "-eth" },
		/* longer than an interface can be called */
		{ "a-b", "netmap:a-b-234567890123456", "a-b", "-234567890123456" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nmreq_header h = { 0 };
		const char *p = cases[i].spec;

		print_message("%s, interfaces: %s\n", cases[i].spec, cases[i].interfaces);
		fake.interfaces = cases[i].interfaces;
		errno = 0;
		assert_int_equal(nmreq_header_decode(&p, &h, &fake_ctx), 0);
		assert_int_equal(errno, 0);
		assert_string_equal(h.nr_name, cases[i].name);
		assert_string_equal(p, cases[i].suffix);
	}
}

struct mode_case {
	const char	*text;
	int		mode;		/* BAD: invalid */
	uint16_t	ringid;
	uint64_t	flags;
	uint16_t	mem_id;
	const char	*suffix;
	uint16_t	mem_id_before;
};

static const struct mode_case mode_cases[] = {
	{ "", NR_REG_ALL_NIC, 0, 0, 0, "", 0 },
	{ "*", NR_REG_NIC_SW, 0, 0, 0, "", 0 },
	{ "^", NR_REG_SW, 0, 0, 0, "", 0 },
	{ "^0", NR_REG_ONE_SW, 0, 0, 0, "", 0 },
	{ "^3", NR_REG_ONE_SW, 3, 0, 0, "", 0 },
	{ "-0", NR_REG_ONE_NIC, 0, 0, 0, "", 0 },
	{ "-1", NR_REG_ONE_NIC, 1, 0, 0, "", 0 },
	{ "-4094", NR_REG_ONE_NIC, 4094, 0, 0, "", 0 },
	{ "-2/Tx", NR_REG_ONE_NIC, 2, NR_TX_RINGS_ONLY | NR_EXCLUSIVE, 0, "", 0 },
	{ "/xztrRT", NR_REG_ALL_NIC, 0, NR_EXCLUSIVE | NR_ZCOPY_MON | NR_MONITOR_TX | NR_MONITOR_RX |
		NR_RX_RINGS_ONLY | NR_TX_RINGS_ONLY, 0, "", 0 },
	{ "/RRR", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 0, "", 0 },
	{ "^/x", NR_REG_SW, 0, NR_EXCLUSIVE, 0, "", 0 },
	{ "@2", NR_REG_ALL_NIC, 0, 0, 2, "", 0 },
	{ "@65535", NR_REG_ALL_NIC, 0, 0, 65535, "", 0 },
	{ "@2/R", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 2, "", 0 },
	{ "/R@2", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 2, "", 0 },
	{ "@2/R@2", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 2, "", 0 },
	{ "@2", NR_REG_ALL_NIC, 0, 0, 2, "", 2 },
	{ "", NR_REG_ALL_NIC, 0, 0, 7, "", 7 },
	{ "@netmap:lo/R", NR_REG_ALL_NIC, 0, 0, 0, "@netmap:lo/R", 0 },
	{ "/R@xxx", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 0, "@xxx", 0 },
	{ "-3@2/T@conf=4", NR_REG_ONE_NIC, 3, NR_TX_RINGS_ONLY, 2, "@conf=4", 0 },
	{ "-", BAD, 0, 0, 0, NULL, 0 },
	{ "-x", BAD, 0, 0, 0, NULL, 0 },
	{ "--1", BAD, 0, 0, 0, NULL, 0 },
	{ "-+1", BAD, 0, 0, 0, NULL, 0 },
	{ "- 1", BAD, 0, 0, 0, NULL, 0 },
	{ "-4095", BAD, 0, 0, 0, NULL, 0 },
	{ "-99999999999999999999999999", BAD, 0, 0, 0, NULL, 0 },
	{ "^4095", BAD, 0, 0, 0, NULL, 0 },
	{ "^x", BAD, 0, 0, 0, NULL, 0 },
	{ "*1", BAD, 0, 0, 0, NULL, 0 },
	{ "-1x", BAD, 0, 0, 0, NULL, 0 },
	{ "+", BAD, 0, 0, 0, NULL, 0 },
	{ "/", BAD, 0, 0, 0, NULL, 0 },
	{ "/q", BAD, 0, 0, 0, NULL, 0 },
	{ "/xq", BAD, 0, 0, 0, NULL, 0 },
	{ "@", BAD, 0, 0, 0, NULL, 0 },
	{ "/R@", BAD, 0, 0, 0, NULL, 0 },
	{ "@0", BAD, 0, 0, 0, NULL, 0 },
	{ "@65536", BAD, 0, 0, 0, NULL, 0 },
	{ "@2x", BAD, 0, 0, 0, NULL, 0 },
	{ "@2/R@3", BAD, 0, 0, 0, NULL, 0 },
	{ "@2@3", BAD, 0, 0, 0, NULL, 0 },
	{ "@3", BAD, 0, 0, 0, NULL, 2 },
};

static void
test_register(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mode_cases) / sizeof(mode_cases[0]); i++) {
		const struct mode_case *c = &mode_cases[i];
		struct nmreq_register reg, before;
		const char *p = c->text;

		print_message("%s\n", c->text);
		memset(&reg, 0x5a, sizeof(reg));
		reg.nr_mem_id = c->mem_id_before;
		before = reg;
		if (c->mode == BAD) {
			errno = 0;
			fake.n_errors = 0;
			assert_int_equal(nmreq_register_decode(&p, &reg, &fake_ctx), -1);
			assert_int_equal(errno, EINVAL);
			assert_int_equal(fake.n_errors, 1);
			assert_ptr_equal(p, c->text);
			assert_memory_equal(&reg, &before, sizeof(reg));
			continue;
		}
		assert_int_equal(nmreq_register_decode(&p, &reg, &fake_ctx), 0);
		assert_int_equal(reg.nr_mode, c->mode);
		assert_int_equal(reg.nr_ringid, c->ringid);
		assert_int_equal(reg.nr_flags, c->flags);
		assert_int_equal(reg.nr_mem_id, c->mem_id);
		assert_string_equal(p, c->suffix);
		assert_int_equal(reg.nr_tx_slots, before.nr_tx_slots);
		assert_int_equal(reg.nr_extra_bufs, before.nr_extra_bufs);
	}
}

/* A message quotes the name, and tells where the parse failed and what was expected there. */
static void
test_messages(void **state)
{
	static const struct {
		const char *spec, *column, *at, *expected;
	} cases[] = {
		{ "eth0", "column 1,", "at \"eth0\"", "'netmap:'" },
		{ "netmapX:eth0", "column 7,", "at \"X:eth0\"", "':'" },
		{ "vale-1:x", "column 5,", "at \"-1:x\"", "':'" },
		{ "netmap:", "column 8,", "at the end", "name of a port" },
		{ "netmap:pipe{1}2", "column 14,", "at \"}2\"", "pipe id" },
		{ "netmap:eth0-", "column 13,", "at the end", "ring number" },
		{ "netmap:eth0-4095", "column 13,", "at \"4095\"", "at most 4094" },
		{ "netmap:eth0-1/xq@3", "column 16,", "at \"q@3\"", "xztrRT" },
		{ "netmap:eth0@2/R@3", "column 17,", "at \"3\"", "is 2 already" },
		{ "netmap:eth0@2@cnf=4", "column 15,", "at \"cnf=4\"", "share, conf, extmem, offset" },
		{ "netmap:eth0@conf:rings=4,slot=3", "column 26,", "at \"slot=3\"", "no such key" },
		{ "netmap:eth0@conf:rings=x,slots=3", "column 24,", "at \"x,slots=3\"", "a number" },
		{ "netmap:eth0@conf:rings=1,rings=3", "column 26,", "at \"rings=3\"", "twice" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(nmport_prepare(cases[i].spec));
		assert_int_equal(errno, EINVAL);
		print_message("%s\n", fake.error);
		assert_non_null(strstr(fake.error, cases[i].spec));
		assert_non_null(strstr(fake.error, cases[i].column));
		assert_non_null(strstr(fake.error, cases[i].at));
		assert_non_null(strstr(fake.error, cases[i].expected));
	}
}

static int
next_random(unsigned int *seed, size_t n)
{
	*seed = *seed * 1103515245 + 12345;
	return (int)((*seed >> 16) % n);
}

/* Names from a fixed random sequence: accepted or refused with one reason, and nothing is left behind. */
static void
test_random_names(void **state)
{
	static const char *const pieces[] = {
		"netmap:", "vale0:", "vale:", "netmap", "eth0", "a-b", "pipe", "{", "}", "1", "4095", "0",
		"-", "*", "^", "/", "x", "zR", "@", "@2", "@conf", "@share", "@offset", ":", "=", ",",
		"rings", "tx-slots", "port", "\377",
	};
	unsigned int seed = 1;
	int i, j, accepted = 0;

	(void)state;
	fake.interfaces = "a-b eth0";
	for (i = 0; i < 20000; i++) {
		char spec[128] = "netmap:eth0";
		struct nmport_d *d;

		if (i % 8 == 0)
			spec[0] = '\0';
		for (j = next_random(&seed, 10); j > 0; j--)
			strcat(spec, pieces[next_random(&seed, sizeof(pieces) / sizeof(pieces[0]))]);
		fake.n_errors = 0;
		errno = 0;
		d = nmport_prepare(spec);
		if (d == NULL) {
			assert_true(errno == EINVAL || errno == EOPNOTSUPP);
			assert_int_equal(fake.n_errors, 1);
		} else {
			accepted++;
			assert_int_equal(fake.n_errors, 0);
			assert_true(strlen(d->hdr.nr_name) > 0);
			nmport_undo_prepare(d);
		}
		assert_int_equal(fake.n_allocated, 0);
	}
	assert_in_range(accepted, 1000, 15000);
}

static void
test_get_mem_id(void **state)
{
	const char *name = "netmap:eth0-1";
	const char *p = name;

	(void)state;
	fake.next_mem_id = 65535;
	assert_int_equal(nmreq_get_mem_id(&p, &fake_ctx), 65535);
	assert_string_equal(p, "-1");
	assert_string_equal(fake.hdr.nr_name, "eth0");
	assert_int_equal(fake.hdr.nr_reqtype, NETMAP_REQ_PORT_INFO_GET);

	p = name;
	fake.ctrl_errno = ENXIO;
	assert_int_equal(nmreq_get_mem_id(&p, &fake_ctx), -1);
	assert_int_equal(errno, ENXIO);
	assert_ptr_equal(p, name);
	fake.open_errno = ENOENT;
	assert_int_equal(nmreq_get_mem_id(&p, &fake_ctx), -1);
	assert_int_equal(errno, ENOENT);
	assert_ptr_equal(p, name);
	p = name = "eth0";
	assert_int_equal(nmreq_get_mem_id(&p, &fake_ctx), -1);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(p, name);
}

static void
test_header_init(void **state)
{
	struct nmreq_header h;
	int body;

	(void)state;
	memset(&h, 0x5a, sizeof(h));
	nmreq_header_init(&h, NETMAP_REQ_VALE_LIST, &body);
	assert_int_equal(h.nr_version, NETMAP_API);
	assert_int_equal(h.nr_reqtype, NETMAP_REQ_VALE_LIST);
	assert_int_equal(h.nr_reserved, 0);
	assert_int_equal(h.nr_options, 0);
	assert_int_equal(h.nr_body, (uintptr_t)&body);
	assert_string_equal(h.nr_name, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_interface_with_dash, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_register, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_messages, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_random_names, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_get_mem_id, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_header_init, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
