/* SPDX-License-Identifier: BSD-2-Clause */
/* Options: the text at the end of port names, the list of a request, and enabling and disabling. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "libnetmap_fake.h"

/* ---- nmreq_options_decode() with parsers of our own ---- */

static char parsed[256];	/* what the parse functions saw */

static int
parse_keys(struct nmreq_parse_ctx *p)
{
	char text[128];
	int i;

	assert_ptr_equal(p->ctx, &fake_ctx);
	assert_ptr_equal(p->token, parsed);
	strcat(parsed, "[");
	for (i = 0; i < NMREQ_OPT_MAXKEYS; i++) {
		if (p->keys[i] != NULL) {
			snprintf(text, sizeof(text), "%d=%s ", i, p->keys[i]);
			strcat(parsed, text);
		}
	}
	strcat(parsed, "]");
	return 0;
}

static int
parse_fail(struct nmreq_parse_ctx *p)
{
	(void)p;
	errno = ENODEV;
	return -1;
}

static struct nmreq_opt_parser parsers[] = {
	{
		.prefix = "one", .parse = parse_keys, .default_key = 0, .nr_keys = 4, .next = &parsers[1],
		.keys = {
			{ "def", 0, NMREQ_OPTK_DEFAULT }, { "a-key", 5, 0 }, { "b_key", 15, 0 },
			{ "flag", 2, NMREQ_OPTK_ALLOWEMPTY },
		},
	},
	{
		.prefix = "must", .parse = parse_keys, .default_key = -1, .nr_keys = 2, .next = &parsers[2],
		.keys = { { "m", 1, NMREQ_OPTK_MUSTSET }, { "n", 2, 0 } },
	},
	{
		.prefix = "bare", .parse = parse_keys, .default_key = -1, .next = &parsers[3],
		.flags = NMREQ_OPTF_ALLOWEMPTY,
	},
	{
		.prefix = "off", .parse = parse_keys, .default_key = -1, .next = &parsers[4],
		.flags = NMREQ_OPTF_DISABLED | NMREQ_OPTF_ALLOWEMPTY,
	},
	{ .prefix = "fail", .parse = parse_fail, .flags = NMREQ_OPTF_ALLOWEMPTY, .next = NULL },
};

