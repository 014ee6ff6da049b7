/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a private netmapd: many starts at once, leaving and starting against each other, refused directories and users, its violent end, and
 * that of its clients.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libnetmap/protocol.h"
#include "port.h"

#define STARTERS	20

static const char *dir;

/* An executable that starts netmapd with an additional option. */
static void
netmapd_wrap(const char *option)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/netmapd-wrapper", dir);
	f = fopen(path, "w");
	CHECK(f != NULL);
	fprintf(f, "#!/bin/sh\nexec %s %s \"$@\"\n", getenv("NETMAPD"), option);
	fclose(f);
	CHECK(chmod(path, 0700) == 0);
	setenv("NETMAPD", path, 1);
}

static void
netmapd_stop(void)
{
	pid_t pid = netmapd_pid();

	CHECK(pid > 0 && kill(pid, SIGTERM) == 0);
	CHECK(wait_for(process_ended, &pid));
}

/* Twenty processes find nothing and start: one netmapd serves them all. */
static void
start_together(void)
{
	struct proto_info_reply info;
	int go[2], told[2];
	pid_t child[STARTERS], pid, first = 0;
	struct tport p;
	char c;

	CHECK(pipe(go) == 0 && pipe(told) == 0);
	for (int i = 0; i < STARTERS; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			char name[32];

			close(go[1]);
			CHECK(read(go[0], &c, 1) == 0);
			snprintf(name, sizeof(name), "vale0:p%d", i);
			CHECK(port_open(&p, name) == 0);
			CHECK(client_info(&info) == 0);
			CHECK(write(told[1], &info.pid, sizeof(info.pid)) == sizeof(info.pid));
			_exit(0);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < STARTERS; i++) {
		CHECK(read(told[0], &pid, sizeof(pid)) == sizeof(pid));
		if (first == 0)
			first = pid;
		CHECK(pid == first);
	}
	for (int i = 0; i < STARTERS; i++)
		CHECK(child_wait(child[i]) == 0);
	CHECK(netmapd_pid() == first);
	close(told[0]);
	close(told[1]);
	netmapd_stop();
}

