/* SPDX-License-Identifier: BSD-2-Clause */
/* A netmapd of our own, see instance.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netmap_stats.h>

#include "clock.h"
#include "instance.h"

#define START_NS	5000000000ull
#define TICK_NS		2000000ull

static bool
socket_answers(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool answers;

	if (fd < 0)
		return false;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	/* one of another type is there as well */
	answers = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 || errno == EPROTOTYPE;
	close(fd);
	return answers;
}

static int
instance_wait(struct instance *in, struct bed *bed)
{
	uint64_t give_up = clock_ns() + START_NS;

	while (!socket_answers(in->socket)) {
		if (bed_ended(bed, &in->pid, in->err_fd))
			return -ECHILD;
		if (clock_ns() > give_up) {
			snprintf(bed->message, sizeof(bed->message), "netmapd does not serve its socket");
			return -ETIMEDOUT;
		}
		clock_sleep_ns(TICK_NS);
	}
	return 0;
}

static void
environment_set(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

int
instance_start(struct instance *in, struct bed *bed, const char *driver, bool join)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *before = getenv("NETMAP_SOCKET");
	char program[PATH_MAX];
	char *argv[] = { program, (char *)"-f", (char *)"-s", in->socket, NULL };
	int ret;

	memset(in, 0, sizeof(*in));
	in->err_fd = -1;
	if (runtime == NULL || strlen(runtime) > sizeof(in->dir) - 24)
		runtime = "/tmp";
	snprintf(in->dir, sizeof(in->dir), "%s/netmap-bench.XXXXXX", runtime);
	if (mkdtemp(in->dir) == NULL) {
		ret = -errno;
		snprintf(bed->message, sizeof(bed->message), "%s: %s", in->dir, strerror(-ret));
		in->dir[0] = '\0';
		return ret;
	}
	snprintf(in->socket, sizeof(in->socket), "%s/netmapd.sock", in->dir);
	in->socket_before = before != NULL ? strdup(before) : NULL;
	environment_set("NETMAP_DRIVER", driver);
	environment_set("NETMAP_VETH_JOIN", join ? NULL : "no");
	environment_set("NETMAP_SOCKET", in->socket);
	bed_program(program, sizeof(program), "netmapd/netmapd");
	in->pid = bed_spawn(bed, 0, -1, argv, &in->err_fd);
	ret = in->pid < 0 ? in->pid : instance_wait(in, bed);
	if (ret != 0)
		instance_stop(in);
	return ret;
}

/* With what netmapd has left there. */
static void
dir_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

void
instance_stop(struct instance *in)
{
	bed_stop(in->pid, in->err_fd);
	if (in->dir[0] != '\0')
		dir_remove(in->dir);
	environment_set("NETMAP_SOCKET", in->socket_before);
	environment_set("NETMAP_DRIVER", NULL);
	environment_set("NETMAP_VETH_JOIN", NULL);
	free(in->socket_before);
	memset(in, 0, sizeof(*in));
	in->err_fd = -1;
}

static int
mode_find(const char *name, char *mode)
{
	struct netmap_stats *s;
	int ret = netmap_stats_take(&s);

	if (ret != 0)
		return ret;
	ret = -ENOENT;
	for (unsigned int i = 0; i < netmap_stats_ports(s) && ret != 0; i++) {
		const struct netmap_stats_port *p = netmap_stats_port(s, i);

		if (p->type != NETMAP_STATS_NIC || strcmp(p->name, name) != 0)
			continue;
		snprintf(mode, INSTANCE_MODE_MAX, "%s", p->mode);
		ret = 0;
	}
	netmap_stats_free(s);
	return ret;
}

/* A process that asks stays connected to the instance that it asked, and this one sees many: a child asks. */
int
instance_port_mode(const char *name, char mode[INSTANCE_MODE_MAX])
{
	int fds[2], ret = -EIO;
	pid_t pid;

	mode[0] = '\0';
	if (pipe(fds) != 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char text[INSTANCE_MODE_MAX] = "";

		ret = mode_find(name, text);
		if (write(fds[1], &ret, sizeof(ret)) != sizeof(ret) ||
		    write(fds[1], text, sizeof(text)) != sizeof(text))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	if (pid > 0) {
		if (read(fds[0], &ret, sizeof(ret)) != sizeof(ret) ||
		    read(fds[0], mode, INSTANCE_MODE_MAX) != INSTANCE_MODE_MAX)
			ret = -EIO;
		waitpid(pid, NULL, 0);
	}
	close(fds[0]);
	return ret;
}
