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

/* One's complement sum in this machine's byte order; 64 bits hold it for any length that occurs here. */
static uint64_t sum_add(uint64_t sum, const uint8_t *p, uint32_t len)
{
	uint64_t w;

	for (; len >= 8; p += 8, len -= 8) {
		__builtin_memcpy(&w, p, 8);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	if (len) {
		w = 0;
		__builtin_memcpy(&w, p, len);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	return sum;
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

/* Write the complement of a sum; zero goes out as all ones, since it would mean "no checksum" in UDP. */
static void sum_store(uint8_t *at, uint64_t sum)
{
	uint16_t csum = (uint16_t)~sum_fold(sum);

	if (csum == 0)
		csum = 0xffff;
	__builtin_memcpy(at, &csum, 2);
}

static void ip4_csum_store(uint8_t *ip)
{
	uint16_t csum;

	put16(ip + 10, 0);
	csum = (uint16_t)~sum_fold(sum_add(0, ip, (ip[0] & 15) * 4u));
	__builtin_memcpy(ip + 10, &csum, 2);
}

static uint32_t crc32c(const uint8_t *p, uint32_t len)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
		0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
		0xf36e6f75,
	};
	uint32_t crc = 0xffffffff;

	for (; len; p++, len--) {
		crc = nibble[(crc ^ *p) & 15] ^ crc >> 4;
		crc = nibble[(crc ^ *p >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

/* Copy len bytes of the source from frame offset ofs; the caller has checked that they exist. */
static void source_copy(struct vnet_iter *it, uint32_t ofs, uint8_t *dst, uint32_t len)
{
	uint32_t n, skip;

	if (ofs < it->cursor_ofs) {
		it->cursor = 0;
		it->cursor_ofs = 0;
	}
	while (len && it->cursor < it->nfrags) {
		const struct vnet_frag *f = &it->frags[it->cursor];

		skip = ofs - it->cursor_ofs;
		if (skip >= f->len) {
			it->cursor_ofs += f->len;
			it->cursor++;
			continue;
		}
		n = f->len - skip;
		if (n > len)
			n = len;
		__builtin_memcpy(dst, (const uint8_t *)f->base + skip, n);
		dst += n;
		ofs += n;
		len -= n;
	}
}

/* Sum of the source from frame offset ofs to its end. */
static uint64_t source_sum(struct vnet_iter *it, uint32_t ofs)
{
	uint8_t chunk[256];
	uint64_t sum = 0;
	uint32_t n;

	for (; ofs < it->frame_len; ofs += n) {
		n = it->frame_len - ofs;
		if (n > sizeof(chunk))
			n = sizeof(chunk);
		source_copy(it, ofs, chunk, n);
		sum = sum_add(sum, chunk, n);
	}
	return sum;
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
 * arrive at the same.
 */
static int ufo_init(struct vnet_iter *it, const struct vnet_layout *l, uint32_t tag)
{
	uint32_t l4_src = l->l4 - tag, frag_at = l->version == 4 ? l->l4 : l->frag_at;
	uint64_t sum;
	uint16_t old;
	int err;

	template_split(it, frag_at, tag);
	__builtin_memcpy(&old, it->hdr + l->l4 + UDP_CSUM_OFS, 2);
	it->csum_start = (uint16_t)(l->l4 - frag_at);	/* within the payload */
	sum = source_sum(it, l4_src);
	if (l->version == 6) {
		err = ufo_fragment_header(it, l, (uint32_t)(sum * 0x9e3779b1u) ^ get32(it->hdr + l->l4));
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
		it->csum_start = (uint16_t)(f->csum_start + tag);
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

/* Checksum of the transport header and payload of one segment; the field is at csum_ofs in the header. */
static void l4_csum_store(const struct vnet_iter *it, uint8_t *out, uint32_t len, uint32_t csum_ofs)
{
	uint8_t *l4 = out + it->l4;
	uint64_t sum;

	put16(l4 + csum_ofs, 0);
	sum = sum_number(it->pseudo, len - it->l4);
	sum_store(l4 + csum_ofs, sum_add(sum, l4, len - it->l4));
}

static void tcp_fix(const struct vnet_iter *it, uint8_t *out, uint32_t ofs, uint32_t len)
{
	uint8_t *tcp = out + it->l4;

	put32(tcp + 4, get32(tcp + 4) + ofs);
	if (it->next + 1 < it->count)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (it->next > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
	l4_csum_store(it, out, len, TCP_CSUM_OFS);
}

static void ufo_fix(const struct vnet_iter *it, uint8_t *out, uint32_t ofs, uint32_t plen)
{
	uint32_t more = it->next + 1 < it->count, at = it->csum_start + UDP_CSUM_OFS;

	if (it->ip_version == 6)
		put16(out + it->hdr_len - IP6_FRAG_LEN + 2, ofs | more);
	else	/* "don't fragment" would contradict what is done here */
		put16(out + it->l3 + 6, ofs >> 3 | more << 13);
	if (it->csum_fill && at >= ofs && at + 2 <= ofs + plen)
		sum_store(out + it->hdr_len + at - ofs, it->pseudo);
}

int vnet_iter_next(struct vnet_iter *it, void *buf, uint32_t room)
{
	uint32_t len = vnet_iter_len(it), ofs, plen, crc;
	uint8_t *out = buf, *at;

	if (it->next >= it->count)
		return 0;
	if (len > room)
		return -ENOSPC;
	plen = segment_payload(it, &ofs);
	__builtin_memcpy(out, it->hdr, it->hdr_len);
	source_copy(it, it->payload + ofs, out + it->hdr_len, plen);
	switch (it->kind) {
	case VNET_CSUM:
		sum_store(out + it->csum_start + it->csum_offset,
			  sum_add(0, out + it->csum_start, len - it->csum_start));
		break;
	case VNET_CSUM_CRC32C:
		at = out + it->csum_start + SCTP_CSUM_OFS;
		put32(at, 0);
		crc = crc32c(out + it->csum_start, len - it->csum_start);
		put32(at, __builtin_bswap32(crc));
		break;
	case VNET_TCP:
		ip_fix(it, out, len);
		tcp_fix(it, out, ofs, len);
		break;
	case VNET_UDP:
		ip_fix(it, out, len);
		put16(out + it->l4 + 4, len - it->l4);
		if (it->csum_fill)
			l4_csum_store(it, out, len, UDP_CSUM_OFS);
		break;
	case VNET_UFO:
		ufo_fix(it, out, ofs, plen);
		ip_fix(it, out, len);
		break;
	}
	it->next++;
	return (int)len;
}
