/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface driver between network namespaces; see far.h for the topology. Root only. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "../../engine/errno_abi.h"
#include "far.h"
#include "rig.h"

#define WAIT_MS		2000	/* for what must come */
#define QUIET_MS	60	/* for what must not */
#define XDP_MTU		28000	/* nearly the largest that AF_XDP does */

static uint8_t frame[FRAME_MAX], got[FRAME_MAX];

/* A frame between test stations, with tags (TPIDs up to a 0) and a local experimental type. */
static size_t frame_make(size_t len, uint16_t tag1, uint16_t tag2)
{
	static const uint8_t addrs[] = { 2, 0, 0, 0, 0xee, 1, 2, 0, 0, 0, 0xee, 2 };
	size_t at = sizeof(addrs);

	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + len);
	memcpy(frame, addrs, sizeof(addrs));
	if (tag1) {
		memcpy(frame + at, (uint8_t[]){ tag1 >> 8, tag1 & 0xff, 0xa0, 17 }, 4);
		at += 4;
	}
	if (tag2) {
		memcpy(frame + at, (uint8_t[]){ tag2 >> 8, tag2 & 0xff, 0x60, 42 }, 4);
		at += 4;
	}
	memcpy(frame + at, "\x88\xb5", 2);
	return len;
}

/* Is it AF_XDP that is tested? */
static bool xdp_wanted(void)
{
	const char *wish = getenv("NETMAP_DRIVER");

	return wish && strncmp(wish, "afxdp", 5) == 0;
}

static const uint16_t tag_stacks[][2] = { { 0, 0 }, { 0x8100, 0 }, { 0x88a8, 0 }, { 0x88a8, 0x8100 },
					  { 0x8100, 0x8100 } };
#define TAG_STACKS (sizeof(tag_stacks) / sizeof(tag_stacks[0]))

static void expect_received(struct rig *g, const void *want, size_t len)
{
	assert_int_equal(rig_recv(g, got, WAIT_MS), len);
	assert_memory_equal(got, want, len);
}

static void expect_sent(int fd, const void *want, size_t len)
{
	assert_int_equal(far_recv(fd, got, WAIT_MS), len);
	assert_memory_equal(got, want, len);
}

static uint64_t drops_all(const uint64_t *drops)
{
	uint64_t n = 0;

	for (int i = 0; i < DROP_REASONS; i++)
		n += drops[i];
	return n;
}

/* Received frames are what was sent, byte for byte, tags included. */
static void test_rx_exact(void **state)
{
	static const size_t lens[] = { 22, 42, 60, 61, 256, 1499, 1500, 1514 };
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	for (size_t t = 0; t < TAG_STACKS; t++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			len = frame_make(lens[i], tag_stacks[t][0], tag_stacks[t][1]);
			far_send(fd, frame, len);
			expect_received(&g, frame, len);
		}
	if (driver_info(g.port)->kind == DRIVER_AFPACKET)
		assert_true(g.st->ts_sec > 1000000000);
	assert_int_equal(drops_all(g.st->rx_drops), 0);
	rig_close(&g);
	close(fd);
}

/* Transmitted frames arrive as they were given, tags included, gathered from any number of slots. */
static void test_tx_exact(void **state)
{
	static const size_t lens[] = { 22, 42, 60, 61, 256, 1499, 1500, 1514 };
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	for (size_t t = 0; t < TAG_STACKS; t++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			len = frame_make(lens[i], tag_stacks[t][0], tag_stacks[t][1]);
			assert_true(rig_put(&g, frame, len, i & 1 ? 2048 : (uint32_t)len / 7 + 1));
			assert_int_equal(rig_txsync(&g), 0);
			expect_sent(fd, frame, len);
		}
	/* One tag goes beyond the MTU, whichever it is. */
	for (size_t t = 1; t < 3; t++) {
		len = frame_make(1518, tag_stacks[t][0], 0);
		rig_put(&g, frame, len, 2048);
		assert_int_equal(rig_txsync(&g), 0);
		expect_sent(fd, frame, len);
	}
	assert_int_equal(drops_all(g.st->tx_drops), 0);
	for (uint32_t i = 0; i < g.slots; i++)
		assert_int_equal(g.tx[i].flags & NS_BUF_CHANGED, 0);
	rig_close(&g);
	close(fd);
}

