/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libnetmap: open netmap ports by name, share memory mappings between them, build control requests.
 *
 * Conventions: functions that return an int return 0, or -1 with errno set; functions that return a pointer
 * return NULL with errno set. In both cases the context's error callback has been called with one line of
 * text that says what went wrong. Functions called undo, delete, close and cleanup do not change errno.
 *
 * A descriptor (struct nmport_d) is used by one thread at a time. What several descriptors share, the list of
 * mappings of their context, is protected by the context's lock.
 *
 * Define LIBNETMAP_NOTHREADSAFE before including this file if the program has one thread only: a statically
 * linked program then needs no pthread mutex. Define NETMAP_WITH_LIBS for the older nm_open() family as well.
 */
#ifndef LIBNETMAP_H_
#define LIBNETMAP_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <net/netmap_user.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Port names
 *
 *	portspec   = subsystem ":" vpname [mode] {"/" flags | "@" memid} {option}
 *	subsystem  = "netmap" | "vale" [identifier]
 *	mode       = "^" | "^" N | "*" | "-" N
 *	option     = "@" name ("=" value | ":" key "=" value) {"," key "=" value}
 *
 * mode	nothing: all NIC rings; "^": all host rings; "^N": host ring N; "*": NIC and host rings; "-N": NIC
 *	ring pair N. N is 0 .. 4094.
 * flags	x exclusive, t monitor transmission, r monitor reception, z monitor without copies, R receive
 *	rings only, T transmit rings only; in any order.
 * memid	1 .. 65535: the memory region that the port shall use.
 * vpname	a network interface, or a port of the switch; with "{id" or "}id" behind it one end of the
 *	pipe id. It ends at the first of "-*^/@". A network interface with a "-" in its name is recognized if
 *	it exists; of several that fit the longest wins.
 * option	share, conf, extmem, offset: libnetmap(3) has their keys.
 */

struct nmctx;
struct nmport_d;
struct nmport_cleanup_d;

/* A memory mapping, shared by all descriptors of a context that use the same region. */
struct nmem_d {
	uint16_t	mem_id;		/* the region */
	int		refcount;	/* descriptors that use the mapping */
	void		*mem;
	size_t		size;		/* bytes at mem */
	int		is_extmem;	/* not 0: the memory belongs to somebody else and is not unmapped */
	struct nmem_d	*next;
	struct nmem_d	*prev;
};

/*
 * A port. Programs may read all fields, and change hdr and reg between nmport_parse() and nmport_register().
 */
struct nmport_d {
	struct nmreq_header	hdr;
	struct nmreq_register	reg;
	struct nmem_d		*mem;		/* a->mem == b->mem: same region, buffers may be swapped */
	struct nmctx		*ctx;
	int			register_done;
	int			mmap_done;
	struct nmreq_opt_extmem	*extmem;	/* the EXTMEM option, if there is one */
	int			fd;		/* -1 while not registered */
	struct netmap_if	*nifp;
	uint16_t		first_tx_ring;	/* the rings that the descriptor is bound to; */
	uint16_t		last_tx_ring;	/* none: first is their number and last is one less */
	uint16_t		first_rx_ring;
	uint16_t		last_rx_ring;
	uint16_t		cur_tx_ring;	/* where nmport_inject() starts */
	uint16_t		cur_rx_ring;	/* the program's */
	struct nmport_cleanup_d	*clist;		/* what undo_parse() has to undo */
};

/*
 * ---- Opening and closing ----
 */

/*
 * Open the port that a portspec names: nmport_prepare() and nmport_open_desc(). The result belongs to the
 * caller, who gives it to nmport_close().
 */
struct nmport_d *nmport_open(const char *portspec);

/* nmport_undo_open_desc() and nmport_undo_prepare(). d may be NULL. */
void nmport_close(struct nmport_d *d);

/*
 * Put size bytes of buf into a transmit ring as one packet, in several slots if it does not fit into one. The
 * rings are tried in turn, beginning with cur_tx_ring. Nothing is sent before the next sync (NIOCTXSYNC,
 * poll). Returns size, or 0 if no ring has room.
 */
int nmport_inject(struct nmport_d *d, const void *buf, size_t size);

/*
 * ---- Opening in steps ----
 *
 * The steps are new, parse, register, mmap; each has an inverse, to be called in the opposite order.
 */

/* An empty descriptor in the default context, its header ready for a REGISTER request. */
struct nmport_d *nmport_new(void);

