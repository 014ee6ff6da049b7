/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every size, offset, constant and ioctl number of the ABI, as compile-time assertions for LP64. Included,
 * after the headers under test, by a hosted C, a freestanding C and a C++ translation unit: all three must
 * agree.
 */
#include <stddef.h>

#ifdef __cplusplus
#define ABI_TRUE(cond)		static_assert(cond, #cond)
#else
#define ABI_TRUE(cond)		_Static_assert(cond, #cond)
#endif
#define ABI_SIZE(type, n)	ABI_TRUE(sizeof(struct type) == (n))
#define ABI_ALIGN(type, n)	ABI_TRUE(__alignof__(struct type) == (n))
#define ABI_OFF(type, field, n)	ABI_TRUE(offsetof(struct type, field) == (n))
#define ABI_FIELD(type, field, n, size) \
	ABI_OFF(type, field, n); \
	ABI_TRUE(sizeof(((struct type *)0)->field) == (size))
#define ABI_IS(expr, n)		ABI_TRUE((expr) == (n))

/* ---- versions, limits, ioctl numbers ---- */
ABI_IS(NIOCGINFO, 0xc03c6991);
ABI_IS(NIOCREGIF, 0xc03c6992);
ABI_IS(NIOCTXSYNC, 0x6994);
ABI_IS(NIOCRXSYNC, 0x6995);
ABI_IS(NIOCCONFIG, 0xc1106996);
ABI_IS(NIOCCTRL, 0xc0586997);
ABI_IS(NETMAP_API, 14);
ABI_IS(NETMAP_MIN_API, 14);
ABI_IS(NETMAP_MAX_API, 15);
ABI_IS(NM_CACHE_ALIGN, 128);
ABI_IS(NETMAP_MAX_FRAGS, 64);
ABI_IS(NETMAP_REQ_MAXSIZE, 4096);
ABI_IS(NETMAP_REQ_IFNAMSIZ, 64);
ABI_IS(IFNAMSIZ, 16);
ABI_IS(sizeof(NM_BDG_NAME), 5);
ABI_IS(sizeof(struct timeval), 16);
ABI_IS(sizeof(ssize_t), 8);

/* ---- shared memory ---- */
ABI_SIZE(netmap_slot, 16);
ABI_ALIGN(netmap_slot, 8);
ABI_FIELD(netmap_slot, buf_idx, 0, 4);
ABI_FIELD(netmap_slot, len, 4, 2);
ABI_FIELD(netmap_slot, flags, 6, 2);
ABI_FIELD(netmap_slot, ptr, 8, 8);
ABI_IS(NS_BUF_CHANGED, 0x0001);
ABI_IS(NS_REPORT, 0x0002);
ABI_IS(NS_FORWARD, 0x0004);
ABI_IS(NS_NO_LEARN, 0x0008);
ABI_IS(NS_INDIRECT, 0x0010);
ABI_IS(NS_MOREFRAG, 0x0020);
ABI_IS(NS_TXMON, 0x0040);
ABI_IS(NS_PORT_SHIFT, 8);
ABI_IS(NS_PORT_MASK, 0xff00);

ABI_SIZE(netmap_ring, 256);
ABI_ALIGN(netmap_ring, 128);
ABI_FIELD(netmap_ring, buf_ofs, 0, 8);
ABI_FIELD(netmap_ring, num_slots, 8, 4);
ABI_FIELD(netmap_ring, nr_buf_size, 12, 4);
ABI_FIELD(netmap_ring, ringid, 16, 2);
ABI_FIELD(netmap_ring, dir, 18, 2);
ABI_FIELD(netmap_ring, head, 20, 4);
ABI_FIELD(netmap_ring, cur, 24, 4);
ABI_FIELD(netmap_ring, tail, 28, 4);
ABI_FIELD(netmap_ring, flags, 32, 4);
ABI_FIELD(netmap_ring, ts, 40, 16);
ABI_FIELD(netmap_ring, offset_mask, 56, 8);
ABI_FIELD(netmap_ring, buf_align, 64, 8);
ABI_FIELD(netmap_ring, sem, 128, 128);
ABI_OFF(netmap_ring, slot, 256);
ABI_IS(NR_TIMESTAMP, 0x0002);
ABI_IS(NR_FORWARD, 0x0004);

