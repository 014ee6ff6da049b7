/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netmap-bench: rates and latencies of netmap's software paths, each measured
 * beside its yardstick (A B A B), with the distance of the cores taken before
 * and after every run.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define STATUS_SKIPPED	77	/* nothing that was asked for can run here */

static const char usage_text[] =
	"usage: netmap-bench [options] [PATTERN ...]\n"
	"  PATTERN          run the cases whose name matches, as 'vale/60/*' (default: all)\n"
	"  -l, --list       list the cases and leave\n"
	"  -q, --quick      a third of the cases, 2 runs of 0.25 s\n"
	"  -s, --seconds S  length of a run (0.4)\n"
	"  -r, --runs N     runs of each case, 1..32 (3)\n"
	"  -c, --cpus LIST  CPUs: receiver,sender[,second sender]\n"
	"  -b, --bare       the yardsticks alone\n"
	"  -j, --json FILE  write the results to FILE\n"
	"  -m, --merge FILE report figures from FILE too, a line of JSON each\n"
	"  -t, --trip       print the round trip of a cache line in ns, and near or far, and leave\n";

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "quick", no_argument, NULL, 'q' },
	{ "seconds", required_argument, NULL, 's' },
	{ "runs", required_argument, NULL, 'r' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "bare", no_argument, NULL, 'b' },
	{ "json", required_argument, NULL, 'j' },
	{ "merge", required_argument, NULL, 'm' },
	{ "trip", no_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool
case_wanted(const struct bench_case *c, const struct bench_options *o)
{
	for (int i = 0; i < o->n_patterns; i++)
		if (fnmatch(o->patterns[i], c->name, 0) == 0)
			return true;
	return o->n_patterns == 0 && (!o->quick || c->quick);
}

/* Tags the run with the round trips around it. */
static void
run_tag(struct bench_run *run, double before, double after)
{
	run->value[METRIC_TRIP_BEFORE_NS] = before;
	run->value[METRIC_TRIP_AFTER_NS] = after;
	run->distance = cores_distance(before, after);
}

static void
run_ratio(const struct bench_case *c, struct bench_run *run)
{
	enum bench_metric m = METRIC_P50_NS;

	if (c->kind == BENCH_STREAM)
		m = METRIC_BPS;
	else if (c->kind == BENCH_RATE || c->kind == BENCH_MONITOR || c->kind == BENCH_NIC || c->kind == BENCH_FORWARD)
		m = METRIC_RX_PPS;
	if (run->value[METRIC_BARE] > 0)
		run->value[METRIC_RATIO] = run->value[m] / run->value[METRIC_BARE];
	if (run->value[METRIC_SECOND] > 0)
		run->value[METRIC_SECOND_RATIO] = run->value[m] / run->value[METRIC_SECOND];
}

static int
interfaces_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message)
{
	switch (c->kind) {
	case BENCH_NIC:
		return bench_nic_run(c, o, run, message);
	case BENCH_FORWARD:
		return bench_forward_run(c, o, run, message);
	default:
		return bench_stream_run(c, o, run, message);
	}
}

/* The yardstick, then the case. */
static int
halves_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, double *before,
    char *message)
{
	double between;
	int ret = bench_bare_run(c, o, run);

	if (ret != 0) {
		snprintf(message, BENCH_MESSAGE_MAX, "yardstick: %s", strerror(-ret));
		return ret;
	}
	if (o->bare_only)
		return 0;
	/* one that moved between the two halves spoils the pair as well */
	between = cores_round_trip_ns(o->cores.tx[0], o->cores.rx);
	if (cores_distance(*before, between) == CORES_MIXED)
		*before = between > *before ? between : *before;
	switch (c->kind) {
	case BENCH_RATE:
		return bench_rate_run(c, o, run, message);
	case BENCH_MONITOR:
		return bench_monitor_run(c, o, run, message);
	default:
		return bench_latency_run(c, o, run, message);
	}
}

/* One yardstick run and one of the case, side by side. */
static int
pair_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	double before = cores_round_trip_ns(o->cores.tx[0], o->cores.rx), after;
	int ret;

	for (int m = 0; m < METRICS; m++)
		run->value[m] = NAN;
	run->note[0] = '\0';
	ret = case_on_interfaces(c) ? interfaces_run(c, o, run, message) :
	    halves_run(c, o, run, &before, message);
	after = cores_round_trip_ns(o->cores.tx[0], o->cores.rx);
	run_tag(run, before, after);
	run_ratio(c, run);
	return ret;
}

