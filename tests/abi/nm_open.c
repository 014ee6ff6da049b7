/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nm_parse(), nm_open(), nm_mmap() and nm_close() of netmap_user.h, against a device that is played here:
 * open, ioctl, mmap, munmap, close and if_nametoindex are replaced for that header.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static int fake_open(const char *path, int flags);
static int fake_ioctl(int fd, unsigned long request, void *arg);
static void *fake_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
static int fake_munmap(void *addr, size_t len);
static int fake_close(int fd);
static unsigned int fake_if_nametoindex(const char *name);

#define open		fake_open
#define ioctl		fake_ioctl
#define mmap		fake_mmap
#define munmap		fake_munmap
#define close		fake_close
#define if_nametoindex	fake_if_nametoindex
#define NETMAP_HOST_SIDE
#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>

#define FD	1000

static struct {
	int open_errno, ioctl_errno, mmap_errno;	/* to fail with, 0 = succeed */
	int opened, mapped;				/* balance */
	struct nmreq asked;				/* what NIOCREGIF got */
	struct nmreq answer;				/* what it gives */
	uint64_t region[512] __attribute__((__aligned__(NM_CACHE_ALIGN)));
} dev;

static int
fake_open(const char *path, int flags)
{
	assert_string_equal(path, "/dev/netmap");
	assert_int_equal(flags & O_ACCMODE, O_RDWR);
	if (dev.open_errno != 0) {
		errno = dev.open_errno;
		return -1;
	}
	dev.opened++;
	return FD;
}

static int
fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct nmreq *req = arg;

	assert_int_equal(fd, FD);
	assert_int_equal(request, 0xc03c6992);
	dev.asked = *req;
	if (dev.ioctl_errno != 0) {
		errno = dev.ioctl_errno;
		return -1;
	}
	req->nr_offset = dev.answer.nr_offset;
	req->nr_memsize = dev.answer.nr_memsize;
	req->nr_tx_rings = dev.answer.nr_tx_rings;
	req->nr_rx_rings = dev.answer.nr_rx_rings;
	req->nr_arg2 = dev.answer.nr_arg2;
	return 0;
}

static void *
fake_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	assert_null(addr);
	assert_int_equal(len, sizeof(dev.region));
	assert_int_equal(prot, PROT_READ | PROT_WRITE);
	assert_int_equal(flags, MAP_SHARED);
	assert_int_equal(fd, FD);
	assert_int_equal(off, 0);
	if (dev.mmap_errno != 0) {
		errno = dev.mmap_errno;
		return MAP_FAILED;
	}
	dev.mapped++;
	return dev.region;
}

static int
fake_munmap(void *addr, size_t len)
{
	assert_ptr_equal(addr, dev.region);
	assert_int_equal(len, sizeof(dev.region));
	dev.mapped--;
	return 0;
}

static int
fake_close(int fd)
{
	assert_int_equal(fd, FD);
	dev.opened--;
	return 0;
}

static unsigned int
fake_if_nametoindex(const char *name)
{
	return strcmp(name, "br-lan") == 0 || strcmp(name, "br-lan-0") == 0;
}

/* A port with 2 tx and 3 rx NIC rings and one host ring each, all bound, region 7. */
static int
setup(void **state)
{
	struct netmap_if *nifp = NETMAP_IF(dev.region, 64);
	int i;

	(void)state;
	memset(&dev, 0, sizeof(dev));
	dev.answer.nr_offset = 64;
	dev.answer.nr_memsize = sizeof(dev.region);
	dev.answer.nr_tx_rings = 2;
	dev.answer.nr_rx_rings = 3;
	dev.answer.nr_arg2 = 7;
	nifp->ni_tx_rings = 2;
	nifp->ni_rx_rings = 3;
	nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;
	for (i = 0; i < 7; i++)
		nifp->ring_ofs[i] = 192 + i * 256;	/* multiples of 128 from the region on */
	return 0;
}

