/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program gets for a bad request: the error tables of NIOCCTRL and of the older requests, as errno. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NETMAP_WITH_LIBS
#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define BAD_POINTER	UINT64_C(0x1000)	/* nothing is ever mapped there */

static struct nmreq_register
all_rings(void)
{
	return (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
}

static struct nmreq_header
header(uint16_t type, const char *name, void *body)
{
	struct nmreq_header h;

	nmreq_header_init(&h, type, body);
	strncpy(h.nr_name, name, sizeof(h.nr_name) - 1);
	return h;
}

static void
ioctls(void)
{
	struct nmreq_register reg = all_rings();
	struct nmreq_header h = header(NETMAP_REQ_REGISTER, vale("a"), &reg);
	int fd = device_open();

	check_errno(ioctl(fd, _IO('i', 200), NULL), EOPNOTSUPP);
	check_errno(ioctl(fd, _IO('x', 1), &h), EOPNOTSUPP);
	check_errno(ioctl(fd, NIOCCTRL, NULL), EINVAL);
	check_errno(ioctl(fd, NIOCREGIF, NULL), EINVAL);
	check_errno(ioctl(fd, NIOCGINFO, NULL), EINVAL);
	check_errno(ioctl(fd, NIOCCONFIG, NULL), EINVAL);
	check_errno(ioctl(fd, NIOCCTRL, (void *)(uintptr_t)BAD_POINTER), EFAULT);
	check_errno(ioctl(fd, NIOCREGIF, (void *)(uintptr_t)BAD_POINTER), EFAULT);
	check_errno(ioctl(fd, NIOCGINFO, (void *)(uintptr_t)BAD_POINTER), EFAULT);
	check_errno(ioctl(fd, NIOCCONFIG, (void *)(uintptr_t)BAD_POINTER), EFAULT);
	/* The argument of the syncs is not looked at. */
	check_ok(ioctl(fd, NIOCCTRL, &h));
	check_ok(ioctl(fd, NIOCTXSYNC, (void *)(uintptr_t)BAD_POINTER));
	check_ok(ioctl(fd, NIOCRXSYNC, NULL));
}

/* A header across the end of the mapped memory. */
static void
half_mapped(void)
{
	struct nmreq_register reg = all_rings();
	struct nmreq_header h = header(NETMAP_REQ_REGISTER, vale("a"), &reg);
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = device_open();

	check(two != MAP_FAILED);
	check_ok(munmap(two + 4096, 4096));
	memcpy(two + 4096 - 40, &h, 40);
	check_errno(ioctl(fd, NIOCCTRL, two + 4096 - 40), EFAULT);
	h.nr_body = (uintptr_t)two + 4096 - 8;
	check_errno(ioctl(fd, NIOCCTRL, &h), EFAULT);
	/* The body cannot be written back. */
	memcpy(two, &reg, sizeof(reg));
	check_ok(mprotect(two, 4096, PROT_READ));
	h.nr_body = (uintptr_t)two;
	check_errno(ioctl(fd, NIOCCTRL, &h), EFAULT);
}

static void
envelope(void)
{
	struct nmreq_register reg = all_rings();
	struct nmreq_header h = header(NETMAP_REQ_REGISTER, vale("a"), &reg), sent;
	int fd = device_open();

	h.nr_version = NETMAP_MIN_API - 1;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	check_eq(h.nr_version, NETMAP_MIN_API - 1);
	h.nr_version = NETMAP_MAX_API + 1;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	h.nr_version = NETMAP_API;
	h.nr_reserved = 1;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	h.nr_reserved = 0;
	h.nr_body = 0;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	check_eq(h.nr_reserved, 0);
	h.nr_body = BAD_POINTER;
	check_errno(ioctl(fd, NIOCCTRL, &h), EFAULT);
	h.nr_body = (uintptr_t)&reg;
	h.nr_reqtype = 0;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	h.nr_reqtype = NETMAP_REQ_CSB_ENABLE + 1;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	h.nr_reqtype = NETMAP_REQ_VALE_DELIF;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	/* The last byte of the name is always the end. */
	h = header(NETMAP_REQ_REGISTER, "", &reg);
	memset(h.nr_name, 'x', sizeof(h.nr_name));
	check_errno(ioctl(fd, NIOCCTRL, &h), ENXIO);
	/* Nothing of all that has registered it; and what comes back is what was sent. */
	h = sent = header(NETMAP_REQ_REGISTER, vale("a"), &reg);
	h.nr_version = NETMAP_MAX_API;
	check_ok(ioctl(fd, NIOCCTRL, &h));
	check_eq(h.nr_body, sent.nr_body);
	check_eq(h.nr_options, 0);
	check(reg.nr_memsize > 0 && reg.nr_tx_slots == 1024 && reg.nr_rx_slots == 1024 &&
		reg.nr_tx_rings == 1);
	check_eq(reg.nr_host_tx_rings, 0);
}

static void
failed_body(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_SW, .nr_tx_slots = 77, .nr_memsize = 5 };
	int fd = device_open();

	check_eq(request_try(fd, NETMAP_REQ_REGISTER, vale("a"), &reg), -EINVAL);
	check(reg.nr_tx_slots == 77 && reg.nr_memsize == 5 && reg.nr_mem_id == 0);
}

