/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's connection to netmapd: finding one, starting one, asking it things.
 *
 * The connection keeps its descriptor number for the life of the process: client_tell uses it without a lock, and must never find another file there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../host/instance.h"
#include "../host/sys.h"
#include "client_internal.h"

/* A netmapd that does not answer for so long is given up: it is stopped, or hangs. */
#define ANSWER_S	30
/* Somebody else may be starting or leaving: look again after so many milliseconds, so often. */
#define RETRY_MS	20
#define RETRIES		10

uint32_t client_serial = 1;

static struct {
	int fd;				/* number of the descriptor, for ever; 0: none yet */
	uint64_t cookie;		/* of what we put there */
	uint32_t up;			/* it is connected */
	uint32_t seq;
	char path[INSTANCE_PATH_MAX];	/* of the netmapd that the arena is of */
} conn;

static uint64_t
socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

/* Nobody answers there any more. */
static void
connection_drop(void)
{
	if (!conn.up)
		return;
	store_relaxed(&conn.up, 0);
	atomic_inc(&client_serial);
	if (socket_cookie(conn.fd) == conn.cookie)
		sys_call6(SYS_shutdown, conn.fd, SHUT_RDWR, 0, 0, 0, 0);
}

/* Puts a connected socket where the connection always is. */
static int
connection_install(int fd)
{
	if (conn.fd != 0 && socket_cookie(conn.fd) == conn.cookie) {
		int err = sys_call6(SYS_dup3, fd, conn.fd, O_CLOEXEC, 0, 0, 0);

		sys_close(fd);
		if (err < 0)
			return err;
	} else {
		fd = client_fd_own(fd, CLIENT_FD_PRIVATE);
		if (fd < 0)
			return fd;
		conn.fd = fd;
	}
	conn.cookie = socket_cookie(conn.fd);
	store_release(&conn.up, 1);
	return 0;
}

void
client_connection_forked(void)
{
	/* The number is closed with the other private ones; that does not hang up our parent. */
	conn.fd = 0;
	conn.up = 0;
	client_serial++;
}

/* --- one call --- */

union reply_buffer {
	struct proto_header hdr;
	uint64_t align;
	uint8_t bytes[sizeof(struct proto_header) + sizeof(struct proto_request_reply) + 64];
};

/* Length of the reply's body, or -errno of the transport. */
static long
reply_receive(uint16_t type, union reply_buffer *buf, struct message_fds *fds)
{
	long n;

	do
		n = message_recv(conn.fd, buf->bytes, sizeof(buf->bytes), fds, 0);
	while (n == -EINTR);
	if (n <= 0)
		return n == -EAGAIN ? -ETIMEDOUT : -EIO;
	if ((size_t)n >= sizeof(buf->hdr) && buf->hdr.magic == PROTO_MAGIC && buf->hdr.version == PROTO_VERSION && buf->hdr.type == type &&
	    buf->hdr.seq == conn.seq && buf->hdr.error >= 0 && buf->hdr.error < 4096)
		return n - (long)sizeof(buf->hdr);
	message_fds_close(fds);
	return -EIO;
}

static long
call_locked(const struct client_call *call)
{
	struct proto_header hdr = { .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = call->type, .seq = ++conn.seq };
	struct iovec iov[2] = {
		{ .iov_base = &hdr, .iov_len = sizeof(hdr) },
		{ .iov_base = (void *)(uintptr_t)call->body, .iov_len = call->body_size },
	};
	struct message_fds fds;
	union reply_buffer buf;
	long n = message_send(conn.fd, iov, call->body_size > 0 ? 2 : 1, call->out, 0);

	/* Another thread closed a descriptor that was to go along: nothing was sent. */
	if (n == -EBADF && call->out != NULL && call->out->n > 0 && socket_cookie(conn.fd) == conn.cookie)
		return n;
	if (n == 0)
		n = reply_receive(call->type, &buf, &fds);
	if (n < 0) {
		connection_drop();
		return -EIO;
	}
	/* More than asked for, or descriptors nobody expects, from a netmapd that does not know its own protocol. */
	if ((size_t)n > call->reply_size || (fds.n > 0 && (call->in == NULL || buf.hdr.error != 0))) {
		message_fds_close(&fds);
		connection_drop();
		return -EIO;
	}
	if (n > 0)
		memcpy(call->reply, buf.bytes + sizeof(buf.hdr), n);
	if (call->in != NULL)
		*call->in = fds;
	if (buf.hdr.error == 0)
		return n;
	if (call->error_size != NULL)
		*call->error_size = n;
	return -buf.hdr.error;
}

