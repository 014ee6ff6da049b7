/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The places of netmapd's socket, told once for both ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instance.h"

int
instance_path(char path[INSTANCE_PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(path, INSTANCE_PATH_MAX, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= INSTANCE_PATH_MAX ? -ENAMETOOLONG : 0;
}

int
instance_private_dir(char dir[INSTANCE_PATH_MAX])
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	int n;

	if (runtime != NULL && runtime[0] == '/')
		return instance_path(dir, runtime, "netmap");
	n = snprintf(dir, INSTANCE_PATH_MAX, "/tmp/netmap-%u", (unsigned)geteuid());
	return n < 0 || (size_t)n >= INSTANCE_PATH_MAX ? -ENAMETOOLONG : 0;
}

int
instance_dir_check(const char *dir, char text[INSTANCE_TEXT_MAX])
{
	struct stat st;
	const char *what;

	if (lstat(dir, &st) != 0) {
		if (errno == ENOENT)
			return -ENOENT;
		what = strerror(errno);
	} else if (S_ISLNK(st.st_mode)) {
		what = "it is a symbolic link";
	} else if (!S_ISDIR(st.st_mode)) {
		what = "it is no directory";
	} else if (st.st_uid != geteuid()) {
		what = "it belongs to another user";
	} else if ((st.st_mode & 07777) != 0700) {
		what = "its mode is not 0700";
	} else {
		return 0;
	}
	snprintf(text, INSTANCE_TEXT_MAX, "the private directory %s is refused: %s; remove it, or name another socket in NETMAP_SOCKET",
		dir, what);
	return -EPERM;
}

int
instance_dir_make(const char *dir, char text[INSTANCE_TEXT_MAX])
{
	if (mkdir(dir, 0700) == 0) {
		/* The umask may have taken the owner's bits. A link cannot stand here: the name was free a moment ago. */
		if (chmod(dir, 0700) == 0)
			return 0;
	} else if (errno == EEXIST) {
		return instance_dir_check(dir, text);
	}
	snprintf(text, INSTANCE_TEXT_MAX, "cannot make the directory %s: %s; set XDG_RUNTIME_DIR to a directory of yours, or NETMAP_SOCKET",
		dir, strerror(errno));
	return -EPERM;
}

int
instance_address(struct sockaddr_un *addr, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, n + 1);
	return 0;
}
