/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the workers share: jobs (worker_job.c), the threads that do them (worker_run.c), and the control side that hands them out (worker.c).
 */
#ifndef NETMAPD_WORKER_INTERNAL_H
#define NETMAPD_WORKER_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "../engine/forward.h"
#include "../engine/vale_worker.h"
#include "../host/spin.h"
#include "nic_data.h"

#define RETRY_NS	100000000	/* an interface that is down is tried again after so long */
#define NS_PER_MS	1000000

/* A pair, or a switch, and its thread. Times are of CLOCK_MONOTONIC, nanoseconds. */
struct job {
	struct forward_pair *pair;	/* NULL: a switch */
	struct vale_worker *sw;
	struct worker *worker;
	struct nic_data *nic;		/* NULL: not an interface, but a persistent port on its second switch */
	unsigned queue;
	/* The thread's. */
	unsigned found, empty, busy;	/* FORWARD_* of the last step; steps in a row that moved nothing, or something */
	bool watched;			/* its descriptors are in the thread's epoll */
	int64_t look_at;		/* asleep, or down: to be looked at by then; 0: not before something comes */
	struct job **list;		/* the one it is in */
	struct job *next, **pprev;
};

enum command {
	COMMAND_NONE,
	COMMAND_ADD,
	COMMAND_REMOVE,
	COMMAND_STEP,
	COMMAND_STOP,
};

struct worker {
	pthread_t thread;
	int cpu;			/* -1: of the pool */
	uint32_t actor;
	struct actor *self;
	int tid, epoll, event;		/* event: owned by the actor's record */
	/* Handed over by `command`, handed back by `done`. */
	uint32_t command;
	struct job *job;
	sem_t done;
	/* The thread's. */
	struct job *awake, *asleep, *dead;
	struct spin spin;
	int64_t spin_end;		/* 0: not spinning */
	/* The control thread's. */
	unsigned jobs;
	struct worker *next;
};

/* --- in the worker's thread --- */

/* Steps the jobs that it is given, until COMMAND_STOP. */
void worker_run(struct worker *w);

void job_link(struct job *j, struct job **list);
void job_unlink(struct job *j);
void job_move(struct job *j, struct job **list);
void job_step(struct worker *w, struct job *j);
/* From asleep, if it was, to awake. */
void job_rouse(struct worker *w, struct job *j);
/* Puts it to sleep, unless something comes at the last moment. The actor's word must have been cleared before. */
void job_settle(struct worker *w, struct job *j);
/* Nobody is to wake the thread for it any more. */
void job_disarm(struct worker *w, struct job *j);
void job_unwatch(struct worker *w, struct job *j);
/* Its interface is gone: the control thread takes it back soon. */
void job_bury(struct worker *w, struct job *j);

/* CLOCK_MONOTONIC, nanoseconds. */
int64_t worker_now(void);

#endif /* NETMAPD_WORKER_INTERNAL_H */
