/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading, changing, restoring and watching the state of interfaces; see far.h for the topology. Root only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "../../drivers/link_watch.h"
#include "../../drivers/probe.h"
#include "../../drivers/state_file.h"
#include "far.h"

#define FLOOD	3000	/* changes, more than a socket's buffer has room for */

static char dir[64], said[400];

static void log_take(void *arg, const char *text)
{
	++*(int *)arg;
	snprintf(said, sizeof(said), "%s", text);
}

static int recover(int *logged)
{
	*logged = 0;
	said[0] = '\0';
	return state_file_recover(dir, log_take, logged);
}

static bool feature_is(const char *feature, const char *value)
{
	char command[64], want[80];

	snprintf(command, sizeof(command), "ethtool -k a0");
	snprintf(want, sizeof(want), "%s: %s\n", feature, value);
	return ns_shows(NS_A, command, want);
}

/* How many files are in the directory; the name of one of them. */
static int files(char *name, size_t size)
{
	char command[128];
	FILE *f;
	int n = 0;

	snprintf(command, sizeof(command), "ls -A %s", dir);
	f = popen(command, "r");
	while (fgets(name, (int)size, f))
		n++;
	pclose(f);
	name[strcspn(name, "\n")] = '\0';
	return n;
}

static int none(void)
{
	char name[64] = "";

	return files(name, sizeof(name));
}

/* --- entering and leaving --- */

static const struct state_wish wish = { .offloads = OFFLOADS_RX | OFFLOADS_TX, .promisc = true };

static int enter(struct state_file *s, const char *where, const char *ifname, char *text, size_t size)
{
	int rc;

	ns_enter(NS_A);
	rc = state_file_enter(s, where, ifname, &wish, text, size);
	ns_leave();
	return rc;
}

