/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sync loop: instead of calling for each sync, a program in CSB mode (csb.h) leaves a thread in SYNC_KLOOP_START, which syncs the rings for it,
 * until somebody calls SYNC_KLOOP_STOP.
 *
 * The loop belongs to a thread of the host, with an actor of its own like every thread that syncs. kloop_run is the whole of it for a thread that
 * does nothing else; a host whose thread serves several loops calls the steps. What the loop may not do itself (reach the program's memory, sleep,
 * signal) it does through the host's functions, which lie in the host's private memory.
 *
 * The application kicks when kern_need_kick is 1, that is while the loop sleeps; the loop kicks when appl_need_kick is not 0 and there are new packets
 * or new room. Each side sets its word, then looks once more, with a full barrier between. sync_flags ask for a part of what every sync does anyway.
 */
#ifndef ENGINE_KLOOP_H
#define ENGINE_KLOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "csb.h"
#include "ring.h"

/* In struct binding: somebody called STOP. It stays until a loop has ended for it, one that starts later if none is running. */
#define KLOOP_STOP	(UINT32_C(1) << 31)

/* What a step found; bits. */
#define KLOOP_MOVED	1u	/* slots, in either direction: there may be more */
#define KLOOP_ROOM	2u	/* some RX ring has room for packets */
#define KLOOP_FULL	4u	/* some TX ring waits for room, or cannot send all it has */
#define KLOOP_FAILED	8u	/* some interface is down */
#define KLOOP_STOPPED	16u	/* the loop is to end: STOP, */
#define KLOOP_GONE	32u	/* ... the port is no more, */
#define KLOOP_FAULT	64u	/* ... the program's memory cannot be reached */

#define KLOOP_SLEEP_MAX	3000000u	/* microseconds that a loop sleeps without looking */
#define KLOOP_DRY_ROUNDS 2u		/* that moved nothing, before it sleeps */

struct kloop;

/* For kloop_run. `found` is what the last step found, `us` microseconds. */
struct kloop_host {
	/*
	 * actor_enter for the binding, and sets kl->self: 0, and the binding is registered until leave; or -errno, not inside: the descriptor is
	 * closed, or the like.
	 */
	int (*enter)(struct kloop *kl);
	void (*leave)(struct kloop *kl);
	/* From arm on a wake-up of kl->self (and, if kl->kicks, packets, room, and the application's kicks) ends the wait, or the next one. */
	void (*arm)(struct kloop *kl);
	void (*disarm)(struct kloop *kl);
	void (*wait)(struct kloop *kl, uint32_t us, unsigned found);
};

/* What the application was told last. */
struct kloop_ring {
	uint32_t hwcur, hwtail;
};

struct kloop {
	/* The host's to fill. */
	struct arena_root *root;
	struct actor *self;
	struct binding *b;
	const struct csb_access *access;
	const struct kloop_host *host;	/* for kloop_run */
	void (*kick)(struct kloop *kl, uint32_t ring);	/* the application asked to be told of news */
	struct kloop_ring *ring;	/* one for each ring */
	/* What kloop_params found. */
	uint64_t atok, ktoa;
	uint32_t rings;
	uint32_t sleep_us;		/* between rounds, if the application does not kick */
	bool kicks;			/* it does, and kern_need_kick says when it has to */
	bool moved;			/* set by steps that find KLOOP_MOVED; for the host to clear */
	uint64_t before;		/* for enter and leave */
};

/*
 * Checks a SYNC_KLOOP_START. Inside the data path if registered. Fills in what the loop needs of it; *eventfds is the option's array, in the message, one
 * entry for each ring, or NULL. 0; or -errno, then also in the status of the option at fault, and *why says it in words.
 */
struct request_msg;
struct nmreq_opt_sync_kloop_eventfds;
int kloop_params(const struct binding *b, struct request_msg *msg, struct kloop *kl, const struct nmreq_opt_sync_kloop_eventfds **eventfds,
	const char **why);

/* Makes kl->self the one that runs the binding's loop. -EBUSY: there is one. */
int kloop_begin(struct kloop *kl);
/* The loop is no more, and a STOP is done with. */
void kloop_end(struct kloop *kl);
/* Number of the actor that runs the loop, 0: nobody. */
uint32_t kloop_runner(const struct binding *b);
/* Asks the loop to end, and wakes it. True if there is one: until it has ended, b->kloop does not change. */
bool kloop_stop(struct arena_root *root, struct binding *b);
/* An actor is gone: so is its loop, if it ran this binding's. */
void kloop_recover(struct binding *b, uint32_t actor);

/* One round, inside the data path: every ring is synced once, TX first. */
unsigned kloop_step(struct kloop *kl);
/* The application need not kick from now on, or must. The latter is to be followed by a step before the loop sleeps. False: KLOOP_FAULT. */
bool kloop_want_kicks(struct kloop *kl, bool want);

/* Runs between kloop_begin and kloop_end until stopped: 0; -EFAULT, -ENXIO, or what host->enter said. */
int kloop_run(struct kloop *kl);

#endif /* ENGINE_KLOOP_H */
