/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces on switches: the requests, and how packets get on. The interfaces are made of paper: what they received
 * stands in a list of lengths, what they sent is compared as it comes, and how much they send is said by the test.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/forward.h"
#include "end.h"

#define QUEUES		2u
#define SLOTS		64u
#define LIST_MAX	4096u

/* One direction of one queue; the host's rings come after the interface's. */
static struct paper {
	uint32_t n;			/* frames that it has received, or sent */
	uint32_t next;			/* RX: to be given out */
	uint32_t slots[LIST_MAX];	/* RX: of each frame. TX: of each frame */
	uint32_t len[LIST_MAX];		/* TX: bytes */
	int64_t seq[LIST_MAX];		/* TX: as frame_seq() says, of frames in one piece */
	uint32_t room;			/* TX: slots that it still takes */
} paper[2][QUEUES + 1];

static int paper_error;
static uint64_t paper_dst, paper_src;

/* Fills in the next frames: each of `slots` slots of FRAME_MIN bytes, its number in its first one. */
static void
paper_receive(struct paper *q, struct nic_ring *r)
{
	while (q->next < q->n) {
		uint32_t slots = q->slots[q->next], i, room = (r->to + r->num_slots - r->from) % r->num_slots;

		if (room < slots)
			break;
		for (i = 0; i < slots; i++) {
			uint32_t idx = slot_idx(slot_load(&r->uslot[r->from]));

			check(idx >= 2 && idx < r->buf_total);
			frame_make(r->ubufs + (size_t)idx * r->buf_size, FRAME_MIN, paper_dst, paper_src, q->next);
			slot_store(&r->uslot[r->from], slot_word(idx, FRAME_MIN, i + 1 < slots ? NS_MOREFRAG : 0));
			r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		}
		q->next++;
		r->packets++;
	}
}

static void
paper_send(struct paper *q, struct nic_ring *r)
{
	while (r->from != r->to && q->room > 0) {
		uint64_t word;

		q->slots[q->n] = q->len[q->n] = 0;
		do {
			word = slot_load(&r->uslot[r->from]);
			check(slot_idx(word) >= 2 && slot_idx(word) < r->buf_total);
			/* A chain never ends without its last slot. */
			check(r->from != r->to);
			q->seq[q->n] = frame_seq(r->ubufs + (size_t)slot_idx(word) * r->buf_size, slot_len(word));
			q->len[q->n] += slot_len(word);
			q->slots[q->n]++;
			q->room -= q->room > 0;
			r->from = r->from + 1 == r->num_slots ? 0 : r->from + 1;
		} while ((slot_flags(word) & NS_MOREFRAG) != 0);
		check((slot_flags(word) & ~(NS_BUF_CHANGED | NS_MOREFRAG)) == 0);
		q->n++;
		r->packets++;
	}
	r->done = r->from;
}

static int
paper_sync(struct kring *kr, struct nic_ring *r)
{
	struct paper *q = &paper[kr->dir][kr->id];

	if (paper_error != 0)
		return paper_error;
	if (kr->dir == RING_RX)
		paper_receive(q, r);
	else
		paper_send(q, r);
	return 0;
}

static int
setup(void **state)
{
	static const struct inproc_hooks hooks = { .nic_queues = QUEUES, .nic_sync = paper_sync };
	int error = engine_setup(state);

	memset(paper, 0, sizeof(paper));
	for (unsigned i = 0; i <= QUEUES; i++)
		paper[RING_TX][i].room = LIST_MAX;
	paper_error = 0;
	paper_dst = MAC_ALL;
	paper_src = mac(9);
	inproc_hooks_set(&hooks);
	return error;
}

#define attach_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* n frames of so many slots come in. */
static void
paper_put(unsigned queue, uint32_t n, uint32_t slots)
{
	struct paper *q = &paper[RING_RX][queue];

	while (n-- > 0)
		q->slots[q->n++] = slots;
}

static void
work(void)
{
	while ((inproc_work() & FORWARD_MOVED) != 0)
		;
}

