/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of every kind of request fails once: the request fails cleanly, says what was short,
 * leaves nothing behind, and the same request succeeds when there is memory again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

#define STEPS_MAX	200


static bool
says_what_is_short(const char *why)
{
	return strstr(why, "memory") != NULL || strstr(why, "pool") != NULL;
}

/* Walks a registration through its allocations. Returns how many it has. */
static unsigned
walk(const char *name, const struct nmreq_register *want)
{
	unsigned n;

	for (n = 0; n < STEPS_MAX; n++) {
		uint64_t used = inproc_memory_used();
		struct end e;
		int error;

		end_open_bare(&e);
		inproc_fail_after(n);
		e.reg = *want;
		error = end_register(&e, name);
		inproc_fail_after(-1);
		if (error == 0) {
			end_close(&e);
			assert_true(inproc_memory_used() == used);
			return n;
		}
		assert_int_equal(error, -ENOMEM);
		if (!says_what_is_short(e.fd.why))
			print_error("allocation %u: '%s'\n", n, e.fd.why);
		assert_true(says_what_is_short(e.fd.why));
		assert_non_null(strstr(e.fd.why, "port "));
		assert_null(inproc_memory(&e.fd));
		assert_int_equal(inproc_ioctl(&e.fd, NIOCTXSYNC, NULL), -ENXIO);
		/* With memory again, the same descriptor can be registered. */
		e.reg = *want;
		assert_int_equal(end_register(&e, name), 0);
		end_close(&e);
		assert_true(inproc_memory_used() == used);
	}
	fail_msg("%s: still fails after %d allocations", name, STEPS_MAX);
	return 0;
}

static void
test_vale(void **state)
{
	const struct nmreq_register plain = {
		.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 16, .nr_rx_slots = 16
	};
	const struct nmreq_register rings = { .nr_mode = NR_REG_ALL_NIC,
		.nr_tx_slots = 16,
		.nr_rx_slots = 16,
		.nr_tx_rings = 3,
		.nr_rx_rings = 2,
		.nr_extra_bufs = 10 };
	struct end a, b;
	unsigned first;

	first = walk("vale0:a", &plain);
	assert_true(first > 5);
	assert_true(walk("vale0:a", &rings) > first);
	end_open_slots(&a, "vale0:a", 16);
	end_open_slots(&b, "vale0:b", 16);
	/* On a switch that is there, and on a port that is there. */
	assert_true(walk("vale0:c", &plain) < first);
	assert_int_equal(walk("vale0:a", &plain), 0);
	end_send(&a, MAC_ALL, mac(1), 60, 1);
	end_expect(&b, 0, 60, 1);
	end_close(&a);
	end_close(&b);
}

static void
test_pipes(void **state)
{
	const struct nmreq_register plain = {
		.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 16, .nr_rx_slots = 16
	};
	const struct nmreq_register rings = { .nr_mode = NR_REG_ALL_NIC,
		.nr_tx_slots = 16,
		.nr_rx_slots = 32,
		.nr_tx_rings = 2,
		.nr_rx_rings = 3 };
	struct end parent, m, s;
	unsigned alone;

	alone = walk("x{1", &plain);
	assert_true(walk("vale0:a}1", &rings) > alone);
	end_open_slots(&parent, "vale0:a", 16);
	assert_true(walk("vale0:a{1", &plain) < alone);
	end_open_slots(&m, "vale0:a{1", 16);
	/* The other end is there already. */
	assert_int_equal(walk("vale0:a}1", &plain), 0);
	end_open(&s, "vale0:a}1");
	end_send(&m, MAC_ALL, mac(1), 60, 3);
	end_expect(&s, 0, 60, 3);
	end_close(&m);
	end_close(&s);
	end_close(&parent);
}

static void
test_shared_region(void **state)
{
	struct end a;
	struct nmreq_register want = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 16, .nr_rx_slots = 16 };

	end_open_slots(&a, "vale0:a", 16);
	want.nr_mem_id = a.reg.nr_mem_id;
	assert_true(walk("vale0:b", &want) > 3);
	assert_true(walk("y{b", &want) > 3);
	end_close(&a);
}

static void
test_info(void **state)
{
	static const uint16_t request[] = { NETMAP_REQ_PORT_INFO_GET, NETMAP_REQ_POOLS_INFO_GET };
	static const char *const name[] = { "vale0:a", "x{1" };
	char body[sizeof(struct nmreq_pools_info)];
	struct end e;
	unsigned r, p, n;

	end_open_bare(&e);
	for (r = 0; r < 2; r++)
		for (p = 0; p < 2; p++)
			for (n = 0; n < STEPS_MAX; n++) {
				uint64_t used = inproc_memory_used();
				int error;

				memset(body, 0, sizeof(body));
				inproc_fail_after(n);
				error = end_request(&e, request[r], name[p], body);
				inproc_fail_after(-1);
				assert_true(inproc_memory_used() == used);
				if (error == 0)
					break;
				assert_int_equal(error, -ENOMEM);
				assert_true(says_what_is_short(e.fd.why));
			}
	end_close(&e);
}

