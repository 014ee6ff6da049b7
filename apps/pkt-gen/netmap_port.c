/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening netmap ports. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <libnetmap.h>
#include <netmap_stats.h>

#include "netmap_port.h"

/* The library has said what it knows; advice is for when netmapd gave no reason of its own. */
static int open_failed(const struct device *d, int err)
{
	bool reason = netmap_last_error()[0] != '\0';

	fprintf(stderr, "pkt-gen: %s: cannot open: %s%s%s\n", d->name, strerror(err), reason ? "" : ": ",
		reason ? "" : port_open_advice(d->name, err));
	return -err;
}

static bool mode_is_host(uint32_t mode)
{
	return mode == NR_REG_SW || mode == NR_REG_ONE_SW;
}

/* Writes what the command line says about rings into a parsed, unregistered port. */
static int request_fill(const struct device *d, const struct options *o, struct nmport_d *p)
{
	struct nmreq_register *reg = &p->reg;

	reg->nr_flags |= NR_ACCEPT_VNET_HDR;
	if (o->tx_slots)
		reg->nr_tx_slots = o->tx_slots;
	if (o->rx_slots)
		reg->nr_rx_slots = o->rx_slots;
	if (o->tx_rings)
		reg->nr_tx_rings = (uint16_t)o->tx_rings;
	if (o->rx_rings)
		reg->nr_rx_rings = (uint16_t)o->rx_rings;
	if (o->threads == 1)
		return 0;
	if (reg->nr_mode != NR_REG_ALL_NIC && reg->nr_mode != NR_REG_SW) {
		fprintf(stderr,
			"pkt-gen: %s: -p %u needs all rings of the port: leave the ring number or * away\n",
			d->name, o->threads);
		return -EINVAL;
	}
	/* A port that this request makes gets a ring for each thread; others have what they have. */
	if (reg->nr_tx_rings == 0)
		reg->nr_tx_rings = (uint16_t)o->threads;
	if (reg->nr_rx_rings == 0)
		reg->nr_rx_rings = (uint16_t)o->threads;
	reg->nr_mode = mode_is_host(reg->nr_mode) ? NR_REG_ONE_SW : NR_REG_ONE_NIC;
	reg->nr_ringid = 0;
	return 0;
}

/* Every thread must find a ring of its own in its direction. */
static int rings_check(const struct device *d, const struct options *o)
{
	const struct nmport_d *p = d->ports[0];
	bool host = mode_is_host(p->reg.nr_mode), tx = o->mode == MODE_TX;
	unsigned rings = host ? (tx ? p->reg.nr_host_tx_rings : p->reg.nr_host_rx_rings) :
		(tx ? p->reg.nr_tx_rings : p->reg.nr_rx_rings);

	if (o->threads <= rings)
		return 0;
	fprintf(stderr,
		"pkt-gen: %s: %u threads but %u %s rings: use -p %u, or more rings (-C, ethtool -L)\n",
		d->name, o->threads, rings, tx ? "tx" : "rx", rings);
	return -EINVAL;
}

/* The direction that a mode needs may be missing from the descriptor ("/R", "/T"). */
static int direction_check(const struct device *d, const struct options *o)
{
	const struct nmport_d *p = d->ports[0];
	bool tx = p->first_tx_ring <= p->last_tx_ring && p->last_tx_ring != UINT16_MAX;
	bool rx = p->first_rx_ring <= p->last_rx_ring && p->last_rx_ring != UINT16_MAX;
	bool need_tx = o->mode != MODE_RX && o->mode != MODE_RXSEQ;
	bool need_rx = o->mode != MODE_TX && o->mode != MODE_TXSEQ;

	if ((tx || !need_tx) && (rx || !need_rx))
		return 0;
	fprintf(stderr, "pkt-gen: %s: has no %s ring: leave /%c away\n", d->name,
		need_tx && !tx ? "tx" : "rx", need_tx && !tx ? 'R' : 'T');
	return -EINVAL;
}

