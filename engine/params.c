/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of parameters.
 */
#include "params.h"
#include "bytes.h"
#include "os.h"
#include "port.h"
#include "vale_batch.h"

#define VALE_AGE	300u		/* seconds, IEEE 802.1D's default */
#define TXSYNC_RETRY	2u
#define NIC_SLOTS	1024u
#define NIC_SLOTS_MAX	4096u
#define NIC_BUF_SIZE	2048u			/* what interfaces can use as the unit of their memory, and the least */
#define NIC_BUF_SIZE_MAX	32768u		/* a slot's length has 16 bits */

enum param_kind {
	PARAM_CONTROL,			/* a word of engine_params, at `offset` */
	PARAM_ROOT,			/* a word of the arena's root, at `offset` */
	PARAM_POOL_SIZE,		/* of region 1's pool number `offset`: bytes of an object */
	PARAM_POOL_NUM,			/* objects */
	PARAM_FIXED,			/* nothing can be set: always the default */
};

struct param {
	const char *name;
	const char *note;
	uint64_t default_value;
	uint32_t min, max;
	enum param_kind kind;
	uint32_t offset;
	bool power_of_two;
	void (*set)(uint32_t value);	/* where storing the word is not enough */
};

#define CONTROL(field)	PARAM_CONTROL, offsetof(struct engine_params, field)
#define ROOT(field)	PARAM_ROOT, offsetof(struct arena_root, field)
#define FIXED		0, 0, PARAM_FIXED, 0

static const char no_debug[] = "there are no debug builds with switches of their own: verbose logs";
static const char no_interrupts[] = "no interrupt handler of netmap's runs: the kernel's drivers have them";
static const char no_hwcsum[] = "packet sockets take frames as they are; checksums come from virtio-net headers";
static const char no_txqdisc[] = "packet sockets and AF_XDP bypass the queueing discipline";
static const char no_ptnet[] = "there is no ptnet device: guests reach ports through their own host side";
static const char no_limit[] = "switches are not limited: memory is";
static const char no_default[] = "pipes need no reservation: regions have room for them (ignored elsewhere too)";
static const char no_sink[] = "there is no sink device: see null ports";
static const char no_pools[] = "memory is sized for each port when it is made, and its pages come with use";

static const struct param table[] = {
	{ "verbose", "not 0: log what every client does", 0, 0, 255, CONTROL(verbose), false, NULL },
	{ "debug", no_debug, 0, FIXED, false, NULL },
	{ "no_timestamp", "1: receive rings' ts is written only with NR_TIMESTAMP", 0, 0, 1, ROOT(no_timestamp), false, NULL },
	{ "no_pendintr", no_interrupts, 1, FIXED, false, NULL },
	{ "txsync_retry", "more attempts at once when an interface on a switch has no room", TXSYNC_RETRY, 0, 1000, ROOT(txsync_retry), false, NULL },
	{ "fwd", "1: host rings forward as with NR_FORWARD, whether asked to or not", 0, 0, 1, ROOT(fwd), false, NULL },
	{ "admode", "interfaces opened from now on: 0 best driver, 1 AF_XDP or an error, 2 packet sockets", ADMODE_BEST, ADMODE_BEST, ADMODE_EMULATED,
		CONTROL(admode), false, NULL },
	{ "generic_hwcsum", no_hwcsum, 0, FIXED, false, NULL },
	{ "generic_mit", "nanoseconds; receivers are woken by the kernel's own moderation", 100000, FIXED, false, NULL },
	{ "generic_ringsize", "slots of the rings of interfaces opened from now on", NIC_SLOTS, 64, NIC_SLOTS_MAX, CONTROL(generic_ringsize), false, NULL },
	{ "generic_rings", "an interface has a ring for each of its queues (unused on Linux elsewhere too)", 1, FIXED, false, NULL },
	{ "generic_txqdisc", no_txqdisc, 1, FIXED, false, NULL },
	{ "ptnet_vnet_hdr", no_ptnet, 1, FIXED, false, NULL },
	{ "ptnet_gso", no_ptnet, 1, FIXED, false, NULL },
	{ "bridge_batch", "slots that a switch looks at before it copies", BATCH_MAX, 1, BATCH_MAX, ROOT(bridge_batch), false, NULL },
	{ "max_bridges", no_limit, 8, FIXED, false, NULL },
	{ "default_pipes", no_default, 0, FIXED, false, NULL },
	{ "if_size", no_pools, 1024, FIXED, false, NULL },
	{ "if_num", no_pools, 100, FIXED, false, NULL },
	{ "ring_size", no_pools, 36864, FIXED, false, NULL },
	{ "ring_num", no_pools, 200, FIXED, false, NULL },
	{ "buf_size", "bytes of buffers; for interfaces, once nobody has one open. AF_XDP takes 2048 and more, zero-copy 2048 or 4096", NIC_BUF_SIZE,
		NIC_BUF_SIZE, NIC_BUF_SIZE_MAX, CONTROL(buf_size), false, NULL },
	{ "buf_num", no_pools, 163840, FIXED, false, NULL },
	{ "priv_if_size", "external memory: bytes of a netmap_if object, where the program says 0", 1024, 64, 4096, CONTROL(memory_size[POOL_IF]), false, NULL },
	{ "priv_if_num", "external memory: number of netmap_if objects, where the program says 0", 2, 1, 100, CONTROL(memory_num[POOL_IF]), false, NULL },
	{ "priv_ring_size", "external memory: bytes of a ring object, where the program says 0", 20480, 64, 131072, CONTROL(memory_size[POOL_RING]), false, NULL },
	{ "priv_ring_num", "external memory: number of ring objects, where the program says 0", 4, 2, 1024, CONTROL(memory_num[POOL_RING]), false, NULL },
	{ "priv_buf_size", "bytes of buffers; for switch ports and pipes opened from now on, and external memory where the program says 0", 2048, 64, 65472,
		CONTROL(memory_size[POOL_BUF]), false, NULL },
	{ "priv_buf_num", "external memory: number of buffers, where the program says 0", 4098, 4, 1000000, CONTROL(memory_num[POOL_BUF]), false, NULL },
	{ "if_curr_size", "region 1, bytes of an object; 0: it is not there", 0, 0, 0, PARAM_POOL_SIZE, POOL_IF, false, NULL },
	{ "if_curr_num", "region 1, objects; 0: it is not there", 0, 0, 0, PARAM_POOL_NUM, POOL_IF, false, NULL },
	{ "ring_curr_size", "region 1, bytes of an object; 0: it is not there", 0, 0, 0, PARAM_POOL_SIZE, POOL_RING, false, NULL },
	{ "ring_curr_num", "region 1, objects; 0: it is not there", 0, 0, 0, PARAM_POOL_NUM, POOL_RING, false, NULL },
	{ "buf_curr_size", "region 1, bytes of an object; 0: it is not there", 0, 0, 0, PARAM_POOL_SIZE, POOL_BUF, false, NULL },
	{ "buf_curr_num", "region 1, objects; 0: it is not there", 0, 0, 0, PARAM_POOL_NUM, POOL_BUF, false, NULL },
	{ "sink_delay_ns", no_sink, 100, FIXED, false, NULL },
	{ "sink_num", no_sink, 1, FIXED, false, NULL },
	{ "vale_age", "seconds until a switch forgets an address that is silent; 0: never", VALE_AGE, 0, FDB_AGE_MAX, ROOT(vale_age), false, vale_age_set },
	{ "fdb_buckets", "of four addresses each, in the tables of switches made from now on; a power of two", FDB_BUCKETS, FDB_BUCKETS_MIN, FDB_BUCKETS_MAX,
		CONTROL(fdb_buckets), true, NULL },
};

