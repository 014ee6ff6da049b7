/* SPDX-License-Identifier: BSD-2-Clause */
/* See nic_data.h. */
#include <errno.h>
#include <stdlib.h>

#include "../drivers/driver.h"
#include "../engine/os.h"
#include "nic.h"
#include "nic_data.h"

struct nic_data {
	uint32_t id;			/* port.id or port.host_id */
	unsigned users;
	bool host;
	uint32_t tx_base, rx_base;	/* queue 0 is ring so-and-so of the port */
	struct driver_shared *shared;
	struct driver_map *map;
	uint32_t error;			/* last errno of the driver; any thread */
	struct nic_data *next;
};

_Static_assert(NIC_DATA_FDS == DRIVER_QUEUE_FDS, "descriptors of a queue");

static struct nic_data *records;
static __thread struct nic_data *in_use;

static int
record_open(struct nic_data *d, const struct port *port, bool host)
{
	struct proto_nic_reply r;
	struct message_fds fds = { 0 };
	int err = nic_describe(port->id, host, &r, &fds);

	if (err != 0)
		return err;
	d->id = r.id;
	d->host = host;
	d->tx_base = host ? port->num_tx : 0;
	d->rx_base = host ? port->num_rx : 0;
	d->shared = (struct driver_shared *)(uintptr_t)r.shared;
	return driver_attach(d->shared, fds.fd, fds.n, &d->map);
}

int
nic_data_get(const struct port *port, bool host, struct nic_data **out)
{
	struct nic_data *d = records;
	int err;

	while (d != NULL && d->id != (host ? port->host_id : port->id))
		d = d->next;
	if (d == NULL) {
		d = calloc(1, sizeof(*d));
		if (d == NULL)
			return -ENOMEM;
		err = record_open(d, port, host);
		if (err != 0) {
			free(d);
			return err;
		}
		d->next = records;
		records = d;
	}
	d->users++;
	*out = d;
	return 0;
}

void
nic_data_put(struct nic_data *d)
{
	struct nic_data **link = &records;

	if (d == NULL || --d->users > 0)
		return;
	while (*link != d)
		link = &(*link)->next;
	*link = d->next;
	driver_detach(d->map);
	free(d);
}

void
nic_data_use(struct nic_data *d)
{
	in_use = d;
}

unsigned
nic_data_pollfds(const struct nic_data *d, unsigned queue, short events, struct pollfd *fds, unsigned max, int *timeout_ms)
{
	return driver_pollfds(d->map, queue, events, fds, max, timeout_ms);
}

bool
nic_data_gone(const struct nic_data *d)
{
	return load_relaxed(&d->shared->gone) != 0 || load_relaxed(&d->error) == ENXIO;
}

/* Only workers sync here, and they have said which port is theirs. */
int
os_nic_sync(struct kring *kr, struct nic_ring *ring)
{
	struct nic_data *d = in_use;
	int err;

	if (d == NULL || d->host != (kr->host != 0))
		return -ENXIO;
	if (kr->dir == RING_TX)
		err = driver_txsync(d->map, kr->id - d->tx_base, ring);
	else
		err = driver_rxsync(d->map, kr->id - d->rx_base, ring);
	if (err < 0)
		store_relaxed(&d->error, (uint32_t)-err);
	return err;
}
