/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets on interfaces, with the drivers' own way to take frames from slots and to put them there; the wire
 * is a list. Also what goes between the host's rings and the interface's, and a veth pair whose ends cannot
 * be joined.
 */
#include <errno.h>
#include <string.h>

#include "drivers/deliver.h"
#include "offsets_end.h"

#define LIST_MAX	128u
#define MTU		9000u
#define FILL		0x5a

/* --- the wire --- */

struct list {
	uint32_t n, taken, segment;
	uint32_t len[LIST_MAX];
	char frame[LIST_MAX][MTU + 14];
};

/* By host. */
static struct list sent[2], waiting[2];

static int
wire_send(struct list *l, struct nic_ring *r)
{
	while (r->from != r->to) {
		struct tx_place place = { 0, 0 };
		struct tx_frame f;
		int verdict = tx_frame_load(r, &f);

		if (verdict == -EAGAIN)
			break;
		if (verdict == DROP_REASONS)
			verdict = tx_frame_check(r, &f, MTU);
		if (verdict == DROP_REASONS && l->n < LIST_MAX) {
			l->len[l->n] = tx_frame_copy(r, &f, &place, l->frame[l->n], sizeof(l->frame[0]));
			l->n++;
			r->packets++;
		} else {
			r->drops[verdict < DROP_REASONS ? verdict : DROP_NO_ROOM]++;
		}
		tx_frame_take(r, &f);
	}
	r->done = r->from;
	return 0;
}

static int
wire_receive(struct list *l, struct nic_ring *r)
{
	for (; l->taken < l->n && r->from != r->to; l->taken++) {
		struct vnet_frag frag = { l->frame[l->taken], l->len[l->taken] };
		struct vnet_source src = { .frags = &frag, .nfrags = 1 };

		if (!packet_deliver(r, &src, &l->segment))
			break;
		l->segment = 0;
	}
	return 0;
}

static int
wire_sync(struct kring *kr, struct nic_ring *r)
{
	return kr->dir == RING_TX ? wire_send(&sent[kr->host], r) : wire_receive(&waiting[kr->host], r);
}

static bool
wire_peers(const struct port *a, const struct port *b)
{
	return true;
}

static const struct inproc_hooks one = { .nic_queues = 1, .nic_sync = wire_sync };
static const struct inproc_hooks pair = { .nic_queues = 1, .nic_sync = wire_sync, .nic_peers = wire_peers };

static int
setup(void **state)
{
	memset(sent, 0, sizeof(sent));
	memset(waiting, 0, sizeof(waiting));
	inproc_hooks_set(&one);
	return engine_setup(state);
}

static int
teardown(void **state)
{
	int error = engine_teardown(state);

	inproc_hooks_set(NULL);
	return error;
}

#define nic_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

static void
arrives(unsigned host, uint32_t len, uint32_t seq)
{
	struct list *l = &waiting[host];

	frame_make(l->frame[l->n], len, mac(1), mac(2), seq);
	l->len[l->n++] = len;
}

static void
expect_sent(unsigned host, uint32_t at, uint32_t len, uint32_t seq)
{
	assert_true(sent[host].n > at);
	assert_int_equal(sent[host].len[at], len);
	assert_true(frame_is(sent[host].frame[at], len, seq));
}

static void
nic_open(struct end *e, const char *name, uint32_t mode, uint64_t initial, uint64_t max, int bits)
{
	assert_int_equal(
		offsets_try(e, name, &(struct nmreq_register){ .nr_mode = mode }, initial, max, bits), 0);
}

/* --- receiving and sending --- */

