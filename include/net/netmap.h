/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The netmap ABI, version 14: shared-memory structures (slots, rings, interfaces, CSB entries), the NIOCCTRL
 * requests with their options, and the ioctl numbers. Everything here is shared between programs and the host
 * that implements netmap, and never changes size or offset.
 *
 * Programs normally include <net/netmap_user.h> or <libnetmap.h>, which include this file.
 *
 * A build without system headers defines NETMAP_ABI_TYPES and, before including this file, the types and
 * macros that the includes below would have brought in.
 */
#ifndef _NET_NETMAP_H_
#define _NET_NETMAP_H_

#include <stddef.h>
#include <stdint.h>

#ifndef NETMAP_ABI_TYPES
#include <sys/types.h>		/* ssize_t */
#include <sys/time.h>		/* struct timeval */
#include <sys/ioctl.h>		/* _IO, _IOWR */
#ifndef IFNAMSIZ		/* also in <linux/if.h>, which does not bear <net/if.h> after it */
#include <net/if.h>
#endif
#ifndef IFNAMSIZ
#define IFNAMSIZ	16
#endif
#endif /* NETMAP_ABI_TYPES */

#define NETMAP_API		14	/* what programs put in version fields */
#define NETMAP_MIN_API		14	/* NIOCCTRL accepts MIN..MAX */
#define NETMAP_MAX_API		15

#define NM_CACHE_ALIGN		128	/* alignment of a ring, and of its scratch area */
#define NETMAP_MAX_FRAGS	64	/* slots in one packet */
#define NETMAP_REQ_IFNAMSIZ	64	/* port name in a request, with its NUL */
#define NETMAP_REQ_MAXSIZE	4096	/* body and options of a request, in bytes */
#define NM_BDG_NAME		"vale"	/* prefix of switch names */

/*
 * Fields that only the host writes are const for programs. The host's own code defines NETMAP_HOST_SIDE
 * before the first inclusion.
 */
#ifdef NETMAP_HOST_SIDE
#define NM_HOST_CONST
#else
#define NM_HOST_CONST		const
#endif

/*
 * ---- Shared memory ----
 *
 * A region holds three pools, [netmap_if][rings][buffers]. Everything is found by offsets: a REGISTER request
 * tells where the netmap_if is, that one where its rings are, a ring where its buffers are.
 *
 *   netmap_if = region + nr_offset
 *   ring      = netmap_if + ring_ofs[i]
 *   buffer    = ring + buf_ofs + buf_idx * nr_buf_size
 */

/* One packet, or one fragment of it. */
struct netmap_slot {
	uint32_t buf_idx;	/* buffer of this slot; 0 and 1 are reserved */
	uint16_t len;		/* bytes in use */
	uint16_t flags;		/* NS_* */
	uint64_t ptr;		/* indirect buffer, or offset, or the program's own */
};

#define NS_BUF_CHANGED	0x0001	/* buf_idx was changed by the program */
#define NS_REPORT	0x0002	/* tell when this slot has been sent */
#define NS_FORWARD	0x0004	/* pass on to the other side (host or NIC) when released */
#define NS_NO_LEARN	0x0008	/* the switch shall not learn this source address */
#define NS_INDIRECT	0x0010	/* tx on a switch: the data are at address ptr of the program */
#define NS_MOREFRAG	0x0020	/* the packet continues in the next slot */
#define NS_TXMON	0x0040	/* in a monitor: seen on the way out */

/* High byte of flags: destination port on tx, number of fragments on rx. */
#define NS_PORT_SHIFT	8
#define NS_PORT_MASK	(0xff << NS_PORT_SHIFT)
#define NS_RFRAGS(slot)	(((slot)->flags >> NS_PORT_SHIFT) & 0xff)

/*
 * A ring of num_slots slots. The program owns head .. tail-1 (circular); one slot always stays empty.
 *
 *   head  moved forward by the program: what is before it is given to the host (tx: send it, rx: reuse it)
 *   cur   between head and tail: the wake-up point, poll() blocks only while cur == tail
 *   tail  written by the host, in system calls of the program only
 *
 * A ring starts at a multiple of NM_CACHE_ALIGN.
 */
struct netmap_ring {
	NM_HOST_CONST int64_t	buf_ofs;	/* from this ring to buffer 0 */
	NM_HOST_CONST uint32_t	num_slots;	/* need not be a power of two */
	NM_HOST_CONST uint32_t	nr_buf_size;	/* bytes */
	NM_HOST_CONST uint16_t	ringid;		/* among NIC, then host rings of one direction */
	NM_HOST_CONST uint16_t	dir;		/* 0 receive, 1 transmit */

	uint32_t		head;		/* program */
	uint32_t		cur;		/* program */
	uint32_t		tail;		/* host */
	uint32_t		flags;		/* program: NR_TIMESTAMP, NR_FORWARD */
	uint32_t		pad1;

