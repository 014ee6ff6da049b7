/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: the steps of opening and closing and their inverses, failures in each step, clones, and injection.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "libnetmap_fake.h"

static const struct nmreq_header zero_hdr;
static const struct nmreq_register zero_reg;

static void
test_new(void **state)
{
	struct nmport_d *d = nmport_new();

	(void)state;
	assert_non_null(d);
	assert_int_equal(d->fd, -1);
	assert_ptr_equal(d->ctx, &fake_ctx);
	assert_int_equal(d->hdr.nr_version, NETMAP_API);
	assert_int_equal(d->hdr.nr_reqtype, NETMAP_REQ_REGISTER);
	assert_int_equal(d->hdr.nr_body, (uintptr_t)&d->reg);
	assert_memory_equal(&d->reg, &zero_reg, sizeof(d->reg));
	assert_int_equal(d->register_done | d->mmap_done, 0);
	nmport_delete(d);
}

static void
test_parse(void **state)
{
	struct nmport_d *d = nmport_new();

	(void)state;
	d->reg.nr_tx_slots = 512;
	d->reg.nr_extra_bufs = 9;
	assert_int_equal(nmport_offset(d, 1, 2, 3, 4), 0);
	assert_int_equal(nmport_parse(d, "netmap:eth0-1/R@2@conf:rings=3"), 0);
	assert_string_equal(d->hdr.nr_name, "eth0");
	assert_int_equal(d->reg.nr_mode, NR_REG_ONE_NIC);
	assert_int_equal(d->reg.nr_ringid, 1);
	assert_int_equal(d->reg.nr_flags, NR_RX_RINGS_ONLY);
	assert_int_equal(d->reg.nr_mem_id, 2);
	assert_int_equal(d->reg.nr_rx_rings, 3);
	assert_int_equal(d->reg.nr_tx_slots, 512);
	assert_int_equal(d->reg.nr_extra_bufs, 9);
	assert_non_null(nmreq_find_option(&d->hdr, NETMAP_REQ_OPT_OFFSETS));

	/* undo leaves nothing, and the descriptor can be parsed into again */
	errno = EXDEV;
	nmport_undo_parse(d);
	assert_int_equal(errno, EXDEV);
	assert_memory_equal(&d->hdr, &zero_hdr, sizeof(d->hdr));
	assert_memory_equal(&d->reg, &zero_reg, sizeof(d->reg));
	assert_null(d->clist);
	assert_int_equal(fake.n_allocated, 1);
	assert_int_equal(nmport_parse(d, "vale0:x"), 0);
	assert_string_equal(d->hdr.nr_name, "vale0:x");
	assert_int_equal(d->hdr.nr_version, NETMAP_API);
	assert_int_equal(d->hdr.nr_body, (uintptr_t)&d->reg);

	/* so does a failure, in each part of the name */
	assert_int_equal(nmport_parse(d, "eth0"), -1);
	assert_int_equal(errno, EINVAL);
	assert_memory_equal(&d->hdr, &zero_hdr, sizeof(d->hdr));
	d->reg.nr_tx_slots = 512;
	assert_int_equal(nmport_parse(d, "netmap:eth0-"), -1);
	assert_memory_equal(&d->hdr, &zero_hdr, sizeof(d->hdr));
	assert_memory_equal(&d->reg, &zero_reg, sizeof(d->reg));
	assert_int_equal(nmport_parse(d, "netmap:eth0@conf=2@none"), -1);
	assert_memory_equal(&d->hdr, &zero_hdr, sizeof(d->hdr));
	assert_memory_equal(&d->reg, &zero_reg, sizeof(d->reg));
	nmport_undo_prepare(d);
}

static void
test_open_close(void **state)
{
	struct nmport_d *d = nmport_open("netmap:eth0");

	(void)state;
	assert_non_null(d);
	assert_string_equal(fake.hdr.nr_name, "eth0");
	assert_int_equal(d->register_done, 1);
	assert_int_equal(d->mmap_done, 1);
	assert_true(d->fd >= 0);
	assert_ptr_equal(d->mem->mem, (char *)d->nifp - d->reg.nr_offset);
	assert_int_equal(d->mem->size, FAKE_MEMSIZE);
	assert_int_equal(d->reg.nr_tx_rings, FAKE_NIC_RINGS);
	assert_int_equal(fake.n_fds, 1);
	assert_int_equal(fake.n_maps, 1);
	errno = EXDEV;
	nmport_close(d);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fake.n_fds, 0);
	assert_int_equal(fake.n_maps, 0);
	nmport_close(NULL);
	nmport_undo_prepare(NULL);
}

