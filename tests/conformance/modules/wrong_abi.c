/* SPDX-License-Identifier: BSD-2-Clause */
/* A module of a version that is not there yet. */
#include <netmap_switch.h>

static void
lookup(void *ctx, struct netmap_switch_packet *p, unsigned int n)
{
}

const struct netmap_switch_module netmap_switch_module = {
	.abi = NETMAP_SWITCH_ABI + 1, .size = sizeof(netmap_switch_module), .name = "wrong_abi", .lookup = lookup,
};
