/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * External memory: where pools lie in it and what is written back, what is refused and with which error, the same memory given again, the ports that can
 * be in it, and memory that goes away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "end.h"
#include "engine/params.h"
#include "engine/port.h"

#define MIB		(UINT64_C(1) << 20)
#define SIZE		(12 * MIB)
#define MAPPED		(16 * MIB)

static char *memory;
static struct end a, b, c;
static struct nmreq_opt_extmem opt;
static long fail_at = -1;

static void
memory_new(void)
{
	if (memory != NULL)
		munmap(memory, MAPPED);
	memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
}

static struct nmreq_opt_extmem
ext(void *at, uint64_t size)
{
	return (struct nmreq_opt_extmem){ .nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM, .nro_usrptr = (uintptr_t)at, .nro_info.nr_memsize = size };
}

/* REGISTER with the option; 0, or the error, and then the end is closed. */
static int
ext_try(struct end *e, const char *name, const struct nmreq_register *want)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_options = (uintptr_t)&opt };
	int error;

	end_open_bare(e);
	e->reg = want != NULL ? *want : (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
	if (e->reg.nr_mode == 0)
		e->reg.nr_mode = NR_REG_ALL_NIC;
	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	hdr.nr_body = (uintptr_t)&e->reg;
	inproc_fail_after(fail_at);
	error = inproc_ioctl(&e->fd, NIOCCTRL, &hdr);
	inproc_fail_after(-1);
	if (error == 0) {
		e->nifp = (struct netmap_if *)(void *)((char *)(uintptr_t)opt.nro_usrptr + e->reg.nr_offset);
		return 0;
	}
	/* A reason for people, always. */
	assert_true(e->fd.why[0] != '\0');
	end_close(e);
	return error;
}

static void
ext_open(struct end *e, const char *name)
{
	assert_int_equal(ext_try(e, name, NULL), 0);
	assert_int_equal(opt.nro_opt.nro_status, 0);
}

/* Nothing is granted, and nothing left; the option says whether it was its fault. */
static void
refused(int error, const char *name)
{
	uint64_t used = inproc_memory_used();

	assert_int_equal(ext_try(&c, name, NULL), -error);
	assert_int_equal(opt.nro_opt.nro_status == 0 || opt.nro_opt.nro_status == (uint32_t)error, 1);
	assert_true(inproc_memory_used() == used);
}

static void
exchange(struct end *from, struct end *to, uint32_t seq)
{
	end_send(from, MAC_ALL, mac(1), 60, seq);
	end_expect(to, 0, 60, seq);
}

static bool
inside(const void *p)
{
	return (const char *)p >= memory && (const char *)p < memory + SIZE;
}

/* --- layout --- */

static void
test_defaults(void **state)
{
	const struct nmreq_pools_info *info = &opt.nro_info;
	uint64_t used = inproc_memory_used();

	memory_new();
	memset(memory, 0xa5, MAPPED);
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	assert_true(opt.nro_usrptr == (uintptr_t)memory);
	assert_int_equal(info->nr_memsize, SIZE);
	assert_int_equal(a.reg.nr_memsize, SIZE);
	assert_int_equal(info->nr_mem_id, a.reg.nr_mem_id);
	assert_true(a.reg.nr_mem_id > 1);
	assert_int_equal(info->nr_if_pool_offset, 0);
	assert_int_equal(info->nr_if_pool_objsize, 1024);
	/* Two, and what else there is room for before the next page. */
	assert_int_equal(info->nr_if_pool_objtotal, 4);
	assert_int_equal(info->nr_ring_pool_offset, 4096);
	assert_int_equal(info->nr_ring_pool_objsize, 20480);
	/* Four would do for the port, but not for a pipe on it. */
	assert_int_equal(info->nr_ring_pool_objtotal, 6);
	assert_int_equal(info->nr_buf_pool_offset, 4096 + 6 * 20480 + 256);
	assert_int_equal(info->nr_buf_pool_objsize, 2048);
	/* All that is left, not just the usual 4098. */
	assert_int_equal(info->nr_buf_pool_objtotal, (SIZE - info->nr_buf_pool_offset) / 2048);
	/* In the memory itself, which has not moved; what the program had in its buffers is still there. */
	assert_true((char *)a.nifp == memory + a.reg.nr_offset);
	assert_true(inside(end_tx(&a, 0)) && inside(end_rx(&a, 0)));
	assert_ptr_equal(ring_buf(end_tx(&a, 0), 0), memory + info->nr_buf_pool_offset);
	assert_int_equal((unsigned char)ring_buf(end_tx(&a, 0), end_tx(&a, 0)->slot[5].buf_idx)[7], 0xa5);
	/* And nothing beyond it was touched. */
	for (uint64_t i = SIZE; i < MAPPED; i++)
		if ((unsigned char)memory[i] != 0xa5)
			fail();
	end_close(&a);
	assert_true(inproc_memory_used() == used);
}

