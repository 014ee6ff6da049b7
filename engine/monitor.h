/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors: ports whose receive rings show what another port sends and receives. Ring i of a monitor gets the frames of TX ring i and RX ring i of the
 * monitored port, the host's rings likewise.
 *
 * A copy monitor has memory of its own. It sees what is sent when the sender syncs, before the port does anything about it, and what is received when it
 * arrives, whether or not anybody reads it. A zero-copy monitor shares the port's memory, and gets the very buffers, for which it gives some of its own:
 * those of sent frames when their slots are free again, those of received frames when the program gives them back. Several zero-copy monitors are a
 * chain: what the program of one gives back goes on to the next.
 *
 * Frames are lost where a monitor has no room: the oldest of those that came together. Nobody ever waits for a monitor.
 */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include "ring.h"

/* kring.monitored */
#define MONITORED_COPY	1u
#define MONITORED_ZCOPY	2u

static inline bool
ring_monitored(const struct kring *kr)
{
	return unlikely(load_relaxed(&kr->monitored) != 0);
}

/* --- data path. `owner` is the calling thread's number; the monitored ring is held by it unless something else is said --- */

/* TX: [hwcur, head) is about to be sent. */
void monitor_sending(struct arena_root *root, uint32_t owner, struct kring *tx, uint32_t head);
/* TX: the port has sent; hwtail was `tail` before. The slots that came free are not yet shown to the program. */
void monitor_sent(struct arena_root *root, uint32_t owner, struct kring *tx, uint32_t tail);
/* RX: n slots from index i on hold new frames. By the thread that put them there, before or after the ring's reader sees them; it need not hold the ring. */
void monitor_arrived(struct arena_root *root, uint32_t owner, const struct kring *rx, uint32_t i, uint32_t n);
/* RX: [hwcur, head) goes back to the port. Also for a monitor's own ring: that is how frames go along the chain. */
void monitor_released(struct arena_root *root, uint32_t owner, struct kring *rx, uint32_t head);
/*
 * For a monitor's ring, held: looks for new frames in the interface's ring that it shows, whose program may be busy with something else. False: there is no
 * such ring, or it is in use.
 */
bool monitor_pull(struct arena_root *root, struct actor *self, const struct kring *mon);

/* A ring of the interface whose rings a sync of this binding looks at, for a monitor; NULL: none. It may be gone for who is not inside the data path. */
static inline const struct kring *
monitor_source(const struct binding *b)
{
	const struct kring *rx = NULL;
	uint32_t i;

	for (i = b->rx_first; rx == NULL && b->port->type == PORT_MONITOR && i < b->rx_last; i++)
		rx = load_acquire(&b->rx[i]->mon.source);
	return rx;
}

/* --- control side --- */

struct port_want;
struct why;

/* Actor `id` is dead: no buffer may be in two slots. For all ports, before leases of his are cancelled and rings that he held are given free. */
void monitor_repair_port(struct port *p, uint32_t id);
/* Makes a monitor of `parent`, which has to be in netmap mode (-EINVAL). It shows nothing before monitor_start. */
int monitor_create(struct port *parent, const struct port_want *want, struct port **out, struct why *why);
/* From now on RX rings [first, last) of the monitor show their frames. Does nothing for another kind of port. */
void monitor_start(struct port *mon, uint16_t first, uint16_t last);
/* A descriptor of the port was closed, or its interface is gone. If it is in use no more, its monitors end: their syncs fail. */
void monitor_port_closed(struct port *p);
/* The port goes: if it is a monitor, nothing leads to its rings any more. */
void monitor_forget(struct port *p);

#endif /* ENGINE_MONITOR_H */
