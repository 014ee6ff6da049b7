/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See extmem.h.
 *
 * Threat model. What is in the memory is as hostile as in any region, from its first byte on, so nothing of that is new. New is that the memory itself
 * belongs to somebody else: its file may be cut short while it is used here, and touching what has gone is a signal (SIGBUS), which must not end
 * netmapd or another client. Where files can be sealed, the host does that. For the others, which lie on tmpfs or hugetlbfs, the host catches the fault,
 * puts private memory in the place of what has gone, and sets region->failed (host/cover.c). From then on syncs that need the region are refused, frames
 * for it are counted as unreachable, and extmem_tick stops its rings for good.
 */
#include "bytes.h"
#include "extmem.h"
#include "os.h"
#include "params.h"
#include "sync.h"

#define PAGE			4096u
#define PIPE_RINGS		4u			/* of a pipe with one ring in each direction */
#define HEADROOM		256u			/* where AF_XDP lets received data begin */
#define HEADROOM_BUF_MIN	2048u

static const struct {
	const char *name;
	uint32_t min, max, align;	/* bytes of an object */
} limits[POOLS] = {
	[POOL_IF] = { "netmap_if object", 64, 4096, 64 },
	/* struct netmap_ring wants it so. */
	[POOL_RING] = { "ring object", 64, 131072, 128 },
	/* What the 16 bits of a slot's length can tell. */
	[POOL_BUF] = { "buffer", 64, 65472, 64 },
};

static int
option_result(const struct region_memory *m, int error)
{
	*m->status = (uint32_t)-error;
	return error;
}

int
extmem_parse(void *caller, struct nmreq_opt_extmem *opt, struct region_memory *m, struct why *why)
{
	const struct nmreq_pools_info *info = &opt->nro_info;
	int error;

	*m = (struct region_memory){
		.caller = caller,
		.status = &opt->nro_opt.nro_status,
		.where = opt->nro_usrptr,
		.size = info->nr_memsize,
		.pool = {
			[POOL_IF] = { info->nr_if_pool_objsize, info->nr_if_pool_objtotal },
			[POOL_RING] = { info->nr_ring_pool_objsize, info->nr_ring_pool_objtotal },
			[POOL_BUF] = { info->nr_buf_pool_objsize, info->nr_buf_pool_objtotal },
		},
	};
	if (m->size == 0 || m->size > REGION_SIZE_MAX) {
		os_format(why->text, sizeof(why->text), "external memory of %llu bytes: its size (nr_memsize) must be 1 to %llu bytes",
			(unsigned long long)m->size, (unsigned long long)REGION_SIZE_MAX);
		error = -EINVAL;
	} else {
		error = os_memory_identify(caller, m->where, m->size, m->id, why->text, sizeof(why->text));
	}
	return option_result(m, error);
}

static bool
same_memory(const struct region *r, const struct region_memory *m)
{
	return r->external && r->size == m->size && bytes_equal(r->memory_id, m->id, sizeof(m->id));
}

static bool
overlaps(const struct region *r, const struct region_memory *m)
{
	return r->external && r->memory_id[0] == m->id[0] && r->memory_id[1] == m->id[1] && r->memory_id[2] < m->id[2] + m->size &&
		m->id[2] < r->memory_id[2] + r->size;
}

/* Counts that are left open: the usual ones, but enough for the port that the region is made for. */
static uint32_t
count_default(enum region_pool_id pool, const struct region_need *need, uint32_t obj_size)
{
	uint64_t usual = engine_params.memory_num[pool], least = 0;

	if (pool == POOL_RING)
		least = (uint64_t)(need->rings + (need->pipes > 0 ? PIPE_RINGS : 0)) * region_ring_objects(need->largest_ring, obj_size);
	return (uint32_t)(least > usual ? least : usual);
}

static int
objects_choose(struct region *r, const struct region_memory *m, const struct region_need *need, struct why *why)
{
	unsigned i;

	for (i = 0; i < POOLS; i++) {
		uint32_t size = m->pool[i].obj_size != 0 ? m->pool[i].obj_size : engine_params.memory_size[i];

		if (size < limits[i].min || size > limits[i].max) {
			os_format(why->text, sizeof(why->text), "external memory: a %s of %u bytes was asked for, it can have %u to %u", limits[i].name,
				size, limits[i].min, limits[i].max);
			return -EINVAL;
		}
		r->pool[i].obj_size = (uint32_t)round_up(size, limits[i].align);
		r->pool[i].obj_total = m->pool[i].obj_total != 0 ? m->pool[i].obj_total : count_default(i, need, r->pool[i].obj_size);
	}
	return 0;
}

/*
 * Pools begin on pages, and have as many objects as fit before the next one: the last one all that is left. Room in front of buffers of such sizes makes
 * them what devices can use by themselves.
 */
