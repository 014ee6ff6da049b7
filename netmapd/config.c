/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file: lines "name = value" for parameters, "module.SWITCH = NAME" for modules of switches; what follows a # is a comment. The first
 * line that is wrong ends the start.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/params.h"
#include "config.h"
#include "log.h"
#include "modules.h"

#define FILE_NAME	"netmapd.conf"
#define SYSTEM_FILE	"/etc/netmap/" FILE_NAME
#define LINE_SIZE	512
#define MODULE_PREFIX	"module."

int
config_set(const char *name, uint64_t value, struct why *why)
{
	int err = param_set(name, value, why);

	/* Otherwise what the command line says holds. */
	if (err == 0 && strcmp(name, "verbose") == 0)
		log_level(engine_params.verbose != 0 ? OS_LOG_DEBUG : OS_LOG_INFO);
	return err;
}

/* Cuts blanks off both ends. */
static char *
trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	for (end = s + strlen(s); end > s && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	return s;
}

/* -EINVAL: no whole number from 0 on. */
static int
number_parse(const char *s, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(s, &end, 0);
	return isdigit((unsigned char)*s) && *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

static int
line_apply(char *line, struct why *why)
{
	char *name, *equals;
	uint64_t value;

	line[strcspn(line, "#")] = '\0';
	name = trim(line);
	if (*name == '\0')
		return 0;
	equals = strchr(name, '=');
	if (equals == NULL) {
		snprintf(why->text, sizeof(why->text), "not of the form name = value");
		return -EINVAL;
	}
	*equals = '\0';
	name = trim(name);
	if (strncmp(name, MODULE_PREFIX, strlen(MODULE_PREFIX)) == 0)
		return modules_configure(name + strlen(MODULE_PREFIX), trim(equals + 1), why);
	if (number_parse(trim(equals + 1), &value) != 0) {
		snprintf(why->text, sizeof(why->text), "the value of %.64s is not a number", name);
		return -EINVAL;
	}
	return config_set(name, value, why);
}

/* -EINVAL: a line is wrong. */
static int
file_apply(FILE *f, const char *path, char *text, size_t text_size)
{
	struct why why = { .text = "" };
	char line[LINE_SIZE];
	bool whole;
	unsigned n;

	for (n = 1; fgets(line, sizeof(line), f) != NULL; n++) {
		whole = strlen(line) < sizeof(line) - 1;
		if (!whole)
			snprintf(why.text, sizeof(why.text), "the line is too long");
		if (!whole || line_apply(line, &why) != 0) {
			snprintf(text, text_size, "%s:%u: %s", path, n, why.text);
			return -EINVAL;
		}
	}
	if (!ferror(f))
		return 0;
	snprintf(text, text_size, "%s:%u: cannot read: %s", path, n, strerror(errno));
	return -EIO;
}

/* -ENOENT: it is not there, with no text. */
static int
file_load(const char *path, char *text, size_t text_size)
{
	FILE *f = fopen(path, "re");
	int err = f == NULL ? -errno : 0;

	if (err == -ENOENT || err == -ENOTDIR)
		return -ENOENT;
	if (err != 0) {
		snprintf(text, text_size, "%s: cannot open: %s", path, strerror(-err));
		return err;
	}
	err = file_apply(f, path, text, text_size);
	fclose(f);
	return err;
}

/* $XDG_CONFIG_HOME or what stands for it. False: nobody says where. */
static bool
user_file(char path[PATH_MAX])
{
	const char *dir = getenv("XDG_CONFIG_HOME"), *below = "";
	int n;

	if (dir == NULL || dir[0] != '/') {
		dir = getenv("HOME");
		below = "/.config";
	}
	if (dir == NULL || dir[0] != '/')
		return false;
	n = snprintf(path, PATH_MAX, "%s%s/netmap/" FILE_NAME, dir, below);
	return n < PATH_MAX;
}

int
config_load(const char *path, const struct start *s, char *text, size_t text_size)
{
	char file[PATH_MAX];
	int err = -ENOENT;

	if (path != NULL) {
		err = file_load(path, text, text_size);
		if (err == -ENOENT)
			snprintf(text, text_size, "%s: cannot open: %s", path, strerror(ENOENT));
		return err;
	}
	if (strcmp(s->path, INSTANCE_SYSTEM_SOCKET) == 0)
		err = file_load(SYSTEM_FILE, text, text_size);
	if (s->dir[0] == '\0')
		return err == -ENOENT ? 0 : err;
	snprintf(file, sizeof(file), "%s/" FILE_NAME, s->dir);
	err = file_load(file, text, text_size);
	if (err != -ENOENT || !user_file(file))
		return err == -ENOENT ? 0 : err;
	err = file_load(file, text, text_size);
	/* HOME may be somebody else's: su leaves it as it was. */
	return err == -ENOENT || err == -EACCES ? 0 : err;
}
