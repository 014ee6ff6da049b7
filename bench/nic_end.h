/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of a measurement over interfaces: a sender and a receiver, each
 * in a namespace and on a CPU of its own, each through netmap or a bare loop.
 */
#ifndef BENCH_NIC_END_H
#define BENCH_NIC_END_H

#include "bare_nic.h"
#include "bed.h"
#include "bench.h"
#include "instance.h"
#include "rate.h"

enum nic_means {
	NIC_NETMAP,
	NIC_XDP,	/* bare_xdp.c, and so on */
	NIC_PACKET,
	NIC_MMSG,
};

struct nic_link {
	const struct bench_case *c;
	const struct bench_options *o;
	struct bed *bed;
	struct bed_end tx, rx;
	enum nic_means tx_means, rx_means;
	enum bare_xdp_mode xdp_mode;	/* of a bare receiver */
	bool block;			/* a bare receiver sleeps while nothing comes */
	const char *ask;		/* port whose mode to ask for while packets move; NULL: none */
	char mode[INSTANCE_MODE_MAX];	/* the answer */
};

/*
 * Measures one direction of one link. Returns 0, or -errno with the reason in
 * link->bed->message. That nothing arrives is a failure.
 */
int nic_link_measure(struct nic_link *link, struct rate *rate);

#endif