static void
test_decode(void **state)
{
	static const struct {
		const char *text, *parsed;	/* NULL: fails */
		int error;
	} cases[] = {
		{ "", "", 0 },
		{ "@one=1", "[0=1 ]", 0 },
		{ "@one:def=1", "[0=1 ]", 0 },
		{ "@one=1,a-key=2", "[0=1 5=2 ]", 0 },
		{ "@one:a-key=x=y,b_key=z:t", "[5=x=y 15=z:t ]", 0 },
		{ "@one:a_key=1,b-key=2", "[5=1 15=2 ]", 0 },
		{ "@one=netmap:lo/R", "[0=netmap:lo/R ]", 0 },
		{ "@one:flag", "[2= ]", 0 },
		{ "@one:flag=,def=1", "[0=1 2= ]", 0 },
		{ "@one:flag,def=1", "[0=1 2= ]", 0 },
		{ "@bare", "[]", 0 },
		{ "@must:m=1@bare@one=2", "[1=1 ][][0=2 ]", 0 },
		{ "one=1", NULL, EINVAL },
		{ "@", NULL, EINVAL },
		{ "@two=1", NULL, EINVAL },
		{ "@on=1", NULL, EINVAL },
		{ "@onex=1", NULL, EINVAL },
		{ "@netmap:lo/R", NULL, EINVAL },
		{ "@one", NULL, EINVAL },
		{ "@one=", NULL, EINVAL },
		{ "@one:", NULL, EINVAL },
		{ "@one:def", NULL, EINVAL },
		{ "@one:def=", NULL, EINVAL },
		{ "@one:def=1,", NULL, EINVAL },
		{ "@one:def=1,def=2", NULL, EINVAL },
		{ "@one=1,def=2", NULL, EINVAL },
		{ "@one:a-key=1,a_key=1", NULL, EINVAL },
		{ "@one:_key=1", NULL, EINVAL },
		{ "@one:c=1", NULL, EINVAL },
		{ "@one:=1", NULL, EINVAL },
		{ "@one=1@", NULL, EINVAL },
		{ "@one=1@@bare", NULL, EINVAL },
		{ "@must=1", NULL, EINVAL },
		{ "@must:n=1", NULL, EINVAL },
		{ "@bare:x=1", NULL, EINVAL },
		{ "@off", NULL, EOPNOTSUPP },
		{ "@bare@off", NULL, EOPNOTSUPP },
		{ "@one=1@two=2", NULL, EINVAL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].text);
		parsed[0] = '\0';
		fake.n_errors = 0;
		errno = 0;
		if (cases[i].parsed != NULL) {
			assert_int_equal(nmreq_options_decode(cases[i].text, parsers, parsed, &fake_ctx), 0);
			assert_string_equal(parsed, cases[i].parsed);
		} else {
			assert_int_equal(nmreq_options_decode(cases[i].text, parsers, parsed, &fake_ctx), -1);
			assert_int_equal(errno, cases[i].error);
			assert_int_equal(fake.n_errors, 1);
			/* nothing was applied */
			assert_string_equal(parsed, "");
		}
	}
	assert_int_equal(nmreq_options_decode("@fail", parsers, parsed, &fake_ctx), -1);
	assert_int_equal(errno, ENODEV);
	fake.malloc_countdown = 0;
	assert_int_equal(nmreq_options_decode("@bare", parsers, parsed, &fake_ctx), -1);
	assert_int_equal(errno, ENOMEM);
}

/* ---- The list ---- */

static void
test_list(void **state)
{
	struct nmreq_header h;
	struct nmreq_option o[3] = { { 0 } }, *p;
	int i, n = 0;

	(void)state;
	nmreq_header_init(&h, NETMAP_REQ_REGISTER, NULL);
	for (i = 0; i < 3; i++) {
		o[i].nro_reqtype = (uint32_t)(1 + i);
		assert_null(nmreq_find_option(&h, (uint32_t)(1 + i)));
		nmreq_push_option(&h, &o[i]);
	}
	nmreq_foreach_option(&h, p)
		assert_ptr_equal(p, &o[2 - n++]);
	assert_int_equal(n, 3);
	assert_ptr_equal(nmreq_find_option(&h, 2), &o[1]);
	nmreq_remove_option(&h, &o[1]);
	nmreq_remove_option(&h, &o[1]);
	assert_null(nmreq_find_option(&h, 2));
	assert_ptr_equal(nmreq_find_option(&h, 1), &o[0]);
	nmreq_remove_option(&h, &o[2]);
	nmreq_remove_option(&h, &o[0]);
	assert_int_equal(h.nr_options, 0);
	nmreq_remove_option(&h, &o[0]);

	for (i = 0; i < 3; i++)
		nmreq_push_option(&h, calloc(1, sizeof(struct nmreq_option)));
	nmreq_free_options(&h);
	assert_int_equal(h.nr_options, 0);
	nmreq_free_options(&h);
}

static void
test_option_names(void **state)
{
	(void)state;
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_EXTMEM), "extmem");
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS), "sync-kloop-eventfds");
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_CSB), "csb");
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_SYNC_KLOOP_MODE), "sync-kloop-mode");
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_OFFSETS), "offsets");
	assert_string_equal(nmreq_option_name(0), "unknown");
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_MAX), "unknown");
}

/* ---- The options of port names ---- */

static void
prepare_fails(const char *spec, int error)
{
	print_message("%s\n", spec);
	errno = 0;
	fake.n_errors = 0;
	assert_null(nmport_prepare(spec));
	assert_int_equal(errno, error);
	assert_true(fake.n_errors > 0);
	assert_int_equal(fake.n_allocated, 0);
}

