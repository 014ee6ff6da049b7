/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of bridge. */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stdbool.h>
#include <stdio.h>

#define BURST_DEFAULT	1024
#define BURST_MAX	8192
#define WAIT_DEFAULT	4
#define WAIT_MAX	100

struct bridge_options {
	const char *port[2];	/* as typed; port[1] NULL: the host rings of port[0], or loopback */
	unsigned burst;		/* slots moved for one ring pair before the other direction has its turn */
	int wait;		/* seconds, -1: WAIT_DEFAULT where there are links */
	bool copy;
	bool loopback;
	unsigned verbose;
};

/* Returns 0; 1 if only help was asked for, printed to out; -EINVAL after a message on err. */
int bridge_options_parse(struct bridge_options *o, int argc, char *const argv[], FILE *out, FILE *err);

#endif
