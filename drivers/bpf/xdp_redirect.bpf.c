/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of a queue to its AF_XDP socket, see afxdp_program.c. Queues without a socket: to the host's stack.
 *
 * A veth passes on what its far end's stack left to "the device": checksums to finish, a VLAN tag beside the frame.
 * Whether that is so stands in the kernel's record of the frame alone, which lies behind the context (Linux 6.3). Here
 * is the last place where it can be seen, so here is where it is done.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "host_tc.h"

#define QUEUES		32		/* DRIVER_QUEUES_MAX */
#define FRAME_MAX	(128u << 10)
#define CHUNK		512u		/* what bpf_csum_diff takes at once in every kernel */
#define UNFINISHED	3		/* CHECKSUM_PARTIAL */
#define ADDRS_LEN	12
#define TAG_LEN		4

/* What is used of the kernel's types; offsets are put in when this is loaded. */
struct xdp_buff {
	void *data;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned char *head, *data;
	__u16 csum_start, csum_offset;
	__u32 vlan_all;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u8 ip_summed : 2;
	__u8 csum_not_inet : 1;	/* SCTP's CRC32C instead */
} __attribute__((preserve_access_index));

struct veth_xdp_buff {
	struct xdp_buff xdp;
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct chunk {
	__u8 bytes[CHUNK + 4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct chunk);
} chunks SEC(".maps");

/* CRC32C of four bits. */
static const __u32 nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

struct sum {
	struct xdp_md *ctx;
	__u32 at, end;
	__u32 value;
	int error;
};

/* One chunk of the frame into scratch memory, zeroes behind it. Its length; 0: the end, or an error. */
static __always_inline __u64 chunk_load(struct sum *s, struct chunk *c)
{
	__u64 len = s->end - s->at;	/* 64 bits: the verifier knows these bounds, not those of halves */

	if (len > CHUNK)
		len = CHUNK;
	barrier_var(len);
	if (len == 0 || len > CHUNK)
		return 0;
	if (bpf_xdp_load_bytes(s->ctx, s->at, c->bytes, len) < 0) {
		s->error = 1;
		return 0;
	}
	__builtin_memset(c->bytes + len, 0, 4);
	s->at += len;
	return len;
}

static long sum_internet(__u32 i, struct sum *s)
{
	__u32 key = 0;
	struct chunk *c = bpf_map_lookup_elem(&chunks, &key);
	__u64 len = c ? chunk_load(s, c) : 0;

	if (len == 0)
		return 1;
	len = (len + 3) & ~3ull;
	barrier_var(len);
	if (len > CHUNK)
		return 1;
	s->value = (__u32)bpf_csum_diff(0, 0, (__be32 *)c->bytes, len, s->value);
	return 0;
}

static long sum_crc32c(__u32 i, struct sum *s)
{
	__u8 byte;

	if (s->at == s->end)
		return 1;
	if (bpf_xdp_load_bytes(s->ctx, s->at, &byte, 1) < 0) {
		s->error = 1;
		return 1;
	}
	s->value = nibble[(s->value ^ byte) & 15] ^ s->value >> 4;
	s->value = nibble[(s->value ^ byte >> 4) & 15] ^ s->value >> 4;
	s->at++;
	return 0;
}

/* The field holds the sum of what is not in the frame: it is part of what is summed up. */
static __always_inline int checksum_internet(struct sum *s, __u32 field)
{
	__u32 sum;
	__u16 csum;

	bpf_loop(FRAME_MAX / CHUNK, sum_internet, s, 0);
	sum = (s->value & 0xffff) + (s->value >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	csum = (__u16)~sum;
	if (csum == 0)
		csum = 0xffff;
	return s->error || bpf_xdp_store_bytes(s->ctx, field, &csum, sizeof(csum)) < 0;
}

static __always_inline int checksum_crc32c(struct sum *s, __u32 field)
{
	__u32 crc = 0;

	if (bpf_xdp_store_bytes(s->ctx, field, &crc, sizeof(crc)) < 0)
		return 1;
	s->value = ~0u;
	bpf_loop(FRAME_MAX, sum_crc32c, s, 0);
	crc = ~s->value;	/* in this order of bytes on the wire, on little-endian machines */
	return s->error || bpf_xdp_store_bytes(s->ctx, field, &crc, sizeof(crc)) < 0;
}

static __always_inline int checksum_finish(struct xdp_md *ctx, struct sk_buff *skb)
{
	__u32 headroom = (__u32)(BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head));
	__u32 start = BPF_CORE_READ(skb, csum_start) - headroom;
	__u32 field = start + BPF_CORE_READ(skb, csum_offset);
	struct sum s = { .ctx = ctx, .at = start, .end = (__u32)bpf_xdp_get_buff_len(ctx) };

	if (start > s.end || field + 2 > s.end)
		return 1;
	/* A kernel without SCTP does not have it. */
	if (bpf_core_field_exists(skb->csum_not_inet) && BPF_CORE_READ_BITFIELD_PROBED(skb, csum_not_inet))
		return checksum_crc32c(&s, field);
	return checksum_internet(&s, field);
}

static __always_inline int tag_insert(struct xdp_md *ctx, __be16 proto, __u16 tci)
{
	__u8 *data, *end;
	__be16 tag[2] = { proto, bpf_htons(tci) };

	if (bpf_xdp_adjust_head(ctx, -TAG_LEN) < 0)
		return 1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + ADDRS_LEN + TAG_LEN > end)
		return 1;
	__builtin_memmove(data, data + TAG_LEN, ADDRS_LEN);
	__builtin_memcpy(data + ADDRS_LEN, tag, TAG_LEN);
	return 0;
}

SEC("xdp.frags") int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
}

const volatile struct host_label label SEC(".rodata.label");

/* The same in generic mode: what host rings give to the stack comes along here, and is to go on. */
SEC("xdp.frags") int redirect_generic(struct xdp_md *ctx)
{
	const struct host_label *front = (void *)(long)ctx->data;
	__u32 other = 0;

	if ((void *)(front + 1) > (void *)(long)ctx->data_end)
		return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
	for (unsigned i = 0; i < sizeof(label); i++)
		other |= front->bytes[i] ^ label.bytes[i];
	if (other)
		return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
	return bpf_xdp_adjust_head(ctx, sizeof(label)) < 0 ? XDP_DROP : XDP_PASS;
}

/* The same for a veth. */
SEC("xdp.frags") int redirect_veth(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;
	struct sk_buff *skb = NULL;

	if (!bpf_map_lookup_elem(&xsks, &queue))
		return XDP_PASS;
	bpf_probe_read_kernel(&skb, sizeof(skb), (void *)ctx + bpf_core_field_offset(struct veth_xdp_buff, skb));
	/* None: the frame comes from another XDP program. */
	if (skb) {
		if (BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) == UNFINISHED && checksum_finish(ctx, skb))
			return XDP_DROP;
		if (BPF_CORE_READ(skb, vlan_all) &&
		    tag_insert(ctx, BPF_CORE_READ(skb, vlan_proto), BPF_CORE_READ(skb, vlan_tci)))
			return XDP_DROP;
	}
	return bpf_redirect_map(&xsks, queue, XDP_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
