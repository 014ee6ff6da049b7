/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The context for programs with threads: the built-in one, with a pthread mutex as its lock. A constructor
 * installs it. In a static library this object comes in through nmctx_threadsafe, which libnetmap.h refers
 * to.
 */
#include <pthread.h>

#include "nmport_internal.h"

int nmctx_threadsafe = 1;

static pthread_mutex_t nmctx_mutex = PTHREAD_MUTEX_INITIALIZER;

static void
pthread_lock(struct nmctx *ctx, int acquire)
{
	(void)ctx;
	if (acquire)
		pthread_mutex_lock(&nmctx_mutex);
	else
		pthread_mutex_unlock(&nmctx_mutex);
}

static struct nmctx nmctx_pthread = {
	.verbose = 1,
	.error = nmctx_builtin_error,
	.malloc = nmctx_builtin_malloc,
	.free = nmctx_builtin_free,
	.lock = pthread_lock,
};

void
nmctx_set_threadsafe(void)
{
	nmctx_set_default(&nmctx_pthread);
}

/* An earlier constructor of the program may have chosen a context: leave it. */
static void __attribute__((__constructor__))
nmctx_pthread_init(void)
{
	if (nmctx_get() == &nmctx_builtin)
		nmctx_set_threadsafe();
}
