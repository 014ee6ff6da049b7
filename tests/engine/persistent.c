/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent ports: the requests and their errors, what a port does on no switch, on one and on two, and what happens to
 * programs that have it open meanwhile. Interfaces are those whose name begins with "nic".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <pthread.h>

#include "engine/forward.h"
#include "end.h"

static struct end ctl;

static int
nothing_moves(struct kring *kr, struct nic_ring *r)
{
	return 0;
}

static int
setup(void **state)
{
	static const struct inproc_hooks hooks = { .nic_queues = 1, .nic_sync = nothing_moves };
	int error = engine_setup(state);

	inproc_hooks_set(&hooks);
	return error;
}

#define persistent_test(f)	cmocka_unit_test_setup_teardown(f, setup, engine_teardown)

/* --- requests --- */

static int
newif_as(const char *name, struct nmreq_vale_newif *n)
{
	int error = end_request(&ctl, NETMAP_REQ_VALE_NEWIF, name, n);

	if (error != 0)
		assert_string_not_equal(ctl.fd.why, "");
	return error;
}

static int
newif(const char *name)
{
	return newif_as(name, &(struct nmreq_vale_newif){ 0 });
}

static int
delif(const char *name)
{
	int error = end_request(&ctl, NETMAP_REQ_VALE_DELIF, name, NULL);

	if (error != 0)
		assert_string_not_equal(ctl.fd.why, "");
	return error;
}

static int
attach_as(const char *name, uint32_t mode, uint16_t ringid, uint16_t mem_id, uint32_t *index)
{
	struct nmreq_vale_attach a = { .reg = { .nr_mode = mode, .nr_ringid = ringid, .nr_mem_id = mem_id } };
	int error = end_request(&ctl, NETMAP_REQ_VALE_ATTACH, name, &a);

	assert_int_equal(a.reg.nr_mem_id, mem_id);
	if (error != 0)
		assert_string_not_equal(ctl.fd.why, "");
	if (index != NULL)
		*index = a.port_index;
	return error;
}

static int
attach(const char *name)
{
	return attach_as(name, NR_REG_ALL_NIC, 0, 0, NULL);
}

static int
detach(const char *name)
{
	return end_request(&ctl, NETMAP_REQ_VALE_DETACH, name, &(struct nmreq_vale_detach){ 0 });
}

static int
open_error(const char *name)
{
	struct end e;
	int error = end_try(&e, name, NULL);

	if (error == 0)
		end_close(&e);
	return error;
}

/* The name that VALE_LIST finds at this place, "" at the end. */
static const char *
listed_at(uint16_t sw, uint32_t port)
{
	static struct nmreq_header h;
	struct nmreq_vale_list l = { .nr_bridge_idx = sw, .nr_port_idx = port };

	h = (struct nmreq_header){ .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_VALE_LIST, .nr_body = (uintptr_t)&l };
	return inproc_ioctl(&ctl.fd, NIOCCTRL, &h) == 0 ? h.nr_name : "";
}

static int
listed(const char *name)
{
	struct nmreq_vale_list l = { 0 };

	if (end_request(&ctl, NETMAP_REQ_VALE_LIST, name, &l) != 0)
		return -1;
	return l.nr_port_idx == 255 ? -1 : (int)l.nr_port_idx;
}

static void
work(void)
{
	while ((inproc_work() & FORWARD_MOVED) != 0)
		;
}

/* --- tests --- */

static void
comes_and_goes(void **state)
{
	struct end e;

	end_open_bare(&ctl);
	assert_int_equal(delif("vi0"), -ENXIO);
	assert_int_equal(open_error("vi0"), -ENXIO);
	assert_int_equal(newif("vi0"), 0);
	assert_int_equal(engine_persistent(), 1);
	assert_int_equal(newif("vi0"), -EEXIST);

	/* It does not depend on who asked, and not on its users. */
	end_close(&ctl);
	end_open_bare(&ctl);
	assert_int_equal(open_error("vi0"), 0);
	assert_int_equal(open_error("vi0"), 0);
	end_open(&e, "vi0");
	assert_string_equal(e.nifp->ni_name, "vi0");
	assert_int_equal(delif("vi0"), -EBUSY);
	end_close(&e);
	assert_int_equal(delif("vi0"), 0);
	assert_int_equal(engine_persistent(), 0);
	assert_int_equal(delif("vi0"), -ENXIO);
	assert_int_equal(open_error("vi0"), -ENXIO);
	end_close(&ctl);
}

