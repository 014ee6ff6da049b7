/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches that a worker forwards for, because a module decides there: what senders hand over, what the module is shown and
 * what becomes of its answers, and how rings, ports and modules come and go meanwhile. The test is the worker, unless it says
 * otherwise: nothing moves but in work().
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/csb.h"
#include "end.h"

#define TOKEN		4711u
#define SLOTS		64u
#define STRANGE		1000u		/* no port */

/* --- a module that does as it is told --- */

static struct {
	unsigned created, destroyed, lookups, packets, config, up, down;
	unsigned largest;		/* batch */
	uint16_t answer;		/* what all packets get; 0xffff: by the fifth byte of the destination address */
	uint16_t ring;			/* 0xffff: as it comes; 0xfffe: by the number in the batch */
	uint16_t rewrite;
	int create_error, up_error, config_error;
	struct netmap_switch_packet last;
	uint8_t header[NETMAP_SWITCH_HEADER_MAX];
	char up_name[64];
	int is_up[256];			/* contexts that have it: a new one gets a port before the last one loses it */
} m;

static int
m_create(const char *name, void **ctx)
{
	m.created++;
	*ctx = &m;
	return m.create_error;
}

static void
m_destroy(void *ctx)
{
	assert_ptr_equal(ctx, &m);
	m.destroyed++;
}

static void
m_lookup(void *ctx, struct netmap_switch_packet *p, unsigned n)
{
	m.lookups++;
	m.packets += n;
	m.largest = n > m.largest ? n : m.largest;
	for (unsigned i = 0; i < n; i++) {
		check(((uintptr_t)p[i].header & 63) == 0 && p[i].header_len >= 14 && p[i].dst_port == NETMAP_SWITCH_DROP);
		check(m.is_up[p[i].src_port] > 0);
		m.last = p[i];
		memcpy(m.header, p[i].header, p[i].header_len);
		p[i].dst_port = m.answer == 0xffff ? p[i].header[4] : m.answer;
		if (m.ring != 0xffff)
			p[i].dst_ring = m.ring == 0xfffe ? (uint16_t)i : m.ring;
		if (m.rewrite > 0) {
			memset(p[i].header, 0xee, 12);
			p[i].rewrite = m.rewrite;
		}
	}
}

static int
m_config(void *ctx, struct nm_ifreq *req)
{
	m.config++;
	req->data[0]++;
	req->data[NM_IFRDATA_LEN - 1] = 'z';
	return m.config_error;
}

static int
m_up(void *ctx, unsigned port, const char *name, unsigned rings)
{
	if (m.up_error != 0)
		return m.up_error;
	m.up++;
	m.is_up[port]++;
	snprintf(m.up_name, sizeof(m.up_name), "%s %u", name, rings);
	return 0;
}

static void
m_down(void *ctx, unsigned port)
{
	check(m.is_up[port] > 0);
	m.is_up[port]--;
	m.down++;
}

static const struct netmap_switch_module module = {
	.abi = NETMAP_SWITCH_ABI, .size = sizeof(module), .name = "told", .header_len = 64, .create = m_create, .destroy = m_destroy,
	.lookup = m_lookup, .config = m_config, .port_up = m_up, .port_down = m_down,
};

/* --- vale0 with that module; ports a, b, c have indexes 0, 1, 2 --- */

static struct end a, b, c;

static int
setup(void **state)
{
	int error = engine_setup(state);

	memset(&m, 0, sizeof(m));
	m.answer = 1;
	m.ring = 0xffff;
	if (error != 0)
		return error;
	assert_int_equal(inproc_own("vale0", TOKEN), 0);
	assert_int_equal(inproc_module_set("vale0", TOKEN, &module), 0);
	end_open_slots(&a, "vale0:a", SLOTS);
	end_open_slots(&b, "vale0:b", SLOTS);
	end_open_slots(&c, "vale0:c", SLOTS);
	return 0;
}

static int
teardown(void **state)
{
	struct end *all[] = { &a, &b, &c };

	for (unsigned i = 0; i < 3; i++)
		if (all[i]->nifp != NULL)
			end_close(all[i]);
	if (inproc_disown("vale0", TOKEN) == 0 && m.create_error == 0 && m.created != m.destroyed)
		return -1;
	return engine_teardown(state);
}

#define module_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

