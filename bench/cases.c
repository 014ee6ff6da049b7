/* SPDX-License-Identifier: BSD-2-Clause */
/* The matrix: every case of the benchmark, named and in the order of the report. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define CASES_MAX	192
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const path_names[] = { "pipe", "vale" };

static const struct {
	unsigned int batch, slots;
	bool quick;
} batches[] = {
	{ 1, 1024, false }, { 32, 1024, true }, { 256, 1024, true }, { 512, 1024, true }, { 1024, 4096, false },
};

static struct bench_case *
case_add(struct bench_case *cases, size_t *n, const struct bench_case *c)
{
	assert(*n < CASES_MAX);
	cases[*n] = *c;
	return &cases[(*n)++];
}

static void
case_add_rate(struct bench_case *cases, size_t *n, unsigned int index, enum bench_path path, unsigned int len,
    unsigned int senders, bool touch)
{
	struct bench_case *c = case_add(cases, n, &(struct bench_case){
		.kind = BENCH_RATE, .path = path, .wait = BENCH_BUSY, .len = len,
		.batch = batches[index].batch, .slots = batches[index].slots, .touch = touch,
		.senders = senders, .ports = 1 + senders,
	});

	c->quick = batches[index].quick && senders == 1 && touch;
	if (batches[index].batch == 256)
		c->quick = len == 60 || touch;
	snprintf(c->name, sizeof(c->name), "%s/%u/b%u/%utx/%s", path_names[path], len, c->batch, senders,
	    touch ? "touched" : "untouched");
}

/* pipe and VALE, 60 and 1500 bytes, all batches, one and two senders, data touched or not */
static void
cases_add_rates(struct bench_case *cases, size_t *n)
{
	static const unsigned int lengths[] = { 60, 1500 };

	for (int path = BENCH_PIPE; path <= BENCH_VALE; path++)
		for (size_t l = 0; l < ARRAY_LEN(lengths); l++)
			for (unsigned int senders = 1; senders <= 2; senders++)
				for (int touch = 1; touch >= 0; touch--)
					for (unsigned int b = 0; b < ARRAY_LEN(batches); b++)
						case_add_rate(cases, n, b, (enum bench_path)path, lengths[l],
						    senders, touch != 0);
}

/* One switch, two busy ports, the others idle. */
static void
cases_add_ports(struct bench_case *cases, size_t *n)
{
	static const unsigned int ports[] = { 2, 16, 64, 254 };

	for (int broadcast = 0; broadcast <= 1; broadcast++)
		for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
			struct bench_case *c = case_add(cases, n, &(struct bench_case){
				.kind = BENCH_RATE, .path = BENCH_VALE, .wait = BENCH_BUSY, .len = 60,
				.batch = 256, .slots = 1024, .touch = true, .senders = 1,
				.ports = ports[i], .broadcast = broadcast != 0,
				.quick = ports[i] == 2 || ports[i] == 254,
			});

			snprintf(c->name, sizeof(c->name), "ports/%u/%s", ports[i],
			    broadcast ? "broadcast" : "unicast");
		}
}

/* A receiver that polls: at full rate, and at a million packets a second for its CPU time. */
static void
cases_add_cpu(struct bench_case *cases, size_t *n)
{
	static const struct {
		const char *name;
		unsigned int pace;
	} paces[] = { { "full", 0 }, { "1Mpps", 1000000 } };

	for (int path = BENCH_PIPE; path <= BENCH_VALE; path++)
		for (size_t i = 0; i < ARRAY_LEN(paces); i++) {
			struct bench_case *c = case_add(cases, n, &(struct bench_case){
				.kind = BENCH_RATE, .path = (enum bench_path)path, .wait = BENCH_POLL,
				.len = 60, .batch = 256, .slots = 1024, .touch = true, .senders = 1,
				.ports = 2, .pace = paces[i].pace, .quick = true,
			});

			snprintf(c->name, sizeof(c->name), "poll/%s/%s", path_names[path], paces[i].name);
		}
}

/* A pipe and a pair of ports on a switch, with a monitor at either end. */
static void
cases_add_monitors(struct bench_case *cases, size_t *n)
{
	static const char *const watch_names[] = { "read", "apart", "ignored", "closed" };

	for (int path = BENCH_PIPE; path <= BENCH_VALE; path++)
		for (int copy = 0; copy <= 1; copy++)
			for (int rx = 0; rx <= 1; rx++)
				for (int watch = WATCH_READ; watch <= WATCH_CLOSED; watch++) {
					struct bench_case *c = case_add(cases, n, &(struct bench_case){
						.kind = BENCH_MONITOR, .path = (enum bench_path)path,
						.wait = BENCH_BUSY, .len = 60, .batch = 256, .slots = 1024,
						.touch = true, .senders = 1, .ports = 2,
						.watch = (enum bench_watch)watch, .watch_copy = copy != 0,
						.watch_rx = rx != 0, .quick = rx == 0 && watch == WATCH_READ,
					});

					snprintf(c->name, sizeof(c->name), "monitor/%s/%s/%s/%s", path_names[path],
					    copy ? "copy" : "zcopy", rx ? "rx" : "tx", watch_names[watch]);
				}
}

