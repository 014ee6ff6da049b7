/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each message does. All of a message is hostile: its size and its descriptors are checked here against the table at the end, its numbers where
 * they are used. A handler returns 0, -EPROTO to end the connection, or the error of its reply's sending.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/nsfs.h>
#include <sched.h>

#include "../drivers/netns.h"
#include "../host/place.h"
#include "actors.h"
#include "arena.h"
#include "config.h"
#include "connection.h"
#include "log.h"
#include "modules.h"
#include "nic.h"
#include "process.h"
#include "server.h"
#include "sessions.h"
#include "stats.h"
#include "table.h"

struct message {
	struct connection *from;
	const struct proto_header *hdr;
	void *body;
	size_t size;			/* of the body */
	struct message_fds *fds;
};

static int
reply_error(const struct message *m, int err)
{
	return connection_reply(m->from, m->hdr, -err, NULL, 0, NULL);
}

/* The descriptor that goes along stays the caller's; -1: none. */
static int
reply(const struct message *m, const void *body, size_t size, int fd)
{
	struct message_fds fds = { .n = fd >= 0, .fd = { fd } };

	return connection_reply(m->from, m->hdr, 0, body, size, &fds);
}

static int
hello(const struct message *m)
{
	const struct proto_hello *h = m->body;
	struct proto_hello_reply r = { .generation = server_generation() };
	struct process *p = connection_process(m->from);
	int error = 0;

	if (connection_greeted(m->from) || h->flags != 0)
		return -EPROTO;
	if (h->layout != ARENA_LAYOUT) {
		error = EPROTO;
		snprintf(r.text, sizeof(r.text), "netmapd at %s is of another version (arena layout %u, and libnetmap has %u): "
			"restart it, or use the libnetmap that came with it", server_path(), ARENA_LAYOUT, h->layout);
	} else if (!process_trusted(p, r.text, sizeof(r.text))) {
		error = EPERM;
		os_log(OS_LOG_INFO, "process %d refused: %s", (int)process_pid(p), r.text);
	}
	if (error != 0)
		return connection_reply(m->from, m->hdr, error, &r, sizeof(r), NULL);
	connection_set_greeted(m->from);
	r.arena_base = arena_base();
	r.arena_state = ARENA_STATE;
	r.arena_size = ARENA_SIZE;
	r.root = (uintptr_t)server_root();
	r.alive = server_alive();
	r.process = process_number(p);
	return reply(m, &r, sizeof(r), arena_state_fd());
}

static int
thread(const struct message *m)
{
	const struct proto_thread *t = m->body;
	const struct process *p = connection_process(m->from);
	struct proto_thread_reply r = { 0 };
	int err = actors_new(process_number(p), process_pid(p), t->tid, &r.actor);

	return err != 0 ? reply_error(m, err) : reply(m, &r, sizeof(r), -1);
}

