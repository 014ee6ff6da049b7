/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See wire.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static uint32_t seq;

static struct tport good[2];
static unsigned fds_before;
static pid_t server;

static bool
fds_as_before(void *arg)
{
	(void)arg;
	return fd_count(server) <= fds_before;
}

void
wire_begin(void)
{
	snprintf(path, sizeof(path), "%s/netmap/netmapd.sock", dir_begin());
	CHECK(port_open(&good[0], "vale0:a") == 0);
	CHECK(port_open(&good[1], "vale0:b") == 0);
	server = netmapd_pid();
	CHECK(server > 0);
	fds_before = fd_count(server);
}

void
wire_end(void)
{
	CHECK(netmapd_pid() == server);
	CHECK(wait_for(fds_as_before, NULL));
	for (uint32_t i = 0; i < 100; i++) {
		port_send(&good[0], i);
		CHECK(port_receive(&good[1]) == i);
	}
	port_close(&good[0]);
	port_close(&good[1]);
	dir_end();
}

const char *
wire_path(void)
{
	return path;
}

int
wire_dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path, path, sizeof(addr.sun_path));
	CHECK(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

void
wire_put(int sock, uint16_t type, const void *body, size_t size, const struct message_fds *fds)
{
	struct proto_header hdr = { .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = type, .seq = ++seq };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { (void *)(uintptr_t)body, size } };

	/* The other side may have hung up on the message before. */
	(void)message_send(sock, iov, 2, fds, 0);
}

int
wire_get(int sock, uint16_t type, void *body, size_t size, struct message_fds *in)
{
	static uint64_t buf[1024];
	const struct proto_header *hdr = (const void *)buf;
	struct message_fds fds;
	long n = message_recv(sock, buf, sizeof(buf), &fds, 0);

	CHECK(n >= (long)sizeof(*hdr) && hdr->type == type && hdr->seq == seq && hdr->magic == PROTO_MAGIC);
	if (hdr->error == 0)
		CHECK((size_t)n == sizeof(*hdr) + size);
	if (body != NULL)
		memcpy(body, buf + sizeof(*hdr) / 8, n - sizeof(*hdr));
	if (in != NULL)
		*in = fds;
	else
		message_fds_close(&fds);
	return hdr->error;
}

int
wire_dial_greeted(void)
{
	struct proto_hello hello = { .layout = ARENA_LAYOUT };
	struct proto_hello_reply r;
	int sock = wire_dial();

	wire_put(sock, PROTO_HELLO, &hello, sizeof(hello), NULL);
	CHECK(wire_get(sock, PROTO_HELLO, &r, sizeof(r), NULL) == 0);
	CHECK(r.generation != 0 && r.process != 0);
	return sock;
}

void
wire_ended(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	char byte[sizeof(struct proto_header)];
	ssize_t n;

	CHECK(poll(&pfd, 1, 10000) == 1);
	n = recv(sock, byte, sizeof(byte), 0);
	CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
	close(sock);
}

uint32_t
wire_session(int sock, int netns, int *app)
{
	const struct message_fds out = { .n = netns >= 0, .fd = { netns } };
	struct proto_session_reply r;
	struct message_fds in;

	wire_put(sock, PROTO_OPEN, NULL, 0, &out);
	CHECK(wire_get(sock, PROTO_OPEN, &r, sizeof(r), &in) == 0);
	*app = message_fds_take(&in);
	return r.session;
}
