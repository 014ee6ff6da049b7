/* SPDX-License-Identifier: BSD-2-Clause */
/* The stand-in for the netmap device that libnetmap_fake.h describes. Regions are memfds. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libnetmap_fake.h"

#define FD_BASE		1000
#define FD_MAX		32
#define MAP_MAX		32
#define REGION_MAX	16
#define IF_SIZE		256			/* an interface structure for each descriptor */
#define RINGS_OFS	(FD_MAX * IF_SIZE)
#define RING_SIZE	512
#define BUFS_OFS	(RINGS_OFS + 8 * RING_SIZE)
#define N_RINGS		(2 * (FAKE_NIC_RINGS + 1))

struct fake fake;

static struct {
	bool		open;
	int		region;		/* index, -1: not registered */
} fds[FD_MAX];

static struct {
	uint16_t	mem_id;		/* 0: free */
	int		memfd;
	char		*mem;		/* the fake's mapping, or the program's memory */
	bool		is_extmem;
} regions[REGION_MAX];

static void *maps[MAP_MAX];

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_ioctl(int fd, unsigned long request, ...);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t ofs);
int __real_munmap(void *addr, size_t len);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t ofs);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t ofs);
int __wrap_munmap(void *addr, size_t len);
unsigned int __wrap_if_nametoindex(const char *name);

/* ---- The context ---- */

static void
ctx_error(struct nmctx *ctx, const char *text)
{
	(void)ctx;
	fake.n_errors++;
	snprintf(fake.error, sizeof(fake.error), "%s", text);
	errno = E2BIG;		/* callers must not depend on it */
}

static void *
ctx_malloc(struct nmctx *ctx, size_t size)
{
	(void)ctx;
	if (fake.malloc_countdown >= 0 && fake.malloc_countdown-- == 0)
		return NULL;
	fake.n_allocated++;
	return malloc(size);
}

static void
ctx_free(struct nmctx *ctx, void *p)
{
	(void)ctx;
	if (p != NULL)
		fake.n_allocated--;
	free(p);
	errno = E2BIG;
}

static void
ctx_lock(struct nmctx *ctx, int acquire)
{
	(void)ctx;
	fake.lock_depth += acquire ? 1 : -1;
	if (fake.lock_depth != 0 && fake.lock_depth != 1)
		abort();
	fake.n_locks++;
}

struct nmctx fake_ctx = {
	.verbose = 1, .error = ctx_error, .malloc = ctx_malloc, .free = ctx_free, .lock = ctx_lock,
};

int
fake_setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.interfaces = "";
	fake.next_mem_id = 1;
	fake.malloc_countdown = -1;
	fake_ctx.mem_descs = NULL;
	nmctx_set_default(&fake_ctx);
	return 0;
}

int
fake_teardown(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < REGION_MAX; i++) {
		if (regions[i].mem_id == 0)
			continue;
		if (!regions[i].is_extmem)
			__real_munmap(regions[i].mem, FAKE_MEMSIZE);
		__real_close(regions[i].memfd);
		memset(&regions[i], 0, sizeof(regions[i]));
	}
	if (fake.n_fds != 0 || fake.n_maps != 0 || fake.n_allocated != 0 || fake.lock_depth != 0 ||
	    fake_ctx.mem_descs != NULL) {
		fprintf(stderr, "left behind: %d descriptors, %d mappings, %d allocations\n",
			fake.n_fds, fake.n_maps, fake.n_allocated);
		return -1;
	}
	return 0;
}

/* ---- Regions ---- */

static void
region_fill(char *mem)
{
	int i, j;

	for (i = 0; i < N_RINGS; i++) {
		struct netmap_ring *ring = (struct netmap_ring *)(mem + RINGS_OFS + i * RING_SIZE);

		ring->buf_ofs = BUFS_OFS - (RINGS_OFS + i * RING_SIZE);
		ring->num_slots = FAKE_SLOTS;
		ring->nr_buf_size = FAKE_BUF_SIZE;
		ring->tail = i < N_RINGS / 2 ? FAKE_SLOTS - 1 : 0;
		for (j = 0; j < FAKE_SLOTS; j++)
			ring->slot[j].buf_idx = (uint32_t)(2 + i * FAKE_SLOTS + j);
	}
}

/* Index of the region with this id, made if there is none, of the memory at extmem if that is not NULL. */
static int
region_get(uint16_t mem_id, char *extmem)
{
	int i, found = -1;

	for (i = 0; i < REGION_MAX; i++) {
		if (regions[i].mem_id == mem_id)
			return i;
		if (regions[i].mem_id == 0 && found < 0)
			found = i;
	}
	regions[found].mem_id = mem_id;
	regions[found].memfd = memfd_create("fake", 0);
	if (ftruncate(regions[found].memfd, FAKE_MEMSIZE) < 0)
		abort();
	regions[found].is_extmem = extmem != NULL;
	regions[found].mem = extmem != NULL ? extmem :
		__real_mmap(NULL, FAKE_MEMSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, regions[found].memfd, 0);
	region_fill(regions[found].mem);
	return found;
}

/* ---- Requests ---- */

static bool
ring_is_bound(const struct nmreq_register *reg, int tx, int i)
{
	if (reg->nr_flags & (tx ? NR_RX_RINGS_ONLY : NR_TX_RINGS_ONLY))
		return false;
	switch (reg->nr_mode) {
	case NR_REG_ALL_NIC: return i < FAKE_NIC_RINGS;
	case NR_REG_SW: return i >= FAKE_NIC_RINGS;
	case NR_REG_NIC_SW: return true;
	case NR_REG_ONE_NIC: return i == reg->nr_ringid;
	default: return false;
	}
}