static void
work(void)
{
	while (inproc_work_switches())
		;
}

static void
send_work(struct end *e, uint64_t dst, uint32_t len, uint32_t seq)
{
	end_send(e, dst, mac(1), len, seq);
	work();
}

static void
hands_over(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0);

	assert_string_equal(m.up_name, "vale0:c 1");
	end_send(&a, mac(2), mac(1), 60, 7);
	/* Taken from the sender, and not forwarded yet. */
	assert_int_equal(end_ktx(&a, 0)->hwcur, 1);
	assert_int_equal(ring_space(tx), SLOTS - 2);
	end_expect_none(&b);
	work();
	end_expect(&b, 0, 60, 7);
	end_expect_none(&c);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	assert_int_equal(m.lookups, 1);
	assert_int_equal(m.last.src_port, 0);
	assert_int_equal(m.last.src_ring, 0);
	assert_int_equal(m.last.len, 60);
	assert_int_equal(m.last.header_len, 60);
	assert_int_equal(end_ktx(&a, 0)->own.packets, 1);
	assert_int_equal(end_ktx(&a, 0)->own.bytes, 60);
	assert_int_equal(own_drops(end_ktx(&a, 0)), 0);
}

/* One call for a batch, however many syncs it was sent in. */
static void
asks_once(void **state)
{
	for (uint32_t i = 0; i < 40; i++)
		end_send(&a, mac(2), mac(1), 60, i);
	work();
	assert_int_equal(m.lookups, 1);
	assert_int_equal(m.largest, 40);
	for (uint32_t i = 0; i < 40; i++)
		end_expect(&b, 0, 60, i);
	end_expect_none(&b);
}

static void
answers(void **state)
{
	static const struct {
		uint16_t answer;
		unsigned b, c;
	} want[] = { { 1, 1, 0 }, { 2, 0, 1 }, { NETMAP_SWITCH_BROADCAST, 1, 1 }, { NETMAP_SWITCH_DROP, 0, 0 }, { 3, 0, 0 }, { 0, 0, 0 }, { 253, 0, 0 },
		{ 256, 0, 0 }, { STRANGE, 0, 0 }, { 0xfffe, 0, 0 } };
	uint64_t dropped = 0;

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		m.answer = want[i].answer;
		send_work(&a, mac(2), 60, i);
		assert_int_equal(end_flush(&b), want[i].b);
		assert_int_equal(end_flush(&c), want[i].c);
		end_expect_none(&a);
		dropped += want[i].b + want[i].c == 0;
		assert_drops(end_ktx(&a, 0), DROP_FILTERED, dropped);
	}
	/* The last three are not in the header's terms: once a second somebody hears of it. */
	assert_non_null(strstr(inproc_log_last(), "module told sends to port"));
}

/* A ring that the module names, modulo those of the port; packets of one ring keep their order. */
static void
rings(void **state)
{
	const struct nmreq_register want = { .nr_mode = NR_REG_ALL_NIC, .nr_rx_rings = 4 };
	struct end d;

	end_open_as(&d, "vale0:d", &want);
	assert_string_equal(m.up_name, "vale0:d 4");
	m.answer = 3;
	m.ring = 6;
	send_work(&a, mac(2), 60, 1);
	end_expect(&d, 2, 60, 1);
	m.ring = 0xfffe;
	for (uint32_t i = 0; i < 40; i++)
		end_send(&a, mac(2), mac(1), 60, i);
	work();
	end_rxsync(&d);
	for (uint32_t i = 0; i < 40; i++)
		end_expect(&d, i % 4, 60, i);
	end_expect_none(&d);
	assert_int_equal(own_drops(end_ktx(&a, 0)), 0);
	end_close(&d);
}

