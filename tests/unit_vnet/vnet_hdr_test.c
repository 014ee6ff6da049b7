/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames with a virtio-net header: every type, odd lengths, tags, headers that lie, and a fuzz loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../engine/vnet_hdr.h"
#include "oracle.h"

#define FIN	0x01
#define PSH	0x08
#define ACK	0x10
#define CWR	0x80

/* How the made frame is handed over. */
struct how {
	uint32_t hdr_len;
	uint32_t cut;		/* bytes per piece, 0: one piece */
	bool tag_insert;
	uint32_t max_frame;
};

struct feed {
	struct vnet_frag frags[2048];
	struct vnet_source src;
};

static const struct how how_plain = { .hdr_len = VNET_HDR_LEN };

static void feed_init(struct feed *f, const void *hdr, const uint8_t *frame, uint32_t len,
		      const struct how *h)
{
	uint32_t cut = h->cut ? h->cut : len ? len : 1, n = 0;

	for (uint32_t at = 0; at < len; at += cut)
		f->frags[n++] = (struct vnet_frag){ frame + at, len - at < cut ? len - at : cut };
	f->src = (struct vnet_source){
		.hdr = hdr, .hdr_len = h->hdr_len, .frags = f->frags, .nfrags = n, .max_frame = h->max_frame,
		.tag_insert = h->tag_insert, .tag_tpid = 0x88a8, .tag_tci = 0xe123,
	};
}

/* The frame with the inserted tag in it, as the output is to look. Caller frees. */
static uint8_t *tagged(const struct made *m, const struct how *h, uint32_t *shift)
{
	uint8_t *w = malloc(m->len + 4);

	*shift = h->tag_insert ? 4 : 0;
	memcpy(w, m->frame, 12);
	if (h->tag_insert)
		memcpy(w + 12, "\x88\xa8\xe1\x23", 4);
	memcpy(w + 12 + *shift, m->frame + 12, m->len - 12);
	return w;
}

static void check_segment(const struct made *m, const uint8_t *want, uint32_t shift, const uint8_t *got,
			  const struct seen *s, uint32_t i, uint32_t count, uint32_t ofs)
{
	uint32_t n = s->len - s->data, flags = m->spec.tcp_flags;

	assert_memory_equal(got, want, m->l3 + shift);
	assert_int_equal(s->data, m->data + shift);
	assert_memory_equal(got + s->data, want + m->data + shift + ofs, n);
	if (s->version == 4)
		assert_int_equal(s->id, (0xfffe + i) & 0xffff);
	if (m->spec.proto != 6)
		return;
	assert_int_equal(s->seq, (uint32_t)(0xfffff000u + ofs));
	if (i + 1 < count)
		flags &= ~(FIN | PSH);
	if (i > 0)
		flags &= ~CWR;
	assert_int_equal(s->tcp_flags, flags);
}

/* TCP segments and one-datagram-per-segment UDP. */
static void check_segments(const struct spec *spec, const struct how *h, uint32_t seg_size)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;
	struct seen s;
	uint32_t shift, ofs = 0, count, len;
	uint8_t *want, *out;
	const char *why;

	made_init(&m, spec);
	want = tagged(&m, h, &shift);
	feed_init(&f, m.hdr, m.frame, m.len, h);
	assert_int_equal(vnet_iter_init(&it, &f.src), 0);
	count = vnet_iter_count(&it);
	assert_int_equal(count, spec->payload ? (spec->payload + seg_size - 1) / seg_size : 1);
	for (uint32_t i = 0; i < count; i++) {
		len = vnet_iter_len(&it);
		assert_true(len > 0 && len <= m.data + shift + seg_size);
		out = malloc(len);
		assert_int_equal(vnet_iter_next(&it, out, len - 1), -ENOSPC);
		assert_int_equal(vnet_iter_next(&it, out, len), len);
		why = seen_parse(&s, out, len);
		if (why)
			fail_msg("segment %u: %s", i, why);
		check_segment(&m, want, shift, out, &s, i, count, ofs);
		ofs += len - s.data;
		free(out);
	}
	assert_int_equal(ofs, spec->payload);
	assert_int_equal(vnet_iter_next(&it, NULL, 0), 0);
	assert_int_equal(vnet_iter_len(&it), 0);
	free(want);
	made_free(&m);
}

