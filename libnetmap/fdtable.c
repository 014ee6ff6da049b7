/* SPDX-License-Identifier: BSD-2-Clause */
/* The descriptor table, see fdtable.h. */
#include "intercept.h"

#include <sys/mman.h>

#include "raw_syscall.h"

#define ENTRIES_CHUNK	256u
#define ENTRIES_CHUNKS	4096u	/* entries in all: a million */

struct fd_chunk *_Atomic fd_chunks[FD_CHUNKS];
_Atomic int fd_highest = -1;

struct fd_entry fd_pending = { .refs = 1, .kind = FD_PENDING };
struct fd_entry fd_owned = { .refs = 1, .kind = FD_OWNED };

/* The first ones lie where leak checkers look for pointers. */
static struct fd_entry entries_first[ENTRIES_CHUNK];
static struct fd_entry *_Atomic entry_chunks[ENTRIES_CHUNKS] = { entries_first };
static _Atomic uint32_t entries_made;		/* entries handed out for the first time */
/* index + 1 of the first free entry; in the upper half a count against ABA */
static _Atomic uint64_t entries_free;
static struct fd_entry *_Atomic entries_dropped;

/* Zeroed memory for *where, unless another thread was faster. */
static void *
chunk_make(void *_Atomic *where, size_t size)
{
	void *seen = NULL;
	long addr = raw_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);

	if ((unsigned long)addr > -4096UL)
		return NULL;
	if (atomic_compare_exchange_strong(where, &seen, (void *)addr))
		return (void *)addr;
	raw_syscall(SYS_munmap, addr, size);
	return seen;
}

static struct fd_entry *_Atomic *
fd_slot(int fd, bool make)
{
	struct fd_chunk *c;

	if ((unsigned)fd >= (unsigned)FD_LIMIT)
		return NULL;
	c = atomic_load_explicit(&fd_chunks[(unsigned)fd >> FD_CHUNK_BITS], memory_order_acquire);
	if (!c && make)
		c = chunk_make((void *_Atomic *)&fd_chunks[(unsigned)fd >> FD_CHUNK_BITS], sizeof(*c));
	return c ? &c->slot[(unsigned)fd % FD_CHUNK] : NULL;
}

static struct fd_entry *
entry_at(uint32_t index)
{
	struct fd_entry *_Atomic *where = &entry_chunks[index / ENTRIES_CHUNK];
	struct fd_entry *chunk = atomic_load_explicit(where, memory_order_acquire);

	if (!chunk)
		chunk = chunk_make((void *_Atomic *)where, ENTRIES_CHUNK * sizeof(*chunk));
	return chunk ? &chunk[index % ENTRIES_CHUNK] : NULL;
}

static struct fd_entry *
entry_pop(void)
{
	uint64_t head = atomic_load_explicit(&entries_free, memory_order_acquire);
	uint64_t next;
	struct fd_entry *e;

	do {
		if (!(uint32_t)head)
			return NULL;
		e = entry_at((uint32_t)head - 1);
		/*
		 * Another thread may take e now; then the count has moved and what is read here is thrown
		 * away.
		 */
		next = atomic_load_explicit(&e->next_free, memory_order_relaxed);
		next |= ((head >> 32) + 1) << 32;
	} while (!atomic_compare_exchange_weak(&entries_free, &head, next));
	return e;
}

static void
entry_push(struct fd_entry *e)
{
	uint64_t head = atomic_load_explicit(&entries_free, memory_order_relaxed);
	uint64_t next;

	do {
		atomic_store_explicit(&e->next_free, (uint32_t)head, memory_order_relaxed);
		next = (e->index + 1) | ((head >> 32) + 1) << 32;
	} while (!atomic_compare_exchange_weak(&entries_free, &head, next));
}

struct fd_entry *
fd_entry_new(enum fd_kind kind, void *what)
{
	struct fd_entry *e = entry_pop();
	uint32_t index;

	if (!e) {
		index = atomic_load(&entries_made);
		do {
			if (index >= ENTRIES_CHUNK * ENTRIES_CHUNKS)
				return NULL;
		} while (!atomic_compare_exchange_weak(&entries_made, &index, index + 1));
		e = entry_at(index);
		if (!e)
			return NULL;
		e->index = index;
	}
	e->kind = kind;
	if (kind == FD_EPOLL)
		e->set = what;
	else
		e->session = what;
	atomic_store_explicit(&e->slots, 0, memory_order_relaxed);
	atomic_store_explicit(&e->hung_up, false, memory_order_relaxed);
	/* Users who hold a stale pointer see the fields once they see the count. */
	atomic_store_explicit(&e->refs, 1, memory_order_release);
	return e;
}