static void
options(void)
{
	struct nmreq_register reg = all_rings();
	struct nmreq_header h = header(NETMAP_REQ_REGISTER, vale("a"), &reg);
	struct nmreq_option unknown = { .nro_reqtype = NETMAP_REQ_OPT_MAX + 3 };
	struct nmreq_opt_csb csb[2] = { 0 };
	struct nmreq_option many[99];
	int fd = device_open();

	h.nr_options = BAD_POINTER;
	check_errno(ioctl(fd, NIOCCTRL, &h), EFAULT);
	h.nr_options = (uintptr_t)&unknown;
	check_errno(ioctl(fd, NIOCCTRL, &h), EOPNOTSUPP);
	check_eq(unknown.nro_status, EOPNOTSUPP);
	/* The registration was undone. */
	check_errno(ioctl(fd, NIOCTXSYNC, NULL), ENXIO);
	unknown.nro_reqtype = 0;
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	check_eq(unknown.nro_status, EINVAL);
	/* Twice the same. */
	for (int i = 0; i < 2; i++)
		csb[i].nro_opt = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_CSB };
	csb[0].nro_opt.nro_next = (uintptr_t)&csb[1];
	h.nr_options = (uintptr_t)&csb[0];
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	check_eq(csb[0].nro_opt.nro_status, EINVAL);
	check_eq(csb[1].nro_opt.nro_status, EINVAL);
	csb[0].nro_opt.nro_next = (uintptr_t)&csb[0];
	check_errno(ioctl(fd, NIOCCTRL, &h), EINVAL);
	/* Loops and long lists. */
	unknown = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_MAX, .nro_next = (uintptr_t)&unknown };
	h.nr_options = (uintptr_t)&unknown;
	check_errno(ioctl(fd, NIOCCTRL, &h), EMSGSIZE);
	memset(many, 0, sizeof(many));
	for (int i = 0; i < 99; i++)
		many[i] = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_MAX,
			.nro_next = (uintptr_t)&many[i + 1] };
	many[98].nro_next = (uintptr_t)&unknown;
	unknown = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS,
		.nro_size = 1000 };
	h.nr_options = (uintptr_t)&many[0];
	check_errno(ioctl(fd, NIOCCTRL, &h), EMSGSIZE);
	/* Other requests just say that nobody looked at it. */
	{
		struct nmreq_port_info_get info = { 0 };

		h = header(NETMAP_REQ_PORT_INFO_GET, vale("a"), &info);
		unknown = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_MAX };
		h.nr_options = (uintptr_t)&unknown;
		check_ok(ioctl(fd, NIOCCTRL, &h));
		check_eq(unknown.nro_status, EOPNOTSUPP);
		check_eq(info.nr_tx_slots, 1024);
	}
}

/* One REGISTER on a fresh descriptor. */
static int
try(const char *name, struct nmreq_register reg)
{
	int fd = device_open(), err = request_try(fd, NETMAP_REQ_REGISTER, name, &reg);

	close(fd);
	return err;
}

#define TRY(name_, ...) try(name_, (struct nmreq_register){ __VA_ARGS__ })

