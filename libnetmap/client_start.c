/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting a private netmapd. Done without a trace in the program: no SIGCHLD, no child that its wait() would see, none of its descriptors kept, its
 * LD_PRELOAD not handed on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits.h>

#include "../host/sys.h"
#include "client_internal.h"

extern char **environ;

/* Where installed libraries find it; given by the build. */
#ifndef NETMAPD_SBINDIR
#define NETMAPD_SBINDIR	"/usr/local/sbin"
#endif

static bool
is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

/* In the directory of this library (of the program, when linked into it): as built, and as installed. */
static bool
find_nearby(char path[PATH_MAX])
{
	static const char *const places[] = {
		"netmapd", "netmapd/netmapd", "../netmapd/netmapd", "../../netmapd/netmapd", "../sbin/netmapd", "../../sbin/netmapd",
	};
	char self[PATH_MAX], *slash;
	Dl_info info;

	if (dladdr((void *)(uintptr_t)client_start_netmapd, &info) == 0 || info.dli_fname == NULL || realpath(info.dli_fname, self) == NULL)
		return false;
	slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, PATH_MAX, "%s/%s", self, places[i]);

		if (n > 0 && n < PATH_MAX && is_program(path))
			return true;
	}
	return false;
}

static bool
find_in_path(char path[PATH_MAX])
{
	const char *p = secure_getenv("PATH");

	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, ":");

		if (n > 0 && p[0] == '/') {
			int m = snprintf(path, PATH_MAX, "%.*s/netmapd", (int)n, p);

			if (m > 0 && m < PATH_MAX && is_program(path))
				return true;
		}
		p += n + (p[n] == ':');
	}
	return false;
}

static bool
netmapd_find(char path[PATH_MAX])
{
	const char *named = secure_getenv("NETMAPD");

	if (named != NULL && named[0] != '\0') {
		snprintf(path, PATH_MAX, "%s", named);
		return is_program(path);
	}
	if (find_nearby(path))
		return true;
	snprintf(path, PATH_MAX, "%s/netmapd", NETMAPD_SBINDIR);
	return is_program(path) || find_in_path(path);
}

/* The environment without what is meant for the program: preloaded libraries above all. NULL without memory. */
static char **
environment_make(void)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ != NULL && environ[n] != NULL)
		n++;
	env = calloc(n + 1, sizeof(*env));
	for (size_t i = 0; env != NULL && i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 && strncmp(environ[i], "LD_AUDIT=", 9) != 0)
			env[kept++] = environ[i];
	return env;
}

struct child {
	const char *path;
	char *const *argv;
	char *const *env;
	int output;			/* becomes its standard output and error */
	int null;			/* becomes its standard input */
};

#define STACK	16384

static char stacks[2][STACK] __attribute__((aligned(16)));	/* under the connection lock */

/*
 * Two processes in the parent's memory, with all signals blocked: system calls only. The first is of the kind that only __WCLONE waits for, without a
 * SIGCHLD; but exec makes an ordinary child of it. So it starts the second, which becomes netmapd, and ends: netmapd is an orphan from the beginning.
 */
static int
netmapd_become(void *arg)
{
	const struct child *c = arg;

	if (sys_call6(SYS_dup3, c->output, STDERR_FILENO, 0, 0, 0, 0) < 0 || sys_call6(SYS_dup3, c->output, STDOUT_FILENO, 0, 0, 0, 0) < 0 ||
	    sys_call6(SYS_dup3, c->null, STDIN_FILENO, 0, 0, 0, 0) < 0)
		sys_call6(SYS_exit, 127, 0, 0, 0, 0, 0);
	/* Signals stay blocked: no handler may run here, and netmapd unblocks what it wants. */
	sys_call6(SYS_execve, (long)c->path, (long)c->argv, (long)c->env, 0, 0, 0);
	sys_write(STDERR_FILENO, "cannot be executed", 18);
	sys_call6(SYS_exit, 127, 0, 0, 0, 0, 0);
	return 0;
}

static int
child_run(void *arg)
{
	int pid = clone(netmapd_become, stacks[1] + STACK, CLONE_VM | CLONE_VFORK, arg);

	sys_call6(SYS_exit, pid < 0, 0, 0, 0, 0, 0);
	return 0;
}

/* What it says until it closes its output: when it serves, or when it gives up. */
static void
output_read(int fd, char *text, size_t size)
{
	char rest[256];
	size_t n = 0;
	long got;

	while (n + 1 < size && ((got = sys_read(fd, text + n, size - 1 - n)) > 0 || got == -EINTR))
		n += got > 0 ? (size_t)got : 0;
	while ((got = sys_read(fd, rest, sizeof(rest))) > 0 || got == -EINTR)
		;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
}

static int
spawn(const struct child *c)
{
	uint64_t all = ~UINT64_C(0), mask;
	int status = 0, err = 0;
	pid_t pid;

	sys_sigmask(SIG_BLOCK, &all, &mask);
	pid = clone(child_run, stacks[0] + STACK, CLONE_VM | CLONE_VFORK, (void *)(uintptr_t)c);
	if (pid < 0)
		err = -errno;
	while (pid > 0 && waitpid(pid, &status, __WCLONE) < 0 && errno == EINTR)
		;
	sys_sigmask(SIG_SETMASK, &mask, NULL);
	return err != 0 ? err : status != 0 ? -EAGAIN : 0;
}

int
client_start_netmapd(const char *path, char *text, size_t text_size)
{
	char program[PATH_MAX];
	char *argv[] = { (char *)"netmapd", (char *)"--orphan", (char *)"--socket", (char *)(uintptr_t)path, NULL };
	struct child c = { .path = program, .argv = argv };
	int fds[2], err;
	char **env;

	if (!netmapd_find(program)) {
		snprintf(text, text_size, "no netmapd is running, and its program is not found: install it, or name it in NETMAPD");
		return -ENOENT;
	}
	env = environment_make();
	if (env == NULL)
		return -ENOMEM;
	c.env = env;
	if (sys_call6(SYS_pipe2, (long)fds, O_CLOEXEC, 0, 0, 0, 0) < 0) {
		err = -EMFILE;
		goto err_env;
	}
	/* Above 2, so that the child's dup3 calls do not meet each other. */
	c.output = sys_fcntl(fds[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	sys_close(fds[1]);
	c.null = sys_open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
	if (c.null >= 0 && c.null <= STDERR_FILENO) {
		int high = sys_fcntl(c.null, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

		sys_close(c.null);
		c.null = high;
	}
	err = c.output < 0 || c.null < 0 ? -EMFILE : spawn(&c);
	sys_close(c.output);
	sys_close(c.null);
	/* It says nothing if all is well. */
	if (err == 0)
		output_read(fds[0], text, text_size);
	else
		snprintf(text, text_size, "%s cannot be started: %s", program, strerror(-err));
	if (err == 0 && text[0] != '\0')
		err = -ECONNREFUSED;
	sys_close(fds[0]);
err_env:
	free(env);
	return err;
}
