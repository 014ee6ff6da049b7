/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pkt-gen sends to and receives from: a netmap port, a plain tap interface, a capture file, or nothing
 * at all. Errors are printed where they happen, with the port's name and what to change.
 */
#ifndef PKT_GEN_DEVICE_H
#define PKT_GEN_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/port_name.h"
#include "options.h"

struct nmport_d;
struct pcap_file;

enum device_kind { DEVICE_NETMAP, DEVICE_TAP, DEVICE_PCAP, DEVICE_NULL };

struct device {
	enum device_kind kind;
	char name[PORT_NAME_MAX];	/* complete */
	struct nmport_d **ports;	/* netmap: one for each thread */
	unsigned num_ports;
	int fd;				/* tap, non-blocking; else -1 */
	struct pcap_file *pcap;		/* read from, or written to */
	char ifname[64];		/* the real interface behind it, "" if there is none */
	uint8_t mac[MAC_LEN];		/* of ifname, else zeros */
	unsigned vnet_len;		/* before each frame, both directions */
};

/* The kind of device that a name means. Text only. */
enum device_kind device_kind_of(const char *name);

/*
 * Opens what o asks for, and checks that it can do it. Returns 0 or -errno after a message. Undone by
 * device_close().
 */
int device_open(struct device *d, const struct options *o);

/* Returns 0, or -EIO after a message if written data did not reach the file. */
int device_close(struct device *d);

/* Seconds to wait for a link after opening. */
unsigned device_link_wait(const struct device *d, const struct options *o);

/* One line or more about what was opened. */
void device_describe(const struct device *d, const struct options *o);

/*
 * Waits until the port p is ready for events (POLLIN, POLLOUT), for timeout_ms, or for a signal; syncs its
 * rings as poll() does. Returns 1 if ready, 0 if not, -errno after a message.
 */
int device_port_wait(const struct device *d, struct nmport_d *p, short events, int timeout_ms);

#endif
