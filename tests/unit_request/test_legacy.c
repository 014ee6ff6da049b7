/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NIOCREGIF, NIOCGINFO and NIOCCONFIG: which request each becomes, and what comes back into the caller's
 * struct.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user_memory.h"

#define NMR	(UM_BASE + 0x100)

static struct user_memory um;
static struct request req;

static struct nmreq *
legacy(const char *name)
{
	struct nmreq *nmr = um_at(&um, NMR);

	memset(&um, 0, sizeof(um));
	memcpy(nmr->nr_name, name, strlen(name) < 16 ? strlen(name) : 16);
	nmr->nr_version = NETMAP_API;
	nmr->nr_offset = 1;
	nmr->nr_memsize = 2;
	nmr->nr_tx_slots = 3;
	nmr->nr_rx_slots = 4;
	nmr->nr_tx_rings = 5;
	nmr->nr_rx_rings = 6;
	nmr->nr_arg2 = 7;
	nmr->nr_arg3 = 8;
	return nmr;
}

/* Gathers, and expects what came out to pass the engine's check as it is. */
static int
gather(uint32_t cmd)
{
	struct request_io io = um_io(&um);
	struct request_msg copy;
	int error = request_gather_ioctl(&io, cmd, NMR, &req);

	if (error)
		return error;
	copy = req.msg;
	assert_int_equal(request_check(&copy, req.len), 0);
	assert_memory_equal(&copy, &req.msg, req.len);
	return 0;
}

static int
writeback(int error)
{
	struct request_io io = um_io(&um);

	return request_writeback(&io, &req, error);
}

static struct nmreq_register *
registered(void)
{
	assert_int_equal(req.msg.hdr.nr_reqtype, NETMAP_REQ_REGISTER);
	return request_body(&req.msg);
}

static void
test_versions(void **state)
{
	static const struct { uint32_t version; int error; } rows[] = {
		{ 0, -EINVAL }, { 11, -EINVAL }, { 13, -EINVAL },
		{ 14, 0 }, { 15, 0 }, { 16, 0 }, { 0xffffffff, 0 },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nmreq *nmr = legacy("eth0"), before;

		nmr->nr_version = rows[i].version;
		before = *nmr;
		assert_int_equal(gather(NIOCREGIF), rows[i].error);
		assert_int_equal(gather(NIOCGINFO), rows[i].error);
		assert_int_equal(writeback(-EINVAL), -EINVAL);
		assert_memory_equal(nmr, &before, sizeof(before));
	}
}

static void
test_register(void **state)
{
	struct nmreq *nmr = legacy("vale0:a"), before;
	struct nmreq_register *reg;

	nmr->nr_arg1 = 4;
	assert_int_equal(gather(NIOCREGIF), 0);
	reg = registered();
	assert_int_equal(req.msg.hdr.nr_version, NETMAP_API);
	assert_string_equal(req.msg.hdr.nr_name, "vale0:a");
	assert_int_equal(reg->nr_tx_slots, 3);
	assert_int_equal(reg->nr_rx_slots, 4);
	assert_int_equal(reg->nr_tx_rings, 5);
	assert_int_equal(reg->nr_rx_rings, 6);
	assert_int_equal(reg->nr_host_tx_rings, 0);
	assert_int_equal(reg->nr_host_rx_rings, 0);
	assert_int_equal(reg->nr_mem_id, 7);
	assert_int_equal(reg->nr_extra_bufs, 8);
	assert_int_equal(reg->nr_mode, NR_REG_ALL_NIC);

	before = *nmr;
	*reg = (struct nmreq_register){ .nr_offset = 0x100000010, .nr_memsize = 0x300000020,
	    .nr_tx_slots = 30, .nr_rx_slots = 40, .nr_tx_rings = 50, .nr_rx_rings = 60, .nr_mem_id = 70,
	    .nr_extra_bufs = 80,
	    .nr_ringid = 99, .nr_mode = 99, .nr_flags = 99, .nr_host_tx_rings = 9 };
	assert_int_equal(writeback(0), 0);
	before.nr_offset = 0x10;
	before.nr_memsize = 0x20;
	before.nr_tx_slots = 30;
	before.nr_rx_slots = 40;
	before.nr_tx_rings = 50;
	before.nr_rx_rings = 60;
	before.nr_arg2 = 70;
	before.nr_arg3 = 80;
	assert_memory_equal(nmr, &before, sizeof(before));
}