	struct timeval		ts;		/* host: time of the last rx sync */

	NM_HOST_CONST uint64_t	offset_mask;	/* bits of slot.ptr that hold an offset, 0 = no offsets */
	NM_HOST_CONST uint64_t	buf_align;	/* alignment that the port needs, 0 = none */

	/* The program's own; the host never touches it. */
	uint8_t			sem[128] __attribute__((__aligned__(NM_CACHE_ALIGN)));

	__extension__ struct netmap_slot slot[];
};

/* flags of a ring */
#define NR_TIMESTAMP	0x0002	/* set ts on each rx sync, also if the host does not by default */
#define NR_FORWARD	0x0004	/* obey NS_FORWARD in this ring */

/* True if there is nothing the program may use. */
static inline int
nm_ring_empty(const struct netmap_ring *ring)
{
	return ring->head == ring->tail;
}

/* What one descriptor sees of a port. */
struct netmap_if {
	char			ni_name[IFNAMSIZ];	/* name of the port, may be cut */
	NM_HOST_CONST uint32_t	ni_version;
	NM_HOST_CONST uint32_t	ni_flags;		/* NI_* */
	NM_HOST_CONST uint32_t	ni_tx_rings;		/* without the host rings */
	NM_HOST_CONST uint32_t	ni_rx_rings;
	/*
	 * First of a list of extra buffers, 0 = empty. The first word of a buffer is the index of the next
	 * one. What is on the list when the descriptor goes is freed.
	 */
	uint32_t		ni_bufs_head;
	NM_HOST_CONST uint32_t	ni_host_tx_rings;	/* at least 1, also where there are none */
	NM_HOST_CONST uint32_t	ni_host_rx_rings;
	uint32_t		ni_spare1[3];
	/*
	 * From this structure to each ring, in the order NIC tx, host tx, NIC rx, host rx. 0 = not bound to
	 * this descriptor.
	 */
	__extension__ NM_HOST_CONST ssize_t ring_ofs[];
};

#define NI_PRIV_MEM	0x1	/* flags: the port has a memory region of its own */

/*
 * ---- Communication status block ----
 *
 * In CSB mode head, cur and tail of a ring are exchanged through a pair of these entries in the program's
 * memory.
 */

/* Written by the application, read by the host. */
struct nm_csb_atok {
	uint32_t head;
	uint32_t cur;
	uint32_t appl_need_kick;	/* not 0: signal the irqfd when there is news */
	uint32_t sync_flags;		/* passed to the sync */
	uint32_t pad[12];
};

/* Written by the host, read by the application. */
struct nm_csb_ktoa {
	uint32_t hwcur;
	uint32_t hwtail;
	uint32_t kern_need_kick;	/* not 0: the host sleeps, signal the ioeventfd */
	uint32_t pad[13];
};

/* Stores (and loads) before this are seen before stores after it. */
static inline void
nm_stst_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Loads before this are done before loads (and stores) after it. */
static inline void
nm_ldld_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/*
 * Hand head and cur to the host. The slots must be seen before either. cur goes first and the host reads head
 * first: a pair that it reads while we write then has a cur at or past its head.
 */
static inline void
nm_sync_kloop_appl_write(struct nm_csb_atok *atok, uint32_t cur, uint32_t head)
{
	nm_stst_barrier();
	__atomic_store_n(&atok->cur, cur, __ATOMIC_RELAXED);
	nm_stst_barrier();
	__atomic_store_n(&atok->head, head, __ATOMIC_RELAXED);
}

/*
 * Take hwtail and hwcur from the host, which wrote them in the other order. The slots that they give us may
 * be read after this.
 */
static inline void
nm_sync_kloop_appl_read(const struct nm_csb_ktoa *ktoa, uint32_t *hwtail, uint32_t *hwcur)
{
	*hwtail = __atomic_load_n(&ktoa->hwtail, __ATOMIC_RELAXED);
	nm_ldld_barrier();
	*hwcur = __atomic_load_n(&ktoa->hwcur, __ATOMIC_RELAXED);
	nm_ldld_barrier();
}

/*
 * ---- Requests: ioctl(fd, NIOCCTRL, &header) ----
 */

struct nmreq_header {
	uint16_t nr_version;			/* NETMAP_API */
	uint16_t nr_reqtype;			/* NETMAP_REQ_* */
	uint32_t nr_reserved;			/* 0 */
	char	 nr_name[NETMAP_REQ_IFNAMSIZ];	/* the port */
	uint64_t nr_options;			/* address of the first nmreq_option, or 0 */
	uint64_t nr_body;			/* address of the body, 0 where the request has none */
};

