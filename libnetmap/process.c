/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which process this is, see process.h; and the library's start: libc's functions, who serves the process,
 * descriptors that came by exec.
 */
#include "intercept.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "epoll_set.h"
#include "protocol.h"
#include "raw_syscall.h"

static _Atomic int process_word_early = PROCESS_OURS;
_Atomic int *process_word = &process_word_early;
bool process_active;
__thread int client_depth;

static _Atomic int process_pid;

static void
epoll_forked(int fd, struct fd_entry *e, void *arg)
{
	if (e->kind == FD_EPOLL)
		epoll_set_forked(e->set);
}

void
process_forked(void)
{
	uint64_t all = ~0ULL, saved;
	int seen = PROCESS_FORKED;

	/* A handler that interrupted this thread here would wait for it forever. */
	raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &saved, sizeof(all));
	if (atomic_compare_exchange_strong(process_word, &seen, PROCESS_ENTERING)) {
		atomic_store(&process_pid, (int)raw_syscall(SYS_getpid));
		fd_walk(0, FD_LIMIT - 1, epoll_forked, NULL);
		client_enter();
		client_forked();
		client_leave();
		atomic_store_explicit(process_word, PROCESS_OURS, memory_order_release);
	} else {
		while (atomic_load_explicit(process_word, memory_order_acquire) == PROCESS_ENTERING)
			raw_syscall(SYS_sched_yield);
	}
	raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &saved, NULL, sizeof(saved));
}

/* fork() only; children made by bare clone() are noticed at their first call. */
static void
process_atfork_child(void)
{
	atomic_store(process_word, PROCESS_FORKED);
	process_forked();
}

bool
process_owns_table(void)
{
	process_enter();
	return atomic_load(&process_pid) == (int)raw_syscall(SYS_getpid);
}

static void
entry_release(struct fd_entry *e)
{
	if (e->kind == FD_EPOLL) {
		epoll_set_free(e->set);
		return;
	}
	client_enter();
	client_put(e->session);
	client_leave();
}

void
process_reap_now(void)
{
	/* An epoll set that goes lets go of its members. */
	while (fd_reap_wanted() && process_owns_table())
		fd_reap(entry_release);
}

void
process_reap(void)
{
	uint64_t mask = 0;

	if (!fd_reap_wanted())
		return;
	raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	if (!mask)
		process_reap_now();
}

bool
process_marked(int fd)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);

	/* The kernel rounds the microseconds to its clock tick, so the seconds alone are looked at. */
	return raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) == 0 &&
		tv.tv_sec == PROTO_MARK_SEC;
}

bool
fd_own(int fd)
{
	return fd_install(fd, &fd_owned) == 0;
}

static struct fd_entry *
session_adopt(int fd)
{
	struct client_session *s;
	struct fd_entry *e;
	int err;

	process_reap_now();
	client_enter();
	err = client_adopt(fd, &s);
	client_leave();
	if (err) {
		if (err == -ENOTTY || err == -EBADF)
			fd_replace(fd, &fd_pending, NULL);
		return NULL;
	}
	e = fd_entry_new(FD_SESSION, s);
	if (!e)
		client_put(s);
	else if (!fd_replace(fd, &fd_pending, e)) {
		fd_put(e);
		return session_get(fd);
	}
	return e;
}

struct fd_entry *
session_get(int fd)
{
	struct fd_entry *e = fd_get(fd);

	if (!e)
		return NULL;
	process_enter();
	if (e->kind == FD_SESSION)
		return e;
	if (e->kind == FD_PENDING && process_owns_table()) {
		fd_put(e);
		return session_adopt(fd);
	}
	fd_put(e);
	return NULL;
}

bool
session_current(int fd, struct fd_entry *e)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (!process_owns_table())
		return true;
	/* A duplicate keeps the file open. */
	if (fd_peek(fd) != e)
		return atomic_load_explicit(&e->slots, memory_order_acquire) != 0;
	if (raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 &&
		cookie == client_cookie(e->session))
		return true;
	fd_replace(fd, e, process_marked(fd) ? &fd_pending : NULL);
	return false;
}

/* Calls fn for every open descriptor. Without /proc, for none. */
static void
process_each_fd(void (*fn)(int fd))
{
	struct {
		uint64_t ino, off;
		unsigned short len;
		unsigned char type;
		char name[];
	} *d;
	char buf[2048] __attribute__((aligned(8)));
	int dir = (int)raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (dir < 0)
		return;
	while ((n = raw_syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n; at += d->len) {
			d = (void *)(buf + at);
			if (d->name[0] >= '0' && d->name[0] <= '9' && atoi(d->name) != dir)
				fn(atoi(d->name));
		}
	}
	raw_syscall(SYS_close, dir);
}

static void
process_inherit(int fd)
{
	if (process_marked(fd))
		fd_install(fd, &fd_pending);
}

/* NETMAP_HOST=user|kernel; else the kernel's device if there is one. */
static bool
process_wants_user_host(void)
{
	const char *host = getenv("NETMAP_HOST");
	struct stat st;

	if (host && strcmp(host, "user") == 0)
		return true;
	if (host && strcmp(host, "kernel") == 0)
		return false;
	return stat("/dev/netmap", &st) != 0 || !S_ISCHR(st.st_mode);
}

__attribute__((constructor(101)))
static void
process_start(void)
{
	void *page;

	libc_resolve();
	if (!process_wants_user_host())
		return;
	page = libc.mmap(NULL, sizeof(*process_word), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED) {
		madvise(page, sizeof(*process_word), MADV_WIPEONFORK);
		process_word = page;
		atomic_store(process_word, PROCESS_OURS);
	}
	atomic_store(&process_pid, (int)raw_syscall(SYS_getpid));
	pthread_atfork(NULL, NULL, process_atfork_child);
	process_each_fd(process_inherit);
	process_active = true;
}
