/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that a program gives with the EXTMEM option: which file lies behind it, since others can only map files.
 *
 * A shared mapping has one, which is found by one of the program's descriptors, by its path, or by /proc/self/map_files, which needs privilege. Private
 * memory, as malloc and mmap(MAP_PRIVATE|MAP_ANONYMOUS) give it, has none: it is copied into a memfd, which is then mapped over it. The program
 * keeps its addresses and data, and sees no difference but that a child shares that memory after a fork. Another thread must not write to it meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../host/sys.h"
#include "client_internal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8u
#endif

/* A mapping, as /proc/self/maps has it. */
struct vma {
	uint64_t from, to, offset;
	uint64_t first_to;		/* of several that belong together: where the first one ends */
	char perms[5];
	dev_t dev;
	ino_t ino;			/* 0: no file */
	char path[512];			/* may be cut off, then it leads nowhere */
};

static uint64_t
page_size(void)
{
	return getauxval(AT_PAGESZ);
}

static int
refuse(uint64_t addr, uint64_t size, int err, const char *text)
{
	client_why_set("external memory, %" PRIu64 " bytes at %#" PRIx64 ": %s", size, addr, text);
	return err;
}

static bool
vma_parse(const char *line, struct vma *v)
{
	unsigned major, minor;
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %lu %n", &v->from, &v->to, v->perms, &v->offset, &major, &minor, &v->ino,
		&path) != 7)
		return false;
	v->dev = makedev(major, minor);
	snprintf(v->path, sizeof(v->path), "%.*s", (int)strcspn(line + path, "\n"), line + path);
	return true;
}

static bool
is_shared(const struct vma *v)
{
	return v->perms[3] == 's';
}

/* The stack, or what the kernel put there. */
static bool
is_special(const struct vma *v)
{
	return v->path[0] == '[' && strncmp(v->path, "[heap", 5) != 0 && strncmp(v->path, "[anon", 5) != 0;
}

/* Does b go on where a ends, with what belongs to it? */
static bool
vma_follows(const struct vma *a, const struct vma *b)
{
	if (is_special(b) || a->to != b->from || is_shared(a) != is_shared(b) || a->ino != b->ino || a->dev != b->dev)
		return false;
	return a->ino == 0 || b->offset == a->offset + (a->to - a->from);
}

/* What [addr, end) is, as one mapping; the program may have had it split. */
static int
range_find(uint64_t addr, uint64_t end, uint64_t size, struct vma *whole)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[1024];
	struct vma v;
	uint64_t at = addr;
	int err = 0;

	if (f == NULL)
		return refuse(addr, size, -EINVAL, "/proc/self/maps, which tells what it is, cannot be read");
	while (err == 0 && at < end && fgets(line, sizeof(line), f) != NULL) {
		if (!vma_parse(line, &v) || v.to <= at)
			continue;
		if (v.from > at || strncmp(v.perms, "rw", 2) != 0)
			err = refuse(addr, size, -EFAULT, "not all of it can be read and written here");
		else if (at != addr && !vma_follows(whole, &v))
			err = refuse(addr, size, -EINVAL, "it lies in several mappings that do not belong together: give one");
		else if (at == addr)
			*whole = v, whole->first_to = v.to;
		else
			whole->to = v.to;
		at = v.to;
	}
	fclose(f);
	if (err == 0 && at < end)
		err = refuse(addr, size, -EFAULT, "not all of it is mapped here");
	return err;
}

/* --- files --- */

/* The descriptor if it is of that file, else it is closed: -ENOENT. */
static int
fd_of(int fd, const struct vma *v)
{
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_dev == v->dev && st.st_ino == v->ino)
		return fd;
	sys_close(fd);
	return -ENOENT;
}

/* By one of the program's own descriptors: opened anew if that one is not for reading and writing. */
static int
file_by_descriptor(const struct vma *v)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	int found = -ENOENT;

	while (dir != NULL && found < 0 && (e = readdir(dir)) != NULL) {
		char path[32];
		struct stat st;
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || fd == dirfd(dir) || fstat(fd, &st) != 0 || st.st_dev != v->dev || st.st_ino != v->ino)
			continue;
		if ((sys_fcntl(fd, F_GETFL, 0) & (O_ACCMODE | O_PATH)) == O_RDWR) {
			found = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
		} else if (S_ISREG(st.st_mode)) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			found = sys_open(path, O_RDWR | O_CLOEXEC, 0);
		}
		found = fd_of(found, v);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static int
file_by_path(const struct vma *v)
{
	struct stat st;

	/* Opening a device may do something. */
	if (v->path[0] != '/' || stat(v->path, &st) != 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	return fd_of(sys_open(v->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0), v);
}

static int
file_by_mapping(const struct vma *v)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, v->from, v->first_to);
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	return fd_of(sys_open(path, O_RDWR | O_CLOEXEC, 0), v);
}

