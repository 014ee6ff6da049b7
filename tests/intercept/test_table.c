/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptor table under several threads that install, drop, copy and use the same few numbers: nobody
 * ever holds an entry whose session was given back, and in the end all were. Built with ThreadSanitizer where
 * the compiler has it.
 */
#include "../../libnetmap/intercept.h"

#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

enum { THREADS = 4, NUMBERS = 16, ROUNDS = 150000 };

struct thing {
	_Atomic int alive;
	int mark;
};

static _Atomic int made, gone;

static void
release(struct fd_entry *e)
{
	struct thing *t = (struct thing *)e->session;

	CHECK(atomic_exchange(&t->alive, 0) == 1);
	t->mark = 0;
	atomic_fetch_add(&gone, 1);
	free(t);
}

static struct fd_entry *
entry_make(void)
{
	struct thing *t = malloc(sizeof(*t));
	struct fd_entry *e;

	CHECK(t);
	t->mark = 42;
	atomic_init(&t->alive, 1);
	atomic_fetch_add(&made, 1);
	e = fd_entry_new(FD_SESSION, t);
	CHECK(e);
	return e;
}

static void
entry_use(struct fd_entry *e)
{
	struct thing *t = (struct thing *)e->session;

	CHECK(e->kind == FD_SESSION && t->mark == 42 && atomic_load(&t->alive) == 1);
}

static void *
worker(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 7919 + 1;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = rand_r(&seed) % NUMBERS * 300, other = rand_r(&seed) % NUMBERS * 300;
		struct fd_entry *e = NULL;

		switch (rand_r(&seed) % 8) {
		case 0:
			e = entry_make();
			CHECK(fd_install(fd, e) == 0);
			break;
		case 1:
			fd_clear(fd);
			break;
		case 2:
			e = fd_get(fd);
			if (e)
				CHECK(fd_install(other, e) == 0);
			break;
		case 3:
			e = fd_get(fd);
			if (e)
				fd_replace(fd, e, NULL);
			break;
		case 4:
			fd_reap(release);
			break;
		default:
			e = fd_get(fd);
			break;
		}
		if (e) {
			entry_use(e);
			fd_put(e);
		}
	}
	return NULL;
}

static void
count(int fd, struct fd_entry *e, void *arg)
{
	++*(int *)arg;
}

int
main(void)
{
	pthread_t t[THREADS];
	int left = 0;

	alarm(TEST_SECONDS);
	CHECK(!fd_peek(-1) && !fd_peek(INT32_MAX) && !fd_get(-1) && !fd_clear(5));
	CHECK(fd_install(FD_LIMIT, &fd_owned) == -EMFILE && fd_install(-1, &fd_owned) == -EMFILE);
	CHECK(fd_install(FD_LIMIT - 1, &fd_owned) == 0 && fd_peek(FD_LIMIT - 1) == &fd_owned &&
		fd_clear(FD_LIMIT - 1));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, worker, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	for (int i = 0; i < NUMBERS; i++)
		fd_clear(i * 300);
	fd_walk(0, FD_LIMIT - 1, count, &left);
	fd_reap(release);
	CHECK(left == 0 && made == gone);
	return 0;
}