/* Packets of several slots, to several ports, in one batch. */
static void
fragments(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0);

	m.answer = 0xffff;
	for (unsigned k = 0; k < 12; k++) {
		char frame[300];
		uint32_t at = 0;

		frame_make(frame, sizeof(frame), UINT64_C(0x020000000000) | (1 + k % 2) << 8, mac(1), k);
		/* The header is in three pieces for the module, which sees it whole. */
		for (uint32_t piece = 0; piece < 3; piece++) {
			uint32_t len = piece == 0 ? 20 : piece == 1 ? 11 : sizeof(frame) - 31;
			struct netmap_slot *slot = &tx->slot[tx->head];

			memcpy(ring_buf(tx, slot->buf_idx), frame + at, len);
			slot->len = (uint16_t)len;
			slot->flags = piece < 2 ? NS_MOREFRAG : 0;
			ring_move(tx, ring_next(tx, tx->head));
			at += len;
		}
	}
	end_txsync(&a);
	work();
	assert_int_equal(m.lookups, 1);
	assert_int_equal(m.packets, 12);
	assert_int_equal(m.last.len, 300);
	assert_int_equal(m.last.header_len, 64);
	assert_int_equal(end_pending(&b, 0), 18);
	assert_int_equal(end_pending(&c, 0), 18);
	for (unsigned k = 0; k < 12; k++) {
		struct end *e = k % 2 ? &c : &b;
		struct netmap_ring *r = end_rx(e, 0);
		char got[300];
		uint32_t n = 0, pieces = 0, flags;

		do {
			struct netmap_slot *slot = &r->slot[r->head];

			flags = slot->flags;
			assert_true(n + slot->len <= sizeof(got));
			memcpy(got + n, ring_buf(r, slot->buf_idx), slot->len);
			n += slot->len;
			pieces++;
			ring_move(r, ring_next(r, r->head));
		} while (flags & NS_MOREFRAG);
		assert_int_equal(n, 300);
		assert_int_equal(pieces, 3);
		assert_true(frame_is(got, n, k));
	}
}

static void
bad_slots(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0);
	struct kring *kr = end_ktx(&a, 0);
	uint32_t idx = tx->slot[0].buf_idx;

	tx->slot[0].buf_idx = 1u << 30;
	assert_true(ring_put(tx, 5000, 0, 0, 0, 0));
	tx->slot[0].buf_idx = 1u << 30;
	end_txsync(&a);
	work();
	assert_int_equal(kr->own.drops[DROP_BAD_SLOT], 1);
	tx->slot[0].buf_idx = idx;
	assert_true(ring_put(tx, 13, 0, 0, 0, 0));
	assert_true(ring_put(tx, 5000, 0, 0, 0, 0));
	assert_true(ring_put(tx, 60, mac(2), mac(1), 5, NS_BUF_CHANGED));
	end_txsync(&a);
	work();
	assert_int_equal(kr->own.drops[DROP_RUNT], 1);
	assert_int_equal(kr->own.drops[DROP_TOO_LONG], 1);
	assert_int_equal(tx->slot[3].flags & NS_BUF_CHANGED, 0);
	end_expect(&b, 0, 60, 5);
	/* A chain that never ends. */
	for (unsigned i = 0; i < SLOTS - 1; i++)
		if (ring_space(tx) > 0)
			assert_true(ring_put(tx, 60, mac(2), mac(1), i, NS_MOREFRAG));
	end_txsync(&a);
	work();
	end_flush(&b);
	send_work(&a, mac(2), 60, 77);
	assert_true(end_flush(&b) > 0);
	assert_int_equal(own_drops(kr), 3);
}

/* Whatever the sender says afterwards, nobody but its own process looks at what its slots point at. */
static unsigned copies;

static void
copy_noted(uint64_t src, size_t n)
{
	copies++;
}

static void
indirect(void **state)
{
	const struct inproc_hooks hooks = { .copy_from_caller = copy_noted };
	struct netmap_ring *tx = end_tx(&a, 0);
	char *frame = malloc(4000);
	struct netmap_slot *slot;

	inproc_hooks_set(&hooks);
	frame_make(frame, 4000, mac(2), mac(1), 3);
	for (unsigned i = 0; i < 4; i++) {
		slot = &tx->slot[tx->head];
		slot->flags = NS_INDIRECT;
		slot->len = i == 1 ? 3000 : 200;
		slot->ptr = i == 2 ? 8 : (uintptr_t)frame;
		if (i == 3) {
			/* Two pieces, the second of which cannot be read. */
			slot->flags |= NS_MOREFRAG;
			ring_move(tx, ring_next(tx, tx->head));
			slot = &tx->slot[tx->head];
			slot->flags = NS_INDIRECT;
			slot->len = 100;
			slot->ptr = 8;
		}
		ring_move(tx, ring_next(tx, tx->head));
	}
	copies = 0;
	end_txsync(&a);
	assert_int_equal(copies, 4);
	memset(frame, 0, 4000);
	/* A pointer to the worker's own memory, set after the hand-over, when the worker comes. */
	tx->slot[0].ptr = (uintptr_t)&m;
	tx->slot[0].flags = NS_INDIRECT;
	copies = 0;
	work();
	assert_int_equal(copies, 0);
	inproc_hooks_set(NULL);
	assert_int_equal(end_pending(&b, 0), 1);
	assert_int_equal(end_rx(&b, 0)->slot[0].len, 200);
	assert_int_equal(m.packets, 1);
	assert_int_equal(end_ktx(&a, 0)->in.drops[DROP_TOO_LONG], 1);
	assert_int_equal(end_ktx(&a, 0)->in.drops[DROP_BAD_ADDRESS], 2);
	assert_int_equal(own_drops(end_ktx(&a, 0)) + in_drops(end_ktx(&a, 0)), 3);
	free(frame);
}

