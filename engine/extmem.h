/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * External memory: regions in memory that a program gives with the EXTMEM option of a REGISTER. The layout is that of other regions; counts and sizes
 * are the program's choice or the priv_* parameters, and what is left over becomes buffers. The same memory, given again by anybody, is the same region.
 */
#ifndef ENGINE_EXTMEM_H
#define ENGINE_EXTMEM_H

#include "port.h"
#include "request.h"

#define EXTMEM_LOOK_MS	1000

/* What the option asks for, or the reason why that memory cannot be used. *m is for as long as the option is there. */
int extmem_parse(void *caller, struct nmreq_opt_extmem *opt, struct region_memory *m, struct why *why);
/* The region of that memory, held for the caller: one that is there, or a new one, whose counts that are left open are enough for `need`. */
int extmem_region(const struct region_memory *m, const struct region_need *need, const char *owner, struct region **out, struct why *why);
/* Is the port, found or made for that option, in that memory? */
int extmem_check(const struct port *p, const struct region_memory *m, struct why *why);
/* Looks after external memory that may have gone: the rings in it are stopped then. True: wants to look again, after EXTMEM_LOOK_MS. */
bool extmem_tick(void);

#endif /* ENGINE_EXTMEM_H */
