/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends in CSB mode: the arrays, the thread that leaves itself in the sync loop, and the application's side of the exchange.
 */
#ifndef TESTS_ENGINE_CSB_END_H
#define TESTS_ENGINE_CSB_END_H

#include <pthread.h>

#include "end.h"

#define CSB_RINGS	8u		/* entries of each array */

struct csb_end {
	struct end e;
	struct nm_csb_atok *atok;
	struct nm_csb_ktoa *ktoa;
	uint32_t rings, tx;
	uint32_t station;		/* source of the frames it sends, 1 */
	/* What START is called with. */
	uint32_t sleep_us;
	int ioeventfd[CSB_RINGS], irqfd[CSB_RINGS];
	bool eventfds;			/* the option goes along */
	int mode;			/* -1: without the option */
	/* How it went. */
	pthread_t thread;
	bool started;
	uint32_t ended;			/* START has returned */
	int error;
};

/* Opens it on `rings` ring pairs, NR_EXCLUSIVE, CSB option; arrays of its own. */
void csb_open(struct csb_end *c, const char *name, uint16_t rings);
/* Ends what is running, and everything. */
void csb_close(struct csb_end *c);
/* NIOCCTRL with the CSB option, of REGISTER (reg) or CSB_ENABLE (NULL); *status is the option's. */
int csb_request(struct end *e, const char *name, struct nmreq_register *reg, const void *atok, const void *ktoa, uint32_t *status);

/* Makes eventfds for all rings. */
void csb_eventfds(struct csb_end *c);
/* START in this thread, with what *c says; *status: that of the options, those that went along. */
int csb_start(struct csb_end *c, uint32_t status[2]);
/* START in another thread, and back when the loop runs. */
void csb_run(struct csb_end *c);
int csb_stop(struct csb_end *c);
/* Waits for START's end. Its result. */
int csb_join(struct csb_end *c);
bool csb_running(const struct csb_end *c);

/* --- the application's side --- */

/* Moves ring i to head, and kicks if the loop wants it. The second with a cur of its own. */
void csb_write(struct csb_end *c, uint32_t i, uint32_t head);
void csb_write_cur(struct csb_end *c, uint32_t i, uint32_t head, uint32_t cur);
void csb_read(struct csb_end *c, uint32_t i, uint32_t *hwcur, uint32_t *hwtail);
/* Sends n frames from TX ring i, waiting for room, with the numbers from seq on. */
void csb_send(struct csb_end *c, uint32_t i, uint32_t n, uint32_t seq, uint64_t dst);
/* Takes n frames from RX ring i, waiting for them: they are those from seq on. */
void csb_expect(struct csb_end *c, uint32_t i, uint32_t n, uint32_t seq);
/* Syncs of ring i so far. */
uint64_t csb_rounds(const struct csb_end *c, uint32_t i);

void sleep_ms(unsigned ms);

#endif /* TESTS_ENGINE_CSB_END_H */