static int first_port_open(struct device *d, const struct options *o)
{
	struct nmport_d *p = nmport_prepare(d->name);
	int rc;

	if (!p)
		return open_failed(d, errno);
	d->ports[d->num_ports++] = p;
	rc = request_fill(d, o, p);
	if (rc)
		return rc;
	if (nmport_open_desc(p) < 0)
		return open_failed(d, errno);
	return o->threads > 1 ? rings_check(d, o) : 0;
}

static int next_port_open(struct device *d)
{
	struct nmport_d *p = nmport_clone(d->ports[0]);

	if (!p)
		return open_failed(d, errno);
	p->reg.nr_ringid = (uint16_t)d->num_ports;
	d->ports[d->num_ports++] = p;
	return nmport_open_desc(p) < 0 ? open_failed(d, errno) : 0;
}

int netmap_ports_open(struct device *d, const struct options *o)
{
	int rc;

	d->ports = calloc(o->threads, sizeof(*d->ports));
	if (!d->ports)
		return open_failed(d, ENOMEM);
	rc = first_port_open(d, o);
	while (rc == 0 && d->num_ports < o->threads)
		rc = next_port_open(d);
	return rc ? rc : direction_check(d, o);
}

void netmap_ports_close(struct device *d)
{
	while (d->num_ports > 0)
		nmport_close(d->ports[--d->num_ports]);
	free(d->ports);
	d->ports = NULL;
}

static int vnet_request(struct nmport_d *p, uint16_t type, struct nmreq_port_hdr *body)
{
	struct nmreq_header hdr;

	nmreq_header_init(&hdr, type, body);
	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", p->hdr.nr_name);
	return ioctl(p->fd, NIOCCTRL, &hdr) < 0 ? -errno : 0;
}

int netmap_vnet_setup(struct device *d, const struct options *o)
{
	struct nmreq_port_hdr body = { 0 };
	const char *why;
	int rc;

	if (o->vnet_len >= 0) {
		body.nr_hdr_len = (uint32_t)o->vnet_len;
		rc = vnet_request(d->ports[0], NETMAP_REQ_PORT_HDR_SET, &body);
		if (rc && o->vnet_len > 0) {
			why = netmap_last_error();
			fprintf(stderr, "pkt-gen: %s: -H %d: cannot set the virtio-net header: %s: %s\n",
				d->name, o->vnet_len, strerror(-rc),
				why[0] != '\0' ? why : "only VALE ports let it be chosen");
			return rc;
		}
	}
	memset(&body, 0, sizeof(body));
	/* A port that cannot tell has none. */
	rc = vnet_request(d->ports[0], NETMAP_REQ_PORT_HDR_GET, &body);
	if (rc == 0 && body.nr_hdr_len > 12) {
		fprintf(stderr, "pkt-gen: %s: has a virtio-net header of %u bytes, 0, 10 and 12 are known\n",
			d->name, body.nr_hdr_len);
		return -EOPNOTSUPP;
	}
	d->vnet_len = rc == 0 ? body.nr_hdr_len : 0;
	return 0;
}

void netmap_ports_describe(const struct device *d, const struct options *o)
{
	const struct nmport_d *p = d->ports[0];
	const struct nmreq_register *r = &p->reg;

	printf(": %u thread%s", o->threads, o->threads == 1 ? "" : "s");
	if (d->vnet_len)
		printf(", virtio-net header of %u bytes", d->vnet_len);
	if (!o->verbose)
		return;
	printf(", %u tx rings of %u slots, %u rx rings of %u slots, %u+%u host rings, region %u of %llu KiB, "
	       "mode %u, flags %#llx",
	       r->nr_tx_rings, r->nr_tx_slots, r->nr_rx_rings, r->nr_rx_slots, r->nr_host_tx_rings,
	       r->nr_host_rx_rings, r->nr_mem_id, (unsigned long long)(r->nr_memsize >> 10), r->nr_mode,
	       (unsigned long long)r->nr_flags);
}
