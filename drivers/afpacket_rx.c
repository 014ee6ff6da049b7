/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_PACKET, data side: receiving.
 *
 * The kernel hands over blocks of packets. The position within them lies in the shared queue state,
 * advanced after the frames it stands for are in the caller's slots, so that another process can go on
 * from there. A packet may stand for many frames (segmentation); rx_segment tells how many of them have
 * been delivered. Slots are hostile, and so are the kernel's ring and the queue state, since other
 * processes can write both: every offset is checked against the block.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "afpacket.h"
#include "deliver.h"

/* One packet of a block, checked. */
struct rx_packet {
	struct vnet_frag frame;		/* in the kernel's ring */
	uint8_t vnet[VNET_HDR_LEN];
	bool tagged, cut;
	uint16_t tpid, tci;
	uint32_t next;			/* offset of the following packet from this one */
	uint32_t sec, usec;
};

static struct tpacket_block_desc *block_at(const struct afpacket_map *m, uint32_t block)
{
	return (void *)(m->rx + (size_t)block * m->rx_block_size);
}

/* Read the packet at offset in a block. -EIO if it does not lie within. */
static int packet_load(const struct afpacket_map *m, uint32_t block, uint32_t offset, struct rx_packet *p)
{
	const uint8_t *base = (const uint8_t *)block_at(m, block) + offset;
	const struct tpacket3_hdr *h = (const void *)base;
	uint32_t room, status, mac, len;

	if (offset % 8 || offset > m->rx_block_size - sizeof(*h))
		return -EIO;
	room = m->rx_block_size - offset;
	mac = load_relaxed(&h->tp_mac);
	len = load_relaxed(&h->tp_snaplen);
	if (mac < sizeof(*h) + VNET_HDR_LEN || mac > room || len > room - mac)
		return -EIO;
	status = load_relaxed(&h->tp_status);
	p->frame = (struct vnet_frag){ base + mac, len };
	p->cut = len < load_relaxed(&h->tp_len);
	__builtin_memcpy(p->vnet, base + mac - VNET_HDR_LEN, VNET_HDR_LEN);
	p->tagged = status & TP_STATUS_VLAN_VALID;
	p->tci = (uint16_t)load_relaxed(&h->hv1.tp_vlan_tci);
	p->tpid = status & TP_STATUS_VLAN_TPID_VALID ? load_relaxed(&h->hv1.tp_vlan_tpid) : TYPE_VLAN;
	p->next = load_relaxed(&h->tp_next_offset);
	p->sec = load_relaxed(&h->tp_sec);
	p->usec = load_relaxed(&h->tp_nsec) / 1000;
	return 0;
}

/* True if the packet is done with, false if there is no room for its frame *segment. */
static bool packet_take(const struct rx_packet *p, uint32_t mtu, struct nic_ring *r, uint32_t *segment)
{
	struct vnet_source src = {
		.hdr = p->vnet, .hdr_len = VNET_HDR_LEN, .frags = &p->frame, .nfrags = 1,
		.tag_insert = p->tagged, .tag_tpid = p->tpid, .tag_tci = p->tci,
		.max_frame = mtu + ETH_HEADER,
	};

	if (p->cut || p->frame.len < ETH_HEADER) {
		r->drops[p->cut ? DROP_TOO_LONG : DROP_RUNT]++;
		return true;
	}
	return packet_deliver(r, &src, segment);
}

