/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What netmap costs: nothing while nothing happens, no system call while both sides are busy, and little
 * memory.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

/* --- idle --- */

#define IDLE_MS		2000
#define IDLE_CPU_US	20000		/* one per cent */

static uint64_t
cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
		(uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static void
idle_check(uint64_t before)
{
	uint64_t used = cpu_us() - before;

	if (used > IDLE_CPU_US)
		check_failed(__FILE__, __LINE__, "%llu us of CPU time in %d ms of waiting",
			(unsigned long long)used, IDLE_MS);
}

static void
idle_alone(void *arg)
{
	struct port p;
	uint64_t before;

	port_open(&p, vale("alone"));
	before = cpu_us();
	check_eq(port_poll(&p, POLLIN, IDLE_MS), 0);
	idle_check(before);
}

static void
idle_mixed(void *arg)
{
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct port p;
	uint64_t before;
	int fds[2];

	check_ok(pipe(fds));
	port_open(&p, vale("mixed"));
	pfd[0].fd = p.fd;
	pfd[1].fd = fds[0];
	before = cpu_us();
	check_eq(poll(pfd, 2, IDLE_MS), 0);
	idle_check(before);
}

static void
idle_epoll(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);
	struct port p;
	uint64_t before;

	port_open(&p, vale("epoll"));
	check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &ev));
	before = cpu_us();
	check_eq(epoll_wait(ep, &ev, 1, IDLE_MS), 0);
	idle_check(before);
}

/* A sender to whose pipe nobody listens. */
static void
idle_sender(void *arg)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_MIN] = { 0 };
	struct port p, peer;
	uint64_t before;

	snprintf(name, sizeof(name), "%s{1", vale("pipe"));
	port_open(&p, name);
	snprintf(name, sizeof(name), "%s}1", vale("pipe"));
	port_open(&peer, name);
	while (port_put(&p, frame, sizeof(frame)))
		;
	before = cpu_us();
	check_eq(port_poll(&p, POLLOUT, IDLE_MS), 0);
	idle_check(before);
}

/* User and system time of a process, in clock ticks. */
static unsigned long
cpu_ticks(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user = 0, sys = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	check(f != NULL && fgets(line, sizeof(line), f) != NULL);
	check_eq(sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		&sys), 2);
	fclose(f);
	return user + sys;
}

static void
idle(void)
{
	static void (*const kinds[])(void *) = { idle_alone, idle_mixed, idle_epoll, idle_sender };
	enum { N = sizeof(kinds) / sizeof(kinds[0]) };
	unsigned long ticks;
	pid_t pid[N];

	for (int i = 0; i < N; i++)
		pid[i] = spawn(kinds[i], NULL);
	sleep_ms(500);
	ticks = cpu_ticks(harness_daemon());
	for (int i = 0; i < N; i++)
		join(pid[i]);
	/* The children's ends are in it. */
	check(cpu_ticks(harness_daemon()) - ticks <= 3);
}

/* --- busy --- */

#define BATCH		32
#define BATCHES		20000

static void
on_system_call(int sig, siginfo_t *si, void *context)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "system call %d in the data path\n", si->si_syscall);

	if (write(STDERR_FILENO, text, (size_t)n) == n)
		_exit(1);
	_exit(2);
}

