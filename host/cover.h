/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * External regions in the arena: mappings of files that belong to somebody else, who may cut them short, or whose file system may be full. A SIGBUS in
 * one puts private zero pages in the place of the whole mapping, says so in the region's `failed`, and the access is repeated. What is read there from
 * then on is as hostile as what was there before, and the region's ports end with EIO (engine/extmem.c).
 *
 * The handler is that of fault.h: it stands as long as something is covered. A thread that blocks SIGBUS is not protected.
 */
#ifndef HOST_COVER_H
#define HOST_COVER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * [from, from + size) is the whole mapping of region `no`; what that number had before is not in use any more. `failed` must stay as long as the data
 * path uses the region. 0 or -errno: no handler. This and the next are called by one thread at a time.
 */
int cover_set(uint32_t no, uint64_t from, uint64_t size, uint32_t *failed);
/* No region of those that meet [from, from + size) is in use here any more: their mappings give way to reserved addresses. */
void cover_clear(uint64_t from, uint64_t size);
void cover_drop(uint32_t no);
/* The first region from that number on that is covered; REGION_NUMBERS: none. */
uint32_t cover_next(uint32_t no);

/* The handler's part: true if the access can be repeated. (signal-safe) */
bool cover_fault(uint64_t addr);

#endif /* HOST_COVER_H */
