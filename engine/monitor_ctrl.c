/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors on the control side: making them, and tying their rings to those that they show. The data path follows the pointers that are set here; rings
 * are freed only when no thread is left that may have seen them.
 */
#include "extmem.h"
#include "join.h"
#include "monitor.h"
#include "os.h"
#include "port.h"

#define MONITOR_SLOTS_MAX	4096u

static uint32_t last_number;

/* --- what belongs together --- */

/* Ring i of a monitor shows these two; either may be NULL. */
struct shown {
	struct kring *ring[2];		/* by enum ring_dir */
};

static struct shown
ring_shown(const struct port *mon, uint32_t i)
{
	const struct port *p = mon->monitored;
	bool host = i >= mon->num_rx;
	uint32_t n = host ? i - mon->num_rx : i;
	uint32_t num_tx = host ? p->num_host_tx : p->num_tx, num_rx = host ? p->num_host_rx : p->num_rx;
	struct shown s = { { NULL, NULL } };

	if (n < num_tx && (mon->monitor_flags & NR_MONITOR_TX) != 0)
		s.ring[RING_TX] = p->tx[n + (host ? p->num_tx : 0)];
	if (n < num_rx && (mon->monitor_flags & NR_MONITOR_RX) != 0)
		s.ring[RING_RX] = p->rx[n + (host ? p->num_rx : 0)];
	return s;
}

static bool
is_zcopy(const struct port *mon)
{
	return (mon->monitor_flags & NR_ZCOPY_MON) != 0;
}

/* The two ends of a pipe are so together. */
static bool
port_in_netmap_mode(const struct port *p)
{
	return !p->gone && (port_bound(p) || (p->pipe_peer != NULL && port_bound(p->pipe_peer)));
}

/* --- tying and untying --- */

static void
monitored_set(struct kring *kr)
{
	/* Who sees the word sees what it speaks of. */
	store_release(&kr->monitored, (kr->mon.copy != NULL ? MONITORED_COPY : 0) | (kr->mon.zcopy != NULL ? MONITORED_ZCOPY : 0));
}

static void
copy_tie(struct kring *kr, struct kring *mon)
{
	/* With no monitor nobody kept track of what was seen. */
	if (kr->mon.copy == NULL)
		store_relaxed(&kr->mon.serial, kr->mon.serial + 1);
	store_release(&mon->mon.next[kr->dir], kr->mon.copy);
	store_release(&kr->mon.copy, mon);
	monitored_set(kr);
}

static void
copy_untie(struct kring *kr, const struct kring *mon)
{
	struct kring **link = &kr->mon.copy;

	while (*link != NULL && *link != mon)
		link = &(*link)->mon.next[kr->dir];
	if (*link == NULL)
		return;
	/* A thread that stands at the monitor's ring finds its way on. */
	store_release(link, mon->mon.next[kr->dir]);
	monitored_set(kr);
}

/* The chains of a TX ring and the RX ring of the same number end in the same monitors: it may be there already. */
static void
zcopy_tie(struct kring *kr, struct kring *mon)
{
	while (kr->mon.zcopy != NULL && kr->mon.zcopy != mon)
		kr = kr->mon.zcopy;
	store_release(&kr->mon.zcopy, mon);
	monitored_set(kr);
}

static void
zcopy_untie(struct kring *kr, const struct kring *mon)
{
	while (kr != NULL && kr->mon.zcopy != mon)
		kr = kr->mon.zcopy;
	if (kr == NULL)
		return;
	store_release(&kr->mon.zcopy, mon->mon.zcopy);
	monitored_set(kr);
}

static void
ring_tie(struct port *mon, uint32_t i)
{
	struct shown s = ring_shown(mon, i);
	int dir;

	for (dir = 0; dir < 2; dir++)
		if (s.ring[dir] == NULL)
			continue;
		else if (is_zcopy(mon))
			zcopy_tie(s.ring[dir], mon->rx[i]);
		else
			copy_tie(s.ring[dir], mon->rx[i]);
	if (!is_zcopy(mon) && s.ring[RING_RX] != NULL && s.ring[RING_RX]->type == PORT_NIC)
		store_release(&mon->rx[i]->mon.source, s.ring[RING_RX]);
}

static void
ring_untie(struct port *mon, uint32_t i)
{
	struct shown s = ring_shown(mon, i);
	int dir;

	store_release(&mon->rx[i]->mon.source, NULL);
	for (dir = 0; dir < 2; dir++)
		if (s.ring[dir] == NULL)
			continue;
		else if (is_zcopy(mon))
			zcopy_untie(s.ring[dir], mon->rx[i]);
		else
			copy_untie(s.ring[dir], mon->rx[i]);
}

static void
monitor_untie(struct port *mon)
{
	struct port *parent = mon->monitored;
	uint16_t i;

	for (i = mon->monitor_first; i < mon->monitor_last; i++)
		ring_untie(mon, i);
	mon->monitor_first = mon->monitor_last = 0;
	mon->monitored = NULL;
	parent->monitors--;
	join_update(parent);
}

