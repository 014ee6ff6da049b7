/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sources of the public API share among themselves: parsing with positions for messages, the options
 * of portspecs, and the clean-up records of a port.
 */
#ifndef LIBNETMAP_NMPORT_INTERNAL_H_
#define LIBNETMAP_NMPORT_INTERNAL_H_

#include <stdint.h>

#define LIBNETMAP_NOTHREADSAFE
#include <libnetmap.h>

/* Exported for programs that know them; libnetmap.h does not declare them. */
#pragma GCC visibility push(default)

/* One thing that nmport_undo_parse() has to undo. The cleanup function frees the record. */
struct nmport_cleanup_d {
	struct nmport_cleanup_d	*next;
	void			(*cleanup)(struct nmport_cleanup_d *, struct nmport_d *);
};

/* Undoes everything on d->clist, the latest first. */
void nmport_do_cleanup(struct nmport_d *d);

void nmport_extmem_cleanup(struct nmport_cleanup_d *c, struct nmport_d *d);
void nmport_extmem_from_file_cleanup(struct nmport_cleanup_d *c, struct nmport_d *d);

extern int nmctx_threadsafe;

#pragma GCC visibility pop

/* The context that is the default at first, and its callbacks. */
extern struct nmctx nmctx_builtin;
void nmctx_builtin_error(struct nmctx *ctx, const char *text);
void *nmctx_builtin_malloc(struct nmctx *ctx, size_t size);
void nmctx_builtin_free(struct nmctx *ctx, void *p);

/*
 * Reports what is wrong at the character `at` of the text `whole`: its column, what stands there, and the
 * formatted text. Sets errno to EINVAL and returns -1.
 */
int nmreq_parse_error(struct nmctx *ctx, const char *whole, const char *at, const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/*
 * Reads the decimal number at *p, not above max. On success *p points behind its digits. On failure, which is
 * reported, *p is unchanged.
 */
int nmreq_parse_number(struct nmctx *ctx, const char *whole, const char **p, const char *what,
	uint64_t max, uint64_t *out);

/* As the functions without _at, for a text that is a part of `whole`, which messages quote. */
int nmreq_header_decode_at(const char *whole, const char **spec, struct nmreq_header *h, struct nmctx *ctx);
int nmreq_register_decode_at(const char *whole, const char **mode, struct nmreq_register *reg,
	struct nmctx *ctx);
int nmreq_options_decode_at(const char *whole, const char *opt, struct nmreq_opt_parser *parsers, void *token,
	struct nmctx *ctx);

/* For parse functions: nmreq_parse_error() at the value of a key that was given. */
int nmreq_key_error(struct nmreq_parse_ctx *p, int id, const char *what);

/* For parse functions: *out is the number that the key has as its value, unchanged if it was not given. */
int nmreq_key_number(struct nmreq_parse_ctx *p, int id, uint64_t max, uint64_t *out);

/* The options of portspecs, a linked list; the token is the struct nmport_d. */
extern struct nmreq_opt_parser nmport_opt_parsers[];

#endif /* LIBNETMAP_NMPORT_INTERNAL_H_ */
