/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's own mappings of regions. Each holds a duplicate of the descriptor, so that the session outlives close() as long as its memory is
 * mapped, in whatever process. And memory of the program's that was moved into a file (client_extmem.c), whose descriptor is held for the next time that
 * it is given.
 */
#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "../host/sys.h"
#include "client_internal.h"

#define CHUNK	4096u			/* bytes of records mapped at a time */

struct mapping {
	uintptr_t from, to;
	int fd;				/* duplicate of the session's descriptor, or of the file's */
	struct client_session *session;	/* counted; NULL: memory of the program's that was moved into a file */
	struct mapping *next;
};

static struct {
	struct mapping *list, *spare;
	uint32_t count;
} mappings;

bool
client_mapped_any(void)
{
	return load_relaxed(&mappings.count) != 0;
}

/* Mappings are whole pages, whatever length was asked for. */
static uintptr_t
page_up(uintptr_t end)
{
	uintptr_t page = getauxval(AT_PAGESZ);

	return (end + page - 1) & ~(page - 1);
}

static struct mapping *
spare_take(void)
{
	struct mapping *m;
	long p;

	if (mappings.spare == NULL) {
		p = sys_mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p < 0)
			return NULL;
		for (size_t i = 0; i < CHUNK / sizeof(*m); i++) {
			m = (struct mapping *)p + i;
			m->next = mappings.spare;
			mappings.spare = m;
		}
	}
	m = mappings.spare;
	mappings.spare = m->next;
	return m;
}

static void
spare_give(struct mapping *m)
{
	m->next = mappings.spare;
	mappings.spare = m;
}

/* A record of [from, to) that holds the session by a descriptor of its own. Under the lock. */
static int
mapping_add(struct client_session *s, int fd, uintptr_t from, uintptr_t to)
{
	struct mapping *m = spare_take();
	int copy;

	if (m == NULL)
		return -ENOMEM;
	copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		copy = client_fd_own(copy, CLIENT_FD_SHARED);
	if (copy < 0) {
		spare_give(m);
		return copy;
	}
	*m = (struct mapping){ .from = from, .to = to, .fd = copy, .session = s != NULL ? client_get(s) : NULL, .next = mappings.list };
	mappings.list = m;
	atomic_inc(&mappings.count);
	return 0;
}

int
client_mmap(struct client_session *s, int fd, void *addr, size_t length, int prot, int flags, off_t offset, void **out)
{
	struct proto_session q = { .session = s->id };
	struct proto_region_reply r;
	struct client_guard g;
	int memory, err;
	long p;

	client_why_clear();
	if ((flags & MAP_TYPE) == MAP_PRIVATE || (flags & MAP_ANONYMOUS) != 0 || length == 0 || offset < 0)
		return -EINVAL;
	if (!client_session_usable(s))
		return -EIO;
	memory = client_region_fd(PROTO_MMAP, &q, sizeof(q), &r);
	if (memory < 0)
		return memory;
	if ((uint64_t)offset > r.size || length > r.size - (uint64_t)offset || r.offset > INT64_MAX - (uint64_t)offset) {
		sys_close(memory);
		return -EINVAL;
	}
	/* Locked from before the mapping is there: an munmap of it by another thread finds the record. */
	client_lock(CLIENT_LOCK_TABLES, &g);
	p = sys_mmap(addr, length, prot, flags, memory, offset + (off_t)r.offset);
	err = p < 0 && p > -4096 ? (int)p : 0;
	if (err == 0) {
		sys_madvise((void *)p, length, MADV_DONTDUMP);
		err = mapping_add(s, fd, (uintptr_t)p, page_up((uintptr_t)p + length));
		if (err != 0)
			sys_munmap((void *)p, length);
	}
	client_unlock(CLIENT_LOCK_TABLES, &g);
	sys_close(memory);
	*out = (void *)p;
	return err;
}

int
client_mmap_over(uint64_t addr, uint64_t size, int fd)
{
	struct client_guard g;
	long p;
	int err;

	client_process_enter();
	client_lock(CLIENT_LOCK_TABLES, &g);
	err = mapping_add(NULL, fd, addr, addr + size);
	if (err == 0) {
		p = sys_mmap((void *)(uintptr_t)addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
		err = p < 0 && p > -4096 ? (int)p : 0;
	}
	client_unlock(CLIENT_LOCK_TABLES, &g);
	if (err != 0)
		client_unmapped((void *)(uintptr_t)addr, size);
	return err;
}

/* Takes [from, to) out of one record. True if nothing is left of it. */
static bool
mapping_cut(struct mapping *m, uintptr_t from, uintptr_t to)
{
	if (from <= m->from && to >= m->to)
		return true;
	if (from <= m->from) {
		m->from = to;
	} else if (to >= m->to) {
		m->to = from;
	} else if (mapping_add(m->session, m->fd, to, m->to) == 0) {
		/* Without memory for a second record the hole stays in the first: the session then lives a little longer. */
		m->to = from;
	}
	return false;
}

void
client_unmapped(const void *addr, size_t length)
{
	uintptr_t from = (uintptr_t)addr, to = page_up(from + length);
	struct mapping **p = &mappings.list, *m, *gone = NULL;
	struct client_guard g;

	if (!client_mapped_any())
		return;
	client_process_enter();
	client_lock(CLIENT_LOCK_TABLES, &g);
	while ((m = *p) != NULL) {
		if (to <= m->from || from >= m->to || !mapping_cut(m, from, to)) {
			p = &m->next;
			continue;
		}
		*p = m->next;
		m->next = gone;
		gone = m;
		__atomic_sub_fetch(&mappings.count, 1, __ATOMIC_SEQ_CST);
	}
	client_unlock(CLIENT_LOCK_TABLES, &g);
	while ((m = gone) != NULL) {
		gone = m->next;
		client_fd_close(m->fd);
		if (m->session != NULL)
			client_put(m->session);
		client_lock(CLIENT_LOCK_TABLES, &g);
		spare_give(m);
		client_unlock(CLIENT_LOCK_TABLES, &g);
	}
}