/* What the kernel dropped since it was last asked, for want of room in its ring. */
static void losses_count(const struct afpacket_map *m, struct driver_queue *q, struct nic_ring *r)
{
	struct tpacket_stats_v3 stats;
	socklen_t len = sizeof(stats);

	store_relaxed(&q->rx_stats_due, 0);
	if (getsockopt(m->rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		r->drops[DROP_DEVICE] += stats.tp_drops;
}

/* Start on the current block. False if it is still the kernel's. */
static bool block_open(const struct afpacket_map *m, struct driver_queue *q, uint32_t block,
		       struct nic_ring *r)
{
	struct tpacket_block_desc *b = block_at(m, block);
	/* Acquire: what is in the block is read after the kernel has let go of it. */
	uint32_t status = load_acquire(&b->hdr.bh1.block_status);

	if (!(status & TP_STATUS_USER))
		return false;
	if (status & TP_STATUS_LOSING)
		losses_count(m, q, r);
	store_relaxed(&q->rx_segment, 0);
	store_relaxed(&q->rx_offset, load_relaxed(&b->hdr.bh1.offset_to_first_pkt));
	store_relaxed(&q->rx_left, load_relaxed(&b->hdr.bh1.num_pkts));
	return true;
}

/*
 * Emptied first: if we die on the way, whoever comes to this block again finds nothing in it and just
 * lets go.
 */
static void block_release(const struct afpacket_map *m, struct driver_queue *q, uint32_t block)
{
	struct tpacket_hdr_v1 *h = &block_at(m, block)->hdr.bh1;

	store_relaxed(&h->num_pkts, 0);
	store_relaxed(&q->rx_left, 0);
	store_relaxed(&q->rx_block, block + 1 == m->rx_block_nr ? 0 : block + 1);
	store_relaxed(&q->rx_stats_due, 1);
	/* Release: all reading of the block is over before the kernel may write to it. */
	store_release(&h->block_status, TP_STATUS_KERNEL);
}

/* Deliver the packets of the current block. True if all of them were, false if room ran out. */
static bool block_read(const struct afpacket_map *m, struct driver_queue *q, uint32_t block, uint32_t mtu,
		       struct nic_ring *r)
{
	uint32_t left = load_relaxed(&q->rx_left), offset = load_relaxed(&q->rx_offset);
	uint32_t segment = load_relaxed(&q->rx_segment);
	struct rx_packet p;
	bool done = true;

	if (left > m->rx_block_size / sizeof(struct tpacket3_hdr))
		left = 0;	/* no block holds so many: the shared state is spoilt */
	while (left) {
		if (packet_load(m, block, offset, &p) < 0) {
			r->drops[DROP_BAD_HEADER]++;
			left = 0;
			break;
		}
		done = packet_take(&p, mtu, r, &segment);
		r->ts_sec = p.sec;
		r->ts_usec = p.usec;
		if (!done)
			break;
		offset += p.next;
		segment = 0;
		left--;
	}
	store_relaxed(&q->rx_segment, segment);
	store_relaxed(&q->rx_offset, offset);
	store_relaxed(&q->rx_left, left);
	return done;
}

/* Nothing to read: is that because the link is dead? */
static int link_check(struct afpacket_map *m, const struct driver_shared *sh, struct driver_queue *q)
{
	socklen_t len = sizeof(int);
	int err = 0;

	/* Reading a socket's error takes its cache line from who is receiving into it just now. */
	if (!load_relaxed(&q->rx_error) &&
	    (!moment_passed(&m->link_asked) ||
	     getsockopt(m->rx_fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err == 0))
		return 0;
	err = afpacket_link(m->rx_fd, load_relaxed(&sh->ifindex));
	store_relaxed(&q->rx_error, (uint32_t)-err);
	return err;
}

int afpacket_rxsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	struct afpacket_map *m = map;
	uint32_t mtu = load_relaxed(&sh->mtu), block;

	while (r->from != r->to) {
		block = load_relaxed(&q->rx_block) % m->rx_block_nr;
		if (load_relaxed(&q->rx_left) == 0 && !block_open(m, q, block, r)) {
			if (load_relaxed(&q->rx_stats_due))
				losses_count(m, q, r);
			return link_check(m, sh, q);
		}
		if (!block_read(m, q, block, mtu, r))
			break;
		block_release(m, q, block);
	}
	return 0;
}
