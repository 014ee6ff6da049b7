/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large frames behind virtio-net headers, sent to a port that has none: what arrives is, byte for byte, what
 * the segmentation makes of the frame in one piece, and each segment is right by the checker of the unit
 * tests. Ports that have a header get the frame whole.
 *
 * The last case takes the large frames of a capture (directory NETMAP_CAPTURES), where it is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/vnet_hdr.h"
#include "tests/unit_vnet/oracle.h"
#include "vnet_end.h"

#define SLOTS	1024u
#define MTU_MAX	1514u
#define ALL	0xffu		/* TCP flags */

static struct end n, h10, h12;

static int
setup(void **state)
{
	int error = engine_setup(state);

	if (error != 0)
		return error;
	vnet_open(&n, "vale0:n", 0, SLOTS);
	vnet_open(&h10, "vale0:h10", 10, SLOTS);
	vnet_open(&h12, "vale0:h12", 12, SLOTS);
	return 0;
}

#define segment_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* The frames that arrive at n for this one; takes them. Returns how many. */
static uint32_t
segments_expect(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t limit, bool parse)
{
	static uint8_t got[PACKET_MAX], want[VNET_FRAME_MAX];
	const struct vnet_frag whole = { frame, len };
	const struct vnet_source src = { .hdr = hdr, .hdr_len = VNET_HDR_LEN, .frags = &whole, .nfrags = 1,
		.max_frame = limit };
	struct vnet_iter it;
	struct seen s;
	uint32_t count = 0;
	unsigned slots;
	int n_want;

	assert_int_equal(vnet_iter_init(&it, &src), 0);
	while ((n_want = vnet_iter_next(&it, want, sizeof(want))) > 0) {
		const char *why;

		assert_int_equal(vnet_take(&n, got, &slots), n_want);
		assert_memory_equal(got, want, (size_t)n_want);
		assert_true((uint32_t)n_want <= limit + 8);
		why = parse ? seen_parse(&s, got, (uint32_t)n_want) : NULL;
		if (why != NULL)
			fail_msg("segment %u: %s", count, why);
		count++;
	}
	return count;
}

/* Sends a packet with its slots cut in that way, and looks at all three ports. */
static void
segments_check(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t first, uint32_t cut)
{
	static uint8_t p[PACKET_MAX];
	uint64_t before = end_krx(&n, 0)->in.packets;
	uint32_t count;

	memcpy(p, hdr, 12);
	memcpy(p + 12, frame, len);
	vnet_put(&h12, p, 12 + len, first, cut);
	end_txsync(&h12);
	count = segments_expect(hdr, frame, len, MTU_MAX, true);
	end_expect_none(&n);
	assert_int_equal(end_krx(&n, 0)->in.packets - before, count);
	memcpy(p + 2, hdr, 10);
	vnet_expect(&h10, p + 2, 10 + len);
	end_expect_none(&h10);
	assert_int_equal(own_drops(end_ktx(&h12, 0)), 0);
}

static const struct spec specs[] = {
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1460, .payload = 65495, .tcp_flags = ALL },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1448, .payload = 65483, .tcp_options = 12,
		.tags = { 0x8100 }, .tcp_flags = 0x18 },
	{ .version = 4, .proto = 6, .gso_type = 0x81, .gso_size = 536, .payload = 30001, .ip_options = 40,
		.tcp_options = 40, .tags = { 0x88a8, 0x8100 }, .tcp_flags = ALL },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 9000, .payload = 65495, .tcp_flags = 0x11 },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 65535, .payload = 65495, .no_csum = true },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 100, .payload = 50000 },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1460, .payload = 0 },
	{ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1460, .payload = 1460 },
	{ .version = 6, .proto = 6, .gso_type = 4, .gso_size = 1440, .payload = 65475, .tcp_flags = ALL },
	{ .version = 6, .proto = 6, .gso_type = 0x84, .gso_size = 1428, .payload = 60001, .tags = { 0x8100 },
		.tcp_options = 12, .hopopts = true, .routing = true, .dstopts = true, .tcp_flags = ALL },
	{ .version = 6, .proto = 6, .gso_type = 4, .gso_size = 9001, .payload = 65000, .tcp_flags = 0x18 },
	{ .version = 4, .proto = 17, .gso_type = 3, .gso_size = 1480, .payload = 65507 },
	{ .version = 4, .proto = 17, .gso_type = 3, .gso_size = 1480, .payload = 65000, .tags = { 0x8100 } },
	{ .version = 4, .proto = 17, .gso_type = 3, .gso_size = 9001, .payload = 65000, .no_csum = true },
	{ .version = 6, .proto = 17, .gso_type = 3, .gso_size = 1448, .payload = 65400 },
	{ .version = 6, .proto = 17, .gso_type = 3, .gso_size = 1448, .payload = 65000, .tags = { 0x8100 } },
	{ .version = 4, .proto = 17, .gso_type = 5, .gso_size = 1472, .payload = 65000, .tags = { 0x8100 } },
	{ .version = 6, .proto = 17, .gso_type = 5, .gso_size = 1200, .payload = 64001 },
};

