/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Size classes. Up to 512 bytes: multiples of 128. Above: 2^n * {5, 6, 7, 8} / 4.
 */
#include <stdlib.h>
#include <string.h>

#include "heap.h"

void
heap_init(struct heap *h, uint64_t size, uint64_t page)
{
	memset(h, 0, sizeof(*h));
	h->size = size;
	h->page = page;
}

void
heap_fini(struct heap *h)
{
	for (unsigned i = 0; i < HEAP_CLASSES; i++)
		free(h->class[i].free);
	memset(h, 0, sizeof(*h));
}

/* Number of the class and its chunk size; HEAP_CLASSES if the request is too large. */
static unsigned
class_of(const struct heap *h, uint64_t size, uint64_t *chunk)
{
	unsigned shift = 9, quarter;

	if (size == 0)
		size = 1;
	if (size <= 4 * HEAP_ALIGN) {
		*chunk = (size + HEAP_ALIGN - 1) / HEAP_ALIGN * HEAP_ALIGN;
		return *chunk / HEAP_ALIGN - 1;
	}
	if (size > h->size)
		return HEAP_CLASSES;
	/* The power of two strictly below: 2^shift < size <= 2^(shift + 1). */
	while (UINT64_C(2) << shift < size)
		shift++;
	quarter = (size - (UINT64_C(1) << shift) + (UINT64_C(1) << (shift - 2)) - 1) >> (shift - 2);
	*chunk = (UINT64_C(4) + quarter) << (shift - 2);
	if (*chunk >= HEAP_LARGE)
		*chunk = (*chunk + h->page - 1) & ~(h->page - 1);
	return 4 + (shift - 9) * 4 + quarter - 1;
}

uint64_t
heap_chunk_size(const struct heap *h, uint64_t size)
{
	uint64_t chunk;

	return class_of(h, size, &chunk) < HEAP_CLASSES ? chunk : 0;
}

bool
heap_alloc(struct heap *h, uint64_t size, uint64_t *offset, bool *fresh)
{
	uint64_t chunk, align, start;
	unsigned class = class_of(h, size, &chunk);

	if (class >= HEAP_CLASSES)
		return false;
	if (h->class[class].count > 0) {
		*offset = h->class[class].free[--h->class[class].count];
		*fresh = false;
		h->used += chunk;
		return true;
	}
	align = chunk >= HEAP_LARGE ? h->page : HEAP_ALIGN;
	start = (h->top + align - 1) & ~(align - 1);
	if (start > h->size || h->size - start < chunk)
		return false;
	h->top = start + chunk;
	h->used += chunk;
	*offset = start;
	*fresh = true;
	return true;
}

void
heap_free(struct heap *h, uint64_t offset, uint64_t size)
{
	uint64_t chunk;
	unsigned class = class_of(h, size, &chunk);
	struct heap_class *c;

	if (class >= HEAP_CLASSES)
		return;
	c = &h->class[class];
	h->used -= chunk;
	if (c->count == c->room) {
		uint32_t room = c->room ? c->room * 2 : 16;
		uint64_t *bigger = realloc(c->free, room * sizeof(*bigger));

		/* Without memory for its record the chunk is given up: there is address space in plenty. */
		if (bigger == NULL)
			return;
		c->free = bigger;
		c->room = room;
	}
	c->free[c->count++] = offset;
}
