/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The envelope of NIOCCTRL: errors and their order, where EMSGSIZE begins, what is written back and what is
 * not. Each test builds a request in a fake caller's memory and runs the whole way: gather, send, check,
 * handler, finish, reply, write back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user_memory.h"

#define HDR	(UM_BASE + 0x100)
#define BODY	(UM_BASE + 0x200)
#define OPT(i)	(UM_BASE + 0x1000 + (i) * 0x40ULL)	/* room for small options */
#define BIGOPT	(UM_BASE + 0x8000)			/* room for one of more than 4096 bytes */
#define OUTSIDE	0x1000ULL

static struct user_memory um;
static struct request req;

/* What the engine's side does in a test. */
static int handler_error;		/* result of the handler */
static uint32_t handler_takes;		/* bit by type: options that it consumes */
static uint32_t handler_opt_error;	/* status that it gives them */
static int handler_ran;

static struct nmreq_header *
header(uint16_t reqtype)
{
	struct nmreq_header *h = um_at(&um, HDR);

	memset(&um, 0, sizeof(um));
	memset(um_at(&um, BODY), 0x11, 64);
	handler_error = 0;
	handler_takes = 0;
	handler_opt_error = 0;
	handler_ran = 0;
	h->nr_version = NETMAP_API;
	h->nr_reqtype = reqtype;
	strcpy(h->nr_name, "vale0:a");
	h->nr_body = request_body_size(reqtype) > 0 ? BODY : 0;
	return h;
}

static struct nmreq_option *
option_at(uint64_t addr, uint32_t type, uint64_t size)
{
	struct nmreq_option *o = um_at(&um, addr);

	o->nro_next = 0;
	o->nro_reqtype = type;
	o->nro_status = 0x5555;
	o->nro_size = size;
	return o;
}

/* n options of the types given, one after the other, from OPT(0) on. */
static void
option_list(const uint32_t *types, unsigned int n)
{
	struct nmreq_header *h = um_at(&um, HDR);

	h->nr_options = OPT(0);
	for (unsigned int i = 0; i < n; i++)
		option_at(OPT(i), types[i], 0)->nro_next = i + 1 < n ? OPT(i + 1) : 0;
}

#define OPTIONS(...)	option_list((const uint32_t[]){ __VA_ARGS__ }, \
			    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static uint32_t
status_of(uint64_t addr)
{
	return ((struct nmreq_option *)um_at(&um, addr))->nro_status;
}

static int
handle(struct request_msg *m)
{
	uint8_t *body = request_body(m);

	handler_ran = 1;
	for (uint32_t type = 1; type < 8; type++) {
		struct nmreq_option *o = handler_takes & (1U << type) ? request_option(m, type) : NULL;

		if (o == NULL)
			continue;
		o->nro_status = handler_opt_error;
		if (type == NETMAP_REQ_OPT_OFFSETS)
			((struct nmreq_opt_offsets *)o)->nro_max_offset = 0x7777;
	}
	if (body != NULL)
		memset(body, 0x22, m->body_size);
	return request_finish(m, handler_error);
}

static int
run(void)
{
	struct request_io io = um_io(&um);
	int error = request_gather_ioctl(&io, NIOCCTRL, HDR, &req);

	if (error == 0) {
		struct request_msg *m = calloc(1, sizeof(*m));

		assert_int_equal(req.msg.len, req.len);
		memcpy(m, &req.msg, req.len);
		assert_int_equal(request_check(m, req.len), 0);
		error = handle(m);
		memcpy(&req.msg, m, req.len);
		free(m);
	}
	error = request_writeback(&io, &req, error);
	assert_int_equal(um.stray_writes, 0);
	return error;
}

static int
body_byte(void)
{
	return *(uint8_t *)um_at(&um, BODY);
}

/* Runs, and expects this result with every byte of memory as it was. */
static void
run_unchanged(int error)
{
	static uint8_t before[UM_SIZE];

	memcpy(before, um.bytes, UM_SIZE);
	assert_int_equal(run(), error);
	assert_memory_equal(um.bytes, before, UM_SIZE);
	assert_int_equal(handler_ran, 0);
}

