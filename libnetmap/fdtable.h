/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process knows about its descriptor numbers: number -> entry. An entry stands for an open file, so
 * that duplicates share it.
 *
 * Lock-free; everything but fd_reap is async-signal-safe. Memory of entries is never given back, only used
 * again, which is what makes it safe to take a reference on an entry that another thread is just dropping:
 * see fd_get. Whether the process may change the table at all is its caller's question (process.h).
 */
#ifndef LIBNETMAP_FDTABLE_H
#define LIBNETMAP_FDTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_session;
struct epoll_set;

enum fd_kind {
	FD_SESSION = 1,		/* a netmap descriptor */
	FD_EPOLL,		/* an epoll instance */
	FD_PENDING,		/* carries netmapd's mark, but was not attached yet */
	FD_OWNED,		/* the library's own */
};

struct fd_entry {
	_Atomic uint32_t refs;		/* slots and users */
	_Atomic uint32_t slots;		/* descriptor numbers that stand for this file */
	_Atomic bool hung_up;		/* sessions: netmapd's end is gone */
	enum fd_kind kind;
	uint32_t index;
	_Atomic uint32_t next_free;
	struct fd_entry *next_reap;
	union {
		struct client_session *session;	/* counted */
		struct epoll_set *set;		/* owned */
	};
};

#define FD_CHUNK_BITS	10
#define FD_CHUNK	(1u << FD_CHUNK_BITS)
#define FD_CHUNKS	(1u << 16)
#define FD_LIMIT	((int)(FD_CHUNK * FD_CHUNKS))	/* numbers from here on are never known */

struct fd_chunk {
	struct fd_entry *_Atomic slot[FD_CHUNK];
};

extern struct fd_chunk *_Atomic fd_chunks[FD_CHUNKS];
extern _Atomic int fd_highest;		/* no number above it was ever known; -1: none was */

/*
 * The one look-up that every call on any descriptor pays: is there something about this number? The answer
 * must not be dereferenced.
 */
static inline const struct fd_entry *
fd_peek(int fd)
{
	struct fd_chunk *c;

	if ((unsigned)fd >= (unsigned)FD_LIMIT)
		return NULL;
	c = atomic_load_explicit(&fd_chunks[(unsigned)fd >> FD_CHUNK_BITS], memory_order_acquire);
	return c ? atomic_load_explicit(&c->slot[(unsigned)fd % FD_CHUNK], memory_order_acquire) : NULL;
}

/* A counted reference to what is known about fd, or NULL. */
struct fd_entry *fd_get(int fd);
struct fd_entry *fd_ref(struct fd_entry *e);
/* The last reference queues the entry for fd_reap. */
void fd_put(struct fd_entry *e);

/*
 * A new entry with one reference, which takes over the caller's count of the session (or the set). NULL: out
 * of memory.
 */
struct fd_entry *fd_entry_new(enum fd_kind kind, void *what);

/*
 * fd stands for e from now on (NULL: for nothing known); takes a reference of its own. 0 or -ENOMEM, -EMFILE
 * (number too high).
 */
int fd_install(int fd, struct fd_entry *e);
/* Forgets what is known of fd; true if something was. */
bool fd_clear(int fd);
/* As fd_install(fd, to), if fd still stands for `from`. */
bool fd_replace(int fd, struct fd_entry *from, struct fd_entry *to);

/* The entry of all descriptors of these kinds: FD_PENDING, FD_OWNED. */
extern struct fd_entry fd_pending, fd_owned;

/* Calls fn(fd, entry) for every known number in [first, last]. */
void fd_walk(unsigned first, unsigned last, void (*fn)(int fd, struct fd_entry *e, void *arg), void *arg);

/* Gives back what dropped entries held, through `release`. Not async-signal-safe. */
bool fd_reap_wanted(void);
void fd_reap(void (*release)(struct fd_entry *e));

#endif /* LIBNETMAP_FDTABLE_H */
