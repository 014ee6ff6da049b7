/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between an interface's stack and its host rings, see host_stack.c: what the stack sends goes to the near
 * end of a pair of virtual interfaces, what comes from its far end is received by the stack on the
 * interface. Frames on their way carry a mark that nobody else knows: the drop at the interface's ingress
 * lets those pass.
 *
 * The kernel shows a frame to packet sockets after tc egress, so what leaves there is not seen on the interface. While
 * somebody listens on it (tcpdump), the frame is also received there, with a mark that makes the drop take it as soon as
 * it has been seen.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "host_tc.h"

#define NEXT	TC_ACT_UNSPEC		/* leave it to the next program, if any */

const volatile struct host_tc_config config;

/* What is used of the kernel's types; offsets are put in when this is loaded. */
struct list_head {
	struct list_head *next;
} __attribute__((preserve_access_index));

struct net_device {
	struct list_head ptype_all;
} __attribute__((preserve_access_index));

struct sk_buff {
	struct net_device *dev;
} __attribute__((preserve_access_index));

/* Does anybody listen on the interface who wants all frames? Our own packet sockets do, as one. */
static __always_inline int tapped(struct __sk_buff *skb)
{
	struct list_head *head, *at = NULL;
	struct net_device *dev = NULL;

	if (!bpf_core_field_exists(dev->ptype_all))
		return 0;
	bpf_probe_read_kernel(&dev, sizeof(dev), (void *)skb + bpf_core_field_offset(struct sk_buff, dev));
	head = (void *)dev + bpf_core_field_offset(struct net_device, ptype_all);
	at = BPF_CORE_READ(head, next);
	if (config.own_taps)
		at = BPF_CORE_READ(at, next);
	return at && at != head;
}

static __always_inline int label_put(struct __sk_buff *skb)
{
	struct host_label label = config.label;

	return bpf_skb_change_head(skb, sizeof(label), 0) < 0 || bpf_skb_store_bytes(skb, 0, &label, sizeof(label), 0) < 0;
}

/* The interface, egress. */
SEC("tc") int stack_out(struct __sk_buff *skb)
{
	if (skb->mark == config.mark)
		return NEXT;
	skb->mark = config.mark;
	if (!config.look || !tapped(skb))
		return bpf_redirect(config.near_ifindex, 0);
	if (bpf_clone_redirect(skb, config.near_ifindex, 0) < 0)
		return TC_ACT_SHOT;
	skb->mark = config.mark_seen;
	if (config.labelled && label_put(skb))
		return TC_ACT_SHOT;
	return bpf_redirect(config.nic_ifindex, BPF_F_INGRESS);
}

/* The near end, egress: nobody else sends there. */
SEC("tc") int near_out(struct __sk_buff *skb)
{
	return skb->mark == config.mark ? NEXT : TC_ACT_SHOT;
}

/* The near end, ingress. */
SEC("tc") int near_in(struct __sk_buff *skb)
{
	skb->mark = config.mark;
	if (config.labelled && label_put(skb))
		return TC_ACT_SHOT;
	return bpf_redirect(config.nic_ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
