/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping an interface's frames from the host's stack, see ingress_drop.h.
 *
 * With TCX (Linux 6.6) the kernel takes the program away when the descriptor of its link is closed, which
 * is all that is needed. Before that, a clsact filter stays until someone removes it: a guardian process,
 * which does nothing but wait for the end of a pipe, does so if we die.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "error.h"
#include "ingress_drop.h"

/* Newer than the oldest headers that this is built with. */
#define ATTACH_TCX_INGRESS	46
#define LINK_BEFORE		(1U << 3)	/* in front of all other programs there */

#define VERDICT_SHOT		2		/* TC_ACT_SHOT */
#define PRIO_FIRST		1
#define PRIO_LAST		8

static int bpf_call(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static int program_load(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = VERDICT_SHOT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"Dual BSD/GPL";
	memcpy(attr.prog_name, "netmap_drop", sizeof("netmap_drop"));
	return bpf_call(BPF_PROG_LOAD, &attr);
}

static int tcx_add(struct ingress_drop *d)
{
	union bpf_attr attr;
	int prog, link;

	prog = program_load();
	if (prog < 0)
		return prog;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_ifindex = d->ifindex;
	attr.link_create.attach_type = ATTACH_TCX_INGRESS;
	attr.link_create.flags = LINK_BEFORE;
	link = bpf_call(BPF_LINK_CREATE, &attr);
	close(prog);
	if (link < 0)
		return link;
	d->link_fd = link;
	d->mode = INGRESS_TCX;
	return 0;
}

/* Also runs in the guardian: must not allocate or lock. */
static void clsact_undo(struct ingress_drop *d)
{
	if (d->prio)
		netlink_drop_del(&d->nl, d->ifindex, d->prio, d->handle);
	if (d->qdisc_ours && !netlink_clsact_used(&d->nl, d->ifindex))
		netlink_clsact_del(&d->nl, d->ifindex);
}

static void close_between(unsigned first, unsigned last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

/*
 * The guardian: a copy of a threaded process, so nothing but system calls from here on. It keeps two
 * descriptors and none else, lest it hold open what others take for a sign of life.
 */
static void __attribute__((noreturn)) guardian_run(struct ingress_drop *d, int wait_fd)
{
	unsigned a = (unsigned)wait_fd, b = (unsigned)netlink_fd(&d->nl);
	unsigned low = a < b ? a : b, high = a < b ? b : a;
	sigset_t all;
	char byte;
	ssize_t n;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (low > 0)
		close_between(0, low - 1);
	close_between(low + 1, high - 1);
	close_between(high + 1, ~0U);
	prctl(PR_SET_NAME, "netmapd-guard");
	setsid();
	do
		n = read(wait_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		clsact_undo(d);
	_exit(0);
}

static int guardian_start(struct ingress_drop *d)
{
	struct ingress_drop copy = *d;
	int fds[2], err;
	long pid;

	err = netlink_open(&copy.nl);
	if (err)
		return err;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		err = -errno;
		goto err_netlink;
	}
	/* No exit signal: the caller's SIGCHLD handling is not to see this child. */
	pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid < 0) {
		err = -errno;
		goto err_pipe;
	}
	if (pid == 0)
		guardian_run(&copy, fds[0]);
	close(fds[0]);
	netlink_close(&copy.nl);
	d->guardian = (pid_t)pid;
	d->guardian_fd = fds[1];
	return 0;

err_pipe:
	close(fds[0]);
	close(fds[1]);
err_netlink:
	netlink_close(&copy.nl);
	return err;
}

static void guardian_stop(struct ingress_drop *d)
{
	ssize_t n;

	do
		n = write(d->guardian_fd, "q", 1);
	while (n < 0 && errno == EINTR);
	close(d->guardian_fd);
	while (waitpid(d->guardian, NULL, __WALL) < 0 && errno == EINTR)
		;
	d->guardian = 0;
	d->guardian_fd = -1;
}

/* The guardian starts first: there is no moment at which a filter has none. */
static int clsact_add(struct ingress_drop *d)
{
	int err;

	err = netlink_open(&d->nl);
	if (err)
		return err;
	d->handle = (uint32_t)getpid();
	err = netlink_clsact_add(&d->nl, d->ifindex);
	if (err && err != -EEXIST)
		goto err_netlink;
	d->qdisc_ours = err == 0;
	/* A priority that another kind of filter holds is refused. */
	for (d->prio = PRIO_FIRST; d->prio <= PRIO_LAST; d->prio++) {
		err = guardian_start(d);
		if (err)
			break;
		err = netlink_drop_add(&d->nl, d->ifindex, d->prio, d->handle);
		if (err == 0) {
			d->mode = INGRESS_CLSACT;
			return 0;
		}
		guardian_stop(d);
		if (err != -EEXIST && err != -EINVAL)
			break;
	}
	d->prio = 0;
	clsact_undo(d);
err_netlink:
	netlink_close(&d->nl);
	return err;
}

static enum driver_ingress mode_from_environment(void)
{
	const char *s = getenv("NETMAP_INGRESS");

	if (s && strcmp(s, "tcx") == 0)
		return INGRESS_TCX;
	if (s && strcmp(s, "clsact") == 0)
		return INGRESS_CLSACT;
	if (s && strcmp(s, "none") == 0)
		return INGRESS_NONE;
	return INGRESS_AUTO;
}

int ingress_drop_add(struct ingress_drop *d, enum driver_ingress mode, const char *ifname, uint32_t ifindex,
		     uint32_t mark, struct driver_error *err)
{
	int rc = 0, tcx_rc = 0;

	*d = (struct ingress_drop){
		.mode = INGRESS_NONE, .link_fd = -1, .guardian_fd = -1, .ifindex = ifindex,
	};
	if (mode == INGRESS_AUTO)
		mode = mode_from_environment();
	if (mode == INGRESS_NONE)
		return 0;
	if (mode == INGRESS_AUTO || mode == INGRESS_TCX) {
		tcx_rc = rc = tcx_add(d);
		if (rc == 0)
			return 0;
	}
	if (mode == INGRESS_AUTO || mode == INGRESS_CLSACT) {
		rc = clsact_add(d);
		if (rc == 0)
			return 0;
	}
	if (rc == -EPERM || rc == -EACCES)
		return driver_fail_step(err, rc, ifname,
					"keeping its frames from the host's stack (tc ingress)",
					mode == INGRESS_TCX ? "CAP_BPF and CAP_NET_ADMIN" : "CAP_NET_ADMIN");
	return driver_fail(err, rc,
			   "%s: keeping its frames from the host's stack: %s%s%s; needs a kernel with "
			   "TCX (6.6) or sch_ingress and cls_bpf, or NETMAP_INGRESS=none to do without",
			   ifname,
			   strerror(-rc), tcx_rc ? ", TCX before: " : "", tcx_rc ? strerror(-tcx_rc) : "");
}

void ingress_drop_remove(struct ingress_drop *d)
{
	if (d->mode == INGRESS_TCX)
		close(d->link_fd);
	if (d->mode == INGRESS_CLSACT) {
		clsact_undo(d);
		guardian_stop(d);
		netlink_close(&d->nl);
	}
	d->mode = INGRESS_NONE;
	d->link_fd = -1;
}
