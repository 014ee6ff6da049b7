/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory regions: [netmap_if pool][ring pool][buffer pool], the unit of trust and of zero-copy.
 *
 * A region's virtual size is fixed when it is made and generous (pages come with use): its ports' rings, a reserve for pipes, and the extra
 * buffers asked for. What is allocated in it is known to the control side alone.
 */
#ifndef ENGINE_REGION_H
#define ENGINE_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "abi_types.h"
#include <net/netmap.h>

#define REGION_SIZE_MAX	UINT64_C(0xfff00000)	/* the legacy request tells the size in 32 bits */

enum region_pool_id {
	POOL_IF,
	POOL_RING,
	POOL_BUF,
	POOLS
};

struct region_pool {
	uint64_t offset;		/* of the pool in the region, bytes */
	uint32_t obj_size;		/* bytes */
	uint32_t obj_total;
	uint32_t obj_used;
};

struct region {
	char *base;			/* address in the arena */
	uint64_t size;			/* bytes */
	uint32_t no;			/* place in the arena */
	uint32_t generation;		/* of that place: tells a stale mapping from a live one */
	uint16_t id;			/* what programs see as nr_mem_id */
	bool is_private;		/* NI_PRIV_MEM */
	bool external;			/* a program's own memory, see extmem.c */
	uint32_t failed;		/* 1: that memory has gone. Written by whoever finds out */
	uint32_t headroom;		/* bytes between the last page border and buffer 0 */
	struct region_pool pool[POOLS];

	/* Control side. */
	uint32_t users;			/* ports and sessions that hold it */
	uint32_t bound;			/* descriptors that are bound to its ports */
	uint32_t retiring;		/* ports that wait to be freed */
	uint32_t lent;			/* buffers in the hands of interface drivers, in no ring */
	uint64_t *used[POOLS];		/* private: bitmap of each pool */
	uint32_t hint[POOLS];		/* where to look first */
	uint32_t fresh_buf;		/* buffers from here on were never used */
	uint64_t memory_id[3];		/* external: see os_memory_identify */
	bool stopped;			/* external: it has failed, and its rings were stopped */
	char owner[NETMAP_REQ_IFNAMSIZ];	/* port that it was made for, for messages */
	struct region *next;
};

/* What a region must hold. */
struct region_need {
	uint32_t rings;			/* rings */
	uint32_t slots;			/* slots of all rings together */
	uint32_t largest_ring;		/* slots of the largest ring */
	uint32_t extra_bufs;
	uint32_t pipes;			/* reserve: pipes of the port's own ring size; external memory: not 0 for one */
	uint32_t buf_size;		/* bytes, 0: default */
	uint32_t headroom;		/* bytes, below a page: see struct region */
};

/* What a program wants of the memory that it gives for a region. */
struct region_memory {
	void *caller;			/* for the host */
	uint32_t *status;		/* of the option, if it is what stands in the way: a positive errno */
	uint64_t where;
	uint64_t size;			/* bytes */
	uint64_t id[3];
	struct {
		uint32_t obj_size;	/* bytes; 0: default */
		uint32_t obj_total;	/* 0: default */
	} pool[POOLS];
};

/* Text for the caller when something fails: what, need, left, remedy. */
struct why {
	char text[240];
};

int region_create(const struct region_need *need, const char *owner, struct region **out, struct why *why);
void region_get(struct region *r);
/* Destroys the region with its last user. */
void region_put(struct region *r);
/* By memory id; NULL. */
struct region *region_find(uint16_t id);
/* All of them, by ->next. */
struct region *region_first(void);
static inline uint64_t
round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Objects of that size that a ring takes. */
uint32_t region_ring_objects(uint32_t slots, uint32_t obj_size);
/* For extmem.c: a region whose pools are laid out gets the rest, from `memory` if that is not NULL, and its first user. On failure it is freed. */
int region_finish(struct region *r, const struct region_memory *memory, const char *owner, struct why *why);

/* Contiguous room for `size` bytes in a pool; returns the address or NULL with *why filled. Not zeroed. */
void *region_alloc(struct region *r, enum region_pool_id pool, uint32_t size, const char *what, struct why *why);
void region_free(struct region *r, enum region_pool_id pool, void *obj, uint32_t size);
/* One buffer; 0 if there is none. Zeroed if it was used before, but for external memory. */
uint32_t region_buf_alloc(struct region *r);
/* Ignores indexes that are out of range or free: they come from memory that applications write. */
void region_buf_free(struct region *r, uint32_t idx);
/* The same for an interface driver: which buffers it holds changes as it swaps them with its rings. */
uint32_t region_buf_lend(struct region *r);
void region_buf_return(struct region *r, uint32_t idx);
uint32_t region_bufs_left(const struct region *r);
/* Its size, id and pools, as programs see them. */
void region_tell(const struct region *r, struct nmreq_pools_info *info);
/* Sweep: takes all buffers for free; then those that are in use are to be marked. */
void region_mark_begin(struct region *r);
/* The buffer is in use. Ignores indexes that are out of range. */
void region_mark(struct region *r, uint32_t idx);

#endif /* ENGINE_REGION_H */
