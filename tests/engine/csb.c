/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode: how it is switched on, what it refuses, and what the arrays say then.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "csb_end.h"
#include "engine/kloop.h"

static struct nm_csb_atok atok[2 * CSB_RINGS] __attribute__((aligned(4096)));
static struct nm_csb_ktoa ktoa[2 * CSB_RINGS] __attribute__((aligned(4096)));

static struct nmreq_register
alone(void)
{
	return (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE };
}

static void
test_refusals(void **state)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	char *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct end e, other;
	uint32_t status;

	end_open_bare(&e);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, ktoa, &status), -EINVAL);
	assert_int_equal(status, EINVAL);
	reg = alone();
	assert_int_equal(csb_request(&e, "vale0:a", &reg, (char *)atok + 8, ktoa, &status), -EINVAL);
	assert_int_equal(status, EINVAL);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, (char *)ktoa + 32, &status), -EINVAL);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, NULL, ktoa, &status), -EFAULT);
	assert_int_equal(status, EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, hole, &status), -EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, hole, ktoa, &status), -EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, readonly, ktoa, &status), -EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, readonly, &status), -EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, (void *)UINTPTR_MAX - 63, ktoa, &status), -EFAULT);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, (void *)(UINTPTR_MAX / 2 + 1), ktoa, &status), -EFAULT);
	/* The second entry is not there. */
	assert_int_equal(csb_request(&e, "vale0:a", &reg, readonly - 64, ktoa, &status), -EFAULT);
	/* Nothing is left of any of them: the port does not exist, the descriptor is not registered. */
	assert_int_equal(inproc_ioctl(&e.fd, NIOCTXSYNC, NULL), -ENXIO);
	assert_int_equal(end_try(&other, "vale0:a", &reg), 0);
	end_close(&other);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, ktoa, &status), 0);
	assert_int_equal(status, 0);
	end_close(&e);
	munmap(hole, 4096);
	munmap(readonly, 4096);
}

static void
test_initial(void **state)
{
	struct nmreq_register reg = alone();
	struct nm_csb_atok a;
	struct nm_csb_ktoa k;
	struct end e;
	uint32_t i;

	memset(atok, 0xaa, sizeof(atok));
	memset(ktoa, 0xaa, sizeof(ktoa));
	reg.nr_tx_rings = 2;
	reg.nr_rx_rings = 3;
	reg.nr_tx_slots = 32;
	reg.nr_rx_slots = 64;
	end_open_bare(&e);
	assert_int_equal(csb_request(&e, "vale0:a", &reg, atok, ktoa, NULL), 0);
	for (i = 0; i < 5; i++) {
		a = atok[i];
		k = ktoa[i];
		assert_int_equal(a.head, 0);
		assert_int_equal(a.cur, 0);
		assert_int_equal(a.appl_need_kick, 1);
		assert_int_equal(a.sync_flags, 1);
		assert_int_equal(k.hwcur, 0);
		assert_int_equal(k.hwtail, i < 2 ? 31 : 0);
		assert_int_equal(k.kern_need_kick, 1);
		assert_int_equal(a.pad[0], 0xaaaaaaaa);
		assert_int_equal(k.pad[0], 0xaaaaaaaa);
	}
	assert_int_equal(atok[5].head, 0xaaaaaaaa);
	assert_int_equal(ktoa[5].hwcur, 0xaaaaaaaa);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCTXSYNC, NULL), -EBUSY);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCRXSYNC, NULL), -EBUSY);
	assert_int_equal(inproc_poll(&e.fd, EV_IN | EV_OUT, 0), EV_ERR);
	assert_int_equal(inproc_poll(&e.fd, EV_IN, -1), EV_ERR);
	end_close(&e);
}

