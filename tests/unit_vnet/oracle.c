/* SPDX-License-Identifier: BSD-2-Clause */
/* Maker and checker of frames, see oracle.h. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

static uint32_t rd(const uint8_t *p, int n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void wr(uint8_t *p, int n, uint32_t v)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

uint32_t slow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

uint32_t slow_crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static uint32_t pseudo(int version, const uint8_t *ip, const uint8_t *dst, uint8_t proto, uint32_t len)
{
	uint8_t tail[6] = { 0, proto, 0, 0, 0, 0 };
	int n = version == 4 ? 4 : 16;
	uint32_t sum = slow_sum(0, version == 4 ? ip + 12 : ip + 8, n);

	wr(tail + 2, 4, len);
	return slow_sum(slow_sum(sum, dst, n), tail, 6);
}

bool l4_right(int version, const uint8_t *ip, const uint8_t *final_dst, uint8_t proto, const uint8_t *l4,
	      uint32_t len)
{
	return slow_sum(pseudo(version, ip, final_dst, proto, len), l4, len) == 0xffff;
}

static uint8_t *ip4_make(uint8_t *p, const struct spec *s, uint32_t l4_len)
{
	int ihl = 20 + s->ip_options;

	memset(p, 1, ihl);	/* options: no-operation */
	p[0] = 0x40 | ihl / 4;
	p[1] = 0;
	wr(p + 2, 2, ihl + l4_len);
	wr(p + 4, 2, 0xfffe);	/* the identification wraps */
	wr(p + 6, 2, 0x4000);
	p[8] = 64;
	p[9] = s->proto;
	memcpy(p + 12, (uint8_t[]){ 10, 1, 2, 3, 192, 168, 7, 9 }, 8);
	wr(p + 10, 2, 0);
	wr(p + 10, 2, ~slow_sum(0, p, ihl) & 0xffff);
	return p + ihl;
}

static uint8_t *ip6_make(uint8_t *p, const struct spec *s, uint32_t l4_len)
{
	uint8_t *next = p + 6, *at = p + 40;

	memset(p, 0, 40);
	p[0] = 0x60;
	p[7] = 64;
	for (int i = 0; i < 32; i++)
		p[8 + i] = (uint8_t)(0x20 + i * 7);
	if (s->hopopts) {
		*next = 0;
		memcpy(at, (uint8_t[]){ 0, 0, 1, 4, 0, 0, 0, 0 }, 8);
		next = at;
		at += 8;
	}
	if (s->routing) {
		*next = 43;
		memset(at, 0, 24);
		at[1] = 2;
		at[2] = 2;
		at[3] = 1;
		memset(at + 8, 0x5a, 16);
		next = at;
		at += 24;
	}
	if (s->dstopts) {
		*next = 60;
		memset(at, 0, 16);
		at[1] = 1;
		memcpy(at + 2, (uint8_t[]){ 1, 12 }, 2);
		next = at;
		at += 16;
	}
	*next = s->proto;
	wr(p + 4, 2, (at - p - 40 + l4_len) & 0xffff);
	return at;
}

static const uint8_t *final_dst(const struct spec *s, const uint8_t *ip)
{
	if (s->version == 4)
		return ip + 16;
	if (s->routing)
		return ip + 40 + (s->hopopts ? 8 : 0) + 8;
	return ip + 24;
}

static uint32_t l4_head(const struct spec *s)
{
	return s->proto == 6 ? 20 + s->tcp_options : s->proto == 17 ? 8 : 12;
}

static void vnet_make(struct made *m, uint32_t csum_at)
{
	const struct spec *s = &m->spec;
	uint16_t v;

	m->hdr[0] = s->no_csum ? 0 : 1;
	m->hdr[1] = s->gso_type;
	v = (uint16_t)(s->gso_type ? m->data : 0);
	memcpy(m->hdr + 2, &v, 2);
	memcpy(m->hdr + 4, &s->gso_size, 2);
	if (s->no_csum)
		return;
	v = (uint16_t)m->l4;
	memcpy(m->hdr + 6, &v, 2);
	v = (uint16_t)csum_at;
	memcpy(m->hdr + 8, &v, 2);
}

