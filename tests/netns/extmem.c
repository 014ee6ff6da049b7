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
end_open(struct end *e, const char *ifname, uint32_t buf_size, uint64_t size)
{
	struct nmreq_pools_info *info;
	char name[64];

	snprintf(name, sizeof(name), "/dev/shm/netmap-test-%d-%s", (int)getpid(), ifname);
	e->fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(e->fd >= 0 && unlink(name) == 0 && ftruncate(e->fd, SIZE) == 0);
	e->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	check(e->mem != MAP_FAILED);
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

int
main(int argc, char **argv)
{
	static const struct {
		uint32_t buf_size;
		uint64_t size;
	} kinds[] = {
		{ 2048, SIZE }, { 4096, SIZE },
		/* No unit of AF_XDP's; enough for the rings, but not for a stock of its own. */
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
	/* The same netmapd, and the same interfaces. */
	end_open(&a, argv[1], 2048, SIZE);
	end_open(&b, argv[2], 2048, SIZE);
	exchange(&a, &b);
	end_close(&a);
	end_close(&b);
	return 0;
}
