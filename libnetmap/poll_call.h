/* SPDX-License-Identifier: BSD-2-Clause */
/* poll over any mix of descriptors, for poll(2) and select(2). */
#ifndef LIBNETMAP_POLL_CALL_H
#define LIBNETMAP_POLL_CALL_H

#include "wait.h"

/* As ppoll(2), with what is left of the timeout kept in *timeout; -errno on failure. */
int poll_run(struct pollfd *fds, unsigned nfds, struct timeout *timeout, const sigset_t *mask);

#endif /* LIBNETMAP_POLL_CALL_H */