ABI_SIZE(netmap_if, 56);
ABI_ALIGN(netmap_if, 8);
ABI_FIELD(netmap_if, ni_name, 0, 16);
ABI_FIELD(netmap_if, ni_version, 16, 4);
ABI_FIELD(netmap_if, ni_flags, 20, 4);
ABI_FIELD(netmap_if, ni_tx_rings, 24, 4);
ABI_FIELD(netmap_if, ni_rx_rings, 28, 4);
ABI_FIELD(netmap_if, ni_bufs_head, 32, 4);
ABI_FIELD(netmap_if, ni_host_tx_rings, 36, 4);
ABI_FIELD(netmap_if, ni_host_rx_rings, 40, 4);
ABI_FIELD(netmap_if, ni_spare1, 44, 12);
ABI_OFF(netmap_if, ring_ofs, 56);
ABI_IS(NI_PRIV_MEM, 0x1);

ABI_SIZE(nm_csb_atok, 64);
ABI_FIELD(nm_csb_atok, head, 0, 4);
ABI_FIELD(nm_csb_atok, cur, 4, 4);
ABI_FIELD(nm_csb_atok, appl_need_kick, 8, 4);
ABI_FIELD(nm_csb_atok, sync_flags, 12, 4);
ABI_FIELD(nm_csb_atok, pad, 16, 48);
ABI_SIZE(nm_csb_ktoa, 64);
ABI_FIELD(nm_csb_ktoa, hwcur, 0, 4);
ABI_FIELD(nm_csb_ktoa, hwtail, 4, 4);
ABI_FIELD(nm_csb_ktoa, kern_need_kick, 8, 4);
ABI_FIELD(nm_csb_ktoa, pad, 12, 52);

/* ---- requests ---- */
ABI_SIZE(nmreq_header, 88);
ABI_FIELD(nmreq_header, nr_version, 0, 2);
ABI_FIELD(nmreq_header, nr_reqtype, 2, 2);
ABI_FIELD(nmreq_header, nr_reserved, 4, 4);
ABI_FIELD(nmreq_header, nr_name, 8, 64);
ABI_FIELD(nmreq_header, nr_options, 72, 8);
ABI_FIELD(nmreq_header, nr_body, 80, 8);

ABI_IS(NETMAP_REQ_REGISTER, 1);
ABI_IS(NETMAP_REQ_PORT_INFO_GET, 2);
ABI_IS(NETMAP_REQ_VALE_ATTACH, 3);
ABI_IS(NETMAP_REQ_VALE_DETACH, 4);
ABI_IS(NETMAP_REQ_VALE_LIST, 5);
ABI_IS(NETMAP_REQ_PORT_HDR_SET, 6);
ABI_IS(NETMAP_REQ_PORT_HDR_GET, 7);
ABI_IS(NETMAP_REQ_VALE_NEWIF, 8);
ABI_IS(NETMAP_REQ_VALE_DELIF, 9);
ABI_IS(NETMAP_REQ_VALE_POLLING_ENABLE, 10);
ABI_IS(NETMAP_REQ_VALE_POLLING_DISABLE, 11);
ABI_IS(NETMAP_REQ_POOLS_INFO_GET, 12);
ABI_IS(NETMAP_REQ_SYNC_KLOOP_START, 13);
ABI_IS(NETMAP_REQ_SYNC_KLOOP_STOP, 14);
ABI_IS(NETMAP_REQ_CSB_ENABLE, 15);

ABI_SIZE(nmreq_register, 56);
ABI_FIELD(nmreq_register, nr_offset, 0, 8);
ABI_FIELD(nmreq_register, nr_memsize, 8, 8);
ABI_FIELD(nmreq_register, nr_tx_slots, 16, 4);
ABI_FIELD(nmreq_register, nr_rx_slots, 20, 4);
ABI_FIELD(nmreq_register, nr_tx_rings, 24, 2);
ABI_FIELD(nmreq_register, nr_rx_rings, 26, 2);
ABI_FIELD(nmreq_register, nr_host_tx_rings, 28, 2);
ABI_FIELD(nmreq_register, nr_host_rx_rings, 30, 2);
ABI_FIELD(nmreq_register, nr_mem_id, 32, 2);
ABI_FIELD(nmreq_register, nr_ringid, 34, 2);
ABI_FIELD(nmreq_register, nr_mode, 36, 4);
ABI_FIELD(nmreq_register, nr_extra_bufs, 40, 4);
ABI_FIELD(nmreq_register, nr_flags, 48, 8);

