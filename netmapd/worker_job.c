/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One job of a worker: a pair or a switch, its steps, and what wakes it while it is asleep.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "../engine/os.h"
#include "server.h"
#include "worker_internal.h"

int64_t
worker_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
job_link(struct job *j, struct job **list)
{
	j->list = list;
	j->next = *list;
	j->pprev = list;
	if (j->next != NULL)
		j->next->pprev = &j->next;
	*list = j;
}

void
job_unlink(struct job *j)
{
	*j->pprev = j->next;
	if (j->next != NULL)
		j->next->pprev = j->pprev;
}

void
job_move(struct job *j, struct job **list)
{
	job_unlink(j);
	job_link(j, list);
}

void
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

void
job_disarm(struct worker *w, struct job *j)
{
	if (j->pair != NULL)
		forward_disarm(server_root(), w->self, j->pair);
	else
		vale_worker_disarm(j->sw);
}

void
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

void
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
		j->look_at = worker_now() + RETRY_NS;
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
	j->look_at = ms >= 0 ? worker_now() + (int64_t)ms * NS_PER_MS : 0;
}

/* A socket that somebody might wait for costs the kernel time with each packet that comes, and with each that has been sent. */
void
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

void
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