static void
header_skipped(void **state)
{
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 12 };
	struct netmap_ring *tx = end_tx(&a, 0);
	struct netmap_slot *slot = &tx->slot[0];
	char *buf = ring_buf(tx, slot->buf_idx);

	assert_int_equal(end_request(&a, NETMAP_REQ_PORT_HDR_SET, "vale0:a", &hdr), 0);
	memset(buf, 0, 12);
	frame_make(buf + 12, 60, mac(2), mac(1), 9);
	slot->len = 72;
	slot->flags = 0;
	ring_move(tx, 1);
	end_txsync(&a);
	work();
	assert_int_equal(m.last.len, 60);
	assert_int_equal(m.last.header_len, 60);
	assert_memory_equal(m.header, buf + 12, 60);
	end_expect(&b, 0, 60, 9);
	/* By itself, in a slot in front of it. */
	slot = &tx->slot[1];
	memset(ring_buf(tx, slot->buf_idx), 0, 12);
	slot->len = 12;
	slot->flags = NS_MOREFRAG;
	slot = &tx->slot[2];
	frame_make(ring_buf(tx, slot->buf_idx), 60, mac(2), mac(1), 10);
	slot->len = 60;
	slot->flags = 0;
	ring_move(tx, 3);
	end_txsync(&a);
	work();
	assert_int_equal(m.last.len, 60);
	end_expect(&b, 0, 60, 10);
}

static void
rewritten(void **state)
{
	struct netmap_ring *r = end_rx(&b, 0);
	static const uint8_t ee[12] = { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee };

	m.rewrite = 12;
	send_work(&a, mac(2), 60, 9);
	assert_int_equal(end_pending(&b, 0), 1);
	assert_memory_equal(ring_buf(r, r->slot[0].buf_idx), ee, 12);
	assert_true(frame_is(ring_buf(r, r->slot[0].buf_idx), 60, 9));
	/* No more than it was shown, whatever it says. */
	m.rewrite = 0xffff;
	send_work(&a, mac(2), 60, 10);
	assert_int_equal(end_pending(&b, 0), 2);
	assert_true(frame_is(ring_buf(r, r->slot[1].buf_idx), 60, 10));
}

static void
offsets(void **state)
{
	struct nmreq_opt_offsets opt = { .nro_opt = { .nro_reqtype = NETMAP_REQ_OPT_OFFSETS }, .nro_max_offset = 128, .nro_initial_offset = 0,
		.nro_offset_bits = 16 };
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = SLOTS };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_name = "vale0:o",
		.nr_body = (uintptr_t)&reg, .nr_options = (uintptr_t)&opt };
	struct netmap_ring *tx;
	struct end o;

	end_open_bare(&o);
	assert_int_equal(inproc_ioctl(&o.fd, NIOCCTRL, &hdr), 0);
	o.reg = reg;
	o.nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&o.fd) + reg.nr_offset);
	tx = end_tx(&o, 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct netmap_slot *slot = &tx->slot[i];

		slot->ptr = 40 * i;
		frame_make(ring_buf(tx, slot->buf_idx) + slot->ptr, 60, mac(2), mac(1), i);
		slot->len = 60;
	}
	ring_move(tx, 3);
	end_txsync(&o);
	work();
	for (uint32_t i = 0; i < 3; i++)
		end_expect(&b, 0, 60, i);
	end_close(&o);
}

/* --- room --- */

