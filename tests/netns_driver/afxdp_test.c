/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is particular to AF_XDP: which mode is chosen, what stands in the way of it, what a far end leaves undone, and
 * whose the buffers are. The rest is in driver_test.c, which runs with AF_XDP too. Root only; topology in far.h.
 */
#include <errno.h>
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
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "../../drivers/afxdp.h"
#include "../unit_vnet/oracle.h"
#include "far.h"
#include "rig.h"

#define WAIT_MS		2000
#define QUIET_MS	60

static uint8_t frame[FRAME_MAX], got[FRAME_MAX];

static size_t frame_make(size_t len, uint32_t number)
{
	static const uint8_t start[] = { 2, 0, 0, 0, 0xee, 1, 2, 0, 0, 0, 0xee, 2, 0x88, 0xb5 };

	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + number);
	memcpy(frame, start, sizeof(start));
	memcpy(frame + sizeof(start), &number, sizeof(number));
	return len;
}

static uint32_t number_of(const uint8_t *f)
{
	uint32_t n;

	memcpy(&n, f + 14, sizeof(n));
	return n;
}

static uint64_t drops_all(const uint64_t *drops)
{
	uint64_t n = 0;

	for (int i = 0; i < DROP_REASONS; i++)
		n += drops[i];
	return n;
}

/* --- the choice of a mode, with a device that does what it is told --- */

struct device {
	bool native, generic, zerocopy, native_copy;	/* what works */
	bool attached, is_generic;
	int attaches, binds, detaches;
};

static int device_attach(void *arg, bool generic, struct driver_error *err)
{
	struct device *d = arg;

	assert_false(d->attached);
	d->attaches++;
	if (!(generic ? d->generic : d->native)) {
		snprintf(err->text, sizeof(err->text), "no such hook");
		return -EOPNOTSUPP;
	}
	d->attached = true;
	d->is_generic = generic;
	return 0;
}

static int device_bind(void *arg, bool zerocopy, struct driver_error *err)
{
	struct device *d = arg;

	assert_true(d->attached);
	d->binds++;
	if (d->is_generic ? !zerocopy : zerocopy ? d->zerocopy : d->native_copy)
		return 0;
	snprintf(err->text, sizeof(err->text), "cannot bind");
	return -EINVAL;
}

static void device_detach(void *arg)
{
	struct device *d = arg;

	assert_true(d->attached);
	d->detaches++;
	d->attached = false;
}

static const struct afxdp_attempt device_ops = {
	.attach = device_attach, .bind = device_bind, .detach = device_detach,
};

static void check_choice(struct device d, enum driver_xdp_mode wish, bool generic, int want_rc,
			 enum driver_xdp_mode want, const char *reason)
{
	enum driver_xdp_mode mode = XDP_MODE_BEST;
	struct driver_error err = { "left over" };

	assert_int_equal(afxdp_mode_choose(&device_ops, &d, wish, generic, &mode, &err), want_rc);
	assert_int_equal(d.attached, want_rc == 0);
	if (want_rc == 0) {
		assert_int_equal(mode, want);
		assert_int_equal(d.is_generic, want == XDP_MODE_GENERIC);
	}
	assert_string_equal(err.text, reason);
}

