/* SPDX-License-Identifier: BSD-2-Clause */
/* What only the fake client can tell or do. */
#ifndef TESTS_INTERCEPT_FAKE_CLIENT_H
#define TESTS_INTERCEPT_FAKE_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct test_port;

struct fake_counters {
	_Atomic int sessions;		/* that were not given back */
	_Atomic int adopted, ioctls, waits, forked;
	_Atomic int armed;		/* without their disarm */
	_Atomic int unmapped;
	_Atomic size_t unmapped_bytes;
};

struct fake_counters *fake_counts(void);
/* Have the descriptors that client_owns_fd names survived? */
bool fake_own_fds_open(void);
/* netmapd's end of this descriptor is closed, and nothing but the kernel says so. */
void fake_hang_up(struct test_port *p);

#endif /* TESTS_INTERCEPT_FAKE_CLIENT_H */
