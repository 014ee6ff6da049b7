/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of clients: reading whole messages, answering, and cutting off who breaks the rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"
#include "log.h"
#include "process.h"
#include "server.h"

/* Messages of one connection handled in a round, so that one that sends many does not keep others waiting. */
#define BURST	16

struct connection {
	struct source source;
	struct process *process;
	bool greeted;
	struct connection *next, **pprev;
};

static struct connection *connections;

#define connection_of(src)	((struct connection *)(void *)((char *)(src) - offsetof(struct connection, source)))

struct process *
connection_process(const struct connection *c)
{
	return c->process;
}

bool
connection_greeted(const struct connection *c)
{
	return c->greeted;
}

void
connection_set_greeted(struct connection *c)
{
	c->greeted = true;
}

static void
connection_destroy(struct source *src)
{
	free(connection_of(src));
}

void
connection_close(struct connection *c)
{
	if (c->source.removed)
		return;
	server_remove(&c->source);
	*c->pprev = c->next;
	if (c->next != NULL)
		c->next->pprev = c->pprev;
	process_disconnected(c->process);
}

void
connections_close_all(void)
{
	while (connections != NULL)
		connection_close(connections);
}

int
connection_reply(struct connection *c, const struct proto_header *request, int error, const void *body, size_t size,
	const struct message_fds *fds)
{
	struct proto_header hdr = {
		.magic = PROTO_MAGIC,
		.version = PROTO_VERSION,
		.type = request->type,
		.seq = request->seq,
		.error = error,
	};
	struct iovec iov[2] = {
		{ .iov_base = &hdr, .iov_len = sizeof(hdr) },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = size },
	};

	return message_send(c->source.fd, iov, size > 0 ? 2 : 1, fds, MSG_DONTWAIT);
}

/* One message. False if there is none now, or no connection any more. */
static bool
message_next(struct connection *c)
{
	static union {
		uint64_t align;
		uint8_t bytes[sizeof(struct proto_header) + sizeof(struct proto_request) + 64];
	} buf;
	static struct log_rate rate;
	struct message_fds fds;
	long n = message_recv(c->source.fd, buf.bytes, sizeof(buf.bytes), &fds, MSG_DONTWAIT);
	int err;

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n > 0) {
		server_early();
		err = message_handle(c, buf.bytes, n, &fds);
		message_fds_close(&fds);
		if (err == 0)
			return !c->source.removed;
	} else {
		err = (int)n;
	}
	if (err == -EPROTO || err == -EMSGSIZE)
		log_limited(&rate, OS_LOG_WARNING, "process %d broke the protocol: its connection is closed", (int)process_pid(c->process));
	else if (err != 0 && err != -ECONNRESET && err != -EPIPE)
		log_limited(&rate, OS_LOG_WARNING, "connection of process %d closed: %s", (int)process_pid(c->process), strerror(-err));
	connection_close(c);
	return false;
}

static void
connection_handle(struct source *src, uint32_t events)
{
	struct connection *c = connection_of(src);

	for (unsigned i = 0; i < BURST; i++)
		if (!message_next(c))
			return;
}

void
connection_new(int fd)
{
	static struct log_rate rate;
	struct connection *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (c == NULL)
		goto err_fd;
	c->source = (struct source){ .fd = fd, .handle = connection_handle, .destroy = connection_destroy };
	err = process_new(fd, c, &c->process);
	if (err != 0)
		goto err_free;
	c->next = connections;
	c->pprev = &connections;
	if (connections != NULL)
		connections->pprev = &c->next;
	connections = c;
	err = server_add(&c->source, EPOLLIN);
	if (err == 0)
		return;
	connection_close(c);
	goto err_log;

err_free:
	free(c);
err_fd:
	close(fd);
err_log:
	/* Who connected and left at once has no process any more. */
	if (err != -ESRCH)
		log_limited(&rate, OS_LOG_WARNING, "a connection cannot be served: %s", strerror(-err));
}
