/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real traffic through the driver: NS_B and NS_C talk with each other, the test in the middle passes
 * frames between a0 and a1. Both ends have their default offloads, so that what arrives is segmentation
 * requests and unfinished checksums for the most part; every frame that is passed on is looked at and
 * must be a right one.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "../../engine/errno_abi.h"
#include "../unit_vnet/oracle.h"
#include "far.h"
#include "rig.h"

#define PORT		5001
#define TCP_BYTES	(24u << 20)
#define UDP_COUNT	40
#define UDP_SEGMENT_LEN	1300

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

struct endpoint {
	int family, type;
	const char *server, *client;	/* addresses */
};

static uint8_t buf[65536];

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at ^ at >> 8 ^ at >> 16);
}

static socklen_t address(const struct endpoint *e, const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)e->family;
	if (e->family == AF_INET) {
		in4->sin_port = htons(PORT);
		inet_pton(AF_INET, text, &in4->sin_addr);
		return sizeof(*in4);
	}
	in6->sin6_port = htons(PORT);
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	return sizeof(*in6);
}

/* A socket in ns: bound to the server's address, or connected to it. */
static int endpoint_open(const struct endpoint *e, int ns, bool server)
{
	struct sockaddr_storage ss;
	socklen_t len = address(e, e->server, &ss);
	int one = 1, size = 8 << 20, fd;

	ns_enter(ns);
	fd = socket(e->family, e->type | SOCK_CLOEXEC, 0);
	ns_leave();
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (server ? bind(fd, (void *)&ss, len) : connect(fd, (void *)&ss, len))
		return -1;
	if (server && e->type == SOCK_STREAM && listen(fd, 1))
		return -1;
	return fd;
}

/* The processes at both ends; each returns its exit status. */
static int tcp_server(int fd)
{
	uint64_t at = 0;
	ssize_t n;

	fd = accept(fd, NULL, NULL);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != pattern(at++))
				return 2;
	return n == 0 && at == TCP_BYTES ? 0 : 3;
}

static int tcp_client(const struct endpoint *e)
{
	int fd = endpoint_open(e, NS_B, false);
	uint64_t at = 0;
	size_t n, done;
	ssize_t w;

	if (fd < 0)
		return 4;
	while (at < TCP_BYTES) {
		n = TCP_BYTES - at < sizeof(buf) ? TCP_BYTES - at : sizeof(buf);
		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(at++);
		for (done = 0; done < n; done += (size_t)w) {
			w = write(fd, buf + done, n - done);
			if (w <= 0)
				return 5;
		}
	}
	return 0;
}

/*
 * Datagrams of 1300 bytes from the sender's segmentation, 20 in one call, then one of 20000 bytes. The
 * server answers each such round: UDP has no brake of its own.
 */
static int udp_server(int fd)
{
	struct sockaddr_storage from;
	socklen_t len;

	for (int i = 0; i < UDP_COUNT; i++)
		for (int k = 0; k < 21; k++) {
			ssize_t want = k < 20 ? UDP_SEGMENT_LEN : 20000, n;

			len = sizeof(from);
			n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len);
			if (n != want)
				return 2;
			for (ssize_t b = 0; b < n; b++)
				if (buf[b] != pattern((uint64_t)i * 50000 + k * UDP_SEGMENT_LEN + b))
					return 3;
			if (k == 20 && sendto(fd, "k", 1, 0, (void *)&from, len) != 1)
				return 4;
		}
	return 0;
}

static int udp_client(const struct endpoint *e)
{
	int fd = endpoint_open(e, NS_B, false), size;

	if (fd < 0)
		return 5;
	for (uint64_t i = 0; i < UDP_COUNT; i++) {
		for (uint32_t b = 0; b < 20 * UDP_SEGMENT_LEN + 20000; b++)
			buf[b] = pattern(i * 50000 + b);
		size = UDP_SEGMENT_LEN;
		if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
			size = 0;
		if (size && send(fd, buf, 20 * UDP_SEGMENT_LEN, 0) < 0)
			return 6;
		for (int k = 0; !size && k < 20; k++)
			send(fd, buf + k * UDP_SEGMENT_LEN, UDP_SEGMENT_LEN, 0);
		size = 0;
		setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
		if (send(fd, buf + 20 * UDP_SEGMENT_LEN, 20000, 0) < 0)
			return 7;
		if (recv(fd, buf, 1, 0) != 1)
			return 8;
	}
	return 0;
}

struct pass_counts {
	unsigned frames, tcp_data, full;
};

/* Every frame that comes out of the driver is right, and no longer than the MTU allows. */
static void frame_check(const uint8_t *f, size_t len, struct pass_counts *c)
{
	unsigned type = (unsigned)f[12] << 8 | f[13];
	struct seen s;
	const char *why;

	assert_true(len <= 1514);
	c->frames++;
	if (type != 0x0800 && type != 0x86dd)
		return;
	why = seen_parse(&s, f, (uint32_t)len);
	if (why)
		fail_msg("frame of %zu bytes: %s", len, why);
	if (len == 1514)
		c->full++;
}

static bool pass(struct rig *from, struct rig *to, struct pass_counts *c)
{
	static uint8_t f[FRAME_MAX];
	bool any = false;
	size_t len;

	if (rig_rxsync(from) < 0)
		fail_msg("rxsync failed");
	while ((len = rig_take(from, f))) {
		frame_check(f, len, c);
		rig_send(to, f, len);
		any = true;
	}
	if (any)
		rig_txsync(to);
	return any;
}