/* --- requests --- */

static struct end ctl;

static int
attach_as(const char *name, uint32_t mode, uint16_t ringid, uint16_t mem_id, uint32_t *index)
{
	struct nmreq_vale_attach a = { .reg = { .nr_mode = mode, .nr_ringid = ringid, .nr_mem_id = mem_id } };
	int error = end_request(&ctl, NETMAP_REQ_VALE_ATTACH, name, &a);

	if (error != 0)
		assert_string_not_equal(ctl.fd.why, "");
	assert_int_equal(a.reg.nr_mem_id, mem_id);
	if (index != NULL)
		*index = a.port_index;
	return error;
}

static int
attach(const char *name)
{
	return attach_as(name, NR_REG_ALL_NIC, 0, 0, NULL);
}

static int
detach(const char *name, uint32_t *index)
{
	struct nmreq_vale_detach d = { 0 };
	int error = end_request(&ctl, NETMAP_REQ_VALE_DETACH, name, &d);

	if (index != NULL)
		*index = d.port_index;
	return error;
}

static int
polling(const char *name, bool on, uint32_t mode, uint32_t first, uint32_t cpus)
{
	struct nmreq_vale_polling p = { .nr_mode = mode, .nr_first_cpu_id = first, .nr_num_polling_cpus = cpus };

	return end_request(&ctl, on ? NETMAP_REQ_VALE_POLLING_ENABLE : NETMAP_REQ_VALE_POLLING_DISABLE, name, &p);
}

static int
open_error(const char *name)
{
	struct end e;
	int error = end_try(&e, name, NULL);

	if (error == 0)
		end_close(&e);
	return error;
}

/* Index of the port on its switch; -1 if VALE_LIST does not know it. */
static int
listed(const char *name)
{
	struct nmreq_vale_list l = { 0 };

	if (end_request(&ctl, NETMAP_REQ_VALE_LIST, name, &l) != 0)
		return -1;
	return l.nr_port_idx == 255 ? -1 : (int)l.nr_port_idx;
}

static struct port *
port_named(const char *name)
{
	struct port *p = inproc_root()->ports;

	while (p != NULL && strcmp(p->name, name) != 0)
		p = p->list_next;
	assert_non_null(p);
	return p;
}

/* --- tests --- */

