/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deferred freeing by epochs. An object is unlinked from everything that leads to it, then retired: it is freed when every thread that was inside the
 * data path at that moment has left it. A thread that is stopped inside delays this; one that died does not, its entry is cleared.
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

void
retire_init(struct arena_root *r, const uint32_t *high)
{
	root = r;
	actors_high = high;
	waiting = NULL;
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

void
retire(void (*release)(void *obj), void *obj)
{
	struct retired *r = os_alloc(sizeof(*r));
	uint64_t epoch = load_relaxed(&root->epoch);
	bool reachable;

	/* Who enters from now on carries a later epoch, or one that it loaded before; either way it cannot find the object. */
	store_relaxed(&root->epoch, epoch + 1);
	fence_full();
	reachable = epoch_oldest() <= epoch;
	if (!reachable || r == NULL) {
		/* Without memory to remember it by: nobody inside is the common case, and leaking is better than freeing under a reader. */
		if (!reachable)
			release(obj);
		os_free(r);
		return;
	}
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
		os_free(r);
	}
	return waiting != NULL;
}
