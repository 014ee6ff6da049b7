/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP, data side: mapping the rings, waiting, and the state of the link. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "afxdp.h"

#define TX_RETRY_MS	1

int xsk_ring_map(int fd, enum xsk_ring_id id, uint32_t size, struct xsk_ring *ring)
{
	static const struct {
		off_t page;
		size_t entry;
	} kinds[] = {
		[XSK_RX] = { XDP_PGOFF_RX_RING, sizeof(struct xdp_desc) },
		[XSK_TX] = { XDP_PGOFF_TX_RING, sizeof(struct xdp_desc) },
		[XSK_FILL] = { XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t) },
		[XSK_COMP] = { XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t) },
	};
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	struct xdp_ring_offset o;
	char *p;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) < 0)
		return -errno;
	if (len != sizeof(offsets))
		return -EOPNOTSUPP;
	o = id == XSK_RX ? offsets.rx : id == XSK_TX ? offsets.tx : id == XSK_FILL ? offsets.fr : offsets.cr;
	ring->bytes = o.desc + size * kinds[id].entry;
	p = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, kinds[id].page);
	if (p == MAP_FAILED)
		return -errno;
	madvise(p, ring->bytes, MADV_DONTDUMP);
	ring->base = p;
	ring->producer = (void *)(p + o.producer);
	ring->consumer = (void *)(p + o.consumer);
	ring->flags = (void *)(p + o.flags);
	ring->entries = p + o.desc;
	ring->size = size;
	ring->mask = size - 1;
	return 0;
}

void xsk_ring_unmap(struct xsk_ring *ring)
{
	if (ring->base)
		munmap(ring->base, ring->bytes);
	ring->base = NULL;
}

static void afxdp_detach(void *map)
{
	struct afxdp_map *m = map;

	xsk_ring_unmap(&m->rx);
	xsk_ring_unmap(&m->tx);
	xsk_ring_unmap(&m->fill);
	xsk_ring_unmap(&m->comp);
}

static bool ring_size_valid(uint32_t size)
{
	return size > 0 && size <= XSK_RING_MAX && (size & (size - 1)) == 0;
}

static bool geometry_valid(const struct afxdp_map *m)
{
	uint32_t chunk = xsk_chunk_size(m->buf_size);

	if (m->buf_size < XSK_CHUNK_MIN || m->buf_size > UINT16_MAX + 1u || m->umem_bufs < 3 ||
	    m->umem_bufs > UINT32_MAX / m->buf_size)
		return false;
	if (m->flags & XSK_UNALIGNED)
		return m->first <= DRIVER_HEADROOM;
	return m->first == DRIVER_HEADROOM && chunk == m->buf_size && (chunk & (chunk - 1)) == 0;
}

static int afxdp_attach(struct driver_shared *sh, struct driver_queue *q, const int *fds, void *map)
{
	uint32_t rx_size = load_relaxed(&q->xsk_rx_size), tx_size = load_relaxed(&q->xsk_tx_size);
	struct afxdp_map *m = map;
	int rc;

	(void)sh;
	*m = (struct afxdp_map){
		.fd = fds[0], .watch_fd = fds[1],
		.stock = load_relaxed(&q->xsk_stock), .flags = load_relaxed(&q->xsk_flags),
		.umem_bufs = load_relaxed(&q->umem_bufs), .buf_size = load_relaxed(&q->umem_buf_size),
		.first = load_relaxed(&q->umem_first),
		.state = (struct xsk_state *)(uintptr_t)load_relaxed(&q->xsk_state),
	};
	if (!ring_size_valid(rx_size) || !ring_size_valid(tx_size) || m->stock == 0 || m->stock > rx_size ||
	    !geometry_valid(m) || !m->state)
		return -EINVAL;
	for (unsigned i = 0; i < XSK_COPY_BUFS; i++) {
		m->copy_buf[i] = load_relaxed(&m->state->copy_buf[i]);
		if (m->copy_buf[i] - 2u >= m->umem_bufs - 2u)
			return -EINVAL;
	}
	m->chunk_size = xsk_chunk_size(m->buf_size);
	m->inverse = ((UINT64_C(1) << 32) + m->buf_size - 1) / m->buf_size;
	m->part_max = m->chunk_size - DRIVER_HEADROOM;
	m->descs_max = !(m->flags & XSK_SG) ? 1 : m->flags & XSK_ZEROCOPY ? XSK_FRAME_DESCS_ZC : XSK_FRAME_DESCS;
	m->entry = xsk_tx_entries(m->state);
	m->held = xsk_held(m->state, tx_size);
	rc = xsk_ring_map(m->fd, XSK_RX, rx_size, &m->rx);
	if (rc == 0)
		rc = xsk_ring_map(m->fd, XSK_TX, tx_size, &m->tx);
	if (rc == 0)
		rc = xsk_ring_map(m->fd, XSK_FILL, rx_size, &m->fill);
	if (rc == 0)
		rc = xsk_ring_map(m->fd, XSK_COMP, tx_size, &m->comp);
	if (rc == 0)
		return 0;
	afxdp_detach(m);
	return rc == -EBUSY ? -EOPNOTSUPP : -EINVAL;
}

int afxdp_receive_kick(const struct afxdp_map *m)
{
	if (recvfrom(m->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) >= 0)
		return 0;
	return errno == ENETDOWN || errno == ENXIO ? -errno : 0;
}

/*
 * Completions are announced by nobody, and neither is the end of what keeps the kernel from taking frames; only where
 * much is left in the transmit ring the socket tells when it is not any more.
 */
static unsigned afxdp_pollfds(void *map, struct driver_queue *q, short events, struct pollfd *pfds, int *timeout_ms)
{
	const struct afxdp_map *m = map;
	uint32_t producer = load_relaxed(m->tx.producer);
	short wanted = events & POLLIN;

	(void)q;
	if (producer != load_relaxed(&m->state->tx_done) || (events & POLLOUT))
		*timeout_ms = TX_RETRY_MS;
	if ((events & POLLOUT) && producer - load_relaxed(m->tx.consumer) > m->tx.size / 2)
		wanted |= POLLOUT;
	pfds[0] = (struct pollfd){ .fd = m->fd, .events = wanted };
	/* Shows POLLERR when the interface goes down or away. */
	pfds[1] = (struct pollfd){ .fd = m->watch_fd };
	return 2;
}

const struct driver_data_ops afxdp_data_ops = {
	.map_size = sizeof(struct afxdp_map),
	.completes = true,
	.attach = afxdp_attach,
	.detach = afxdp_detach,
	.txsync = afxdp_txsync,
	.rxsync = afxdp_rxsync,
	.pollfds = afxdp_pollfds,
};
