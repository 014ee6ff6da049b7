/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sender does on a switch whose packets a worker forwards, see vale_worker.h: it says how far the ring is filled, and looks how far it was taken.
 *
 *	published	written by the sender, holding the ring: slots before it are the worker's
 *	released	written by the taker: slots before it are the sender's again
 *
 * The worker has another process's memory, or none of a process at all. So what slots with NS_INDIRECT point at is fetched here, into their own buffers,
 * and the worker takes it from there whatever the slot says by then.
 */
#include "atomic.h"
#include "os.h"
#include "vale.h"

/* Fetches the data of one slot. A drop reason, or -1. */
static int
slot_fetch(const struct kring *kr, uint64_t word, uint64_t ptr)
{
	if (!slot_idx_valid(kr, slot_idx(word)))
		return DROP_BAD_SLOT;
	if (slot_len(word) > kr->buf_size)
		return DROP_TOO_LONG;
	return os_copy_from_caller(slot_buf(kr, slot_idx(word)), ptr, slot_len(word)) == 0 ? -1 : DROP_BAD_ADDRESS;
}

/* A slot whose data cannot be had is left empty, by which the worker knows that its packet is gone, and counted. */
static void __attribute__((noinline))
indirect_fetch(struct kring *kr, uint32_t i, bool *counted)
{
	uint64_t word = slot_load(&kr->uslot[i]);
	int why = slot_fetch(kr, word, slot_load_ptr(&kr->uslot[i]));

	if (why < 0)
		return;
	slot_store(&kr->uslot[i], slot_word(slot_idx(word), 0, slot_flags(word) | NS_INDIRECT));
	/* The other counters of the ring are the worker's. */
	if (!*counted)
		counter_add(&kr->in.drops[why], 1);
	*counted = true;
}

static void
slots_fetch(struct kring *kr, uint32_t i, uint32_t n)
{
	bool counted = false;

	for (; n > 0; n--, i = index_next(kr, i)) {
		uint32_t flags = slot_flags(slot_load(&kr->uslot[i]));

		if (unlikely((flags & NS_INDIRECT) != 0))
			indirect_fetch(kr, i, &counted);
		if ((flags & NS_MOREFRAG) == 0)
			counted = false;
	}
}

static void
worker_wake(struct arena_root *root, struct vale_switch *sw)
{
	uint32_t id;
	struct actor *a;

	/* Either it sees what was published after it has set the word, or we see the word. */
	fence_full();
	id = load_relaxed(&sw->sleeper);
	if (likely(id == 0) || id > ACTOR_MAX)
		return;
	a = &root->actors[id];
	if (atomic_xchg(&a->wake, 1) == 0)
		os_wake(a);
}

/* The port is on no switch: what is sent there goes nowhere, unless somebody still takes it. */
static void
slots_discard(struct kring *kr, const struct actor *self, uint32_t n)
{
	uint32_t nobody = 0;

	if (!atomic_cas(&kr->taker, &nobody, self->id))
		return;
	if (n > 0)
		counter_add(&kr->in.drops[DROP_FILTERED], n);
	store_release(&kr->released, kr->own_pos);
	store_release(&kr->taker, 0);
}

void
vale_handover(struct arena_root *root, struct actor *self, struct kring *kr, uint32_t head)
{
	uint32_t n = index_diff(kr, head, kr->hwcur), index;
	struct vale_switch *sw = vale_switch_of(kr->port, &index);
	uint64_t released;

	if (unlikely(kr->handed == 0)) {
		/* So far whoever sent forwarded, too, and all before hwcur is done. Nobody else has looked at these words. */
		kr->own_pos = kr->hwcur;
		store_relaxed(&kr->released, kr->own_pos);
		store_relaxed(&kr->published, kr->own_pos);
		store_release(&kr->handed, 1);
	}
	if (n > 0) {
		slots_fetch(kr, kr->hwcur, n);
		kr->own_pos = pos_add(kr, kr->own_pos, n);
		store_relaxed(&kr->hwcur, head);
		store_release(&kr->published, kr->own_pos);
		if (sw != NULL)
			worker_wake(root, sw);
	}
	if (unlikely(sw == NULL))
		slots_discard(kr, self, n);
	/* Pairs with the taker's release: it is done with the slots. */
	released = load_acquire(&kr->released);
	if (pos_diff(kr, kr->own_pos, released) < kr->num_slots)
		kr->hwtail = index_prev(kr, pos_index(kr, released));
}

void
vale_worker_wake(struct arena_root *root, const struct port *p)
{
	uint32_t index;
	struct vale_switch *sw = vale_switch_of(p, &index);

	if (sw != NULL)
		worker_wake(root, sw);
}
