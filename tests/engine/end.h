/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the engine have in common: descriptors ("ends") with their rings, and frames that can be
 * told apart.
 *
 * Functions without a result fail the running test when something does not work; those that return an error
 * or a truth leave it to the caller, and are the only ones to be used in threads.
 */
#ifndef TESTS_ENGINE_END_H
#define TESTS_ENGINE_END_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/inproc.h"
#include "engine/vale.h"

/* For threads, where cmocka's own must not be used: says where and ends the program. */
#define check(x)	((x) ? (void)0 : check_failed(#x, __FILE__, __LINE__))

void check_failed(const char *what, const char *file, int line) __attribute__((noreturn));

/*
 * Start and end of the engine around each test. The end closes what a failed test left open, and fails if
 * memory of the engine is still in use. Ends are to be opened and closed in the test's own thread.
 */
int engine_setup(void **state);
int engine_teardown(void **state);

#define engine_test(f)	cmocka_unit_test_setup_teardown(f, engine_setup, engine_teardown)

struct end {
	struct inproc_fd fd;
	struct nmreq_register reg;	/* as it came back */
	struct netmap_if *nifp;
};

/* NIOCCTRL. */
int end_request(struct end *e, uint16_t type, const char *name, void *body);
/* Opens a descriptor that is not registered. */
void end_open_bare(struct end *e);
/* REGISTER of an open descriptor; e->reg is in and out. */
int end_register(struct end *e, const char *name);
/* Both, and closes again if it fails. */
int end_try(struct end *e, const char *name, const struct nmreq_register *want);
void end_open(struct end *e, const char *name);
void end_open_as(struct end *e, const char *name, const struct nmreq_register *want);
void end_open_slots(struct end *e, const char *name, uint32_t slots);
void end_close(struct end *e);

struct netmap_ring *end_tx(const struct end *e, uint32_t i);
struct netmap_ring *end_rx(const struct end *e, uint32_t i);
struct kring *end_ktx(const struct end *e, uint32_t i);
struct kring *end_krx(const struct end *e, uint32_t i);

static inline char *
ring_buf(const struct netmap_ring *r, uint32_t idx)
{
	return (char *)(uintptr_t)r + r->buf_ofs + (uint64_t)idx * r->nr_buf_size;
}

static inline uint32_t
ring_next(const struct netmap_ring *r, uint32_t i)
{
	return i + 1 == r->num_slots ? 0 : i + 1;
}

static inline uint32_t
ring_space(const struct netmap_ring *r)
{
	uint32_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	return tail >= r->head ? tail - r->head : tail + r->num_slots - r->head;
}

/* Gives the slots up to `to` to the host. */
static inline void
ring_move(struct netmap_ring *r, uint32_t to)
{
	__atomic_store_n(&r->cur, to, __ATOMIC_RELAXED);
	__atomic_store_n(&r->head, to, __ATOMIC_RELEASE);
}

/* --- frames --- */

#define FRAME_MIN	60u
#define MAC_ALL		UINT64_C(0xffffffffffff)
#define MAC_GROUP	UINT64_C(0x01005e000001)

/* Addresses of stations: locally administered, unicast. */
static inline uint64_t
mac(uint32_t station)
{
	return UINT64_C(0x020000000000) + station;
}

/* A frame of `len` bytes, at least 14: addresses, type, and a pattern that depends on seq and len. */
void frame_make(char *buf, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq);
/* Is it that frame, but for its addresses? */
bool frame_is(const char *buf, uint32_t len, uint32_t seq);
/*
 * Sequence number of a frame of at least FRAME_MIN bytes if all of it is as frame_make() wrote it, else -1.
 */
int64_t frame_seq(const char *buf, uint32_t len);
uint64_t frame_src(const char *buf);

/* Puts a frame at the head of a TX ring and moves head; false if there is no room. */
bool ring_put(struct netmap_ring *r, uint32_t len, uint64_t dst, uint64_t src, uint32_t seq, uint16_t flags);
/* Sends one frame from ring 0. */
void end_send(struct end *e, uint64_t dst, uint64_t src, uint32_t len, uint32_t seq);
void end_txsync(struct end *e);
void end_rxsync(struct end *e);
/* Slots that are there in RX ring i after a sync. */
uint32_t end_pending(struct end *e, uint32_t i);
/*
 * The next slot of RX ring i is frame `seq` of `len` bytes in one piece; releases it. Syncs first if the ring
 * is empty.
 */
void end_expect(struct end *e, uint32_t i, uint32_t len, uint32_t seq);
/* Nothing is there on any RX ring. */
void end_expect_none(struct end *e);
/* Releases all slots of all RX rings. Returns how many. */
uint32_t end_flush(struct end *e);

uint64_t own_drops(const struct kring *kr);
uint64_t in_drops(const struct kring *kr);
/* The ring's sums of drops, own and in, are n of that reason and nothing else. */
void assert_drops(const struct kring *kr, unsigned reason, uint64_t n);

/* --- a source of numbers that is the same on every run --- */

static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint32_t
random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(random_next(state) % n);
}

#endif /* TESTS_ENGINE_END_H */