static void
test_body_sizes(void **state)
{
	static const int sizes[] = { -1, 56, 32, 64, 8, 8, 8, 8, 16, 0, 16, 16, 64, 8, 0, 0, -1 };

	for (uint16_t t = 0; t < 17; t++)
		assert_int_equal(request_body_size(t), sizes[t]);
	assert_int_equal(request_body_size(0xffff), -1);
	for (uint16_t t = 1; t < 16; t++) {
		struct nmreq_header *h = header(t);

		assert_int_equal(run(), 0);
		assert_int_equal(body_byte(), sizes[t] ? 0x22 : 0x11);
		if (sizes[t])
			assert_int_equal(((uint8_t *)um_at(&um, BODY))[sizes[t]], sizes[t] == 64 ? 0 : 0x11);
		/* the other way round: no body where one is needed, one where none is */
		h = header(t);
		h->nr_body = sizes[t] ? 0 : BODY;
		run_unchanged(-EINVAL);
		assert_int_equal(h->nr_reserved, 0);
		/* so the same struct, put right, succeeds */
		h->nr_body = sizes[t] ? BODY : 0;
		assert_int_equal(run(), 0);
	}
}

static void
test_versions(void **state)
{
	struct nmreq_header *h;

	for (uint16_t v = 0; v < 20; v++) {
		h = header(NETMAP_REQ_REGISTER);
		h->nr_version = v;
		if (v == 14 || v == 15)
			assert_int_equal(run(), 0);
		else
			run_unchanged(-EINVAL);
		assert_int_equal(h->nr_version, v);
	}
	h = header(NETMAP_REQ_REGISTER);
	h->nr_version = 0xffff;
	run_unchanged(-EINVAL);
}

static void
test_reserved(void **state)
{
	header(NETMAP_REQ_REGISTER)->nr_reserved = 1;
	run_unchanged(-EINVAL);
}

static void
test_unknown_type(void **state)
{
	static const uint16_t types[] = { 0, 16, 0xffff };

	for (unsigned int i = 0; i < 3; i++) {
		header(types[i]);
		run_unchanged(-EINVAL);
		header(types[i])->nr_body = BODY;
		run_unchanged(-EINVAL);
		/* the options were looked at first */
		header(types[i]);
		OPTIONS(NETMAP_REQ_OPT_CSB);
		assert_int_equal(run(), -EINVAL);
		assert_int_equal(status_of(OPT(0)), EOPNOTSUPP);
		header(types[i]);
		OPTIONS(0);
		assert_int_equal(run(), -EINVAL);
		assert_int_equal(status_of(OPT(0)), EINVAL);
	}
}

static void
test_bad_header_pointer(void **state)
{
	static const uint32_t cmds[] = { NIOCCTRL, NIOCREGIF, NIOCGINFO, NIOCCONFIG };
	struct request_io io = um_io(&um);

	header(NETMAP_REQ_REGISTER);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(request_gather_ioctl(&io, cmds[i], 0, &req), -EINVAL);
		assert_int_equal(request_writeback(&io, &req, -EINVAL), -EINVAL);
		assert_int_equal(request_gather_ioctl(&io, cmds[i], OUTSIDE, &req), -EFAULT);
		assert_int_equal(request_writeback(&io, &req, -EFAULT), -EFAULT);
		assert_int_equal(request_gather_ioctl(&io, cmds[i], UM_BASE + UM_SIZE - 59, &req), -EFAULT);
		assert_int_equal(request_writeback(&io, &req, -EFAULT), -EFAULT);
	}
	assert_int_equal(request_gather_ioctl(&io, 0x6999, HDR, &req), -EOPNOTSUPP);
	assert_int_equal(request_writeback(&io, &req, -EOPNOTSUPP), -EOPNOTSUPP);
	assert_int_equal(request_gather_ioctl(&io, NIOCTXSYNC, HDR, &req), -EOPNOTSUPP);
}

