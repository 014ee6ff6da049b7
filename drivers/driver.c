/* SPDX-License-Identifier: BSD-2-Clause */
/* Data side of the interface drivers: dispatch by each queue's kind. Contract in driver.h. */
#include <errno.h>
#include <stdlib.h>

#include "backend.h"

struct map_queue {
	const struct driver_data_ops *ops;
	void *map;			/* of ops->map_size bytes */
};

struct driver_map {
	struct driver_shared *sh;
	uint32_t queues;		/* checked copy */
	struct map_queue queue[];
};

/* A host may leave out kinds that it cannot serve: their entries are NULL. */
static const struct driver_data_ops *const data_ops[DRIVER_KINDS] = {
	[DRIVER_AFPACKET] = &afpacket_data_ops,
	[DRIVER_AFXDP] = &afxdp_data_ops,
	[DRIVER_TAP] = &tap_data_ops,
};

static void queue_detach(struct map_queue *mq)
{
	mq->ops->detach(mq->map);
	free(mq->map);
}

static int queue_attach(struct driver_shared *sh, unsigned i, const int *fds, struct map_queue *mq)
{
	uint32_t kind = load_relaxed(&sh->queue[i].kind);
	int err;

	if (kind >= DRIVER_KINDS || !data_ops[kind])
		return -EINVAL;
	mq->ops = data_ops[kind];
	mq->map = calloc(1, mq->ops->map_size);
	if (!mq->map)
		return -ENOMEM;
	err = mq->ops->attach(sh, &sh->queue[i], fds, mq->map);
	if (err)
		free(mq->map);
	return err;
}

int driver_attach(struct driver_shared *sh, const int *fds, unsigned nfds, struct driver_map **out)
{
	uint32_t queues = load_relaxed(&sh->queues), i;
	struct driver_map *map;
	int err;

	if (queues == 0 || queues > DRIVER_QUEUES_MAX || nfds != queues * DRIVER_QUEUE_FDS)
		return -EINVAL;
	map = calloc(1, sizeof(*map) + queues * sizeof(map->queue[0]));
	if (!map)
		return -ENOMEM;
	map->sh = sh;
	map->queues = queues;
	for (i = 0; i < queues; i++) {
		err = queue_attach(sh, i, fds + i * DRIVER_QUEUE_FDS, &map->queue[i]);
		if (err)
			goto err_queues;
	}
	*out = map;
	return 0;

err_queues:
	while (i--)
		queue_detach(&map->queue[i]);
	free(map);
	return err;
}

void driver_detach(struct driver_map *map)
{
	if (!map)
		return;
	for (uint32_t i = 0; i < map->queues; i++)
		queue_detach(&map->queue[i]);
	free(map);
}

int driver_txsync(struct driver_map *map, unsigned queue, struct nic_ring *r)
{
	const struct map_queue *mq = &map->queue[queue];
	uint32_t gone = load_relaxed(&map->sh->gone);
	int err;

	if (queue >= map->queues)
		return -EINVAL;
	if (gone)
		return -(int)gone;
	err = mq->ops->txsync(mq->map, map->sh, &map->sh->queue[queue], r);
	if (!mq->ops->completes)
		r->done = r->from;
	return err;
}

int driver_rxsync(struct driver_map *map, unsigned queue, struct nic_ring *r)
{
	const struct map_queue *mq = &map->queue[queue];
	uint32_t gone = load_relaxed(&map->sh->gone);

	if (queue >= map->queues)
		return -EINVAL;
	if (gone)
		return -(int)gone;
	return mq->ops->rxsync(mq->map, map->sh, &map->sh->queue[queue], r);
}

unsigned driver_pollfds(struct driver_map *map, unsigned queue, short events, struct pollfd *pfds,
			unsigned max, int *timeout_ms)
{
	const struct map_queue *mq = &map->queue[queue];

	*timeout_ms = -1;
	if (queue >= map->queues || max < DRIVER_QUEUE_FDS)
		return 0;
	return mq->ops->pollfds(mq->map, &map->sh->queue[queue], events, pfds, timeout_ms);
}