static void
cases_add_latency(struct bench_case *cases, size_t *n)
{
	static const struct {
		enum bench_kind kind;
		enum bench_wait wait;
		const char *kind_name, *wait_name;
	} kinds[] = {
		{ BENCH_PINGPONG, BENCH_BUSY, "pingpong", "busy" },
		{ BENCH_PINGPONG, BENCH_POLL, "pingpong", "poll" },
		{ BENCH_WAKEUP, BENCH_POLL, "wakeup", "poll" },
		{ BENCH_WAKEUP, BENCH_MIXED, "wakeup", "mixed" },
		{ BENCH_WAKEUP, BENCH_EPOLL, "wakeup", "epoll" },
		{ BENCH_IDLE, BENCH_POLL, "idle", "poll" },
		{ BENCH_IDLE, BENCH_MIXED, "idle", "mixed" },
		{ BENCH_IDLE, BENCH_EPOLL, "idle", "epoll" },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (int path = BENCH_PIPE; path <= BENCH_VALE; path++) {
			struct bench_case *c = case_add(cases, n, &(struct bench_case){
				.kind = kinds[i].kind, .path = (enum bench_path)path, .wait = kinds[i].wait,
				.len = 60, .batch = 1, .slots = 1024, .touch = true, .senders = 1,
				.ports = 2, .quick = kinds[i].kind != BENCH_IDLE || path == BENCH_VALE,
			});

			snprintf(c->name, sizeof(c->name), "%s/%s/%s", kinds[i].kind_name,
			    path_names[path], kinds[i].wait_name);
		}
}

/* Each driver over a veth pair: netmap sends to a bare loop, receives from one, or does both. */
static void
cases_add_drivers(struct bench_case *cases, size_t *n)
{
	static const struct {
		const char *name;
		enum bench_path path;
		unsigned int len;
	} drivers[] = {
		{ "afxdp", BENCH_AFXDP, 64 }, { "afxdp", BENCH_AFXDP, 1500 },
		{ "afxdp-generic", BENCH_AFXDP_GENERIC, 64 },
		{ "afpacket", BENCH_AFPACKET, 64 }, { "afpacket", BENCH_AFPACKET, 1500 },
	};
	static const struct {
		const char *name;
		bool tx, rx;
	} ends[] = { { "tx", true, false }, { "rx", false, true }, { "txrx", true, true } };

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
			struct bench_case *c = case_add(cases, n, &(struct bench_case){
				.kind = BENCH_NIC, .path = drivers[i].path, .wait = BENCH_BUSY,
				.len = drivers[i].len, .batch = 256, .slots = 1024, .touch = true,
				.senders = 1, .ports = 2, .netmap_tx = ends[e].tx, .netmap_rx = ends[e].rx,
				.quick = drivers[i].len == 64 && drivers[i].path != BENCH_AFXDP_GENERIC,
			});

			snprintf(c->name, sizeof(c->name), "nic/%s/%u/b%u/%s", drivers[i].name, c->len,
			    c->batch, ends[e].name);
		}
}

static void
cases_add_interfaces(struct bench_case *cases, size_t *n)
{
	const struct bench_case interface = {
		.wait = BENCH_BUSY, .len = 64, .batch = 256, .slots = 1024, .touch = true, .senders = 1,
		.ports = 2, .quick = true,
	};
	static const struct {
		const char *name;
		enum bench_kind kind;
		enum bench_path path;
	} others[] = {
		{ "nic/veth/64/b256", BENCH_NIC, BENCH_VETH },
		{ "nic/forward/bridge/64", BENCH_FORWARD, BENCH_BRIDGE },
		{ "nic/forward/vale/64", BENCH_FORWARD, BENCH_VALE },
		{ "host/iperf3", BENCH_STREAM, BENCH_BRIDGE },
	};

	cases_add_drivers(cases, n);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct bench_case *c = case_add(cases, n, &interface);

		c->kind = others[i].kind;
		c->path = others[i].path;
		c->netmap_tx = c->netmap_rx = c->kind == BENCH_NIC;
		snprintf(c->name, sizeof(c->name), "%s", others[i].name);
	}
}

struct bench_case *
bench_cases(size_t *n)
{
	struct bench_case *cases = calloc(CASES_MAX, sizeof(*cases));

	*n = 0;
	if (cases == NULL)
		return NULL;
	cases_add_rates(cases, n);
	cases_add_ports(cases, n);
	cases_add_cpu(cases, n);
	cases_add_monitors(cases, n);
	cases_add_latency(cases, n);
	cases_add_interfaces(cases, n);
	return cases;
}
