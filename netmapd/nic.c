/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NIC ports: the control side of the drivers, in the opener's network namespace. The data side runs in the clients.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../drivers/driver.h"
#include "../drivers/ethtool.h"
#include "../drivers/link_watch.h"
#include "../drivers/netlink.h"
#include "../drivers/netns.h"
#include "../drivers/veth.h"
#include "../engine/join.h"
#include "../engine/os.h"
#include "../engine/params.h"
#include "../engine/port.h"
#include "link_events.h"
#include "nic.h"
#include "server.h"
#include "sessions.h"

/* What a frame may have beside the MTU: Ethernet header and two VLAN tags. */
#define FRAME_EXTRA	22u

/* port->host_data */
struct nic {
	struct driver_port *driver;
	struct driver_port *host;	/* its host rings' side; NULL: closed */
	struct driver_shared *shared;
	struct region *region;
	struct driver_memory memory;	/* its buffers, for the driver */
	struct link_user link;
};

static int
caller_netns(const void *caller)
{
	return caller != NULL ? ((const struct open_session *)caller)->netns : -1;
}

static void
shared_release(void *obj)
{
	os_shared_free(obj, sizeof(struct driver_shared));
}

static uint32_t
memory_buf_alloc(void *region)
{
	return region_buf_lend(region);
}

static void
memory_buf_free(void *region, uint32_t idx)
{
	region_buf_return(region, idx);
}

static void *
memory_shared_alloc(void *region, size_t size)
{
	return os_shared_alloc(size);
}

static void
memory_shared_free(void *region, void *p, size_t size)
{
	os_shared_free(p, size);
}

static uint16_t
host_rings(uint16_t want)
{
	if (want == 0)
		return 1;
	return want < DRIVER_QUEUES_MAX ? want : DRIVER_QUEUES_MAX;
}

static void
memory_init(struct driver_memory *m, struct region *r, const struct os_nic_params *params)
{
	const struct region_pool *bufs = &r->pool[POOL_BUF];
	uint32_t slots = engine_params.generic_ringsize, left = region_bufs_left(r);
	uint32_t host = (host_rings(params->host_tx) + (uint32_t)host_rings(params->host_rx)) * slots;

	*m = (struct driver_memory){
		.base = r->base + bufs->offset - r->headroom,
		.headroom = r->headroom,
		.buf_size = bufs->obj_size,
		.buf_total = bufs->obj_total,
		.buf_left = left > host ? left - host : 0,
		.ring_bufs = 2 * slots,
		.buf_alloc = memory_buf_alloc,
		.buf_free = memory_buf_free,
		.shared_alloc = memory_shared_alloc,
		.shared_free = memory_shared_free,
		.arg = r,
	};
}

/* Nobody is inside the driver any more. */
static void
nic_release(void *obj)
{
	struct nic *nic = obj;

	driver_close(nic->driver);
	os_shared_free(nic->shared, sizeof(*nic->shared));
	region_put(nic->region);
	free(nic);
}

static void
notice_log(const struct port *port, const struct driver_info *info)
{
	if (info->notice[0] != '\0')
		os_log(OS_LOG_INFO, "port %s: offloads: %s", port->name, info->notice);
}

/* Where only AF_XDP will do, what keeps it from working means that it is not supported; what keeps every driver from it does not. */
static int
native_errno(int err)
{
	if (engine_params.admode != ADMODE_NATIVE)
		return err;
	return err == -ENXIO || err == -ENETDOWN || err == -EPERM || err == -ENOMEM ? err : -EOPNOTSUPP;
}

int
os_nic_open(void *caller, struct port *port, const struct os_nic_params *params, char *why, size_t why_size)
{
	struct driver_error error = { .text = "" };
	struct driver_port *driver;
	const struct driver_info *info;
	struct driver_shared *sh = os_shared_alloc(sizeof(*sh));
	struct nic *nic = calloc(1, sizeof(*nic));
	struct driver_params wanted = { .memory = NULL };
	int err = -ENOMEM;

	if (sh == NULL || nic == NULL) {
		snprintf(why, why_size, "port %s: no memory left for its driver", port->name);
		goto err_memory;
	}
	memory_init(&nic->memory, port->region, params);
	wanted.memory = &nic->memory;
	wanted.state_dir = server_dir();
	if (engine_params.admode == ADMODE_NATIVE)
		wanted.kind = DRIVER_AFXDP;
	else if (engine_params.admode == ADMODE_EMULATED)
		wanted.kind = DRIVER_AFPACKET;
	/* Before it is opened, so that nothing is missed. */
	err = link_events_join(&nic->link, caller_netns(caller));
	if (err != 0)
		os_log(OS_LOG_WARNING, "port %s: what happens to its interface will not be noticed: %s", port->name, strerror(-err));
	err = driver_open(caller_netns(caller), port->name, &wanted, &driver, &error);
	if (err != 0) {
		snprintf(why, why_size, "port %s: %.200s", port->name, error.text);
		err = native_errno(err);
		goto err_link;
	}
	driver_share(driver, sh);
	info = driver_info(driver);
	port->num_tx = port->num_rx = info->queues;
	port->num_host_tx = host_rings(params->host_tx);
	port->num_host_rx = host_rings(params->host_rx);
	port->tx_slots = port->rx_slots = engine_params.generic_ringsize;
	port->max_frame = info->mtu + FRAME_EXTRA;
	port->nic = sh;
	nic->driver = driver;
	nic->shared = sh;
	nic->region = port->region;
	region_get(nic->region);
	port->host_data = nic;
	nic->link.port = port;
	nic->link.ifindex = info->ifindex;
	os_log(OS_LOG_INFO, "port %s: interface opened, %s, %u queues%s%s", port->name, info->mode, info->queues,
		info->reason[0] != '\0' ? "; not better: " : "", info->reason);
	notice_log(port, info);
	return 0;

err_link:
	link_events_leave(&nic->link);
err_memory:
	os_shared_free(sh, sizeof(*sh));
	free(nic);
	return err;
}