static void
test_types(void **state)
{
	/* Full buffers; the header alone; cuts in the middle of headers and of 16 bit numbers. */
	static const uint32_t cuts[][2] = { { 0, 2176 }, { 12, 2048 }, { 12 + 14, 2048 }, { 12 + 41, 1501 },
		{ 0, 2049 } };
	struct made m;
	unsigned i, k;

	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		for (k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
			made_init(&m, &specs[i]);
			segments_check(m.hdr, m.frame, m.len, cuts[k][0], cuts[k][1]);
			made_free(&m);
		}
}

static void
test_random(void **state)
{
	static const uint8_t tcp[] = { 1, 0x81 }, udp[] = { 3, 5 };
	uint64_t seed = 5;
	struct made m;
	unsigned i;

	for (i = 0; i < 300; i++) {
		uint32_t r = random_below(&seed, 8), payload = random_below(&seed, i % 4 ? 9000 : 60000), cut;
		struct spec s = { .version = r & 1 ? 6 : 4, .proto = r & 2 ? 6 : 17, .payload = payload,
			.gso_size = (uint16_t)(200 + random_below(&seed, 1200)), .no_csum = r & 4,
			.tags = { random_below(&seed, 2) ? 0x8100 : 0 } };

		if (s.proto == 6) {
			s.gso_type = (uint8_t)(tcp[random_below(&seed, 2)] + (s.version == 6 ? 3 : 0));
			s.tcp_flags = (uint8_t)random_next(&seed);
			s.tcp_options = (int)random_below(&seed, 11) * 4;
		} else {
			s.gso_type = udp[random_below(&seed, 2)];
		}
		made_init(&m, &s);
		cut = (m.len + 12) / 60 + 1 + random_below(&seed, 800);
		r = random_below(&seed, 2) ? 12 : 26 + random_below(&seed, 100);
		segments_check(m.hdr, m.frame, m.len, r, cut);
		made_free(&m);
	}
}

/* The limit of a port: 1514 bytes without a header, also after it had one. */
static void
test_limit(void **state)
{
	static uint8_t p[PACKET_MAX], got[PACKET_MAX];
	unsigned slots, round;
	struct made m;

	made_init(&m, &(struct spec){ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 2000,
		.payload = 9000, .tags = { 0x8100 } });
	memcpy(p, m.hdr, 12);
	memcpy(p + 12, m.frame, m.len);
	for (round = 0; round < 2; round++) {
		vnet_put(&h12, p, 12 + m.len, 0, 2176);
		end_txsync(&h12);
		assert_int_equal(segments_expect(m.hdr, m.frame, m.len, MTU_MAX, true), 7);
		assert_int_equal(vnet_set(&n, "vale0:n", 12), 0);
		end_flush(&h10);
		vnet_put(&h12, p, 12 + m.len, 0, 2176);
		end_txsync(&h12);
		vnet_expect(&n, p, 12 + m.len);
		assert_int_equal(vnet_set(&n, "vale0:n", 0), 0);
		end_flush(&h10);
	}
	/* Segments longer than a buffer: in as many slots as that needs. */
	end_krx(&n, 0)->port->max_frame = 5000;
	m.hdr[5] = 0x80;
	p[5] = 0x80;
	vnet_put(&h12, p, 12 + m.len, 0, 2176);
	end_txsync(&h12);
	end_rxsync(&n);
	assert_int_equal(segments_expect(m.hdr, m.frame, m.len, 5000, true), 2);
	end_flush(&h10);
	/* A datagram cannot be made shorter. */
	made_free(&m);
	made_init(&m, &(struct spec){ .version = 4, .proto = 17, .gso_type = 5, .gso_size = 6000,
		.payload = 9000 });
	memcpy(p, m.hdr, 12);
	memcpy(p + 12, m.frame, m.len);
	vnet_put(&h12, p, 12 + m.len, 0, 2176);
	end_txsync(&h12);
	assert_int_equal(vnet_take(&n, got, &slots), 0);
	assert_drops(end_ktx(&h12, 0), DROP_TOO_LONG, 1);
	made_free(&m);
}