static void
case_run(const struct bench_case *c, const struct bench_options *o, struct bench_result *r)
{
	r->c = c;
	while (r->runs < o->runs && r->message[0] == '\0') {
		struct bench_run *run = &r->run[r->runs];
		int ret = pair_run(c, o, run, r->message);

		if (ret == 0 && run_disturbed(c, run))
			ret = pair_run(c, o, run, r->message);
		r->skipped = ret == BENCH_SKIPPED;
		if (ret == 0)
			r->runs++;
		else if (r->message[0] == '\0')
			snprintf(r->message, sizeof(r->message), "%s", strerror(-ret));
	}
}

/* Runs what was asked for. Returns the exit status. */
static int
cases_run(const struct bench_options *o, const struct bench_case *cases, size_t n_cases)
{
	struct bench_result *results = calloc(n_cases, sizeof(*results));
	struct bench_figure *figures = NULL;
	size_t n = 0, n_figures = 0;
	size_t skipped = 0;
	int failed = 0, ret = 0;

	if (results == NULL)
		return 1;
	if (o->merge_file != NULL)
		ret = figures_read(o->merge_file, &figures, &n_figures);
	if (ret != 0)
		fprintf(stderr, "netmap-bench: %s: %s\n", o->merge_file, strerror(-ret));
	report_head(o);
	for (size_t i = 0; i < n_cases; i++) {
		if (!case_wanted(&cases[i], o))
			continue;
		case_run(&cases[i], o, &results[n]);
		failed |= results[n].message[0] != '\0' && !results[n].skipped;
		skipped += results[n].skipped;
		report_case(&results[n++]);
	}
	report_figures(figures, n_figures);
	report_targets(results, n, figures, n_figures);
	if (o->json_file != NULL) {
		ret = report_json(o, results, n, figures, n_figures);
		if (ret != 0)
			fprintf(stderr, "netmap-bench: %s: cannot write\n", o->json_file);
	}
	if (n == 0)
		fprintf(stderr, "netmap-bench: no case has such a name\n");
	free(figures);
	free(results);
	if (n > 0 && skipped == n && ret == 0)
		return STATUS_SKIPPED;
	return failed || ret != 0 || n == 0;
}

static int
trip_print(const struct bench_options *o)
{
	double ns = cores_round_trip_ns(o->cores.tx[0], o->cores.rx);

	if (ns < 0)
		return 1;
	printf("%.0f %s\n", ns, cores_distance_name(cores_distance(ns, ns)));
	return 0;
}

static int
cases_list(const struct bench_options *o, const struct bench_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (case_wanted(&cases[i], o))
			printf("%s\n", cases[i].name);
	return 0;
}

/* Reads one option. Returns 0, or -1 if it is wrong. */
static int
option_take(struct bench_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'l':
		o->list = true;
		return 0;
	case 'q':
		o->quick = true;
		return 0;
	case 'b':
		o->bare_only = true;
		return 0;
	case 'j':
		o->json_file = arg;
		return 0;
	case 'm':
		o->merge_file = arg;
		return 0;
	case 's':
		o->seconds = atof(arg);
		return o->seconds >= 0.05 && o->seconds <= 600 ? 0 : -1;
	case 'r':
		o->runs = (unsigned int)atoi(arg);
		return o->runs >= 1 && o->runs <= BENCH_RUNS_MAX ? 0 : -1;
	case 'c':
		return cores_parse(arg, &o->cores);
	default:
		return -1;
	}
}

int
main(int argc, char **argv)
{
	struct bench_options o = { 0 };
	struct bench_case *cases;
	bool trip = false;
	size_t n;
	int opt, ret;

	ret = cores_choose(&o.cores);
	while ((opt = getopt_long(argc, argv, "lqbts:r:c:j:m:h", long_options, NULL)) != -1) {
		if (opt == 't') {
			trip = true;
			continue;
		}
		if (opt == 'h') {
			fputs(usage_text, stdout);
			return 0;
		}
		if (option_take(&o, opt, optarg) != 0) {
			fputs(usage_text, stderr);
			return 2;
		}
	}
	if (ret != 0 && !o.list) {
		fprintf(stderr, "netmap-bench: needs two CPUs: %s\n", strerror(-ret));
		return STATUS_SKIPPED;
	}
	if (o.seconds == 0)
		o.seconds = o.quick ? 0.25 : 0.4;
	if (o.runs == 0)
		o.runs = o.quick ? 2 : 3;
	o.patterns = argv + optind;
	o.n_patterns = argc - optind;
	if (trip)
		return trip_print(&o);
	cases = bench_cases(&n);
	if (cases == NULL)
		return 1;
	ret = o.list ? cases_list(&o, cases, n) : cases_run(&o, cases, n);
	free(cases);
	return ret;
}
