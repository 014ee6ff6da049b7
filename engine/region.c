/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See region.h.
 */
#include "region.h"
#include "bytes.h"
#include "os.h"
#include "params.h"

#define IF_OBJECT	1024u			/* bytes; a netmap_if of many rings takes several */
#define RING_OBJECT	4096u
#define IF_OBJECTS	512u
#define BUF_LINE	64u			/* copies are made in such steps, and may touch the rest of the last one */
/*
 * At a distance of 2048 bytes the first lines of all buffers share one thirty-second of a cache's sets: headers evict each other long before the cache
 * is full, and moving a small frame costs twice as much. So buffers are a pair of lines longer than such a size. A single line more would do for
 * that, but then every other header shares its pair, which processors fetch together, with the buffer before.
 */
#define BUF_ALIASES	1024u
#define BUF_APART	128u
#define BUF_RESERVED	2u			/* buffers 0 and 1 belong to nobody */
#define SLACK_BUFS	1024u			/* extra buffers for descriptors that come later */
#define SPACE_SHARE	8u			/* no region takes more than this fraction of the address space left */

static const char *const pool_name[POOLS] = { "netmap_if", "ring", "buffer" };

static struct region *regions;
static uint16_t last_id;
static uint32_t last_generation;

uint32_t
region_ring_objects(uint32_t slots, uint32_t obj_size)
{
	return (uint32_t)(round_up(sizeof(struct netmap_ring) + sizeof(struct netmap_slot) * (uint64_t)slots, obj_size) / obj_size);
}

static uint32_t
priv_buf_size(void)
{
	uint32_t size = (uint32_t)round_up(engine_params.memory_size[POOL_BUF], BUF_LINE);

	return size % BUF_ALIASES == 0 ? size + BUF_APART : size;
}

/* Fills the pools' sizes; returns the region's. */
static uint64_t
pools_layout(struct region *r, const struct region_need *need, uint32_t pipes)
{
	uint32_t ring = region_ring_objects(need->largest_ring, RING_OBJECT);
	uint64_t offset = 0;
	unsigned i;

	r->pool[POOL_IF].obj_size = IF_OBJECT;
	r->pool[POOL_IF].obj_total = IF_OBJECTS + 8 * pipes;
	r->pool[POOL_RING].obj_size = RING_OBJECT;
	r->pool[POOL_RING].obj_total = need->rings * ring + pipes * 4 * ring;
	r->pool[POOL_BUF].obj_size = need->buf_size != 0 ? (uint32_t)round_up(need->buf_size, BUF_LINE) : priv_buf_size();
	/* A pipe's two RX rings hold no buffers of their own. */
	r->pool[POOL_BUF].obj_total = BUF_RESERVED + need->slots + need->extra_bufs + SLACK_BUFS + pipes * 2 * need->largest_ring;
	r->headroom = need->headroom;
	for (i = 0; i < POOLS; i++) {
		uint32_t headroom = i == POOL_BUF ? need->headroom : 0;

		r->pool[i].offset = offset + headroom;
		offset += round_up(headroom + (uint64_t)r->pool[i].obj_size * r->pool[i].obj_total, 4096);
	}
	return offset;
}

static bool
id_taken(uint16_t id)
{
	return id <= 1 || region_find(id) != NULL;
}

static int
bitmaps_alloc(struct region *r)
{
	unsigned i;

	for (i = 0; i < POOLS; i++) {
		r->used[i] = os_alloc((r->pool[i].obj_total + 63) / 64 * 8);
		if (r->used[i] == NULL)
			return -ENOMEM;
	}
	r->used[POOL_BUF][0] = (1u << BUF_RESERVED) - 1;
	r->pool[POOL_BUF].obj_used = BUF_RESERVED;
	return 0;
}

static void
bitmaps_free(struct region *r)
{
	unsigned i;

	for (i = 0; i < POOLS; i++)
		os_free(r->used[i]);
}

/* Lowest place in the arena that no region has. */
static uint32_t
place_find(void)
{
	uint32_t no;

	for (no = 0; ; no++) {
		const struct region *r = regions;

		while (r != NULL && r->no != no)
			r = r->next;
		if (r == NULL)
			return no;
	}
}

