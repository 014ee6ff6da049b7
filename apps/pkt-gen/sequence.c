/* SPDX-License-Identifier: BSD-2-Clause */
/* Checking the sequence numbers of txseq. */
#include "frame.h"
#include "sequence.h"

#define MESSAGES_MAX 10		/* without -v */

enum sequence_verdict sequence_take(struct sequence_check *s, uint32_t number, uint32_t *distance)
{
	uint32_t ahead = number - s->expected;

	*distance = 0;
	if (!s->started || ahead == 0) {
		s->started = true;
		s->expected = number + 1;
		s->in_order++;
		return SEQUENCE_GOOD;
	}
	if (ahead <= INT32_MAX) {
		*distance = ahead;
		s->gaps++;
		s->missing += ahead;
		s->expected = number + 1;
		return SEQUENCE_GAP;
	}
	*distance = s->expected - number;
	s->late++;
	if (s->missing)
		s->missing--;
	return SEQUENCE_LATE;
}

void sequence_take_frame(struct sequence_check *s, const uint8_t *frame, unsigned len, bool verbose,
			 FILE *out)
{
	unsigned ofs = frame_udp_payload(frame, len);
	uint32_t expected = s->expected, number, distance;
	enum sequence_verdict verdict;

	if (ofs == 0 || len - ofs < STAMP_SEQUENCE_LEN) {
		s->foreign++;
		return;
	}
	number = be32_load(frame + ofs);
	verdict = sequence_take(s, number, &distance);
	if (verdict == SEQUENCE_GOOD || (!verbose && s->gaps + s->late > MESSAGES_MAX))
		return;
	if (verdict == SEQUENCE_GAP)
		fprintf(out, "sequence: %u instead of %u, %u missing\n", number, expected, distance);
	else
		fprintf(out, "sequence: %u after %u, late or twice\n", number, expected - 1);
}

void sequence_print(const struct sequence_check *s, FILE *out)
{
	fprintf(out,
		"Sequence: %llu in order, %llu gaps (%llu packets missing), %llu late or twice, "
		"%llu without a number.\n",
		(unsigned long long)s->in_order, (unsigned long long)s->gaps, (unsigned long long)s->missing,
		(unsigned long long)s->late, (unsigned long long)s->foreign);
}
