/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wake-ups that go through netmapd, for threads of other processes that sleep on descriptors. What its queue has no room for is remembered, by actor, and
 * sent by whoever syncs next. A forked child may send some of its parent's as well: a wake-up too many does no harm.
 */
#include <errno.h>

#include "client_internal.h"

#define WORDS	((ACTOR_MAX + 64) / 64)

static uint64_t owed[WORDS];
uint32_t client_relay_owed;

static void
owe(unsigned word, uint64_t bits)
{
	atomic_or(&owed[word], bits);
	/* Who takes the flag finds the bits. */
	store_release(&client_relay_owed, 1);
}

static int
tell(uint32_t actor)
{
	struct proto_actor q = { .actor = actor };

	return client_tell(PROTO_WAKE, &q, sizeof(q));
}

void
client_relay(uint32_t actor)
{
	if (tell(actor) == -EAGAIN)
		owe(actor / 64, UINT64_C(1) << (actor % 64));
}

/* Sends those of one word. False: the queue is full again, and what was not sent is remembered. */
static bool
word_send(unsigned word)
{
	uint64_t bits = load_relaxed(&owed[word]) != 0 ? atomic_xchg(&owed[word], 0) : 0;

	for (; bits != 0; bits &= bits - 1) {
		if (tell(word * 64 + (uint32_t)__builtin_ctzll(bits)) != -EAGAIN)
			continue;
		owe(word, bits);
		return false;
	}
	return true;
}

void
client_relay_send(void)
{
	if (atomic_xchg(&client_relay_owed, 0) == 0)
		return;
	/* Where the queue is full again the flag is up again, for that word and those behind it. */
	for (unsigned word = 0; word < WORDS && word_send(word); word++)
		;
}