/* Several large frames at a time: those that fit arrive, as a whole, the others are counted. */
static void
test_no_room(void **state)
{
	static uint8_t p[PACKET_MAX];
	struct made m;
	unsigned i;

	/* 46 frames each: 22 times 46 are 1012 of 1023 slots. */
	made_init(&m, &(struct spec){ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 1460,
		.payload = 65495 });
	memcpy(p, m.hdr, 12);
	memcpy(p + 12, m.frame, m.len);
	for (i = 0; i < 32; i++)
		vnet_put(&h12, p, 12 + m.len, 0, 2176);
	end_txsync(&h12);
	made_free(&m);
	assert_int_equal(end_krx(&n, 0)->in.packets, 22 * 45);
	assert_drops(end_krx(&n, 0), DROP_NO_ROOM, 32 - 22);
	end_flush(&n);
	end_flush(&h10);
	/* More frames than the ring has slots, or a lease: never. */
	made_init(&m, &(struct spec){ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 64,
		.payload = 65495 });
	for (i = 0; i < 64; i = i == 0 ? 1 : i * 8) {
		memcpy(p, m.hdr, 12);
		memcpy(p + 12, m.frame, m.len);
		p[4] = (uint8_t)(64 - i);
		vnet_put(&h12, p, 12 + m.len, 0, 2176);
	}
	/* It keeps none behind it from arriving. */
	frame_make((char *)p + 12, 100, mac(9), mac(1), 4711);
	memset(p, 0, 12);
	vnet_put(&h12, p, 112, 0, 2176);
	end_txsync(&h12);
	made_free(&m);
	end_expect(&n, 0, 100, 4711);
	end_expect_none(&n);
	assert_drops(end_krx(&n, 0), DROP_NO_ROOM, 32 - 22 + 3);
	assert_drops(end_ktx(&h12, 0), DROP_BAD_HEADER, 0);
}

