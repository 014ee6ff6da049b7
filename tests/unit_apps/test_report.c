/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers: pacing, shares, units, report lines, round trip times, sequences, CPUs, names. */
#include <errno.h>
#include <string.h>

#include "../../apps/common/port_name.h"
#include "../../apps/common/units.h"
#include "affinity.h"
#include "pacing.h"
#include "report.h"
#include "rtt.h"
#include "sequence.h"
#include "unit.h"

static void pacer_adds_up_no_error(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 3, 1000);
	assert_int_equal(pacer_due(&p), 1000);
	p.sent = 1;
	assert_int_equal(pacer_due(&p), 1000 + 333333333);
	p.sent = 3000000000000ULL;
	assert_true(pacer_due(&p) == 1000 + 1000000000000ULL * NS_PER_SEC);
}

static void pacer_forgets_a_long_lag(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 1000, 0);
	pacer_sent(&p, 1, NS_PER_MS + PACER_LAG_MAX_NS);
	assert_int_equal(p.sent, 1);
	assert_int_equal(pacer_due(&p), NS_PER_MS);
	pacer_sent(&p, 1, 2 * NS_PER_MS + PACER_LAG_MAX_NS + 1);
	assert_int_equal(pacer_due(&p), 2 * NS_PER_MS + PACER_LAG_MAX_NS + 1);
}

static void bursts_suit_the_rate(void **state)
{
	(void)state;
	assert_int_equal(pacer_burst(1), 1);
	assert_int_equal(pacer_burst(200000), 50);
	assert_int_equal(pacer_burst(100000000), PACER_BURST_MAX);
}

static void shares_add_up(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		assert_in_range(share_of(100, i, 7), 14, 15);
		sum += share_of(100, i, 7);
	}
	assert_int_equal(sum, 100);
}

static void units_have_a_letter(void **state)
{
	(void)state;
	assert_string_equal(units_format(14880952, false).s, "14.881 M");
	assert_string_equal(units_format(999.4, false).s, "999 ");
	assert_string_equal(units_format(1000, false).s, "1.000 K");
	assert_string_equal(units_format(999999.9, false).s, "1.000 M");
	assert_string_equal(units_format(5e13, false).s, "50000.000 G");
	assert_string_equal(units_format(14880952, true).s, "14880952 ");
	assert_string_equal(units_format(0, false).s, "0 ");
}

static void report_line_has_its_form(void **state)
{
	const struct counts from = { .packets = 100, .bytes = 6000, .events = 1, .min_space = UINT32_MAX };
	const struct counts to = { .packets = 1000100, .bytes = 60006000, .events = 2001, .min_space = 511 };
	struct options o = { .report_ms = 1000 };
	struct rate_history h = { .count = 0 };
	char line[512];

	(void)state;
	report_format(line, sizeof(line), &o, &from, &to, 1000000, &h);
	assert_string_equal(line,
			    "1.000 Mpps (1.000 Mpkts 480.000 Mbps in 1000000 usec) 500.00 avg_batch 511 "
			    "min_space");
	o.count_framing = o.raw_units = true;
	report_format(line, sizeof(line), &o, &from, &to, 1000000, &h);
	assert_string_equal(line,
			    "1000000 pps (1000000 pkts 672000000 bps in 1000000 usec) 500.00 avg_batch 511 "
			    "min_space");
	o = (struct options){ .bits = OPT_PPS_STATS };
	report_format(line, sizeof(line), &o, &to, &to, 1000000, &h);
	assert_string_equal(line, "0 pps (0 pkts 0 bps in 1000000 usec) 0.00 avg_batch 511 min_space"
			    " [avg/std 666.667 K/471.405 Kpps]");
}

static void final_lines_have_their_form(void **state)
{
	const struct counts total = { .packets = 2000000, .bytes = 120000000, .events = 4000 };
	const struct counts none = { .packets = 0 };
	struct options o = { .mode = MODE_TX };
	char text[512];

	(void)state;
	report_format_final(text, sizeof(text), &o, "Sent", &total, 2 * NS_PER_SEC);
	assert_string_equal(text,
			    "Sent 2000000 packets 120000000 bytes 4000 events 60 bytes each in "
			    "2.00 seconds.\nSpeed: 1.000 Mpps Bandwidth: 480.000 Mbps (raw 672.000 Mbps). "
			    "Average batch: 500.00 pkts");
	report_format_final(text, sizeof(text), &o, "Received", &none, 0);
	assert_string_equal(text, "Received nothing.");
}

