/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports on the control side: making, finding, holding and dropping them. All functions run in the control thread.
 */
#ifndef ENGINE_PORT_H
#define ENGINE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "region.h"
#include "ring.h"
#include "vale.h"

#define EXTRA_BUFS_MAX	(128u * 4096u)	/* that a new port's region has room for */

/* What a request asks for; 0 leaves the choice to the engine. */
struct port_want {
	uint32_t tx_slots, rx_slots;
	uint16_t tx_rings, rx_rings;
	uint16_t host_tx_rings, host_rx_rings;
	uint16_t mem_id;
	const struct region_memory *memory;	/* external, instead of a mem_id; NULL: none */
	uint32_t extra_bufs;
	uint32_t mode;			/* NR_REG_* and NR_* flags, for the name's meaning */
	uint64_t flags;
	bool attached;			/* for an interface on a switch: not bound to what programs can ask for */
};

/*
 * The port of that name for this caller; made if it is not there. The caller of the function holds it afterwards (port_drop). Errors are those of REGISTER.
 * `create` false: -ENXIO (-ENODEV for a pipe) instead of making it.
 */
int port_open(void *caller, const char *name, const struct port_want *want, bool create, struct port **out, struct why *why);
/* A new port that its maker holds, and its entry in the list of all: for what port_open makes. NULL: no memory. */
struct port *port_new(enum port_type type, const char *name, size_t len);
void port_link(struct port *p);
void port_hold(struct port *p);
/* Destroys a port with its last holder; a pipe's two ends live and die together. */
void port_drop(struct port *p);
struct port *port_first(void);
/* A VALE port of a plain name that is there already for nobody, on no switch. */
int port_create_vale(const char *name, const struct port_want *want, struct port **out, struct why *why);
/* Some descriptor is bound to the port's rings. */
bool port_bound(const struct port *p);
/*
 * The interface of a NIC port is gone, or is another one now. Programs bound to the port get errors from now on, those that open it anew a new port.
 */
void port_nic_gone(struct port *p);
/* For a binding that has host rings: the first one opens the host's side, the last one closes it. */
int port_host_hold(struct port *p, struct why *why);
void port_host_drop(struct port *p);

/*
 * To be called after buffers were given back on the word of programs: takes those that live rings refer to out of the free ones again. When no descriptor
 * is bound any more, also finds what was lost.
 */
void region_sweep(struct region *r);

/* ring_object.c: rings of a port in its region. kring_create fills the netmap_ring too. */
int kring_create(struct port *p, enum ring_dir dir, uint16_t id, uint32_t slots, bool with_bufs, struct kring **out, struct why *why);
void kring_destroy(struct kring *kr);
/* Makes all of the port's rings by num_tx, num_rx, tx_slots, rx_slots. bufs_rx: RX rings get buffers of their own. */
int port_rings_create(struct port *p, bool bufs_rx, struct why *why);
void port_rings_destroy(struct port *p);
/* Links a pipe's rings pairwise. */
void port_rings_link(struct port *a, struct port *b);

/* vale_ctrl.c: switches. */
int vale_attach(struct port *p, const char *switch_name, struct why *why);
void vale_detach(struct port *p);
/* A switch without ports, and its end. NULL: no memory. */
struct vale_switch *vale_create(const char *name);
void vale_destroy(struct vale_switch *sw);
void vale_close_all(void);
struct vale_switch *vale_find(const char *name);
struct vale_switch *vale_by_index(uint32_t index);
/* First switch with an index of at least `index`; NULL. */
struct vale_switch *vale_next(uint32_t index);
/* Forgets old addresses; returns milliseconds until it wants to run again, -1 never. */
int vale_expire(void);
/* The ageing time of all switches, those to come too: seconds up to FDB_AGE_MAX, 0 never. */
void vale_age_set(uint32_t age);
/* The port of that name that is on a switch; NULL. */
struct port *vale_port_find(const char *name);

/* retire.c: freeing what threads inside the data path may still hold. */
void retire_init(struct arena_root *root, const uint32_t *actors_high);
/* From now on n objects can be retired without memory, beside those that wait already. False: there is not enough for that many. */
bool retire_reserve(uint32_t n);
/* `release` is called at once, or by retire_run; it must not retire anything itself. */
void retire(void (*release)(void *obj), void *obj);
/* Frees what nobody can hold any more. True if something is left. */
bool retire_run(void);
/* Of an object that threads cannot find any more, but keep: has every thread that may have found it left the data path since? */
uint64_t retire_mark(void);
bool retire_passed(uint64_t mark);

extern struct arena_root *engine_root;

#endif /* ENGINE_PORT_H */
