/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of one measurement: each pinned to a CPU, started one after
 * the other, released together, sampled while they run, stopped, and killed
 * if they do not stop. They share one control block with the parent.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CREW_MAX	5
#define CREW_SAMPLES	(1u << 18)
#define CREW_MESSAGE	160

struct crew_member {
	_Alignas(128) uint64_t packets;		/* stored by the member once a batch */
	_Alignas(128) uint32_t ready;
	uint64_t cpu_ns;			/* CPU time and packets between go and stop */
	uint64_t cpu_packets;
	uint64_t wall_ns;
	char message[CREW_MESSAGE];		/* why the member gave up */
};

struct crew_shared {
	_Alignas(128) uint32_t go;
	uint32_t stop;
	struct crew_member member[CREW_MAX];
	_Alignas(128) uint32_t samples;		/* latencies: stored by one member only */
	uint32_t sample_ns[CREW_SAMPLES];
	_Alignas(128) uint32_t word[2][32];	/* scratch for the members, a line each */
};

/* Whether another member has the same CPU. */
enum crew_share {
	CREW_ALONE,
	CREW_YIELD,	/* gives it away now and then while there is nothing to do */
	CREW_TURNS,	/* gives it away whenever there is nothing to do, and after each second batch */
};

/* What a member's process knows about itself. */
struct crew_seat {
	struct crew_shared *shared;
	struct crew_member *me;
	const void *arg;
	enum crew_share share;
	unsigned int spins, turns;
	uint64_t cpu_at_go, packets_at_go, wall_at_go;
};

/* A member's program: set up, crew_ready(), work until crew_stopped(). Returns 0, or -1 after crew_fail(). */
typedef int crew_role(struct crew_seat *seat);

struct crew {
	struct crew_shared *shared;
	pid_t pid[CREW_MAX];
	unsigned int n;
	char message[CREW_MESSAGE];	/* first failure, for the report */
};

/* Parent. All return 0 or -errno and leave the reason in crew->message. */
int crew_init(struct crew *crew);
int crew_add(struct crew *crew, crew_role *role, const void *arg, int cpu, enum crew_share share);
void crew_go(struct crew *crew);
int crew_check(struct crew *crew);	/* -ECHILD if a member has given up */
int crew_stop(struct crew *crew);
void crew_fini(struct crew *crew);

/* Members. */
void crew_ready(struct crew_seat *seat);	/* returns when the crew is released */
int crew_fail(struct crew_seat *seat, const char *format, ...) __attribute__((format(printf, 2, 3)));
void crew_sample(struct crew_seat *seat, uint64_t ns);

static inline bool
crew_stopped(const struct crew_seat *seat)
{
	return __atomic_load_n(&seat->shared->stop, __ATOMIC_RELAXED) != 0;
}

static inline void
crew_count(struct crew_seat *seat, uint64_t packets)
{
	__atomic_store_n(&seat->me->packets, seat->me->packets + packets, __ATOMIC_RELAXED);
}

/* Nothing to do: relaxes, and gives a shared CPU away. */
void crew_idle(struct crew_seat *seat);
/* A batch is done. */
void crew_turn(struct crew_seat *seat);

#endif