static void
test_numbers(void **state)
{
	const struct nmreq_pools_info *info = &opt.nro_info;
	struct why why;

	memory_new();
	opt = ext(memory, SIZE);
	opt.nro_info.nr_if_pool_objtotal = 3;
	opt.nro_info.nr_if_pool_objsize = 1000;
	opt.nro_info.nr_ring_pool_objtotal = 20;
	opt.nro_info.nr_ring_pool_objsize = 17000;
	opt.nro_info.nr_buf_pool_objtotal = 2100;
	opt.nro_info.nr_buf_pool_objsize = 4000;
	ext_open(&a, "vale0:a");
	assert_int_equal(info->nr_if_pool_objsize, 1024);
	assert_int_equal(info->nr_ring_pool_objsize, 17024);
	assert_true(info->nr_ring_pool_objtotal >= 20);
	assert_int_equal(info->nr_buf_pool_objsize, 4032);
	assert_int_equal(info->nr_buf_pool_offset % 4096, 0);
	assert_int_equal(end_tx(&a, 0)->nr_buf_size, 4032);
	end_close(&a);
	/* Parameters are what stands for 0. */
	assert_int_equal(param_set("priv_if_num", 9, &why), 0);
	assert_int_equal(param_set("priv_ring_size", 24576, &why), 0);
	assert_int_equal(param_set("priv_buf_size", 4096, &why), 0);
	assert_int_equal(param_set("priv_buf_num", 2000, &why), 0);
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	assert_int_equal(info->nr_if_pool_objtotal, 12);
	assert_int_equal(info->nr_ring_pool_objsize, 24576);
	assert_int_equal(info->nr_buf_pool_objsize, 4096);
	end_close(&a);
}

/* The least that will do, and one byte less. */
static void
test_exact(void **state)
{
	uint64_t need = 4096 + 6 * 20480 + 4098 * 2048;

	memory_new();
	opt = ext(memory, need);
	ext_open(&a, "vale0:a");
	assert_int_equal(opt.nro_info.nr_buf_pool_objtotal, 4098);
	/* No room in front of the buffers: not a word about AF_XDP then, and no other harm. */
	assert_int_equal(opt.nro_info.nr_buf_pool_offset, need - 4098 * 2048);
	end_close(&a);
	opt = ext(memory, need - 1);
	refused(ENOMEM, "vale0:a");
	assert_non_null(strstr(c.fd.why, "4098 buffers"));
}

/* What the program has left over is for extra buffers; they run out and come back. */
static void
test_extra_bufs(void **state)
{
	struct nmreq_register want = { .nr_mode = NR_REG_ALL_NIC, .nr_extra_bufs = 100000 };
	uint32_t n, idx, total, given;
	int turn;

	memory_new();
	for (turn = 0; turn < 2; turn++) {
		opt = ext(memory, SIZE);
		assert_int_equal(ext_try(&a, "vale0:a", &want), 0);
		total = opt.nro_info.nr_buf_pool_objtotal;
		given = a.reg.nr_extra_bufs;
		assert_int_equal(given, total - 2 - 2 * 1024);
		idx = a.nifp->ni_bufs_head;
		for (n = 0; idx != 0; n++) {
			assert_true(idx >= 2 && idx < total);
			memcpy(&idx, ring_buf(end_tx(&a, 0), idx), sizeof(idx));
		}
		assert_int_equal(n, given);
		/* Somebody else finds none. */
		opt = ext(memory, SIZE);
		assert_int_equal(ext_try(&b, "vale0:b", NULL), -ENOMEM);
		assert_non_null(strstr(b.fd.why, "buffer pool"));
		end_close(&a);
	}
}

/* --- what is refused --- */

