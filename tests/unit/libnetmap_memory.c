/* SPDX-License-Identifier: BSD-2-Clause */
/* Contexts and the mappings that ports of one context share, external memory included. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "libnetmap_fake.h"

static void
test_reuse(void **state)
{
	struct nmport_d *a = nmport_open("netmap:a@3");
	struct nmport_d *b = nmport_open("netmap:b@3");
	struct nmport_d *c = nmport_open("netmap:c@4");
	struct nmport_d *e = nmport_open("netmap:e@5");

	(void)state;
	assert_ptr_equal(a->mem, b->mem);
	assert_ptr_not_equal(a->mem, c->mem);
	assert_ptr_not_equal(a->mem->mem, c->mem->mem);
	assert_ptr_not_equal(a->nifp, b->nifp);
	assert_int_equal(a->mem->refcount, 2);
	assert_int_equal(a->mem->mem_id, 3);
	assert_int_equal(fake.n_mmap_calls, 3);
	assert_int_equal(fake.lock_depth, 0);
	assert_int_equal(fake.n_locks, 8);

	/* the one that made the mapping goes first; then the middle, the head and the last of the list */
	nmport_close(a);
	assert_int_equal(fake.n_maps, 3);
	assert_int_equal(b->nifp->ni_tx_rings, FAKE_NIC_RINGS);
	nmport_close(c);
	assert_int_equal(fake.n_maps, 2);
	nmport_close(e);
	assert_ptr_equal(fake_ctx.mem_descs, b->mem);
	a = nmport_open("netmap:a@3");
	assert_ptr_equal(a->mem, b->mem);
	assert_int_equal(fake.n_mmap_calls, 3);
	nmport_close(a);
	nmport_close(b);
	assert_null(fake_ctx.mem_descs);
	assert_int_equal(fake.n_maps, 0);
}

/* A mapping that is reused is checked for each port. */
static void
test_reuse_bad_answer(void **state)
{
	struct nmport_d *a = nmport_open("netmap:a@3");

	(void)state;
	fake.bad_offset = FAKE_MEMSIZE;
	assert_null(nmport_open("netmap:b@3"));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(a->mem->refcount, 1);
	nmport_close(a);
}

static void
test_extmem(void **state)
{
	void *mem = aligned_alloc(4096, FAKE_MEMSIZE);
	struct nmport_d *d = nmport_prepare("netmap:eth0@9");
	struct nmport_d *c;

	(void)state;
	assert_null(nmport_extmem_getinfo(d));
	assert_int_equal(nmport_extmem(d, mem, FAKE_MEMSIZE), 0);
	assert_ptr_equal(nmport_extmem_getinfo(d), &d->extmem->nro_info);
	assert_int_equal(d->extmem->nro_usrptr, (uintptr_t)mem);
	assert_int_equal(d->extmem->nro_info.nr_memsize, FAKE_MEMSIZE);
	assert_int_equal(nmport_extmem(d, mem, FAKE_MEMSIZE), -1);
	assert_int_equal(errno, EINVAL);
	assert_null(nmport_clone(d));
	assert_int_equal(errno, EINVAL);

	assert_int_equal(nmport_open_desc(d), 0);
	assert_ptr_equal(d->mem->mem, mem);
	assert_int_equal(d->mem->is_extmem, 1);
	assert_int_equal(d->extmem->nro_info.nr_mem_id, 9);
	assert_int_equal(fake.n_mmap_calls, 0);
	assert_int_equal(nmport_extmem(d, mem, FAKE_MEMSIZE), -1);
	assert_int_equal(errno, EINVAL);

	c = nmport_clone(d);
	assert_non_null(c);
	assert_null(c->extmem);
	assert_int_equal(nmport_open_desc(c), 0);
	assert_ptr_equal(c->mem, d->mem);
	nmport_close(d);
	assert_int_equal(c->nifp->ni_tx_rings, FAKE_NIC_RINGS);
	nmport_close(c);
	free(mem);
}

