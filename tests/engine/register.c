/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REGISTER: every error that it has, what it tells on success, and that it leaves nothing behind when it
 * fails.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

#define REG(...)	(&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, __VA_ARGS__ })

/* The request fails so, says something, and neither ports nor memory stay behind. */
static void
refused(const char *name, const struct nmreq_register *want, int error)
{
	uint64_t used = inproc_memory_used();
	struct end e;
	int got = end_try(&e, name, want);

	if (got != error)
		print_error("'%s' mode %u: %d, not %d: %s\n", name, want->nr_mode, got, error, e.fd.why);
	assert_int_equal(got, error);
	assert_int_not_equal(e.fd.why[0], '\0');
	assert_true(inproc_memory_used() == used);
}

static void
test_refused_modes(void **state)
{
	static const uint32_t bad[] = { NR_REG_DEFAULT, NR_REG_PIPE_MASTER, NR_REG_PIPE_SLAVE,
		NR_REG_ONE_SW + 1, 255, 0xffffffff };
	static const uint32_t host[] = { NR_REG_SW, NR_REG_NIC_SW, NR_REG_ONE_SW };
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused("vale0:a", &(struct nmreq_register){ .nr_mode = bad[i] }, -EINVAL);
		refused("x{1", &(struct nmreq_register){ .nr_mode = bad[i] }, -EINVAL);
	}
	for (i = 0; i < sizeof(host) / sizeof(host[0]); i++) {
		refused("vale0:a", &(struct nmreq_register){ .nr_mode = host[i] }, -EINVAL);
		refused("x{1", &(struct nmreq_register){ .nr_mode = host[i] }, -EINVAL);
	}
	refused("vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1 }, -EINVAL);
	refused("vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 65535 },
		-EINVAL);
	refused("x{1", &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1 }, -EINVAL);
}

static void
test_refused_names(void **state)
{
	refused("x{", REG(), -EINVAL);
	refused("{1", REG(), -EINVAL);
	refused("}1", REG(), -EINVAL);
	refused("}", REG(), -EINVAL);
	refused("vale0:a{", REG(), -EINVAL);
	refused("vale0:", REG(), -EINVAL);
	refused("vale_with_much_too_long_a_name:a", REG(), -ENOMEM);
	refused("vale0:a_port_with_a_long_name", REG(), -EINVAL);
	refused("no_such_if", REG(), -ENXIO);
	refused("value0", REG(), -ENXIO);
	refused("vale0", REG(), -ENXIO);
	refused("vale-0:a", REG(), -ENXIO);
	refused("", REG(), -ENXIO);
}

static void
test_refused_memory(void **state)
{
	refused("vale0:a", REG(.nr_mem_id = 1), -EINVAL);
	refused("vale0:a", REG(.nr_mem_id = 60000), -EINVAL);
	refused("x{1", REG(.nr_mem_id = 60000), -EINVAL);
}

static int
register_with_option(struct end *e, const char *name, void *opt)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)&e->reg, .nr_options = (uintptr_t)opt };

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	e->reg = *REG();
	return inproc_ioctl(&e->fd, NIOCCTRL, &hdr);
}

static void
test_options(void **state)
{
	struct {
		struct nmreq_option opt;
		char body[128];
	} o;
	uint64_t used;
	struct end e;
	uint32_t type;

	end_open_bare(&e);
	used = inproc_memory_used();
	for (type = 1; type <= NETMAP_REQ_OPT_MAX + 1; type++) {
		if (type == NETMAP_REQ_OPT_EXTMEM || type == NETMAP_REQ_OPT_CSB || type == NETMAP_REQ_OPT_OFFSETS)
			continue;
		memset(&o, 0, sizeof(o));
		o.opt.nro_reqtype = type;
		o.opt.nro_size = 24 + 16;
		assert_int_equal(register_with_option(&e, "vale0:a", &o), -EOPNOTSUPP);
		assert_int_equal(o.opt.nro_status, EOPNOTSUPP);
		assert_true(inproc_memory_used() == used);
		assert_null(inproc_memory(&e.fd));
	}
	/* The descriptor is as good as new. */
	e.reg = *REG();
	assert_int_equal(end_register(&e, "vale0:a"), 0);
	end_close(&e);
}

static void
test_twice(void **state)
{
	struct end e;

	end_open(&e, "vale0:a");
	e.reg = *REG();
	assert_int_equal(end_register(&e, "vale0:a"), -EBUSY);
	e.reg = *REG();
	assert_int_equal(end_register(&e, "vale0:b"), -EBUSY);
	e.reg = *REG();
	assert_int_equal(end_register(&e, "nosuch"), -EBUSY);
	assert_non_null(strstr(e.fd.why, "vale0:a"));
	/* It still works. */
	end_send(&e, MAC_ALL, mac(1), 60, 1);
	end_close(&e);
}

