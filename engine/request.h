/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The envelope of a control request.
 *
 * An ioctl's argument is a graph of pointers into the caller's memory. request_gather() turns it into one
 * flat message without pointers that anybody has to follow; the engine executes the message in place; and
 * request_writeback() carries the results back. The first and the last run where the caller's memory is,
 * the middle may run in another process:
 *
 *	caller's side				engine's side
 *	request_gather_ioctl()
 *	  send r->msg, r->len bytes  ----->	request_check(), then the handler:
 *						  request_body(), request_option(), request_unclaimed()
 *	  receive into r->msg	    <-----	request_finish()
 *	request_writeback()
 *
 * Neither side trusts the other. The engine's side believes nothing that request_check() has not seen. The
 * caller's side keeps every address, size and type in struct request, outside the message, so that a reply
 * can change only what the API lets a request return: body, option statuses, option bodies, and the name
 * that VALE_LIST finds.
 *
 * Errors are negative errno values in calls and results, positive ones in nro_status, as the API has it.
 */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi_types.h"
#include <net/netmap.h>

/*
 * How much a request may carry is part of the API: programs can see where EMSGSIZE begins. The reference
 * stages a request in a buffer of (2 + MAX) * 8 + 4096 + MAX * 8 bytes that also holds two pointers, a
 * table of MAX pointers, and one pointer for each option; besides, body and options together may not exceed
 * 4096 bytes.
 */
#define REQUEST_POINTER		8
#define REQUEST_STAGING_SIZE	((2 + NETMAP_REQ_OPT_MAX) * REQUEST_POINTER + NETMAP_REQ_MAXSIZE + \
				 NETMAP_REQ_OPT_MAX * REQUEST_POINTER)
#define REQUEST_STAGING_FIXED	((2 + NETMAP_REQ_OPT_MAX) * REQUEST_POINTER)
#define REQUEST_OPTIONS_MAX	((REQUEST_STAGING_SIZE - REQUEST_STAGING_FIXED) / \
				 (REQUEST_POINTER + sizeof(struct nmreq_option)))

enum request_kind {
	REQUEST_CTRL,		/* a struct nmreq_header request, also one that came as a legacy ioctl */
	REQUEST_CONFIG,		/* NIOCCONFIG: the body is a struct nm_ifreq, hdr.nr_name its name */
};

/*
 * The message. data[] holds the body, then the options one after the other, each with its header, each
 * starting at a multiple of 8. hdr.nr_body, hdr.nr_options and every nro_next are 0 in it.
 */
struct request_msg {
	uint32_t len;			/* of the message, in bytes, from the start of this struct */
	uint16_t kind;			/* enum request_kind */
	uint16_t nopts;			/* options in data[], 0 .. REQUEST_OPTIONS_MAX */
	uint32_t body_size;		/* bytes */
	uint32_t reserved;		/* 0 */
	struct nmreq_header hdr;
	uint8_t data[NETMAP_REQ_MAXSIZE] __attribute__((aligned(8)));
};

/* Bytes of a message that carries nothing in data[]: the least that can be sent. */
#define REQUEST_MSG_MIN		offsetof(struct request_msg, data)

/* Access to the caller's memory. Each returns 0, or -EFAULT if not all of the n bytes are accessible. */
struct request_io {
	void *ctx;
	int (*copy_in)(void *ctx, void *dst, uint64_t src, size_t n);
	int (*copy_out)(void *ctx, uint64_t dst, const void *src, size_t n);
};

/* What form the caller's argument has. */
enum request_arg {
	REQUEST_ARG_HEADER,
	REQUEST_ARG_LEGACY,
	REQUEST_ARG_IFREQ,
};

/* Where an option stands: in the caller's memory, and in msg.data[]. */
struct request_place {
	uint64_t addr;
	uint32_t offset;
	uint32_t body_size;		/* bytes after the option's header */
};

/*
 * A request on the caller's side. Only msg goes to the engine's side, and only msg comes back.
 * About 7 KiB: a host with small stacks allocates it.
 */
