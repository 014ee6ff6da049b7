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
		{ "-P vale0:e", COMMAND_POLLING_OFF }, { "-T vale0:e", COMMAND_TABLE },
		{ "-o vale0:e", COMMAND_PARAMS }, { "-ovale0:e=1 -v", COMMAND_PARAMS },
		{ "-S vale0:e=02:00:00:00:00:01", COMMAND_TABLE_ADD },
		{ "-R vale0:e=2:0:0:a:Bc:ff", COMMAND_TABLE_REMOVE },
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
settings_have_values(void **state)
{
	static const uint8_t addr[6] = { 0x02, 0x00, 0x1f, 0xAb, 0x0c, 0xff };
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-o"), 0);
	assert_int_equal(o.command, COMMAND_PARAMS);
	assert_true(o.name == NULL && !o.has_value);
	assert_int_equal(parse(&o, "-o -j"), 0);
	assert_true(o.command == COMMAND_PARAMS && o.name == NULL && o.json);
	assert_int_equal(parse(&o, "-j -o verbose"), 0);
	assert_string_equal(o.name, "verbose");
	assert_true(!o.has_value && o.json);
	assert_int_equal(parse(&o, "-o verbose=0x10"), 0);
	assert_string_equal(o.name, "verbose");
	assert_true(o.has_value && o.value == 16);
	assert_int_equal(parse(&o, "-o verbose=18446744073709551615"), 0);
	assert_true(o.has_value && o.value == UINT64_MAX);
	assert_int_equal(parse(&o, "-S netmap:vale0:a=02:00:1F:ab:c:ff"), 0);
	assert_string_equal(o.name, "vale0:a");
	assert_memory_equal(o.addr, addr, sizeof(addr));
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
doctor_takes_an_interface(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "doctor eth0"), 0);
	assert_int_equal(o.command, COMMAND_DOCTOR);
	assert_string_equal(o.name, "eth0");
	assert_int_equal(parse(&o, "doctor -jv netmap:eth0"), 0);
	assert_string_equal(o.name, "eth0");
	assert_true(o.json && o.verbose);
	assert_int_equal(parse(&o, "-j doctor eth0"), 0);
	assert_int_equal(o.command, COMMAND_DOCTOR);
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
		"doctor", "doctor a b", "doctor -l a b", "doctor a -C 1", "doctor a -i 1", "doctor 0123456789abcdef",
		"doctor netmap:", "sick a",
		"-o =1", "-o a=", "-o a=-1", "-o a=1x", "-o a=18446744073709551616", "-o -o",
		"-o a -l b", "-l b -o a", "-o a=1 -j",
		"-o -l b", "doctor -o", "-T", "-T a -i 1", "-S", "-S vale0:a", "-S vale0:a=", "-S =02:00:00:00:00:01",
		"-S vale0:a=02:00:00:00:00", "-S vale0:a=02:00:00:00:00:01:02", "-S vale0:a=02:00:00:00:00:001",
		"-S vale0:a=02-00-00-00-00-01", "-R vale0=g2:00:00:00:00:01", "-R vale0=02:00:00:00:00:01 -j",
		"-o xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1",
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
		cmocka_unit_test(settings_have_values), cmocka_unit_test(config_makes_rings), cmocka_unit_test(config_chooses_cpus),
		cmocka_unit_test(regions_are_ids_or_ports), cmocka_unit_test(doctor_takes_an_interface),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