ABI_IS(NR_REG_DEFAULT, 0);
ABI_IS(NR_REG_ALL_NIC, 1);
ABI_IS(NR_REG_SW, 2);
ABI_IS(NR_REG_NIC_SW, 3);
ABI_IS(NR_REG_ONE_NIC, 4);
ABI_IS(NR_REG_PIPE_MASTER, 5);
ABI_IS(NR_REG_PIPE_SLAVE, 6);
ABI_IS(NR_REG_NULL, 7);
ABI_IS(NR_REG_ONE_SW, 8);
ABI_IS(NR_MONITOR_TX, 0x100);
ABI_IS(NR_MONITOR_RX, 0x200);
ABI_IS(NR_ZCOPY_MON, 0x400);
ABI_IS(NR_EXCLUSIVE, 0x800);
ABI_IS(NR_RX_RINGS_ONLY, 0x2000);
ABI_IS(NR_TX_RINGS_ONLY, 0x4000);
ABI_IS(NR_ACCEPT_VNET_HDR, 0x8000);
ABI_IS(NR_DO_RX_POLL, 0x10000);
ABI_IS(NR_NO_TX_POLL, 0x20000);

ABI_SIZE(nmreq_port_info_get, 32);
ABI_FIELD(nmreq_port_info_get, nr_memsize, 0, 8);
ABI_FIELD(nmreq_port_info_get, nr_tx_slots, 8, 4);
ABI_FIELD(nmreq_port_info_get, nr_rx_slots, 12, 4);
ABI_FIELD(nmreq_port_info_get, nr_tx_rings, 16, 2);
ABI_FIELD(nmreq_port_info_get, nr_rx_rings, 18, 2);
ABI_FIELD(nmreq_port_info_get, nr_host_tx_rings, 20, 2);
ABI_FIELD(nmreq_port_info_get, nr_host_rx_rings, 22, 2);
ABI_FIELD(nmreq_port_info_get, nr_mem_id, 24, 2);
ABI_FIELD(nmreq_port_info_get, pad, 26, 6);

ABI_SIZE(nmreq_vale_attach, 64);
ABI_FIELD(nmreq_vale_attach, reg, 0, 56);
ABI_FIELD(nmreq_vale_attach, port_index, 56, 4);
ABI_SIZE(nmreq_vale_detach, 8);
ABI_FIELD(nmreq_vale_detach, port_index, 0, 4);
ABI_SIZE(nmreq_vale_list, 8);
ABI_FIELD(nmreq_vale_list, nr_bridge_idx, 0, 2);
ABI_FIELD(nmreq_vale_list, nr_port_idx, 4, 4);
ABI_SIZE(nmreq_port_hdr, 8);
ABI_FIELD(nmreq_port_hdr, nr_hdr_len, 0, 4);

ABI_SIZE(nmreq_vale_newif, 16);
ABI_FIELD(nmreq_vale_newif, nr_tx_slots, 0, 4);
ABI_FIELD(nmreq_vale_newif, nr_rx_slots, 4, 4);
ABI_FIELD(nmreq_vale_newif, nr_tx_rings, 8, 2);
ABI_FIELD(nmreq_vale_newif, nr_rx_rings, 10, 2);
ABI_FIELD(nmreq_vale_newif, nr_mem_id, 12, 2);

ABI_SIZE(nmreq_vale_polling, 16);
ABI_FIELD(nmreq_vale_polling, nr_mode, 0, 4);
ABI_FIELD(nmreq_vale_polling, nr_first_cpu_id, 4, 4);
ABI_FIELD(nmreq_vale_polling, nr_num_polling_cpus, 8, 4);
ABI_IS(NETMAP_POLLING_MODE_SINGLE_CPU, 1);
ABI_IS(NETMAP_POLLING_MODE_MULTI_CPU, 2);

