/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a network namespace again, see netns_find.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>

#include "netns_find.h"

static bool same(const struct stat *st, uint64_t dev, uint64_t inode)
{
	return st->st_dev == dev && st->st_ino == inode;
}

/* -ENOENT if it is another one. */
static int path_open(const char *path, uint64_t dev, uint64_t inode)
{
	struct stat st;
	int fd;

	/* What is something else is not opened: a name in a folder may be anything. */
	if (stat(path, &st) < 0 || !same(&st, dev, inode))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !same(&st, dev, inode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int folder_look(const char *folder, const char *below, bool numbers, uint64_t dev, uint64_t inode)
{
	DIR *d = opendir(folder);
	char path[512];
	const struct dirent *entry;
	int fd = -ENOENT;

	if (!d)
		return -ENOENT;
	while (fd < 0 && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || (numbers && (entry->d_name[0] < '0' ||
							    entry->d_name[0] > '9')))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s%s", folder, entry->d_name, below) < (int)sizeof(path))
			fd = path_open(path, dev, inode);
	}
	closedir(d);
	return fd;
}

int netns_find(uint64_t dev, uint64_t inode)
{
	int fd = path_open("/proc/thread-self/ns/net", dev, inode);

	if (fd < 0)
		fd = folder_look("/run/netns", "", false, dev, inode);
	if (fd < 0)
		fd = folder_look("/proc", "/ns/net", true, dev, inode);
	return fd < 0 ? -ENOENT : fd;
}
