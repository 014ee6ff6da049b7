/* SPDX-License-Identifier: BSD-2-Clause */
/* Data side of the interface drivers: dispatch by kind. Contract in driver.h. */
#include <errno.h>
#include <stdlib.h>

#include "afpacket.h"

struct driver_map {
	struct driver_shared *sh;
	enum driver_kind kind;		/* checked copies */
	uint32_t queues;
	struct afpacket_map queue[];
};

int driver_attach(struct driver_shared *sh, const int *fds, unsigned nfds, struct driver_map **out)
{
	uint32_t queues = load_relaxed(&sh->queues), i;
	struct driver_map *map;
	int err;

	if (load_relaxed(&sh->kind) != DRIVER_AFPACKET || queues == 0 || queues > DRIVER_QUEUES_MAX ||
	    nfds != queues * DRIVER_QUEUE_FDS)
		return -EINVAL;
	map = calloc(1, sizeof(*map) + queues * sizeof(map->queue[0]));
	if (!map)
		return -ENOMEM;
	map->sh = sh;
	map->kind = DRIVER_AFPACKET;
	map->queues = queues;
	for (i = 0; i < queues; i++) {
		err = afpacket_attach(sh, fds + i * DRIVER_QUEUE_FDS, &map->queue[i]);
		if (err)
			goto err_queues;
	}
	*out = map;
	return 0;

err_queues:
	while (i--)
		afpacket_detach(&map->queue[i]);
	free(map);
	return err;
}

void driver_detach(struct driver_map *map)
{
	if (!map)
		return;
	for (uint32_t i = 0; i < map->queues; i++)
		afpacket_detach(&map->queue[i]);
	free(map);
}

int driver_txsync(struct driver_map *map, unsigned queue, struct nic_ring *r)
{
	if (queue >= map->queues)
		return -EINVAL;
	return afpacket_txsync(&map->queue[queue], map->sh, &map->sh->queue[queue], r);
}

int driver_rxsync(struct driver_map *map, unsigned queue, struct nic_ring *r)
{
	if (queue >= map->queues)
		return -EINVAL;
	return afpacket_rxsync(&map->queue[queue], map->sh, &map->sh->queue[queue], r);
}

unsigned driver_pollfds(struct driver_map *map, unsigned queue, short events, struct pollfd *pfds,
			unsigned max, int *timeout_ms)
{
	*timeout_ms = -1;
	if (queue >= map->queues || max < DRIVER_QUEUE_FDS)
		return 0;
	return afpacket_pollfds(&map->queue[queue], &map->sh->queue[queue], events, pfds, timeout_ms);
}