static void
test_bad_pointers(void **state)
{
	struct nmreq_option *o;

	header(NETMAP_REQ_REGISTER)->nr_body = OUTSIDE;
	run_unchanged(-EFAULT);
	header(NETMAP_REQ_REGISTER)->nr_body = UM_BASE + UM_SIZE - 55;
	run_unchanged(-EFAULT);
	header(NETMAP_REQ_REGISTER)->nr_options = OUTSIDE;
	run_unchanged(-EFAULT);
	header(NETMAP_REQ_REGISTER)->nr_options = UINT64_MAX - 7;
	run_unchanged(-EFAULT);

	/* a second option that cannot be read: the first hears status 0 */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB);
	o = um_at(&um, OPT(0));
	o->nro_next = OUTSIDE;
	assert_int_equal(run(), -EFAULT);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(o->nro_next, OUTSIDE);
	assert_int_equal(body_byte(), 0x11);

	/* an option whose body cannot be read */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_MAX, NETMAP_REQ_OPT_CSB);
	um.no_read = (struct um_range){ OPT(1) + 24, 1 };
	assert_int_equal(run(), -EFAULT);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(status_of(OPT(1)), 0);

	/* one that ends where the address space does */
	header(NETMAP_REQ_REGISTER)->nr_options = UM_BASE + UM_SIZE - 24;
	option_at(UM_BASE + UM_SIZE - 24, NETMAP_REQ_OPT_CSB, 0);
	assert_int_equal(run(), -EFAULT);
}

static void
test_unwritable(void **state)
{
	static const struct um_range ranges[] = {
		{ HDR, 88 }, { BODY, 1 }, { OPT(0), 24 }, { OPT(0) + 24, 1 },
	};

	for (unsigned int i = 0; i < 4; i++) {
		header(NETMAP_REQ_REGISTER);
		OPTIONS(NETMAP_REQ_OPT_OFFSETS);
		handler_takes = ~0U;
		um.no_write = ranges[i];
		assert_int_equal(run(), -EFAULT);
		/* a request that failed says why it failed */
		header(NETMAP_REQ_REGISTER);
		OPTIONS(NETMAP_REQ_OPT_OFFSETS);
		handler_takes = ~0U;
		handler_error = -EBUSY;
		um.no_write = ranges[i];
		assert_int_equal(run(), -EBUSY);
	}
}

static void
test_option_type_0(void **state)
{
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB, 0, NETMAP_REQ_OPT_OFFSETS);
	assert_int_equal(run(), -EINVAL);
	assert_int_equal(handler_ran, 0);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(status_of(OPT(1)), EINVAL);
	assert_int_equal(status_of(OPT(2)), 0x5555);
}

static void
test_option_duplicates(void **state)
{
	for (uint32_t type = 1; type < NETMAP_REQ_OPT_MAX; type++) {
		header(NETMAP_REQ_REGISTER);
		OPTIONS(77, type, 77, type, 77);
		assert_int_equal(run(), -EINVAL);
		assert_int_equal(status_of(OPT(0)), 0);
		assert_int_equal(status_of(OPT(1)), EINVAL);
		assert_int_equal(status_of(OPT(2)), 0);
		assert_int_equal(status_of(OPT(3)), EINVAL);
		assert_int_equal(status_of(OPT(4)), 0x5555);
	}
	/* unknown ones may come as often as they like */
	header(NETMAP_REQ_PORT_INFO_GET);
	OPTIONS(77, 77, NETMAP_REQ_OPT_MAX, NETMAP_REQ_OPT_MAX);
	assert_int_equal(run(), 0);
	assert_int_equal(status_of(OPT(3)), EOPNOTSUPP);
}

static void
test_option_loops(void **state)
{
	struct nmreq_option *o;

	header(NETMAP_REQ_REGISTER)->nr_options = OPT(0);
	o = option_at(OPT(0), NETMAP_REQ_OPT_MAX, 0);
	o->nro_next = OPT(0);
	run_unchanged(-EMSGSIZE);

	header(NETMAP_REQ_REGISTER)->nr_options = OPT(0);
	o = option_at(OPT(0), NETMAP_REQ_OPT_CSB, 0);
	o->nro_next = OPT(0);
	assert_int_equal(run(), -EINVAL);
	assert_int_equal(o->nro_status, EINVAL);
	assert_int_equal(o->nro_next, OPT(0));

	/* of two */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_MAX, NETMAP_REQ_OPT_MAX + 1);
	((struct nmreq_option *)um_at(&um, OPT(1)))->nro_next = OPT(0);
	run_unchanged(-EMSGSIZE);
}