static void
comes_and_goes(void **state)
{
	struct end b;
	uint32_t index = 99;

	end_open_bare(&ctl);
	end_open(&b, "vale0:b");
	assert_int_equal(attach_as("vale0:nicA", NR_REG_ALL_NIC, 0, 0, &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(listed("vale0:nicA"), 1);
	assert_int_equal(listed("vale0:nicA^"), -1);
	assert_int_equal(inproc_pairs(-1), QUEUES);
	assert_int_equal(engine_attached(), 1);

	/* Nobody else gets at it. */
	assert_int_equal(open_error("nicA"), -EBUSY);
	assert_int_equal(open_error("vale0:nicA"), -EBUSY);
	assert_int_equal(open_error("nicA{1"), -EBUSY);
	assert_int_equal(open_error("vale0:nicA}1"), -EBUSY);
	assert_int_equal(open_error("nicB"), 0);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_SET, "vale0:nicA", &(struct nmreq_port_hdr){ .nr_hdr_len = 12 }), -EBUSY);

	/* It does not depend on who asked. */
	end_close(&ctl);
	end_open_bare(&ctl);
	assert_int_equal(listed("vale0:nicA"), 1);

	index = 99;
	assert_int_equal(detach("vale0:nicA", &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(listed("vale0:nicA"), -1);
	assert_int_equal(inproc_pairs(-1), 0);
	assert_int_equal(engine_attached(), 0);
	assert_int_equal(open_error("nicA"), 0);
	assert_int_equal(open_error("vale0:nicA"), -EINVAL);
	assert_int_equal(attach("vale0:nicA"), 0);
	end_close(&b);

	/* The switch goes with its last port. */
	assert_int_equal(detach("vale0:nicA", NULL), 0);
	assert_int_equal(detach("vale0:nicA", NULL), -ENXIO);
	end_close(&ctl);
}

static void
attach_errors(void **state)
{
	struct end e;

	end_open_bare(&ctl);
	assert_int_equal(attach("nicA"), -EINVAL);
	assert_int_equal(attach(""), -EINVAL);
	assert_int_equal(attach("vale0:"), -EINVAL);
	assert_int_equal(attach("vale0:nicA{1"), -EINVAL);
	assert_int_equal(attach("vale0123456789ab:nicA"), -ENOMEM);
	assert_int_equal(attach("vale0:eth0"), -EINVAL);
	assert_int_equal(attach_as("vale0:nicA", NR_REG_ALL_NIC, 0, 77, NULL), -EINVAL);
	assert_int_equal(attach_as("vale0:nicA", NR_REG_ALL_NIC, 1, 0, NULL), -EINVAL);
	for (uint32_t mode = 0; mode < 12; mode++)
		if (mode != NR_REG_ALL_NIC && mode != NR_REG_NIC_SW)
			assert_int_equal(attach_as("vale0:nicA", mode, 0, 0, NULL), -EINVAL);

	/* In use, whatever for. */
	end_open(&e, "nicA");
	assert_int_equal(attach("vale0:nicA"), -EBUSY);
	end_close(&e);
	end_open_as(&e, "nicA", &(struct nmreq_register){ .nr_mode = NR_REG_SW });
	assert_int_equal(attach("vale0:nicA"), -EBUSY);
	end_close(&e);
	end_open(&e, "nicA{1");
	assert_int_equal(attach("vale0:nicA"), -EBUSY);
	assert_int_equal(open_error("nicA"), 0);
	end_close(&e);
	end_open(&e, "vale0:p");
	assert_int_equal(attach("vale0:p"), -EBUSY);
	end_close(&e);
	assert_int_equal(listed("vale0:nicA"), -1);

	/* Once, on one switch. */
	assert_int_equal(attach("vale0:nicA"), 0);
	assert_int_equal(attach("vale0:nicA"), -EBUSY);
	assert_int_equal(attach("vale1:nicA"), -EBUSY);
	assert_int_equal(listed("vale1:nicA"), -1);
	assert_int_equal(attach("vale1:nicB"), 0);
	assert_int_equal(engine_attached(), 2);
	end_close(&ctl);
	/* The end of the engine detaches. */
}

static void
detach_errors(void **state)
{
	struct end e;

	end_open_bare(&ctl);
	assert_int_equal(detach("nicA", NULL), -EINVAL);
	assert_int_equal(detach("", NULL), -EINVAL);
	assert_int_equal(detach("vale0:nicA", NULL), -ENXIO);
	assert_int_equal(detach("vale0123456789ab:nicA", NULL), -ENXIO);
	end_open(&e, "vale0:p");
	assert_int_equal(detach("vale0:p", NULL), -EBUSY);
	assert_int_equal(detach("vale0:nicA", NULL), -ENXIO);
	assert_int_equal(attach_as("vale0:nicA", NR_REG_NIC_SW, 0, 0, NULL), 0);
	assert_int_equal(detach("vale0:nicA^", NULL), -EBUSY);
	assert_int_equal(polling("vale0:nicA", true, NETMAP_POLLING_MODE_SINGLE_CPU, 0, 1), 0);
	assert_int_equal(detach("vale0:nicA", NULL), -EBUSY);
	assert_int_equal(polling("vale0:nicA", false, 0, 0, 0), 0);
	assert_int_equal(detach("vale0:nicA", NULL), 0);
	end_close(&e);
	end_close(&ctl);
}

static void
polling_requests(void **state)
{
	const uint32_t single = NETMAP_POLLING_MODE_SINGLE_CPU, multi = NETMAP_POLLING_MODE_MULTI_CPU;
	struct end e;

	end_open_bare(&ctl);
	end_open(&e, "vale0:p");
	assert_int_equal(attach("vale0:nicA"), 0);
	for (int on = 0; on < 2; on++) {
		assert_int_equal(polling("nicA", on, single, 0, 1), -EINVAL);
		assert_int_equal(polling("vale0:x", on, single, 0, 1), -ENXIO);
		assert_int_equal(polling("vale9:nicA", on, single, 0, 1), -ENXIO);
		assert_int_equal(polling("vale0:p", on, single, 0, 1), -EOPNOTSUPP);
	}
	assert_int_equal(polling("vale0:nicA", false, single, 0, 1), -EFAULT);
	/* There are four CPUs, 0 to 3, and two ring pairs. */
	assert_int_equal(polling("vale0:nicA", true, 0, 0, 1), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, 3, 0, 1), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, single, 0, 0), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, single, 0, 2), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, single, 0, 4), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, single, 4, 1), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, single, UINT32_MAX, 1), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, multi, 0, 0), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, multi, 0, 3), -EINVAL);
	assert_int_equal(polling("vale0:nicA", true, multi, 3, 2), -EINVAL);
	assert_int_equal(inproc_pairs(-1), QUEUES);

	assert_int_equal(polling("vale0:nicA", true, single, 2, 1), 0);
	assert_int_equal(inproc_pairs(2), 2);
	assert_int_equal(polling("vale0:nicA", true, single, 2, 1), -EFAULT);
	paper_put(1, 3, 1);
	work();
	assert_int_equal(end_pending(&e, 0), 3);
	assert_int_equal(polling("vale0:nicA", false, single, 2, 1), 0);
	assert_int_equal(inproc_pairs(-1), 2);
	assert_int_equal(polling("vale0:nicA", true, multi, 1, 2), 0);
	assert_int_equal(inproc_pairs(1), 1);
	assert_int_equal(inproc_pairs(2), 1);
	assert_int_equal(polling("vale0:nicA", false, 0, 0, 0), 0);
	assert_int_equal(polling("vale0:nicA", true, multi, 3, 1), 0);
	assert_int_equal(inproc_pairs(3), 1);
	assert_int_equal(inproc_pairs(-1), 1);
	end_close(&e);
	end_close(&ctl);
}

