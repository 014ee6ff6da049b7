/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers: the threads that move the packets of attached interfaces (os_worker_*) and of switches with modules
 * (os_switch_*). They run the data path as a client's threads do, each with an actor of its own, and nothing else: no
 * request, no memory of the control side's.
 *
 * A pool of as many threads as half the CPUs, or ring pairs if these are fewer, shares the pairs: the other half is for
 * those who send and receive. On two CPUs one thread takes a frame from one interface through the switch to another without
 * waking anybody, which moved twice as many as two threads that take turns with the programs. A thread steps the
 * pairs that have something to do; the others are asleep, each watched by its thread: the switch through the actor, the
 * interface through the driver's descriptors. With nothing to do at all the thread looks on for a moment if that paid
 * lately, and sleeps. Pairs that are to be polled go to the thread of a CPU, which never sleeps.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/sys.h"
#include "actors.h"
#include "server.h"
#include "worker_internal.h"

static struct worker *workers;

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), w->cpu < 0 ? "netmap-worker" : "netmap-poll");
	w->tid = sys_gettid();
	sem_post(&w->done);
	worker_run(w);
	return NULL;
}

static void
done_wait(struct worker *w)
{
	while (sem_wait(&w->done) != 0)
		;
}

/* Returns when the thread has done it. It is inside the data path, which does not block, or in epoll_wait. */
static void
command_give(struct worker *w, enum command c, struct job *j)
{
	uint64_t one = 1;

	w->job = j;
	store_release(&w->command, c);
	(void)sys_write(w->event, &one, sizeof(one));
	done_wait(w);
}

static int
thread_start(struct worker *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	cpu_set_t cpus;
	int err = 0;

	pthread_attr_init(&attr);
	if (w->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(w->cpu, &cpus);
		err = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	sigfillset(&all);
	/* A fault in external memory is dealt with (host/cover.h). */
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (err == 0)
		err = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static int
worker_new(int cpu, struct worker **out)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event ev = { .events = EPOLLIN };
	int err = -ENOMEM;

	if (w == NULL)
		return err;
	w->cpu = cpu;
	sem_init(&w->done, 0, 0);
	spin_init(&w->spin);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll < 0 || w->event < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->event, &ev) != 0) {
		err = -errno;
		goto err_fds;
	}
	err = actors_new(ACTORS_OWN, getpid(), 0, &w->actor);
	if (err != 0)
		goto err_fds;
	w->self = &server_root()->actors[w->actor];
	err = thread_start(w);
	if (err != 0)
		goto err_actor;
	done_wait(w);
	w->self->tid = w->tid;
	actors_set_event(w->actor, w->event);
	w->next = workers;
	workers = w;
	*out = w;
	return 0;

err_actor:
	actors_free(w->actor);
err_fds:
	if (w->event >= 0)
		close(w->event);
	if (w->epoll >= 0)
		close(w->epoll);
	sem_destroy(&w->done);
	free(w);
	return err;
}

static void
worker_end(struct worker *w)
{
	struct worker **link = &workers;

	command_give(w, COMMAND_STOP, NULL);
	pthread_join(w->thread, NULL);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	/* Closes the event descriptor too. */
	actors_free(w->actor);
	close(w->epoll);
	sem_destroy(&w->done);
	free(w);
}

uint32_t
os_worker_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
}

static uint32_t
pool_size(void)
{
	return (os_worker_cpus() + 1) / 2;
}

/* The one of that CPU, made if there is none; of the pool, a new one as long as it may grow, then the one with the fewest pairs. */
static int
worker_choose(int cpu, struct worker **out)
{
	struct worker *best = NULL;
	unsigned n = 0;
	int err;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	for (struct worker *w = workers; w != NULL; w = w->next) {
		if (w->cpu != cpu)
			continue;
		n++;
		if (best == NULL || w->jobs < best->jobs)
			best = w;
	}
	*out = best;
	if (n >= (cpu < 0 ? pool_size() : 1))
		return 0;
	err = worker_new(cpu, out);
	return best != NULL ? 0 : err;
}

int
os_worker_start(struct forward_pair *pair, int cpu)
{
	const struct port *nic = pair->nic.port;
	bool host = pair->nic.rx_first >= nic->num_rx && pair->nic.tx_first >= nic->num_tx;
	struct job *j = calloc(1, sizeof(*j));
	int err;

	if (j == NULL)
		return -ENOMEM;
	err = nic->type == PORT_NIC ? nic_data_get(nic, host, &j->nic) : 0;
	if (err != 0)
		goto err_job;
	err = worker_choose(cpu, &j->worker);
	if (err != 0)
		goto err_nic;
	j->pair = pair;
	j->queue = pair->nic.rx_first - (host ? nic->num_rx : 0);
	pair->job = j;
	j->worker->jobs++;
	command_give(j->worker, COMMAND_ADD, j);
	return 0;

err_nic:
	nic_data_put(j->nic);
err_job:
	free(j);
	return err;
}

void
os_worker_stop(struct forward_pair *pair)
{
	struct job *j = pair->job;

	if (j == NULL)
		return;
	command_give(j->worker, COMMAND_REMOVE, j);
	if (--j->worker->jobs == 0)
		worker_end(j->worker);
	nic_data_put(j->nic);
	free(j);
	pair->job = NULL;
}

int
os_switch_start(struct vale_worker *sw)
{
	struct job *j = calloc(1, sizeof(*j));
	int err;

	if (j == NULL)
		return -ENOMEM;
	err = worker_choose(-1, &j->worker);
	if (err != 0) {
		free(j);
		return err;
	}
	j->sw = sw;
	sw->job = j;
	j->worker->jobs++;
	command_give(j->worker, COMMAND_ADD, j);
	return 0;
}

void
os_switch_stop(struct vale_worker *sw)
{
	struct job *j = sw->job;

	command_give(j->worker, COMMAND_REMOVE, j);
	if (--j->worker->jobs == 0)
		worker_end(j->worker);
	free(j);
}

void
os_switch_flush(struct vale_worker *sw)
{
	struct job *j = sw->job;

	command_give(j->worker, COMMAND_STEP, j);
}
