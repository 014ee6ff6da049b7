/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of addresses: reading and printing them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "addresses.h"

#define ADDR_TEXT_MAX 80	/* "[" INET6_ADDRSTRLEN "]:65535" and some */

static int port_parse(uint16_t *port, const char *text)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtoul(text, &end, 10);
	if (*end || n > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}

static int address_parse(unsigned __int128 *addr, int family, const char *text)
{
	uint8_t bytes[16];
	unsigned n = family == 4 ? 4 : 16;

	if (inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes) != 1)
		return -EINVAL;
	*addr = 0;
	for (unsigned i = 0; i < n; i++)
		*addr = *addr << 8 | bytes[i];
	return 0;
}

/*
 * One "addr", "addr:port", "[addr]" or "[addr]:port". Writes into text. *with_port is set if there is a port.
 */
static int endpoint_parse(unsigned __int128 *addr, uint16_t *port, bool *with_port, int family, char *text)
{
	char *colon;

	if (family == 6 && *text == '[') {
		char *end = strchr(++text, ']');

		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		*end = '\0';
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = family == 4 ? strchr(text, ':') : NULL;
	}
	if (colon) {
		*colon = '\0';
		*with_port = true;
		if (port_parse(port, colon + 1))
			return -EINVAL;
	}
	return address_parse(addr, family, text);
}

int ip_range_parse(struct ip_range *r, int family, uint16_t port_default, const char *text)
{
	char buf[2 * ADDR_TEXT_MAX], *dash;

	memset(r, 0, sizeof(*r));
	r->family = family;
	r->port_first = port_default;
	if (strlen(text) >= sizeof(buf))
		return -EINVAL;
	strcpy(buf, text);
	dash = strchr(buf, '-');
	if (dash)
		*dash = '\0';
	if (endpoint_parse(&r->first, &r->port_first, &r->with_port, family, buf))
		return -EINVAL;
	r->last = r->first;
	r->port_last = r->port_first;
	if (dash && endpoint_parse(&r->last, &r->port_last, &r->with_port, family, dash + 1))
		return -EINVAL;
	if (r->last < r->first || r->port_last < r->port_first)
		return -EINVAL;
	r->now = r->first;
	r->port_now = r->port_first;
	return 0;
}

static int mac_parse(uint64_t *mac, const char *text, const char **end)
{
	*mac = 0;
	for (unsigned i = 0; i < MAC_LEN; i++) {
		char *stop;
		unsigned long byte;

		if (i > 0 && *text++ != ':')
			return -EINVAL;
		if (!strchr("0123456789abcdefABCDEF", *text) || *text == '\0')
			return -EINVAL;
		byte = strtoul(text, &stop, 16);
		if (stop - text > 2)
			return -EINVAL;
		*mac = *mac << 8 | byte;
		text = stop;
	}
	*end = text;
	return 0;
}

int mac_range_parse(struct mac_range *r, const char *text)
{
	if (mac_parse(&r->first, text, &text))
		return -EINVAL;
	r->last = r->now = r->first;
	if (*text == '-' && mac_parse(&r->last, text + 1, &text))
		return -EINVAL;
	return *text || r->last < r->first ? -EINVAL : 0;
}

void mac_range_set(struct mac_range *r, const uint8_t mac[MAC_LEN])
{
	r->first = 0;
	for (unsigned i = 0; i < MAC_LEN; i++)
		r->first = r->first << 8 | mac[i];
	r->last = r->now = r->first;
}

static void endpoint_format(char *buf, size_t size, int family, unsigned __int128 addr, uint16_t port)
{
	uint8_t bytes[16];
	char text[INET6_ADDRSTRLEN];

	ip_address_store(bytes, family, addr);
	if (!inet_ntop(family == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)))
		text[0] = '\0';
	snprintf(buf, size, family == 4 ? "%s:%u" : "[%s]:%u", text, port);
}

const char *ip_range_format(const struct ip_range *r, char *buf, size_t size)
{
	char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX];

	endpoint_format(first, sizeof(first), r->family, r->first, r->port_first);
	endpoint_format(last, sizeof(last), r->family, r->last, r->port_last);
	if (ip_range_is_single(r))
		snprintf(buf, size, "%s", first);
	else
		snprintf(buf, size, "%s-%s", first, last);
	return buf;
}

const char *mac_range_format(const struct mac_range *r, char *buf, size_t size)
{
	uint8_t a[MAC_LEN], b[MAC_LEN];
	int n;

	mac_store(a, r->first);
	mac_store(b, r->last);
	n = snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r->first != r->last && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, "-%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
			 b[4], b[5]);
	return buf;
}
