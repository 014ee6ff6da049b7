/* SPDX-License-Identifier: BSD-2-Clause */
/* The table on standard output. Rates are in Mpps, times in microseconds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

#define NAME		30
#define COLUMN		10
#define DISTURBED_SHARE	0.93

enum cores_distance
result_distance(const struct bench_result *r, unsigned int *used)
{
	enum cores_distance d = r->runs > 0 ? r->run[0].distance : CORES_MIXED;
	unsigned int near = 0;

	for (unsigned int i = 0; i < r->runs; i++) {
		near += r->run[i].distance == CORES_NEAR;
		if (r->run[i].distance != d)
			d = CORES_MIXED;
	}
	*used = near > 0 ? near : r->runs;
	return near > 0 ? CORES_NEAR : d;
}

bool
run_disturbed(const struct bench_case *c, const struct bench_run *run)
{
	return (c->kind == BENCH_RATE || c->kind == BENCH_MONITOR || c->kind == BENCH_NIC) && c->wait == BENCH_BUSY && c->senders == 1 &&
	    run->value[METRIC_CPU_SHARE] < DISTURBED_SHARE;
}

double
result_median(const struct bench_result *r, enum bench_metric m)
{
	double v[BENCH_RUNS_MAX];
	unsigned int used;
	enum cores_distance d = result_distance(r, &used);
	size_t n = 0;

	for (unsigned int i = 0; i < r->runs; i++)
		if ((d != CORES_NEAR || r->run[i].distance == CORES_NEAR) && !isnan(r->run[i].value[m]))
			v[n++] = r->run[i].value[m];
	return n > 0 ? stats_median(v, n) : (double)NAN;
}

/* A column of the table; the metric's value is multiplied by scale. */
struct column {
	const char *title;
	enum bench_metric metric;
	double scale;
	const char *format;
};

static const struct column rate_columns[] = {
	{ "Mpps", METRIC_RX_PPS, 1e-6, "%.2f" },
	{ "sent", METRIC_TX_PPS, 1e-6, "%.2f" },
	{ "lost %", METRIC_LOSS, 100, "%.1f" },
	{ "bare", METRIC_BARE, 1e-6, "%.2f" },
	{ "ratio", METRIC_RATIO, 1, "%.2f" },
	{ "tx ns/pkt", METRIC_TX_CPU_NS, 1, "%.1f" },
	{ "rx ns/pkt", METRIC_RX_CPU_NS, 1, "%.1f" },
	{ .title = NULL },
};

static const struct column monitor_columns[] = {
	{ "Mpps", METRIC_RX_PPS, 1e-6, "%.2f" },
	{ "without", METRIC_BARE, 1e-6, "%.2f" },
	{ "ratio", METRIC_RATIO, 1, "%.3f" },
	{ "seen", METRIC_SECOND, 1e-6, "%.2f" },
	{ "tx ns/pkt", METRIC_TX_CPU_NS, 1, "%.1f" },
	{ "rx ns/pkt", METRIC_RX_CPU_NS, 1, "%.1f" },
	{ .title = NULL },
};

static const struct column time_columns[] = {
	{ "p50 us", METRIC_P50_NS, 1e-3, "%.2f" },
	{ "p99 us", METRIC_P99_NS, 1e-3, "%.2f" },
	{ "max us", METRIC_MAX_NS, 1e-3, "%.2f" },
	{ "bare us", METRIC_BARE, 1e-3, "%.2f" },
	{ "ratio", METRIC_RATIO, 1, "%.2f" },
	{ "cpu %", METRIC_CPU_SHARE, 100, "%.2f" },
	{ .title = NULL },
};