static void
if_fill(char *mem, uint32_t ofs, const struct nmreq_register *reg)
{
	struct netmap_if *nifp = (struct netmap_if *)(mem + ofs);
	int i;

	nifp->ni_tx_rings = nifp->ni_rx_rings = FAKE_NIC_RINGS;
	nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;
	for (i = 0; i < N_RINGS; i++) {
		int tx = i < N_RINGS / 2;
		ssize_t ring_ofs = RINGS_OFS + i * RING_SIZE - (ssize_t)ofs;

		nifp->ring_ofs[i] = ring_is_bound(reg, tx, i % (N_RINGS / 2)) ? ring_ofs : 0;
	}
}

static int
register_request(int fd, struct nmreq_header *h)
{
	struct nmreq_register *reg = (struct nmreq_register *)(uintptr_t)h->nr_body;
	struct nmreq_opt_extmem *ext = (struct nmreq_opt_extmem *)nmreq_find_option(h, NETMAP_REQ_OPT_EXTMEM);
	uint32_t ofs = (uint32_t)(fd - FD_BASE) * IF_SIZE;
	int region;

	fake.reg = *reg;
	if (reg->nr_mem_id == 0)
		reg->nr_mem_id = fake.next_mem_id;
	region = region_get(reg->nr_mem_id, ext != NULL ? (char *)(uintptr_t)ext->nro_usrptr : NULL);
	fds[fd - FD_BASE].region = region;
	if_fill(regions[region].mem, ofs, reg);
	if (ext != NULL)
		ext->nro_info.nr_mem_id = reg->nr_mem_id;
	reg->nr_memsize = FAKE_MEMSIZE;
	reg->nr_offset = fake.bad_offset != 0 ? fake.bad_offset : ofs;
	reg->nr_tx_rings = reg->nr_rx_rings = FAKE_NIC_RINGS;
	reg->nr_host_tx_rings = reg->nr_host_rx_rings = 1;
	reg->nr_tx_slots = reg->nr_rx_slots = FAKE_SLOTS;
	return 0;
}

static int
ctrl_request(int fd, struct nmreq_header *h)
{
	struct nmreq_option *o;

	fake.hdr = *h;
	fake.n_options = 0;
	nmreq_foreach_option(h, o) {
		fake.n_options++;
		o->nro_status = fake.ctrl_errno ? (uint32_t)fake.option_status : 0;
	}
	if (h->nr_version != NETMAP_API || h->nr_body == 0) {
		errno = EINVAL;
		return -1;
	}
	if (fake.ctrl_errno != 0) {
		errno = fake.ctrl_errno;
		return -1;
	}
	if (h->nr_reqtype == NETMAP_REQ_PORT_INFO_GET) {
		((struct nmreq_port_info_get *)(uintptr_t)h->nr_body)->nr_mem_id = fake.next_mem_id;
		return 0;
	}
	return register_request(fd, h);
}

/* ---- System calls ---- */

int
__wrap_open(const char *path, int flags, ...)
{
	int i;

	if (strcmp(path, NETMAP_DEVICE_NAME) != 0)
		return __real_open(path, flags);
	if (fake.open_errno != 0) {
		errno = fake.open_errno;
		return -1;
	}
	for (i = 0; fds[i].open; i++)
		;
	fds[i].open = true;
	fds[i].region = -1;
	fake.n_fds++;
	return FD_BASE + i;
}

int
__wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

int
__wrap_close(int fd)
{
	if (fd < FD_BASE)
		return __real_close(fd);
	if (!fds[fd - FD_BASE].open)
		abort();
	fds[fd - FD_BASE].open = false;
	fake.n_fds--;
	errno = E2BIG;		/* undo functions keep errno */
	return 0;
}

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd < FD_BASE)
		return __real_ioctl(fd, request, arg);
	if (request != NIOCCTRL)
		abort();
	return ctrl_request(fd, arg);
}

void *
__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t ofs)
{
	void *p;
	int i;

	fake.n_mmap_calls++;
	if (fake.mmap_errno != 0) {
		errno = fake.mmap_errno;
		return MAP_FAILED;
	}
	if (fd >= FD_BASE)
		fd = regions[fds[fd - FD_BASE].region].memfd;
	p = __real_mmap(addr, len, prot, flags, fd, ofs);
	if (p == MAP_FAILED)
		return p;
	for (i = 0; maps[i] != NULL; i++)
		;
	maps[i] = p;
	fake.n_maps++;
	return p;
}

void *
__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t ofs)
{
	return __wrap_mmap(addr, len, prot, flags, fd, ofs);
}

int
__wrap_munmap(void *addr, size_t len)
{
	int i;

	for (i = 0; i < MAP_MAX; i++) {
		if (maps[i] == addr && addr != NULL) {
			maps[i] = NULL;
			fake.n_maps--;
			break;
		}
	}
	return __real_munmap(addr, len);
}

unsigned int
__wrap_if_nametoindex(const char *name)
{
	const char *p = fake.interfaces;
	size_t len;

	for (; *p != '\0'; p += len + (p[len] == ' ')) {
		len = strcspn(p, " ");
		if (strlen(name) == len && memcmp(name, p, len) == 0)
			return 1;
	}
	errno = ENODEV;
	return 0;
}
