/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches of the instance of netmapd that serves this process, or would: who owns one, and the module that decides there
 * instead of learning. <netmap_switch.h> is for those who write modules.
 *
 * A switch exists while it has ports, and anybody whom netmapd serves may put a module on it and attach interfaces to it.
 * A switch that is owned was made without ports and stays without them, until its owner gives it up; module and attached
 * interfaces change with the owner's token only. Programs open ports on it as on any other. The token keeps programs from
 * changing by mistake what is not theirs. It is no secret from the other processes of the instance.
 *
 * Functions that can fail return 0 or -errno, and print nothing; netmap_last_error() of <netmap_stats.h> says why in a
 * sentence. None of them starts an instance. Any thread may call them. All can fail with -ENOENT if no instance is
 * running, -EOPNOTSUPP if this process is served by a real /dev/netmap, -ENAMETOOLONG, -EPERM, -EPROTO, -EIO, -ENOMEM and
 * -EMFILE, as netmap_stats_take() does.
 */
#ifndef NETMAP_SWITCH_CTL_H_
#define NETMAP_SWITCH_CTL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Makes a switch ("vale0") that is the caller's: *token is never 0. -EEXIST: there is one of that name; -EINVAL: no such name. */
int netmap_switch_own(const char *sw, uint64_t *token);
/* Gives it up, and its module with it. -ENXIO: no such switch; -EACCES: not its token; -EINVAL: nobody owns it; -EBUSY: it has ports. */
int netmap_switch_disown(const char *sw, uint64_t token);

/*
 * Puts a module on a switch, in the place of the one that it may have; `module` is a file's name in netmapd's module
 * directory, without ".so". NULL or "": the switch learns addresses, with an empty table. token: 0 for a switch that nobody
 * owns. -ENXIO, -EACCES as above. -EINVAL: no name of a module, or a module of another version; -EPERM: others than root and
 * netmapd's user can write the file or its directory; -ELOOP: it is a link; -ENOEXEC: no module. Or what the module says.
 */
int netmap_switch_module_set(const char *sw, const char *module, uint64_t token);

/*
 * What is requested on this netmap descriptor from now on, by whatever process, counts as the owner's: NETMAP_REQ_VALE_ATTACH
 * and DETACH on the switch with this token. 0 takes that back. -EBADF: no netmap descriptor.
 */
int netmap_switch_token_use(int fd, uint64_t token);

enum netmap_switch_flags {
	NETMAP_SWITCH_OWNED = 0x1,
	NETMAP_SWITCH_WORKER = 0x2	/* a thread of netmapd forwards there, not those who send */
};

struct netmap_switch_info {
	uint32_t	size;		/* of this structure, in bytes; it may grow at its end */
	uint32_t	flags;		/* enum netmap_switch_flags */
	uint32_t	ports;
	const char	*name;
	const char	*module;	/* empty: it learns addresses */
};

struct netmap_switches;

/* All switches. *out is the caller's, for netmap_switches_free(), and never changes; NULL on failure. */
int netmap_switches_take(struct netmap_switches **out);
/* s may be NULL. */
void netmap_switches_free(struct netmap_switches *s);
/* Number of switches, and one of them: i in [0, number), which lasts as long as the list. NULL beyond. */
unsigned int netmap_switches_count(const struct netmap_switches *s);
const struct netmap_switch_info *netmap_switches_get(const struct netmap_switches *s, unsigned int i);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* NETMAP_SWITCH_CTL_H_ */
