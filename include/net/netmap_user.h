/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs use on top of <net/netmap.h>: macros to walk rings and buffers and, if NETMAP_WITH_LIBS is
 * defined before inclusion, a small library of static functions:
 *
 *	struct nm_desc *d = nm_open("netmap:eth0", NULL, 0, NULL);
 *	struct pollfd pfd = { NETMAP_FD(d), POLLIN, 0 };
 *	for (;;) {
 *		poll(&pfd, 1, -1);
 *		while ((buf = nm_nextpkt(d, &hdr)) != NULL)
 *			consume(buf, hdr.len);
 *	}
 *
 * Nothing here is thread safe: a ring, and a descriptor, belong to one thread at a time.
 */
#ifndef _NET_NETMAP_USER_H_
#define _NET_NETMAP_USER_H_

#define NETMAP_DEVICE_NAME	"/dev/netmap"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#ifndef IFNAMSIZ
#include <net/if.h>
#endif
#include <net/netmap.h>

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

/* base is where the region is mapped, ofs the nr_offset of the request */
#define NETMAP_IF(base, ofs)		((struct netmap_if *)(void *)((char *)(base) + (ofs)))

/* Ring i of a direction, NIC rings first, then host rings. Only for rings that are bound (ring_ofs not 0). */
#define NETMAP_TXRING(nifp, i) \
	((struct netmap_ring *)(void *)((char *)(nifp) + (nifp)->ring_ofs[i]))
#define NETMAP_RXRING(nifp, i) \
	((struct netmap_ring *)(void *)((char *)(nifp) + \
	 (nifp)->ring_ofs[(i) + (nifp)->ni_tx_rings + (nifp)->ni_host_tx_rings]))

/* Address of a buffer, and back. */
#define NETMAP_BUF(ring, idx) \
	((char *)(ring) + (ring)->buf_ofs + (size_t)(idx) * (ring)->nr_buf_size)
#define NETMAP_BUF_IDX(ring, buf) \
	(((char *)(buf) - ((char *)(ring) + (ring)->buf_ofs)) / (ring)->nr_buf_size)

/* Where in its buffer the packet of a slot starts: read, write, address. */
#define NETMAP_ROFFSET(ring, slot)	((slot)->ptr & (ring)->offset_mask)
#define NETMAP_WOFFSET(ring, slot, offset) \
	do { \
		(slot)->ptr = ((slot)->ptr & ~(ring)->offset_mask) | ((offset) & (ring)->offset_mask); \
	} while (0)
#define NETMAP_BUF_OFFSET(ring, slot) \
	(NETMAP_BUF(ring, (slot)->buf_idx) + NETMAP_ROFFSET(ring, slot))

/* The slot after i. */
static inline uint32_t
nm_ring_next(const struct netmap_ring *ring, uint32_t i)
{
	return unlikely(i + 1 == ring->num_slots) ? 0 : i + 1;
}

/* Slots that the program may use: free ones on tx, filled ones on rx. */
static inline uint32_t
nm_ring_space(const struct netmap_ring *ring)
{
	uint32_t head = ring->head, tail = ring->tail;

	return tail >= head ? tail - head : tail + ring->num_slots - head;
}

/* True while slots given to the host have not all been sent. */
static inline int
nm_tx_pending(const struct netmap_ring *ring)
{
	return nm_ring_next(ring, ring->tail) != ring->head;
}

/* Copy len bytes, 0 or more, from src (first!) to dst. Fast where len is a multiple of 64 below 1024. */
static inline void
nm_pkt_copy(const void *src, void *dst, int len)
{
	const char *s = (const char *)src;
	char *d = (char *)dst;

	if (unlikely(len >= 1024 || len % 64 != 0)) {
		memcpy(d, s, (size_t)len);
		return;
	}
	for (; len > 0; len -= 64, s += 64, d += 64)
		memcpy(d, s, 64);
}

/*
 * Messages on stderr, with time, line and function: D() always, RD() at most lps times a second for each
 * place in the source, ND() never.
 */
