/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloads that would corrupt raw frames, see offloads.h.
 *
 * n-tuple filters, receive hashing and checksum verification do not change frames and are left alone. LRO
 * switched off at a bond or a team goes off at their ports, and the kernel does not switch it on there again.
 *
 * A veth interface is like others here, but mind what its features mean (drivers/net/veth.c of the kernel):
 * - GRO is off by default. Switching it on starts NAPI, and with it the ring into which others' XDP
 *   programs redirect frames to this end; switching it off, with no XDP program attached, ends that, and such
 *   frames are lost. They would be merged otherwise, and neither generic XDP nor a packet socket could tell
 *   what they were. A native XDP program runs NAPI itself and comes before GRO: then switching GRO changes
 *   nothing but a flag.
 * - Up to Linux 6.7 attaching a native program switches GRO on behind the user's back (active, not wanted),
 *   and detaching it switches it off. What nobody wants is therefore not ours to save: restoring it would
 *   leave on what was off.
 * - GSO frames and unfinished checksums come from the far end's stack, and so do tags beside frames: its
 *   own features (TSO, tx-checksum-ip-generic, tx-vlan-hw-insert) decide, ours do not. While a native program
 *   is attached the kernel keeps the far end from sending GSO frames, and nothing else.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "offloads.h"

static const struct {
	unsigned group;
	const char *pattern;
} members[] = {
	{ OFFLOADS_RX_MERGE, "rx-gro" },
	{ OFFLOADS_RX_MERGE, "rx-gro-hw" },
	{ OFFLOADS_RX_MERGE, "rx-gro-list" },
	{ OFFLOADS_RX_MERGE, "rx-udp-gro-forwarding" },
	{ OFFLOADS_RX_MERGE, "rx-lro" },
	{ OFFLOADS_RX_VLAN, "rx-vlan-hw-parse" },
	{ OFFLOADS_RX_VLAN, "rx-vlan-stag-hw-parse" },
	{ OFFLOADS_TX_SEGMENTATION, "tx-*-segmentation" },
	{ OFFLOADS_TX_SEGMENTATION, "tx-gso-list" },
	{ OFFLOADS_TX_CHECKSUM, "tx-checksum-*" },
	{ OFFLOADS_TX_VLAN, "tx-vlan-hw-insert" },
	{ OFFLOADS_TX_VLAN, "tx-vlan-stag-hw-insert" },
};

static bool belongs(const char *name, unsigned groups)
{
	for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if ((members[i].group & groups) && fnmatch(members[i].pattern, name, 0) == 0)
			return true;
	return false;
}

static void text_clear(char *text, size_t size)
{
	if (text && size)
		text[0] = '\0';
}

/* A sentence's beginning before the first name, a comma before the others. Cut where it does not fit. */
static void text_name(char *text, size_t size, const char *begin, const char *name)
{
	size_t used;

	if (!text || !size)
		return;
	used = strlen(text);
	snprintf(text + used, size - used, "%s%s", used ? ", " : begin, name);
}

int offloads_plan(const struct ethtool *e, unsigned groups, struct offloads_saved *saved, char *text,
		  size_t size)
{
	struct ethtool_features f;
	int err = ethtool_features_get(e, &f);

	saved->n = 0;
	text_clear(text, size);
	for (uint32_t i = 0; err == 0 && i < f.n; i++) {
		const struct ethtool_feature *feature = &f.feature[i];

		if (!feature->active || !belongs(feature->name, groups))
			continue;
		if (!feature->changeable)
			text_name(text, size, "on, and fixed: ", feature->name);
		else if (feature->wanted && saved->n < OFFLOADS_MAX)
			strcpy(saved->name[saved->n++], feature->name);
	}
	ethtool_features_free(&f);
	return err;
}

static int switch_all(const struct ethtool *e, const struct offloads_saved *saved, bool on,
		      const char *begin, char *text,
		      size_t size)
{
	const struct ethtool_feature *feature;
	struct ethtool_features f;
	int err;

	text_clear(text, size);
	if (saved->n == 0)
		return 0;
	err = ethtool_features_get(e, &f);
	if (err == 0)
		err = ethtool_features_set(e, &f, saved->name, saved->n, on);
	ethtool_features_free(&f);
	if (err)
		return err;
	/* Done, whatever a second look can see. */
	if (ethtool_features_get(e, &f) == 0) {
		for (unsigned i = 0; i < saved->n; i++) {
			feature = ethtool_feature_find(&f, saved->name[i]);
			if (feature && feature->active != on)
				text_name(text, size, begin, saved->name[i]);
		}
	}
	ethtool_features_free(&f);
	return 0;
}

int offloads_apply(const struct ethtool *e, const struct offloads_saved *saved, char *text, size_t size)
{
	return switch_all(e, saved, false, "could not be switched off: ", text, size);
}

int offloads_restore(const struct ethtool *e, const struct offloads_saved *saved, char *text, size_t size)
{
	return switch_all(e, saved, true, "could not be switched on again: ", text, size);
}