static void
test_bad_pointers(void **state)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API,
		.nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_name = "vale0:a",
		.nr_body = 16 };
	struct end e;

	end_open_bare(&e);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCCTRL, NULL), -EINVAL);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCREGIF, NULL), -EINVAL);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCCTRL, (void *)(uintptr_t)8), -EFAULT);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCCTRL, &hdr), -EFAULT);
	hdr.nr_body = 0;
	assert_int_equal(inproc_ioctl(&e.fd, NIOCCTRL, &hdr), -EINVAL);
	assert_int_equal(inproc_ioctl(&e.fd, 0x1234, &hdr), -EOPNOTSUPP);
	end_close(&e);
}

/* --- success --- */

static void
test_outputs(void **state)
{
	struct end e;

	end_open(&e, "vale0:a");
	assert_int_equal(e.reg.nr_tx_slots, 1024);
	assert_int_equal(e.reg.nr_rx_slots, 1024);
	assert_int_equal(e.reg.nr_tx_rings, 1);
	assert_int_equal(e.reg.nr_rx_rings, 1);
	assert_int_equal(e.reg.nr_host_tx_rings, 0);
	assert_int_equal(e.reg.nr_host_rx_rings, 0);
	assert_true(e.reg.nr_mem_id > 1);
	assert_int_equal(e.reg.nr_extra_bufs, 0);
	assert_true(e.reg.nr_memsize >= 2 * 1024 * 2048);
	assert_true(e.reg.nr_memsize < UINT64_C(1) << 32);

	/* As programs find it, whatever the header says. */
	assert_int_equal(end_rx(&e, 0)->dir, 0);
	assert_int_equal(end_tx(&e, 0)->dir, 1);
	assert_string_equal(e.nifp->ni_name, "vale0:a");
	assert_int_equal(e.nifp->ni_version, NETMAP_API);
	assert_int_equal(e.nifp->ni_flags, NI_PRIV_MEM);
	assert_int_equal(e.nifp->ni_tx_rings, 1);
	assert_int_equal(e.nifp->ni_rx_rings, 1);
	assert_int_equal(e.nifp->ni_host_tx_rings, 1);
	assert_int_equal(e.nifp->ni_host_rx_rings, 1);
	assert_int_equal(e.nifp->ni_bufs_head, 0);
	assert_true(e.nifp->ring_ofs[0] != 0);
	assert_true(e.nifp->ring_ofs[1] == 0);
	assert_true(e.nifp->ring_ofs[2] != 0);
	assert_true(e.nifp->ring_ofs[3] == 0);
	end_close(&e);
}

static void
ring_is_new(const struct end *e, const struct netmap_ring *r, uint32_t dir, uint32_t id, uint32_t slots)
{
	const char *base = inproc_memory(&e->fd);
	uint32_t i;

	assert_int_equal((uintptr_t)r % NM_CACHE_ALIGN, 0);
	assert_int_equal(r->dir, dir);
	assert_int_equal(r->ringid, id);
	assert_int_equal(r->num_slots, slots);
	assert_true(r->nr_buf_size >= 2048 && r->nr_buf_size % 64 == 0);
	assert_int_equal(r->head, 0);
	assert_int_equal(r->cur, 0);
	assert_int_equal(r->tail, dir == RING_TX ? slots - 1 : 0);
	assert_int_equal(r->flags, 0);
	assert_true(r->offset_mask == 0 && r->buf_align == 0);
	for (i = 0; i < slots; i++) {
		const char *buf = ring_buf(r, r->slot[i].buf_idx);

		assert_true(r->slot[i].buf_idx >= 2);
		assert_int_equal(r->slot[i].len, r->nr_buf_size);
		assert_int_equal(r->slot[i].flags, 0);
		assert_true(r->slot[i].ptr == 0);
		assert_true(buf >= base && buf + r->nr_buf_size <= base + e->reg.nr_memsize);
	}
}

/* Each buffer is in one slot. */
static void
buffers_differ(struct end *const *ends, unsigned n)
{
	static uint8_t seen[1 << 20];
	unsigned e, dir, i;
	uint32_t j;

	memset(seen, 0, sizeof(seen));
	for (e = 0; e < n; e++)
		for (dir = 0; dir < 2; dir++)
			for (i = 0; i < (dir ? ends[e]->reg.nr_tx_rings : ends[e]->reg.nr_rx_rings); i++) {
				const struct netmap_ring *r = dir ? end_tx(ends[e], i) : end_rx(ends[e], i);

				for (j = 0; j < r->num_slots; j++) {
					assert_true(r->slot[j].buf_idx < sizeof(seen));
					assert_int_equal(seen[r->slot[j].buf_idx]++, 0);
				}
			}
}

