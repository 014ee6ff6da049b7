/* SPDX-License-Identifier: BSD-2-Clause */
/* Namespaces, links and plain sockets around the driver under test, see far.h. */
#include "far.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int ns_fds[NS_COUNT] = { -1, -1, -1 };
static int home_fd = -1;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

int ns_fd(int ns)
{
	return ns_fds[ns];
}

void ns_enter(int ns)
{
	if (setns(ns_fds[ns], CLONE_NEWNET) < 0)
		die("setns");
}

void ns_leave(void)
{
	if (setns(home_fd, CLONE_NEWNET) < 0)
		die("setns");
}

/* An unnamed namespace, held by its descriptor. */
static int ns_make(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ns_leave();
	return fd;
}

int ns_run(int ns, const char *format, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (ns >= 0)
		ns_enter(ns);
	status = system(command);
	if (ns >= 0)
		ns_leave();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

bool ns_shows(int ns, const char *command, const char *text)
{
	char out[16384];
	size_t n;
	FILE *f;

	ns_enter(ns);
	f = popen(command, "r");
	ns_leave();
	if (!f)
		die("popen");
	n = fread(out, 1, sizeof(out) - 1, f);
	pclose(f);
	out[n] = '\0';
	return strstr(out, text) != NULL;
}

static const char *const setup[][2] = {
	{ "A", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" },
	{ "B", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" },
	{ "C", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" },
	{ "A", "ip link add a0 address 02:00:00:00:0a:00 type veth peer name b0 address 02:00:00:00:0b:00" },
	{ "A", "ip link add a1 address 02:00:00:00:0a:01 type veth peer name c0 address 02:00:00:00:0c:00" },
	{ "A", "ip link set b0 netns /proc/self/fd/$B && ip link set c0 netns /proc/self/fd/$C" },
	{ "A", "ip addr add 10.9.0.1/24 dev a0 && ip link set a0 up && ip link set a1 up" },
	{ "B", "ip addr add 10.9.0.2/24 dev b0 && ip link set b0 up" },
	{ "B", "ip neigh add 10.9.0.1 lladdr 02:00:00:00:0a:00 dev b0" },
	{ "A", "ip neigh add 10.9.0.2 lladdr 02:00:00:00:0b:00 dev a0" },
	{ "C", "ip addr add 10.9.0.3/24 dev c0 && ip link set c0 up" },
};

bool surroundings_make(const char **why)
{
	char value[16];

	*why = "not root";
	if (geteuid() != 0)
		return false;
	home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	*why = "no network namespaces";
	for (int i = 0; i < NS_COUNT; i++) {
		ns_fds[i] = ns_make();
		if (ns_fds[i] < 0)
			return false;
	}
	/* Commands name the namespaces by descriptors that they inherit. */
	for (int i = 0; i < NS_COUNT; i++) {
		snprintf(value, sizeof(value), "%d", dup(ns_fds[i]));
		setenv((const char *[]){ "A", "B", "C" }[i], value, 1);
	}
	*why = "no ip(8) or veth";
	for (size_t i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
		if (ns_run(setup[i][0][0] - 'A', "%s", setup[i][1]) != 0)
			return false;
	return true;
}

void surroundings_remove(void)
{
	/* The namespaces have no names: they and their links go with the last descriptor. */
	for (int i = 0; i < NS_COUNT; i++)
		if (ns_fds[i] >= 0)
			close(ns_fds[i]);
}

void link_mtu_set(unsigned mtu)
{
	if (ns_run(NS_A, "ip link set a0 mtu %u", mtu) != 0 || ns_run(NS_B, "ip link set b0 mtu %u", mtu) != 0)
		abort();
}

int far_open(int ns, const char *ifname)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1, size = 16 << 20, fd;

	ns_enter(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	sll.sll_ifindex = (int)if_nametoindex(ifname);
	ns_leave();
	if (fd < 0 || sll.sll_ifindex == 0)
		die(ifname);
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&sll, sizeof(sll)) < 0)
		die("far socket");
	return fd;
}

void far_send(int fd, const void *frame, size_t len)
{
	while (send(fd, frame, len, 0) != (ssize_t)len) {
		if (errno != ENOBUFS)
			die("far_send");
		usleep(100);
	}
}

static size_t tag_put_back(uint8_t *frame, size_t len, struct msghdr *msg)
{
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(frame + 16, frame + 12, len - 12);
		tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100);
		tag[1] = htons(aux.tp_vlan_tci);
		memcpy(frame + 12, tag, 4);
		len += 4;
	}
	return len;
}

size_t far_recv(int fd, uint8_t *frame, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct iovec iov = { frame, FRAME_MAX - 4 };
	char control[256];
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return 0;
	n = recvmsg(fd, &msg, MSG_DONTWAIT);
	return n <= 0 ? 0 : tag_put_back(frame, (size_t)n, &msg);
}

bool far_ping(int timeout_ms)
{
	static uint16_t number;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001) };
	struct icmphdr echo = { .type = ICMP_ECHO };
	struct pollfd pfd = { .events = POLLIN };
	uint8_t reply[256];
	bool heard = false;

	ns_enter(NS_B);
	pfd.fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	ns_leave();
	if (pfd.fd < 0)
		die("ICMP socket");
	echo.un.echo.sequence = ++number;
	echo.checksum = (uint16_t)~(ICMP_ECHO + number);
	if (sendto(pfd.fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("echo request");
	while (!heard && poll(&pfd, 1, timeout_ms) > 0) {
		if (recv(pfd.fd, reply, sizeof(reply), 0) >= 28 && reply[20] == ICMP_ECHOREPLY)
			heard = memcmp(reply + 26, &number, 2) == 0;
	}
	close(pfd.fd);
	return heard;
}

bool capture_open(struct capture *c, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	static const uint8_t magic[] = { 0xd4, 0xc3, 0xb2, 0xa1 };

	*c = (struct capture){ .at = 24 };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0)
		die(path);
	c->len = (size_t)st.st_size;
	c->data = malloc(c->len);
	if (!c->data || read(fd, c->data, c->len) != (ssize_t)c->len)
		die(path);
	close(fd);
	return c->len >= 24 && memcmp(c->data, magic, 4) == 0;
}

const uint8_t *capture_next(struct capture *c, uint32_t *len)
{
	const uint8_t *frame;

	if (c->at + 16 > c->len)
		return NULL;
	memcpy(len, c->data + c->at + 8, 4);
	frame = c->data + c->at + 16;
	if (*len > c->len - c->at - 16)
		return NULL;
	c->at += 16 + *len;
	return frame;
}

void capture_close(struct capture *c)
{
	free(c->data);
}