/* n options of an unknown type, then EVENTFDS of this size (none if 0), on this request. */
static int
run_sized(uint16_t reqtype, unsigned int n, uint64_t eventfds_size)
{
	static uint32_t types[200];

	header(reqtype);
	for (unsigned int i = 0; i < n; i++)
		types[i] = NETMAP_REQ_OPT_MAX;
	if (n != 0)
		option_list(types, n);
	if (eventfds_size != 0) {
		option_at(BIGOPT, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, eventfds_size);
		if (n != 0)
			((struct nmreq_option *)um_at(&um, OPT(n - 1)))->nro_next = BIGOPT;
		else
			((struct nmreq_header *)um_at(&um, HDR))->nr_options = BIGOPT;
	}
	return run();
}

static void
test_emsgsize(void **state)
{
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 99, 1000), -EMSGSIZE);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(status_of(OPT(98)), 0);
	assert_int_equal(status_of(BIGOPT), 0);
	assert_int_equal(handler_ran, 0);

	/* the staging buffer: 120 + 99 * 32 + 32 + body <= 4208 */
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 99, 24 + 888), -EOPNOTSUPP);
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 99, 24 + 889), -EMSGSIZE);

	/* headers alone: (4208 - 64 - 56) / 32 of them, a list that is longer is not written to */
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 127, 0), -EOPNOTSUPP);
	assert_int_equal(status_of(OPT(126)), EOPNOTSUPP);
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 128, 0), -EMSGSIZE);
	assert_int_equal(status_of(OPT(0)), 0x5555);
	assert_int_equal(run_sized(NETMAP_REQ_CSB_ENABLE, 129, 0), 0);
	assert_int_equal(run_sized(NETMAP_REQ_CSB_ENABLE, 130, 0), -EMSGSIZE);

	/* 4096 bytes of body and options, and of nro_size */
	assert_int_equal(run_sized(NETMAP_REQ_CSB_ENABLE, 0, 4096), 0);
	assert_int_equal(run_sized(NETMAP_REQ_CSB_ENABLE, 0, 4097), -EMSGSIZE);
	assert_int_equal(status_of(BIGOPT), 0);
	assert_int_equal(run_sized(NETMAP_REQ_CSB_ENABLE, 0, UINT64_MAX), -EMSGSIZE);
	assert_int_equal(run_sized(NETMAP_REQ_SYNC_KLOOP_START, 0, 4088), 0);
	assert_int_equal(run_sized(NETMAP_REQ_SYNC_KLOOP_START, 0, 4089), -EMSGSIZE);
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 1, 4016), -EOPNOTSUPP);
	assert_int_equal(run_sized(NETMAP_REQ_REGISTER, 1, 4017), -EMSGSIZE);
}

static void
test_option_header_past_total(void **state)
{
	/* the first option leaves 8 bytes of the 4096: the header of a second does not fit */
	header(NETMAP_REQ_CSB_ENABLE)->nr_options = BIGOPT;
	option_at(BIGOPT, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, 4088)->nro_next = OPT(0);
	option_at(OPT(0), NETMAP_REQ_OPT_MAX, 0);
	assert_int_equal(run(), -EMSGSIZE);
}

static void
test_nro_size(void **state)
{
	/* ignored for options of fixed size and for unknown ones */
	header(NETMAP_REQ_PORT_INFO_GET);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_MAX);
	((struct nmreq_option *)um_at(&um, OPT(0)))->nro_size = 1 << 20;
	((struct nmreq_option *)um_at(&um, OPT(1)))->nro_size = UINT64_MAX;
	assert_int_equal(run(), 0);
	/* an EVENTFDS shorter than its own header arrives without a body, for its handler to refuse */
	assert_int_equal(run_sized(NETMAP_REQ_SYNC_KLOOP_START, 0, 3), 0);
	/* a size that is no multiple of 8, with an option after it */
	header(NETMAP_REQ_PORT_INFO_GET)->nr_options = BIGOPT;
	option_at(BIGOPT, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, 29)->nro_next = OPT(0);
	option_at(OPT(0), NETMAP_REQ_OPT_OFFSETS, 0);
	handler_takes = 1U << NETMAP_REQ_OPT_OFFSETS;
	assert_int_equal(run(), 0);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(((struct nmreq_opt_offsets *)um_at(&um, OPT(0)))->nro_max_offset, 0x7777);
}