static const struct {
	const char *spec, *name;
	uint32_t flags;
	uint16_t ringid, mem_id;
} good[] = {
	{ "netmap:eth0", "eth0", NR_REG_ALL_NIC, 0, 0 },
	{ "netmap:eth0.5", "eth0.5", NR_REG_ALL_NIC, 0, 0 },
	{ "netmap:interface012345", "interface012345", NR_REG_ALL_NIC, 0, 0 },
	{ "netmap:eth0*", "eth0", NR_REG_NIC_SW, 0, 0 },
	{ "netmap:eth0^", "eth0", NR_REG_SW, 0, 0 },
	{ "netmap:eth0-0", "eth0", NR_REG_ONE_NIC, 0, 0 },
	{ "netmap:eth0-4094", "eth0", NR_REG_ONE_NIC, 4094, 0 },
	{ "netmap:eth0-/x", "eth0", NR_REG_ONE_NIC | NR_EXCLUSIVE, 0, 0 },
	{ "netmap:eth0-@3", "eth0", NR_REG_ONE_NIC, 0, 3 },
	{ "netmap:eth0-2/Tx", "eth0", NR_REG_ONE_NIC | NR_TX_RINGS_ONLY | NR_EXCLUSIVE, 2, 0 },
	{ "netmap:eth0^/R", "eth0", NR_REG_SW | NR_RX_RINGS_ONLY, 0, 0 },
	{ "netmap:eth0*/xx", "eth0", NR_REG_NIC_SW | NR_EXCLUSIVE, 0, 0 },
	{ "netmap:eth0/ztr", "eth0", NR_REG_ALL_NIC | NR_ZCOPY_MON | NR_MONITOR_TX | NR_MONITOR_RX, 0, 0 },
	{ "netmap:eth0/R@2", "eth0", NR_REG_ALL_NIC | NR_RX_RINGS_ONLY, 0, 2 },
	{ "netmap:eth0@2/R", "eth0", NR_REG_ALL_NIC | NR_RX_RINGS_ONLY, 0, 2 },
	{ "netmap:eth0@65535", "eth0", NR_REG_ALL_NIC, 0, 65535 },
	{ "netmap:pipe{1", "pipe", NR_REG_PIPE_MASTER, 1, 0 },
	{ "netmap:pipe}12/x@4", "pipe", NR_REG_PIPE_SLAVE | NR_EXCLUSIVE, 12, 4 },
	{ "netmap:pipe{/T", "pipe", NR_REG_PIPE_MASTER | NR_TX_RINGS_ONLY, 0, 0 },
	{ "netmap:vale0:0", "vale0:0", NR_REG_ALL_NIC, 0, 0 },
	{ "vale0:a", "vale0:a", NR_REG_ALL_NIC, 0, 0 },
	{ "vale:x{1", "vale:x", NR_REG_PIPE_MASTER, 1, 0 },
	{ "valeA_b1:YYY-4", "valeA_b1:YYY", NR_REG_ONE_NIC, 4, 0 },
	{ "vale01234567:ab", "vale01234567:ab", NR_REG_ALL_NIC, 0, 0 },
	/* '-' in the name of an interface that exists: the longest name wins */
	{ "netmap:br-lan", "br-lan", NR_REG_ALL_NIC, 0, 0 },
	{ "netmap:br-lan-1", "br-lan", NR_REG_ONE_NIC, 1, 0 },
	{ "netmap:br-lan-0", "br-lan-0", NR_REG_ALL_NIC, 0, 0 },
	{ "netmap:br-lan-0-1/x", "br-lan-0", NR_REG_ONE_NIC | NR_EXCLUSIVE, 1, 0 },
	{ "netmap:br-lan{2", "br-lan", NR_REG_PIPE_MASTER, 2, 0 },
	{ "netmap:br-0", "br", NR_REG_ONE_NIC, 0, 0 },
};