static inline void __attribute__((__unused__, __format__(__printf__, 3, 4)))
nmuser_message(const char *func, int line, const char *format, ...)
{
	struct timeval now;
	char text[512];
	va_list ap;

	gettimeofday(&now, NULL);
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "%03d.%06d [%4d] %-25s %s\n",
		(int)(now.tv_sec % 1000), (int)now.tv_usec, line, func, text);
}

/* Count an event in the second that *second names; true while there were at most lps. */
static inline int __attribute__((__unused__))
nmuser_message_allowed(long *second, int *count, int lps)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	if (*second != (long)now.tv_sec) {
		*second = (long)now.tv_sec;
		*count = 0;
	}
	if (*count >= lps)
		return 0;
	++*count;
	return 1;
}

#ifndef ND
#define ND(...)		do { } while (0)
#endif
#ifndef D
#define D(...)		nmuser_message(__func__, __LINE__, __VA_ARGS__)
#endif
#ifndef RD
#define RD(lps, ...) \
	do { \
		static long nm_rd_second_; \
		static int nm_rd_count_; \
		if (nmuser_message_allowed(&nm_rd_second_, &nm_rd_count_, (lps))) \
			nmuser_message(__func__, __LINE__, __VA_ARGS__); \
	} while (0)
#endif

#ifdef NETMAP_WITH_LIBS

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NM_LIB_FN	static __attribute__((__unused__))

#define NM_ERRBUF_SIZE	512
#define MAXERRMSG	80	/* the longest message of nm_parse(), with its NUL */

struct nm_desc;

/* One packet, as nm_dispatch() and nm_nextpkt() hand it out. */
struct nm_pkthdr {
	struct timeval		ts;
	uint32_t		caplen;	/* bytes at buf */
	uint32_t		len;	/* bytes of the packet */
	uint64_t		flags;	/* NM_MORE_PKTS */
	struct nm_desc		*d;
	struct netmap_slot	*slot;	/* the first, if there are several */
	uint8_t			*buf;
};

#define NM_MORE_PKTS	1	/* more packets follow in this nm_dispatch() */

struct nm_stat {
	unsigned int ps_recv;
	unsigned int ps_drop;
	unsigned int ps_ifdrop;
};

/* An open port. */
struct nm_desc {
	struct nm_desc		*self;		/* points here, or this is no nm_desc */
	int			fd;
	void			*mem;		/* the region; equal in two ports: buffers can be swapped */
	uint64_t		memsize;
	int			done_mmap;	/* nm_close() unmaps it */
	struct netmap_if	*nifp;

	/* the rings in use, last included, and where to begin */
	uint16_t		first_tx_ring, last_tx_ring, cur_tx_ring;
	uint16_t		first_rx_ring, last_rx_ring, cur_rx_ring;

	struct nmreq		req;
	struct nm_pkthdr	hdr;

	struct netmap_ring	*some_ring;	/* to be used for NETMAP_BUF() of any buffer, may be NULL */
	void			*buf_start;
	void			*buf_end;

	/* the program's own */
	int			snaplen;
	int			promisc;
	int			to_ms;
	char			*errbuf;
	uint32_t		if_flags;
	uint32_t		if_reqcap;
	uint32_t		if_curcap;
	struct nm_stat		st;

	char			msg[NM_ERRBUF_SIZE];
};

#define P2NMD(p)		((struct nm_desc *)(p))
#define IS_NETMAP_DESC(d)	((d) && P2NMD(d)->self == P2NMD(d))
#define NETMAP_FD(d)		(P2NMD(d)->fd)