/* More than the ring of the kernel holds, in order. */
static void test_tx_many(void **state)
{
	int fd = far_open(NS_B, "b0");
	uint32_t sent = 0, seen = 0, n;
	struct rig g;
	size_t len;

	(void)state;
	rig_open(&g, "a0", 1024, 2048);
	while (seen < 5000) {
		len = frame_make(60 + sent % 1400, 0, 0);
		memcpy(frame + 14, &sent, 4);
		if (sent < 5000 && rig_put(&g, frame, len, 2048)) {
			sent++;
			continue;
		}
		assert_int_equal(rig_txsync(&g), 0);
		while (far_recv(fd, got, 0)) {
			memcpy(&n, got + 14, 4);
			assert_int_equal(n, seen);
			seen++;
		}
	}
	rig_close(&g);
	close(fd);
}

/* Frames that cannot be sent are taken and counted; good ones around them go out. */
static void test_tx_bad(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len;

	(void)state;
	rig_open(&g, "a0", 128, 2048);
	frame_make(2000, 0, 0);
	rig_put(&g, frame, 13, 2048);			/* runt */
	rig_put(&g, frame, 1515, 2048);			/* too long */
	frame_make(1519, 0x8100, 0);
	rig_put(&g, frame, 1519, 2048);			/* too long with a tag */
	rig_put(&g, frame, 60000, 2048);		/* longer than the kernel's frames */
	rig_put(&g, frame, 66, 1);			/* chain of 66 */
	rig_put(&g, frame, 100, 2048);
	g.tx[(g.st->tx.user + 127) % 128].buf_idx = 1;
	rig_put(&g, frame, 100, 2048);
	g.tx[(g.st->tx.user + 127) % 128].buf_idx = g.buf_total;
	rig_put(&g, frame, 100, 2048);
	g.tx[(g.st->tx.user + 127) % 128].len = 2049;
	len = frame_make(64, 0, 0);
	rig_put(&g, frame, len, 10);
	assert_int_equal(rig_txsync(&g), 0);
	assert_int_equal(g.st->tx.from, g.st->tx.user);
	assert_int_equal(g.st->tx_drops[DROP_RUNT], 1);
	assert_int_equal(g.st->tx_drops[DROP_BAD_CHAIN], 1);
	assert_int_equal(drops_all(g.st->tx_drops), 8);
	assert_int_equal(far_recv(fd, got, WAIT_MS), len);
	assert_int_equal(far_recv(fd, got, QUIET_MS), 0);
	/* A frame whose end is not there yet waits for it. */
	rig_put(&g, frame, len, 40);
	g.st->tx.user = (g.st->tx.user + 127) % 128;
	assert_int_equal(rig_txsync(&g), 0);
	assert_int_equal(g.st->tx.user, (g.st->tx.from + 1) % 128);
	g.st->tx.user = (g.st->tx.user + 1) % 128;
	assert_int_equal(rig_txsync(&g), 0);
	assert_int_equal(g.st->tx.from, g.st->tx.user);
	assert_int_equal(far_recv(fd, got, WAIT_MS), len);
	rig_close(&g);
	close(fd);
}

/*
 * A full ring loses nothing that the kernel's ring can hold, which is one frame in each of its 64 blocks
 * at least. A bad slot comes out empty.
 */
static void test_rx_full(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;
	uint32_t n;

	(void)state;
	rig_open(&g, "a0", 16, 2048);
	for (n = 0; n < 60; n++) {
		frame_make(100, 0, 0);
		memcpy(frame + 14, &n, 4);
		far_send(fd, frame, 100);
	}
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(rig_recv(&g, got, WAIT_MS), 100);
		memcpy(&n, got + 14, 4);
		assert_int_equal(n, i);
	}
	assert_int_equal(drops_all(g.st->rx_drops), 0);
	g.rx[g.st->rx.from].buf_idx = 0;
	far_send(fd, frame, 100);
	rig_wait(&g, POLLIN, WAIT_MS);
	while (g.st->rx_drops[DROP_BAD_SLOT] == 0)
		assert_int_equal(rig_rxsync(&g), 0);
	assert_int_equal(g.rx[g.st->rx.user].len, 0);
	assert_int_equal(g.st->rx_drops[DROP_BAD_SLOT], 1);
	rig_close(&g);
	close(fd);
}

