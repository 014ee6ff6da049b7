/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which process each actor belongs to, and the event descriptor by which its thread is woken. netmapd's own record: the table in the arena can be
 * written by clients.
 */
#ifndef NETMAPD_ACTORS_H
#define NETMAPD_ACTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/actor.h"

/* Number of netmapd itself among the processes, for its workers. */
#define ACTORS_OWN	UINT32_MAX

/* 0 with the actor's number in *id, or -errno. */
int actors_new(uint32_t process, int32_t pid, int32_t tid, uint32_t *id);
/* Is this actor the process's? */
bool actors_owned(uint32_t id, uint32_t process);
/* Has the process any? */
bool actors_any(uint32_t process);
/* The thread is gone. */
void actors_free(uint32_t id);
/* All of that process's threads are gone. */
void actors_process_gone(uint32_t process);

/* Takes the descriptor over. */
void actors_set_event(uint32_t id, int fd);
/* Signals the event descriptor; nothing if the thread gave none. May be called by any thread. */
void actors_wake(uint32_t id);
/* How many threads gave one. */
unsigned actors_with_event(void);
/* Signals whoever sleeps with its wake word set: a request to do so may have been lost. */
void actors_sweep(void);

#endif /* NETMAPD_ACTORS_H */
