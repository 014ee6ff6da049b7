/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors that have nothing to do with a kind of port: of the calls, of the header and its options, of the older requests, of a descriptor. */
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "errno_row.h"
#include "harness.h"
#include "port.h"

#define BAD_POINTER	((void *)(uintptr_t)0x1000)	/* nothing is ever mapped there */
#define NO_REGION	65000

static struct nmreq_header
header(uint16_t type, const char *name, void *body)
{
	struct nmreq_header h;

	nmreq_header_init(&h, type, body);
	strncpy(h.nr_name, name, sizeof(h.nr_name) - 1);
	return h;
}

void
errno_ioctls(void)
{
	static const struct {
		const char *name;
		unsigned long number;
	} with_argument[] = {
		{ "NIOCCTRL", NIOCCTRL }, { "NIOCREGIF", NIOCREGIF }, { "NIOCGINFO", NIOCGINFO }, { "NIOCCONFIG", NIOCCONFIG },
	};
	int fd = device_open();
	char text[64];

	errno_section("ioctls");
	ROW("unknown ioctl", EOPNOTSUPP, ERRNO_OF(ioctl(fd, _IO('i', 200), NULL)));
	ROW("ioctl of another device", EOPNOTSUPP, ERRNO_OF(ioctl(fd, _IO('x', 1), NULL)));
	for (unsigned i = 0; i < sizeof(with_argument) / sizeof(with_argument[0]); i++) {
		snprintf(text, sizeof(text), "%s without an argument", with_argument[i].name);
		ROW(text, EINVAL, ERRNO_OF(ioctl(fd, with_argument[i].number, NULL)));
		snprintf(text, sizeof(text), "%s with a bad pointer", with_argument[i].name);
		ROW(text, EFAULT, ERRNO_OF(ioctl(fd, with_argument[i].number, BAD_POINTER)));
	}
	ROW("read", EINVAL, ERRNO_OF(read(fd, text, 1)));
	ROW("write", EINVAL, ERRNO_OF(write(fd, text, 1)));
	errno_end();
}

static void
option_rows(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_option unknown = { .nro_reqtype = 0 }, many[99] = { 0 };
	struct nmreq_opt_csb csb[2] = { 0 };
	struct nmreq_port_info_get info = { 0 };
	struct nmreq_opt_sync_kloop_eventfds events = { .nro_opt.nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS };
	const char *name = vale("a");

#define WITH(options_)	req_with(-1, NETMAP_REQ_REGISTER, name, &reg, options_)
	ROW("unreadable option", EFAULT, WITH(BAD_POINTER));
	ROW("option of type 0", EINVAL, WITH(&unknown));
	ROW("  its status", EINVAL, (int)unknown.nro_status);
	unknown.nro_reqtype = NETMAP_REQ_OPT_MAX + 3;
	ROW("REGISTER with an option of an unknown type", EOPNOTSUPP, WITH(&unknown));
	ROW("  its status", EOPNOTSUPP, (int)unknown.nro_status);
	unknown.nro_status = 0;
	ROW("another request with such an option", 0, req_with(-1, NETMAP_REQ_PORT_INFO_GET, name, &info, &unknown));
	ROW("  its status", EOPNOTSUPP, (int)unknown.nro_status);
	csb[0].nro_opt = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_CSB, .nro_next = (uintptr_t)&csb[1] };
	csb[1].nro_opt = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_CSB };
	ROW("the same known option twice", EINVAL, WITH(&csb[0]));
	ROW("  the first one's status", EINVAL, (int)csb[0].nro_opt.nro_status);
	ROW("  the second one's status", EINVAL, (int)csb[1].nro_opt.nro_status);
	csb[0].nro_opt.nro_next = (uintptr_t)&csb[0];
	ROW("a known option that is its own successor", EINVAL, WITH(&csb[0]));
	unknown = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_MAX, .nro_next = (uintptr_t)&unknown };
	ROW("an unknown option that is its own successor", EMSGSIZE, WITH(&unknown));
	for (int i = 0; i < 99; i++)
		many[i] = (struct nmreq_option){ .nro_reqtype = NETMAP_REQ_OPT_MAX, .nro_next = (uintptr_t)(i < 98 ? &many[i + 1] : &events.nro_opt) };
	events.nro_opt.nro_size = 1000;
	ROW("99 options, then one of 1000 bytes", EMSGSIZE, WITH(&many[0]));
	events.nro_opt.nro_size = 5000;
	ROW("an option of more than 4096 bytes", EMSGSIZE, WITH(&events.nro_opt));
	many[3].nro_next = 0;
	ROW("four unknown options", EOPNOTSUPP, WITH(&many[0]));