static void
test_parse_good(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct nm_desc d, want;
		char err[MAXERRMSG] = "";

		memset(&d, 0xa5, sizeof(d));
		d.req.nr_flags = NR_ACCEPT_VNET_HDR | NR_REG_ONE_SW;
		d.req.nr_ringid = NETMAP_NO_TX_POLL | NETMAP_HW_RING | 5;
		want = d;
		memset(want.req.nr_name, 0, sizeof(want.req.nr_name));
		strcpy(want.req.nr_name, good[i].name);
		want.req.nr_flags = NR_ACCEPT_VNET_HDR | good[i].flags;
		want.req.nr_ringid = NETMAP_NO_TX_POLL | good[i].ringid;
		if (good[i].mem_id != 0)
			want.req.nr_arg2 = good[i].mem_id;
		if (nm_parse(good[i].spec, &d, err) != 0)
			fail_msg("%s: %s", good[i].spec, err);
		if (memcmp(&d, &want, sizeof(d)) != 0)
			fail_msg("%s: name %s flags %x ringid %x arg2 %u", good[i].spec, d.req.nr_name,
				d.req.nr_flags, d.req.nr_ringid, d.req.nr_arg2);
	}
}

static const struct {
	const char *spec;
	int at;		/* character that the message names, from 1 */
} bad[] = {
	{ "netmap:", 8 },
	{ "netmap:^", 8 },
	{ "netmap:{", 8 },
	{ "netmap:-1", 8 },
	{ "netmap:/x", 8 },
	{ "netmap:interface0123456", 23 },
	{ "netmap:eth0-", 13 },
	{ "netmap:eth0{", 13 },
	{ "netmap:eth0}", 13 },
	{ "netmap:eth0-4095", 13 },
	{ "netmap:eth0-99999999999999999999", 13 },
	{ "netmap:eth0-x", 13 },
	{ "netmap:eth0--1", 13 },
	{ "netmap:eth0-+1", 13 },
	{ "netmap:eth0- 1", 13 },
	{ "netmap:eth0-1x", 14 },
	{ "netmap:eth0^1", 13 },
	{ "netmap:eth0*^", 13 },
	{ "netmap:pipe{in", 13 },
	{ "netmap:pipe{1}2", 14 },
	{ "netmap:eth0/", 13 },
	{ "netmap:eth0/@1", 13 },
	{ "netmap:eth0/x/R", 14 },
	{ "netmap:eth0/q", 13 },
	{ "netmap:eth0@", 13 },
	{ "netmap:eth0@0", 13 },
	{ "netmap:eth0@65536", 13 },
	{ "netmap:eth0@-1", 13 },
	{ "netmap:eth0@2x", 14 },
	{ "netmap:eth0@2/R@3", 16 },
	{ "netmap:eth0@2@2", 14 },
	{ "netmap:eth0@conf:rings=2", 13 },
	{ "netmap:br-0-lan", 12 },
	{ "vale", 5 },
	{ "vale0", 6 },
	{ "vale0:", 7 },
	{ "vale0:^", 7 },
	{ "vale.0:a", 5 },
	{ "vale0-1:a", 6 },
	{ "vale0:a.b", 8 },
	{ "vale0:a:b", 8 },
	{ "valentine's:a", 10 },
	{ "vale012345678:ab", 16 },
};

static void
test_parse_bad(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nm_desc d, want;
		char err[MAXERRMSG], where[32];

		memset(&d, 0xa5, sizeof(d));
		want = d;
		memset(err, 'E', sizeof(err));
		errno = 0;
		if (nm_parse(bad[i].spec, &d, err) != -1)
			fail_msg("%s: accepted", bad[i].spec);
		assert_int_equal(errno, EINVAL);
		assert_memory_equal(&d, &want, sizeof(d));
		assert_non_null(memchr(err, '\0', sizeof(err)));
		snprintf(where, sizeof(where), ", at character %d (", bad[i].at);
		if (strstr(err, where) == NULL)
			fail_msg("%s: %s", bad[i].spec, err);
		assert_int_equal(nm_parse(bad[i].spec, &d, NULL), -1);
	}
}