static void
registration(void)
{
	static const char *const no_vale[] = { "vale", "value0", "valex", "nosuchif", "vale-a:b" };
	const char *a = vale("a");
	struct port p;
	char name[64];

	check_eq(TRY(a, .nr_mode = NR_REG_DEFAULT), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_PIPE_MASTER), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_PIPE_SLAVE), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_ONE_SW + 1), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_SW), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_NIC_SW), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_ONE_SW), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_ALL_NIC, .nr_mem_id = 65000), -EINVAL);
	for (size_t i = 0; i < sizeof(no_vale) / sizeof(no_vale[0]); i++)
		check_eq(TRY(no_vale[i], .nr_mode = NR_REG_ALL_NIC), -ENXIO);
	check_eq(TRY("vale0:", .nr_mode = NR_REG_ALL_NIC), -EINVAL);
	check_eq(TRY("vale0:lo", .nr_mode = NR_REG_ALL_NIC), -EINVAL);
	check_eq(TRY("valeABCDEFGHIJKLMNOP:x", .nr_mode = NR_REG_ALL_NIC), -ENOMEM);
	snprintf(name, sizeof(name), "%s{", a);
	check_eq(TRY(name, .nr_mode = NR_REG_ALL_NIC), -EINVAL);
	check_eq(TRY("{1", .nr_mode = NR_REG_ALL_NIC), -EINVAL);
	snprintf(name, sizeof(name), "%s{1", a);
	check_eq(TRY(name, .nr_mode = NR_REG_NIC_SW), -EINVAL);
	check_eq(TRY(name, .nr_mode = NR_REG_SW), -EINVAL);
	/* None of them has left a port. */
	check(vale_index(a) < 0);
	/* Rings that are there, and rings that are not. */
	port_open_as(&p, a, &(struct nmreq_register){ .nr_tx_rings = 2, .nr_rx_rings = 4 });
	check_eq(TRY(a, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 4), -EINVAL);
	check_eq(TRY(a, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 3), 0);
}

/* Of requests about interfaces on a switch, what needs no interface; the others are in tests/engine/attach.c. */
static void
attaching(void)
{
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_polling polling = { .nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU, .nr_num_polling_cpus = 1 };
	struct nmreq_vale_detach detach = { 0 };
	char absent[NETMAP_REQ_IFNAMSIZ];
	struct port p;
	int fd = device_open();

	port_open(&p, vale("a"));
	snprintf(absent, sizeof(absent), "%s", vale("no-interface"));
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, absent, &attach), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, "no-interface", &attach), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, vale("a"), &attach), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, absent, &detach), -ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, "no-interface", &detach), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, vale("a"), &detach), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_POLLING_ENABLE, absent, &polling), -ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_VALE_POLLING_DISABLE, "no-interface", &polling), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_POLLING_ENABLE, vale("a"), &polling), -EOPNOTSUPP);
}

static void
persistent(void)
{
	struct nmreq_vale_newif newif = { .nr_tx_slots = 64, .nr_rx_rings = 2 };
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_detach detach = { 0 };
	struct port p, pipe;
	char on_one[64], on_two[64], name[16];
	int fd = device_open();

	/* Interfaces come before ports of their name: one that nobody has. */
	snprintf(name, sizeof(name), "vi%d", (int)getpid());
	snprintf(on_one, sizeof(on_one), "vale%d:%s", (int)getpid(), name);
	snprintf(on_two, sizeof(on_two), "vale%d_2:%s", (int)getpid(), name);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -ENXIO);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, "lo", NULL), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, "lo", &newif), -EEXIST);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, "vale-x", &newif), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, "sixteen_letters_", &newif), -EINVAL);
	newif.nr_mem_id = 60000;
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, name, &newif), -EINVAL);
	newif.nr_mem_id = 0;
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, name, &newif), 0);
	check(newif.nr_tx_slots == 64 && newif.nr_rx_slots == 1024 && newif.nr_tx_rings == 1 &&
		newif.nr_rx_rings == 2 && newif.nr_mem_id > 1);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, name, &newif), -EEXIST);

	port_open(&p, name);
	check_eq(p.reg.nr_mem_id, newif.nr_mem_id);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, on_one, &attach), -EBUSY);
	port_close(&p);
	check_eq(TRY(on_one, .nr_mode = NR_REG_ALL_NIC), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, on_one, &attach), 0);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, on_one, &attach), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, on_two, &attach), 0);
	check_eq(TRY(name, .nr_mode = NR_REG_ALL_NIC), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, on_one, &detach), -EBUSY);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, on_two, &detach), 0);
	port_open(&p, on_one);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, on_one, &detach), 0);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, on_one, &detach), -ENXIO);
	port_close(&p);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), 0);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -ENXIO);
	check_eq(TRY(name, .nr_mode = NR_REG_ALL_NIC), -ENXIO);

	/* What a pipe got as its parent. */
	snprintf(on_one, sizeof(on_one), "%s{1", name);
	port_open(&pipe, on_one);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, name, &newif), -EEXIST);
}