/* --- HELLO --- */

/* An arena is taken from ourselves or from root, from nobody else. */
static int
peer_check(int fd, const char *path)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return -EIO;
	if (cred.uid == 0 || cred.uid == geteuid())
		return 0;
	client_why_set("the netmapd at %s is of user %u: neither ours nor root's, and not to be trusted", path, (unsigned)cred.uid);
	return -EPERM;
}

static int
greet(const char *path)
{
	struct proto_hello hello = { .layout = ARENA_LAYOUT };
	struct proto_hello_reply r = { 0 };
	struct message_fds fds = { 0 };
	size_t error_size = 0;
	const struct client_call call = {
		.type = PROTO_HELLO,
		.body = &hello,
		.body_size = sizeof(hello),
		.reply = &r,
		.reply_size = sizeof(r),
		.in = &fds,
		.error_size = &error_size,
	};
	long n = call_locked(&call);

	if (n < 0) {
		if (error_size == sizeof(r) && n != -EIO) {
			r.text[sizeof(r.text) - 1] = '\0';
			client_why_set("%s", r.text);
			connection_drop();
		}
		return (int)n;
	}
	if (n != sizeof(r) || fds.n != 1) {
		message_fds_close(&fds);
		client_why_set("the netmapd at %s does not speak our protocol", path);
		connection_drop();
		return -EPROTO;
	}
	n = client_arena_map(&r, message_fds_take(&fds));
	if (n != 0)
		connection_drop();
	else
		/* It may be this very string. */
		memmove(conn.path, path, strlen(path) + 1);
	return (int)n;
}

/* -ENOENT, -ECONNREFUSED: nobody is there. -EIO: it left meanwhile. */
static int
connect_path(const char *path)
{
	struct timeval answer = { .tv_sec = ANSWER_S };
	struct sockaddr_un addr;
	int fd, err = instance_address(&addr, path);

	if (err != 0) {
		client_why_set("the path of the socket %s is too long", path);
		return err;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		client_why_set("cannot make a socket: %s", strerror(errno));
		return -errno;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &answer, sizeof(answer));
	err = sys_call6(SYS_connect, fd, (long)&addr, sizeof(addr), 0, 0, 0);
	if (err == 0)
		err = peer_check(fd, path);
	if (err != 0) {
		sys_close(fd);
		return err;
	}
	err = connection_install(fd);
	if (err != 0) {
		client_why_set("no descriptor is left for the connection to netmapd: %s; raise ulimit -n", strerror(-err));
		return err;
	}
	return greet(path);
}

/* --- which netmapd --- */

static bool
nobody_there(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -ENOTDIR;
}