/* The mapping of a file outlives the port that brought it, while another one uses the region. */
static void
test_extmem_file(void **state)
{
	char file[] = "/tmp/libnetmap_memory_XXXXXX";
	int fd = mkstemp(file);
	struct nmport_d *d, *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FAKE_MEMSIZE), 0);
	close(fd);
	d = nmport_prepare("netmap:eth0@9");
	assert_int_equal(nmport_extmem_from_file(d, file), 0);
	assert_int_equal(nmport_extmem_from_file(d, file), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fake.n_maps, 1);
	unlink(file);
	assert_int_equal(nmport_open_desc(d), 0);
	c = nmport_clone(d);
	assert_int_equal(nmport_open_desc(c), 0);
	nmport_close(d);
	assert_int_equal(fake.n_maps, 1);
	assert_int_equal(c->nifp->ni_tx_rings, FAKE_NIC_RINGS);
	nmport_close(c);
	assert_int_equal(fake.n_maps, 0);

	d = nmport_prepare("netmap:eth0");
	assert_int_equal(nmport_extmem_from_file(d, file), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(d->extmem);
	fake.mmap_errno = EPERM;
	assert_int_equal(nmport_extmem_from_file(d, "/dev/zero"), -1);
	assert_int_equal(errno, EPERM);
	fake.mmap_errno = 0;
	nmport_undo_prepare(d);
}

/* ---- Contexts ---- */

static void
test_default_context(void **state)
{
	struct nmctx other = fake_ctx;
	struct nmport_d *d;

	(void)state;
	assert_ptr_equal(nmctx_get(), &fake_ctx);
	assert_ptr_equal(nmctx_set_default(&other), &fake_ctx);
	assert_ptr_equal(nmctx_get(), &other);

	/* a port keeps the context that it was made in, and contexts do not share mappings */
	d = nmport_open("netmap:eth0@3");
	assert_ptr_equal(d->ctx, &other);
	assert_ptr_equal(nmctx_set_default(&fake_ctx), &other);
	nmport_undo_open_desc(d);
	assert_int_equal(nmport_open_desc(d), 0);
	assert_null(fake_ctx.mem_descs);
	nmport_close(d);
	assert_null(other.mem_descs);
}

static void
test_ferror(void **state)
{
	char text[1000];

	(void)state;
	errno = EXDEV;
	nmctx_ferror(&fake_ctx, "%s %d", "text", 7);
	assert_int_equal(errno, EXDEV);
	assert_string_equal(fake.error, "text 7");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	nmctx_ferror(&fake_ctx, "%s", text);
	assert_int_equal(strlen(fake.error), 511);
}

/* The built-in context writes lines to stderr, or nothing. */
static void
test_stderr(void **state)
{
	struct nmctx *ctx;
	int fds[2], saved_stderr;
	char text[64] = "";

	(void)state;
	nmctx_set_threadsafe();
	ctx = nmctx_get();
	assert_int_not_equal(ctx->verbose, 0);
	assert_int_equal(pipe(fds), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	nmctx_ferror(ctx, "one %d", 1);
	ctx->verbose = 0;
	nmctx_ferror(ctx, "two %d", 2);
	ctx->verbose = 1;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_string_equal(text, "one 1\n");
}

#define THREADS	4
#define ROUNDS	500

static void *
open_and_close(void *arg)
{
	struct nmctx *ctx = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		void *p;

		nmctx_lock(ctx);
		p = nmctx_malloc(ctx, 16);
		fake.n_locks++;
		nmctx_free(ctx, p);
		nmctx_unlock(ctx);
	}
	return NULL;
}

/* The context with the mutex is installed before main(), and excludes. */
static void
test_threadsafe(void **state)
{
	pthread_t threads[THREADS];
	struct nmctx *ctx = *state;
	int i;

	assert_non_null(ctx->lock);
	fake.n_locks = 0;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, ctx), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fake.n_locks, THREADS * ROUNDS);
	nmctx_set_threadsafe();
	assert_ptr_equal(nmctx_get(), ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_threadsafe, nmctx_get()),
		cmocka_unit_test_setup_teardown(test_reuse, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_reuse_bad_answer, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_extmem, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_extmem_file, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_default_context, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_ferror, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_stderr, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
