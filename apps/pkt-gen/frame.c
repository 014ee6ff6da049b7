/* SPDX-License-Identifier: BSD-2-Clause */
/* Building frames. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frame.h"
#include "pcap_file.h"

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_IP6	0x86dd
#define IP4_HEADER_LEN	20
#define IP6_HEADER_LEN	40
#define HOP_LIMIT	64

uint32_t checksum_add(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;
	uint64_t s = sum;

	for (; len > 1; len -= 2, p += 2)
		s += be16_load(p);
	if (len)
		s += (uint32_t)*p << 8;
	while (s >> 32)
		s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)s;
}

uint16_t checksum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

unsigned frame_udp_payload(const uint8_t *frame, unsigned len)
{
	unsigned ofs;

	if (len < ETH_HEADER_LEN + IP4_HEADER_LEN)
		return 0;
	switch (be16_load(frame + 12)) {
	case ETHERTYPE_IP4:
		ofs = ETH_HEADER_LEN + (frame[ETH_HEADER_LEN] & 15) * 4U;
		if (frame[ETH_HEADER_LEN + 9] != IP_PROTO_UDP || ofs < ETH_HEADER_LEN + IP4_HEADER_LEN)
			return 0;
		break;
	case ETHERTYPE_IP6:
		ofs = ETH_HEADER_LEN + IP6_HEADER_LEN;
		if (frame[ETH_HEADER_LEN + 6] != IP_PROTO_UDP)
			return 0;
		break;
	default:
		return 0;
	}
	ofs += UDP_HEADER_LEN;
	return ofs < len ? ofs : 0;
}

/*
 * Everything in the frame that never changes, at full length. Addresses, lengths, checksums and stamp stay 0.
 */