/* Those that are left go with the engine. */
static void
left_behind(void **state)
{
	end_open_bare(&ctl);
	assert_int_equal(newif("vi0"), 0);
	assert_int_equal(newif("vi1"), 0);
	assert_int_equal(newif("vi2"), 0);
	assert_int_equal(attach("vale0:vi0"), 0);
	assert_int_equal(attach("vale1:vi0"), 0);
	assert_int_equal(attach("vale0:vi1"), 0);
	end_close(&ctl);
}

static void
numbers(void **state)
{
	struct nmreq_vale_newif n = { .nr_tx_slots = 128, .nr_rx_slots = 100000, .nr_tx_rings = 3, .nr_rx_rings = 200 };
	struct end e, other;
	uint16_t id;

	end_open_bare(&ctl);
	assert_int_equal(newif_as("vi0", &n), 0);
	assert_int_equal(n.nr_tx_slots, 128);
	assert_int_equal(n.nr_rx_slots, 4096);
	assert_int_equal(n.nr_tx_rings, 3);
	assert_int_equal(n.nr_rx_rings, 16);
	id = n.nr_mem_id;
	assert_true(id > 1);
	end_open(&e, "vi0");
	assert_int_equal(e.reg.nr_tx_slots, 128);
	assert_int_equal(e.reg.nr_rx_slots, 4096);
	assert_int_equal(e.reg.nr_tx_rings, 3);
	assert_int_equal(e.reg.nr_rx_rings, 16);
	assert_int_equal(e.reg.nr_mem_id, id);
	assert_int_equal(e.reg.nr_host_rx_rings, 0);
	end_close(&e);

	/* Defaults, and the region that is asked for. */
	end_open(&other, "vale0:other");
	n = (struct nmreq_vale_newif){ .nr_mem_id = other.reg.nr_mem_id };
	assert_int_equal(newif_as("vi1", &n), 0);
	assert_int_equal(n.nr_tx_slots, 1024);
	assert_int_equal(n.nr_rx_slots, 1024);
	assert_int_equal(n.nr_tx_rings, 1);
	assert_int_equal(n.nr_rx_rings, 1);
	assert_int_equal(n.nr_mem_id, other.reg.nr_mem_id);
	end_close(&other);
	end_open(&e, "vi1");
	assert_int_equal(e.reg.nr_mem_id, n.nr_mem_id);
	end_close(&e);
	assert_int_equal(delif("vi0"), 0);
	assert_int_equal(delif("vi1"), 0);
	end_close(&ctl);
}

static void
names(void **state)
{
	struct end pipe;

	end_open_bare(&ctl);
	assert_int_equal(newif("vale0"), -EINVAL);
	assert_int_equal(newif("vale0:a"), -EINVAL);
	assert_int_equal(newif("valentine"), -EINVAL);
	assert_int_equal(newif(""), -EINVAL);
	assert_int_equal(newif("a b"), -EINVAL);
	assert_int_equal(newif("a/b"), -EINVAL);
	assert_int_equal(newif("."), -EINVAL);
	assert_int_equal(newif("tap:a"), -EINVAL);
	assert_int_equal(newif("a{1"), -EINVAL);
	assert_int_equal(newif("abcdefghijklmnop"), -EINVAL);
	assert_int_equal(newif("abcdefghijklmno"), 0);
	assert_int_equal(delif("abcdefghijklmno"), 0);
	assert_int_equal(newif("nicA"), -EEXIST);
	assert_int_equal(delif("nicA"), -EINVAL);
	assert_int_equal(delif("vale0:a"), -ENXIO);
	assert_int_equal(delif(""), -ENXIO);
	assert_int_equal(newif_as("vi0", &(struct nmreq_vale_newif){ .nr_mem_id = 1 }), -EINVAL);
	assert_int_equal(newif_as("vi0", &(struct nmreq_vale_newif){ .nr_mem_id = 60000 }), -EINVAL);

	/* What pipes got as their parent is no persistent port, and goes with them. */
	end_open(&pipe, "p{1");
	assert_int_equal(newif("p"), -EEXIST);
	assert_int_equal(delif("p"), -EINVAL);
	assert_int_equal(attach("vale0:p"), -EINVAL);
	end_close(&pipe);
	assert_int_equal(delif("p"), -ENXIO);
	assert_int_equal(engine_persistent(), 0);
	end_close(&ctl);
}

