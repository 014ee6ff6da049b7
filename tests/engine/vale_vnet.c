/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio-net headers on a switch: how a port gets one, where the look-up finds the addresses behind it, and
 * what becomes of headers and checksums between ports whose headers have different lengths. What has to be
 * segmented is in vale_segment.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/vnet_hdr.h"
#include "tests/unit_vnet/oracle.h"
#include "vnet_end.h"

static struct end n, h10, h12, other12;

static int
setup(void **state)
{
	int error = engine_setup(state);

	if (error != 0)
		return error;
	vnet_open(&n, "vale0:n", 0, 256);
	vnet_open(&h10, "vale0:h10", 10, 256);
	vnet_open(&h12, "vale0:h12", 12, 256);
	vnet_open(&other12, "vale0:other12", 12, 256);
	return 0;
}

#define header_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* A virtio-net header of any length in front of a frame. */
static uint32_t
packet_make(uint8_t *p, const void *hdr, uint32_t hdr_len, uint32_t frame_len, uint32_t seq)
{
	memset(p, 0, hdr_len);
	memcpy(p, hdr, hdr_len < 12 ? hdr_len : 12);
	frame_make((char *)p + hdr_len, frame_len, mac(9), mac(1), seq);
	return hdr_len + frame_len;
}

/* --- the requests --- */

static int
header_get(struct end *e, const char *name, uint32_t *len)
{
	struct nmreq_port_hdr body = { .nr_hdr_len = 77 };
	int error = end_request(e, NETMAP_REQ_PORT_HDR_GET, name, &body);

	*len = body.nr_hdr_len;
	return error;
}

