/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent VALE ports: VALE_NEWIF and VALE_DELIF. Control side.
 *
 * Such a port lives from one request to the other, whoever has it open, and has a plain name. Programs open it by that name; while it is on a switch,
 * also by the switch's and its own, and that is what the switch calls it. On none, what is sent there goes nowhere, and is counted. An interface of the
 * caller's namespace that has the same name comes before it.
 */
#ifndef ENGINE_PERSISTENT_H
#define ENGINE_PERSISTENT_H

#include "port.h"
#include "request.h"

int request_vale_newif(void *caller, struct request_msg *msg, struct why *why);
int request_vale_delif(void *caller, struct request_msg *msg, struct why *why);

/* The persistent port of this plain name; NULL. */
struct port *persistent_find(const char *name);
/* Puts one that is on no switch, and that nobody has open, on this one; takes it away again, also while programs have it open. */
int persistent_attach(struct port *p, const char *switch_name, struct why *why);
int persistent_detach(struct port *p, struct why *why);
/* At the engine's end: all of them go. */
void persistent_close_all(void);

/* For people: where this port is; false if it is not a persistent one. */
bool persistent_describe(const struct port *p, char *buf, size_t size);

/* What a port is called: vale0:name for a persistent one that is on switch vale0, else its own name. */
void port_full_name(const struct port *p, char name[NETMAP_REQ_IFNAMSIZ]);
/* Is that name[NETMAP_REQ_IFNAMSIZ] one of those that it can be found by? */
bool port_has_name(const struct port *p, const char *name);

#endif /* ENGINE_PERSISTENT_H */