/* Fragments of a datagram: put together again they are the datagram, with a right checksum. */
static void check_fragments(const struct spec *spec, const struct how *h)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;
	struct seen s;
	uint32_t total = 0, id = 0, seg = spec->gso_size & ~7u, i = 0, hdr;
	uint8_t *whole, out[9100];
	const char *why;
	int len;

	made_init(&m, spec);
	whole = calloc(1, m.len + 64);
	feed_init(&f, m.hdr, m.frame, m.len, h);
	assert_int_equal(vnet_iter_init(&it, &f.src), 0);
	for (; (len = vnet_iter_next(&it, out, sizeof(out))) > 0; i++) {
		why = seen_parse(&s, out, len);
		if (why)
			fail_msg("fragment %u: %s", i, why);
		assert_int_equal(s.frag_ofs, total);
		assert_int_equal(s.more, i + 1 < vnet_iter_count(&it));
		if (i)
			assert_int_equal(s.id, id);
		id = s.id;
		assert_true(s.len - s.l4 <= seg && (!s.more || s.len - s.l4 == seg));
		memcpy(whole + total, out + s.l4, s.len - s.l4);
		total += s.len - s.l4;
	}
	assert_int_equal(len, 0);
	hdr = m.len - total;	/* destination options travel with the fragments */
	assert_true(hdr == m.l4 || hdr + 16 == m.l4);
	assert_memory_equal(whole + (m.l4 - hdr) + 8, m.frame + m.data, spec->payload);
	assert_true(l4_right(spec->version, m.frame + m.l3, m.frame + m.l3 + (spec->version == 4 ? 16 : 24),
			     17,
			     whole + (m.l4 - hdr), total - (m.l4 - hdr)));
	free(whole);
	made_free(&m);
}

static void test_tcp4(void **state)
{
	static const uint32_t payloads[] = { 0, 1, 1447, 1448, 1449, 2896, 2897, 40001, 65463 };
	struct spec s = { .version = 4, .proto = 6, .tcp_options = 12, .gso_type = 1, .gso_size = 1448,
			  .tcp_flags = ACK | PSH | FIN };

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		s.payload = payloads[i];
		check_segments(&s, &how_plain, 1448);
		check_segments(&s, &(struct how){ .hdr_len = VNET_HDR_LEN_MRG, .cut = 1001 }, 1448);
	}
	s.payload = 30001;
	s.ip_options = 40;
	s.tcp_options = 40;
	s.gso_type |= 0x80;
	s.tcp_flags |= CWR;
	for (s.gso_size = 500; s.gso_size < 516; s.gso_size++)
		check_segments(&s, &how_plain, s.gso_size);
}

static void test_tcp6(void **state)
{
	struct spec s = { .version = 6, .proto = 6, .gso_type = 4, .gso_size = 1001, .payload = 12345,
			  .tcp_flags = ACK | CWR | FIN };

	(void)state;
	for (int i = 0; i < 8; i++) {
		s.hopopts = i & 1;
		s.routing = i & 2;
		s.dstopts = i & 4;
		check_segments(&s, &how_plain, 1001);
		check_segments(&s, &(struct how){ .hdr_len = VNET_HDR_LEN, .cut = 37 }, 1001);
	}
}

static void test_udp(void **state)
{
	struct spec s = { .version = 4, .proto = 17, .gso_type = 5, .gso_size = 1400, .payload = 14003 };

	(void)state;
	check_segments(&s, &how_plain, 1400);
	s.no_csum = true;
	check_segments(&s, &how_plain, 1400);
	s.version = 6;
	s.dstopts = true;
	s.gso_size = 333;
	check_segments(&s, &how_plain, 333);
}