static void
legacy(void **state)
{
	struct nmreq nmr = { .nr_name = "vi0", .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_NEWIF, .nr_tx_slots = 256, .nr_rx_rings = 2 };

	end_open_bare(&ctl);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(nmr.nr_tx_slots, 256);
	assert_int_equal(nmr.nr_rx_slots, 1024);
	assert_int_equal(nmr.nr_tx_rings, 1);
	assert_int_equal(nmr.nr_rx_rings, 2);
	assert_true(nmr.nr_arg2 > 1);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), -EEXIST);
	nmr = (struct nmreq){ .nr_name = "vale0:vi0", .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_ATTACH };
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(listed("vale0:vi0"), 0);
	nmr.nr_cmd = NETMAP_BDG_DETACH;
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), 0);
	nmr = (struct nmreq){ .nr_name = "vi0", .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_DELIF };
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), 0);
	assert_int_equal(inproc_ioctl(&ctl.fd, NIOCREGIF, &nmr), -ENXIO);
	end_close(&ctl);
}

static void
on_a_switch(void **state)
{
	struct end a, b, alias;
	uint32_t index = 99;

	end_open_bare(&ctl);
	end_open(&b, "vale0:b");
	assert_int_equal(newif("vi0"), 0);
	assert_int_equal(open_error("vale0:vi0"), -EINVAL);
	assert_int_equal(detach("vale0:vi0"), -ENXIO);
	assert_int_equal(listed("vale0:vi0"), -1);
	assert_int_equal(attach_as("vale0:vi0", NR_REG_ALL_NIC, 0, 60000, NULL), -EINVAL);
	assert_int_equal(attach("vale0:vi1"), -EINVAL);
	assert_int_equal(attach("vi0"), -EINVAL);
	end_open(&a, "vi0");
	assert_int_equal(attach("vale0:vi0"), -EBUSY);
	end_close(&a);

	/* Neither mode nor ring number matter. */
	assert_int_equal(attach_as("vale0:vi0", NR_REG_ONE_NIC, 3, 0, &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(attach("vale0:vi0"), -EBUSY);
	assert_int_equal(delif("vi0"), -EBUSY);
	assert_int_equal(listed("vale0:vi0"), 1);
	assert_string_equal(listed_at(0, 1), "vale0:vi0");
	assert_string_equal(listed_at(0, 2), "");

	/* Both names are one port. */
	end_open(&a, "vi0");
	end_open(&alias, "vale0:vi0");
	assert_ptr_equal(end_ktx(&a, 0), end_ktx(&alias, 0));
	end_close(&alias);
	end_send(&b, MAC_ALL, mac(2), FRAME_MIN, 1);
	end_expect(&a, 0, FRAME_MIN, 1);
	end_send(&a, mac(2), mac(1), FRAME_MIN, 2);
	end_expect(&b, 0, FRAME_MIN, 2);

	/* It can be left while it is open; what is sent then goes nowhere, and is counted. */
	assert_int_equal(detach("vale0:vi0"), 0);
	assert_int_equal(detach("vale0:vi0"), -ENXIO);
	assert_int_equal(listed("vale0:vi0"), -1);
	end_send(&a, mac(2), mac(1), FRAME_MIN, 3);
	end_expect_none(&b);
	assert_drops(end_ktx(&a, 0), DROP_FILTERED, 1);
	assert_int_equal(ring_space(end_tx(&a, 0)), end_tx(&a, 0)->num_slots - 1);
	end_send(&b, mac(1), mac(2), FRAME_MIN, 4);
	end_expect_none(&a);
	assert_int_equal(attach("vale1:vi0"), -EBUSY);
	end_close(&a);
	assert_int_equal(attach("vale1:vi0"), 0);
	assert_int_equal(delif("vi0"), -EBUSY);
	assert_int_equal(detach("vale1:vi0"), 0);
	assert_int_equal(delif("vi0"), 0);
	end_close(&b);
	end_close(&ctl);
}

/* What a ring knows of a switch is not believed on the next one, whose memory may be the last one's. */
static void
from_switch_to_switch(void **state)
{
	struct end a, b;
	char name[32];
	int i;

	end_open_bare(&ctl);
	assert_int_equal(newif("vi0"), 0);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "vale%d:b", i % 2);
		end_open(&b, name);
		snprintf(name, sizeof(name), "vale%d:vi0", i % 2);
		assert_int_equal(attach(name), 0);
		end_open(&a, "vi0");
		end_send(&a, MAC_ALL, mac(1), FRAME_MIN, 1);
		end_expect(&b, 0, FRAME_MIN, 1);
		end_send(&b, mac(1), mac(2), FRAME_MIN, 2);
		end_expect(&a, 0, FRAME_MIN, 2);
		end_close(&b);
		if (i % 2 == 0)
			end_close(&a);
		assert_int_equal(detach(name), 0);
		if (i % 2 != 0)
			end_close(&a);
	}
	assert_int_equal(delif("vi0"), 0);
	end_close(&ctl);
}

