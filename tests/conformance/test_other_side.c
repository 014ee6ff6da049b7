/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What polls and syncs say when the other side of a port goes away, for each kind of port and each way to go. No call here sleeps without bound: each
 * poll has a timeout, and the case a limit.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define SHORT_MS	30		/* for what does not come */
#define LONG_MS		5000		/* for what does */

enum verdict {
	LIVES,		/* as if nothing had been */
	DOWN,		/* POLLERR, and EIO for who wants to receive */
	FAILS,		/* POLLERR, and EIO: at the latest when netmapd has seen it, too */
};

static unsigned failed;

static int
sync_errno(int fd, unsigned long which)
{
	return ioctl(fd, which, NULL) == 0 ? 0 : errno;
}

static void
row(const char *text, int fd, enum verdict want)
{
	static const char *const words[] = { [LIVES] = "goes on", [DOWN] = "POLLERR, EIO to receive", [FAILS] = "POLLERR, EIO" };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n = poll_any(&pfd, 1, want == LIVES ? SHORT_MS : LONG_MS), tx, rx;
	uint64_t until = now_ms() + LONG_MS;
	bool good;

	do {
		tx = sync_errno(fd, NIOCTXSYNC);
		rx = sync_errno(fd, NIOCRXSYNC);
	} while (want == FAILS && (tx != EIO || rx != EIO) && now_ms() < until);
	if (want == LIVES)
		good = n == 0 && tx == 0 && rx == 0;
	else
		good = n == 1 && (pfd.revents & POLLERR) != 0 && rx == EIO && (want == DOWN || tx == EIO);
	printf("%-6s %-64s %s", good ? "ok" : "FAILED", text, words[want]);
	if (!good)
		printf(", got poll %d revents 0x%x, txsync %s, rxsync %s", n, pfd.revents, strerror(tx), strerror(rx));
	printf("\n");
	failed += !good;
}

static void
rows_end(void)
{
	fflush(stdout);
	check_eq(failed, 0);
}

static void
peers(void)
{
	struct nmreq_register monitor = { .nr_flags = NR_MONITOR_TX | NR_MONITOR_RX }, null = { .nr_mode = NR_REG_NULL };
	struct port a, b, m, again;
	struct pollfd pfd;

	port_open_two(&a, &b);
	port_close(&b);
	row("VALE port, all others of the switch close", a.fd, LIVES);
	port_open(&again, vale("a"));
	port_close(&again);
	row("VALE port, another descriptor of it closes", a.fd, LIVES);
	port_open_as(&m, vale("a"), &monitor);
	null.nr_mem_id = a.reg.nr_mem_id;
	port_open_as(&b, "null", &null);
	port_close(&a);
	row("null port, the port that its memory is of closes", b.fd, LIVES);
	port_close(&b);
	/* A monitor has a ring to send from, which it cannot: only the receiving side counts. */
	pfd = (struct pollfd){ .fd = m.fd, .events = POLLIN };
	check_eq(poll_any(&pfd, 1, LONG_MS), 1);
	check((pfd.revents & POLLERR) != 0);
	printf("ok     %-64s POLLERR\n", "monitor, the port that it shows closes");
	port_close(&m);

	port_open_pipe(&a, &b, 64);
	port_close(&b);
	row("pipe, the other end closes", a.fd, LIVES);
	port_close(&a);
	rows_end();
}

static void
persistent(void)
{
	struct nmreq_vale_newif newif = { .nr_tx_slots = 64 };
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_detach detach = { 0 };
	char name[16], on[64];
	int fd = device_open();
	struct port p;

	snprintf(name, sizeof(name), "vo%d", (int)getpid());
	snprintf(on, sizeof(on), "vale%d_o:%s", (int)getpid() % 100000, name);
	check_eq(request_try(fd, NETMAP_REQ_VALE_NEWIF, name, &newif), 0);
	check_eq(request_try(fd, NETMAP_REQ_VALE_ATTACH, on, &attach), 0);
	port_open(&p, on);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DETACH, on, &detach), 0);
	row("persistent port, it is taken off its switch", p.fd, LIVES);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), -EBUSY);
	row("persistent port, it is to be removed (EBUSY)", p.fd, LIVES);
	port_close(&p);
	check_eq(request_try(fd, NETMAP_REQ_VALE_DELIF, name, NULL), 0);
	rows_end();
}