/*
 * Fill header, registration and options of d from a portspec. What is not named there is left as it is; a
 * memory id that d has already must agree. On failure d is as after nmport_undo_parse().
 * Errors: EINVAL (the message tells where), EOPNOTSUPP (an option that is disabled), ENOMEM, those of the
 * options.
 */
int nmport_parse(struct nmport_d *d, const char *portspec);

/*
 * Open the netmap device and bind the descriptor. d->reg then has the actual values.
 * Errors: EINVAL if that was done before, those of open() and of the request.
 */
int nmport_register(struct nmport_d *d);

/*
 * Map the memory of a registered port, or take the mapping of its region that the context has already. Sets
 * mem, nifp and the ring numbers. Errors: EINVAL if not registered, or mapped already; those of mmap().
 */
int nmport_mmap(struct nmport_d *d);

/* Inverses: of nmport_new, nmport_parse, nmport_register, nmport_mmap. */
void nmport_delete(struct nmport_d *d);
void nmport_undo_parse(struct nmport_d *d);
void nmport_undo_register(struct nmport_d *d);
void nmport_undo_mmap(struct nmport_d *d);

/* nmport_new() and nmport_parse(), and the inverse. */
struct nmport_d *nmport_prepare(const char *portspec);
void nmport_undo_prepare(struct nmport_d *d);

/* nmport_register() and nmport_mmap(), and the inverse. */
int nmport_open_desc(struct nmport_d *d);
void nmport_undo_open_desc(struct nmport_d *d);

/*
 * A new, unregistered descriptor with header and registration of d, memory id included, and without its
 * options.
 * Error: EINVAL if d has external memory and is not registered (there is no memory id yet).
 */
struct nmport_d *nmport_clone(struct nmport_d *d);

/*
 * ---- Options of a port ----
 */

/*
 * Use size bytes at base as the memory region. The memory stays the caller's, and must stay while any port
 * uses the region. Error: EINVAL if d is registered, or has external memory already.
 */
int nmport_extmem(struct nmport_d *d, void *base, size_t size);

/* The same with a file, mapped shared in its whole length. The mapping lasts as long as a port uses it. */
int nmport_extmem_from_file(struct nmport_d *d, const char *fname);

/*
 * The pool sizes of the external memory, to be set before nmport_register() and read after it. NULL if there
 * is none.
 */
struct nmreq_pools_info *nmport_extmem_getinfo(struct nmport_d *d);

/*
 * Ask for packets that start at an offset in their buffers: initial in every slot at first, at most maxoff,
 * in bytes; bits of slot.ptr hold the offset (0 = 64); mingap bytes are left free behind a packet.
 */
int nmport_offset(struct nmport_d *d, uint64_t initial, uint64_t maxoff, uint64_t bits, uint64_t mingap);

/*
 * Forbid or allow an option of portspecs, for the whole process. "offset" is forbidden at first: programs
 * that know about offsets allow it. Enabling an unknown option is EOPNOTSUPP, disabling one does nothing.
 */
void nmport_disable_option(const char *name);
int nmport_enable_option(const char *name);

/*
 * ---- Requests ----
 */

/* Zero h and make it a header of the current API for reqtype; body is the request's body, or NULL. */
void nmreq_header_init(struct nmreq_header *h, uint16_t reqtype, void *body);

/*
 * Decode subsystem and vpname at *spec. On success nr_name is set, and *spec points at what follows. On
 * failure both are unchanged and errno is EINVAL.
 */
int nmreq_header_decode(const char **spec, struct nmreq_header *h, struct nmctx *ctx);

/*
 * Decode mode, flags and memory id at *mode. On success nr_mode, nr_ringid and nr_flags are overwritten,
 * nr_mem_id is set if one is given, and *mode points at the first option or the end. An nr_mem_id that is not
 * 0 must agree with the one given. On failure both are unchanged and errno is EINVAL.
 */
int nmreq_register_decode(const char **mode, struct nmreq_register *reg, struct nmctx *ctx);

#define NMREQ_OPT_MAXKEYS	16

/* Handed to the parse function of an option. */
struct nmreq_parse_ctx {
	struct nmctx	*ctx;
	void		*token;				/* from nmreq_options_decode() */
	const char	*keys[NMREQ_OPT_MAXKEYS];	/* value of the key with this id, NULL if not given */
};