/* flags of nm_open(), besides NETMAP_NO_TX_POLL and NETMAP_DO_RX_POLL */
#define NM_OPEN_NO_MMAP		0x040000	/* do not map the region, unless a parent is given */
#define NM_OPEN_IFNAME		0x080000	/* name, ring and flags as in the parent's request */
#define NM_OPEN_ARG1		0x100000	/* nr_arg1 as in the parent's request */
#define NM_OPEN_ARG2		0x200000	/* the same for nr_arg2, the memory region */
#define NM_OPEN_ARG3		0x400000	/* the same for nr_arg3, the extra buffers */
#define NM_OPEN_RING_CFG	0x800000	/* the same for the numbers of rings and slots */

/* user is the arg of nm_dispatch(); the packet and its slot are the callback's until it returns. */
typedef void (*nm_cb_t)(unsigned char *user, const struct nm_pkthdr *hdr, const unsigned char *buf);

/*
 * ---- Port names ----
 */

#define NM_NAME_SEPARATORS	"-*^{}/@"	/* what ends the name of a port */

NM_LIB_FN int
nmuser_is_netmap_name(const char *ifname)
{
	return strncmp(ifname, "netmap:", 7) == 0 || strncmp(ifname, NM_BDG_NAME, 4) == 0;
}

/* Say in err, unless NULL, what is wrong with ifname at where. Returns NULL. */
NM_LIB_FN const char *
nmuser_parse_error(char *err, const char *ifname, const char *where, const char *what)
{
	if (err != NULL)
		snprintf(err, MAXERRMSG, "%s, at character %d ('%.16s')",
			what, (int)(where - ifname) + 1, where);
	errno = EINVAL;
	return NULL;
}

/* A decimal number in [min, max], none = 0. Returns what follows it, NULL if out of range. */
NM_LIB_FN const char *
nmuser_parse_number(const char *p, uint32_t min, uint32_t max, uint32_t *number)
{
	uint32_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint32_t)(*p - '0');
		if (n > max)
			return NULL;
	}
	*number = n;
	return n < min ? NULL : p;
}

/* The first character in [p, end) that is not of [A-Za-z0-9_], or end. */
NM_LIB_FN const char *
nmuser_identifier_end(const char *p, const char *end)
{
	while (p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
	    (*p >= '0' && *p <= '9') || *p == '_'))
		p++;
	return p;
}

/*
 * A '-' may belong to the name of an interface, or introduce a ring number: the longest name of an existing
 * interface wins. end is the first '-' after name; returns the end of the name.
 */
NM_LIB_FN const char *
nmuser_ifname_end(const char *name, const char *end)
{
#ifdef IF_NAMESIZE	/* <net/if.h> is there, not <linux/if.h> in its place */
	char ifname[IFNAMSIZ];
	const char *p = end;

	while (*p == '-') {
		p += 1 + strcspn(p + 1, NM_NAME_SEPARATORS);
		if ((size_t)(p - name) >= sizeof(ifname))
			break;
		memcpy(ifname, name, (size_t)(p - name));
		ifname[p - name] = '\0';
		if (if_nametoindex(ifname) != 0)
			end = p;
	}
#else
	(void)name;
#endif
	return end;
}

/* "netmap:IFNAME" or "valeSWITCH:PORT". Returns what follows, NULL on error. */
NM_LIB_FN const char *
nmuser_parse_port(const char *ifname, struct nmreq *req, char *err)
{
	const char *name = ifname, *colon = ifname + strcspn(ifname, ":"), *end, *bad;
	size_t len;

	if (*colon == '\0')
		return nmuser_parse_error(err, ifname, colon, "no ':port' after the switch");
	end = colon + 1 + strcspn(colon + 1, NM_NAME_SEPARATORS);
	if (end == colon + 1)
		return nmuser_parse_error(err, ifname, end, "no name of a port");
	if (ifname[0] == 'n') {
		name = colon + 1;
		end = nmuser_ifname_end(name, end);
	} else {
		bad = nmuser_identifier_end(name, colon);
		if (bad != colon)
			return nmuser_parse_error(err, ifname, bad, "bad character in switch name");
		bad = nmuser_identifier_end(colon + 1, end);
		if (bad != end)
			return nmuser_parse_error(err, ifname, bad, "bad character in port name");
	}
	len = (size_t)(end - name);
	if (len >= sizeof(req->nr_name))
		return nmuser_parse_error(err, ifname, name + sizeof(req->nr_name) - 1, "name too long");
	memset(req->nr_name, 0, sizeof(req->nr_name));
	memcpy(req->nr_name, name, len);
	return end;
}