static void
legacy_requests(void **state)
{
	struct nmreq r = { .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_ATTACH, .nr_name = "vale0:nicA", .nr_arg1 = NETMAP_BDG_HOST };

	end_open_bare(&ctl);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &r), 0);
	assert_int_equal(listed("vale0:nicA^"), 1);
	r.nr_cmd = NETMAP_BDG_POLLING_ON;
	r.nr_flags = NR_REG_ONE_NIC;
	r.nr_ringid = 3;
	r.nr_arg1 = 1;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &r), 0);
	assert_int_equal(inproc_pairs(3), QUEUES + 1);
	r.nr_cmd = NETMAP_BDG_POLLING_OFF;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &r), 0);
	r.nr_cmd = NETMAP_BDG_DETACH;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &r), 0);
	assert_int_equal(listed("vale0:nicA"), -1);
	end_close(&ctl);
}

static void
packets_both_ways(void **state)
{
	struct end b;
	uint32_t i, round;

	end_open_bare(&ctl);
	end_open_slots(&b, "vale0:b", 1024);
	assert_int_equal(attach("vale0:nicA"), 0);
	for (round = 0; round < 20; round++) {
		paper_put(0, 50, 1);
		work();
		for (i = 0; i < 50; i++)
			end_expect(&b, 0, FRAME_MIN, round * 50 + i);
		end_expect_none(&b);
		/* To an address that was seen behind the interface, and to one that nobody knows. */
		for (i = 0; i < 40; i++)
			end_send(&b, mac(i % 2 != 0 ? 9 : 8), mac(1), FRAME_MIN + i, round * 40 + i);
		work();
		assert_int_equal(paper[RING_TX][0].n, round * 40 + 40);
	}
	for (i = 0; i < 20 * 40; i++) {
		assert_int_equal(paper[RING_TX][0].seq[i], i);
		assert_int_equal(paper[RING_TX][0].len[i], FRAME_MIN + i % 40);
	}
	assert_int_equal(paper[RING_TX][1].n, 0);
	assert_int_equal(own_drops(port_named("vale0:nicA")->rx[0]), 0);
	end_close(&b);
	end_close(&ctl);
}