static void template_build(struct frame_gen *g)
{
	static const char pattern[] = "pkt-gen payload ";
	uint8_t *eth = g->frame + g->vnet_len;
	uint8_t *ip = eth + ETH_HEADER_LEN;
	unsigned payload = ETH_HEADER_LEN + g->ip_len + UDP_HEADER_LEN;

	be16_store(eth + 12, g->family == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
	if (g->family == 4) {
		ip[0] = 0x45;
		be16_store(ip + 6, 0x4000);	/* do not fragment */
		ip[8] = HOP_LIMIT;
		ip[9] = IP_PROTO_UDP;
	} else {
		ip[0] = 0x60;
		ip[6] = IP_PROTO_UDP;
		ip[7] = HOP_LIMIT;
	}
	for (unsigned i = payload + g->stamp_len; i < g->size_max; i++)
		eth[i] = (uint8_t)pattern[(i - payload) % (sizeof(pattern) - 1)];
	g->ip_sum = g->family == 4 ? checksum_add(ip, IP4_HEADER_LEN, 0) : 0;
	g->udp_sum = IP_PROTO_UDP;
}

static int payload_sums_build(struct frame_gen *g)
{
	unsigned payload = ETH_HEADER_LEN + g->ip_len + UDP_HEADER_LEN;
	unsigned words = g->size_max > payload ? (g->size_max - payload) / 2 : 0;
	const uint8_t *p = g->frame + g->payload_ofs;

	g->payload_sums = calloc(words + 1, sizeof(*g->payload_sums));
	if (!g->payload_sums)
		return -ENOMEM;
	for (unsigned i = 0; i < words; i++)
		g->payload_sums[i + 1] = g->payload_sums[i] + be16_load(p + 2 * i);
	return 0;
}

static uint32_t payload_sum(const struct frame_gen *g, unsigned len)
{
	const uint8_t *p = g->frame + g->payload_ofs;
	unsigned stamp = len < g->stamp_len ? len : g->stamp_len;
	uint32_t sum = g->payload_sums[len / 2];

	/* An odd last byte counts here, unless it is the stamp's. */
	if ((len & 1) && len > stamp)
		sum += (uint32_t)p[len - 1] << 8;
	return stamp ? checksum_add(p, stamp, sum) : sum;
}

static void stamp_store(struct frame_gen *g)
{
	uint8_t *p = g->frame + g->payload_ofs;

	if (g->stamp_len == STAMP_SEQUENCE_LEN) {
		be32_store(p, g->sequence++);
	} else if (g->stamp_len == STAMP_PING_LEN) {
		uint32_t words[3] = { g->sequence++, g->time_sec, g->time_nsec };

		memcpy(p, words, sizeof(words));
	}
}

/* Sum of the 16-bit words of an address. */
static uint32_t address_sum(int family, unsigned __int128 addr)
{
	uint64_t low = (uint64_t)addr, high = family == 4 ? 0 : (uint64_t)(addr >> 64);
	uint64_t sum = (low & 0xffffffff) + (low >> 32) + (high & 0xffffffff) + (high >> 32);

	return (uint32_t)((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
}

/* Stores lengths, checksums and IP addresses of a frame of size bytes, which has the stamp already. */
static void headers_store(struct frame_gen *g, unsigned size)
{
	uint8_t *ip = g->frame + g->vnet_len + ETH_HEADER_LEN;
	uint8_t *udp = ip + g->ip_len;
	unsigned alen = g->family == 4 ? 4 : 16;
	uint8_t *addrs = ip + (g->family == 4 ? 12 : 8);
	unsigned ip_size = size - ETH_HEADER_LEN;
	unsigned udp_size = ip_size > g->ip_len ? ip_size - g->ip_len : 0;
	uint32_t addr_sum, sum;
	uint16_t checksum;

	ip_address_store(addrs, g->family, g->src.now);
	ip_address_store(addrs + alen, g->family, g->dst.now);
	addr_sum = address_sum(g->family, g->src.now) + address_sum(g->family, g->dst.now);
	be16_store(udp, g->src.port_now);
	be16_store(udp + 2, g->dst.port_now);
	be16_store(udp + 4, (uint16_t)udp_size);
	if (g->family == 4) {
		be16_store(ip + 2, (uint16_t)ip_size);
		be16_store(ip + 10, checksum_finish(g->ip_sum + ip_size + addr_sum));
	} else {
		be16_store(ip + 4, (uint16_t)udp_size);
	}
	if (udp_size < UDP_HEADER_LEN)
		return;		/* cut within the headers */
	sum = g->udp_sum + addr_sum + 2 * udp_size + g->src.port_now + g->dst.port_now;
	checksum = checksum_finish(sum + payload_sum(g, udp_size - UDP_HEADER_LEN));
	be16_store(udp + 6, checksum ? checksum : 0xffff);
}

static void addresses_advance(struct frame_gen *g)
{
	if (g->bits & OPT_RANDOM_SRC)
		ip_range_shuffle(&g->src, &g->random);
	if (g->bits & OPT_RANDOM_DST)
		ip_range_shuffle(&g->dst, &g->random);
	/* Like the digits of a number: the destination moves on when the sources have been through. */
	if ((g->bits & OPT_RANDOM_SRC) || ip_range_advance(&g->src)) {
		if (!(g->bits & OPT_RANDOM_DST))
			ip_range_advance(&g->dst);
	}
	if (mac_range_advance(&g->src_mac))
		mac_range_advance(&g->dst_mac);
}

static void file_next(struct frame_gen *g)
{
	const struct frame_ref *ref = &g->file->frames[g->file_next];

	g->data = g->file->bytes + ref->ofs;
	g->len = ref->len;
	if (++g->file_next == g->file->count)
		g->file_next = 0;
}

static void frame_make(struct frame_gen *g)
{
	unsigned size = g->size_max;
	uint8_t *eth = g->frame + g->vnet_len;

	if (g->size_min != g->size_max)
		size = g->size_min +
			(unsigned)((random_next(&g->random) >> 32) % (g->size_max - g->size_min + 1));
	mac_store(eth, g->dst_mac.now);
	mac_store(eth + MAC_LEN, g->src_mac.now);
	stamp_store(g);
	headers_store(g, size);
	g->len = g->vnet_len + size;
}

void frame_gen_next(struct frame_gen *g)
{
	if (g->constant)
		return;
	if (g->file) {
		file_next(g);
		return;
	}
	frame_make(g);
	addresses_advance(g);
}

void frame_gen_set_time(struct frame_gen *g)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	g->time_sec = (uint32_t)ts.tv_sec;
	g->time_nsec = (uint32_t)ts.tv_nsec;
}

static bool frame_gen_is_constant(const struct frame_gen *g)
{
	if (g->file)
		return g->file->count == 1;
	return g->size_min == g->size_max && g->stamp_len == 0 &&
		!(g->bits & (OPT_RANDOM_SRC | OPT_RANDOM_DST)) && ip_range_is_single(&g->src) &&
		ip_range_is_single(&g->dst) && g->src_mac.first == g->src_mac.last &&
		g->dst_mac.first == g->dst_mac.last;
}

int frame_gen_init(struct frame_gen *g, const struct options *o, unsigned vnet_len, unsigned stamp_len,
		   const struct frame_file *file, uint64_t seed)
{
	*g = (struct frame_gen){
		.vnet_len = vnet_len, .family = o->family, .bits = o->bits, .src = o->src, .dst = o->dst,
		.src_mac = o->src_mac, .dst_mac = o->dst_mac, .size_min = o->len_min, .size_max = o->len_max,
		.stamp_len = stamp_len, .file = file, .random = seed * 0x9e3779b97f4a7c15ULL + 1,
	};
	g->constant = frame_gen_is_constant(g);
	if (file) {
		file_next(g);
		g->file_next = 0;
		g->len_max = g->head_len = file->len_max;
		return 0;
	}
	g->ip_len = g->family == 4 ? IP4_HEADER_LEN : IP6_HEADER_LEN;
	g->payload_ofs = vnet_len + ETH_HEADER_LEN + g->ip_len + UDP_HEADER_LEN;
	g->len_max = vnet_len + g->size_max;
	g->head_len = g->payload_ofs + stamp_len;
	/* Short frames are cut from one that has all headers. */
	g->frame = calloc(1, g->payload_ofs + stamp_len + g->size_max + FRAME_PADDING);
	if (!g->frame)
		return -ENOMEM;
	template_build(g);
	if (payload_sums_build(g)) {
		frame_gen_fini(g);
		return -ENOMEM;
	}
	g->data = g->frame;
	frame_gen_set_time(g);
	if (g->constant)
		frame_make(g);
	return 0;
}

void frame_gen_fini(struct frame_gen *g)
{
	free(g->payload_sums);
	free(g->frame);
	g->payload_sums = NULL;
	g->frame = NULL;
}
