/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs at tc hooks, see tc_hook.h.
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
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "netns.h"
#include "tc_hook.h"

/* Newer than the oldest headers that this is built with. */
#define ATTACH_TCX_INGRESS	46
#define ATTACH_TCX_EGRESS	47
#define LINK_BEFORE		(1U << 3)	/* in front of all other programs there */

#define PRIO_FIRST		1
#define PRIO_LAST		8
#define REQUEST_MAX		1024

int tc_bpf(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static int tcx_add(struct tc_hook *h, int prog_fd)
{
	union bpf_attr attr;
	int link;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog_fd;
	attr.link_create.target_ifindex = h->place.ifindex;
	attr.link_create.attach_type = h->place.side == TC_SIDE_INGRESS ? ATTACH_TCX_INGRESS
									: ATTACH_TCX_EGRESS;
	attr.link_create.flags = LINK_BEFORE;
	link = tc_bpf(BPF_LINK_CREATE, &attr);
	if (link < 0)
		return link;
	h->link_fd = link;
	h->mode = INGRESS_TCX;
	return 0;
}

/*
 * The program's verdict is taken as it is (direct action). Without a program: classic BPF, which needs
 * CAP_NET_ADMIN in the interface's namespace and no more, "return TC_ACT_SHOT".
 */
static int filter_request(struct tc_hook *h, uint16_t type, uint16_t flags, int prog_fd)
{
	static const struct sock_filter drop = { .code = BPF_RET | BPF_K, .k = TC_ACT_SHOT };
	uint32_t side = h->place.side == TC_SIDE_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS;
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *options;
	struct tcmsg *tc;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)h->place.ifindex;
	tc->tcm_handle = h->handle;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
	tc->tcm_info = TC_H_MAKE((uint32_t)h->prio << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	if (type == RTM_NEWTFILTER) {
		options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
		if (prog_fd >= 0) {
			mnl_attr_put_u32(nlh, TCA_BPF_FD, (uint32_t)prog_fd);
			mnl_attr_put_strz(nlh, TCA_BPF_NAME, "netmap");
		} else {
			mnl_attr_put_u16(nlh, TCA_BPF_OPS_LEN, 1);
			mnl_attr_put(nlh, TCA_BPF_OPS, sizeof(drop), &drop);
		}
		mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
		mnl_attr_nest_end(nlh, options);
	}
	return netlink_run(&h->nl, nlh, NULL, NULL);
}

/* Also runs in the guardian: must not allocate or lock. */
static void clsact_undo(struct tc_hook *h)
{
	if (h->prio)
		filter_request(h, RTM_DELTFILTER, 0, -1);
	if (h->qdisc_ours && !netlink_clsact_used(&h->nl, h->place.ifindex))
		netlink_clsact_del(&h->nl, h->place.ifindex);
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
static void __attribute__((noreturn)) guardian_run(struct tc_hook *h, int wait_fd)
{
	unsigned a = (unsigned)wait_fd, b = (unsigned)netlink_fd(&h->nl);
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
		clsact_undo(h);
	_exit(0);
}

static int guardian_start(struct tc_hook *h)
{
	struct tc_hook copy = *h;
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
	h->guardian = (pid_t)pid;
	h->guardian_fd = fds[1];
	return 0;

err_pipe:
	close(fds[0]);
	close(fds[1]);
err_netlink:
	netlink_close(&copy.nl);
	return err;
}

static void guardian_stop(struct tc_hook *h)
{
	ssize_t n;

	do
		n = write(h->guardian_fd, "q", 1);
	while (n < 0 && errno == EINTR);
	close(h->guardian_fd);
	while (waitpid(h->guardian, NULL, __WALL) < 0 && errno == EINTR)
		;
	h->guardian = 0;
	h->guardian_fd = -1;
}

/* The guardian starts first: there is no moment at which a filter has none. */
static int filter_add(struct tc_hook *h, int prog_fd)
{
	int err = h->place.mortal ? 0 : guardian_start(h);

	if (err)
		return err;
	err = filter_request(h, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, prog_fd);
	if (err && h->guardian)
		guardian_stop(h);
	return err;
}

static int clsact_add(struct tc_hook *h, int prog_fd)
{
	int err;

	err = netlink_open(&h->nl);
	if (err)
		return err;
	h->handle = (uint32_t)getpid();
	err = netlink_clsact_add(&h->nl, h->place.ifindex);
	if (err && err != -EEXIST)
		goto err_netlink;
	h->qdisc_ours = err == 0 || h->place.qdisc_ours;
	/* A priority that another kind of filter holds is refused. */
	for (h->prio = PRIO_FIRST; h->prio <= PRIO_LAST; h->prio++) {
		err = filter_add(h, prog_fd);
		if (err == 0) {
			h->mode = INGRESS_CLSACT;
			return 0;
		}
		if (err != -EEXIST && err != -EINVAL)
			break;
	}
	h->prio = 0;
	clsact_undo(h);
err_netlink:
	netlink_close(&h->nl);
	return err;
}

enum driver_ingress tc_mode_from_environment(void)
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

int tc_hook_add(struct tc_hook *h, enum driver_ingress mode, const struct tc_place *place, int prog_fd)
{
	*h = (struct tc_hook){ .mode = INGRESS_NONE, .link_fd = -1, .guardian_fd = -1, .place = *place };
	/* The link would be with the interface of that number in our own namespace. */
	if (mode == INGRESS_TCX && netns_foreign())
		return -EOPNOTSUPP;
	return mode == INGRESS_TCX ? tcx_add(h, prog_fd) : clsact_add(h, prog_fd);
}

void tc_hook_remove(struct tc_hook *h)
{
	if (h->mode == INGRESS_TCX)
		close(h->link_fd);
	if (h->mode == INGRESS_CLSACT) {
		clsact_undo(h);
		if (h->guardian)
			guardian_stop(h);
		netlink_close(&h->nl);
	}
	h->mode = INGRESS_NONE;
	h->link_fd = -1;
}
