/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare loop over a packet socket's mapped ring, see bare_nic.h. FROZEN.
 *
 * A receiver reads TPACKET_V3 blocks (8 MiB in all, given up after a
 * millisecond if they do not fill), a sender fills TPACKET_V2 frames and goes
 * past the queueing discipline.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare_nic.h"

#define RX_BLOCK_SIZE	(128u << 10)
#define RX_BLOCKS	64u
#define RX_TIMEOUT_MS	1
#define TX_BLOCK_SIZE	(64u << 10)
#define TX_DATA_OFFSET	(TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))
#define SEND_BUFFER	(2 << 20)
#define WAIT_MS		100

struct bare_nic {
	struct bare_nic_params p;
	int fd;			/* -1: none */
	char *map;
	size_t map_size;
	uint32_t at;		/* next block or frame */
};

static int
option_set(const struct bare_nic *n, int name, const void *value, socklen_t size)
{
	return setsockopt(n->fd, SOL_PACKET, name, value, size) != 0 ? -errno : 0;
}

static int
option_set_int(const struct bare_nic *n, int name, int value)
{
	return option_set(n, name, &value, sizeof(value));
}

static int
rx_ring_make(struct bare_nic *n)
{
	const struct tpacket_req3 req = {
		.tp_block_size = RX_BLOCK_SIZE, .tp_block_nr = RX_BLOCKS, .tp_frame_size = BARE_NIC_CHUNK,
		.tp_frame_nr = RX_BLOCKS * (RX_BLOCK_SIZE / BARE_NIC_CHUNK),
		.tp_retire_blk_tov = RX_TIMEOUT_MS,
	};
	int ret = option_set_int(n, PACKET_VERSION, TPACKET_V3);

	if (ret == 0)
		ret = option_set_int(n, PACKET_IGNORE_OUTGOING, 1);
	n->map_size = (size_t)RX_BLOCK_SIZE * RX_BLOCKS;
	return ret != 0 ? ret : option_set(n, PACKET_RX_RING, &req, sizeof(req));
}

static int
tx_ring_make(struct bare_nic *n)
{
	const struct tpacket_req req = {
		.tp_block_size = TX_BLOCK_SIZE, .tp_block_nr = n->p.slots / (TX_BLOCK_SIZE / BARE_NIC_CHUNK),
		.tp_frame_size = BARE_NIC_CHUNK, .tp_frame_nr = n->p.slots,
	};
	const int bytes = SEND_BUFFER;
	int ret = option_set_int(n, PACKET_VERSION, TPACKET_V2);

	if (ret == 0)
		ret = option_set_int(n, PACKET_QDISC_BYPASS, 1);
	if (ret == 0 && setsockopt(n->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		ret = -errno;
	n->map_size = (size_t)n->p.slots * BARE_NIC_CHUNK;
	return ret != 0 ? ret : option_set(n, PACKET_TX_RING, &req, sizeof(req));
}

static int
socket_bind(const struct bare_nic *n)
{
	const struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_protocol = n->p.receive ? htons(ETH_P_ALL) : 0,
		.sll_ifindex = (int)if_nametoindex(n->p.ifname),
	};

	if (sll.sll_ifindex == 0)
		return -errno;
	return bind(n->fd, (const struct sockaddr *)&sll, sizeof(sll)) != 0 ? -errno : 0;
}

static void
packet_close(struct bare_nic *n)
{
	if (n->map != NULL)
		munmap(n->map, n->map_size);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
}

static int
packet_open_steps(struct bare_nic *n, const char **step)
{
	int ret;

	*step = "packet socket";
	n->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	*step = "its ring";
	ret = n->p.receive ? rx_ring_make(n) : tx_ring_make(n);
	if (ret != 0)
		return ret;
	n->map = mmap(NULL, n->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, n->fd, 0);
	if (n->map == MAP_FAILED) {
		n->map = NULL;
		return -errno;
	}
	*step = "binding to the interface";
	return socket_bind(n);
}

static int
packet_open(const struct bare_nic_params *p, struct bare_nic **out, const char **step)
{
	struct bare_nic *n = calloc(1, sizeof(*n));
	int ret;

	*step = "memory";
	if (n == NULL)
		return -ENOMEM;
	n->p = *p;
	n->fd = -1;
	ret = packet_open_steps(n, step);
	if (ret != 0)
		packet_close(n);
	else
		*out = n;
	return ret;
}

/* Fills up to a batch of frames that the kernel has let go of. */
static uint32_t
frames_put(struct bare_nic *n)
{
	uint32_t count;

	for (count = 0; count < n->p.batch; count++) {
		struct tpacket2_hdr *h = (struct tpacket2_hdr *)(n->map + (size_t)n->at * BARE_NIC_CHUNK);

		if ((__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) &
		    (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)) != 0)
			break;
		memcpy((char *)h + TX_DATA_OFFSET, n->p.header, BARE_NIC_HEADER_LEN);
		h->tp_len = n->p.len;
		/* release: the frame is seen before the request */
		__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		n->at = (n->at + 1) & (n->p.slots - 1);
	}
	return count;
}

static int
sender_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	while (!bare_nic_stopped(stop)) {
		uint32_t count = frames_put(n);

		if (send(n->fd, NULL, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		bare_nic_count(packets, count);
	}
	return 0;
}

/* Reads the next block if the kernel has let go of it, and gives it back. Returns its packets. */
static uint32_t
block_take(struct bare_nic *n, uint64_t *sum)
{
	struct tpacket_block_desc *block = (struct tpacket_block_desc *)(n->map + (size_t)n->at * RX_BLOCK_SIZE);
	struct tpacket_hdr_v1 *head = &block->hdr.bh1;
	const char *at = (const char *)block;
	uint32_t count;
	uint64_t acc = 0;

	/* acquire: the block is read after the kernel has let go of it */
	if ((__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
		return 0;
	count = head->num_pkts;
	at += head->offset_to_first_pkt;
	for (uint32_t i = 0; i < count; i++) {
		const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)at;
		uint64_t word;

		memcpy(&word, at + h->tp_mac, sizeof(word));
		acc += word + h->tp_snaplen;
		at += h->tp_next_offset;
	}
	*sum += acc;
	/* release: our reading is over before the kernel writes there again */
	__atomic_store_n(&head->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	n->at = (n->at + 1) % RX_BLOCKS;
	return count;
}

static int
receiver_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	struct pollfd pfd = { .fd = n->fd, .events = POLLIN };
	uint64_t sum = 0;

	while (!bare_nic_stopped(stop)) {
		uint32_t count = block_take(n, &sum);

		if (count > 0)
			bare_nic_count(packets, count);
		else if (n->p.block)
			poll(&pfd, 1, WAIT_MS);
		else
			bare_nic_relax();
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
	return 0;
}

static int
packet_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	return n->p.receive ? receiver_run(n, stop, packets) : sender_run(n, stop, packets);
}

const struct bare_nic_ops bare_packet_ops = { .open = packet_open, .run = packet_run, .close = packet_close };