static void
test_conf(void **state)
{
	struct nmport_d *d;

	(void)state;
	d = nmport_prepare("vale0:x@conf=4");
	assert_non_null(d);
	assert_int_equal(d->reg.nr_tx_rings, 4);
	assert_int_equal(d->reg.nr_rx_rings, 4);
	assert_int_equal(d->reg.nr_tx_slots, 0);
	nmport_undo_prepare(d);

	d = nmport_prepare("vale0:x@conf:rings=4,host-rings=2,slots=512");
	assert_non_null(d);
	assert_int_equal(d->reg.nr_tx_rings, 4);
	assert_int_equal(d->reg.nr_rx_rings, 4);
	assert_int_equal(d->reg.nr_host_tx_rings, 2);
	assert_int_equal(d->reg.nr_host_rx_rings, 2);
	assert_int_equal(d->reg.nr_tx_slots, 512);
	assert_int_equal(d->reg.nr_rx_slots, 512);
	nmport_undo_prepare(d);

	/* the specific key wins, wherever it stands */
	d = nmport_prepare("vale0:x@conf:tx-rings=1,rings=4,host_rx_rings=7,"
		"rx-slots=4294967295,slots=64,host-rings=3");
	assert_non_null(d);
	assert_int_equal(d->reg.nr_tx_rings, 1);
	assert_int_equal(d->reg.nr_rx_rings, 4);
	assert_int_equal(d->reg.nr_host_tx_rings, 3);
	assert_int_equal(d->reg.nr_host_rx_rings, 7);
	assert_int_equal(d->reg.nr_tx_slots, 64);
	assert_int_equal(d->reg.nr_rx_slots, 4294967295);
	nmport_undo_prepare(d);

	d = nmport_prepare("vale0:x@conf:rx-rings=2,host-tx-rings=5,tx-slots=9@conf=3");
	assert_non_null(d);
	assert_int_equal(d->reg.nr_tx_rings, 3);
	assert_int_equal(d->reg.nr_rx_rings, 3);
	assert_int_equal(d->reg.nr_host_tx_rings, 5);
	assert_int_equal(d->reg.nr_tx_slots, 9);
	nmport_undo_prepare(d);

	prepare_fails("vale0:x@conf", EINVAL);
	prepare_fails("vale0:x@conf=x", EINVAL);
	prepare_fails("vale0:x@conf=4x", EINVAL);
	prepare_fails("vale0:x@conf=-1", EINVAL);
	prepare_fails("vale0:x@conf=65536", EINVAL);
	prepare_fails("vale0:x@conf:slots=4294967296", EINVAL);
	prepare_fails("vale0:x@conf:ring=4", EINVAL);
}

static void
test_share(void **state)
{
	struct nmport_d *d;

	(void)state;
	fake.next_mem_id = 12;
	d = nmport_prepare("netmap:eth0@share=netmap:eth1");
	assert_non_null(d);
	assert_int_equal(d->reg.nr_mem_id, 12);
	assert_string_equal(fake.hdr.nr_name, "eth1");
	assert_string_equal(d->hdr.nr_name, "eth0");
	nmport_undo_prepare(d);
	d = nmport_prepare("netmap:eth0@12@share:port=vale3:x");
	assert_non_null(d);
	assert_string_equal(fake.hdr.nr_name, "vale3:x");
	nmport_undo_prepare(d);

	prepare_fails("netmap:eth0@11@share=netmap:eth1", EINVAL);
	prepare_fails("netmap:eth0@share", EINVAL);
	prepare_fails("netmap:eth0@share=eth1", EINVAL);
	prepare_fails("netmap:eth0@share=netmap:eth1-2", EINVAL);
	fake.ctrl_errno = ENXIO;
	prepare_fails("netmap:eth0@share=netmap:eth1", ENXIO);
}