/* "-N", "*", "^", "{N", "}N" or nothing: which rings. Returns what follows, NULL on error. */
NM_LIB_FN const char *
nmuser_parse_rings(const char *ifname, const char *p, struct nmreq *req, char *err)
{
	uint32_t mode = NR_REG_ALL_NIC, id = 0;
	int numbered = 0;
	const char *end;

	switch (*p) {
	case '*':
		mode = NR_REG_NIC_SW;
		p++;
		break;
	case '^':
		mode = NR_REG_SW;
		p++;
		break;
	case '-':
	case '{':
	case '}':
		mode = *p == '-' ? NR_REG_ONE_NIC : *p == '{' ? NR_REG_PIPE_MASTER : NR_REG_PIPE_SLAVE;
		numbered = 1;
		p++;
		break;
	default:
		break;
	}
	if (numbered) {
		if (*p == '\0')
			return nmuser_parse_error(err, ifname, p, "a number should follow");
		end = nmuser_parse_number(p, 0, NETMAP_RING_MASK - 1, &id);
		if (end == NULL)
			return nmuser_parse_error(err, ifname, p, "number not in [0, 4094]");
		p = end;
	}
	req->nr_flags = (req->nr_flags & ~(uint32_t)NR_REG_MASK) | mode;
	req->nr_ringid = (uint16_t)((req->nr_ringid & (NETMAP_NO_TX_POLL | NETMAP_DO_RX_POLL)) | id);
	return p;
}

/* The letters after '/', up to '@' or the end. Returns what follows, NULL on error. */
NM_LIB_FN const char *
nmuser_parse_flags(const char *ifname, const char *p, struct nmreq *req, char *err)
{
	if (*p == '\0' || *p == '@')
		return nmuser_parse_error(err, ifname, p, "a flag should follow '/'");
	for (; *p != '\0' && *p != '@'; p++) {
		switch (*p) {
		case 'x':
			req->nr_flags |= NR_EXCLUSIVE;
			break;
		case 'z':
			req->nr_flags |= NR_ZCOPY_MON;
			break;
		case 't':
			req->nr_flags |= NR_MONITOR_TX;
			break;
		case 'r':
			req->nr_flags |= NR_MONITOR_RX;
			break;
		case 'R':
			req->nr_flags |= NR_RX_RINGS_ONLY;
			break;
		case 'T':
			req->nr_flags |= NR_TX_RINGS_ONLY;
			break;
		default:
			return nmuser_parse_error(err, ifname, p, "unknown flag");
		}
	}
	return p;
}

/*
 * Read a port name into d->req (nr_name, nr_ringid, the mode and flags in nr_flags, and nr_arg2 if the name
 * has "@N"); all else in d stays. Names are
 *
 *	netmap:IFNAME or valeSWITCH:PORT
 *	then nothing (all NIC rings), -N (NIC ring N), * (NIC and host rings), ^ (host rings), {N or }N (pipe)
 *	then /FLAGS, letters of "xztrRT", and @N, the memory region, in any order
 *
 * Returns 0; or -1 with d unchanged, errno EINVAL (0 if this is no name for netmap at all) and the reason in
 * err, if not NULL, which has room for MAXERRMSG bytes.
 */