static void
test_register_fails(void **state)
{
	struct nmreq *nmr = legacy("vale0:a"), before = *nmr;

	assert_int_equal(gather(NIOCREGIF), 0);
	memset(req.msg.data, 0xff, sizeof(req.msg.data));
	assert_int_equal(writeback(-EBUSY), -EBUSY);
	assert_memory_equal(nmr, &before, sizeof(before));
	um.no_write = (struct um_range){ NMR, 60 };
	assert_int_equal(writeback(-EBUSY), -EBUSY);
	assert_int_equal(writeback(0), -EFAULT);
}

static void
test_modes(void **state)
{
	static const struct {
		uint32_t flags;
		uint16_t ringid;
		uint32_t mode;
		uint16_t want_ringid;
		uint64_t want_flags;
		const char *name;
	} rows[] = {
		/* mode 0: by the bits of nr_ringid */
		{ 0, 0, NR_REG_ALL_NIC, 0, 0, "p" },
		{ 0, NETMAP_HW_RING | 3, NR_REG_ONE_NIC, 3, 0, "p" },
		{ 0, NETMAP_SW_RING, NR_REG_SW, 0, 0, "p" },
		{ 0, NETMAP_SW_RING | NETMAP_HW_RING, NR_REG_SW, 0, 0, "p" },
		{ 0, NETMAP_NO_TX_POLL, NR_REG_ALL_NIC, 0, NR_NO_TX_POLL, "p" },
		{ 0, NETMAP_DO_RX_POLL | NETMAP_HW_RING | 0xfff, NR_REG_ONE_NIC, 0xfff, NR_DO_RX_POLL, "p" },
		/* given */
		{ NR_REG_ALL_NIC, NETMAP_SW_RING | 2, NR_REG_ALL_NIC, 2, 0, "p" },
		{ NR_REG_SW, 0, NR_REG_SW, 0, 0, "p" },
		{ NR_REG_NIC_SW, 0, NR_REG_NIC_SW, 0, 0, "p" },
		{ NR_REG_ONE_NIC | NR_EXCLUSIVE, 1, NR_REG_ONE_NIC, 1, NR_EXCLUSIVE, "p" },
		{ NR_REG_NULL, 0, NR_REG_NULL, 0, 0, "p" },
		{ NR_REG_ONE_SW, 1, NR_REG_ONE_SW, 1, 0, "p" },
		{ 15, 0, 15, 0, 0, "p" },
		{ NR_REG_ALL_NIC | NR_DO_RX_POLL | NR_NO_TX_POLL | NR_ZCOPY_MON | NR_TX_RINGS_ONLY, 0,
		    NR_REG_ALL_NIC, 0,
		    NR_DO_RX_POLL | NR_NO_TX_POLL | NR_ZCOPY_MON | NR_TX_RINGS_ONLY, "p" },
		/* pipes */
		{ NR_REG_PIPE_MASTER, 0, NR_REG_ALL_NIC, 0, 0, "p{0" },
		{ NR_REG_PIPE_MASTER, 9, NR_REG_ALL_NIC, 0, 0, "p{9" },
		{ NR_REG_PIPE_SLAVE | NR_EXCLUSIVE, 10, NR_REG_ALL_NIC, 0, NR_EXCLUSIVE, "p}10" },
		{ NR_REG_PIPE_SLAVE, NETMAP_NO_TX_POLL | 4095, NR_REG_ALL_NIC, 0, NR_NO_TX_POLL, "p}4095" },
		{ NR_REG_PIPE_MASTER, 100, NR_REG_ALL_NIC, 0, 0, "p{100" },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nmreq *nmr = legacy("p");
		struct nmreq_register *reg;

		nmr->nr_flags = rows[i].flags;
		nmr->nr_ringid = rows[i].ringid;
		assert_int_equal(gather(NIOCREGIF), 0);
		reg = registered();
		assert_int_equal(reg->nr_mode, rows[i].mode);
		assert_int_equal(reg->nr_ringid, rows[i].want_ringid);
		assert_int_equal(reg->nr_flags, rows[i].want_flags);
		assert_string_equal(req.msg.hdr.nr_name, rows[i].name);
		assert_int_equal(writeback(0), 0);
		assert_string_equal(nmr->nr_name, "p");
		assert_int_equal(nmr->nr_flags, rows[i].flags);
		assert_int_equal(nmr->nr_ringid, rows[i].ringid);
	}
}

/* The field may be full: what is in it ends at 15 characters, and a pipe's id still fits behind. */
static void
test_long_name(void **state)
{
	struct nmreq *nmr = legacy("abcdefghijklmnop");

	assert_int_equal(gather(NIOCREGIF), 0);
	assert_string_equal(req.msg.hdr.nr_name, "abcdefghijklmno");
	nmr->nr_flags = NR_REG_PIPE_SLAVE;
	nmr->nr_ringid = 4095;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_string_equal(req.msg.hdr.nr_name, "abcdefghijklmno}4095");
}

