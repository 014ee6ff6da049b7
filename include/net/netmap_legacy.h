/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requests that came before NIOCCTRL: NIOCGINFO and NIOCREGIF with struct nmreq, and NIOCCONFIG. They
 * keep working. Included by <net/netmap.h>, not by programs.
 */
#ifndef _NET_NETMAP_LEGACY_H_
#define _NET_NETMAP_LEGACY_H_

#ifndef _NET_NETMAP_H_
#error "include <net/netmap.h> instead"
#endif

struct nmreq {
	char	 nr_name[IFNAMSIZ];	/* the port, or switch:port */
	uint32_t nr_version;		/* NETMAP_API */
	uint32_t nr_offset;		/* out: of the netmap_if in the region */
	uint32_t nr_memsize;		/* out: bytes of the region */
	uint32_t nr_tx_slots;		/* in/out, like the next three */
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_ringid;		/* in: a ring, and the bits below */
	uint16_t nr_cmd;		/* in: NETMAP_BDG_* and others, 0 = none */
	uint16_t nr_arg1;		/* by nr_cmd */
	uint16_t nr_arg2;		/* in/out: memory region */
	uint32_t nr_arg3;		/* in/out: extra buffers */
	uint32_t nr_flags;		/* in: NR_REG_* and the NR_* flags */
	uint32_t spare2[1];
};

/* nr_ringid */
#define NETMAP_HW_RING		0x4000	/* one NIC ring */
#define NETMAP_SW_RING		0x2000	/* the host rings */
#define NETMAP_RING_MASK	0x0fff	/* number of the ring */
#define NETMAP_NO_TX_POLL	0x1000	/* as NR_NO_TX_POLL */
#define NETMAP_DO_RX_POLL	0x8000	/* as NR_DO_RX_POLL */

/* nr_cmd */
#define NETMAP_BDG_ATTACH	1
#define NETMAP_BDG_DETACH	2
#define NETMAP_BDG_REGOPS	3	/* not for programs */
#define NETMAP_BDG_LIST		4
#define NETMAP_BDG_VNET_HDR	5
#define NETMAP_BDG_NEWIF	6
#define NETMAP_BDG_DELIF	7
#define NETMAP_PT_HOST_CREATE	8	/* no longer supported */
#define NETMAP_PT_HOST_DELETE	9	/* no longer supported */
#define NETMAP_BDG_POLLING_ON	10
#define NETMAP_BDG_POLLING_OFF	11
#define NETMAP_VNET_HDR_GET	12

/* nr_arg1 of NETMAP_BDG_ATTACH */
#define NETMAP_BDG_HOST		1	/* the host rings as well */

/* nr_flags: these bits are an NR_REG_* mode, those above the NR_* flags */
#define NR_REG_MASK		0xf

/* Opaque configuration of a switch module. */
#define NM_IFRDATA_LEN		256
struct nm_ifreq {
	char nifr_name[IFNAMSIZ];
	char data[NM_IFRDATA_LEN];
};

#define NIOCGINFO	_IOWR('i', 145, struct nmreq)		/* what a port has */
#define NIOCREGIF	_IOWR('i', 146, struct nmreq)		/* bind to a port, or nr_cmd */
#define NIOCCONFIG	_IOWR('i', 150, struct nm_ifreq)

#endif /* _NET_NETMAP_LEGACY_H_ */
