/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is at the other end, whether it is trusted, and when it is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../engine/ctrl.h"
#include "actors.h"
#include "arena.h"
#include "connection.h"
#include "log.h"
#include "process.h"
#include "server.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

struct process {
	struct source source;		/* pidfd */
	uint32_t number;
	pid_t pid;
	uid_t uid;
	struct connection *connection;	/* NULL: it ended first */
	struct process *next;
};

static struct process *processes;
static uint32_t last_number;

#define process_of(src)	((struct process *)(void *)((char *)(src) - offsetof(struct process, source)))

uint32_t
process_number(const struct process *p)
{
	return p->number;
}

pid_t
process_pid(const struct process *p)
{
	return p->pid;
}

static void
process_destroy(struct source *src)
{
	free(process_of(src));
}

/* Its threads are no more: what they held is free, and so are their actor entries. */
static void
process_gone(struct process *p)
{
	struct process **q;

	os_log(OS_LOG_DEBUG, "process %d is gone", (int)p->pid);
	actors_process_gone(p->number);
	server_tick_soon();
	for (q = &processes; *q != p; q = &(*q)->next)
		;
	*q = p->next;
	server_remove(&p->source);
}

static void
pidfd_handle(struct source *src, uint32_t events)
{
	struct process *p = process_of(src);

	/* A child may have inherited the connection: it is nobody's any more. This ends in process_disconnected. */
	if (p->connection != NULL)
		connection_close(p->connection);
	else
		process_gone(p);
}

/* Newer kernels tell exactly which process connected; older ones its number, which could be another's by now. */
static int
peer_pidfd(int sock, pid_t pid)
{
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0 && fd >= 0)
		return fd;
	fd = syscall(SYS_pidfd_open, pid, 0);
	return fd >= 0 ? fd : -errno;
}

static bool
pidfd_ended(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) != 0;
}

int
process_new(int sock, struct connection *c, struct process **out)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	struct process *p;
	int err;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return -errno;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->pid = cred.pid;
	p->uid = cred.uid;
	err = peer_pidfd(sock, cred.pid);
	if (err < 0)
		goto err_free;
	p->source = (struct source){ .fd = err, .handle = pidfd_handle, .destroy = process_destroy };
	err = server_add(&p->source, EPOLLIN);
	if (err != 0)
		goto err_close;
	do
		p->number = ++last_number;
	while (p->number == 0);
	p->connection = c;
	p->next = processes;
	processes = p;
	*out = p;
	return 0;

err_close:
	close(p->source.fd);
err_free:
	free(p);
	return err;
}

/* Is the arena among the mappings of a process? When in doubt, yes. */
static bool
maps_arena(pid_t pid)
{
	char path[48], line[512], start[32];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	snprintf(start, sizeof(start), "%llx-", (unsigned long long)arena_base());
	f = fopen(path, "re");
	if (f == NULL)
		return errno != ENOENT && errno != ESRCH;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = strncmp(line, start, strlen(start)) == 0;
	fclose(f);
	return found;
}

void
process_disconnected(struct process *p)
{
	p->connection = NULL;
	if (pidfd_ended(p->source.fd) || !actors_any(p->number) || !maps_arena(p->pid))
		process_gone(p);
}

static bool
same_namespace(pid_t pid, const char *which)
{
	char path[64];
	struct stat own, theirs;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	if (stat(path, &own) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	return stat(path, &theirs) == 0 && own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino;
}

bool
process_trusted(const struct process *p, char *why, size_t why_size)
{
	const char *reason;

	if (p->uid != geteuid()) {
		snprintf(why, why_size, "netmapd at %s serves user %u, and this process is of user %u: start one of your own "
			"(unset NETMAP_SOCKET, or name another socket in it)", server_path(), (unsigned)geteuid(), (unsigned)p->uid);
		return false;
	}
	if (!same_namespace(p->pid, "user"))
		reason = "user namespace";
	else if (!same_namespace(p->pid, "pid"))
		reason = "pid namespace";
	else
		/* The checks went by number: they hold if it was the same process all the time. */
		return !pidfd_ended(p->source.fd);
	snprintf(why, why_size, "netmapd at %s and this process are not in the same %s: start one inside (name a socket there in NETMAP_SOCKET)",
		server_path(), reason);
	return false;
}

void
processes_close_all(void)
{
	while (processes != NULL) {
		struct process *p = processes;

		processes = p->next;
		server_remove(&p->source);
	}
}
