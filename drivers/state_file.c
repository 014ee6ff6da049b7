/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holding an interface in another state, and the file about it: see state_file.h. Recovery is in
 * state_recover.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "netlink.h"
#include "netns.h"
#include "state_internal.h"

static int __attribute__((format(printf, 4, 5))) fail(char *text, size_t size, int code, const char *format,
						      ...)
{
	va_list args;

	if (text && size) {
		va_start(args, format);
		vsnprintf(text, size, format, args);
		va_end(args);
	}
	return code;
}

int state_boot_id(char *out, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

int state_dir_open(const char *dir)
{
	struct stat st;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Where others can make names, none is ours for sure. */
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* --- what is to be changed --- */

static int record_fill(struct state_record *r, const char *ifname, struct netlink_link *link)
{
	struct netlink nl;
	struct stat st;
	int err = state_boot_id(r->boot, sizeof(r->boot));

	if (err)
		return err;
	err = netns_stat(&st);
	if (err)
		return err;
	r->netns_dev = st.st_dev;
	r->netns_inode = st.st_ino;
	err = netlink_open(&nl);
	if (err)
		return err;
	err = netlink_link_get(&nl, ifname, 0, link);
	netlink_close(&nl);
	r->ifindex = link->ifindex;
	memcpy(r->mac, link->mac, sizeof(r->mac));
	memcpy(r->name, link->name, sizeof(r->name));
	return err;
}

/* --- the file --- */

static int file_write(int dir_fd, const char *file, const struct state_record *r)
{
	char text[STATE_TEXT_MAX], fresh[64];
	int fd, err, len = state_record_format(r, text, sizeof(text));

	if (len < 0)
		return len;
	snprintf(fresh, sizeof(fresh), "%s" STATE_FRESH, file);
	unlinkat(dir_fd, fresh, 0);
	errno = 0;
	fd = openat(dir_fd, fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Locked and whole before it has its name. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, text, (size_t)len) != len ||
	    renameat(dir_fd, fresh, dir_fd, file) < 0) {
		err = errno ? -errno : -EIO;
		unlinkat(dir_fd, fresh, 0);
		close(fd);
		return err;
	}
	return fd;
}

static void file_let_go(struct state_file *s, bool remove)
{
	if (s->fd >= 0) {
		if (remove)
			unlinkat(s->dir_fd, s->file, 0);
		close(s->fd);
	}
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->fd = s->dir_fd = -1;
}

static int file_make(struct state_file *s, const char *dir, char *text, size_t size)
{
	const struct state_record *r = &s->record;
	int fd;

	s->dir_fd = state_dir_open(dir);
	if (s->dir_fd < 0)
		return fail(text, size, s->dir_fd, "%s: the directory %s for notes of what is changed: %s",
			    r->name, dir,
			    s->dir_fd == -EPERM ? "must be netmapd's own, and nobody else's to "
			    "write" : strerror(-s->dir_fd));
	fd = file_write(s->dir_fd, s->file, r);
	if (fd < 0) {
		file_let_go(s, false);
		return fail(text, size, fd, "%s: noting what is changed, in %s: %s", r->name, dir,
			    strerror(-fd));
	}
	s->fd = fd;
	return 0;
}

/* What a dead one left comes first: else its changes would be taken for the state to restore. */
static int predecessor_recover(const struct state_file *s, const char *dir)
{
	int err, dir_fd = state_dir_open(dir);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	err = state_recover_file(dir_fd, s->file, NULL, NULL);
	close(dir_fd);
	return err < 0 ? err : 0;
}

/* --- changing it --- */

static int change(struct state_file *s, char *text, size_t size)
{
	int err = offloads_apply(&s->ethtool, &s->record.offloads, text, size);

	if (err)
		return fail(text, size, err, "%s: switching offloads off: %s", s->record.name,
			    strerror(-err));
	if (!s->record.promisc)
		return 0;
	err = ethtool_flags_set(&s->ethtool, IFF_PROMISC, true);
	if (err) {
		offloads_restore(&s->ethtool, &s->record.offloads, NULL, 0);
		return fail(text, size, err, "%s: switching promiscuous mode on: %s", s->record.name,
			    strerror(-err));
	}
	return 0;
}

static int plan(struct state_file *s, const char *ifname, const struct state_wish *wish, const char *dir,
		char *text,
		size_t size)
{
	struct netlink_link link;
	int err = record_fill(&s->record, ifname, &link);

	if (err)
		return fail(text, size, err, "%s: reading its state: %s", ifname, strerror(-err));
	snprintf(s->file, sizeof(s->file), "if-%" PRIx64 "-%" PRIu32 STATE_SUFFIX, s->record.netns_inode,
		 link.ifindex);
	if (dir) {
		err = predecessor_recover(s, dir);
		if (err)
			return fail(text, size, err, "%s: restoring what a netmapd before left changed: %s",
				    ifname,
				    err == -EBUSY ? "another netmapd of this directory has "
				    "it" : strerror(-err));
		err = record_fill(&s->record, ifname, &link);
		if (err)
			return fail(text, size, err, "%s: reading its state: %s", ifname, strerror(-err));
	}
	s->record.promisc = wish->promisc && !(link.flags & IFF_PROMISC);
	err = offloads_plan(&s->ethtool, wish->offloads, &s->record.offloads, text, size);
	/* A driver that has no features has none in the way. */
	if (err && err != -EOPNOTSUPP)
		return fail(text, size, err, "%s: reading its offloads: %s", ifname, strerror(-err));
	return 0;
}

int state_file_enter(struct state_file *s, const char *dir, const char *ifname,
		     const struct state_wish *wish, char *text,
		     size_t size)
{
	char stayed[200];
	size_t used;
	int err;

	memset(s, 0, sizeof(*s));
	s->fd = s->dir_fd = s->ethtool.fd = -1;
	fail(text, size, 0, "%s", "");
	err = ethtool_open(&s->ethtool, ifname);
	if (err)
		return fail(text, size, err, "%s: %s", ifname, strerror(-err));
	err = plan(s, ifname, wish, dir, text, size);
	if (err)
		goto err_ethtool;
	if (s->record.offloads.n == 0 && !s->record.promisc)
		return 0;
	if (dir) {
		err = file_make(s, dir, text, size);
		if (err)
			goto err_ethtool;
	}
	err = change(s, stayed, sizeof(stayed));
	used = text && !err ? strlen(text) : 0;
	if (stayed[0] && used < size)
		fail(text ? text + used : NULL, size - used, 0, "%s%s", used ? "; " : "", stayed);
	if (err)
		goto err_file;
	return 0;

err_file:
	file_let_go(s, true);
err_ethtool:
	ethtool_close(&s->ethtool);
	return err;
}

int state_restore(const struct ethtool *e, const struct state_record *r, char *text, size_t size)
{
	int err = offloads_restore(e, &r->offloads, text, size), promisc = 0;

	if (r->promisc && err != -ENODEV)
		promisc = ethtool_flags_set(e, IFF_PROMISC, false);
	return err ? err : promisc;
}

int state_file_leave(struct state_file *s, char *text, size_t size)
{
	int err = 0;

	fail(text, size, 0, "%s", "");
	if (s->ethtool.fd < 0)
		return 0;
	err = state_restore(&s->ethtool, &s->record, text, size);
	if (err && err != -ENODEV)
		fail(text, size, err, "%s: restoring its offloads: %s", s->record.name, strerror(-err));
	file_let_go(s, err == 0 || err == -ENODEV);
	ethtool_close(&s->ethtool);
	return err;
}