enum {					/* body */
	NETMAP_REQ_REGISTER = 1,	/* nmreq_register */
	NETMAP_REQ_PORT_INFO_GET,	/* nmreq_port_info_get */
	NETMAP_REQ_VALE_ATTACH,		/* nmreq_vale_attach */
	NETMAP_REQ_VALE_DETACH,		/* nmreq_vale_detach */
	NETMAP_REQ_VALE_LIST,		/* nmreq_vale_list */
	NETMAP_REQ_PORT_HDR_SET,	/* nmreq_port_hdr */
	NETMAP_REQ_PORT_HDR_GET,	/* nmreq_port_hdr */
	NETMAP_REQ_VALE_NEWIF,		/* nmreq_vale_newif */
	NETMAP_REQ_VALE_DELIF,		/* none */
	NETMAP_REQ_VALE_POLLING_ENABLE,	/* nmreq_vale_polling */
	NETMAP_REQ_VALE_POLLING_DISABLE,/* nmreq_vale_polling */
	NETMAP_REQ_POOLS_INFO_GET,	/* nmreq_pools_info */
	NETMAP_REQ_SYNC_KLOOP_START,	/* nmreq_sync_kloop_start */
	NETMAP_REQ_SYNC_KLOOP_STOP,	/* none */
	NETMAP_REQ_CSB_ENABLE		/* none, needs the CSB option */
};

/* An option of a request; its own fields follow. */
struct nmreq_option {
	uint64_t nro_next;	/* address of the next one, or 0 */
	uint32_t nro_reqtype;	/* NETMAP_REQ_OPT_* */
	uint32_t nro_status;	/* out: 0 or an errno; EOPNOTSUPP if nobody looked at it */
	uint64_t nro_size;	/* options of variable size: the whole, in bytes; else 0 */
};

enum {
	NETMAP_REQ_OPT_EXTMEM = 1,		/* nmreq_opt_extmem */
	NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS,	/* nmreq_opt_sync_kloop_eventfds */
	NETMAP_REQ_OPT_CSB,			/* nmreq_opt_csb */
	NETMAP_REQ_OPT_SYNC_KLOOP_MODE,		/* nmreq_opt_sync_kloop_mode */
	NETMAP_REQ_OPT_OFFSETS,			/* nmreq_opt_offsets */
	NETMAP_REQ_OPT_MAX			/* marker */
};

/* REGISTER: bind the descriptor to rings of a port. Numbers of 0 mean the default; actual ones come back. */
struct nmreq_register {
	uint64_t nr_offset;		/* out: of the netmap_if in the region */
	uint64_t nr_memsize;		/* out: bytes of the region, the length to mmap */
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_host_tx_rings;
	uint16_t nr_host_rx_rings;
	uint16_t nr_mem_id;		/* region */
	uint16_t nr_ringid;		/* in: for the modes that take one ring */
	uint32_t nr_mode;		/* in: NR_REG_* */
	uint32_t nr_extra_bufs;		/* wanted; back comes what was given */
	uint32_t nr_pad1;
	uint64_t nr_flags;		/* in: NR_* */
};

/* nr_mode of a REGISTER, also the low bits of nr_flags in the legacy request */
enum {
	NR_REG_DEFAULT = 0,		/* legacy request only: by the bits of nr_ringid */
	NR_REG_ALL_NIC,			/* all NIC rings */
	NR_REG_SW,			/* all host rings */
	NR_REG_NIC_SW,			/* both */
	NR_REG_ONE_NIC,			/* NIC ring nr_ringid */
	NR_REG_PIPE_MASTER,		/* legacy request only */
	NR_REG_PIPE_SLAVE,		/* legacy request only */
	NR_REG_NULL,			/* no packets, just memory */
	NR_REG_ONE_SW			/* host ring nr_ringid */
};

/* nr_flags of a REGISTER */
#define NR_MONITOR_TX		0x100	/* a monitor of what the port sends */
#define NR_MONITOR_RX		0x200	/* a monitor of what the port receives */
#define NR_ZCOPY_MON		0x400	/* a monitor without copies */
#define NR_EXCLUSIVE		0x800	/* nobody else may bind these rings */
#define NR_RX_RINGS_ONLY	0x2000
#define NR_TX_RINGS_ONLY	0x4000
#define NR_ACCEPT_VNET_HDR	0x8000	/* ports that need a virtio-net header are fine */
#define NR_DO_RX_POLL		0x10000	/* poll() syncs the rx rings without being asked for POLLIN */
#define NR_NO_TX_POLL		0x20000	/* poll() syncs the tx rings only if asked for POLLOUT */

/* PORT_INFO_GET: all out, but nr_mem_id may be given with an empty name. */
struct nmreq_port_info_get {
	uint64_t nr_memsize;
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_host_tx_rings;
	uint16_t nr_host_rx_rings;
	uint16_t nr_mem_id;
	uint16_t pad[3];
};

