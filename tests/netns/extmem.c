/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces in external memory: the two ends of a wire, each with memory of its own, of kinds that AF_XDP can use and of kinds that it cannot. Frames
 * of all lengths go both ways. At last the memory of one is cut short.
 *
 *	extmem IFNAME PEER
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <libnetmap.h>
#include <netmap_stats.h>

#define FRAMES		300u
#define HEADER		14u
#define SIZE		(48u << 20)

#define check(x)	((x) ? (void)0 : failed(#x, __LINE__))

struct end {
	struct nmport_d *d;
	struct netmap_ring *tx, *rx;
	int fd;				/* of its memory */
	char *mem;
};

static unsigned frame_now;

static void __attribute__((noreturn))
failed(const char *what, int line)
{
	fprintf(stderr, "extmem.c:%d: %s does not hold, at frame %u (%s)\n", line, what, frame_now, netmap_last_error());
	exit(1);
}

static void
memory_open(struct end *e, const char *ifname)
{
	char name[64];

	snprintf(name, sizeof(name), "/dev/shm/netmap-test-%d-%s", (int)getpid(), ifname);
	e->fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(e->fd >= 0 && unlink(name) == 0 && ftruncate(e->fd, SIZE) == 0);
	e->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	check(e->mem != MAP_FAILED);
}

static void
end_open(struct end *e, const char *ifname, uint32_t buf_size, uint64_t size)
{
	struct nmreq_pools_info *info;
	char name[64];

	memory_open(e, ifname);
	snprintf(name, sizeof(name), "netmap:%s", ifname);
	e->d = nmport_prepare(name);
	check(e->d != NULL && nmport_extmem(e->d, e->mem, size) == 0);
	info = nmport_extmem_getinfo(e->d);
	info->nr_buf_pool_objsize = buf_size;
	info->nr_buf_pool_objtotal = 5000;
	check(nmport_open_desc(e->d) == 0);
	check(info->nr_buf_pool_objsize == buf_size);
	e->tx = NETMAP_TXRING(e->d->nifp, 0);
	e->rx = NETMAP_RXRING(e->d->nifp, 0);
	check((char *)e->tx > e->mem && (char *)e->tx < e->mem + SIZE && e->tx->nr_buf_size == buf_size);
}

static void
end_close(struct end *e)
{
	nmport_close(e->d);
	check(munmap(e->mem, SIZE) == 0 && close(e->fd) == 0);
}

static void
frame_make(char *frame, unsigned n, unsigned len)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\2\0\0\0\0\1\x88\xb5", 8);
	for (unsigned i = HEADER; i < len; i++)
		frame[i] = (char)(n * 7 + i);
}

static void
exchange(struct end *from, struct end *to)
{
	for (frame_now = 0; frame_now < FRAMES; frame_now++) {
		struct pollfd pfd = { .fd = to->d->fd, .events = POLLIN };
		unsigned len = 60 + frame_now * 37 % 1455;
		struct netmap_slot *slot;
		char frame[2048];

		frame_make(frame, frame_now, len);
		check(nmport_inject(from->d, frame, len) == (int)len);
		check(ioctl(from->d->fd, NIOCTXSYNC, NULL) == 0);
		while (nm_ring_empty(to->rx))
			check(poll(&pfd, 1, 5000) == 1);
		slot = &to->rx->slot[to->rx->head];
		check(slot->len == len && memcmp(NETMAP_BUF(to->rx, slot->buf_idx), frame, len) == 0);
		to->rx->head = to->rx->cur = nm_ring_next(to->rx, to->rx->head);
	}
}

/* Whatever the driver has under way then: the port ends, and its descriptor can be closed. */
static void
cut_short(const char *a, const char *b)
{
	struct end ends[2];
	time_t until;
	int err = 0;

	end_open(&ends[0], a, 2048, SIZE);
	end_open(&ends[1], b, 2048, SIZE);
	exchange(&ends[0], &ends[1]);
	check(ftruncate(ends[0].fd, 0) == 0);
	until = time(NULL) + 10;
	while (err == 0) {
		struct pollfd pfd = { .fd = ends[0].d->fd, .events = POLLIN };
		char frame[60];

		frame_make(frame, 0, sizeof(frame));
		check(nmport_inject(ends[1].d, frame, sizeof(frame)) > 0);
		check(ioctl(ends[1].d->fd, NIOCTXSYNC, NULL) == 0);
		err = ioctl(ends[0].d->fd, NIOCRXSYNC, NULL) == 0 ? 0 : errno;
		poll(&pfd, 1, 1);
		check(time(NULL) < until);
	}
	check(err == EIO);
	end_close(&ends[0]);
	end_close(&ends[1]);
}