/* The private instance; with `start`, one is started if there is none. */
static int
connect_private(bool start)
{
	char dir[INSTANCE_PATH_MAX], path[INSTANCE_PATH_MAX], text[INSTANCE_TEXT_MAX] = "";
	struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	int err = instance_private_dir(dir);

	if (err == 0)
		err = instance_path(path, dir, INSTANCE_SOCKET_NAME);
	if (err != 0) {
		client_why_set("the path of the private directory is too long: set XDG_RUNTIME_DIR to a shorter one");
		return err;
	}
	for (int i = 0; i < RETRIES; i++) {
		err = start ? instance_dir_make(dir, text) : instance_dir_check(dir, text);
		if (err == -ENOENT)
			break;
		if (err != 0) {
			client_why_set("%s", text);
			return err;
		}
		err = connect_path(path);
		/* Cut off in the middle: it was just leaving. */
		if (err == 0 || (!nobody_there(err) && err != -EIO))
			return err;
		if (!start)
			break;
		if (client_start_netmapd(path, text, sizeof(text)) == -ENOENT)
			break;
		/* Also after a failure: it may have found that another serves already. */
		if (text[0] != '\0')
			sys_call6(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	}
	if (text[0] != '\0')
		client_why_set("%s", text);
	else
		client_why_set("netmapd at %s: %s", path, strerror(-err));
	return err;
}

static int
connect_first(bool start)
{
	const char *named = secure_getenv("NETMAP_SOCKET");
	int err;

	if (named != NULL && named[0] != '\0') {
		err = connect_path(named);
		if (nobody_there(err))
			client_why_set("no netmapd serves %s, which NETMAP_SOCKET names: start it (netmapd --socket %s), or unset the variable", named,
				named);
		else if (err == -EACCES)
			client_why_set("this user may not connect to %s, which NETMAP_SOCKET names", named);
		return err;
	}
	err = connect_path(INSTANCE_SYSTEM_SOCKET);
	/* A system's netmapd that does not serve this user leaves him his own. */
	if (err == 0 || !(nobody_there(err) || err == -EACCES || err == -EPERM))
		return err;
	return connect_private(start);
}

static int
connect_locked(bool start)
{
	int err;

	if (conn.up && !client_dead(true))
		return 0;
	connection_drop();
	client_why_clear();
	/* Descriptors of one netmapd are no good to another: what there is of it is used as long as it lives. */
	if (client_arena.root != NULL && !client_dead(false)) {
		err = connect_path(conn.path);
		if (err == 0 || client_sessions() > 0)
			return nobody_there(err) ? -EIO : err;
	}
	if (client_sessions() > 0) {
		client_why_set("netmapd is gone, and %u descriptors of it are still open or mapped here: close them, then a new one can be used",
			client_sessions());
		return -EIO;
	}
	return connect_first(start);
}

int
client_connect(bool start)
{
	struct client_guard g;
	int err;

	client_process_enter();
	client_lock(CLIENT_LOCK_CONNECTION, &g);
	err = connect_locked(start);
	client_unlock(CLIENT_LOCK_CONNECTION, &g);
	return err;
}

/* For what goes on by itself: a forked child, or a process that was cut off. Starts nothing. */
static int
reconnect_locked(void)
{
	int err;

	if (conn.up)
		return 0;
	if (client_arena.root == NULL || client_dead(false))
		return -EIO;
	err = connect_path(conn.path);
	return err != 0 ? -EIO : 0;
}

int
client_call(const struct client_call *call)
{
	struct client_guard g;
	long n;

	client_process_enter();
	client_lock(CLIENT_LOCK_CONNECTION, &g);
	n = reconnect_locked();
	if (n == 0)
		n = call_locked(call);
	client_unlock(CLIENT_LOCK_CONNECTION, &g);
	return (int)n;
}

int
client_tell(uint16_t type, const void *body, size_t size)
{
	struct proto_header hdr = { .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = type };
	struct iovec iov[2] = {
		{ .iov_base = &hdr, .iov_len = sizeof(hdr) },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = size },
	};

	if (!load_acquire(&conn.up) || load_relaxed(&client_process->pid) == 0)
		return 0;
	return message_send(conn.fd, iov, 2, NULL, MSG_DONTWAIT) == -EAGAIN ? -EAGAIN : 0;
}

bool
client_dead(bool ask)
{
	const uint32_t *alive = load_acquire(&client_arena.alive);
	struct pollfd pfd = { .fd = conn.fd };
	struct timespec none = { 0, 0 };

	if (alive != NULL && (load_relaxed(alive) & FUTEX_OWNER_DIED) != 0)
		return true;
	return ask && load_relaxed(&conn.up) && sys_ppoll(&pfd, 1, &none, NULL) == 1 && (pfd.revents & (POLLHUP | POLLERR)) != 0;
}

/* --- who serves --- */

int
client_info(struct proto_info_reply *info)
{
	struct client_call call = { .type = PROTO_INFO, .reply = info, .reply_size = sizeof(*info) };
	int n = client_connect(true);

	if (n == 0)
		n = client_call(&call);
	if (n < 0)
		return n;
	info->version[sizeof(info->version) - 1] = '\0';
	info->socket[sizeof(info->socket) - 1] = '\0';
	return n == sizeof(*info) ? 0 : -EPROTO;
}
