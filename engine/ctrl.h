/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control requests. Executed by one thread of one process (netmapd, or the program that has the engine inside); the data path of other processes may
 * run meanwhile, so whatever it can reach is unlinked first and freed when no thread is inside the data path any more.
 */
#ifndef ENGINE_CTRL_H
#define ENGINE_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "region.h"
#include "request.h"
#include "ring.h"

struct session;

/* Makes the root and the actor table with os_shared_alloc. The first allocation of the arena is the root. */
int engine_init(uint32_t generation, struct arena_root **root);
void engine_fini(void);
/*
 * Frees what nobody can reach any more and ages forwarding tables. To be called after requests and closes, and again after the number of milliseconds
 * that it returns; -1: nothing is waiting.
 */
int engine_tick(void);

/*
 * A session is one open descriptor. `caller` is handed through to os_nic_*. The binding is in the arena and lives as long as the session.
 */
int session_create(struct session **out);
/* Unregisters, frees extra buffers by ni_bufs_head, destroys ports with their last user. */
void session_close(struct session *s);
struct binding *session_binding(const struct session *s);
/* Undoes a registration that the host cannot carry out on its side. */
void session_undo(struct session *s);
/* From now on requests of the session count as those of who owns the switch with this token. */
void session_use_token(struct session *s, uint64_t token);
/* Region that mmap() of the descriptor maps; NULL while not registered. */
struct region *session_region(const struct session *s);

/*
 * Executes one request, already gathered and checked (request.h). Returns 0 or -errno, with outputs, option statuses and header set in the message.
 * What concerns the caller's memory and threads is its host's: csb_enable after a REGISTER or CSB_ENABLE with the CSB option, and the sync loop.
 * `why` receives one sentence when it fails: what, on which port, needed and there, and what to change.
 */
int session_request(struct session *s, void *caller, struct request_msg *msg, struct why *why);

/* Gives a thread its entry; -EAGAIN if all ACTOR_MAX are taken. */
int actor_alloc(uint32_t process, int32_t pid, int32_t tid, struct actor **out);
void actor_free(struct actor *a);
/* How many interfaces are attached to switches: they stay when all sessions are closed. */
unsigned engine_attached(void);
/* How many switches are owned, with ports or without. */
unsigned engine_owned(void);
/* How many persistent ports there are: they stay, too. */
unsigned engine_persistent(void);
/* A process is gone: recovers and frees all its actors. */
void engine_process_gone(uint32_t process);

#endif /* ENGINE_CTRL_H */
