/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is loaded is trusted as netmapd itself is, so it comes from where nobody else can write: a directory and a file of root's or of netmapd's user.
 * The file is opened once, checked through its descriptor, and loaded by that: what is checked is what runs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../engine/port.h"
#include "../engine/vale_worker.h"
#include "modules.h"
#include "server.h"

#define FD_PATH_SIZE	40

/* One that some switch has. */
struct loaded {
	const struct netmap_switch_module *module;
	void *handle;
	/* Stays open: the loader knows the object by the descriptor's name, and would take another file behind the same number for it. */
	int fd;
	dev_t dev;
	ino_t ino;
	unsigned uses;
	struct loaded *next;
};

static const char *dir = MODULE_DIR;
static struct loaded *all;

void
modules_set_dir(const char *d)
{
	dir = d;
}

static int
refuse(struct why *why, const char *name, int error, const char *text)
{
	os_format(why->text, sizeof(why->text), "module %s, in %s: %s", name, dir, text);
	return error;
}

/* --- what may be loaded --- */

static bool
name_valid(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < MODULE_NAME_SIZE && name[n] == '\0';
}

/* Nobody but root and netmapd's user can change it. */
static bool
is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The directory's descriptor, or -errno. */
static int
dir_open(const char *name, struct why *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err = -errno;
	struct stat st;

	if (fd < 0) {
		os_format(why->text, sizeof(why->text), "module %s: the directory %s cannot be opened: %s", name, dir, strerror(-err));
		return err;
	}
	if (fstat(fd, &st) != 0 || !is_ours(&st)) {
		close(fd);
		return refuse(why, name, -EPERM, "the directory must be root's or netmapd's user's, and not writable by group or others");
	}
	return fd;
}

/* The descriptor of a file that may be loaded, or -errno. */
static int
file_open(const char *name, struct stat *st, struct why *why)
{
	char file[MODULE_NAME_SIZE + 4];
	int d = dir_open(name, why), fd, err;

	if (d < 0)
		return d;
	snprintf(file, sizeof(file), "%s.so", name);
	fd = openat(d, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	err = -errno;
	close(d);
	if (fd < 0)
		return refuse(why, name, err, err == -ENOENT ? "there is no such file" : err == -ELOOP ? "the file is a symbolic link" : strerror(-err));
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && is_ours(st))
		return fd;
	close(fd);
	return refuse(why, name, -EPERM, "the file must be root's or netmapd's user's, and not writable by group or others");
}

/* --- loading --- */

