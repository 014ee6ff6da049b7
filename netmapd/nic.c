/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NIC ports: the control side of the drivers, in the opener's network namespace. The data side runs in the clients.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../drivers/driver.h"
#include "../drivers/netns.h"
#include "../engine/os.h"
#include "../engine/port.h"
#include "nic.h"
#include "server.h"
#include "sessions.h"

#define NIC_SLOTS	1024u
/* What a frame may have beside the MTU: Ethernet header and two VLAN tags. */
#define FRAME_EXTRA	22u

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

int
os_nic_open(void *caller, struct port *port, const struct os_nic_params *params, char *why, size_t why_size)
{
	struct driver_error error = { .text = "" };
	struct driver_port *driver;
	const struct driver_info *info;
	struct driver_shared *sh = os_shared_alloc(sizeof(*sh));
	int err;

	if (sh == NULL) {
		snprintf(why, why_size, "port %s: no shared memory left for its driver", port->name);
		return -ENOMEM;
	}
	err = driver_open(caller_netns(caller), port->name, NULL, &driver, &error);
	if (err != 0) {
		snprintf(why, why_size, "port %s: %.200s", port->name, error.text);
		os_shared_free(sh, sizeof(*sh));
		return err;
	}
	driver_share(driver, sh);
	info = driver_info(driver);
	port->num_tx = port->num_rx = info->queues;
	port->tx_slots = port->rx_slots = NIC_SLOTS;
	port->max_frame = info->mtu + FRAME_EXTRA;
	port->nic = sh;
	port->host_data = driver;
	os_log(OS_LOG_INFO, "port %s: interface opened, %s, %u queues", port->name, info->mode, info->queues);
	return 0;
}

void
os_nic_close(struct port *port)
{
	driver_close(port->host_data);
	port->host_data = NULL;
	/* A client's thread may be in the driver at this moment. */
	retire(shared_release, port->nic);
	os_log(OS_LOG_INFO, "port %s: interface closed", port->name);
}

struct key_query {
	const char *name;
	uint64_t key;
};

/* In the namespace: which of its interfaces that is. */
static int
key_look(void *arg)
{
	struct key_query *q = arg;
	unsigned index = if_nametoindex(q->name);
	struct stat st;

	/* The thread that entered the namespace, not the process. */
	if (index != 0 && stat("/proc/thread-self/ns/net", &st) == 0)
		q->key = (uint64_t)st.st_ino << 32 | index;
	return 0;
}

uint64_t
os_nic_key(void *caller, const char *name)
{
	struct key_query q = { .name = name };
	int entered;

	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return 0;
	netns_call(caller_netns(caller), key_look, &q, &entered);
	return q.key;
}

/* Nobody asks: rings of NIC ports are synced where they are mapped. */
int
os_nic_sync(struct kring *kr, struct nic_ring *ring)
{
	return -EOPNOTSUPP;
}

int
nic_describe(uint32_t port_id, uint64_t *shared, struct message_fds *fds)
{
	const struct port *p;

	for (p = server_root()->ports; p != NULL; p = p->list_next)
		if (p->id == port_id && p->type == PORT_NIC && p->host_data != NULL)
			break;
	if (p == NULL)
		return -ENXIO;
	*shared = (uintptr_t)p->nic;
	fds->n = driver_fds(p->host_data, fds->fd, PROTO_FDS_MAX);
	return fds->n > 0 ? 0 : -EMFILE;
}

void
nic_mode(const struct port *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", p->host_data != NULL ? driver_info(p->host_data)->mode : "closed");
}
