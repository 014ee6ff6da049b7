/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's locks, and how it notices that it is in another process than before.
 *
 * fork() is seen by a handler, other ways by a page that the kernel wipes in the child (MADV_WIPEONFORK). A vfork child shares the page, and is the
 * parent for all that happens here.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "../host/sys.h"
#include "client_internal.h"

#define FREE		0u
#define HELD		1u
#define CONTENDED	2u

#define PID_CHANGING	UINT32_MAX

static struct client_process first_process;
struct client_process *client_process = &first_process;

static void
signals_block(uint64_t *old)
{
	uint64_t all = ~UINT64_C(0);

	sys_sigmask(SIG_BLOCK, &all, old);
}

static void
signals_restore(const uint64_t *old)
{
	sys_sigmask(SIG_SETMASK, old, NULL);
}

void
client_lock(enum client_lock which, struct client_guard *g)
{
	uint32_t *word = &client_process->lock[which], seen = FREE;

	signals_block(&g->mask);
	if (atomic_cas(word, &seen, HELD))
		return;
	while (atomic_xchg(word, CONTENDED) != FREE)
		sys_futex_wait(word, CONTENDED, NULL, 0);
}

void
client_unlock(enum client_lock which, struct client_guard *g)
{
	uint32_t *word = &client_process->lock[which];

	if (atomic_xchg(word, FREE) == CONTENDED)
		sys_futex_wake(word, 1, 0);
	signals_restore(&g->mask);
}

/* fork() copies the tables: nobody may be in the middle of changing them. */
static struct client_guard fork_guard[CLIENT_LOCKS];

static void
fork_prepare(void)
{
	client_lock(CLIENT_LOCK_CONNECTION, &fork_guard[CLIENT_LOCK_CONNECTION]);
	client_lock(CLIENT_LOCK_TABLES, &fork_guard[CLIENT_LOCK_TABLES]);
}

static void
fork_parent(void)
{
	client_unlock(CLIENT_LOCK_TABLES, &fork_guard[CLIENT_LOCK_TABLES]);
	client_unlock(CLIENT_LOCK_CONNECTION, &fork_guard[CLIENT_LOCK_CONNECTION]);
}

static void
fork_child(void)
{
	client_forked();
	/* The locks are free by now: what is left is the mask. */
	signals_restore(&fork_guard[CLIENT_LOCK_CONNECTION].mask);
}

/* The first thread that comes by after a fork; others wait for it. */
static void
process_adopt(uint32_t seen)
{
	uint32_t pid = (uint32_t)sys_getpid();
	uint64_t mask;

	signals_block(&mask);
	if (seen != PID_CHANGING && atomic_cas(&client_process->pid, &seen, PID_CHANGING)) {
		for (unsigned i = 0; i < CLIENT_LOCKS; i++)
			store_relaxed(&client_process->lock[i], FREE);
		client_connection_forked();
		client_threads_forked();
		client_fds_forked();
		store_release(&client_process->pid, pid);
	} else {
		while (load_acquire(&client_process->pid) == PID_CHANGING)
			sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	signals_restore(&mask);
}

void
client_forked(void)
{
	uint32_t seen = load_acquire(&client_process->pid);

	if (seen != (uint32_t)sys_getpid())
		process_adopt(seen);
}

/* Before main, while there is one thread. */
__attribute__((constructor))
static void
process_start(void)
{
	long page = sys_mmap(NULL, sizeof(struct client_process), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Where the page cannot be had, or not be wiped, the fork handler alone does it. */
	if (page > 0) {
		struct client_process *p = (void *)page;

		*p = first_process;
		sys_madvise(p, sizeof(*p), MADV_WIPEONFORK);
		client_process = p;
	}
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void
client_process_enter(void)
{
	uint32_t seen = load_acquire(&client_process->pid);

	if (unlikely(seen == 0 || seen == PID_CHANGING))
		process_adopt(seen);
}
