/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passthrough of a netmap port to a virtual machine: the PCI devices and registers that a hypervisor offers
 * to its guest. All registers are 32 bits wide, offsets are in bytes from the start of the I/O BAR.
 *
 * The CSB entries, through which the two exchange ring pointers, and their helpers stand in <net/netmap.h>.
 */
#ifndef _NET_NETMAP_VIRT_H_
#define _NET_NETMAP_VIRT_H_

#include <net/netmap.h>

/* PCI identity and BARs */
#define PTNETMAP_PCI_VENDOR_ID		0x1b36
#define PTNETMAP_PCI_DEVICE_ID		0x000c	/* memory device */
#define PTNETMAP_PCI_NETIF_ID		0x000d	/* ptnet NIC */
#define PTNETMAP_IO_PCI_BAR		0	/* registers, both devices */
#define PTNETMAP_MEM_PCI_BAR		1	/* memory device: the region */
#define PTNETMAP_MSIX_PCI_BAR		2	/* ptnet NIC: interrupts */

/* Registers of the memory device: what POOLS_INFO_GET tells, of the host's region. */
#define PTNET_MDEV_IO_MEMSIZE_LO	0	/* bytes of the region */
#define PTNET_MDEV_IO_MEMSIZE_HI	4
#define PTNET_MDEV_IO_MEMID		8	/* id of the region on the host */
#define PTNET_MDEV_IO_IF_POOL_OFS	64	/* netmap_if pool: offset, number and size of objects */
#define PTNET_MDEV_IO_IF_POOL_OBJNUM	68
#define PTNET_MDEV_IO_IF_POOL_OBJSZ	72
#define PTNET_MDEV_IO_RING_POOL_OFS	76
#define PTNET_MDEV_IO_RING_POOL_OBJNUM	80
#define PTNET_MDEV_IO_RING_POOL_OBJSZ	84
#define PTNET_MDEV_IO_BUF_POOL_OFS	88
#define PTNET_MDEV_IO_BUF_POOL_OBJNUM	92
#define PTNET_MDEV_IO_BUF_POOL_OBJSZ	96
#define PTNET_MDEV_IO_END		100

/* Registers of the ptnet NIC */
#define PTNET_IO_PTFEAT			0	/* features: written by the guest, reads as what it got */
#define PTNET_IO_PTCTL			4	/* commands; reads as the status of the last one */
#define PTNET_IO_MAC_LO			8
#define PTNET_IO_MAC_HI			12
#define PTNET_IO_NIFP_OFS		24	/* of the netmap_if in the region */
#define PTNET_IO_NUM_TX_RINGS		28
#define PTNET_IO_NUM_RX_RINGS		32
#define PTNET_IO_NUM_TX_SLOTS		36
#define PTNET_IO_NUM_RX_SLOTS		40
#define PTNET_IO_VNET_HDR_LEN		44
#define PTNET_IO_HOSTMEMID		48	/* id of the region on the host */
#define PTNET_IO_CSB_GH_BAH		52	/* address of the guest-to-host CSB, high half first */
#define PTNET_IO_CSB_GH_BAL		56
#define PTNET_IO_CSB_HG_BAH		60	/* address of the host-to-guest CSB, high half first */
#define PTNET_IO_CSB_HG_BAL		64
#define PTNET_IO_KICK_BASE		128	/* one register for each ring, tx rings first */
#define PTNET_IO_KICK_STRIDE		4

/* PTFEAT */
#define PTNETMAP_F_VNET_HDR		(1 << 0)	/* packets carry a virtio-net header */

/* PTCTL */
#define PTNETMAP_PTCTL_CREATE		1	/* start the sync loop on the host */
#define PTNETMAP_PTCTL_DELETE		2	/* stop it */

#endif /* _NET_NETMAP_VIRT_H_ */
