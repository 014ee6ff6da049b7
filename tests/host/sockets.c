/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that programs hand to a netmapd which may not enter their network namespace: what is none of those that it can use is refused, and one that
 * the program has prepared, or goes on using, costs the program its request and nobody anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "wire.h"

static int own_netns, netns;

/* Sends the descriptor n times, and closes it. */
static int
hand(int sock, uint32_t session, int fd, unsigned n)
{
	const struct proto_session q = { .session = session };
	struct message_fds out = { .n = 0 };

	CHECK(fd >= 0);
	while (out.n < n)
		out.fd[out.n++] = fd;
	wire_put(sock, PROTO_SOCKETS, &q, sizeof(q), &out);
	close(fd);
	return wire_get(sock, PROTO_SOCKETS, NULL, 0, NULL);
}

/* Not needed, or not what is needed. */
static void
refused(void)
{
	int sock = wire_dial_greeted(), app;
	/* netmapd's own namespace needs none. */
	uint32_t session = wire_session(sock, -1, &app);

	CHECK(hand(sock, session, socket(AF_INET, SOCK_DGRAM, 0), 1) == EINVAL);
	CHECK(hand(sock, 0xfffffff0, socket(AF_INET, SOCK_DGRAM, 0), 1) == ENXIO);
	close(app);
	session = wire_session(sock, netns, &app);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(hand(sock, session, open("/dev/null", O_RDWR | O_CLOEXEC), 1) == EINVAL);
		CHECK(hand(sock, session, socket(AF_UNIX, SOCK_DGRAM, 0), 2) == EINVAL);
		CHECK(hand(sock, session, socket(AF_INET, SOCK_STREAM, 0), 1) == EINVAL);
		CHECK(hand(sock, session, socket(AF_PACKET, SOCK_DGRAM, 0), 1) == EINVAL);
		CHECK(hand(sock, session, socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK), 1) == EINVAL);
		CHECK(hand(sock, session, socket(AF_PACKET, SOCK_RAW, 0), 4) == 0);
		CHECK(hand(sock, session, socket(AF_INET, SOCK_DGRAM, 0), 60) == 0);
		/* More than it keeps: then all are let go. */
		CHECK(hand(sock, session, socket(AF_INET, SOCK_DGRAM, 0), 1) == ENOSPC);
		CHECK(setns(own_netns, CLONE_NEWNET) == 0);
		CHECK(hand(sock, session, socket(AF_INET, SOCK_DGRAM, 0), 1) == EPERM);
		CHECK(hand(sock, session, socket(AF_PACKET, SOCK_RAW, 0), 64) == EPERM);
		CHECK(setns(netns, CLONE_NEWNET) == 0);
	}
	close(app);
	close(sock);
}

/* --- sockets that were prepared --- */

static void
deaf(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { .len = 1, .filter = &none };

	CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int)) == 0);
}

static void
small(int fd)
{
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 0 }, sizeof(int)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 0 }, sizeof(int)) == 0);
}

static void
bound_netlink(int fd)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = ~0u };

	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

static void
bound_packet(int fd)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(3) };

	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

static void
with_ring(int fd)
{
	struct tpacket_req req = { .tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 2 };

	CHECK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == 0);
}

static void
fanned_out(int fd)
{
	CHECK(setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &(int){ 77 }, sizeof(int)) == 0 || errno == EINVAL);
}

static void
as_made(int fd)
{
	(void)fd;
}

static void
add(struct message_fds *out, int domain, int type, int protocol, unsigned n, void (*prepare)(int fd))
{
	for (; n > 0; n--) {
		int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

		CHECK(fd >= 0);
		prepare(fd);
		out->fd[out->n++] = fd;
	}
}

/* REGISTER of the loopback interface there, with sockets prepared like that. Its error; the sockets stay with the program until then, as they may. */
static int
register_with(void (*packet)(int fd), void (*netlink)(int fd))
{
	int sock = wire_dial_greeted(), app, error;
	struct proto_session handed = { .session = wire_session(sock, netns, &app) };
	struct proto_request q = { .session = handed.session };
	const struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct message_fds out = { .n = 0 };

	add(&out, AF_PACKET, SOCK_RAW, 0, 16, packet);
	add(&out, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, 16, netlink);
	add(&out, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, 4, netlink);
	add(&out, AF_INET, SOCK_DGRAM, 0, 1, as_made);
	wire_put(sock, PROTO_SOCKETS, &handed, sizeof(handed), &out);
	CHECK(wire_get(sock, PROTO_SOCKETS, NULL, 0, NULL) == 0);
	q.msg.len = REQUEST_MSG_MIN + sizeof(reg);
	q.msg.body_size = sizeof(reg);
	q.msg.hdr.nr_version = NETMAP_API;
	q.msg.hdr.nr_reqtype = NETMAP_REQ_REGISTER;
	memcpy(q.msg.hdr.nr_name, "lo", 3);
	memcpy(q.msg.data, &reg, sizeof(reg));
	wire_put(sock, PROTO_REQUEST, &q, offsetof(struct proto_request, msg) + q.msg.len, NULL);
	error = wire_get(sock, PROTO_REQUEST, NULL, offsetof(struct proto_request_reply, msg) + REQUEST_MSG_MIN + sizeof(reg), NULL);
	message_fds_close(&out);
	close(app);
	close(sock);
	return error;
}

static void
prepared(void)
{
	static const struct {
		const char *what;
		void (*packet)(int fd), (*netlink)(int fd);
	} cases[] = {
		{ "netlink sockets that drop what they get", as_made, deaf },
		{ "netlink sockets without room", as_made, small },
		{ "netlink sockets of every group", as_made, bound_netlink },
		{ "packet sockets without room", small, as_made },
		{ "packet sockets that drop what they get", deaf, as_made },
		{ "bound packet sockets", bound_packet, as_made },
		{ "packet sockets with a ring", with_ring, as_made },
		{ "packet sockets of a fanout group", fanned_out, as_made },
	};

	CHECK(register_with(as_made, as_made) == 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		printf("%s: %s\n", cases[i].what, strerror(register_with(cases[i].packet, cases[i].netlink)));
	CHECK(register_with(as_made, deaf) == EIO);
	CHECK(register_with(as_made, as_made) == 0);
}

/* --- */

static void
loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(ioctl(fd, SIOCSIFFLAGS, &ifr) == 0);
	close(fd);
}

int
main(void)
{
	alarm(60);
	setenv("NETMAP_SETNS", "no", 1);
	setenv("NETMAP_DRIVER", "af_packet", 1);
	wire_begin();
	own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) != 0) {
		printf("skipped: needs root, to make a network namespace\n");
		wire_end();
		return 77;
	}
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	loopback_up();
	refused();
	prepared();
	wire_end();
	return 0;
}
