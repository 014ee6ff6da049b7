/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netmapd's one loop: descriptors with handlers, and the two deadlines (engine_tick, leaving when idle).
 * All of netmapd runs in this one thread, but for the workers' data path (worker.c).
 */
#ifndef NETMAPD_SERVER_H
#define NETMAPD_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/ring.h"

#define NETMAPD_VERSION	"0.1.0"

/*
 * Something with a descriptor, part of a larger object. `handle` gets epoll's events; `destroy` frees the object, after
 * server_remove and at the end of the round, so that events of the same round never meet freed memory.
 */
struct source {
	int fd;
	int epoll;			/* the set it is in */
	bool removed;
	void (*handle)(struct source *s, uint32_t events);
	void (*destroy)(struct source *s);
	struct source *next_removed;
};

/* Watches s->fd. 0 or -errno. */
int server_add(struct source *s, uint32_t events);
/* The same for what is looked at before every message as well: a close that came before a request takes effect before it. */
int server_add_early(struct source *s, uint32_t events);
void server_early(void);
/* Stops watching and closes the descriptor; the object is destroyed at the end of the round. */
void server_remove(struct source *s);

struct server_options {
	const char *path;		/* of the socket; must outlive the server */
	int listen_fd;
	int lock_fd;			/* open file of the lock, not held */
	int idle_s;			/* leave after so many seconds without a session; -1: never */
};

/* Takes both descriptors over. On failure -errno with a sentence in text. */
int server_init(const struct server_options *options, char *text, size_t text_size);
/* Runs until idle or told to stop by a signal; then lets everything go. Returns the exit status. */
int server_run(void);

struct arena_root *server_root(void);
uint32_t server_generation(void);
const char *server_path(void);
/* netmapd's own directory: where its socket is. */
const char *server_dir(void);
/* Address of the word by which clients notice netmapd's end (alive.c). */
uint64_t server_alive(void);

/* The engine was called: engine_tick soon. */
void server_tick_soon(void);
/* The same, from any thread. */
void server_alarm(void);
/* A session began or ended, or an interface was attached or detached: the idle time starts anew. */
void server_active(void);

#endif /* NETMAPD_SERVER_H */
