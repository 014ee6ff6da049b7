/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores of memory of this process that may vanish at any time, at the price of an ordinary load or store. The kernel's copies (copy.h) cost
 * a system call each, about 450 ns, and a sync loop makes four and more accesses for each ring and round.
 *
 * The accesses are two known instructions. Between fault_guard_begin and fault_guard_end a handler for SIGSEGV and SIGBUS turns a fault at one of them
 * into -EFAULT, and hands every other one on to whoever had the signals before. A program that puts a handler of its own above ours while a guard
 * is in force gets these faults too, and has to hand on what is not its own. The handler also serves external regions, see cover.h.
 */
#ifndef HOST_FAULT_H
#define HOST_FAULT_H

#include <stdint.h>

/* In the calling thread, which must not have the two signals blocked by others: they are let through until the end. Guards nest, also across threads. */
struct fault_guard {
	uint64_t mask;			/* signals that were blocked before */
};

/* 0 or -errno. */
int fault_guard_begin(struct fault_guard *g);
void fault_guard_end(const struct fault_guard *g);
/* The handler alone, for cover.h: signals stay blocked where they are. Balanced. 0 or -errno. */
int fault_hold(void);
void fault_drop(void);

/* As struct csb_access has them. Inside a guard. */
int fault_load(uint64_t addr, uint64_t *word);
int fault_store(uint64_t addr, uint32_t word);

#endif /* HOST_FAULT_H */
