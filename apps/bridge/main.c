/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge: connects two netmap ports, or a port and its host rings, so that what one receives the other sends.
 *
 * One thread serves both directions. It sleeps in poll() until the port that is the bottleneck of a direction
 * can go on: the source while it has nothing, the destination while it has no room.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../common/clock.h"
#include "../common/port_name.h"
#include "../common/stop.h"
#include "../common/units.h"
#include "bridge.h"
#include "forward.h"

/* Longest sleep without looking for the end. */
#define SLEEP_MS 500

struct bridge {
	struct bridge_options opt;
	char name[2][PORT_NAME_MAX];
	struct nmport_d *port[2];
	struct forward_path path[2];	/* from port[i] to the other one, or back to itself with -L */
	unsigned paths;
	uint64_t report_ns;		/* when the next line is due, with -v */
	uint64_t reported_ns;
	struct { uint64_t packets, bytes; } reported[2];
};

static const char *destination(const struct bridge *b, unsigned i)
{
	return b->name[b->opt.loopback ? i : !i];
}

static int names_complete(struct bridge *b)
{
	const struct bridge_options *o = &b->opt;
	int rc = port_name_complete(b->name[o->port[1] || o->loopback ? 0 : 1], PORT_NAME_MAX, o->port[0]);

	if (rc == 0 && o->port[1])
		rc = port_name_complete(b->name[1], PORT_NAME_MAX, o->port[1]);
	if (rc == 0 && !o->port[1] && !o->loopback)
		rc = port_name_host(b->name[0], PORT_NAME_MAX, b->name[1]);
	if (rc == -ENAMETOOLONG)
		fprintf(stderr, "bridge: %s: name too long\n", o->port[0]);
	else if (rc)
		fprintf(stderr, "bridge: %s: has no host rings to be bridged with: give two ports, or -L\n",
			b->name[1]);
	return rc;
}

static int port_open(struct bridge *b, unsigned i)
{
	struct nmport_d *d = nmport_open(b->name[i]);
	int err = errno;

	b->port[i] = d;
	if (!d) {
		fprintf(stderr, "bridge: %s: cannot open: %s: %s\n", b->name[i], strerror(err),
			port_open_advice(b->name[i], err));
		if (!b->opt.port[1] && !b->opt.loopback && i == 0)
			fprintf(stderr,
				"bridge: one port alone is bridged with its host rings; give two ports "
				"if this one has none\n");
		return -err;
	}
	if (b->opt.verbose)
		printf("%s: tx rings %u to %u, rx rings %u to %u, %u tx slots, %u rx slots, region %u\n",
		       b->name[i], d->first_tx_ring, d->last_tx_ring, d->first_rx_ring, d->last_rx_ring,
		       d->reg.nr_tx_slots, d->reg.nr_rx_slots, d->reg.nr_mem_id);
	return 0;
}

static bool has_rings(unsigned first, unsigned last)
{
	return first <= last && last != UINT16_MAX;
}

static int path_init(struct bridge *b, unsigned i)
{
	struct nmport_d *from = b->port[i], *to = b->port[b->opt.loopback ? i : !i];

	if (!has_rings(from->first_rx_ring, from->last_rx_ring) ||
	    !has_rings(to->first_tx_ring, to->last_tx_ring)) {
		fprintf(stderr, "bridge: %s to %s: a ring for that is missing: leave /R and /T away\n",
			b->name[i], destination(b, i));
		return -EINVAL;
	}
	forward_path_init(&b->path[i], from, to, b->opt.copy);
	return 0;
}

static int ports_open(struct bridge *b)
{
	unsigned ports = b->opt.loopback ? 1 : 2;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ports; i++)
		rc = port_open(b, i);
	for (unsigned i = 0; rc == 0 && i < ports; i++)
		rc = path_init(b, i);
	b->paths = ports;
	return rc;
}

static void link_wait(const struct bridge *b)
{
	bool links = false;

	for (unsigned i = 0; i < b->paths; i++)
		links |= !port_name_is_virtual(b->name[i]);
	if (b->opt.wait > 0 || (b->opt.wait < 0 && links)) {
		unsigned seconds = b->opt.wait < 0 ? WAIT_DEFAULT : (unsigned)b->opt.wait;

		printf("Waiting %u seconds for the links (-w)\n", seconds);
		stop_sleep(seconds);
	}
}

static void flags_print(const char *name, const char *kind, const struct netmap_ring *ring)
{
	if (ring->flags)
		printf("%s: %s ring %u has flags %#x\n", name, kind, ring->ringid, ring->flags);
}

/* With -v once, and when a port has failed: what stands in the rings' flags. */
static void ring_flags_print(const struct bridge *b)
{
	for (unsigned i = 0; i < b->paths; i++) {
		const struct nmport_d *d = b->port[i];

		for (unsigned r = d->first_rx_ring; r <= d->last_rx_ring; r++)
			flags_print(b->name[i], "rx", NETMAP_RXRING(d->nifp, r));
		for (unsigned r = d->first_tx_ring; r <= d->last_tx_ring; r++)
			flags_print(b->name[i], "tx", NETMAP_TXRING(d->nifp, r));
	}
}

