/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches that a worker forwards for, because a module decides there (<netmap_switch.h>): functions cannot be called by the processes that send.
 *
 *	sender's sync			worker of the host
 *	published   ------------->	takes slots [released, published) of each TX ring: copies headers, asks the module about the batch, delivers
 *	released    <-------------	as a sender would
 *
 * A ring is `deferred` once its port has been on such a switch, and stays so when the module is gone: then the worker learns and looks up addresses as
 * senders do. The sender's next sync makes the positions valid and sets `handed`. So no ring is ever forwarded for by two threads.
 */
#ifndef ENGINE_VALE_WORKER_H
#define ENGINE_VALE_WORKER_H

#include <netmap_switch.h>

#include "region.h"
#include "request.h"
#include "vale_batch.h"

#define MODULE_NAME_SIZE	32u

/* In the host's own memory. */
struct vale_worker {
	struct vale_switch *sw;
	/* Whoever steps, or calls the module, holds it. */
	void *lock;
	const struct netmap_switch_module *module;	/* NULL: learning */
	void *ctx;
	char name[MODULE_NAME_SIZE];			/* by which the host knows the module */
	uint32_t header_len;
	uint32_t complained;				/* second in which a module's strange answer was last logged */
	void *job;					/* the host's */
	/* Of the batch at hand. */
	struct batch b, part;
	struct netmap_switch_packet packet[BATCH_MAX];
	uint16_t first[BATCH_MAX];			/* first fragment of each packet */
	bool taken[BATCH_MAX];
	uint8_t *header;				/* NETMAP_SWITCH_HEADER_MAX bytes for each packet */
	uint8_t header_memory[(BATCH_MAX + 1) * NETMAP_SWITCH_HEADER_MAX];
};

/* Forwards what has been handed over: at most a ring's slots from each ring. True if there was something. */
bool vale_worker_step(struct arena_root *root, struct actor *self, struct vale_worker *w);
/* Asks for a wake-up of `self` when something is handed over; sleep as sync.h says, with a step as the second look. */
void vale_worker_arm(struct vale_worker *w, const struct actor *self);
void vale_worker_disarm(struct vale_worker *w);

/*
 * vale_module.c, control side. `token` 0 is no token. Errors: -ENXIO no such switch, -EACCES not the token of a switch that is owned.
 */
/* A new switch that stays without ports, and is owned if there is a token. -EEXIST, -EINVAL no name of a switch. */
int vale_own(const char *name, uint64_t token, struct why *why);
/* Gives it up. -EBUSY while ports are on it, -EINVAL nobody owns it. */
int vale_disown(const char *name, uint64_t token, struct why *why);
/* The module, which is called `name`, or NULL: learning, with an empty table. The host hears when it is not used any more: os_module_put. */
int vale_module_set(const char *sw, uint64_t token, const struct netmap_switch_module *module, const char *name, struct why *why);
/* May interfaces be put on the switch of that name, if there is one, and taken off it? */
int vale_token_check(const char *sw, uint64_t token, struct why *why);
/* NIOCCONFIG. */
int request_config(struct request_msg *msg, struct why *why);
/* "learning", "module NAME", and who forwards. */
void vale_describe(const struct vale_switch *sw, char *buf, size_t size);
/* How many switches are owned. */
unsigned engine_owned(void);

/* For vale_ctrl.c. A port comes (to an index that is its own already), or goes; what the worker of its switch has to know of it. */
int vale_worker_port_up(struct vale_switch *sw, struct port *p, struct why *why);
/* Between them nobody looks at the port for the switch. */
void vale_worker_lock(struct vale_switch *sw);
void vale_worker_unlock(struct vale_switch *sw);
void vale_worker_port_down(struct vale_switch *sw, uint32_t index);
/* Forwards what is there. */
void vale_worker_flush(struct vale_switch *sw);
void vale_worker_end(struct vale_switch *sw);

#endif /* ENGINE_VALE_WORKER_H */
