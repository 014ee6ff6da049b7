/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of vale-ctl. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <net/netmap.h>

#include "options.h"

#define ARGS_MAX	16

/* What was printed, on errors and for help. */
static char message[4096];

static int
parse(struct options *o, const char *line)
{
	static char copy[512];
	char *argv[ARGS_MAX] = { (char *)"vale-ctl" };
	int argc = 1, rc;
	FILE *out;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word != NULL && argc < ARGS_MAX - 1; word = strtok(NULL, " "))
		argv[argc++] = word;
	memset(message, 0, sizeof(message));
	out = fmemopen(message, sizeof(message), "w");
	rc = options_parse(o, argc, argv, out, out);
	fclose(out);
	assert_true(rc == 0 || message[0] != '\0');
	return rc;
}

static void
nothing_lists_everything(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, ""), 0);
	assert_int_equal(o.command, COMMAND_LIST);
	assert_null(o.name);
	assert_true(o.interval_s == 0 && !o.json && !o.verbose);
	assert_int_equal(parse(&o, "-jv -i 0.5 -l netmap:eth0"), 0);
	assert_int_equal(o.command, COMMAND_LIST);
	assert_string_equal(o.name, "eth0");
	assert_true(o.interval_s == 0.5 && o.json && o.verbose);
	assert_int_equal(parse(&o, "--help"), 1);
}

static void
commands_have_letters(void **state)
{
	static const struct {
		const char *line;
		enum command command;
	} cases[] = {
		{ "-a vale0:e", COMMAND_ATTACH }, { "-h vale0:e", COMMAND_ATTACH_HOST },
		{ "-d vale0:e", COMMAND_DETACH }, { "-n vale0:e", COMMAND_NEW },
		{ "-r vale0:e", COMMAND_REMOVE }, { "-g vale0:e", COMMAND_INFO },
		{ "-l vale0:e", COMMAND_LIST }, { "-p vale0:e", COMMAND_POLLING_ON },
		{ "-P vale0:e", COMMAND_POLLING_OFF },
	};
	struct options o;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&o, cases[i].line), 0);
		assert_int_equal(o.command, cases[i].command);
		assert_string_equal(o.name, "vale0:e");
	}
}

static void
config_makes_rings(void **state)
{
	struct ring_config c;
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-n x"), 0);
	c = options_ring_config(&o);
	assert_true(c.tx_slots == 0 && c.rx_slots == 0 && c.tx_rings == 0 && c.rx_rings == 0);
	assert_int_equal(parse(&o, "-n x -C 512"), 0);
	c = options_ring_config(&o);
	assert_true(c.tx_slots == 512 && c.rx_slots == 512 && c.tx_rings == 0 && c.rx_rings == 0);
	assert_int_equal(parse(&o, "-C 512,256 -n x"), 0);
	c = options_ring_config(&o);
	assert_true(c.tx_slots == 512 && c.rx_slots == 256 && c.tx_rings == 0 && c.rx_rings == 0);
	assert_int_equal(parse(&o, "-n x -C 512,256,2"), 0);
	c = options_ring_config(&o);
	assert_true(c.tx_rings == 2 && c.rx_rings == 2);
	assert_int_equal(parse(&o, "-n x -C 512,256,2,65535"), 0);
	c = options_ring_config(&o);
	assert_true(c.tx_rings == 2 && c.rx_rings == 65535);
}

static void
config_chooses_cpus(void **state)
{
	struct polling_config c;
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-p vale0:e"), 0);
	c = options_polling_config(&o);
	assert_true(c.mode == NETMAP_POLLING_MODE_SINGLE_CPU && c.first_cpu == 0 && c.cpus == 1);
	assert_int_equal(parse(&o, "-p vale0:e -C 0,3"), 0);
	c = options_polling_config(&o);
	assert_true(c.mode == NETMAP_POLLING_MODE_SINGLE_CPU && c.first_cpu == 3 && c.cpus == 1);
	assert_int_equal(parse(&o, "-P vale0:e -C 1,2,4"), 0);
	c = options_polling_config(&o);
	assert_true(c.mode == NETMAP_POLLING_MODE_MULTI_CPU && c.first_cpu == 2 && c.cpus == 4);
}

static void
regions_are_ids_or_ports(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-n x -m 12"), 0);
	assert_int_equal(o.mem_id, 12);
	assert_null(o.mem_port);
	assert_int_equal(parse(&o, "-n x -m vale0:1"), 0);
	assert_int_equal(o.mem_id, 0);
	assert_string_equal(o.mem_port, "vale0:1");
}

static void
nonsense_is_refused(void **state)
{
	static const char *const lines[] = {
		"-x", "-l", "vale0:a", "-a a -d b", "-l a -l b", "-l netmap:", "-i 0", "-i -1",
		"-i nan", "-i 1x", "-i inf", "-i 1e9", "-a x -i 1", "-n x -j",
		"-n x -C 1,2,3,4,5", "-n x -C 1,", "-n x -C ,1", "-n x -C 1,2,65536",
		"-n x -C 4294967296", "-n x -C -1", "-n x -C a", "-C 1", "-l x -C 1",
		"-p x -C 2", "-p x -C 0,1,2,3", "-p x -C 0,99999999", "-n x -m 0",
		"-n x -m 65536", "-g x -m 1", "--nonsense",
		"-l xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	};
	struct options o;

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(&o, lines[i]), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lists_everything), cmocka_unit_test(commands_have_letters),
		cmocka_unit_test(config_makes_rings), cmocka_unit_test(config_chooses_cpus),
		cmocka_unit_test(regions_are_ids_or_ports), cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