static const struct column driver_columns[] = {
	{ "Mpps", METRIC_RX_PPS, 1e-6, "%.3f" },
	{ "sent", METRIC_TX_PPS, 1e-6, "%.3f" },
	{ "bare", METRIC_BARE, 1e-6, "%.3f" },
	{ "ratio", METRIC_RATIO, 1, "%.2f" },
	{ "mmsg", METRIC_SECOND, 1e-6, "%.3f" },
	{ "ratio", METRIC_SECOND_RATIO, 1, "%.2f" },
	{ "tx ns/pkt", METRIC_TX_CPU_NS, 1, "%.0f" },
	{ .title = NULL },
};

static const struct column veth_columns[] = {
	{ "Mpps", METRIC_RX_PPS, 1e-6, "%.3f" },
	{ "sent", METRIC_TX_PPS, 1e-6, "%.3f" },
	{ "pipe", METRIC_BARE, 1e-6, "%.3f" },
	{ "ratio", METRIC_RATIO, 1, "%.3f" },
	{ "AF_XDP", METRIC_SECOND, 1e-6, "%.3f" },
	{ "ratio", METRIC_SECOND_RATIO, 1, "%.2f" },
	{ .title = NULL },
};

static const struct column forward_columns[] = {
	{ "Mpps", METRIC_RX_PPS, 1e-6, "%.3f" },
	{ "sent", METRIC_TX_PPS, 1e-6, "%.3f" },
	{ "lost %", METRIC_LOSS, 100, "%.1f" },
	{ "Linux br.", METRIC_BARE, 1e-6, "%.3f" },
	{ "ratio", METRIC_RATIO, 1, "%.2f" },
	{ .title = NULL },
};

static const struct column stream_columns[] = {
	{ "Gbit/s", METRIC_BPS, 1e-9, "%.2f" },
	{ "without", METRIC_BARE, 1e-9, "%.2f" },
	{ "ratio", METRIC_RATIO, 1, "%.2f" },
	{ .title = NULL },
};

static const struct column *
case_columns(const struct bench_case *c)
{
	switch (c->kind) {
	case BENCH_RATE:
		return rate_columns;
	case BENCH_MONITOR:
		return monitor_columns;
	case BENCH_NIC:
		return c->path == BENCH_VETH ? veth_columns : driver_columns;
	case BENCH_FORWARD:
		return forward_columns;
	case BENCH_STREAM:
		return stream_columns;
	default:
		return time_columns;
	}
}

static void
column_print(const struct bench_result *r, const struct column *col)
{
	double v = result_median(r, col->metric);
	char text[32] = "-";

	if (!isnan(v))
		snprintf(text, sizeof(text), col->format, v * col->scale);
	printf(" %*s", COLUMN, text);
}

static void
columns_head(const struct column *columns)
{
	printf("\n%-*s", NAME, "case");
	for (const struct column *col = columns; col->title != NULL; col++)
		printf(" %*s", COLUMN, col->title);
	printf("  cores\n");
}

void
report_head(const struct bench_options *o)
{
	printf("receiver on CPU %d, senders on %d and %d; %.2g s a run, %u runs; medians\n", o->cores.rx,
	    o->cores.tx[0], o->cores.tx[1], o->seconds, o->runs);
	printf("cores: near if a cache line's round trip takes less than %d ns, and the runs that count\n",
	    CORES_NEAR_NS);
	printf("disturbed: other programs took more than %.0f %% of a CPU meanwhile; such a run is tried again once\n",
	    100 * (1 - DISTURBED_SHARE));
	if (o->cores.tx[0] == o->cores.tx[1])
		printf("two senders (2tx) share one CPU here\n");
}

