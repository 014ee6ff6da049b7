/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network interfaces on switches: VALE_ATTACH, VALE_DETACH and polling. Control side.
 *
 * An attached interface is held by sessions of the engine's own, which have no descriptor: one on the interface, alone
 * on it, and one on a port of the switch that has the interface's name; with the host's side, a third one on a second
 * port, whose name ends in "^". They live until the interface is detached, or gone. The host's workers move the packets.
 */
#ifndef ENGINE_ATTACH_H
#define ENGINE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "port.h"
#include "request.h"

int request_vale_attach(void *caller, uint64_t token, struct request_msg *msg, struct why *why);
int request_vale_detach(void *caller, uint64_t token, struct request_msg *msg, struct why *why);
int request_vale_polling(void *caller, struct request_msg *msg, bool enable, struct why *why);

/* The interface behind this port is gone: attach_reap detaches it, if it is attached. */
void attach_port_gone(const struct port *p);
/* Detaches the interfaces that are gone. */
void attach_reap(void);
void attach_close_all(void);

/* For people: how this port of a switch came to be; false if programs hold it. */
bool attach_describe(const struct port *p, char *buf, size_t size);

#endif /* ENGINE_ATTACH_H */
