/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_forward PORT: stands between an interface and its host stack without touching a packet ("netmap:eth0*").
 * Every slot is released as it came, with NS_FORWARD; the rings have NR_FORWARD. Ends with SIGINT or SIGTERM,
 * or when the port fails.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnetmap.h>

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static unsigned ring_release(struct netmap_ring *r)
{
	unsigned n = 0;

	for (; !nm_ring_empty(r); n++) {
		r->slot[r->head].flags |= NS_FORWARD;
		r->head = r->cur = nm_ring_next(r, r->head);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	unsigned long up = 0, down = 0;
	struct nmport_d *d;
	struct pollfd pfd;
	int rc = 0;

	if (argc != 2)
		return 2;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	d = nmport_open(argv[1]);
	if (!d) {
		fprintf(stderr, "host_forward: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (unsigned i = d->first_rx_ring; i <= d->last_rx_ring; i++)
		NETMAP_RXRING(d->nifp, i)->flags |= NR_FORWARD;
	printf("ready\n");
	fflush(stdout);
	pfd = (struct pollfd){ .fd = d->fd, .events = POLLIN };
	while (!stop && rc == 0) {
		if (poll(&pfd, 1, 500) < 0 && errno != EINTR)
			rc = 1;
		if (pfd.revents & (POLLERR | POLLHUP | POLLNVAL))
			rc = 1;
		for (unsigned i = d->first_rx_ring; i <= d->last_rx_ring; i++) {
			unsigned n = ring_release(NETMAP_RXRING(d->nifp, i));

			*(i < d->nifp->ni_rx_rings ? &up : &down) += n;
		}
	}
	printf("up %lu down %lu\n", up, down);
	nmport_close(d);
	return rc;
}