static void
test_parse_foreign(void **state)
{
	static const char *const names[] = { "", "eth0", "netmap", "netmapXXX:eth0", "tap:x", "val0:a", "Netmap:a" };
	struct nm_desc d = { .fd = 3 };
	char err[MAXERRMSG] = "";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = ENOENT;
		assert_int_equal(nm_parse(names[i], &d, err), -1);
		assert_int_equal(errno, 0);
		errno = ENOENT;
		assert_null(nm_open(names[i], NULL, 0, NULL));
		assert_int_equal(errno, 0);
	}
	assert_int_equal(dev.opened, 0);
}

static void
test_open(void **state)
{
	struct nm_desc *d = nm_open("netmap:eth0", NULL, NETMAP_NO_TX_POLL, NULL);

	(void)state;
	assert_true(IS_NETMAP_DESC(d));
	assert_ptr_equal(P2NMD((void *)d), d);
	assert_int_equal(NETMAP_FD(d), FD);
	assert_int_equal(dev.asked.nr_version, 14);
	assert_string_equal(dev.asked.nr_name, "eth0");
	assert_int_equal(dev.asked.nr_flags, NR_REG_ALL_NIC);
	assert_int_equal(dev.asked.nr_ringid, NETMAP_NO_TX_POLL);
	assert_int_equal(dev.asked.nr_cmd, 0);
	assert_int_equal(dev.asked.nr_arg1, 0);
	assert_ptr_equal(d->mem, dev.region);
	assert_int_equal(d->memsize, sizeof(dev.region));
	assert_true(d->done_mmap);
	assert_ptr_equal(d->nifp, NETMAP_IF(dev.region, 64));
	assert_ptr_equal(d->some_ring, NETMAP_RXRING(d->nifp, 0));
	assert_ptr_equal(d->buf_start, NETMAP_BUF(d->some_ring, 0));
	assert_ptr_equal(d->buf_end, (char *)dev.region + sizeof(dev.region));
	assert_int_equal(nm_mmap(d, NULL), EINVAL);	/* it is mapped */
	assert_int_equal(nm_close(d), 0);
	assert_int_equal(dev.opened, 0);
	assert_int_equal(dev.mapped, 0);
	assert_int_equal(nm_close(NULL), EINVAL);
}

static void
check_range(const char *name, const struct nm_desc *parent, uint64_t flags, int tx0, int tx1, int rx0, int rx1)
{
	struct nm_desc *d = nm_open(name, NULL, flags, parent);

	assert_non_null(d);
	if (d->first_tx_ring != tx0 || d->last_tx_ring != tx1 || d->first_rx_ring != rx0 || d->last_rx_ring != rx1)
		fail_msg("%s: tx %u..%u rx %u..%u", name, d->first_tx_ring, d->last_tx_ring,
			d->first_rx_ring, d->last_rx_ring);
	assert_int_equal(d->cur_tx_ring, tx0);
	assert_int_equal(d->cur_rx_ring, rx0);
	assert_int_equal(nm_close(d), 0);
}

static void
test_ring_range(void **state)
{
	struct nm_desc parent = { .fd = -1 };

	(void)state;
	check_range("netmap:eth0", NULL, 0, 0, 1, 0, 2);
	check_range("netmap:eth0*", NULL, 0, 0, 2, 0, 3);
	check_range("netmap:eth0^", NULL, 0, 2, 2, 3, 3);
	check_range("netmap:eth0-1", NULL, 0, 1, 1, 1, 1);
	check_range("netmap:eth0-2", NULL, 0, 0, 0, 2, 2);	/* there are two tx rings only */
	check_range("netmap:eth0{5", NULL, 0, 0, 0, 0, 0);
	check_range("netmap:eth0}5", NULL, 0, 0, 0, 0, 0);

	/* modes without a spelling in this grammar, through the parent */
	parent.self = &parent;
	strcpy(parent.req.nr_name, "eth0");
	parent.req.nr_flags = NR_REG_ONE_SW;
	check_range("netmap:eth0", &parent, NM_OPEN_IFNAME, 2, 2, 3, 3);
	parent.req.nr_flags = NR_REG_DEFAULT;
	check_range("netmap:eth0", &parent, NM_OPEN_IFNAME, 0, 1, 0, 2);
	parent.req.nr_ringid = NETMAP_SW_RING;
	check_range("netmap:eth0", &parent, NM_OPEN_IFNAME, 2, 2, 3, 3);
	parent.req.nr_ringid = NETMAP_HW_RING | 1;
	check_range("netmap:eth0", &parent, NM_OPEN_IFNAME, 1, 1, 1, 1);

	dev.answer.nr_tx_rings = dev.answer.nr_rx_rings = 0;
	check_range("netmap:eth0", NULL, 0, 0, 65535, 0, 65535);
}