static void
test_bad_ranges(void **state)
{
	memory_new();
	opt = ext(NULL, SIZE);
	refused(EFAULT, "vale0:a");
	assert_int_equal(opt.nro_opt.nro_status, EFAULT);
	opt = ext(memory + 8, SIZE);
	refused(EINVAL, "vale0:a");
	assert_int_equal(opt.nro_opt.nro_status, EINVAL);
	opt = ext(memory, 0);
	refused(EINVAL, "vale0:a");
	opt = ext(memory, UINT64_MAX);
	refused(EINVAL, "vale0:a");
	opt = ext(memory, UINT64_C(1) << 32);
	refused(EINVAL, "vale0:a");
	opt = ext(memory, UINT64_C(0xfff00000));
	refused(EFAULT, "vale0:a");
	opt = ext((void *)(uintptr_t)(UINT64_MAX - 4095), SIZE);
	refused(EINVAL, "vale0:a");
	assert_int_equal(mprotect(memory + 4 * MIB, 4096, PROT_READ), 0);
	opt = ext(memory, SIZE);
	refused(EFAULT, "vale0:a");
	assert_int_equal(munmap(memory + 4 * MIB, 4096), 0);
	refused(EFAULT, "vale0:a");
	memory_new();
}

static void
test_bad_numbers(void **state)
{
	static const struct {
		uint32_t size[POOLS], num[POOLS];
		int error;
	} bad[] = {
		{ .size = { [POOL_IF] = 63 }, .error = EINVAL },
		{ .size = { [POOL_IF] = 4097 }, .error = EINVAL },
		{ .size = { [POOL_RING] = 1 }, .error = EINVAL },
		{ .size = { [POOL_RING] = 131073 }, .error = EINVAL },
		{ .size = { [POOL_BUF] = 63 }, .error = EINVAL },
		{ .size = { [POOL_BUF] = 65536 }, .error = EINVAL },
		{ .size = { [POOL_BUF] = UINT32_MAX }, .error = EINVAL },
		{ .num = { [POOL_IF] = UINT32_MAX }, .error = ENOMEM },
		{ .num = { [POOL_RING] = UINT32_MAX }, .error = ENOMEM },
		{ .num = { [POOL_BUF] = UINT32_MAX }, .error = ENOMEM },
		{ .size = { 4096, 131072, 65472 }, .num = { UINT32_MAX, UINT32_MAX, UINT32_MAX }, .error = ENOMEM },
		/* Granted, but too few for the port. */
		{ .size = { [POOL_RING] = 64 }, .num = { [POOL_RING] = 10 }, .error = ENOMEM },
	};

	memory_new();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opt = ext(memory, SIZE);
		opt.nro_info.nr_if_pool_objsize = bad[i].size[POOL_IF];
		opt.nro_info.nr_ring_pool_objsize = bad[i].size[POOL_RING];
		opt.nro_info.nr_buf_pool_objsize = bad[i].size[POOL_BUF];
		opt.nro_info.nr_if_pool_objtotal = bad[i].num[POOL_IF];
		opt.nro_info.nr_ring_pool_objtotal = bad[i].num[POOL_RING];
		opt.nro_info.nr_buf_pool_objtotal = bad[i].num[POOL_BUF];
		refused(bad[i].error, "vale0:a");
	}
}

/* A port that has its memory: a program with the option would look for its rings in its own. */
static void
test_port_has_memory(void **state)
{
	memory_new();
	end_open(&a, "vale0:a");
	opt = ext(memory, SIZE);
	refused(EBUSY, "vale0:a");
	assert_int_equal(opt.nro_opt.nro_status, EBUSY);
	refused(EBUSY, "vale0:a{1");
	opt = ext(memory, SIZE);
	assert_int_equal(ext_try(&c, "vale0:a", &(struct nmreq_register){ .nr_flags = NR_MONITOR_RX | NR_ZCOPY_MON }), -EBUSY);
	end_close(&a);
	/* A request for something else leaves the option alone. */
	opt = ext(memory, SIZE);
	end_open_bare(&a);
	{
		struct nmreq_port_info_get info = { 0 };
		struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_PORT_INFO_GET, .nr_options = (uintptr_t)&opt,
			.nr_body = (uintptr_t)&info, .nr_name = "vale0:a" };

		assert_int_equal(inproc_ioctl(&a.fd, NIOCCTRL, &hdr), 0);
		assert_int_equal(opt.nro_opt.nro_status, EOPNOTSUPP);
	}
	end_close(&a);
}

/* --- the same memory --- */