static void test_ufo(void **state)
{
	struct spec s = { .version = 4, .proto = 17, .gso_type = 3, .gso_size = 1480, .payload = 9001 };

	(void)state;
	for (s.version = 4; s.version <= 6; s.version += 2) {
		for (s.payload = 1460; s.payload < 1500; s.payload++)
			check_fragments(&s, &how_plain);
		s.payload = 65000;
		check_fragments(&s, &(struct how){ .hdr_len = VNET_HDR_LEN, .cut = 333 });
		s.gso_size = 15;
		s.payload = 200;
		check_fragments(&s, &how_plain);
		s.gso_size = 1451;
		s.no_csum = true;
		s.payload = 9001;
		check_fragments(&s, &how_plain);
		s.no_csum = false;
	}
	s.version = 6;
	s.dstopts = true;
	s.gso_size = 16;	/* the UDP header is in the second fragment */
	check_fragments(&s, &how_plain);
	s.hopopts = true;
	check_fragments(&s, &how_plain);
}

static void test_tags(void **state)
{
	static const uint16_t stacks[][4] = { { 0x8100 }, { 0x88a8, 0x8100 }, { 0x8100, 0x8100, 0x8100 } };
	struct spec s = { .version = 4, .proto = 6, .gso_type = 1, .gso_size = 700, .payload = 3000,
			  .tcp_flags = ACK | PSH };
	struct how h = { .hdr_len = VNET_HDR_LEN };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		memcpy(s.tags, stacks[i], sizeof(s.tags));
		for (int v = 4; v <= 6; v += 2) {
			s.version = v;
			s.gso_type = v == 4 ? 1 : 4;
			h.tag_insert = false;
			check_segments(&s, &h, 700);
			h.tag_insert = true;
			check_segments(&s, &h, 700);
		}
	}
}

/* Unfinished checksums without segmentation, each length parity, with and without an inserted tag. */
static void test_csum(void **state)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;
	struct seen s;
	uint8_t out[256], *want;
	uint32_t shift;
	const char *why;

	(void)state;
	for (int i = 0; i < 64; i++) {
		struct how h = { .hdr_len = VNET_HDR_LEN, .tag_insert = i & 1, .cut = i & 2 ? 13 : 0 };

		made_init(&m, &(struct spec){ .version = i & 4 ? 6 : 4, .proto = i & 8 ? 6 : 17,
			  .payload = i });
		want = tagged(&m, &h, &shift);
		feed_init(&f, m.hdr, m.frame, m.len, &h);
		assert_int_equal(vnet_iter_init(&it, &f.src), 0);
		assert_int_equal(vnet_iter_count(&it), 1);
		assert_int_equal(vnet_iter_next(&it, out, sizeof(out)), m.len + shift);
		why = seen_parse(&s, out, m.len + shift);
		if (why)
			fail_msg("%d: %s", i, why);
		assert_memory_equal(out, want, m.l4 + shift);
		assert_memory_equal(out + m.data + shift, want + m.data + shift, i);
		free(want);
		made_free(&m);
	}
}

static void test_sctp(void **state)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;
	uint8_t out[256];
	uint32_t crc;

	(void)state;
	assert_int_equal(slow_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	made_init(&m, &(struct spec){ .version = 6, .proto = 132, .payload = 101, .hopopts = true });
	feed_init(&f, m.hdr, m.frame, m.len, &how_plain);
	assert_int_equal(vnet_iter_init(&it, &f.src), 0);
	assert_int_equal(vnet_iter_next(&it, out, sizeof(out)), m.len);
	crc = slow_crc32c(m.frame + m.l4, m.len - m.l4);
	assert_memory_equal(out + m.l4 + 8, ((uint8_t[]){ crc, crc >> 8, crc >> 16, crc >> 24 }), 4);
	assert_memory_equal(out, m.frame, m.l4 + 8);
	made_free(&m);
}