static void report_line(struct bridge *b, uint64_t now)
{
	double seconds = (double)(now - b->reported_ns) / (double)NS_PER_SEC;

	for (unsigned i = 0; i < b->paths; i++) {
		const struct forward_path *p = &b->path[i];

		printf("%s%s -> %s: %spps %sbps", i ? ", " : "", b->name[i], destination(b, i),
		       units_format((double)(p->packets - b->reported[i].packets) / seconds, false).s,
		       units_format(8.0 * (double)(p->bytes - b->reported[i].bytes) / seconds, false).s);
		b->reported[i].packets = p->packets;
		b->reported[i].bytes = p->bytes;
	}
	printf("\n");
	b->reported_ns = now;
	b->report_ns = now + NS_PER_SEC;
}

/* Prints a line if it is time for one. Returns how long poll() may sleep, in milliseconds. */
static int report_due(struct bridge *b)
{
	uint64_t now;

	if (!b->opt.verbose)
		return SLEEP_MS;
	now = clock_now_ns();
	if (now >= b->report_ns)
		report_line(b, now);
	if (b->report_ns - now >= SLEEP_MS * NS_PER_MS)
		return SLEEP_MS;
	return (int)((b->report_ns - now) / NS_PER_MS) + 1;
}

static int poll_failed(const struct bridge *b, const struct pollfd *pfd)
{
	for (unsigned i = 0; i < b->paths; i++) {
		if (pfd[i].revents & (POLLERR | POLLHUP | POLLNVAL))
			fprintf(stderr,
				"bridge: %s: the port has failed (poll reports %#x): its interface or "
				"netmapd is gone, or a ring was refused; the log of netmapd has the reason\n",
				b->name[i], (unsigned)pfd[i].revents);
	}
	ring_flags_print(b);
	return -EIO;
}

/*
 * Waits for what each direction lacks. Each poll() returns released slots and collects new ones on the ports
 * it asks for POLLIN; transmit rings were synced before.
 */
static int bridge_wait(struct bridge *b, const enum forward_state *state)
{
	struct pollfd pfd[2];
	bool failed = false;
	int n;

	for (unsigned i = 0; i < b->paths; i++)
		pfd[i] = (struct pollfd){ .fd = b->port[i]->fd };
	for (unsigned i = 0; i < b->paths; i++) {
		if (state[i] == FORWARD_IDLE)
			pfd[i].events |= POLLIN;
		else
			pfd[b->opt.loopback ? i : !i].events |= POLLOUT;
	}
	n = poll(pfd, b->paths, report_due(b));
	if (n < 0 && errno != EINTR) {
		n = -errno;
		fprintf(stderr, "bridge: poll: %s\n", strerror(-n));
		return n;
	}
	for (unsigned i = 0; n > 0 && i < b->paths; i++)
		failed |= (pfd[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
	return failed ? poll_failed(b, pfd) : 0;
}

static int bridge_loop(struct bridge *b)
{
	enum forward_state state[2] = { FORWARD_IDLE, FORWARD_IDLE };
	int rc = 0;

	b->reported_ns = clock_now_ns();
	b->report_ns = b->reported_ns + NS_PER_SEC;
	while (rc == 0 && !stop_requested) {
		rc = bridge_wait(b, state);
		for (unsigned i = 0; rc == 0 && i < b->paths; i++) {
			uint64_t before = b->path[i].packets;

			state[i] = forward_path_run(&b->path[i], b->opt.burst);
			if (b->path[i].packets != before)
				ioctl(b->path[i].to->fd, NIOCTXSYNC);
		}
	}
	/* The last slots go back to their senders. */
	for (unsigned i = 0; i < b->paths; i++)
		ioctl(b->path[i].from->fd, NIOCRXSYNC);
	return rc;
}

static void totals_print(const struct bridge *b)
{
	for (unsigned i = 0; i < b->paths; i++) {
		const struct forward_path *p = &b->path[i];

		printf("%s -> %s: %llu packets %llu bytes", b->name[i], destination(b, i),
		       (unsigned long long)p->packets, (unsigned long long)p->bytes);
		if (p->oversize)
			printf(", %llu dropped: more slots than a ring has", (unsigned long long)p->oversize);
		if (p->damaged)
			printf(", %llu dropped: bad slots", (unsigned long long)p->damaged);
		printf("\n");
	}
}

static int bridge_run(struct bridge *b)
{
	int rc = names_complete(b);

	if (rc)
		return rc;
	rc = ports_open(b);
	if (rc)
		goto out_close;
	for (unsigned i = 0; i < b->paths; i++)
		printf("%s -> %s: %s\n", b->name[i], destination(b, i),
		       b->path[i].zero_copy ? "buffers are exchanged (same region)" : "packets are copied");
	if (b->opt.verbose)
		ring_flags_print(b);
	link_wait(b);
	rc = bridge_loop(b);
	totals_print(b);
out_close:
	nmport_close(b->port[1]);
	nmport_close(b->port[0]);
	return rc;
}

int main(int argc, char **argv)
{
	static struct bridge b;
	int rc = bridge_options_parse(&b.opt, argc, argv, stdout, stderr);

	if (rc)
		return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	/* Lines appear when they are printed, also in a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	stop_install();
	return bridge_run(&b) ? EXIT_FAILURE : EXIT_SUCCESS;
}