/* Rings keep to themselves, as on any port of a switch. */
static void
each_ring_its_own(void **state)
{
	const struct nmreq_register two = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_rings = 2, .nr_rx_rings = 2 };
	struct end b;

	end_open_bare(&ctl);
	end_open_as(&b, "vale0:b", &two);
	assert_int_equal(attach("vale0:nicA"), 0);
	/* So that the switch knows where b is: what goes to all goes to ring 0. */
	end_send(&b, MAC_ALL, mac(1), FRAME_MIN, 0);
	work();
	paper_dst = mac(1);
	paper_put(0, 5, 1);
	paper_put(1, 7, 1);
	work();
	assert_int_equal(end_pending(&b, 0), 5);
	assert_int_equal(end_pending(&b, 1), 7);
	assert_true(ring_put(end_tx(&b, 1), FRAME_MIN, mac(9), mac(1), 1, 0));
	end_txsync(&b);
	work();
	assert_int_equal(paper[RING_TX][1].n, 1);
	end_close(&b);
	end_close(&ctl);
}

static void
chains_stay_whole(void **state)
{
	struct netmap_ring *r;
	struct end b;
	uint32_t i;

	end_open_bare(&ctl);
	end_open_slots(&b, "vale0:b", 1024);
	assert_int_equal(attach("vale0:nicA"), 0);
	for (i = 1; i <= 40; i++)
		paper_put(0, 1, i);
	work();
	end_rxsync(&b);
	r = end_rx(&b, 0);
	for (i = 1; i <= 40; i++)
		for (uint32_t j = 0; j < i; j++) {
			assert_int_not_equal(ring_space(r), 0);
			assert_int_equal((r->slot[r->head].flags & NS_MOREFRAG) != 0, j + 1 < i);
			ring_move(r, ring_next(r, r->head));
		}
	assert_int_equal(ring_space(r), 0);

	/* And the other way, with room for a part of each at a time. */
	for (i = 1; i <= 40; i++) {
		paper[RING_TX][0].room = i / 2;
		for (uint32_t j = 0; j < i; j++)
			assert_true(ring_put(end_tx(&b, 0), FRAME_MIN, mac(9), mac(1), i, j + 1 < i ? NS_MOREFRAG : 0));
		end_txsync(&b);
		work();
		paper[RING_TX][0].room = LIST_MAX;
		work();
		assert_int_equal(paper[RING_TX][0].n, i);
		assert_int_equal(paper[RING_TX][0].slots[i - 1], i);
	}
	end_close(&b);
	end_close(&ctl);
}

/* An interface that sends nothing: the port's ring fills, then the switch drops and says so. */
static void
full_interface(void **state)
{
	struct end b;
	struct port *p;
	uint32_t i;

	end_open_bare(&ctl);
	end_open(&b, "vale0:b");
	assert_int_equal(attach("vale0:nicA"), 0);
	p = port_named("vale0:nicA");
	paper[RING_TX][0].room = 0;
	for (i = 0; i < 3 * SLOTS; i++) {
		end_send(&b, mac(9), mac(1), FRAME_MIN, i);
		assert_int_equal(inproc_work() & FORWARD_FULL, FORWARD_FULL);
	}
	/* The interface's ring and the port's, and no more. */
	assert_int_equal(p->rx[0]->in.packets, 2 * (SLOTS - 1));
	assert_drops(p->rx[0], DROP_NO_ROOM, 3 * SLOTS - 2 * (SLOTS - 1));
	paper[RING_TX][0].room = 10;
	work();
	assert_int_equal(paper[RING_TX][0].n, 10);
	assert_int_equal(inproc_work() & FORWARD_FULL, FORWARD_FULL);
	/* The other direction goes on meanwhile. */
	paper_put(0, 5, 1);
	work();
	assert_int_equal(end_flush(&b), 5);
	paper[RING_TX][0].room = LIST_MAX;
	work();
	assert_int_equal(inproc_work(), 0);
	assert_int_equal(paper[RING_TX][0].n, 2 * (SLOTS - 1));
	for (i = 0; i < 2 * (SLOTS - 1); i++)
		assert_int_equal(paper[RING_TX][0].seq[i], i);
	end_close(&b);
	end_close(&ctl);
}

