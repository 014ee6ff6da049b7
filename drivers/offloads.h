/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloads that would corrupt raw frames: switched off on entry, those of them that were on switched on again
 * on exit.
 *
 * plan, apply, restore, in this order; between plan and apply the plan can be written down for whoever comes
 * after a crash (state_file.h does all of it). Functions return 0 or -errno and write to text (may be NULL)
 * what there is to say, no newline, empty if nothing.
 */
#ifndef DRIVERS_OFFLOADS_H
#define DRIVERS_OFFLOADS_H

#include <stddef.h>

#include "ethtool.h"

/* Groups, to be ORed. */
enum {
	/*
	 * GRO, LRO: received frames merged into larger ones. Generic XDP and packet sockets come after that.
	 */
	OFFLOADS_RX_MERGE = 1 << 0,
	/*
	 * Tags taken out of received frames. XDP never sees them again; packet sockets get them beside the
	 * frame.
	 */
	OFFLOADS_RX_VLAN = 1 << 1,
	/*
	 * What the host's stack leaves to the device in frames that it sends: matters where host rings take
	 * those.
	 */
	OFFLOADS_TX_SEGMENTATION = 1 << 2,
	OFFLOADS_TX_CHECKSUM = 1 << 3,
	OFFLOADS_TX_VLAN = 1 << 4,
};

#define OFFLOADS_RX	(OFFLOADS_RX_MERGE | OFFLOADS_RX_VLAN)
#define OFFLOADS_TX	(OFFLOADS_TX_SEGMENTATION | OFFLOADS_TX_CHECKSUM | OFFLOADS_TX_VLAN)

#define OFFLOADS_MAX	48

struct offloads_saved {
	unsigned n;
	char name[OFFLOADS_MAX][ETHTOOL_NAME_MAX];	/* features that are on, and switched off for now */
};

/*
 * Which features of the groups have to be switched off. text names those that are on and that the driver does
 * not let go.
 */
int offloads_plan(const struct ethtool *e, unsigned groups, struct offloads_saved *saved, char *text,
		  size_t size);

/* Switch them off. text names those that stayed on. On failure nothing was changed. */
int offloads_apply(const struct ethtool *e, const struct offloads_saved *saved, char *text, size_t size);

/* Switch them on again. text names those that did not come back. */
int offloads_restore(const struct ethtool *e, const struct offloads_saved *saved, char *text, size_t size);

#endif
