/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends the frames of a capture on one interface and compares, byte for byte and in order, what arrives at another, in another network namespace:
 *
 *	replay [-g] FROM-NETNS FROM-IF TO-NETNS TO-IF FILE
 *
 * With -g all destinations are made group addresses: a switch keeps back what goes to an address that it has seen behind FROM-IF, and captures
 * hold both sides of a conversation.
 *
 * Frames of the capture that are longer than FROM-IF's MTU allows, or shorter than an Ethernet header, cannot be sent and are counted as skipped.
 * Frames that the stacks at both ends send meanwhile are told apart by their bytes. A few frames are on their way at a time, so that what is lost was
 * lost by what is tested and not for lack of room in a queue. The last line of output sums up; exit status 0 if every frame sent arrived as it was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW		32
#define FRAME_MAX	(65536 + 64)
#define PATIENCE_MS	2000		/* for a frame that does not come */
#define TAG_BYTES	4

struct frame {
	uint32_t len;
	uint8_t data[FRAME_MAX];
};

static struct {
	struct frame frame[WINDOW];	/* on their way, oldest first */
	unsigned first, n;
	unsigned long sent, skipped, arrived;
	unsigned long long bytes;
} way;

static void
fail(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* A packet socket on that interface; protocol 0 only sends. */
static int
socket_open(const char *netns, const char *ifname, int protocol, unsigned *mtu)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol) };
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC };
	struct ifreq ifr;
	char path[256];
	int ns, fd, on = 1, room = 8 << 20;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
		fail(path);
	close(ns);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		fail("socket");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	addr.sll_ifindex = (int)if_nametoindex(ifname);
	promisc.mr_ifindex = addr.sll_ifindex;
	if (addr.sll_ifindex == 0 || ioctl(fd, SIOCGIFMTU, &ifr) != 0)
		fail(ifname);
	*mtu = (unsigned)ifr.ifr_mtu;
	/* What the other end sends, whole: with its VLAN tag, and not what we send ourselves. */
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) != 0)
		fail("setsockopt");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		fail("bind");
	return fd;
}

/* The kernel takes the outermost tag out of a frame: puts it back. */
static ssize_t
tag_restore(struct msghdr *msg, uint8_t *data, ssize_t n)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;
		uint16_t tag[2];

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0)
			continue;
		tag[0] = htons((aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : ETH_P_8021Q);
		tag[1] = htons(aux.tp_vlan_tci);
		memmove(data + 12 + TAG_BYTES, data + 12, (size_t)n - 12);
		memcpy(data + 12, tag, sizeof(tag));
		n += TAG_BYTES;
	}
	return n;
}

static bool
frame_is(const struct frame *f, const uint8_t *data, size_t len)
{
	return f->len == len && memcmp(f->data, data, len) == 0;
}

static void
report_lost(const struct frame *f)
{
	if (way.sent - way.arrived < 5 + way.n)
		fprintf(stderr, "replay: a frame of %u bytes (ethertype %02x%02x) did not arrive as it was\n", f->len, f->data[12], f->data[13]);
}

/* A frame that arrived: the oldest that is like it, and those before it are lost. Anything else is not ours. */
static void
frame_arrived(const uint8_t *data, size_t len)
{
	unsigned i;

	for (i = 0; i < way.n; i++)
		if (frame_is(&way.frame[(way.first + i) % WINDOW], data, len))
			break;
	if (i == way.n)
		return;
	for (; i > 0; i--) {
		report_lost(&way.frame[way.first]);
		way.first = (way.first + 1) % WINDOW;
		way.n--;
	}
	way.first = (way.first + 1) % WINDOW;
	way.n--;
	way.arrived++;
	way.bytes += len;
}

/* Takes what is there; waits for something if told to. False: nothing came for too long. */
static bool
receive(int fd, bool wait)
{
	static uint8_t data[FRAME_MAX + TAG_BYTES];
	char control[256];
	struct iovec iov = { data, FRAME_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (wait && poll(&pfd, 1, PATIENCE_MS) <= 0)
		return false;
	for (;;) {
		msg.msg_controllen = sizeof(control);
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
		if (n < ETH_HLEN)
			return true;
		n = tag_restore(&msg, data, n);
		frame_arrived(data, (size_t)n);
	}
}

/* Waits until at most `left` frames are on their way; those that do not come are lost. */
static void
window_drain(int fd, unsigned left)
{
	while (way.n > left)
		if (!receive(fd, true)) {
			report_lost(&way.frame[way.first]);
			way.first = (way.first + 1) % WINDOW;
			way.n--;
		}
}

static uint32_t
tag_stack(const uint8_t *data, uint32_t len)
{
	uint32_t at = 12;

	while (at + 2 + TAG_BYTES <= len && ((data[at] == 0x81 && data[at + 1] == 0) || (data[at] == 0x88 && data[at + 1] == 0xa8)))
		at += TAG_BYTES;
	return at - 12;
}

static void
frame_send(int from, int to, unsigned mtu, bool group, const struct pcap_pkthdr *h, const uint8_t *data)
{
	struct frame *f;
	uint32_t tags;

	if (h->caplen < ETH_HLEN || h->caplen > FRAME_MAX) {
		way.skipped++;
		return;
	}
	tags = tag_stack(data, h->caplen);
	/* One tag may exceed the MTU, as on the wire. */
	if (h->caplen > mtu + ETH_HLEN + (tags != 0 ? TAG_BYTES : 0)) {
		way.skipped++;
		return;
	}
	window_drain(to, WINDOW - 1);
	f = &way.frame[(way.first + way.n) % WINDOW];
	f->len = h->caplen;
	memcpy(f->data, data, h->caplen);
	f->data[0] |= group ? 1 : 0;
	way.n++;
	way.sent++;
	if (send(from, f->data, h->caplen, 0) != (ssize_t)h->caplen)
		fail("send");
	receive(to, false);
}

int
main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *data;
	unsigned mtu, to_mtu;
	pcap_t *capture;
	bool group = argc == 7 && strcmp(argv[1], "-g") == 0;
	int from, to;

	argv += group;
	if (argc - group != 6) {
		fprintf(stderr, "usage: replay [-g] FROM-NETNS FROM-IF TO-NETNS TO-IF FILE\n");
		return 2;
	}
	capture = pcap_open_offline(argv[5], error);
	if (capture == NULL || pcap_datalink(capture) != DLT_EN10MB) {
		fprintf(stderr, "replay: %s: %s\n", argv[5], capture == NULL ? error : "not a capture of Ethernet frames");
		return 2;
	}
	from = socket_open(argv[1], argv[2], 0, &mtu);
	to = socket_open(argv[3], argv[4], ETH_P_ALL, &to_mtu);
	while (pcap_next_ex(capture, &h, &data) == 1)
		frame_send(from, to, mtu, group, h, data);
	window_drain(to, 0);
	printf("%lu of %lu frames, %llu bytes", way.arrived, way.sent, way.bytes);
	if (way.skipped > 0)
		printf(", %lu over the MTU", way.skipped);
	printf("\n");
	return way.arrived == way.sent && way.sent > 0 ? 0 : 1;
}
