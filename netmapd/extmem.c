/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * External memory: what netmapd asks of the file that a client shows for it.
 *
 * A file is mapped here if it can be used like the memory of any region: it lies in memory (a memfd, tmpfs, hugetlbfs), so that nobody waits for a disk
 * or for a program that serves a file system; it is open for reading and writing, and it is long enough. It stays the program's: where that is possible
 * it is sealed, so that it cannot be cut short. Where not, see engine/extmem.c. No descriptor is kept of what is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/cover.h"
#include "arena.h"
#include "sessions.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

static int
refuse(char *why, size_t why_size, int err, const char *text)
{
	snprintf(why, why_size, "external memory: %s", text);
	return err;
}

/* What kind of file, opened how? *page: the unit of its mappings. */
static int
kind_check(int fd, const struct stat *st, uint64_t *page, char *why, size_t why_size)
{
	int flags = fcntl(fd, F_GETFL), seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;

	if (!S_ISREG(st->st_mode) || fstatfs(fd, &fs) != 0 || (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return refuse(why, why_size, -EINVAL, "its file is not in memory: use a memfd, or a file in /dev/shm, on tmpfs or on hugetlbfs");
	if (arena_owns(st))
		return refuse(why, why_size, -EINVAL, "it is netmap's own memory");
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || (seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0))
		return refuse(why, why_size, -EINVAL, "its file cannot be written: open it for reading and writing, without a seal against that");
	/* Both kinds tell it there. st_blksize may be the size of pages that are preferred. */
	*page = (uint64_t)fs.f_bsize;
	return 0;
}

static int
length_check(uint64_t offset, uint64_t size, const struct stat *st, uint64_t page, char *why, size_t why_size)
{
	if (offset % page != 0) {
		snprintf(why, why_size, "external memory: it begins at byte %llu of its file, and must at a multiple of a page, %llu bytes there",
			(unsigned long long)offset, (unsigned long long)page);
		return -EINVAL;
	}
	if (offset > (uint64_t)st->st_size || size > (uint64_t)st->st_size - offset) {
		snprintf(why, why_size, "external memory: %llu bytes from byte %llu of its file were given, and the file has %llu",
			(unsigned long long)size, (unsigned long long)offset, (unsigned long long)st->st_size);
		return -EFAULT;
	}
	return 0;
}

int
os_memory_identify(void *caller, uint64_t where, uint64_t size, uint64_t id[3], char *why, size_t why_size)
{
	const struct open_session *s = caller;
	struct stat st;
	uint64_t page;
	int err;

	if (s == NULL || s->memory < 0 || fstat(s->memory, &st) != 0)
		return refuse(why, why_size, -EFAULT, "no file came along");
	err = kind_check(s->memory, &st, &page, why, why_size);
	if (err == 0)
		err = length_check(where, size, &st, page, why, why_size);
	if (err != 0)
		return err;
	id[0] = st.st_dev;
	id[1] = st.st_ino;
	id[2] = where;
	return 0;
}

int
os_region_adopt(void *caller, uint32_t no, uint32_t generation, uint64_t where, uint64_t size, uint32_t *failed, void **base, char *why,
	size_t why_size)
{
	const struct open_session *s = caller;
	struct arena_region r = { .size = size, .offset = where, .generation = generation, .external = true };
	struct stat st;
	int err;

	r.fd = fcntl(s->memory, F_DUPFD_CLOEXEC, 0);
	if (r.fd < 0) {
		err = -errno;
		snprintf(why, why_size, "external memory: no descriptor is left for its file: %s", strerror(-err));
		return err;
	}
	/* Fails where files cannot be sealed. Growing does no harm. */
	(void)fcntl(r.fd, F_ADD_SEALS, F_SEAL_SHRINK);
	/* Once more: only what is sealed stays as it was. */
	err = fstat(r.fd, &st) != 0 ? -errno : kind_check(r.fd, &st, &r.page, why, why_size);
	if (err == 0)
		err = length_check(where, size, &st, r.page, why, why_size);
	if (err != 0)
		goto err_close;
	err = region_add(no, &r, base);
	if (err != 0) {
		snprintf(why, why_size, "external memory: %llu MiB cannot be mapped: %s", (unsigned long long)(size >> 20), strerror(-err));
		goto err_close;
	}
	err = cover_set(no, r.addr, (size + r.page - 1) & ~(r.page - 1), failed);
	if (err != 0) {
		snprintf(why, why_size, "external memory: netmapd cannot catch SIGBUS: %s", strerror(-err));
		os_region_destroy(no);
	}
	return err;

err_close:
	close(r.fd);
	return err;
}

bool
os_region_intact(uint32_t no)
{
	const struct arena_region *r = arena_region(no);
	struct stat st;

	return r != NULL && fstat(r->fd, &st) == 0 && r->offset + r->size <= (uint64_t)st.st_size;
}
