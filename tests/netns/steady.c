/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steady IF		receives on a port, for ever, and says what it sees, a line for each change: "ready", "error" when
 *			poll reports POLLERR, "fine" when packets come again, "packets N" ten times a second while they
 *			come. SIGUSR1: closes the port and opens it again, "ready" or "refused".
 * steady IF send	sends a thousand frames a second by a packet socket, whatever becomes of the interface.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <libnetmap.h>

#define SAY_MS		100
#define ERROR_PAUSE_US	2000

static volatile sig_atomic_t again;

static void on_signal(int sig)
{
	(void)sig;
	again = 1;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

static int frames_send(const char *ifname)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname), .sll_halen = 6 };
	unsigned char frame[60] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || to.sll_ifindex == 0)
		return 1;
	for (;;) {
		if (sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == ENXIO)
			return 0;
		usleep(1000);
	}
}

static unsigned long rings_empty(struct nmport_d *d)
{
	unsigned long n = 0;

	for (unsigned i = d->first_rx_ring; i <= d->last_rx_ring; i++) {
		struct netmap_ring *r = NETMAP_RXRING(d->nifp, i);

		n += nm_ring_space(r);
		r->head = r->cur = r->tail;
	}
	return n;
}

static struct nmport_d *port_open(const char *name)
{
	struct nmport_d *d = nmport_open(name);

	puts(d ? "ready" : "refused");
	return d;
}

/* Until a signal. */
static void port_watch(struct nmport_d *d)
{
	struct pollfd pfd = { .fd = d->fd, .events = POLLIN };
	unsigned long packets = 0, fresh;
	long said = 0;
	bool bad = false;

	while (!again) {
		if (poll(&pfd, 1, -1) < 0)
			continue;
		if (pfd.revents & POLLERR) {
			if (!bad)
				puts("error");
			bad = true;
			usleep(ERROR_PAUSE_US);
		}
		fresh = rings_empty(d);
		if (fresh == 0)
			continue;
		packets += fresh;
		if (bad && !(pfd.revents & POLLERR)) {
			bad = false;
			puts("fine");
		}
		if (now_ms() - said < SAY_MS)
			continue;
		said = now_ms();
		printf("packets %lu\n", packets);
	}
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct nmport_d *d;
	char name[64];

	if (argc == 3 && strcmp(argv[2], "send") == 0)
		return frames_send(argv[1]);
	if (argc != 2)
		return 2;
	sigaction(SIGUSR1, &act, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(name, sizeof(name), "netmap:%s", argv[1]);
	d = port_open(name);
	if (!d)
		return 1;
	for (;;) {
		if (d)
			port_watch(d);
		else
			pause();
		again = 0;
		if (d)
			nmport_close(d);
		d = port_open(name);
	}
}