/* The interface is the host's again. */
static void
nic_stop(struct port *port, struct nic *nic)
{
	link_events_leave(&nic->link);
	if (nic->host != NULL)
		driver_stop(nic->host);
	driver_stop(nic->driver);
	notice_log(port, driver_info(nic->driver));
}

void
os_nic_close(struct port *port)
{
	struct nic *nic = port->host_data;

	if (load_relaxed(&nic->shared->gone) == 0)
		nic_stop(port, nic);
	port->host_data = NULL;
	/* A client's thread may be in the driver at this moment. */
	retire(nic_release, nic);
	os_log(OS_LOG_INFO, "port %s: interface closed", port->name);
}

int
os_nic_host_open(struct port *port, char *why, size_t why_size)
{
	struct driver_error error = { .text = "" };
	struct driver_shared *sh = os_shared_alloc(sizeof(*sh));
	struct nic *nic = port->host_data;
	unsigned rings = port->num_host_tx > port->num_host_rx ? port->num_host_tx : port->num_host_rx;
	int err;

	if (sh == NULL) {
		snprintf(why, why_size, "port %s: no memory left for its host rings' driver", port->name);
		return -ENOMEM;
	}
	if (port->gone) {
		snprintf(why, why_size, "port %s: the interface is gone", port->name);
		os_shared_free(sh, sizeof(*sh));
		return -ENXIO;
	}
	err = driver_host_open(nic->driver, rings, &nic->host, &error);
	if (err != 0) {
		snprintf(why, why_size, "port %s: %.200s", port->name, error.text);
		os_shared_free(sh, sizeof(*sh));
		return err;
	}
	driver_share(nic->host, sh);
	port->nic_host = sh;
	os_log(OS_LOG_INFO, "port %s: host rings opened, %s", port->name, driver_info(nic->host)->mode);
	return 0;
}

void
os_nic_host_close(struct port *port)
{
	struct nic *nic = port->host_data;

	driver_close(nic->host);
	nic->host = NULL;
	retire(shared_release, port->nic_host);
	port->nic_host = NULL;
	os_log(OS_LOG_INFO, "port %s: host rings closed", port->name);
}

/* Who has it open gets errors, and can open it anew at once: nothing of ours is left at it. */
static void
nic_end(struct port *p, int error, const char *what)
{
	struct driver_shared *host = p->nic_host;
	struct nic *nic = p->host_data;

	os_log(OS_LOG_WARNING, "port %s: %s; programs get errors until they open it again", p->name, what);
	store_relaxed(&nic->shared->gone, (uint32_t)error);
	if (host != NULL)
		store_relaxed(&host->gone, (uint32_t)error);
	nic_stop(p, nic);
	port_nic_gone(p);
	server_tick_soon();
}

void
nic_changed(struct port *p, unsigned changed)
{
	struct nic *nic = p->host_data;
	const struct driver_info *info = driver_info(nic->driver);
	struct driver_shared *host = p->nic_host;
	uint32_t mtu = info->mtu;
	int err = changed & LINK_REMOVED ? -ENXIO : driver_refresh(nic->driver, nic->shared);

	if (err == -ENXIO) {
		nic_end(p, ENXIO, "the interface is gone");
	} else if (err == -EMSGSIZE) {
		nic_end(p, EMSGSIZE, "its MTU has become too large for the buffers that it was opened with");
	} else if (err == -ESTALE) {
		nic_end(p, ESTALE, "its number of queues has changed");
	} else if (err != 0) {
		os_log(OS_LOG_WARNING, "port %s: its interface has changed, and cannot be asked how: %s", p->name, strerror(-err));
	} else if (info->mtu != mtu) {
		store_relaxed(&p->max_frame, info->mtu + FRAME_EXTRA);
		if (host != NULL)
			store_relaxed(&host->mtu, info->mtu);
		os_log(OS_LOG_INFO, "port %s: its MTU is %u now", p->name, info->mtu);
	}
}

bool
os_nic_peers(const struct port *a, const struct port *b)
{
	const char *wish = getenv("NETMAP_VETH_JOIN");
	const struct nic *nic_a = a->host_data, *nic_b = b->host_data;

	if (wish != NULL && strcmp(wish, "no") == 0)
		return false;
	return nic_a != NULL && nic_b != NULL && veth_are_peers(nic_a->driver, nic_b->driver);
}

