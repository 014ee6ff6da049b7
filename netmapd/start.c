/* SPDX-License-Identifier: BSD-2-Clause */
/* What start.h says. The order against a netmapd that leaves is told at leave_if_idle in server.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "start.h"

#define BACKLOG	512

int
start_place(struct start *s, const char *path, char *text, size_t text_size)
{
	char private_dir[INSTANCE_PATH_MAX], why[INSTANCE_TEXT_MAX];
	char cwd[INSTANCE_PATH_MAX];
	const char *slash;
	int err = instance_private_dir(private_dir);

	memset(s, 0, sizeof(*s));
	s->listen_fd = s->lock_fd = s->ready_fd = -1;
	if (err == 0 && path == NULL)
		err = instance_path(s->path, private_dir, INSTANCE_SOCKET_NAME);
	else if (path != NULL && path[0] == '/')
		err = instance_path(s->path, "", path + 1);
	else if (path != NULL)
		/* netmapd does not stay in this folder. */
		err = getcwd(cwd, sizeof(cwd)) != NULL ? instance_path(s->path, cwd, path) : -ENAMETOOLONG;
	if (err != 0) {
		snprintf(text, text_size, "the path of the socket is too long");
		return err;
	}
	slash = strrchr(s->path, '/');
	if (slash == NULL || (size_t)(slash - s->path) != strlen(private_dir) || strncmp(s->path, private_dir, strlen(private_dir)) != 0)
		return 0;
	strcpy(s->dir, private_dir);
	err = instance_dir_make(s->dir, why);
	if (err != 0)
		snprintf(text, text_size, "%s", why);
	return err;
}

/* Does somebody listen there? A netmapd that is stopped, or has its queue full, counts. */
static bool
somebody_listens(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd < 0)
		return false;
	yes = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
	close(fd);
	return yes;
}

static int
lock_take(const char *path)
{
	char lock[INSTANCE_PATH_MAX + 8];
	int fd, err;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) != 0) {
		err = -errno;
		if (err == -EINTR)
			continue;
		close(fd);
		return err;
	}
	return fd;
}

int
start_listen(struct start *s, char *text, size_t text_size)
{
	struct sockaddr_un addr;
	int err;

	instance_address(&addr, s->path);
	err = lock_take(s->path);
	if (err < 0) {
		snprintf(text, text_size, "cannot lock %s.lock: %s; does its directory exist, and may this user write there?", s->path,
			strerror(-err));
		return err;
	}
	s->lock_fd = err;
	if (somebody_listens(&addr)) {
		err = -EADDRINUSE;
		snprintf(text, text_size, "a netmapd serves %s already", s->path);
		goto err_lock;
	}
	/* Left by one that was killed. */
	unlink(s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(s->listen_fd, BACKLOG) != 0) {
		err = -errno;
		snprintf(text, text_size, "cannot listen on %s: %s; does its directory exist, and may this user write there?", s->path,
			strerror(-err));
		goto err_socket;
	}
	return 0;

err_socket:
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
err_lock:
	close(s->lock_fd);
	s->lock_fd = -1;
	return err;
}

int
start_detach(struct start *s, bool orphan)
{
	int fds[2], err;
	char ok;
	pid_t pid;

	s->detached = true;
	if (orphan) {
		setsid();
		return 0;
	}

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid == 0) {
		close(fds[0]);
		s->ready_fd = fds[1];
		setsid();
		return 0;
	}
	close(fds[1]);
	/* The end of the pipe without a word: the child has said on standard error why. */
	_exit(read(fds[0], &ok, 1) == 1 ? 0 : 1);
}

/* Nothing of the starter's is kept: who waits for the end of its output need not wait for us. */
static void
descriptors_let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

void
start_done(struct start *s)
{
	flock(s->lock_fd, LOCK_UN);
	if (s->detached)
		descriptors_let_go();
	if (s->ready_fd < 0)
		return;
	/* If the starter is gone, nobody needs to know. */
	if (write(s->ready_fd, "+", 1) != 1)
		errno = 0;
	close(s->ready_fd);
	s->ready_fd = -1;
}
