/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread that sends or receives. */
#ifndef PKT_GEN_WORKER_H
#define PKT_GEN_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common/stop.h"
#include "counters.h"
#include "device.h"
#include "frame.h"
#include "options.h"
#include "sequence.h"

/* Longest sleep of a worker; a signal wakes it earlier. */
#define WORKER_WAIT_MS 500

struct worker {
	struct counters count;

	const struct options *opt;
	struct device *dev;
	struct nmport_d *port;		/* of a netmap device, else NULL */
	unsigned id;
	uint64_t limit;			/* packets, 0: no end */
	uint64_t rate;			/* packets a second, 0: no limit */
	unsigned burst;			/* packets */
	const struct frame_file *file;	/* of -P, else NULL */

	/* Results, to be read once done is set. */
	uint64_t first_ns, last_ns;	/* of the packets; 0: there were none */
	struct sequence_check sequence;
	int error;			/* 0 or -errno, the message is out */
	bool done;			/* atomic */

	pthread_t thread;
};

/*
 * The work, by mode. They return 0, or -errno after a message, when done, or soon after stop_requested is
 * set.
 */
int sender_run(struct worker *w);
int receiver_run(struct worker *w);
int ping_run(struct worker *w);
int pong_run(struct worker *w);

#endif
