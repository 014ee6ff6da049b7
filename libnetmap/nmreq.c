/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests: headers, and the parser for the first two parts of a portspec, subsystem:vpname and
 * mode/flags@memid. A function that fails has changed none of its outputs.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nmport_internal.h"

#define RING_ID_MAX	4094
#define MEM_ID_MAX	UINT16_MAX
#define VPNAME_END	"-*^/@"
#define TAP_NAME	"tap:"

int
nmreq_parse_error(struct nmctx *ctx, const char *whole, const char *at, const char *fmt, ...)
{
	size_t column = (size_t)(at - whole) + 1;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (*at != '\0')
		nmctx_ferror(ctx, "\"%.80s\", column %zu, at \"%.40s\": %s", whole, column, at, what);
	else
		nmctx_ferror(ctx, "\"%.80s\", column %zu, at the end: %s", whole, column, what);
	errno = EINVAL;
	return -1;
}

int
nmreq_parse_number(struct nmctx *ctx, const char *whole, const char **p, const char *what,
	uint64_t max, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return nmreq_parse_error(ctx, whole, s, "expected %s", what);
	for (; isdigit((unsigned char)*s); s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (digit > max || v > (max - digit) / 10)
			return nmreq_parse_error(ctx, whole, *p, "expected %s of at most %llu", what,
				(unsigned long long)max);
		v = v * 10 + digit;
	}
	*p = s;
	*out = v;
	return 0;
}

void
nmreq_header_init(struct nmreq_header *h, uint16_t reqtype, void *body)
{
	memset(h, 0, sizeof(*h));
	h->nr_version = NETMAP_API;
	h->nr_reqtype = reqtype;
	h->nr_body = (uintptr_t)body;
}

static bool
is_identifier_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/*
 * Returns what follows the ":" of the subsystem, or NULL if there is no valid one. *is_whole: the subsystem is part of the
 * name.
 */
static const char *
subsystem_skip(const char *whole, const char *spec, struct nmctx *ctx, bool *is_vale, bool *is_whole)
{
	const char *p;

	*is_vale = false;
	*is_whole = true;
	if (strncmp(spec, TAP_NAME, strlen(TAP_NAME)) == 0)
		return spec + strlen(TAP_NAME);
	if (strncmp(spec, NM_BDG_NAME, strlen(NM_BDG_NAME)) == 0) {
		*is_vale = true;
		p = spec + strlen(NM_BDG_NAME);
		while (is_identifier_char(*p))
			p++;
		if (*p != ':') {
			nmreq_parse_error(ctx, whole, p,
				"expected ':', a switch name has only letters, digits and '_'");
			return NULL;
		}
	} else if (strncmp(spec, "netmap", strlen("netmap")) == 0) {
		*is_whole = false;
		p = spec + strlen("netmap");
		if (*p != ':') {
			nmreq_parse_error(ctx, whole, p, "expected ':' after 'netmap'");
			return NULL;
		}
	} else {
		nmreq_parse_error(ctx, whole, spec, "expected 'netmap:', 'valeNAME:' or 'tap:'");
		return NULL;
	}
	return p + 1;
}

static bool
interface_exists(const char *name, size_t len)
{
	char buf[IFNAMSIZ];
	int saved = errno;
	bool found;

	if (len == 0 || len >= sizeof(buf))
		return false;
	memcpy(buf, name, len);
	buf[len] = '\0';
	found = if_nametoindex(buf) != 0;
	errno = saved;
	return found;
}

/*
 * Where the vpname ends. A "-" belongs to the name if an interface of such a name exists, the longest wins;
 * else the first "-" starts a ring number. In a pipe's name only the part before the bracket can be an
 * interface.
 */