/* With the host's side there are two ports, and the stack is a station like others. */
static void
host_side(void **state)
{
	struct end b;
	uint32_t index = 99;

	end_open_bare(&ctl);
	assert_int_equal(attach_as("vale0:nicA", NR_REG_NIC_SW, 0, 0, &index), 0);
	assert_int_equal(index, 0);
	assert_int_equal(listed("vale0:nicA^"), 1);
	assert_int_equal(inproc_nic_hosts(), 1);
	assert_int_equal(inproc_pairs(-1), QUEUES + 1);
	assert_int_equal(open_error("vale0:nicA^"), -EBUSY);
	end_open(&b, "vale0:b");
	/* From the stack to the wire and to b. */
	paper_put(QUEUES, 4, 1);
	work();
	assert_int_equal(paper[RING_TX][0].n, 4);
	assert_int_equal(end_flush(&b), 4);
	/* From the wire to the stack and to b. */
	paper_src = mac(10);
	paper_put(0, 3, 1);
	work();
	assert_int_equal(paper[RING_TX][QUEUES].n, 3);
	assert_int_equal(end_flush(&b), 3);
	/* From b to the stack alone, whose address is known. */
	end_send(&b, mac(9), mac(1), FRAME_MIN, 0);
	work();
	assert_int_equal(paper[RING_TX][QUEUES].n, 4);
	assert_int_equal(paper[RING_TX][0].n, 4);
	assert_int_equal(detach("vale0:nicA", NULL), 0);
	assert_int_equal(listed("vale0:nicA^"), -1);
	assert_int_equal(inproc_nic_hosts(), 0);
	end_close(&b);
	end_close(&ctl);
}

/* An interface that fails for good is detached, and can be attached when it is there again. */
static void
gone(void **state)
{
	struct end b;

	end_open_bare(&ctl);
	end_open(&b, "vale0:b");
	assert_int_equal(attach_as("vale0:nicA", NR_REG_NIC_SW, 0, 0, NULL), 0);
	assert_int_equal(polling("vale0:nicA", true, NETMAP_POLLING_MODE_SINGLE_CPU, 1, 1), 0);
	end_send(&b, MAC_ALL, mac(1), FRAME_MIN, 0);
	paper_error = -ENXIO;
	inproc_work();
	assert_int_equal(listed("vale0:nicA"), -1);
	assert_int_equal(engine_attached(), 0);
	assert_int_equal(inproc_nic_hosts(), 0);
	assert_int_equal(inproc_pairs(1), 0);
	paper_error = 0;
	assert_int_equal(attach("vale0:nicA"), 0);
	work();
	end_send(&b, MAC_ALL, mac(1), FRAME_MIN, 7);
	work();
	assert_int_equal(paper[RING_TX][0].seq[0], 7);
	end_close(&b);
	end_close(&ctl);
}

