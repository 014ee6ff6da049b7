/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of pkt-gen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "unit.h"

#define ARGS_MAX 32

/* Parses a command line given as one string. What was printed on errors is left in message. */
static char message[1024];

static int parse(struct options *o, const char *line)
{
	static char copy[512];
	char *argv[ARGS_MAX] = { "pkt-gen" };
	int argc = 1, rc;
	FILE *out;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc < ARGS_MAX - 1; word = strtok(NULL, " "))
		argv[argc++] = word;
	memset(message, 0, sizeof(message));
	out = fmemopen(message, sizeof(message), "w");
	rc = options_parse(o, argc, argv, out, out);
	fclose(out);
	return rc;
}

static void defaults_are_the_documented_ones(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-i vale0:a"), 0);
	assert_string_equal(o.port, "vale0:a");
	assert_int_equal(o.mode, MODE_RX);
	assert_int_equal(o.len_min, 60);
	assert_int_equal(o.len_max, 60);
	assert_int_equal(o.burst, 512);
	assert_int_equal(o.threads, 1);
	assert_int_equal(o.report_ms, 1000);
	assert_int_equal(o.link_wait, -1);
	assert_int_equal(o.vnet_len, -1);
	assert_int_equal(o.cpu_first, -1);
	assert_true(o.dst.first == 0x0a010001 && o.src.first == 0x0a000001);
	assert_int_equal(o.dst.port_first, 1234);
	assert_true(o.dst_mac.first == 0xffffffffffffULL);
	assert_int_equal(parse(&o, "-i vale0:a -f ping"), 0);
	assert_int_equal(o.burst, 1);
	assert_int_equal(parse(&o, "-i vale0:a -f pong -b 7"), 0);
	assert_int_equal(o.burst, 7);
}

static void all_options_are_taken(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o,
			       "-i x -f tx -n 1000 -l 1500 -b 64 -d 1.2.3.4:5 -s 5.6.7.8 "
			       "-D 02:00:00:00:00:01 -S 02:00:00:00:00:02 -a 1"),
			 0);
	assert_int_equal(o.count, 1000);
	assert_int_equal(o.len_max, 1500);
	assert_int_equal(o.burst, 64);
	assert_int_equal(o.dst.port_first, 5);
	assert_int_equal(o.cpu_first, 1);
	assert_true(o.src_mac_given);
	assert_int_equal(parse(&o,
			       "-i x -f tx -c 2 -p 3 -T 500 -w 1 -R 1000 -H 12 -F 4 -M 100 -A -B -N -v -v -W "
			       "-X -r -z -Z"),
			 0);
	assert_int_equal(o.threads, 3);
	assert_int_equal(o.rate, 1000);
	assert_int_equal(o.vnet_len, 12);
	assert_int_equal(o.len_max, 400);
	assert_int_equal(o.verbose, 2);
	assert_true(o.raw_units && o.count_framing && o.exit_when_idle);
	assert_int_equal(o.bits, OPT_DUMP | OPT_RUBBISH | OPT_RANDOM_SRC | OPT_RANDOM_DST | OPT_PPS_STATS);
	assert_int_equal(parse(&o, "-i x -o 7 -o 8 -I"), 0);
	assert_int_equal(o.bits, OPT_PREFETCH | OPT_ACCESS | OPT_COPY | OPT_MEMCPY | OPT_INDIRECT);
}

static void lengths_come_in_any_order(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-i x -l 1514 -l 60"), 0);
	assert_int_equal(o.len_min, 60);
	assert_int_equal(o.len_max, 1514);
	assert_int_equal(parse(&o, "-i x -l 60 -l 1514"), 0);
	assert_int_equal(o.len_min, 60);
	assert_int_not_equal(parse(&o, "-i x -l 60 -l 70 -l 80"), 0);
}

static void ring_config_has_one_to_four_numbers(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-i x -C 256"), 0);
	assert_int_equal(o.tx_slots, 256);
	assert_int_equal(o.rx_slots, 256);
	assert_int_equal(o.tx_rings, 0);
	assert_int_equal(parse(&o, "-i x -C 256,512,2"), 0);
	assert_int_equal(o.rx_slots, 512);
	assert_int_equal(o.tx_rings, 2);
	assert_int_equal(o.rx_rings, 2);
	assert_int_equal(parse(&o, "-i x -C 256,512,2,4"), 0);
	assert_int_equal(o.rx_rings, 4);
	assert_int_not_equal(parse(&o, "-i x -C 256,"), 0);
	assert_int_not_equal(parse(&o, "-i x -C 1,2,3,4,5"), 0);
	assert_int_not_equal(parse(&o, "-i x -C 99999"), 0);
}

static void family_may_come_last(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-i x -f tx -d fd00::9 -6"), 0);
	assert_int_equal(o.dst.family, 6);
	assert_int_equal(o.src.family, 6);
	assert_int_not_equal(parse(&o, "-i x -f tx -d fd00::9"), 0);
	assert_non_null(strstr(message, "-6"));
}

static void errors_name_the_option(void **state)
{
	static const struct {
		const char *line, *word;
	} bad[] = {
		{ "", "-i" },
		{ "-i x -l 15", "-l 15" },
		{ "-i x -l 65537", "65536" },
		{ "-i x -f send", "send" },
		{ "-i x -H 11", "-H 11" },
		{ "-i x -b 0", "-b 0" },
		{ "-i x -n -1", "-n -1" },
		{ "-i x -q", "-q" },
		{ "-i x -l", "-l" },
		{ "-i x y", "y" },
		{ "-i x -D 1:2", "-D 1:2" },
		{ "-i x -d 1.2.3", "-d 1.2.3" },
		{ "-i x -F 64", "-F 64" },
		{ "-i x -o 128", "128" },
		{ "-i x -f tx -I -z", "-I" },
		{ "-i x -f txseq -p 2", "-p 2" },
		{ "-i x -f tx -p 4 -n 3", "-p 4" },
		{ "-i x -f ping -l 50", "54" },
		{ "-i x -P f.pcap", "-P" },
		{ "-i x -F 2 -M 20 -l 60", "-M 20" },
		{ "-i x -n 1e6", "1e6" },
	};
	struct options o;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(&o, bad[i].line), -EINVAL);
		assert_non_null(strstr(message, bad[i].word));
	}
}

static void help_is_no_error(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "-h"), 1);
	assert_non_null(strstr(message, "usage"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(all_options_are_taken),
		cmocka_unit_test(lengths_come_in_any_order),
		cmocka_unit_test(ring_config_has_one_to_four_numbers),
		cmocka_unit_test(family_may_come_last),
		cmocka_unit_test(errors_name_the_option),
		cmocka_unit_test(help_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