static void test_mode(void **state)
{
	static const struct device all = { true, true, true, true, false, false, 0, 0, 0 };
	struct device d = all;

	(void)state;
	check_choice(d, XDP_MODE_BEST, true, 0, XDP_MODE_ZEROCOPY, "");
	check_choice(d, XDP_MODE_NATIVE, true, 0, XDP_MODE_NATIVE, "");
	check_choice(d, XDP_MODE_GENERIC, false, 0, XDP_MODE_GENERIC, "");
	d.zerocopy = false;
	check_choice(d, XDP_MODE_BEST, true, 0, XDP_MODE_NATIVE, "zero-copy: cannot bind");
	check_choice(d, XDP_MODE_ZEROCOPY, true, -EINVAL, 0, "zero-copy: cannot bind");
	d.native_copy = false;
	check_choice(d, XDP_MODE_BEST, true, 0, XDP_MODE_GENERIC, "zero-copy: cannot bind; native: cannot bind");
	check_choice(d, XDP_MODE_BEST, false, -EINVAL, 0, "zero-copy: cannot bind; native: cannot bind");
	d = all;
	d.native = false;
	check_choice(d, XDP_MODE_BEST, true, 0, XDP_MODE_GENERIC, "native: no such hook");
	check_choice(d, XDP_MODE_BEST, false, -EOPNOTSUPP, 0, "native: no such hook");
	check_choice(d, XDP_MODE_NATIVE, true, -EOPNOTSUPP, 0, "native: no such hook");
	d.generic = false;
	check_choice(d, XDP_MODE_BEST, true, -EOPNOTSUPP, 0, "native: no such hook; generic: no such hook");
}

/* --- what stands in the way --- */

static void check_fallback(const char *word)
{
	struct rig g;

	rig_open(&g, "a0", 64, 2048);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFPACKET);
	if (!strstr(driver_info(g.port)->reason, word))
		fail_msg("\"%s\" does not say %s", driver_info(g.port)->reason, word);
	frame_make(100, 1);
	rig_send(&g, frame, 100);
	assert_int_equal(rig_txsync(&g), 0);
	rig_close(&g);
}

static void test_fallbacks(void **state)
{
	static const struct {
		const char *name, *word;
	} forced[] = {
		{ "NETMAP_XSK_REMAP", "Linux 6.4" }, { "NETMAP_XSK_VETH", "Linux 6.3" },
	};
	struct driver_error err;
	struct rig g;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		setenv(forced[i].name, "no", 1);
		check_fallback(forced[i].word);
		setenv("NETMAP_DRIVER", "afxdp", 1);
		assert_int_equal(rig_try(&g, "a0", 64, 2048, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.text, forced[i].word));
		unsetenv("NETMAP_DRIVER");
		unsetenv(forced[i].name);
	}
	/* One descriptor per frame does for an MTU of 1500. */
	setenv("NETMAP_XSK_SG", "no", 1);
	rig_open(&g, "a0", 64, 2048);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFXDP);
	assert_int_equal(g.st->sh.queue[0].xsk_flags & XSK_SG, 0);
	rig_close(&g);
	assert_int_equal(ns_run(NS_A, "ip link set a0 mtu 9000"), 0);
	check_fallback("Linux 6.6");
	unsetenv("NETMAP_XSK_SG");
	assert_int_equal(ns_run(NS_A, "ip link set a0 mtu 65535"), 0);
	check_fallback("too long for AF_XDP");
	assert_int_equal(ns_run(NS_A, "ip link set a0 mtu 1500"), 0);
}

/* Somebody's program stays, and is named. */
static void test_occupied(void **state)
{
	struct driver_error err = { "" };
	struct rig g, other;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFXDP);
	check_fallback("\"redirect_veth\" (id ");
	setenv("NETMAP_DRIVER", "afxdp", 1);
	assert_int_equal(rig_try(&other, "a0", 64, 2048, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another XDP program is attached"));
	unsetenv("NETMAP_DRIVER");
	rig_close(&g);
	assert_false(ns_shows(NS_A, "ip -d link show a0", "xdp"));
	/* A region that was not made for it. */
	assert_int_equal(driver_open(ns_fd(NS_A), "a0", NULL, &g.port, &err), 0);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFPACKET);
	driver_close(g.port);
	/* Interfaces that others serve better. */
	assert_int_equal(ns_run(NS_A, "ip tuntap add t0 mode tap && ip link set t0 up"), 0);
	rig_open(&g, "t0", 64, 2048);
	assert_int_not_equal(driver_info(g.port)->kind, DRIVER_AFXDP);
	rig_close(&g);
	assert_int_equal(ns_run(NS_A, "ip link del t0"), 0);
}

