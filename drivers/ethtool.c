/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ethtool(8) shows and changes, by ioctl: see ethtool.h. The features' request is older than any kernel
 * that this runs on (2.6.39), so that the single flags before it (ETHTOOL_GGRO and the like) are not asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ethtool.h"
#include "netns.h"

#define FEATURES_MAX	1024	/* bits, more than a kernel will have */

int ethtool_open(struct ethtool *e, const char *ifname)
{
	struct ifreq ifr = { .ifr_ifindex = 0 };
	int err;

	e->fd = -1;
	if (strlen(ifname) >= IFNAMSIZ)
		return -ENODEV;
	e->fd = netns_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (e->fd < 0 && !netns_foreign())
		/* A kernel without IPv4: any socket will do. */
		e->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return -errno;
	strcpy(ifr.ifr_name, ifname);
	if (ioctl(e->fd, SIOCGIFINDEX, &ifr) < 0) {
		err = -errno;
		ethtool_close(e);
		return err;
	}
	e->ifindex = (uint32_t)ifr.ifr_ifindex;
	return 0;
}

void ethtool_close(struct ethtool *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

int ethtool_name(const struct ethtool *e, char name[IFNAMSIZ])
{
	struct ifreq ifr = { .ifr_ifindex = (int)e->ifindex };

	if (ioctl(e->fd, SIOCGIFNAME, &ifr) < 0)
		return -errno;
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	return 0;
}

/* What the request returns, 0 or a positive number of its own; or -errno. */
static int request(const struct ethtool *e, void *data)
{
	struct ifreq ifr = { .ifr_data = NULL };
	char name[IFNAMSIZ];
	int rc = ethtool_name(e, name);

	if (rc < 0)
		return rc;
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	ifr.ifr_data = data;
	rc = ioctl(e->fd, SIOCETHTOOL, &ifr);
	return rc < 0 ? -errno : rc;
}

int ethtool_identity_get(const struct ethtool *e, struct ethtool_identity *out)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int rc = request(e, &info);

	if (rc < 0)
		return rc;
	snprintf(out->driver, sizeof(out->driver), "%.31s", info.driver);
	snprintf(out->version, sizeof(out->version), "%.31s", info.version);
	snprintf(out->bus, sizeof(out->bus), "%.31s", info.bus_info);
	/* Virtual interfaces answer with words. */
	if (strcmp(out->bus, "N/A") == 0 || strcmp(out->bus, "tap") == 0 || strcmp(out->bus, "tun") == 0)
		out->bus[0] = '\0';
	return 0;
}

int ethtool_channels_get(const struct ethtool *e, struct ethtool_channel_counts *out)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	int rc = request(e, &c);

	if (rc < 0)
		return rc;
	*out = (struct ethtool_channel_counts){
		.combined = c.combined_count, .rx = c.rx_count, .tx = c.tx_count,
		.combined_max = c.max_combined, .rx_max = c.max_rx, .tx_max = c.max_tx,
	};
	return 0;
}

int ethtool_rings_get(const struct ethtool *e, struct ethtool_ring_sizes *out)
{
	struct ethtool_ringparam r = { .cmd = ETHTOOL_GRINGPARAM };
	int rc = request(e, &r);

	if (rc < 0)
		return rc;
	*out = (struct ethtool_ring_sizes){
		.rx = r.rx_pending, .tx = r.tx_pending, .rx_max = r.rx_max_pending,
			.tx_max = r.tx_max_pending,
	};
	return 0;
}

int ethtool_flow_control_get(const struct ethtool *e, struct ethtool_flow_control *out)
{
	struct ethtool_pauseparam p = { .cmd = ETHTOOL_GPAUSEPARAM };
	int rc = request(e, &p);

	if (rc < 0)
		return rc;
	*out = (struct ethtool_flow_control){ .autoneg = p.autoneg, .rx = p.rx_pause, .tx = p.tx_pause };
	return 0;
}

int ethtool_carrier_get(const struct ethtool *e, bool *up)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GLINK };
	int rc = request(e, &v);

	if (rc < 0)
		return rc;
	*up = v.data != 0;
	return 0;
}

