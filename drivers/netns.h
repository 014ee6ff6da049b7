/* SPDX-License-Identifier: BSD-2-Clause */
/* Running something in another network namespace, or with sockets that were made there. */
#ifndef DRIVERS_NETNS_H
#define DRIVERS_NETNS_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Run fn(arg) in the network namespace that netns_fd refers to (-1: the caller's) and return what it
 * returns. A helper thread, with all signals blocked, enters the namespace and ends; the calling thread
 * never moves. If it cannot be entered: *entered is set to 0 and -errno returned (-EPERM: CAP_SYS_ADMIN
 * is missing); else 1.
 *
 * With sockets of that namespace lent to the calling thread, one that it may not enter counts as entered: fn then runs where
 * it is, and everything in it that depends on the namespace goes through the functions below. It does so in any case. fn may
 * call this again.
 */
int netns_call(int netns_fd, int (*fn)(void *arg), void *arg, int *entered);

/* Do both descriptors refer to one namespace; and this one to that of the calling thread? */
bool netns_same(int a, int b);
bool netns_is_own(int netns_fd);

#define NETNS_SOCKETS_MAX	64

/* Sockets of one namespace, made by somebody who is in it. */
struct netns_sockets {
	unsigned n;
	int fd[NETNS_SOCKETS_MAX];
	unsigned missed;		/* sockets that were asked for and not there */
};

/*
 * Lends those of the namespace netns_fd to this thread, or with NULL and -1 takes back what is left. Neither may move or be
 * closed meanwhile.
 */
void netns_sockets_lend(struct netns_sockets *s, int netns_fd);
/*
 * Takes a descriptor over, or closes it. netns_fd: whose it must be. 0; -EPERM: it is of another namespace; -EINVAL: it is
 * no socket that netns_socket would hand out; -ENOSPC.
 */
int netns_sockets_add(struct netns_sockets *s, int netns_fd, int fd);
void netns_sockets_close(struct netns_sockets *s);

/* Within fn: as socket(2). -1 with EUSERS: such a socket is to be lent. */
int netns_socket(int domain, int type, int protocol);
/* Within fn: the namespace could not be entered. What knows an interface by its number alone (BPF links) would mean another one. */
bool netns_foreign(void);
/* Within fn: a descriptor of the namespace, the caller's to close; -errno. And what identifies it: 0 or -errno. */
int netns_open(void);
int netns_stat(struct stat *st);

#endif