/* What the kernel had no room for is counted: received and dropped make up what was sent. */
static void test_rx_overrun(void **state)
{
	int fd = far_open(NS_B, "b0");
	uint64_t seen = 0, sent = 9000;
	struct rig g;

	(void)state;
	rig_open(&g, "a0", 1024, 2048);
	for (uint32_t i = 0; i < sent; i++) {
		frame_make(1500, 0, 0);
		far_send(fd, frame, 1500);
	}
	while (rig_recv(&g, got, 200))
		seen++;
	assert_true(seen < sent && seen > 1000);
	assert_int_equal(seen + g.st->rx_drops[DROP_DEVICE], sent);
	rig_close(&g);
	close(fd);
}

/* Frames longer than a buffer come in several slots; those that no ring could hold are counted. */
static void test_rx_long(void **state)
{
	static const size_t lens[] = { 1792, 1793, 2048, 2049, 4096, 9000, XDP_MTU, 30000, 65000 };
	size_t part = xdp_wanted() ? 2048 - DRIVER_HEADROOM : 2048, longest = xdp_wanted() ? XDP_MTU : 65535;
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len;

	(void)state;
	link_mtu_set((unsigned)longest);
	rig_open(&g, "a0", 64, 2048);
	for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]) && lens[i / 2] <= longest; i++) {
		len = frame_make(lens[i / 2], i & 1 ? 0x8100 : 0, 0);
		far_send(fd, frame, len);
		expect_received(&g, frame, len);
		rig_send(&g, frame, len);
		assert_int_equal(rig_txsync(&g), 0);
		expect_sent(fd, frame, len);
	}
	rig_close(&g);
	rig_open(&g, "a0", 8, 2048);
	len = frame_make(7 * part + 1, 0, 0);
	far_send(fd, frame, len);
	len = frame_make(7 * part, 0, 0);
	far_send(fd, frame, len);
	expect_received(&g, frame, len);
	assert_int_equal(g.st->rx_drops[DROP_TOO_LONG], 1);
	rig_close(&g);
	link_mtu_set(1500);
	close(fd);
}

/* A port goes on with an MTU that grew while it was open: long frames between short ones, in order, both ways. */
static void test_mtu_grows(void **state)
{
	static const size_t lens[] = { 60, 1514, 4000, 61, 9014, 62, 63, 5000, 8000, 64 };
	unsigned n = sizeof(lens) / sizeof(lens[0]);
	int fd = far_open(NS_B, "b0");
	struct rig g;

	(void)state;
	link_mtu_set(1500);
	rig_open(&g, "a0", 256, 2048);
	link_mtu_set(9000);
	if (driver_refresh(g.port, &g.st->sh) == -EMSGSIZE) {
		rig_close(&g);
		link_mtu_set(1500);
		close(fd);
		print_message("this kernel has no AF_XDP frames of several parts\n");
		skip();
	}
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < n; i++) {
			frame_make(lens[i], 0, 0);
			rig_send(&g, frame, lens[i]);
		}
		while (g.st->tx.from != g.st->tx.user)
			assert_int_equal(rig_txsync(&g), 0);
		for (unsigned i = 0; i < n; i++) {
			frame_make(lens[i], 0, 0);
			expect_sent(fd, frame, lens[i]);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		frame_make(lens[i], 0, 0);
		far_send(fd, frame, lens[i]);
		expect_received(&g, frame, lens[i]);
	}
	assert_int_equal(drops_all(g.st->tx_drops), 0);
	assert_int_equal(drops_all(g.st->rx_drops), 0);
	/* Down and up work for long frames as for others. */
	assert_int_equal(ns_run(NS_A, "ip link set a0 down"), 0);
	frame_make(9014, 0, 0);
	rig_put(&g, frame, 9014, 2048);
	assert_int_equal(rig_txsync(&g), -ENETDOWN);
	assert_int_equal(ns_run(NS_A, "ip link set a0 up"), 0);
	for (int i = 0; i < 50 && far_recv(fd, got, 20) != 9014; i++)
		assert_int_equal(rig_txsync(&g), 0);
	assert_memory_equal(got, frame, 9014);
	link_mtu_set(1500);
	assert_int_equal(driver_refresh(g.port, &g.st->sh), 0);
	rig_put(&g, frame, 9014, 2048);
	assert_int_equal(rig_txsync(&g), 0);
	assert_int_equal(g.st->tx_drops[DROP_TOO_LONG], 1);
	rig_close(&g);
	close(fd);
}

