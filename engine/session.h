/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session inside the control side; ctrl.h is what hosts see of it.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "ctrl.h"
#include "port.h"

struct session {
	struct binding *binding;
	struct port *port;		/* NULL while not registered */
	struct netmap_if *nifp;
	uint32_t nifp_size;		/* bytes */
	bool exclusive;
};

/* ctrl_register.c */
int session_register(struct session *s, void *caller, struct request_msg *msg, struct why *why);
void session_unregister(struct session *s);
/* ctrl_info.c: requests that change nothing. */
int request_port_info(void *caller, struct request_msg *msg, struct why *why);
int request_pools_info(void *caller, struct request_msg *msg, struct why *why);
int request_port_hdr_get(void *caller, struct request_msg *msg, struct why *why);
int request_vale_list(struct request_msg *msg, struct why *why);
void port_tell_numbers(const struct port *p, uint32_t *tx_slots, uint32_t *rx_slots, uint16_t *tx_rings, uint16_t *rx_rings);

#endif /* ENGINE_SESSION_H */
