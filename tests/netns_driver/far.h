/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The surroundings of the driver under test: three network namespaces in a line, and plain sockets in them.
 *
 *   NS_B  b0 ---- a0  NS_A  a1 ---- c0  NS_C
 *
 * The driver opens a0 and a1; b0 and c0 belong to the kernel's stack, with the veth default offloads.
 */
#ifndef NETNS_DRIVER_FAR_H
#define NETNS_DRIVER_FAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NS_A, NS_B, NS_C, NS_COUNT };

#define FRAME_MAX	65600

/* Make the namespaces, as root. False if this machine cannot; *why says what is missing. */
bool surroundings_make(const char **why);
void surroundings_remove(void);

int ns_fd(int ns);
void ns_enter(int ns);		/* the calling process moves */
void ns_leave(void);		/* back to where it started */

/* Run a command in a namespace; ns < 0: in our own. Its exit status. */
int ns_run(int ns, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of the link between NS_A and NS_B, both ends. */
void link_mtu_set(unsigned mtu);

/* Does the output of a command in a namespace contain text? */
bool ns_shows(int ns, const char *command, const char *text);

/* A packet socket on an interface, which sees and sends whole frames. */
int far_open(int ns, const char *ifname);
void far_send(int fd, const void *frame, size_t len);
/* The next received frame with its VLAN tag in it; 0 if none came for timeout_ms. */
size_t far_recv(int fd, uint8_t *frame, int timeout_ms);

/* Does the kernel of NS_A answer an echo request from NS_B within timeout_ms? */
bool far_ping(int timeout_ms);

/* A file of captured frames. */
struct capture {
	uint8_t *data;
	size_t len, at;
};

bool capture_open(struct capture *c, const char *path);
const uint8_t *capture_next(struct capture *c, uint32_t *len);
void capture_close(struct capture *c);

#endif