/* The next one that the interface's MTU allows. */
static const uint8_t *replay_next(struct capture *c, uint32_t *len)
{
	const uint8_t *f;

	do
		f = capture_next(c, len);
	while (f && xdp_wanted() && *len > XDP_MTU + 14);
	return f;
}

/* One batch of frames from the capture, towards the driver and back out of it, compared each way. */
static void replay_batch(struct rig *g, int fd, const struct capture *batch, unsigned count)
{
	struct capture c = *batch;
	const uint8_t *f;
	uint32_t len;

	for (unsigned i = 0; i < count; i++) {
		f = replay_next(&c, &len);
		far_send(fd, f, len);
	}
	c = *batch;
	for (unsigned i = 0; i < count; i++) {
		f = replay_next(&c, &len);
		expect_received(g, f, len);
		rig_send(g, f, len);
	}
	while (g->st->tx.from != g->st->tx.user)
		assert_int_equal(rig_txsync(g), 0);
	c = *batch;
	for (unsigned i = 0; i < count; i++) {
		f = replay_next(&c, &len);
		expect_sent(fd, f, len);
	}
}

static void replay(const char *dir, const char *name, unsigned total)
{
	int fd = far_open(NS_B, "b0");
	struct capture c, batch;
	struct rig g;
	uint32_t len;
	unsigned n;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!capture_open(&c, path)) {
		print_message("no %s\n", path);
		close(fd);
		return;
	}
	rig_open(&g, "a0", 1024, 2048);
	for (batch = c; total; total -= n, batch = c) {
		for (n = 0; n < 64 && n < total && replay_next(&c, &len); n++)
			;
		if (n == 0)
			break;
		replay_batch(&g, fd, &batch, n);
	}
	assert_int_equal(drops_all(g.st->rx_drops) + drops_all(g.st->tx_drops), 0);
	rig_close(&g);
	capture_close(&c);
	close(fd);
}

/* Frames of real captures, both ways. */
static void test_captures(void **state)
{
	static const char *const names[] = {
		"vlan.pcap", "vlan-2.pcap", "vxlan.pcap", "tls.pcap", "http2.pcap", "pgsql-large-frames.pcap",
		"ipv6-ext-headers.pcap", "dhcp-flood.pcap", "smb2.pcap",
	};
	const char *dir = getenv("NETMAP_CAPTURES");

	(void)state;
	if (!dir || access(dir, R_OK) < 0) {
		print_message("no captures: set NETMAP_CAPTURES\n");
		skip();
	}
	link_mtu_set(xdp_wanted() ? XDP_MTU : 65535);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		replay(dir, names[i], 2000);
	link_mtu_set(1500);
}

/*
 * Fill the next transmit slot as a process does that dies before it says so in the shared state.
 */
static void tx_slot_abandon(struct rig *g, const void *data, uint32_t len)
{
	const struct driver_shared *sh = &g->st->sh;
	size_t bytes = (size_t)sh->queue[0].tx_frame_size * sh->queue[0].tx_frame_nr;
	uint8_t *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->fds[1], 0);
	struct tpacket2_hdr *h;

	assert_true(ring != MAP_FAILED);
	h = (void *)(ring + (size_t)sh->queue[0].tx_slot * sh->queue[0].tx_frame_size);
	memset((uint8_t *)h + 32, 0, 10);
	memcpy((uint8_t *)h + 42, data, len);
	h->tp_len = len + 10;
	h->tp_status = TP_STATUS_SEND_REQUEST;
	munmap(ring, bytes);
}

