/* SPDX-License-Identifier: BSD-2-Clause */
/* Namespaces, veth pairs, and processes in them, see bed.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bed.h"
#include "clock.h"
#include "cores.h"
#include "port.h"

#define COMMAND_MAX	512
#define STOP_NS		2000000000ull
#define TICK_NS		2000000ull

static int
bed_fail(struct bed *bed, int err, const char *what)
{
	snprintf(bed->message, sizeof(bed->message), "%s: %s", what, strerror(-err));
	return err;
}

int
bed_enter(const struct bed *bed, unsigned int space)
{
	return setns(bed->space[space], CLONE_NEWNET) != 0 ? -errno : 0;
}

static int
space_make(void)
{
	int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1, err;

	if (old < 0)
		return -errno;
	if (unshare(CLONE_NEWNET) != 0) {
		err = -errno;
		goto out;
	}
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (setns(old, CLONE_NEWNET) != 0)
		err = -errno;
out:
	close(old);
	if (err != 0 && fd >= 0)
		close(fd);
	return err != 0 ? err : fd;
}

int
bed_make(struct bed *bed, unsigned int n)
{
	int ret = 0;

	memset(bed, 0, sizeof(*bed));
	while (bed->n < n && ret == 0) {
		int fd = space_make();

		if (fd == -EPERM)
			snprintf(bed->message, sizeof(bed->message),
			    "needs root: network namespaces, raw sockets, BPF");
		else if (fd < 0)
			bed_fail(bed, fd, "network namespace");
		if (fd < 0) {
			ret = fd;
			break;
		}
		bed->space[bed->n++] = fd;
		ret = bed_run(bed, bed->n - 1, "for f in all default; do "
		    "[ ! -e /proc/sys/net/ipv6/conf/$f ] || echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done");
	}
	if (ret != 0)
		bed_remove(bed);
	return ret;
}

void
bed_remove(struct bed *bed)
{
	while (bed->n > 0)
		close(bed->space[--bed->n]);
}

static void
station_text(char text[18], uint32_t station)
{
	uint8_t h[BENCH_HEADER_LEN];

	frame_header(h, station, STATION_ALL);
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", h[6], h[7], h[8], h[9], h[10], h[11]);
}

int
bed_veth(struct bed *bed, const struct bed_end *a, const struct bed_end *b)
{
	char mac_a[18], mac_b[18];
	int ret;

	station_text(mac_a, a->station);
	station_text(mac_b, b->station);
	ret = bed_run(bed, a->space, "ip link add %s address %s numtxqueues 1 numrxqueues 1 type veth "
	    "peer name %s address %s numtxqueues 1 numrxqueues 1 netns /proc/%d/fd/%d", a->ifname, mac_a, b->ifname,
	    mac_b, getpid(), bed->space[b->space]);
	if (ret == 0)
		ret = bed_run(bed, a->space, "ip link set %s up", a->ifname);
	if (ret == 0)
		ret = bed_run(bed, b->space, "ip link set %s up", b->ifname);
	return ret;
}

/* What a child does first. err_fd becomes its standard error, out_fd its standard output. */
static void
child_enter(const struct bed *bed, unsigned int space, pid_t parent, int out_fd, int err_fd)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || bed_enter(bed, space) != 0)
		_exit(126);
	dup2(null, STDIN_FILENO);
	dup2(out_fd >= 0 ? out_fd : null, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
}

/* Reads all that comes; what is over size is lost. */
static void
text_read(int fd, char *text, size_t size)
{
	char rest[256];
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	while (read(fd, rest, sizeof(rest)) > 0)
		;
	text[n] = '\0';
}

static int
command_run(struct bed *bed, unsigned int space, const char *command, int out_fd)
{
	char text[BENCH_MESSAGE_MAX];
	pid_t parent = getpid(), pid;
	int fds[2], status;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return bed_fail(bed, -errno, "pipe");
	pid = fork();
	if (pid == 0) {
		child_enter(bed, space, parent, out_fd, fds[1]);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	text_read(fds[0], text, sizeof(text));
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return bed_fail(bed, -errno, "starting a command");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	if (text[0] == '\0')
		snprintf(text, sizeof(text), "%.*s: failed", (int)strcspn(command, " "), command);
	snprintf(bed->message, sizeof(bed->message), "%s", text);
	return -EIO;
}

int
bed_run(struct bed *bed, unsigned int space, const char *format, ...)
{
	char command[COMMAND_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return command_run(bed, space, command, -1);
}

int
bed_read(struct bed *bed, unsigned int space, char **out, const char *format, ...)
{
	FILE *f = tmpfile();
	char command[COMMAND_MAX];
	va_list args;
	long size = 0;
	int ret;

	*out = NULL;
	if (f == NULL)
		return bed_fail(bed, -errno, "temporary file");
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ret = command_run(bed, space, command, fileno(f));
	if (fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	*out = size >= 0 ? calloc(1, (size_t)size + 1) : NULL;
	rewind(f);
	if (*out == NULL || fread(*out, 1, (size_t)size, f) != (size_t)size)
		ret = bed_fail(bed, -EIO, "what a command printed");
	fclose(f);
	return ret;
}

pid_t
bed_spawn(struct bed *bed, unsigned int space, int cpu, char *const argv[], int *err_fd)
{
	/* not a pipe: whatever a program says, it is not to wait for us */
	int fd = memfd_create("bench-stderr", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;

	if (fd < 0)
		return bed_fail(bed, -errno, "memfd");
	pid = fork();
	if (pid == 0) {
		child_enter(bed, space, parent, -1, fd);
		if (cpu >= 0)
			cores_pin(cpu);
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0) {
		pid = bed_fail(bed, -errno, "fork");
		close(fd);
		return pid;
	}
	*err_fd = fd;
	return pid;
}

bool
bed_ended(struct bed *bed, pid_t *pid, int err_fd)
{
	char text[BENCH_MESSAGE_MAX];
	ssize_t n;

	if (waitpid(*pid, NULL, WNOHANG) != *pid)
		return false;
	*pid = 0;
	n = pread(err_fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	snprintf(bed->message, sizeof(bed->message), "%s", text[0] != '\0' ? text : "ended without a word");
	return true;
}

void
bed_stop(pid_t pid, int err_fd)
{
	uint64_t give_up = clock_ns() + STOP_NS;

	if (pid > 0) {
		kill(pid, SIGTERM);
		while (waitpid(pid, NULL, WNOHANG) == 0) {
			if (clock_ns() > give_up)
				kill(pid, SIGKILL);
			clock_sleep_ns(TICK_NS);
		}
	}
	if (err_fd >= 0)
		close(err_fd);
}

int
bed_verdict(const struct bed *bed, int err)
{
	return err < 0 && strstr(bed->message, strerror(EOPNOTSUPP)) != NULL ? BENCH_SKIPPED : err;
}

void
bed_program(char *path, size_t size, const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	/* BUILD/bench/netmap-bench */
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(self, '/');

		if (slash != NULL)
			*slash = '\0';
	}
	snprintf(path, size, "%s/%s", self, name);
}