struct fd_entry *
fd_ref(struct fd_entry *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void
fd_put(struct fd_entry *e)
{
	struct fd_entry *head;

	if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
		return;
	head = atomic_load_explicit(&entries_dropped, memory_order_relaxed);
	do
		e->next_reap = head;
	while (!atomic_compare_exchange_weak_explicit(&entries_dropped, &head, e, memory_order_release,
		memory_order_relaxed));
}

struct fd_entry *
fd_get(int fd)
{
	struct fd_entry *_Atomic *slot = fd_slot(fd, false);
	struct fd_entry *e;
	uint32_t refs;

	if (!slot)
		return NULL;
	for (;;) {
		e = atomic_load_explicit(slot, memory_order_acquire);
		if (!e)
			return NULL;
		refs = atomic_load_explicit(&e->refs, memory_order_relaxed);
		while (refs && !atomic_compare_exchange_weak_explicit(&e->refs, &refs, refs + 1,
			memory_order_acquire,
			memory_order_relaxed))
			;
		if (!refs)
			continue;	/* dropped meanwhile, so the slot has changed */
		/*
		 * e may have been dropped and used again for another file; that is right only if it is this
		 * number's.
		 */
		if (atomic_load_explicit(slot, memory_order_acquire) == e)
			return e;
		fd_put(e);
	}
}

static void
slot_drop(struct fd_entry *old)
{
	atomic_fetch_sub_explicit(&old->slots, 1, memory_order_release);
	fd_put(old);
}

static struct fd_entry *
slot_hold(struct fd_entry *e)
{
	if (e) {
		fd_ref(e);
		atomic_fetch_add_explicit(&e->slots, 1, memory_order_relaxed);
	}
	return e;
}

int
fd_install(int fd, struct fd_entry *e)
{
	struct fd_entry *_Atomic *slot = fd_slot(fd, e != NULL);
	int highest = atomic_load(&fd_highest);
	struct fd_entry *old;

	if (!slot)
		return !e ? 0 : (unsigned)fd < (unsigned)FD_LIMIT ? -ENOMEM : -EMFILE;
	while (highest < fd && !atomic_compare_exchange_weak(&fd_highest, &highest, fd))
		;
	old = atomic_exchange_explicit(slot, slot_hold(e), memory_order_acq_rel);
	if (old)
		slot_drop(old);
	return 0;
}

bool
fd_clear(int fd)
{
	if (!fd_peek(fd))
		return false;
	fd_install(fd, NULL);
	return true;
}

bool
fd_replace(int fd, struct fd_entry *from, struct fd_entry *to)
{
	struct fd_entry *_Atomic *slot = fd_slot(fd, false);
	struct fd_entry *seen = from;

	slot_hold(to);
	if (slot && atomic_compare_exchange_strong(slot, &seen, to)) {
		slot_drop(from);
		return true;
	}
	if (to)
		slot_drop(to);
	return false;
}

void
fd_walk(unsigned first, unsigned last, void (*fn)(int fd, struct fd_entry *e, void *arg), void *arg)
{
	if (last >= (unsigned)FD_LIMIT)
		last = FD_LIMIT - 1;
	for (unsigned fd = first; fd <= last; fd++) {
		struct fd_entry *e;

		if (!atomic_load_explicit(&fd_chunks[fd >> FD_CHUNK_BITS], memory_order_acquire)) {
			fd |= FD_CHUNK - 1;
			continue;
		}
		e = fd_get((int)fd);
		if (e) {
			fn((int)fd, e, arg);
			fd_put(e);
		}
	}
}

bool
fd_reap_wanted(void)
{
	return atomic_load_explicit(&entries_dropped, memory_order_relaxed) != NULL;
}

void
fd_reap(void (*release)(struct fd_entry *e))
{
	struct fd_entry *e, *next;

	for (e = atomic_exchange_explicit(&entries_dropped, NULL, memory_order_acquire); e; e = next) {
		next = e->next_reap;
		release(e);
		entry_push(e);
	}
}