static void
test_same_memory(void **state)
{
	struct nmreq_register by_id = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 64, .nr_rx_slots = 64 };

	memory_new();
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	opt = ext(memory, SIZE);
	opt.nro_info.nr_buf_pool_objsize = 64;		/* it is there already, and is what it is */
	ext_open(&b, "vale0:b");
	assert_int_equal(a.reg.nr_mem_id, b.reg.nr_mem_id);
	assert_int_equal(opt.nro_info.nr_buf_pool_objsize, 2048);
	assert_ptr_equal(a.fd.binding->region, b.fd.binding->region);
	exchange(&a, &b, 1);
	/* By number. */
	by_id.nr_mem_id = a.reg.nr_mem_id;
	end_open_as(&c, "vale0:c", &by_id);
	assert_ptr_equal(a.fd.binding->region, c.fd.binding->region);
	exchange(&c, &b, 2);
	end_close(&c);
	/* The option counts, not the number that stands beside it. */
	opt = ext(memory, SIZE);
	assert_int_equal(ext_try(&c, "vale0:d", &(struct nmreq_register){ .nr_mem_id = 999, .nr_tx_slots = 64, .nr_rx_slots = 64 }), 0);
	assert_int_equal(c.reg.nr_mem_id, a.reg.nr_mem_id);
	end_close(&c);
	/* A part of it, or more than it. */
	opt = ext(memory, SIZE - 4096);
	refused(EBUSY, "vale0:e");
	opt = ext(memory + 4096, SIZE);
	refused(EBUSY, "vale0:e");
	opt = ext(memory + SIZE, MAPPED - SIZE);
	opt.nro_info.nr_buf_pool_objtotal = 1024;
	refused(ENOMEM, "vale0:e");
	/* It stays as long as anybody is in it. */
	end_close(&a);
	end_open(&c, "vale0:c");
	exchange(&b, &c, 3);
	end_close(&c);
	end_close(&b);
}

/* --- kinds of ports --- */

static void
test_ports(void **state)
{
	uint64_t used = inproc_memory_used();

	memory_new();
	/* A pipe: the region is its parent's, which is made for it. */
	opt = ext(memory, SIZE);
	ext_open(&a, "x{1");
	opt = ext(memory, SIZE);
	ext_open(&b, "x}1");
	assert_int_equal(a.reg.nr_mem_id, b.reg.nr_mem_id);
	assert_true(inside(end_rx(&b, 0)));
	exchange(&a, &b, 1);
	exchange(&b, &a, 2);
	end_close(&a);
	end_close(&b);
	/* Null ports: nothing but the memory. */
	opt = ext(memory, SIZE);
	assert_int_equal(ext_try(&a, "n", &(struct nmreq_register){ .nr_mode = NR_REG_NULL, .nr_extra_bufs = 50 }), 0);
	assert_int_equal(a.reg.nr_extra_bufs, 50);
	end_close(&a);
	/* A copying monitor. */
	end_open(&a, "vale0:a");
	end_open(&b, "vale0:b");
	opt = ext(memory, SIZE);
	assert_int_equal(ext_try(&c, "vale0:b", &(struct nmreq_register){ .nr_flags = NR_MONITOR_RX }), 0);
	assert_true(inside(end_rx(&c, 0)));
	exchange(&a, &b, 3);
	end_expect(&c, 0, 60, 3);
	end_close(&c);
	end_close(&a);
	end_close(&b);
	assert_true(inproc_memory_used() == used);
}

static int
nic_nothing(struct kring *kr, struct nic_ring *ring)
{
	return 0;
}

static void
test_interface(void **state)
{
	static const struct inproc_hooks hooks = { .nic_queues = 1, .nic_sync = nic_nothing };

	memory_new();
	inproc_hooks_set(&hooks);
	opt = ext(memory, SIZE);
	ext_open(&a, "nic0");
	assert_true(inside(end_tx(&a, 0)));
	/* Where AF_XDP wants them. */
	assert_int_equal(opt.nro_info.nr_buf_pool_offset % 4096, 256);
	/* Not the memory of other interfaces. */
	assert_int_not_equal(a.reg.nr_mem_id, 1);
	end_open(&b, "nic1");
	assert_int_equal(b.reg.nr_mem_id, 1);
	end_close(&b);
	end_close(&a);
	opt = ext(memory, SIZE);
	opt.nro_info.nr_buf_pool_objsize = 1024;
	refused(EINVAL, "nic0");
}

/* Small buffers, and more of them than a frame may have. */
static void
test_small_buffers(void **state)
{
	static const uint32_t sizes[] = { 64, 128, 320, 65472 };

	memory_new();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		end_open(&a, "vale0:a");
		opt = ext(memory, SIZE);
		opt.nro_info.nr_buf_pool_objsize = sizes[i];
		opt.nro_info.nr_buf_pool_objtotal = 2 + 128;
		assert_int_equal(ext_try(&b, "vale0:b", &(struct nmreq_register){ .nr_tx_slots = 64, .nr_rx_slots = 64 }), 0);
		exchange(&a, &b, 1);
		exchange(&b, &a, 2);
		for (uint32_t len = 14; len <= 1514; len += 50) {
			end_send(&a, MAC_ALL, mac(1), len, 3);
			(void)end_flush(&b);
		}
		assert_true(end_krx(&b, 0)->in.packets > 10);
		end_close(&a);
		end_close(&b);
	}
}