NM_LIB_FN int
nm_parse(const char *ifname, struct nm_desc *d, char *err)
{
	struct nmreq req = d->req;
	uint32_t mem_id = 0;
	const char *p, *at;

	if (!nmuser_is_netmap_name(ifname)) {
		nmuser_parse_error(err, ifname, ifname, "neither netmap: nor vale");
		errno = 0;
		return -1;
	}
	p = nmuser_parse_port(ifname, &req, err);
	if (p == NULL)
		return -1;
	p = nmuser_parse_rings(ifname, p, &req, err);
	while (p != NULL && *p != '\0') {
		if (*p == '/') {
			p = nmuser_parse_flags(ifname, p + 1, &req, err);
		} else if (*p == '@' && mem_id == 0) {
			at = p + 1;
			p = nmuser_parse_number(at, 1, UINT16_MAX, &mem_id);
			if (p == NULL)
				nmuser_parse_error(err, ifname, at, "memory id not in [1, 65535]");
			else
				req.nr_arg2 = (uint16_t)mem_id;
		} else {
			p = nmuser_parse_error(err, ifname, p,
				*p == '@' ? "second memory id" : "unexpected character");
		}
	}
	if (p == NULL)
		return -1;
	d->req = req;
	return 0;
}

/*
 * ---- Open and close ----
 */

/* Close and free d, which nm_open() returned. 0 or EINVAL. */
NM_LIB_FN int
nm_close(struct nm_desc *d)
{
	if (!IS_NETMAP_DESC(d))
		return EINVAL;
	if (d->done_mmap && d->mem != NULL)
		munmap(d->mem, (size_t)d->memsize);
	if (d->fd >= 0)
		close(d->fd);
	d->self = NULL;
	free(d);
	return 0;
}

/* Ring i of a direction, or NULL if it is not bound to this descriptor. */
NM_LIB_FN struct netmap_ring *
nmuser_tx_ring(const struct nm_desc *d, uint16_t i)
{
	return d->nifp->ring_ofs[i] != 0 ? NETMAP_TXRING(d->nifp, i) : NULL;
}

NM_LIB_FN struct netmap_ring *
nmuser_rx_ring(const struct nm_desc *d, uint16_t i)
{
	const struct netmap_if *nifp = d->nifp;
	uint32_t k = i + nifp->ni_tx_rings + nifp->ni_host_tx_rings;

	return nifp->ring_ofs[k] != 0 ? NETMAP_RXRING(nifp, i) : NULL;
}

/* The range of rings in one direction of a port with n NIC rings. */
NM_LIB_FN void
nmuser_ring_range(const struct nmreq *req, uint16_t n, uint16_t *first, uint16_t *last)
{
	uint16_t id = req->nr_ringid & NETMAP_RING_MASK;
	uint32_t mode = req->nr_flags & NR_REG_MASK;

	if (mode == NR_REG_DEFAULT)
		mode = req->nr_ringid & NETMAP_SW_RING ? NR_REG_SW :
			req->nr_ringid & NETMAP_HW_RING ? NR_REG_ONE_NIC : NR_REG_ALL_NIC;
	*first = 0;
	*last = 0;
	switch (mode) {
	case NR_REG_ALL_NIC:
		*last = (uint16_t)(n - 1);
		break;
	case NR_REG_SW:
		*first = *last = n;
		break;
	case NR_REG_NIC_SW:
		*last = n;
		break;
	case NR_REG_ONE_NIC:
		/* an id that only the other direction has gives ring 0 in this one */
		*first = *last = id < n ? id : 0;
		break;
	case NR_REG_ONE_SW:
		*first = *last = (uint16_t)(n + id);
		break;
	default:
		break;
	}
}

/*
 * Map the region of d, or take over the parent's mapping if it is the same region (parent may be NULL), and
 * find the netmap_if and the buffers. 0 or an errno value.
 */
