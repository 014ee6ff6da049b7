/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs of host rings are told before they are loaded: their read-only data. */
#ifndef DRIVERS_BPF_HOST_TC_H
#define DRIVERS_BPF_HOST_TC_H

#include <linux/types.h>

/*
 * Generic XDP looks at what is redirected to an interface as well, and cannot see marks. Where it is ours,
 * frames for the stack come with this in front of them, and it takes it off. As long as it is, it looks
 * like an Ethernet header.
 */
struct host_label {
	__u8 bytes[16];
};

/* host_tc.bpf.c */
struct host_tc_config {
	__u32 mark;		/* of frames on their way */
	__u32 nic_ifindex;
	__u32 near_ifindex;
	__u32 labelled;
	__u32 mark_seen;	/* of frames that the interface's ingress sees for the sake of its taps */
	__u32 look;		/* such a copy is made if anybody but we has a tap there */
	__u32 own_taps;		/* 0 or 1 */
	struct host_label label;
};

/* Marks are odd: this is the even one beside it. */
#define HOST_MARK_SEEN(mark)	((mark) - 1)

static inline struct host_label host_label_make(__u32 mark)
{
	return (struct host_label){ {
		0x02, 'n', 'm', mark & 0xff, mark >> 8 & 0xff, mark >> 16 & 0xff,
		0x02, 'n', 'm', mark >> 24, 'h', 'r',
		0x88, 0xb5,	/* for local experiments */
	} };
}

#endif
