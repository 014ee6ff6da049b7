/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control connections: one per client process, libnetmap/protocol.h. A message that breaks the protocol ends its connection and harms nobody else.
 */
#ifndef NETMAPD_CONNECTION_H
#define NETMAPD_CONNECTION_H

#include <stdbool.h>

#include "../host/message.h"

struct connection;
struct process;

/* Takes the accepted socket over. */
void connection_new(int fd);
void connection_close(struct connection *c);
void connections_close_all(void);

struct process *connection_process(const struct connection *c);
/* HELLO was accepted. */
bool connection_greeted(const struct connection *c);
void connection_set_greeted(struct connection *c);

/*
 * The reply to the request with that header. error: 0 or an errno value. fds may be NULL and stay the caller's. 0, or -errno if the reply cannot be
 * sent at once: a client that does not read its replies is cut off.
 */
int connection_reply(struct connection *c, const struct proto_header *request, int error, const void *body, size_t size,
	const struct message_fds *fds);

/* --- handlers.c --- */

/* A whole message: n bytes at buf, 8-byte aligned, and what descriptors came. -EPROTO if the connection must end. Takes descriptors out of *fds. */
int message_handle(struct connection *c, void *buf, size_t n, struct message_fds *fds);

#endif /* NETMAPD_CONNECTION_H */
