/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates through a namespace in the middle of two veth pairs, with bare AF_XDP
 * loops at the ends: a Linux bridge there is the yardstick for bridge(8) and
 * for a VALE switch with both interfaces attached.
 *
 *	sender nmbtx --- nmb0 [middle] nmb1 --- nmbrx receiver
 *
 * The receiver sleeps while nothing comes, so that its CPU is free for those
 * in the middle; the Linux bridge runs on the sender's.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "bench.h"
#include "clock.h"
#include "nic_end.h"
#include "port.h"

#define SPACE_TX	0
#define SPACE_MIDDLE	1
#define SPACE_RX	2
#define STATION_MIDDLE	32	/* and 33 */

#define PORT_A		"nmb0"
#define PORT_B		"nmb1"
#define OPEN_NS		5000000000ull
#define TICK_NS		5000000ull

static int
links_make(struct bed *bed, const struct nic_link *link)
{
	const struct bed_end a = { SPACE_MIDDLE, PORT_A, STATION_MIDDLE };
	const struct bed_end b = { SPACE_MIDDLE, PORT_B, STATION_MIDDLE + 1 };
	int ret = bed_make(bed, 3);

	if (ret == 0)
		ret = bed_veth(bed, &link->tx, &a);
	return ret == 0 ? bed_veth(bed, &b, &link->rx) : ret;
}

static int
linux_bridge_run(struct nic_link *link, double *pps)
{
	struct rate rate;
	/* As fast as it can be: where br_netfilter is there, it would show each packet to the firewall. */
	int ret = bed_run(link->bed, SPACE_MIDDLE, "ip link add nmbbr type bridge stp_state 0 && "
	    "for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done && "
	    "ip link set " PORT_A " master nmbbr && ip link set " PORT_B " master nmbbr && "
	    "ip link set nmbbr up");

	if (ret != 0)
		return ret;
	ret = nic_link_measure(link, &rate);
	if (ret == 0) {
		*pps = rate.rx_pps;
		ret = bed_run(link->bed, SPACE_MIDDLE, "ip link del nmbbr");
	}
	return ret;
}

/* Until the program has opened both ports. */
static int
ports_wait(struct bed *bed, pid_t *pid, int err_fd)
{
	uint64_t give_up = clock_ns() + OPEN_NS;
	char mode[INSTANCE_MODE_MAX];

	while (instance_port_mode(PORT_A, mode) != 0 || instance_port_mode(PORT_B, mode) != 0) {
		if (bed_ended(bed, pid, err_fd))
			return -ECHILD;
		if (clock_ns() > give_up) {
			snprintf(bed->message, sizeof(bed->message), "bridge does not open its ports");
			return -ETIMEDOUT;
		}
		clock_sleep_ns(TICK_NS);
	}
	return 0;
}

static int
bridge_run(struct nic_link *link, struct rate *rate)
{
	const struct cores *cores = &link->o->cores;
	const int cpu = cores->tx[1] != cores->tx[0] ? cores->tx[1] : cores->rx;
	char program[PATH_MAX];
	char *argv[] = {
		program, (char *)"-w", (char *)"0", (char *)"-i", (char *)"netmap:" PORT_A,
		(char *)"-i", (char *)"netmap:" PORT_B, NULL,
	};
	int err_fd = -1, ret;
	pid_t pid;

	bed_program(program, sizeof(program), "apps/bridge/bridge");
	pid = bed_spawn(link->bed, SPACE_MIDDLE, cpu, argv, &err_fd);
	if (pid < 0)
		return pid;
	ret = ports_wait(link->bed, &pid, err_fd);
	if (ret == 0)
		ret = nic_link_measure(link, rate);
	bed_stop(pid, err_fd);
	return ret;
}

static int
vale_run(struct nic_link *link, struct rate *rate)
{
	char program[PATH_MAX];
	int ret;

	bed_program(program, sizeof(program), "apps/vale-ctl/vale-ctl");
	ret = bed_run(link->bed, SPACE_MIDDLE, "%s -a valebench:" PORT_A " && %s -a valebench:" PORT_B, program,
	    program);
	return ret == 0 ? nic_link_measure(link, rate) : ret;
}

static int
netmap_run(struct nic_link *link, struct bench_run *run)
{
	struct instance in;
	struct rate rate;
	int ret = instance_start(&in, link->bed, NULL, false);

	if (ret != 0)
		return ret;
	link->ask = PORT_A;
	ret = link->c->path == BENCH_VALE ? vale_run(link, &rate) : bridge_run(link, &rate);
	if (ret == 0) {
		run->value[METRIC_RX_PPS] = rate.rx_pps;
		run->value[METRIC_TX_PPS] = rate.tx_pps;
		run->value[METRIC_LOSS] = rate.loss;
		snprintf(run->note, sizeof(run->note), "%s", link->mode);
	}
	instance_stop(&in);
	return bed_verdict(link->bed, ret);
}

int
bench_forward_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run,
    char *message)
{
	struct bed bed;
	struct nic_link link = {
		.c = c, .o = o, .bed = &bed, .tx_means = NIC_XDP, .rx_means = NIC_XDP,
		.xdp_mode = BARE_XDP_NATIVE, .block = true,
		.tx = { SPACE_TX, "nmbtx", STATION_SENDER }, .rx = { SPACE_RX, "nmbrx", STATION_RECEIVER },
	};
	int ret = links_make(&bed, &link);

	if (ret != 0)
		ret = BENCH_SKIPPED;
	else
		ret = linux_bridge_run(&link, &run->value[METRIC_BARE]);
	if (ret == 0 && !o->bare_only)
		ret = netmap_run(&link, run);
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : bed.message);
	bed_remove(&bed);
	return ret;
}