static void
later_features(void)
{
	struct nmreq_sync_kloop_start start = { 0 };
	struct port p;

	port_open(&p, vale("a"));
	check_eq(request_try(p.fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start), -EINVAL);
}

static void
exclusive(void)
{
	const struct nmreq_register alone = { .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1,
		.nr_flags = NR_EXCLUSIVE, .nr_tx_rings = 3,
		.nr_rx_rings = 3 };
	struct port p, q;

	port_open_as(&p, vale("a"), &alone);
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ALL_NIC), -EBUSY);
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1), -EBUSY);
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1, .nr_flags = NR_TX_RINGS_ONLY),
		-EBUSY);
	port_open_as(&q, vale("a"), &(struct nmreq_register){ .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 2 });
	/* It has a user already. */
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 2, .nr_flags = NR_EXCLUSIVE), -EBUSY);
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 0, .nr_flags = NR_EXCLUSIVE), 0);
	port_close(&p);
	check_eq(TRY(vale("a"), .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1), 0);
}

static void
lists(void)
{
	struct nmreq_vale_list list = { 0 };
	struct nmreq_header h;
	struct port a, b;
	bool seen[2] = { false, false };
	int fd = device_open();

	check_eq(request_try(fd, NETMAP_REQ_VALE_LIST, "eth0", &list), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_VALE_LIST, vale("a"), &list), -ENOENT);
	port_open_two(&a, &b);
	check_eq(vale_index(vale("a")), 0);
	check_eq(vale_index(vale("b")), 1);
	check_eq(request_try(fd, NETMAP_REQ_VALE_LIST, vale("c"), &list), 0);
	check_eq(list.nr_port_idx, 255);
	list = (struct nmreq_vale_list){ 0 };
	for (;;) {
		h = header(NETMAP_REQ_VALE_LIST, "", &list);
		if (ioctl(fd, NIOCCTRL, &h) != 0)
			break;
		seen[0] |= strcmp(h.nr_name, vale("a")) == 0;
		seen[1] |= strcmp(h.nr_name, vale("b")) == 0;
		list.nr_port_idx++;
	}
	check_eq(errno, ENOENT);
	check(seen[0] && seen[1]);
}

static void
infos(void)
{
	struct nmreq_port_info_get info = { 0 };
	struct nmreq_pools_info pools = { 0 };
	struct port p;
	int fd = device_open();

	check_eq(request_try(fd, NETMAP_REQ_PORT_INFO_GET, "nosuchif", &info), -ENXIO);
	info = (struct nmreq_port_info_get){ .nr_mem_id = 65000 };
	check_eq(request_try(fd, NETMAP_REQ_PORT_INFO_GET, "", &info), -EINVAL);
	check_eq(request_try(fd, NETMAP_REQ_POOLS_INFO_GET, "", &pools), -ENXIO);
	/* Made for the answer, and gone with it. */
	info = (struct nmreq_port_info_get){ 0 };
	check_eq(request_try(fd, NETMAP_REQ_PORT_INFO_GET, vale("a"), &info), 0);
	check_eq(info.nr_rx_slots, 1024);
	check(vale_index(vale("a")) < 0);
	info = (struct nmreq_port_info_get){ 0 };
	port_open_as(&p, vale("a"), &(struct nmreq_register){ .nr_tx_slots = 100, .nr_rx_slots = 200,
		.nr_rx_rings = 2 });
	check_eq(request_try(fd, NETMAP_REQ_PORT_INFO_GET, vale("a"), &info), 0);
	check(info.nr_memsize == p.reg.nr_memsize && info.nr_mem_id == p.reg.nr_mem_id);
	check(info.nr_tx_slots == 100 && info.nr_rx_slots == 200 && info.nr_rx_rings == 2 &&
		info.nr_tx_rings == 1);
	check_eq(request_try(fd, NETMAP_REQ_POOLS_INFO_GET, vale("a"), &pools), 0);
	check_eq(pools.nr_memsize, info.nr_memsize);
	check(pools.nr_buf_pool_objsize == port_tx(&p, 0)->nr_buf_size);
	check(pools.nr_if_pool_offset == 0 && pools.nr_ring_pool_offset > 0 &&
		pools.nr_buf_pool_offset > pools.nr_ring_pool_offset);
	check(pools.nr_buf_pool_offset + (uint64_t)pools.nr_buf_pool_objtotal * pools.nr_buf_pool_objsize <=
		pools.nr_memsize);
	check_eq((char *)port_tx(&p, 0) + port_tx(&p, 0)->buf_ofs - p.mem, pools.nr_buf_pool_offset);
}

