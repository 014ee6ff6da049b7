/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The envelope of a control request: from pointers in the caller's memory to one flat message and back, and
 * the options in it. See request.h for who runs which part.
 *
 * Everything that a program can observe here is part of the API: which errors come in which order, where
 * EMSGSIZE begins, which options hear of a failure. The tests in tests/unit_request state the rules one by
 * one.
 */
#include "request.h"

#include "bytes.h"
#include "errno_abi.h"

_Static_assert(sizeof(struct nmreq_header) == 88, "ABI");
_Static_assert(sizeof(struct nmreq_option) == 24, "ABI");
_Static_assert(REQUEST_STAGING_SIZE == 4208, "ABI");
_Static_assert(sizeof(struct request_msg) == REQUEST_MSG_MIN + NETMAP_REQ_MAXSIZE, "no tail");
_Static_assert(REQUEST_MSG_MIN % 8 == 0, "data[] is aligned");

#define OPTION_HEADER		((uint32_t)sizeof(struct nmreq_option))
#define OPTION_BODY(type)	((uint32_t)(sizeof(struct type) - sizeof(struct nmreq_option)))

/* What a request has used up so far of what it may carry. */
struct allowance {
	uint32_t staged;	/* bytes of the reference's staging buffer */
	uint32_t total;		/* bytes of body, option headers and option bodies */
};

int
request_body_size(uint32_t reqtype)
{
	switch (reqtype) {
	case NETMAP_REQ_REGISTER:
		return sizeof(struct nmreq_register);
	case NETMAP_REQ_PORT_INFO_GET:
		return sizeof(struct nmreq_port_info_get);
	case NETMAP_REQ_VALE_ATTACH:
		return sizeof(struct nmreq_vale_attach);
	case NETMAP_REQ_VALE_DETACH:
		return sizeof(struct nmreq_vale_detach);
	case NETMAP_REQ_VALE_LIST:
		return sizeof(struct nmreq_vale_list);
	case NETMAP_REQ_PORT_HDR_SET:
	case NETMAP_REQ_PORT_HDR_GET:
		return sizeof(struct nmreq_port_hdr);
	case NETMAP_REQ_VALE_NEWIF:
		return sizeof(struct nmreq_vale_newif);
	case NETMAP_REQ_VALE_POLLING_ENABLE:
	case NETMAP_REQ_VALE_POLLING_DISABLE:
		return sizeof(struct nmreq_vale_polling);
	case NETMAP_REQ_POOLS_INFO_GET:
		return sizeof(struct nmreq_pools_info);
	case NETMAP_REQ_SYNC_KLOOP_START:
		return sizeof(struct nmreq_sync_kloop_start);
	case NETMAP_REQ_VALE_DELIF:
	case NETMAP_REQ_SYNC_KLOOP_STOP:
	case NETMAP_REQ_CSB_ENABLE:
		return 0;
	default:
		return -1;
	}
}

/* Bytes after the header of an option. Only an option of variable size is asked for its nro_size. */
static int
option_body_size(const struct nmreq_option *opt, uint32_t *size)
{
	switch (opt->nro_reqtype) {
	case NETMAP_REQ_OPT_EXTMEM:
		*size = OPTION_BODY(nmreq_opt_extmem);
		return 0;
	case NETMAP_REQ_OPT_CSB:
		*size = OPTION_BODY(nmreq_opt_csb);
		return 0;
	case NETMAP_REQ_OPT_SYNC_KLOOP_MODE:
		*size = OPTION_BODY(nmreq_opt_sync_kloop_mode);
		return 0;
	case NETMAP_REQ_OPT_OFFSETS:
		*size = OPTION_BODY(nmreq_opt_offsets);
		return 0;
	case NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS:
		if (opt->nro_size > NETMAP_REQ_MAXSIZE)
			return -EMSGSIZE;
		*size = opt->nro_size < OPTION_HEADER ? 0 : (uint32_t)opt->nro_size - OPTION_HEADER;
		return 0;
	default:
		*size = 0;
		return 0;
	}
}

