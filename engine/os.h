/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine needs from its host. Each host (netmapd, a direct client, a program with the engine inside, the kernel) implements these; the
 * engine calls nothing else. Functions return 0 or -errno unless they say otherwise.
 */
#ifndef ENGINE_OS_H
#define ENGINE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errno_abi.h"

struct actor;
struct forward_pair;
struct kring;
struct nic_ring;
struct netmap_switch_module;
struct port;
struct region;
struct vale_worker;

enum os_log_level {
	OS_LOG_ERROR,
	OS_LOG_WARNING,
	OS_LOG_INFO,
	OS_LOG_DEBUG,
};

/* --- data path: called by whoever syncs, from any thread, never with a lock held --- */

/* Wakes a thread that armed itself in this arena. `a->wake` has been set already. */
void os_wake(struct actor *a);
/* True if the region is mapped at its place in this process; maps it if not. False: frames for it are dropped as DROP_UNREACHABLE. */
bool os_region_ready(const struct region *r);
/* Seconds on a clock that never goes back; coarse and cheap. */
uint32_t os_seconds(void);
/* Wall clock, for ring->ts. */
void os_wall_clock(int64_t *sec, int64_t *usec);
/* Copies from memory of the thread that called the sync. -EFAULT if it cannot be read. */
int os_copy_from_caller(void *dst, uint64_t src, size_t n);
/* Moves frames between a NIC ring and the interface; see nic.h. */
int os_nic_sync(struct kring *kr, struct nic_ring *ring);
/* One line, without a newline; rate-limited by the engine. printf subset: %s %u %d %llu %x. */
void os_log(enum os_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- control side: called by the one thread that executes requests --- */

/* Zeroed memory in the arena, aligned to 128 bytes, at the same address for every process of the arena. NULL if there is none. */
void *os_shared_alloc(size_t size);
void os_shared_free(void *p, size_t size);
/* Zeroed private memory. */
void *os_alloc(size_t size);
void os_free(void *p);
/* Bounded formatting into buf, always terminated. */
int os_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/*
 * Gives region `no` (a number the engine chose) `size` bytes of zeroed memory that data-path processes can map; *base is its address in the arena.
 * -ENOMEM when address space or memory is short.
 */
int os_region_create(uint32_t no, uint32_t generation, uint64_t size, void **base);
void os_region_destroy(uint32_t no);
/*
 * Memory that a program gives for a region (extmem.c). `where` came with the request, and what it means is between the host and its clients. identify
 * fills id: two that are equal, with equal sizes, are the same memory; id[2] is where it begins in the whole that the other two name. -EFAULT, -EINVAL:
 * it cannot be used; `why` says why not.
 */
int os_memory_identify(void *caller, uint64_t where, uint64_t size, uint64_t id[3], char *why, size_t why_size);
/*
 * As os_region_create, of that memory, with whatever is in it. When the host finds that it has gone while it was used, it stores 1 in *failed, at any
 * time and in any thread; the data path is unharmed then.
 */
int os_region_adopt(void *caller, uint32_t no, uint32_t generation, uint64_t where, uint64_t size, uint32_t *failed, void **base, char *why,
	size_t why_size);
/* Is what was adopted still there as a whole? Looks without touching it. */
bool os_region_intact(uint32_t no);
/* Address space left for regions, bytes; the engine reserves less for a region when this is short. */
uint64_t os_region_space(void);
/*
 * Opens the interface of that name in the caller's network namespace for `port` (name and region set). Fills num_tx, num_rx, num_host_tx, num_host_rx,
 * tx_slots, rx_slots, max_frame and nic. -ENXIO if there is none, -EOPNOTSUPP if this host has no interface driver. `why` receives a sentence for the
 * caller.
 */
struct os_nic_params {
	uint32_t buf_size;
	uint16_t host_tx, host_rx;	/* host rings wanted, 0: one */
};
int os_nic_open(void *caller, struct port *port, const struct os_nic_params *params, char *why, size_t why_size);
void os_nic_close(struct port *port);
/*
 * From now on what the stack sends on the interface goes to the port's host rings, and what is sent on those to the stack. Fills port->nic_host.
 * Called with the first binding of a host ring, and with the last one's end.
 */
int os_nic_host_open(struct port *port, char *why, size_t why_size);
void os_nic_host_close(struct port *port);
/* Identity of the named interface for the caller's namespace, to tell two interfaces of one name apart. 0 if there is no such interface. */
uint64_t os_nic_key(void *caller, const char *name);
/* Why the caller's interfaces cannot be looked up, so that a key of 0 says nothing: an error of the host's, and a sentence. 0: they can. */
int os_nic_hidden(void *caller, const char *name, char *why, size_t why_size);

/* Are the two interfaces, both open as ports, the ends of one veth pair whose rings may be joined? */
bool os_nic_peers(const struct port *a, const struct port *b);

/*
 * At most so many ring pairs, and slots of a ring, would the port of that interface have: known before it is opened, for the size of its memory.
 */
void os_nic_size(void *caller, const char *name, uint32_t *pairs, uint32_t *slots);
/*
 * Workers are threads of the host. From start to stop one of them steps the pair (forward.h): with cpu -1 one that sleeps while there is nothing to do,
 * else one that runs on that CPU and never sleeps. start: -EINVAL there is no such CPU, or as making a thread failed. When stop returns, nobody is or
 * will be inside. It must be called also for a pair whose interface is gone.
 */
int os_worker_start(struct forward_pair *pair, int cpu);
void os_worker_stop(struct forward_pair *pair);
/*
 * From start to stop one of the workers steps the switch (vale_worker.h), sleeping while there is nothing to do. When stop returns, nobody is or will be
 * inside. flush: what was handed over before has been forwarded when it returns.
 */
int os_switch_start(struct vale_worker *w);
void os_switch_stop(struct vale_worker *w);
void os_switch_flush(struct vale_worker *w);
/* No switch has this module, which was given to one, any more. */
void os_module_put(const struct netmap_switch_module *module);
/* Locks between the control thread and workers. NULL: no memory. */
void *os_mutex_new(void);
void os_mutex_free(void *mutex);
void os_mutex_lock(void *mutex);
void os_mutex_unlock(void *mutex);
/* CPUs that workers can run on. */
uint32_t os_worker_cpus(void);

#endif /* ENGINE_OS_H */