static void
test_receive(void **state)
{
	static const uint32_t lens[] = { 14, 60, 1514, 1900 };
	struct netmap_ring *r;
	struct end e;
	uint32_t i, at, idx;

	nic_open(&e, "nic0", NR_REG_ALL_NIC, 40, 100, 10);
	r = end_rx(&e, 0);
	ring_fill(r, FILL);
	for (i = 0; i < 400; i++) {
		at = r->head;
		idx = r->slot[at].buf_idx;
		if (i % 2 != 0)
			r->slot[at].ptr = UINT64_C(0xabcdef00) << 32 | (i % 1024);
		memset(ring_buf(r, idx), FILL, r->nr_buf_size);
		waiting[0].n = waiting[0].taken = 0;
		arrives(0, lens[i % 4], i);
		offsets_expect(&e, lens[i % 4], i, i % 2 != 0 ? (i < 100 ? i : 100) : slot_ofs(r, at));
		assert_true(buf_untouched(r, idx, slot_ofs(r, at), lens[i % 4], FILL));
		assert_true(i % 2 == 0 || r->slot[at].ptr >> 32 == 0xabcdef00);
		end_rxsync(&e);
	}
	end_close(&e);
}

/* A frame that does not fit behind the offset goes on in the next slot. */
static void
test_receive_chains(void **state)
{
	static char got[MTU + 14];
	struct netmap_ring *r;
	struct end e;
	uint32_t n, len, size;

	nic_open(&e, "nic0", NR_REG_ALL_NIC, 0, 2000, 16);
	r = end_rx(&e, 0);
	size = r->nr_buf_size;
	slot_set_ofs(r, 0, 1000);
	slot_set_ofs(r, 1, 2000);
	slot_set_ofs(r, 3, 1);
	arrives(0, 9000, 7);
	end_rxsync(&e);
	for (n = len = 0; ring_space(r) > 0; n++) {
		memcpy(got + len, slot_data(r, r->head), r->slot[r->head].len);
		len += r->slot[r->head].len;
		assert_int_equal(r->slot[r->head].flags & NS_MOREFRAG, len < 9000 ? NS_MOREFRAG : 0);
		assert_int_equal(slot_ofs(r, r->head), n == 0 ? 1000 : n == 1 ? 2000 : n == 3 ? 1 : 0);
		assert_true(len == 9000 || r->slot[r->head].len == size - slot_ofs(r, r->head));
		ring_move(r, ring_next(r, r->head));
	}
	assert_int_equal(len, 9000);
	assert_true(frame_is(got, 9000, 7));
	assert_int_equal(n, 6);
	end_close(&e);
}

/* Offsets that leave no room: nothing arrives there, and what is behind it does. */
static void
test_receive_no_room(void **state)
{
	struct netmap_ring *r;
	struct end e;
	uint32_t i, size;

	nic_open(&e, "nic0", NR_REG_ALL_NIC, 0, 2048, 0);
	r = end_rx(&e, 0);
	size = r->nr_buf_size;
	assert_int_equal(size, 2048);
	for (i = 0; i < r->num_slots; i++)
		r->slot[i].ptr = size;
	arrives(0, 60, 1);
	end_expect_none(&e);
	assert_int_equal(end_krx(&e, 0)->own.drops[DROP_TOO_LONG], 1);
	/* 20 bytes of each. */
	for (i = 0; i < r->num_slots; i++)
		r->slot[i].ptr = size - 20;
	arrives(0, 60, 2);
	assert_int_equal(end_pending(&e, 0), 3);
	arrives(0, 1514, 3);
	end_flush(&e);
	end_expect_none(&e);
	assert_int_equal(end_krx(&e, 0)->own.drops[DROP_TOO_LONG], 2);
	end_close(&e);
}

static void
test_send(void **state)
{
	static char frame[3000];
	struct netmap_ring *r;
	struct end e;
	uint32_t i;

	nic_open(&e, "nic0", NR_REG_ALL_NIC, 40, 100, 16);
	r = end_tx(&e, 0);
	for (i = 0; i < 50; i++) {
		slot_set_ofs(r, r->head, i * 2);
		assert_true(offsets_put(r, 60 + i * 20, mac(2), mac(1), i, 0));
	}
	end_txsync(&e);
	for (i = 0; i < 50; i++)
		expect_sent(0, i, 60 + i * 20, i);
	/* Capped. */
	frame_make(ring_buf(r, r->slot[r->head].buf_idx) + 100, 200, mac(2), mac(1), 50);
	slot_set_ofs(r, r->head, 65535);
	r->slot[r->head].len = 200;
	ring_move(r, ring_next(r, r->head));
	/* Beyond the end. */
	r->slot[r->head].len = (uint16_t)(r->nr_buf_size - 39);
	ring_move(r, ring_next(r, r->head));
	/* A chain, each of whose slots has its own offset. */
	frame_make(frame, 3000, mac(2), mac(1), 51);
	for (i = 0; i < 3; i++) {
		slot_set_ofs(r, r->head, i * 31);
		memcpy(slot_data(r, r->head), frame + i * 1000, 1000);
		r->slot[r->head].len = 1000;
		r->slot[r->head].flags = i < 2 ? NS_MOREFRAG : 0;
		ring_move(r, ring_next(r, r->head));
	}
	end_txsync(&e);
	expect_sent(0, 50, 200, 50);
	expect_sent(0, 51, 3000, 51);
	assert_int_equal(sent[0].n, 52);
	assert_drops(end_ktx(&e, 0), DROP_BAD_SLOT, 1);
	end_close(&e);
}

