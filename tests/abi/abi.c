/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI as C programs see it: layout at compile time (abi_layout.h), and at run time the macros and
 * functions of netmap.h and netmap_user.h that walk rings, over a hand-made port in ordinary memory. Names
 * and opening of ports are in nm_open.c.
 */
#define NETMAP_HOST_SIDE	/* the test plays the host as well */
#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>
#include <net/netmap_virt.h>
#include "abi_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define REGION_SIZE	(256 * 1024)
#define RING_SPACE	4096	/* bytes between two rings */
#define BUFS_OFS	(64 * 1024)

/*
 * A port with ntx + 1 and nrx + 1 rings (the last of each is the host ring), nslots slots a ring and
 * buffers of bufsize bytes, each slot with its own, in order: tx rings first, from buffer 2 on.
 */
static struct nm_desc *
port_new(uint32_t ntx, uint32_t nrx, uint32_t nslots, uint32_t bufsize)
{
	struct nm_desc *d = calloc(1, sizeof(*d));
	uint32_t nrings = ntx + nrx + 2, buf = 2, i, k;
	struct netmap_if *nifp;
	char *mem = aligned_alloc(NM_CACHE_ALIGN, REGION_SIZE);

	assert_non_null(d);
	assert_non_null(mem);
	memset(mem, 0, REGION_SIZE);
	nifp = NETMAP_IF(mem, 128);
	nifp->ni_tx_rings = ntx;
	nifp->ni_rx_rings = nrx;
	nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;
	for (i = 0; i < nrings; i++) {
		struct netmap_ring *ring = (struct netmap_ring *)(void *)(mem + (i + 1) * RING_SPACE);

		nifp->ring_ofs[i] = (char *)ring - (char *)nifp;
		ring->buf_ofs = BUFS_OFS - (int64_t)(i + 1) * RING_SPACE;
		ring->num_slots = nslots;
		ring->nr_buf_size = bufsize;
		ring->dir = i <= ntx;
		ring->ringid = (uint16_t)(i <= ntx ? i : i - ntx - 1);
		ring->tail = ring->dir ? nslots - 1 : 0;
		for (k = 0; k < nslots; k++)
			ring->slot[k].buf_idx = buf++;
	}
	assert_true(BUFS_OFS + buf * bufsize <= REGION_SIZE);
	d->self = d;
	d->fd = -1;
	d->mem = mem;
	d->memsize = REGION_SIZE;
	d->nifp = nifp;
	d->last_tx_ring = (uint16_t)(ntx - 1);
	d->last_rx_ring = (uint16_t)(nrx - 1);
	return d;
}

static void
port_free(struct nm_desc *d)
{
	free(d->mem);
	assert_int_equal(nm_close(d), 0);
}

/* Make a ring empty, with head, cur and tail at a slot. */
static void
ring_at(struct netmap_ring *ring, uint32_t i)
{
	ring->head = ring->cur = ring->tail = i;
}

/* Receive a frame of len bytes of the given value, as one slot. */
static void
ring_receive(struct netmap_ring *ring, uint8_t value, uint16_t len, uint16_t flags)
{
	struct netmap_slot *slot = &ring->slot[ring->tail];

	memset(NETMAP_BUF_OFFSET(ring, slot), value, len);
	slot->len = len;
	slot->flags = flags;
	ring->tail = nm_ring_next(ring, ring->tail);
}

static void
test_constants(void **state)
{
	struct netmap_slot slot = { .flags = 0x0320 };

	(void)state;
	assert_string_equal(NM_BDG_NAME, "vale");
	assert_string_equal(NETMAP_DEVICE_NAME, "/dev/netmap");
	assert_int_equal(NS_RFRAGS(&slot), 3);
	slot.flags = NS_PORT_MASK;
	assert_int_equal(NS_RFRAGS(&slot), 255);
}

