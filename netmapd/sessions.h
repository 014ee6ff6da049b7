/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open netmap descriptors: a socket pair each. The application holds one end, under as many numbers and in as many processes as it likes;
 * netmapd holds the other, alone, and sees the last close as a hang-up.
 */
#ifndef NETMAPD_SESSIONS_H
#define NETMAPD_SESSIONS_H

#include <stdint.h>

#include "../drivers/netns.h"
#include "../engine/ctrl.h"

struct open_session {
	uint32_t id;
	uint64_t cookie;		/* SO_COOKIE of the application's end */
	struct session *engine;
	int netns;			/* the opener's network namespace; -1: netmapd's own */
	struct netns_sockets sockets;	/* from there, for the next request, if netmapd may not enter it */
	int memory;			/* file of the memory that came with the request under way; -1: none */
};

/*
 * *app is the application's end: to be sent and closed. Takes netns over if it succeeds. 0 or -errno.
 */
int sessions_open(int netns, struct open_session **out, int *app);
/* NULL if it is not open (any more). */
struct open_session *sessions_find(uint32_t id);
struct open_session *sessions_find_cookie(uint64_t cookie);
unsigned sessions_count(void);
void sessions_close_all(void);

#endif /* NETMAPD_SESSIONS_H */
