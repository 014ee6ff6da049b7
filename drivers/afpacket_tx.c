/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_PACKET, data side: sending.
 *
 * Slots and buffers are hostile: each slot is loaded once, all of a frame's slots are checked before any
 * byte is copied. The kernel's ring is shared with other processes that drive this queue in turn; what
 * they may write there (a wrong status) can at worst make this queue stop.
 */
#include <errno.h>
#include <string.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../engine/vnet_hdr.h"
#include "afpacket.h"
#include "frame.h"

#define KICKS_MAX	16	/* calls to the kernel in one go while it takes a part each time */
#define LINEAR_MAX	2048u	/* bytes of a frame that the kernel is to copy; it refers to the ring's pages for the rest */

static struct tpacket2_hdr *tx_header(const struct afpacket_map *m, uint32_t slot)
{
	return (void *)(m->tx + (size_t)slot * m->tx_frame_size);
}

static bool tx_available(const struct tpacket2_hdr *h)
{
	return !(load_acquire(&h->tp_status) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING));
}

/*
 * The header asks for nothing but that so many bytes be copied: the kernel would take a link-layer header's, and hold on to
 * a page of the ring for the others, which costs more than to copy them, here and where the frame arrives.
 */
static struct virtio_net_hdr vnet_header(uint32_t len)
{
	return (struct virtio_net_hdr){ .hdr_len = (uint16_t)(len < LINEAR_MAX ? len : LINEAR_MAX) };
}

/* What a frame in the ring has room for. */
static uint32_t tx_room(const struct afpacket_map *m)
{
	return m->tx_frame_size - TX_DATA_OFFSET - VNET_HDR_LEN;
}

/* Copy a frame behind its virtio-net header. */
static void tx_frame_write(const struct afpacket_map *m, const struct nic_ring *r, const struct tx_frame *f,
			   struct tpacket2_hdr *h)
{
	uint8_t *start = (uint8_t *)h + TX_DATA_OFFSET;
	const struct virtio_net_hdr header = vnet_header(f->len);
	struct tx_place place = { 0, 0 };

	_Static_assert(sizeof(header) == VNET_HDR_LEN, "ABI");
	memcpy(start, &header, sizeof(header));
	tx_frame_copy(r, f, &place, start + VNET_HDR_LEN, tx_room(m));
	h->tp_len = f->len + VNET_HDR_LEN;
}

/*
 * A frame longer than the ring was made for, since the MTU grew: by itself, on the socket that has no such ring.
 * Returns DROP_REASONS, a drop reason, or -errno: -EAGAIN the device has no room now.
 */
