/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that only look, and the legacy ioctls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

static struct end ctl;

static int
setup(void **state)
{
	int error = engine_setup(state);

	if (error == 0)
		end_open_bare(&ctl);
	return error;
}

static int
teardown(void **state)
{
	end_close(&ctl);
	return engine_teardown(state);
}

#define info_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

static int
port_info(const char *name, struct nmreq_port_info_get *info)
{
	return end_request(&ctl, NETMAP_REQ_PORT_INFO_GET, name, info);
}

static void
test_port_info(void **state)
{
	struct nmreq_port_info_get info = { 0 };
	struct end a;

	end_open_as(&a, "vale0:a",
		&(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC,
			.nr_tx_slots = 100,
			.nr_rx_slots = 200,
			.nr_tx_rings = 2,
			.nr_rx_rings = 3 });
	assert_int_equal(port_info("vale0:a", &info), 0);
	assert_true(info.nr_memsize == a.reg.nr_memsize);
	assert_int_equal(info.nr_tx_slots, 100);
	assert_int_equal(info.nr_rx_slots, 200);
	assert_int_equal(info.nr_tx_rings, 2);
	assert_int_equal(info.nr_rx_rings, 3);
	assert_int_equal(info.nr_host_tx_rings, 0);
	assert_int_equal(info.nr_host_rx_rings, 0);
	assert_int_equal(info.nr_mem_id, a.reg.nr_mem_id);
	/* A registered descriptor may ask too. */
	assert_int_equal(end_request(&a, NETMAP_REQ_PORT_INFO_GET, "vale0:a", &info), 0);
	end_close(&a);
}

/* A port that is not there is made, looked at and dropped. */
static void
test_port_info_transient(void **state)
{
	static const char *const name[] = { "vale0:a", "x{1", "vale3:b}7" };
	struct nmreq_port_info_get info;
	struct end e;
	unsigned i;

	for (i = 0; i < 3; i++) {
		uint64_t used = inproc_memory_used();

		memset(&info, 0, sizeof(info));
		assert_int_equal(port_info(name[i], &info), 0);
		assert_int_equal(info.nr_tx_slots, 1024);
		assert_int_equal(info.nr_rx_rings, 1);
		assert_true(info.nr_memsize > 0);
		assert_true(inproc_memory_used() == used);
		assert_int_equal(end_try(&e, "vale9:z",
					 &(struct nmreq_register){
						 .nr_mode = NR_REG_ALL_NIC, .nr_mem_id = info.nr_mem_id }),
			-EINVAL);
	}
}

static void
test_port_info_errors(void **state)
{
	struct nmreq_port_info_get info = { 0 };

	assert_int_equal(port_info("no_such_if", &info), -ENXIO);
	assert_int_equal(port_info("x{", &info), -EINVAL);
	info.nr_mem_id = 4711;
	assert_int_equal(port_info("", &info), -EINVAL);
	assert_int_equal(port_info("vale0:a", &info), -EINVAL);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCCTRL, &(struct nmreq_header){ .nr_version = NETMAP_API,
		.nr_reqtype = NETMAP_REQ_PORT_INFO_GET, .nr_name = "vale0:a", .nr_body = 4096 }), -EFAULT);
}

static void
test_port_info_of_region(void **state)
{
	struct nmreq_port_info_get info = { 0 };
	struct end a;

	end_open(&a, "vale0:a");
	info.nr_mem_id = a.reg.nr_mem_id;
	assert_int_equal(port_info("", &info), 0);
	assert_true(info.nr_memsize == a.reg.nr_memsize);
	assert_int_equal(info.nr_mem_id, a.reg.nr_mem_id);
	assert_int_equal(info.nr_tx_slots, 0);
	end_close(&a);
}

static void
test_pools_info(void **state)
{
	struct nmreq_pools_info p = { 0 };
	struct end a;

	end_open(&a, "vale0:a");
	assert_int_equal(end_request(&ctl, NETMAP_REQ_POOLS_INFO_GET, "vale0:a", &p), 0);
	assert_true(p.nr_memsize == a.reg.nr_memsize);
	assert_int_equal(p.nr_mem_id, a.reg.nr_mem_id);
	/* The three pools, in order, within the region, and the things where they are told to be. */
	assert_true(p.nr_if_pool_offset == 0);
	assert_true(p.nr_if_pool_offset + (uint64_t)p.nr_if_pool_objtotal * p.nr_if_pool_objsize <=
		p.nr_ring_pool_offset);
	assert_true(p.nr_ring_pool_offset + (uint64_t)p.nr_ring_pool_objtotal * p.nr_ring_pool_objsize <=
		p.nr_buf_pool_offset);
	assert_true(p.nr_buf_pool_offset + (uint64_t)p.nr_buf_pool_objtotal * p.nr_buf_pool_objsize <=
		p.nr_memsize);
	assert_true(p.nr_ring_pool_offset % 4096 == 0 && p.nr_buf_pool_offset % 4096 == 0);
	assert_int_equal(p.nr_buf_pool_objsize, end_tx(&a, 0)->nr_buf_size);
	assert_ptr_equal(ring_buf(end_tx(&a, 0), 0), (char *)inproc_memory(&a.fd) + p.nr_buf_pool_offset);
	end_close(&a);

	memset(&p, 0, sizeof(p));
	assert_int_equal(end_request(&ctl, NETMAP_REQ_POOLS_INFO_GET, "", &p), -ENXIO);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_POOLS_INFO_GET, "nosuch", &p), -ENXIO);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_POOLS_INFO_GET, "vale0:b", &p), 0);
}

