/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of pkt-gen, read and checked. */
#ifndef PKT_GEN_OPTIONS_H
#define PKT_GEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "addresses.h"

enum pkt_gen_mode { MODE_RX, MODE_TX, MODE_PING, MODE_PONG, MODE_TXSEQ, MODE_RXSEQ };

/* Bits of -o. */
enum option_bits {
	OPT_PREFETCH = 1,	/* prefetch the next buffer */
	OPT_ACCESS = 2,		/* rx: read a word of each packet */
	OPT_COPY = 4,		/* tx: write each packet anew; rx: copy each packet out */
	OPT_MEMCPY = 8,		/* copy with memcpy() */
	OPT_TIMESTAMP = 16,	/* tx: number and time in the payload; rx: ask the port for time stamps */
	OPT_INDIRECT = 32,
	OPT_DUMP = 64,
	OPT_RUBBISH = 256,
	OPT_RANDOM_SRC = 512,
	OPT_RANDOM_DST = 1024,
	OPT_PPS_STATS = 2048,
	OPT_CHECKSUM = 4096,	/* accepted; checksums are always right */
	OPT_ALL = 8191 & ~128,
};

#define FRAME_LEN_MIN		16
#define FRAME_LEN_MAX		65536
#define FRAGS_MAX		63	/* of -F; a packet may not take more than 64 slots */
#define BURST_DEFAULT		512
#define THREADS_MAX		256

struct options {
	const char *port;		/* as typed */
	enum pkt_gen_mode mode;
	uint64_t count;			/* packets, 0: no end */
	unsigned len_min, len_max;	/* bytes of a frame, without vnet header and CRC */
	unsigned burst;			/* packets */
	bool burst_given;
	int family;			/* 4 or 6 */
	struct ip_range src, dst;
	struct mac_range src_mac, dst_mac;
	bool src_mac_given;
	int cpu_first;			/* -1: no affinity */
	unsigned cpus;			/* 0: all */
	unsigned threads;
	unsigned report_ms;
	int link_wait;			/* seconds, -1: the port's default */
	uint64_t rate;			/* packets a second over all threads, 0: as fast as it goes */
	int vnet_len;			/* 0, 10, 12; -1: as the port has it */
	const char *payload_file;
	unsigned frags;			/* 0: as many slots as the frame needs */
	unsigned frag_size;		/* bytes, 0: a buffer */
	bool exit_when_idle;
	bool raw_units;
	bool count_framing;
	unsigned verbose;
	uint32_t bits;			/* enum option_bits */
	unsigned tx_slots, rx_slots, tx_rings, rx_rings;	/* 0: the port's */
};

/*
 * Fills o from the command line, defaults included. Strings stay those of argv. Returns 0; 1 if only help was
 * asked for, which was printed to out; -EINVAL after a message on err.
 */
int options_parse(struct options *o, int argc, char *const argv[], FILE *out, FILE *err);

static inline bool options_is_sender(const struct options *o)
{
	return o->mode == MODE_TX || o->mode == MODE_TXSEQ || o->mode == MODE_PING;
}

#endif
