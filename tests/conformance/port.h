/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports by open(2), ioctl(2) and mmap(2) alone, and frames to send through them. Functions without "try" in
 * their name fail the test when they cannot do what they say. A port belongs to one thread.
 */
#ifndef CONFORMANCE_PORT_H
#define CONFORMANCE_PORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <net/netmap_user.h>

#define FRAME_MIN	60
#define FRAME_ROOM	2048

struct port {
	int fd;
	char *mem;
	size_t size;
	struct netmap_if *nifp;
	struct nmreq_register reg;
};

/* open("/dev/netmap") */
int device_open(void);
/* Any request: 0 or -errno. body may be NULL. */
int request_try(int fd, uint16_t type, const char *name, void *body);
/*
 * REGISTER and mmap. want: NULL, or what is asked for; its nr_mode 0 means all NIC rings. 0 or -errno; then
 * nothing is left open.
 */
int port_try(struct port *p, const char *name, const struct nmreq_register *want);
void port_open(struct port *p, const char *name);
/* Ports a and b of the case's switch. */
void port_open_two(struct port *a, struct port *b);
/* Both ends of a pipe with so many slots in each ring. */
void port_open_pipe(struct port *m, struct port *s, uint32_t slots);
void port_open_as(struct port *p, const char *name, const struct nmreq_register *want);
/* REGISTER on a descriptor that is there, and mmap. */
void port_bind(struct port *p, int fd, const char *name);
void port_close(struct port *p);

struct netmap_ring *port_tx(const struct port *p, unsigned ring);
struct netmap_ring *port_rx(const struct port *p, unsigned ring);

/*
 * Number of the VALE port of this name on its switch; -1 if it is not there. Through a descriptor of its own.
 */
int vale_index(const char *name);

/* A name on a switch that no other case of this program uses. Valid until the fourth next call. */
const char *vale(const char *port);

/* Puts a frame into a tx ring; false: no room. No sync. */
bool port_put(struct port *p, const void *frame, size_t len);
/* Puts and syncs, waiting for room. */
void port_send(struct port *p, const void *frame, size_t len);
/* Takes a frame out of the rx ring, without a sync: its length, 0 if there is none. Single-slot frames. */
size_t port_take(struct port *p, void *frame);
/* The next frame: waits up to ms. 0: none came. */
size_t port_recv(struct port *p, void *frame, int ms);
void port_txsync(struct port *p);
void port_rxsync(struct port *p);
/*
 * poll(2) as libnetmap has it. ThreadSanitizer puts its own before it, and then takes no notice of atomics,
 * since it believes the thread asleep: all that they order would count as races.
 */
int poll_any(struct pollfd *fds, nfds_t n, int ms);
/* revents, with 0 for a timeout. */
short port_poll(const struct port *p, short events, int ms);

/* Puts a frame for everybody and syncs. */
void port_broadcast(struct port *p);

/* Frames that the receive rings of the port of this name have dropped for this reason ("no-room"). */
uint64_t port_drops(const char *name, const char *reason);

/*
 * A process that opens the port of this name, sends n frames to everybody after ms, and ends; the caller
 * joins it.
 */
pid_t send_later(const char *name, unsigned ms, unsigned n);

/*
 * An Ethernet frame of a private type, from and to the stations of these numbers (0xff: broadcast), with a
 * number in it, and the rest made from that number.
 */
void frame_make(void *frame, size_t len, unsigned dst, unsigned src, uint64_t number);
/* Is it one, unharmed? */
bool frame_good(const void *frame, size_t len);
uint64_t frame_number(const void *frame);
unsigned frame_source(const void *frame);

#endif
