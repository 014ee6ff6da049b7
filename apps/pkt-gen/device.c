/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening and closing what pkt-gen works on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <libnetmap.h>

#include "device.h"
#include "netmap_port.h"
#include "pcap_file.h"

static const char pcap_prefix[] = "pcap:";
static const char tap_prefix[] = "tap";

enum device_kind device_kind_of(const char *name)
{
	if (strcmp(name, "null") == 0)
		return DEVICE_NULL;
	if (strncmp(name, pcap_prefix, strlen(pcap_prefix)) == 0)
		return DEVICE_PCAP;
	if (strncmp(name, tap_prefix, strlen(tap_prefix)) == 0)
		return DEVICE_TAP;
	return DEVICE_NETMAP;
}

/* An ioctl on the network interface ifr names. */
static int interface_request(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static void interface_name_set(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
}

/* Takes the address of the real interface name, if there is one, and checks that frames fit its MTU. */
static int interface_attach(struct device *d, const struct options *o, const char *name)
{
	struct ifreq ifr;

	if (strlen(name) >= IFNAMSIZ || if_nametoindex(name) == 0)
		return 0;
	snprintf(d->ifname, sizeof(d->ifname), "%s", name);
	interface_name_set(&ifr, name);
	if (interface_request(SIOCGIFHWADDR, &ifr) == 0)
		memcpy(d->mac, ifr.ifr_hwaddr.sa_data, MAC_LEN);
	interface_name_set(&ifr, name);
	if (!options_is_sender(o) || o->payload_file || interface_request(SIOCGIFMTU, &ifr))
		return 0;
	if ((int)o->len_max > ifr.ifr_mtu + 14) {
		fprintf(stderr,
			"pkt-gen: %s: frames of %u bytes do not fit its MTU of %d: use -l %d or less, "
			"or 'ip link set %s mtu %u'\n",
			d->name, o->len_max, ifr.ifr_mtu, ifr.ifr_mtu + 14, name, o->len_max - 14);
		return -EMSGSIZE;
	}
	return 0;
}

/*
 * A tap that nobody has brought up takes no frames. One that cannot be brought up shows that at the first
 * write.
 */
static void tap_bring_up(const char *name)
{
	struct ifreq ifr;

	interface_name_set(&ifr, name);
	if (interface_request(SIOCGIFFLAGS, &ifr) || (ifr.ifr_flags & IFF_UP))
		return;
	ifr.ifr_flags |= IFF_UP;
	interface_request(SIOCSIFFLAGS, &ifr);
}

static int tap_open(struct device *d, const struct options *o)
{
	const char *name = d->name[strlen(tap_prefix)] == ':' ? d->name + strlen(tap_prefix) + 1 : d->name;
	struct ifreq ifr;
	int rc;

	if (strlen(name) >= IFNAMSIZ || *name == '\0') {
		fprintf(stderr, "pkt-gen: %s: an interface name has 1 to %d characters\n", d->name,
			IFNAMSIZ - 1);
		return -EINVAL;
	}
	d->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (d->fd < 0) {
		rc = -errno;
		fprintf(stderr, "pkt-gen: %s: /dev/net/tun: %s: load the module tun and run as root; "
			"netmap:%s is the netmap port\n", d->name, strerror(-rc), name);
		return rc;
	}
	interface_name_set(&ifr, name);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(d->fd, TUNSETIFF, &ifr) < 0) {
		rc = -errno;
		fprintf(stderr,
			"pkt-gen: %s: cannot attach to the tap interface: %s: run as root or its owner, "
			"and check that no other program has it\n",
			d->name, strerror(-rc));
		return rc;
	}
	tap_bring_up(name);
	return interface_attach(d, o, name);
}

static int pcap_device_open(struct device *d, const struct options *o)
{
	const char *path = d->name + strlen(pcap_prefix);
	char err[PCAP_FILE_ERR_MAX];

	d->pcap = options_is_sender(o) ? pcap_file_create(path, err) : pcap_file_open(path, err);
	if (d->pcap)
		return 0;
	fprintf(stderr, "pkt-gen: %s: %s\n", d->name, err);
	return -ENOENT;
}

static int netmap_device_open(struct device *d, const struct options *o)
{
	const char *name;
	int rc = netmap_ports_open(d, o);

	if (rc)
		return rc;
	name = d->ports[0]->hdr.nr_name;
	if (!port_name_is_virtual(d->name)) {
		rc = interface_attach(d, o, name);
		if (rc)
			return rc;
	}
	return netmap_vnet_setup(d, o);
}