static void test_abandoned(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;
	uint32_t n;

	(void)state;
	if (xdp_wanted())
		skip();	/* see afxdp_test.c */
	rig_open(&g, "a0", 64, 2048);
	for (uint32_t i = 0; i < 2000; i++) {
		frame_make(100, 0, 0);
		memcpy(frame + 14, &i, 4);
		if (i % 3 == 0) {
			tx_slot_abandon(&g, frame, 100);
		} else {
			rig_put(&g, frame, 100, 2048);
			assert_int_equal(rig_txsync(&g), 0);
		}
		while (i % 3 == 2 && far_recv(fd, got, 0))
			memcpy(&n, got + 14, 4);
		if (i % 3 == 2)
			assert_int_equal(n, i);
	}
	rig_close(&g);
	close(fd);
}

/* Another process goes on where one stopped, on the same descriptors. */
static void test_handover(void **state)
{
	int fd = far_open(NS_B, "b0"), status;
	struct rig g;
	uint32_t n;
	pid_t pid;

	(void)state;
	rig_open(&g, "a0", 32, 2048);
	for (n = 0; n < 60; n++) {
		frame_make(200, 0, 0);
		memcpy(frame + 14, &n, 4);
		far_send(fd, frame, 200);
	}
	for (uint32_t i = 0; i < 60;) {
		pid = i / 10 % 2 ? fork() : 0;
		if (pid > 0) {
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_int_equal(status, 0);
			i += 10;
			continue;
		}
		/* Every second ten in a child, which maps the rings itself. */
		if (i / 10 % 2) {
			rig_detach(&g);
			rig_attach(&g);
		}
		for (int k = 0; k < 10; k++) {
			if (rig_recv(&g, got, WAIT_MS) != 200)
				abort();
			memcpy(&n, got + 14, 4);
			if (n != i + k)
				abort();
			rig_send(&g, got, 200);
			rig_txsync(&g);
		}
		if (i / 10 % 2)
			_exit(0);
		i += 10;
	}
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(far_recv(fd, got, WAIT_MS), 200);
		memcpy(&n, got + 14, 4);
		assert_int_equal(n, i);
	}
	rig_close(&g);
	close(fd);
}

static void expect_untouched(void)
{
	assert_false(ns_shows(NS_A, "tc qdisc show dev a0", "clsact"));
	assert_true(ns_shows(NS_A, "ip -d link show a0", "promiscuity 0"));
	assert_true(far_ping(WAIT_MS));
}

/* The host's stack sees nothing while the port is open, all before and after; other traffic is its own. */
static void check_ingress(const char *mode, enum driver_ingress want)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len;

	setenv("NETMAP_INGRESS", mode, 1);
	assert_true(far_ping(WAIT_MS));
	rig_open(&g, "a0", 64, 2048);
	unsetenv("NETMAP_INGRESS");
	assert_int_equal(driver_info(g.port)->ingress, want);
	assert_false(far_ping(QUIET_MS));
	assert_true(ns_shows(NS_A, "ip -d link show a0", "promiscuity 1"));
	len = rig_recv(&g, got, WAIT_MS);
	assert_int_equal(len, 14 + 20 + 8);
	assert_int_equal(got[34], 8);
	rig_close(&g);
	expect_untouched();
	close(fd);
}

static void test_ingress_default(void **state)
{
	enum driver_ingress want = INGRESS_TCX;
	struct rig g;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	want = driver_info(g.port)->ingress;
	print_message("default: %s\n", driver_info(g.port)->mode);
	rig_close(&g);
	check_ingress("", want);
}

static void test_ingress_clsact(void **state)
{
	(void)state;
	check_ingress("clsact", INGRESS_CLSACT);
}

/* A clsact qdisc that was there stays, with its filters. */
static void test_ingress_clsact_kept(void **state)
{
	const char *filters = "tc filter show dev a0 egress";

	(void)state;
	assert_int_equal(ns_run(NS_A, "tc qdisc add dev a0 clsact"), 0);
	assert_int_equal(ns_run(NS_A, "tc filter add dev a0 egress prio 1 bpf bytecode '1,6 0 0 0' da"), 0);
	setenv("NETMAP_INGRESS", "clsact", 1);
	for (int i = 0; i < 2; i++) {
		struct rig g;

		rig_open(&g, "a0", 64, 2048);
		assert_false(far_ping(QUIET_MS));
		rig_close(&g);
		assert_true(ns_shows(NS_A, "tc qdisc show dev a0", "clsact"));
		assert_true(ns_shows(NS_A, filters, "bpf"));
		assert_false(ns_shows(NS_A, "tc filter show dev a0 ingress", "bpf"));
	}
	unsetenv("NETMAP_INGRESS");
	assert_int_equal(ns_run(NS_A, "tc qdisc del dev a0 clsact"), 0);
	expect_untouched();
}