struct request {
	uint64_t addr;			/* of the argument; 0 if it was not read and is not to be written */
	uint64_t body_addr;
	uint32_t body_size;
	uint32_t len;			/* bytes of msg to send, and of the reply */
	uint16_t arg;			/* enum request_arg */
	uint16_t reqtype;
	uint32_t nopts;			/* options to be written back */
	union {
		struct nmreq_header hdr;
		struct nmreq nmr;
		struct nm_ifreq ifr;
	} old;				/* the argument as it came */
	struct request_place opts[REQUEST_OPTIONS_MAX];
	struct request_msg msg;
};

/*
 * Caller's side.
 *
 * request_gather_ioctl() takes NIOCCTRL, NIOCREGIF, NIOCGINFO and NIOCCONFIG; any other number is -EOPNOTSUPP
 * (the sync ioctls are no requests, hosts handle them before). request_gather() is its NIOCCTRL. A failure is
 * the ioctl's result, but the caller's memory still has to hear of it: whatever was returned,
 * request_writeback() must follow.
 *
 * request_writeback() takes the result of the request, 0 or -errno, and returns the result of the ioctl: the
 * same, or -EFAULT if the request succeeded and its results cannot be stored.
 */
int request_gather_ioctl(const struct request_io *io, uint32_t cmd, uint64_t arg, struct request *r);
int request_gather(const struct request_io *io, uint64_t user_hdr, struct request *r);
int request_writeback(const struct request_io *io, struct request *r, int error);

/*
 * Engine's side.
 *
 * request_check() decides whether len bytes at m, all of them hostile, are a request, and makes it one that
 * the functions below can walk: the name ends, statuses start as EOPNOTSUPP, pointers are gone. m must be
 * aligned to 8 bytes, have room for a whole struct request_msg, and belong to the caller alone from here on
 * (not shared memory). Returns 0; -EINVAL if the message is well formed but asks for a version or a request
 * that does not exist; -EPROTO if it is one that request_gather() never makes: drop the sender.
 */
int request_check(struct request_msg *m, size_t len);

/* The body, to be read and then overwritten in place with the outputs; NULL if this request has none. */
void *request_body(struct request_msg *m);

/*
 * The option of this type with its header, or NULL if there is none. Having asked counts as consuming it: its
 * status becomes 0, and the handler overwrites that with a positive errno if it cannot be done (EOPNOTSUPP
 * included, which then counts as unclaimed again). The body is to be read, and overwritten, in place; the
 * header's type and size must stay.
 */
struct nmreq_option *request_option(struct request_msg *m, uint32_t type);

/* The EXTMEM option of a REGISTER, claimed likewise; NULL if there is none. */
struct nmreq_opt_extmem *request_extmem(struct request_msg *m);

/*
 * Is some option still at EOPNOTSUPP? REGISTER asks after it has consumed what it knows and passed every
 * other check, and before it takes effect: such a request must fail with -EOPNOTSUPP and leave nothing
 * behind.
 */
bool request_unclaimed(struct request_msg *m);

/*
 * Ends a request with the handler's result and returns the final one: a REGISTER with an unclaimed option is
 * -EOPNOTSUPP even if the handler said 0 (which must then undo it); other requests merely report it in the
 * option's status.
 */
int request_finish(struct request_msg *m, int error);

/* Bytes of the body of a request type, 0 if it has none, -1 if there is no such type. */
int request_body_size(uint32_t reqtype);

/*
 * Legacy ioctls. legacy_to_msg() makes the request that means the same as nmr, cmd being NIOCREGIF or
 * NIOCGINFO; -EINVAL or -ENOMEM if there is none. legacy_from_msg() puts the outputs of a request of type
 * reqtype, made so, into nmr.
 */
int legacy_to_msg(const struct nmreq *nmr, uint32_t cmd, struct request_msg *m);
void legacy_from_msg(struct nmreq *nmr, uint16_t reqtype, const struct request_msg *m);

#endif
