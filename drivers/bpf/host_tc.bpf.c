/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between an interface's stack and its host rings, see host_stack.c: what the stack sends goes to the near
 * end of a pair of virtual interfaces, what comes from its far end is received by the stack on the
 * interface. Frames on their way carry a mark that nobody else knows: the drop at the interface's ingress
 * lets those pass.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "host_tc.h"

#define NEXT	TC_ACT_UNSPEC		/* leave it to the next program, if any */

const volatile struct host_tc_config config;

/* The interface, egress. */
SEC("tc") int stack_out(struct __sk_buff *skb)
{
	if (skb->mark == config.mark)
		return NEXT;
	skb->mark = config.mark;
	return bpf_redirect(config.near_ifindex, 0);
}

/* The near end, egress: nobody else sends there. */
SEC("tc") int near_out(struct __sk_buff *skb)
{
	return skb->mark == config.mark ? NEXT : TC_ACT_SHOT;
}

/* The near end, ingress. */
SEC("tc") int near_in(struct __sk_buff *skb)
{
	struct host_label label = config.label;

	skb->mark = config.mark;
	if (config.labelled && (bpf_skb_change_head(skb, sizeof(label), 0) < 0 ||
				bpf_skb_store_bytes(skb, 0, &label, sizeof(label), 0) < 0))
		return TC_ACT_SHOT;
	return bpf_redirect(config.nic_ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