static void
fd_path(char path[FD_PATH_SIZE], int fd)
{
	snprintf(path, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

static int
module_check(const struct netmap_switch_module *m, const char *name, struct why *why)
{
	char text[120];

	if (m == NULL)
		return refuse(why, name, -ENOEXEC, "it has no symbol " NETMAP_SWITCH_SYMBOL);
	if (m->abi == NETMAP_SWITCH_ABI)
		return 0;
	snprintf(text, sizeof(text), "it is made for ABI %u, and this netmapd has %u", m->abi, NETMAP_SWITCH_ABI);
	return refuse(why, name, -ENOEXEC, text);
}

static void
object_close(void *handle, int fd)
{
	char path[FD_PATH_SIZE];

	dlclose(handle);
	fd_path(path, fd);
	/* Some objects cannot be unloaded: then the number must not be used again. */
	if (dlopen(path, RTLD_LAZY | RTLD_NOLOAD) == NULL)
		close(fd);
}

static int
object_load(const char *name, int fd, struct loaded *l, struct why *why)
{
	char path[FD_PATH_SIZE], text[160];
	int err;

	fd_path(path, fd);
	l->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (l->handle == NULL) {
		snprintf(text, sizeof(text), "it cannot be loaded: %.130s", dlerror());
		close(fd);
		return refuse(why, name, -ENOEXEC, text);
	}
	l->module = dlsym(l->handle, NETMAP_SWITCH_SYMBOL);
	err = module_check(l->module, name, why);
	if (err != 0)
		object_close(l->handle, fd);
	return err;
}

/* One more use of it. */
static int
module_take(const char *name, const struct netmap_switch_module **out, struct why *why)
{
	struct stat st;
	struct loaded *l;
	int fd, err;

	if (!name_valid(name))
		return refuse(why, name, -EINVAL, "the name of a module has letters, digits and _, 31 at most");
	fd = file_open(name, &st, why);
	if (fd < 0)
		return fd;
	for (l = all; l != NULL; l = l->next) {
		if (l->dev != st.st_dev || l->ino != st.st_ino)
			continue;
		close(fd);
		l->uses++;
		*out = l->module;
		return 0;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		close(fd);
		return refuse(why, name, -ENOMEM, "no memory");
	}
	err = object_load(name, fd, l, why);
	if (err != 0) {
		free(l);
		return err;
	}
	*l = (struct loaded){ .module = l->module, .handle = l->handle, .fd = fd, .dev = st.st_dev, .ino = st.st_ino, .uses = 1, .next = all };
	all = l;
	*out = l->module;
	return 0;
}

void
os_module_put(const struct netmap_switch_module *module)
{
	struct loaded **link = &all, *l;

	while (*link != NULL && (*link)->module != module)
		link = &(*link)->next;
	l = *link;
	if (l == NULL || --l->uses > 0)
		return;
	*link = l->next;
	object_close(l->handle, l->fd);
	free(l);
}

/* --- switches --- */

int
modules_put_on(const char *sw, const char *name, uint64_t token, struct why *why)
{
	const struct netmap_switch_module *m = NULL;
	int err = name[0] != '\0' ? module_take(name, &m, why) : 0;

	if (err != 0)
		return err;
	err = vale_module_set(sw, token, m, name, why);
	if (err != 0 && m != NULL)
		os_module_put(m);
	return err;
}

int
modules_configure(const char *sw, const char *name, struct why *why)
{
	int err = vale_own(sw, 0, why);

	return err != 0 ? err : modules_put_on(sw, name, 0, why);
}

static int
switch_own(const char *sw, uint64_t *token, struct why *why)
{
	int err;

	do {
		if (getrandom(token, sizeof(*token), 0) != sizeof(*token)) {
			snprintf(why->text, sizeof(why->text), "switch %s: no random number for its token: %s", sw, strerror(errno));
			return -EIO;
		}
	} while (*token == 0);
	err = vale_own(sw, *token, why);
	if (err != 0)
		*token = 0;
	return err;
}

int
modules_change(const struct proto_switch *q, uint64_t *token, struct why *why)
{
	char sw[sizeof(q->name) + 1] = "", module[sizeof(q->module) + 1] = "";
	int err;

	memcpy(sw, q->name, strnlen(q->name, sizeof(q->name)));
	memcpy(module, q->module, strnlen(q->module, sizeof(q->module)));
	switch (q->op) {
	case PROTO_SWITCH_OWN:
		err = switch_own(sw, token, why);
		break;
	case PROTO_SWITCH_DISOWN:
		err = vale_disown(sw, q->token, why);
		break;
	case PROTO_SWITCH_MODULE:
		err = modules_put_on(sw, module, q->token, why);
		break;
	default:
		return -EPROTO;
	}
	server_active();
	return err;
}

int
modules_describe(uint32_t i, struct proto_switch_info *info)
{
	const struct vale_switch *sw = vale_next(0);

	for (; sw != NULL && i > 0; i--)
		sw = vale_next(sw->index + 1);
	memset(info, 0, sizeof(*info));
	if (sw == NULL)
		return -ENOENT;
	memcpy(info->name, sw->name, sizeof(sw->name));
	info->ports = sw->ports;
	if (sw->token != 0)
		info->flags |= PROTO_SWITCH_OWNED;
	if (sw->worker == NULL)
		return 0;
	info->flags |= PROTO_SWITCH_WORKER;
	memcpy(info->module, sw->worker->name, sizeof(sw->worker->name));
	return 0;
}