static void
room(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0);
	uint32_t n = 0;

	while (ring_put(tx, 60, mac(2), mac(1), n, 0))
		n++;
	assert_int_equal(n, SLOTS - 1);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), 0);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), 0);
	end_txsync(&a);
	assert_int_equal(ring_space(tx), 0);
	work();
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, 0), EV_OUT);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	for (uint32_t i = 0; i < n; i++)
		end_expect(&b, 0, 60, i);
	assert_int_equal(own_drops(end_ktx(&a, 0)), 0);
}

static void *
worker_once(void *arg)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	nanosleep(&ts, NULL);
	inproc_work_switches();
	return NULL;
}

static void
poll_waits_for_room(void **state)
{
	struct netmap_ring *tx = end_tx(&a, 0);
	pthread_t t;

	while (ring_put(tx, 60, mac(2), mac(1), 0, 0))
		;
	end_txsync(&a);
	check(pthread_create(&t, NULL, worker_once, NULL) == 0);
	assert_int_equal(inproc_poll(&a.fd, EV_OUT, -1), EV_OUT);
	assert_int_equal(ring_space(tx), SLOTS - 1);
	pthread_join(t, NULL);
}

/* --- coming and going --- */

/* A ring that was used before the module came is taken from only once its owner knows. */
static void
set_under_traffic(void **state)
{
	struct end x, y;

	end_open_slots(&x, "vale1:x", SLOTS);
	end_open_slots(&y, "vale1:y", SLOTS);
	end_send(&x, MAC_ALL, mac(1), 60, 0);
	end_expect(&y, 0, 60, 0);
	m.answer = 1;
	assert_int_equal(inproc_module_set("vale1", 0, &module), 0);
	assert_int_equal(m.created, 2);
	assert_false(inproc_work_switches());
	assert_true(ring_put(end_tx(&x, 0), 60, MAC_ALL, mac(1), 1, 0));
	assert_false(inproc_work_switches());
	end_txsync(&x);
	end_expect_none(&y);
	work();
	end_expect(&y, 0, 60, 1);
	/* Without the module it learns, from scratch, and a worker forwards still. */
	end_send(&x, MAC_ALL, mac(1), 60, 2);
	assert_int_equal(inproc_module_set("vale1", 0, NULL), 0);
	assert_int_equal(m.destroyed, 1);
	end_expect_none(&y);
	work();
	end_expect(&y, 0, 60, 2);
	end_send(&y, mac(1), mac(2), 60, 3);
	work();
	end_expect(&x, 0, 60, 3);
	end_send(&x, mac(2), mac(1), 60, 4);
	work();
	end_expect(&y, 0, 60, 4);
	end_close(&x);
	end_close(&y);
}

static void
refusals(void **state)
{
	struct netmap_switch_module other = module;
	struct end d;

	assert_int_equal(inproc_module_set("vale7", 0, &module), -ENXIO);
	assert_int_equal(inproc_module_set("vale0", 0, &module), -EACCES);
	assert_int_equal(inproc_module_set("vale0", TOKEN + 1, NULL), -EACCES);
	other.abi++;
	assert_int_equal(inproc_module_set("vale0", TOKEN, &other), -EINVAL);
	other = module;
	other.lookup = NULL;
	assert_int_equal(inproc_module_set("vale0", TOKEN, &other), -EINVAL);
	other = module;
	other.header_len = NETMAP_SWITCH_HEADER_MAX + 1;
	assert_int_equal(inproc_module_set("vale0", TOKEN, &other), -EINVAL);
	other = module;
	other.size--;
	assert_int_equal(inproc_module_set("vale0", TOKEN, &other), -EINVAL);
	m.create_error = -ENOSPC;
	assert_int_equal(inproc_module_set("vale0", TOKEN, &module), -ENOSPC);
	m.create_error = 0;
	m.destroyed++;			/* which was never made */
	/* A port that it does not want. */
	m.up_error = -EDQUOT;
	assert_int_equal(end_try(&d, "vale0:d", NULL), -EDQUOT);
	assert_int_equal(inproc_module_set("vale0", TOKEN, &module), -EDQUOT);
	m.up_error = 0;
	/* The old one is there as it was. */
	send_work(&a, mac(2), 60, 1);
	end_expect(&b, 0, 60, 1);
	assert_int_equal(inproc_own("vale0", 5), -EEXIST);
	assert_int_equal(inproc_own("vale", 5), 0);
	assert_int_equal(inproc_disown("vale", 5), 0);
	assert_int_equal(inproc_own("vale0123456789ab", 5), -EINVAL);
	assert_int_equal(inproc_own("eth0", 5), -EINVAL);
	assert_int_equal(inproc_disown("vale0", 5), -EACCES);
	assert_int_equal(inproc_disown("vale0", TOKEN), -EBUSY);
	assert_int_equal(inproc_disown("vale9", TOKEN), -ENXIO);
}