/* Too little lockable memory is said with numbers. */
static void test_memlock(void **state)
{
	const struct rlimit limit = { 64 << 10, 64 << 10 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	struct driver_error err = { "" };
	struct rig g;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setenv("NETMAP_DRIVER", "afxdp", 1);
		ns_enter(NS_A);
		if (syscall(SYS_capget, &header, caps) < 0)
			_exit(1);
		caps[0].effective &= ~(1u << CAP_IPC_LOCK);
		if (syscall(SYS_capset, &header, caps) < 0 || setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
			_exit(2);
		if (rig_try(&g, "a0", 64, 2048, &err) != -ENOBUFS)
			_exit(3);
		_exit(strstr(err.text, "RLIMIT_MEMLOCK allows 64 KiB") ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* One socket per queue. */
static void test_queues(void **state)
{
	struct rig g, other;

	(void)state;
	assert_int_equal(ns_run(NS_A, "ip link add x0 numrxqueues 4 numtxqueues 4 type veth peer name x1 "
				"numrxqueues 4 numtxqueues 4 && ethtool -L x0 rx 4 tx 4 && ethtool -L x1 rx 4 tx 4 && "
				"ip link set x0 up && ip link set x1 up"), 0);
	rig_open(&g, "x0", 64, 2048);
	rig_open(&other, "x1", 64, 2048);
	print_message("%s; %s\n", driver_info(g.port)->mode, driver_info(g.port)->reason);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFXDP);
	assert_int_equal(driver_info(g.port)->queues, 4);
	assert_int_equal(g.nfds, 8);
	for (unsigned q = 0; q < 4; q++) {
		g.queue = other.queue = q;
		for (uint32_t i = 0; i < 100; i++) {
			frame_make(100, i + q * 1000);
			rig_send(&g, frame, 100);
			assert_int_equal(rig_txsync(&g), 0);
			assert_int_equal(rig_recv(&other, got, WAIT_MS), 100);
			assert_memory_equal(got, frame, 100);
		}
		while (g.st->tx.done != g.st->tx.user)
			assert_int_equal(rig_txsync(&g), 0);
	}
	rig_close(&other);
	rig_close(&g);
	/* A receive queue that one could not send by. */
	assert_int_equal(ns_run(NS_A, "for n in 1 2 3 4 5 6 7 8 9; do ethtool -L x0 rx 4 tx 2 2>/dev/null && exit 0; "
				"sleep 0.1; done; exit 1"), 0);
	rig_open(&g, "x0", 64, 2048);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFPACKET);
	assert_non_null(strstr(driver_info(g.port)->reason, "4 receive and 2 transmit"));
	rig_close(&g);
	assert_int_equal(ns_run(NS_A, "ip link del x0"), 0);
}

/* --- what a far end leaves to the device --- */

/* Datagrams from a socket of NS_B, with its stack's offloads as they are by default. */
static void datagrams_check(int family, const char *to, unsigned tag)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct seen seen;
	struct rig g;
	size_t n, len;
	int fd;

	inet_pton(AF_INET, to, &in4.sin_addr);
	inet_pton(AF_INET6, to, &in6.sin6_addr);
	rig_open(&g, "a0", 64, 2048);
	assert_int_equal(driver_info(g.port)->kind, DRIVER_AFXDP);
	ns_enter(NS_B);
	fd = socket(family, SOCK_DGRAM, 0);
	ns_leave();
	for (len = 0; len <= 1450; len += len < 20 ? 1 : 143) {
		memset(frame, (int)len + 3, len);
		assert_int_equal(sendto(fd, frame, len, 0, family == AF_INET ? (void *)&in4 : (void *)&in6,
					family == AF_INET ? sizeof(in4) : sizeof(in6)), len);
		/* Neighbour discovery and the like may come in between. */
		do {
			n = rig_recv(&g, got, WAIT_MS);
			assert_int_not_equal(n, 0);
		} while (n != len + 14 + (tag ? 4 : 0) + (family == AF_INET ? 20 : 40) + 8 ||
			 memcmp(got + n - len, frame, len) != 0);
		if (tag)
			assert_memory_equal(got + 12, ((uint8_t[]){ 0x81, 0, (uint8_t)(tag >> 8), (uint8_t)tag }), 4);
		if (seen_parse(&seen, got, (uint32_t)n))
			fail_msg("%zu bytes: %s", len, seen_parse(&seen, got, (uint32_t)n));
	}
	close(fd);
	rig_close(&g);
}

/* From now on what the stack sends there carries a tag, beside the frame as a VLAN interface puts it. */
static void tags_push(unsigned ifindex, uint16_t tci)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = htons(0x8100) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = tci },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts);

	opts.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "push", "Dual BSD/GPL", program,
				     sizeof(program) / sizeof(program[0]), NULL);
	assert_true(opts.prog_fd >= 0);
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	close(opts.prog_fd);
}

