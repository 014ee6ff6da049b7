/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See kloop.h. The threat model is that of sync.c: each word of an entry is loaded once, and believed only after the sync has checked it.
 */
#include "kloop.h"
#include "errno_abi.h"
#include "os.h"
#include "request.h"
#include "sync.h"

#define SLEEP_US_MAX	1000000u	/* that can be asked for */

_Static_assert(offsetof(struct nm_csb_atok, cur) == 4 && offsetof(struct nm_csb_atok, sync_flags) == 12, "pairs of words");

/* --- the request --- */

static int
refuse(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

static int
option_bad(struct nmreq_option *opt, const char **why, const char *text)
{
	opt->nro_status = EINVAL;
	return refuse(why, -EINVAL, text);
}

static int
eventfds_get(struct request_msg *msg, struct kloop *kl, const struct nmreq_opt_sync_kloop_eventfds **out, const char **why)
{
	struct nmreq_option *opt = request_option(msg, NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS);
	const struct nmreq_opt_sync_kloop_eventfds *e = (const void *)opt;
	uint32_t i;

	kl->kicks = false;
	*out = NULL;
	if (opt == NULL)
		return 0;
	if (opt->nro_size != sizeof(*e) + (uint64_t)kl->rings * sizeof(e->eventfds[0]))
		return option_bad(opt, why, "nro_size of the eventfds must be 24 and 8 for each ring that is bound");
	kl->kicks = true;
	for (i = 0; i < kl->rings; i++)
		if (e->eventfds[i].ioeventfd < 0)
			kl->kicks = false;
	*out = e;
	return 0;
}

/* Direct modes say in whose context the work is to be done. Here it is the loop's thread in any case; what they ask of the eventfds holds. */
static int
mode_check(struct request_msg *msg, const struct kloop *kl, const char **why)
{
	struct nmreq_option *opt = request_option(msg, NETMAP_REQ_OPT_SYNC_KLOOP_MODE);
	const struct nmreq_opt_sync_kloop_mode *m = (const void *)opt;

	if (opt == NULL)
		return 0;
	if ((m->mode & ~(uint32_t)(NM_OPT_SYNC_KLOOP_DIRECT_TX | NM_OPT_SYNC_KLOOP_DIRECT_RX)) != 0)
		return option_bad(opt, why, "there is no such mode");
	return m->mode != 0 && !kl->kicks ? option_bad(opt, why, "direct modes need an ioeventfd for each ring") : 0;
}

int
kloop_params(const struct binding *b, struct request_msg *msg, struct kloop *kl, const struct nmreq_opt_sync_kloop_eventfds **eventfds,
	const char **why)
{
	const struct nmreq_sync_kloop_start *start = request_body(msg);
	int error;

	if (start->sleep_us > SLEEP_US_MAX)
		return refuse(why, -EINVAL, "it sleeps for a second (sleep_us 1000000) at most");
	if (load_acquire(&b->registered) == 0)
		return refuse(why, -ENXIO, "the descriptor is not registered");
	if (load_relaxed(&b->port->gone))
		return refuse(why, -ENXIO, "the port is gone");
	if (load_acquire(&b->csb) == 0)
		return refuse(why, -EINVAL, "the descriptor is not in CSB mode (NETMAP_REQ_CSB_ENABLE, or the CSB option of REGISTER)");
	if (kloop_runner(b) != 0)
		return refuse(why, -EBUSY, "it is running already");
	kl->sleep_us = start->sleep_us;
	kl->rings = binding_rings(b);
	kl->atok = load_relaxed(&b->csb_atok);
	kl->ktoa = load_relaxed(&b->csb_ktoa);
	error = eventfds_get(msg, kl, eventfds, why);
	return error != 0 ? error : mode_check(msg, kl, why);
}

/* --- start and end --- */

uint32_t
kloop_runner(const struct binding *b)
{
	return load_acquire(&b->kloop) & ~KLOOP_STOP;
}

int
kloop_begin(struct kloop *kl)
{
	uint32_t word = load_relaxed(&kl->b->kloop) & KLOOP_STOP;

	/* A STOP that came before, or comes now, is for this loop. */
	while (!atomic_cas(&kl->b->kloop, &word, word | kl->self->id))
		if ((word & ~KLOOP_STOP) != 0)
			return -EBUSY;
	return 0;
}

/* The session may be closed by now, and the binding another one's, with another loop. */
void
kloop_recover(struct binding *b, uint32_t actor)
{
	uint32_t word = load_relaxed(&b->kloop);

	while ((word & ~KLOOP_STOP) == actor)
		if (atomic_cas(&b->kloop, &word, 0))
			return;
}

void
kloop_end(struct kloop *kl)
{
	kloop_recover(kl->b, kl->self->id);
}

bool
kloop_stop(struct arena_root *root, struct binding *b)
{
	/* A full barrier: either the loop sees it before it sleeps, or we find its word armed. */
	uint32_t runner = atomic_or(&b->kloop, KLOOP_STOP) & ~KLOOP_STOP;
	struct actor *a;

	if (runner == 0 || runner > ACTOR_MAX)
		return false;
	a = &root->actors[runner];
	if (atomic_xchg(&a->wake, 1) == 0)
		os_wake(a);
	return true;
}

/* --- rounds --- */

static bool
entry_show(const struct kloop *kl, uint32_t i, uint32_t hwcur, uint32_t hwtail)
{
	uint64_t ktoa = kl->ktoa + i * CSB_ALIGN;

	/* The application loads them in the other order, and never sees a tail that is older than its hwcur. */
	return kl->access->store(ktoa + offsetof(struct nm_csb_ktoa, hwcur), hwcur) == 0 &&
		kl->access->store(ktoa + offsetof(struct nm_csb_ktoa, hwtail), hwtail) == 0;
}

/* The application has been told of news. Does it sleep? */
static bool
entry_kick(struct kloop *kl, uint32_t i)
{
	uint64_t word;

	/* Either it sees the news after it has set the word, or we see the word. */
	fence_full();
	if (kl->access->load(kl->atok + i * CSB_ALIGN + offsetof(struct nm_csb_atok, appl_need_kick), &word) != 0)
		return false;
	if ((uint32_t)word != 0)
		kl->kick(kl, i);
	return true;
}

static unsigned
ring_state(const struct kring *kr)
{
	if (kr->dir == RING_RX)
		return index_next(kr, kr->hwtail) != kr->hwcur ? KLOOP_ROOM : 0;
	return load_relaxed(&kr->hwcur) != kr->rhead || kr->rcur == kr->hwtail ? KLOOP_FULL : 0;
}

static unsigned
ring_step(struct kloop *kl, uint32_t i)
{
	struct kring *kr = binding_ring(kl->b, i);
	struct kloop_ring *told = &kl->ring[i];
	uint32_t rhead = kr->rhead, hwcur, hwtail;
	struct ring_claim claim;
	unsigned found = 0;
	uint64_t word;
	bool news;

	/* Both at once: cur, which the application writes first, is no older than head. */
	if (kl->access->load(kl->atok + i * CSB_ALIGN, &word) != 0)
		return KLOOP_FAULT;
	claim.head = (uint32_t)word;
	claim.cur = (uint32_t)(word >> 32);
	if (ring_sync_claim(kl->root, kl->self, kl->b, kr, &claim) == RING_ERROR)
		found = load_relaxed(&kr->stopped) != 0 ? KLOOP_GONE : KLOOP_FAILED;
	hwcur = load_relaxed(&kr->hwcur);
	hwtail = kr->hwtail;
	news = hwtail != told->hwtail;
	if (kr->rhead != rhead || hwcur != told->hwcur || news)
		found |= KLOOP_MOVED;
	if (hwcur != told->hwcur || news) {
		if (!entry_show(kl, i, hwcur, hwtail))
			return KLOOP_FAULT;
		*told = (struct kloop_ring){ hwcur, hwtail };
		if (news && !entry_kick(kl, i))
			return KLOOP_FAULT;
	}
	return found | ring_state(kr);
}

unsigned
kloop_step(struct kloop *kl)
{
	unsigned found = 0;
	uint32_t i;

	if ((load_acquire(&kl->b->kloop) & KLOOP_STOP) != 0)
		return KLOOP_STOPPED;
	if (load_relaxed(&kl->b->port->gone) || binding_rings(kl->b) != kl->rings)
		return KLOOP_GONE;
	for (i = 0; i < kl->rings && (found & (KLOOP_FAULT | KLOOP_GONE)) == 0; i++)
		found |= ring_step(kl, i);
	if ((found & KLOOP_MOVED) != 0)
		kl->moved = true;
	return found;
}

bool
kloop_want_kicks(struct kloop *kl, bool want)
{
	uint32_t i;

	for (i = 0; i < kl->rings; i++)
		if (kl->access->store(kl->ktoa + i * CSB_ALIGN + offsetof(struct nm_csb_ktoa, kern_need_kick), want) != 0)
			return false;
	/* Either we see what the application did in our next look, or it sees that we want to be told. */
	if (want)
		fence_full();
	return true;
}

/* --- a thread of its own --- */

#define RUN_STOPPED	1

/* One step. 0; RUN_STOPPED; or -errno. */
static int
run_step(struct kloop *kl, unsigned *found)
{
	int error = kl->host->enter(kl);

	if (error != 0)
		return error;
	*found = kloop_step(kl);
	kl->host->leave(kl);
	if ((*found & KLOOP_STOPPED) != 0)
		return RUN_STOPPED;
	if ((*found & KLOOP_FAULT) != 0)
		return -EFAULT;
	return (*found & KLOOP_GONE) != 0 ? -ENXIO : 0;
}

/* Sleeps until somebody kicks, unless the last look finds something. */
static int
run_idle(struct kloop *kl, unsigned *found)
{
	int error = -EFAULT;

	kl->host->arm(kl);
	if (kloop_want_kicks(kl, true))
		error = run_step(kl, found);
	if (error == 0 && (*found & KLOOP_MOVED) == 0)
		kl->host->wait(kl, KLOOP_SLEEP_MAX, *found);
	kl->host->disarm(kl);
	return error == 0 && !kloop_want_kicks(kl, false) ? -EFAULT : error;
}

static int
run_kicked(struct kloop *kl)
{
	unsigned found = 0, dry = 0;
	int error = 0;

	while (error == 0) {
		error = run_step(kl, &found);
		dry = (found & KLOOP_MOVED) != 0 ? 0 : dry + 1;
		if (error == 0 && dry >= KLOOP_DRY_ROUNDS) {
			error = run_idle(kl, &found);
			dry = 0;
		}
	}
	return error;
}

static int
run_timed(struct kloop *kl)
{
	unsigned found = 0;
	int error = 0;

	while (error == 0) {
		/* Armed before the step looks for a STOP. */
		kl->host->arm(kl);
		fence_full();
		error = run_step(kl, &found);
		if (error == 0)
			kl->host->wait(kl, kl->sleep_us, found);
		kl->host->disarm(kl);
	}
	return error;
}

int
kloop_run(struct kloop *kl)
{
	uint32_t i;
	int error;

	/* No ring has such indexes: the first round tells everything. */
	for (i = 0; i < kl->rings; i++)
		kl->ring[i] = (struct kloop_ring){ UINT32_MAX, UINT32_MAX };
	if (!kloop_want_kicks(kl, false))
		return -EFAULT;
	error = kl->kicks ? run_kicked(kl) : run_timed(kl);
	return error == RUN_STOPPED ? 0 : error;
}