static void
test_port_hdr_get(void **state)
{
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 77 };
	struct end a, m;

	end_open(&a, "vale0:a");
	end_open(&m, "vale0:a{1");
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "vale0:a", &hdr), 0);
	assert_int_equal(hdr.nr_hdr_len, 0);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "vale0:a{1", &hdr), -ENODEV);
	/* It makes no ports. */
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "vale0:b", &hdr), -ENXIO);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "x{1", &hdr), -ENODEV);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "nosuch", &hdr), -ENXIO);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "", &hdr), -ENXIO);
	end_close(&a);
	end_close(&m);
}

static int
vale_list(char *name, uint16_t *bridge, uint32_t *port)
{
	struct nmreq_vale_list list = { .nr_bridge_idx = *bridge, .nr_port_idx = *port };
	struct nmreq_header hdr = {
		.nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_VALE_LIST, .nr_body = (uintptr_t)&list
	};
	int error;

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	error = inproc_ioctl(&ctl.fd, NIOCCTRL, &hdr);
	*bridge = list.nr_bridge_idx;
	*port = list.nr_port_idx;
	strcpy(name, hdr.nr_name);
	return error;
}

static void
listed(const char *name, int error, uint16_t bridge, uint32_t port)
{
	char copy[NETMAP_REQ_IFNAMSIZ];
	uint16_t b = 77;
	uint32_t p = 77;

	strcpy(copy, name);
	assert_int_equal(vale_list(copy, &b, &p), error);
	if (error != 0)
		return;
	assert_int_equal(b, bridge);
	assert_int_equal(p, port);
	assert_string_equal(copy, name);
}

static void
test_vale_list_named(void **state)
{
	struct end e[4];

	end_open(&e[0], "vale0:a");
	end_open(&e[1], "vale0:b");
	end_open(&e[2], "vale_seven:c");
	end_open(&e[3], "vale:d");
	listed("vale0:a", 0, 0, 0);
	listed("vale0:b", 0, 0, 1);
	listed("vale_seven:c", 0, 1, 0);
	listed("vale:d", 0, 2, 0);
	listed("vale0:nosuch", 0, 0, 255);
	listed("vale0:", 0, 0, 255);
	listed("vale1:a", -ENOENT, 0, 0);
	listed("vale_seven_and_more:c", -ENOENT, 0, 0);
	listed("eth0", -EINVAL, 0, 0);
	listed("v", -EINVAL, 0, 0);
	end_close(&e[1]);
	listed("vale0:b", 0, 0, 255);
	end_close(&e[0]);
	listed("vale0:b", -ENOENT, 0, 0);
	end_close(&e[2]);
	end_close(&e[3]);
}

/* A switch whose name fills its field is told apart from longer ones. */
static void
test_vale_list_long_name(void **state)
{
	struct end e;

	end_open(&e, "vale_abcdefghij:p");
	listed("vale_abcdefghij:p", 0, 0, 0);
	listed("vale_abcdefghijk:p", -ENOENT, 0, 0);
	end_close(&e);
}

static void
test_vale_list_iterates(void **state)
{
	static const char *const expect[] = { "vale0:a", "vale0:c", "vale1:a", "vale2:a" };
	char name[NETMAP_REQ_IFNAMSIZ];
	struct end e[6];
	uint16_t bridge = 0;
	uint32_t port = 0;
	unsigned i;

	strcpy(name, "");
	assert_int_equal(vale_list(name, &bridge, &port), -ENOENT);
	end_open(&e[0], "vale0:a");
	end_open(&e[1], "vale0:b");
	end_open(&e[2], "vale0:c");
	end_open(&e[3], "vale1:a");
	end_open(&e[4], "vale2:a");
	end_open(&e[5], "notaswitch{1");
	end_close(&e[1]);
	bridge = 0;
	port = 0;
	for (i = 0; i < 4; i++) {
		strcpy(name, "");
		assert_int_equal(vale_list(name, &bridge, &port), 0);
		assert_string_equal(name, expect[i]);
		port++;
	}
	strcpy(name, "");
	assert_int_equal(vale_list(name, &bridge, &port), -ENOENT);
	bridge = 1;
	port = 0xffffffff;
	assert_int_equal(vale_list(name, &bridge, &port), 0);
	assert_string_equal(name, "vale2:a");
	end_close(&e[0]);
	end_close(&e[2]);
	end_close(&e[3]);
	end_close(&e[4]);
	end_close(&e[5]);
}

