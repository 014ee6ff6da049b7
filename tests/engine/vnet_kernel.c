/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segmentation and checksums, compared byte for byte with what the kernel makes of the same frames: a packet
 * socket sends them, behind their virtio-net header, on a TAP interface without offloads, in a network
 * namespace of this program's own.
 *
 * Exit 77 where that is not possible: it needs root, /dev/net/tun and a kernel that segments.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit_vnet/oracle.h"
#include "vnet_end.h"

#define SKIPPED		77
#define KERNEL_MTU	9000

static struct {
	int tap, packet;
	struct end from, to;
} k;

static void
skipped(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(SKIPPED);
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		printf("%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void
tap_open(void)
{
	struct ifreq ifr = { .ifr_name = "t0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int sock;

	if (unshare(CLONE_NEWNET) != 0)
		skipped("a network namespace");
	/* Nothing but ours on the interface. */
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	k.tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (k.tap < 0 || ioctl(k.tap, TUNSETIFF, &ifr) != 0)
		skipped("a TAP interface");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_mtu = KERNEL_MTU;
	check(sock >= 0 && ioctl(sock, SIOCSIFMTU, &ifr) == 0);
	check(ioctl(sock, SIOCGIFFLAGS, &ifr) == 0);
	ifr.ifr_flags |= IFF_UP;
	check(ioctl(sock, SIOCSIFFLAGS, &ifr) == 0);
	close(sock);
}

static void
packet_open(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("t0") };
	int one = 1;

	k.packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (k.packet < 0 || setsockopt(k.packet, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0)
		skipped("a packet socket with virtio-net headers");
	check(bind(k.packet, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

/* The next frame that the kernel made; 0 if there is none. */
static uint32_t
kernel_take(uint8_t *buf, uint32_t room, int ms)
{
	struct pollfd p = { .fd = k.tap, .events = POLLIN };
	ssize_t len;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	len = read(k.tap, buf, room);
	check(len > 0);
	return (uint32_t)len;
}

/* The identification of an IPv6 fragment is the kernel's own choice: it is left out of the comparison. */
static void
ids_even(uint8_t *ours, uint8_t *theirs, uint32_t len)
{
	struct seen s;

	if (seen_parse(&s, ours, len) == NULL && s.version == 6 && s.fragment) {
		memset(ours + s.l4 - 4, 0, 4);
		memset(theirs + s.l4 - 4, 0, 4);
	}
}

/* Returns how many frames came; 0: the kernel does not take it. */
static uint32_t
compare(const struct made *m)
{
	static uint8_t p[PACKET_MAX], ours[PACKET_MAX], theirs[PACKET_MAX];
	uint32_t n = 0, len;
	unsigned slots;

	memcpy(p, m->hdr, 10);
	memcpy(p + 10, m->frame, m->len);
	if (send(k.packet, p, 10 + m->len, 0) < 0) {
		printf("(the kernel refuses: %s) ", strerror(errno));
		return 0;
	}
	vnet_put(&k.from, p, 10 + m->len, 10, 2048);
	end_txsync(&k.from);
	while ((len = vnet_take(&k.to, ours, &slots)) > 0) {
		check(kernel_take(theirs, sizeof(theirs), 1000) == len);
		ids_even(ours, theirs, len);
		if (memcmp(ours, theirs, len) != 0) {
			uint32_t at = 0;

			while (ours[at] == theirs[at])
				at++;
			printf("frame %u of %u bytes: byte %u is %02x, the kernel's %02x\n", n, len, at,
				ours[at], theirs[at]);
			exit(1);
		}
		n++;
	}
	check(kernel_take(theirs, sizeof(theirs), n == 0 ? 100 : 0) == 0);
	check(own_drops(end_ktx(&k.from, 0)) == 0 && in_drops(end_krx(&k.to, 0)) == 0);
	return n;
}

static const struct {
	const char *what;
	struct spec spec;
} cases[] = {
	{ "a checksum, UDP in IPv4", { .version = 4, .proto = 17, .payload = 1001 } },
	{ "a checksum, TCP in IPv6", { .version = 6, .proto = 6, .payload = 1000, .tags = { 0x8100 } } },
	{ "TCP in IPv4", { .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1460, .payload = 64000,
		.tcp_flags = 0x19 } },
	{ "TCP in IPv4, tagged, options", { .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1440,
		.payload = 60001, .tcp_options = 12, .ip_options = 8, .tags = { 0x8100 },
		.tcp_flags = 0x18 } },
	{ "TCP in IPv4, ECN", { .version = 4, .proto = 6, .gso_type = 0x81, .gso_size = 536, .payload = 20000,
		.tcp_flags = 0xd9 } },
	{ "TCP in IPv6", { .version = 6, .proto = 6, .gso_type = 4, .gso_size = 1440, .payload = 64000,
		.tcp_flags = 0x11 } },
	{ "TCP in IPv6, tagged", { .version = 6, .proto = 6, .gso_type = 4, .gso_size = 1428,
		.payload = 50001, .tcp_options = 12, .tags = { 0x8100 }, .tcp_flags = 0x18 } },
	{ "UDP in IPv4, fragments", { .version = 4, .proto = 17, .gso_type = 3, .gso_size = 1480,
		.payload = 64000 } },
	{ "UDP in IPv4, fragments, tagged", { .version = 4, .proto = 17, .gso_type = 3, .gso_size = 1480,
		.payload = 60001, .tags = { 0x8100 } } },
	{ "UDP in IPv6, fragments", { .version = 6, .proto = 17, .gso_type = 3, .gso_size = 1448,
		.payload = 64000 } },
	{ "UDP in IPv4, datagrams", { .version = 4, .proto = 17, .gso_type = 5, .gso_size = 1472,
		.payload = 60001 } },
};

int
main(void)
{
	unsigned i, compared = 0;

	tap_open();
	packet_open();
	check(engine_setup(NULL) == 0);
	vnet_open(&k.from, "vale0:from", 10, 1024);
	vnet_open(&k.to, "vale0:to", 0, 1024);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made m;
		uint32_t n;

		made_init(&m, &cases[i].spec);
		printf("%s: ", cases[i].what);
		fflush(stdout);
		n = compare(&m);
		printf("%u frames\n", n);
		compared += n > 0;
		made_free(&m);
	}
	end_close(&k.from);
	end_close(&k.to);
	check(engine_teardown(NULL) == 0);
	return compared > 0 ? 0 : SKIPPED;
}
