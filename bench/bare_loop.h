/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare loop: the least work that two processes can do to move packets
 * through rings and buffers in the layout of the netmap ABI. No look-up, no
 * checks, no counters, no system calls. It is the yardstick that every rate
 * of netmap-bench is divided by, so it is FROZEN: a change here makes all
 * earlier ratios meaningless. Change the harness instead.
 */
#ifndef BENCH_BARE_LOOP_H
#define BENCH_BARE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define BARE_MAX_SENDERS	2
#define BARE_BUF_SIZE		2048

enum bare_kind {
	BARE_SWAP,	/* pipe: the sender exchanges slots with the receiver */
	BARE_COPY,	/* VALE: the sender copies into the receiver's buffers */
};

struct bare_params {
	enum bare_kind kind;
	bool touch;		/* sender writes 14 header bytes, receiver reads the first word */
	unsigned int len;	/* frame length in bytes, 14..BARE_BUF_SIZE */
	unsigned int batch;	/* slots per batch, 1..slots - 1 */
	unsigned int slots;	/* per ring, a power of two */
	unsigned int senders;	/* 1..BARE_MAX_SENDERS, one ring at the receiver for each */
	int rx_cpu;
	int tx_cpu[BARE_MAX_SENDERS];
	unsigned int warmup_ms;
	unsigned int run_ms;
};

/*
 * Runs one sender process per ring and one receiver process, each pinned to
 * its CPU, and stores in *pps the packets per second that the receiver took
 * after the warm-up. Processes that share a CPU yield it when they find
 * nothing to do. Returns 0 or -errno.
 */
int bare_loop_run(const struct bare_params *p, double *pps);

#endif
