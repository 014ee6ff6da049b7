/* SPDX-License-Identifier: BSD-2-Clause */
/* What a case of the benchmark is, what a run of it yields, and who runs it. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cores.h"

#define BENCH_NAME_MAX		48
#define BENCH_MESSAGE_MAX	160
#define BENCH_NOTE_MAX		96
#define BENCH_RUNS_MAX		32
#define BENCH_HEADER_LEN	14

/* What a case returns that cannot run here: the message says why. */
#define BENCH_SKIPPED		1

enum bench_kind {
	BENCH_RATE,	/* packets a second at the receiver */
	BENCH_PINGPONG,	/* round trip of one packet */
	BENCH_WAKEUP,	/* from before the send to after the return of a blocked receiver's wait */
	BENCH_IDLE,	/* CPU use of a receiver that waits and gets nothing */
	BENCH_MONITOR,	/* packets a second through a port that is monitored */
	BENCH_NIC,	/* packets a second from one end of a veth pair to the other */
	BENCH_FORWARD,	/* packets a second through a namespace between two veth pairs */
	BENCH_STREAM,	/* bits a second of a TCP connection */
};

enum bench_path {
	BENCH_PIPE,
	BENCH_VALE,
	BENCH_AFXDP,		/* an interface by AF_XDP, native mode */
	BENCH_AFXDP_GENERIC,
	BENCH_AFPACKET,		/* by packet sockets */
	BENCH_VETH,		/* both ends of a veth pair, joined */
	BENCH_BRIDGE,		/* bridge(8) */
};

enum bench_wait {
	BENCH_BUSY,	/* NIOCRXSYNC in a loop */
	BENCH_POLL,	/* poll() on the netmap descriptor alone */
	BENCH_MIXED,	/* poll() on it and on an eventfd */
	BENCH_EPOLL,	/* epoll_wait(), the netmap descriptor being the only one in the set */
};

/* What there is of a monitor while its port is in use. */
enum bench_watch {
	WATCH_READ,	/* its program reads as fast as it can */
	WATCH_APART,	/* the same, on a CPU that it has for itself, while both ends share the other one */
	WATCH_IGNORE,	/* its program has it open and does not look */
	WATCH_CLOSED,	/* it was open, and was closed before the port is measured */
};

struct bench_case {
	char name[BENCH_NAME_MAX];
	enum bench_kind kind;
	enum bench_path path;
	enum bench_wait wait;
	bool touch;		/* as in the bare loop */
	bool broadcast;
	bool netmap_tx, netmap_rx;	/* BENCH_NIC: which ends are netmap's */
	bool quick;		/* also in a --quick run */
	unsigned int len;	/* bytes */
	unsigned int batch;
	unsigned int slots;
	unsigned int senders;
	unsigned int ports;	/* on the switch, idle ones included */
	enum bench_watch watch;	/* BENCH_MONITOR */
	bool watch_copy;	/* ... by a copy monitor */
	bool watch_rx;		/* ... of the receiver's port, not of the sender's */
	unsigned int pace;	/* packets a second that the sender offers; 0: all it can */
};

/* One measurement; what does not apply is NAN. The order is that of metric_keys[] in report_json.c. */
enum bench_metric {
	METRIC_RX_PPS,
	METRIC_TX_PPS,
	METRIC_LOSS,		/* 0..1 of what was offered */
	METRIC_TX_CPU_NS,	/* CPU time per packet sent, all senders */
	METRIC_RX_CPU_NS,	/* CPU time per packet received */
	METRIC_P50_NS,
	METRIC_P99_NS,
	METRIC_MAX_NS,
	METRIC_CPU_SHARE,	/* 0..1; rates: the least that a busy process had of its CPU; else: the receiver's use */
	METRIC_BARE,		/* the yardstick beside it: pps, ns or bits a second */
	METRIC_RATIO,		/* RX_PPS / BARE, P50_NS / BARE, or BPS / BARE */
	METRIC_SECOND,		/* BENCH_NIC: a second yardstick, pps */
	METRIC_SECOND_RATIO,	/* RX_PPS / SECOND */
	METRIC_BPS,		/* BENCH_STREAM */
	METRIC_TRIP_BEFORE_NS,
	METRIC_TRIP_AFTER_NS,
	METRICS
};

struct bench_run {
	double value[METRICS];
	enum cores_distance distance;
	char note[BENCH_NOTE_MAX];	/* how the ports ran; may be empty */
};

struct bench_result {
	const struct bench_case *c;
	unsigned int runs;
	struct bench_run run[BENCH_RUNS_MAX];
	bool skipped;				/* with a message: it cannot run here */
	char message[BENCH_MESSAGE_MAX];	/* not empty: the case failed, and why */
};

struct bench_options {
	double seconds;		/* of each run */
	unsigned int runs;
	bool quick;
	bool bare_only;
	bool list;
	struct cores cores;
	const char *json_file;
	const char *merge_file;
	char *const *patterns;	/* of case names; none: all */
	int n_patterns;
};

/* cases.c: all cases in the order of the report; freed by the caller. NULL without memory. */
struct bench_case *bench_cases(size_t *n);

/*
 * One measurement of a case through the public API. Returns 0, or -errno with
 * the reason in message (BENCH_MESSAGE_MAX bytes).
 */
int bench_rate_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);
int bench_latency_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);
int bench_monitor_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);

/*
 * The same of cases that need interfaces (root, and programs as ip), with
 * their yardsticks: METRIC_BARE and METRIC_SECOND. BENCH_SKIPPED is possible.
 */
int bench_nic_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);
int bench_forward_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);
int bench_stream_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message);

/* Does a case need interfaces? */
static inline bool
case_on_interfaces(const struct bench_case *c)
{
	return c->kind >= BENCH_NIC;
}

/* The yardstick of another case: stores METRIC_BARE. Returns 0 or -errno. */
int bench_bare_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run);

/* The yardstick of a monitored port: the same without the monitor. Stores METRIC_BARE. */
int bench_unmonitored_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run);

/* True if busy processes with CPUs of their own did not have them for themselves in that run. */
bool run_disturbed(const struct bench_case *c, const struct bench_run *run);

/* Median of a metric over the runs that count; NAN if none has it. */
double result_median(const struct bench_result *r, enum bench_metric m);

/*
 * Which runs count: the near ones if there are any, else all. Stores how many
 * in *used and returns their common distance.
 */
enum cores_distance result_distance(const struct bench_result *r, unsigned int *used);

/* report.c. The table's lines are printed as the results come. */
void report_head(const struct bench_options *o);
void report_case(const struct bench_result *r);

/* A figure that somebody else measured (a peer, the engine alone), one line of the --merge file. */
struct bench_figure {
	char name[BENCH_NAME_MAX];
	char unit[16];
	double value;
	char note[BENCH_MESSAGE_MAX];	/* its distance, or why it was skipped (value is NAN then) */
};

void report_figures(const struct bench_figure *figures, size_t n);

/* The targets that the results are held against, with what was reached. */
void report_targets(const struct bench_result *results, size_t n, const struct bench_figure *figures,
    size_t n_figures);

/* report_json.c. Reads lines {"name", "value", "unit", "cores"} or {"name", "skipped"}; returns -errno or 0. */
int figures_read(const char *file, struct bench_figure **figures, size_t *n);
int report_json(const struct bench_options *o, const struct bench_result *results, size_t n,
    const struct bench_figure *figures, size_t n_figures);

#endif
