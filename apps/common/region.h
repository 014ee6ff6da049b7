/* SPDX-License-Identifier: BSD-2-Clause */
/* How many buffers a region has. */
#ifndef APPS_COMMON_REGION_H
#define APPS_COMMON_REGION_H

#include <libnetmap.h>

/*
 * The buffer indices of the ring, which is one of p's, are below this. Slots may hold anything: compare
 * before use.
 */
static inline uint32_t region_buffers(const struct nmport_d *p, const struct netmap_ring *ring)
{
	const char *first = (const char *)ring + ring->buf_ofs;
	const char *end = (const char *)p->mem->mem + p->mem->size;

	return first < end ? (uint32_t)((size_t)(end - first) / ring->nr_buf_size) : 0;
}

#endif