void
report_case(const struct bench_result *r)
{
	static const struct column *last;
	const struct column *columns = case_columns(r->c);
	unsigned int used, disturbed = 0;
	const char *distance = cores_distance_name(result_distance(r, &used));

	if (columns != last)
		columns_head(columns);
	last = columns;
	printf("%-*s", NAME, r->c->name);
	if (r->message[0] != '\0') {
		printf("  %s: %s\n", r->skipped ? "skipped" : "failed", r->message);
		goto out;
	}
	for (const struct column *col = columns; col->title != NULL; col++)
		column_print(r, col);
	printf("  %s %u/%u", distance, used, r->runs);
	for (unsigned int i = 0; i < r->runs; i++)
		disturbed += run_disturbed(r->c, &r->run[i]);
	if (disturbed > 0)
		printf(" disturbed %u/%u", disturbed, r->runs);
	if (r->runs > 0 && r->run[r->runs - 1].note[0] != '\0')
		printf("  (%s)", r->run[r->runs - 1].note);
	printf("\n");
out:
	fflush(stdout);
}

void
report_figures(const struct bench_figure *figures, size_t n)
{
	if (n > 0)
		printf("\n%-*s %*s  unit\n", NAME, "measured beside it", COLUMN, "value");
	for (size_t i = 0; i < n; i++) {
		const struct bench_figure *f = &figures[i];

		if (isnan(f->value))
			printf("%-*s  skipped: %s\n", NAME, f->name, f->note);
		else
			printf("%-*s %*.2f  %-8s %s\n", NAME, f->name, COLUMN, f->value, f->unit, f->note);
	}
}

/* A target is met if a / b (or a alone, with no b) is at least, or at most, its bound. */
struct target {
	const char *what;
	const char *a, *b;	/* names of cases or figures */
	enum bench_metric metric;
	double scale;
	bool at_most;
	double bound;
	const char *unit;
};

