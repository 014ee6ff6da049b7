/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop. While nothing happens netmapd sleeps: with sessions it wakes once a second for the engine, without it wakes
 * to leave.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../engine/ctrl.h"
#include "../host/instance.h"
#include "../host/sys.h"
#include "actors.h"
#include "alive.h"
#include "arena.h"
#include "connection.h"
#include "log.h"
#include "process.h"
#include "server.h"
#include "sessions.h"

#define TICK_SOON_MS	20
#define SWEEP_MS	1000
#define IDLE_MIN_MS	200		/* who has come, or is about to, gets so much time to open something */
#define EVENTS		64

static struct {
	struct server_options opt;
	char dir[INSTANCE_PATH_MAX];
	struct source listener, signals, early, alarm;
	int epoll;
	bool stop;
	bool trim;			/* requests were executed: pages of clients' rings were touched */
	struct arena_root *root;
	uint32_t generation;
	uint32_t *alive;
	int64_t tick_at, leave_at;	/* milliseconds, monotonic; 0: not set */
	struct source *removed;
} server = { .epoll = -1, .early.fd = -1, .alarm.fd = -1 };

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct arena_root *
server_root(void)
{
	return server.root;
}

uint32_t
server_generation(void)
{
	return server.generation;
}

const char *
server_path(void)
{
	return server.opt.path;
}

const char *
server_dir(void)
{
	return server.dir;
}

uint64_t
server_alive(void)
{
	return (uintptr_t)server.alive;
}

static int
source_add(int epoll, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	s->removed = false;
	s->epoll = epoll;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &ev) == 0 ? 0 : -errno;
}

int
server_add(struct source *s, uint32_t events)
{
	return source_add(server.epoll, s, events);
}

int
server_add_early(struct source *s, uint32_t events)
{
	return source_add(server.early.fd, s, events);
}

static int
events_handle(int epoll, int timeout)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, timeout);

	for (int i = 0; i < n; i++) {
		struct source *s = events[i].data.ptr;

		if (!s->removed)
			s->handle(s, events[i].events);
	}
	return n;
}

void
server_early(void)
{
	while (events_handle(server.early.fd, 0) == EVENTS)
		;
}

static void
early_handle(struct source *s, uint32_t events)
{
	server_early();
}

void
server_remove(struct source *s)
{
	if (s->removed)
		return;
	s->removed = true;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
	s->next_removed = server.removed;
	server.removed = s;
}

static void
removed_destroy(void)
{
	while (server.removed != NULL) {
		struct source *s = server.removed;

		server.removed = s->next_removed;
		if (s->destroy != NULL)
			s->destroy(s);
	}
}

void
server_tick_soon(void)
{
	int64_t at = now_ms() + TICK_SOON_MS;

	server.trim = true;
	if (server.tick_at == 0 || server.tick_at > at)
		server.tick_at = at;
}

void
server_active(void)
{
	int64_t idle_ms = (int64_t)server.opt.idle_s * 1000;

	if (sessions_count() > 0 || engine_attached() > 0 || engine_persistent() > 0 || engine_owned() > 0 || server.opt.idle_s < 0)
		server.leave_at = 0;
	else
		server.leave_at = now_ms() + (idle_ms > IDLE_MIN_MS ? idle_ms : IDLE_MIN_MS);
}

void
server_alarm(void)
{
	uint64_t one = 1;

	(void)sys_write(server.alarm.fd, &one, sizeof(one));
}

static void
alarm_handle(struct source *s, uint32_t events)
{
	uint64_t count;

	if (sys_read(s->fd, &count, sizeof(count)) > 0)
		server_tick_soon();
}

/* Wakes somebody up only if there is something to do: the engine says when, and threads that sleep on descriptors are looked after. */
static void
tick(void)
{
	unsigned attached = engine_attached();
	int next = engine_tick();

	if (engine_attached() != attached)
		server_active();

	if (actors_with_event() > 0) {
		actors_sweep();
		if (next < 0 || next > SWEEP_MS)
			next = SWEEP_MS;
	}
	if (server.trim) {
		server.trim = false;
		arena_trim();
	}
	server.tick_at = next >= 0 ? now_ms() + next : 0;
}

