/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocator of offsets in the arena's state memory. All its records are private: nothing in shared memory is believed.
 *
 * Sizes are rounded up to one of four steps per power of two; a freed chunk serves the next request of its class. Chunks are never merged: what the
 * engine allocates comes in few sizes, again and again.
 */
#ifndef NETMAPD_HEAP_H
#define NETMAPD_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#define HEAP_ALIGN	128u
#define HEAP_LARGE	65536u		/* from here on chunks are whole pages */
#define HEAP_CLASSES	112u

struct heap_class {
	uint64_t *free;			/* offsets */
	uint32_t count, room;
};

struct heap {
	uint64_t size;			/* bytes that may be given out */
	uint64_t top;			/* first byte never given out */
	uint64_t page;			/* bytes, a power of two */
	uint64_t used;			/* bytes out */
	struct heap_class class[HEAP_CLASSES];
};

void heap_init(struct heap *h, uint64_t size, uint64_t page);
void heap_fini(struct heap *h);

/* Bytes that a request of `size` really takes; 0 if there is no such class. */
uint64_t heap_chunk_size(const struct heap *h, uint64_t size);

/* *fresh: the chunk was never given out before. False if there is no room. */
bool heap_alloc(struct heap *h, uint64_t size, uint64_t *offset, bool *fresh);
/* `size` as it was asked for. */
void heap_free(struct heap *h, uint64_t offset, uint64_t size);

#endif /* NETMAPD_HEAP_H */
