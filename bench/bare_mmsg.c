/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare loop of sendmmsg and recvmmsg on packet sockets, see bare_nic.h.
 * FROZEN. Two system calls copy what the other bare loops share with the
 * kernel: a batch a call, past the queueing discipline.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare_nic.h"

#define SOCKET_BUFFER	(8 << 20)
#define WAIT_MS		100

struct bare_nic {
	struct bare_nic_params p;
	int fd;			/* -1: none */
	char *frames;		/* one chunk for each of a batch */
	struct mmsghdr *msgs;
	struct iovec *iov;
};

static void
mmsg_close(struct bare_nic *n)
{
	if (n->fd >= 0)
		close(n->fd);
	free(n->frames);
	free(n->msgs);
	free(n->iov);
	free(n);
}

static int
messages_make(struct bare_nic *n)
{
	n->frames = calloc(n->p.batch, BARE_NIC_CHUNK);
	n->msgs = calloc(n->p.batch, sizeof(*n->msgs));
	n->iov = calloc(n->p.batch, sizeof(*n->iov));
	if (n->frames == NULL || n->msgs == NULL || n->iov == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n->p.batch; i++) {
		n->iov[i].iov_base = n->frames + (size_t)i * BARE_NIC_CHUNK;
		n->iov[i].iov_len = n->p.receive ? BARE_NIC_CHUNK : n->p.len;
		n->msgs[i].msg_hdr.msg_iov = &n->iov[i];
		n->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

static int
options_set(const struct bare_nic *n)
{
	const int bytes = SOCKET_BUFFER, one = 1;

	if (setsockopt(n->fd, SOL_SOCKET, n->p.receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &bytes,
	    sizeof(bytes)) != 0)
		return -errno;
	return setsockopt(n->fd, SOL_PACKET, n->p.receive ? PACKET_IGNORE_OUTGOING : PACKET_QDISC_BYPASS, &one,
	    sizeof(one)) != 0 ? -errno : 0;
}

static int
mmsg_open_steps(struct bare_nic *n, const char **step)
{
	const struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_protocol = n->p.receive ? htons(ETH_P_ALL) : 0,
		.sll_ifindex = (int)if_nametoindex(n->p.ifname),
	};
	int ret = messages_make(n);

	if (ret != 0)
		return ret;
	*step = "finding the interface";
	if (sll.sll_ifindex == 0)
		return -ENXIO;
	*step = "packet socket";
	n->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	*step = "its options";
	ret = options_set(n);
	if (ret != 0)
		return ret;
	*step = "binding to the interface";
	return bind(n->fd, (const struct sockaddr *)&sll, sizeof(sll)) != 0 ? -errno : 0;
}

static int
mmsg_open(const struct bare_nic_params *p, struct bare_nic **out, const char **step)
{
	struct bare_nic *n = calloc(1, sizeof(*n));
	int ret;

	*step = "memory";
	if (n == NULL)
		return -ENOMEM;
	n->p = *p;
	n->fd = -1;
	ret = mmsg_open_steps(n, step);
	if (ret != 0)
		mmsg_close(n);
	else
		*out = n;
	return ret;
}

static int
sender_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	while (!bare_nic_stopped(stop)) {
		int count;

		for (unsigned int i = 0; i < n->p.batch; i++)
			memcpy(n->iov[i].iov_base, n->p.header, BARE_NIC_HEADER_LEN);
		count = sendmmsg(n->fd, n->msgs, n->p.batch, MSG_DONTWAIT);
		if (count > 0)
			bare_nic_count(packets, (uint64_t)count);
		else if (errno != EAGAIN && errno != ENOBUFS)
			return -errno;
	}
	return 0;
}

static int
receiver_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	struct pollfd pfd = { .fd = n->fd, .events = POLLIN };
	uint64_t sum = 0;

	while (!bare_nic_stopped(stop)) {
		int count = recvmmsg(n->fd, n->msgs, n->p.batch, MSG_DONTWAIT, NULL);

		if (count < 0 && errno != EAGAIN)
			return -errno;
		for (int i = 0; i < count; i++) {
			uint64_t word;

			memcpy(&word, n->iov[i].iov_base, sizeof(word));
			sum += word + n->msgs[i].msg_len;
		}
		if (count > 0)
			bare_nic_count(packets, (uint64_t)count);
		else if (n->p.block)
			poll(&pfd, 1, WAIT_MS);
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
	return 0;
}

static int
mmsg_run(struct bare_nic *n, const uint32_t *stop, uint64_t *packets)
{
	return n->p.receive ? receiver_run(n, stop, packets) : sender_run(n, stop, packets);
}

const struct bare_nic_ops bare_mmsg_ops = { .open = mmsg_open, .run = mmsg_run, .close = mmsg_close };