static void
test_option_status(void **state)
{
	/* REGISTER: all consumed */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_OFFSETS);
	handler_takes = ~0U;
	assert_int_equal(run(), 0);
	assert_int_equal(status_of(OPT(0)), 0);
	assert_int_equal(status_of(OPT(1)), 0);

	/* one left */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_OFFSETS);
	handler_takes = 1U << NETMAP_REQ_OPT_OFFSETS;
	assert_int_equal(run(), -EOPNOTSUPP);
	assert_int_equal(status_of(OPT(0)), EOPNOTSUPP);
	assert_int_equal(status_of(OPT(1)), 0);
	assert_int_equal(body_byte(), 0x11);
	/* consumed, but the request failed: its body stays */
	assert_int_equal(((struct nmreq_opt_offsets *)um_at(&um, OPT(1)))->nro_max_offset, 0);

	/* other requests only report it */
	header(NETMAP_REQ_PORT_INFO_GET);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_MAX);
	assert_int_equal(run(), 0);
	assert_int_equal(status_of(OPT(0)), EOPNOTSUPP);
	assert_int_equal(status_of(OPT(1)), EOPNOTSUPP);
	assert_int_equal(body_byte(), 0x22);

	/* an option that failed: its status, not its body */
	header(NETMAP_REQ_PORT_INFO_GET);
	OPTIONS(NETMAP_REQ_OPT_OFFSETS);
	handler_takes = ~0U;
	handler_opt_error = EINVAL;
	assert_int_equal(run(), 0);
	assert_int_equal(status_of(OPT(0)), EINVAL);
	assert_int_equal(((struct nmreq_opt_offsets *)um_at(&um, OPT(0)))->nro_max_offset, 0);

	/* a request that failed before it looked at options */
	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_OFFSETS);
	handler_error = -EBUSY;
	assert_int_equal(run(), -EBUSY);
	assert_int_equal(status_of(OPT(0)), EOPNOTSUPP);
	assert_int_equal(body_byte(), 0x11);
}

static void
test_writeback_keeps(void **state)
{
	struct nmreq_header *h = header(NETMAP_REQ_REGISTER);
	struct nmreq_option *o;

	OPTIONS(NETMAP_REQ_OPT_OFFSETS, NETMAP_REQ_OPT_CSB);
	o = um_at(&um, OPT(0));
	o->nro_size = 99;
	handler_takes = ~0U;
	memset(h->nr_name, 'x', sizeof(h->nr_name));
	assert_int_equal(run(), 0);
	assert_int_equal(h->nr_body, BODY);
	assert_int_equal(h->nr_options, OPT(0));
	assert_int_equal(o->nro_next, OPT(1));
	assert_int_equal(o->nro_size, 99);
	assert_int_equal(o->nro_reqtype, NETMAP_REQ_OPT_OFFSETS);
	assert_int_equal(h->nr_name[62], 'x');
	assert_int_equal(h->nr_name[63], 0);
	assert_int_equal(((struct nmreq_opt_offsets *)o)->nro_max_offset, 0x7777);
}

static void
test_vale_list_name(void **state)
{
	struct request_io io = um_io(&um);
	struct nmreq_header *h = header(NETMAP_REQ_VALE_LIST);

	h->nr_name[0] = '\0';
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	strcpy(req.msg.hdr.nr_name, "vale7:x");
	assert_int_equal(request_writeback(&io, &req, 0), 0);
	assert_string_equal(h->nr_name, "vale7:x");

	/* no other request gives a name back, nor does one that failed */
	h = header(NETMAP_REQ_PORT_INFO_GET);
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	strcpy(req.msg.hdr.nr_name, "other");
	assert_int_equal(request_writeback(&io, &req, 0), 0);
	assert_string_equal(h->nr_name, "vale0:a");
	h = header(NETMAP_REQ_VALE_LIST);
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	strcpy(req.msg.hdr.nr_name, "other");
	assert_int_equal(request_writeback(&io, &req, -ENOENT), -ENOENT);
	assert_string_equal(h->nr_name, "vale0:a");
}