NM_LIB_FN int
nm_mmap(struct nm_desc *d, const struct nm_desc *parent)
{
	uint16_t i;

	if (!IS_NETMAP_DESC(d) || d->mem != NULL)
		return EINVAL;
	if (IS_NETMAP_DESC(parent) && parent->mem != NULL && parent->req.nr_arg2 == d->req.nr_arg2) {
		d->mem = parent->mem;
		d->memsize = parent->memsize;
	} else {
		void *mem = mmap(NULL, d->req.nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);

		if (mem == MAP_FAILED)
			return errno;
		d->mem = mem;
		d->memsize = d->req.nr_memsize;
		d->done_mmap = 1;
	}
	d->nifp = NETMAP_IF(d->mem, d->req.nr_offset);
	/* last + 1 and not <=, since a port without rings has last 65535 */
	for (i = d->first_rx_ring; i != (uint16_t)(d->last_rx_ring + 1) && d->some_ring == NULL; i++)
		d->some_ring = nmuser_rx_ring(d, i);
	for (i = d->first_tx_ring; i != (uint16_t)(d->last_tx_ring + 1) && d->some_ring == NULL; i++)
		d->some_ring = nmuser_tx_ring(d, i);
	if (d->some_ring != NULL) {
		d->buf_start = NETMAP_BUF(d->some_ring, 0);
		d->buf_end = (char *)d->mem + d->memsize;
	}
	return 0;
}

/* What the flags of nm_open() take from the parent. */
NM_LIB_FN void
nmuser_inherit(struct nmreq *req, uint64_t flags, const struct nmreq *parent)
{
	if (flags & NM_OPEN_IFNAME) {
		memcpy(req->nr_name, parent->nr_name, sizeof(req->nr_name));
		req->nr_ringid = parent->nr_ringid;
		req->nr_flags = parent->nr_flags;
	}
	req->nr_arg1 = flags & NM_OPEN_ARG1 ? parent->nr_arg1 : 4;
	if (flags & NM_OPEN_ARG2)
		req->nr_arg2 = parent->nr_arg2;
	req->nr_arg3 = flags & NM_OPEN_ARG3 ? parent->nr_arg3 : 0;
	if (flags & NM_OPEN_RING_CFG) {
		req->nr_tx_slots = parent->nr_tx_slots;
		req->nr_rx_slots = parent->nr_rx_slots;
		req->nr_tx_rings = parent->nr_tx_rings;
		req->nr_rx_rings = parent->nr_rx_rings;
	}
}

/*
 * Open a port and map its memory.
 *
 *	ifname	see nm_parse()
 *	req	what the request starts from, or NULL: sizes, nr_arg*, NR_* flags above the mode
 *	flags	NM_OPEN_*, NETMAP_NO_TX_POLL, NETMAP_DO_RX_POLL
 *	arg	another open port (the parent), or NULL. If the two have the same region, d->mem == arg->mem,
 *		and arg must be closed last.
 *
 * Returns a descriptor for nm_close(), or NULL with errno. errno 0 means that the name is not one for netmap;
 * otherwise the reason was printed on stderr.
 */
NM_LIB_FN struct nm_desc *
nm_open(const char *ifname, const struct nmreq *req, uint64_t flags, const struct nm_desc *arg)
{
	char err[MAXERRMSG] = "";
	struct nm_desc *d;
	int error;

	if (!nmuser_is_netmap_name(ifname)) {
		errno = 0;
		return NULL;
	}
	d = (struct nm_desc *)calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->self = d;
	d->fd = -1;
	if (req != NULL)
		d->req = *req;
	if (nm_parse(ifname, d, err) != 0) {
		error = EINVAL;
		goto err_free;
	}
	if (arg != NULL && flags != 0)
		nmuser_inherit(&d->req, flags, &arg->req);
	d->req.nr_version = NETMAP_API;
	d->req.nr_ringid = (uint16_t)(d->req.nr_ringid | (flags & (NETMAP_NO_TX_POLL | NETMAP_DO_RX_POLL)));

	d->fd = open(NETMAP_DEVICE_NAME, O_RDWR);
	if (d->fd < 0) {
		error = errno;
		snprintf(err, sizeof(err), "cannot open " NETMAP_DEVICE_NAME ": %s", strerror(error));
		goto err_free;
	}
	if (ioctl(d->fd, NIOCREGIF, &d->req) != 0) {
		error = errno;
		snprintf(err, sizeof(err), "NIOCREGIF: %s", strerror(error));
		goto err_free;
	}
	nmuser_ring_range(&d->req, d->req.nr_tx_rings, &d->first_tx_ring, &d->last_tx_ring);
	nmuser_ring_range(&d->req, d->req.nr_rx_rings, &d->first_rx_ring, &d->last_rx_ring);
	d->cur_tx_ring = d->first_tx_ring;
	d->cur_rx_ring = d->first_rx_ring;

	/* with a parent also in spite of NO_MMAP: then that flag asks for its mapping, if it fits */
	if (arg != NULL || (flags & NM_OPEN_NO_MMAP) == 0) {
		error = nm_mmap(d, arg);
		if (error != 0) {
			snprintf(err, sizeof(err), "mmap: %s", strerror(error));
			goto err_free;
		}
	}
	return d;

err_free:
	nmuser_message(__func__, __LINE__, "%s: %s", ifname, err);
	nm_close(d);
	errno = error;
	return NULL;
}

