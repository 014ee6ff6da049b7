/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests the commands send: open() and ioctl() are this test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <net/netmap.h>

#include "request.h"

#define SOME_FD		1000	/* closing it fails, and nobody looks */

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long number, void *arg);

/* The request that came. */
static struct nmreq_header header;
static union {
	struct nmreq_vale_attach attach;
	struct nmreq_vale_polling polling;
	struct nmreq_vale_newif newif;
} body;

int
__wrap_open(const char *path, int flags, ...)
{
	assert_string_equal(path, "/dev/netmap");
	return SOME_FD;
}

int
__wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

int
__wrap_ioctl(int fd, unsigned long number, void *arg)
{
	struct nmreq_header *h = arg;
	void *b = (void *)(uintptr_t)h->nr_body;

	assert_int_equal(fd, SOME_FD);
	assert_int_equal(number, NIOCCTRL);
	assert_int_equal(h->nr_version, NETMAP_API);
	header = *h;
	if (h->nr_reqtype == NETMAP_REQ_VALE_ATTACH)
		body.attach = *(struct nmreq_vale_attach *)b;
	else if (h->nr_reqtype == NETMAP_REQ_VALE_NEWIF)
		body.newif = *(struct nmreq_vale_newif *)b;
	else if (h->nr_reqtype == NETMAP_REQ_VALE_POLLING_ENABLE ||
		h->nr_reqtype == NETMAP_REQ_VALE_POLLING_DISABLE)
		body.polling = *(struct nmreq_vale_polling *)b;
	return 0;
}

static void
send_command(const char *letter, const char *name, const char *config)
{
	const char *argv[] = { "vale-ctl", letter, name, "-C", config, NULL };
	struct options o;

	memset(&header, 0, sizeof(header));
	memset(&body, 0xff, sizeof(body));
	assert_int_equal(options_parse(&o, config != NULL ? 5 : 3, (char *const *)argv, stdout, stderr), 0);
	assert_int_equal(request_run(&o, stdout), 0);
	assert_string_equal(header.nr_name, strncmp(name, "netmap:", 7) == 0 ? name + 7 : name);
}

static void
attaches(void **state)
{
	send_command("-a", "vale0:eth0", NULL);
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_ATTACH);
	assert_int_equal(body.attach.reg.nr_mode, NR_REG_ALL_NIC);
	assert_int_equal(body.attach.reg.nr_ringid, 0);
	assert_int_equal(body.attach.reg.nr_mem_id, 0);
	assert_int_equal(body.attach.reg.nr_tx_slots, 0);
	send_command("-h", "vale0:eth0", "512,256,2,1");
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_ATTACH);
	assert_int_equal(body.attach.reg.nr_mode, NR_REG_NIC_SW);
	assert_int_equal(body.attach.reg.nr_tx_slots, 512);
	assert_int_equal(body.attach.reg.nr_rx_slots, 256);
	assert_int_equal(body.attach.reg.nr_tx_rings, 2);
	assert_int_equal(body.attach.reg.nr_rx_rings, 1);
}

static void
detaches(void **state)
{
	send_command("-d", "netmap:vale0:eth0", NULL);
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_DETACH);
}

static void
polls(void **state)
{
	send_command("-p", "vale0:eth0", NULL);
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_POLLING_ENABLE);
	assert_int_equal(body.polling.nr_mode, NETMAP_POLLING_MODE_SINGLE_CPU);
	assert_int_equal(body.polling.nr_first_cpu_id, 0);
	assert_int_equal(body.polling.nr_num_polling_cpus, 1);
	send_command("-p", "vale0:eth0", "1,2,3");
	assert_int_equal(body.polling.nr_mode, NETMAP_POLLING_MODE_MULTI_CPU);
	assert_int_equal(body.polling.nr_first_cpu_id, 2);
	assert_int_equal(body.polling.nr_num_polling_cpus, 3);
	send_command("-P", "vale0:eth0", NULL);
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_POLLING_DISABLE);
}

static void
makes_and_removes(void **state)
{
	send_command("-n", "v7", "128");
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_NEWIF);
	assert_int_equal(body.newif.nr_tx_slots, 128);
	send_command("-r", "v7", NULL);
	assert_int_equal(header.nr_reqtype, NETMAP_REQ_VALE_DELIF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attaches), cmocka_unit_test(detaches), cmocka_unit_test(polls),
			cmocka_unit_test(makes_and_removes),
	};

	return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