static void history_is_of_fifteen(void **state)
{
	struct rate_history h = { .count = 0 };
	double mean, deviation;

	(void)state;
	rate_history_add(&h, 1e9);
	for (unsigned i = 0; i < RATE_HISTORY; i++)
		rate_history_add(&h, 7);
	rate_history_get(&h, &mean, &deviation);
	assert_true(mean == 7 && deviation == 0);
}

static void buckets_cover_all_times(void **state)
{
	struct rtt_stats s = { .count = 0 };

	(void)state;
	for (unsigned i = 0; i + 1 < rtt_bucket(UINT64_MAX); i++) {
		assert_int_equal(rtt_bucket(rtt_bucket_start(i)), i);
		assert_int_equal(rtt_bucket(rtt_bucket_start(i + 1) - 1), i);
	}
	assert_in_range(rtt_bucket(UINT64_MAX), 1, RTT_BUCKETS - 1);
	for (unsigned i = 1; i <= 1000; i++)
		rtt_add(&s, i * 1000);
	assert_int_equal(s.min_ns, 1000);
	assert_int_equal(s.max_ns, 1000000);
	assert_int_equal(s.sum_ns / s.count, 500500);
	assert_in_range(rtt_quantile(&s, 0.5), 500000, 625000);
	assert_int_equal(rtt_quantile(&s, 1.0), 1000000);
}

static void sequences_are_judged(void **state)
{
	struct sequence_check s = { .started = false };
	uint32_t d;

	(void)state;
	assert_int_equal(sequence_take(&s, UINT32_MAX - 1, &d), SEQUENCE_GOOD);
	assert_int_equal(sequence_take(&s, UINT32_MAX, &d), SEQUENCE_GOOD);
	assert_int_equal(sequence_take(&s, 0, &d), SEQUENCE_GOOD);
	assert_int_equal(sequence_take(&s, 3, &d), SEQUENCE_GAP);
	assert_int_equal(d, 2);
	assert_int_equal(s.missing, 2);
	assert_int_equal(sequence_take(&s, 1, &d), SEQUENCE_LATE);
	assert_int_equal(s.missing, 1);
	assert_int_equal(sequence_take(&s, 4, &d), SEQUENCE_GOOD);
	assert_int_equal(s.in_order, 4);
}

static void cpus_are_taken_in_turn(void **state)
{
	struct options o = { .cpu_first = -1, .cpus = 1 };

	(void)state;
	assert_int_equal(affinity_cpu(&o, 3, 4), -1);
	o.cpu_first = 1;
	assert_int_equal(affinity_cpu(&o, 3, 4), 1);
	o.cpus = 2;
	assert_int_equal(affinity_cpu(&o, 0, 4), 1);
	assert_int_equal(affinity_cpu(&o, 1, 4), 2);
	assert_int_equal(affinity_cpu(&o, 2, 4), 1);
	o.cpus = 0;
	assert_int_equal(affinity_cpu(&o, 3, 4), 0);
}

static void names_are_completed(void **state)
{
	char name[32];

	(void)state;
	assert_int_equal(port_name_complete(name, sizeof(name), "eth0"), 0);
	assert_string_equal(name, "netmap:eth0");
	assert_int_equal(port_name_complete(name, sizeof(name), "vale1:x"), 0);
	assert_string_equal(name, "vale1:x");
	assert_int_equal(port_name_complete(name, 8, "eth0"), -ENAMETOOLONG);
	assert_int_equal(port_name_host(name, sizeof(name), "netmap:eth0"), 0);
	assert_string_equal(name, "netmap:eth0^");
	assert_int_equal(port_name_host(name, sizeof(name), "netmap:br-lan/x@2"), 0);
	assert_string_equal(name, "netmap:br-lan^/x@2");
	assert_int_equal(port_name_host(name, sizeof(name), "netmap:eth0*"), -EINVAL);
	assert_int_equal(port_name_host(name, sizeof(name), "vale0:a"), -EINVAL);
	assert_true(port_name_is_virtual("netmap:p}1"));
	assert_false(port_name_is_virtual("netmap:eth0@netmap:p{1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pacer_adds_up_no_error),      cmocka_unit_test(pacer_forgets_a_long_lag),
		cmocka_unit_test(bursts_suit_the_rate),	       cmocka_unit_test(shares_add_up),
		cmocka_unit_test(units_have_a_letter),	       cmocka_unit_test(report_line_has_its_form),
		cmocka_unit_test(final_lines_have_their_form), cmocka_unit_test(history_is_of_fifteen),
		cmocka_unit_test(buckets_cover_all_times),     cmocka_unit_test(sequences_are_judged),
		cmocka_unit_test(cpus_are_taken_in_turn),      cmocka_unit_test(names_are_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