#undef WITH
}

void
errno_envelope(void)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_header h = header(NETMAP_REQ_REGISTER, vale("a"), &reg);
	int fd = device_open();

	errno_section("header, any request");
#define SEND()	ERRNO_OF(ioctl(fd, NIOCCTRL, &h))
	h.nr_version = NETMAP_MIN_API - 1;
	ROW("nr_version below 14", EINVAL, SEND());
	VALUE("  nr_version is left as it was", NETMAP_MIN_API - 1, h.nr_version);
	h.nr_version = NETMAP_MAX_API + 1;
	ROW("nr_version above 15", EINVAL, SEND());
	h.nr_version = NETMAP_API;
	h.nr_reserved = 1;
	ROW("nr_reserved not 0", EINVAL, SEND());
	h.nr_reserved = 0;
	h.nr_body = 0;
	ROW("a body is needed and there is none", EINVAL, SEND());
	VALUE_DIFFERS("  nr_reserved afterwards", 1, 0, "the same struct could not be used again", (int)h.nr_reserved);
	h = header(NETMAP_REQ_VALE_DELIF, vale("a"), &reg);
	ROW("no body is needed and there is one", EINVAL, SEND());
	h = header(NETMAP_REQ_REGISTER, vale("a"), BAD_POINTER);
	ROW("unreadable body", EFAULT, SEND());
	h = header(0, vale("a"), &reg);
	ROW("request type 0", EINVAL, SEND());
	h.nr_reqtype = NETMAP_REQ_CSB_ENABLE + 1;
	ROW("request type behind the last", EINVAL, SEND());
#undef SEND
	option_rows();
	errno_end();
}

/* version 0: the one that there is. */
static int
old(unsigned long number, const char *name, struct nmreq r)
{
	int fd = device_open(), err;

	snprintf(r.nr_name, sizeof(r.nr_name), "%.15s", name);
	if (r.nr_version == 0)
		r.nr_version = NETMAP_API;
	err = ERRNO_OF(ioctl(fd, number, &r));
	close(fd);
	return err;
}

#define OLD(number_, name_, ...)	old(number_, name_, (struct nmreq){ __VA_ARGS__ })

void
errno_legacy(void)
{
	struct nm_ifreq config = { .nifr_name = "vale_none" };
	char name[16];
	int fd = device_open();

	snprintf(name, sizeof(name), "%.15s", vale("a"));
	errno_section("NIOCREGIF, NIOCGINFO");
	ROW("version below 14", EINVAL, OLD(NIOCREGIF, name, .nr_version = 13));
	ROW("a version of the future", 0, OLD(NIOCREGIF, name, .nr_version = 99));
	ROW("NIOCGINFO, version below 14", EINVAL, OLD(NIOCGINFO, name, .nr_version = 11));
	ROW("NIOCGINFO of a name that is nothing", ENXIO, OLD(NIOCGINFO, "no-such-port", .nr_cmd = 0));
	ROW("NIOCREGIF of a name that is nothing", ENXIO, OLD(NIOCREGIF, "no-such-port", .nr_cmd = 0));
	ROW("unknown region", EINVAL, OLD(NIOCREGIF, name, .nr_arg2 = NO_REGION));
	ROW("NETMAP_SW_RING without host rings", EINVAL, OLD(NIOCREGIF, name, .nr_ringid = NETMAP_SW_RING));
	ROW("NETMAP_HW_RING, no such ring", EINVAL, OLD(NIOCREGIF, name, .nr_ringid = NETMAP_HW_RING | 7));
	ROW("NETMAP_BDG_ATTACH of what is no interface", EINVAL, OLD(NIOCREGIF, "vale0:none", .nr_cmd = NETMAP_BDG_ATTACH));
	ROW("NETMAP_BDG_DETACH of what is not there", ENXIO, OLD(NIOCREGIF, "vale0:none", .nr_cmd = NETMAP_BDG_DETACH));
	ROW("NETMAP_BDG_REGOPS", EINVAL, OLD(NIOCREGIF, name, .nr_cmd = 3));
	ROW("NETMAP_BDG_LIST of a switch that is not there", ENOENT, OLD(NIOCGINFO, "vale_none:x", .nr_cmd = NETMAP_BDG_LIST));
	ROW("NETMAP_BDG_VNET_HDR on what is not there", ENXIO, OLD(NIOCREGIF, "vale0:none", .nr_cmd = NETMAP_BDG_VNET_HDR, .nr_arg1 = 12));
	ROW("NETMAP_BDG_NEWIF with a switch's name", EINVAL, OLD(NIOCREGIF, "vale0", .nr_cmd = NETMAP_BDG_NEWIF));
	ROW("NETMAP_BDG_DELIF of what is not there", ENXIO, OLD(NIOCREGIF, "no_such", .nr_cmd = NETMAP_BDG_DELIF));
	ROW("NETMAP_PT_HOST_CREATE", ENOMEM, OLD(NIOCREGIF, name, .nr_cmd = NETMAP_PT_HOST_CREATE));
	ROW("NETMAP_PT_HOST_DELETE", ENOMEM, OLD(NIOCREGIF, name, .nr_cmd = NETMAP_PT_HOST_DELETE));
	ROW("NETMAP_BDG_POLLING_ON of what is not there", ENXIO, OLD(NIOCREGIF, "vale0:none", .nr_cmd = NETMAP_BDG_POLLING_ON, .nr_arg1 = 1));
	errno_section("NIOCCONFIG");
	ROW("no switch of that name", EINVAL, ERRNO_OF(ioctl(fd, NIOCCONFIG, &config)));
	errno_end();
}

