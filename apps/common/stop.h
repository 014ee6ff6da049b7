/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orderly end of a program: the first SIGINT or SIGTERM asks for it, the second one ends the process at once.
 */
#ifndef APPS_COMMON_STOP_H
#define APPS_COMMON_STOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Not 0 once an end was asked for. Loops look at it once a batch. */
extern volatile sig_atomic_t stop_requested;

/* Takes over SIGINT and SIGTERM; system calls are interrupted (EINTR), not restarted. */
void stop_install(void);

/* Asks for the end from inside the program. Any thread. */
void stop_request(void);

/* Wakes stop_wait_until() without asking for the end. Any thread. */
void stop_notify(void);

/*
 * Sleeps until the monotonic time deadline_ns, a notification, or a request to end, whichever comes first.
 * Returns true when the time has come.
 */
bool stop_wait_until(uint64_t deadline_ns);

/* Sleeps for seconds, less if the end is asked for. */
void stop_sleep(unsigned seconds);

#endif
