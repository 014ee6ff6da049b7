/* SPDX-License-Identifier: BSD-2-Clause */
/* Modules of switches: shared objects from one directory, which run in netmapd as part of it. */
#ifndef NETMAPD_MODULES_H
#define NETMAPD_MODULES_H

#include <stdint.h>

#include "../engine/region.h"
#include "../libnetmap/protocol.h"

/* The directory; it is looked at when a module is loaded. `dir` must last. */
void modules_set_dir(const char *dir);
/* Puts the module of that name on a switch; an empty name: learning. `token`: of the switch's owner, 0: none. 0 or -errno. */
int modules_put_on(const char *sw, const char *name, uint64_t token, struct why *why);
/* The same when netmapd starts: the switch is made, and stays without ports. */
int modules_configure(const char *sw, const char *name, struct why *why);
/* SWITCH: owning switches, and their modules. -EPROTO: no such operation. */
int modules_change(const struct proto_switch *q, uint64_t *token, struct why *why);
/* SWITCH_GET: the i-th switch, by rising index of switches. -ENOENT: there are not so many. */
int modules_describe(uint32_t i, struct proto_switch_info *info);

#endif /* NETMAPD_MODULES_H */
