/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the host: netmapd's protocol (docs/protocol.md) by hand, also as no client would speak it.
 */
#ifndef TESTS_HOST_WIRE_H
#define TESTS_HOST_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "host/message.h"
#include "libnetmap/protocol.h"
#include "port.h"

/* As dir_begin, with a netmapd and two good ports, which must not notice what happens in between. */
void wire_begin(void);
/* The same netmapd serves them, and keeps nothing of anybody else. */
void wire_end(void);
/* Where its socket is. */
const char *wire_path(void);

/* A new connection; greeted: after HELLO. */
int wire_dial(void);
int wire_dial_greeted(void);
void wire_put(int sock, uint16_t type, const void *body, size_t size, const struct message_fds *fds);
/* The error of the next reply, which must be of that type and, without error, size. body: NULL, or room for all that may come; in: NULL, or takes its
 * descriptors. */
int wire_get(int sock, uint16_t type, void *body, size_t size, struct message_fds *in);
/* Closes a connection that the other side must have closed, without an answer. */
void wire_ended(int sock);

/* OPEN, in the network namespace of that descriptor (-1: none told). The session; *app is the program's descriptor of it. */
uint32_t wire_session(int sock, int netns, int *app);

#endif