/* kill -9 of the owner brings the host's stack back. */
static void check_kill(const char *mode)
{
	int ready[2], status, tries = 0;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	setenv("NETMAP_INGRESS", mode, 1);
	pid = fork();
	if (pid == 0) {
		struct rig g;

		rig_open(&g, "a0", 64, 2048);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
	}
	unsetenv("NETMAP_INGRESS");
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_false(far_ping(QUIET_MS));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (!far_ping(100))
		assert_true(++tries < 50);
	for (tries = 0; ns_shows(NS_A, "tc qdisc show dev a0", "clsact"); tries++)
		assert_true(tries < 50);
	expect_untouched();
	close(ready[0]);
	close(ready[1]);
}

static void test_kill(void **state)
{
	(void)state;
	check_kill("");
	check_kill("clsact");
}

/* The receive side asks after the link once in a few milliseconds. */
static bool rxsync_tells(struct rig *g, int want)
{
	for (int i = 0; i < 100; i++) {
		if (rig_rxsync(g) == want)
			return true;
		usleep(1000);
	}
	return false;
}

/* A link that goes down, comes back, and goes away. */
static void test_link(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;
	size_t len = frame_make(100, 0, 0);

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	assert_int_equal(rig_rxsync(&g), 0);
	assert_int_equal(ns_run(NS_A, "ip link set a0 down"), 0);
	assert_true(rxsync_tells(&g, -ENETDOWN));
	assert_int_equal(rig_rxsync(&g), -ENETDOWN);
	assert_int_equal(rig_txsync(&g), 0);
	rig_put(&g, frame, len, 2048);
	assert_int_equal(rig_txsync(&g), -ENETDOWN);
	assert_int_equal(rig_txsync(&g), -ENETDOWN);
	assert_int_equal(ns_run(NS_A, "ip link set a0 up"), 0);
	assert_int_equal(rig_rxsync(&g), 0);
	for (int i = 0; i < 50 && far_recv(fd, got, 20) != len; i++)
		assert_int_equal(rig_txsync(&g), 0);
	assert_memory_equal(got, frame, len);
	far_send(fd, frame, len);
	expect_received(&g, frame, len);
	assert_int_equal(ns_run(NS_A, "ip link set a0 mtu 1400"), 0);
	assert_int_equal(driver_refresh(g.port, &g.st->sh), 0);
	assert_int_equal(driver_info(g.port)->mtu, 1400);
	assert_int_equal(g.st->sh.mtu, 1400);
	assert_int_equal(ns_run(NS_A, "ip link set a0 mtu 1500"), 0);
	rig_close(&g);
	close(fd);

	assert_int_equal(ns_run(NS_A, "ip link add x0 type veth peer name x1 && ip link set x0 up"), 0);
	rig_open(&g, "x0", 64, 2048);
	assert_int_equal(ns_run(NS_A, "ip link del x0"), 0);
	assert_int_equal(rig_rxsync(&g), -ENXIO);
	assert_int_equal(rig_rxsync(&g), -ENXIO);
	rig_put(&g, frame, len, 2048);
	assert_int_equal(rig_txsync(&g), -ENXIO);
	assert_int_equal(rig_txsync(&g), -ENXIO);
	assert_int_equal(driver_refresh(g.port, &g.st->sh), -ENXIO);
	rig_close(&g);
}

static void expect_refused(const char *ifname, int want, const char *word)
{
	struct driver_port *port;
	struct driver_error err = { "" };

	assert_int_equal(driver_open(ns_fd(NS_A), ifname, NULL, &port, &err), want);
	if (!strstr(err.text, word) || !strstr(err.text, ifname))
		fail_msg("\"%s\" does not say %s", err.text, word);
}