static void test_enter_leave(void **state)
{
	struct state_file s;
	char text[400], name[64];

	assert_int_equal(enter(&s, dir, "a0", text, sizeof(text)), 0);
	assert_true(feature_is("generic-receive-offload", "off"));
	assert_true(feature_is("tcp-segmentation-offload", "off"));
	assert_true(feature_is("tx-checksumming", "off"));
	assert_true(feature_is("rx-vlan-offload", "off"));
	assert_true(ns_shows(NS_A, "ip link show a0", "PROMISC"));
	assert_int_equal(files(name, sizeof(name)), 1);
	/* From another namespace. */
	assert_int_equal(state_file_leave(&s, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_true(feature_is("generic-receive-offload", "on"));
	assert_true(feature_is("tcp-segmentation-offload", "on"));
	assert_true(feature_is("tx-checksumming", "on"));
	assert_true(feature_is("scatter-gather", "on"));
	assert_true(feature_is("rx-vlan-offload", "on"));
	assert_false(ns_shows(NS_A, "ip link show a0", "PROMISC"));
	assert_int_equal(none(), 0);
}

/* What was off, and the flag if it was set, stay. */
static void test_enter_leave_off(void **state)
{
	struct state_file s;

	assert_int_equal(ns_run(NS_A, "ethtool -K a0 gro off tso off"), 0);
	assert_int_equal(ns_run(NS_A, "ip link set a0 promisc on"), 0);
	assert_int_equal(enter(&s, dir, "a0", NULL, 0), 0);
	assert_int_equal(state_file_leave(&s, NULL, 0), 0);
	assert_true(feature_is("generic-receive-offload", "off"));
	assert_true(feature_is("tcp-segmentation-offload", "off"));
	assert_true(feature_is("tx-checksumming", "on"));
	assert_true(ns_shows(NS_A, "ip link show a0", "PROMISC"));
	assert_int_equal(ns_run(NS_A, "ip link set a0 promisc off"), 0);
	assert_int_equal(ns_run(NS_A, "ethtool -K a0 gro on tso on"), 0);
}

static void test_enter_fails(void **state)
{
	struct state_file s;
	char text[400];

	assert_int_equal(enter(&s, dir, "none", text, sizeof(text)), -ENODEV);
	assert_int_equal(enter(&s, dir, "a-name-that-is-too-long", text, sizeof(text)), -ENODEV);
	assert_int_equal(enter(&s, "/nonexistent/dir", "a0", text, sizeof(text)), -ENOENT);
	assert_non_null(strstr(text, "/nonexistent/dir"));
	/* A directory for everybody. */
	assert_int_equal(enter(&s, "/tmp", "a0", text, sizeof(text)), -EPERM);
	assert_true(feature_is("generic-receive-offload", "on"));
	assert_false(ns_shows(NS_A, "ip link show a0", "PROMISC"));
}

static void test_renamed_and_gone(void **state)
{
	struct state_file s;

	assert_int_equal(ns_run(NS_A, "ip link add t0 type veth peer name t1"), 0);
	assert_int_equal(enter(&s, dir, "t0", NULL, 0), 0);
	assert_int_equal(ns_run(NS_A, "ip link set t0 name t9"), 0);
	assert_int_equal(state_file_leave(&s, NULL, 0), 0);
	assert_true(ns_shows(NS_A, "ethtool -k t9", "tcp-segmentation-offload: on\n"));
	assert_int_equal(enter(&s, dir, "t9", NULL, 0), 0);
	assert_int_equal(ns_run(NS_A, "ip link del t9"), 0);
	assert_int_equal(state_file_leave(&s, NULL, 0), -ENODEV);
	assert_int_equal(none(), 0);
}

/* --- after a crash --- */

/* A process enters and is gone. */
static void crash(const char *ifname)
{
	struct state_file s;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(enter(&s, dir, ifname, NULL, 0) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(none(), 1);
}

static void test_recover(void **state)
{
	int logged;

	crash("a0");
	assert_true(feature_is("generic-receive-offload", "off"));
	assert_true(ns_shows(NS_A, "ip link show a0", "PROMISC"));
	/* From another namespace. */
	assert_int_equal(recover(&logged), 1);
	assert_int_equal(logged, 1);
	assert_non_null(strstr(said, "a0"));
	assert_true(feature_is("generic-receive-offload", "on"));
	assert_true(feature_is("tx-checksumming", "on"));
	assert_false(ns_shows(NS_A, "ip link show a0", "PROMISC"));
	assert_int_equal(none(), 0);
	assert_int_equal(recover(&logged), 0);
}

/* Who enters after a crash restores first: what he leaves is what was before both. */
static void test_enter_after_crash(void **state)
{
	struct state_file s;

	crash("a0");
	assert_int_equal(enter(&s, dir, "a0", NULL, 0), 0);
	assert_int_equal(none(), 1);
	assert_int_equal(state_file_leave(&s, NULL, 0), 0);
	assert_true(feature_is("generic-receive-offload", "on"));
	assert_false(ns_shows(NS_A, "ip link show a0", "PROMISC"));
}

static void test_holder_lives(void **state)
{
	struct state_file s, second;
	char text[400];
	int logged;

	assert_int_equal(enter(&s, dir, "a0", NULL, 0), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(logged, 0);
	assert_true(feature_is("generic-receive-offload", "off"));
	assert_int_equal(enter(&second, dir, "a0", text, sizeof(text)), -EBUSY);
	assert_int_equal(none(), 1);
	assert_int_equal(state_file_leave(&s, NULL, 0), 0);
}

/* A new interface, left by a crash. */
static void crash_new(void)
{
	ns_run(NS_A, "ip link del t0 2>/dev/null");
	assert_int_equal(ns_run(NS_A, "ip link add t0 type veth peer name t1"), 0);
	crash("t0");
}

static void test_void_records(void **state)
{
	char name[64], command[512];
	int logged;

	/* Another interface of that name. */
	crash_new();
	assert_int_equal(ns_run(NS_A, "ip link del t0"), 0);
	assert_int_equal(ns_run(NS_A, "ip link add t0 type veth peer name t1"), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(logged, 1);
	assert_non_null(strstr(said, "gone"));
	assert_int_equal(none(), 0);
	/* Another boot. */
	crash_new();
	snprintf(command, sizeof(command), "sed -i 's/^boot ./boot x/' %s/*.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 0);
	assert_non_null(strstr(said, "boot"));
	assert_int_equal(none(), 0);
	/* A namespace that is nowhere. */
	crash_new();
	snprintf(command, sizeof(command), "sed -i -E 's/^(netns [0-9]+) .*/\\1 1/' %s/*.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 0);
	assert_non_null(strstr(said, "namespace"));
	assert_int_equal(none(), 0);
	/* Half of it. */
	crash_new();
	files(name, sizeof(name));
	snprintf(command, sizeof(command), "%s/%s", dir, name);
	assert_int_equal(truncate(command, 40), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(logged, 1);
	assert_int_equal(none(), 0);
	assert_int_equal(ns_run(NS_A, "ip link del t0"), 0);
}

/* Links, others' files and such as others can write are not looked at, and stay. */
static void test_foreign_files(void **state)
{
	char command[512];
	int logged;

	crash("a0");
	snprintf(command, sizeof(command), "cd %s && mv *.state ../state-test-$$ && ln -s ../state-test-$$ "
		 "if-1-1.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(none(), 1);
	snprintf(command, sizeof(command), "cd %s && cp -L if-1-1.state x && rm -f $(readlink if-1-1.state) "
		 "&& mv -f x if-1-1.state && "
		 "chown 65534 if-1-1.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(none(), 1);
	snprintf(command, sizeof(command), "cd %s && chown 0 *.state && chmod 0666 *.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 0);
	assert_int_equal(none(), 1);
	assert_true(feature_is("generic-receive-offload", "off"));
	snprintf(command, sizeof(command), "cd %s && chmod 0600 *.state", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(recover(&logged), 1);
	assert_true(feature_is("generic-receive-offload", "on"));
	assert_int_equal(none(), 0);
}

/* --- watching --- */

struct seen {
	unsigned changed;
	struct link_event last;
	struct netlink_link link;
	int events;
};

static void seen_take(void *arg, const struct link_event *event)
{
	struct seen *s = arg;

	/* Their other ends have news as well. */
	if (event->link->name[1] == '1')
		return;
	s->changed |= event->changed;
	s->last = *event;
	s->link = *event->link;
	s->events++;
}

/* What is reported until nothing is. */
static struct seen look(struct link_watch *w)
{
	struct pollfd pfd = { .fd = link_watch_fd(w), .events = POLLIN };
	struct seen s = { .events = 0 };

	while (poll(&pfd, 1, 100) > 0)
		assert_int_equal(link_watch_read(w, seen_take, &s), 0);
	return s;
}

static void test_watch(void **state)
{
	struct link_watch *w;
	struct seen s;

	assert_int_equal(link_watch_open(ns_fd(NS_B), &w), 0);
	assert_int_equal(look(w).events, 0);
	assert_int_equal(ns_run(NS_B, "ip link add w0 numrxqueues 4 numtxqueues 4 type veth peer name w1 "
				"numrxqueues 4 numtxqueues 4"), 0);
	assert_true(look(w).changed & LINK_ADDED);
	assert_int_equal(ns_run(NS_B, "ip link set w1 up"), 0);
	look(w);
	assert_int_equal(ns_run(NS_B, "ip link set w0 up"), 0);
	s = look(w);
	assert_true((s.changed & (LINK_UP_DOWN | LINK_CARRIER)) == (LINK_UP_DOWN | LINK_CARRIER));
	assert_int_equal(ns_run(NS_B, "ip link set w0 mtu 1400"), 0);
	s = look(w);
	assert_int_equal(s.changed, LINK_MTU);
	assert_int_equal(s.link.mtu, 1400);
	assert_string_equal(s.link.name, "w0");
	if (ns_run(NS_B, "ethtool -L w0 rx 2 tx 2") == 0) {
		s = look(w);
		assert_true(s.changed & LINK_QUEUES);
		assert_int_equal(s.last.rx_queues, 2);
		assert_int_equal(s.last.tx_queues, 2);
	}
	assert_int_equal(ns_run(NS_B, "ip link set w0 address 02:00:00:00:ab:01"), 0);
	assert_int_equal(look(w).changed, LINK_MAC);
	assert_int_equal(ns_run(NS_B, "ip link set w0 promisc on"), 0);
	assert_int_equal(look(w).changed, LINK_PROMISC);
	assert_int_equal(ns_run(NS_B, "ip link set w0 down"), 0);
	s = look(w);
	assert_true(s.changed & LINK_UP_DOWN);
	assert_false(s.link.flags & IFF_UP);
	assert_int_equal(ns_run(NS_B, "ip link set w0 name w7"), 0);
	s = look(w);
	assert_int_equal(s.changed & LINK_RENAMED, LINK_RENAMED);
	assert_string_equal(s.last.old_name, "w0");
	assert_string_equal(s.link.name, "w7");
	/* A port of a bridge comes and goes: it is not removed. */
	assert_int_equal(ns_run(NS_B, "ip link add br0 type bridge"), 0);
	look(w);
	assert_int_equal(ns_run(NS_B, "ip link set w7 master br0"), 0);
	assert_int_equal(ns_run(NS_B, "ip link set w7 nomaster"), 0);
	assert_false(look(w).changed & (LINK_REMOVED | LINK_ADDED));
	assert_int_equal(ns_run(NS_B, "ip link del br0"), 0);
	look(w);
	assert_int_equal(ns_run(NS_B, "ip link del w7"), 0);
	s = look(w);
	assert_true(s.changed & LINK_REMOVED);
	link_watch_close(w);
}

static int mtu_set(int fd, int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	strcpy(ifr.ifr_name, "w0");
	return ioctl(fd, SIOCSIFMTU, &ifr);
}

/* More than the socket holds; among what is lost is a removal. */
static void test_watch_overflow(void **state)
{
	struct link_watch *w;
	struct seen s;
	int fd;

	assert_int_equal(ns_run(NS_A, "ip link add w0 type veth peer name w1"), 0);
	assert_int_equal(ns_run(NS_A, "ip link add x0 type veth peer name x1"), 0);
	assert_int_equal(link_watch_open(ns_fd(NS_A), &w), 0);
	ns_enter(NS_A);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ns_leave();
	for (int i = 0; i < FLOOD; i++)
		assert_int_equal(mtu_set(fd, 1400 + i % 2), 0);
	assert_int_equal(ns_run(NS_A, "ip link del x0"), 0);
	assert_int_equal(mtu_set(fd, 1333), 0);
	s = look(w);
	assert_true(s.events < FLOOD);
	assert_true((s.changed & (LINK_MTU | LINK_REMOVED)) == (LINK_MTU | LINK_REMOVED));
	/* All is known again. */
	assert_int_equal(mtu_set(fd, 1333), 0);
	assert_int_equal(mtu_set(fd, 1444), 0);
	s = look(w);
	assert_int_equal(s.changed, LINK_MTU);
	assert_int_equal(s.link.mtu, 1444);
	close(fd);
	link_watch_close(w);
	assert_int_equal(ns_run(NS_A, "ip link del w0"), 0);
}

/* --- reading --- */

static void test_probe(void **state)
{
	struct probe p;

	assert_int_equal(probe_interface(ns_fd(NS_B), "b0", &p), 0);
	assert_true(p.exists);
	assert_int_equal(p.kind, PROBE_VETH);
	assert_string_equal(p.identity.driver, "veth");
	assert_true(p.link.flags & IFF_UP);
	assert_int_equal(p.rx_queues, 1);
	assert_int_not_equal(p.xdp.native, PROBE_UNKNOWN);
	assert_int_equal(p.xdp.zerocopy, PROBE_NO);
	assert_true(p.link.peer > 0);
	assert_int_equal(probe_interface(ns_fd(NS_B), "a0", &p), 0);
	assert_false(p.exists);
	assert_int_equal(probe_interface(-1, "lo", &p), 0);
	assert_int_equal(p.kind, PROBE_LOOPBACK);
	assert_int_equal(probe_interface(-1, "", &p), 0);
	assert_false(p.exists);
	assert_int_equal(ns_run(NS_A, "ip tuntap add dev t0 mode tap"), 0);
	assert_int_equal(probe_interface(ns_fd(NS_A), "t0", &p), 0);
	assert_int_equal(p.kind, PROBE_TAP);
	assert_int_equal(p.link.tun_queues, 0);
	assert_int_equal(ns_run(NS_A, "ip link del t0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enter_leave),
		cmocka_unit_test(test_enter_leave_off),
		cmocka_unit_test(test_enter_fails),
		cmocka_unit_test(test_renamed_and_gone),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_enter_after_crash),
		cmocka_unit_test(test_holder_lives),
		cmocka_unit_test(test_void_records),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_overflow),
		cmocka_unit_test(test_probe),
	};
	const char *why = "";
	pid_t inhabitant;
	int rc;

	if (!surroundings_make(&why)) {
		printf("skipped: %s\n", why);
		return 77;
	}
	/* A namespace is found again by those who are in it. */
	inhabitant = fork();
	if (inhabitant == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ns_enter(NS_A);
		pause();
		_exit(0);
	}
	snprintf(dir, sizeof(dir), "/tmp/netmap-state-XXXXXX");
	if (!mkdtemp(dir) || ns_run(NS_A, "ethtool -K a0 gro on") != 0) {
		printf("skipped: no place for files, or no ethtool\n");
		rc = 77;
	} else {
		rc = cmocka_run_group_tests_name("state", tests, NULL, NULL);
	}
	kill(inhabitant, SIGKILL);
	surroundings_remove();
	rmdir(dir);
	return rc;
}