static void
test_rings_and_buffers(void **state)
{
	struct nm_desc *d = port_new(2, 3, 8, 512);
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	uint32_t i;

	(void)state;
	assert_ptr_equal(NETMAP_IF(d->mem, 128), d->nifp);
	for (i = 0; i < 3; i++) {
		assert_int_equal(NETMAP_TXRING(d->nifp, i)->dir, 1);
		assert_int_equal(NETMAP_TXRING(d->nifp, i)->ringid, i);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(NETMAP_RXRING(d->nifp, i)->dir, 0);
		assert_int_equal(NETMAP_RXRING(d->nifp, i)->ringid, i);
		/* a buffer has one address, through whatever ring it is reached */
		assert_ptr_equal(NETMAP_BUF(NETMAP_RXRING(d->nifp, i), 7), NETMAP_BUF(ring, 7));
	}
	assert_ptr_equal(NETMAP_BUF(ring, 0), (char *)d->mem + BUFS_OFS);
	assert_ptr_equal(NETMAP_BUF(ring, 5), (char *)d->mem + BUFS_OFS + 5 * 512);
	assert_int_equal(NETMAP_BUF_IDX(ring, NETMAP_BUF(ring, 5)), 5);
	assert_int_equal(NETMAP_BUF_IDX(ring, NETMAP_BUF(ring, 5) + 511), 5);
	port_free(d);
}

/* Buffers beyond 4 GiB: the product must not be computed in 32 bits. */
static void
test_buffer_far(void **state)
{
	struct netmap_ring ring = { .buf_ofs = -(int64_t)1000000 * 65536, .nr_buf_size = 65536 };

	(void)state;
	assert_ptr_equal(NETMAP_BUF(&ring, 1000000), &ring);
	assert_int_equal(NETMAP_BUF_IDX(&ring, &ring), 1000000);
}

static void
test_offsets(void **state)
{
	struct nm_desc *d = port_new(1, 1, 8, 512);
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	struct netmap_slot *slot = &ring->slot[3];

	(void)state;
	slot->ptr = 0xabcd000000000011;
	assert_int_equal(NETMAP_ROFFSET(ring, slot), 0);	/* no offsets: ptr is the program's */
	NETMAP_WOFFSET(ring, slot, 64);
	assert_true(slot->ptr == 0xabcd000000000011);
	assert_ptr_equal(NETMAP_BUF_OFFSET(ring, slot), NETMAP_BUF(ring, slot->buf_idx));

	ring->offset_mask = 0xffff;
	assert_int_equal(NETMAP_ROFFSET(ring, slot), 0x11);
	NETMAP_WOFFSET(ring, slot, 0x10040);			/* what does not fit is cut */
	assert_true(slot->ptr == 0xabcd000000000040);
	assert_ptr_equal(NETMAP_BUF_OFFSET(ring, slot), NETMAP_BUF(ring, slot->buf_idx) + 64);

	ring->offset_mask = UINT64_MAX;
	NETMAP_WOFFSET(ring, slot, 128);
	assert_true(slot->ptr == 128);
	port_free(d);
}

static void
test_ring_arithmetic(void **state)
{
	struct nm_desc *d = port_new(1, 1, 7, 512);	/* not a power of two */
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);

	(void)state;
	assert_int_equal(nm_ring_next(ring, 0), 1);
	assert_int_equal(nm_ring_next(ring, 6), 0);

	assert_int_equal(nm_ring_space(ring), 6);	/* as opened: all but one slot free, nothing pending */
	assert_false(nm_ring_empty(ring));
	assert_false(nm_tx_pending(ring));

	ring->head = ring->cur = 2;
	assert_int_equal(nm_ring_space(ring), 4);
	assert_true(nm_tx_pending(ring));

	ring->head = 5;
	ring->tail = 1;
	assert_int_equal(nm_ring_space(ring), 3);

	ring->head = ring->tail = 6;
	ring->cur = 0;					/* cur has no say in this */
	assert_int_equal(nm_ring_space(ring), 0);
	assert_true(nm_ring_empty(ring));
	port_free(d);
}