/* Modes that need a netmap port, options that need one. */
static int kind_check(const struct device *d, const struct options *o)
{
	const char *what = NULL;

	if (d->kind == DEVICE_NETMAP)
		return 0;
	if (o->mode == MODE_PING || o->mode == MODE_PONG)
		what = "-f ping and -f pong";
	else if (o->threads > 1)
		what = "-p";
	else if (o->vnet_len > 0)
		what = "-H";
	else if (o->bits & OPT_INDIRECT)
		what = "-I";
	if (!what)
		return 0;
	fprintf(stderr, "pkt-gen: %s: %s: only for netmap ports: netmap:IF, valeX:PORT or a pipe\n", d->name,
		what);
	return -EOPNOTSUPP;
}

int device_open(struct device *d, const struct options *o)
{
	int rc;

	*d = (struct device){ .kind = device_kind_of(o->port), .fd = -1 };
	rc = d->kind == DEVICE_NETMAP ? port_name_complete(d->name, sizeof(d->name), o->port) :
		snprintf(d->name, sizeof(d->name), "%s", o->port) < (int)sizeof(d->name) ? 0 : -ENAMETOOLONG;
	if (rc) {
		fprintf(stderr, "pkt-gen: %s: name too long\n", o->port);
		return rc;
	}
	rc = kind_check(d, o);
	if (rc)
		return rc;
	switch (d->kind) {
	case DEVICE_NETMAP:
		rc = netmap_device_open(d, o);
		break;
	case DEVICE_TAP:
		rc = tap_open(d, o);
		break;
	case DEVICE_PCAP:
		rc = pcap_device_open(d, o);
		break;
	case DEVICE_NULL:
		break;
	}
	if (rc)
		device_close(d);
	return rc;
}

int device_close(struct device *d)
{
	int rc = 0;

	netmap_ports_close(d);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	if (d->pcap)
		rc = pcap_file_close(d->pcap);
	d->pcap = NULL;
	if (rc)
		fprintf(stderr, "pkt-gen: %s: could not be written in full: check the room on the disk\n",
			d->name);
	return rc;
}

unsigned device_link_wait(const struct device *d, const struct options *o)
{
	if (o->link_wait >= 0)
		return (unsigned)o->link_wait;
	return d->kind == DEVICE_NETMAP && !port_name_is_virtual(d->name) ? 2 : 0;
}

static void addresses_describe(const struct options *o)
{
	char src[160], dst[160], src_mac[40], dst_mac[40];

	printf("%s -> %s (%s -> %s)\n", ip_range_format(&o->src, src, sizeof(src)),
	       ip_range_format(&o->dst, dst, sizeof(dst)),
	       mac_range_format(&o->src_mac, src_mac, sizeof(src_mac)),
	       mac_range_format(&o->dst_mac, dst_mac, sizeof(dst_mac)));
}

void device_describe(const struct device *d, const struct options *o)
{
	static const char *const verbs[] = {
		[MODE_RX] = "Receiving from", [MODE_TX] = "Sending on", [MODE_PING] = "Pinging over",
		[MODE_PONG] = "Answering on", [MODE_TXSEQ] = "Sending a sequence on",
		[MODE_RXSEQ] = "Receiving a sequence from",
	};

	printf("%s %s", verbs[o->mode], d->name);
	if (d->kind == DEVICE_NETMAP)
		netmap_ports_describe(d, o);
	printf("\n");
	if (options_is_sender(o) && !o->payload_file)
		addresses_describe(o);
}

int device_port_wait(const struct device *d, struct nmport_d *p, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = p->fd, .events = events };
	int n = poll(&pfd, 1, timeout_ms), rc;

	if (n < 0) {
		if (errno == EINTR)
			return 0;
		rc = -errno;
		fprintf(stderr, "pkt-gen: %s: poll: %s\n", d->name, strerror(-rc));
		return rc;
	}
	if (n > 0 && (pfd.revents & (POLLERR | POLLHUP | POLLNVAL))) {
		fprintf(stderr,
			"pkt-gen: %s: the port has failed (poll reports %#x): its interface or netmapd is "
			"gone, or a ring was refused; the log of netmapd has the reason\n",
			d->name, (unsigned)pfd.revents);
		return -EIO;
	}
	return n > 0;
}
