/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a wait may take in all, over any number of rounds. The clock is first looked at when there is
 * something to wait for.
 */
#ifndef LIBNETMAP_TIMEOUT_H
#define LIBNETMAP_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC	1000000000L
#define TIMEOUT_LONG	(INT64_MAX / NSEC_PER_SEC / 2)	/* seconds that are as good as forever */

struct timeout {
	bool forever, started;
	int64_t ns;		/* what was asked for; 0: do not wait */
	int64_t end;		/* CLOCK_MONOTONIC, once started */
};

static inline int64_t
timeout_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* In milliseconds; negative: forever. */
static inline struct timeout
timeout_ms(int ms)
{
	return (struct timeout){ .forever = ms < 0, .ns = ms * 1000000LL };
}

/* NULL: forever. ts must be valid. */
static inline struct timeout
timeout_ts(const struct timespec *ts)
{
	if (!ts || ts->tv_sec > TIMEOUT_LONG)
		return (struct timeout){ .forever = true };
	return (struct timeout){ .ns = ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec };
}

static inline bool
timeout_ts_valid(const struct timespec *ts)
{
	return !ts || (ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < NSEC_PER_SEC);
}

static inline void
timeout_start(struct timeout *t)
{
	if (!t->started && !t->forever && t->ns) {
		t->started = true;
		t->end = timeout_now() + t->ns;
	}
}

/* What is left, as the argument of a waiting call: NULL for forever, else out. */
static inline struct timespec *
timeout_left(struct timeout *t, struct timespec *out)
{
	int64_t left = t->ns;

	if (t->forever)
		return NULL;
	timeout_start(t);
	if (t->started)
		left = t->end - timeout_now();
	if (left < 0)
		left = 0;
	out->tv_sec = left / NSEC_PER_SEC;
	out->tv_nsec = left % NSEC_PER_SEC;
	return out;
}

static inline bool
timeout_over(struct timeout *t)
{
	struct timespec left;

	return timeout_left(t, &left) && !left.tv_sec && !left.tv_nsec;
}

#endif /* LIBNETMAP_TIMEOUT_H */
