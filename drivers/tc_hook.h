/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program at an interface's tc ingress or egress, which goes away with the process that put it there,
 * however that one ends. All programs return TC_ACT_UNSPEC where the next one there shall decide.
 */
#ifndef DRIVERS_TC_HOOK_H
#define DRIVERS_TC_HOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "driver.h"
#include "netlink.h"

enum tc_side {
	TC_SIDE_INGRESS,
	TC_SIDE_EGRESS,
};

struct tc_place {
	uint32_t ifindex;
	enum tc_side side;
	bool mortal;			/* the interface itself does not outlive us: clsact needs no guardian */
	bool qdisc_ours;		/* another hook of ours at this interface has made the clsact qdisc */
};

struct tc_hook {
	enum driver_ingress mode;	/* what is installed; INGRESS_NONE: nothing */
	int link_fd;			/* TCX: the link, -1 if none */
	/* clsact */
	struct tc_place place;
	struct netlink nl;		/* in the interface's namespace */
	uint32_t handle;
	uint16_t prio;
	bool qdisc_ours;
	pid_t guardian;			/* 0: none */
	int guardian_fd;		/* a byte tells the guardian to leave, its end that we died */
};

/*
 * The calling thread is in the interface's namespace. mode: INGRESS_TCX or INGRESS_CLSACT. prog_fd: a
 * program of the kind BPF_PROG_TYPE_SCHED_CLS, the caller's; -1, with clsact only: one that drops
 * everything and needs no CAP_BPF.
 */
int tc_hook_add(struct tc_hook *h, enum driver_ingress mode, const struct tc_place *place, int prog_fd);

/* In any namespace. */
void tc_hook_remove(struct tc_hook *h);

/* What NETMAP_INGRESS asks for: INGRESS_AUTO without it. */
enum driver_ingress tc_mode_from_environment(void);

/* bpf(2); -errno. */
union bpf_attr;
int tc_bpf(int cmd, union bpf_attr *attr);

#endif