static int
pools_layout(struct region *r, struct why *why)
{
	struct region_pool *bufs = &r->pool[POOL_BUF];
	uint64_t offset = 0, total;
	unsigned i;

	for (i = 0; i < POOL_BUF; i++) {
		uint64_t bytes = round_up((uint64_t)r->pool[i].obj_size * r->pool[i].obj_total, PAGE);

		r->pool[i].offset = offset;
		r->pool[i].obj_total = (uint32_t)(bytes / r->pool[i].obj_size);
		offset += bytes;
	}
	total = offset + (uint64_t)bufs->obj_size * bufs->obj_total;
	if (total > r->size) {
		os_format(why->text, sizeof(why->text),
			"external memory of %llu bytes, %llu are needed for %u netmap_ifs of %u bytes, %u rings of %u and %u buffers of %u; "
			"give more, or say how few will do (if-num, ring-num, buf-num)", (unsigned long long)r->size, (unsigned long long)total,
			r->pool[POOL_IF].obj_total, r->pool[POOL_IF].obj_size, r->pool[POOL_RING].obj_total, r->pool[POOL_RING].obj_size,
			bufs->obj_total, bufs->obj_size);
		return -ENOMEM;
	}
	if (bufs->obj_size >= HEADROOM_BUF_MIN && bufs->obj_size <= PAGE && (bufs->obj_size & (bufs->obj_size - 1)) == 0 &&
	    total + HEADROOM <= r->size)
		r->headroom = HEADROOM;
	bufs->offset = offset + r->headroom;
	bufs->obj_total = (uint32_t)((r->size - bufs->offset) / bufs->obj_size);
	return 0;
}

static int
region_find_memory(const struct region_memory *m, struct region **out, struct why *why)
{
	struct region *r;

	for (r = region_first(); r != NULL; r = r->next) {
		if (!overlaps(r, m))
			continue;
		if (same_memory(r, m)) {
			region_get(r);
			*out = r;
			return 0;
		}
		os_format(why->text, sizeof(why->text),
			"external memory of %llu bytes: a part of it is memory region %u (made for %s), which has %llu; give the same once more, or what does "
			"not overlap it", (unsigned long long)m->size, r->id, r->owner, (unsigned long long)r->size);
		return -EBUSY;
	}
	return 0;
}

int
extmem_region(const struct region_memory *m, const struct region_need *need, const char *owner, struct region **out, struct why *why)
{
	struct region *r = NULL;
	int error = region_find_memory(m, &r, why);

	if (error != 0 || r != NULL) {
		*out = r;
		return option_result(m, error);
	}
	r = os_shared_alloc(sizeof(*r));
	if (r == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the description of a region", owner);
		return option_result(m, -ENOMEM);
	}
	r->external = true;
	r->size = m->size;
	bytes_copy(r->memory_id, m->id, sizeof(r->memory_id));
	error = objects_choose(r, m, need, why);
	if (error == 0)
		error = pools_layout(r, why);
	if (error != 0) {
		os_shared_free(r, sizeof(*r));
		return option_result(m, error);
	}
	error = region_finish(r, m, owner, why);
	if (error == 0)
		*out = r;
	return option_result(m, error);
}

/* A program would look for its rings in its own memory: another region will not do. */
int
extmem_check(const struct port *p, const struct region_memory *m, struct why *why)
{
	if (same_memory(p->region, m))
		return 0;
	os_format(why->text, sizeof(why->text), "port %s: it has its memory already, region %u (made for %s), and cannot have external memory", p->name,
		p->region->id, p->region->owner);
	return option_result(m, -EBUSY);
}

/* --- memory that goes away --- */

static void
ports_stop(const struct region *r)
{
	struct port *p;
	uint32_t i;

	for (p = port_first(); p != NULL; p = p->list_next) {
		if (p->region != r)
			continue;
		for (i = 0; i < port_tx_rings(p); i++)
			store_relaxed(&p->tx[i]->stopped, 1);
		for (i = 0; i < port_rx_rings(p); i++)
			store_relaxed(&p->rx[i]->stopped, 1);
		sleepers_wake(engine_root, p);
	}
}

bool
extmem_tick(void)
{
	bool again = false;
	struct region *r;

	for (r = region_first(); r != NULL; r = r->next) {
		if (!r->external)
			continue;
		if (load_relaxed(&r->failed) == 0 && !os_region_intact(r->no))
			store_relaxed(&r->failed, 1);
		if (load_relaxed(&r->failed) != 0 && !r->stopped) {
			os_log(OS_LOG_ERROR, "memory region %u (made for %s): its external memory has gone, or cannot be had; ports in it give EIO", r->id,
				r->owner);
			r->stopped = true;
			ports_stop(r);
		}
		again |= !r->stopped;
	}
	return again;
}
