/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joining and parting the rings of a veth pair, on the control side. The data path follows the pointers that are set here; rings are freed only when no
 * thread is left that may have seen them.
 */
#include "join.h"
#include "os.h"
#include "port.h"

static void
sender_wake(struct kring *tx)
{
	/* He waits for the other end, or for the driver; now it is the other of them. */
	fence_full();
	if (load_relaxed(&tx->tx_waiters) != 0)
		waitset_wake(engine_root, &tx->tx_waiters, tx->wait_bits);
}

static void
ring_join(struct kring *tx, struct kring *rx)
{
	store_release(&tx->join_next, rx->join);
	store_relaxed(&rx->join_count, rx->join_count + 1);
	store_relaxed(&rx->join_serial, rx->join_serial + 1);
	store_release(&tx->join, rx);
	store_release(&rx->join, tx);
	sender_wake(tx);
}

static void
ring_part(struct kring *tx)
{
	struct kring *rx = tx->join, **link = &rx->join;

	store_release(&tx->join, NULL);
	while (*link != tx)
		link = &(*link)->join_next;
	store_release(link, tx->join_next);
	store_relaxed(&rx->join_count, rx->join_count - 1);
	sender_wake(tx);
}

static void
rings_update(struct port *from, struct port *to)
{
	uint16_t i;

	for (i = 0; i < from->num_tx && to->num_rx > 0; i++) {
		struct kring *tx = from->tx[i], *rx = to->rx[i % to->num_rx];
		/* The longest packet that a sender can have must fit, and lie where the receiver looks for it. */
		bool wanted = !from->gone && !to->gone && tx->open && rx->open && tx->num_slots <= rx->num_slots && tx->mon.zcopy == NULL &&
			tx->offset_mask == 0 && rx->offset_mask == 0;

		if (wanted == (tx->join != NULL))
			continue;
		if (wanted)
			ring_join(tx, rx);
		else
			ring_part(tx);
	}
}

void
join_update(struct port *p)
{
	struct port *peer = p->join_peer;

	if (peer == NULL)
		return;
	/* Both ways always: a ring that closes is one end of two. */
	rings_update(p, peer);
	rings_update(peer, p);
}

void
join_find(struct port *p)
{
	struct port *q;

	for (q = port_first(); q != NULL; q = q->list_next) {
		if (q == p || q->type != PORT_NIC || q->gone || q->join_peer != NULL || q->region != p->region || !os_nic_peers(p, q))
			continue;
		p->join_peer = q;
		q->join_peer = p;
		os_log(OS_LOG_INFO, "ports %s and %s: the two ends of a veth pair, joined while both are in use", p->name, q->name);
		return;
	}
}

void
join_forget(struct port *p)
{
	if (p->join_peer == NULL)
		return;
	join_update(p);
	p->join_peer->join_peer = NULL;
	p->join_peer = NULL;
}
