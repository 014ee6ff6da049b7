/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI headers without any system header: built with -ffreestanding -nostdinc and only the compiler's own
 * headers. They must give the same layout and numbers as the hosted build. Never run.
 */
#include "engine/abi_types.h"
#include <net/netmap.h>
#include <net/netmap_virt.h>

#if __STDC_HOSTED__ || !defined(NETMAP_ABI_TYPES)
#error "not a freestanding build"
#endif
#ifdef __linux__	/* set by the compiler; what a libc would have set is not there */
#if defined(_SYS_TYPES_H) || defined(_FEATURES_H)
#error "a libc header came in"
#endif
#endif

#include "abi_layout.h"

/* The host side writes what programs see as const. */
void abi_ring_init(struct netmap_ring *ring, struct netmap_if *nifp);

void
abi_ring_init(struct netmap_ring *ring, struct netmap_if *nifp)
{
	ring->num_slots = 1024;
	ring->nr_buf_size = 2048;
	ring->head = ring->cur = ring->tail = 0;
	nifp->ni_version = NETMAP_API;
	nifp->ring_ofs[0] = (char *)ring - (char *)nifp;
}
