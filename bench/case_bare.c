/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The yardstick of each case: for rates the frozen bare loop, for a busy
 * ping-pong the round trip of a cache line, for what blocks a bare futex
 * between two processes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bare_loop.h"
#include "bench.h"
#include "clock.h"
#include "crew.h"

#define WARMUP_MS	150
#define GAP_NS		1000000ull

static int
rate_bare_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run)
{
	uint64_t start = clock_ns(), cpu = clock_children_cpu_ns();
	struct bare_params p = {
		.kind = c->path == BENCH_PIPE ? BARE_SWAP : BARE_COPY,
		.touch = c->touch,
		.len = c->len,
		.batch = c->batch,
		.slots = c->slots,
		.senders = c->senders,
		.rx_cpu = o->cores.rx,
		.tx_cpu = { o->cores.tx[0], o->cores.tx[1] },
		.warmup_ms = WARMUP_MS,
		.run_ms = (unsigned int)(o->seconds * 1000),
	};
	int ret = bare_loop_run(&p, &run->value[METRIC_BARE]);

	if (c->senders == 1)
		run->value[METRIC_CPU_SHARE] = (double)(clock_children_cpu_ns() - cpu) /
		    (2 * (double)(clock_ns() - start));
	return ret;
}

static uint32_t *
side_word(struct crew_seat *seat, unsigned int side)
{
	return &seat->shared->word[side][0];
}

/* Sleeps until the word differs from seen, the crew stops, or 100 ms went by. */
static bool
word_wait(struct crew_seat *seat, uint32_t *word, uint32_t seen)
{
	const struct timespec limit = { .tv_nsec = 100000000 };

	while (!crew_stopped(seat)) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != seen)
			return true;
		syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, NULL, 0);
	}
	return false;
}

static void
word_wake(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Answers each wake of word 0 with one of word 1. */
static int
answer_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	uint32_t seen = 0;

	crew_ready(seat);
	while (word_wait(seat, side_word(seat, 0), seen)) {
		uint64_t now = clock_ns();

		seen++;
		if (c->kind == BENCH_PINGPONG) {
			word_wake(side_word(seat, 1), seen);
			continue;
		}
		/* the waker's time of sending lies behind its word */
		crew_sample(seat, now - *(uint64_t *)side_word(seat, 1));
	}
	return 0;
}

static int
ask_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	uint32_t sent = 0;

	crew_ready(seat);
	while (!crew_stopped(seat)) {
		uint64_t start;

		if (c->kind == BENCH_WAKEUP) {
			clock_sleep_ns(GAP_NS);
			*(uint64_t *)side_word(seat, 1) = clock_ns();
			word_wake(side_word(seat, 0), ++sent);
			continue;
		}
		start = clock_ns();
		word_wake(side_word(seat, 0), ++sent);
		if (word_wait(seat, side_word(seat, 1), sent - 1))
			crew_sample(seat, clock_ns() - start);
	}
	return 0;
}

static int
futex_bare_run(const struct bench_case *c, const struct bench_options *o, double *ns)
{
	struct crew crew;
	double *v = NULL;
	size_t n;
	int ret = crew_init(&crew);

	if (ret != 0)
		return ret;
	ret = crew_add(&crew, answer_role, c, o->cores.rx, CREW_ALONE);
	if (ret == 0)
		ret = crew_add(&crew, ask_role, c, o->cores.tx[0], CREW_ALONE);
	if (ret == 0) {
		crew_go(&crew);
		clock_sleep_ns((uint64_t)(o->seconds * 1e9));
	}
	crew_stop(&crew);
	n = crew.shared->samples;
	if (ret == 0)
		v = malloc((n + 1) * sizeof(*v));
	if (v != NULL) {
		for (size_t i = 0; i < n; i++)
			v[i] = crew.shared->sample_ns[i];
		*ns = stats_median(v, n);
		free(v);
	}
	crew_fini(&crew);
	return ret;
}

int
bench_bare_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run)
{
	switch (c->kind) {
	case BENCH_RATE:
		/* a paced sender has nothing to be compared with */
		return c->pace != 0 ? 0 : rate_bare_run(c, o, run);
	case BENCH_PINGPONG:
		if (c->wait == BENCH_BUSY) {
			run->value[METRIC_BARE] = cores_round_trip_ns(o->cores.tx[0], o->cores.rx);
			return 0;
		}
		return futex_bare_run(c, o, &run->value[METRIC_BARE]);
	case BENCH_MONITOR:
		return bench_unmonitored_run(c, o, run);
	case BENCH_WAKEUP:
		return futex_bare_run(c, o, &run->value[METRIC_BARE]);
	default:
		break;
	}
	return 0;
}
