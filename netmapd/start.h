/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a netmapd comes to be: one for each socket, and, unless it stays in the foreground, detached from whoever started it.
 */
#ifndef NETMAPD_START_H
#define NETMAPD_START_H

#include <stdbool.h>
#include <stddef.h>

#include "../host/instance.h"

struct start {
	char path[INSTANCE_PATH_MAX];	/* of the socket */
	char dir[INSTANCE_PATH_MAX];	/* the private directory, if the socket is in it; else empty */
	int listen_fd, lock_fd;
	bool detached;
	int ready_fd;			/* of a detached process: where its parent waits; -1: it has none */
};

/* The socket's place: `path`, or that of the private instance. Makes the private directory if it is to be there. 0, or -errno with a text. */
int start_place(struct start *s, const char *path, char *text, size_t text_size);

/*
 * Takes the lock, and listens unless somebody else does: -EADDRINUSE. The lock is held afterwards: start_done lets it go.
 * Who finds it held waits: for a netmapd that starts, or for one that leaves.
 */
int start_listen(struct start *s, char *text, size_t text_size);

/*
 * Goes on in a child that has a session of its own; the parent waits there for start_done and exits with its result. An orphan needs no child: its
 * starter waits for the end of its output. 0 or -errno.
 */
int start_detach(struct start *s, bool orphan);

/* The socket is served from now on. */
void start_done(struct start *s);

#endif /* NETMAPD_START_H */