/* Options start at multiples of 8, so this is what one occupies in data[]. */
static uint32_t
option_stride(uint32_t body_size)
{
	return OPTION_HEADER + ((body_size + 7) & ~7U);
}

static void
allowance_init(struct allowance *a, uint32_t body_size)
{
	a->staged = REQUEST_STAGING_FIXED + body_size;
	a->total = body_size;
}

static bool
allowance_has_header(const struct allowance *a)
{
	return a->staged + REQUEST_POINTER + OPTION_HEADER <= REQUEST_STAGING_SIZE;
}

/* Takes the header (that there was room for) and the body of one option. */
static int
allowance_take(struct allowance *a, uint32_t body_size)
{
	a->staged += REQUEST_POINTER + OPTION_HEADER + body_size;
	a->total += OPTION_HEADER + body_size;
	if (a->staged > REQUEST_STAGING_SIZE || a->total > NETMAP_REQ_MAXSIZE)
		return -EMSGSIZE;
	return 0;
}

/* ---- caller's side: gather ---- */

static struct nmreq_option *
msg_option_at(struct request_msg *m, uint32_t offset)
{
	return (struct nmreq_option *)(m->data + offset);
}

/* The place of an option of this known type among those gathered so far. */
static struct nmreq_option *
gathered_option(struct request *r, uint32_t type)
{
	if (type >= NETMAP_REQ_OPT_MAX)
		return NULL;
	for (uint32_t i = 0; i < r->nopts; i++) {
		struct nmreq_option *opt = msg_option_at(&r->msg, r->opts[i].offset);

		if (opt->nro_reqtype == type)
			return opt;
	}
	return NULL;
}

/*
 * Reads the option at addr to the end of the message; *next is where the list goes on. From the moment its
 * header is known the option is one of r->opts, so that it hears of whatever goes wrong.
 */
static int
option_gather(const struct request_io *io, uint64_t addr, struct request *r, struct allowance *left,
    uint64_t *next)
{
	struct request_place *place = &r->opts[r->nopts];
	struct nmreq_option hdr, *same, *opt;
	uint32_t body_size;
	int error;

	if (io->copy_in(io->ctx, &hdr, addr, sizeof(hdr)))
		return -EFAULT;
	*next = hdr.nro_next;
	hdr.nro_next = 0;
	hdr.nro_status = 0;
	same = gathered_option(r, hdr.nro_reqtype);

	/* A long body before may have left less than a header of data[], with the staging buffer not full. */
	if (left->total + OPTION_HEADER > NETMAP_REQ_MAXSIZE)
		return -EMSGSIZE;
	place->addr = addr;
	place->offset = r->len - REQUEST_MSG_MIN;
	place->body_size = 0;
	opt = msg_option_at(&r->msg, place->offset);
	*opt = hdr;
	r->nopts++;

	if (hdr.nro_reqtype == 0) {
		opt->nro_status = EINVAL;
		return -EINVAL;
	}
	if (same != NULL) {
		same->nro_status = EINVAL;
		opt->nro_status = EINVAL;
		return -EINVAL;
	}
	error = option_body_size(&hdr, &body_size);
	if (error)
		return error;
	error = allowance_take(left, body_size);
	if (error)
		return error;
	bytes_zero(opt + 1, option_stride(body_size) - OPTION_HEADER);
	if (body_size != 0 && io->copy_in(io->ctx, opt + 1, addr + OPTION_HEADER, body_size))
		return -EFAULT;
	place->body_size = body_size;
	r->len += option_stride(body_size);
	return 0;
}

static void
msg_reset_statuses(struct request *r)
{
	for (uint32_t i = 0; i < r->nopts; i++)
		msg_option_at(&r->msg, r->opts[i].offset)->nro_status = EOPNOTSUPP;
}

static int
options_gather(const struct request_io *io, uint64_t addr, struct request *r)
{
	struct allowance left;
	int error;

	allowance_init(&left, r->body_size);
	while (addr != 0) {
		if (!allowance_has_header(&left)) {
			/* The list is too long, or a loop: none of it is written to. */
			r->nopts = 0;
			return -EMSGSIZE;
		}
		error = option_gather(io, addr, r, &left, &addr);
		if (error)
			return error;
	}
	msg_reset_statuses(r);
	return 0;
}

