/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile input for the envelope and for port names, with a fixed seed and a fixed number of cases (first
 * argument; second argument another seed). Meant for a build with ASan and UBSan; checks besides:
 *
 *  - a message that request_check() accepts can be walked and filled, is accepted again, and is not longer than
 *    it says;
 *  - whatever graph of pointers a caller has, what request_gather() makes of it is accepted by request_check();
 *  - whatever comes back as a reply, request_writeback() writes only where the request was read from;
 *  - a parsed name's parts lie inside the name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/port_name.h"
#include "user_memory.h"

#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "case %lu: %s:%d: %s\n", current, __FILE__, __LINE__, #cond); \
		abort(); \
	} \
} while (0)

static unsigned long current;
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t
rnd_below(uint32_t n)
{
	return (uint32_t)((rnd() >> 16) % n);
}

static void
rnd_fill(void *p, size_t n)
{
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(rnd() >> 24);
}

/* Mostly what an option may have, sometimes anything. */
static void
rnd_option(struct nmreq_option *o)
{
	o->nro_next = 0;
	o->nro_reqtype = rnd_below(20) ? 1 + rnd_below(12) : (uint32_t)rnd();
	o->nro_status = (uint32_t)rnd();
	o->nro_size = rnd_below(20) ? rnd_below(400) : rnd_below(2) ? rnd_below(4200) : rnd();
}

static size_t
body_size_of(const struct nmreq_option *o)
{
	static const size_t sizes[] = { 0, 72, 0, 16, 8, 32 };

	if (o->nro_reqtype == NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS)
		return o->nro_size < 24 ? 0 : o->nro_size - 24;
	return o->nro_reqtype < NETMAP_REQ_OPT_MAX ? sizes[o->nro_reqtype] : 0;
}

/* Does to a checked message what handlers do, over every byte that they may write. */
static void
answer_message(struct request_msg *m)
{
	uint32_t len = m->len;
	uint8_t *body = request_body(m);

	if (body != NULL) {
		CHECK(m->body_size <= len - REQUEST_MSG_MIN);
		memset(body, 0x5a, m->body_size);
	}
	(void)request_unclaimed(m);
	for (uint32_t type = 0; type < 16; type++) {
		struct nmreq_option *o = request_option(m, type);

		if (o == NULL)
			continue;
		CHECK(o->nro_reqtype == type && type != 0 && o->nro_status == 0);
		CHECK((uint8_t *)(o + 1) + body_size_of(o) <= (uint8_t *)m + len);
		memset(o + 1, 0xa5, body_size_of(o));
		o->nro_status = rnd_below(2) ? EOPNOTSUPP : 0;
	}
	(void)request_finish(m, 0);
	CHECK(m->len == len);
}

static void
use_message(struct request_msg *m)
{
	answer_message(m);
	CHECK(request_check(m, m->len) == 0);
	answer_message(m);
}

static void
fuzz_message(struct request_msg *m)
{
	uint32_t pos = 0, nopts = rnd_below(6);
	size_t len;
	int size;

	rnd_fill(m, REQUEST_MSG_MIN + 512);
	if (rnd_below(8) == 0) {
		(void)request_check(m, rnd_below(sizeof(*m) + 1));
		return;
	}
	m->kind = (uint16_t)(rnd_below(10) == 0);
	m->reserved = 0;
	m->hdr.nr_version = NETMAP_API;
	m->hdr.nr_reserved = 0;
	m->hdr.nr_reqtype = (uint16_t)rnd_below(17);
	size = m->kind == REQUEST_CONFIG ? 272 : request_body_size(m->hdr.nr_reqtype);
	m->body_size = size > 0 ? (uint32_t)size : 0;
	pos = m->body_size;
	for (uint32_t i = 0; i < nopts && pos + 512 < NETMAP_REQ_MAXSIZE; i++) {
		struct nmreq_option *o = (struct nmreq_option *)(m->data + pos);
		size_t body;

		rnd_option(o);
		body = body_size_of(o);
		if (body > 4096)
			body = 4096;
		pos += 24 + (((uint32_t)body + 7) & ~7U);
	}
	m->nopts = (uint16_t)nopts;
	if (pos > NETMAP_REQ_MAXSIZE)
		pos = NETMAP_REQ_MAXSIZE;
	len = REQUEST_MSG_MIN + pos;
	m->len = (uint32_t)len;
	for (uint32_t n = rnd_below(4); n > 0; n--)
		((uint8_t *)m)[rnd_below((uint32_t)len)] ^= (uint8_t)(1U << rnd_below(8));
	if (request_check(m, len) == 0)
		use_message(m);
}

static uint64_t
rnd_address(void)
{
	switch (rnd_below(24)) {
	case 0:
		return rnd();
	case 1:
		return UM_BASE + UM_SIZE - rnd_below(100);
	case 2:
		return UINT64_MAX - rnd_below(100);
	default:
		/* few places, so that loops, overlaps and options shared by two lists come up */
		return UM_BASE + 0x100 + rnd_below(24) * 0x30;
	}
}

