/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the arena that holds regions: a file each, at an address that is theirs while they live.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/cover.h"
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

static uint64_t
align_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static uint64_t
mapping_size(const struct arena_region *r)
{
	return align_up(r->size, r->page);
}

void
regions_trim(void)
{
	for (unsigned i = 0; i < regions.count; i++) {
		const struct arena_region *r = &regions.slot[regions.order[i]];

		madvise((void *)(uintptr_t)r->addr, mapping_size(r), MADV_DONTNEED);
	}
}

/* Where the next region can begin: behind this one and an empty page. */
static uint64_t
place_behind(const struct arena_region *r)
{
	return align_up(r->addr + mapping_size(r) + regions.page, ARENA_ALIGN);
}

/* First fit: the place in regions.order before which the new region stands, and its address. */
static bool
place_find(struct arena_region *new, unsigned *at)
{
	uint64_t align = new->page > ARENA_ALIGN ? new->page : ARENA_ALIGN, end = regions.base + regions.size;

	new->addr = align_up(regions.base, align);
	for (*at = 0; *at < regions.count; ++*at) {
		const struct arena_region *r = &regions.slot[regions.order[*at]];

		if (place_behind(new) <= r->addr)
			return true;
		new->addr = align_up(place_behind(r), align);
	}
	return new->addr < end && place_behind(new) <= end;
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
			start = place_behind(r);
	}
	return largest > ARENA_ALIGN ? largest - ARENA_ALIGN : 0;
}

/* Has no page twice, so also a huge one is had, or refused, now. */
static int
region_flags(const struct arena_region *r)
{
	return r->page > regions.page ? MAP_SHARED | MAP_FIXED : MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
}

int
region_add(uint32_t no, struct arena_region *r, void **base)
{
	unsigned at;
	void *p;

	if (no >= REGION_NUMBERS || r->size == 0 || r->size > regions.size)
		return -ENOMEM;
	if (regions.slot[no].size != 0)
		return -EEXIST;
	if (!place_find(r, &at))
		return -ENOMEM;
	p = mmap((void *)(uintptr_t)r->addr, mapping_size(r), PROT_READ | PROT_WRITE, region_flags(r), r->fd, (off_t)r->offset);
	if (p == MAP_FAILED)
		return -errno;
	madvise(p, mapping_size(r), MADV_DONTDUMP);
	memmove(&regions.order[at + 1], &regions.order[at], (regions.count - at) * sizeof(regions.order[0]));
	regions.order[at] = no;
	regions.count++;
	regions.slot[no] = *r;
	*base = p;
	return 0;
}

int
os_region_create(uint32_t no, uint32_t generation, uint64_t size, void **base)
{
	struct arena_region r = { .size = align_up(size, regions.page), .page = regions.page, .generation = generation };
	struct stat st;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "netmap-region-%u", no);
	r.fd = arena_memfd(name, r.size, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (r.fd < 0)
		return r.fd;
	if (fstat(r.fd, &st) == 0)
		r.ino = st.st_ino;
	err = region_add(no, &r, base);
	if (err != 0)
		close(r.fd);
	return err;
}

/* The addresses stay reserved. A failure leaves the old mapping, which the next region there replaces. */
static void
region_unmap(const struct arena_region *r)
{
	if (r->external)
		cover_clear(r->addr, r->size);
	if (mmap((void *)(uintptr_t)r->addr, mapping_size(r), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
	    MAP_FAILED)
		madvise((void *)(uintptr_t)r->addr, mapping_size(r), MADV_DONTDUMP);
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
	region_unmap(r);
	/* Clients may keep the file mapped at the old place for as long as they live: it must not hold memory. What is a program's own stays as it is. */
	if (!r->external && fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, r->size) != 0)
		os_log(OS_LOG_WARNING, "memory of region %u cannot be given back: %s", no, strerror(errno));
	close(r->fd);
	memset(r, 0, sizeof(*r));
}

bool
regions_own(uint64_t ino)
{
	for (unsigned i = 0; i < regions.count; i++) {
		const struct arena_region *r = &regions.slot[regions.order[i]];

		if (!r->external && r->ino == ino)
			return true;
	}
	return false;
}
