/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode: a program and the sync loop (kloop.h) exchange head, cur and tail of each ring through two arrays of 64-byte entries in the program's
 * memory, not through the netmap_ring.
 *
 * The control side checks what can be checked without that memory (csb_ctrl.c); whoever runs where the memory is then calls csb_enable. Every word
 * of the arrays is hostile, and any access may find the memory gone.
 */
#ifndef ENGINE_CSB_H
#define ENGINE_CSB_H

#include <stdint.h>

#include "ring.h"

/*
 * Accesses to the program's memory, at naturally aligned addresses. Each moves its word in one piece and returns 0, or -EFAULT if it cannot be reached.
 * load: what follows it is done after it. store: what stands before it is seen before it.
 */
struct csb_access {
	int (*load)(uint64_t addr, uint64_t *word);
	int (*store)(uint64_t addr, uint32_t word);
};

#define CSB_ALIGN	64u

/*
 * Tells the arrays where each ring stands, and switches the binding to CSB mode: its syncs and poll are refused from then on. Inside the data path,
 * registered. -EFAULT: some entry cannot be read or written; nothing is switched then.
 */
int csb_enable(struct binding *b, uint64_t atok, uint64_t ktoa, const struct csb_access *access);

/* The CSB option of a REGISTER or CSB_ENABLE request; NULL if there is none. Counts as claimed. */
struct nmreq_opt_csb;
struct request_msg;
struct nmreq_opt_csb *csb_option(struct request_msg *msg);

#endif /* ENGINE_CSB_H */