/* Frames without anything to do come out as they went in, whatever their length. */
static void test_plain(void **state)
{
	static const uint8_t zero[VNET_HDR_LEN_MRG];
	static struct feed f;
	static uint8_t frame[VNET_FRAME_MAX + 1], out[VNET_FRAME_MAX];
	struct vnet_iter it;
	struct how h = { .hdr_len = VNET_HDR_LEN };

	(void)state;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 13);
	for (uint32_t len = 0; len < 3000; len += 1 + len / 40) {
		feed_init(&f, len & 1 ? zero : NULL, frame, len, &h);
		assert_int_equal(vnet_iter_init(&it, &f.src), 0);
		assert_int_equal(vnet_iter_len(&it), len);
		assert_int_equal(vnet_iter_next(&it, out, len), len);
		assert_memory_equal(out, frame, len);
	}
	feed_init(&f, zero, frame, VNET_FRAME_MAX, &h);
	assert_int_equal(vnet_iter_init(&it, &f.src), 0);
	feed_init(&f, zero, frame, VNET_FRAME_MAX + 1, &h);
	assert_int_equal(vnet_iter_init(&it, &f.src), -EINVAL);
	h.tag_insert = true;
	feed_init(&f, zero, frame, 13, &h);
	assert_int_equal(vnet_iter_init(&it, &f.src), -EINVAL);
	feed_init(&f, zero, frame, 14, &h);
	assert_int_equal(vnet_iter_init(&it, &f.src), 0);
	assert_int_equal(vnet_iter_next(&it, out, 18), 18);
	assert_memory_equal(out + 12, "\x88\xa8\xe1\x23", 4);
	assert_memory_equal(out + 16, frame + 12, 2);
}

static int try_limit(const struct spec *s, uint32_t max_frame, bool tag)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;
	int err;

	made_init(&m, s);
	feed_init(&f, m.hdr, m.frame, m.len,
		  &(struct how){ .hdr_len = VNET_HDR_LEN, .max_frame = max_frame, .tag_insert = tag });
	err = vnet_iter_init(&it, &f.src);
	made_free(&m);
	return err;
}

static void test_max_frame(void **state)
{
	struct spec tcp = { .version = 4, .proto = 6, .gso_type = 1, .gso_size = 8960, .payload = 60001,
			    .tcp_flags = ACK | PSH };
	struct spec udp = { .version = 4, .proto = 17, .gso_type = 5, .gso_size = 2000, .payload = 6000 };
	struct spec one = { .version = 4, .proto = 17, .payload = 1472 };
	struct how h = { .hdr_len = VNET_HDR_LEN, .max_frame = 1514 };

	(void)state;
	check_segments(&tcp, &h, 1460);
	tcp.tags[0] = 0x8100;
	check_segments(&tcp, &h, 1460);
	h.tag_insert = true;
	check_segments(&tcp, &h, 1460);
	assert_int_equal(try_limit(&tcp, 54, false), -EMSGSIZE);
	assert_int_equal(try_limit(&udp, 1514, false), -EMSGSIZE);
	assert_int_equal(try_limit(&udp, 2042, false), 0);
	udp.payload = 1472;
	assert_int_equal(try_limit(&udp, 1514, false), 0);
	assert_int_equal(try_limit(&one, 1514, false), 0);
	assert_int_equal(try_limit(&one, 1514, true), 0);
	assert_int_equal(try_limit(&one, 1513, false), -EMSGSIZE);
	assert_int_equal(try_limit(&one, 1513, true), -EMSGSIZE);
	one.tags[0] = 0x88a8;
	one.tags[1] = 0x8100;
	assert_int_equal(try_limit(&one, 1514, true), 0);
	assert_int_equal(try_limit(&one, 1513, true), -EMSGSIZE);
}

