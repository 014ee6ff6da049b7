/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts: the default one, and the callbacks through which the rest of the library reports errors,
 * allocates and locks. The default context writes errors to stderr, uses malloc and does not lock.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nmport_internal.h"

#define NMCTX_TEXT_MAX	1024

void
nmctx_builtin_error(struct nmctx *ctx, const char *text)
{
	if (ctx->verbose)
		fprintf(stderr, "%s\n", text);
}

void *
nmctx_builtin_malloc(struct nmctx *ctx, size_t size)
{
	(void)ctx;
	return malloc(size);
}

void
nmctx_builtin_free(struct nmctx *ctx, void *p)
{
	(void)ctx;
	free(p);
}

struct nmctx nmctx_builtin = {
	.verbose = 1,
	.error = nmctx_builtin_error,
	.malloc = nmctx_builtin_malloc,
	.free = nmctx_builtin_free,
};

static struct nmctx *nmctx_default = &nmctx_builtin;

struct nmctx *
nmctx_get(void)
{
	return __atomic_load_n(&nmctx_default, __ATOMIC_ACQUIRE);
}

struct nmctx *
nmctx_set_default(struct nmctx *ctx)
{
	return __atomic_exchange_n(&nmctx_default, ctx, __ATOMIC_ACQ_REL);
}

void
nmctx_ferror(struct nmctx *ctx, const char *fmt, ...)
{
	char text[NMCTX_TEXT_MAX];
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctx->error(ctx, text);
	errno = saved;
}

void *
nmctx_malloc(struct nmctx *ctx, size_t size)
{
	void *p = ctx->malloc(ctx, size);

	if (p == NULL)
		errno = ENOMEM;
	return p;
}

void
nmctx_free(struct nmctx *ctx, void *p)
{
	ctx->free(ctx, p);
}

void
nmctx_lock(struct nmctx *ctx)
{
	if (ctx->lock != NULL)
		ctx->lock(ctx, 1);
}

void
nmctx_unlock(struct nmctx *ctx)
{
	if (ctx->lock != NULL)
		ctx->lock(ctx, 0);
}
