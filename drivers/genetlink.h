/* SPDX-License-Identifier: BSD-2-Clause */
/* Families of generic netlink: "ethtool", "netdev". */
#ifndef DRIVERS_GENETLINK_H
#define DRIVERS_GENETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "netlink.h"

struct genetlink_family {
	uint16_t id;
	uint32_t group;		/* of the multicast group asked for, 0: there is none */
};

/*
 * A family by name. group: name of one of its multicast groups, or NULL. -ENOENT: this kernel does not have
 * it.
 */
int genetlink_family_get(struct netlink *nl, const char *name, const char *group,
			 struct genetlink_family *out);

/* Start a request in buf (at least 1024 bytes); NLM_F_REQUEST is added to the flags. */
struct nlmsghdr *genetlink_request(void *buf, const struct genetlink_family *family, uint8_t command,
				   uint8_t version,
				   uint16_t flags);

#endif