/*
 * ---- Packets ----
 *
 * Only on ports that are mapped. None of these makes a system call: what they send or free is seen by the
 * host at the next poll() or NIOC*SYNC.
 */

NM_LIB_FN uint16_t
nmuser_next_ring(uint16_t i, uint16_t first, uint16_t last)
{
	return i == last ? first : (uint16_t)(i + 1);
}

/* How many bytes a slot can take. */
NM_LIB_FN size_t
nmuser_slot_room(const struct netmap_ring *ring, const struct netmap_slot *slot)
{
	uint64_t offset = NETMAP_ROFFSET(ring, slot);
	uint64_t room = offset < ring->nr_buf_size ? ring->nr_buf_size - offset : 0;

	return (size_t)(room < UINT16_MAX ? room : UINT16_MAX);
}

/* Put size bytes into the slots from head on. Returns the slot after them, num_slots if there is no room. */
NM_LIB_FN uint32_t
nmuser_ring_fill(struct netmap_ring *ring, const void *buf, size_t size)
{
	const char *src = (const char *)buf;
	uint32_t i = ring->head;
	size_t room = 0, len;

	for (; i != ring->tail && room < size; i = nm_ring_next(ring, i))
		room += nmuser_slot_room(ring, &ring->slot[i]);
	if (room < size)
		return ring->num_slots;
	for (i = ring->head; size > 0; i = nm_ring_next(ring, i)) {
		struct netmap_slot *slot = &ring->slot[i];

		len = nmuser_slot_room(ring, slot);
		if (len > size)
			len = size;
		nm_pkt_copy(src, NETMAP_BUF_OFFSET(ring, slot), (int)len);
		src += len;
		size -= len;
		slot->len = (uint16_t)len;
		slot->flags = (uint16_t)((slot->flags & NS_BUF_CHANGED) | (size > 0 ? NS_MOREFRAG : 0));
	}
	return i;
}

/*
 * Queue a packet on the first tx ring that has room for all of it, over several slots where it is larger than
 * a buffer. Returns size, or 0 if no ring has room.
 */
NM_LIB_FN int
nm_inject(struct nm_desc *d, const void *buf, size_t size)
{
	uint16_t n = (uint16_t)(d->last_tx_ring - d->first_tx_ring + 1);
	uint16_t ri = d->cur_tx_ring;

	for (; n > 0; n--, ri = nmuser_next_ring(ri, d->first_tx_ring, d->last_tx_ring)) {
		struct netmap_ring *ring = nmuser_tx_ring(d, ri);
		uint32_t end;

		if (ring == NULL || nm_ring_empty(ring))
			continue;
		end = nmuser_ring_fill(ring, buf, size);
		if (end == ring->num_slots)
			continue;
		ring->head = ring->cur = end;
		d->cur_tx_ring = ri;
		return (int)size;
	}
	return 0;
}

/*
 * Describe in d->hdr the packet that begins at slot i: len is that of all its slots, caplen what lies
 * contiguous in memory from the first one on. Returns the slot after it.
 */
