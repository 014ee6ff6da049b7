/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksum completion and segmentation of frames with a virtio-net header; contract in vnet_hdr.h.
 *
 * Every frame is made of a header template (it->hdr, patched per frame) and a piece of the payload. For a
 * plain frame the template is empty, or just the MAC addresses and an inserted VLAN tag. For UDP
 * fragmentation the template ends with the IP header, so that the UDP header travels as payload of the
 * first fragment.
 */
#include "errno_abi.h"
#include "vnet_hdr.h"

#define HDR_F_NEEDS_CSUM	1
#define HDR_GSO_NONE		0
#define HDR_GSO_TCPV4		1
#define HDR_GSO_UDP		3
#define HDR_GSO_TCPV6		4
#define HDR_GSO_UDP_L4		5
#define HDR_GSO_ECN		0x80

#define ETH_HDR_LEN		14
#define ETH_ADDRS_LEN		12
#define VLAN_TAG_LEN		4
#define ETH_IPV4		0x0800
#define ETH_IPV6		0x86dd
#define ETH_VLAN		0x8100
#define ETH_QINQ		0x88a8

#define IP6_HDR_LEN		40
#define IP6_FRAG_LEN		8
#define IPPROTO_N_HOPOPTS	0
#define IPPROTO_N_TCP		6
#define IPPROTO_N_UDP		17
#define IPPROTO_N_ROUTING	43
#define IPPROTO_N_FRAGMENT	44
#define IPPROTO_N_DSTOPTS	60
#define IPPROTO_N_SCTP		132

#define TCP_CSUM_OFS		16
#define UDP_CSUM_OFS		6
#define SCTP_CSUM_OFS		8
#define UDP_HDR_LEN		8
#define TCP_FIN			0x01
#define TCP_PSH			0x08
#define TCP_CWR			0x80

/* The virtio-net header, loaded once. */
struct vnet_fields {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

/* Where the headers of a frame lie, as offsets into the template. */
struct vnet_layout {
	uint16_t l3, l4;
	uint16_t dst;		/* final destination address, for the pseudo header */
	uint16_t frag_at;	/* IPv6: where a fragment header would go */
	uint16_t next_at;	/* IPv6: the next-header byte in front of it */
	uint8_t version, proto, ntags;
	bool fragment;		/* is an IP fragment already */
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

typedef uint64_t sum_vector __attribute__((vector_size(16), aligned(1), may_alias));

/*
 * One's complement sum in this machine's byte order, not folded; 64 bits hold it for any length that occurs
 * here. Copies what it sums if `copy`.
 */
static inline __attribute__((always_inline)) uint64_t sum_over(uint8_t *dst, const uint8_t *p, uint32_t len,
							       bool copy)
{
	const sum_vector low = { 0xffffffff, 0xffffffff };
	sum_vector a = { 0, 0 }, b = { 0, 0 };
	uint32_t done = 0;
	uint64_t w, sum;

	for (; len - done >= 32; done += 32) {
		sum_vector v = *(const sum_vector *)(const void *)(p + done);
		sum_vector x = *(const sum_vector *)(const void *)(p + done + 16);

		if (copy) {
			*(sum_vector *)(void *)(dst + done) = v;
			*(sum_vector *)(void *)(dst + done + 16) = x;
		}
		a += (v & low) + (x & low);
		b += (v >> 32) + (x >> 32);
	}
	a += b;
	sum = a[0] + a[1];
	for (; done < len; done += 8) {
		uint32_t n = len - done < 8 ? len - done : 8;

		w = 0;
		if (n == 8)
			__builtin_memcpy(&w, p + done, 8);
		else
			__builtin_memcpy(&w, p + done, n);
		if (copy && n == 8)
			__builtin_memcpy(dst + done, &w, 8);
		else if (copy)
			__builtin_memcpy(dst + done, &w, n);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	return sum;
}

static uint64_t sum_add(uint64_t sum, const uint8_t *p, uint32_t len)
{
	return sum + sum_over(NULL, p, len, false);
}

static uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Add a 16-bit number in network byte order, as it would stand in a pseudo header. */
static uint64_t sum_number(uint64_t sum, uint32_t v)
{
	uint8_t b[4];

	put32(b, v);
	return sum_add(sum, b, 4);
}

/* The complement of a sum; zero becomes all ones, since it would mean "no checksum" in UDP. */
static uint16_t sum_finish(uint64_t sum)
{
	uint16_t csum = (uint16_t)~sum_fold(sum);

	return csum == 0 ? 0xffff : csum;
}

/* A sum that is made piece by piece, of any lengths. */
struct running_sum {
	uint64_t sum;
	bool odd;		/* an odd number of bytes is in it */
};

static void running_sum_add(struct running_sum *r, uint64_t part, uint32_t len)
{
	/* Summed from the other byte of a pair on. */
	if (r->odd)
		part = __builtin_bswap16(sum_fold(part));
	r->sum += part;
	r->odd ^= len & 1;
}

static void ip4_csum_store(uint8_t *ip)
{
	uint16_t csum;

	put16(ip + 10, 0);
	csum = (uint16_t)~sum_fold(sum_add(0, ip, (ip[0] & 15) * 4u));
	__builtin_memcpy(ip + 10, &csum, 2);
}

/* Without the complements at start and end. */
static uint32_t crc32c_add(uint32_t crc, const uint8_t *p, uint32_t len)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
		0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
		0xf36e6f75,
	};