static void
csb_rows(const char *name, struct nmreq_opt_csb *opt, void *atok, void *ktoa)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE };
	struct nmreq_sync_kloop_start start = { .sleep_us = 100 };
	struct pollfd pfd;
	int fd = device_open();

	*opt = (struct nmreq_opt_csb){ .nro_opt.nro_reqtype = NETMAP_REQ_OPT_CSB, .csb_atok = (uintptr_t)atok, .csb_ktoa = (uintptr_t)ktoa };
	ROW("CSB_ENABLE on a descriptor that is not registered", 0, req_with(fd, NETMAP_REQ_CSB_ENABLE, "", NULL, opt));
	check_eq(req(fd, NETMAP_REQ_REGISTER, name, &reg), 0);
	ROW("CSB_ENABLE without the option", EINVAL, req(fd, NETMAP_REQ_CSB_ENABLE, name, NULL));
	ROW("SYNC_KLOOP_START before CSB mode", EINVAL, req(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start));
	check_eq(req_with(fd, NETMAP_REQ_CSB_ENABLE, name, NULL, opt), 0);
	ROW("NIOCTXSYNC in CSB mode", EBUSY, ERRNO_OF(ioctl(fd, NIOCTXSYNC, NULL)));
	ROW("NIOCRXSYNC in CSB mode", EBUSY, ERRNO_OF(ioctl(fd, NIOCRXSYNC, NULL)));
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	poll(&pfd, 1, 0);
	VALUE("poll in CSB mode: POLLERR", POLLERR, pfd.revents & POLLERR);
	start.sleep_us = 1000001;
	ROW("SYNC_KLOOP_START with more than a second", EINVAL, req(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start));
	start.sleep_us = 0;
	{
		struct nmreq_opt_sync_kloop_mode mode = { .nro_opt.nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_MODE, .mode = 4 };
		struct nmreq_opt_sync_kloop_eventfds events = { .nro_opt = { .nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, .nro_size = sizeof(events) } };

		ROW("SYNC_KLOOP_MODE with an unknown bit", EINVAL, req_with(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start, &mode));
		mode.mode = NM_OPT_SYNC_KLOOP_DIRECT_TX;
		ROW("SYNC_KLOOP_MODE, direct, without eventfds", EINVAL, req_with(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start, &mode));
		ROW("SYNC_KLOOP_EVENTFDS of the wrong size", EINVAL, req_with(fd, NETMAP_REQ_SYNC_KLOOP_START, "", &start, &events));
	}
	close(fd);
	ROW("SYNC_KLOOP_START on a descriptor that is not registered", ENXIO, req(-1, NETMAP_REQ_SYNC_KLOOP_START, "", &start));
	ROW("SYNC_KLOOP_STOP on a descriptor that is not registered", ENXIO, req(-1, NETMAP_REQ_SYNC_KLOOP_STOP, "", NULL));
	reg = (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
	ROW("CSB without NR_EXCLUSIVE", EINVAL, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, opt));
	reg.nr_flags = NR_EXCLUSIVE;
	opt->csb_atok += 8;
	ROW("CSB arrays not at multiples of 64", EINVAL, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, opt));
	opt->csb_atok = (uintptr_t)BAD_POINTER;
	ROW("CSB arrays that are not there", EFAULT, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, opt));
}

static void
offset_rows(const char *name)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_opt_offsets opt;
	struct port p;

	/* What came back of the last one is not asked for again. */
