/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State memory: one memfd, mapped whole at the arena's start. The file is only as long as what was given out, so that
 * a client which locks its memory does not lock 16 GiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../host/place.h"
#include "arena.h"
#include "heap.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8u
#endif

#define STATE_STEP	(UINT64_C(256) << 10)	/* the file grows by so many bytes */

static struct {
	char *base;
	int fd;
	uint64_t file_size;
	struct heap heap;
} arena = { .fd = -1 };

int
arena_memfd(const char *name, uint64_t size, unsigned seals)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL), err;

	/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* A memfd is born open to all: who has a read-only descriptor could open it again for writing. */
	if (fchmod(fd, 0600) != 0 || ftruncate(fd, size) != 0 || fcntl(fd, F_ADD_SEALS, seals) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void *
reserve(uint64_t base)
{
	void *want = (void *)(uintptr_t)base, *got;

	got = mmap(want, ARENA_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == MAP_FAILED)
		return NULL;
	/* Old kernels take the address as a hint. */
	if (got != want) {
		munmap(got, ARENA_SIZE);
		errno = EEXIST;
		return NULL;
	}
	return got;
}

int
arena_open(char *text, size_t text_size)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	int err;

	arena.base = reserve(ARENA_BASE);
#ifdef ARENA_BASE_LOW
	if (arena.base == NULL)
		arena.base = reserve(ARENA_BASE_LOW);
#endif
	if (arena.base == NULL) {
		err = -errno;
		snprintf(text, text_size, "cannot reserve %llu GiB of addresses at %#llx: %s; a limit on address space (ulimit -v) must go",
			(unsigned long long)(ARENA_SIZE >> 30), (unsigned long long)ARENA_BASE, strerror(-err));
		return err;
	}
	err = arena_memfd("netmap-state", 0, F_SEAL_SHRINK | F_SEAL_SEAL);
	if (err < 0) {
		snprintf(text, text_size, "cannot make shared memory: %s", strerror(-err));
		goto err_unmap;
	}
	arena.fd = err;
	arena.file_size = 0;
	if (mmap(arena.base, ARENA_STATE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, arena.fd, 0) ==
	    MAP_FAILED) {
		err = -errno;
		snprintf(text, text_size, "cannot map shared memory: %s", strerror(-err));
		goto err_close;
	}
	madvise(arena.base, ARENA_SIZE, MADV_DONTDUMP);
	heap_init(&arena.heap, ARENA_STATE, page);
	err = regions_init((uintptr_t)arena.base + ARENA_STATE, ARENA_SIZE - ARENA_STATE, page);
	if (err != 0) {
		snprintf(text, text_size, "no memory for the table of regions");
		goto err_heap;
	}
	return 0;

err_heap:
	heap_fini(&arena.heap);
err_close:
	close(arena.fd);
	arena.fd = -1;
err_unmap:
	munmap(arena.base, ARENA_SIZE);
	arena.base = NULL;
	return err;
}

void
arena_close(void)
{
	if (arena.base == NULL)
		return;
	regions_fini();
	heap_fini(&arena.heap);
	munmap(arena.base, ARENA_SIZE);
	close(arena.fd);
	arena.base = NULL;
	arena.fd = -1;
}

uint64_t
arena_base(void)
{
	return (uintptr_t)arena.base;
}

int
arena_state_fd(void)
{
	return arena.fd;
}

bool
arena_owns(const struct stat *st)
{
	struct stat own;

	/* All memfds lie on one file system. */
	return fstat(arena.fd, &own) == 0 && st->st_dev == own.st_dev && (st->st_ino == own.st_ino || regions_own(st->st_ino));
}

void
arena_trim(void)
{
	madvise(arena.base, arena.file_size, MADV_DONTNEED);
	regions_trim();
}

/* Makes the file long enough for [0, end). */
static bool
state_grow(uint64_t end)
{
	uint64_t size = (end + STATE_STEP - 1) / STATE_STEP * STATE_STEP;

	if (end <= arena.file_size)
		return true;
	if (size > ARENA_STATE || ftruncate(arena.fd, size) != 0)
		return false;
	arena.file_size = size;
	return true;
}

/* Large chunks are whole pages: given back while they are free. */
static void
chunk_punch(uint64_t offset, uint64_t chunk)
{
	if (fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, chunk) != 0)
		memset(arena.base + offset, 0, chunk);
}

void *
os_shared_alloc(size_t size)
{
	uint64_t offset, chunk = heap_chunk_size(&arena.heap, size);
	bool fresh;

	if (chunk == 0 || !heap_alloc(&arena.heap, size, &offset, &fresh))
		return NULL;
	if (!state_grow(offset + chunk)) {
		heap_free(&arena.heap, offset, size);
		return NULL;
	}
	if (!fresh) {
		if (chunk >= HEAP_LARGE)
			chunk_punch(offset, chunk);
		else
			memset(arena.base + offset, 0, chunk);
	}
	return arena.base + offset;
}

void
os_shared_free(void *p, size_t size)
{
	uint64_t offset, chunk = heap_chunk_size(&arena.heap, size);

	if (p == NULL)
		return;
	offset = (char *)p - arena.base;
	if (chunk >= HEAP_LARGE)
		chunk_punch(offset, chunk);
	heap_free(&arena.heap, offset, size);
}