static void
on_two_switches(void **state)
{
	struct nmreq_vale_polling poll = { .nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU, .nr_num_polling_cpus = 1 };
	struct end a, b, user;
	uint32_t index = 99;

	end_open_bare(&ctl);
	end_open(&a, "vale0:a");
	end_open(&b, "vale1:b");
	assert_int_equal(newif("vi0"), 0);
	assert_int_equal(attach("vale0:vi0"), 0);

	/* A second switch needs it alone. */
	end_open(&user, "vi0");
	assert_int_equal(attach("vale1:vi0"), -EBUSY);
	end_close(&user);
	end_open(&user, "vi0{1");
	assert_int_equal(attach("vale1:vi0"), -EBUSY);
	end_close(&user);
	assert_int_equal(attach_as("vale1:vi0", NR_REG_ONE_NIC, 0, 0, NULL), -EINVAL);
	assert_int_equal(attach_as("vale1:vi0", NR_REG_ALL_NIC, 1, 0, NULL), -EINVAL);
	assert_int_equal(attach_as("vale1:vi0", NR_REG_ALL_NIC, 0, 0, &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(listed("vale0:vi0"), 1);
	assert_int_equal(listed("vale1:vi0"), 1);
	assert_string_equal(listed_at(1, 1), "vale1:vi0");
	assert_int_equal(open_error("vi0"), -EBUSY);
	assert_int_equal(open_error("vale0:vi0"), -EBUSY);
	assert_int_equal(open_error("vale1:vi0"), -EBUSY);
	assert_int_equal(attach("vale2:vi0"), -EBUSY);
	assert_int_equal(attach("vale1:vi0"), -EBUSY);
	assert_int_equal(delif("vi0"), -EBUSY);

	/* It connects the two. */
	end_send(&a, MAC_ALL, mac(1), FRAME_MIN, 1);
	work();
	end_expect(&b, 0, FRAME_MIN, 1);
	end_send(&b, mac(1), mac(2), FRAME_MIN, 2);
	work();
	end_expect(&a, 0, FRAME_MIN, 2);
	end_send(&a, mac(2), mac(1), 1500, 3);
	work();
	end_expect(&b, 0, 1500, 3);

	/* Only the second one is polled, and they are left in reverse order. */
	assert_int_equal(end_request(&ctl, NETMAP_REQ_VALE_POLLING_ENABLE, "vale0:vi0", &poll), -EOPNOTSUPP);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_VALE_POLLING_ENABLE, "vale1:vi0", &poll), 0);
	assert_int_equal(detach("vale1:vi0"), -EBUSY);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_VALE_POLLING_DISABLE, "vale1:vi0", &poll), 0);
	assert_int_equal(detach("vale0:vi0"), -EBUSY);
	assert_int_equal(detach("vale1:vi0"), 0);
	assert_int_equal(open_error("vi0"), 0);
	end_open(&user, "vale0:vi0");
	end_send(&user, MAC_ALL, mac(3), FRAME_MIN, 4);
	end_expect(&a, 0, FRAME_MIN, 4);
	end_expect_none(&b);
	end_close(&user);
	assert_int_equal(detach("vale0:vi0"), 0);
	assert_int_equal(delif("vi0"), 0);
	end_close(&a);
	end_close(&b);
	end_close(&ctl);
}

