/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap(2) of a netmap descriptor goes to the client; every unmapping in the process is told to it while a
 * region is mapped, since a mapping keeps its session alive. The client is told before the kernel is:
 * afterwards another thread may have the addresses.
 */
#include "intercept.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

static bool
memory_concerned(void)
{
	return client_mapped_any() && !client_depth && process_owns_table();
}

static void
memory_unmapped(const void *addr, size_t len)
{
	client_enter();
	client_unmapped(addr, len);
	client_leave();
}

static bool
page_aligned(const void *addr)
{
	return ((uintptr_t)addr & ((uintptr_t)sysconf(_SC_PAGESIZE) - 1)) == 0;
}

static size_t
page_round(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) & ~(page - 1);
}

INTERCEPT void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct fd_entry *e = NULL;
	void *ret;
	int err;

	if (flags & MAP_FIXED && memory_concerned() && page_aligned(addr) && len)
		memory_unmapped(addr, len);
	if (!(flags & MAP_ANONYMOUS) && fd_peek(fd))
		e = session_get(fd);
	if (!e)
		return libc.mmap(addr, len, prot, flags, fd, off);
	if (session_current(fd, e)) {
		client_enter();
		err = client_mmap(e->session, fd, addr, len, prot, flags, off, &ret);
		client_leave();
		if (err)
			ret = (void *)(intptr_t)result_errno(err);
	} else {
		ret = libc.mmap(addr, len, prot, flags, fd, off);
	}
	fd_put(e);
	return ret;
}
INTERCEPT_ALIAS(mmap) __typeof__(mmap) mmap64;

INTERCEPT int
munmap(void *addr, size_t len)
{
	if (memory_concerned() && page_aligned(addr) && len)
		memory_unmapped(addr, page_round(len));
	return libc.munmap(addr, len);
}

INTERCEPT void *
mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	bool concerned = memory_concerned();
	void *to = NULL, *ret;
	va_list ap;

	if (flags & MREMAP_FIXED) {
		va_start(ap, flags);
		to = va_arg(ap, void *);
		va_end(ap);
		if (concerned && page_aligned(to) && new_len)
			memory_unmapped(to, page_round(new_len));
	}
	len = page_round(len);
	new_len = page_round(new_len);
	ret = libc.mremap(addr, len, new_len, flags, to);
	if (!concerned || ret == MAP_FAILED)
		return ret;
	if (ret != addr)
		memory_unmapped(addr, len);
	else if (new_len < len)
		memory_unmapped((char *)addr + new_len, len - new_len);
	return ret;
}