/* Closing needs no memory. */
static void
test_close(void **state)
{
	uint64_t used = inproc_memory_used();
	struct end a, b, m, s;

	end_open_slots(&a, "vale0:a", 16);
	end_open_slots(&b, "vale0:b", 16);
	end_open_slots(&m, "vale0:b{1", 16);
	end_open_slots(&s, "vale0:b}1", 16);
	inproc_fail_after(0);
	end_close(&a);
	end_close(&m);
	end_close(&b);
	end_close(&s);
	inproc_fail_after(-1);
	assert_true(inproc_memory_used() == used);
}

/* Nor does it while a thread is inside the data path, and all of it is to be freed later. */
static void
test_close_behind_thread(void **state)
{
	uint64_t used = inproc_memory_used(), inside;
	struct actor *a;
	struct end e[40];
	char name[NETMAP_REQ_IFNAMSIZ];
	unsigned i;

	assert_int_equal(actor_alloc(1234, 1234, 1234, &a), 0);
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "vale%u:a%s", i / 2, i % 2 ? "{1" : "");
		end_open_slots(&e[i], name, 16);
	}
	inside = actor_enter(inproc_root(), a);
	inproc_fail_after(0);
	for (i = 0; i < 40; i++)
		end_close(&e[i]);
	assert_true(engine_tick() > 0);
	inproc_fail_after(-1);
	assert_true(inproc_memory_used() > used);
	actor_leave(a, inside);
	actor_free(a);
	engine_tick();
	assert_true(inproc_memory_used() == used);
}

/* Descriptors fail to open cleanly, each at all of its allocations, whether it is the one or the hundredth. */
static void
test_open(void **state)
{
	static struct inproc_fd fd[1000];
	unsigned i, failed = 0;
	long n;
	int error;

	for (i = 0; i < 1000; i++) {
		for (n = 0, error = -ENOMEM; error != 0; n++) {
			inproc_fail_after(n);
			error = inproc_open(&fd[i]);
			inproc_fail_after(-1);
			assert_true(error == 0 || error == -ENOMEM);
			failed += error != 0;
			assert_true(n < STEPS_MAX);
		}
	}
	assert_true(failed >= 1000);
	while (i-- > 0)
		inproc_close(&fd[i]);
}

/* A pool that is used up: the message names it, what was needed and what was left, and what to do. */
static void
test_pool_used_up(void **state)
{
	const struct nmreq_register big = { .nr_mode = NR_REG_ALL_NIC,
		.nr_tx_slots = 4096,
		.nr_rx_slots = 4096,
		.nr_tx_rings = 16,
		.nr_rx_rings = 16 };
	static const char *const word[] = { "pool", "memory region", "free", "close" };
	struct nmreq_register share = big;
	struct end a, b;
	unsigned i;

	end_open_slots(&a, "vale0:a", 16);
	share.nr_mem_id = a.reg.nr_mem_id;
	assert_int_equal(end_try(&b, "vale0:b", &share), -ENOMEM);
	for (i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		assert_non_null(strstr(b.fd.why, word[i]));
	/* Nothing of the attempt is left in the region. */
	share.nr_tx_slots = share.nr_rx_slots = 16;
	share.nr_tx_rings = share.nr_rx_rings = 1;
	for (i = 0; i < 100; i++) {
		assert_int_equal(end_try(&b, "vale0:b", &share), 0);
		end_close(&b);
	}
	end_close(&a);
}

/* Descriptors until the netmap_if pool is empty, then again. */
static void
test_descriptors_used_up(void **state)
{
	static struct end e[8192];
	unsigned n, again;

	end_open_slots(&e[0], "vale0:a", 16);
	for (n = 1; n < 8192; n++)
		if (end_try(&e[n], "vale0:a", NULL) != 0)
			break;
	assert_true(n > 500 && n < 8192);
	assert_non_null(strstr(e[n].fd.why, "netmap_if pool"));
	for (again = 0; again < 10; again++) {
		end_close(&e[n - 1]);
		assert_int_equal(end_try(&e[n - 1], "vale0:a", NULL), 0);
		assert_int_equal(end_try(&e[n], "vale0:a", NULL), -ENOMEM);
	}
	while (n-- > 0)
		end_close(&e[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_vale),
		engine_test(test_pipes),
		engine_test(test_shared_region),
		engine_test(test_info),
		engine_test(test_close),
		engine_test(test_close_behind_thread),
		engine_test(test_open),
		engine_test(test_pool_used_up),
		engine_test(test_descriptors_used_up),
	};

	return cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
}
