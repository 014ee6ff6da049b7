/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host rings: which registrations select them, what is told of them, when the host's side is open, and
 * forwarding between them and the interface's, also with a program that writes nonsense. The interface is a
 * mock: two queues, and lists of frames that came out and are to come in.
 */
#include <errno.h>
#include <string.h>

#include "end.h"

#define QUEUES		2u
#define LIST_MAX	256u

#define NIC(...)	(&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, __VA_ARGS__ })
#define SW(...)		(&(struct nmreq_register){ .nr_mode = NR_REG_SW, __VA_ARGS__ })
#define NIC_SW(...)	(&(struct nmreq_register){ .nr_mode = NR_REG_NIC_SW, __VA_ARGS__ })
#define ONE_SW(n, ...)	(&(struct nmreq_register){ .nr_mode = NR_REG_ONE_SW, .nr_ringid = (n), __VA_ARGS__ })

/* --- the mock --- */

struct list {
	uint32_t n, taken;
	uint32_t seq[LIST_MAX];
};

/* By host, queue. */
static struct list sent[2][8], waiting[2][8];
static int host_error;

static uint32_t
queue_of(const struct kring *kr)
{
	const struct port *p = kr->port;

	return kr->host == 0 ? kr->id : kr->id - (kr->dir == RING_TX ? p->num_tx : p->num_rx);
}

static char *
mock_buf(const struct nic_ring *r, uint32_t idx)
{
	return r->ubufs + (size_t)idx * r->buf_size;
}

static void
mock_send(struct list *l, struct nic_ring *r)
{
	while (r->from != r->to) {
		uint64_t word = slot_load(&r->uslot[r->from]);

		r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		if (slot_idx(word) < 2 || slot_idx(word) >= r->buf_total || slot_len(word) > r->buf_size) {
			r->drops[DROP_BAD_SLOT]++;
			continue;
		}
		if (l->n < LIST_MAX)
			l->seq[l->n++] = (uint32_t)frame_seq(mock_buf(r, slot_idx(word)), slot_len(word));
		r->packets++;
	}
	r->done = r->from;
}

static void
mock_receive(struct list *l, struct nic_ring *r)
{
	while (r->from != r->to && l->taken != l->n) {
		uint32_t idx = slot_idx(slot_load(&r->uslot[r->from]));

		if (idx < 2 || idx >= r->buf_total) {
			r->drops[DROP_BAD_SLOT]++;
			slot_store(&r->uslot[r->from], slot_word(idx, 0, 0));
		} else {
			frame_make(mock_buf(r, idx), FRAME_MIN, mac(1), mac(2), l->seq[l->taken++]);
			slot_store(&r->uslot[r->from], slot_word(idx, FRAME_MIN, 0));
			r->packets++;
		}
		r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
	}
}

static int
mock_sync(struct kring *kr, struct nic_ring *r)
{
	if (kr->host != 0 && host_error != 0)
		return host_error;
	if (kr->dir == RING_TX)
		mock_send(&sent[kr->host][queue_of(kr)], r);
	else
		mock_receive(&waiting[kr->host][queue_of(kr)], r);
	return 0;
}

static int
setup(void **state)
{
	static const struct inproc_hooks hooks = { .nic_queues = QUEUES, .nic_sync = mock_sync };

	memset(sent, 0, sizeof(sent));
	memset(waiting, 0, sizeof(waiting));
	host_error = 0;
	inproc_hooks_set(&hooks);
	return engine_setup(state);
}

static int
teardown(void **state)
{
	int error = engine_teardown(state);

	inproc_hooks_set(NULL);
	return error != 0 || inproc_nic_hosts() != 0;
}

static void
arrives(unsigned host, uint32_t queue, uint32_t first, uint32_t n)
{
	struct list *l = &waiting[host][queue];

	while (n-- > 0)
		l->seq[l->n++] = first++;
}