static void test_unfinished(void **state)
{
	(void)state;
	assert_int_equal(ns_run(NS_B, "ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev b0"), 0);
	assert_int_equal(ns_run(NS_B, "echo 0 >/proc/sys/net/ipv6/conf/b0/disable_ipv6 && "
				"ip addr add fd00::2/64 dev b0 nodad"), 0);
	assert_int_equal(ns_run(NS_B, "ip -6 neigh replace fd00::77 lladdr 02:00:00:00:00:77 dev b0"), 0);
	datagrams_check(AF_INET, "10.9.0.77", 0);
	datagrams_check(AF_INET6, "fd00::77", 0);
	assert_true(ns_shows(NS_B, "ethtool -k b0", "tx-vlan-offload: on"));
	ns_enter(NS_B);
	tags_push(if_nametoindex("b0"), 0xa017);
	ns_leave();
	datagrams_check(AF_INET, "10.9.0.77", 0xa017);
	datagrams_check(AF_INET6, "fd00::77", 0xa017);
	assert_int_equal(ns_run(NS_B, "tc qdisc del dev b0 clsact && "
				"echo 1 >/proc/sys/net/ipv6/conf/b0/disable_ipv6"), 0);
}

/* --- whose the buffers are --- */

/* Each buffer is in one slot, or held by the driver, or free: once. */
static void buffers_check(const struct rig *g)
{
	const struct driver_queue *q = &g->st->sh.queue[0];
	const uint64_t *held = xsk_held((struct xsk_state *)(uintptr_t)q->xsk_state, q->xsk_tx_size);
	uint8_t *owners = calloc(g->buf_total, 1);
	uint32_t in_stock = 0;

	for (uint32_t i = 0; i < g->slots; i++) {
		owners[g->rx[i].buf_idx]++;
		owners[g->tx[i].buf_idx]++;
	}
	for (uint32_t i = 0; i < q->umem_bufs; i++) {
		owners[i] = (uint8_t)(owners[i] + bit_test(held, i));
		in_stock += bit_test(held, i);
	}
	for (uint32_t i = 0; i < g->buf_total; i++)
		if (owners[i] > 1)
			fail_msg("buffer %u has %u owners", i, owners[i]);
	assert_int_equal(in_stock, q->xsk_stock);
	free(owners);
}

/* A frame of that length comes, and the same goes. */
static void check_both_ways(struct rig *g, int fd, size_t size, uint32_t number)
{
	size_t len = frame_make(size, number);

	far_send(fd, frame, len);
	assert_int_equal(rig_recv(g, got, WAIT_MS), len);
	assert_memory_equal(got, frame, len);
	rig_send(g, frame, len);
	assert_int_equal(rig_txsync(g), 0);
	assert_int_equal(far_recv(fd, got, WAIT_MS), len);
	assert_memory_equal(got, frame, len);
}