static void
test_steps(void **state)
{
	struct nmport_d *d = nmport_prepare("netmap:eth0");

	(void)state;
	assert_non_null(d);
	assert_int_equal(nmport_mmap(d), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(nmport_register(d), 0);
	assert_int_equal(nmport_register(d), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fake.n_fds, 1);
	assert_int_equal(nmport_mmap(d), 0);
	assert_int_equal(nmport_mmap(d), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(d->mem->refcount, 1);
	nmport_undo_mmap(d);
	assert_null(d->mem);
	assert_null(d->nifp);
	assert_int_equal(fake.n_maps, 0);
	nmport_undo_mmap(d);
	assert_int_equal(nmport_mmap(d), 0);
	nmport_undo_mmap(d);
	nmport_undo_register(d);
	assert_int_equal(d->fd, -1);
	assert_int_equal(fake.n_fds, 0);
	nmport_undo_register(d);
	assert_int_equal(nmport_open_desc(d), 0);
	nmport_undo_open_desc(d);
	nmport_undo_open_desc(d);
	nmport_undo_prepare(d);
}

static void
test_ring_intervals(void **state)
{
	/* n is 3: two NIC rings and one host ring */
	static const struct {
		const char *spec;
		uint16_t first_tx, last_tx, first_rx, last_rx;
	} cases[] = {
		{ "netmap:eth0", 0, 1, 0, 1 },
		{ "netmap:eth0*", 0, 2, 0, 2 },
		{ "netmap:eth0^", 2, 2, 2, 2 },
		{ "netmap:eth0-1", 1, 1, 1, 1 },
		{ "netmap:eth0/R", 3, 2, 0, 1 },
		{ "netmap:eth0/T", 0, 1, 3, 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nmport_d *d = nmport_open(cases[i].spec);

		print_message("%s\n", cases[i].spec);
		assert_non_null(d);
		assert_int_equal(d->first_tx_ring, cases[i].first_tx);
		assert_int_equal(d->last_tx_ring, cases[i].last_tx);
		assert_int_equal(d->cur_tx_ring, cases[i].first_tx);
		assert_int_equal(d->first_rx_ring, cases[i].first_rx);
		assert_int_equal(d->last_rx_ring, cases[i].last_rx);
		assert_int_equal(d->cur_rx_ring, cases[i].first_rx);
		nmport_close(d);
	}
}

static void
open_fails(const char *spec, int error)
{
	errno = 0;
	fake.n_errors = 0;
	assert_null(nmport_open(spec));
	assert_int_equal(errno, error);
	assert_true(fake.n_errors > 0);
	assert_int_equal(fake.n_fds, 0);
	assert_int_equal(fake.n_maps, 0);
	assert_int_equal(fake.n_allocated, 0);
}

static void
test_failures(void **state)
{
	(void)state;
	open_fails("eth0", EINVAL);

	fake.open_errno = ENOENT;
	open_fails("netmap:eth0", ENOENT);
	assert_non_null(strstr(fake.error, "/dev/netmap"));
	fake.open_errno = 0;

	fake.ctrl_errno = ENXIO;
	open_fails("netmap:eth0", ENXIO);
	assert_int_equal(fake.n_errors, 1);
	assert_non_null(strstr(fake.error, "eth0"));
	fake.ctrl_errno = 0;

	fake.mmap_errno = EPERM;
	open_fails("netmap:eth0", EPERM);
	fake.mmap_errno = 0;

	/* an answer that points outside the region */
	fake.bad_offset = FAKE_MEMSIZE;
	open_fails("netmap:eth0", EINVAL);
	fake.bad_offset = FAKE_MEMSIZE - (uint32_t)sizeof(struct netmap_if) + 1;
	open_fails("netmap:eth0", EINVAL);
	fake.bad_offset = 0xfffffff8;
	open_fails("netmap:eth0", EINVAL);
}

/* Each option of a failed request that has a status gets a line. */
static void
test_option_errors(void **state)
{
	struct nmport_d *d = nmport_prepare("netmap:eth0");

	(void)state;
	assert_int_equal(nmport_offset(d, 1, 1, 0, 0), 0);
	fake.ctrl_errno = EOPNOTSUPP;
	fake.option_status = EOPNOTSUPP;
	assert_int_equal(nmport_register(d), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(fake.n_errors, 2);
	assert_int_equal(fake.n_options, 1);
	assert_non_null(strstr(fake.error, "option offsets"));
	assert_int_equal(d->fd, -1);
	fake.ctrl_errno = 0;
	assert_int_equal(nmport_register(d), 0);
	nmport_undo_register(d);
	nmport_undo_prepare(d);
}

/* Every allocation fails once. */
static void
test_no_memory(void **state)
{
	struct nmport_d *d = NULL, *c;
	int i;

	(void)state;
	for (i = 0; d == NULL; i++) {
		fake.malloc_countdown = i;
		errno = 0;
		fake.n_errors = 0;
		d = nmport_open("netmap:eth0@conf=1");
		if (d == NULL) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(fake.n_errors, 1);
			assert_int_equal(fake.n_allocated, 0);
			assert_int_equal(fake.n_fds, 0);
			assert_int_equal(fake.n_maps, 0);
		}
	}
	assert_int_equal(i, 4);		/* descriptor, text of the options, mapping */
	fake.malloc_countdown = 0;
	assert_null(nmport_clone(d));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(nmport_offset(d, 1, 1, 0, 0), 0);
	fake.malloc_countdown = 0;
	assert_int_equal(nmport_offset(d, 1, 1, 0, 0), -1);
	assert_int_equal(errno, ENOMEM);
	c = nmport_clone(d);
	assert_non_null(c);
	fake.malloc_countdown = 0;
	assert_int_equal(nmport_extmem(c, &c, sizeof(c)), -1);
	assert_int_equal(errno, ENOMEM);
	fake.malloc_countdown = 0;
	assert_int_equal(nmport_extmem_from_file(c, "/dev/null"), -1);
	assert_int_equal(errno, ENOMEM);
	nmport_undo_prepare(c);
	nmport_close(d);
}

static void
test_clone(void **state)
{
	struct nmport_d *d = nmport_prepare("netmap:eth0-1/x@5");
	struct nmport_d *c;

	(void)state;
	assert_int_equal(nmport_offset(d, 1, 1, 0, 0), 0);
	c = nmport_clone(d);
	assert_non_null(c);
	assert_ptr_equal(c->ctx, d->ctx);
	assert_string_equal(c->hdr.nr_name, "eth0");
	assert_int_equal(c->hdr.nr_version, NETMAP_API);
	assert_int_equal(c->hdr.nr_body, (uintptr_t)&c->reg);
	assert_int_equal(c->hdr.nr_options, 0);
	assert_memory_equal(&c->reg, &d->reg, sizeof(c->reg));
	assert_int_equal(c->fd, -1);
	assert_int_equal(c->register_done | c->mmap_done, 0);
	assert_null(c->clist);

	assert_int_equal(nmport_open_desc(d), 0);
	nmport_undo_prepare(c);
	c = nmport_clone(d);
	assert_int_equal(c->reg.nr_mem_id, 5);
	assert_int_equal(c->register_done, 0);
	c->reg.nr_ringid = 0;
	assert_int_equal(nmport_open_desc(c), 0);
	assert_ptr_equal(c->mem, d->mem);
	assert_int_equal(c->first_rx_ring, 0);
	assert_int_equal(d->first_rx_ring, 1);
	nmport_close(d);
	nmport_close(c);
}

/* ---- Injection ---- */

static struct netmap_ring *
tx_ring(struct nmport_d *d, uint32_t i)
{
	return NETMAP_TXRING(d->nifp, i);
}

static void
test_inject(void **state)
{
	struct nmport_d *d = nmport_open("netmap:eth0");
	unsigned char packet[FAKE_BUF_SIZE * 3];
	struct netmap_ring *ring = tx_ring(d, 0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(packet); i++)
		packet[i] = (unsigned char)(i * 7);
	ring->slot[0].flags = NS_MOREFRAG | NS_REPORT;
	assert_int_equal(nmport_inject(d, packet, 60), 60);
	assert_int_equal(ring->head, 1);
	assert_int_equal(ring->cur, 1);
	assert_int_equal(ring->slot[0].len, 60);
	assert_int_equal(ring->slot[0].flags, 0);
	assert_memory_equal(NETMAP_BUF(ring, ring->slot[0].buf_idx), packet, 60);

	/* three slots, the last of them with one byte */
	assert_int_equal(nmport_inject(d, packet, 2 * FAKE_BUF_SIZE + 1), 2 * FAKE_BUF_SIZE + 1);
	assert_int_equal(ring->head, 4);
	for (i = 1; i < 4; i++) {
		assert_int_equal(ring->slot[i].len, i < 3 ? FAKE_BUF_SIZE : 1);
		assert_int_equal(ring->slot[i].flags, i < 3 ? NS_MOREFRAG : 0);
		assert_memory_equal(NETMAP_BUF(ring, ring->slot[i].buf_idx), packet + (i - 1) * FAKE_BUF_SIZE,
			ring->slot[i].len);
	}
	assert_int_equal(nmport_inject(d, packet, FAKE_BUF_SIZE), FAKE_BUF_SIZE);
	assert_int_equal(ring->slot[4].flags, 0);

	/* two slots left: three do not fit, the next ring takes it */
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), sizeof(packet));
	assert_int_equal(ring->head, 5);
	assert_int_equal(tx_ring(d, 1)->head, 3);
	assert_int_equal(d->cur_tx_ring, 1);

	/* four more there, two in the first one, then both are full */
	for (i = 0; i < 6; i++)
		assert_int_equal(nmport_inject(d, packet, 14), 14);
	assert_int_equal(nmport_inject(d, packet, 14), 0);
	assert_int_equal(ring->head, ring->tail);
	assert_int_equal(tx_ring(d, 1)->head, tx_ring(d, 1)->tail);

	/* room that wraps around */
	ring->tail = 2;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), sizeof(packet));
	assert_int_equal(ring->head, 2);
	assert_int_equal(nmport_inject(d, packet, 0), 0);
	nmport_close(d);
}