/* Resuming at any frame gives what an uninterrupted run gives. */
static void test_seek(void **state)
{
	static const struct spec specs[] = {
		{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 333, .payload = 5000,
		.tcp_flags = FIN },
		{ .version = 6, .proto = 17, .gso_type = 3, .gso_size = 400, .payload = 5000 },
	};
	static struct feed f;
	struct vnet_iter a, b;
	struct made m;
	uint8_t x[600], y[600];
	int n;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		made_init(&m, &specs[k]);
		feed_init(&f, m.hdr, m.frame, m.len, &(struct how){ .hdr_len = VNET_HDR_LEN, .cut = 100 });
		assert_int_equal(vnet_iter_init(&a, &f.src), 0);
		for (uint32_t i = 0; i < vnet_iter_count(&a); i++) {
			assert_int_equal(vnet_iter_init(&b, &f.src), 0);
			vnet_iter_seek(&b, i);
			n = vnet_iter_next(&a, x, sizeof(x));
			assert_true(n > 0);
			assert_int_equal(vnet_iter_next(&b, y, sizeof(y)), n);
			assert_memory_equal(x, y, n);
		}
		vnet_iter_seek(&b, 1000000);
		assert_int_equal(vnet_iter_next(&b, y, sizeof(y)), 0);
		made_free(&m);
	}
}

/* One thing wrong in a frame that is right otherwise. */
struct lie {
	const char *what;
	int hdr_at;		/* byte of the virtio-net header (16 bits), or -1 */
	uint16_t hdr_val;
	int frame_at;		/* byte of the frame, from the end of the Ethernet header, or -1 */
	uint8_t frame_val;
	uint32_t len;		/* cut the frame here, 0: leave */
};

static const struct lie lies[] = {
	{ "unknown type 2", 0, 0x0201, -1, 0, 0 },
	{ "unknown type 0x7f", 0, 0x7f01, -1, 0, 0 },
	{ "ECN alone", 0, 0x8001, -1, 0, 0 },
	{ "ECN on UDP", 0, 0x8301, -1, 0, 0 },
	{ "TCPV6 on IPv4", 0, 0x0401, -1, 0, 0 },
	{ "UDP on TCP", 0, 0x0301, -1, 0, 0 },
	{ "UDP_L4 on TCP", 0, 0x0501, -1, 0, 0 },
	{ "gso_size 0", 4, 0, -1, 0, 0 },
	{ "hdr_len beyond the frame", 2, 5000, -1, 0, 0 },
	{ "csum_start elsewhere", 6, 35, -1, 0, 0 },
	{ "csum_start 65535", 6, 65535, -1, 0, 0 },
	{ "csum_offset elsewhere", 8, 6, -1, 0, 0 },
	{ "csum_offset 65535", 8, 65535, -1, 0, 0 },
	{ "IP version", -1, 0, 0, 0x65, 0 },
	{ "IP header length 4", -1, 0, 0, 0x41, 0 },
	{ "protocol", -1, 0, 9, 17, 0 },
	{ "is a fragment", -1, 0, 6, 0x20, 0 },
	{ "is a later fragment", -1, 0, 7, 1, 0 },
	{ "TCP header length 16", -1, 0, 32, 0x40, 0 },
	{ "cut in the MAC addresses", -1, 0, -1, 0, 11 },
	{ "cut in the type", -1, 0, -1, 0, 13 },
	{ "no IP header", -1, 0, -1, 0, 14 },
	{ "cut in the IP header", -1, 0, -1, 0, 33 },
	{ "cut in the TCP header", -1, 0, -1, 0, 53 },
};

static void test_lies(void **state)
{
	static struct feed f;
	struct vnet_iter it;
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		const struct lie *l = &lies[i];

		made_init(&m, &(struct spec){ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 100,
					      .payload = 1000 });
		if (l->hdr_at >= 0)
			memcpy(m.hdr + l->hdr_at, &l->hdr_val, 2);
		if (l->frame_at >= 0)
			m.frame[14 + l->frame_at] = l->frame_val;
		feed_init(&f, m.hdr, m.frame, l->len ? l->len : m.len, &how_plain);
		if (vnet_iter_init(&it, &f.src) != -EINVAL)
			fail_msg("accepted: %s", l->what);
		f.src.hdr_len = 11;
		assert_int_equal(vnet_iter_init(&it, &f.src), -EINVAL);
		made_free(&m);
	}
}