static struct nmreq
old(const char *name)
{
	struct nmreq r = { .nr_version = NETMAP_API };

	strncpy(r.nr_name, name, sizeof(r.nr_name) - 1);
	return r;
}

static void
legacy(void)
{
	struct nm_ifreq config = { .nifr_name = "vale0:" };
	struct nmreq r;
	int fd = device_open();

	/* What programs ask first: is there netmap, and which version? */
	r = old("");
	check_ok(ioctl(fd, NIOCGINFO, &r));
	check_eq(r.nr_version, NETMAP_API);
	r = old(vale("a"));
	r.nr_version = NETMAP_API - 1;
	check_errno(ioctl(fd, NIOCREGIF, &r), EINVAL);
	check_errno(ioctl(fd, NIOCGINFO, &r), EINVAL);
	r = old("nosuchif");
	check_errno(ioctl(fd, NIOCGINFO, &r), ENXIO);
	r = old(vale("a"));
	check_ok(ioctl(fd, NIOCGINFO, &r));
	check_eq(r.nr_tx_slots, 1024);
	r = old("");
	r.nr_cmd = NETMAP_BDG_REGOPS;
	check_errno(ioctl(fd, NIOCREGIF, &r), EINVAL);
	r.nr_cmd = NETMAP_PT_HOST_CREATE;
	check_errno(ioctl(fd, NIOCREGIF, &r), ENOMEM);
	check_errno(ioctl(fd, NIOCCONFIG, &config), EINVAL);
	r = old(vale("a"));
	r.nr_version = 99;
	r.nr_arg3 = 10;
	check_ok(ioctl(fd, NIOCREGIF, &r));
	check_eq(r.nr_version, 99);
	check(r.nr_memsize > 0 && r.nr_tx_rings == 1 && r.nr_arg2 != 0 && r.nr_arg3 == 10);
	check_errno(ioctl(fd, NIOCREGIF, &r), EBUSY);
	check_errno(ioctl(fd, NIOCREGIF, NULL), EINVAL);
}

/* The message of a name that cannot be parsed says where. */
static char error_text[512];

static void
error_keep(struct nmctx *ctx, const char *text)
{
	snprintf(error_text, sizeof(error_text), "%s", text);
}

static void
names(void)
{
	static const char *const bad[] = { "eth0", "", "netmapXXX:eth0", "netmap:", "netmap:^", "netmap:{",
		"netmap:pipe{1}2", "netmap:eth0-",
		"vale0:a/q", "vale0:a/", "vale0:a@", "vale0:a@2/R@3", "vale0:a-x" };

	nmctx_get()->error = error_keep;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_text[0] = '\0';
		errno = 0;
		check(nmport_open(bad[i]) == NULL);
		if (errno != EINVAL || error_text[0] == '\0')
			check_failed(__FILE__, __LINE__, "\"%s\": errno %d, message \"%s\"", bad[i], errno,
				error_text);
	}
	errno = 5;
	check(nm_open("eth0", NULL, 0, NULL) == NULL);
	check_eq(errno, 0);
	check(nm_open("netmap:", NULL, 0, NULL) == NULL);
	check_eq(errno, EINVAL);
	check(nm_open("netmap:nosuchif", NULL, 0, NULL) == NULL);
	check_eq(errno, ENXIO);
}

static const struct test_case cases[] = {
	{ "ioctls", ioctls, 0, false },
	{ "half_mapped", half_mapped, 0, false },
	{ "envelope", envelope, 0, false },
	{ "failed_body", failed_body, 0, false },
	{ "options", options, 0, false },
	{ "registration", registration, 0, false },
	{ "attaching", attaching, 0, false },
	{ "persistent", persistent, 0, false },
	{ "later_features", later_features, 0, false },
	{ "exclusive", exclusive, 0, false },
	{ "lists", lists, 0, false },
	{ "infos", infos, 0, false },
	{ "legacy", legacy, 0, false },
	{ "names", names, 0, false },
};

/* Refused requests are logged with their reasons: the texts are other tests' business. */
static const char *const expected_log[] = { "request", "(error ", "persistent port ", ": interface attached, ", ": interface detached, ",
	NULL };

TEST_MAIN(cases, expected_log)