/* netmapd leaves as soon as it may (200 ms), and four processes open and close all the time: no open may fail. */
static void
start_against_leave(void)
{
	char *plain = strdup(getenv("NETMAPD"));
	pid_t child[4];

	netmapd_wrap("--idle 0");
	for (int i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct timespec pause = { .tv_nsec = 199500000 };
			struct tport p;

			for (int n = 0; n < 12; n++) {
				CHECK(port_open(&p, "vale0:same") == 0);
				port_close(&p);
				nanosleep(&pause, NULL);
				pause.tv_nsec += 300000;
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK(child_wait(child[i]) == 0);
	setenv("NETMAPD", plain, 1);
	free(plain);
}

/* The last one has left. */
static void
netmapd_gone(void)
{
	pid_t pid = netmapd_pid();

	CHECK(pid == 0 || wait_for(process_ended, &pid));
}

static void
leave_when_idle(void)
{
	char *plain = strdup(getenv("NETMAPD"));
	struct timespec pause = { .tv_sec = 2 };
	struct tport p;
	pid_t pid;

	netmapd_gone();
	netmapd_wrap("--idle 1");
	CHECK(port_open(&p, "vale0:a") == 0);
	nanosleep(&pause, NULL);
	pid = netmapd_pid();
	CHECK(pid > 0);
	port_close(&p);
	CHECK(wait_for(process_ended, &pid));
	setenv("NETMAPD", plain, 1);
	free(plain);
}

static void
directory_refused(const char *reason)
{
	struct client_session *s;

	CHECK(client_open(O_RDWR, &s) == -EPERM);
	CHECK(strstr(client_last_why(), "refused") != NULL && strstr(client_last_why(), reason) != NULL);
}

/* The private directory must be ours, real, and closed to others. */
static void
directories(void)
{
	char private[200], elsewhere[200];

	snprintf(private, sizeof(private), "%s/netmap", dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/netmap.real", dir);
	CHECK(chmod(private, 0755) == 0);
	directory_refused("0700");
	CHECK(chmod(private, 0700) == 0);
	CHECK(rename(private, elsewhere) == 0 && symlink("netmap.real", private) == 0);
	directory_refused("symbolic link");
	CHECK(unlink(private) == 0 && rename(elsewhere, private) == 0);
	if (geteuid() == 0) {
		CHECK(chown(private, 65534, 65534) == 0);
		directory_refused("another user");
		CHECK(chown(private, 0, 0) == 0);
	}
}

/* kill -9 of netmapd: who sleeps, who polls and who syncs notices; a new one serves when the old descriptors are gone. */
static void
netmapd_killed(void)
{
	struct proto_info_reply info;
	struct client_session *s;
	struct client_waiter *w;
	struct tport a, b;
	pid_t pid;

	CHECK(port_open(&a, "vale0:a") == 0);
	CHECK(port_open(&b, "vale0:b") == 0);
	port_send(&a, 1);
	CHECK(client_info(&info) == 0);
	pid = info.pid;
	CHECK(kill(pid, SIGKILL) == 0 && wait_for(process_ended, &pid));
	CHECK(client_ioctl(a.s, NIOCTXSYNC, NULL) == -EIO);
	CHECK(client_ioctl(b.s, NIOCRXSYNC, NULL) == -EIO);
	CHECK(client_poll(b.s, POLLIN) == POLLERR);
	CHECK(port_register(&a, "vale0:a") == -EIO);
	w = client_waiter();
	if (w != NULL) {
		client_arm_begin(w, false);
		client_arm(w, b.s, POLLIN);
		client_wait(w, NULL, NULL);
		client_disarm(w, b.s, POLLIN);
		client_arm_end(w);
	}
	CHECK(client_open(O_RDWR, &s) == -EIO);
	CHECK(strstr(client_last_why(), "still open") != NULL);
	/* The memory is there as long as it is mapped. */
	CHECK(port_tx(&a)->num_slots > 0);
	port_close(&a);
	port_close(&b);
	CHECK(port_open(&a, "vale0:a") == 0);
	CHECK(port_open(&b, "vale0:b") == 0);
	port_send(&a, 2);
	CHECK(port_receive(&b) == 2);
	CHECK(client_info(&info) == 0 && info.pid != pid);
	port_close(&a);
	port_close(&b);
}

/* A sleeper is not left asleep. */
static void
netmapd_killed_under_sleeper(void)
{
	struct tport p;
	char c = 0;
	int fds[2];
	pid_t pid, child;

	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		struct client_waiter *w;

		CHECK(port_open(&p, "vale0:a") == 0);
		w = client_waiter();
		CHECK(write(fds[1], &c, 1) == 1);
		while ((client_poll(p.s, POLLIN) & POLLERR) == 0) {
			client_arm_begin(w, false);
			client_arm(w, p.s, POLLIN);
			client_wait(w, NULL, NULL);
			client_disarm(w, p.s, POLLIN);
			client_arm_end(w);
		}
		_exit(0);
	}
	CHECK(read(fds[0], &c, 1) == 1);
	pid = netmapd_pid();
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(child_wait(child) == 0);
	close(fds[0]);
	close(fds[1]);
}

static bool
name_free(void *arg)
{
	struct tport p, q;
	bool alone;

	/* A switch with a port of a dead process on it floods to that one, too; one without drops. */
	CHECK(port_open(&p, "vale7:x") == 0);
	CHECK(port_open(&q, "vale7:y") == 0);
	port_send(&p, 5);
	alone = port_pending(&q) == 1;
	port_close(&p);
	port_close(&q);
	return alone;
}

/* kill -9 of clients with ports and threads: they are gone, and the rest works. */
static void
client_killed(void)
{
	struct proto_info_reply info;
	struct tport mine, p;
	char c = 0;
	int fds[2];

	CHECK(port_open(&mine, "vale7:mine") == 0);
	for (int i = 0; i < 30; i++) {
		pid_t child;

		CHECK(pipe(fds) == 0);
		child = fork();
		if (child == 0) {
			CHECK(port_open(&p, "vale7:dies") == 0);
			for (uint32_t n = 0;; n++) {
				port_send(&p, n);
				if (n == 100)
					CHECK(write(fds[1], &c, 1) == 1);
			}
		}
		CHECK(read(fds[0], &c, 1) == 1);
		CHECK(kill(child, SIGKILL) == 0);
		CHECK(child_wait(child) == 1000 + SIGKILL);
		close(fds[0]);
		close(fds[1]);
		port_drain(&mine);
	}
	CHECK(wait_for(name_free, NULL));
	CHECK(client_info(&info) == 0);
	CHECK(info.sessions == 1);
	port_close(&mine);
}

/* Something lies where the arena must be: the message says what. */
static void
address_taken(void)
{
	pid_t child = fork();

	if (child == 0) {
		/* A process that never used netmap. */
		execl("/proc/self/exe", "lifecycle", "occupied", NULL);
		_exit(127);
	}
	CHECK(child_wait(child) == 0);
}

static int
occupied(void)
{
	void *where = (void *)0x550000100000, *got;
	struct client_session *s;
	struct tport p;

	got = mmap(where, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(got == where);
	CHECK(client_open(O_RDWR, &s) == -EADDRINUSE);
	CHECK(strstr(client_last_why(), "550000100000-550000101000") != NULL);
	CHECK(munmap(where, 4096) == 0);
	CHECK(port_open(&p, "vale0:later") == 0);
	port_close(&p);
	return 0;
}

static int
expect_refused(const char *word)
{
	struct client_session *s;
	int err = client_open(O_RDWR, &s);

	if (err == -EPERM && strstr(client_last_why(), word) != NULL)
		return 0;
	fprintf(stderr, "open gives %d, \"%s\"\n", err, client_last_why());
	return 1;
}

/* Another user, and another pid namespace, are not trusted. Needs root. */
static void
strangers(void)
{
	char path[200];
	pid_t child;

	if (geteuid() != 0)
		return;
	snprintf(path, sizeof(path), "%s/netmap/netmapd.sock", dir);
	child = fork();
	if (child == 0) {
		setenv("NETMAP_SOCKET", path, 1);
		CHECK(unshare(CLONE_NEWPID) == 0);
		child = fork();
		if (child == 0) {
			execl("/proc/self/exe", "lifecycle", "stranger", "pid namespace", NULL);
			_exit(127);
		}
		_exit(child_wait(child));
	}
	CHECK(child_wait(child) == 0);
	child = fork();
	if (child == 0) {
		char dup_path[64];
		int status;

		/* The way there is closed to others, so the socket is shown under another name. */
		snprintf(dup_path, sizeof(dup_path), "/tmp/netmap-test-%d.sock", (int)getpid());
		CHECK(link(path, dup_path) == 0 && chmod(dup_path, 0777) == 0);
		setenv("NETMAP_SOCKET", dup_path, 1);
		child = fork();
		if (child == 0) {
			CHECK(setgid(65534) == 0 && setuid(65534) == 0);
			execl("/proc/self/exe", "lifecycle", "stranger", "user 65534", NULL);
			_exit(127);
		}
		status = child_wait(child);
		unlink(dup_path);
		_exit(status);
	}
	CHECK(child_wait(child) == 0);
}

int
main(int argc, char **argv)
{
	struct tport p;

	if (argc > 1 && strcmp(argv[1], "occupied") == 0)
		return occupied();
	if (argc > 2 && strcmp(argv[1], "stranger") == 0)
		return expect_refused(argv[2]);
	alarm(100);
	CHECK(getenv("NETMAPD") != NULL);
	dir = dir_begin();
	start_together();
	start_against_leave();
	leave_when_idle();
	directories();
	netmapd_killed();
	netmapd_killed_under_sleeper();
	client_killed();
	CHECK(port_open(&p, "vale0:stays") == 0);
	address_taken();
	strangers();
	port_close(&p);
	dir_end();
	return 0;
}
