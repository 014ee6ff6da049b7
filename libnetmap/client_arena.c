/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena in this process: the state memory, mapped whole, and the regions that were needed so far.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../engine/os.h"
#include "../host/cover.h"
#include "../host/place.h"
#include "../host/sys.h"
#include "client_internal.h"

struct client_arena client_arena;

/* By number: generation of the region that is mapped here, 0 for none. */
static uint32_t mapped[REGION_NUMBERS];

bool
client_arena_has(uint64_t addr, size_t size)
{
	return addr >= client_arena.base && addr - client_arena.base <= client_arena.state &&
		client_arena.state - (addr - client_arena.base) >= size && addr % 8 == 0;
}

/* The first mapping of this process that meets [base, base + size), as /proc/self/maps has it. */
static void
obstacle_find(uint64_t base, uint64_t size, char *line, size_t line_size)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char buf[512];

	snprintf(line, line_size, "something that /proc/self/maps does not show");
	while (f != NULL && fgets(buf, sizeof(buf), f) != NULL) {
		if (sscanf(buf, "%llx-%llx", &from, &to) == 2 && from < base + size && to > base) {
			buf[strcspn(buf, "\n")] = '\0';
			snprintf(line, line_size, "%.250s", buf);
			break;
		}
	}
	if (f != NULL)
		fclose(f);
}

static int
reserve(uint64_t base, uint64_t size)
{
	char line[300];
	long p = sys_mmap((void *)(uintptr_t)base, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == (long)base)
		return 0;
	if (p > 0) {
		/* Old kernels take the address as a hint. */
		sys_munmap((void *)p, size);
		p = -EEXIST;
	}
	if (p == -EEXIST) {
		obstacle_find(base, size, line, sizeof(line));
		client_why_set("the addresses from %#llx to %#llx, which netmap's shared memory needs in every process, are taken here by: %s",
			(unsigned long long)base, (unsigned long long)(base + size), line);
		return -EADDRINUSE;
	}
	client_why_set("cannot reserve %llu GiB of addresses for netmap's shared memory: %s; a limit on address space (ulimit -v) must go",
		(unsigned long long)(size >> 30), strerror((int)-p));
	return (int)p;
}

/* A reply from a netmapd that is trusted, but may be of another make. */
static bool
reply_sane(const struct proto_hello_reply *r, int fd)
{
	struct stat st;

	return r->arena_base % ARENA_ALIGN == 0 && r->arena_base != 0 && r->arena_size <= ARENA_SIZE && r->arena_state <= r->arena_size &&
		r->arena_base + r->arena_size > r->arena_base && r->generation != 0 &&
		fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= r->arena_state &&
		r->root >= r->arena_base && r->root + sizeof(struct arena_root) <= r->arena_base + (uint64_t)st.st_size && r->root % 8 == 0 &&
		r->alive >= r->arena_base && r->alive + sizeof(uint32_t) <= r->arena_base + (uint64_t)st.st_size && r->alive % 4 == 0;
}

/* Nobody uses the old one: no session is left, and each use holds its session. */
static void
arena_unmap(void)
{
	store_release(&client_arena.alive, NULL);
	client_arena.root = NULL;
	memset(mapped, 0, sizeof(mapped));
	cover_clear(client_arena.base, client_arena.size);
	sys_munmap((void *)(uintptr_t)client_arena.base, client_arena.size);
}