/* Gathers body and options; r->old.hdr is the header, already accepted. */
static int
parts_gather(const struct request_io *io, struct request *r)
{
	const struct nmreq_header *hdr = &r->old.hdr;
	int size = request_body_size(hdr->nr_reqtype);
	int error;

	/* A request that does not exist is refused as such only after its options were looked at. */
	r->body_size = size > 0 ? (uint32_t)size : 0;
	if ((r->body_size != 0) != (hdr->nr_body != 0))
		return -EINVAL;
	if (r->body_size != 0 && io->copy_in(io->ctx, r->msg.data, hdr->nr_body, r->body_size))
		return -EFAULT;
	r->body_addr = hdr->nr_body;
	r->len = (uint32_t)REQUEST_MSG_MIN + r->body_size;
	error = options_gather(io, hdr->nr_options, r);
	if (error)
		return error;
	return size < 0 ? -EINVAL : 0;
}

static void
request_reset(struct request *r, uint64_t addr, enum request_arg arg)
{
	r->addr = addr;
	r->body_addr = 0;
	r->body_size = 0;
	r->len = 0;
	r->arg = (uint16_t)arg;
	r->reqtype = 0;
	r->nopts = 0;
	bytes_zero(&r->msg, REQUEST_MSG_MIN);
}

/* Reads the ioctl's argument into r->old. */
static int
arg_gather(const struct request_io *io, uint64_t addr, enum request_arg arg, size_t size, struct request *r)
{
	request_reset(r, 0, arg);
	if (addr == 0)
		return -EINVAL;
	if (io->copy_in(io->ctx, &r->old, addr, size))
		return -EFAULT;
	r->addr = addr;
	return 0;
}

int
request_gather(const struct request_io *io, uint64_t user_hdr, struct request *r)
{
	struct nmreq_header *hdr = &r->old.hdr;
	int error;

	error = arg_gather(io, user_hdr, REQUEST_ARG_HEADER, sizeof(*hdr), r);
	if (error)
		return error;
	if (hdr->nr_version < NETMAP_MIN_API || hdr->nr_version > NETMAP_MAX_API)
		return -EINVAL;
	if (hdr->nr_reserved != 0)
		return -EINVAL;
	hdr->nr_name[NETMAP_REQ_IFNAMSIZ - 1] = '\0';
	error = parts_gather(io, r);
	if (error)
		return error;

	r->reqtype = hdr->nr_reqtype;
	r->msg.len = r->len;
	r->msg.kind = REQUEST_CTRL;
	r->msg.nopts = (uint16_t)r->nopts;
	r->msg.body_size = r->body_size;
	r->msg.hdr = *hdr;
	r->msg.hdr.nr_options = 0;
	r->msg.hdr.nr_body = 0;
	return 0;
}

static int
legacy_gather(const struct request_io *io, uint32_t cmd, uint64_t addr, struct request *r)
{
	int error;

	error = arg_gather(io, addr, REQUEST_ARG_LEGACY, sizeof(r->old.nmr), r);
	if (error)
		return error;
	error = legacy_to_msg(&r->old.nmr, cmd, &r->msg);
	if (error)
		return error;
	r->len = r->msg.len;
	r->reqtype = r->msg.hdr.nr_reqtype;
	return 0;
}

static int
config_gather(const struct request_io *io, uint64_t addr, struct request *r)
{
	struct request_msg *m = &r->msg;
	int error;

	error = arg_gather(io, addr, REQUEST_ARG_IFREQ, sizeof(r->old.ifr), r);
	if (error)
		return error;
	r->len = (uint32_t)(REQUEST_MSG_MIN + sizeof(r->old.ifr));
	m->len = r->len;
	m->kind = REQUEST_CONFIG;
	m->body_size = sizeof(r->old.ifr);
	m->hdr.nr_version = NETMAP_API;
	str_copy(m->hdr.nr_name, sizeof(m->hdr.nr_name), r->old.ifr.nifr_name, sizeof(r->old.ifr.nifr_name));
	bytes_copy(m->data, &r->old.ifr, sizeof(r->old.ifr));
	return 0;
}