/* The number given back last is handed out first. */
static void
test_vale_port_numbers(void **state)
{
	struct end a, b, c, d;

	end_open(&a, "vale0:a");
	end_open(&b, "vale0:b");
	end_open(&c, "vale0:c");
	end_close(&a);
	end_close(&b);
	end_open(&d, "vale0:d");
	listed("vale0:d", 0, 0, 1);
	end_open(&a, "vale0:a");
	listed("vale0:a", 0, 0, 0);
	end_open(&b, "vale0:b");
	listed("vale0:b", 0, 0, 3);
	end_close(&a);
	end_close(&b);
	end_close(&c);
	end_close(&d);
}

/* --- legacy --- */

static void
test_legacy_register(void **state)
{
	struct nmreq nmr = { .nr_name = "vale0:a",
		.nr_version = NETMAP_API,
		.nr_tx_slots = 64,
		.nr_rx_slots = 32,
		.nr_arg3 = 4 };
	struct end e, old;

	end_open_bare(&e);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(nmr.nr_tx_slots, 64);
	assert_int_equal(nmr.nr_rx_slots, 32);
	assert_int_equal(nmr.nr_tx_rings, 1);
	assert_int_equal(nmr.nr_rx_rings, 1);
	assert_int_equal(nmr.nr_arg3, 4);
	assert_true(nmr.nr_arg2 > 1);
	assert_true(nmr.nr_memsize != 0);
	e.nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&e.fd) + nmr.nr_offset);
	assert_string_equal(e.nifp->ni_name, "vale0:a");
	assert_int_equal(inproc_ioctl(&e.fd, NIOCREGIF, &nmr), -EBUSY);
	end_close(&e);

	end_open_bare(&old);
	nmr.nr_version = 13;
	assert_int_equal(inproc_ioctl(&old.fd, NIOCREGIF, &nmr), -EINVAL);
	nmr.nr_version = 99;
	nmr.nr_arg2 = 0;
	assert_int_equal(inproc_ioctl(&old.fd, NIOCREGIF, &nmr), 0);
	end_close(&old);
}

static void
test_legacy_modes(void **state)
{
	struct nmreq nmr = { .nr_name = "vale0:a",
		.nr_version = NETMAP_API,
		.nr_tx_rings = 4,
		.nr_rx_rings = 4,
		.nr_ringid = NETMAP_HW_RING | 2 | NETMAP_NO_TX_POLL | NETMAP_DO_RX_POLL };
	struct nmreq pipe = {
		.nr_name = "p", .nr_version = NETMAP_API, .nr_flags = NR_REG_PIPE_MASTER, .nr_ringid = 7
	};
	struct nmreq host = { .nr_name = "vale0:a", .nr_version = NETMAP_API, .nr_ringid = NETMAP_SW_RING };
	struct end e, m, s;

	end_open_bare(&e);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCREGIF, &host), -EINVAL);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(e.fd.binding->tx_first, 2);
	assert_int_equal(e.fd.binding->tx_last, 3);
	assert_true(
		(e.fd.binding->flags & (NR_NO_TX_POLL | NR_DO_RX_POLL)) == (NR_NO_TX_POLL | NR_DO_RX_POLL));
	end_close(&e);

	end_open_bare(&m);
	assert_int_equal(inproc_ioctl(&m.fd, NIOCREGIF, &pipe), 0);
	m.nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&m.fd) + pipe.nr_offset);
	end_open(&s, "p}7");
	end_send(&m, MAC_ALL, mac(1), 60, 5);
	end_expect(&s, 0, 60, 5);
	end_close(&m);
	end_close(&s);
}

static void
test_legacy_info(void **state)
{
	struct nmreq nmr = { .nr_name = "vale0:a", .nr_version = NETMAP_API };
	struct nm_ifreq ifr = { .nifr_name = "vale0:a" };
	struct end a;

	end_open_slots(&a, "vale0:a", 128);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCGINFO, &nmr), 0);
	assert_int_equal(nmr.nr_tx_slots, 128);
	assert_int_equal(nmr.nr_arg2, a.reg.nr_mem_id);
	assert_int_equal(nmr.nr_memsize, (uint32_t)a.reg.nr_memsize);
	memset(&nmr, 0, sizeof(nmr));
	nmr.nr_version = NETMAP_API;
	nmr.nr_cmd = NETMAP_BDG_LIST;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCGINFO, &nmr), 0);
	assert_string_equal(nmr.nr_name, "vale0:a");
	nmr.nr_cmd = NETMAP_PT_HOST_CREATE;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), -ENOMEM);
	nmr.nr_cmd = NETMAP_BDG_REGOPS;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), -EINVAL);
	nmr.nr_cmd = NETMAP_BDG_ATTACH;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), -EBUSY);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCCONFIG, &ifr), -EINVAL);
	end_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		info_test(test_port_info),
		info_test(test_port_info_transient),
		info_test(test_port_info_errors),
		info_test(test_port_info_of_region),
		info_test(test_pools_info),
		info_test(test_port_hdr_get),
		info_test(test_vale_list_named),
		info_test(test_vale_list_long_name),
		info_test(test_vale_list_iterates),
		info_test(test_vale_port_numbers),
		info_test(test_legacy_register),
		info_test(test_legacy_modes),
		info_test(test_legacy_info),
	};

	return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