static void
test_pkt_copy(void **state)
{
	static const int lens[] = { 0, 1, 14, 60, 63, 64, 65, 128, 960, 1000, 1023, 1024, 1514, 2048 };
	uint8_t src[2048 + 64], dst[2048 + 64], want[2048 + 64];
	size_t i, k, shift;

	(void)state;
	for (i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 7 + 1);
	for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
		for (shift = 0; shift < 9; shift += 3) {
			memset(dst, 0, sizeof(dst));
			memset(want, 0, sizeof(want));
			memcpy(want + shift, src + 5, (size_t)lens[k]);
			nm_pkt_copy(src + 5, dst + shift, lens[k]);
			assert_memory_equal(dst, want, sizeof(dst));
		}
	}
}

static void
test_csb(void **state)
{
	struct nm_csb_atok atok = { .appl_need_kick = 7, .sync_flags = 8 };
	struct nm_csb_ktoa ktoa = { .hwcur = 3, .hwtail = 9, .kern_need_kick = 1 };
	uint32_t hwtail = 0, hwcur = 0;

	(void)state;
	nm_sync_kloop_appl_write(&atok, 5, 4);
	assert_int_equal(atok.cur, 5);
	assert_int_equal(atok.head, 4);
	assert_int_equal(atok.appl_need_kick, 7);
	assert_int_equal(atok.sync_flags, 8);
	nm_sync_kloop_appl_read(&ktoa, &hwtail, &hwcur);
	assert_int_equal(hwtail, 9);
	assert_int_equal(hwcur, 3);
	nm_stst_barrier();
	nm_ldld_barrier();
}

static void
test_inject(void **state)
{
	struct nm_desc *d = port_new(1, 1, 8, 512);
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	uint8_t frame[512];
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	ring->slot[0].flags = NS_BUF_CHANGED | NS_INDIRECT | NS_MOREFRAG | NS_REPORT;
	assert_int_equal(nm_inject(d, frame, 60), 60);
	assert_int_equal(ring->slot[0].len, 60);
	assert_int_equal(ring->slot[0].flags, NS_BUF_CHANGED);	/* not known to the host yet; the rest is stale */
	assert_memory_equal(NETMAP_BUF(ring, ring->slot[0].buf_idx), frame, 60);
	assert_int_equal(ring->head, 1);
	assert_int_equal(ring->cur, 1);

	for (i = 1; i < 7; i++)
		assert_int_equal(nm_inject(d, frame, 512), 512);
	assert_int_equal(ring->slot[6].len, 512);
	assert_int_equal(ring->slot[6].flags, 0);
	assert_true(nm_ring_empty(ring));
	assert_int_equal(nm_inject(d, frame, 60), 0);
	assert_int_equal(ring->head, 7);
	port_free(d);
}

/* A packet larger than a buffer, over the end of the ring. */
static void
test_inject_fragments(void **state)
{
	struct nm_desc *d = port_new(1, 1, 8, 512);
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	uint8_t frame[2048];
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i >> 3);
	ring->head = ring->cur = 6;
	ring->tail = 1;
	assert_int_equal(nm_inject(d, frame, 1537), 0);		/* four slots, three are free */
	assert_int_equal(ring->head, 6);
	assert_int_equal(nm_inject(d, frame, 1100), 1100);
	assert_int_equal(ring->head, 1);
	assert_int_equal(ring->cur, 1);
	for (i = 0; i < 3; i++) {
		struct netmap_slot *slot = &ring->slot[(6 + i) % 8];

		assert_int_equal(slot->len, i < 2 ? 512 : 76);
		assert_int_equal(slot->flags, i < 2 ? NS_MOREFRAG : 0);
		assert_memory_equal(NETMAP_BUF(ring, slot->buf_idx), frame + i * 512, slot->len);
	}
	ring_at(ring, 0);
	ring->tail = 4;
	assert_int_equal(nm_inject(d, frame, 2048), 2048);	/* exactly four full slots */
	assert_int_equal(ring->slot[3].len, 512);
	assert_int_equal(ring->slot[3].flags, 0);
	port_free(d);
}

