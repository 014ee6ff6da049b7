/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netmapd drives an interface through sockets of the interface's network namespace. Where it may not enter the program's, it asks the program for
 * them: such a request fails with EUSERS, and is made again after a message with sockets. See docs/protocol.md, SOCKETS.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "../host/message.h"
#include "../host/sys.h"
#include "client_internal.h"

struct kind {
	int domain, type, protocol;
	const char *what;
};

static const struct kind packet = { AF_PACKET, SOCK_RAW, 0, "packet" };

/* What an interface takes beside its packet sockets: for its state, offloads, link changes and the drop of its frames. */
static const struct {
	struct kind kind;
	unsigned n;
} others[] = {
	{ { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "netlink" }, 16 },
	{ { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, "netlink" }, 4 },
	{ { AF_INET, SOCK_DGRAM, 0, "datagram" }, 1 },
};

/* Closing packet sockets takes the kernel some time, so not more than the interface is likely to need; two for each of its queues. */
static const unsigned packets[CLIENT_SOCKET_ROUNDS] = { 4, 16, 40 };

static int
sockets_make(struct message_fds *fds, const struct kind *k, unsigned n)
{
	for (; n > 0; n--) {
		int fd = socket(k->domain, k->type | SOCK_CLOEXEC, k->protocol);

		if (fd < 0)
			return -errno;
		fds->fd[fds->n++] = fd;
	}
	return 0;
}

static int
sockets_fail(const struct kind *k, int err)
{
	client_why_set("netmapd may not enter the program's network namespace (CAP_SYS_ADMIN is missing there), and the program cannot open a %s socket "
		"for it: %s%s", k->what, strerror(-err), err == -EPERM ? " (CAP_NET_RAW is missing)" : "");
	return err;
}

static int
sockets_make_all(struct message_fds *fds, unsigned round)
{
	int err = sockets_make(fds, &packet, packets[round]);

	if (err != 0)
		return sockets_fail(&packet, err);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		err = sockets_make(fds, &others[i].kind, others[i].n);
		if (err != 0)
			return sockets_fail(&others[i].kind, err);
	}
	return 0;
}

int
client_sockets_send(const struct client_session *s, unsigned round)
{
	const struct proto_session q = { .session = s->id };
	struct message_fds fds = { .n = 0 };
	const struct client_call call = { .type = PROTO_SOCKETS, .body = &q, .body_size = sizeof(q), .out = &fds };
	int err = sockets_make_all(&fds, round);

	if (err == 0) {
		err = client_call(&call);
		if (err < 0)
			client_why_set("netmapd may not enter the program's network namespace (CAP_SYS_ADMIN is missing there), and does not take sockets of "
				"this thread's: %s", err == -EPERM ? "the descriptor was opened in another namespace" : strerror(-err));
	}
	for (unsigned i = 0; i < fds.n; i++)
		sys_close(fds.fd[i]);
	return err < 0 ? err : 0;
}
