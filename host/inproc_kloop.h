/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between inproc.c and inproc_kloop.c: what of requests is done in the caller's thread.
 */
#ifndef HOST_INPROC_KLOOP_H
#define HOST_INPROC_KLOOP_H

#include <stdint.h>

struct actor;
struct inproc_fd;
struct request_msg;

int inproc_kloop_start(struct inproc_fd *fd, struct request_msg *msg);
int inproc_kloop_stop(struct inproc_fd *fd);
/* After the engine has accepted the option. */
int inproc_csb_enable(struct inproc_fd *fd, uint64_t atok, uint64_t ktoa);
/* os_wake for one that sleeps on descriptors. */
void inproc_event_wake(const struct actor *a);

#endif /* HOST_INPROC_KLOOP_H */