/* Lies about a single checksum, and IPv6 chains that do not end. */
static void test_lies_more(void **state)
{
	static struct feed f;
	static uint8_t chain[600];
	struct vnet_iter it;
	uint8_t hdr[10] = { 1 }, frame[60] = { 0 };
	uint16_t start, ofs;

	(void)state;
	for (uint32_t i = 0; i < 100 * 100; i++) {
		start = (uint16_t)(i / 100);
		ofs = (uint16_t)(i % 100);
		memcpy(hdr + 6, &start, 2);
		memcpy(hdr + 8, &ofs, 2);
		feed_init(&f, hdr, frame, sizeof(frame), &how_plain);
		assert_int_equal(vnet_iter_init(&it, &f.src), start >= 14 &&
				 start + ofs + 2 <= 60 ? 0 : -EINVAL);
	}
	memcpy(chain + 12, "\x86\xdd\x60", 3);
	chain[14 + 6] = 60;
	for (uint32_t at = 54; at < sizeof(chain); at += 8)
		chain[at] = 60;
	memcpy(hdr, "\x00\x04\x00\x00\x64\x00", 6);
	feed_init(&f, hdr, chain, sizeof(chain), &how_plain);
	assert_int_equal(vnet_iter_init(&it, &f.src), -EINVAL);
	for (uint32_t at = 12; at + 4 < sizeof(chain); at += 4)
		memcpy(chain + at, "\x81\x00\x00\x01", 4);
	feed_init(&f, hdr, chain, sizeof(chain), &how_plain);
	assert_int_equal(vnet_iter_init(&it, &f.src), -EINVAL);
}

static uint32_t rnd_state;

static uint32_t rnd(uint32_t n)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(rnd_state >> 4) * n >> 28);
}

static void fuzz_spec(struct spec *s)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 5, 0x81, 0x84 };

	*s = (struct spec){
		.version = rnd(2) ? 4 : 6, .ip_options = rnd(11) * 4, .hopopts = rnd(4) == 0,
		.routing = rnd(4) == 0, .dstopts = rnd(4) == 0, .proto = rnd(2) ? 6 : rnd(8) ? 17 : 132,
		.tcp_options = rnd(11) * 4, .payload = rnd(rnd(8) ? 3000 : 65000), .no_csum = rnd(4) == 0,
		.gso_type = types[rnd(sizeof(types))], .gso_size = (uint16_t)rnd(rnd(2) ? 2000 : 65536),
	};
	if (rnd(4) == 0)
		s->tags[0] = rnd(2) ? 0x8100 : 0x88a8;
}

/* Whatever goes in: a clean refusal, or frames of the promised lengths, nothing else touched. */
static void test_fuzz(void **state)
{
	static struct feed f;
	struct vnet_iter it;
	struct spec s;
	struct made m;
	uint32_t accepted = 0;

	(void)state;
	rnd_state = 20240229;
	for (int round = 0; round < 20000; round++) {
		struct how h = { .hdr_len = rnd(2) ? 10 : 12, .cut = rnd(3) ? 0 : 64 + rnd(2000),
				 .tag_insert = rnd(4) == 0, .max_frame = rnd(2) ? 0 : rnd(4000) };
		uint8_t *tight;
		uint32_t len;

		fuzz_spec(&s);
		made_init(&m, &s);
		for (uint32_t n = rnd(3); n; n--)
			m.hdr[rnd(10)] = (uint8_t)rnd(256);
		for (uint32_t n = rnd(3); n; n--)
			m.frame[12 + rnd(m.data - 12)] = (uint8_t)rnd(256);
		len = rnd(4) ? m.len : rnd(m.len);
		tight = malloc(len ? len : 1);
		memcpy(tight, m.frame, len);
		feed_init(&f, m.hdr, tight, len, &h);
		if (vnet_iter_init(&it, &f.src) == 0) {
			accepted++;
			assert_true(vnet_iter_count(&it) >= 1);
			vnet_iter_seek(&it, rnd(4) ? 0 : rnd(vnet_iter_count(&it)));
			for (int k = 0; k < 8; k++) {
				uint32_t n = vnet_iter_len(&it);
				uint8_t *out = malloc(n ? n : 1);

				assert_int_equal(vnet_iter_next(&it, out, n), n);
				free(out);
			}
		}
		free(tight);
		made_free(&m);
	}
	assert_true(accepted > 2000);
}

