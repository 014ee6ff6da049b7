/* SPDX-License-Identifier: BSD-2-Clause */
/* Restoring what a crashed netmapd left changed, see state_file.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "netlink.h"
#include "netns.h"
#include "netns_find.h"
#include "state_internal.h"

struct recovery {
	const char *file;
	state_file_log *log;		/* may be NULL */
	void *arg;
	struct state_record record;
	char text[200];			/* what the restore has to say */
};

static void __attribute__((format(printf, 2, 3))) say(const struct recovery *r, const char *format, ...)
{
	char text[400];
	va_list args;

	if (!r->log)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->log(r->arg, text);
}

/* A descriptor, locked; -EBUSY: whoever wrote it lives; -EPERM: not a file of ours. */
static int file_open(int dir_fd, const char *file)
{
	int fd = openat(dir_fd, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err = -EPERM;
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? -EPERM : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		goto err_close;
	err = -EBUSY;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		goto err_close;
	/* Removed between the opening and the lock: its holder left in good order. */
	err = -ENOENT;
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		goto err_close;
	return fd;

err_close:
	close(fd);
	return err;
}

static int record_read(int fd, struct state_record *r)
{
	char text[STATE_TEXT_MAX];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* A NUL in it ends the text too early for the parser. */
	return state_record_parse(r, text);
}

/* In the namespace. -ENODEV: it is not there any more, or another one has its name. */
static int interface_restore(void *arg)
{
	struct recovery *r = arg;
	struct netlink_link link;
	struct ethtool e;
	struct netlink nl;
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_link_get(&nl, r->record.name, 0, &link);
	netlink_close(&nl);
	if (err == 0 && (link.ifindex != r->record.ifindex || memcmp(link.mac, r->record.mac,
								     sizeof(link.mac)) != 0))
		err = -ENODEV;
	if (err == 0)
		err = ethtool_open(&e, r->record.name);
	if (err)
		return err;
	err = state_restore(&e, &r->record, r->text, sizeof(r->text));
	ethtool_close(&e);
	return err;
}

/* 1: restored; 0: void; -errno: cannot be done now. */
static int record_restore(struct recovery *r)
{
	char boot[sizeof(r->record.boot)];
	int netns_fd, entered, err;

	if (state_boot_id(boot, sizeof(boot)) == 0 && strcmp(boot, r->record.boot) != 0) {
		say(r, "%s: a note about %s from before the last boot: dropped", r->file, r->record.name);
		return 0;
	}
	netns_fd = netns_find(r->record.netns_dev, r->record.netns_inode);
	if (netns_fd < 0) {
		say(r, "%s: interface %s was left changed in a network namespace that is not to be found: "
		    "dropped", r->file,
		    r->record.name);
		return 0;
	}
	err = netns_call(netns_fd, interface_restore, r, &entered);
	close(netns_fd);
	if (err == -ENODEV) {
		say(r, "%s: interface %s, left changed by a netmapd that ended, is gone: dropped", r->file,
		    r->record.name);
		return 0;
	}
	if (err) {
		say(r, "%s: interface %s was left changed by a netmapd that ended, and cannot be restored%s: "
		    "%s", r->file,
		    r->record.name, entered ? "" : " (its network namespace cannot be entered)",
		    strerror(-err));
		return err;
	}
	say(r, "interface %s, left changed by a netmapd that ended, restored: %u offloads%s%s%s",
	    r->record.name,
	    r->record.offloads.n, r->record.promisc ? ", promiscuous mode" : "", r->text[0] ? "; " : "",
	    r->text);
	return 1;
}

int state_recover_file(int dir_fd, const char *file, state_file_log *log, void *arg)
{
	struct recovery r = { .file = file, .log = log, .arg = arg };
	int rc, fd = file_open(dir_fd, file);

	if (fd == -ENOENT)
		return 0;
	if (fd == -EPERM)
		say(&r, "%s: a link, or somebody else's, or open to others: not looked at", file);
	if (fd < 0)
		return fd;
	rc = record_read(fd, &r.record);
	if (rc == 0) {
		rc = record_restore(&r);
	} else {
		say(&r, "%s: not a whole note of an interface's state: dropped", file);
		rc = 0;
	}
	if (rc >= 0)
		unlinkat(dir_fd, file, 0);
	close(fd);
	return rc;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n > e && strcmp(name + n - e, end) == 0;
}

int state_file_recover(const char *dir, state_file_log *log, void *arg)
{
	int dir_fd = state_dir_open(dir), restored = 0;
	const struct dirent *entry;
	DIR *d;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	d = fdopendir(dir_fd);
	if (!d) {
		close(dir_fd);
		return -ENOMEM;
	}
	while ((entry = readdir(d)) != NULL) {
		/* One that was being written: nothing had been changed yet. */
		if (ends_with(entry->d_name, STATE_SUFFIX STATE_FRESH))
			unlinkat(dir_fd, entry->d_name, 0);
		else if (ends_with(entry->d_name, STATE_SUFFIX) && state_recover_file(dir_fd, entry->d_name,
										      log, arg) == 1)
			restored++;
	}
	closedir(d);
	return restored;
}
