/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the client share. Interfaces for others are in client.h.
 *
 * Locks: three, taken in this order, never across anything but calls to the kernel and to netmapd. All signals are blocked while a lock is held, so that
 * a handler which calls in here never waits for its own thread. They lie on a page that a fork wipes: a child finds them free. The sync passes
 * take none.
 */
#ifndef LIBNETMAP_CLIENT_INTERNAL_H
#define LIBNETMAP_CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../engine/atomic.h"
#include "../host/message.h"
#include "client.h"
#include "protocol.h"

struct driver_map;

/* --- client_lock.c: locks, and the process that they are of --- */

enum client_lock {
	CLIENT_LOCK_MEMORY,		/* what becomes of memory that the program gives: until netmapd has answered */
	CLIENT_LOCK_CONNECTION,		/* connection, arena */
	CLIENT_LOCK_TABLES,		/* sessions, mappings, interfaces */
	CLIENT_LOCKS
};

struct client_guard {
	uint64_t mask;			/* signals that were blocked before */
};

/* On a page that reads as zeroes in a forked child. */
struct client_process {
	uint32_t pid;			/* 0: the process has not been here yet */
	uint32_t lock[CLIENT_LOCKS];
};

extern struct client_process *client_process;

/* Makes sure that this process is set up: to be called before a lock is taken. */
void client_process_enter(void);
void client_lock(enum client_lock which, struct client_guard *g);
void client_unlock(enum client_lock which, struct client_guard *g);

/* --- client_fd.c: the library's own descriptors --- */

enum client_fd_kind {
	CLIENT_FD_SHARED,		/* stays open in a forked child */
	CLIENT_FD_PRIVATE,		/* is closed there */
};

/* Moves fd to a high number, close-on-exec, and notes it as the library's. The new number; fd is closed. -errno (then also). */
int client_fd_own(int fd, enum client_fd_kind kind);
void client_fd_close(int fd);
/* In a forked child. */
void client_fds_forked(void);

/* --- client_connection.c --- */

/*
 * One request and its reply. `fds` (NULL: none) go along. The body of the reply is put into reply[size], its descriptors into *in, which become the
 * caller's (NULL: there must be none). Returns the length of the reply's body, or -errno: netmapd's answer (then *error_size, if not NULL, says how
 * much of a body came with it), or -EIO when there is no netmapd any more. Connects if there is an arena already.
 */
struct client_call {
	uint16_t type;
	const void *body;
	size_t body_size;
	const struct message_fds *out;
	void *reply;
	size_t reply_size;
	struct message_fds *in;
	size_t *error_size;
};

int client_call(const struct client_call *call);
/* A message without a reply. Takes no lock, does not block: -EAGAIN when netmapd's queue is full. 0 also if there is no netmapd. (signal-safe) */
int client_tell(uint16_t type, const void *body, size_t size);
/* Connects unless connected; with `start`, starts a private netmapd where there is none. 0 or -errno, with client_why_set. */
int client_connect(bool start);
/* Has netmapd ended? Asks the kernel only if `ask`. */
bool client_dead(bool ask);
/* Number of this connection: threads known to another one are not known to this one. */
extern uint32_t client_serial;
/* In a forked child: the connection is its parent's. */
void client_connection_forked(void);

/* --- client_relay.c: waking threads of other processes through netmapd --- */

/*
 * Asks netmapd to signal that actor's event descriptor. Neither blocks nor forgets: if netmapd's queue is full, every sync and poll of this process tries
 * again. If none comes, netmapd finds the sleeper when it looks after all of them, within a second. (signal-safe)
 */
void client_relay(uint32_t actor);
extern uint32_t client_relay_owed;	/* some of them wait to be sent */
void client_relay_send(void);

static inline void
client_relay_retry(void)
{
	if (unlikely(load_relaxed(&client_relay_owed) != 0))
		client_relay_send();
}

/* --- client_start.c --- */

/* Starts a netmapd that serves `path`, and waits until it does or says why not: text. 0 or -errno. */
int client_start_netmapd(const char *path, char *text, size_t text_size);

/* --- client_arena.c --- */

struct client_arena {
	struct arena_root *root;	/* NULL: not mapped */
	uint32_t *alive;
	uint64_t base, state, size;
	uint32_t generation;
	uint32_t number;		/* of the arena in this process: sessions of another one are dead */
};

