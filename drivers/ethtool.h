/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ethtool(8) shows and changes. A handle belongs to one interface, by its index, in the network
 * namespace that the calling thread was in when it was opened; it can be used from anywhere, and follows the
 * interface when that is renamed. Functions return 0 or -errno: -ENODEV the interface is gone, -EOPNOTSUPP
 * its driver does not tell or cannot do it, -EPERM CAP_NET_ADMIN is missing. Nothing is printed.
 */
#ifndef DRIVERS_ETHTOOL_H
#define DRIVERS_ETHTOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>

#define ETHTOOL_NAME_MAX	32	/* of a feature or a driver, with its NUL */

struct ethtool {
	int fd;				/* -1: closed */
	uint32_t ifindex;
};

struct ethtool_identity {
	char driver[ETHTOOL_NAME_MAX], version[ETHTOOL_NAME_MAX];
	char bus[ETHTOOL_NAME_MAX];	/* "0000:00:03.0"; empty: a virtual interface */
};

struct ethtool_channel_counts {
	uint32_t combined, rx, tx;
	uint32_t combined_max, rx_max, tx_max;
};

struct ethtool_ring_sizes {
	uint32_t rx, tx;		/* descriptors */
	uint32_t rx_max, tx_max;
};

struct ethtool_flow_control {
	bool autoneg, rx, tx;
};

int ethtool_open(struct ethtool *e, const char *ifname);
void ethtool_close(struct ethtool *e);

/* Its present name. */
int ethtool_name(const struct ethtool *e, char name[IFNAMSIZ]);

int ethtool_identity_get(const struct ethtool *e, struct ethtool_identity *out);
int ethtool_channels_get(const struct ethtool *e, struct ethtool_channel_counts *out);
int ethtool_rings_get(const struct ethtool *e, struct ethtool_ring_sizes *out);
int ethtool_flow_control_get(const struct ethtool *e, struct ethtool_flow_control *out);
int ethtool_carrier_get(const struct ethtool *e, bool *up);

/* Set or clear interface flags, IFF_PROMISC for one. */
int ethtool_flags_set(const struct ethtool *e, short flags, bool on);

/*
 * Receive and transmit queues in use. They are no property of the link (IFLA_NUM_RX_QUEUES is what there is
 * room for), and sysfs shows those of the namespace that it was mounted in: so the channels are asked, then
 * what receive hashing spreads over. -EOPNOTSUPP: the driver tells neither.
 */
int ethtool_queues_get(const struct ethtool *e, uint32_t *rx, uint32_t *tx);

/* --- features: what ethtool -k shows --- */

struct ethtool_feature {
	char name[ETHTOOL_NAME_MAX];
	bool changeable;
	bool wanted;			/* by the user or by default; what it depends on may be missing */
	bool active;
};

struct ethtool_features {
	struct ethtool_feature *feature;
	uint32_t n;
};

/* To be freed by ethtool_features_free, also after a failure. */
int ethtool_features_get(const struct ethtool *e, struct ethtool_features *f);
void ethtool_features_free(struct ethtool_features *f);

/* NULL: this kernel has no such feature. */
const struct ethtool_feature *ethtool_feature_find(const struct ethtool_features *f, const char *name);

/*
 * Want these n of f's features (by name; names that f does not have are ignored) to be on, or off; all in one
 * request. Whether they are then can be seen by getting them again: a feature may depend on others.
 */
int ethtool_features_set(const struct ethtool *e, const struct ethtool_features *f,
			 const char (*names)[ETHTOOL_NAME_MAX],
			 unsigned n, bool on);

#endif