/* Only the rings of one direction bound: any of them gives the buffers. */
static void
test_some_ring(void **state)
{
	struct netmap_if *nifp = NETMAP_IF(dev.region, 64);
	struct nm_desc *d;
	int i;

	(void)state;
	for (i = 3; i < 7; i++)
		nifp->ring_ofs[i] = 0;
	nifp->ring_ofs[0] = 0;
	d = nm_open("netmap:eth0/T", NULL, 0, NULL);
	assert_non_null(d);
	assert_ptr_equal(d->some_ring, NETMAP_TXRING(nifp, 1));
	assert_int_equal(nm_close(d), 0);

	nifp->ring_ofs[1] = 0;
	d = nm_open("netmap:eth0", NULL, 0, NULL);
	assert_non_null(d);
	assert_null(d->some_ring);
	assert_null(d->buf_start);
	assert_int_equal(nm_close(d), 0);
}

static void
test_req(void **state)
{
	struct nmreq req = { .nr_flags = NR_ACCEPT_VNET_HDR, .nr_arg1 = 1, .nr_arg2 = 2, .nr_arg3 = 3,
		.nr_tx_slots = 100, .nr_rx_slots = 200, .nr_version = 11 };
	struct nm_desc *d = nm_open("vale0:a-1/x", &req, NM_OPEN_NO_MMAP | NETMAP_DO_RX_POLL, NULL);

	(void)state;
	assert_non_null(d);
	assert_int_equal(dev.asked.nr_version, 14);
	assert_int_equal(dev.asked.nr_flags, NR_REG_ONE_NIC | NR_EXCLUSIVE | NR_ACCEPT_VNET_HDR);
	assert_int_equal(dev.asked.nr_ringid, NETMAP_DO_RX_POLL | 1);
	assert_int_equal(dev.asked.nr_arg1, 1);
	assert_int_equal(dev.asked.nr_arg2, 2);
	assert_int_equal(dev.asked.nr_arg3, 3);
	assert_int_equal(dev.asked.nr_tx_slots, 100);
	assert_int_equal(dev.asked.nr_rx_slots, 200);
	assert_null(d->mem);
	assert_null(d->nifp);
	assert_int_equal(nm_mmap(d, NULL), 0);		/* later, by hand */
	assert_ptr_equal(d->mem, dev.region);
	assert_int_equal(nm_close(d), 0);
	assert_int_equal(dev.mapped, 0);
}