static void
config(void **state)
{
	struct nm_ifreq req = { .nifr_name = "vale0", .data = "a" };

	assert_int_equal(inproc_ioctl(&a.fd, NIOCCONFIG, &req), 0);
	assert_int_equal(m.config, 1);
	assert_int_equal(req.data[0], 'b');
	assert_int_equal(req.data[NM_IFRDATA_LEN - 1], 'z');
	strcpy(req.nifr_name, "vale0:a");
	assert_int_equal(inproc_ioctl(&a.fd, NIOCCONFIG, &req), 0);
	m.config_error = -ENOSPC;
	assert_int_equal(inproc_ioctl(&a.fd, NIOCCONFIG, &req), -ENOSPC);
	m.config_error = 0;
	strcpy(req.nifr_name, "vale5");
	assert_int_equal(inproc_ioctl(&a.fd, NIOCCONFIG, &req), -EINVAL);
	assert_int_equal(inproc_module_set("vale0", TOKEN, NULL), 0);
	strcpy(req.nifr_name, "vale0");
	assert_int_equal(inproc_ioctl(&a.fd, NIOCCONFIG, &req), -EINVAL);
	assert_int_equal(m.config, 3);
}

/* What was sent before the port was closed is forwarded. */
static void
close_with_packets(void **state)
{
	for (uint32_t i = 0; i < 10; i++)
		assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), i, 0));
	end_txsync(&a);
	end_close(&a);
	assert_int_equal(m.is_up[0], 0);
	for (uint32_t i = 0; i < 10; i++)
		end_expect(&b, 0, 60, i);
	work();
	end_expect_none(&b);
	/* The next port has its number, and is a new one to the module. */
	end_open_slots(&a, "vale0:n", SLOTS);
	assert_int_equal(m.is_up[0], 1);
	send_work(&a, mac(2), 60, 11);
	end_expect(&b, 0, 60, 11);
}

/* A sender dies in the middle of a hand-over: what it published is forwarded, once, and the ring goes on. */
static void
death(void **state)
{
	struct kring *kr = end_ktx(&a, 0);

	end_send(&a, mac(2), mac(1), 60, 1);
	assert_true(ring_put(end_tx(&a, 0), 60, mac(2), mac(1), 2, 0));
	kr->busy = inproc_actor()->id;
	kr->hwcur = 2;
	kr->own_pos = 2;
	kr->rhead = 2;
	inproc_thread_die();
	assert_int_equal(kr->busy, 0);
	assert_int_equal(kr->hwcur, 1);
	work();
	end_expect(&b, 0, 60, 1);
	end_expect_none(&b);
	end_txsync(&a);
	work();
	end_expect(&b, 0, 60, 2);
	/* One who was discarding. */
	kr->taker = inproc_actor()->id;
	inproc_thread_die();
	assert_int_equal(kr->taker, 0);
}