/* Buffers that a program lost or put in twice come back when nobody is bound any more. */
static void
test_lost_buffers(void **state)
{
	struct region *r;
	uint32_t left;

	memory_new();
	opt = ext(memory, SIZE);
	assert_int_equal(ext_try(&c, "hold", &(struct nmreq_register){ .nr_mode = NR_REG_NULL }), 0);
	r = c.fd.binding->region;
	left = region_bufs_left(r);
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	end_tx(&a, 0)->slot[0].buf_idx = end_tx(&a, 0)->slot[1].buf_idx;
	end_tx(&a, 0)->slot[2].buf_idx = UINT32_MAX;
	a.nifp->ni_bufs_head = end_rx(&a, 0)->slot[0].buf_idx;
	end_close(&a);
	assert_true(region_bufs_left(r) <= left);
	region_get(r);
	end_close(&c);
	region_sweep(r);
	assert_int_equal(region_bufs_left(r), left);
	region_put(r);
}

/* --- memory that goes away --- */

static bool gone;

static bool
intact(uint32_t no)
{
	return !gone;
}

static void
test_gone(void **state)
{
	static const struct inproc_hooks hooks = { .region_intact = intact };
	unsigned lines = inproc_log_lines();

	memory_new();
	gone = false;
	inproc_hooks_set(&hooks);
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	end_open(&b, "vale0:b");
	end_open(&c, "vale0:c");
	exchange(&a, &b, 1);
	(void)end_flush(&c);
	inproc_clock_advance(1);
	exchange(&b, &a, 2);
	(void)end_flush(&c);
	gone = true;
	inproc_clock_advance(1);
	inproc_clock_advance(1);
	assert_int_equal(inproc_log_lines(), lines + 1);
	assert_int_equal(inproc_ioctl(&a.fd, NIOCTXSYNC, NULL), -EIO);
	assert_int_equal(inproc_ioctl(&a.fd, NIOCRXSYNC, NULL), -EIO);
	assert_true((inproc_poll(&a.fd, EV_IN | EV_OUT, 0) & EV_ERR) != 0);
	/* Frames for it are counted; others go on. */
	exchange(&b, &c, 3);
	assert_drops(end_ktx(&b, 0), DROP_UNREACHABLE, 1);
	/* Nobody gets into it any more, with or without the option. */
	{
		struct end d;

		opt = ext(memory, SIZE);
		assert_int_equal(ext_try(&d, "vale0:d", NULL), -EIO);
		assert_int_equal(end_try(&d, "vale0:a", &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC }), -EIO);
	}
	end_close(&a);
	/* Once it is nobody's it can be given anew. */
	gone = false;
	opt = ext(memory, SIZE);
	ext_open(&a, "vale0:a");
	exchange(&a, &b, 4);
	end_close(&a);
	end_close(&b);
	end_close(&c);
}

/* Errors of each step on the way, with nothing left behind. */
static void
test_no_memory(void **state)
{
	static const char *const name[] = { "vale0:a", "x{1" };

	memory_new();
	for (size_t i = 0; i < 2; i++) {
		uint64_t used = inproc_memory_used();
		long n;

		for (n = 0;; n++) {
			int error;

			opt = ext(memory, SIZE);
			fail_at = n;
			error = ext_try(&a, name[i], NULL);
			fail_at = -1;
			/* What a request could not put aside for the end of what it made, the next one does. */
			end_open(&b, "vale0:b");
			end_close(&b);
			if (error == 0)
				break;
			assert_int_equal(error, -ENOMEM);
			assert_true(inproc_memory_used() == used);
		}
		assert_true(n > 5);
		end_close(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_defaults),
		engine_test(test_numbers),
		engine_test(test_exact),
		engine_test(test_extra_bufs),
		engine_test(test_bad_ranges),
		engine_test(test_bad_numbers),
		engine_test(test_port_has_memory),
		engine_test(test_same_memory),
		engine_test(test_ports),
		engine_test(test_interface),
		engine_test(test_small_buffers),
		engine_test(test_lost_buffers),
		engine_test(test_gone),
		engine_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("extmem", tests, NULL, NULL);
}
