/* SPDX-License-Identifier: BSD-2-Clause */
/* Checking the sequence numbers of txseq. Numbers may wrap. */
#ifndef PKT_GEN_SEQUENCE_H
#define PKT_GEN_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sequence_check {
	bool started;
	uint32_t expected;	/* the next number */
	uint64_t in_order;
	uint64_t gaps;		/* how often numbers were left out */
	uint64_t missing;	/* numbers left out and not seen later */
	uint64_t late;		/* numbers before the expected one: reordered or duplicate */
	uint64_t foreign;	/* frames without a number */
};

enum sequence_verdict { SEQUENCE_GOOD, SEQUENCE_GAP, SEQUENCE_LATE };

/*
 * Takes a number. *distance is how far it is from the expected one. The first number of all is always good.
 */
enum sequence_verdict sequence_take(struct sequence_check *s, uint32_t number, uint32_t *distance);

/*
 * Takes a frame, without its vnet header, and tells on out what is wrong with it if verbose or among the
 * first few.
 */
void sequence_take_frame(struct sequence_check *s, const uint8_t *frame, unsigned len, bool verbose,
			 FILE *out);

/* The summary. */
void sequence_print(const struct sequence_check *s, FILE *out);

#endif