/* Frames written to pieces of any lengths are those that are written to one. */
static void test_pieces(void **state)
{
	static uint8_t whole[VNET_FRAME_MAX], out[VNET_FRAME_MAX + 1];
	static struct vnet_piece to[2 * VNET_FRAME_MAX];
	static struct feed f, g;
	struct vnet_iter it, jt;
	struct spec s;
	struct made m;

	(void)state;
	rnd_state = 7;
	for (int round = 0; round < 3000; round++) {
		struct how h = { .hdr_len = 10, .tag_insert = rnd(4) == 0, .max_frame = rnd(2) ? 0 : 1514 };

		fuzz_spec(&s);
		made_init(&m, &s);
		feed_init(&f, m.hdr, m.frame, m.len, &h);
		h.cut = 40 + rnd(3000);
		feed_init(&g, m.hdr, m.frame, m.len, &h);
		if (vnet_iter_init(&it, &f.src) == 0) {
			assert_int_equal(vnet_iter_init(&jt, &g.src), 0);
			for (uint32_t len, i = 0; i < 20 && (len = vnet_iter_len(&it)) != 0; i++) {
				uint32_t most = 1 + rnd(len), n = 0;

				for (uint32_t done = 0; done < len; n++) {
					to[n] = (struct vnet_piece){ out + done, rnd(8) ? 1 + rnd(most) : 0 };
					if (to[n].len > len - done)
						to[n].len = len - done;
					done += to[n].len;
				}
				out[len] = 0x77;
				assert_int_equal(vnet_iter_next(&it, whole, sizeof(whole)), len);
				assert_int_equal(vnet_iter_write(&jt, to, n), len);
				assert_memory_equal(out, whole, len);
				assert_int_equal(out[len], 0x77);
			}
		}
		made_free(&m);
	}
}

/* A checksum near the end of the longest frame, which a tag moves beyond 16 bits. */
static void test_csum_far(void **state)
{
	static uint8_t frame[VNET_FRAME_MAX - 4], out[VNET_FRAME_MAX];
	const uint16_t start = 65534, offset = 4;
	const uint8_t hdr[VNET_HDR_LEN] = { [0] = 1, [6] = start & 0xff, [7] = start >> 8, [8] = offset };
	const struct vnet_frag frag = { frame, sizeof(frame) };
	const struct vnet_source src = {
		.hdr = hdr, .hdr_len = sizeof(hdr), .frags = &frag, .nfrags = 1, .tag_insert = true, .tag_tpid = 0x8100, .tag_tci = 5,
	};
	struct vnet_iter it;

	(void)state;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 13);
	assert_int_equal(vnet_iter_init(&it, &src), 0);
	assert_int_equal(vnet_iter_next(&it, out, sizeof(out)), sizeof(out));
	assert_memory_equal(out, frame, 12);
	assert_memory_equal(out + 16, frame + 12, start + offset - 12u);
	assert_memory_not_equal(out + 4 + start + offset, frame + start + offset, 2);
	assert_memory_equal(out + 4 + start + offset + 2, frame + start + offset + 2, sizeof(frame) - start - offset - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_csum), cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_tcp4), cmocka_unit_test(test_tcp6), cmocka_unit_test(test_udp),
		cmocka_unit_test(test_ufo), cmocka_unit_test(test_tags), cmocka_unit_test(test_max_frame),
		cmocka_unit_test(test_seek), cmocka_unit_test(test_lies), cmocka_unit_test(test_lies_more),
		cmocka_unit_test(test_fuzz), cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_csum_far),
	};

	return cmocka_run_group_tests_name("vnet_hdr", tests, NULL, NULL);
}