int
client_arena_map(const struct proto_hello_reply *r, int fd)
{
	int err = 0;
	long p;

	if (client_arena.root != NULL && client_arena.generation == r->generation)
		goto out;
	if (!reply_sane(r, fd)) {
		client_why_set("netmapd describes an arena that cannot be: is it of another version?");
		err = -EPROTO;
		goto out;
	}
	if (client_arena.root != NULL) {
		if (client_sessions() > 0) {
			client_why_set("another netmapd has come, and %u descriptors of the one before are still open or mapped here: close them first",
				client_sessions());
			err = -EIO;
			goto out;
		}
		arena_unmap();
	}
	err = reserve(r->arena_base, r->arena_size);
	if (err != 0)
		goto out;
	p = sys_mmap((void *)(uintptr_t)r->arena_base, r->arena_state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
	if (p < 0) {
		err = (int)p;
		client_why_set("cannot map netmap's shared memory: %s", strerror(-err));
		sys_munmap((void *)(uintptr_t)r->arena_base, r->arena_size);
		goto out;
	}
	sys_madvise((void *)(uintptr_t)r->arena_base, r->arena_size, MADV_DONTDUMP);
	client_arena.base = r->arena_base;
	client_arena.state = r->arena_state;
	client_arena.size = r->arena_size;
	client_arena.generation = r->generation;
	client_arena.number++;
	client_arena.root = (void *)(uintptr_t)r->root;
	store_release(&client_arena.alive, (uint32_t *)(uintptr_t)r->alive);
	/* The last word on whether these are the structures we know. */
	if (load_acquire(&client_arena.root->magic) != ARENA_MAGIC || client_arena.root->layout != ARENA_LAYOUT) {
		client_why_set("netmapd's shared memory has another layout: use the libnetmap that came with it");
		arena_unmap();
		err = -EPROTO;
	}
out:
	sys_close(fd);
	return err;
}

/* --- regions --- */

int
client_region_fd(uint16_t type, const void *body, size_t size, struct proto_region_reply *r)
{
	struct message_fds fds = { 0 };
	const struct client_call call = {
		.type = type,
		.body = body,
		.body_size = size,
		.reply = r,
		.reply_size = sizeof(*r),
		.in = &fds,
	};
	int n = client_call(&call), fd = message_fds_take(&fds);
	struct stat st;

	message_fds_close(&fds);
	/* The file must be as long as a mapping may be: touching what lies behind its end kills. */
	if (n == sizeof(*r) && fd >= 0 && fstat(fd, &st) == 0 && r->offset <= (uint64_t)st.st_size && r->size <= (uint64_t)st.st_size - r->offset)
		return fd;
	if (fd >= 0)
		sys_close(fd);
	return n < 0 ? n : -EPROTO;
}

/* Is what netmapd says of the region's place sane? *size: of the whole mapping. */
static bool
place_sane(const struct proto_region_reply *r, uint64_t *size)
{
	if (r->page == 0 || (r->page & (r->page - 1)) != 0 || r->size > client_arena.size || r->page > client_arena.size)
		return false;
	*size = (r->size + r->page - 1) & ~(r->page - 1);
	return r->addr >= client_arena.base + client_arena.state && *size <= client_arena.size &&
		r->addr - client_arena.base <= client_arena.size - *size;
}

/* Under the lock: of two threads the second finds what the first has done. */
static int
region_place(const struct region *region, uint32_t no, uint32_t generation, const struct proto_region_reply *r, uint64_t size, int fd)
{
	long p;

	if (load_relaxed(&mapped[no]) == generation)
		return 0;
	cover_clear(r->addr, size);
	p = sys_mmap((void *)(uintptr_t)r->addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, (off_t)r->offset);
	if (p < 0)
		return (int)p;
	sys_madvise((void *)(uintptr_t)r->addr, size, MADV_DONTDUMP);
	/* The arena is netmapd's word: `failed` is where it says. */
	if (region->external)
		return cover_set(no, r->addr, size, (uint32_t *)(uintptr_t)&region->failed);
	return 0;
}

/* Asks for the region's memory and maps it at its place. */
static int
region_map(const struct region *region, uint32_t no, uint32_t generation)
{
	struct proto_region q = { .no = no, .generation = generation };
	struct proto_region_reply r;
	struct client_guard g;
	uint64_t size;
	int fd = client_region_fd(PROTO_REGION, &q, sizeof(q), &r), err = -EPROTO;

	if (fd < 0)
		return fd;
	if (r.no == no && r.generation == generation && place_sane(&r, &size)) {
		client_lock(CLIENT_LOCK_TABLES, &g);
		err = region_place(region, no, generation, &r, size, fd);
		/* Threads that find the number find the memory. */
		if (err == 0)
			store_release(&mapped[no], generation);
		client_unlock(CLIENT_LOCK_TABLES, &g);
	}
	sys_close(fd);
	return err;
}

/*
 * External regions that are no more: a mapping would hold their memory, which is somebody's, as long as this process lives. Whoever comes to map
 * another one looks after them.
 */
static void
regions_tidy(void)
{
	struct proto_region q;
	struct proto_region_reply r;
	struct client_guard g;
	int fd;

	for (q.no = cover_next(0); q.no < REGION_NUMBERS; q.no = cover_next(q.no + 1)) {
		q.generation = load_acquire(&mapped[q.no]);
		fd = client_region_fd(PROTO_REGION, &q, sizeof(q), &r);
		if (fd >= 0)
			sys_close(fd);
		if (fd != -ENXIO)
			continue;
		client_lock(CLIENT_LOCK_TABLES, &g);
		if (load_relaxed(&mapped[q.no]) == q.generation) {
			store_relaxed(&mapped[q.no], 0);
			cover_drop(q.no);
		}
		client_unlock(CLIENT_LOCK_TABLES, &g);
	}
}

bool
os_region_ready(const struct region *r)
{
	uint32_t no = r->no, generation = r->generation;

	if (unlikely(no >= REGION_NUMBERS || generation == 0 || load_relaxed(&r->failed) != 0))
		return false;
	if (likely(load_acquire(&mapped[no]) == generation))
		return true;
	regions_tidy();
	return region_map(r, no, generation) == 0;
}
