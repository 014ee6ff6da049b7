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
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../engine/forward.h"
#include "../engine/os.h"
#include "../engine/vale_worker.h"
#include "../host/spin.h"
#include "../host/sys.h"
#include "actors.h"
#include "nic_data.h"
#include "server.h"

#define EVENTS		64
#define LOOK_ROUNDS	8u		/* of steps between two looks at who is asleep */
#define BUSY_ROUNDS	16u		/* steps that moved packets, after which the kernel need not tell of more */
#define EMPTY_ROUNDS	16u		/* steps that moved nothing, after which a pair is put to sleep while others work */
#define LAST_STEPS	4		/* of a pair that is taken back, to send what is on its way */
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

static struct worker *workers;

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- jobs, in the thread --- */

static void
job_link(struct job *j, struct job **list)
{
	j->list = list;
	j->next = *list;
	j->pprev = list;
	if (j->next != NULL)
		j->next->pprev = &j->next;
	*list = j;
}

static void
job_unlink(struct job *j)
{
	*j->pprev = j->next;
	if (j->next != NULL)
		j->next->pprev = j->pprev;
}

static void
job_move(struct job *j, struct job **list)
{
	job_unlink(j);
	job_link(j, list);
}

static void
job_step(struct worker *w, struct job *j)
{
	if (j->pair != NULL) {
		nic_data_use(j->nic);
		j->found = forward_step(server_root(), w->self, j->pair);
	} else {
		j->found = vale_worker_step(server_root(), w->self, j->sw) ? FORWARD_MOVED : 0;
	}
	if ((j->found & FORWARD_MOVED) != 0) {
		j->empty = 0;
		j->busy++;
	} else {
		j->empty++;
		j->busy = 0;
	}
}

static void
job_arm(struct worker *w, struct job *j)
{
	if (j->pair != NULL)
		forward_arm(server_root(), w->self, j->pair);
	else
		vale_worker_arm(j->sw, w->self);
}

static void
job_disarm(struct worker *w, struct job *j)
{
	if (j->pair != NULL)
		forward_disarm(server_root(), w->self, j->pair);
	else
		vale_worker_disarm(j->sw);
}

static void
job_rouse(struct worker *w, struct job *j)
{
	j->empty = 0;
	j->look_at = 0;
	if (j->list != &w->asleep)
		return;
	/* Who sends to a switch sees whether it is awake; registrations of pairs are used up. */
	if (j->pair == NULL)
		job_disarm(w, j);
	job_move(j, &w->awake);
}

/* Its interface is gone: the control thread takes it back soon. */
static void
job_bury(struct worker *w, struct job *j)
{
	job_move(j, &w->dead);
	os_log(OS_LOG_WARNING, "port %s: the interface is gone", j->pair->vale.port->name);
	store_release(&j->pair->gone, 1);
	server_alarm();
}

static void
fd_watch(struct worker *w, struct job *j, const struct pollfd *pfd)
{
	struct epoll_event ev = { .events = (uint32_t)pfd->events | EPOLLONESHOT, .data.ptr = j };

	if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, pfd->fd, &ev) != 0 && errno == ENOENT)
		epoll_ctl(w->epoll, EPOLL_CTL_ADD, pfd->fd, &ev);
}

/* Has the kernel say when the interface has something for us. */
static void
job_watch(struct worker *w, struct job *j)
{
	struct pollfd fds[NIC_DATA_FDS];
	short events = (j->found & FORWARD_FULL) != 0 ? POLLIN | POLLOUT : POLLIN;
	unsigned n;
	int ms;

	if ((j->found & FORWARD_FAILED) != 0) {
		/* It is down: its descriptors would show that all the time. */
		j->look_at = now_ns() + RETRY_NS;
		return;
	}
	if (j->nic == NULL)
		return;
	n = nic_data_pollfds(j->nic, j->queue, events, fds, NIC_DATA_FDS, &ms);
	if (n == 2 && fds[0].fd == fds[1].fd) {
		fds[0].events |= fds[1].events;
		n = 1;
	}
	while (n-- > 0)
		fd_watch(w, j, &fds[n]);
	j->watched = true;
	j->look_at = ms >= 0 ? now_ns() + (int64_t)ms * NS_PER_MS : 0;
}

/* A socket that somebody might wait for costs the kernel time with each packet that comes, and with each that has been sent. */
static void
job_unwatch(struct worker *w, struct job *j)
{
	struct pollfd fds[NIC_DATA_FDS];
	unsigned n;
	int ms;

	if (!j->watched)
		return;
	j->watched = false;
	n = nic_data_pollfds(j->nic, j->queue, POLLIN | POLLOUT, fds, NIC_DATA_FDS, &ms);
	while (n-- > 0)
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, fds[n].fd, NULL);
}

/* Puts it to sleep, unless something comes at the last moment. The actor's word must have been cleared before (woken_look). */
static void
job_settle(struct worker *w, struct job *j)
{
	job_arm(w, j);
	job_step(w, j);
	if ((j->found & FORWARD_MOVED) != 0) {
		job_disarm(w, j);
		return;
	}
	job_watch(w, j);
	job_move(j, &w->asleep);
}

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
			now = now_ns();
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
	left = at - now_ns();
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
		w->spin_end = now_ns() + SPIN_NS;
	}
	if (now_ns() < w->spin_end) {
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
	if (j->look_at != 0 && now_ns() < j->look_at)
		return;
	j->look_at = 0;
	job_step(w, j);
	if ((j->found & FORWARD_FAILED) == 0)
		return;
	if (j->nic != NULL && nic_data_gone(j->nic))
		job_bury(w, j);
	else
		j->look_at = now_ns() + RETRY_NS;
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

/* --- coming and going, in the control thread --- */

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), w->cpu < 0 ? "netmap-worker" : "netmap-poll");
	w->tid = sys_gettid();
	sem_post(&w->done);
	if (w->cpu < 0)
		pool_run(w);
	else
		polling_run(w);
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