/* Somebody else who has the region writes into the rings: nothing breaks, and packets get on again. */
static void
spoilt_rings(void **state)
{
	uint64_t seed = 5;
	struct port *nic, *vale;
	struct end b;
	uint32_t i, j;

	end_open_bare(&ctl);
	end_open_slots(&b, "vale0:b", 1024);
	assert_int_equal(attach("vale0:nicA"), 0);
	nic = port_named("nicA");
	vale = port_named("vale0:nicA");
	for (i = 0; i < 500; i++) {
		struct kring *kr[] = { nic->rx[0], nic->tx[0], vale->rx[0], vale->tx[0] };

		for (j = 0; j < 4; j++) {
			struct netmap_ring *r = kr[j]->uring;

			r->head = random_below(&seed, 4) == 0 ? (uint32_t)random_next(&seed) : random_below(&seed, SLOTS + 2);
			r->cur = random_below(&seed, SLOTS + 2);
			r->tail = random_below(&seed, SLOTS + 2);
			r->slot[random_below(&seed, SLOTS)].flags = (uint16_t)random_next(&seed);
		}
		paper_put(0, 3, 1);
		ring_put(end_tx(&b, 0), FRAME_MIN, MAC_ALL, mac(1), i, 0);
		end_txsync(&b);
		for (j = 0; j < 4; j++)
			inproc_work();
		end_flush(&b);
		paper[RING_RX][0].n = paper[RING_RX][0].next = paper[RING_TX][0].n = 0;
	}
	work();
	end_flush(&b);
	assert_true(nic->rx[0]->own.bad_rings + vale->tx[0]->own.bad_rings > 0);
	paper[RING_RX][0].n = paper[RING_RX][0].next = paper[RING_TX][0].n = 0;
	paper_put(0, 9, 1);
	work();
	for (i = 0; i < 9; i++)
		end_expect(&b, 0, FRAME_MIN, i);
	end_close(&b);
	end_close(&ctl);
}

/* Whatever allocation fails, an attempt leaves nothing. */
static void
no_memory(void **state)
{
	uint64_t before;
	long n;
	int error = -1;

	end_open_bare(&ctl);
	before = inproc_memory_used();
	for (n = 0; error != 0; n++) {
		inproc_fail_after(n);
		error = attach_as("vale0:nicA", NR_REG_NIC_SW, 0, 0, NULL);
		inproc_fail_after(-1);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(inproc_memory_used(), before);
		assert_int_equal(inproc_nic_hosts(), 0);
		assert_int_equal(inproc_pairs(-1), 0);
	}
	assert_true(n > 20);
	for (n = 0; n < 2 * (QUEUES + 1); n++) {
		inproc_fail_after(n);
		error = polling("vale0:nicA", true, NETMAP_POLLING_MODE_SINGLE_CPU, 1, 1);
		inproc_fail_after(-1);
		if (error == 0)
			break;
		/* A pair that no worker has any more is the end of it. */
		inproc_work();
		if (engine_attached() == 0)
			assert_int_equal(attach_as("vale0:nicA", NR_REG_NIC_SW, 0, 0, NULL), 0);
	}
	assert_int_equal(error, 0);
	assert_int_equal(polling("vale0:nicA", false, 0, 0, 0), 0);
	assert_int_equal(detach("vale0:nicA", NULL), 0);
	assert_int_equal(inproc_memory_used(), before);
	end_close(&ctl);
}

/* Many at a time. */
static void
many(void **state)
{
	char name[32];
	int i;

	end_open_bare(&ctl);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "vale%d:nic%d", i % 3, i);
		assert_int_equal(attach(name), 0);
	}
	assert_int_equal(engine_attached(), 20);
	paper_put(0, 1, 1);
	work();
	for (i = 0; i < 20; i += 2) {
		snprintf(name, sizeof(name), "vale%d:nic%d", i % 3, i);
		assert_int_equal(detach(name, NULL), 0);
	}
	assert_int_equal(engine_attached(), 10);
	end_close(&ctl);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		attach_test(comes_and_goes),
		attach_test(attach_errors),
		attach_test(detach_errors),
		attach_test(polling_requests),
		attach_test(legacy_requests),
		attach_test(packets_both_ways),
		attach_test(each_ring_its_own),
		attach_test(chains_stay_whole),
		attach_test(full_interface),
		attach_test(host_side),
		attach_test(gone),
		attach_test(spoilt_rings),
		attach_test(no_memory),
		attach_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