static void check_exchange(struct rig *g, int fd, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		check_both_ways(g, fd, 60 + i % 1400, i);
}

/* Frames longer than a chunk, where a buffer has room for more: several descriptors, or a copy into several. */
static void check_long(struct rig *g, int fd)
{
	static const size_t lens[] = { 1500, 2040, 3840, 3841, 4096, 9000 };

	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		check_both_ways(g, fd, lens[i], i);
}

static void check_memory(uint32_t buf_size, uint32_t headroom, uint32_t frames)
{
	int fd = far_open(NS_B, "b0");
	uint32_t before;
	struct rig g;

	rig_open_behind(&g, "a0", 64, buf_size, headroom);
	before = g.nfree;
	check_exchange(&g, fd, 0, frames);
	check_long(&g, fd);
	buffers_check(&g);
	assert_int_equal(drops_all(g.st->rx_drops) + drops_all(g.st->tx_drops), 0);
	/* All slots came back. */
	for (int i = 0; i < 1000 && g.st->tx.done != g.st->tx.user; i++) {
		rig_txsync(&g);
		usleep(1000);
	}
	assert_int_equal(g.st->tx.done, g.st->tx.user);
	driver_stop(g.port);
	driver_close(g.port);
	assert_int_equal(g.nfree, before + g.st->sh.queue[0].xsk_stock + XSK_COPY_BUFS);
	g.port = NULL;
	rig_close(&g);
	close(fd);
}

/* Buffers at whatever distance, with the kernel's headroom in front or without. */
static void test_exchange(void **state)
{
	(void)state;
	link_mtu_set(9000);
	check_memory(2048, DRIVER_HEADROOM, 5000);
	check_memory(4096, DRIVER_HEADROOM, 1000);
	check_memory(2048, 0, 1000);
	check_memory(2176, 0, 1000);
	check_memory(2176, DRIVER_HEADROOM, 1000);
	check_memory(9216, 0, 1000);
	check_memory(16384, DRIVER_HEADROOM, 1000);
	link_mtu_set(1500);
}

/* Smaller ones than AF_XDP can use are an error that says so. */
static void test_small_buffers(void **state)
{
	struct driver_error err = { "" };
	struct rig g;

	(void)state;
	setenv("NETMAP_DRIVER", "afxdp", 1);
	assert_int_equal(rig_try(&g, "a0", 64, 1984, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "1984"));
	unsetenv("NETMAP_DRIVER");
}

/* Buffers that the kernel does not know, as they come from another port: by copy, both ways. */
static void test_strange_buffers(void **state)
{
	int fd = far_open(NS_B, "b0");
	uint32_t own;
	struct rig g;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	own = g.st->sh.queue[0].umem_bufs;
	rig_detach(&g);
	/* The slots' buffers come after the driver's own. */
	g.st->sh.queue[0].umem_bufs = 2 + g.st->sh.queue[0].xsk_stock + XSK_COPY_BUFS;
	assert_true(g.rx[0].buf_idx >= g.st->sh.queue[0].umem_bufs);
	rig_attach(&g);
	check_exchange(&g, fd, 0, 500);
	for (uint32_t i = 0; i < g.slots; i++)
		assert_true(g.rx[i].buf_idx >= g.st->sh.queue[0].umem_bufs);
	buffers_check(&g);
	/* Some of each kind. */
	rig_detach(&g);
	g.st->sh.queue[0].umem_bufs = 2 + g.st->sh.queue[0].xsk_stock + XSK_COPY_BUFS + 40;
	rig_attach(&g);
	check_exchange(&g, fd, 500, 500);
	buffers_check(&g);
	assert_int_equal(drops_all(g.st->rx_drops) + drops_all(g.st->tx_drops), 0);
	g.st->sh.queue[0].umem_bufs = own;
	rig_close(&g);
	close(fd);
}

