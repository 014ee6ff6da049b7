/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP throughput between two namespaces, by iperf3, with "bridge -i IF" in
 * front of the host stack of the sending side; the yardstick is the same
 * without it. Offloads are off on both sides in either.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "instance.h"
#include "port.h"

#define SPACE_CLIENT	0
#define SPACE_SERVER	1
#define IF_CLIENT	"nmbtx"
#define IF_SERVER	"nmbrx"
#define ADDR_CLIENT	"192.0.2.1"
#define ADDR_SERVER	"192.0.2.2"

#define OFFLOADS	"tso off gso off gro off tx off rx off"
#define OPEN_NS		5000000000ull
#define CONNECT_NS	5000000000ull
#define TICK_NS		20000000ull

static int
hosts_make(struct bed *bed)
{
	const struct bed_end a = { SPACE_CLIENT, IF_CLIENT, STATION_SENDER };
	const struct bed_end b = { SPACE_SERVER, IF_SERVER, STATION_RECEIVER };
	int ret = bed_make(bed, 2);

	if (ret == 0)
		ret = bed_run(bed, SPACE_CLIENT, "iperf3 --version && ethtool --version");
	if (ret == 0)
		ret = bed_veth(bed, &a, &b);
	if (ret == 0)
		ret = bed_run(bed, SPACE_CLIENT, "ip addr add " ADDR_CLIENT "/24 dev " IF_CLIENT " && "
		    "ethtool -K " IF_CLIENT " " OFFLOADS);
	if (ret == 0)
		ret = bed_run(bed, SPACE_SERVER, "ip addr add " ADDR_SERVER "/24 dev " IF_SERVER " && "
		    "ethtool -K " IF_SERVER " " OFFLOADS);
	return ret;
}

/* What iperf3 -J printed. -ECONNREFUSED if it got no connection. */
static int
report_parse(struct bed *bed, const char *text, double *bps)
{
	json_t *root = text != NULL ? json_loads(text, 0, NULL) : NULL;
	const char *error = NULL;
	int ret = -EPROTO;

	if (json_unpack(root, "{s:s}", "error", &error) == 0) {
		snprintf(bed->message, sizeof(bed->message), "iperf3: %.140s", error);
		ret = strstr(error, "unable to connect") != NULL ? -ECONNREFUSED : -EIO;
	} else if (json_unpack(root, "{s:{s:{s:F}}}", "end", "sum_received", "bits_per_second", bps) == 0) {
		ret = 0;
	} else {
		snprintf(bed->message, sizeof(bed->message), "iperf3 gave no rate");
	}
	json_decref(root);
	return ret;
}

static int
client_run(struct bed *bed, unsigned int seconds, double *bps)
{
	uint64_t give_up = clock_ns() + CONNECT_NS;
	char *text;
	int ret;

	do {
		bed_read(bed, SPACE_CLIENT, &text, "timeout %u iperf3 -J -c " ADDR_SERVER
		    " --connect-timeout 1000 -t %u", seconds + 10, seconds);
		ret = report_parse(bed, text, bps);
		free(text);
		/* the server may not listen yet */
		if (ret == -ECONNREFUSED)
			clock_sleep_ns(TICK_NS);
	} while (ret == -ECONNREFUSED && clock_ns() < give_up);
	return ret;
}

static int
throughput_measure(struct bed *bed, double seconds, double *bps)
{
	char *argv[] = {
		(char *)"iperf3", (char *)"-s", (char *)"-1", (char *)"-B", (char *)ADDR_SERVER, NULL,
	};
	int err_fd = -1, ret;
	pid_t server = bed_spawn(bed, SPACE_SERVER, -1, argv, &err_fd);

	if (server < 0)
		return server;
	ret = client_run(bed, seconds > 1 ? (unsigned int)(seconds + 0.5) : 1, bps);
	bed_stop(server, err_fd);
	return ret;
}

/* Until the program has opened the interface and its host rings. */
static int
bridge_wait(struct bed *bed, pid_t *pid, int err_fd, struct bench_run *run)
{
	uint64_t give_up = clock_ns() + OPEN_NS;
	char mode[INSTANCE_MODE_MAX];

	while (instance_port_mode(IF_CLIENT, mode) != 0) {
		if (clock_ns() > give_up) {
			snprintf(bed->message, sizeof(bed->message), "bridge does not open " IF_CLIENT);
			return -ETIMEDOUT;
		}
		if (bed_ended(bed, pid, err_fd))
			return -ECHILD;
		clock_sleep_ns(TICK_NS);
	}
	/* the host rings come second */
	clock_sleep_ns(5 * TICK_NS);
	if (bed_ended(bed, pid, err_fd))
		return -ECHILD;
	snprintf(run->note, sizeof(run->note), "%s", mode);
	return 0;
}

static int
bridge_run(struct bed *bed, const struct bench_options *o, struct bench_run *run)
{
	char program[PATH_MAX];
	char *argv[] = { program, (char *)"-w", (char *)"0", (char *)"-i", (char *)"netmap:" IF_CLIENT, NULL };
	int err_fd = -1, ret;
	pid_t pid;

	bed_program(program, sizeof(program), "apps/bridge/bridge");
	pid = bed_spawn(bed, SPACE_CLIENT, -1, argv, &err_fd);
	if (pid < 0)
		return pid;
	ret = bridge_wait(bed, &pid, err_fd, run);
	if (ret == 0)
		ret = throughput_measure(bed, o->seconds, &run->value[METRIC_BPS]);
	bed_stop(pid, err_fd);
	return ret;
}

static int
netmap_run(struct bed *bed, const struct bench_options *o, struct bench_run *run)
{
	struct instance in;
	int ret = instance_start(&in, bed, NULL, false);

	if (ret != 0)
		return ret;
	ret = bridge_run(bed, o, run);
	instance_stop(&in);
	/* that is what the API says of host rings where there are none */
	if (ret < 0 && strstr(bed->message, strerror(EINVAL)) != NULL)
		ret = BENCH_SKIPPED;
	return bed_verdict(bed, ret);
}

int
bench_stream_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message)
{
	struct bed bed;
	int ret = hosts_make(&bed);

	if (ret != 0)
		ret = BENCH_SKIPPED;
	else
		ret = throughput_measure(&bed, o->seconds, &run->value[METRIC_BARE]);
	if (ret == 0 && !o->bare_only)
		ret = netmap_run(&bed, o, run);
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : bed.message);
	bed_remove(&bed);
	return ret;
}