static void
test_offset(void **state)
{
	const char *spec = "netmap:eth0@offset:initial=128,bits=16";
	struct nmreq_opt_offsets *o;
	struct nmport_d *d;

	(void)state;
	d = nmport_prepare(spec);
	assert_non_null(d);
	o = (struct nmreq_opt_offsets *)nmreq_find_option(&d->hdr, NETMAP_REQ_OPT_OFFSETS);
	assert_non_null(o);
	assert_int_equal(o->nro_initial_offset, 128);
	assert_int_equal(o->nro_max_offset, 128);
	assert_int_equal(o->nro_offset_bits, 16);
	assert_int_equal(o->nro_min_gap, 0);
	nmport_undo_prepare(d);
	d = nmport_prepare("netmap:eth0@offset=64");
	assert_non_null(d);
	nmport_undo_prepare(d);
	prepare_fails("netmap:eth0@offset:bits=16", EINVAL);
	prepare_fails("netmap:eth0@offset:initial=16,bits=65", EINVAL);
	nmport_disable_option("offset");
	prepare_fails(spec, EOPNOTSUPP);
	assert_int_equal(nmport_enable_option("offset"), 0);
	d = nmport_prepare(spec);
	assert_non_null(d);
	nmport_undo_prepare(d);
}

static void
test_enable(void **state)
{
	struct nmport_d *d;

	(void)state;
	errno = 0;
	assert_int_equal(nmport_enable_option("none"), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	nmport_disable_option("none");
	nmport_disable_option("conf");
	prepare_fails("netmap:eth0@conf=1", EOPNOTSUPP);
	assert_int_equal(nmport_enable_option("conf"), 0);
	d = nmport_prepare("netmap:eth0@conf=1");
	assert_non_null(d);
	nmport_undo_prepare(d);
}

static void
test_extmem(void **state)
{
	char file[] = "/tmp/libnetmap_option_XXXXXX";
	char spec[256];
	struct nmreq_pools_info *info;
	struct nmport_d *d;
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	snprintf(spec, sizeof(spec), "netmap:eth0@extmem=%s", file);
	prepare_fails(spec, EINVAL);		/* empty */
	assert_int_equal(ftruncate(fd, FAKE_MEMSIZE), 0);
	close(fd);

	snprintf(spec, sizeof(spec), "netmap:eth0@extmem:file=%s,if-num=1,if-size=2,ring-num=3,ring-size=4,"
		"buf_num=5,buf_size=6", file);
	d = nmport_prepare(spec);
	assert_non_null(d);
	info = nmport_extmem_getinfo(d);
	assert_non_null(info);
	assert_int_equal(info->nr_memsize, FAKE_MEMSIZE);
	assert_int_equal(info->nr_if_pool_objtotal, 1);
	assert_int_equal(info->nr_if_pool_objsize, 2);
	assert_int_equal(info->nr_ring_pool_objtotal, 3);
	assert_int_equal(info->nr_ring_pool_objsize, 4);
	assert_int_equal(info->nr_buf_pool_objtotal, 5);
	assert_int_equal(info->nr_buf_pool_objsize, 6);
	assert_int_equal(fake.n_maps, 1);
	nmport_undo_prepare(d);
	assert_int_equal(fake.n_maps, 0);

	snprintf(spec, sizeof(spec), "netmap:eth0@extmem:file=%s,if-num=x", file);
	prepare_fails(spec, EINVAL);
	snprintf(spec, sizeof(spec), "netmap:eth0@extmem=%s@extmem=%s", file, file);
	prepare_fails(spec, EINVAL);
	assert_int_equal(fake.n_maps, 0);
	unlink(file);
	prepare_fails("netmap:eth0@extmem:if-num=1", EINVAL);
	prepare_fails(spec, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decode, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_list, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_option_names, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_conf, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_share, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_offset, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_enable, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_extmem, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