static int
memory_get(struct region *r, const struct region_memory *m, const char *owner, void **base, struct why *why)
{
	int error;

	if (m != NULL)
		return os_region_adopt(m->caller, r->no, r->generation, m->where, r->size, &r->failed, base, why->text, sizeof(why->text));
	error = os_region_create(r->no, r->generation, r->size, base);
	if (error != 0)
		os_format(why->text, sizeof(why->text), "port %s: the host has no %llu MiB of memory for a region (error %d)", owner,
			(unsigned long long)(r->size >> 20), -error);
	return error;
}

int
region_finish(struct region *r, const struct region_memory *memory, const char *owner, struct why *why)
{
	void *base;
	int error = bitmaps_alloc(r);

	if (error != 0) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the allocation maps of %u buffers", owner,
			r->pool[POOL_BUF].obj_total);
		goto err;
	}
	r->no = place_find();
	r->generation = ++last_generation;
	error = memory_get(r, memory, owner, &base, why);
	if (error != 0)
		goto err;
	do
		last_id++;
	while (id_taken(last_id));
	r->base = base;
	r->id = last_id;
	r->is_private = true;
	r->users = 1;
	str_copy(r->owner, sizeof(r->owner), owner, sizeof(r->owner));
	r->next = regions;
	regions = r;
	return 0;

err:
	bitmaps_free(r);
	os_shared_free(r, sizeof(*r));
	return error;
}

int
region_create(const struct region_need *need, const char *owner, struct region **out, struct why *why)
{
	struct region *r = os_shared_alloc(sizeof(*r));
	uint32_t pipes = need->pipes;
	int error;

	if (r == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the description of a region", owner);
		return -ENOMEM;
	}
	r->size = pools_layout(r, need, pipes);
	while (pipes > 0 && (r->size > REGION_SIZE_MAX || r->size > os_region_space() / SPACE_SHARE))
		r->size = pools_layout(r, need, pipes /= 2);
	if (r->size > REGION_SIZE_MAX || r->size > os_region_space()) {
		os_format(why->text, sizeof(why->text),
			"port %s: a region of %llu MiB is needed for %u slots and %u extra buffers, at most %llu MiB can be had; ask for fewer",
			owner, (unsigned long long)(r->size >> 20), need->slots, need->extra_bufs,
			(unsigned long long)((os_region_space() < REGION_SIZE_MAX ? os_region_space() : REGION_SIZE_MAX) >> 20));
		os_shared_free(r, sizeof(*r));
		return -ENOMEM;
	}
	error = region_finish(r, NULL, owner, why);
	if (error == 0)
		*out = r;
	return error;
}

void
region_get(struct region *r)
{
	r->users++;
}

void
region_put(struct region *r)
{
	struct region **link;

	if (--r->users > 0)
		return;
	for (link = &regions; *link != r; link = &(*link)->next)
		;
	*link = r->next;
	os_region_destroy(r->no);
	bitmaps_free(r);
	os_shared_free(r, sizeof(*r));
}

void
region_tell(const struct region *r, struct nmreq_pools_info *info)
{
	const struct region_pool *pool = r->pool;

	info->nr_memsize = r->size;
	info->nr_mem_id = r->id;
	info->nr_if_pool_offset = pool[POOL_IF].offset;
	info->nr_if_pool_objtotal = pool[POOL_IF].obj_total;
	info->nr_if_pool_objsize = pool[POOL_IF].obj_size;
	info->nr_ring_pool_offset = pool[POOL_RING].offset;
	info->nr_ring_pool_objtotal = pool[POOL_RING].obj_total;
	info->nr_ring_pool_objsize = pool[POOL_RING].obj_size;
	info->nr_buf_pool_offset = pool[POOL_BUF].offset;
	info->nr_buf_pool_objtotal = pool[POOL_BUF].obj_total;
	info->nr_buf_pool_objsize = pool[POOL_BUF].obj_size;
}

struct region *
region_first(void)
{
	return regions;
}

struct region *
region_find(uint16_t id)
{
	struct region *r;

	for (r = regions; r != NULL; r = r->next)
		if (r->id == id)
			return r;
	return NULL;
}

static bool
bit_get(const uint64_t *map, uint32_t i)
{
	return (map[i / 64] >> i % 64 & 1) != 0;
}

static void
bits_set(uint64_t *map, uint32_t first, uint32_t n, bool value)
{
	uint32_t i;

	for (i = first; i < first + n; i++)
		if (value)
			map[i / 64] |= UINT64_C(1) << i % 64;
		else
			map[i / 64] &= ~(UINT64_C(1) << i % 64);
}