/* --- host rings --- */

/*
 * From the stack to the interface by exchange of buffers, and from the interface to the stack, with offsets
 * in either ring, or both.
 */
static void
forward(uint64_t host_initial, int host_bits, uint64_t nic_initial, uint64_t nic_max, int nic_bits)
{
	struct end nic, sw, both;
	struct netmap_ring *r;
	uint32_t i;

	memset(sent, 0, sizeof(sent));
	memset(waiting, 0, sizeof(waiting));
	/* The rings get their offsets from their first users. */
	nic_open(&nic, "nic0", NR_REG_ALL_NIC, nic_initial, nic_max, nic_bits);
	nic_open(&sw, "nic0", NR_REG_SW, host_initial, host_initial, host_bits);
	nic_open(&both, "nic0", NR_REG_NIC_SW, 0, 0, -1);
	r = end_rx(&both, 1);
	for (i = 0; i < 5; i++)
		arrives(1, 300, i);
	end_rxsync(&both);
	r->flags = NR_FORWARD;
	for (i = 0; i < 5; i++) {
		assert_int_equal(slot_ofs(r, i), host_initial);
		assert_true(frame_is(slot_data(r, i), 300, i));
		r->slot[i].flags = NS_FORWARD;
	}
	ring_move(r, r->tail);
	end_rxsync(&both);
	end_txsync(&both);
	for (i = 0; i < 5; i++)
		expect_sent(0, i, 300, i);
	assert_int_equal(slot_ofs(end_tx(&both, 0), 0), host_initial < nic_max ? host_initial : nic_max);
	r = end_rx(&both, 0);
	for (i = 0; i < 5; i++)
		arrives(0, 400, i);
	end_rxsync(&both);
	r->flags = NR_FORWARD;
	for (i = 0; i < 5; i++)
		r->slot[i].flags = NS_FORWARD;
	ring_move(r, r->tail);
	end_rxsync(&both);
	for (i = 0; i < 5; i++)
		expect_sent(1, i, 400, i);
	end_close(&both);
	end_close(&sw);
	end_close(&nic);
}

static void
test_forward(void **state)
{
	forward(0, -1, 0, 0, -1);
	forward(64, 16, 0, 0, -1);
	forward(0, -1, 64, 64, 8);
	forward(64, 16, 32, 32, 8);
	forward(64, 64, 32, 128, 64);
}

/* --- veth --- */

/* Rings with offsets go by the driver; those without are joined. */
static void
test_veth(void **state)
{
	struct end a, b;
	unsigned k;

	inproc_hooks_set(&pair);
	for (k = 0; k < 4; k++) {
		nic_open(&a, "nic0", NR_REG_ALL_NIC, 0, 10, k & 1 ? 8 : -1);
		nic_open(&b, "nicB", NR_REG_ALL_NIC, 0, 10, k & 2 ? 8 : -1);
		assert_true((end_ktx(&a, 0)->join != NULL) == (k == 0));
		assert_true((end_ktx(&b, 0)->join != NULL) == (k == 0));
		end_close(&a);
		end_close(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		nic_test(test_receive),
		nic_test(test_receive_chains),
		nic_test(test_receive_no_room),
		nic_test(test_send),
		nic_test(test_forward),
		nic_test(test_veth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
