/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which process this is. A forked child has its own copy of the descriptor table, and tells the client about
 * itself before its first use of it. A child made by vfork (or clone with CLONE_VM) runs wrappers in its
 * parent's memory: it has its own descriptors, but the table describes the parent's, so it must change
 * nothing there.
 */
#ifndef LIBNETMAP_PROCESS_H
#define LIBNETMAP_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

enum process_state {
	PROCESS_FORKED = 0,	/* what a fork leaves in the child */
	PROCESS_ENTERING,
	PROCESS_OURS,
};

extern _Atomic int *process_word;	/* on a page that a fork wipes in the child */
extern bool process_active;		/* false: a real /dev/netmap serves this process */

void process_forked(void);

/*
 * To be called before anything that concerns a netmap descriptor. (signal-safe once the process has called
 * it)
 */
static inline void
process_enter(void)
{
	if (__builtin_expect(atomic_load_explicit(process_word, memory_order_acquire) != PROCESS_OURS, 0))
		process_forked();
}

/* May this process change the table? (signal-safe) */
bool process_owns_table(void);

/*
 * Lets go of dropped sessions now, unless this may be a signal handler (some signal is blocked): then the
 * next call that comes by does it. At places that are not for signal handlers anyway, process_reap_now.
 */
void process_reap(void);
void process_reap_now(void);

/* Does fd carry netmapd's mark? One system call. (signal-safe) */
bool process_marked(int fd);

#endif /* LIBNETMAP_PROCESS_H */
