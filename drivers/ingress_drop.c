/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeping an interface's frames from the host's stack, see ingress_drop.h. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "error.h"
#include "ingress_drop.h"

#define INSN(code_, dst_, src_, off_, imm_) \
	{ .code = (code_), .dst_reg = (dst_), .src_reg = (src_), .off = (off_), .imm = (imm_) }

/* Drop, unless the frame carries the mark: then clear it, and let the next program decide. */
static int program_load(uint32_t mark)
{
	const struct bpf_insn program[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, TC_ACT_SHOT),
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, mark), 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 4, 0),
		INSN(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 3, (int32_t)mark),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
		INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2, offsetof(struct __sk_buff, mark), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, TC_ACT_UNSPEC),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"Dual BSD/GPL";
	memcpy(attr.prog_name, "netmap_drop", sizeof("netmap_drop"));
	return tc_bpf(BPF_PROG_LOAD, &attr);
}

int ingress_drop_add(struct ingress_drop *d, enum driver_ingress mode, const char *ifname, uint32_t ifindex,
		     uint32_t mark, struct driver_error *err)
{
	const struct tc_place place = { .ifindex = ifindex, .side = TC_SIDE_INGRESS };
	int rc = 0, tcx_rc = 0, prog;

	*d = (struct ingress_drop){ .mode = INGRESS_NONE };
	if (mode == INGRESS_AUTO)
		mode = tc_mode_from_environment();
	if (mode == INGRESS_NONE)
		return 0;
	prog = program_load(mark);
	if (mode == INGRESS_AUTO || mode == INGRESS_TCX)
		tcx_rc = rc = prog < 0 ? prog : tc_hook_add(&d->hook, INGRESS_TCX, &place, prog);
	if (mode == INGRESS_CLSACT || (mode == INGRESS_AUTO && tcx_rc))
		rc = tc_hook_add(&d->hook, INGRESS_CLSACT, &place, prog);
	if (prog >= 0)
		close(prog);
	if (rc == 0) {
		d->mode = d->hook.mode;
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
	if (d->mode != INGRESS_NONE)
		tc_hook_remove(&d->hook);
	d->mode = INGRESS_NONE;
}
