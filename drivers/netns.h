/* SPDX-License-Identifier: BSD-2-Clause */
/* Running something in another network namespace. */
#ifndef DRIVERS_NETNS_H
#define DRIVERS_NETNS_H

/*
 * Run fn(arg) in the network namespace that netns_fd refers to (-1: the caller's) and return what it
 * returns. A helper thread, with all signals blocked, enters the namespace and ends; the calling thread
 * never moves. If it cannot be entered: *entered is set to 0 and -errno returned (-EPERM: CAP_SYS_ADMIN
 * is missing); else 1.
 */
int netns_call(int netns_fd, int (*fn)(void *arg), void *arg, int *entered);

#endif