static void
pipes_and_headers(void **state)
{
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 12 };
	struct end m, s;

	end_open_bare(&ctl);
	assert_int_equal(newif("vi0"), 0);
	end_open(&m, "vi0{1");
	end_open(&s, "vi0}1");
	end_send(&m, mac(1), mac(2), FRAME_MIN, 1);
	end_expect(&s, 0, FRAME_MIN, 1);
	assert_int_equal(delif("vi0"), -EBUSY);
	/* Pipes do not keep it from a switch. */
	assert_int_equal(attach("vale0:vi0"), 0);
	assert_int_equal(detach("vale0:vi0"), 0);
	end_close(&m);
	end_close(&s);
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_SET, "vi0", &hdr), 0);
	hdr.nr_hdr_len = 0;
	assert_int_equal(end_request(&ctl, NETMAP_REQ_PORT_HDR_GET, "vi0", &hdr), 0);
	assert_int_equal(hdr.nr_hdr_len, 12);
	assert_int_equal(open_error("vi0"), -EIO);
	assert_int_equal(delif("vi0"), 0);
	end_close(&ctl);
}

static void
no_memory(void **state)
{
	uint64_t before;
	unsigned n;
	int error = -1;

	end_open_bare(&ctl);
	before = inproc_memory_used();
	for (n = 0; error != 0; n++) {
		inproc_fail_after(n);
		error = newif("vi0");
		inproc_fail_after(-1);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(inproc_memory_used(), before);
		assert_int_equal(engine_persistent(), 0);
	}
	assert_true(n > 3);
	for (error = -1, n = 0; error != 0; n++) {
		inproc_fail_after(n);
		error = attach("vale0:vi0");
		inproc_fail_after(-1);
		if (error != 0)
			assert_int_equal(error, -ENOMEM);
	}
	assert_int_equal(detach("vale0:vi0"), 0);
	assert_int_equal(delif("vi0"), 0);
	assert_int_equal(inproc_memory_used(), before);
	end_close(&ctl);
}

/* --- a sender that does not care --- */

static uint32_t sender_stop;

static void *
sender(void *arg)
{
	struct end *e = arg;

	for (uint32_t i = 0; __atomic_load_n(&sender_stop, __ATOMIC_RELAXED) == 0; i++) {
		ring_put(end_tx(e, 0), FRAME_MIN, i % 2 != 0 ? MAC_ALL : mac(9), mac(i % 3), i, 0);
		check(inproc_ioctl(&e->fd, NIOCTXSYNC, NULL) == 0);
	}
	return NULL;
}

static void
switches_go_while_it_sends(void **state)
{
	struct end a, b;
	pthread_t thread;
	int i;

	end_open_bare(&ctl);
	sender_stop = 0;
	for (i = 0; i < 20; i++) {
		assert_int_equal(newif("vi0"), 0);
		assert_int_equal(attach("vale0:vi0"), 0);
		end_open(&b, i % 2 != 0 ? "vale0:b" : "vale1:b");
		end_open(&a, "vi0");
		assert_int_equal(pthread_create(&thread, NULL, sender, &a), 0);
		assert_int_equal(detach("vale0:vi0"), 0);
		inproc_work();
		__atomic_store_n(&sender_stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		sender_stop = 0;
		end_close(&a);
		end_close(&b);
		assert_int_equal(delif("vi0"), 0);
	}
	end_close(&ctl);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		persistent_test(comes_and_goes),
		persistent_test(left_behind),
		persistent_test(numbers),
		persistent_test(names),
		persistent_test(legacy),
		persistent_test(on_a_switch),
		persistent_test(from_switch_to_switch),
		persistent_test(on_two_switches),
		persistent_test(pipes_and_headers),
		persistent_test(no_memory),
		persistent_test(switches_go_while_it_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
