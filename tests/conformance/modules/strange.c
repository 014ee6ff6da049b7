/* SPDX-License-Identifier: BSD-2-Clause */
/* A module that sends everything to a port that no switch can have. */
#include <netmap_switch.h>

static void
lookup(void *ctx, struct netmap_switch_packet *p, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		p[i].dst_port = 1000;
}

const struct netmap_switch_module netmap_switch_module = {
	.abi = NETMAP_SWITCH_ABI, .size = sizeof(netmap_switch_module), .name = "strange", .lookup = lookup,
};
