/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine inside one program: no daemon, no shared memory between processes. For tests, fuzzing and
 * measurements of the engine alone. One instance per process. Requests may come from any thread (a lock orders
 * them); the data path runs in the caller's thread as everywhere. A region has inaccessible pages on both sides.
 * Functions return 0 or -errno.
 */
#ifndef HOST_INPROC_H
#define HOST_INPROC_H

#include <stdbool.h>
#include <stdint.h>

#include <netmap_switch.h>

#include "../engine/ctrl.h"
#include "../engine/nic.h"
#include "../engine/sync.h"

/* A descriptor, as it were. */
struct inproc_fd {
	struct session *session;
	struct binding *binding;
	char why[240];			/* of the last failed request */
};

int inproc_start(void);
/*
 * Every descriptor must be closed, every other thread gone. -EBUSY if memory of the engine is still in use: a
 * leak.
 */
int inproc_stop(void);

int inproc_open(struct inproc_fd *fd);
void inproc_close(struct inproc_fd *fd);
/* NIOC* as with ioctl(2), with pointers into the caller's memory; bad pointers give -EFAULT. */
int inproc_ioctl(struct inproc_fd *fd, unsigned long cmd, void *arg);
/* Start of the region; NULL while not registered. */
void *inproc_memory(const struct inproc_fd *fd);

/* The calling thread's entry, made on first use; freed when the thread ends or by inproc_thread_done(). */
struct actor *inproc_actor(void);
void inproc_thread_done(void);
/* Acts as if the calling thread died where it stands: its entry is recovered, the thread gets a new one. */
void inproc_thread_die(void);

/* poll(2) for one descriptor: events that are there, after at most timeout_ms (-1: no limit). */
unsigned inproc_poll(struct inproc_fd *fd, unsigned events, int timeout_ms);

struct arena_root *inproc_root(void);
/* Bytes that the engine holds through os_shared_alloc, os_alloc and regions. */
uint64_t inproc_memory_used(void);
/* After n more allocations they fail, until set to -1. For tests of error paths. */
void inproc_fail_after(long n);
/* Seconds added to the engine's clock, for ageing. */
void inproc_clock_advance(uint32_t seconds);

/* Called in the data path. NULL: the ordinary behaviour. */
struct inproc_hooks {
	/* The answer of os_region_ready(). */
	bool (*region_ready)(const struct region *r);
	/* The answer of os_region_intact(): is external memory still there? */
	bool (*region_intact)(uint32_t no);
	/* Before each copy from the caller's memory: a look at what others see in the middle of a sync. */
	void (*copy_from_caller)(uint64_t src, size_t n);
	/* If set, there are interfaces, all names that begin with "nic", of so many queues: moves their frames. */
	uint16_t nic_queues;
	int (*nic_sync)(struct kring *kr, struct nic_ring *ring);
	/* Are the two the ends of a veth pair? NULL: none are. */
	bool (*nic_peers)(const struct port *a, const struct port *b);
};

/* Ports whose host side is open. */
unsigned inproc_nic_hosts(void);
/*
 * One step for each ring pair of attached interfaces; returns all that forward_step() said. An interface that fails is
 * gone. Not while another thread has a request under way.
 */
unsigned inproc_work(void);
/* Ring pairs that a worker on this CPU has (0 to 3; -1: on any). */
unsigned inproc_pairs(int cpu);

/* Who owns switches, and modules, given directly; how many uses of a module have ended. */
int inproc_own(const char *name, uint64_t token);
int inproc_disown(const char *name, uint64_t token);
int inproc_module_set(const char *name, uint64_t token, const struct netmap_switch_module *module);
unsigned inproc_modules_put(void);
/* One step for each switch that has a worker; true if packets moved. */
bool inproc_work_switches(void);

/* NULL: none. Not while other threads sync. */
void inproc_hooks_set(const struct inproc_hooks *hooks);

/* Lines logged so far; the last one, which is only to be read while no other thread logs. */
unsigned inproc_log_lines(void);
const char *inproc_log_last(void);

#endif /* HOST_INPROC_H */