ABI_SIZE(nmreq_pools_info, 64);
ABI_FIELD(nmreq_pools_info, nr_memsize, 0, 8);
ABI_FIELD(nmreq_pools_info, nr_mem_id, 8, 2);
ABI_FIELD(nmreq_pools_info, nr_if_pool_offset, 16, 8);
ABI_FIELD(nmreq_pools_info, nr_if_pool_objtotal, 24, 4);
ABI_FIELD(nmreq_pools_info, nr_if_pool_objsize, 28, 4);
ABI_FIELD(nmreq_pools_info, nr_ring_pool_offset, 32, 8);
ABI_FIELD(nmreq_pools_info, nr_ring_pool_objtotal, 40, 4);
ABI_FIELD(nmreq_pools_info, nr_ring_pool_objsize, 44, 4);
ABI_FIELD(nmreq_pools_info, nr_buf_pool_offset, 48, 8);
ABI_FIELD(nmreq_pools_info, nr_buf_pool_objtotal, 56, 4);
ABI_FIELD(nmreq_pools_info, nr_buf_pool_objsize, 60, 4);

ABI_SIZE(nmreq_sync_kloop_start, 8);
ABI_FIELD(nmreq_sync_kloop_start, sleep_us, 0, 4);

/* ---- options ---- */
ABI_SIZE(nmreq_option, 24);
ABI_FIELD(nmreq_option, nro_next, 0, 8);
ABI_FIELD(nmreq_option, nro_reqtype, 8, 4);
ABI_FIELD(nmreq_option, nro_status, 12, 4);
ABI_FIELD(nmreq_option, nro_size, 16, 8);
ABI_IS(NETMAP_REQ_OPT_EXTMEM, 1);
ABI_IS(NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, 2);
ABI_IS(NETMAP_REQ_OPT_CSB, 3);
ABI_IS(NETMAP_REQ_OPT_SYNC_KLOOP_MODE, 4);
ABI_IS(NETMAP_REQ_OPT_OFFSETS, 5);
ABI_IS(NETMAP_REQ_OPT_MAX, 6);

ABI_SIZE(nmreq_opt_extmem, 96);
ABI_FIELD(nmreq_opt_extmem, nro_opt, 0, 24);
ABI_FIELD(nmreq_opt_extmem, nro_usrptr, 24, 8);
ABI_FIELD(nmreq_opt_extmem, nro_info, 32, 64);
ABI_SIZE(nmreq_opt_sync_kloop_eventfds, 24);
ABI_FIELD(nmreq_opt_sync_kloop_eventfds, nro_opt, 0, 24);
ABI_FIELD(nmreq_opt_sync_kloop_eventfds, eventfds[0], 24, 8);
ABI_FIELD(nmreq_opt_sync_kloop_eventfds, eventfds[0].ioeventfd, 24, 4);
ABI_FIELD(nmreq_opt_sync_kloop_eventfds, eventfds[0].irqfd, 28, 4);
ABI_SIZE(nmreq_opt_csb, 40);
ABI_FIELD(nmreq_opt_csb, nro_opt, 0, 24);
ABI_FIELD(nmreq_opt_csb, csb_atok, 24, 8);
ABI_FIELD(nmreq_opt_csb, csb_ktoa, 32, 8);
ABI_SIZE(nmreq_opt_sync_kloop_mode, 32);
ABI_FIELD(nmreq_opt_sync_kloop_mode, nro_opt, 0, 24);
ABI_FIELD(nmreq_opt_sync_kloop_mode, mode, 24, 4);
ABI_IS(NM_OPT_SYNC_KLOOP_DIRECT_TX, 1);
ABI_IS(NM_OPT_SYNC_KLOOP_DIRECT_RX, 2);
ABI_SIZE(nmreq_opt_offsets, 56);
ABI_FIELD(nmreq_opt_offsets, nro_opt, 0, 24);
ABI_FIELD(nmreq_opt_offsets, nro_max_offset, 24, 8);
ABI_FIELD(nmreq_opt_offsets, nro_initial_offset, 32, 8);
ABI_FIELD(nmreq_opt_offsets, nro_offset_bits, 40, 4);
ABI_FIELD(nmreq_opt_offsets, nro_tx_align, 44, 4);
ABI_FIELD(nmreq_opt_offsets, nro_min_gap, 48, 8);