/* Detached, a persistent port's packets go nowhere; on another switch they go on with a worker, with a module or without. */
static void
persistent_moves(void **state)
{
	struct nmreq_vale_newif newif = { .nr_tx_slots = SLOTS, .nr_rx_slots = SLOTS };
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_detach detach = { 0 };
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_VALE_ATTACH, .nr_name = "vale0:vi", .nr_body = (uintptr_t)&attach };
	struct end p, y;

	assert_int_equal(end_request(&b, NETMAP_REQ_VALE_NEWIF, "vi", &newif), 0);
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), -EACCES);
	session_use_token(b.fd.session, TOKEN + 1);
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), -EACCES);
	session_use_token(b.fd.session, TOKEN);
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), 0);
	assert_string_equal(m.up_name, "vale0:vi 1");
	end_open(&p, "vi");
	send_work(&p, mac(2), 60, 1);
	end_expect(&b, 0, 60, 1);
	end_send(&p, mac(2), mac(1), 60, 2);
	hdr.nr_reqtype = NETMAP_REQ_VALE_DETACH;
	hdr.nr_body = (uintptr_t)&detach;
	session_use_token(b.fd.session, 0);
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), -EACCES);
	session_use_token(b.fd.session, TOKEN);
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), 0);
	end_expect(&b, 0, 60, 2);
	for (uint32_t i = 0; i < 3 * SLOTS; i++)
		end_send(&p, mac(2), mac(1), 60, i);
	work();
	assert_int_equal(end_ktx(&p, 0)->in.drops[DROP_FILTERED], 3 * SLOTS);
	end_close(&p);
	/* A switch that has always learned. */
	end_open_slots(&y, "vale2:y", SLOTS);
	attach.reg.nr_mode = NR_REG_ALL_NIC;
	hdr.nr_reqtype = NETMAP_REQ_VALE_ATTACH;
	hdr.nr_body = (uintptr_t)&attach;
	strcpy(hdr.nr_name, "vale2:vi");
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), 0);
	end_open(&p, "vi");
	end_send(&p, MAC_ALL, mac(1), 60, 5);
	end_expect_none(&y);
	work();
	end_expect(&y, 0, 60, 5);
	end_send(&y, mac(1), mac(2), 60, 6);
	end_expect(&p, 0, 60, 6);
	end_close(&p);
	end_close(&y);
	hdr.nr_reqtype = NETMAP_REQ_VALE_DETACH;
	hdr.nr_body = (uintptr_t)&detach;
	assert_int_equal(inproc_ioctl(&b.fd, NIOCCTRL, &hdr), 0);
	assert_int_equal(end_request(&b, NETMAP_REQ_VALE_DELIF, "vi", NULL), 0);
}

/* No memory, at any step: an error, and nothing left. */
static void
no_memory(void **state)
{
	int error = -ENOMEM;

	assert_int_equal(inproc_own("vale8", 1), 0);
	for (long n = 0; error == -ENOMEM && n < 20; n++) {
		inproc_fail_after(n);
		error = inproc_module_set("vale8", 1, &module);
		inproc_fail_after(-1);
	}
	assert_int_equal(error, 0);
	assert_int_equal(inproc_disown("vale8", 1), 0);
	inproc_fail_after(0);
	assert_int_equal(inproc_own("vale8", 1), -ENOMEM);
	inproc_fail_after(-1);
}

static bool done;

/* --- a hostile sender --- */

#define HOSTILE_ROUNDS	20000u

static void
scribble(uint64_t *seed)
{
	struct netmap_ring *tx = end_tx(&a, 0);
	struct netmap_slot *slot = &tx->slot[random_below(seed, SLOTS)];
	uint64_t r = random_next(seed);

	switch (r % 6) {
	case 0:
		store_relaxed(&slot->buf_idx, (uint32_t)(r >> 32) >> (r >> 8) % 32);
		break;
	case 1:
		store_relaxed(&slot->len, (uint16_t)(r >> 32));
		break;
	case 2:
		store_relaxed(&slot->flags, (uint16_t)(r >> 32));
		store_relaxed(&slot->ptr, (r >> 8) % 2 ? (uintptr_t)&m : random_next(seed));
		break;
	case 3:
		store_relaxed(&tx->head, (uint32_t)(r >> 32) % (SLOTS + 2));
		break;
	default:
		/* Something legal, so that it goes on. */
		store_relaxed(&slot->flags, (uint16_t)((r >> 32) % 64));
		store_relaxed(&slot->len, (uint16_t)((r >> 40) % 300));
		ring_move(tx, load_relaxed(&tx->tail) % SLOTS);
		break;
	}
}

static void *
scribbler_run(void *arg)
{
	uint64_t seed = 17;

	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		scribble(&seed);
	return NULL;
}

