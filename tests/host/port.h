/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the host: a netmap port through client_*, and a place for a netmapd of the test's own.
 * Everything here prints what is wrong and exits with 1 when it fails.
 */
#ifndef TESTS_HOST_PORT_H
#define TESTS_HOST_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <net/netmap_user.h>

#include "libnetmap/client.h"

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			test_fail(__FILE__, __LINE__, #cond); \
	} while (0)

void test_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* Gives this process a private directory (XDG_RUNTIME_DIR), removed by dir_end together with the netmapd there. */
const char *dir_begin(void);
void dir_end(void);
/* Process that serves the private directory's socket; 0 if none. */
pid_t netmapd_pid(void);
/* Number of open descriptors of a process. */
unsigned fd_count(pid_t pid);
/* For wait_for; arg is a pid_t. */
bool process_ended(void *arg);
/* Until cond() is true, ten seconds at most. */
bool wait_for(bool (*cond)(void *arg), void *arg);
/* Exit status of a child; 1000 + signal if it was killed. */
int child_wait(pid_t pid);

struct tport {
	int fd;
	struct client_session *s;
	char *mem;
	size_t size;
	struct netmap_if *nifp;
	struct nmreq_register reg;
};

/* 0, or -errno of open or REGISTER. */
int port_open(struct tport *p, const char *name);
/* REGISTER and mmap on p->fd and p->s. */
int port_register(struct tport *p, const char *name);
void port_map(struct tport *p);
void port_close(struct tport *p);
struct netmap_ring *port_tx(const struct tport *p);
struct netmap_ring *port_rx(const struct tport *p);

/* One frame that carries `value`, sent. */
void port_send(struct tport *p, uint32_t value);
/* Value of the next frame; waits for it. */
uint32_t port_receive(struct tport *p);
/* Frames there now, after a sync. */
unsigned port_pending(struct tport *p);
/* Gives back all frames that are there, whatever they are (those of a sender that was killed may be empty). */
void port_drain(struct tport *p);

#endif /* TESTS_HOST_PORT_H */