NM_LIB_FN uint32_t
nmuser_ring_gather(struct nm_desc *d, struct netmap_ring *ring, uint32_t i)
{
	struct netmap_slot *slot = &ring->slot[i];
	struct nm_pkthdr *hdr = &d->hdr;

	hdr->ts = ring->ts;
	hdr->d = d;
	hdr->slot = slot;
	hdr->buf = (uint8_t *)NETMAP_BUF_OFFSET(ring, slot);
	hdr->len = hdr->caplen = slot->len;
	i = nm_ring_next(ring, i);
	while ((slot->flags & NS_MOREFRAG) && i != ring->tail) {
		slot = &ring->slot[i];
		if (hdr->caplen == hdr->len &&
		    hdr->buf + hdr->len == (uint8_t *)NETMAP_BUF_OFFSET(ring, slot))
			hdr->caplen += slot->len;
		hdr->len += slot->len;
		i = nm_ring_next(ring, i);
	}
	return i;
}

/*
 * Call cb for up to cnt packets (0 or less: all that are there). All but the last have NM_MORE_PKTS in
 * hdr->flags. A packet's slots are given back when cb returns. Returns the number of packets.
 */
NM_LIB_FN int
nm_dispatch(struct nm_desc *d, int cnt, nm_cb_t cb, unsigned char *arg)
{
	struct netmap_ring *held = NULL;	/* ring of the packet in d->hdr, not yet handed out */
	uint16_t n = (uint16_t)(d->last_rx_ring - d->first_rx_ring + 1);
	uint16_t ri = d->cur_rx_ring;
	uint32_t i, end = 0;
	int got = 0;

	d->hdr.flags = NM_MORE_PKTS;
	for (; n > 0; n--, ri = nmuser_next_ring(ri, d->first_rx_ring, d->last_rx_ring)) {
		struct netmap_ring *ring = nmuser_rx_ring(d, ri);

		if (ring == NULL)
			continue;
		for (i = ring->head; i != ring->tail && (cnt <= 0 || got < cnt); i = end, got++) {
			if (held != NULL) {
				cb(arg, &d->hdr, d->hdr.buf);
				held->head = held->cur = end;
			}
			end = nmuser_ring_gather(d, ring, i);
			held = ring;
		}
		if (cnt > 0 && got == cnt)
			break;
	}
	d->hdr.flags = 0;
	if (held != NULL) {
		cb(arg, &d->hdr, d->hdr.buf);
		held->head = held->cur = end;
	}
	d->cur_rx_ring = ri;
	return got;
}

/*
 * The next received slot (a packet of several slots comes in pieces), described in *hdr, or NULL if there is
 * none. It is given back at once: the data are valid until the next system call on this port.
 */
NM_LIB_FN unsigned char *
nm_nextpkt(struct nm_desc *d, struct nm_pkthdr *hdr)
{
	uint16_t n = (uint16_t)(d->last_rx_ring - d->first_rx_ring + 1);
	uint16_t ri = d->cur_rx_ring;

	for (; n > 0; n--, ri = nmuser_next_ring(ri, d->first_rx_ring, d->last_rx_ring)) {
		struct netmap_ring *ring = nmuser_rx_ring(d, ri);
		struct netmap_slot *slot;

		if (ring == NULL || nm_ring_empty(ring))
			continue;
		slot = &ring->slot[ring->head];
		hdr->ts = ring->ts;
		hdr->caplen = hdr->len = slot->len;
		hdr->flags = 0;
		hdr->d = d;
		hdr->slot = slot;
		hdr->buf = (uint8_t *)NETMAP_BUF_OFFSET(ring, slot);
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
		d->cur_rx_ring = ri;
		return hdr->buf;
	}
	return NULL;
}

#undef NM_LIB_FN

#endif /* NETMAP_WITH_LIBS */

#endif /* _NET_NETMAP_USER_H_ */