extern struct client_arena client_arena;

/* Maps what HELLO's reply describes. Takes the descriptor over. Under the connection lock. 0, or -errno with client_why. */
int client_arena_map(const struct proto_hello_reply *r, int fd);
/* Is [addr, addr + size) in the state memory? */
bool client_arena_has(uint64_t addr, size_t size);

/* REGION or MMAP: the memory of a region, the caller's to close, at least r->size bytes long. The descriptor or -errno. */
int client_region_fd(uint16_t type, const void *body, size_t size, struct proto_region_reply *r);

/* --- client_session.c --- */

/* A NIC port has two sides, each with descriptors of its own. */
enum client_nic_side {
	NIC_OWN,			/* the interface */
	NIC_HOST,			/* its host rings */
	NIC_SIDES
};

struct client_session {
	uint32_t refs;
	uint32_t id;			/* netmapd's number */
	uint64_t cookie;
	struct binding *binding;
	uint32_t binding_id;		/* what it says while the session is open, see client_session_enter */
	uint32_t arena;			/* client_arena.number */
	uint32_t nic[NIC_SIDES];	/* what this session holds of its port's driver, see client_nic.c; 0: nothing */
	struct client_session *next;
};

/* Sessions of the arena that this process still holds. */
unsigned client_sessions(void);
/* Its netmapd lives and is ours. */
bool client_session_usable(const struct client_session *s);
/*
 * actor_enter, for this session: *before is for actor_leave. False, and not inside, if another thread or process has closed its last descriptor: its binding
 * is nobody's or another session's then. True: until actor_leave the binding and, if registered, what it leads to stay.
 */
bool client_session_enter(const struct client_session *s, struct actor *self, uint64_t *before);
/* The calling thread's entry if it can sync this session now: it is inside the data path then, and actor_leave follows. NULL with *err set. */
struct actor *client_sync_begin(struct client_session *s, uint64_t *before, int *err);

/* --- client_kloop.c --- */

/* Is this gathered request one that this process executes itself? Then *err is its result. */
bool client_kloop_request(struct client_session *s, struct request_msg *msg, int *err);
/* After netmapd has accepted the CSB option. When that fails with `undo`, the session is not registered any more. */
int client_csb_enable(struct client_session *s, uint64_t atok, uint64_t ktoa, bool undo);

/* --- client_extmem.c --- */

struct client_memory {
	uint64_t addr, end;		/* whole pages */
	int fd;				/* the file behind them */
	uint64_t offset;		/* where in it they begin */
	bool moved;			/* into that file, which is new */
};

/* Finds the file behind [addr, addr + size) of this process; private memory is moved into one. Under the memory lock, as the next. 0, or -errno with client_why. */
int client_memory_open(uint64_t addr, uint64_t size, struct client_memory *m);
/* What was moved for a request that was not granted goes back. */
void client_memory_close(const struct client_memory *m, bool granted);

/* --- client_sockets.c --- */

#define CLIENT_SOCKET_ROUNDS	3

/* netmapd wants sockets of the program's network namespace: more in each round, from 0 on. 0, or -errno with client_why. */
int client_sockets_send(const struct client_session *s, unsigned round);

/* --- client_mmap.c, client_thread.c, client_nic.c --- */

/* Maps a file in the place of [addr, addr + size), whole pages, and keeps a duplicate of its descriptor as long as that is mapped. 0 or -errno. */
int client_mmap_over(uint64_t addr, uint64_t size, int fd);

void client_threads_forked(void);
/* The calling thread's entry in the actor table; NULL with *err set. */
struct actor *client_self(int *err);
void client_wake(struct actor *a);

/* Attaches what the session's rings need of its port's driver. Lock-free if it is there. 0 or -errno. */
int client_nic_attach(struct client_session *s);
/* The session ends. Under the tables lock. True if it was the last of its port: then client_nics_close follows, without the lock. */
bool client_nic_release(struct client_session *s);
void client_nics_close(void);

/* --- client_why.c: what failed, for people --- */

void client_why_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void client_why_clear(void);

#endif /* LIBNETMAP_CLIENT_INTERNAL_H */
