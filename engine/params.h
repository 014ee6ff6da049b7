/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters: numbers that an administrator can read, and change while everything runs. The names are those that netmap has had, with some of our own.
 * What makes no sense here is listed too, read-only, with its usual value and a sentence.
 *
 * The data path's are words of struct arena_root; the control side's are here. All functions run in the control thread.
 */
#ifndef ENGINE_PARAMS_H
#define ENGINE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "region.h"
#include "ring.h"

#define PARAM_NAME_SIZE	32
#define PARAM_NOTE_SIZE	160

/* How interfaces are reached. */
enum admode {
	ADMODE_BEST = 0,		/* the best driver that works */
	ADMODE_NATIVE = 1,		/* AF_XDP or nothing */
	ADMODE_EMULATED = 2		/* packet sockets */
};

struct engine_params {
	uint32_t verbose;		/* not 0: log what every client does */
	uint32_t admode;		/* enum admode, for ports that are made from now on */
	uint32_t generic_ringsize;	/* slots of their rings */
	uint32_t buf_size;		/* bytes, of regions that are made for interfaces from now on */
	uint32_t fdb_buckets;		/* of switches that are made from now on; a power of two */
	uint32_t memory_size[POOLS];	/* of objects in external memory, bytes, where the program leaves it open; and buffers of switch ports and pipes */
	uint32_t memory_num[POOLS];	/* the same for how many */
};

extern struct engine_params engine_params;

struct param_info {
	char name[PARAM_NAME_SIZE];
	char note[PARAM_NOTE_SIZE];	/* what it is; of one without effect: why */
	uint64_t value, default_value;
	uint64_t min, max;		/* what it can be set to; both 0 if read_only */
	bool read_only;
	bool no_effect;			/* netmap has it, and it makes no sense here */
};

/* All to their defaults. */
void params_init(struct arena_root *root);
/* Parameter i; false beyond the last. */
bool param_get(uint32_t i, struct param_info *info);
/*
 * -ENOENT: no such parameter. -EACCES: it is read-only. -ERANGE: it cannot have this value. Each with a sentence in *why.
 * From its return on all threads use the new value; what was made before keeps what it was made with.
 */
int param_set(const char *name, uint64_t value, struct why *why);

#endif /* ENGINE_PARAMS_H */