#define PARAMS	(sizeof(table) / sizeof(table[0]))

struct engine_params engine_params;

/* NULL: it has no word. */
static uint32_t *
param_word(const struct param *p, struct arena_root *root)
{
	switch (p->kind) {
	case PARAM_CONTROL:
		return (uint32_t *)(uintptr_t)((char *)&engine_params + p->offset);
	case PARAM_ROOT:
		return (uint32_t *)(uintptr_t)((char *)root + p->offset);
	default:
		return NULL;
	}
}

static uint64_t
param_value(const struct param *p)
{
	const uint32_t *word = param_word(p, engine_root);
	const struct region *global = region_find(1);

	if (word != NULL)
		return load_relaxed(word);
	if (p->kind == PARAM_FIXED)
		return p->default_value;
	if (global == NULL)
		return 0;
	return p->kind == PARAM_POOL_SIZE ? global->pool[p->offset].obj_size : global->pool[p->offset].obj_total;
}

void
params_init(struct arena_root *root)
{
	unsigned i;

	for (i = 0; i < PARAMS; i++) {
		uint32_t *word = param_word(&table[i], root);

		if (word != NULL)
			*word = (uint32_t)table[i].default_value;
	}
}

bool
param_get(uint32_t i, struct param_info *info)
{
	const struct param *p;

	if (i >= PARAMS)
		return false;
	p = &table[i];
	bytes_zero(info, sizeof(*info));
	str_copy(info->name, sizeof(info->name), p->name, PARAM_NAME_SIZE);
	str_copy(info->note, sizeof(info->note), p->note, PARAM_NOTE_SIZE);
	info->value = param_value(p);
	info->default_value = p->default_value;
	info->min = p->min;
	info->max = p->max;
	info->read_only = param_word(p, engine_root) == NULL;
	info->no_effect = p->kind == PARAM_FIXED;
	return true;
}

static const struct param *
param_find(const char *name)
{
	unsigned i;

	for (i = 0; i < PARAMS; i++) {
		size_t n = str_len(table[i].name, PARAM_NAME_SIZE);

		if (str_len(name, PARAM_NAME_SIZE) == n && bytes_equal(table[i].name, name, n))
			return &table[i];
	}
	return NULL;
}

int
param_set(const char *name, uint64_t value, struct why *why)
{
	const struct param *p = param_find(name);
	uint32_t *word;

	if (p == NULL) {
		os_format(why->text, sizeof(why->text), "there is no parameter %.31s", name);
		return -ENOENT;
	}
	word = param_word(p, engine_root);
	if (word == NULL) {
		os_format(why->text, sizeof(why->text), "%s cannot be changed: %s", p->name, p->note);
		return -EACCES;
	}
	if (value < p->min || value > p->max || (p->power_of_two && (value & (value - 1)) != 0)) {
		os_format(why->text, sizeof(why->text), "%s must be %s%u to %u", p->name, p->power_of_two ? "a power of two, " : "", p->min, p->max);
		return -ERANGE;
	}
	if (p->set != NULL)
		p->set((uint32_t)value);
	else
		store_relaxed(word, (uint32_t)value);
	return 0;
}
