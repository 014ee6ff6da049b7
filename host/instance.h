/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which netmapd: the places of its socket, and the directory of a user's private one.
 */
#ifndef HOST_INSTANCE_H
#define HOST_INSTANCE_H

#include <stddef.h>
#include <sys/un.h>

#define INSTANCE_SYSTEM_SOCKET	"/run/netmap/netmapd.sock"
#define INSTANCE_SOCKET_NAME	"netmapd.sock"
#define INSTANCE_LOCK_NAME	"netmapd.lock"
#define INSTANCE_LOG_NAME	"netmapd.log"

/* A path must fit into a socket address. */
#define INSTANCE_PATH_MAX	sizeof(((struct sockaddr_un *)0)->sun_path)

/* Of what instance_dir_check and instance_dir_make say, with their NUL. */
#define INSTANCE_TEXT_MAX	400

/* Name of the private directory: XDG_RUNTIME_DIR/netmap, else /tmp/netmap-UID. -ENAMETOOLONG. */
int instance_private_dir(char dir[INSTANCE_PATH_MAX]);

/* dir/name; -ENAMETOOLONG. */
int instance_path(char path[INSTANCE_PATH_MAX], const char *dir, const char *name);

/*
 * Is dir a real directory, ours, with mode 0700? Anybody may make names in /tmp: what we do not own we do not use.
 * 0; -ENOENT if there is nothing; -EPERM with a sentence in text.
 */
int instance_dir_check(const char *dir, char text[INSTANCE_TEXT_MAX]);

/* Makes it unless it is there, and checks it. */
int instance_dir_make(const char *dir, char text[INSTANCE_TEXT_MAX]);

/* Fills the address; -ENAMETOOLONG. */
int instance_address(struct sockaddr_un *addr, const char *path);

#endif /* HOST_INSTANCE_H */