/* A reply of nothing but 0xff moves no address, size or type. */
static void
test_hostile_reply(void **state)
{
	struct request_io io = um_io(&um);
	struct nmreq_header *h = header(NETMAP_REQ_VALE_LIST);
	struct nmreq_option *o;

	OPTIONS(NETMAP_REQ_OPT_OFFSETS, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS);
	o = um_at(&um, OPT(0));
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	memset(&req.msg, 0xff, sizeof(req.msg));
	assert_int_equal(request_writeback(&io, &req, 0), 0);
	assert_int_equal(um.stray_writes, 0);
	assert_int_equal(h->nr_body, BODY);
	assert_int_equal(h->nr_options, OPT(0));
	assert_int_equal(h->nr_reqtype, NETMAP_REQ_VALE_LIST);
	assert_int_equal(h->nr_name[63], 0);
	assert_int_equal(o->nro_next, OPT(1));
	assert_int_equal(o->nro_reqtype, NETMAP_REQ_OPT_OFFSETS);
	assert_int_equal(o->nro_status, 0xffffffff);
	assert_int_equal(((uint8_t *)um_at(&um, BODY))[7], 0xff);
	assert_int_equal(((uint8_t *)um_at(&um, BODY))[8], 0x11);
}

/* No byte of the message is left over from an earlier request, padding included. */
static void
test_message_leaks_nothing(void **state)
{
	struct request_io io = um_io(&um);
	struct request_msg *m = &req.msg;

	header(NETMAP_REQ_PORT_INFO_GET)->nr_options = BIGOPT;
	memset(um_at(&um, BODY), 0, 64);
	option_at(BIGOPT, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, 27);
	memset(m, 0xee, sizeof(*m));
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	assert_int_equal(m->len, REQUEST_MSG_MIN + 32 + 32);
	assert_null(memchr(m, 0xee, m->len));
	assert_int_equal(m->hdr.nr_options, 0);
	assert_int_equal(m->hdr.nr_body, 0);
}

static void
test_unclaimed(void **state)
{
	struct request_io io = um_io(&um);
	struct nmreq_option *o;

	header(NETMAP_REQ_REGISTER);
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	assert_false(request_unclaimed(&req.msg));
	assert_null(request_option(&req.msg, NETMAP_REQ_OPT_CSB));

	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_OFFSETS);
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	assert_true(request_unclaimed(&req.msg));
	o = request_option(&req.msg, NETMAP_REQ_OPT_OFFSETS);
	assert_non_null(o);
	assert_int_equal(o->nro_reqtype, NETMAP_REQ_OPT_OFFSETS);
	assert_true(request_unclaimed(&req.msg));
	o = request_option(&req.msg, NETMAP_REQ_OPT_CSB);
	assert_non_null(o);
	assert_false(request_unclaimed(&req.msg));
	o->nro_status = EINVAL;
	assert_false(request_unclaimed(&req.msg));
	assert_int_equal(request_finish(&req.msg, -EBUSY), -EBUSY);
	assert_int_equal(request_finish(&req.msg, 0), 0);
	o->nro_status = EOPNOTSUPP;
	assert_int_equal(request_finish(&req.msg, 0), -EOPNOTSUPP);
}

/* A message of a good request with one CSB and one OFFSETS option, for request_check to find fault with. */
static struct request_msg *
good_message(void)
{
	static struct request_msg m;
	struct request_io io = um_io(&um);

	header(NETMAP_REQ_REGISTER);
	OPTIONS(NETMAP_REQ_OPT_CSB, NETMAP_REQ_OPT_OFFSETS);
	assert_int_equal(request_gather(&io, HDR, &req), 0);
	m = req.msg;
	return &m;
}

static void
test_check_frame(void **state)
{
	struct request_msg *m = good_message();

	assert_int_equal(request_check(m, m->len), 0);
	assert_int_equal(m->len, REQUEST_MSG_MIN + 56 + 40 + 56);
	for (uint32_t len = 0; len <= sizeof(*m); len++) {
		if (len != m->len)
			assert_int_equal(request_check(m, len), -EPROTO);
	}
	/* the length says so itself, but the options do not fill it */
	for (uint32_t len = REQUEST_MSG_MIN; len <= sizeof(*m); len++) {
		m = good_message();
		if (len == m->len)
			continue;
		m->len = len;
		assert_int_equal(request_check(m, len), -EPROTO);
	}
}