static int
file_find(const struct vma *v, uint64_t addr, uint64_t size)
{
	int fd = file_by_descriptor(v);

	if (fd < 0)
		fd = file_by_path(v);
	if (fd < 0)
		fd = file_by_mapping(v);
	if (fd < 0)
		return refuse(addr, size, -EINVAL,
			"it is a shared mapping, and no descriptor or path leads to its file: keep the file open, or use a memfd or a file in /dev/shm");
	return fd;
}

/* --- private memory --- */

static bool
page_is_empty(uint64_t at)
{
	static const uint64_t zero[512];
	const char *p = (const char *)(uintptr_t)at;
	uint64_t done = 0;

	while (done < page_size() && memcmp(p + done, zero, sizeof(zero)) == 0)
		done += sizeof(zero);
	return done >= page_size();
}

/* Only pages with something in them, so that the others take no memory. */
static int
pages_copy(int fd, uint64_t addr, uint64_t end)
{
	uint64_t page = page_size(), at;

	for (at = addr; at < end; at += page)
		if (!page_is_empty(at) && sys_pwrite(fd, (const void *)(uintptr_t)at, page, (off_t)(at - addr)) != (long)page)
			return -ENOMEM;
	return 0;
}

static int
memory_move(struct client_memory *m, uint64_t size)
{
	int fd = memfd_create("netmap-extmem", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL), err;

	/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("netmap-extmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return refuse(m->addr, size, -errno, "no memfd can be made to move it into");
	err = fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t)(m->end - m->addr)) != 0 ? -errno : pages_copy(fd, m->addr, m->end);
	/* It is private: a record of an earlier file there is stale. */
	client_unmapped((void *)(uintptr_t)m->addr, m->end - m->addr);
	if (err == 0)
		err = client_mmap_over(m->addr, m->end - m->addr, fd);
	if (err != 0) {
		sys_close(fd);
		return refuse(m->addr, size, err, "it is private to the program, and cannot be moved into a memfd");
	}
	m->fd = fd;
	m->offset = 0;
	m->moved = true;
	return 0;
}

/* A copy is made, and put in the place of the file at once. If that fails the memory stays in its file. */
static void
memory_move_back(const struct client_memory *m)
{
	uint64_t size = m->end - m->addr;
	long copy = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), p;

	if (copy < 0 && copy > -4096)
		return;
	for (uint64_t at = 0; at < size; at += page_size())
		if (!page_is_empty(m->addr + at))
			memcpy((char *)copy + at, (const char *)(uintptr_t)m->addr + at, page_size());
	p = sys_call6(SYS_mremap, copy, (long)size, (long)size, MREMAP_MAYMOVE | MREMAP_FIXED, (long)m->addr, 0);
	if (p == (long)m->addr)
		client_unmapped((void *)(uintptr_t)m->addr, size);
	else
		sys_munmap((void *)copy, size);
}

/* May this memory of the program's be replaced? */
static int
private_check(const struct vma *v, uint64_t addr, uint64_t end, uint64_t size)
{
	uint64_t here = (uintptr_t)__builtin_frame_address(0);

	if (v->ino != 0)
		return refuse(addr, size, -EINVAL, "it is a private mapping of a file or of huge pages: map it MAP_SHARED");
	if (is_special(v) || (here >= addr && here < end))
		return refuse(addr, size, -EINVAL, "it is the program's stack or the kernel's: use mmap or a memfd");
	return 0;
}

int
client_memory_open(uint64_t addr, uint64_t size, struct client_memory *m)
{
	uint64_t page = page_size();
	struct vma v;
	int err;

	if (size == 0 || size > UINT64_MAX / 2 || addr > UINT64_MAX / 2)
		return refuse(addr, size, size == 0 ? -EINVAL : -EFAULT, "there is no such memory");
	if (addr % page != 0)
		return refuse(addr, size, -EINVAL, "it does not begin with a page");
	*m = (struct client_memory){ .addr = addr, .end = (addr + size + page - 1) & ~(page - 1), .fd = -1 };
	err = range_find(addr, m->end, size, &v);
	if (err != 0)
		return err;
	if (is_shared(&v)) {
		m->offset = v.offset + (addr - v.from);
		m->fd = file_find(&v, addr, size);
		return m->fd < 0 ? m->fd : 0;
	}
	err = private_check(&v, addr, m->end, size);
	return err != 0 ? err : memory_move(m, size);
}

void
client_memory_close(const struct client_memory *m, bool granted)
{
	sys_close(m->fd);
	if (m->moved && !granted)
		memory_move_back(m);
}