/* The device behind a TAP interface is a port of its own, whose interface may yet have to be made. */
#define TAP_KEY	0x80000000u

struct key_query {
	const char *name;
	uint64_t key;
};

static bool
name_is_tap(const char *name)
{
	return strncmp(name, DRIVER_TAP_PREFIX, strlen(DRIVER_TAP_PREFIX)) == 0;
}

/* In the namespace: which of its interfaces that is. */
static int
key_look(void *arg)
{
	struct key_query *q = arg;
	uint32_t index = TAP_KEY;
	struct ethtool e;
	struct stat st;

	if (!name_is_tap(q->name)) {
		if (ethtool_open(&e, q->name) != 0)
			return 0;
		index = e.ifindex;
		ethtool_close(&e);
	}
	if (netns_stat(&st) == 0)
		q->key = (uint64_t)st.st_ino << 32 | index;
	return 0;
}

uint64_t
os_nic_key(void *caller, const char *name)
{
	struct key_query q = { .name = name };
	int entered;

	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ + (name_is_tap(name) ? strlen(DRIVER_TAP_PREFIX) : 0))
		return 0;
	netns_call(caller_netns(caller), key_look, &q, &entered);
	return q.key;
}

int
os_nic_hidden(void *caller, const char *name, char *why, size_t why_size)
{
	const struct open_session *s = caller;

	if (s == NULL || s->sockets.missed == 0)
		return 0;
	/* For the log: the program tries again, with some. */
	snprintf(why, why_size, "port %s: netmapd may not enter the program's network namespace, CAP_SYS_ADMIN is missing there, and asks the program for "
		"sockets", name);
	return -EUSERS;
}

struct size_query {
	const char *name;
	uint32_t queues;
};

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* In the namespace: queues in use, or if its driver does not tell, those that it has room for. */
static int
size_look(void *arg)
{
	struct size_query *q = arg;
	struct netlink_link link;
	struct ethtool e;
	struct netlink nl;
	uint32_t rx, tx;

	if (ethtool_open(&e, q->name) == 0) {
		if (ethtool_queues_get(&e, &rx, &tx) == 0)
			q->queues = larger(rx, tx);
		ethtool_close(&e);
	}
	if (q->queues == 0 && netlink_open(&nl) == 0) {
		if (netlink_link_get(&nl, q->name, 0, &link) == 0)
			q->queues = larger(link.rx_queues, link.tx_queues);
		netlink_close(&nl);
	}
	return 0;
}

void
os_nic_size(void *caller, const char *name, uint32_t *pairs, uint32_t *slots)
{
	struct size_query q = { .name = name };
	int entered;

	netns_call(caller_netns(caller), size_look, &q, &entered);
	*pairs = q.queues == 0 ? 1 : q.queues < DRIVER_QUEUES_MAX ? q.queues : DRIVER_QUEUES_MAX;
	*slots = engine_params.generic_ringsize;
}

int
nic_describe(uint32_t port_id, bool host, struct proto_nic_reply *r, struct message_fds *fds)
{
	const struct driver_port *driver;
	const struct nic *nic;
	const struct port *p;

	for (p = server_root()->ports; p != NULL; p = p->list_next)
		if (p->id == port_id && p->type == PORT_NIC && p->host_data != NULL && !p->gone)
			break;
	if (p == NULL)
		return -ENXIO;
	nic = p->host_data;
	driver = host ? nic->host : nic->driver;
	if (driver == NULL)
		return -ENXIO;
	r->shared = (uintptr_t)(host ? p->nic_host : p->nic);
	r->id = host ? p->host_id : p->id;
	fds->n = driver_fds(driver, fds->fd, PROTO_FDS_MAX);
	r->fds = fds->n;
	return fds->n > 0 ? 0 : -EMFILE;
}

/* Is any ring of the port joined to one of the other end's? */
static bool
port_joined(const struct port *p)
{
	for (unsigned i = 0; i < p->num_tx; i++)
		if (ring_joined(p->tx[i]))
			return true;
	for (unsigned i = 0; i < p->num_rx; i++)
		if (ring_joined(p->rx[i]))
			return true;
	return false;
}

void
nic_mode(const struct port *p, char *buf, size_t size)
{
	const struct nic *nic = p->host_data;

	if (nic == NULL || p->gone) {
		snprintf(buf, size, nic == NULL ? "closed" : "gone, or changed: to be opened again");
		return;
	}
	snprintf(buf, size, "%s%s", driver_info(nic->driver)->mode, nic->host != NULL ? ", host rings" : "");
	if (p->join_peer != NULL && port_joined(p))
		snprintf(buf + strlen(buf), size - strlen(buf), ", joined to %s (native veth)", p->join_peer->name);
	if (driver_info(nic->driver)->reason[0] != '\0')
		snprintf(buf + strlen(buf), size - strlen(buf), "; not better: %s", driver_info(nic->driver)->reason);
}
