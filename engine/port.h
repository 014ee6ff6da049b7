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

/* What a request asks for; 0 leaves the choice to the engine. */
struct port_want {
	uint32_t tx_slots, rx_slots;
	uint16_t tx_rings, rx_rings;
	uint16_t mem_id;
	uint32_t extra_bufs;
	uint32_t mode;			/* NR_REG_* and NR_* flags, for the name's meaning */
	uint64_t flags;
};

/*
 * The port of that name for this caller; made if it is not there. The caller of the function holds it afterwards (port_drop). Errors are those of REGISTER.
 * `create` false: -ENXIO (-ENODEV for a pipe) instead of making it.
 */
int port_open(void *caller, const char *name, const struct port_want *want, bool create, struct port **out, struct why *why);
void port_hold(struct port *p);
/* Destroys a port with its last holder; a pipe's two ends live and die together. */
void port_drop(struct port *p);
struct port *port_first(void);

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
struct vale_switch *vale_find(const char *name);
struct vale_switch *vale_by_index(uint32_t index);
/* First switch with an index of at least `index`; NULL. */
struct vale_switch *vale_next(uint32_t index);
/* Forgets old addresses; returns milliseconds until it wants to run again, -1 never. */
int vale_expire(void);

/* retire.c: freeing what threads inside the data path may still hold. */
void retire_init(struct arena_root *root, const uint32_t *actors_high);
void retire(void (*release)(void *obj), void *obj);
/* Frees what nobody can hold any more. True if something is left. */
bool retire_run(void);

extern struct arena_root *engine_root;

#endif /* ENGINE_PORT_H */
