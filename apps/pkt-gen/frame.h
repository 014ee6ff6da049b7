/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames that are sent: Ethernet, IPv4 or IPv6, UDP, and a payload that is a pattern, with room for a
 * stamp (sequence number and time) at its start. One generator belongs to one thread.
 *
 * A generator keeps one frame and changes in it only what differs from the frame before. Sums over the parts
 * that stay are computed once, so that checksums are right in every frame at a few additions each.
 */
#ifndef PKT_GEN_FRAME_H
#define PKT_GEN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addresses.h"
#include "options.h"

#define ETH_HEADER_LEN	14
#define UDP_HEADER_LEN	8
#define IP_PROTO_UDP	17
#define VNET_LEN_MAX	12

/* Frames may be read to the next multiple of this behind their end (nm_pkt_copy() does). */
#define FRAME_PADDING	64

#define STAMP_SEQUENCE_LEN	4	/* u32 big endian */
#define STAMP_PING_LEN		12	/* u32 sequence, u32 seconds, u32 nanoseconds, in host order */

struct frame_file;

struct frame_gen {
	/* Of the current frame. The vnet header, all zeros, is part of it. */
	const uint8_t *data;
	unsigned len;

	bool constant;		/* every frame is the same */
	unsigned head_len;	/* frames differ in their first head_len bytes only, and in len */
	unsigned len_max;	/* of all frames, with vnet header */

	uint8_t *frame;
	unsigned vnet_len, ip_len, payload_ofs;
	unsigned size_min, size_max;	/* without vnet header */
	int family;
	uint32_t bits;
	struct ip_range src, dst;
	struct mac_range src_mac, dst_mac;
	unsigned stamp_len;
	uint32_t sequence;		/* of the next frame */
	uint32_t time_sec, time_nsec;	/* for the next stamps */
	uint64_t random;
	uint32_t ip_sum, udp_sum;	/* over what stays, see frame.c */
	uint32_t *payload_sums;		/* [i]: sum of the first i 16-bit words of the payload */

	const struct frame_file *file;	/* frames come from here if not NULL */
	size_t file_next;
};

/*
 * Prepares a generator with the sizes and addresses of o, vnet_len bytes of vnet header, stamp_len bytes of
 * stamp. file may be NULL and stays the caller's, loaded with the same vnet_len. seed makes random values
 * differ. Returns 0 or -ENOMEM. Ends with frame_gen_fini().
 */
int frame_gen_init(struct frame_gen *g, const struct options *o, unsigned vnet_len, unsigned stamp_len,
		   const struct frame_file *file, uint64_t seed);
void frame_gen_fini(struct frame_gen *g);

/* Makes the next frame the current one. */
void frame_gen_next(struct frame_gen *g);

/* The time that stamps carry from now on. */
void frame_gen_set_time(struct frame_gen *g);

/* Sum of len bytes as 16-bit big-endian words, an odd last byte being the high one, on top of sum. */
uint32_t checksum_add(const void *data, size_t len, uint32_t sum);

/* The checksum, to be stored big endian, for a sum. */
uint16_t checksum_finish(uint32_t sum);

static inline void be16_store(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint16_t be16_load(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void be32_store(uint8_t *p, uint32_t v)
{
	be16_store(p, (uint16_t)(v >> 16));
	be16_store(p + 2, (uint16_t)v);
}

static inline uint32_t be32_load(const uint8_t *p)
{
	return (uint32_t)be16_load(p) << 16 | be16_load(p + 2);
}

/* Where the UDP payload of a frame (without vnet header) begins, or 0 if it is not UDP over IPv4 or IPv6. */
unsigned frame_udp_payload(const uint8_t *frame, unsigned len);

#endif