/* Nothing but an event descriptor is ever written to. */
static bool
is_eventfd(int fd)
{
	char path[40], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

static int
thread_fd(const struct message *m)
{
	const struct proto_actor *a = m->body;

	if (!actors_owned(a->actor, process_number(connection_process(m->from))) || !is_eventfd(m->fds->fd[0]))
		return -EPROTO;
	actors_set_event(a->actor, message_fds_take(m->fds));
	server_tick_soon();
	return reply(m, NULL, 0, -1);
}

static int
thread_exit(const struct message *m)
{
	const struct proto_actor *a = m->body;

	if (!actors_owned(a->actor, process_number(connection_process(m->from))))
		return -EPROTO;
	actors_free(a->actor);
	return 0;
}

static int
wake(const struct message *m)
{
	const struct proto_actor *a = m->body;

	if (a->actor > ACTOR_MAX)
		return -EPROTO;
	actors_wake(a->actor);
	return 0;
}

static void
session_describe(const struct open_session *s, struct proto_session_reply *r)
{
	const struct binding *b = session_binding(s->engine);

	*r = (struct proto_session_reply){
		.cookie = s->cookie,
		.binding = (uintptr_t)b,
		.session = s->id,
		.binding_id = b->id,
	};
}

/* -1 for netmapd's own namespace, which needs no descriptor; -EPROTO if the descriptor is of no network namespace. */
static int
netns_take(struct message_fds *fds)
{
	if (fds->n == 0)
		return -1;
	if (ioctl(fds->fd[0], NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EPROTO;
	return netns_is_own(fds->fd[0]) ? -1 : message_fds_take(fds);
}

static int
open_session(const struct message *m)
{
	struct proto_session_reply r;
	struct open_session *s;
	int netns = netns_take(m->fds), app, err;

	if (netns == -EPROTO)
		return -EPROTO;
	err = sessions_open(netns, &s, &app);
	if (err != 0) {
		if (netns >= 0)
			close(netns);
		return reply_error(m, err);
	}
	session_describe(s, &r);
	err = reply(m, &r, sizeof(r), app);
	close(app);
	return err;
}

static int
attach(const struct message *m)
{
	struct proto_session_reply r;
	struct open_session *s;
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (getsockopt(m->fds->fd[0], SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0)
		return reply_error(m, -ENOTTY);
	s = sessions_find_cookie(cookie);
	if (s == NULL)
		return reply_error(m, -ENOTTY);
	session_describe(s, &r);
	return reply(m, &r, sizeof(r), -1);
}

/* In the session's network namespace as far as that can be: with its sockets, if some were sent. */
static int
request_execute(struct open_session *s, struct request_msg *msg, struct why *why)
{
	int err;

	s->sockets.missed = 0;
	netns_sockets_lend(s->netns >= 0 ? &s->sockets : NULL, s->netns);
	err = session_request(s->engine, s, msg, why);
	netns_sockets_lend(NULL, -1);
	netns_sockets_close(&s->sockets);
	if (s->sockets.missed == 0)
		return err;
	/* Without them something was left undone, even if it looks well. */
	if (err == 0 && msg->kind == REQUEST_CTRL && msg->hdr.nr_reqtype == NETMAP_REQ_REGISTER)
		session_undo(s->engine);
	return -EUSERS;
}

static int
sockets(const struct message *m)
{
	const struct proto_session *q = m->body;
	struct open_session *s = sessions_find(q->session);
	int err = s == NULL ? -ENXIO : s->netns < 0 ? -EINVAL : 0;

	while (err == 0 && m->fds->n > 0)
		err = netns_sockets_add(&s->sockets, s->netns, message_fds_take(m->fds));
	if (err != 0 && s != NULL)
		netns_sockets_close(&s->sockets);
	return err != 0 ? reply_error(m, err) : reply(m, NULL, 0, -1);
}

static int
request(const struct message *m)
{
	static struct proto_request_reply r;
	struct proto_request *q = m->body;
	struct open_session *s;
	size_t len;
	int err;

	if (m->size < offsetof(struct proto_request, msg) + REQUEST_MSG_MIN)
		return -EPROTO;
	len = m->size - offsetof(struct proto_request, msg);
	err = request_check(&q->msg, len);
	if (err == -EPROTO)
		return -EPROTO;
	memset(&r.why, 0, sizeof(r.why));
	/* The file goes along with the option, and with nothing else. */
	if (m->fds->n != (err == 0 && request_extmem(&q->msg) != NULL))
		return -EPROTO;
	s = sessions_find(q->session);
	if (s == NULL) {
		err = -ENXIO;
	} else if (err == 0) {
		s->memory = m->fds->n > 0 ? m->fds->fd[0] : -1;
		err = request_execute(s, &q->msg, &r.why);
		s->memory = -1;
	}
	if (err != 0)
		os_log(OS_LOG_DEBUG, "process %d, session %u, \"%.64s\", request %u: %s%s%s", (int)process_pid(connection_process(m->from)),
			q->session, q->msg.hdr.nr_name, q->msg.hdr.nr_reqtype, strerror(-err), r.why.text[0] != '\0' ? ": " : "", r.why.text);
	memcpy(&r.msg, &q->msg, len);
	server_tick_soon();
	return connection_reply(m->from, m->hdr, -err, &r, offsetof(struct proto_request_reply, msg) + len, NULL);
}

static int
region_reply(const struct message *m, uint32_t no, uint32_t generation)
{
	const struct arena_region *a = arena_region(no);
	struct proto_region_reply r;

	if (a == NULL || a->generation != generation)
		return reply_error(m, -ENXIO);
	r = (struct proto_region_reply){
		.addr = a->addr,
		.size = a->size,
		.offset = a->offset,
		.page = a->page,
		.no = no,
		.generation = generation,
	};
	return reply(m, &r, sizeof(r), a->fd);
}

static int
region(const struct message *m)
{
	const struct proto_region *q = m->body;

	return region_reply(m, q->no, q->generation);
}

static int
map_session(const struct message *m)
{
	const struct proto_session *q = m->body;
	const struct open_session *s = sessions_find(q->session);
	const struct region *r = s != NULL ? session_region(s->engine) : NULL;

	if (r == NULL)
		return reply_error(m, s != NULL ? -EINVAL : -ENXIO);
	return region_reply(m, r->no, r->generation);
}

static int
unregister(const struct message *m)
{
	const struct proto_session *q = m->body;
	struct open_session *s = sessions_find(q->session);

	if (s == NULL)
		return reply_error(m, -ENXIO);
	session_undo(s->engine);
	server_tick_soon();
	return reply(m, NULL, 0, -1);
}

static int
nic(const struct message *m)
{
	const struct proto_nic *q = m->body;
	struct proto_nic_reply r = { 0 };
	struct message_fds fds = { 0 };
	int err = nic_describe(q->port, q->host != 0, &r, &fds);

	if (err != 0)
		return reply_error(m, err);
	return connection_reply(m->from, m->hdr, 0, &r, sizeof(r), &fds);
}

static int
stats(const struct message *m)
{
	struct proto_stats_reply r;
	int fd = stats_collect(&r), err;

	if (fd < 0)
		return reply_error(m, fd);
	err = reply(m, &r, sizeof(r), fd);
	close(fd);
	return err;
}

static int
info(const struct message *m)
{
	struct proto_info_reply r = {
		.pid = getpid(),
		.uid = geteuid(),
		.sessions = sessions_count(),
		.generation = server_generation(),
		.version = NETMAPD_VERSION,
	};

	snprintf(r.socket, sizeof(r.socket), "%s", server_path());
	return reply(m, &r, sizeof(r), -1);
}

static int
param_read(const struct message *m)
{
	const struct proto_param_get *q = m->body;
	struct proto_param_reply r = { 0 };
	struct param_info info;

	if (!param_get(q->index, &info))
		return reply_error(m, -ENOENT);
	memcpy(r.name, info.name, sizeof(r.name));
	memcpy(r.note, info.note, sizeof(r.note));
	r.value = info.value;
	r.default_value = info.default_value;
	r.min = info.min;
	r.max = info.max;
	r.read_only = info.read_only;
	r.no_effect = info.no_effect;
	return reply(m, &r, sizeof(r), -1);
}

static int
param_write(const struct message *m)
{
	const struct proto_param_set *q = m->body;
	struct why why = { .text = "" };
	int err;

	if (memchr(q->name, '\0', sizeof(q->name)) == NULL)
		return -EPROTO;
	err = config_set(q->name, q->value, &why);
	if (err == 0)
		os_log(OS_LOG_INFO, "process %d: parameter %.32s = %llu", (int)process_pid(connection_process(m->from)), q->name,
			(unsigned long long)q->value);
	server_tick_soon();
	return connection_reply(m->from, m->hdr, -err, &why, sizeof(why), NULL);
}

static int
fdb(const struct message *m)
{
	const struct proto_fdb *q = m->body;
	struct proto_fdb_reply r;
	int fd = table_collect(q->name, &r), err;

	if (fd < 0)
		return reply_error(m, fd);
	err = reply(m, &r, sizeof(r), fd);
	close(fd);
	return err;
}

static int
fdb_set(const struct message *m)
{
	struct why why = { .text = "" };
	int err = table_change(m->body, &why);

	if (err == -EPROTO)
		return err;
	server_tick_soon();
	return connection_reply(m->from, m->hdr, -err, &why, sizeof(why), NULL);
}

static int
switch_change(const struct message *m)
{
	const struct proto_switch *q = m->body;
	struct proto_switch_reply r = { 0 };
	struct open_session *s;
	int err = -ENXIO;

	if (q->op == PROTO_SWITCH_TOKEN) {
		s = sessions_find(q->session);
		if (s != NULL) {
			session_use_token(s->engine, q->token);
			err = 0;
		}
	} else {
		err = modules_change(q, &r.token, &r.why);
	}
	if (err == -EPROTO)
		return err;
	if (err != 0 && r.why.text[0] != '\0')
		os_log(OS_LOG_INFO, "process %d: %s (error %d)", (int)process_pid(connection_process(m->from)), r.why.text, -err);
	server_tick_soon();
	return connection_reply(m->from, m->hdr, -err, &r, sizeof(r), NULL);
}

static int
switch_get(const struct message *m)
{
	const struct proto_param_get *q = m->body;
	struct proto_switch_info info;
	int err = modules_describe(q->index, &info);

	return err != 0 ? reply_error(m, err) : reply(m, &info, sizeof(info), -1);
}

#define VARIABLE	SIZE_MAX	/* the handler checks the size */

static const struct {
	int (*handle)(const struct message *m);
	size_t size;
	unsigned fds_min, fds_max;
} types[PROTO_TYPES] = {
	[PROTO_HELLO] = { hello, sizeof(struct proto_hello), 0, 0 },
	[PROTO_THREAD] = { thread, sizeof(struct proto_thread), 0, 0 },
	[PROTO_THREAD_FD] = { thread_fd, sizeof(struct proto_actor), 1, 1 },
	[PROTO_THREAD_EXIT] = { thread_exit, sizeof(struct proto_actor), 0, 0 },
	[PROTO_OPEN] = { open_session, 0, 0, 1 },
	[PROTO_ATTACH] = { attach, 0, 1, 1 },
	[PROTO_REQUEST] = { request, VARIABLE, 0, 1 },
	[PROTO_REGION] = { region, sizeof(struct proto_region), 0, 0 },
	[PROTO_MMAP] = { map_session, sizeof(struct proto_session), 0, 0 },
	[PROTO_WAKE] = { wake, sizeof(struct proto_actor), 0, 0 },
	[PROTO_NIC] = { nic, sizeof(struct proto_nic), 0, 0 },
	[PROTO_STATS] = { stats, 0, 0, 0 },
	[PROTO_INFO] = { info, 0, 0, 0 },
	[PROTO_UNREGISTER] = { unregister, sizeof(struct proto_session), 0, 0 },
	[PROTO_PARAM_GET] = { param_read, sizeof(struct proto_param_get), 0, 0 },
	[PROTO_PARAM_SET] = { param_write, sizeof(struct proto_param_set), 0, 0 },
	[PROTO_FDB] = { fdb, sizeof(struct proto_fdb), 0, 0 },
	[PROTO_FDB_SET] = { fdb_set, sizeof(struct proto_fdb_set), 0, 0 },
	[PROTO_SWITCH] = { switch_change, sizeof(struct proto_switch), 0, 0 },
	[PROTO_SWITCH_GET] = { switch_get, sizeof(struct proto_param_get), 0, 0 },
	[PROTO_SOCKETS] = { sockets, sizeof(struct proto_session), 1, PROTO_FDS_MAX },
};

int
message_handle(struct connection *c, void *buf, size_t n, struct message_fds *fds)
{
	const struct proto_header *hdr = buf;
	struct message m = { .from = c, .hdr = hdr, .fds = fds };

	if (n < sizeof(*hdr) || hdr->magic != PROTO_MAGIC || hdr->version != PROTO_VERSION || hdr->error != 0)
		return -EPROTO;
	if (hdr->type >= PROTO_TYPES || types[hdr->type].handle == NULL)
		return -EPROTO;
	m.body = (uint8_t *)buf + sizeof(*hdr);
	m.size = n - sizeof(*hdr);
	if (types[hdr->type].size != VARIABLE && m.size != types[hdr->type].size)
		return -EPROTO;
	if (fds->n < types[hdr->type].fds_min || fds->n > types[hdr->type].fds_max)
		return -EPROTO;
	if (!connection_greeted(c) && hdr->type != PROTO_HELLO)
		return -EPROTO;
	return types[hdr->type].handle(&m);
}
