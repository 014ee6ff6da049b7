/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of frames with a virtio-net header compare against: a maker of such frames and a slow,
 * byte-wise check of the frames that come out. Shares no code with the engine.
 */
#ifndef UNIT_VNET_ORACLE_H
#define UNIT_VNET_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to make. */
struct spec {
	uint16_t tags[4];	/* TPIDs of VLAN tags in the frame, up to the first 0 */
	int version;		/* 4, 6 */
	int ip_options;		/* bytes of IPv4 options, multiple of 4 */
	bool hopopts, routing, dstopts;
	uint8_t proto;		/* 6, 17 or 132 */
	int tcp_options;	/* bytes, multiple of 4 */
	uint8_t tcp_flags;
	uint32_t payload;
	uint8_t gso_type;
	uint16_t gso_size;
	bool no_csum;		/* without NEEDS_CSUM: the checksum is finished */
};

struct made {
	uint8_t hdr[12];	/* virtio-net header */
	uint8_t *frame;		/* malloc'ed, exactly len bytes */
	uint32_t len;
	uint32_t l3, l4, data;	/* offsets; data: the transport payload */
	struct spec spec;
};

void made_init(struct made *m, const struct spec *s);
void made_free(struct made *m);

/* Parsed view of a frame that came out, every checksum and length in it verified. */
struct seen {
	uint32_t l3, l4, data, len;
	int version;
	uint32_t frag_ofs;	/* bytes */
	bool fragment, more;
	uint32_t id;
	uint32_t seq;
	uint8_t tcp_flags;
};

/* NULL if the frame is right in itself, else what is wrong. */
const char *seen_parse(struct seen *s, const uint8_t *frame, uint32_t len);

/* Folded one's complement sum over bytes, odd lengths included, big endian. */
uint32_t slow_sum(uint32_t sum, const uint8_t *p, size_t len);

/* Is the transport packet's checksum right? l4 bytes, addresses from the IP header. */
bool l4_right(int version, const uint8_t *ip, const uint8_t *final_dst, uint8_t proto, const uint8_t *l4,
	      uint32_t len);

uint32_t slow_crc32c(const uint8_t *p, size_t len);

#endif
