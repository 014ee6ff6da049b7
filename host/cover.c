/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See cover.h.
 */
#include <sys/mman.h>

#include "../engine/atomic.h"
#include "cover.h"
#include "fault.h"
#include "place.h"
#include "sys.h"

static struct {
	uint64_t from, size;		/* size 0: nothing */
	uint32_t *failed;
} covers[REGION_NUMBERS];
static uint32_t high;			/* entries below it may be in use */

static long
map_private(uint64_t from, uint64_t size, int prot)
{
	/* A huge page is never replaced in part: the whole mapping is, at once for all threads. */
	return sys_mmap((void *)(uintptr_t)from, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void
cover_drop(uint32_t no)
{
	uint64_t from = covers[no].from, size = covers[no].size;

	if (size == 0)
		return;
	map_private(from, size, PROT_NONE);
	sys_madvise((void *)(uintptr_t)from, size, MADV_DONTDUMP);
	store_relaxed(&covers[no].size, 0);
	fault_drop();
}

void
cover_clear(uint64_t from, uint64_t size)
{
	for (uint32_t i = 0; i < high; i++)
		if (covers[i].from < from + size && from < covers[i].from + covers[i].size)
			cover_drop(i);
}

uint32_t
cover_next(uint32_t no)
{
	while (no < load_relaxed(&high) && load_relaxed(&covers[no].size) == 0)
		no++;
	return no < load_relaxed(&high) ? no : REGION_NUMBERS;
}

int
cover_set(uint32_t no, uint64_t from, uint64_t size, uint32_t *failed)
{
	int err = fault_hold();

	if (err != 0)
		return err;
	cover_drop(no);
	store_relaxed(&covers[no].from, from);
	store_relaxed(&covers[no].failed, failed);
	if (no >= high)
		store_relaxed(&high, no + 1);
	/* A handler that finds the size finds the rest. */
	store_release(&covers[no].size, size);
	return 0;
}

bool
cover_fault(uint64_t addr)
{
	uint32_t n = load_relaxed(&high);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t size = load_acquire(&covers[i].size), from = load_relaxed(&covers[i].from);

		if (addr < from || addr - from >= size)
			continue;
		if (map_private(from, size, PROT_READ | PROT_WRITE) < 0)
			return false;
		sys_madvise((void *)(uintptr_t)from, size, MADV_DONTDUMP);
		store_relaxed(covers[i].failed, 1);
		return true;
	}
	return false;
}
