/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A word in the arena that says whether netmapd lives.
 *
 * Clients on the data path make no system call, and still must notice that netmapd is gone. The word is on netmapd's
 * robust futex list: whatever ends netmapd, the kernel sets FUTEX_OWNER_DIED in it.
 */
#ifndef NETMAPD_ALIVE_H
#define NETMAPD_ALIVE_H

#include <stdint.h>

/* `word` holds the calling thread's number from now on. Call once, in the thread that serves, after the last fork. */
int alive_init(uint32_t *word);

#endif /* NETMAPD_ALIVE_H */
