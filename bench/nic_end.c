/* SPDX-License-Identifier: BSD-2-Clause */
/* Senders and receivers on interfaces, see nic_end.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netmap_stats.h>

#include "clock.h"
#include "crew.h"
#include "loop.h"
#include "nic_end.h"
#include "port.h"

/* Descriptors of the bare loops' rings. */
#define XDP_SLOTS	2048
#define XDP_SLOTS_SHARED	8192	/* of a receiver that shares its CPU: what comes in a time slice of the others' */
#define PACKET_SLOTS	1024

#define BUSY_WAIT_NS	5000000ull
#define BUSY_MAX_NS	2000000000ull

static const struct bare_nic_ops *const bare_ops[] = {
	[NIC_XDP] = &bare_xdp_ops, [NIC_PACKET] = &bare_packet_ops, [NIC_MMSG] = &bare_mmsg_ops,
};

static int
bare_role(struct crew_seat *seat, const struct nic_link *link, bool receive)
{
	const struct bed_end *end = receive ? &link->rx : &link->tx;
	const enum nic_means means = receive ? link->rx_means : link->tx_means;
	const struct bare_nic_ops *ops = bare_ops[means];
	struct bare_nic_params p = {
		.ifname = end->ifname, .receive = receive, .block = link->block, .xdp_mode = link->xdp_mode,
		.len = link->c->len, .batch = link->c->batch,
		.slots = means != NIC_XDP ? PACKET_SLOTS : receive && link->block ? XDP_SLOTS_SHARED : XDP_SLOTS,
	};
	const uint64_t give_up = clock_ns() + BUSY_MAX_NS;
	struct bare_nic *n;
	const char *step;
	int ret;

	frame_header(p.header, link->tx.station, link->rx.station);
	/* the kernel lets go of a queue some time after its socket was closed */
	do {
		ret = ops->open(&p, &n, &step);
		if (ret == -EBUSY)
			clock_sleep_ns(BUSY_WAIT_NS);
	} while (ret == -EBUSY && clock_ns() < give_up);
	if (ret != 0)
		return crew_fail(seat, "bare loop on %s: %s: %s", p.ifname, step, strerror(-ret));
	crew_ready(seat);
	ret = ops->run(n, &seat->shared->stop, &seat->me->packets);
	ops->close(n);
	return ret == 0 ? 0 : crew_fail(seat, "bare loop on %s: %s", p.ifname, strerror(-ret));
}

static int
netmap_role(struct crew_seat *seat, const struct nic_link *link, bool receive)
{
	const struct bed_end *end = receive ? &link->rx : &link->tx;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	int ret;

	if (port_open_interface(&port, link->c, end->ifname) != 0) {
		const int err = errno;
		const char *why = netmap_last_error();

		return crew_fail(seat, "%.110s: %s", why[0] != '\0' ? why : end->ifname, strerror(err));
	}
	frame_header(header, link->tx.station, link->rx.station);
	if (!receive)
		port_prefill(&port, link->tx.station, link->rx.station);
	crew_ready(seat);
	ret = receive ? loop_receive(seat, &port, 1, link->c) : loop_send(seat, &port, link->c, header);
	port_close(&port);
	return ret;
}

/* One broadcast frame, so that a switch on the way learns where the receiver is. */
static int
receiver_announce(const struct bed_end *end)
{
	const struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(end->ifname),
	};
	uint8_t frame[60] = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ret = 0;

	if (fd < 0)
		return -errno;
	frame_header(frame, end->station, STATION_ALL);
	if (sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&sll, sizeof(sll)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int
receiver_role(struct crew_seat *seat)
{
	const struct nic_link *link = seat->arg;
	int ret = bed_enter(link->bed, link->rx.space);

	if (ret == 0 && link->rx_means != NIC_NETMAP)
		ret = receiver_announce(&link->rx);
	if (ret != 0)
		return crew_fail(seat, "receiver on %s: %s", link->rx.ifname, strerror(-ret));
	return link->rx_means == NIC_NETMAP ? netmap_role(seat, link, true) : bare_role(seat, link, true);
}

static int
sender_role(struct crew_seat *seat)
{
	const struct nic_link *link = seat->arg;
	int ret = bed_enter(link->bed, link->tx.space);

	if (ret != 0)
		return crew_fail(seat, "sender on %s: %s", link->tx.ifname, strerror(-ret));
	return link->tx_means == NIC_NETMAP ? netmap_role(seat, link, false) : bare_role(seat, link, false);
}

int
nic_link_measure(struct nic_link *link, struct rate *rate)
{
	const struct cores *cores = &link->o->cores;
	struct crew crew;
	int ret = crew_init(&crew), stopped;

	if (ret != 0)
		goto out;
	ret = crew_add(&crew, receiver_role, link, cores->rx, CREW_ALONE);
	if (ret == 0)
		ret = crew_add(&crew, sender_role, link, cores->tx[0], CREW_ALONE);
	if (ret == 0)
		rate_count(&crew, 1, link->o->seconds, rate);
	if (ret == 0 && link->ask != NULL && instance_port_mode(link->ask, link->mode) != 0)
		snprintf(link->mode, sizeof(link->mode), "unknown mode");
	stopped = crew_stop(&crew);
	if (ret == 0)
		ret = stopped;
	if (ret == 0)
		rate_add_cpu(&crew, 1, rate);
	if (ret == 0 && rate->rx_pps <= 0) {
		snprintf(crew.message, sizeof(crew.message), "nothing arrived at %s", link->rx.ifname);
		ret = -EIO;
	}
	crew_fini(&crew);
out:
	if (ret != 0)
		snprintf(link->bed->message, sizeof(link->bed->message), "%s", crew.message);
	return ret;
}