void made_init(struct made *m, const struct spec *s)
{
	uint32_t l4_len = l4_head(s) + s->payload, csum_at;
	uint8_t buf[512], *p = buf, *l4, *whole;

	memset(m, 0, sizeof(*m));
	m->spec = *s;
	memcpy(p, (uint8_t[]){ 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2 }, 12);
	p += 12;
	for (int i = 0; i < 4 && s->tags[i]; i++, p += 4) {
		wr(p, 2, s->tags[i]);
		wr(p + 2, 2, 0x6000 + 100 + i);
	}
	wr(p, 2, s->version == 4 ? 0x0800 : 0x86dd);
	p += 2;
	m->l3 = p - buf;
	l4 = s->version == 4 ? ip4_make(p, s, l4_len) : ip6_make(p, s, l4_len);
	m->l4 = l4 - buf;
	m->data = m->l4 + l4_head(s);
	m->len = m->data + s->payload;
	whole = malloc(m->len);
	memset(l4, 0, l4_head(s));
	wr(l4, 2, 4321);
	wr(l4 + 2, 2, 80);
	csum_at = s->proto == 6 ? 16 : s->proto == 17 ? 6 : 8;
	if (s->proto == 6) {
		wr(l4 + 4, 4, 0xfffff000);	/* the sequence number wraps */
		l4[12] = (uint8_t)(l4_head(s) / 4 << 4);
		l4[13] = s->tcp_flags;
		memset(l4 + 20, 1, s->tcp_options);
	} else if (s->proto == 17) {
		wr(l4 + 4, 2, l4_len);
	}
	if (s->proto != 132)
		wr(l4 + csum_at, 2, pseudo(s->version, p, final_dst(s, p), s->proto, l4_len));
	memcpy(whole, buf, m->data);
	for (uint32_t i = 0; i < s->payload; i++)
		whole[m->data + i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 5);
	if (s->no_csum && s->proto != 132)
		wr(whole + m->l4 + csum_at, 2, ~slow_sum(0, whole + m->l4, l4_len) & 0xffff);
	m->frame = whole;
	vnet_make(m, csum_at);
}

void made_free(struct made *m)
{
	free(m->frame);
}

static const char *seen_transport(struct seen *s, const uint8_t *f, const uint8_t *dst, uint8_t proto)
{
	uint32_t len = s->len - s->l4;

	if (s->fragment && (s->frag_ofs || s->more)) {
		s->data = s->l4;
		return NULL;
	}
	if (proto == 6) {
		if (len < 20)
			return "TCP header cut";
		s->data = s->l4 + (f[s->l4 + 12] >> 4) * 4;
		s->seq = rd(f + s->l4 + 4, 4);
		s->tcp_flags = f[s->l4 + 13];
	} else if (proto == 17) {
		if (rd(f + s->l4 + 4, 2) != len)
			return "UDP length";
		s->data = s->l4 + 8;
		if (s->version == 4 && rd(f + s->l4 + 6, 2) == 0)
			return NULL;
	} else {
		return NULL;
	}
	return l4_right(s->version, f + s->l3, dst, proto, f + s->l4, len) ? NULL : "transport checksum";
}

static const char *seen_ip6(struct seen *s, const uint8_t *f)
{
	const uint8_t *dst = f + s->l3 + 24;
	uint32_t pos = s->l3 + 40, nh = f[s->l3 + 6];

	if (rd(f + s->l3 + 4, 2) != s->len - pos)
		return "IPv6 payload length";
	while (nh == 0 || nh == 43 || nh == 60 || nh == 44) {
		if (nh == 43)
			dst = f + pos + 8;
		if (nh == 44) {
			s->fragment = true;
			s->frag_ofs = rd(f + pos + 2, 2) & 0xfff8;
			s->more = f[pos + 3] & 1;
			s->id = rd(f + pos + 4, 4);
			nh = f[pos];
			pos += 8;
			if (s->frag_ofs || s->more)
				break;
			continue;
		}
		nh = f[pos];
		pos += 8 * (f[pos + 1] + 1);
	}
	s->l4 = pos;
	return seen_transport(s, f, dst, (uint8_t)nh);
}

const char *seen_parse(struct seen *s, const uint8_t *f, uint32_t len)
{
	uint32_t pos = 12, ihl;

	memset(s, 0, sizeof(*s));
	s->len = len;
	while (pos + 4 < len && (rd(f + pos, 2) == 0x8100 || rd(f + pos, 2) == 0x88a8))
		pos += 4;
	s->l3 = pos + 2;
	s->version = rd(f + pos, 2) == 0x0800 ? 4 : rd(f + pos, 2) == 0x86dd ? 6 : 0;
	if (s->version == 6)
		return seen_ip6(s, f);
	if (s->version != 4)
		return "no IP";
	ihl = (f[s->l3] & 15) * 4;
	s->l4 = s->l3 + ihl;
	if (slow_sum(0, f + s->l3, ihl) != 0xffff)
		return "IP checksum";
	if (rd(f + s->l3 + 2, 2) != len - s->l3)
		return "IP length";
	s->id = rd(f + s->l3 + 4, 2);
	s->fragment = (rd(f + s->l3 + 6, 2) & 0x3fff) != 0;
	s->frag_ofs = (rd(f + s->l3 + 6, 2) & 0x1fff) * 8;
	s->more = rd(f + s->l3 + 6, 2) >> 13 & 1;
	return seen_transport(s, f, f + s->l3 + 16, f[s->l3 + 9]);
}