void
monitor_start(struct port *mon, uint16_t first, uint16_t last)
{
	uint16_t i;

	if (mon->type != PORT_MONITOR)
		return;
	mon->monitor_first = first;
	mon->monitor_last = last;
	for (i = first; i < last; i++)
		ring_tie(mon, i);
	/* A sender that is joined with the other end of a veth pair gives its buffers away, and cannot show them. */
	join_update(mon->monitored);
}

/* --- ends --- */

static void
monitor_stop(struct port *mon)
{
	uint32_t i;

	store_relaxed(&mon->gone, true);
	for (i = 0; i < port_tx_rings(mon); i++)
		store_relaxed(&mon->tx[i]->stopped, 1);
	for (i = 0; i < port_rx_rings(mon); i++) {
		struct kring *kr = mon->rx[i];

		store_relaxed(&kr->stopped, 1);
		/* Either a sleeper's last look saw it, or we see that he sleeps. */
		fence_full();
		if (load_relaxed(&kr->rx_waiters) != 0)
			waitset_wake(engine_root, &kr->rx_waiters, kr->wait_bits);
	}
	monitor_untie(mon);
}

static void
monitors_stop(const struct port *parent)
{
	struct port *p;

	for (p = port_first(); p != NULL && parent->monitors > 0; p = p->list_next)
		if (p->monitored == parent)
			monitor_stop(p);
}

void
monitor_port_closed(struct port *p)
{
	if (port_in_netmap_mode(p))
		return;
	monitors_stop(p);
	if (p->pipe_peer != NULL)
		monitors_stop(p->pipe_peer);
}

void
monitor_forget(struct port *p)
{
	if (p->monitored != NULL)
		monitor_untie(p);
}

/* --- making one --- */

static uint16_t
larger(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

static uint32_t
slots_choose(uint32_t want, uint32_t usual)
{
	uint32_t slots = want >= SLOTS_MIN ? want : usual;

	return slots < MONITOR_SLOTS_MAX ? slots : MONITOR_SLOTS_MAX;
}

/* One TX ring, since every port has one; nothing can be sent there. */
static void
sizes_choose(struct port *mon, const struct port *parent, const struct port_want *want)
{
	mon->num_tx = 1;
	mon->num_rx = larger(parent->num_tx, parent->num_rx);
	mon->num_host_rx = larger(parent->num_host_tx, parent->num_host_rx);
	mon->num_host_tx = mon->num_host_rx > 0 ? 1 : 0;
	mon->tx_slots = slots_choose(want->tx_slots, parent->tx_slots);
	mon->rx_slots = slots_choose(want->rx_slots, parent->rx_slots);
}

static int
region_choose(struct port *mon, struct port *parent, const struct port_want *want, struct why *why)
{
	const struct region_need need = {
		.rings = port_tx_rings(mon) + port_rx_rings(mon),
		.slots = port_tx_rings(mon) * mon->tx_slots + port_rx_rings(mon) * mon->rx_slots,
		.largest_ring = mon->tx_slots > mon->rx_slots ? mon->tx_slots : mon->rx_slots,
		.extra_bufs = want->extra_bufs < EXTRA_BUFS_MAX ? want->extra_bufs : EXTRA_BUFS_MAX,
	};

	if (!is_zcopy(mon) && want->memory != NULL)
		return extmem_region(want->memory, &need, mon->name, &mon->region, why);
	if (!is_zcopy(mon) && want->mem_id == 0)
		return region_create(&need, mon->name, &mon->region, why);
	mon->region = is_zcopy(mon) ? parent->region : region_find(want->mem_id);
	if (mon->region == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: there is no memory region %u", mon->name, want->mem_id);
		return -EINVAL;
	}
	region_get(mon->region);
	return 0;
}

int
monitor_create(struct port *parent, const struct port_want *want, struct port **out, struct why *why)
{
	uint32_t flags = (uint32_t)want->flags & (NR_MONITOR_TX | NR_MONITOR_RX | NR_ZCOPY_MON);
	struct port *mon;
	int error;

	if (!port_in_netmap_mode(parent)) {
		os_format(why->text, sizeof(why->text), "port %s: only a port that some program has open can be monitored", parent->name);
		return -EINVAL;
	}
	mon = port_new(PORT_MONITOR, "", 0);
	if (mon == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for the description of a monitor", parent->name);
		return -ENOMEM;
	}
	if ((flags & NR_ZCOPY_MON) != 0)
		flags |= NR_MONITOR_TX | NR_MONITOR_RX;
	os_format(mon->name, sizeof(mon->name), "%s/%s%s%s#%u", parent->name, (flags & NR_ZCOPY_MON) != 0 ? "z" : "",
		(flags & NR_MONITOR_RX) != 0 ? "r" : "", (flags & NR_MONITOR_TX) != 0 ? "t" : "", ++last_number);
	mon->monitor_flags = flags;
	sizes_choose(mon, parent, want);
	error = region_choose(mon, parent, want, why);
	if (error != 0)
		goto err_port;
	mon->max_frame = mon->region->pool[POOL_BUF].obj_size;
	error = port_rings_create(mon, true, why);
	if (error != 0)
		goto err_region;
	mon->monitored = parent;
	parent->monitors++;
	port_link(mon);
	*out = mon;
	return 0;

err_region:
	region_put(mon->region);
err_port:
	os_shared_free(mon, sizeof(*mon));
	return error;
}
