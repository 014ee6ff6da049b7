/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be found out about an interface without changing anything and without a privilege: facts, no
 * judgement. Who judges is vale-ctl's doctor.
 */
#ifndef DRIVERS_PROBE_H
#define DRIVERS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "ethtool.h"
#include "netlink.h"
#include "offloads.h"

enum probe_answer {
	PROBE_UNKNOWN = 0,
	PROBE_NO,
	PROBE_YES,
};

enum probe_kind {
	PROBE_DEVICE = 0,	/* hardware, or what looks like it (virtio) */
	PROBE_VETH,
	PROBE_TAP,
	PROBE_TUN,		/* no Ethernet headers */
	PROBE_LOOPBACK,
	PROBE_BRIDGE,
	PROBE_BOND,		/* or team */
	PROBE_MACVLAN,		/* or macvtap */
	PROBE_VLAN,
	PROBE_VIRTUAL,		/* any other without hardware: see link.kind */
};

/* Which kind of knowledge the answers on XDP come from. */
enum probe_source {
	PROBE_FROM_KERNEL,	/* the netdev family of generic netlink: Linux 6.3 */
	PROBE_FROM_TABLE,	/* of drivers by kernel version */
	PROBE_FROM_NOTHING,
};

struct probe_xdp {
	enum probe_source source;
	enum probe_answer native;	/* XDP in the driver, with redirection */
	enum probe_answer zerocopy;	/* AF_XDP without a copy */
	enum probe_answer fragments;	/* native XDP on frames longer than a buffer */
	bool sockets;			/* this kernel has AF_XDP at all */
	uint32_t program_id;		/* of the attached program, the native one first; 0: none */
	char program[32];		/* its name; empty: CAP_SYS_ADMIN is missing to ask */
};

/* Bits of struct probe_rights */
enum probe_capability {
	PROBE_CAP_NET_ADMIN = 1 << 0,
	PROBE_CAP_NET_RAW = 1 << 1,
	PROBE_CAP_BPF = 1 << 2,		/* or CAP_SYS_ADMIN */
	PROBE_CAP_SYS_ADMIN = 1 << 3,
	PROBE_CAP_IPC_LOCK = 1 << 4,
};

struct probe_rights {
	unsigned capabilities;		/* effective ones of this process */
	bool user_namespace;		/* not the first one: no BPF there, whatever the capabilities */
	uint64_t memlock;		/* RLIMIT_MEMLOCK in bytes, UINT64_MAX: none */
};

#define PROBE_IRQS_MAX	64

struct probe_irq {
	uint32_t number;
	char name[32];
	char cpus[32];			/* that it may run on: "0-3"; empty: not told */
};

struct probe {
	/* The system. */
	uint32_t kernel;		/* PROBE_KERNEL(major, minor) */
	bool bpffs;			/* mounted at /sys/fs/bpf */
	enum probe_answer tcx;		/* tc programs as links: Linux 6.6; before it, clsact filters */
	struct probe_rights rights;

	/* The interface. Nothing else is filled where it does not exist. */
	bool exists;
	enum probe_kind kind;
	struct netlink_link link;
	struct probe_xdp xdp;
	bool has_identity, has_queues, has_channels, has_rings, has_flow_control, has_offloads;
	struct ethtool_identity identity;
	uint32_t rx_queues, tx_queues;		/* in use */
	struct ethtool_channel_counts channels;
	struct ethtool_ring_sizes rings;
	struct ethtool_flow_control flow_control;
	struct offloads_saved offloads;		/* on now, would be switched off */
	char offloads_fixed[128];		/* on now, cannot be */
	unsigned irqs;
	struct probe_irq irq[PROBE_IRQS_MAX];
};

#define PROBE_KERNEL(major, minor)	((uint32_t)(major) << 16 | (uint32_t)(minor))

/*
 * Look at an interface of the namespace that netns_fd refers to (-1: the caller's own). 0, also if there is
 * none of that name; -errno if nothing can be looked at: -EPERM the namespace cannot be entered.
 */
int probe_interface(int netns_fd, const char *ifname, struct probe *out);

/* The parts, for the thread that is in the namespace. */
void probe_system(struct probe *p);
void probe_xdp(struct probe *p);
void probe_irqs(struct probe *p);

/*
 * What the table has on a driver (as ethtool -i names it) in this kernel, for the kernels that do not tell
 * themselves: fills source, native and zerocopy.
 */
void probe_xdp_by_table(const char *driver, uint32_t kernel, struct probe_xdp *x);

#endif
