/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sync loop and arrays that vanish, or that somebody rewrites at full speed: the loop ends or goes on, and nobody else notices.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "csb_end.h"
#include "engine/kloop.h"
#include "host/fault.h"

#define SCRIBBLED_ROUNDS 3000u		/* of the loop, while two hostile threads write */
#define VANISH_ROUNDS	10u

static struct csb_end a;
static struct end x, y;

static void
map_again(struct csb_end *c, int prot)
{
	void *p = mmap(c->atok, 8192, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_true(p == c->atok);
}

/* The switch and its other ports. */
static void
others_work(uint32_t seq)
{
	end_flush(&y);
	end_send(&x, MAC_ALL, mac(3), FRAME_MIN, seq);
	end_expect(&y, 0, FRAME_MIN, seq);
}

static void
open_all(void)
{
	memset(&a, 0, sizeof(a));
	csb_open(&a, "vale0:a", 2);
	end_open(&x, "vale0:x");
	end_open(&y, "vale0:y");
}

static void
close_all(void)
{
	csb_close(&a);
	end_close(&x);
	end_close(&y);
}

enum vanish {
	UNMAP,
	UNREADABLE,
	READ_ONLY,
	VANISH_WAYS,
};

static void
vanish(enum vanish way)
{
	switch (way) {
	case UNMAP:
		assert_int_equal(munmap(a.atok, 8192), 0);
		break;
	case UNREADABLE:
		assert_int_equal(mprotect(a.atok, 4096, PROT_NONE), 0);
		break;
	default:
		assert_int_equal(mprotect(a.ktoa, 4096, PROT_READ), 0);
		/* Something to be told. */
		end_send(&x, MAC_ALL, mac(3), FRAME_MIN, 1);
		break;
	}
}

static void
vanish_rounds(bool eventfds)
{
	uint64_t one = 1;

	open_all();
	a.sleep_us = 10;
	if (eventfds)
		csb_eventfds(&a);
	for (uint32_t i = 0; i < VANISH_ROUNDS * VANISH_WAYS; i++) {
		csb_run(&a);
		if (i % 2 == 1)
			sleep_ms(1);
		vanish((enum vanish)(i % VANISH_WAYS));
		if (eventfds)
			assert_int_equal(write(a.ioeventfd[0], &one, sizeof(one)), sizeof(one));
		assert_int_equal(csb_join(&a), -EFAULT);
		others_work(i);
		map_again(&a, PROT_READ | PROT_WRITE);
		/* As long as there are no arrays a START ends the same way. */
		assert_int_equal(csb_request(&a.e, "", NULL, a.atok, a.ktoa, NULL), 0);
	}
	csb_run(&a);
	csb_send(&a, 0, 5, 0, MAC_ALL);
	while (load_relaxed(&a.ktoa[0].hwcur) != a.atok[0].head)
		sleep_ms(1);
	close_all();
}

static void
test_vanish_timed(void **state)
{
	vanish_rounds(false);
}

static void
test_vanish_kicked(void **state)
{
	vanish_rounds(true);
}

/* A file that is cut off behind a mapping: SIGBUS. */
static void
test_truncated(void **state)
{
	int fd = memfd_create("csb", MFD_CLOEXEC);
	void *p;

	open_all();
	a.sleep_us = 10;
	assert_int_equal(ftruncate(fd, 8192), 0);
	p = mmap(a.atok, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	assert_true(p == a.atok);
	assert_int_equal(csb_request(&a.e, "", NULL, a.atok, a.ktoa, NULL), 0);
	csb_run(&a);
	sleep_ms(2);
	assert_true(csb_running(&a));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(csb_join(&a), -EFAULT);
	assert_int_equal(csb_request(&a.e, "", NULL, a.atok, a.ktoa, NULL), -EFAULT);
	map_again(&a, PROT_READ | PROT_WRITE);
	assert_int_equal(csb_request(&a.e, "", NULL, a.atok, a.ktoa, NULL), 0);
	csb_run(&a);
	assert_true(csb_running(&a));
	close(fd);
	close_all();
}

/* --- somebody rewrites them --- */

static uint64_t seed;
static uint32_t scribbled_enough;

static uint32_t
hostile_value(uint64_t *state)
{
	static const uint32_t odd[] = { 0, 1, 2, 63, 64, 65, 127, UINT32_MAX, 0x80000000u, 0x7fffffff };

	return random_below(state, 4) == 0 ? odd[random_below(state, sizeof(odd) / sizeof(odd[0]))] : random_below(state, 66);
}

static void *
scribbler(void *arg)
{
	uint64_t state = atomic_inc(&seed);

	while (load_relaxed(&scribbled_enough) == 0) {
		uint32_t *entry = random_below(&state, 4) != 0 ? (uint32_t *)(void *)&a.atok[random_below(&state, a.rings)] :
			(uint32_t *)(void *)&a.ktoa[random_below(&state, a.rings)];

		store_relaxed(&entry[random_below(&state, 16)], hostile_value(&state));
	}
	return NULL;
}

static void
assert_ring_sound(const struct kring *kr)
{
	assert_true(kr->rhead < kr->num_slots && kr->rcur < kr->num_slots && kr->hwcur < kr->num_slots && kr->hwtail < kr->num_slots);
	assert_true(index_diff(kr, kr->rhead, kr->hwcur) <= index_diff(kr, kr->hwtail, kr->hwcur) || kr->dir == RING_TX);
}

static void
scribbled(bool eventfds, const char *name)
{
	pthread_t t[2];
	const struct kring *first;
	uint64_t one = 1;
	uint32_t seq, i;

	open_all();
	end_close(&a.e);
	end_open_bare(&a.e);
	assert_int_equal(csb_request(&a.e, name, &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE, .nr_tx_rings = 2,
		.nr_rx_rings = 2, .nr_tx_slots = 64, .nr_rx_slots = 64 }, a.atok, a.ktoa, NULL), 0);
	first = binding_ring(a.e.fd.binding, 0);
	a.sleep_us = 0;
	if (eventfds)
		csb_eventfds(&a);
	csb_run(&a);
	store_relaxed(&scribbled_enough, 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, scribbler, NULL), 0);
	/* Until the scribblers have had their turn as well. */
	for (seq = 0; csb_rounds(&a, a.tx) < SCRIBBLED_ROUNDS || load_relaxed(&first->own.bad_rings) == 0; seq++) {
		/* What it sends for everybody comes here too. */
		end_flush(&y);
		end_flush(&x);
		end_send(&x, MAC_ALL, mac(3), FRAME_MIN, seq);
		if (eventfds)
			assert_int_equal(write(a.ioeventfd[seq % a.rings], &one, sizeof(one)), sizeof(one));
	}
	store_relaxed(&scribbled_enough, 1);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_true(csb_running(&a));
	assert_int_equal(csb_stop(&a), 0);
	assert_int_equal(csb_join(&a), 0);
	for (i = 0; i < a.rings; i++)
		assert_ring_sound(binding_ring(a.e.fd.binding, i));
	others_work(1000);
	close_all();
}