static void
test_rings_as_made(void **state)
{
	static const uint32_t slots[] = { 2, 3, 63, 1000, 1024, 4096 };
	struct end e, *ends[] = { &e };
	unsigned i, j;

	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		end_open_as(&e, "vale0:a",
			REG(.nr_tx_slots = slots[i], .nr_rx_slots = slots[i], .nr_tx_rings = 3,
				.nr_rx_rings = 2));
		for (j = 0; j < 3; j++)
			ring_is_new(&e, end_tx(&e, j), RING_TX, j, slots[i]);
		for (j = 0; j < 2; j++)
			ring_is_new(&e, end_rx(&e, j), RING_RX, j, slots[i]);
		buffers_differ(ends, 1);
		end_close(&e);
	}
}

static void
test_two_share_a_region(void **state)
{
	struct end a, b, *ends[] = { &a, &b };

	end_open(&a, "vale0:a");
	end_open_as(&b, "vale1:b", REG(.nr_mem_id = a.reg.nr_mem_id, .nr_tx_slots = 100, .nr_rx_slots = 100));
	assert_int_equal(b.reg.nr_mem_id, a.reg.nr_mem_id);
	assert_ptr_equal(inproc_memory(&a.fd), inproc_memory(&b.fd));
	buffers_differ(ends, 2);
	/* The region outlives the port that it was made for. */
	end_close(&a);
	end_send(&b, MAC_ALL, mac(1), 60, 1);
	end_open_as(&a, "vale0:a", REG(.nr_mem_id = b.reg.nr_mem_id));
	buffers_differ(ends, 2);
	end_close(&a);
	end_close(&b);
}

static void
sizes(const char *name, uint32_t slots, uint16_t rings, uint32_t slots_got, uint16_t rings_got)
{
	struct end e;

	end_open_as(&e, name,
		REG(.nr_tx_slots = slots, .nr_rx_slots = slots, .nr_tx_rings = rings, .nr_rx_rings = rings));
	assert_int_equal(e.reg.nr_tx_slots, slots_got);
	assert_int_equal(e.reg.nr_rx_slots, slots_got);
	assert_int_equal(e.reg.nr_tx_rings, rings_got);
	assert_int_equal(e.reg.nr_rx_rings, rings_got);
	end_close(&e);
}

static void
test_sizes_clamped(void **state)
{
	sizes("vale0:a", 0, 0, 1024, 1);
	sizes("vale0:a", 1, 1, 1024, 1);
	sizes("vale0:a", 2, 16, 2, 16);
	sizes("vale0:a", 4096, 17, 4096, 16);
	sizes("vale0:a", 4097, 65535, 4096, 16);
	sizes("vale0:a", 0xffffffff, 2, 4096, 2);
	sizes("x{1", 0, 0, 1024, 1);
	sizes("x{1", 1, 1, 1024, 1);
	sizes("x{1", 100000, 1, 4096, 1);
	sizes("x}1", 7, 256, 7, 256);
	sizes("x}1", 7, 65535, 7, 256);
}

/* A port that exists keeps its numbers, whatever a second opener asks for. */
static void
test_sizes_kept(void **state)
{
	struct end a, b;

	end_open_as(&a, "vale0:a",
		REG(.nr_tx_slots = 128, .nr_rx_slots = 256, .nr_tx_rings = 2, .nr_rx_rings = 3));
	end_open_as(&b, "vale0:a",
		REG(.nr_tx_slots = 512, .nr_rx_slots = 512, .nr_tx_rings = 1, .nr_rx_rings = 1,
			.nr_mem_id = a.reg.nr_mem_id));
	assert_int_equal(b.reg.nr_tx_slots, 128);
	assert_int_equal(b.reg.nr_rx_slots, 256);
	assert_int_equal(b.reg.nr_tx_rings, 2);
	assert_int_equal(b.reg.nr_rx_rings, 3);
	end_close(&b);
	end_close(&a);
}

static void
test_memory_comes_back(void **state)
{
	uint64_t used = inproc_memory_used();
	unsigned i;

	for (i = 0; i < 50; i++) {
		struct end a, b, c;

		end_open_slots(&a, "vale0:a", 16);
		end_open_slots(&b, "vale0:b", 16);
		end_open_slots(&c, "vale0:a{1", 16);
		end_send(&a, MAC_ALL, mac(1), 60, i);
		end_expect(&b, 0, 60, i);
		end_close(i % 3 == 0 ? &a : i % 3 == 1 ? &b : &c);
		end_close(i % 3 == 0 ? &c : i % 3 == 1 ? &a : &b);
		end_close(i % 3 == 0 ? &b : i % 3 == 1 ? &c : &a);
		assert_true(inproc_memory_used() == used);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_refused_modes),
		engine_test(test_refused_names),
		engine_test(test_refused_memory),
		engine_test(test_options),
		engine_test(test_twice),
		engine_test(test_bad_pointers),
		engine_test(test_outputs),
		engine_test(test_rings_as_made),
		engine_test(test_two_share_a_region),
		engine_test(test_sizes_clamped),
		engine_test(test_sizes_kept),
		engine_test(test_memory_comes_back),
	};

	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