	for (; len; p++, len--) {
		crc = nibble[(crc ^ *p) & 15] ^ crc >> 4;
		crc = nibble[(crc ^ *p >> 4) & 15] ^ crc >> 4;
	}
	return crc;
}

/* The source from frame offset ofs on: how many bytes, at most len, lie at *at; 0 at the frame's end. */
static uint32_t source_at(struct vnet_iter *it, uint32_t ofs, uint32_t len, const uint8_t **at)
{
	uint32_t skip;

	if (ofs < it->cursor_ofs) {
		it->cursor = 0;
		it->cursor_ofs = 0;
	}
	for (; it->cursor < it->nfrags; it->cursor++) {
		const struct vnet_frag *f = &it->frags[it->cursor];

		skip = ofs - it->cursor_ofs;
		if (skip < f->len) {
			*at = (const uint8_t *)f->base + skip;
			return f->len - skip < len ? f->len - skip : len;
		}
		it->cursor_ofs += f->len;
	}
	return 0;
}

/* Copy len bytes of the source from frame offset ofs; the caller has checked that they exist. */
static void source_copy(struct vnet_iter *it, uint32_t ofs, uint8_t *dst, uint32_t len)
{
	const uint8_t *at;
	uint32_t n;

	for (; len && (n = source_at(it, ofs, len, &at)) != 0; dst += n, ofs += n, len -= n)
		__builtin_memcpy(dst, at, n);
}

/* Sum of the source from frame offset ofs to its end. */
static uint64_t source_sum(struct vnet_iter *it, uint32_t ofs)
{
	struct running_sum r = { 0, false };
	const uint8_t *at;
	uint32_t n;

	for (; (n = source_at(it, ofs, it->frame_len - ofs, &at)) != 0; ofs += n)
		running_sum_add(&r, sum_add(0, at, n), n);
	return r.sum;
}

static void fields_load(struct vnet_fields *f, const uint8_t *hdr)
{
	f->flags = hdr[0];
	f->gso_type = hdr[1];
	__builtin_memcpy(&f->hdr_len, hdr + 2, 2);
	__builtin_memcpy(&f->gso_size, hdr + 4, 2);
	__builtin_memcpy(&f->csum_start, hdr + 6, 2);
	__builtin_memcpy(&f->csum_offset, hdr + 8, 2);
}

/* The final destination of an IPv6 packet with a routing header at h[pos]; 0 if the type is unknown. */
static uint32_t ip6_final_dst(const uint8_t *h, uint32_t pos, uint32_t len)
{
	uint32_t n = (len - 8) / 16;

	if (n == 0)
		return 0;
	switch (h[pos + 2]) {
	case 0: case 2:
		return pos + 8 + (n - 1) * 16;
	case 4:
		return pos + 8;
	}
	return 0;
}

static int layout_ip6(const uint8_t *h, uint32_t avail, struct vnet_layout *l)
{
	uint32_t pos = l->l3 + IP6_HDR_LEN, next_at = l->l3 + 6u, len;

	if (pos > avail)
		return -EINVAL;
	l->dst = (uint16_t)(l->l3 + 24);
	l->frag_at = (uint16_t)pos;
	l->next_at = (uint16_t)next_at;
	while (h[next_at] == IPPROTO_N_HOPOPTS || h[next_at] == IPPROTO_N_ROUTING ||
	       h[next_at] == IPPROTO_N_DSTOPTS) {
		if (pos + 8 > avail)
			return -EINVAL;
		len = 8 * (h[pos + 1] + 1u);
		if (pos + len > avail)
			return -EINVAL;
		if (h[next_at] == IPPROTO_N_ROUTING && h[pos + 3] != 0) {
			l->dst = (uint16_t)ip6_final_dst(h, pos, len);
			if (l->dst == 0)
				return -EINVAL;
		}
		if (h[next_at] != IPPROTO_N_DSTOPTS) {
			l->frag_at = (uint16_t)(pos + len);
			l->next_at = (uint16_t)pos;
		}
		next_at = pos;
		pos += len;
	}
	l->proto = h[next_at];
	l->fragment = l->proto == IPPROTO_N_FRAGMENT;
	l->l4 = (uint16_t)pos;
	return 0;
}

static int layout_ip4(const uint8_t *h, uint32_t avail, struct vnet_layout *l)
{
	uint32_t ihl;

	if (l->l3 + 20u > avail)
		return -EINVAL;
	ihl = (h[l->l3] & 15) * 4u;
	if (ihl < 20 || l->l3 + ihl > avail)
		return -EINVAL;
	l->dst = (uint16_t)(l->l3 + 16);
	l->proto = h[l->l3 + 9];
	l->fragment = (get16(h + l->l3 + 6) & 0x3fff) != 0;
	l->l4 = (uint16_t)(l->l3 + ihl);
	return 0;
}

/* Find the headers in the first avail bytes of a frame. */
static int layout_find(const uint8_t *h, uint32_t avail, struct vnet_layout *l)
{
	uint32_t pos = ETH_ADDRS_LEN, type;

	l->ntags = 0;
	for (;;) {
		if (pos + 2 > avail)
			return -EINVAL;
		type = get16(h + pos);
		if (type != ETH_VLAN && type != ETH_QINQ)
			break;
		pos += VLAN_TAG_LEN;
		l->ntags++;
	}
	l->l3 = (uint16_t)(pos + 2);
	if (l->l3 + 1u > avail)
		return -EINVAL;
	l->version = h[l->l3] >> 4;
	if (type == ETH_IPV4 && l->version == 4)
		return layout_ip4(h, avail, l);
	if (type == ETH_IPV6 && l->version == 6)
		return layout_ip6(h, avail, l);
	return -EINVAL;
}

/* Copy the start of the frame into the template, with the tag in place. Returns the bytes it holds. */
static uint32_t template_load(struct vnet_iter *it, const struct vnet_source *src)
{
	uint32_t tag = src->tag_insert ? VLAN_TAG_LEN : 0;
	uint32_t n = it->frame_len;

	if (n > VNET_HEADERS_MAX - tag)
		n = VNET_HEADERS_MAX - tag;
	if (tag == 0) {
		source_copy(it, 0, it->hdr, n);
		return n;
	}
	source_copy(it, 0, it->hdr, ETH_ADDRS_LEN);
	put16(it->hdr + ETH_ADDRS_LEN, src->tag_tpid);
	put16(it->hdr + ETH_ADDRS_LEN + 2, src->tag_tci);
	source_copy(it, ETH_ADDRS_LEN, it->hdr + ETH_ADDRS_LEN + VLAN_TAG_LEN, n - ETH_ADDRS_LEN);
	return n + tag;
}

/* Make the first hdr_len bytes of the template the headers, the rest of the frame the payload. */
static void template_split(struct vnet_iter *it, uint32_t hdr_len, uint32_t tag)
{
	it->hdr_len = (uint16_t)hdr_len;
	it->payload = hdr_len - tag;
	it->payload_len = it->frame_len - it->payload;
}

static uint32_t pseudo_sum(const struct vnet_iter *it, const struct vnet_layout *l)
{
	uint64_t sum;

	if (l->version == 4) {
		sum = sum_add(0, it->hdr + l->l3 + 12, 4);
		sum = sum_add(sum, it->hdr + l->dst, 4);
	} else {
		sum = sum_add(0, it->hdr + l->l3 + 8, 16);
		sum = sum_add(sum, it->hdr + l->dst, 16);
	}
	return sum_fold(sum_number(sum, l->proto));
}

/* Put an IPv6 fragment header at the end of the template. */
static int ufo_fragment_header(struct vnet_iter *it, const struct vnet_layout *l, uint32_t id)
{
	uint8_t *fh = it->hdr + it->hdr_len;

	if (it->hdr_len + IP6_FRAG_LEN > VNET_HEADERS_MAX)
		return -EINVAL;
	fh[0] = it->hdr[l->next_at];
	fh[1] = 0;
	put16(fh + 2, 0);
	put32(fh + 4, id);
	it->hdr[l->next_at] = IPPROTO_N_FRAGMENT;
	it->hdr_len += IP6_FRAG_LEN;
	return 0;
}

/*
 * One datagram in IP fragments. The checksum covers all of it, so it is made here, once. The
 * identification of IPv6 fragments is made from the contents: whoever resumes at a later fragment must
 * arrive at the same, also if the source lies in other pieces then.
 */
static int ufo_init(struct vnet_iter *it, const struct vnet_layout *l, uint32_t tag)
{
	uint32_t l4_src = l->l4 - tag, frag_at = l->version == 4 ? l->l4 : l->frag_at;
	uint64_t sum;
	uint16_t old;
	int err;

	template_split(it, frag_at, tag);
	__builtin_memcpy(&old, it->hdr + l->l4 + UDP_CSUM_OFS, 2);
	it->csum_start = l->l4 - frag_at;	/* within the payload */
	sum = source_sum(it, l4_src);
	if (l->version == 6) {
		err = ufo_fragment_header(it, l, sum_fold(sum) * 0x9e3779b1u ^ get32(it->hdr + l->l4));
		if (err)
			return err;
	}
	sum += (uint16_t)~old;
	sum += pseudo_sum(it, l);
	it->pseudo = sum_fold(sum_number(sum, it->frame_len - l4_src));
	it->seg_size &= ~7u;
	return 0;
}

/* Does the packet fit the type of segmentation that the header asks for? */
static int gso_check(const struct vnet_iter *it, const struct vnet_fields *f, const struct vnet_layout *l,
		     uint32_t avail, uint32_t tag)
{
	uint32_t csum_offset = UDP_CSUM_OFS, need = UDP_HDR_LEN;
	uint8_t type = f->gso_type & (uint8_t)~HDR_GSO_ECN;

	if (l->fragment || f->gso_size == 0 || f->hdr_len > it->frame_len)
		return -EINVAL;
	if (type == HDR_GSO_TCPV4 || type == HDR_GSO_TCPV6) {
		if (l->proto != IPPROTO_N_TCP || l->version != (type == HDR_GSO_TCPV4 ? 4 : 6))
			return -EINVAL;
		csum_offset = TCP_CSUM_OFS;
		need = 20;
	} else if (l->proto != IPPROTO_N_UDP) {
		return -EINVAL;
	}
	if (l->l4 + need > avail)
		return -EINVAL;
	if ((f->flags & HDR_F_NEEDS_CSUM) && (f->csum_start + tag != l->l4 || f->csum_offset != csum_offset))
		return -EINVAL;
	return 0;
}

/* Set the kind and the headers of a segmentation request. */
static int gso_headers(struct vnet_iter *it, const struct vnet_fields *f, const struct vnet_layout *l,
		       uint32_t avail, uint32_t tag)
{
	uint32_t len = l->l4 + UDP_HDR_LEN;

	it->csum_fill = true;
	it->pseudo = pseudo_sum(it, l);
	if (l->proto == IPPROTO_N_TCP) {
		len = l->l4 + (it->hdr[l->l4 + 12] >> 4) * 4u;
		if (len < l->l4 + 20u || len > avail)
			return -EINVAL;
		it->kind = VNET_TCP;
	} else if (!(f->flags & HDR_F_NEEDS_CSUM) && get16(it->hdr + l->l4 + UDP_CSUM_OFS) == 0) {
		it->csum_fill = false;	/* sent without a checksum */
	}
	if (f->gso_type == HDR_GSO_UDP) {
		/* A finished checksum of the whole datagram stays right. */
		it->csum_fill = (f->flags & HDR_F_NEEDS_CSUM) != 0;
		it->kind = VNET_UFO;
		return ufo_init(it, l, tag);
	}
	if (f->gso_type == HDR_GSO_UDP_L4)
		it->kind = VNET_UDP;
	template_split(it, len, tag);
	return 0;
}

static int gso_init(struct vnet_iter *it, const struct vnet_fields *f, const struct vnet_source *src)
{
	uint32_t tag = src->tag_insert ? VLAN_TAG_LEN : 0, avail = template_load(it, src), limit, longest;
	struct vnet_layout l;
	int err;

	err = layout_find(it->hdr, avail, &l);
	if (err)
		return err;
	err = gso_check(it, f, &l, avail, tag);
	if (err)
		return err;
	it->l3 = l.l3;
	it->l4 = l.l4;
	it->ip_version = l.version;
	it->seg_size = f->gso_size;
	err = gso_headers(it, f, &l, avail, tag);
	if (err)
		return err;
	limit = src->max_frame ? src->max_frame + l.ntags * VLAN_TAG_LEN : UINT32_MAX;
	if (limit <= it->hdr_len)
		return -EMSGSIZE;
	if (it->seg_size > limit - it->hdr_len) {
		if (it->kind == VNET_UDP && it->payload_len > limit - it->hdr_len)
			return -EMSGSIZE;
		it->seg_size = limit - it->hdr_len;
		if (it->kind == VNET_UFO)
			it->seg_size &= ~7u;
	}
	if (it->seg_size == 0)
		return -EINVAL;
	it->count = (it->payload_len + it->seg_size - 1) / it->seg_size;
	if (it->count == 0)
		it->count = 1;
	/* No IP packet, and no datagram before it is fragmented, is longer than its length field can say. */
	longest = it->kind == VNET_UFO || it->seg_size > it->payload_len ? it->payload_len : it->seg_size;
	if (it->hdr_len - l.l3 + longest > 65535)
		return -EINVAL;
	return 0;
}

/* A frame that stays one frame, perhaps with a checksum to finish. */
static int single_init(struct vnet_iter *it, const struct vnet_fields *f, const struct vnet_source *src)
{
	uint32_t tag = src->tag_insert ? VLAN_TAG_LEN : 0, limit = src->max_frame, avail, type;
	struct vnet_layout l;
	uint8_t b[2];

	it->seg_size = UINT32_MAX;
	it->count = 1;
	if (f->flags & HDR_F_NEEDS_CSUM) {
		if (f->csum_start < ETH_HDR_LEN ||
		    (uint32_t)f->csum_start + f->csum_offset + 2 > it->frame_len)
			return -EINVAL;
		it->kind = VNET_CSUM;
		it->csum_start = f->csum_start + tag;
		it->csum_offset = f->csum_offset;
	}
	/* The header has no way to say "CRC", the packet itself does. */
	if (it->kind == VNET_CSUM && f->csum_offset == SCTP_CSUM_OFS) {
		avail = template_load(it, src);
		if (layout_find(it->hdr, avail, &l) == 0 && l.proto == IPPROTO_N_SCTP &&
		    l.l4 == it->csum_start && it->csum_start + 12u <= it->frame_len + tag)
			it->kind = VNET_CSUM_CRC32C;
	}
	if (tag)
		template_load(it, src);
	template_split(it, tag ? ETH_ADDRS_LEN + tag : 0, tag);
	if (limit == 0 || it->frame_len + tag <= limit)
		return 0;
	limit += tag;
	for (uint32_t pos = ETH_ADDRS_LEN; pos + 2 <= it->frame_len; pos += VLAN_TAG_LEN) {
		source_copy(it, pos, b, 2);
		type = get16(b);
		if (type != ETH_VLAN && type != ETH_QINQ)
			break;
		limit += VLAN_TAG_LEN;
	}
	return it->frame_len + tag <= limit ? 0 : -EMSGSIZE;
}

int vnet_iter_init(struct vnet_iter *it, const struct vnet_source *src)
{
	struct vnet_fields f = { 0 };
	uint64_t len = 0;

	for (uint32_t i = 0; i < src->nfrags; i++)
		len += src->frags[i].len;
	if (len > VNET_FRAME_MAX || (src->tag_insert && len < ETH_HDR_LEN))
		return -EINVAL;
	it->frags = src->frags;
	it->nfrags = src->nfrags;
	it->cursor = 0;
	it->cursor_ofs = 0;
	it->frame_len = (uint32_t)len;
	it->next = 0;
	it->kind = VNET_PLAIN;
	if (src->hdr && src->hdr_len) {
		if (src->hdr_len != VNET_HDR_LEN && src->hdr_len != VNET_HDR_LEN_MRG)
			return -EINVAL;
		fields_load(&f, src->hdr);
	}
	switch (f.gso_type) {
	case HDR_GSO_NONE:
		return single_init(it, &f, src);
	case HDR_GSO_TCPV4:
	case HDR_GSO_TCPV4 | HDR_GSO_ECN:
	case HDR_GSO_TCPV6:
	case HDR_GSO_TCPV6 | HDR_GSO_ECN:
	case HDR_GSO_UDP:
	case HDR_GSO_UDP_L4:
		return gso_init(it, &f, src);
	}
	return -EINVAL;
}

uint32_t vnet_iter_count(const struct vnet_iter *it)
{
	return it->count;
}

void vnet_iter_seek(struct vnet_iter *it, uint32_t n)
{
	it->next = n < it->count ? n : it->count;
}

/* Payload bytes of the next frame, which must exist; *ofs: where they start in the payload. */
static uint32_t segment_payload(const struct vnet_iter *it, uint32_t *ofs)
{
	uint32_t left;

	*ofs = it->next ? it->next * it->seg_size : 0;
	left = it->payload_len - *ofs;
	return left < it->seg_size ? left : it->seg_size;
}

uint32_t vnet_iter_len(const struct vnet_iter *it)
{
	uint32_t ofs;

	if (it->next >= it->count)
		return 0;
	return it->hdr_len + segment_payload(it, &ofs);
}

static void ip_fix(const struct vnet_iter *it, uint8_t *out, uint32_t len)
{
	uint8_t *ip = out + it->l3;

	if (it->ip_version == 6) {
		put16(ip + 4, len - it->l3 - IP6_HDR_LEN);
		return;
	}
	put16(ip + 2, len - it->l3);
	if (it->kind != VNET_UFO)
		put16(ip + 4, get16(ip + 4) + it->next);
	ip4_csum_store(ip);
}

static void tcp_fix(const struct vnet_iter *it, uint8_t *out, uint32_t ofs)
{
	uint8_t *tcp = out + it->l4;

	put32(tcp + 4, get32(tcp + 4) + ofs);
	if (it->next + 1 < it->count)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (it->next > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
}

static void ufo_fix(const struct vnet_iter *it, uint8_t *out, uint32_t ofs)
{
	uint32_t more = it->next + 1 < it->count;

	if (it->ip_version == 6)
		put16(out + it->hdr_len - IP6_FRAG_LEN + 2, ofs | more);
	else	/* "don't fragment" would contradict what is done here */
		put16(out + it->l3 + 6, ofs >> 3 | more << 13);
}

/* A place in the pieces that a frame is written to. */
struct vnet_out {
	const struct vnet_piece *piece;
	uint32_t done;		/* bytes of it */
};

/* Write len bytes, which fit, and add them to the sum if there is one. */
static void out_put(struct vnet_out *o, const uint8_t *p, uint32_t len, struct running_sum *r)
{
	uint32_t n;

	for (; len; p += n, len -= n, o->done += n) {
		while (o->done == o->piece->len) {
			o->piece++;
			o->done = 0;
		}
		n = o->piece->len - o->done < len ? o->piece->len - o->done : len;
		if (r)
			running_sum_add(r, sum_over((uint8_t *)o->piece->base + o->done, p, n, true), n);
		else
			__builtin_memcpy((uint8_t *)o->piece->base + o->done, p, n);
	}
}

/* Write len bytes of the payload, from payload offset ofs. */
static void out_payload(struct vnet_out *o, struct vnet_iter *it, uint32_t ofs, uint32_t len,
			struct running_sum *r)
{
	const uint8_t *at;
	uint32_t n;

	for (; len && (n = source_at(it, it->payload + ofs, len, &at)) != 0; ofs += n, len -= n)
		out_put(o, at, n, r);
}

/* Change n bytes at offset ofs of a frame that is written. */
static void pieces_store(const struct vnet_piece *to, uint32_t ofs, const void *bytes, uint32_t n)
{
	const uint8_t *p = bytes;

	for (; n; p++, ofs++, n--) {
		for (; ofs >= to->len; to++)
			ofs -= to->len;
		((uint8_t *)to->base)[ofs] = *p;
	}
}

/* TCP, and UDP with one datagram per segment. */
static void segment_write(struct vnet_iter *it, const struct vnet_piece *to, uint32_t ofs, uint32_t plen)
{
	uint32_t len = it->hdr_len + plen, csum_ofs = UDP_CSUM_OFS;
	struct vnet_out o = { to, 0 };
	struct running_sum r;
	uint8_t h[VNET_HEADERS_MAX];
	uint16_t csum;

	__builtin_memcpy(h, it->hdr, it->hdr_len);
	ip_fix(it, h, len);
	if (it->kind == VNET_TCP) {
		tcp_fix(it, h, ofs);
		csum_ofs = TCP_CSUM_OFS;
	} else {
		put16(h + it->l4 + 4, len - it->l4);
	}
	if (!it->csum_fill) {
		out_put(&o, h, it->hdr_len, NULL);
		out_payload(&o, it, ofs, plen, NULL);
		return;
	}
	put16(h + it->l4 + csum_ofs, 0);
	r.sum = sum_number(it->pseudo, len - it->l4);
	r.sum = sum_add(r.sum, h + it->l4, it->hdr_len - it->l4);
	r.odd = false;	/* transport headers have an even length */
	out_put(&o, h, it->hdr_len, NULL);
	out_payload(&o, it, ofs, plen, &r);
	csum = sum_finish(r.sum);
	pieces_store(to, it->l4 + csum_ofs, &csum, 2);
}

static void fragment_write(struct vnet_iter *it, const struct vnet_piece *to, uint32_t ofs, uint32_t plen)
{
	uint32_t at = it->csum_start + UDP_CSUM_OFS;
	struct vnet_out o = { to, 0 };
	uint8_t h[VNET_HEADERS_MAX];
	uint16_t csum;

	__builtin_memcpy(h, it->hdr, it->hdr_len);
	ufo_fix(it, h, ofs);
	ip_fix(it, h, it->hdr_len + plen);
	out_put(&o, h, it->hdr_len, NULL);
	out_payload(&o, it, ofs, plen, NULL);
	if (it->csum_fill && at >= ofs && at + 2 <= ofs + plen) {
		csum = sum_finish(it->pseudo);
		pieces_store(to, it->hdr_len + at - ofs, &csum, 2);
	}
}

/* CRC32C of the source from frame offset ofs to its end, with zeros for its own field. */
static uint32_t source_crc32c(struct vnet_iter *it, uint32_t ofs)
{
	static const uint8_t zeros[4];
	uint32_t crc = 0xffffffff, field = ofs + SCTP_CSUM_OFS, n;
	const uint8_t *at;

	for (; ofs < field && (n = source_at(it, ofs, field - ofs, &at)) != 0; ofs += n)
		crc = crc32c_add(crc, at, n);
	crc = crc32c_add(crc, zeros, 4);
	for (ofs = field + 4; (n = source_at(it, ofs, it->frame_len - ofs, &at)) != 0; ofs += n)
		crc = crc32c_add(crc, at, n);
	return ~crc;
}

static void single_write(struct vnet_iter *it, const struct vnet_piece *to)
{
	uint32_t before = it->payload_len;
	struct running_sum r = { 0, false };
	struct vnet_out o = { to, 0 };
	uint16_t csum;
	uint8_t crc[4];

	if (it->kind == VNET_CSUM)
		before = it->csum_start - it->hdr_len;
	out_put(&o, it->hdr, it->hdr_len, NULL);
	out_payload(&o, it, 0, before, NULL);
	if (it->kind == VNET_CSUM) {
		out_payload(&o, it, before, it->payload_len - before, &r);
		csum = sum_finish(r.sum);
		pieces_store(to, it->csum_start + it->csum_offset, &csum, 2);
	} else if (it->kind == VNET_CSUM_CRC32C) {
		put32(crc, __builtin_bswap32(source_crc32c(it, it->payload + it->csum_start - it->hdr_len)));
		pieces_store(to, it->csum_start + SCTP_CSUM_OFS, crc, 4);
	}
}

int vnet_iter_write(struct vnet_iter *it, const struct vnet_piece *to, uint32_t n)
{
	uint32_t len = vnet_iter_len(it), ofs, plen;
	uint64_t room = 0;

	if (it->next >= it->count)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		room += to[i].len;
	if (len > room)
		return -ENOSPC;
	plen = segment_payload(it, &ofs);
	switch (it->kind) {
	case VNET_TCP:
	case VNET_UDP:
		segment_write(it, to, ofs, plen);
		break;
	case VNET_UFO:
		fragment_write(it, to, ofs, plen);
		break;
	default:
		single_write(it, to);
		break;
	}
	it->next++;
	return (int)len;
}

int vnet_iter_next(struct vnet_iter *it, void *buf, uint32_t room)
{
	return vnet_iter_write(it, &(struct vnet_piece){ buf, room }, 1);
}