static const struct target targets[] = {
	{ "pipe, 60 B, over bare loop", "pipe/60/b256/1tx/touched", NULL, METRIC_RATIO, 1, false, 0.8, "" },
	{ "VALE, 60 B, over bare loop", "vale/60/b256/1tx/touched", NULL, METRIC_RATIO, 1, false, 0.8, "" },
	{ "VALE, 1500 B, over bare loop", "vale/1500/b256/1tx/touched", NULL, METRIC_RATIO, 1, false, 0.8, "" },
	{ "VALE, 60 B, over memif", "vale/60/b256/1tx/touched", "memif/64", METRIC_RX_PPS, 1e-6, false, 2, "" },
	{ "VALE, 1500 B, over memif", "vale/1500/b256/1tx/touched", "memif/1518", METRIC_RX_PPS, 1e-6, false, 1, "" },
	{ "254 ports over 2 ports", "ports/254/unicast", "ports/2/unicast", METRIC_RX_PPS, 1e-6, false, 0.9, "" },
	{ "pipe, zero-copy monitor read", "monitor/pipe/zcopy/tx/read", NULL, METRIC_RATIO, 1, false, 0.9, "" },
	{ "pipe, the same, not read", "monitor/pipe/zcopy/tx/ignored", NULL, METRIC_RATIO, 1, false, 0.9, "" },
	{ "pipe, copy monitor read", "monitor/pipe/copy/tx/read", NULL, METRIC_RATIO, 1, false, 0.5, "" },
	{ "VALE, copy monitor read", "monitor/vale/copy/tx/read", NULL, METRIC_RATIO, 1, false, 0.5, "" },
	{ "pipe, copy monitor closed", "monitor/pipe/copy/tx/closed", NULL, METRIC_RATIO, 1, false, 0.97, "" },
	{ "VALE, copy monitor closed", "monitor/vale/copy/tx/closed", NULL, METRIC_RATIO, 1, false, 0.97, "" },
	{ "wake-up, pipe, poll", "wakeup/pipe/poll", NULL, METRIC_P50_NS, 1e-3, true, 100, "us" },
	{ "wake-up, VALE, poll", "wakeup/vale/poll", NULL, METRIC_P50_NS, 1e-3, true, 100, "us" },
	{ "wake-up, VALE, mixed set", "wakeup/vale/mixed", NULL, METRIC_P50_NS, 1e-3, true, 100, "us" },
	{ "wake-up, VALE, epoll", "wakeup/vale/epoll", NULL, METRIC_P50_NS, 1e-3, true, 100, "us" },
	{ "idle receiver's CPU", "idle/vale/poll", NULL, METRIC_CPU_SHARE, 100, true, 0.5, "%" },
	{ "idle receiver's CPU, mixed", "idle/vale/mixed", NULL, METRIC_CPU_SHARE, 100, true, 0.5, "%" },
	{ "AF_XDP transmit, over bare loop", "nic/afxdp/64/b256/tx", NULL, METRIC_RATIO, 1, false, 0.95, "" },
	{ "AF_XDP receive, over bare loop", "nic/afxdp/64/b256/rx", NULL, METRIC_RATIO, 1, false, 0.95, "" },
	{ "AF_XDP, over sendmmsg, recvmmsg", "nic/afxdp/64/b256/txrx", NULL, METRIC_SECOND_RATIO, 1, false, 1, "" },
	{ "AF_PACKET tx, over bare loop", "nic/afpacket/64/b256/tx", NULL, METRIC_RATIO, 1, false, 0.95, "" },
	{ "AF_PACKET rx, over bare loop", "nic/afpacket/64/b256/rx", NULL, METRIC_RATIO, 1, false, 0.95, "" },
	{ "AF_PACKET tx, over sendmmsg", "nic/afpacket/64/b256/tx", NULL, METRIC_SECOND_RATIO, 1, false, 1, "" },
	{ "AF_PACKET rx, over recvmmsg", "nic/afpacket/64/b256/rx", NULL, METRIC_SECOND_RATIO, 1, false, 1, "" },
	{ "native veth, over pipe", "nic/veth/64/b256", NULL, METRIC_RATIO, 1, false, 0.8, "" },
	{ "bridge(8), over Linux bridge", "nic/forward/bridge/64", NULL, METRIC_RATIO, 1, false, 1.5, "" },
	{ "VALE, over Linux bridge", "nic/forward/vale/64", NULL, METRIC_RATIO, 1, false, 1.5, "" },
	{ "host rings, TCP, over none", "host/iperf3", NULL, METRIC_RATIO, 1, false, 0.5, "" },
	{ "engine alone, VALE", "engine/vale", NULL, METRICS, 1, true, 20, "ns" },
	{ "engine alone, empty switch", "engine/empty", NULL, METRICS, 1, true, 10, "ns" },
	{ "segmentation, over plain VALE", "vnet/tso", "vnet/plain", METRICS, 1, false, 0.5, "" },
	{ "engine alone, pipe", "engine/pipe", NULL, METRICS, 1, true, 15, "ns" },
};

static double
value_find(const struct target *t, const char *name, const struct bench_result *results, size_t n,
    const struct bench_figure *figures, size_t n_figures)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(results[i].c->name, name) == 0 && results[i].message[0] == '\0')
			return result_median(&results[i], t->metric) * t->scale;
	for (size_t i = 0; i < n_figures; i++)
		if (strcmp(figures[i].name, name) == 0)
			return figures[i].value;
	return (double)NAN;
}

void
report_targets(const struct bench_result *results, size_t n, const struct bench_figure *figures, size_t n_figures)
{
	bool head = false;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct target *t = &targets[i];
		double v = value_find(t, t->a, results, n, figures, n_figures);
		char reached[24];

		if (t->b != NULL)
			v /= value_find(t, t->b, results, n, figures, n_figures);
		if (isnan(v))
			continue;
		if (!head)
			printf("\n%-32s %12s %12s\n", "target", "wanted", "reached");
		head = true;
		snprintf(reached, sizeof(reached), "%.2f %s", v, t->unit);
		printf("%-32s %s %7.2f %-2s %12s %s\n", t->what, t->at_most ? "<=" : ">=", t->bound, t->unit,
		    reached, (t->at_most ? v <= t->bound : v >= t->bound) ? "met" : "MISSED");
	}
	fflush(stdout);
}