/* Slots that refer to what the kernel holds are given back empty. */
static void test_bad_slots(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig g;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	g.rx[0].buf_idx = 700;		/* of the stock */
	g.rx[2].buf_idx = g.buf_total;
	g.rx[3].buf_idx = 0;
	for (uint32_t i = 0; i < 10; i++) {
		frame_make(100, i);
		far_send(fd, frame, 100);
	}
	for (uint32_t n = 0; n < 10;) {
		size_t len;

		rig_wait(&g, POLLIN, WAIT_MS);
		assert_int_equal(rig_rxsync(&g), 0);
		while (g.st->rx.user != g.st->rx.from) {
			struct netmap_slot *s = &g.rx[g.st->rx.user];

			len = s->len;
			if (len) {
				assert_int_equal(len, 100);
				assert_int_equal(number_of((uint8_t *)g.bufs + (size_t)s->buf_idx * 2048), n);
				n++;
			}
			g.st->rx.user = (g.st->rx.user + 1) % g.slots;
		}
	}
	assert_int_equal(g.st->rx_drops[DROP_BAD_SLOT], 3);
	rig_close(&g);
	close(fd);
}

/* --- death --- */

/* Sends back what comes, until it is killed. */
static void echo_forever(struct rig *g)
{
	static uint8_t f[FRAME_MAX];
	size_t len;

	rig_detach(g);
	rig_attach(g);
	for (;;) {
		rig_rxsync(g);
		while ((len = rig_take(g, f)))
			if (!rig_put(g, f, len, 2048))
				break;
		rig_txsync(g);
	}
}