static void
test_enable_later(void **state)
{
	struct nmreq_register reg = alone();
	struct end e, b;
	uint32_t status;

	end_open(&b, "vale0:b");
	end_open_bare(&e);
	/* Not registered: nothing to do. But the option must be there. */
	assert_int_equal(csb_request(&e, "", NULL, atok, ktoa, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(end_request(&e, NETMAP_REQ_CSB_ENABLE, "", NULL), -EINVAL);
	e.reg = reg;
	assert_int_equal(end_register(&e, "vale0:a"), 0);
	assert_int_equal(end_request(&e, NETMAP_REQ_CSB_ENABLE, "", NULL), -EINVAL);
	assert_int_equal(csb_request(&e, "", NULL, (char *)atok + 4, ktoa, &status), -EINVAL);
	assert_int_equal(status, EINVAL);
	assert_int_equal(csb_request(&e, "", NULL, atok, (void *)64, &status), -EFAULT);
	assert_int_equal(status, EFAULT);
	/* It goes on as it was, from where it is. */
	end_send(&e, MAC_ALL, mac(1), FRAME_MIN, 1);
	end_send(&b, MAC_ALL, mac(2), FRAME_MIN, 2);
	end_rxsync(&e);
	assert_int_equal(csb_request(&e, "", NULL, atok, ktoa, &status), 0);
	assert_int_equal(atok[0].head, 1);
	assert_int_equal(ktoa[0].hwcur, 1);
	assert_int_equal(ktoa[0].hwtail, 0);
	assert_int_equal(atok[1].head, 0);
	assert_int_equal(ktoa[1].hwtail, 1);
	assert_int_equal(inproc_ioctl(&e.fd, NIOCRXSYNC, NULL), -EBUSY);
	assert_int_equal(csb_request(&b, "", NULL, atok, ktoa, &status), -EINVAL);
	/* Other arrays, as long as no loop runs. */
	assert_int_equal(csb_request(&e, "", NULL, atok + 4, ktoa + 4, &status), 0);
	end_close(&e);
	/* The descriptor's place is another's now, without CSB mode. */
	end_open(&e, "vale0:a");
	end_txsync(&e);
	end_close(&e);
	end_close(&b);
}

static void
test_start_refusals(void **state)
{
	struct csb_end c = { .mode = -1 }, plain = { .mode = -1 };
	uint32_t status[2];

	csb_open(&c, "vale0:a", 1);
	plain.sleep_us = 1;
	end_open_bare(&plain.e);
	assert_int_equal(csb_start(&plain, NULL), -ENXIO);
	assert_int_equal(csb_stop(&plain), -ENXIO);
	plain.e.reg = alone();
	assert_int_equal(end_register(&plain.e, "vale0:b"), 0);
	assert_int_equal(csb_start(&plain, NULL), -EINVAL);
	end_close(&plain.e);

	c.sleep_us = 1000001;
	assert_int_equal(csb_start(&c, NULL), -EINVAL);
	c.sleep_us = 100;
	/* Direct modes need eventfds that are there; other bits do not exist. */
	for (c.mode = 1; c.mode <= 4; c.mode++) {
		assert_int_equal(csb_start(&c, status), -EINVAL);
		assert_int_equal(status[1], EINVAL);
	}
	csb_eventfds(&c);
	for (c.mode = 4; c.mode <= 7; c.mode++)
		assert_int_equal(csb_start(&c, NULL), -EINVAL);
	c.mode = 1;
	close(c.ioeventfd[1]);
	c.ioeventfd[1] = -1;
	assert_int_equal(csb_start(&c, status), -EINVAL);
	assert_int_equal(status[0], 0);
	assert_int_equal(status[1], EINVAL);
	c.mode = -1;
	/* One entry too few, and too many. */
	c.rings = 1;
	assert_int_equal(csb_start(&c, status), -EINVAL);
	assert_int_equal(status[0], EINVAL);
	c.rings = 3;
	assert_int_equal(csb_start(&c, status), -EINVAL);
	c.rings = 2;
	csb_close(&c);
}

static void
test_bad_descriptors(void **state)
{
	struct csb_end c;
	int irq;

	csb_open(&c, "vale0:a", 1);
	csb_eventfds(&c);
	irq = c.irqfd[1];
	c.irqfd[1] = 1000000;
	assert_int_equal(csb_start(&c, NULL), -EBADF);
	c.irqfd[1] = 0;
	assert_int_equal(csb_start(&c, NULL), -EINVAL);
	c.irqfd[1] = irq;
	irq = c.ioeventfd[0];
	c.ioeventfd[0] = 1000000;
	assert_int_equal(csb_start(&c, NULL), -EBADF);
	c.ioeventfd[0] = irq;
	/* Nothing of that is left: the loop runs. */
	csb_run(&c);
	assert_true(csb_running(&c));
	assert_int_equal(csb_start(&c, NULL), -EBUSY);
	assert_int_equal(csb_request(&c.e, "", NULL, c.atok, c.ktoa, NULL), -EBUSY);
	assert_int_equal(csb_stop(&c), 0);
	assert_int_equal(csb_join(&c), 0);
	assert_int_equal(csb_request(&c.e, "", NULL, c.atok, c.ktoa, NULL), 0);
	csb_close(&c);
}

static void
test_sticky_stop(void **state)
{
	struct csb_end c;

	csb_open(&c, "vale0:a", 1);
	assert_int_equal(csb_stop(&c), 0);
	assert_int_equal(csb_stop(&c), 0);
	assert_int_equal(csb_start(&c, NULL), 0);
	/* It is used up. */
	csb_run(&c);
	assert_true(csb_running(&c));
	assert_int_equal(csb_stop(&c), 0);
	assert_false(csb_running(&c));
	assert_int_equal(csb_join(&c), 0);
	csb_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(test_refusals),
		engine_test(test_initial),
		engine_test(test_enable_later),
		engine_test(test_start_refusals),
		engine_test(test_bad_descriptors),
		engine_test(test_sticky_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