/* With offsets a slot holds less; a nonsensical offset holds nothing, and writes nothing out of the buffer. */
static void
test_inject_offsets(void **state)
{
	struct nm_desc *d = port_new(1, 1, 8, 512);
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	uint8_t frame[512];

	(void)state;
	memset(frame, 0x5a, sizeof(frame));
	ring->offset_mask = 0xffff;
	ring->slot[0].ptr = 500;
	ring->slot[1].ptr = 64;
	ring->slot[2].ptr = 60000;
	ring->slot[3].ptr = 0;
	assert_int_equal(nm_inject(d, frame, 460), 460);
	assert_int_equal(ring->slot[0].len, 12);
	assert_int_equal(ring->slot[0].flags, NS_MOREFRAG);
	assert_int_equal(ring->slot[1].len, 448);
	assert_int_equal(ring->slot[1].flags, 0);
	assert_memory_equal(NETMAP_BUF(ring, ring->slot[1].buf_idx) + 64, frame, 448);
	assert_int_equal(nm_inject(d, frame, 100), 100);
	assert_int_equal(ring->slot[2].len, 0);
	assert_int_equal(ring->slot[3].len, 100);
	assert_int_equal(ring->head, 4);
	port_free(d);
}

static void
test_inject_rings(void **state)
{
	struct nm_desc *d = port_new(3, 1, 4, 512);
	uint8_t frame[1024] = { 0 };
	uint32_t i;

	(void)state;
	d->cur_tx_ring = 1;
	for (i = 0; i < 9; i++)
		assert_int_equal(nm_inject(d, frame, 60), 60);
	assert_int_equal(nm_inject(d, frame, 60), 0);
	for (i = 0; i < 3; i++)
		assert_true(nm_ring_empty(NETMAP_TXRING(d->nifp, i)));

	/* a ring with too little room is passed over, one that is not bound too */
	for (i = 0; i < 3; i++)
		ring_at(NETMAP_TXRING(d->nifp, i), 0);
	NETMAP_TXRING(d->nifp, 0)->tail = 1;
	NETMAP_TXRING(d->nifp, 1)->tail = 3;
	NETMAP_TXRING(d->nifp, 2)->tail = 3;
	d->cur_tx_ring = 0;
	d->nifp->ring_ofs[1] = 0;
	assert_int_equal(nm_inject(d, frame, 1024), 1024);
	assert_int_equal(NETMAP_TXRING(d->nifp, 0)->head, 0);
	assert_int_equal(NETMAP_TXRING(d->nifp, 2)->head, 2);
	port_free(d);
}

static void
test_nextpkt(void **state)
{
	struct nm_desc *d = port_new(1, 3, 8, 512);
	struct netmap_ring *ring = NETMAP_RXRING(d->nifp, 1);
	struct nm_pkthdr hdr = { .flags = 99 };
	unsigned char *buf;

	(void)state;
	assert_null(nm_nextpkt(d, &hdr));
	ring_at(ring, 7);
	ring->ts.tv_sec = 1234;
	ring->ts.tv_usec = 5678;
	ring->offset_mask = 0xff;
	ring->slot[7].ptr = 32;
	ring_receive(ring, 0x11, 60, 0);
	ring_receive(ring, 0x22, 512, NS_MOREFRAG);
	ring_receive(NETMAP_RXRING(d->nifp, 0), 0x33, 100, 0);
	d->cur_rx_ring = 1;

	buf = nm_nextpkt(d, &hdr);
	assert_ptr_equal(buf, NETMAP_BUF(ring, ring->slot[7].buf_idx) + 32);
	assert_ptr_equal(hdr.buf, buf);
	assert_int_equal(buf[0], 0x11);
	assert_int_equal(hdr.len, 60);
	assert_int_equal(hdr.caplen, 60);
	assert_int_equal(hdr.flags, 0);
	assert_int_equal(hdr.ts.tv_sec, 1234);
	assert_int_equal(hdr.ts.tv_usec, 5678);
	assert_ptr_equal(hdr.slot, &ring->slot[7]);
	assert_ptr_equal(hdr.d, d);
	assert_int_equal(ring->head, 0);		/* given back, around the end */
	assert_int_equal(ring->cur, 0);

	assert_int_equal(*nm_nextpkt(d, &hdr), 0x22);	/* a fragment comes as it is */
	assert_int_equal(hdr.len, 512);
	assert_int_equal(*nm_nextpkt(d, &hdr), 0x33);	/* rings 1, 2, 0 */
	assert_int_equal(d->cur_rx_ring, 0);
	assert_null(nm_nextpkt(d, &hdr));
	port_free(d);
}

