/* SPDX-License-Identifier: BSD-2-Clause */
/* See link_events.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../drivers/link_watch.h"
#include "link_events.h"
#include "log.h"
#include "nic.h"
#include "server.h"

/* What matters to who has an interface open. */
#define WANTED	(LINK_REMOVED | LINK_UP_DOWN | LINK_MTU | LINK_RENAMED | LINK_QUEUES | LINK_MAC)

struct link_netns {
	struct source source;		/* first: sources are part of larger objects */
	dev_t dev;
	ino_t inode;
	struct link_watch *watch;
	struct link_user *users;
	struct link_netns *next;
};

static struct link_netns *namespaces;

static void
event_note(void *arg, const struct link_event *event)
{
	struct link_netns *n = arg;

	for (struct link_user *u = n->users; u != NULL; u = u->next)
		if (u->ifindex == event->link->ifindex)
			u->changed |= event->changed & WANTED;
}

static struct link_user *
user_to_tell(const struct link_netns *n)
{
	struct link_user *u = n->users;

	while (u != NULL && u->changed == 0)
		u = u->next;
	return u;
}

static void
netns_handle(struct source *s, uint32_t events)
{
	static struct log_rate rate;
	struct link_netns *n = (struct link_netns *)s;
	struct link_user *u;
	int err = link_watch_read(n->watch, event_note, n);

	if (err != 0)
		log_limited(&rate, OS_LOG_WARNING, "cannot learn what happens to interfaces: %s", strerror(-err));
	/* Who is told may leave, and so may others. */
	while ((u = user_to_tell(n)) != NULL) {
		unsigned changed = u->changed;

		u->changed = 0;
		nic_changed(u->port, changed);
	}
}

static void
netns_destroy(struct source *s)
{
	struct link_netns *n = (struct link_netns *)s;

	link_watch_close(n->watch);
	free(n);
}

static int
netns_new(int netns_fd, const struct stat *st, struct link_netns **out)
{
	struct link_netns *n = calloc(1, sizeof(*n));
	int err;

	if (n == NULL)
		return -ENOMEM;
	n->dev = st->st_dev;
	n->inode = st->st_ino;
	err = link_watch_open(netns_fd, &n->watch);
	if (err != 0)
		goto err_free;
	/* The source's descriptor is closed with it, the watch's own with that. */
	n->source = (struct source){
		.fd = fcntl(link_watch_fd(n->watch), F_DUPFD_CLOEXEC, 3), .handle = netns_handle, .destroy = netns_destroy,
	};
	err = n->source.fd >= 0 ? server_add_early(&n->source, EPOLLIN) : -errno;
	if (err != 0)
		goto err_watch;
	n->next = namespaces;
	namespaces = n;
	*out = n;
	return 0;

err_watch:
	if (n->source.fd >= 0)
		close(n->source.fd);
	link_watch_close(n->watch);
err_free:
	free(n);
	return err;
}

int
link_events_join(struct link_user *u, int netns_fd)
{
	struct link_netns *n = namespaces;
	struct stat st;
	int err;

	if ((netns_fd >= 0 ? fstat(netns_fd, &st) : stat("/proc/self/ns/net", &st)) != 0)
		return -errno;
	while (n != NULL && (n->dev != st.st_dev || n->inode != st.st_ino))
		n = n->next;
	if (n == NULL) {
		err = netns_new(netns_fd, &st, &n);
		if (err != 0)
			return err;
	}
	u->netns = n;
	u->next = n->users;
	n->users = u;
	return 0;
}

void
link_events_leave(struct link_user *u)
{
	struct link_netns *n = u->netns, **link = &namespaces;
	struct link_user **user;

	if (n == NULL)
		return;
	for (user = &n->users; *user != u; user = &(*user)->next)
		;
	*user = u->next;
	u->netns = NULL;
	if (n->users != NULL)
		return;
	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	server_remove(&n->source);
}
