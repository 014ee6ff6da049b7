/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What vale-ctl doctor makes of the facts about an interface: modes, also those of hardware that is not here,
 * and what stands in their way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <net/if_arp.h>
#include <cmocka.h>

#include "verdict.h"

#define ALL_RIGHTS	(PROBE_CAP_NET_ADMIN | PROBE_CAP_NET_RAW | PROBE_CAP_BPF | PROBE_CAP_SYS_ADMIN | \
			 PROBE_CAP_IPC_LOCK)

static struct probe p;
static struct verdict_server server;
static struct verdict v;

/* A fast card, up, on a new kernel, asked about by root. */
static int setup(void **state)
{
	p = (struct probe){
		.kernel = PROBE_KERNEL(6, 12), .bpffs = true, .tcx = PROBE_YES,
		.rights = { .capabilities = ALL_RIGHTS, .memlock = 8 << 20 },
		.exists = true, .kind = PROBE_DEVICE,
		.link = { .ifindex = 3, .mtu = 1500, .flags = IFF_UP | NETLINK_CARRIER,
			 .type = ARPHRD_ETHER, .name = "eth0" },
		.xdp = { .source = PROBE_FROM_KERNEL, .native = PROBE_YES, .zerocopy = PROBE_YES,
			.fragments = PROBE_YES, .sockets = true },
		.has_identity = true, .identity = { .driver = "ice", .bus = "0000:01:00.0" },
		.rx_queues = 4, .tx_queues = 4, .has_channels = true, .channels = { .combined = 4,
										   .combined_max = 8 },
		.has_offloads = true,
	};
	memset(&server, 0, sizeof(server));
	return 0;
}

static const struct finding *find(const char *check, enum finding_level level)
{
	for (unsigned i = 0; i < v.n; i++)
		if (strcmp(v.finding[i].check, check) == 0 && v.finding[i].level == level)
			return &v.finding[i];
	return NULL;
}

static void expect(const char *mode)
{
	verdict_make(&v, "eth0", &p, &server);
	assert_string_equal(v.mode, mode);
	assert_int_equal(v.usable, strcmp(mode, "none") != 0);
	for (unsigned i = 0; i < v.n; i++)
		assert_true(v.finding[i].text[0] != '\0');
}

static void expect_because(const char *mode, const char *check, enum finding_level level)
{
	expect(mode);
	assert_non_null(find(check, level));
	if (level >= FINDING_WARNING && strcmp(check, "offloads") != 0)
		assert_true(find(check, level)->remedy[0] != '\0');
}

static void test_modes(void **state)
{
	expect("afxdp-zerocopy");
	p.xdp.zerocopy = PROBE_NO;
	expect("afxdp-native");
	p.xdp.native = PROBE_NO;
	expect("afxdp-generic");
	p.xdp.native = p.xdp.zerocopy = PROBE_UNKNOWN;
	p.xdp.source = PROBE_FROM_NOTHING;
	expect("afxdp");
	p.xdp.sockets = false;
	expect_because("afpacket", "kernel", FINDING_WARNING);
	p.kind = PROBE_TAP;
	expect("tap");
	p.link.tun_queues = 1;
	expect("afpacket");
}

static void test_unusable(void **state)
{
	p.link.flags = 0;
	expect_because("none", "link", FINDING_BLOCKER);
	p.link.flags = IFF_UP;
	expect("afxdp-zerocopy");
	assert_non_null(find("link", FINDING_WARNING));
	p.link.type = ARPHRD_NONE;
	expect("none");
	p.exists = false;
	expect_because("none", "interface", FINDING_BLOCKER);
}

static void test_rights(void **state)
{
	p.rights.capabilities = 0;
	expect_because("none", "permissions", FINDING_BLOCKER);
	assert_non_null(strstr(find("permissions", FINDING_BLOCKER)->text, "CAP_NET_RAW"));
	server.running = server.root = true;
	expect("afxdp-zerocopy");
	server.root = false;
	expect("none");
	p.rights.capabilities = PROBE_CAP_NET_ADMIN | PROBE_CAP_NET_RAW | PROBE_CAP_IPC_LOCK;
	expect_because("afpacket", "permissions", FINDING_WARNING);
	p.rights.capabilities |= PROBE_CAP_BPF;
	expect("afxdp-zerocopy");
	assert_non_null(find("permissions", FINDING_NOTE));
	p.rights.capabilities &= ~(unsigned)PROBE_CAP_IPC_LOCK;
	expect_because("afpacket", "memlock", FINDING_WARNING);
	p.rights.memlock = UINT64_MAX;
	expect("afxdp-zerocopy");
	p.rights.user_namespace = true;
	expect_because("afpacket", "permissions", FINDING_WARNING);
}

static void test_program(void **state)
{
	p.link.xdp_native_id = p.xdp.program_id = 17;
	strcpy(p.xdp.program, "lb");
	expect_because("afpacket", "xdp program", FINDING_WARNING);
	assert_non_null(strstr(find("xdp program", FINDING_WARNING)->text, "id 17, \"lb\", native"));
	server.holds = true;
	expect("afxdp-zerocopy");
}

static void test_mtu(void **state)
{
	p.link.mtu = 1770;
	expect_because("afxdp-zerocopy", "mtu", FINDING_GOOD);
	p.link.mtu = 9000;
	expect_because("afxdp-zerocopy", "mtu", FINDING_NOTE);
	p.xdp.fragments = PROBE_NO;
	expect_because("afxdp-zerocopy", "mtu", FINDING_WARNING);
	p.kernel = PROBE_KERNEL(6, 1);
	expect_because("afpacket", "mtu", FINDING_WARNING);
}

static void test_hardware(void **state)
{
	strcpy(p.offloads_fixed, "on, and fixed: rx-gro-hw");
	expect_because("afxdp", "offloads", FINDING_WARNING);
	p.offloads_fixed[0] = '\0';
	p.offloads.n = 1;
	strcpy(p.offloads.name[0], "rx-gro");
	expect_because("afxdp-zerocopy", "offloads", FINDING_NOTE);
	p.has_flow_control = p.flow_control.rx = true;
	expect_because("afxdp-zerocopy", "flow control", FINDING_WARNING);
	p.rx_queues = 1;
	expect_because("afxdp-zerocopy", "queues", FINDING_NOTE);
	assert_string_equal(find("queues", FINDING_NOTE)->remedy, "ethtool -L eth0 combined 8");
	p.rx_queues = 4;
	p.irqs = 2;
	p.irq[0] = (struct probe_irq){ 30, "eth0-0", "0" };
	p.irq[1] = (struct probe_irq){ 31, "eth0-1", "0" };
	expect_because("afxdp-zerocopy", "interrupts", FINDING_WARNING);
	strcpy(p.irq[1].cpus, "1");
	expect_because("afxdp-zerocopy", "interrupts", FINDING_GOOD);
	strcpy(p.link.port_of, "bridge");
	expect_because("afxdp-zerocopy", "master", FINDING_WARNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_modes, setup), cmocka_unit_test_setup(test_unusable, setup),
		cmocka_unit_test_setup(test_rights, setup), cmocka_unit_test_setup(test_program, setup),
		cmocka_unit_test_setup(test_mtu, setup), cmocka_unit_test_setup(test_hardware, setup),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