static void
test_parent(void **state)
{
	struct nm_desc *parent = nm_open("netmap:eth0", NULL, 0, NULL), *d;
	struct nmreq req = { .nr_arg1 = 50, .nr_arg2 = 51, .nr_arg3 = 52, .nr_rx_slots = 53 };
	struct nm_desc copy;

	(void)state;
	assert_non_null(parent);
	/* same region: one mapping */
	d = nm_open("netmap:eth1", &req, NM_OPEN_NO_MMAP, parent);
	assert_non_null(d);
	assert_ptr_equal(d->mem, parent->mem);
	assert_false(d->done_mmap);
	assert_non_null(d->some_ring);
	assert_int_equal(dev.mapped, 1);
	assert_int_equal(dev.asked.nr_arg1, 4);
	assert_int_equal(dev.asked.nr_arg2, 51);
	assert_int_equal(dev.asked.nr_arg3, 0);
	assert_int_equal(dev.asked.nr_rx_slots, 53);
	assert_int_equal(nm_close(d), 0);
	assert_int_equal(dev.mapped, 1);

	/* flags 0: nothing of the request is the parent's */
	d = nm_open("netmap:eth1", &req, 0, parent);
	assert_non_null(d);
	assert_int_equal(dev.asked.nr_arg1, 50);
	assert_int_equal(dev.asked.nr_arg3, 52);
	assert_int_equal(nm_close(d), 0);

	/* another region: its own mapping, in spite of NO_MMAP */
	dev.answer.nr_arg2 = 8;
	d = nm_open("netmap:eth1", NULL, NM_OPEN_NO_MMAP, parent);
	assert_non_null(d);
	assert_true(d->done_mmap);
	assert_int_equal(dev.mapped, 2);
	assert_int_equal(nm_close(d), 0);
	dev.answer.nr_arg2 = 7;

	/* all of the parent's, also through a copy whose self does not point to it; that has no mapping to share */
	copy = *parent;
	copy.req.nr_flags = NR_REG_ONE_NIC;
	copy.req.nr_ringid = 1;
	copy.req.nr_arg1 = 61;
	copy.req.nr_arg2 = 62;
	copy.req.nr_arg3 = 63;
	copy.req.nr_tx_slots = 64;
	d = nm_open("netmap:eth1", &req, NM_OPEN_IFNAME | NM_OPEN_ARG1 | NM_OPEN_ARG2 | NM_OPEN_ARG3 |
		NM_OPEN_RING_CFG | NETMAP_NO_TX_POLL, &copy);
	assert_non_null(d);
	assert_string_equal(dev.asked.nr_name, "eth0");
	assert_int_equal(dev.asked.nr_flags, NR_REG_ONE_NIC);
	assert_int_equal(dev.asked.nr_ringid, NETMAP_NO_TX_POLL | 1);
	assert_int_equal(dev.asked.nr_arg1, 61);
	assert_int_equal(dev.asked.nr_arg2, 62);
	assert_int_equal(dev.asked.nr_arg3, 63);
	assert_int_equal(dev.asked.nr_tx_slots, 64);
	assert_int_equal(dev.asked.nr_rx_slots, 0);
	assert_true(d->done_mmap);
	assert_int_equal(nm_close(d), 0);
	assert_int_equal(nm_close(parent), 0);
	assert_int_equal(dev.mapped, 0);
	assert_int_equal(dev.opened, 0);
}

static void
test_open_fails(void **state)
{
	(void)state;
	errno = 0;
	assert_null(nm_open("netmap:eth0-x", NULL, 0, NULL));
	assert_int_equal(errno, EINVAL);
	dev.open_errno = EACCES;
	assert_null(nm_open("netmap:eth0", NULL, 0, NULL));
	assert_int_equal(errno, EACCES);
	dev.open_errno = 0;
	dev.ioctl_errno = ENXIO;
	assert_null(nm_open("netmap:eth0", NULL, 0, NULL));
	assert_int_equal(errno, ENXIO);
	dev.ioctl_errno = 0;
	dev.mmap_errno = ENOMEM;
	assert_null(nm_open("netmap:eth0", NULL, 0, NULL));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(dev.opened, 0);
	assert_int_equal(dev.mapped, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_parse_good, setup),
		cmocka_unit_test_setup(test_parse_bad, setup),
		cmocka_unit_test_setup(test_parse_foreign, setup),
		cmocka_unit_test_setup(test_open, setup),
		cmocka_unit_test_setup(test_ring_range, setup),
		cmocka_unit_test_setup(test_some_ring, setup),
		cmocka_unit_test_setup(test_req, setup),
		cmocka_unit_test_setup(test_parent, setup),
		cmocka_unit_test_setup(test_open_fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
