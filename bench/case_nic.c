/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates over a veth pair between two namespaces. For a driver, netmap is at
 * one end or at both, and a bare loop of the same kind at the other; the
 * yardsticks are that bare loop at both ends, and sendmmsg or recvmmsg in
 * netmap's place. For a joined pair they are the rate of a pipe, and AF_XDP
 * over the same pair.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "nic_end.h"
#include "port.h"

struct nic_driver {
	const char *name;	/* as in NETMAP_DRIVER */
	const char *word;	/* in the mode of a port that has it */
	enum nic_means bare;
	enum bare_xdp_mode xdp_mode;
};

static const struct nic_driver drivers[] = {
	[BENCH_AFXDP] = { "afxdp", "xdp", NIC_XDP, BARE_XDP_NATIVE },
	[BENCH_AFXDP_GENERIC] = { "afxdp-generic", "xdp", NIC_XDP, BARE_XDP_GENERIC },
	[BENCH_AFPACKET] = { "afpacket", "packet", NIC_PACKET, BARE_XDP_NATIVE },
};

static void
rate_store(const struct rate *rate, struct bench_run *run)
{
	run->value[METRIC_RX_PPS] = rate->rx_pps;
	run->value[METRIC_TX_PPS] = rate->tx_pps;
	run->value[METRIC_LOSS] = rate->loss;
	run->value[METRIC_RX_CPU_NS] = rate->rx_cpu_ns;
	run->value[METRIC_TX_CPU_NS] = rate->tx_cpu_ns;
	run->value[METRIC_CPU_SHARE] = rate->cpu_share;
}

/* As a metric alone. */
static int
yardstick_run(struct nic_link *link, enum nic_means tx, enum nic_means rx, double *pps)
{
	struct rate rate;
	int ret;

	link->tx_means = tx;
	link->rx_means = rx;
	link->ask = NULL;
	ret = nic_link_measure(link, &rate);
	if (ret == 0)
		*pps = rate.rx_pps;
	return ret;
}

/* Is it the mode that the bare loop has? */
static bool
mode_fits(const struct nic_driver *d, const char *mode)
{
	return strcasestr(mode, d->word) != NULL && (d->bare != NIC_XDP ||
	    (strcasestr(mode, "generic") != NULL) == (d->xdp_mode == BARE_XDP_GENERIC));
}

/* With a netmapd of its own for the time of the measurement. */
static int
netmap_run(struct nic_link *link, const struct nic_driver *d, struct bench_run *run)
{
	struct bed *bed = link->bed;
	struct instance in;
	struct rate rate;
	int ret = instance_start(&in, bed, d->name, false);

	if (ret != 0)
		return ret;
	link->tx_means = link->c->netmap_tx ? NIC_NETMAP : d->bare;
	link->rx_means = link->c->netmap_rx ? NIC_NETMAP : d->bare;
	link->ask = link->c->netmap_rx ? link->rx.ifname : link->tx.ifname;
	ret = nic_link_measure(link, &rate);
	if (ret == 0 && !mode_fits(d, link->mode)) {
		snprintf(bed->message, sizeof(bed->message), "NETMAP_DRIVER=%s: the port came up as %s", d->name,
		    link->mode);
		ret = BENCH_SKIPPED;
	}
	if (ret == 0) {
		rate_store(&rate, run);
		snprintf(run->note, sizeof(run->note), "%s", link->mode);
	}
	instance_stop(&in);
	return bed_verdict(bed, ret);
}

static int
driver_run(struct nic_link *link, struct bench_run *run)
{
	const struct bench_case *c = link->c;
	const struct nic_driver *d = &drivers[c->path];
	int ret;

	link->xdp_mode = d->xdp_mode;
	ret = yardstick_run(link, d->bare, d->bare, &run->value[METRIC_BARE]);
	if (ret == 0)
		ret = yardstick_run(link, c->netmap_tx ? NIC_MMSG : d->bare, c->netmap_rx ? NIC_MMSG : d->bare,
		    &run->value[METRIC_SECOND]);
	return ret != 0 || link->o->bare_only ? ret : netmap_run(link, d, run);
}

/* The rate of a pipe in the same instance. */
static int
pipe_run(const struct nic_link *link, double *pps)
{
	const struct bench_case pipe = {
		.kind = BENCH_RATE, .path = BENCH_PIPE, .wait = BENCH_BUSY, .len = link->c->len,
		.batch = link->c->batch, .slots = link->c->slots, .touch = true, .senders = 1, .ports = 2,
	};
	struct bench_run run = { .value = { [METRIC_CPU_SHARE] = 1 } };
	int ret = bench_rate_run(&pipe, link->o, &run, link->bed->message);

	*pps = run.value[METRIC_RX_PPS];
	return ret;
}

/* Both ends netmap's, in one instance. */
static int
pair_run(struct nic_link *link, const char *driver, bool join, double *pipe_pps, struct rate *rate)
{
	struct instance in;
	int ret = instance_start(&in, link->bed, driver, join);

	if (ret != 0)
		return ret;
	link->tx_means = link->rx_means = NIC_NETMAP;
	link->ask = link->rx.ifname;
	if (pipe_pps != NULL)
		ret = pipe_run(link, pipe_pps);
	if (ret == 0)
		ret = nic_link_measure(link, rate);
	instance_stop(&in);
	return ret;
}

static int
joined_run(struct nic_link *link, struct bench_run *run)
{
	struct rate joined, apart;
	char mode[INSTANCE_MODE_MAX] = "unavailable";
	int ret;

	if (link->o->bare_only)
		return 0;
	ret = bed_verdict(link->bed, pair_run(link, "afxdp", false, NULL, &apart));
	if (ret < 0)
		return ret;
	if (ret == 0) {
		run->value[METRIC_SECOND] = apart.rx_pps;
		snprintf(mode, sizeof(mode), "%s", link->mode);
	}
	ret = pair_run(link, NULL, true, &run->value[METRIC_BARE], &joined);
	if (ret != 0)
		return ret;
	rate_store(&joined, run);
	snprintf(run->note, sizeof(run->note), "%.40s; apart: %.40s", link->mode, mode);
	return 0;
}

int
bench_nic_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	struct bed bed;
	struct nic_link link = {
		.c = c, .o = o, .bed = &bed,
		.tx = { 0, "nmbtx", STATION_SENDER }, .rx = { 1, "nmbrx", STATION_RECEIVER },
	};
	int ret = bed_make(&bed, 2);

	if (ret == 0)
		ret = bed_veth(&bed, &link.tx, &link.rx);
	if (ret != 0)
		ret = BENCH_SKIPPED;
	else
		ret = c->path == BENCH_VETH ? joined_run(&link, run) : driver_run(&link, run);
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : bed.message);
	bed_remove(&bed);
	return ret;
}
