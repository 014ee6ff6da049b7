/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests need of a netmap port: readiness that they can switch. fake_client.c provides it without any
 * netmap behind it, pair_fixture.c with the two ends of a netmap pipe. Everything else the tests do through
 * libc's names alone.
 */
#ifndef TESTS_INTERCEPT_FIXTURE_H
#define TESTS_INTERCEPT_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct test_port {
	int fd;			/* the netmap descriptor under test */
	int peer;		/* fixture's own */
	void *mem, *peer_mem;
	size_t mem_size;
	void *nifp, *peer_nifp;
};

/*
 * A port that is registered (or, unregistered, only opened), with nothing to receive and full room to send.
 */
void port_open(struct test_port *p);
void port_open_unregistered(struct test_port *p);
void port_close(struct test_port *p);

/* One packet arrives, from whichever process calls. */
void port_feed(struct test_port *p);
/* The program takes all packets that it has. How many. */
int port_take(struct test_port *p);
/* The program fills all its room; the other side makes room for one packet. */
void port_fill(struct test_port *p);
void port_make_room(struct test_port *p);

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s: failed: %s (errno %d)\n", __FILE__, __LINE__, \
				__func__, #cond, errno); \
			exit(1); \
		} \
	} while (0)

/* A test that hangs fails. */
#define TEST_SECONDS	60

#endif /* TESTS_INTERCEPT_FIXTURE_H */