static const char *
vpname_end(const char *name, bool is_vale)
{
	const char *first = name + strcspn(name, VPNAME_END "{}");
	const char *stop, *p;

	if (is_vale || *first != '-')
		return name + strcspn(name, VPNAME_END);
	stop = name + strcspn(name, "*^/@{}");
	for (p = stop; p > first; p--) {
		if ((p == stop || *p == '-') && interface_exists(name, (size_t)(p - name)))
			return p + strcspn(p, VPNAME_END);
	}
	return first;
}

/* A pipe's id is an identifier that reaches to the end of the name. */
static int
pipe_check(const char *whole, const char *name, const char *end, struct nmctx *ctx)
{
	const char *bracket = name + strcspn(name, "{}");
	const char *p;

	if (bracket >= end)
		return 0;
	if (bracket == name)
		return nmreq_parse_error(ctx, whole, name, "expected a port name before '%c'", *bracket);
	for (p = bracket + 1; p < end; p++) {
		if (!is_identifier_char(*p))
			return nmreq_parse_error(ctx, whole, p, "a pipe id has only letters, digits and '_'");
	}
	if (p == bracket + 1)
		return nmreq_parse_error(ctx, whole, p, "expected a pipe id after '%c'", *bracket);
	return 0;
}

int
nmreq_header_decode_at(const char *whole, const char **spec, struct nmreq_header *h, struct nmctx *ctx)
{
	const char *vpname, *end, *name;
	bool is_vale, is_whole;

	vpname = subsystem_skip(whole, *spec, ctx, &is_vale, &is_whole);
	if (vpname == NULL)
		return -1;
	end = vpname_end(vpname, is_vale);
	if (end == vpname)
		return nmreq_parse_error(ctx, whole, vpname, "expected the name of a port");
	if (pipe_check(whole, vpname, end, ctx) < 0)
		return -1;

	/* the host resolves "vale" and "tap" names itself, and knows nothing of "netmap:" */
	name = is_whole ? *spec : vpname;
	if ((size_t)(end - name) >= sizeof(h->nr_name))
		return nmreq_parse_error(ctx, whole, name + sizeof(h->nr_name) - 1,
			"the name of a port has at most %zu characters", sizeof(h->nr_name) - 1);
	memset(h->nr_name, 0, sizeof(h->nr_name));
	memcpy(h->nr_name, name, (size_t)(end - name));
	*spec = end;
	return 0;
}

int
nmreq_header_decode(const char **spec, struct nmreq_header *h, struct nmctx *ctx)
{
	return nmreq_header_decode_at(*spec, spec, h, ctx);
}

static int
mode_decode(const char *whole, const char **mode, struct nmreq_register *reg, struct nmctx *ctx)
{
	const char *p = *mode;
	uint64_t id = 0;

	switch (*p) {
	case '-':
		p++;
		if (!isdigit((unsigned char)*p))
			return nmreq_parse_error(ctx, whole, p, "expected a ring number after '-' "
				"(an interface with '-' in its name has to exist)");
		if (nmreq_parse_number(ctx, whole, &p, "a ring number", RING_ID_MAX, &id) < 0)
			return -1;
		reg->nr_mode = NR_REG_ONE_NIC;
		break;
	case '^':
		p++;
		reg->nr_mode = NR_REG_SW;
		if (isdigit((unsigned char)*p)) {
			if (nmreq_parse_number(ctx, whole, &p, "a host ring number", RING_ID_MAX, &id) < 0)
				return -1;
			reg->nr_mode = NR_REG_ONE_SW;
		}
		break;
	case '*':
		p++;
		reg->nr_mode = NR_REG_NIC_SW;
		break;
	default:
		reg->nr_mode = NR_REG_ALL_NIC;
		break;
	}
	if (*p != '\0' && *p != '/' && *p != '@')
		return nmreq_parse_error(ctx, whole, p, "expected '/', '@' or the end");
	reg->nr_ringid = (uint16_t)id;
	*mode = p;
	return 0;
}