static void
test_commands(void **state)
{
	static const struct { uint16_t cmd; int result; } rows[] = {	/* request type, or error */
		{ 0, NETMAP_REQ_REGISTER },
		{ NETMAP_BDG_ATTACH, NETMAP_REQ_VALE_ATTACH },
		{ NETMAP_BDG_DETACH, NETMAP_REQ_VALE_DETACH },
		{ NETMAP_BDG_REGOPS, -EINVAL },
		{ NETMAP_BDG_LIST, -EINVAL },
		{ NETMAP_BDG_VNET_HDR, NETMAP_REQ_PORT_HDR_SET },
		{ NETMAP_BDG_NEWIF, NETMAP_REQ_VALE_NEWIF },
		{ NETMAP_BDG_DELIF, NETMAP_REQ_VALE_DELIF },
		{ NETMAP_PT_HOST_CREATE, -ENOMEM },
		{ NETMAP_PT_HOST_DELETE, -ENOMEM },
		{ NETMAP_BDG_POLLING_ON, NETMAP_REQ_VALE_POLLING_ENABLE },
		{ NETMAP_BDG_POLLING_OFF, NETMAP_REQ_VALE_POLLING_DISABLE },
		{ NETMAP_VNET_HDR_GET, NETMAP_REQ_PORT_HDR_GET },
		{ 13, -EINVAL },
		{ 0xffff, -EINVAL },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nmreq *nmr = legacy("vale0:x"), before;
		int error;

		nmr->nr_cmd = rows[i].cmd;
		before = *nmr;
		error = gather(NIOCREGIF);
		assert_int_equal(error, rows[i].result < 0 ? rows[i].result : 0);
		if (error == 0)
			assert_int_equal(req.msg.hdr.nr_reqtype, rows[i].result);
		assert_int_equal(writeback(-EPERM), -EPERM);
		assert_memory_equal(nmr, &before, sizeof(before));
	}
}

static void
test_attach(void **state)
{
	struct nmreq *nmr = legacy("vale0:eth0");
	struct nmreq_vale_attach *att;

	nmr->nr_cmd = NETMAP_BDG_ATTACH;
	nmr->nr_flags = NR_REG_NULL;
	assert_int_equal(gather(NIOCREGIF), 0);
	att = request_body(&req.msg);
	assert_int_equal(att->reg.nr_mode, NR_REG_ALL_NIC);
	assert_int_equal(att->reg.nr_mem_id, 7);
	nmr->nr_arg1 = NETMAP_BDG_HOST;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(att->reg.nr_mode, NR_REG_NIC_SW);
}

static void
test_newif(void **state)
{
	struct nmreq *nmr = legacy("v0");
	struct nmreq_vale_newif *vi = (void *)req.msg.data;

	nmr->nr_cmd = NETMAP_BDG_NEWIF;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(vi->nr_tx_slots, 3);
	assert_int_equal(vi->nr_rx_slots, 4);
	assert_int_equal(vi->nr_tx_rings, 5);
	assert_int_equal(vi->nr_rx_rings, 6);
	assert_int_equal(vi->nr_mem_id, 7);
	vi->nr_tx_slots = 1024;
	vi->nr_mem_id = 12;
	assert_int_equal(writeback(0), 0);
	assert_int_equal(nmr->nr_tx_slots, 1024);
	assert_int_equal(nmr->nr_rx_slots, 4);
	assert_int_equal(nmr->nr_arg2, 12);
}

static void
test_vnet_hdr(void **state)
{
	struct nmreq *nmr = legacy("vale0:x");
	struct nmreq_port_hdr *ph = (void *)req.msg.data;

	nmr->nr_cmd = NETMAP_BDG_VNET_HDR;
	nmr->nr_arg1 = 12;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(ph->nr_hdr_len, 12);
	nmr->nr_cmd = NETMAP_VNET_HDR_GET;
	assert_int_equal(gather(NIOCREGIF), 0);
	ph->nr_hdr_len = 10;
	assert_int_equal(writeback(0), 0);
	assert_int_equal(nmr->nr_arg1, 10);
}

static void
test_polling(void **state)
{
	struct nmreq *nmr = legacy("vale0:eth0");
	struct nmreq_vale_polling *poll = (void *)req.msg.data;

	nmr->nr_cmd = NETMAP_BDG_POLLING_ON;
	nmr->nr_flags = NR_REG_ONE_NIC;
	nmr->nr_ringid = 2;
	nmr->nr_arg1 = 1;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(poll->nr_mode, NETMAP_POLLING_MODE_SINGLE_CPU);
	assert_int_equal(poll->nr_first_cpu_id, 2);
	assert_int_equal(poll->nr_num_polling_cpus, 1);
	nmr->nr_flags = NR_REG_ALL_NIC;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(poll->nr_mode, NETMAP_POLLING_MODE_MULTI_CPU);
	nmr->nr_flags = NR_REG_SW;
	assert_int_equal(gather(NIOCREGIF), 0);
	assert_int_equal(poll->nr_mode, 0);
}