static void
fuzz_memory(struct user_memory *um, struct request *r)
{
	static const uint32_t cmds[] = {
		NIOCCTRL, NIOCCTRL, NIOCCTRL, NIOCCTRL, NIOCREGIF, NIOCGINFO, NIOCCONFIG,
	};
	uint32_t cmd = cmds[rnd_below(7)];
	struct nmreq_header *h = um_at(um, UM_BASE);
	struct request_io io = um_io(um);
	int error;

	rnd_fill(um->bytes, 0x100);
	um->reads = 0;
	um->stray_writes = 0;
	um->no_read = um->no_write = (struct um_range){ 0, 0 };
	if (rnd_below(8) == 0)
		um->no_read = (struct um_range){ UM_BASE + rnd_below(0x600), 1 + rnd_below(64) };
	if (rnd_below(8) == 0)
		um->no_write = (struct um_range){ UM_BASE + rnd_below(0x600), 1 + rnd_below(64) };
	for (uint64_t a = UM_BASE + 0x100; a < UM_BASE + 0x580; a += 0x30) {
		struct nmreq_option *o = um_at(um, a);

		rnd_option(o);
		o->nro_next = rnd_below(3) ? rnd_address() : 0;
	}
	if (cmd == NIOCCTRL) {
		int size;

		h->nr_version = (uint16_t)(rnd_below(20) ? 14 + rnd_below(2) : rnd());
		h->nr_reqtype = (uint16_t)(rnd_below(20) ? rnd_below(17) : rnd());
		h->nr_reserved = rnd_below(20) == 0;
		size = request_body_size(h->nr_reqtype);
		h->nr_body = (size > 0) ^ (rnd_below(20) == 0) ? rnd_address() : 0;
		h->nr_options = rnd_below(4) ? rnd_address() : 0;
	} else {
		((struct nmreq *)(void *)h)->nr_version = rnd_below(10) ? 14 : (uint32_t)rnd();
		((struct nmreq *)(void *)h)->nr_cmd = (uint16_t)rnd_below(14);
	}

	error = request_gather_ioctl(&io, cmd, rnd_below(50) ? UM_BASE : rnd_address(), r);
	if (error == 0) {
		CHECK(r->len == r->msg.len && r->len <= sizeof(r->msg));
		CHECK(request_check(&r->msg, r->len) == 0);
		use_message(&r->msg);
	}
	if (rnd_below(2)) {
		/* a reply from somebody hostile */
		uint32_t from = rnd_below(sizeof(r->msg)), n = rnd_below(300);

		rnd_fill((uint8_t *)&r->msg + from, from + n > sizeof(r->msg) ? sizeof(r->msg) - from : n);
	}
	error = request_writeback(&io, r, error);
	CHECK(error <= 0);
	CHECK(um->stray_writes == 0);
}

static void
fuzz_name(void)
{
	static const char set[] = "vale0123ab{}:/.^- _\377";
	char name[NETMAP_REQ_IFNAMSIZ], why[PORT_NAME_EXPLAIN_SIZE];
	uint32_t len = rnd_below(sizeof(name) + 1);
	struct port_name pn;
	int error;

	rnd_fill(name, sizeof(name));
	for (uint32_t i = 0; i < len; i++)
		name[i] = set[rnd_below(sizeof(set))];
	if (rnd_below(2))
		memcpy(name, "vale", 4);
	if (rnd_below(4) == 0)
		name[rnd_below(sizeof(name))] = '\0';
	error = port_name_parse(&pn, name, 1 + rnd_below(8), rnd_below(2) * NR_MONITOR_TX, rnd_below(2));
	CHECK((error == 0) == (pn.reason == NULL));
	CHECK(pn.len <= sizeof(name) && pn.base_len <= pn.len && pn.error_at <= pn.len);
	CHECK(pn.id_off + pn.id_len <= pn.len && pn.port_off + pn.port_len <= pn.base_len);
	CHECK(pn.switch_len == 0 || pn.switch_len < pn.base_len);
	port_name_explain(&pn, name, why, sizeof(why));
	CHECK((error == 0) == (why[0] == '\0'));
}

int
main(int argc, char **argv)
{
	unsigned long cases = argc > 1 ? strtoul(argv[1], NULL, 0) : 200000;
	struct request_msg *m = malloc(sizeof(*m));
	struct user_memory *um = calloc(1, sizeof(*um));
	struct request *r = malloc(sizeof(*r));

	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0) | 1;
	if (m == NULL || um == NULL || r == NULL)
		return 1;
	memset(m, 0, sizeof(*m));
	memset(r, 0, sizeof(*r));
	for (current = 0; current < cases; current++) {
		switch (current % 4) {
		case 0:
		case 1:
			fuzz_message(m);
			break;
		case 2:
			fuzz_memory(um, r);
			break;
		default:
			fuzz_name();
			break;
		}
	}
	printf("%lu cases\n", cases);
	free(m);
	free(um);
	free(r);
	return 0;
}