/* VALE_ATTACH: put an interface into a switch. */
struct nmreq_vale_attach {
	struct nmreq_register	reg;		/* nr_mode ALL_NIC, or NIC_SW for the host rings as well */
	uint32_t		port_index;	/* out */
	uint32_t		pad1;
};

/* VALE_DETACH: take it out. */
struct nmreq_vale_detach {
	uint32_t port_index;	/* out */
	uint32_t pad1;
};

/* VALE_LIST: where the named port is; with an empty name the first port at or after the given place. */
struct nmreq_vale_list {
	uint16_t nr_bridge_idx;
	uint16_t pad1;
	uint32_t nr_port_idx;
};

/* PORT_HDR_SET, PORT_HDR_GET */
struct nmreq_port_hdr {
	uint32_t nr_hdr_len;	/* 0, 10 or 12 bytes */
	uint32_t pad1;
};

/* VALE_NEWIF: make a persistent port, which is a network interface. */
struct nmreq_vale_newif {
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_mem_id;
	uint16_t pad1;
};

/* VALE_POLLING_ENABLE, VALE_POLLING_DISABLE */
struct nmreq_vale_polling {
	uint32_t nr_mode;
#define NETMAP_POLLING_MODE_SINGLE_CPU	1
#define NETMAP_POLLING_MODE_MULTI_CPU	2
	uint32_t nr_first_cpu_id;
	uint32_t nr_num_polling_cpus;
	uint32_t pad1;
};

/* POOLS_INFO_GET: all out. In the EXTMEM option: the sizes wanted. Offsets and sizes in bytes. */
struct nmreq_pools_info {
	uint64_t nr_memsize;
	uint16_t nr_mem_id;
	uint16_t pad1[3];
	uint64_t nr_if_pool_offset;
	uint32_t nr_if_pool_objtotal;
	uint32_t nr_if_pool_objsize;
	uint64_t nr_ring_pool_offset;
	uint32_t nr_ring_pool_objtotal;
	uint32_t nr_ring_pool_objsize;
	uint64_t nr_buf_pool_offset;
	uint32_t nr_buf_pool_objtotal;
	uint32_t nr_buf_pool_objsize;
};

/* SYNC_KLOOP_START */
struct nmreq_sync_kloop_start {
	uint32_t sleep_us;	/* 0 .. 1000000, between rounds if there are no eventfds */
	uint32_t pad1;
};

/*
 * ---- Options ----
 */

/* REGISTER: memory of the program as the region. */
struct nmreq_opt_extmem {
	struct nmreq_option	nro_opt;
	uint64_t		nro_usrptr;	/* address, nro_info.nr_memsize bytes */
	struct nmreq_pools_info	nro_info;	/* in/out */
};

/* SYNC_KLOOP_START: one pair for each bound ring, tx rings first; nro_size counts them. */
struct nmreq_opt_sync_kloop_eventfds {
	struct nmreq_option	nro_opt;
	__extension__ struct {
		int32_t		ioeventfd;	/* application to host, -1 = none */
		int32_t		irqfd;		/* host to application, -1 = none */
	} eventfds[];
};

/* SYNC_KLOOP_START */
struct nmreq_opt_sync_kloop_mode {
	struct nmreq_option	nro_opt;
	uint32_t		mode;
#define NM_OPT_SYNC_KLOOP_DIRECT_TX	(1 << 0)
#define NM_OPT_SYNC_KLOOP_DIRECT_RX	(1 << 1)
	uint32_t		pad1;
};

/* REGISTER, CSB_ENABLE: two arrays with an entry for each bound ring, tx rings first, aligned to 64 bytes. */
struct nmreq_opt_csb {
	struct nmreq_option	nro_opt;
	uint64_t		csb_atok;	/* address of struct nm_csb_atok [] */
	uint64_t		csb_ktoa;	/* address of struct nm_csb_ktoa [] */
};

/* REGISTER: packets start at an offset in their buffers, which slot.ptr holds. */
struct nmreq_opt_offsets {
	struct nmreq_option	nro_opt;
	uint64_t		nro_max_offset;		/* in/out */
	uint64_t		nro_initial_offset;	/* in all slots of a ring that had no user */
	uint32_t		nro_offset_bits;	/* width of the offset in slot.ptr, 0 = 64 */
	uint32_t		nro_tx_align;
	uint64_t		nro_min_gap;
};

/*
 * ---- ioctl numbers ----
 */
#define NIOCTXSYNC	_IO('i', 148)				/* sync the bound tx rings, no argument */
#define NIOCRXSYNC	_IO('i', 149)				/* sync the bound rx rings, no argument */
#define NIOCCTRL	_IOWR('i', 151, struct nmreq_header)

#include <net/netmap_legacy.h>

#endif /* _NET_NETMAP_H_ */