/* True if somebody was waiting. */
static bool
accept_all(void)
{
	bool any = false;

	for (;;) {
		int fd = accept4(server.listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			static struct log_rate rate;

			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			if (errno != EAGAIN)
				log_limited(&rate, OS_LOG_ERROR, "cannot accept a connection: %s", strerror(errno));
			return any;
		}
		any = true;
		connection_new(fd);
	}
}

static void
listener_handle(struct source *s, uint32_t events)
{
	if (accept_all() && server.leave_at != 0 && server.leave_at < now_ms() + IDLE_MIN_MS)
		server.leave_at = now_ms() + IDLE_MIN_MS;
}

static void
signals_handle(struct source *s, uint32_t events)
{
	struct signalfd_siginfo si;

	if (read(s->fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGHUP)
		return;
	os_log(OS_LOG_INFO, "leaving on signal %u from process %u", si.ssi_signo, si.ssi_pid);
	server.stop = true;
}

/*
 * Leaves unless somebody is there or coming. The lock is held from the decision to the end of the socket: who starts a netmapd meanwhile waits for
 * it and then finds no socket; who connected but was not accepted is cut off, and tries again.
 */
static void
leave_if_idle(void)
{
	if (flock(server.opt.lock_fd, LOCK_EX | LOCK_NB) != 0) {
		server.leave_at = now_ms() + IDLE_MIN_MS;
		return;
	}
	listener_handle(&server.listener, EPOLLIN);
	if (server.leave_at > now_ms()) {
		flock(server.opt.lock_fd, LOCK_UN);
		return;
	}
	os_log(OS_LOG_INFO, "leaving: no session for %d s", server.opt.idle_s);
	server.stop = true;
}

int
server_init(const struct server_options *options, char *text, size_t text_size)
{
	sigset_t set;
	int err;

	server.opt = *options;
	snprintf(server.dir, sizeof(server.dir), "%s", options->path);
	*strrchr(server.dir, '/') = '\0';
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	server.early = (struct source){ .fd = epoll_create1(EPOLL_CLOEXEC), .handle = early_handle };
	server.signals = (struct source){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .handle = signals_handle };
	server.listener = (struct source){ .fd = options->listen_fd, .handle = listener_handle };
	server.alarm = (struct source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .handle = alarm_handle };
	err = server_add(&server.listener, EPOLLIN);
	if (err == 0)
		err = server_add(&server.alarm, EPOLLIN);
	if (err == 0)
		err = server_add(&server.signals, EPOLLIN);
	if (err == 0)
		err = server_add(&server.early, EPOLLIN);
	if (err != 0) {
		snprintf(text, text_size, "cannot watch descriptors: %s", strerror(-err));
		return err;
	}
	while (server.generation == 0)
		if (getrandom(&server.generation, sizeof(server.generation), GRND_NONBLOCK) < 0)
			server.generation = (uint32_t)(now_ms() ^ ((uint32_t)getpid() << 16)) | 1;
	err = arena_open(text, text_size);
	if (err != 0)
		return err;
	err = engine_init(server.generation, &server.root);
	if (err == 0) {
		server.alive = os_shared_alloc(sizeof(*server.alive));
		err = server.alive != NULL ? alive_init(server.alive) : -ENOMEM;
	}
	if (err != 0)
		snprintf(text, text_size, "cannot start the engine: %s", strerror(-err));
	return err;
}

static void
shut_down(void)
{
	flock(server.opt.lock_fd, LOCK_EX);
	unlink(server.opt.path);
	server_remove(&server.listener);
	close(server.opt.lock_fd);
	sessions_close_all();
	connections_close_all();
	processes_close_all();
	removed_destroy();
	engine_fini();
	arena_close();
	log_close();
}

static int
timeout_ms(void)
{
	int64_t at = server.tick_at, left;

	if (server.leave_at != 0 && (at == 0 || server.leave_at < at))
		at = server.leave_at;
	if (at == 0)
		return -1;
	left = at - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

int
server_run(void)
{
	server_active();
	while (!server.stop) {
		if (events_handle(server.epoll, timeout_ms()) < 0 && errno != EINTR) {
			os_log(OS_LOG_ERROR, "epoll_wait: %s", strerror(errno));
			break;
		}
		removed_destroy();
		if (server.tick_at != 0 && now_ms() >= server.tick_at)
			tick();
		if (server.leave_at != 0 && now_ms() >= server.leave_at)
			leave_if_idle();
	}
	shut_down();
	return server.stop ? 0 : 1;
}
