/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: the address space that netmapd and its direct clients have in common (host/place.h).
 *
 * State memory is one memfd that grows behind its mapping; each region is a memfd of its own. os_shared_alloc and
 * os_region_create are implemented here.
 */
#ifndef NETMAPD_ARENA_H
#define NETMAPD_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Reserves the addresses and makes the state memory. On failure -errno, with a sentence in text. */
int arena_open(char *text, size_t text_size);
void arena_close(void);

uint64_t arena_base(void);
/* Descriptor of the state memory; stays the arena's. */
int arena_state_fd(void);

struct arena_region {
	uint64_t addr;			/* in the arena */
	uint64_t size;			/* bytes */
	uint64_t offset;		/* in the file; 0, but for external memory */
	uint64_t page;			/* bytes: the mapping is a multiple of it */
	uint64_t ino;			/* of the file */
	uint32_t generation;
	bool external;			/* a program's file */
	int fd;				/* stays the arena's */
};

/* NULL if there is no such region now. */
const struct arena_region *arena_region(uint32_t no);

/* Lets go of pages that netmapd has touched: their contents stay, but they no longer count as its memory. */
void arena_trim(void);

/* Is the file one of netmapd's own? */
bool arena_owns(const struct stat *st);

/* --- used by arena.c, regions.c and extmem.c --- */

/* Maps what *r describes, all but its address, which is found and returned in *base. Takes the descriptor over if it succeeds. 0 or -errno. */
int region_add(uint32_t no, struct arena_region *r, void **base);
/* A memfd of `size` bytes that nobody else can open by name (mode 0600), sealed. -errno. */
int arena_memfd(const char *name, uint64_t size, unsigned seals);
int regions_init(uint64_t base, uint64_t size, uint64_t page);
void regions_fini(void);
void regions_trim(void);
bool regions_own(uint64_t ino);

#endif /* NETMAPD_ARENA_H */