static void
test_scribbled(void **state)
{
	scribbled(false, "vale0:h");
	scribbled(true, "vale0:h");
	scribbled(true, "vale0:x{1");
	scribbled(false, "vale0:x{1");
}

/* --- who else gets these signals --- */

static sigjmp_buf landing;
static volatile sig_atomic_t landed;
static void *hole;

static void
own_handler(int sig, siginfo_t *info, void *context)
{
	landed++;
	siglongjmp(landing, 1);
}

/* A fault of the program's own. */
static void
fault(void)
{
	*(volatile int *)hole = 1;
}

static void
test_signals_handed_on(void **state)
{
	struct sigaction own = { .sa_sigaction = own_handler, .sa_flags = SA_SIGINFO }, old, now;

	assert_int_equal(sigaction(SIGSEGV, &own, &old), 0);
	open_all();
	hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(hole != MAP_FAILED);
	csb_run(&a);
	sleep_ms(1);
	for (int i = 1; i <= 3; i++) {
		if (sigsetjmp(landing, 1) == 0)
			fault();
		assert_int_equal(landed, i);
	}
	assert_int_equal(munmap(a.atok, 8192), 0);
	assert_int_equal(csb_join(&a), -EFAULT);
	assert_int_equal(landed, 3);
	map_again(&a, PROT_READ | PROT_WRITE);
	/* All is as it was. */
	assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
	assert_true(now.sa_sigaction == own_handler);
	sigaction(SIGSEGV, &old, NULL);
	munmap(hole, 4096);
	close_all();
}

static void *
blocked_thread(void *arg)
{
	sigset_t all, now;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	a.error = csb_start(&a, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	check(sigismember(&now, SIGSEGV) && sigismember(&now, SIGBUS));
	inproc_thread_done();
	return NULL;
}

/* In a thread that has the signals blocked, too. */
static void
test_signals_blocked(void **state)
{
	open_all();
	assert_int_equal(pthread_create(&a.thread, NULL, blocked_thread, NULL), 0);
	a.started = true;
	while (!csb_running(&a))
		sleep_ms(1);
	assert_int_equal(munmap(a.atok, 8192), 0);
	assert_int_equal(csb_join(&a), -EFAULT);
	map_again(&a, PROT_READ | PROT_WRITE);
	close_all();
}

/* Words that are there. */
static void
test_accesses(void **state)
{
	struct fault_guard g, inner;
	uint64_t word = UINT64_C(0x1122334455667788), got = 0;

	assert_int_equal(fault_guard_begin(&g), 0);
	assert_int_equal(fault_load((uintptr_t)&word, &got), 0);
	assert_true(got == word);
	assert_int_equal(fault_guard_begin(&inner), 0);
	assert_int_equal(fault_store((uintptr_t)&word + 4, 7), 0);
	assert_true(word == UINT64_C(0x755667788));
	assert_int_equal(fault_load(8, &got), -EFAULT);
	fault_guard_end(&inner);
	assert_int_equal(fault_store(8, 1), -EFAULT);
	/* No address at all, on machines that have such. */
	assert_int_equal(fault_load(UINT64_C(1) << 63, &got), -EFAULT);
	fault_guard_end(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_accesses),
		engine_test(test_vanish_timed),
		engine_test(test_vanish_kicked),
		engine_test(test_truncated),
		engine_test(test_scribbled),
		engine_test(test_signals_handed_on),
		engine_test(test_signals_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