/* From now on any system call is a signal, but those for the end, and the test's own way to let others run. */
static void
system_calls_forbid(void)
{
	struct sigaction sa = { .sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_yield, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	sigaction(SIGSYS, &sa, NULL);
	check_ok(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		check_failed(__FILE__, __LINE__, "seccomp: %s", strerror(errno));
}

struct busy {
	char name[2][NETMAP_REQ_IFNAMSIZ];
	_Atomic uint64_t *taken;
};

static void
busy_send(void *arg)
{
	const struct busy *b = arg;
	struct pollfd pfd = { .events = POLLOUT };
	uint8_t frame[FRAME_MIN];
	struct port p;
	uint64_t sent = 0;

	port_open(&p, b->name[0]);
	pfd.fd = p.fd;
	/* First uses: the arena is mapped, the thread is known. */
	port_txsync(&p);
	check_eq(poll(&pfd, 1, 0), 1);
	while (*b->taken == 0)
		sleep_ms(1);
	for (unsigned i = 0; i < BATCHES; i++) {
		/* The first one has mapped the receiver's region. */
		if (i == 1)
			system_calls_forbid();
		/* The receiver is never far behind, and never ahead for long. */
		while (sent - (*b->taken - 1) > 500)
			sched_yield();
		for (unsigned j = 0; j < BATCH; j++, sent++) {
			frame_make(frame, sizeof(frame), 0xff, 1, sent);
			while (!port_put(&p, frame, sizeof(frame)))
				if (ioctl(p.fd, NIOCTXSYNC, NULL) != 0)
					_exit(1);
		}
		/* By all ways that send. */
		if (i % 2 == 0 ? ioctl(p.fd, NIOCTXSYNC, NULL) != 0 : poll(&pfd, 1, 0) < 0)
			_exit(1);
	}
	_exit(0);
}

static void
busy_receive(void *arg)
{
	const struct busy *b = arg;
	uint8_t in[FRAME_ROOM];
	struct port p;
	uint64_t n = 0;

	port_open(&p, b->name[1]);
	port_rxsync(&p);
	check_eq(port_poll(&p, POLLIN, 0), 0);
	*b->taken = 1;
	system_calls_forbid();
	while (n < (uint64_t)BATCHES * BATCH) {
		struct netmap_ring *ring = port_rx(&p, 0);

		if (ioctl(p.fd, NIOCRXSYNC, NULL) != 0)
			_exit(1);
		/* A poll that finds something does not ask the kernel either. */
		if (nm_ring_empty(ring))
			sched_yield();
		else if (port_poll(&p, POLLIN, -1) != POLLIN)
			_exit(1);
		while (port_take(&p, in) > 0) {
			check_eq(frame_number(in), n);
			n++;
		}
		if (ioctl(p.fd, NIOCRXSYNC, NULL) != 0)
			_exit(1);
		*b->taken = n + 1;
	}
	_exit(0);
}

static void
busy_run(struct busy *b)
{
	pid_t pid[2];

	b->taken = shared_memory(sizeof(*b->taken));
	pid[0] = spawn(busy_receive, b);
	pid[1] = spawn(busy_send, b);
	join(pid[1]);
	join(pid[0]);
}

static void
busy_vale(void)
{
	struct busy b;

	strcpy(b.name[0], vale("a"));
	strcpy(b.name[1], vale("b"));
	busy_run(&b);
}

static void
busy_pipe(void)
{
	struct busy b;

	snprintf(b.name[0], sizeof(b.name[0]), "%s{1", vale("p"));
	snprintf(b.name[1], sizeof(b.name[1]), "%s}1", vale("p"));
	busy_run(&b);
}

/* --- memory --- */

#define PAIR_BYTES	(12 << 20)
#define DAEMON_BYTES	(8 << 20)

/* What netmapd's memory files hold: regions, and the arena's state. */
static uint64_t
memory_files(pid_t pid)
{
	char path[300], target[300];
	struct dirent *e;
	struct stat st;
	uint64_t bytes = 0;
	ssize_t n;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	check(d != NULL);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.200s", (int)pid, e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "/memfd:", 7) == 0 && stat(path, &st) == 0)
			bytes += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return bytes;
}

static uint64_t
resident(pid_t pid)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		skip("there is no smaps_rollup for this process");
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Rss: %lu kB", &kib) == 1)
			break;
	fclose(f);
	check(kib > 0);
	return (uint64_t)kib << 10;
}

static void
memory(void)
{
	uint8_t frame[1500], in[FRAME_ROOM];
	struct port a, b;
	uint64_t pair, rss;
	pid_t pid;

	port_open_two(&a, &b);
	/* Every slot of both, in both directions, several times. */
	for (uint64_t i = 0; i < 5000; i++) {
		frame_make(frame, sizeof(frame), 0xff, 1, i);
		port_send(&a, frame, sizeof(frame));
		check_eq(port_recv(&b, in, 1000), sizeof(frame));
		port_send(&b, frame, sizeof(frame));
		check_eq(port_recv(&a, in, 1000), sizeof(frame));
	}
	pid = harness_daemon();
	pair = memory_files(pid);
	rss = resident(pid);
	printf("a pair of VALE ports: %.2f MiB, netmapd: %.2f MiB resident\n", (double)pair / 1048576,
		(double)rss / 1048576);
	check(pair > 0);
	check(pair < PAIR_BYTES);
	check(rss < DAEMON_BYTES);
	port_close(&a);
	port_close(&b);
	/* And all of it goes back. */
	wait_until(memory_files(pid) < 1 << 20, 5000);
}

static const struct test_case cases[] = {
	{ "idle", idle, 0, false },
	{ "busy_vale", busy_vale, 0, false },
	{ "busy_pipe", busy_pipe, 0, false },
	{ "memory", memory, 0, false },
};

TEST_MAIN(cases, NULL)