/* First of n free objects in a row, or obj_total. */
static uint32_t
run_find(const struct region *r, enum region_pool_id pool, uint32_t n)
{
	uint32_t total = r->pool[pool].obj_total, i, run = 0;

	for (i = 0; i < total; i++) {
		run = bit_get(r->used[pool], i) ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return total;
}

void *
region_alloc(struct region *r, enum region_pool_id pool, uint32_t size, const char *what, struct why *why)
{
	struct region_pool *p = &r->pool[pool];
	uint32_t n = (uint32_t)(round_up(size, p->obj_size) / p->obj_size);
	uint32_t first = run_find(r, pool, n);

	if (first == p->obj_total) {
		os_format(why->text, sizeof(why->text),
			"%s: the %s pool of memory region %u (made for %s) has no %u objects of %u bytes in a row, %u of %u are free; "
			"close other descriptors of the region, or use fewer slots, rings or pipes on it", what, pool_name[pool], r->id,
			r->owner, n, p->obj_size, p->obj_total - p->obj_used, p->obj_total);
		return NULL;
	}
	bits_set(r->used[pool], first, n, true);
	p->obj_used += n;
	return r->base + p->offset + (uint64_t)first * p->obj_size;
}

void
region_free(struct region *r, enum region_pool_id pool, void *obj, uint32_t size)
{
	struct region_pool *p = &r->pool[pool];
	uint32_t n = (uint32_t)(round_up(size, p->obj_size) / p->obj_size);
	uint32_t first = (uint32_t)(((uint64_t)((char *)obj - r->base) - p->offset) / p->obj_size);

	bits_set(r->used[pool], first, n, false);
	p->obj_used -= n;
}

uint32_t
region_buf_alloc(struct region *r)
{
	struct region_pool *p = &r->pool[POOL_BUF];
	uint32_t words = (p->obj_total + 63) / 64, w, i;

	for (w = 0; w < words; w++) {
		uint32_t at = (r->hint[POOL_BUF] + w) % words;

		if (~r->used[POOL_BUF][at] == 0)
			continue;
		i = at * 64 + (uint32_t)__builtin_ctzll(~r->used[POOL_BUF][at]);
		if (i >= p->obj_total)
			continue;
		r->hint[POOL_BUF] = at;
		bits_set(r->used[POOL_BUF], i, 1, true);
		p->obj_used++;
		/* What is in a program's own memory is its own affair. */
		if (i < r->fresh_buf && !r->external)
			bytes_zero(r->base + p->offset + (uint64_t)i * p->obj_size, p->obj_size);
		else if (i >= r->fresh_buf)
			r->fresh_buf = i + 1;
		return i;
	}
	return 0;
}

void
region_buf_free(struct region *r, uint32_t idx)
{
	if (idx < BUF_RESERVED || idx >= r->pool[POOL_BUF].obj_total || !bit_get(r->used[POOL_BUF], idx))
		return;
	bits_set(r->used[POOL_BUF], idx, 1, false);
	r->pool[POOL_BUF].obj_used--;
	if (idx / 64 < r->hint[POOL_BUF])
		r->hint[POOL_BUF] = idx / 64;
}

uint32_t
region_buf_lend(struct region *r)
{
	uint32_t idx = region_buf_alloc(r);

	if (idx != 0)
		r->lent++;
	return idx;
}

void
region_buf_return(struct region *r, uint32_t idx)
{
	region_buf_free(r, idx);
	r->lent--;
}

uint32_t
region_bufs_left(const struct region *r)
{
	return r->pool[POOL_BUF].obj_total - r->pool[POOL_BUF].obj_used;
}

void
region_mark_begin(struct region *r)
{
	bytes_zero(r->used[POOL_BUF], (r->pool[POOL_BUF].obj_total + 63) / 64 * 8);
	bits_set(r->used[POOL_BUF], 0, BUF_RESERVED, true);
	r->pool[POOL_BUF].obj_used = BUF_RESERVED;
	r->hint[POOL_BUF] = 0;
}

void
region_mark(struct region *r, uint32_t idx)
{
	if (idx < BUF_RESERVED || idx >= r->pool[POOL_BUF].obj_total || bit_get(r->used[POOL_BUF], idx))
		return;
	bits_set(r->used[POOL_BUF], idx, 1, true);
	r->pool[POOL_BUF].obj_used++;
}
