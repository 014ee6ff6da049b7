/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * If all descriptors asked about are netmap's and one is ready, no system call is made: a seccomp filter
 * kills a child that makes any.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static int
allow_exit_only(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
		&prog) == 0;
}

static void
calls(struct test_port *a, struct test_port *b, int ep)
{
	for (int i = 0; i < 1000; i++) {
		struct pollfd f[] = { { a->fd, POLLIN | POLLOUT, 0 }, { b->fd, POLLIN, 0 } };
		struct epoll_event ev[4];
		struct timeval tv = { 1, 0 };
		fd_set rd;

		FD_ZERO(&rd);
		FD_SET(a->fd, &rd);
		FD_SET(b->fd, &rd);
		if (poll(f, 1, -1) != 1 || poll(f, 2, 1000) != 1 || ppoll(f, 2, NULL, NULL) != 1)
			_exit(1);
		if (select((a->fd > b->fd ? a->fd : b->fd) + 1, &rd, NULL, NULL, i % 2 ? NULL : &tv) != 1)
			_exit(2);
		if (epoll_wait(ep, ev, 4, -1) != 1 || epoll_pwait(ep, ev, 4, 1000, NULL) != 1)
			_exit(3);
	}
}

int
main(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct test_port a, b;
	int ep, status;
	pid_t pid;

	alarm(TEST_SECONDS);
	port_open(&a);
	port_open(&b);
	pid = fork();
	if (pid == 0) {
		/*
		 * Here and not before the fork: afterwards the kernel's table of the instance would be
		 * another process's as well.
		 */
		ep = epoll_create1(0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, a.fd, &ev) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, b.fd,
			&ev) == 0);
		port_feed(&a);
		calls(&a, &b, ep);
		if (!allow_exit_only())
			_exit(77);
		calls(&a, &b, ep);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skipped: no seccomp filters here\n");
		return 77;
	}
	CHECK(status == 0);
	port_close(&a);
	port_close(&b);
	return 0;
}
