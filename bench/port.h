/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A netmap port as the benchmark uses it, through the public API alone. Each
 * port has one ring pair; a station number stands for its MAC address.
 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <libnetmap.h>

#include "bench.h"

#define STATION_RECEIVER	1
#define STATION_SENDER		16	/* and 17 */
#define STATION_IDLE		256	/* and up */
#define STATION_ALL		0xffffffffu

struct bench_port {
	struct nmport_d *d;
	struct netmap_ring *tx;
	struct netmap_ring *rx;
	int other;		/* BENCH_MIXED: an eventfd that never fires; BENCH_EPOLL: the set; else -1 */
	enum bench_wait wait;
};

/*
 * Opens the receiver's (or a sender's, number index) port of a case, or a
 * network interface of the process's namespace, and prepares it for the case's way of waiting. Returns 0, or -1 with errno set
 * and, where the library gave one, a text in port_error().
 */
int port_open_receiver(struct bench_port *p, const struct bench_case *c, unsigned int index);
int port_open_sender(struct bench_port *p, const struct bench_case *c, unsigned int index);
int port_open_interface(struct bench_port *p, const struct bench_case *c, const char *ifname);
int port_open_idle(struct bench_port *p, const struct bench_case *c, unsigned int index);
/* A monitor of the case, of the receiver's port or the sender's; some process must have that open. */
int port_open_monitor(struct bench_port *p, const struct bench_case *c);
void port_close(struct bench_port *p);
const char *port_error(void);

/* Ethernet header from one station to another, 14 bytes. */
void frame_header(uint8_t header[BENCH_HEADER_LEN], uint32_t from, uint32_t to);

/* Writes the header into the buffer of every tx slot, so that a sender need not do it again. */
void port_prefill(const struct bench_port *p, uint32_t from, uint32_t to);

/* Sends one frame of 60 bytes, so that the switch learns from. Returns 0 or -1. */
int port_announce(const struct bench_port *p, uint32_t from, uint32_t to);

/*
 * Brings the rx ring up to date, waiting as the case says (up to 100 ms), and
 * returns the number of slots ready, 0 if none came, or -1 with errno set.
 */
int port_receive(struct bench_port *p);

#endif