static void
test_inject_offset(void **state)
{
	struct nmport_d *d = nmport_open("netmap:eth0");
	struct netmap_ring *ring = tx_ring(d, 0);
	char packet[FAKE_BUF_SIZE];

	(void)state;
	memset(packet, 0x42, sizeof(packet));
	ring->offset_mask = 0xffff;
	ring->slot[0].ptr = 0xabc0000 | 56;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), sizeof(packet));
	assert_int_equal(ring->head, 2);
	assert_int_equal(ring->slot[0].len, FAKE_BUF_SIZE - 56);
	assert_int_equal(ring->slot[0].ptr, 0xabc0000 | 56);
	assert_int_equal(ring->slot[1].len, 56);
	assert_memory_equal(NETMAP_BUF_OFFSET(ring, &ring->slot[0]), packet, FAKE_BUF_SIZE - 56);
	nmport_close(d);
}

/* What another program may have written to the shared memory leads nowhere outside it. */
static void
test_inject_hostile(void **state)
{
	struct nmport_d *d = nmport_open("netmap:eth0-0");
	struct netmap_ring *ring = tx_ring(d, 0);
	struct netmap_ring good = *ring;
	int64_t ring_ofs = d->nifp->ring_ofs[0];
	char packet[60] = { 0 };

	(void)state;
	ring->head = FAKE_SLOTS;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->head = 0;
	ring->tail = UINT32_MAX;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->tail = good.tail;
	ring->num_slots = UINT32_MAX;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->num_slots = good.num_slots;
	ring->slot[0].buf_idx = UINT32_MAX;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->slot[0].buf_idx = 2;
	ring->buf_ofs = INT64_MIN;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->buf_ofs = good.buf_ofs;
	ring->nr_buf_size = 0;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->nr_buf_size = UINT32_MAX;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->nr_buf_size = good.nr_buf_size;
	ring->offset_mask = UINT64_MAX;
	ring->slot[0].ptr = FAKE_BUF_SIZE;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	ring->offset_mask = 0;
	d->nifp->ring_ofs[0] = FAKE_MEMSIZE;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	d->nifp->ring_ofs[0] = -FAKE_MEMSIZE;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	d->nifp->ring_ofs[0] = ring_ofs;
	assert_int_equal(ring->head, 0);
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), sizeof(packet));
	nmport_close(d);
}

static void
test_inject_no_rings(void **state)
{
	struct nmport_d *d = nmport_open("netmap:eth0/R");
	char packet[60] = { 0 };

	(void)state;
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	nmport_undo_mmap(d);
	assert_int_equal(nmport_inject(d, packet, sizeof(packet)), 0);
	nmport_close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_parse, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_open_close, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_steps, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_ring_intervals, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_failures, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_option_errors, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_clone, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_inject, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_inject_offset, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_inject_hostile, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_inject_no_rings, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