static int
run(const char *command)
{
	return system(command) == 0 ? 0 : -1;
}

static void
interfaces(void)
{
	struct port a, b, host, pipe;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		skip("needs root, to make a network namespace");
	/* Nothing comes by itself. */
	(void)run("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null");
	if (run("ip link add nmo0 type veth peer name nmo1 && ip link set nmo0 up && ip link set nmo1 up") != 0)
		skip("no veth pair can be made");
	port_open(&a, "nmo0");
	port_open(&b, "nmo1");
	port_close(&b);
	row("interface, the other end of the veth pair leaves netmap", a.fd, LIVES);
	check_ok(run("ip link set nmo1 down"));
	row("interface, the other end goes down: no carrier", a.fd, LIVES);
	check_ok(run("ip link set nmo1 up"));
	check_ok(run("ip link set nmo0 down"));
	row("interface, it goes down", a.fd, DOWN);
	check_ok(run("ip link set nmo0 up"));
	wait_until(sync_errno(a.fd, NIOCRXSYNC) == 0 && sync_errno(a.fd, NIOCTXSYNC) == 0, LONG_MS);
	row("interface, it is up again", a.fd, LIVES);
	port_open_as(&host, "nmo0", &(struct nmreq_register){ .nr_mode = NR_REG_SW });
	port_open(&pipe, "nmo0{1");
	check_ok(run("ip link del nmo0"));
	row("interface, it is removed", a.fd, FAILS);
	row("host rings, the interface is removed", host.fd, FAILS);
	port_close(&a);
	port_close(&host);
	port_close(&pipe);
	check_eq(port_try(&a, "nmo0", NULL), -ENXIO);
	rows_end();
}

static void
daemon_kill(void *arg)
{
	sleep_ms(100);
	kill(harness_daemon(), SIGKILL);
}

/* All kinds at once, all asleep at first. */
static void
daemon_dies(void)
{
	struct nmreq_register monitor = { .nr_flags = NR_MONITOR_RX }, null = { .nr_mode = NR_REG_NULL };
	struct port a, b, m, s, mon, n;
	struct pollfd pfd[3];
	pid_t pid;

	port_open_two(&a, &b);
	port_open_pipe(&m, &s, 64);
	port_open_as(&mon, vale("a"), &monitor);
	null.nr_mem_id = a.reg.nr_mem_id;
	port_open_as(&n, "null", &null);
	pfd[0] = (struct pollfd){ .fd = a.fd, .events = POLLIN };
	pfd[1] = (struct pollfd){ .fd = m.fd, .events = POLLIN };
	pfd[2] = (struct pollfd){ .fd = mon.fd, .events = POLLIN };
	pid = spawn(daemon_kill, NULL);
	check(poll_any(pfd, 3, LONG_MS) > 0);
	join(pid);
	row("VALE port, netmapd is killed", a.fd, FAILS);
	row("VALE port that nobody waited for, netmapd is killed", b.fd, FAILS);
	row("pipe, netmapd is killed", m.fd, FAILS);
	row("monitor, netmapd is killed", mon.fd, FAILS);
	row("null port, netmapd is killed", n.fd, FAILS);
	rows_end();
}

static const struct test_case cases[] = {
	{ "peers", peers, 0, false },
	{ "persistent", persistent, 0, false },
	{ "interfaces", interfaces, 40, false },
	{ "daemon_dies", daemon_dies, 40, false },
};

static const char *const expected_log[] = { "request", "(error ", "persistent port ", "interface ", "offloads", "host rings", "link", "joined", NULL };

TEST_MAIN(cases, expected_log)