/* What a callback of nm_dispatch() has seen. */
struct seen {
	struct nm_desc *d;
	int count;
	struct {
		uint8_t first;
		uint32_t len, caplen;
		uint64_t flags;
	} pkt[16];
};

static void
on_packet(unsigned char *user, const struct nm_pkthdr *hdr, const unsigned char *buf)
{
	struct seen *seen = (struct seen *)(void *)user;
	uint32_t i;

	assert_true(seen->count < 16);
	assert_ptr_equal(hdr->d, seen->d);
	assert_ptr_equal(hdr->buf, buf);
	for (i = 0; i < hdr->caplen; i++)
		assert_int_equal(buf[i], buf[0]);
	seen->pkt[seen->count].first = buf[0];
	seen->pkt[seen->count].len = hdr->len;
	seen->pkt[seen->count].caplen = hdr->caplen;
	seen->pkt[seen->count].flags = hdr->flags;
	seen->count++;
}

static int
dispatch(struct nm_desc *d, int cnt, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	seen->d = d;
	return nm_dispatch(d, cnt, on_packet, (unsigned char *)seen);
}

static void
test_dispatch(void **state)
{
	struct nm_desc *d = port_new(1, 3, 8, 512);
	struct seen seen;
	uint8_t i;

	(void)state;
	assert_int_equal(dispatch(d, -1, &seen), 0);
	assert_int_equal(seen.count, 0);

	/* two packets in each ring, over the end of the second */
	ring_at(NETMAP_RXRING(d->nifp, 1), 7);
	for (i = 0; i < 6; i++)
		ring_receive(NETMAP_RXRING(d->nifp, i / 2), (uint8_t)(i + 1), (uint16_t)(60 + i), 0);
	assert_int_equal(dispatch(d, 0, &seen), 6);
	assert_int_equal(seen.count, 6);
	for (i = 0; i < 6; i++) {
		assert_int_equal(seen.pkt[i].first, i + 1);
		assert_int_equal(seen.pkt[i].len, 60 + i);
		assert_int_equal(seen.pkt[i].caplen, 60 + i);
		assert_int_equal(seen.pkt[i].flags, i < 5 ? NM_MORE_PKTS : 0);
	}
	for (i = 0; i < 3; i++) {
		assert_true(nm_ring_empty(NETMAP_RXRING(d->nifp, i)));
		assert_int_equal(NETMAP_RXRING(d->nifp, i)->cur, NETMAP_RXRING(d->nifp, i)->head);
	}
	port_free(d);
}

/* A count ends it, the next call goes on where it stopped; a ring that is not bound is passed over. */
static void
test_dispatch_count(void **state)
{
	struct nm_desc *d = port_new(1, 3, 8, 512);
	struct seen seen;
	uint8_t i;

	(void)state;
	for (i = 0; i < 6; i++)
		ring_receive(NETMAP_RXRING(d->nifp, i / 2), (uint8_t)(i + 1), 60, 0);
	assert_int_equal(dispatch(d, 1, &seen), 1);
	assert_int_equal(seen.pkt[0].first, 1);
	assert_int_equal(seen.pkt[0].flags, 0);
	assert_int_equal(NETMAP_RXRING(d->nifp, 0)->head, 1);
	assert_int_equal(dispatch(d, 2, &seen), 2);
	assert_int_equal(seen.pkt[0].first, 2);
	assert_int_equal(seen.pkt[1].first, 3);
	assert_int_equal(NETMAP_RXRING(d->nifp, 1)->head, 1);
	d->nifp->ring_ofs[2 + 2] = 0;		/* after 1 + 1 tx rings: rx ring 2 */
	assert_int_equal(dispatch(d, 16, &seen), 1);
	assert_int_equal(seen.pkt[0].first, 4);
	port_free(d);
}

