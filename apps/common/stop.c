/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orderly end of a program. The semaphore makes a signal, a finished thread and a point in time one thing to
 * wait for; sem_post() may be called in a signal handler.
 */
#include <errno.h>
#include <semaphore.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "stop.h"

volatile sig_atomic_t stop_requested;

static sem_t stop_sem;

static void stop_handler(int sig)
{
	int saved = errno;

	if (stop_requested)
		_exit(128 + sig);
	stop_requested = 1;
	sem_post(&stop_sem);
	errno = saved;
}

void stop_install(void)
{
	struct sigaction sa = { .sa_handler = stop_handler };

	sem_init(&stop_sem, 0, 0);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

void stop_request(void)
{
	stop_requested = 1;
	sem_post(&stop_sem);
}

void stop_notify(void)
{
	sem_post(&stop_sem);
}

bool stop_wait_until(uint64_t deadline_ns)
{
	struct timespec ts = clock_to_timespec(deadline_ns);

	if (sem_clockwait(&stop_sem, CLOCK_MONOTONIC, &ts) == 0)
		return false;
	return errno == ETIMEDOUT;
}

void stop_sleep(unsigned seconds)
{
	uint64_t deadline = clock_now_ns() + seconds * NS_PER_SEC;

	while (!stop_requested && !stop_wait_until(deadline))
		;
}