static void
test_requests(void **state)
{
	static const uint32_t bad[] = { 1, 9, 11, 13, 14, 20, 0x1000a, 0xffffffff };
	uint32_t len, i;
	struct end pipe;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vnet_set(&n, "vale0:n", bad[i]), -EINVAL);
	assert_int_equal(header_get(&n, "vale0:n", &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(header_get(&n, "vale0:h10", &len), 0);
	assert_int_equal(len, 10);
	assert_int_equal(header_get(&n, "vale0:h12", &len), 0);
	assert_int_equal(len, 12);
	assert_int_equal(vnet_set(&n, "vale0:h12", 10), 0);
	assert_int_equal(header_get(&n, "vale0:h12", &len), 0);
	assert_int_equal(len, 10);
	assert_true(end_krx(&h12, 0)->port->max_frame > VALE_FRAME_MAX);
	assert_int_equal(vnet_set(&n, "vale0:h12", 0), 0);
	assert_int_equal(header_get(&n, "vale0:h12", &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(end_krx(&h12, 0)->port->max_frame, VALE_FRAME_MAX);
	/* Only VALE ports that are there. */
	assert_int_equal(vnet_set(&n, "vale0:none", 10), -ENXIO);
	assert_int_equal(vnet_set(&n, "vale9:n", 10), -ENXIO);
	assert_int_equal(vnet_set(&n, "vale0:none", 11), -ENXIO);
	assert_int_equal(vnet_set(&n, "nosuch0", 12), -ENXIO);
	assert_int_equal(vnet_set(&n, "vale0:n{1", 12), -ENXIO);
	end_open(&pipe, "vale0:n{1");
	assert_int_equal(vnet_set(&n, "vale0:n{1", 12), -ENXIO);
	end_close(&pipe);
}

static void
test_legacy(void **state)
{
	struct nmreq nmr = { .nr_name = "vale0:n", .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_VNET_HDR,
		.nr_arg1 = 12 };
	uint32_t len;

	assert_int_equal(inproc_ioctl(&n.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(header_get(&n, "vale0:n", &len), 0);
	assert_int_equal(len, 12);
	nmr.nr_arg1 = 5;
	assert_int_equal(inproc_ioctl(&n.fd, NIOCREGIF, &nmr), -EINVAL);
	nmr.nr_arg1 = 0;
	nmr.nr_cmd = NETMAP_VNET_HDR_GET;
	assert_int_equal(inproc_ioctl(&n.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(nmr.nr_arg1, 12);
	strcpy(nmr.nr_name, "vale0:none");
	assert_int_equal(inproc_ioctl(&n.fd, NIOCREGIF, &nmr), -ENXIO);
	nmr.nr_cmd = NETMAP_BDG_VNET_HDR;
	assert_int_equal(inproc_ioctl(&n.fd, NIOCREGIF, &nmr), -ENXIO);
}

/* A port with a header is for those only who say that they know it. */
static void
test_register(void **state)
{
	static const struct nmreq_register knows = { .nr_mode = NR_REG_ALL_NIC,
		.nr_flags = NR_ACCEPT_VNET_HDR };
	struct end e;

	assert_int_equal(end_try(&e, "vale0:h12", NULL), -EIO);
	assert_int_equal(end_try(&e, "vale0:h12", &knows), 0);
	assert_int_equal(vnet_set(&e, "vale0:h12", 0), 0);
	end_close(&e);
	assert_int_equal(end_try(&e, "vale0:h12", NULL), 0);
}

/* --- headers --- */

static void
test_headers(void **state)
{
	/* Nothing in it is to be acted upon; between ports that have one nobody even looks. */
	static const uint8_t hdr[12] = { 0x7e, 0, 0xaa, 0xbb, 0xff, 0xff, 3, 4, 5, 6, 7, 8 };
	static const uint8_t lies[12] = { 0xff, 0x77, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 };
	static const uint32_t lens[] = { 14, 60, 61, 1514, 2048, 2150, 2176 - 12, 2176 - 11, 2176, 3000,
		9000 };
	static uint8_t p[PACKET_MAX], want[PACKET_MAX];
	uint8_t cut[12] = { 0 };
	uint32_t i, len;

	memcpy(cut, hdr, 10);
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		/* From 12: verbatim to 12, the first ten to 10, none to none. */
		len = packet_make(p, hdr, 12, lens[i], i);
		vnet_put(&h12, p, len, 0, 2176);
		end_txsync(&h12);
		vnet_expect(&other12, p, len);
		vnet_expect(&h10, want, packet_make(want, hdr, 10, lens[i], i));
		vnet_expect(&n, p + 12, len - 12);
		/* From 10: the rest is zero. */
		len = packet_make(p, hdr, 10, lens[i], i);
		vnet_put(&h10, p, len, 0, 2176);
		end_txsync(&h10);
		vnet_expect(&h12, want, packet_make(want, cut, 12, lens[i], i));
		vnet_expect(&n, p + 10, len - 10);
		/* From none: all of it is zero. */
		memset(cut, 0, 10);
		len = packet_make(p, hdr, 0, lens[i], i);
		vnet_put(&n, p, len, 0, 2176);
		end_txsync(&n);
		vnet_expect(&h12, want, packet_make(want, cut, 12, lens[i], i));
		vnet_expect(&h10, want, packet_make(want, cut, 10, lens[i], i));
		memcpy(cut, hdr, 10);
		end_flush(&other12);
	}
	len = packet_make(p, lies, 12, 60, 5);
	vnet_put(&h12, p, len, 0, 2176);
	end_txsync(&h12);
	vnet_expect(&other12, p, len);
	vnet_expect(&h10, want, packet_make(want, lies, 10, 60, 5));
	end_expect_none(&n);
	assert_drops(end_ktx(&h12, 0), DROP_BAD_HEADER, 1);
	assert_drops(end_ktx(&h10, 0), DROP_BAD_HEADER, 0);
	assert_drops(end_ktx(&n, 0), DROP_BAD_HEADER, 0);
}

/* The addresses are behind the header: a switch that looked at the header would not find them. */
static void
test_lookup(void **state)
{
	static const uint8_t hdr[12] = { 0 };
	static uint8_t p[PACKET_MAX];
	uint32_t len = packet_make(p, hdr, 12, 100, 1), i;
	/* Bytes of the first slot: all, the header alone, and cuts in the wrong place. */
	static const struct {
		uint32_t first;
		int why;
	} c[] = { { 112, -1 }, { 26, -1 }, { 12, -1 }, { 25, DROP_BAD_CHAIN }, { 13, DROP_BAD_CHAIN },
		{ 11, DROP_BAD_CHAIN }, { 1, DROP_BAD_CHAIN } };
	uint64_t bad = 0;

	/* Station 9 is at n, without a header. */
	end_send(&n, MAC_ALL, mac(9), 60, 0);
	end_flush(&h10);
	end_flush(&h12);
	end_flush(&other12);
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		vnet_put(&h12, p, len, c[i].first, 2000);
		end_txsync(&h12);
		if (c[i].why < 0)
			vnet_expect(&n, p + 12, 100);
		bad += c[i].why >= 0;
		end_expect_none(&n);
		end_expect_none(&other12);
	}
	assert_int_equal(end_ktx(&h12, 0)->own.drops[DROP_BAD_CHAIN], bad);
	/* Too short for header and addresses. */
	for (i = 1; i < 26; i++)
		vnet_put(&h12, p, i, 0, 2000);
	end_txsync(&h12);
	end_expect_none(&n);
	assert_int_equal(end_ktx(&h12, 0)->own.drops[DROP_RUNT], 25);
	assert_int_equal(own_drops(end_ktx(&h12, 0)), bad + 25);
	/* What was learned behind headers: station 1 is at h12. */
	end_send(&n, mac(1), mac(9), 60, 7);
	memset(p, 0, 12);
	frame_make((char *)p + 12, 60, mac(1), mac(9), 7);
	vnet_expect(&h12, p, 72);
	end_expect_none(&h10);
}

/* Ports of all lengths get what everybody gets, each its own way, in order with what is for them alone. */
static void
test_mixed_batch(void **state)
{
	static const uint8_t hdr[12] = { 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	static uint8_t p[256];
	uint32_t i;

	end_send(&n, MAC_ALL, mac(20), 60, 0);
	end_flush(&h10);
	end_flush(&h12);
	end_flush(&other12);
	for (i = 0; i < 60; i++) {
		memcpy(p, hdr, 12);
		frame_make((char *)p + 12, 60 + i, i % 3 == 0 ? mac(20) : MAC_ALL, mac(21), i);
		vnet_put(&h12, p, 72 + i, i % 2 ? 12 : 0, 2000);
	}
	end_txsync(&h12);
	for (i = 0; i < 60; i++) {
		memcpy(p, hdr, 12);
		frame_make((char *)p + 12, 60 + i, i % 3 == 0 ? mac(20) : MAC_ALL, mac(21), i);
		vnet_expect(&n, p + 12, 60 + i);
		if (i % 3 == 0)
			continue;
		memmove(p + 10, p + 12, 60 + i);
		vnet_expect(&h10, p, 70 + i);
	}
	end_expect_none(&n);
	end_expect_none(&h10);
	assert_int_equal(end_krx(&n, 0)->in.packets, 60);
	assert_int_equal(end_krx(&h10, 0)->in.packets, 41);
	assert_int_equal(own_drops(end_ktx(&h12, 0)), 0);
}

/* A length that changes between two syncs. */
static void
test_change(void **state)
{
	static const uint8_t hdr[12] = { 0 };
	static uint8_t p[256];

	packet_make(p, hdr, 12, 100, 1);
	vnet_put(&n, p + 12, 100, 0, 2000);
	end_txsync(&n);
	vnet_expect(&h12, p, 112);
	assert_int_equal(vnet_set(&n, "vale0:n", 12), 0);
	vnet_put(&n, p, 112, 0, 2000);
	end_txsync(&n);
	vnet_expect(&h12, p, 112);
	assert_int_equal(vnet_set(&h12, "vale0:h12", 0), 0);
	vnet_put(&n, p, 112, 0, 2000);
	end_txsync(&n);
	vnet_expect(&h12, p + 12, 100);
}

/* --- checksums --- */

static void
test_checksum(void **state)
{
	static uint8_t p[PACKET_MAX], got[PACKET_MAX];
	const char *why;
	struct made m;
	struct seen s;
	unsigned slots, i;

	for (i = 0; i < 400; i++) {
		made_init(&m, &(struct spec){ .version = i & 1 ? 6 : 4, .proto = i & 2 ? 6 : 17,
			.payload = i * 7,
			.tags = { i & 4 ? 0x8100 : 0, i & 8 ? 0x8100 : 0 } });
		memcpy(p, m.hdr, 12);
		memcpy(p + 12, m.frame, m.len);
		/* In slots of any length, also such that a 16 bit number lies across two. */
		vnet_put(&h12, p, 12 + m.len, i % 3 ? 12 : 12 + 14 + i % 40, 60 + i % 500);
		end_txsync(&h12);
		assert_int_equal(vnet_take(&n, got, &slots), m.len);
		why = seen_parse(&s, got, m.len);
		if (why != NULL)
			fail_msg("%u: %s", i, why);
		assert_memory_equal(got, m.frame, m.l4);
		assert_memory_equal(got + m.data, m.frame + m.data, m.spec.payload);
		made_free(&m);
		end_flush(&h10);
		end_flush(&other12);
	}
	assert_int_equal(own_drops(end_ktx(&h12, 0)), 0);
}

static void
test_bad_checksum(void **state)
{
	uint8_t p[112];
	static const struct {
		uint16_t start, offset;
		bool good;
	} c[] = { { 34, 6, true }, { 14, 84, true }, { 98, 0, true }, { 13, 6, false }, { 0, 0, false },
		{ 14, 85, false }, { 99, 0, false }, { 98, 1, false }, { 65535, 0, false },
		{ 34, 65535, false }, { 65535, 65535, false } };
	uint64_t bad = 0;
	unsigned i, slots;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		uint8_t hdr[12] = { 1 }, got[PACKET_MAX / 64];

		memcpy(hdr + 6, &c[i].start, 2);
		memcpy(hdr + 8, &c[i].offset, 2);
		packet_make(p, hdr, 12, 100, i);
		vnet_put(&h12, p, 112, 0, 2000);
		end_txsync(&h12);
		assert_int_equal(vnet_take(&n, got, &slots), c[i].good ? 100 : 0);
		bad += !c[i].good;
	}
	assert_drops(end_ktx(&h12, 0), DROP_BAD_HEADER, bad);
	assert_int_equal(end_krx(&n, 0)->in.packets, i - bad);
}

/* --- the rest of what slots can be --- */

static void
indirect_put(const void *data, uint32_t len, uint16_t flags)
{
	struct netmap_ring *r = end_tx(&h12, 0);
	struct netmap_slot *slot = &r->slot[r->head];

	slot->ptr = (uintptr_t)data;
	slot->len = (uint16_t)len;
	slot->flags = NS_INDIRECT | flags;
	ring_move(r, ring_next(r, r->head));
}

static void
test_indirect(void **state)
{
	static const uint8_t hdr[12] = { 0 };
	static uint8_t p[PACKET_MAX];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t len, last;

	/* All of it, and behind a header in the slot's own buffer. */
	len = packet_make(p, hdr, 12, 60000, 1);
	indirect_put(p, len, 0);
	end_txsync(&h12);
	vnet_expect(&n, p + 12, len - 12);
	vnet_expect(&other12, p, len);
	end_flush(&h10);
	last = end_tx(&h12, 0)->head;
	vnet_put(&h12, p, 12, 0, 12);
	end_tx(&h12, 0)->slot[last].flags = NS_MOREFRAG;
	indirect_put(p + 12, len - 12, 0);
	end_txsync(&h12);
	vnet_expect(&n, p + 12, len - 12);
	end_flush(&h10);
	end_flush(&other12);
	assert_int_equal(own_drops(end_ktx(&h12, 0)), 0);
	/* It ends early. */
	assert_true(map != MAP_FAILED);
	assert_int_equal(munmap(map + page, page), 0);
	packet_make((uint8_t *)map + page - 72, hdr, 12, 60, 1);
	indirect_put(map + page - 72, 1000, 0);
	end_txsync(&h12);
	end_expect_none(&n);
	end_expect_none(&h10);
	end_expect_none(&other12);
	assert_drops(end_ktx(&h12, 0), DROP_BAD_ADDRESS, 1);
	munmap(map, page);
}

/* Longer than any frame that a header can stand for. */
static void
test_too_long(void **state)
{
	static uint8_t p[PACKET_MAX];
	uint32_t len;

	memset(p, 0, 12);
	frame_make((char *)p + 12, VNET_FRAME_MAX, mac(9), mac(1), 0);
	len = 12 + VNET_FRAME_MAX;
	vnet_put(&h12, p, len, 0, 2176);
	end_txsync(&h12);
	vnet_expect(&n, p + 12, VNET_FRAME_MAX);
	end_flush(&h10);
	vnet_put(&h12, p, len + 1, 0, 2176);
	end_txsync(&h12);
	end_expect_none(&n);
	end_expect_none(&h10);
	assert_drops(end_ktx(&h12, 0), DROP_TOO_LONG, 2);
}

/* No room: the first packets get in, the rest is counted where there was none. */
static void
test_no_room(void **state)
{
	static uint8_t p[PACKET_MAX];
	static const uint8_t hdr[12] = { 0 };
	unsigned i;

	/* 255 slots are there; each packet takes two. */
	for (i = 0; i < 127; i++)
		vnet_put(&h12, p, packet_make(p, hdr, 12, 3000, i), 0, 2176);
	end_txsync(&h12);
	for (i = 0; i < 60; i++)
		vnet_put(&h12, p, packet_make(p, hdr, 12, 100, i), 0, 2176);
	end_txsync(&h12);
	assert_int_equal(end_krx(&n, 0)->in.packets, 128);
	assert_drops(end_krx(&n, 0), DROP_NO_ROOM, 59);
	for (i = 0; i < 127; i++) {
		packet_make(p, hdr, 12, 3000, i);
		vnet_expect(&n, p + 12, 3000);
	}
	packet_make(p, hdr, 12, 100, 0);
	vnet_expect(&n, p + 12, 100);
	end_expect_none(&n);
}

/* The receiver spoiled its slots: those packets come out empty, what stands around them does not suffer. */
static void
test_bad_slots(void **state)
{
	static uint8_t p[PACKET_MAX], got[PACKET_MAX];
	static const uint8_t hdr[12] = { 0 };
	struct netmap_ring *r = end_rx(&n, 0);
	uint32_t good = r->slot[1].buf_idx, i;
	unsigned slots;

	for (i = 0; i < 3; i++)
		vnet_put(&h12, p, packet_make(p, hdr, 12, 3000, i), 0, 2176);
	r->slot[3].buf_idx = 0xfffffff;
	end_txsync(&h12);
	packet_make(p, hdr, 12, 3000, 0);
	vnet_expect(&n, p + 12, 3000);
	end_rxsync(&n);
	r->slot[3].buf_idx = good;
	assert_int_equal(vnet_take(&n, got, &slots), 0);
	assert_int_equal(slots, 2);
	packet_make(p, hdr, 12, 3000, 2);
	vnet_expect(&n, p + 12, 3000);
	assert_drops(end_krx(&n, 0), DROP_BAD_SLOT, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		header_test(test_requests),
		header_test(test_legacy),
		header_test(test_register),
		header_test(test_headers),
		header_test(test_lookup),
		header_test(test_mixed_batch),
		header_test(test_change),
		header_test(test_checksum),
		header_test(test_bad_checksum),
		header_test(test_indirect),
		header_test(test_too_long),
		header_test(test_no_room),
		header_test(test_bad_slots),
	};

	return cmocka_run_group_tests_name("vale_vnet", tests, NULL, NULL);
}
