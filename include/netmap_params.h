/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters of netmap, and forwarding tables of VALE switches: reading and changing those of the instance of netmapd
 * that serves this process, or would. vale-ctl(8) describes the parameters.
 *
 *	struct netmap_params *p;
 *	int err = netmap_params_take(&p);	// 0 or -errno
 *
 *	for (unsigned i = 0; err == 0 && i < netmap_params_count(p); i++)
 *		puts(netmap_params_get(p, i)->name);
 *	netmap_params_free(p);
 *
 * Functions that can fail return 0 or -errno, and print nothing; netmap_last_error() of <netmap_stats.h> says why in a
 * sentence. None of them starts an instance. Any thread may call them. All can fail with -ENOENT if no instance is
 * running, -EOPNOTSUPP if this process is served by a real /dev/netmap (which has its parameters in sysfs), -EPERM,
 * -EPROTO, -EIO, -ENOMEM and -EMFILE, as netmap_stats_take() does.
 *
 * What a list hands out belongs to it and lasts until it is freed; a list never changes. Structures may grow at their
 * end: `size` says how many bytes this version of the library has filled in.
 */
#ifndef NETMAP_PARAMS_H_
#define NETMAP_PARAMS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum netmap_param_flags {
	NETMAP_PARAM_READ_ONLY = 0x1,	/* cannot be set */
	NETMAP_PARAM_NO_EFFECT = 0x2	/* netmap has it, and it makes no sense here: the note says why */
};

struct netmap_param {
	uint32_t	size;		/* of this structure, in bytes */
	uint32_t	flags;		/* enum netmap_param_flags */
	const char	*name;
	const char	*note;		/* for people */
	uint64_t	value;
	uint64_t	default_value;
	uint64_t	min, max;	/* what it can be set to; both 0 if it is read-only */
};

struct netmap_params;

/* All parameters, with their values of now. *out is the caller's, for netmap_params_free(); NULL on failure. */
int netmap_params_take(struct netmap_params **out);
/* p may be NULL. */
void netmap_params_free(struct netmap_params *p);
/* Number of parameters, and one of them: i in [0, number). NULL beyond. */
unsigned int netmap_params_count(const struct netmap_params *p);
const struct netmap_param *netmap_params_get(const struct netmap_params *p, unsigned int i);

/*
 * Sets a parameter for as long as the instance runs; netmapd's configuration file does so at each start.
 * -ENOENT also: no such parameter; -EACCES: it is read-only; -ERANGE: it cannot have this value.
 */
int netmap_param_set(const char *name, uint64_t value);

struct netmap_fdb_entry {
	uint32_t	size;		/* of this structure, in bytes */
	uint32_t	is_static;	/* 1: made by netmap_fdb_add(), 0: learned */
	uint8_t		addr[6];	/* Ethernet address */
	uint16_t	switch_index;	/* number of the port on the switch */
	uint32_t	age_s;		/* learned: seconds since it was seen, in steps of a 128th of the ageing time */
	const char	*port;		/* its name; empty if it has just left */
};

struct netmap_fdb;

/*
 * The forwarding table of a switch ("vale0"), in no particular order. *out is the caller's, for netmap_fdb_free(); NULL
 * on failure. -ENOENT also: no such switch. -ENAMETOOLONG.
 */
int netmap_fdb_take(const char *switch_name, struct netmap_fdb **out);
/* t may be NULL. */
void netmap_fdb_free(struct netmap_fdb *t);
unsigned int netmap_fdb_count(const struct netmap_fdb *t);
const struct netmap_fdb_entry *netmap_fdb_get(const struct netmap_fdb *t, unsigned int i);
/* Entries that it has room for, and its ageing time in seconds; 0: nothing is forgotten. */
unsigned int netmap_fdb_places(const struct netmap_fdb *t);
unsigned int netmap_fdb_age(const struct netmap_fdb *t);

/*
 * A static entry: frames to that address go to this port ("vale0:a") of its switch, whoever sends from it, until the
 * entry is removed or the port leaves. Takes the place of what was known of the address.
 * -ENOENT also: no such port; -EINVAL: a group address, or zero; -ENOSPC: too many static entries of the same hash.
 */
int netmap_fdb_add(const char *port, const uint8_t addr[6]);
/* Removes what is known of an address, static or learned. -ENOENT also: no such switch, or it does not know it. */
int netmap_fdb_remove(const char *switch_name, const uint8_t addr[6]);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* NETMAP_PARAMS_H_ */