int ethtool_flags_set(const struct ethtool *e, short flags, bool on)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	char name[IFNAMSIZ];
	int rc = ethtool_name(e, name);

	if (rc < 0)
		return rc;
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(e->fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags = on ? ifr.ifr_flags | flags : ifr.ifr_flags & ~flags;
	return ioctl(e->fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

int ethtool_queues_get(const struct ethtool *e, uint32_t *rx, uint32_t *tx)
{
	struct ethtool_rxnfc rings = { .cmd = ETHTOOL_GRXRINGS };
	struct ethtool_channel_counts c;
	int rc = ethtool_channels_get(e, &c);

	if (rc == 0) {
		*rx = c.combined + c.rx;
		*tx = c.combined + c.tx;
		return 0;
	}
	if (rc != -EOPNOTSUPP)
		return rc;
	rc = request(e, &rings);
	if (rc < 0)
		return rc;
	*rx = *tx = (uint32_t)rings.data;
	return 0;
}

/* --- features --- */

static int features_count(const struct ethtool *e, uint32_t *n)
{
	struct ethtool_sset_info *q = calloc(1, sizeof(*q) + sizeof(q->data[0]));
	int rc;

	if (!q)
		return -ENOMEM;
	q->cmd = ETHTOOL_GSSET_INFO;
	q->sset_mask = 1ULL << ETH_SS_FEATURES;
	rc = request(e, q);
	*n = q->data[0];
	if (rc >= 0 && (q->sset_mask == 0 || *n == 0 || *n > FEATURES_MAX))
		rc = -EOPNOTSUPP;
	free(q);
	return rc < 0 ? rc : 0;
}

static int features_names(const struct ethtool *e, struct ethtool_features *f)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)f->n * ETH_GSTRING_LEN);
	int rc;

	if (!s)
		return -ENOMEM;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_FEATURES;
	s->len = f->n;
	rc = request(e, s);
	for (uint32_t i = 0; rc >= 0 && i < f->n; i++)
		snprintf(f->feature[i].name, ETHTOOL_NAME_MAX, "%.31s",
			 (char *)s->data + i * ETH_GSTRING_LEN);
	free(s);
	return rc < 0 ? rc : 0;
}

static bool bit(uint32_t word, uint32_t i)
{
	return word >> i % 32 & 1;
}

static int features_bits(const struct ethtool *e, struct ethtool_features *f)
{
	uint32_t blocks = (f->n + 31) / 32;
	struct ethtool_gfeatures *g = calloc(1, sizeof(*g) + blocks * sizeof(g->features[0]));
	int rc;

	if (!g)
		return -ENOMEM;
	g->cmd = ETHTOOL_GFEATURES;
	g->size = blocks;
	rc = request(e, g);
	for (uint32_t i = 0; rc >= 0 && i < f->n; i++) {
		const struct ethtool_get_features_block *b = &g->features[i / 32];

		f->feature[i].changeable = bit(b->available, i) && !bit(b->never_changed, i);
		f->feature[i].wanted = bit(b->requested, i);
		f->feature[i].active = bit(b->active, i);
	}
	free(g);
	return rc < 0 ? rc : 0;
}

int ethtool_features_get(const struct ethtool *e, struct ethtool_features *f)
{
	int rc;

	f->feature = NULL;
	f->n = 0;
	rc = features_count(e, &f->n);
	if (rc < 0)
		return rc;
	f->feature = calloc(f->n, sizeof(f->feature[0]));
	if (!f->feature)
		return -ENOMEM;
	rc = features_names(e, f);
	return rc < 0 ? rc : features_bits(e, f);
}

void ethtool_features_free(struct ethtool_features *f)
{
	free(f->feature);
	f->feature = NULL;
	f->n = 0;
}

const struct ethtool_feature *ethtool_feature_find(const struct ethtool_features *f, const char *name)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (strcmp(f->feature[i].name, name) == 0)
			return &f->feature[i];
	return NULL;
}

int ethtool_features_set(const struct ethtool *e, const struct ethtool_features *f,
			 const char (*names)[ETHTOOL_NAME_MAX],
			 unsigned n, bool on)
{
	uint32_t blocks = (f->n + 31) / 32;
	struct ethtool_sfeatures *s = calloc(1, sizeof(*s) + blocks * sizeof(s->features[0]));
	const struct ethtool_feature *found;
	int rc;

	if (!s)
		return -ENOMEM;
	s->cmd = ETHTOOL_SFEATURES;
	s->size = blocks;
	for (unsigned i = 0; i < n; i++) {
		uint32_t at;

		found = ethtool_feature_find(f, names[i]);
		if (!found)
			continue;
		at = (uint32_t)(found - f->feature);
		s->features[at / 32].valid |= 1U << at % 32;
		if (on)
			s->features[at / 32].requested |= 1U << at % 32;
	}
	rc = request(e, s);
	free(s);
	return rc < 0 ? rc : 0;
}