#define OFFSETS(...) (reg.nr_mem_id = 0, opt = (struct nmreq_opt_offsets){ .nro_opt.nro_reqtype = NETMAP_REQ_OPT_OFFSETS, __VA_ARGS__ }, \
	req_with(-1, NETMAP_REQ_REGISTER, name, &reg, &opt))
	ROW("OFFSETS, more than 64 bits", EINVAL, OFFSETS(.nro_offset_bits = 65));
	ROW("OFFSETS, the highest outside the buffer", EINVAL, OFFSETS(.nro_max_offset = 1u << 20));
	ROW("OFFSETS, the highest needs more bits", EINVAL, OFFSETS(.nro_max_offset = 256, .nro_offset_bits = 8));
	ROW("OFFSETS, the first above the highest", EINVAL, OFFSETS(.nro_max_offset = 64, .nro_initial_offset = 65));
	ROW("OFFSETS, 0 bits are 64", 0, OFFSETS(.nro_max_offset = 64));
	port_open(&p, name);
	ROW("OFFSETS on a ring whose user has none", EBUSY, OFFSETS(.nro_max_offset = 64));
	reg.nr_flags = NR_MONITOR_TX | NR_MONITOR_RX | NR_ZCOPY_MON;
	ROW("OFFSETS on a zero-copy monitor", EOPNOTSUPP, OFFSETS(.nro_max_offset = 64));
	ROW("  its status", EOPNOTSUPP, (int)opt.nro_opt.nro_status);
	port_close(&p);
#undef OFFSETS
}

static void
extmem_rows(const char *name)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_opt_extmem opt = { .nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM };
	size_t size = 64 << 20;
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mem != MAP_FAILED);
	opt.nro_usrptr = (uintptr_t)BAD_POINTER;
	opt.nro_info.nr_memsize = size;
	ROW("EXTMEM, a range that cannot be read", EFAULT, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, &opt));
	opt.nro_usrptr = (uintptr_t)mem;
	opt.nro_info.nr_memsize = 1 << 16;
	ROW("EXTMEM, too little for the pools", ENOMEM, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, &opt));
	opt.nro_info.nr_memsize = size;
	ROW("EXTMEM", 0, req_with(-1, NETMAP_REQ_REGISTER, name, &reg, &opt));
	munmap(mem, size);
}

void
errno_options(void)
{
	struct nmreq_opt_csb opt;
	char *mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mem != MAP_FAILED);
	errno_section("CSB mode, sync loop");
	csb_rows(vale("c"), &opt, mem, mem + 4096);
	errno_section("offsets");
	offset_rows(vale("o"));
	errno_section("external memory");
	extmem_rows(vale("e"));
	errno_end();
}

void
errno_descriptor(void)
{
	struct pollfd pfd = { .fd = device_open(), .events = POLLIN };
	struct port p;

	errno_section("mmap, poll, sync");
	ROW("mmap of a descriptor that is not registered", EINVAL, ERRNO_OF(mmap(NULL, 4096, PROT_READ, MAP_SHARED, pfd.fd, 0) == MAP_FAILED ? -1 : 0));
	ROW("NIOCTXSYNC on it", ENXIO, ERRNO_OF(ioctl(pfd.fd, NIOCTXSYNC, NULL)));
	ROW("NIOCRXSYNC on it", ENXIO, ERRNO_OF(ioctl(pfd.fd, NIOCRXSYNC, NULL)));
	poll(&pfd, 1, 0);
	VALUE("poll of it: POLLERR", POLLERR, pfd.revents & POLLERR);
	port_open(&p, vale("a"));
	ROW("mmap beyond the region", EINVAL, ERRNO_OF(mmap(NULL, 4096, PROT_READ, MAP_SHARED, p.fd, (off_t)p.reg.nr_memsize) == MAP_FAILED ? -1 : 0));
	ROW("mmap of more than the region", EINVAL, ERRNO_OF(mmap(NULL, p.reg.nr_memsize + 4096, PROT_READ, MAP_SHARED, p.fd, 0) == MAP_FAILED ? -1 : 0));
	port_rx(&p, 0)->head = 5;
	ROW("NIOCRXSYNC with head where it must not be", 0, ERRNO_OF(ioctl(p.fd, NIOCRXSYNC, NULL)));
	VALUE_DIFFERS("  head afterwards", 5, 0, "the ring is always restored", (int)port_rx(&p, 0)->head);
	port_tx(&p, 0)->cur = p.reg.nr_tx_slots;
	ROW("NIOCTXSYNC with cur outside the ring", 0, ERRNO_OF(ioctl(p.fd, NIOCTXSYNC, NULL)));
	VALUE("  cur afterwards", 0, (int)port_tx(&p, 0)->cur);
	port_close(&p);
	errno_end();
}