static void
test_info(void **state)
{
	struct nmreq *nmr = legacy("eth0"), before = *nmr;
	struct nmreq_port_info_get *info = (void *)req.msg.data;

	assert_int_equal(gather(NIOCGINFO), 0);
	assert_int_equal(req.msg.hdr.nr_reqtype, NETMAP_REQ_PORT_INFO_GET);
	assert_int_equal(info->nr_mem_id, 7);
	*info = (struct nmreq_port_info_get){ .nr_memsize = 0x900000001, .nr_tx_slots = 1, .nr_rx_slots = 2,
	    .nr_tx_rings = 3, .nr_rx_rings = 4, .nr_host_tx_rings = 5, .nr_host_rx_rings = 6, .nr_mem_id = 77 };
	assert_int_equal(writeback(0), 0);
	before.nr_memsize = 1;
	before.nr_tx_slots = 1;
	before.nr_rx_slots = 2;
	before.nr_tx_rings = 3;
	before.nr_rx_rings = 4;
	before.nr_arg2 = 77;
	assert_memory_equal(nmr, &before, sizeof(before));
}

/* Programs ask with an empty name whether there is a netmap at all. */
static void
test_info_probe(void **state)
{
	struct nmreq *nmr = um_at(&um, NMR);

	memset(&um, 0, sizeof(um));
	nmr->nr_version = NETMAP_API;
	assert_int_equal(gather(NIOCGINFO), 0);
	assert_int_equal(req.msg.hdr.nr_reqtype, NETMAP_REQ_PORT_INFO_GET);
	assert_string_equal(req.msg.hdr.nr_name, "");
	((struct nmreq_port_info_get *)request_body(&req.msg))->nr_memsize = 4096;
	assert_int_equal(writeback(0), 0);
	assert_int_equal(nmr->nr_memsize, 4096);
	assert_int_equal(nmr->nr_version, NETMAP_API);
	assert_string_equal(nmr->nr_name, "");
}

static void
test_list(void **state)
{
	struct nmreq *nmr = legacy("");
	struct nmreq_vale_list *list = (void *)req.msg.data;

	nmr->nr_cmd = NETMAP_BDG_LIST;
	nmr->nr_arg1 = 2;
	nmr->nr_arg2 = 3;
	assert_int_equal(gather(NIOCGINFO), 0);
	assert_int_equal(req.msg.hdr.nr_reqtype, NETMAP_REQ_VALE_LIST);
	assert_int_equal(list->nr_bridge_idx, 2);
	assert_int_equal(list->nr_port_idx, 3);
	list->nr_bridge_idx = 4;
	list->nr_port_idx = 5;
	strcpy(req.msg.hdr.nr_name, "vale_long_name1:port");
	assert_int_equal(writeback(0), 0);
	assert_int_equal(nmr->nr_arg1, 4);
	assert_int_equal(nmr->nr_arg2, 5);
	assert_string_equal(nmr->nr_name, "vale_long_name1");
	assert_int_equal(nmr->nr_memsize, 2);
}

static void
test_config(void **state)
{
	struct nm_ifreq *ifr = um_at(&um, NMR), *body;

	memset(&um, 0, sizeof(um));
	memset(ifr, 'x', sizeof(*ifr));
	memcpy(ifr->nifr_name, "vale0:", 7);
	assert_int_equal(gather(NIOCCONFIG), 0);
	assert_int_equal(req.msg.kind, REQUEST_CONFIG);
	assert_string_equal(req.msg.hdr.nr_name, "vale0:");
	body = request_body(&req.msg);
	assert_memory_equal(body, ifr, sizeof(*ifr));
	body->data[255] = 'y';
	assert_int_equal(request_finish(&req.msg, 0), 0);
	assert_int_equal(writeback(0), 0);
	assert_int_equal(ifr->data[255], 'y');
	body->data[255] = 'z';
	assert_int_equal(writeback(-EINVAL), -EINVAL);
	assert_int_equal(ifr->data[255], 'y');
	um.no_read = (struct um_range){ NMR + 271, 1 };
	assert_int_equal(gather(NIOCCONFIG), -EFAULT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_register_fails),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_newif),
		cmocka_unit_test(test_vnet_hdr),
		cmocka_unit_test(test_polling),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_probe),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