/* What another one sends arrives, in order and whole. `alone`: words change in this thread only, and not between two looks. */
static void
hostile_rounds(uint64_t seed, bool alone)
{
	for (uint32_t i = 0; i < HOSTILE_ROUNDS; i++) {
		for (unsigned k = 0; alone && k < 8; k++)
			scribble(&seed);
		(void)inproc_ioctl(&a.fd, NIOCTXSYNC, NULL);
		m.answer = (uint16_t)(i % 5 == 0 ? NETMAP_SWITCH_DROP : i % 7 == 0 ? 0 : NETMAP_SWITCH_DROP);
		m.rewrite = (uint16_t)random_below(&seed, 70);
		work();
		m.rewrite = 0;
		m.answer = 2;
		if (alone) {
			end_flush(&c);
			send_work(&b, mac(3), 60 + i % 200, i);
			end_expect(&c, 0, 60 + i % 200, i);
		}
	}
}

static void
hostile(void **state)
{
	pthread_t t;

	hostile_rounds(3, true);
	done = false;
	check(pthread_create(&t, NULL, scribbler_run, NULL) == 0);
	hostile_rounds(4, false);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	work();
	end_flush(&c);
	send_work(&b, mac(3), 60, 5);
	end_expect(&c, 0, 60, 5);
}

/* --- threads --- */

#define SENDERS		2u
#define EACH		20000u

struct sender {
	struct end e;
	pthread_t thread;
};

static void *
sender_run(void *arg)
{
	struct sender *s = arg;
	uint32_t seq = 0;

	while (seq < EACH) {
		while (seq < EACH && ring_put(end_tx(&s->e, 0), 60, mac(2), mac(1), seq, 0))
			seq++;
		check(inproc_ioctl(&s->e.fd, NIOCTXSYNC, NULL) == 0);
		if (ring_space(end_tx(&s->e, 0)) == 0)
			check(inproc_poll(&s->e.fd, EV_OUT, 10000) == EV_OUT);
	}
	return NULL;
}

static void *
worker_run(void *arg)
{
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		inproc_work_switches();
	while (inproc_work_switches())
		;
	return NULL;
}

/* Senders, a worker, a receiver, and a control thread that sets and takes away the module: all is there, and in order. */
static void
threads(void **state)
{
	static struct sender s[SENDERS];
	uint32_t got[SENDERS] = { 0 }, next[SENDERS] = { 0 }, total;
	pthread_t worker;
	struct end sink;

	end_open_as(&sink, "vale0:sink", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_rx_slots = 4096 });
	m.answer = 3;
	done = false;
	for (unsigned i = 0; i < SENDERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vale0:s%u", i);
		end_open_slots(&s[i].e, name, SLOTS);
		/* In the learning pauses the sink must be found. */
	}
	end_send(&sink, MAC_ALL, mac(2), 60, 0);
	work();
	for (unsigned i = 0; i < SENDERS; i++)
		end_flush(&s[i].e);
	check(pthread_create(&worker, NULL, worker_run, NULL) == 0);
	for (unsigned i = 0; i < SENDERS; i++)
		check(pthread_create(&s[i].thread, NULL, sender_run, &s[i]) == 0);
	for (total = 0; total < 100; total++) {
		struct nm_ifreq req = { .nifr_name = "vale0" };

		assert_int_equal(inproc_ioctl(&sink.fd, NIOCCONFIG, &req), 0);
		if (total % 10 == 0)
			assert_int_equal(inproc_module_set("vale0", TOKEN, &module), 0);
		end_flush(&sink);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(s[i].thread, NULL);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	pthread_join(worker, NULL);
	for (unsigned i = 0; i < SENDERS; i++) {
		got[i] = (uint32_t)end_ktx(&s[i].e, 0)->own.packets;
		assert_int_equal(got[i], EACH);
		assert_int_equal(own_drops(end_ktx(&s[i].e, 0)), 0);
		next[i] = EACH;
		end_close(&s[i].e);
	}
	end_flush(&sink);
	total = (uint32_t)(end_krx(&sink, 0)->in.packets + in_drops(end_krx(&sink, 0)));
	assert_int_equal(total, next[0] + next[1]);
	end_close(&sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		module_test(hands_over),
		module_test(asks_once),
		module_test(answers),
		module_test(rings),
		module_test(fragments),
		module_test(bad_slots),
		module_test(indirect),
		module_test(header_skipped),
		module_test(rewritten),
		module_test(offsets),
		module_test(room),
		module_test(poll_waits_for_room),
		module_test(set_under_traffic),
		module_test(refusals),
		module_test(config),
		module_test(close_with_packets),
		module_test(death),
		module_test(persistent_moves),
		module_test(no_memory),
		module_test(hostile),
		module_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
