/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of open sessions, by number and by cookie.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../libnetmap/protocol.h"
#include "log.h"
#include "server.h"
#include "sessions.h"

#define BUCKETS	256u

struct entry {
	struct open_session s;
	struct source source;
	struct entry *next_id, *next_cookie;
};

static struct {
	struct entry *by_id[BUCKETS], *by_cookie[BUCKETS];
	unsigned count;
	uint32_t last_id;
} sessions;

#define entry_of(src)	((struct entry *)(void *)((char *)(src) - offsetof(struct entry, source)))

struct open_session *
sessions_find(uint32_t id)
{
	struct entry *e = sessions.by_id[id % BUCKETS];

	while (e != NULL && e->s.id != id)
		e = e->next_id;
	return e != NULL ? &e->s : NULL;
}

struct open_session *
sessions_find_cookie(uint64_t cookie)
{
	struct entry *e = sessions.by_cookie[cookie % BUCKETS];

	while (e != NULL && e->s.cookie != cookie)
		e = e->next_cookie;
	return e != NULL ? &e->s : NULL;
}

unsigned
sessions_count(void)
{
	return sessions.count;
}

static void
entry_destroy(struct source *src)
{
	free(entry_of(src));
}

static void
entry_close(struct entry *e)
{
	struct entry **p;

	for (p = &sessions.by_id[e->s.id % BUCKETS]; *p != e; p = &(*p)->next_id)
		;
	*p = e->next_id;
	for (p = &sessions.by_cookie[e->s.cookie % BUCKETS]; *p != e; p = &(*p)->next_cookie)
		;
	*p = e->next_cookie;
	sessions.count--;
	os_log(OS_LOG_DEBUG, "session %u closed", e->s.id);
	session_close(e->s.engine);
	netns_sockets_close(&e->s.sockets);
	if (e->s.netns >= 0)
		close(e->s.netns);
	server_remove(&e->source);
	server_tick_soon();
	server_active();
}

static void
entry_handle(struct source *src, uint32_t events)
{
	/* Bytes that an application writes into its descriptor are never asked for; only the hang-up counts. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		entry_close(entry_of(src));
}

/* The pair; the application's end is marked so that a process which gets it knows what it is. */
static int
pair_make(int ends[2], uint64_t *cookie)
{
	struct timeval mark = { .tv_sec = PROTO_MARK_SEC, .tv_usec = PROTO_MARK_USEC };
	socklen_t size = sizeof(*cookie);
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	if (setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &mark, sizeof(mark)) == 0 &&
	    getsockopt(ends[1], SOL_SOCKET, SO_COOKIE, cookie, &size) == 0)
		return 0;
	err = -errno;
	close(ends[0]);
	close(ends[1]);
	return err;
}

int
sessions_open(int netns, struct open_session **out, int *app)
{
	struct entry *e = calloc(1, sizeof(*e));
	int ends[2], err;

	if (e == NULL)
		return -ENOMEM;
	err = pair_make(ends, &e->s.cookie);
	if (err != 0)
		goto err_free;
	err = session_create(&e->s.engine);
	if (err != 0)
		goto err_pair;
	e->source = (struct source){ .fd = ends[0], .handle = entry_handle, .destroy = entry_destroy };
	err = server_add_early(&e->source, 0);
	if (err != 0)
		goto err_session;
	do
		e->s.id = ++sessions.last_id;
	while (e->s.id == 0 || sessions_find(e->s.id) != NULL);
	e->s.netns = netns;
	e->s.memory = -1;
	e->next_id = sessions.by_id[e->s.id % BUCKETS];
	sessions.by_id[e->s.id % BUCKETS] = e;
	e->next_cookie = sessions.by_cookie[e->s.cookie % BUCKETS];
	sessions.by_cookie[e->s.cookie % BUCKETS] = e;
	sessions.count++;
	server_active();
	*app = ends[1];
	*out = &e->s;
	return 0;

err_session:
	session_close(e->s.engine);
err_pair:
	close(ends[0]);
	close(ends[1]);
err_free:
	free(e);
	return err;
}

void
sessions_close_all(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		while (sessions.by_id[i] != NULL)
			entry_close(sessions.by_id[i]);
}