/* Why an interface cannot be opened is said in words. */
static void test_refusals(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	expect_refused("nosuch0", -ENXIO, "no such interface");
	expect_refused("averyveryverylongname", -ENXIO, "no such interface");
	assert_int_equal(ns_run(NS_A, "ip link add x0 type veth peer name x1"), 0);
	expect_refused("x0", -ENETDOWN, "ip link set dev x0 up");
	assert_int_equal(ns_run(NS_A, "ip link del x0"), 0);
	if (ns_run(NS_A, "ip tuntap add t0 mode tun && ip link set t0 up") == 0) {
		expect_refused("t0", -EOPNOTSUPP, "not an Ethernet");
		ns_run(NS_A, "ip link del t0");
	}
	pid = fork();
	if (pid == 0) {
		struct driver_port *port;
		struct driver_error err = { "" };

		if (setuid(65534) < 0)
			_exit(1);
		if (driver_open(ns_fd(NS_A), "a0", NULL, &port, &err) != -EPERM || !strstr(err.text,
											   "CAP_SYS_ADMIN"))
			_exit(2);
		if (xdp_wanted())
			_exit(0);
		if (driver_open(-1, "lo", NULL, &port, &err) != -EPERM || !strstr(err.text, "CAP_NET_RAW"))
			_exit(3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	expect_untouched();
}

/* Shared state and descriptors that do not fit are refused; spoilt state does no harm. */
static void test_hostile(void **state)
{
	static const uint32_t values[] = { 0, 1, 7, 48, 4096, 131071, 131072, 0x7fffffff, 0xffffffff };
	int fd = far_open(NS_B, "b0");
	struct driver_map *map;
	struct rig g;
	uint32_t x = 1;

	(void)state;
	if (xdp_wanted())
		skip();	/* see afxdp_test.c */
	rig_open(&g, "a0", 64, 2048);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct driver_shared sh = g.st->sh;

		sh.queue[0].rx_block_size = values[i];
		assert_int_equal(driver_attach(&sh, g.fds, g.nfds, &map), values[i] == 131072 ? 0 : -EINVAL);
		if (values[i] == 131072)
			driver_detach(map);
		sh = g.st->sh;
		sh.queue[0].tx_frame_nr = values[i];
		assert_int_equal(driver_attach(&sh, g.fds, g.nfds, &map), -EINVAL);
		sh = g.st->sh;
		sh.queues = values[i] == 1 ? 2 : values[i];
		assert_int_equal(driver_attach(&sh, g.fds, g.nfds, &map), -EINVAL);
	}
	for (int i = 0; i < 3000; i++) {
		struct driver_queue *q = &g.st->sh.queue[0];
		uint32_t *const words[] = { &q->rx_block, &q->rx_offset, &q->rx_left, &q->rx_segment,
		&q->tx_slot,
					    &g.st->sh.mtu, &q->rx_error, &q->tx_error };

		x = x * 1664525 + 1013904223;
		*words[x >> 24 & 7] = values[(x >> 16) % 9];
		far_send(fd, frame, frame_make(64 + (x >> 8) % 1000, 0, 0));
		rig_put(&g, frame, 100, 2048);
		rig_txsync(&g);
		rig_rxsync(&g);
		while (rig_take(&g, got))
			;
	}
	rig_close(&g);
	expect_untouched();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rx_exact), cmocka_unit_test(test_tx_exact),
		cmocka_unit_test(test_tx_many),
		cmocka_unit_test(test_tx_bad), cmocka_unit_test(test_rx_full),
		cmocka_unit_test(test_rx_overrun),
		cmocka_unit_test(test_rx_long),
		cmocka_unit_test(test_mtu_grows), cmocka_unit_test(test_captures),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_ingress_default), cmocka_unit_test(test_ingress_clsact),
		cmocka_unit_test(test_ingress_clsact_kept), cmocka_unit_test(test_kill),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_hostile),
	};
	const char *why;
	int rc;

	if (!surroundings_make(&why)) {
		printf("skipped: %s\n", why);
		return 77;
	}
	rc = cmocka_run_group_tests_name("driver", tests, NULL, NULL);
	surroundings_remove();
	return rc;
}
