/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the arena that holds regions: a memfd each, at an address that is theirs while they live.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/place.h"
#include "arena.h"

static struct {
	uint64_t base, size, page;
	struct arena_region *slot;	/* by number; size 0: none */
	uint16_t *order;		/* numbers by ascending address */
	unsigned count;
} regions;

int
regions_init(uint64_t base, uint64_t size, uint64_t page)
{
	memset(&regions, 0, sizeof(regions));
	regions.slot = calloc(REGION_NUMBERS, sizeof(*regions.slot));
	regions.order = calloc(REGION_NUMBERS, sizeof(*regions.order));
	if (regions.slot == NULL || regions.order == NULL) {
		regions_fini();
		return -ENOMEM;
	}
	regions.base = base;
	regions.size = size;
	regions.page = page;
	return 0;
}

void
regions_fini(void)
{
	for (unsigned i = 0; i < regions.count; i++)
		close(regions.slot[regions.order[i]].fd);
	free(regions.slot);
	free(regions.order);
	memset(&regions, 0, sizeof(regions));
}

const struct arena_region *
arena_region(uint32_t no)
{
	return no < REGION_NUMBERS && regions.slot[no].size != 0 ? &regions.slot[no] : NULL;
}

void
regions_trim(void)
{
	for (unsigned i = 0; i < regions.count; i++) {
		const struct arena_region *r = &regions.slot[regions.order[i]];

		madvise((void *)(uintptr_t)r->addr, r->size, MADV_DONTNEED);
	}
}

/* What a region occupies, with the empty page behind it. */
static uint64_t
extent(uint64_t size)
{
	return (size + regions.page + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

/* First fit: the place in regions.order before which the new region stands, and its address. */
static bool
place_find(uint64_t need, unsigned *at, uint64_t *addr)
{
	uint64_t start = regions.base;

	for (unsigned i = 0; i < regions.count; i++) {
		const struct arena_region *r = &regions.slot[regions.order[i]];

		if (r->addr - start >= need) {
			*at = i;
			*addr = start;
			return true;
		}
		start = r->addr + extent(r->size);
	}
	if (regions.base + regions.size - start < need)
		return false;
	*at = regions.count;
	*addr = start;
	return true;
}

uint64_t
os_region_space(void)
{
	uint64_t start = regions.base, largest = 0, hole;

	for (unsigned i = 0; i <= regions.count; i++) {
		const struct arena_region *r = i < regions.count ? &regions.slot[regions.order[i]] : NULL;

		hole = (r != NULL ? r->addr : regions.base + regions.size) - start;
		if (hole > largest)
			largest = hole;
		if (r != NULL)
			start = r->addr + extent(r->size);
	}
	return largest > ARENA_ALIGN ? largest - ARENA_ALIGN : 0;
}

int
os_region_create(uint32_t no, uint32_t generation, uint64_t size, void **base)
{
	struct arena_region *r;
	char name[32];
	uint64_t addr;
	unsigned at;
	void *p;
	int fd, err;

	if (no >= REGION_NUMBERS || size == 0 || size > regions.size)
		return -ENOMEM;
	r = &regions.slot[no];
	if (r->size != 0)
		return -EEXIST;
	size = (size + regions.page - 1) & ~(regions.page - 1);
	if (!place_find(extent(size), &at, &addr))
		return -ENOMEM;
	snprintf(name, sizeof(name), "netmap-region-%u", no);
	fd = arena_memfd(name, size, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (fd < 0)
		return fd;
	p = mmap((void *)(uintptr_t)addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	madvise(p, size, MADV_DONTDUMP);
	memmove(&regions.order[at + 1], &regions.order[at], (regions.count - at) * sizeof(regions.order[0]));
	regions.order[at] = no;
	regions.count++;
	*r = (struct arena_region){ .addr = addr, .size = size, .generation = generation, .fd = fd };
	*base = p;
	return 0;
}

void
os_region_destroy(uint32_t no)
{
	struct arena_region *r;
	unsigned at = 0;

	if (arena_region(no) == NULL)
		return;
	r = &regions.slot[no];
	while (regions.order[at] != no)
		at++;
	regions.count--;
	memmove(&regions.order[at], &regions.order[at + 1], (regions.count - at) * sizeof(regions.order[0]));
	/* The addresses stay reserved. A failure leaves the old mapping, which the next region there replaces. */
	if (mmap((void *)(uintptr_t)r->addr, r->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
	    MAP_FAILED)
		madvise((void *)(uintptr_t)r->addr, r->size, MADV_DONTDUMP);
	/* Clients may keep the file mapped at the old place for as long as they live: it must not hold memory. */
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, r->size) != 0)
		os_log(OS_LOG_WARNING, "memory of region %u cannot be given back: %s", no, strerror(errno));
	close(r->fd);
	memset(r, 0, sizeof(*r));
}