static int tx_frame_send(const struct afpacket_map *m, const struct nic_ring *r, const struct tx_frame *f)
{
	struct virtio_net_hdr header = vnet_header(f->len);
	struct iovec iov[1 + NETMAP_MAX_FRAGS] = { { &header, sizeof(header) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 + f->nfrags };

	for (uint32_t n = 0; n < f->nfrags; n++)
		iov[1 + n] = (struct iovec){ r->ubufs + f->at[n], slot_len(f->word[n]) };
	while (sendmsg(m->rx_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		switch (errno) {
		case EINTR:
			continue;
		case ENETDOWN:
		case ENXIO:
			return -errno;
		case EAGAIN:
		case ENOBUFS:
			return -EAGAIN;
		case EMSGSIZE:
			return DROP_TOO_LONG;
		default:
			return DROP_DEVICE;
		}
	}
	return DROP_REASONS;
}

/*
 * A process that died between a frame's request and the step to the next slot has left the slot
 * requested. It is told from a full ring by the slot behind it: in a full one, the kernel has not come to
 * that either.
 */
static void tx_resume(const struct afpacket_map *m, struct driver_queue *q)
{
	uint32_t slot = load_relaxed(&q->tx_slot) % m->tx_frame_nr;
	uint32_t after = slot + 1 == m->tx_frame_nr ? 0 : slot + 1;

	if ((load_acquire(&tx_header(m, slot)->tp_status) & TP_STATUS_SEND_REQUEST) &&
	    !(load_acquire(&tx_header(m, after)->tp_status) & TP_STATUS_SEND_REQUEST))
		store_relaxed(&q->tx_slot, after);
}

/* Put as many frames into the kernel's ring as it has room for. Returns whether it is to be kicked. */
static bool tx_fill(const struct afpacket_map *m, uint32_t mtu, struct driver_queue *q, struct nic_ring *r, int *err)
{
	uint32_t slot = load_relaxed(&q->tx_slot) % m->tx_frame_nr;
	struct tx_frame f;
	bool any = false;
	int verdict;

	*err = 0;
	while (r->from != r->to) {
		struct tpacket2_hdr *h = tx_header(m, slot);
		bool alone = false;

		if (!tx_available(h))
			break;
		verdict = tx_frame_load(r, &f);
		if (verdict == -EAGAIN)
			break;
		if (verdict == DROP_REASONS)
			verdict = tx_frame_check(r, &f, mtu);
		if (verdict == DROP_REASONS && f.len > tx_room(m)) {
			/* Those in the ring go first. */
			if (afpacket_tx_left(m, q))
				return true;
			verdict = tx_frame_send(m, r, &f);
			if (verdict < 0) {
				*err = verdict;
				return false;
			}
			alone = true;
		}
		tx_frame_take(r, &f);
		if (verdict != DROP_REASONS) {
			r->drops[verdict]++;
			continue;
		}
		r->packets++;
		r->bytes += f.len;
		if (alone)
			continue;
		tx_frame_write(m, r, &f, h);
		/* The kernel sees the frame and its length before it sees the request. */
		store_release(&h->tp_status, TP_STATUS_SEND_REQUEST);
		slot = slot + 1 == m->tx_frame_nr ? 0 : slot + 1;
		store_relaxed(&q->tx_slot, slot);
		any = true;
	}
	return any;
}

/*
 * Let the kernel send what is in its ring. -EAGAIN if the device has no room now; frames then stay in the
 * ring, in order, for the next time.
 */
static int tx_kick(const struct afpacket_map *m, const struct driver_queue *q)
{
	uint32_t slot = load_relaxed(&q->tx_slot) % m->tx_frame_nr;
	const struct tpacket2_hdr *last = tx_header(m, slot ? slot - 1 : m->tx_frame_nr - 1);

	for (int i = 0; i < KICKS_MAX; i++) {
		if (!(load_acquire(&last->tp_status) & TP_STATUS_SEND_REQUEST))
			return 0;
		if (send(m->tx_fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno == EINTR)
			continue;
		switch (errno) {
		case ENETDOWN:
		case ENXIO:
			return -errno;
		default:
			return -EAGAIN;
		}
	}
	return -EAGAIN;
}

/* The receiving socket's error may be an old one, and is the receive side's to know as well. */
static int link_ask(const struct afpacket_map *m, uint32_t ifindex, struct driver_queue *q)
{
	int err = afpacket_link(m->rx_fd, ifindex);

	store_relaxed(&q->rx_error, ENETDOWN);
	return err ? err : -EAGAIN;
}

int afpacket_txsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	struct afpacket_map *m = map;
	uint32_t mtu = load_relaxed(&sh->mtu), ifindex = load_relaxed(&sh->ifindex);
	int err, alone;
	bool kick;

	if (load_relaxed(&q->tx_error)) {
		err = afpacket_link(m->tx_fd, ifindex);
		if (err)
			return err;
		store_relaxed(&q->tx_error, 0);
	}
	tx_resume(m, q);
	do {
		kick = tx_fill(m, mtu, q, r, &alone);
		err = tx_kick(m, q);
		if (alone == -ENETDOWN)
			alone = link_ask(m, ifindex, q);
		if (err == 0)
			err = alone;
	} while (kick && err == 0 && r->from != r->to);
	store_relaxed(&q->tx_waits, alone == -EAGAIN);
	if (err == -ENETDOWN || err == -ENXIO) {
		store_relaxed(&q->tx_error, (uint32_t)-err);
		return err;
	}
	return 0;
}