static uint64_t
flag_of_letter(char c)
{
	switch (c) {
	case 'x': return NR_EXCLUSIVE;
	case 'z': return NR_ZCOPY_MON;
	case 't': return NR_MONITOR_TX;
	case 'r': return NR_MONITOR_RX;
	case 'R': return NR_RX_RINGS_ONLY;
	case 'T': return NR_TX_RINGS_ONLY;
	default: return 0;
	}
}

/* *p is behind the "/". */
static int
flags_decode(const char *whole, const char **p, struct nmreq_register *reg, struct nmctx *ctx)
{
	const char *s;

	for (s = *p; *s != '\0' && *s != '@'; s++) {
		uint64_t flag = flag_of_letter(*s);

		if (flag == 0)
			return nmreq_parse_error(ctx, whole, s, "expected flags, of the letters xztrRT");
		reg->nr_flags |= flag;
	}
	if (*s == '\0' && s == *p)
		return nmreq_parse_error(ctx, whole, s, "expected flags after '/', of the letters xztrRT");
	*p = s;
	return 0;
}

/* *p is behind the "@". */
static int
mem_id_decode(const char *whole, const char **p, struct nmreq_register *reg, struct nmctx *ctx)
{
	const char *s = *p;
	uint64_t id;

	if (nmreq_parse_number(ctx, whole, &s, "a memory id", MEM_ID_MAX, &id) < 0)
		return -1;
	if (id == 0)
		return nmreq_parse_error(ctx, whole, *p, "a memory id is at least 1");
	if (reg->nr_mem_id != 0 && reg->nr_mem_id != id)
		return nmreq_parse_error(ctx, whole, *p, "the memory id is %u already", reg->nr_mem_id);
	if (*s != '\0' && *s != '/' && *s != '@')
		return nmreq_parse_error(ctx, whole, s, "expected '/', '@' or the end after the memory id");
	reg->nr_mem_id = (uint16_t)id;
	*p = s;
	return 0;
}

int
nmreq_register_decode_at(const char *whole, const char **mode, struct nmreq_register *reg, struct nmctx *ctx)
{
	struct nmreq_register r = *reg;
	const char *p = *mode;

	r.nr_flags = 0;
	if (mode_decode(whole, &p, &r, ctx) < 0)
		return -1;
	while (*p != '\0') {
		bool is_flags = *p == '/';

		/* an "@" with a word behind it starts the options */
		if (!is_flags && p[1] != '\0' && !isdigit((unsigned char)p[1]))
			break;
		p++;
		if (is_flags ? flags_decode(whole, &p, &r, ctx) : mem_id_decode(whole, &p, &r, ctx))
			return -1;
	}
	*reg = r;
	*mode = p;
	return 0;
}

int
nmreq_register_decode(const char **mode, struct nmreq_register *reg, struct nmctx *ctx)
{
	return nmreq_register_decode_at(*mode, mode, reg, ctx);
}

int32_t
nmreq_get_mem_id(const char **portname, struct nmctx *ctx)
{
	struct nmreq_port_info_get info;
	struct nmreq_header h;
	const char *p = *portname;
	int fd, rc, saved;

	memset(&info, 0, sizeof(info));
	nmreq_header_init(&h, NETMAP_REQ_PORT_INFO_GET, &info);
	if (nmreq_header_decode(&p, &h, ctx) < 0)
		return -1;
	fd = open(NETMAP_DEVICE_NAME, O_RDWR);
	if (fd < 0) {
		nmctx_ferror(ctx, "cannot open %s: %s", NETMAP_DEVICE_NAME, strerror(errno));
		return -1;
	}
	rc = ioctl(fd, NIOCCTRL, &h);
	if (rc < 0)
		nmctx_ferror(ctx, "cannot get the memory id of %s: %s", h.nr_name, strerror(errno));
	saved = errno;
	close(fd);
	errno = saved;
	if (rc < 0)
		return -1;
	*portname = p;
	return info.nr_mem_id;
}