/* ---- legacy requests ---- */
ABI_SIZE(nmreq, 60);
ABI_FIELD(nmreq, nr_name, 0, 16);
ABI_FIELD(nmreq, nr_version, 16, 4);
ABI_FIELD(nmreq, nr_offset, 20, 4);
ABI_FIELD(nmreq, nr_memsize, 24, 4);
ABI_FIELD(nmreq, nr_tx_slots, 28, 4);
ABI_FIELD(nmreq, nr_rx_slots, 32, 4);
ABI_FIELD(nmreq, nr_tx_rings, 36, 2);
ABI_FIELD(nmreq, nr_rx_rings, 38, 2);
ABI_FIELD(nmreq, nr_ringid, 40, 2);
ABI_FIELD(nmreq, nr_cmd, 42, 2);
ABI_FIELD(nmreq, nr_arg1, 44, 2);
ABI_FIELD(nmreq, nr_arg2, 46, 2);
ABI_FIELD(nmreq, nr_arg3, 48, 4);
ABI_FIELD(nmreq, nr_flags, 52, 4);
ABI_FIELD(nmreq, spare2, 56, 4);
ABI_SIZE(nm_ifreq, 272);
ABI_FIELD(nm_ifreq, nifr_name, 0, 16);
ABI_FIELD(nm_ifreq, data, 16, 256);
ABI_IS(NM_IFRDATA_LEN, 256);
ABI_IS(NETMAP_HW_RING, 0x4000);
ABI_IS(NETMAP_SW_RING, 0x2000);
ABI_IS(NETMAP_RING_MASK, 0x0fff);
ABI_IS(NETMAP_NO_TX_POLL, 0x1000);
ABI_IS(NETMAP_DO_RX_POLL, 0x8000);
ABI_IS(NETMAP_BDG_ATTACH, 1);
ABI_IS(NETMAP_BDG_DETACH, 2);
ABI_IS(NETMAP_BDG_REGOPS, 3);
ABI_IS(NETMAP_BDG_LIST, 4);
ABI_IS(NETMAP_BDG_VNET_HDR, 5);
ABI_IS(NETMAP_BDG_NEWIF, 6);
ABI_IS(NETMAP_BDG_DELIF, 7);
ABI_IS(NETMAP_PT_HOST_CREATE, 8);
ABI_IS(NETMAP_PT_HOST_DELETE, 9);
ABI_IS(NETMAP_BDG_POLLING_ON, 10);
ABI_IS(NETMAP_BDG_POLLING_OFF, 11);
ABI_IS(NETMAP_VNET_HDR_GET, 12);
ABI_IS(NETMAP_BDG_HOST, 1);
ABI_IS(NR_REG_MASK, 0xf);

/* ---- passthrough devices (netmap_virt.h) ---- */
ABI_IS(PTNETMAP_PCI_VENDOR_ID, 0x1b36);
ABI_IS(PTNETMAP_PCI_DEVICE_ID, 0x000c);
ABI_IS(PTNETMAP_PCI_NETIF_ID, 0x000d);
ABI_IS(PTNETMAP_IO_PCI_BAR, 0);
ABI_IS(PTNETMAP_MEM_PCI_BAR, 1);
ABI_IS(PTNETMAP_MSIX_PCI_BAR, 2);
ABI_IS(PTNET_MDEV_IO_MEMSIZE_LO, 0);
ABI_IS(PTNET_MDEV_IO_MEMSIZE_HI, 4);
ABI_IS(PTNET_MDEV_IO_MEMID, 8);
ABI_IS(PTNET_MDEV_IO_IF_POOL_OFS, 64);
ABI_IS(PTNET_MDEV_IO_IF_POOL_OBJNUM, 68);
ABI_IS(PTNET_MDEV_IO_IF_POOL_OBJSZ, 72);
ABI_IS(PTNET_MDEV_IO_RING_POOL_OFS, 76);
ABI_IS(PTNET_MDEV_IO_RING_POOL_OBJNUM, 80);
ABI_IS(PTNET_MDEV_IO_RING_POOL_OBJSZ, 84);
ABI_IS(PTNET_MDEV_IO_BUF_POOL_OFS, 88);
ABI_IS(PTNET_MDEV_IO_BUF_POOL_OBJNUM, 92);
ABI_IS(PTNET_MDEV_IO_BUF_POOL_OBJSZ, 96);
ABI_IS(PTNET_IO_PTFEAT, 0);
ABI_IS(PTNET_IO_PTCTL, 4);
ABI_IS(PTNET_IO_MAC_LO, 8);
ABI_IS(PTNET_IO_MAC_HI, 12);
ABI_IS(PTNET_IO_NIFP_OFS, 24);
ABI_IS(PTNET_IO_NUM_TX_RINGS, 28);
ABI_IS(PTNET_IO_NUM_RX_RINGS, 32);
ABI_IS(PTNET_IO_NUM_TX_SLOTS, 36);
ABI_IS(PTNET_IO_NUM_RX_SLOTS, 40);
ABI_IS(PTNET_IO_VNET_HDR_LEN, 44);
ABI_IS(PTNET_IO_HOSTMEMID, 48);
ABI_IS(PTNET_IO_CSB_GH_BAH, 52);
ABI_IS(PTNET_IO_CSB_GH_BAL, 56);
ABI_IS(PTNET_IO_CSB_HG_BAH, 60);
ABI_IS(PTNET_IO_CSB_HG_BAL, 64);
ABI_IS(PTNET_IO_KICK_BASE, 128);
ABI_IS(PTNET_IO_KICK_STRIDE, 4);
ABI_IS(PTNETMAP_F_VNET_HDR, 1);
ABI_IS(PTNETMAP_PTCTL_CREATE, 1);
ABI_IS(PTNETMAP_PTCTL_DELETE, 2);