struct nmreq_opt_key {
	const char	*key;
	int		id;				/* 0 .. NMREQ_OPT_MAXKEYS - 1 */
	unsigned int	flags;
#define NMREQ_OPTK_ALLOWEMPTY	1	/* the value may be missing, it is then "" */
#define NMREQ_OPTK_MUSTSET	2	/* mandatory */
#define NMREQ_OPTK_DEFAULT	4	/* the key that "@option=value" sets */
};

/* Describes one option of portspecs. */
struct nmreq_opt_parser {
	const char		*prefix;		/* name of the option */
	int			(*parse)(struct nmreq_parse_ctx *);	/* 0, or -1 with errno set */
	int			default_key;		/* id of the DEFAULT key, -1 if none */
	int			nr_keys;
	unsigned int		flags;
#define NMREQ_OPTF_DISABLED	1	/* the option is refused with EOPNOTSUPP */
#define NMREQ_OPTF_ALLOWEMPTY	2	/* "@option" without a key is fine */
	struct nmreq_opt_parser	*next;
	struct nmreq_opt_key	keys[NMREQ_OPT_MAXKEYS];
} __attribute__((__aligned__(16)));

/*
 * Decode a list of options, which is empty or starts with "@", with the given list of parsers. All of the
 * text is checked before the first parse function is called. The values that parse functions see last until
 * they return.
 * Errors: EINVAL (unknown option or key, key twice, key or value missing), EOPNOTSUPP (disabled), ENOMEM, and
 * those of the parse functions.
 */
int nmreq_options_decode(const char *opt, struct nmreq_opt_parser *parsers, void *token, struct nmctx *ctx);

/*
 * Ask for the memory id of the port named at *portname. Returns it, with *portname after the name; or -1 with
 * errno set and *portname unchanged.
 */
int32_t nmreq_get_mem_id(const char **portname, struct nmctx *ctx);

/* The options of a request are a list that belongs to the caller. push puts o in front of it. */
void nmreq_push_option(struct nmreq_header *h, struct nmreq_option *o);

/* Takes o out of the list; nothing happens if it is not there. */
void nmreq_remove_option(struct nmreq_header *h, struct nmreq_option *o);

/* The first option of the given type, or NULL. */
struct nmreq_option *nmreq_find_option(struct nmreq_header *h, uint32_t type);

/* Empties the list, and calls free() for each option. */
void nmreq_free_options(struct nmreq_header *h);

/* Name of an option type, "unknown" if it has none. */
const char *nmreq_option_name(uint32_t type);

#define nmreq_foreach_option(h_, o_)							\
	for ((o_) = (struct nmreq_option *)(uintptr_t)(h_)->nr_options; (o_) != NULL;	\
	     (o_) = (struct nmreq_option *)(uintptr_t)(o_)->nro_next)

/*
 * ---- Contexts ----
 *
 * A context says how to report errors, allocate and lock, and has the list of mappings that its ports share.
 * A program can install its own as the default, for the ports that are made after that; it must outlive them.
 */

struct nmctx {
	int		verbose;	/* 0: the default error callback is silent */
	void		(*error)(struct nmctx *, const char *text);	/* one line, without "\n" */
	void		*(*malloc)(struct nmctx *, size_t size);	/* NULL: failed */
	void		(*free)(struct nmctx *, void *p);		/* p may be NULL */
	void		(*lock)(struct nmctx *, int acquire);		/* NULL: one thread only */
	struct nmem_d	*mem_descs;					/* NULL at first */
};

/* The default context. */
struct nmctx *nmctx_get(void);

/* Makes ctx the default and returns the one that it was. */
struct nmctx *nmctx_set_default(struct nmctx *ctx);

/* Makes a context whose lock is a pthread mutex the default. */
void nmctx_set_threadsafe(void);

/* Passes a formatted text, of up to 511 characters, to ctx->error. errno does not change. */
void nmctx_ferror(struct nmctx *ctx, const char *fmt, ...) __attribute__((__format__(__printf__, 2, 3)));

/* The callbacks of ctx. A failed nmctx_malloc() sets errno to ENOMEM. */
void *nmctx_malloc(struct nmctx *ctx, size_t size);
void nmctx_free(struct nmctx *ctx, void *p);
void nmctx_lock(struct nmctx *ctx);
void nmctx_unlock(struct nmctx *ctx);

#ifndef LIBNETMAP_NOTHREADSAFE
/* Referring to this brings in the object whose constructor calls nmctx_set_threadsafe(). */
extern int nmctx_threadsafe;
static int *const nmctx_threadsafe_wanted __attribute__((__used__)) = &nmctx_threadsafe;
#endif

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* LIBNETMAP_H_ */