static void
expect_sent(unsigned host, uint32_t queue, uint32_t first, uint32_t n)
{
	const struct list *l = &sent[host][queue];

	assert_int_equal(l->n, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(l->seq[i], first + i);
}

/* Releases what is there, each slot with these flags. */
static uint32_t
release(struct netmap_ring *r, uint16_t flags)
{
	uint32_t n = 0, i = r->head;

	for (; i != r->tail; i = ring_next(r, i), n++)
		r->slot[i].flags = flags;
	ring_move(r, i);
	return n;
}

/* --- registration --- */

/* The rings told to the descriptor are tx [t0, t1) and rx [r0, r1). */
static void
selects(const char *name, const struct nmreq_register *want, uint32_t t0, uint32_t t1, uint32_t r0, uint32_t r1)
{
	uint32_t i, tx, rx;
	struct end e;

	end_open_as(&e, name, want);
	tx = e.nifp->ni_tx_rings + e.nifp->ni_host_tx_rings;
	rx = e.nifp->ni_rx_rings + e.nifp->ni_host_rx_rings;
	for (i = 0; i < tx; i++)
		assert_int_equal(e.nifp->ring_ofs[i] != 0, i >= t0 && i < t1);
	for (i = 0; i < rx; i++)
		assert_int_equal(e.nifp->ring_ofs[tx + i] != 0, i >= r0 && i < r1);
	for (i = t0; i < t1; i++)
		assert_int_equal(end_tx(&e, i)->ringid, i);
	for (i = r0; i < r1; i++)
		assert_int_equal(end_rx(&e, i)->ringid, i);
	end_close(&e);
}

static void
test_selection(void **state)
{
	struct end hold;

	end_open_as(&hold, "nic0", NIC(.nr_host_tx_rings = 3, .nr_host_rx_rings = 4));
	selects("nic0", NIC(), 0, 2, 0, 2);
	selects("nic0", SW(), 2, 5, 2, 6);
	selects("nic0", NIC_SW(), 0, 5, 0, 6);
	selects("nic0", ONE_SW(0), 2, 3, 2, 3);
	selects("nic0", ONE_SW(2), 4, 5, 4, 5);
	/* Valid in one direction: the other gets its first host ring. */
	selects("nic0", ONE_SW(3), 2, 3, 5, 6);
	selects("nic0", SW(.nr_flags = NR_TX_RINGS_ONLY), 2, 5, 0, 0);
	selects("nic0", NIC_SW(.nr_flags = NR_RX_RINGS_ONLY), 0, 0, 0, 6);
	end_close(&hold);
}

static void
test_numbers(void **state)
{
	struct nmreq_port_info_get info = { 0 };
	struct end e, f;

	end_open_as(&e, "nic0", SW());
	assert_int_equal(e.reg.nr_tx_rings, QUEUES);
	assert_int_equal(e.reg.nr_host_tx_rings, 1);
	assert_int_equal(e.reg.nr_host_rx_rings, 1);
	assert_int_equal(e.nifp->ni_host_tx_rings, 1);
	assert_int_equal(end_tx(&e, QUEUES)->num_slots, e.reg.nr_tx_slots);
	/* On a port that is there, the wish is ignored. */
	end_open_as(&f, "nic0", SW(.nr_host_tx_rings = 2, .nr_host_rx_rings = 5));
	assert_int_equal(f.reg.nr_host_tx_rings, 1);
	assert_int_equal(f.reg.nr_host_rx_rings, 1);
	end_close(&f);
	end_close(&e);
	/* It went with its last descriptor: now it counts. */
	end_open_as(&e, "nic0", NIC(.nr_host_tx_rings = 2, .nr_host_rx_rings = 5));
	assert_int_equal(e.reg.nr_host_tx_rings, 2);
	assert_int_equal(e.nifp->ni_host_rx_rings, 5);
	end_open_bare(&f);
	assert_int_equal(end_request(&f, NETMAP_REQ_PORT_INFO_GET, "nic0", &info), 0);
	assert_int_equal(info.nr_host_tx_rings, 2);
	assert_int_equal(info.nr_host_rx_rings, 5);
	end_close(&f);
	end_close(&e);
	/* Without host rings: none in the reply, one told in netmap_if, with offset 0. */
	end_open(&e, "vale0:a");
	assert_int_equal(e.reg.nr_host_tx_rings, 0);
	assert_int_equal(e.reg.nr_host_rx_rings, 0);
	assert_int_equal(e.nifp->ni_host_tx_rings, 1);
	assert_int_equal(e.nifp->ring_ofs[1], 0);
	end_close(&e);
}

static void
test_errors(void **state)
{
	struct end a, b;

	assert_int_equal(end_try(&a, "vale0:a", SW()), -EINVAL);
	assert_int_equal(end_try(&a, "vale0:a", NIC_SW()), -EINVAL);
	assert_int_equal(end_try(&a, "vale0:a", ONE_SW(0)), -EINVAL);
	assert_int_equal(end_try(&a, "nic0{p", SW()), -EINVAL);
	assert_int_equal(end_try(&a, "nic0", ONE_SW(1)), -EINVAL);
	assert_int_equal(end_try(&a, "eth0", SW()), -ENXIO);
	assert_int_equal(inproc_nic_hosts(), 0);
	/* Exclusive, ring by ring: the interface's own stay free. */
	end_open_as(&a, "nic0", SW(.nr_flags = NR_EXCLUSIVE));
	assert_int_equal(end_try(&b, "nic0", SW()), -EBUSY);
	assert_int_equal(end_try(&b, "nic0", NIC_SW()), -EBUSY);
	assert_int_equal(end_try(&b, "nic0", ONE_SW(0)), -EBUSY);
	end_open(&b, "nic0");
	end_close(&b);
	end_close(&a);
	end_open_as(&a, "nic0", ONE_SW(0));
	assert_int_equal(end_try(&b, "nic0", SW(.nr_flags = NR_EXCLUSIVE)), -EBUSY);
	end_close(&a);
}

static void
test_host_side(void **state)
{
	struct end a, b, c;

	end_open(&a, "nic0");
	assert_int_equal(inproc_nic_hosts(), 0);
	end_open_as(&b, "nic0", SW());
	assert_int_equal(inproc_nic_hosts(), 1);
	end_open_as(&c, "nic0", NIC_SW());
	assert_int_equal(inproc_nic_hosts(), 1);
	end_close(&b);
	assert_int_equal(inproc_nic_hosts(), 1);
	end_close(&c);
	assert_int_equal(inproc_nic_hosts(), 0);
	end_open_as(&b, "nic0", ONE_SW(0, .nr_flags = NR_TX_RINGS_ONLY));
	assert_int_equal(inproc_nic_hosts(), 1);
	end_close(&b);
	end_close(&a);
}

/* Whatever allocation fails, nothing is left. */
static void
test_no_memory(void **state)
{
	struct end hold, e;
	long n;

	end_open_as(&hold, "nic0", NIC());
	for (n = 0;; n++) {
		inproc_fail_after(n);
		if (end_try(&e, "nic0", SW()) == 0)
			break;
		assert_int_equal(inproc_nic_hosts(), 0);
		assert_true(n < 100);
	}
	inproc_fail_after(-1);
	end_close(&e);
	end_close(&hold);
}

/* --- data --- */

static void
test_data(void **state)
{
	struct end e;
	uint32_t i;

	end_open_as(&e, "nic0", SW(.nr_host_tx_rings = 2, .nr_host_rx_rings = 2));
	for (i = 0; i < 2; i++) {
		assert_true(ring_put(end_tx(&e, QUEUES + i), FRAME_MIN, mac(1), mac(2), 10 + i, 0));
		arrives(1, i, 20 + i, 1);
	}
	end_txsync(&e);
	for (i = 0; i < 2; i++) {
		expect_sent(1, i, 10 + i, 1);
		/* All taken: everything but one slot is free. */
		assert_int_equal(ring_space(end_tx(&e, QUEUES + i)), end_tx(&e, QUEUES + i)->num_slots - 1);
		end_expect(&e, QUEUES + i, FRAME_MIN, 20 + i);
	}
	assert_int_equal(sent[0][0].n + sent[0][1].n, 0);
	end_close(&e);
}

/* --- forwarding --- */

/* Frames of the interface, released with NS_FORWARD, go to the stack; the others do not. */
static void
test_up(void **state)
{
	struct netmap_ring *r;
	struct end e;
	uint32_t i;

	end_open_as(&e, "nic0", NIC_SW());
	r = end_rx(&e, 1);
	r->flags = NR_FORWARD;
	arrives(0, 1, 0, 10);
	assert_int_equal(end_pending(&e, 1), 10);
	for (i = 0; i < 10; i++)
		r->slot[i].flags = i < 3 || i >= 6 ? NS_FORWARD : 0;
	ring_move(r, 8);
	end_rxsync(&e);
	assert_int_equal(sent[1][0].n, 5);
	assert_int_equal(sent[1][0].seq[2], 2);
	assert_int_equal(sent[1][0].seq[3], 6);
	ring_move(r, 10);
	assert_int_equal(inproc_poll(&e.fd, EV_IN, 0), 0);
	assert_int_equal(sent[1][0].n, 7);
	assert_int_equal(own_drops(end_krx(&e, 1)), 0);
	/* Nothing goes twice, and nothing without the ring's flag. */
	r->flags = 0;
	arrives(0, 1, 10, 3);
	assert_int_equal(end_pending(&e, 1), 3);
	assert_int_equal(release(r, NS_FORWARD), 3);
	end_rxsync(&e);
	assert_int_equal(sent[1][0].n, 7);
	end_close(&e);
}

/* By a descriptor without host rings: as long as another one has them. */
static void
test_up_other(void **state)
{
	struct end nic, host;

	end_open(&nic, "nic0");
	end_rx(&nic, 0)->flags = NR_FORWARD;
	arrives(0, 0, 0, 4);
	assert_int_equal(end_pending(&nic, 0), 4);
	release(end_rx(&nic, 0), NS_FORWARD);
	end_rxsync(&nic);
	assert_drops(end_krx(&nic, 0), DROP_UNREACHABLE, 4);
	assert_non_null(strstr(inproc_log_last(), "NR_FORWARD"));
	end_open_as(&host, "nic0", SW());
	arrives(0, 0, 4, 4);
	assert_int_equal(end_pending(&nic, 0), 4);
	release(end_rx(&nic, 0), NS_FORWARD);
	end_rxsync(&nic);
	expect_sent(1, 0, 4, 4);
	assert_drops(end_krx(&nic, 0), DROP_UNREACHABLE, 4);
	end_close(&host);
	/* Its side is there, and cannot be reached. */
	end_open_as(&host, "nic0", SW());
	host_error = -ENXIO;
	arrives(0, 0, 8, 1);
	assert_int_equal(end_pending(&nic, 0), 1);
	release(end_rx(&nic, 0), NS_FORWARD);
	end_rxsync(&nic);
	assert_drops(end_krx(&nic, 0), DROP_UNREACHABLE, 5);
	end_close(&host);
	end_close(&nic);
}

/* While another thread syncs the host's ring, the slots wait. */
static void
test_up_busy(void **state)
{
	struct kring *host;
	struct end e;

	end_open_as(&e, "nic0", NIC_SW());
	end_rx(&e, 0)->flags = NR_FORWARD;
	arrives(0, 0, 0, 6);
	assert_int_equal(end_pending(&e, 0), 6);
	host = end_ktx(&e, QUEUES);
	host->busy = 4000;
	release(end_rx(&e, 0), NS_FORWARD);
	end_rxsync(&e);
	assert_int_equal(sent[1][0].n, 0);
	host->busy = 0;
	end_rxsync(&e);
	expect_sent(1, 0, 0, 6);
	assert_int_equal(own_drops(end_krx(&e, 0)), 0);
	end_close(&e);
}

/*
 * What the stack sent moves to the interface's rings, the first one that has room, and leaves in the same
 * poll.
 */
static void
test_down(void **state)
{
	struct netmap_ring *host, *tx;
	struct end e;
	uint32_t idx, slots;

	end_open_as(&e, "nic0", NIC_SW());
	host = end_rx(&e, QUEUES);
	tx = end_tx(&e, 0);
	slots = tx->num_slots;
	host->flags = NR_FORWARD;
	arrives(1, 0, 0, 5);
	assert_int_equal(end_pending(&e, QUEUES), 5);
	idx = host->slot[0].buf_idx;
	assert_int_equal(release(host, NS_FORWARD), 5);
	/* NIOCRXSYNC only puts them there. */
	end_rxsync(&e);
	assert_int_equal(sent[0][0].n, 0);
	assert_int_equal(tx->head, 5);
	assert_int_equal(tx->cur, 5);
	assert_int_equal(tx->slot[0].buf_idx, idx);
	assert_int_equal(tx->slot[0].flags, NS_BUF_CHANGED);
	assert_int_not_equal(host->slot[0].buf_idx, idx);
	assert_int_equal(host->slot[0].flags, NS_BUF_CHANGED);
	end_txsync(&e);
	expect_sent(0, 0, 0, 5);
	/* poll sends them. */
	arrives(1, 0, 5, 5);
	assert_int_equal(end_pending(&e, QUEUES), 5);
	release(host, NS_FORWARD);
	assert_int_equal(inproc_poll(&e.fd, EV_IN, 0), 0);
	expect_sent(0, 0, 0, 10);
	/* The first ring is full but for three slots: the rest goes into the second. */
	while (ring_space(tx) > 3)
		assert_true(ring_put(tx, FRAME_MIN, mac(1), mac(2), 99, 0));
	arrives(1, 0, 10, 8);
	assert_int_equal(end_pending(&e, QUEUES), 8);
	release(host, NS_FORWARD);
	end_rxsync(&e);
	end_txsync(&e);
	assert_int_equal(sent[0][0].n, 10 + slots - 1);
	expect_sent(0, 1, 13, 5);
	assert_int_equal(own_drops(end_krx(&e, QUEUES)), 0);
	end_close(&e);
}

/*
 * Where there is no room they are lost, and counted; where the descriptor has not all TX rings, they are
 * just released.
 */
static void
test_down_no_room(void **state)
{
	struct netmap_ring *host;
	struct end e, part;
	uint32_t i;

	end_open_as(&e, "nic0", NIC_SW());
	host = end_rx(&e, QUEUES);
	for (i = 0; i < QUEUES; i++)
		while (ring_space(end_tx(&e, i)) > 0)
			assert_true(ring_put(end_tx(&e, i), FRAME_MIN, mac(1), mac(2), 99, 0));
	host->flags = NR_FORWARD;
	arrives(1, 0, 0, 7);
	assert_int_equal(end_pending(&e, QUEUES), 7);
	release(host, NS_FORWARD);
	end_rxsync(&e);
	assert_drops(end_krx(&e, QUEUES), DROP_NO_ROOM, 7);
	assert_int_equal(ring_space(host), 0);
	end_txsync(&e);
	end_open_as(&part, "nic0", SW());
	arrives(1, 0, 7, 2);
	assert_int_equal(end_pending(&part, QUEUES), 2);
	release(host, NS_FORWARD);
	end_rxsync(&part);
	assert_int_equal(end_tx(&e, 0)->head, end_ktx(&e, 0)->hwcur);
	assert_drops(end_krx(&e, QUEUES), DROP_NO_ROOM, 7);
	end_close(&part);
	end_close(&e);
}

/*
 * A TX ring whose program waits for more room still does so; one with a wrong head is left alone and
 * restored.
 */
static void
test_down_positions(void **state)
{
	struct netmap_ring *host, *tx;
	struct end e;

	end_open_as(&e, "nic0", NIC_SW());
	host = end_rx(&e, QUEUES);
	tx = end_tx(&e, 0);
	host->flags = NR_FORWARD;
	tx->cur = tx->tail;
	arrives(1, 0, 0, 4);
	assert_int_equal(end_pending(&e, QUEUES), 4);
	release(host, NS_FORWARD);
	end_rxsync(&e);
	assert_int_equal(tx->head, 4);
	assert_int_equal(tx->cur, tx->tail);
	end_txsync(&e);
	tx->head = tx->num_slots + 5;
	arrives(1, 0, 4, 4);
	assert_int_equal(end_pending(&e, QUEUES), 4);
	release(host, NS_FORWARD);
	end_rxsync(&e);
	end_txsync(&e);
	expect_sent(0, 0, 0, 4);
	expect_sent(0, 1, 4, 4);
	assert_int_equal(end_ktx(&e, 0)->own.bad_rings, 1);
	end_close(&e);
}

/*
 * Indexes and lengths that no slot may have, everywhere, for a while. Nothing but what a mock sees as bad
 * comes of it.
 */
static void
test_hostile(void **state)
{
	uint64_t random = 20;
	struct end e;
	uint32_t i, r, k;

	end_open_as(&e, "nic0", NIC_SW());
	for (i = 0; i < 4000; i++) {
		for (r = 0; r <= QUEUES; r++) {
			struct netmap_ring *rings[2] = { end_rx(&e, r), end_tx(&e, r) };

			for (k = 0; k < 2; k++) {
				uint32_t n = rings[k]->num_slots, move = random_below(&random, n + 2);
				struct netmap_slot *slot = &rings[k]->slot[random_below(&random, n)];

				rings[k]->flags = NR_FORWARD;
				slot->flags = (uint16_t)random_next(&random);
				slot->len = (uint16_t)random_next(&random);
				slot->buf_idx = (uint32_t)random_next(&random) >> random_below(&random, 32);
				if (random_below(&random, 4) != 0)
					release(rings[k], NS_FORWARD);
				else
					ring_move(rings[k], move);
			}
			waiting[r / QUEUES][r % QUEUES] = (struct list){ .n = 20 };
			sent[r / QUEUES][r % QUEUES].n = 0;
		}
		inproc_poll(&e.fd, EV_IN | EV_OUT, 0);
		for (r = 0; r <= QUEUES; r++) {
			assert_true(end_krx(&e, r)->hwcur < end_krx(&e, r)->num_slots);
			assert_true(end_krx(&e, r)->rhead < end_krx(&e, r)->num_slots);
			assert_true(end_ktx(&e, r)->hwcur < end_ktx(&e, r)->num_slots);
			assert_true(end_ktx(&e, r)->rhead < end_ktx(&e, r)->num_slots);
			assert_int_equal(end_ktx(&e, r)->busy, 0);
		}
	}
	end_close(&e);
}

#define host_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_selection),
		host_test(test_numbers),
		host_test(test_errors),
		host_test(test_host_side),
		host_test(test_no_memory),
		host_test(test_data),
		host_test(test_up),
		host_test(test_up_other),
		host_test(test_up_busy),
		host_test(test_down),
		host_test(test_down_no_room),
		host_test(test_down_positions),
		host_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