static void
test_dispatch_fragments(void **state)
{
	struct nm_desc *d = port_new(1, 1, 8, 512);
	struct netmap_ring *ring = NETMAP_RXRING(d->nifp, 0);
	struct seen seen;
	uint32_t idx;

	(void)state;
	ring_at(ring, 5);
	/* neighbours in memory, full: all of it is contiguous, up to the end of the ring */
	ring_receive(ring, 1, 512, NS_MOREFRAG);
	ring_receive(ring, 1, 512, NS_MOREFRAG);
	ring_receive(ring, 1, 512, NS_MOREFRAG);
	ring_receive(ring, 1, 10, 0);
	ring_receive(ring, 2, 60, 0);
	/* not full: only the first is */
	ring_receive(ring, 3, 500, NS_MOREFRAG);
	ring_receive(ring, 3, 100, 0);
	assert_int_equal(dispatch(d, -1, &seen), 3);
	assert_int_equal(seen.pkt[0].len, 1546);
	assert_int_equal(seen.pkt[0].caplen, 1536);
	assert_int_equal(seen.pkt[0].flags, NM_MORE_PKTS);
	assert_int_equal(seen.pkt[1].len, 60);
	assert_int_equal(seen.pkt[2].len, 600);
	assert_int_equal(seen.pkt[2].caplen, 500);
	assert_int_equal(seen.pkt[2].flags, 0);
	assert_true(nm_ring_empty(ring));

	/* swapped buffers are no neighbours; a chain without an end stops at tail */
	ring_at(ring, 0);
	idx = ring->slot[1].buf_idx;
	ring->slot[1].buf_idx = ring->slot[2].buf_idx;
	ring->slot[2].buf_idx = idx;
	ring_receive(ring, 4, 512, NS_MOREFRAG);
	ring_receive(ring, 5, 512, NS_MOREFRAG);
	ring_receive(ring, 6, 512, NS_MOREFRAG);
	assert_int_equal(dispatch(d, -1, &seen), 1);
	assert_int_equal(seen.pkt[0].len, 1536);
	assert_int_equal(seen.pkt[0].caplen, 512);
	assert_int_equal(ring->head, 3);
	port_free(d);
}

/* No rings in a direction: last is 65535. */
static void
test_no_rings(void **state)
{
	struct nm_desc *d = port_new(0, 0, 8, 512);
	struct nm_pkthdr hdr;
	struct seen seen;

	(void)state;
	assert_int_equal(d->last_rx_ring, 65535);
	assert_null(nm_nextpkt(d, &hdr));
	assert_int_equal(dispatch(d, -1, &seen), 0);
	assert_int_equal(nm_inject(d, "packet", 6), 0);
	port_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_rings_and_buffers),
		cmocka_unit_test(test_buffer_far),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_ring_arithmetic),
		cmocka_unit_test(test_pkt_copy),
		cmocka_unit_test(test_csb),
		cmocka_unit_test(test_inject),
		cmocka_unit_test(test_inject_fragments),
		cmocka_unit_test(test_inject_offsets),
		cmocka_unit_test(test_inject_rings),
		cmocka_unit_test(test_nextpkt),
		cmocka_unit_test(test_dispatch),
		cmocka_unit_test(test_dispatch_count),
		cmocka_unit_test(test_dispatch_fragments),
		cmocka_unit_test(test_no_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