static void
request(int fd, uint16_t type, const char *name, void *body)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = type, .nr_body = (uintptr_t)body };

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	check(ioctl(fd, NIOCCTRL, &hdr) == 0);
}

static void
burst(struct end *e)
{
	char frame[60];

	frame_make(frame, 0, sizeof(frame));
	for (unsigned i = 0; i < 500; i++)
		check(nmport_inject(e->d, frame, sizeof(frame)) > 0);
	check(ioctl(e->d->fd, NIOCTXSYNC, NULL) == 0);
	for (unsigned i = 0; i < 20; i++) {
		struct timespec ms = { .tv_nsec = 1000000 };

		check(ioctl(e->d->fd, NIOCTXSYNC, NULL) == 0);
		nanosleep(&ms, NULL);
	}
}

/* The interface is on a switch, with its memory in a program's: netmapd's own threads move its frames. */
static void
cut_short_on_switch(const char *a, const char *b)
{
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_detach detach = { 0 };
	struct nmreq_pools_info *info;
	struct end memory, sender;
	struct nmport_d *listener;
	char name[32];
	time_t until = time(NULL) + 10;
	int err = 0;

	memory_open(&memory, "null");
	memory.d = nmport_prepare("netmap:holder");
	check(memory.d != NULL && nmport_extmem(memory.d, memory.mem, SIZE) == 0);
	info = nmport_extmem_getinfo(memory.d);
	info->nr_ring_pool_objtotal = 30;
	info->nr_if_pool_objtotal = 10;
	memory.d->reg.nr_mode = NR_REG_NULL;
	check(nmport_open_desc(memory.d) == 0);
	attach.reg.nr_mem_id = memory.d->reg.nr_mem_id;
	snprintf(name, sizeof(name), "vale7:%s", a);
	request(memory.d->fd, NETMAP_REQ_VALE_ATTACH, name, &attach);
	end_open(&sender, b, 2048, SIZE);
	listener = nmport_open("vale7:l");
	check(listener != NULL);
	burst(&sender);
	check(ioctl(listener->fd, NIOCRXSYNC, NULL) == 0 && !nm_ring_empty(NETMAP_RXRING(listener->nifp, 0)));
	check(ftruncate(memory.fd, 0) == 0);
	while (err == 0) {
		struct pollfd pfd = { .fd = memory.d->fd, .events = POLLIN };

		burst(&sender);
		/* A null port has no rings: the region is what one asks. */
		err = poll(&pfd, 1, 1) == 1 && (pfd.revents & POLLERR) != 0;
		check(time(NULL) < until);
	}
	request(listener->fd, NETMAP_REQ_VALE_DETACH, name, &detach);
	nmport_close(listener);
	end_close(&sender);
	end_close(&memory);
}

int
main(int argc, char **argv)
{
	static const struct {
		uint32_t buf_size;
		uint64_t size;
	} kinds[] = {
		{ 2048, SIZE }, { 4096, SIZE },
		/* No unit that devices like; enough for the rings, but not for a stock of AF_XDP's own. */
		{ 3008, SIZE }, { 2048, 11u << 20 },
	};
	struct end a, b;

	alarm(60);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		end_open(&a, argv[1], kinds[i].buf_size, kinds[i].size);
		end_open(&b, argv[2], 2048, SIZE);
		check(a.d->reg.nr_mem_id != b.d->reg.nr_mem_id && a.d->reg.nr_mem_id != 1);
		exchange(&a, &b);
		exchange(&b, &a);
		end_close(&a);
		end_close(&b);
	}
	cut_short(argv[1], argv[2]);
	cut_short_on_switch(argv[1], argv[2]);
	/* The same netmapd, and the same interfaces. */
	end_open(&a, argv[1], 2048, SIZE);
	end_open(&b, argv[2], 2048, SIZE);
	exchange(&a, &b);
	end_close(&a);
	end_close(&b);
	return 0;
}
