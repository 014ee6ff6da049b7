/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads of the workers: what they do with their jobs, see worker.c.
 */
#include <sys/epoll.h>

#include "../host/sys.h"
#include "worker_internal.h"

#define EVENTS		64
#define LOOK_ROUNDS	8u		/* of steps between two looks at who is asleep */
#define BUSY_ROUNDS	16u		/* steps that moved packets, after which the kernel need not tell of more */
#define EMPTY_ROUNDS	16u		/* steps that moved nothing, after which a pair is put to sleep while others work */
#define LAST_STEPS	4		/* of a pair that is taken back, to send what is on its way */

/* --- commands --- */

static void
job_take(struct worker *w, struct job *j)
{
	j->empty = 0;
	j->look_at = 0;
	job_link(j, &w->awake);
}

static void
job_give_back(struct worker *w, struct job *j)
{
	int i = j->list == &w->dead ? LAST_STEPS : 0;

	for (; i < LAST_STEPS; i++) {
		job_step(w, j);
		if ((j->found & FORWARD_MOVED) == 0)
			break;
	}
	job_disarm(w, j);
	job_unwatch(w, j);
	job_unlink(j);
}

/* What the control thread, which waits meanwhile, wants. False: the end. */
static bool
command_run(struct worker *w)
{
	enum command c = load_acquire(&w->command);

	switch (c) {
	case COMMAND_NONE:
		return true;
	case COMMAND_ADD:
		job_take(w, w->job);
		break;
	case COMMAND_REMOVE:
		job_give_back(w, w->job);
		break;
	case COMMAND_STEP:
		job_step(w, w->job);
		break;
	case COMMAND_STOP:
		break;
	}
	store_relaxed(&w->command, COMMAND_NONE);
	sem_post(&w->done);
	return c != COMMAND_STOP;
}

/* --- threads of the pool --- */

/* Whose registrations were used up, there is something for them, or may be. */
static void
woken_look(struct worker *w)
{
	struct job *j, *next;

	if (load_acquire(&w->self->wake) == 0)
		return;
	store_relaxed(&w->self->wake, 0);
	/* Who uses up a registration that we find in place sets the word again. */
	fence_full();
	for (j = w->asleep; j != NULL; j = next) {
		next = j->next;
		if (j->pair == NULL || !forward_armed(w->self, j->pair))
			job_rouse(w, j);
	}
}

static void
timers_look(struct worker *w)
{
	struct job *j, *next;
	int64_t now = 0;

	for (j = w->asleep; j != NULL; j = next) {
		next = j->next;
		if (j->look_at == 0)
			continue;
		if (now == 0)
			now = worker_now();
		if (now >= j->look_at)
			job_rouse(w, j);
	}
}

static void
events_take(struct worker *w, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(w->epoll, events, EVENTS, timeout_ms);
	uint64_t count;

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			(void)sys_read(w->event, &count, sizeof(count));
		else
			job_rouse(w, events[i].data.ptr);
	}
	timers_look(w);
}

/* Milliseconds until somebody wants to be looked at; -1: nobody. */
static int
sleep_ms(const struct worker *w)
{
	int64_t at = 0, left;

	for (const struct job *j = w->asleep; j != NULL; j = j->next)
		if (j->look_at != 0 && (at == 0 || j->look_at < at))
			at = j->look_at;
	if (at == 0)
		return -1;
	left = at - worker_now();
	return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void
worker_sleep(struct worker *w)
{
	int ms = sleep_ms(w);

	store_relaxed(&w->self->sleep, ACTOR_SLEEP_FD);
	/* Who wakes us sets the word and then looks whether we sleep: one of the two sees the other. */
	fence_full();
	if (load_acquire(&w->self->wake) != 0)
		ms = 0;
	events_take(w, ms);
	store_relaxed(&w->self->sleep, ACTOR_SLEEP_NONE);
}

/* After a round that moved nothing: true if another one is worth it. */
static bool
worker_spins(struct worker *w)
{
	if (w->spin_end == 0) {
		if (!spin_begin(&w->spin))
			return false;
		w->spin_end = worker_now() + SPIN_NS;
	}
	if (worker_now() < w->spin_end) {
		cpu_relax();
		return true;
	}
	spin_end(&w->spin, false);
	w->spin_end = 0;
	return false;
}

/* One step for each that is awake. True if packets moved. */
static bool
awake_step(struct worker *w)
{
	struct job *j, *next;
	bool moved = false;

	for (j = w->awake; j != NULL; j = next) {
		next = j->next;
		job_step(w, j);
		if (j->busy == BUSY_ROUNDS)
			job_unwatch(w, j);
		if ((j->found & FORWARD_MOVED) != 0)
			moved = true;
		else if ((j->found & FORWARD_FAILED) != 0 && j->nic != NULL && nic_data_gone(j->nic))
			job_bury(w, j);
	}
	return moved;
}

/* Puts those to sleep that had nothing to do for so many steps. */
static void
awake_settle(struct worker *w, unsigned rounds)
{
	struct job *j, *next;

	for (j = w->awake; j != NULL; j = next) {
		next = j->next;
		if (j->empty >= rounds)
			job_settle(w, j);
	}
}

static void
pool_run(struct worker *w)
{
	unsigned round = 0;

	while (command_run(w)) {
		woken_look(w);
		if (w->awake == NULL) {
			worker_sleep(w);
			continue;
		}
		if (awake_step(w)) {
			if (w->spin_end != 0)
				spin_end(&w->spin, true);
			w->spin_end = 0;
			awake_settle(w, EMPTY_ROUNDS);
		} else if (!worker_spins(w)) {
			awake_settle(w, 1);
		}
		if (w->asleep != NULL && ++round % LOOK_ROUNDS == 0)
			events_take(w, 0);
	}
}

/* --- threads that poll --- */

static void
polling_step(struct worker *w, struct job *j)
{
	if (j->look_at != 0 && worker_now() < j->look_at)
		return;
	j->look_at = 0;
	job_step(w, j);
	if ((j->found & FORWARD_FAILED) == 0)
		return;
	if (j->nic != NULL && nic_data_gone(j->nic))
		job_bury(w, j);
	else
		j->look_at = worker_now() + RETRY_NS;
}

static void
polling_run(struct worker *w)
{
	struct job *j, *next;

	while (command_run(w)) {
		for (j = w->awake; j != NULL; j = next) {
			next = j->next;
			polling_step(w, j);
		}
		cpu_relax();
	}
}

void
worker_run(struct worker *w)
{
	if (w->cpu < 0)
		pool_run(w);
	else
		polling_run(w);
}
