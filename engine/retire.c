/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deferred freeing by epochs. An object is unlinked from everything that leads to it, then retired: it is freed when every thread that was inside the
 * data path at that moment has left it. A thread that is stopped inside delays this; one that died does not, its entry is cleared.
 *
 * To remember an object takes a record. What requests and sessions may leave behind has its records before it is made (retire_reserve), so that the end of
 * a thing does not depend on there being memory.
 */
#include "actor.h"
#include "os.h"
#include "port.h"

struct retired {
	uint64_t epoch;
	void (*release)(void *obj);
	void *obj;
	struct retired *next;
};

static struct arena_root *root;
static const uint32_t *actors_high;		/* highest number that an actor ever had */
static struct retired *waiting;
static struct retired *spare;
static uint32_t spares, wanted;

void
retire_init(struct arena_root *r, const uint32_t *high)
{
	root = r;
	actors_high = high;
	waiting = NULL;
}

static void
record_put(struct retired *r)
{
	if (spares >= wanted) {
		os_free(r);
		return;
	}
	r->next = spare;
	spare = r;
	spares++;
}

/* NULL only for what was not reserved, and without memory. */
static struct retired *
record_take(void)
{
	struct retired *r = spare;

	if (r == NULL)
		return os_alloc(sizeof(*r));
	spare = r->next;
	spares--;
	return r;
}

bool
retire_reserve(uint32_t n)
{
	struct retired *r;

	wanted = n;
	while (spares > n)
		os_free(record_take());
	while (spares < n) {
		r = os_alloc(sizeof(*r));
		if (r == NULL)
			return false;
		record_put(r);
	}
	return true;
}

/* The oldest epoch that some thread is inside of. */
static uint64_t
epoch_oldest(void)
{
	uint64_t oldest = ~UINT64_C(0);
	uint32_t i;

	for (i = 1; i <= *actors_high; i++) {
		/* Pairs with the release in actor_leave: the thread's last use comes before our freeing. */
		uint64_t e = load_acquire(&root->actors[i].inside);

		if (e != 0 && e < oldest)
			oldest = e;
	}
	return oldest;
}

uint64_t
retire_mark(void)
{
	uint64_t epoch = load_relaxed(&root->epoch);

	store_relaxed(&root->epoch, epoch + 1);
	fence_full();
	return epoch;
}

bool
retire_passed(uint64_t mark)
{
	fence_full();
	return epoch_oldest() > mark;
}

void
retire(void (*release)(void *obj), void *obj)
{
	/* Who enters from now on carries a later epoch, or one that it loaded before; either way it cannot find the object. */
	uint64_t epoch = retire_mark();
	struct retired *r;

	if (epoch_oldest() > epoch) {
		/* What waits came before, and may be about the same object. */
		retire_run();
		release(obj);
		return;
	}
	r = record_take();
	/* Leaking is better than freeing under a reader. */
	if (r == NULL)
		return;
	r->epoch = epoch;
	r->release = release;
	r->obj = obj;
	r->next = waiting;
	waiting = r;
}

bool
retire_run(void)
{
	struct retired **link = &waiting, *r;
	uint64_t oldest;

	if (waiting == NULL)
		return false;
	fence_full();
	oldest = epoch_oldest();
	while ((r = *link) != NULL) {
		if (r->epoch >= oldest) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		r->release(r->obj);
		record_put(r);
	}
	return waiting != NULL;
}