int
request_gather_ioctl(const struct request_io *io, uint32_t cmd, uint64_t arg, struct request *r)
{
	switch (cmd) {
	case NIOCCTRL:
		return request_gather(io, arg, r);
	case NIOCREGIF:
	case NIOCGINFO:
		return legacy_gather(io, cmd, arg, r);
	case NIOCCONFIG:
		return config_gather(io, arg, r);
	default:
		request_reset(r, 0, REQUEST_ARG_HEADER);
		return -EOPNOTSUPP;
	}
}

/* ---- caller's side: write back ---- */

/*
 * Of an option's header only the status is written: the rest is as it was. The body follows if the request
 * and the option succeeded.
 */
static int
option_writeback(const struct request_io *io, const struct request_place *place, struct request_msg *m,
    bool success)
{
	struct nmreq_option *opt = msg_option_at(m, place->offset);
	uint64_t status_addr = place->addr + offsetof(struct nmreq_option, nro_status);
	uint32_t status = opt->nro_status;

	if (io->copy_out(io->ctx, status_addr, &status, sizeof(status)))
		return -EFAULT;
	if (!success || status != 0 || place->body_size == 0)
		return 0;
	if (io->copy_out(io->ctx, place->addr + OPTION_HEADER, opt + 1, place->body_size))
		return -EFAULT;
	return 0;
}

static int
header_writeback(const struct request_io *io, struct request *r, int error)
{
	int result = error;

	if (result == 0 && r->body_size != 0 &&
	    io->copy_out(io->ctx, r->body_addr, r->msg.data, r->body_size))
		result = -EFAULT;
	for (uint32_t i = 0; i < r->nopts; i++) {
		int fault = option_writeback(io, &r->opts[i], &r->msg, result == 0);

		if (fault && result == 0)
			result = fault;
	}
	if (error == 0 && r->reqtype == NETMAP_REQ_VALE_LIST)
		str_copy(r->old.hdr.nr_name, NETMAP_REQ_IFNAMSIZ, r->msg.hdr.nr_name, NETMAP_REQ_IFNAMSIZ);
	if (io->copy_out(io->ctx, r->addr, &r->old.hdr, sizeof(r->old.hdr)) && result == 0)
		result = -EFAULT;
	return result;
}

int
request_writeback(const struct request_io *io, struct request *r, int error)
{
	size_t size = 0;

	if (r->addr == 0)
		return error;
	switch (r->arg) {
	case REQUEST_ARG_HEADER:
		return header_writeback(io, r, error);
	case REQUEST_ARG_LEGACY:
		size = sizeof(r->old.nmr);
		if (error == 0)
			legacy_from_msg(&r->old.nmr, r->reqtype, &r->msg);
		break;
	case REQUEST_ARG_IFREQ:
		size = sizeof(r->old.ifr);
		if (error == 0)
			bytes_copy(&r->old.ifr, r->msg.data, size);
		break;
	}
	if (io->copy_out(io->ctx, r->addr, &r->old, size) && error == 0)
		error = -EFAULT;
	return error;
}

/* ---- engine's side ---- */

/*
 * Checks the option at *offset, makes it a fresh one, and moves *offset past it. seen has a bit for each
 * known type that came before.
 */
static int
option_check(struct request_msg *m, uint32_t *offset, uint32_t end, struct allowance *left, uint32_t *seen)
{
	struct nmreq_option *opt = msg_option_at(m, *offset);
	uint32_t body_size;

	if (end - *offset < OPTION_HEADER || !allowance_has_header(left))
		return -EPROTO;
	if (opt->nro_reqtype == 0 || option_body_size(opt, &body_size) || allowance_take(left, body_size))
		return -EPROTO;
	if (end - *offset < option_stride(body_size))
		return -EPROTO;
	if (opt->nro_reqtype < NETMAP_REQ_OPT_MAX) {
		if (*seen & (1U << opt->nro_reqtype))
			return -EPROTO;
		*seen |= 1U << opt->nro_reqtype;
	}
	opt->nro_next = 0;
	opt->nro_status = EOPNOTSUPP;
	*offset += option_stride(body_size);
	return 0;
}