/* ---- netmap_user.h, where there is a libc ---- */
#ifdef NETMAP_WITH_LIBS
ABI_SIZE(nm_pkthdr, 56);
ABI_FIELD(nm_pkthdr, ts, 0, 16);
ABI_FIELD(nm_pkthdr, caplen, 16, 4);
ABI_FIELD(nm_pkthdr, len, 20, 4);
ABI_FIELD(nm_pkthdr, flags, 24, 8);
ABI_FIELD(nm_pkthdr, d, 32, 8);
ABI_FIELD(nm_pkthdr, slot, 40, 8);
ABI_FIELD(nm_pkthdr, buf, 48, 8);
ABI_IS(NM_MORE_PKTS, 1);

ABI_SIZE(nm_desc, 760);
ABI_FIELD(nm_desc, self, 0, 8);
ABI_FIELD(nm_desc, fd, 8, 4);
ABI_FIELD(nm_desc, mem, 16, 8);
ABI_FIELD(nm_desc, memsize, 24, 8);
ABI_FIELD(nm_desc, done_mmap, 32, 4);
ABI_FIELD(nm_desc, nifp, 40, 8);
ABI_FIELD(nm_desc, first_tx_ring, 48, 2);
ABI_FIELD(nm_desc, last_tx_ring, 50, 2);
ABI_FIELD(nm_desc, cur_tx_ring, 52, 2);
ABI_FIELD(nm_desc, first_rx_ring, 54, 2);
ABI_FIELD(nm_desc, last_rx_ring, 56, 2);
ABI_FIELD(nm_desc, cur_rx_ring, 58, 2);
ABI_FIELD(nm_desc, req, 60, 60);
ABI_FIELD(nm_desc, hdr, 120, 56);
ABI_FIELD(nm_desc, some_ring, 176, 8);
ABI_FIELD(nm_desc, buf_start, 184, 8);
ABI_FIELD(nm_desc, buf_end, 192, 8);
ABI_FIELD(nm_desc, snaplen, 200, 4);
ABI_FIELD(nm_desc, promisc, 204, 4);
ABI_FIELD(nm_desc, to_ms, 208, 4);
ABI_FIELD(nm_desc, errbuf, 216, 8);
ABI_FIELD(nm_desc, if_flags, 224, 4);
ABI_FIELD(nm_desc, if_reqcap, 228, 4);
ABI_FIELD(nm_desc, if_curcap, 232, 4);
ABI_FIELD(nm_desc, st, 236, 12);
ABI_FIELD(nm_desc, msg, 248, 512);
ABI_IS(NM_ERRBUF_SIZE, 512);
ABI_IS(NM_OPEN_NO_MMAP, 0x040000);
ABI_IS(NM_OPEN_IFNAME, 0x080000);
ABI_IS(NM_OPEN_ARG1, 0x100000);
ABI_IS(NM_OPEN_ARG2, 0x200000);
ABI_IS(NM_OPEN_ARG3, 0x400000);
ABI_IS(NM_OPEN_RING_CFG, 0x800000);
#endif