/* Headers that lie about the frame: dropped, counted; frames around them arrive. */
static void
test_lies(void **state)
{
	/* A place in header or frame (from 14 on), two bytes that are written there. */
	static const struct {
		int hdr_at, frame_at;
		uint8_t bytes[2];
		uint32_t len;
	} lies[] = {
		{ 1, -1, { 2 }, 0 }, { 1, -1, { 4 }, 0 }, { 1, -1, { 3 }, 0 }, { 1, -1, { 0x7f }, 0 },
		{ 4, -1, { 0 }, 0 }, { 2, -1, { 0xff, 0xff }, 0 }, { 6, -1, { 33 }, 0 },
		{ 6, -1, { 0xff, 0xff }, 0 }, { 8, -1, { 6 }, 0 }, { 8, -1, { 0xff, 0xff }, 0 },
		{ -1, -2, { 0x86, 0xdd }, 0 }, { -1, -2, { 0x88, 0xb5 }, 0 },
		{ -1, 0, { 0x65 }, 0 }, { -1, 0, { 0x41 }, 0 }, { -1, 0, { 0x4f }, 60 }, { -1, 9, { 17 }, 0 },
		{ -1, 6, { 0x20 }, 0 }, { -1, 6, { 0, 1 }, 0 }, { -1, 32, { 0x40 }, 0 },
		{ -1, 32, { 0xf0 }, 60 }, { -1, -1, { 0 }, 14 }, { -1, -1, { 0 }, 33 }, { -1, -1, { 0 }, 53 },
	};
	uint8_t p[2176], good[112] = { 0 };
	struct made m;
	unsigned i;

	frame_make((char *)good + 12, 100, mac(9), mac(1), 1);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		made_init(&m, &(struct spec){ .version = 4, .proto = 6, .gso_type = 1, .gso_size = 100,
			.payload = 1000 });
		memcpy(p, m.hdr, 12);
		memcpy(p + 12, m.frame, m.len);
		if (lies[i].hdr_at >= 0)
			memcpy(p + lies[i].hdr_at, lies[i].bytes, lies[i].hdr_at == 1 ? 1 : 2);
		if (lies[i].frame_at != -1 || lies[i].hdr_at < 0)
			if (lies[i].len == 0 || lies[i].bytes[0] != 0)
				memcpy(p + 26 + lies[i].frame_at, lies[i].bytes, 2);
		vnet_put(&h12, good, 112, 0, 2176);
		vnet_put(&h12, p, 12 + (lies[i].len != 0 ? lies[i].len : m.len), 0, 2176);
		vnet_put(&h12, good, 112, 0, 2176);
		end_txsync(&h12);
		end_expect(&n, 0, 100, 1);
		end_expect(&n, 0, 100, 1);
		end_expect_none(&n);
		if (end_ktx(&h12, 0)->own.drops[DROP_BAD_HEADER] != i + 1)
			fail_msg("lie %u", i);
		made_free(&m);
		end_flush(&h10);
	}
	assert_drops(end_ktx(&h12, 0), DROP_BAD_HEADER, i);
}

/* --- a capture --- */

/* The next frame of a capture in this machine's byte order; 0 at its end. */
static uint32_t
capture_next(FILE *file, uint8_t *frame, uint32_t room)
{
	uint32_t h[4];

	if (fread(h, sizeof(h), 1, file) != 1 || h[2] > room || fread(frame, h[2], 1, file) != 1)
		return 0;
	return h[2];
}

/* A header that asks for segments of that size. Frames that are not plain TCP over IPv4: false. */
static bool
capture_header(uint8_t *hdr, uint8_t *frame, uint32_t len, uint16_t size)
{
	uint16_t v;

	memset(hdr, 0, 12);
	if (len < 54 || memcmp(frame + 12, "\x08\x00\x45", 3) != 0 || frame[23] != 6)
		return false;
	/* Both directions come from one port here. */
	memcpy(frame, "\2\1\1\1\1\1\2\2\2\2\2\2", 12);
	/* Segments' lengths follow the frame's, not a length that the capturing stack left empty. */
	frame[16] = (uint8_t)((len - 14) >> 8);
	frame[17] = (uint8_t)(len - 14);
	hdr[0] = 1;
	hdr[1] = 1;
	memcpy(hdr + 4, &size, 2);
	v = 34;
	memcpy(hdr + 6, &v, 2);
	v = 16;
	memcpy(hdr + 8, &v, 2);
	return true;
}

static void
test_capture(void **state)
{
	const char *dir = getenv("NETMAP_CAPTURES");
	static uint8_t frame[VNET_FRAME_MAX];
	unsigned large = 0, all = 0;
	char path[4096];
	uint8_t hdr[12];
	uint32_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/pgsql-large-frames.pcap", dir != NULL ? dir : ".");
	file = fopen(path, "rb");
	if (file == NULL || fseek(file, 24, SEEK_SET) != 0) {
		print_message("%s: %s\n", path, strerror(errno));
		if (file != NULL)
			fclose(file);
		skip();
	}
	while ((len = capture_next(file, frame, sizeof(frame))) >= 14) {
		if (!capture_header(hdr, frame, len, 1448))
			continue;
		segments_check(hdr, frame, len, all % 2 ? 12 : 0, 2048);
		large += len > MTU_MAX;
		all++;
	}
	fclose(file);
	print_message("%u frames, %u of them large\n", all, large);
	assert_true(large > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(test_types),
		segment_test(test_random),
		segment_test(test_limit),
		segment_test(test_no_room),
		segment_test(test_lies),
		segment_test(test_capture),
	};

	return cmocka_run_group_tests_name("vale_segment", tests, NULL, NULL);
}