#define CHECK_WITH(error, statement) do { \
	struct request_msg *m = good_message(); \
	statement; \
	assert_int_equal(request_check(m, m->len), error); \
} while (0)

static struct nmreq_option *
message_option(struct request_msg *m, unsigned int i)
{
	return (struct nmreq_option *)(m->data + 56 + i * 40);
}

static void
test_check_fields(void **state)
{
	CHECK_WITH(0, (void)m);
	CHECK_WITH(-EPROTO, m->nopts = 1);
	CHECK_WITH(-EPROTO, m->nopts = 3);
	CHECK_WITH(-EPROTO, m->nopts = 0xffff);
	CHECK_WITH(-EPROTO, m->kind = 2);
	CHECK_WITH(-EPROTO, m->kind = REQUEST_CONFIG);
	CHECK_WITH(-EPROTO, m->reserved = 1);
	CHECK_WITH(-EPROTO, m->body_size = 48);
	CHECK_WITH(-EPROTO, m->body_size = 57);
	CHECK_WITH(-EPROTO, m->body_size = 0xfffffff8);
	CHECK_WITH(-EPROTO, m->hdr.nr_reserved = 1);
	CHECK_WITH(-EINVAL, m->hdr.nr_version = 13);
	CHECK_WITH(-EINVAL, m->hdr.nr_version = 16);
	CHECK_WITH(-EINVAL, m->hdr.nr_reqtype = 16);
	CHECK_WITH(-EPROTO, m->hdr.nr_reqtype = NETMAP_REQ_PORT_INFO_GET);
	CHECK_WITH(-EPROTO, message_option(m, 0)->nro_reqtype = 0);
	CHECK_WITH(-EPROTO, message_option(m, 0)->nro_reqtype = NETMAP_REQ_OPT_OFFSETS);
	CHECK_WITH(-EPROTO, message_option(m, 0)->nro_reqtype = NETMAP_REQ_OPT_MAX);
	CHECK_WITH(-EPROTO, message_option(m, 1)->nro_reqtype = NETMAP_REQ_OPT_CSB);
	CHECK_WITH(-EPROTO, (message_option(m, 1)->nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS,
	    message_option(m, 1)->nro_size = 57));
	CHECK_WITH(0, (message_option(m, 1)->nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS,
	    message_option(m, 1)->nro_size = 56));
	CHECK_WITH(-EPROTO, (message_option(m, 1)->nro_reqtype = NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS,
	    message_option(m, 1)->nro_size = UINT64_MAX));
}

/* What a sender might hope to smuggle in is gone after the check. */
static void
test_check_normalises(void **state)
{
	struct request_msg *m = good_message();

	memset(m->hdr.nr_name, 'x', sizeof(m->hdr.nr_name));
	m->hdr.nr_body = 1;
	m->hdr.nr_options = 2;
	message_option(m, 0)->nro_next = 3;
	message_option(m, 0)->nro_status = 0;
	message_option(m, 1)->nro_status = 0;
	assert_int_equal(request_check(m, m->len), 0);
	assert_int_equal(m->hdr.nr_name[63], 0);
	assert_int_equal(m->hdr.nr_body, 0);
	assert_int_equal(m->hdr.nr_options, 0);
	assert_int_equal(message_option(m, 0)->nro_next, 0);
	assert_int_equal(message_option(m, 0)->nro_status, EOPNOTSUPP);
	assert_int_equal(message_option(m, 1)->nro_status, EOPNOTSUPP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_sizes),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_bad_header_pointer),
		cmocka_unit_test(test_bad_pointers),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_option_type_0),
		cmocka_unit_test(test_option_duplicates),
		cmocka_unit_test(test_option_loops),
		cmocka_unit_test(test_emsgsize),
		cmocka_unit_test(test_option_header_past_total),
		cmocka_unit_test(test_nro_size),
		cmocka_unit_test(test_option_status),
		cmocka_unit_test(test_writeback_keeps),
		cmocka_unit_test(test_vale_list_name),
		cmocka_unit_test(test_hostile_reply),
		cmocka_unit_test(test_message_leaks_nothing),
		cmocka_unit_test(test_unclaimed),
		cmocka_unit_test(test_check_frame),
		cmocka_unit_test(test_check_fields),
		cmocka_unit_test(test_check_normalises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