static void both_wait(struct rig *a, struct rig *b)
{
	struct pollfd pfds[2 * DRIVER_QUEUE_FDS];
	int limit;
	unsigned n;

	n = driver_pollfds(a->map, 0, POLLIN, pfds, DRIVER_QUEUE_FDS, &limit);
	n += driver_pollfds(b->map, 0, POLLIN, pfds + n, DRIVER_QUEUE_FDS, &limit);
	poll(pfds, n, limit < 0 ? 100 : limit);
}

/* Pass frames until both processes have ended. */
static void bridge_run(pid_t one, pid_t two, struct pass_counts *c)
{
	struct rig a, b;
	int alive = 2, status, idle = 0;

	rig_open(&a, "a0", 1024, 2048);
	rig_open(&b, "a1", 1024, 2048);
	kill(one, SIGCONT);
	kill(two, SIGCONT);
	while (alive && idle < 100) {
		bool any = pass(&a, &b, c);

		any |= pass(&b, &a, c);
		idle = any ? 0 : idle + 1;
		if (!any)
			both_wait(&a, &b);
		while (alive && waitpid(-1, &status, WNOHANG) > 0) {
			alive--;
			assert_int_equal(status, 0);
		}
	}
	kill(one, SIGKILL);
	kill(two, SIGKILL);
	if (alive)
		fail_msg("traffic stopped");
	/* TCP may send more than the kernel's ring holds; nothing else is a reason to drop. */
	for (int i = 0; i < DROP_DEVICE; i++) {
		assert_int_equal(a.st->rx_drops[i] + b.st->rx_drops[i], 0);
		assert_int_equal(a.st->tx_drops[i] + b.st->tx_drops[i], 0);
	}
	rig_close(&a);
	rig_close(&b);
}

static pid_t endpoint_fork(const struct endpoint *e, int server_fd)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* Wait until the bridge is there. */
	raise(SIGSTOP);
	if (server_fd >= 0)
		_exit(e->type == SOCK_STREAM ? tcp_server(server_fd) : udp_server(server_fd));
	_exit(e->type == SOCK_STREAM ? tcp_client(e) : udp_client(e));
}

static struct pass_counts traffic(const struct endpoint *e)
{
	struct pass_counts c = { 0 };
	int fd = endpoint_open(e, NS_C, true), status;
	pid_t one, two;

	assert_true(fd >= 0);
	one = endpoint_fork(e, fd);
	two = endpoint_fork(e, -1);
	close(fd);
	assert_int_equal(waitpid(one, &status, WUNTRACED), one);
	assert_int_equal(waitpid(two, &status, WUNTRACED), two);
	bridge_run(one, two, &c);
	print_message("%u frames, %u of them full\n", c.frames, c.full);
	return c;
}

static const struct endpoint tcp4 = { AF_INET, SOCK_STREAM, "10.9.0.3", "10.9.0.2" };
static const struct endpoint tcp6 = { AF_INET6, SOCK_STREAM, "fd00::3", "fd00::2" };
static const struct endpoint udp4 = { AF_INET, SOCK_DGRAM, "10.9.0.3", "10.9.0.2" };
static const struct endpoint udp6 = { AF_INET6, SOCK_DGRAM, "fd00::3", "fd00::2" };

static void test_tcp4(void **state)
{
	(void)state;
	assert_true(traffic(&tcp4).full > TCP_BYTES / 1448 / 2);
}

static void test_udp4(void **state)
{
	(void)state;
	traffic(&udp4);
}

static void test_tcp6(void **state)
{
	(void)state;
	assert_true(traffic(&tcp6).full > TCP_BYTES / 1428 / 2);
}

static void test_udp6(void **state)
{
	(void)state;
	traffic(&udp6);
}

/*
 * Far ends with a larger MTU than ours: their TCP segments are cut to our size. With XDP they are not segmentation
 * requests but frames, which the interface refuses as a wire does.
 */
static void test_tcp4_jumbo(void **state)
{
	const char *wish = getenv("NETMAP_DRIVER");

	(void)state;
	if (wish && strncmp(wish, "afxdp", 5) == 0)
		skip();
	assert_int_equal(ns_run(NS_B, "ip link set b0 mtu 9000"), 0);
	assert_int_equal(ns_run(NS_C, "ip link set c0 mtu 9000"), 0);
	assert_true(traffic(&tcp4).full > TCP_BYTES / 1448 / 2);
	assert_int_equal(ns_run(NS_B, "ip link set b0 mtu 1500"), 0);
	assert_int_equal(ns_run(NS_C, "ip link set c0 mtu 1500"), 0);
}

static int ipv6_setup(void **state)
{
	static const char *const cmd =
		"echo 0 >/proc/sys/net/ipv6/conf/%s/disable_ipv6 && ip addr add %s/64 dev %s nodad";

	(void)state;
	return ns_run(NS_B, cmd, "b0", "fd00::2", "b0") | ns_run(NS_C, cmd, "c0", "fd00::3", "c0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp4), cmocka_unit_test(test_udp4), cmocka_unit_test(test_tcp4_jumbo),
		cmocka_unit_test_setup(test_tcp6, ipv6_setup), cmocka_unit_test(test_udp6),
	};
	const char *why;
	int rc;

	if (!surroundings_make(&why)) {
		printf("skipped: %s\n", why);
		return 77;
	}
	rc = cmocka_run_group_tests_name("bridge_traffic", tests, NULL, NULL);
	surroundings_remove();
	return rc;
}
