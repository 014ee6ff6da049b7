/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_PACKET, data side: mapping the rings, waiting, and the state of the link. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/if_packet.h>

#include "../engine/vnet_hdr.h"
#include "afpacket.h"

#define TX_RETRY_MS	1

static uint8_t *ring_map(int fd, uint64_t bytes)
{
	uint8_t *p;

	if (bytes == 0 || bytes > SIZE_MAX / 2)
		return NULL;
	/* The kernel refuses any length but the ring's own. */
	p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, (size_t)bytes, MADV_DONTDUMP);
	return p;
}

static void afpacket_detach(void *map)
{
	struct afpacket_map *m = map;

	if (m->tx)
		munmap(m->tx, (size_t)m->tx_frame_size * m->tx_frame_nr);
	if (m->rx)
		munmap(m->rx, (size_t)m->rx_block_size * m->rx_block_nr);
	m->rx = m->tx = NULL;
}

static int afpacket_attach(struct driver_shared *sh, struct driver_queue *q, const int *fds, void *map)
{
	struct afpacket_map *m = map;

	*m = (struct afpacket_map){
		.rx_fd = fds[0], .tx_fd = fds[1],
		.rx_block_size = load_relaxed(&q->rx_block_size),
		.rx_block_nr = load_relaxed(&q->rx_block_nr),
		.tx_frame_size = load_relaxed(&q->tx_frame_size),
		.tx_frame_nr = load_relaxed(&q->tx_frame_nr),
	};
	/* Ring memory is addressed by these: everything in a block or frame must be aligned. */
	if (m->rx_block_size % 4096 || m->tx_frame_size % 16 ||
	    m->tx_frame_size < TX_DATA_OFFSET + VNET_HDR_LEN + ETH_HEADER)
		return -EINVAL;
	m->rx = ring_map(m->rx_fd, (uint64_t)m->rx_block_size * m->rx_block_nr);
	if (!m->rx)
		goto err_detach;
	m->tx = ring_map(m->tx_fd, (uint64_t)m->tx_frame_size * m->tx_frame_nr);
	if (!m->tx)
		goto err_detach;
	return 0;

err_detach:
	afpacket_detach(m);
	return -EINVAL;
}

int afpacket_link(int fd, uint32_t ifindex)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_ifindex = (int)ifindex;
	if (ioctl(fd, SIOCGIFNAME, &ifr) < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return errno == ENODEV || errno == ENXIO ? -ENXIO : -errno;
	return ifr.ifr_flags & IFF_UP ? 0 : -ENETDOWN;
}

bool afpacket_tx_left(const struct afpacket_map *m, const struct driver_queue *q)
{
	uint32_t last = (load_relaxed(&q->tx_slot) % m->tx_frame_nr + m->tx_frame_nr - 1) % m->tx_frame_nr;
	const struct tpacket2_hdr *h = (const void *)(m->tx + (size_t)last * m->tx_frame_size);

	return load_acquire(&h->tp_status) & TP_STATUS_SEND_REQUEST;
}

static unsigned afpacket_pollfds(void *map, struct driver_queue *q, short events, struct pollfd *pfds,
				 int *timeout_ms)
{
	struct afpacket_map *m = map;
	unsigned n = 0;

	if (events & POLLIN)
		pfds[n++] = (struct pollfd){ .fd = m->rx_fd, .events = POLLIN };
	if (events & POLLOUT)
		pfds[n++] = (struct pollfd){ .fd = m->tx_fd, .events = POLLOUT };
	if (afpacket_tx_left(m, q) || load_relaxed(&q->tx_waits))
		*timeout_ms = TX_RETRY_MS;
	return n;
}

const struct driver_data_ops afpacket_data_ops = {
	.map_size = sizeof(struct afpacket_map),
	.attach = afpacket_attach,
	.detach = afpacket_detach,
	.txsync = afpacket_txsync,
	.rxsync = afpacket_rxsync,
	.pollfds = afpacket_pollfds,
};
