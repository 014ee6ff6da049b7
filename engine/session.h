/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session inside the control side; ctrl.h is what hosts see of it.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "ctrl.h"
#include "port.h"

struct session {
	struct binding *binding;	/* its own for ever */
	struct session *next;		/* in the list of spare ones */
	struct port *port;		/* NULL while not registered */
	struct netmap_if *nifp;
	uint32_t nifp_size;		/* bytes */
	bool exclusive;
	struct attachment *attachment;	/* that it belongs to, and not to a program */
	uint64_t token;			/* of an owned switch, 0: none: what may be done there by it */
	bool settling;			/* a registration was undone, and threads may still be inside */
};

/* ctrl_register.c */
int session_register(struct session *s, void *caller, struct request_msg *msg, struct why *why);
void session_unregister(struct session *s);
/* csb_ctrl.c: the CSB option of a registration with these flags; sets its status. CSB_ENABLE. */
int csb_check(const char *name, struct nmreq_opt_csb *opt, const struct binding *b, uint64_t flags, struct why *why);
int request_csb_enable(const struct session *s, struct request_msg *msg, struct why *why);
/* ctrl_info.c: what ports are and have. */
int request_port_info(void *caller, struct request_msg *msg, struct why *why);
int request_pools_info(void *caller, struct request_msg *msg, struct why *why);
int request_port_hdr_get(void *caller, struct request_msg *msg, struct why *why);
int request_port_hdr_set(void *caller, struct request_msg *msg, struct why *why);
int request_vale_list(struct request_msg *msg, struct why *why);
void port_tell_numbers(const struct port *p, uint32_t *tx_slots, uint32_t *rx_slots, uint16_t *tx_rings, uint16_t *rx_rings);

#endif /* ENGINE_SESSION_H */
