/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges of IP addresses with ports, and of MAC addresses. A range has a current element; advancing past its
 * end starts again at its beginning. Within an IP range the port moves first, the address when the ports
 * wrap.
 */
#ifndef PKT_GEN_ADDRESSES_H
#define PKT_GEN_ADDRESSES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_LEN 6

struct ip_range {
	int family;			/* 4 or 6 */
	bool with_port;			/* the text named a port */
	uint16_t port_first, port_last, port_now;
	/* Values, not byte strings; an IPv4 address uses the low 32 bits. */
	unsigned __int128 first, last, now;
};

struct mac_range {
	uint64_t first, last, now;	/* the low 48 bits */
};

/*
 * Reads "addr", "addr:port", or two of them with '-' between: first and last. An IPv6 address with a port
 * stands in brackets. Without a port, port_default is taken. Returns 0, or -EINVAL if the text is something
 * else, is of the other family, or runs backwards.
 */
int ip_range_parse(struct ip_range *r, int family, uint16_t port_default, const char *text);

/* "aa:bb:cc:dd:ee:ff" or two of them with '-' between. Returns 0 or -EINVAL. */
int mac_range_parse(struct mac_range *r, const char *text);

void mac_range_set(struct mac_range *r, const uint8_t mac[MAC_LEN]);

/* Text of a range for a person, in buf. Returns buf. */
const char *ip_range_format(const struct ip_range *r, char *buf, size_t size);
const char *mac_range_format(const struct mac_range *r, char *buf, size_t size);

/* Pseudo-random numbers, good enough for addresses. The state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static inline bool ip_range_is_single(const struct ip_range *r)
{
	return r->first == r->last && r->port_first == r->port_last;
}

/* Goes on to the next element. Returns true when it starts from the beginning again. */
static inline bool ip_range_advance(struct ip_range *r)
{
	if (r->port_now != r->port_last) {
		r->port_now++;
		return false;
	}
	r->port_now = r->port_first;
	if (r->now != r->last) {
		r->now++;
		return false;
	}
	r->now = r->first;
	return true;
}

static inline bool mac_range_advance(struct mac_range *r)
{
	if (r->now != r->last) {
		r->now++;
		return false;
	}
	r->now = r->first;
	return true;
}

/*
 * Any element of the range; of a single element, any address and port at all (IPv6: any of the last 64 bits).
 */
static inline void ip_range_shuffle(struct ip_range *r, uint64_t *state)
{
	uint64_t a = random_next(state);
	uint64_t p = random_next(state) >> 32;
	unsigned __int128 count;

	if (ip_range_is_single(r)) {
		r->now = r->family == 4 ? (uint32_t)(a >> 32) : (r->first >> 64 << 64) | a;
		r->port_now = (uint16_t)p;
		return;
	}
	count = r->last - r->first + 1;
	r->now = r->first + (count ? a % count : a);
	r->port_now = (uint16_t)(r->port_first + p % ((uint32_t)r->port_last - r->port_first + 1));
}

/* The low n bytes of value, n up to 8, most significant first. */
static inline void bytes_store(uint8_t *p, uint64_t value, unsigned n)
{
	uint64_t be = htobe64(value << (64 - 8 * n));

	memcpy(p, &be, n);
}

/* The bytes of an address as they stand in a header: 4 or 16. */
static inline void ip_address_store(uint8_t *p, int family, unsigned __int128 addr)
{
	if (family == 4) {
		bytes_store(p, (uint64_t)addr, 4);
		return;
	}
	bytes_store(p, (uint64_t)(addr >> 64), 8);
	bytes_store(p + 8, (uint64_t)addr, 8);
}

static inline void mac_store(uint8_t *p, uint64_t mac)
{
	bytes_store(p, mac, MAC_LEN);
}

#endif