static int
options_check(struct request_msg *m)
{
	uint32_t end = m->len - (uint32_t)REQUEST_MSG_MIN;
	uint32_t offset = m->body_size;
	struct allowance left;
	uint32_t seen = 0;

	allowance_init(&left, m->body_size);
	for (uint32_t i = 0; i < m->nopts; i++) {
		int error = option_check(m, &offset, end, &left, &seen);

		if (error)
			return error;
	}
	return offset == end ? 0 : -EPROTO;
}

int
request_check(struct request_msg *m, size_t len)
{
	int size;

	if (len < REQUEST_MSG_MIN || len > sizeof(*m) || m->len != len)
		return -EPROTO;
	if (m->reserved != 0 || m->body_size > len - REQUEST_MSG_MIN || m->body_size % 8 != 0)
		return -EPROTO;
	m->hdr.nr_name[NETMAP_REQ_IFNAMSIZ - 1] = '\0';
	m->hdr.nr_options = 0;
	m->hdr.nr_body = 0;
	if (m->hdr.nr_reserved != 0)
		return -EPROTO;
	if (m->kind == REQUEST_CONFIG) {
		if (m->nopts != 0 || m->body_size != sizeof(struct nm_ifreq) ||
		    len != REQUEST_MSG_MIN + m->body_size)
			return -EPROTO;
		return 0;
	}
	if (m->kind != REQUEST_CTRL)
		return -EPROTO;
	if (m->hdr.nr_version < NETMAP_MIN_API || m->hdr.nr_version > NETMAP_MAX_API)
		return -EINVAL;
	size = request_body_size(m->hdr.nr_reqtype);
	if (size < 0)
		return -EINVAL;
	if (m->body_size != (uint32_t)size)
		return -EPROTO;
	return options_check(m);
}

void *
request_body(struct request_msg *m)
{
	return m->body_size != 0 ? m->data : NULL;
}

/* Calls for each option of a checked message, first to last: *offset starts at m->body_size. */
static struct nmreq_option *
option_next(struct request_msg *m, uint32_t *offset)
{
	struct nmreq_option *opt = msg_option_at(m, *offset);
	uint32_t body_size = 0;

	if (*offset >= m->len - REQUEST_MSG_MIN || option_body_size(opt, &body_size))
		return NULL;
	*offset += option_stride(body_size);
	return opt;
}

struct nmreq_option *
request_option(struct request_msg *m, uint32_t type)
{
	uint32_t offset = m->body_size;
	struct nmreq_option *opt;

	while ((opt = option_next(m, &offset)) != NULL) {
		if (opt->nro_reqtype == type) {
			opt->nro_status = 0;
			return opt;
		}
	}
	return NULL;
}

struct nmreq_opt_extmem *
request_extmem(struct request_msg *m)
{
	if (m->kind != REQUEST_CTRL || m->hdr.nr_reqtype != NETMAP_REQ_REGISTER)
		return NULL;
	return (struct nmreq_opt_extmem *)request_option(m, NETMAP_REQ_OPT_EXTMEM);
}

bool
request_unclaimed(struct request_msg *m)
{
	uint32_t offset = m->body_size;
	struct nmreq_option *opt;

	while ((opt = option_next(m, &offset)) != NULL) {
		if (opt->nro_status == EOPNOTSUPP)
			return true;
	}
	return false;
}

int
request_finish(struct request_msg *m, int error)
{
	if (error == 0 && m->kind == REQUEST_CTRL && m->hdr.nr_reqtype == NETMAP_REQ_REGISTER &&
	    request_unclaimed(m))
		return -EOPNOTSUPP;
	return error;
}