/* Kills a process in the middle of traffic, again and again; another one goes on, and no buffer is lost or doubled. */
static void test_kill(void **state)
{
	int fd = far_open(NS_B, "b0"), status;
	uint32_t sent = 0, back = 0;
	struct rig g;
	pid_t pid;

	(void)state;
	rig_open(&g, "a0", 256, 2048);
	for (int round = 0; round < 60; round++) {
		pid = fork();
		if (pid == 0)
			echo_forever(&g);
		for (int k = 0; k < 200 + round * 7; k++) {
			frame_make(60 + sent % 1000, sent);
			far_send(fd, frame, 60 + sent % 1000);
			sent++;
			while (far_recv(fd, got, 0))
				back++;
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	/* Goes on here. */
	while (rig_recv(&g, got, QUIET_MS))
		;
	while (far_recv(fd, got, QUIET_MS))
		back++;
	print_message("%u frames, %u came back\n", sent, back);
	assert_true(back > sent / 10);
	buffers_check(&g);
	for (int i = 0; i < 1000 && g.st->tx.done != g.st->tx.user; i++) {
		rig_txsync(&g);
		usleep(1000);
	}
	assert_int_equal(g.st->tx.done, g.st->tx.user);
	while (far_recv(fd, got, QUIET_MS))
		;
	check_exchange(&g, fd, 0, 3000);
	buffers_check(&g);
	rig_close(&g);
	close(fd);
}

/* A process that put frames into the ring and died before it could tell: they go out, once. */
static void test_unsaid(void **state)
{
	int fd = far_open(NS_B, "b0");
	struct rig_ring before;
	struct rig g;

	(void)state;
	assert_int_equal(ns_run(NS_A, "ip link set a0 down"), 0);
	assert_int_equal(ns_run(NS_A, "ip link set a0 up"), 0);
	rig_open(&g, "a0", 64, 2048);
	for (uint32_t i = 0; i < 30; i++) {
		frame_make(100, i);
		rig_put(&g, frame, 100, 2048);
		/* The link is down: what is posted stays in flight. */
		if (i % 3 == 0)
			assert_int_equal(ns_run(NS_A, "ip link set a0 down"), 0);
		before = g.st->tx;
		rig_txsync(&g);
		if (i % 3 == 0) {
			before.user = g.st->tx.user;
			g.st->tx = before;
			assert_int_equal(ns_run(NS_A, "ip link set a0 up"), 0);
			rig_txsync(&g);
		}
	}
	for (uint32_t i = 0; i < 30; i++) {
		do
			assert_int_not_equal(far_recv(fd, got, WAIT_MS), 0);
		while (got[12] != 0x88 || got[13] != 0xb5);
		assert_int_equal(number_of(got), i);
	}
	rig_close(&g);
	close(fd);
}

/* --- hostile memory --- */

static void test_hostile(void **state)
{
	static const uint32_t values[] = { 0, 1, 7, 63, 2048, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	int fd = far_open(NS_B, "b0");
	struct driver_shared sh;
	struct driver_map *map;
	struct rig g;
	uint32_t x = 1;

	(void)state;
	rig_open(&g, "a0", 64, 2048);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint32_t *const words[] = {
			&sh.queue[0].xsk_rx_size, &sh.queue[0].xsk_tx_size, &sh.queue[0].umem_buf_size, &sh.queue[0].xsk_stock,
		};

		for (size_t w = 0; w < 4; w++) {
			sh = g.st->sh;
			if (*words[w] == values[i] || (w == 2 && values[i] == 4096) || (w == 1 && values[i] == 1) || (w == 3 && values[i] - 1 < 2048))
				continue;
			*words[w] = values[i];
			if (driver_attach(&sh, g.fds, g.nfds, &map) != -EINVAL)
				fail_msg("word %zu, value %u", w, values[i]);
		}
	}
	for (int i = 0; i < 5000; i++) {
		struct driver_queue *q = &g.st->sh.queue[0];
		struct xsk_state *st = (void *)(uintptr_t)q->xsk_state;
		uint32_t *const words[] = {
			&st->tx_done, (uint32_t *)&st->tx_mark, (uint32_t *)&st->tx_mark + 1, &q->rx_error, &q->tx_error,
			&xsk_tx_entries(st)[x % q->xsk_tx_size].copies, (uint32_t *)&xsk_tx_entries(st)[x % q->xsk_tx_size],
			(uint32_t *)xsk_held(st, q->xsk_tx_size) + x % 64,
		};

		x = x * 1664525 + 1013904223;
		*words[x >> 24 & 7] = values[(x >> 16) % 9];
		g.rx[x >> 8 & 63].buf_idx = values[(x >> 20) % 9];
		g.tx[x >> 14 & 63].buf_idx = values[(x >> 12) % 9];
		far_send(fd, frame, frame_make(64 + (x >> 8) % 1000, 0));
		rig_put(&g, frame, 0, 2048);
		g.st->tx.user = (g.st->tx.user + 1) % g.slots;
		rig_txsync(&g);
		rig_rxsync(&g);
		g.st->rx.user = g.st->rx.from;
		if (g.st->rx.from >= g.slots || g.st->tx.from >= g.slots)
			fail_msg("a slot out of range");
	}
	rig_close(&g);
	close(fd);
}

/* A name, with wildcards, runs these tests alone. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode), cmocka_unit_test(test_fallbacks), cmocka_unit_test(test_occupied),
		cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_queues), cmocka_unit_test(test_unfinished), cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_small_buffers), cmocka_unit_test(test_strange_buffers), cmocka_unit_test(test_bad_slots), cmocka_unit_test(test_kill),
		cmocka_unit_test(test_unsaid), cmocka_unit_test(test_hostile),
	};
	const char *why;
	int rc;

	unsetenv("NETMAP_DRIVER");
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (!surroundings_make(&why)) {
		printf("skipped: %s\n", why);
		return 77;
	}
	rc = cmocka_run_group_tests_name("afxdp", tests, NULL, NULL);
	surroundings_remove();
	return rc;
}
