/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors opened, registered with anything, used and closed in any order, now and then without memory,
 * while two ports exchange frames all the time. Whatever is granted works; whatever is refused leaves nothing
 * behind; at the end all memory is back.
 *
 *	fuzz_requests [steps [seed]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "end.h"

#define STEPS		20000u
#define ENDS		24u
#define MEMORY		(36u << 20)		/* that programs give */
#define WATCHDOG	100u

static struct end good[2];
static struct end e[ENDS];
static bool open_now[ENDS];
static uint64_t seed;
static uint32_t seq, granted, refused, granted_external;
static char *memory;

static uint32_t
below(uint32_t n)
{
	return random_below(&seed, n);
}

/* --- what is asked for --- */

static void
random_name(char *name)
{
	static const char *const base[] = { "vale0:a", "vale0:b", "vale1:a", "vale2:xyz", "x", "y", "vale0:x",
		"vale1:x", "vale0:g", "vale_:q", "nosuch", "", "vale:", "vale0", "vale0:a/b", "{", "}", "vale_very_long_name:a" };
	static const char *const end[] = { "", "", "", "{1", "}1", "{1", "}1", "{two", "}two", "{", "}",
		"{1{2" };
	uint32_t i, n;

	snprintf(name, NETMAP_REQ_IFNAMSIZ, "%s%s", base[below(below(3) ? 10 : 18)], end[below(12)]);
	if (below(50) == 0) {
		n = below(NETMAP_REQ_IFNAMSIZ);
		for (i = 0; i < n; i++)
			name[i] = (char)below(256);
		name[n] = '\0';
	}
}

static uint32_t
random_size(void)
{
	static const uint32_t v[] = { 0, 1, 2, 3, 16, 100, 1024, 4096, 5000, 65535, 0x7fffffff, 0xffffffff };

	return v[below(below(4) ? 6 : 12)];
}

static void
random_register(struct nmreq_register *reg)
{
	static const uint64_t flag[] = { NR_EXCLUSIVE, NR_RX_RINGS_ONLY, NR_TX_RINGS_ONLY, NR_DO_RX_POLL,
		NR_NO_TX_POLL, NR_ACCEPT_VNET_HDR, NR_MONITOR_RX, UINT64_C(1) << 40 };
	uint32_t i;

	memset(reg, 0, sizeof(*reg));
	reg->nr_mode = below(4) == 0 ? below(12) : below(2) ? NR_REG_ALL_NIC : NR_REG_ONE_NIC;
	reg->nr_tx_slots = random_size();
	reg->nr_rx_slots = random_size();
	reg->nr_tx_rings = (uint16_t)below(5);
	reg->nr_rx_rings = (uint16_t)below(5);
	reg->nr_ringid = (uint16_t)(below(10) ? below(4) : below(65536));
	reg->nr_extra_bufs = below(20) ? below(20) : below(3000);
	for (i = 0; i < sizeof(flag) / sizeof(flag[0]); i++)
		if (below(i == 6 ? 40 : 6) == 0)
			reg->nr_flags |= flag[i];
	/* The id of something that is open, or any. */
	if (below(4) == 0) {
		i = below(ENDS);
		reg->nr_mem_id = open_now[i] && below(4) ? e[i].reg.nr_mem_id : (uint16_t)below(65536);
	}
}

/* Mostly memory in which something fits, at one of a few places, so that the same is given again; or anything. */
static void
random_extmem(struct nmreq_opt_extmem *opt)
{
	static const uint32_t size[] = { 0, 0, 0, 64, 1000, 2048, 4096, 20480, 65536, 1, UINT32_MAX };
	static const uint32_t num[] = { 0, 0, 3, 20, 100, 1000, 5000, UINT32_MAX };
	struct nmreq_pools_info *info = &opt->nro_info;

	memset(opt, 0, sizeof(*opt));
	opt->nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM;
	opt->nro_usrptr = (uintptr_t)memory + (uint64_t)below(3) * (MEMORY / 3);
	info->nr_memsize = below(5) ? MEMORY / 3 : below(MEMORY);
	if (below(20) == 0)
		opt->nro_usrptr = below(2) ? random_next(&seed) : opt->nro_usrptr + below(10000);
	if (below(20) == 0)
		info->nr_memsize = random_next(&seed) >> below(64);
	info->nr_if_pool_objsize = below(5) ? 0 : size[below(11)];
	info->nr_if_pool_objtotal = below(5) ? 0 : num[below(8)];
	info->nr_ring_pool_objsize = below(5) ? 0 : size[below(11)];
	info->nr_ring_pool_objtotal = below(5) ? 0 : num[below(8)];
	info->nr_buf_pool_objsize = below(5) ? 0 : size[below(11)];
	info->nr_buf_pool_objtotal = below(5) ? 0 : num[below(7)];
}

/* end_try() with that option, which may be NULL, and that many allocations before they fail. */
static int
register_try(struct end *end, const char *name, const struct nmreq_register *want, struct nmreq_opt_extmem *opt, long fail_after)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_options = (uintptr_t)opt };
	int error;

	if (opt == NULL) {
		inproc_fail_after(fail_after);
		return end_try(end, name, want);
	}
	end_open_bare(end);
	inproc_fail_after(fail_after);
	end->reg = *want;
	hdr.nr_body = (uintptr_t)&end->reg;
	memcpy(hdr.nr_name, name, sizeof(hdr.nr_name));
	error = inproc_ioctl(&end->fd, NIOCCTRL, &hdr);
	if (error != 0) {
		end_close(end);
		return error;
	}
	granted_external++;
	check(opt->nro_opt.nro_status == 0 && (char *)inproc_memory(&end->fd) == (char *)(uintptr_t)opt->nro_usrptr);
	check(end->reg.nr_memsize == opt->nro_info.nr_memsize);
	end->nifp = (struct netmap_if *)(void *)((char *)inproc_memory(&end->fd) + end->reg.nr_offset);
	return 0;
}

/* --- what came of it --- */

static void
ring_is_usable(const struct end *end, const struct netmap_ring *r, const struct kring *kr)
{
	const char *base = inproc_memory(&end->fd);

	check((const char *)r >= base &&
		(const char *)(r->slot + r->num_slots) <= base + end->reg.nr_memsize);
	check(r->num_slots == kr->num_slots);
	/* Null ports get what was asked for. */
	check(kr->type == PORT_NULL || (r->num_slots >= 2 && r->num_slots <= 4096));
	check(ring_buf(r, 0) == kr->ubufs);
	check(kr->users > 0 && kr->open == 1);
}

static void
end_is_usable(struct end *end)
{
	const struct binding *b = end->fd.binding;
	uint32_t i;

	/* Only a null port may have none. */
	check(b->port->type == PORT_NULL || (end->reg.nr_tx_rings >= 1 && end->reg.nr_rx_rings >= 1));
	check(end->reg.nr_offset < end->reg.nr_memsize);
	for (i = b->tx_first; i < b->tx_last; i++)
		ring_is_usable(end, end_tx(end, i), b->tx[i]);
	for (i = b->rx_first; i < b->rx_last; i++)
		ring_is_usable(end, end_rx(end, i), b->rx[i]);
}

/* --- steps --- */

/* What a request could not put aside for the end of what it made, for lack of memory, the next one does. */
static void
reserve_again(void)
{
	struct nmreq_port_info_get info = { 0 };

	check(end_request(&good[0], NETMAP_REQ_PORT_INFO_GET, "", &info) == 0);
}

static void
step_open(uint32_t i)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	struct nmreq_opt_extmem opt;
	struct nmreq_register want;
	bool external = below(6) == 0;
	uint64_t used = inproc_memory_used();
	int error;

	memset(name, 0, sizeof(name));
	random_name(name);
	random_register(&want);
	if (external)
		random_extmem(&opt);
	error = register_try(&e[i], name, &want, external ? &opt : NULL, below(8) == 0 ? (long)below(40) : -1);
	inproc_fail_after(-1);
	reserve_again();
	if (error != 0) {
		refused++;
		check(error == -EINVAL || error == -ENOMEM || error == -EBUSY || error == -ENXIO ||
			error == -EOPNOTSUPP || error == -EIO || (external && error == -EFAULT));
		check(inproc_memory_used() == used);
		return;
	}
	granted++;
	open_now[i] = true;
	end_is_usable(&e[i]);
}

static void
step_use(uint32_t i)
{
	const struct binding *b = e[i].fd.binding;
	/* A monitor whose port was closed. */
	int error = b->port->gone ? -EIO : 0;
	unsigned got;
	uint32_t n, r;

	for (r = b->tx_first; r < b->tx_last; r++)
		for (n = below(20); n > 0; n--)
			(void)ring_put(end_tx(&e[i], r), 60 + below(100),
				below(2) ? MAC_ALL : mac(500 + below(10)), mac(500 + below(10)), n,
				below(5) ? 0 : (uint16_t)below(65536) & ~(NS_INDIRECT | NS_PORT_MASK));
	check(inproc_ioctl(&e[i].fd, NIOCTXSYNC, NULL) == (b->tx_first < b->tx_last ? error : 0));
	check(inproc_ioctl(&e[i].fd, NIOCRXSYNC, NULL) == (b->rx_first < b->rx_last ? error : 0));
	for (r = b->rx_first; r < b->rx_last; r++)
		if (below(2))
			ring_move(end_rx(&e[i], r), end_rx(&e[i], r)->tail);
	/* Nothing can be sent through a monitor, or through rings without slots. */
	got = inproc_poll(&e[i].fd, below(8), 0);
	check((got & EV_ERR) == 0 || b->port->type == PORT_MONITOR || b->port->type == PORT_NULL);
	/* Registered once is enough. */
	if (below(5) == 0)
		check(end_request(&e[i], NETMAP_REQ_REGISTER, "vale9:x",
			      &(struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC }) == -EBUSY);
}

/* Requests of other types, with anything in their bodies; and headers that are no requests. */
static void
step_ask(uint32_t i)
{
	char body[256];
	struct {
		struct nmreq_option hdr;
		char body[128];
	} opt = { .hdr = { .nro_reqtype = below(9), .nro_size = below(2) ? below(100) : random_next(&seed) } };
	struct nmreq_header hdr = { .nr_version = (uint16_t)(below(10) ? NETMAP_API : below(20)),
		.nr_reqtype = (uint16_t)below(18),
		.nr_reserved = below(20) == 0,
		.nr_body = below(10) ? (uintptr_t)body : random_next(&seed),
		.nr_options = below(3) ? 0
			: below(2)     ? (uintptr_t)&opt
				       : random_next(&seed) };
	struct nmreq nmr;
	uint64_t used = inproc_memory_used();
	uint32_t j;

	/* Registering is another step's. */
	if (hdr.nr_reqtype == NETMAP_REQ_REGISTER && !open_now[i])
		return;
	for (j = 0; j < sizeof(body); j++)
		body[j] = below(3) ? 0 : (char)below(256);
	random_name(hdr.nr_name);
	if (!open_now[i])
		end_open_bare(&e[i]);
	(void)inproc_ioctl(&e[i].fd, NIOCCTRL, &hdr);
	memset(&nmr, 0, sizeof(nmr));
	snprintf(nmr.nr_name, sizeof(nmr.nr_name), "%.15s", hdr.nr_name);
	nmr.nr_version = NETMAP_API;
	nmr.nr_cmd = (uint16_t)below(14);
	nmr.nr_arg1 = (uint16_t)below(3);
	(void)inproc_ioctl(&e[i].fd, NIOCGINFO, &nmr);
	if (!open_now[i])
		end_close(&e[i]);
	/* Persistent ports, and what is attached, stay. */
	check(inproc_memory_used() == used || (hdr.nr_reqtype >= NETMAP_REQ_VALE_ATTACH && hdr.nr_reqtype <= NETMAP_REQ_VALE_DETACH) ||
		hdr.nr_reqtype == NETMAP_REQ_VALE_NEWIF || hdr.nr_reqtype == NETMAP_REQ_VALE_DELIF);
}

static void
persistent_remove(const char *name)
{
	static const char *const sw[] = { "vale1", "vale0", "vale1" };
	struct nmreq_vale_detach d = { 0 };
	char full[2 * NETMAP_REQ_IFNAMSIZ];
	uint32_t i;

	/* It may be on two, and leaves the second one first. */
	for (i = 0; i < 3; i++) {
		snprintf(full, sizeof(full), "%s:%s", sw[i], name);
		(void)end_request(&good[0], NETMAP_REQ_VALE_DETACH, full, &d);
	}
	check(end_request(&good[0], NETMAP_REQ_VALE_DELIF, name, NULL) == 0);
}

static void
persistent_remove_all(void)
{
	const struct port *p = inproc_root()->ports, *next;
	char name[NETMAP_REQ_IFNAMSIZ];

	/* The list changes: from its start after each. */
	while (p != NULL) {
		next = p->list_next;
		if (p->persistent) {
			memcpy(name, p->name, sizeof(name));
			persistent_remove(name);
			next = inproc_root()->ports;
		}
		p = next;
	}
	check(engine_persistent() == 0);
}

static void
good_traffic(void)
{
	uint32_t n = 1 + below(10), i;

	check(inproc_ioctl(&good[1].fd, NIOCRXSYNC, NULL) == 0);
	ring_move(end_rx(&good[1], 0), end_rx(&good[1], 0)->tail);
	check(inproc_ioctl(&good[1].fd, NIOCRXSYNC, NULL) == 0);
	for (i = 0; i < n; i++)
		check(ring_put(end_tx(&good[0], 0), 60, mac(2), mac(1), seq + i, 0));
	check(inproc_ioctl(&good[0].fd, NIOCTXSYNC, NULL) == 0);
	check(inproc_ioctl(&good[1].fd, NIOCRXSYNC, NULL) == 0);
	for (i = 0; i < n; i++) {
		struct netmap_ring *r = end_rx(&good[1], 0);

		check(ring_space(r) > 0 &&
			frame_seq(ring_buf(r, r->slot[r->head].buf_idx), r->slot[r->head].len) == seq + i);
		ring_move(r, ring_next(r, r->head));
	}
	seq += n;
}

int
main(int argc, char **argv)
{
	uint32_t steps = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : STEPS, i;
	uint64_t used;

	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	alarm(argc > 1 ? 0 : WATCHDOG);
	check(engine_setup(NULL) == 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(memory != MAP_FAILED);
	end_open_slots(&good[0], "vale0:good0", 64);
	end_open_slots(&good[1], "vale0:good1", 64);
	end_send(&good[1], MAC_ALL, mac(2), 60, 0);
	used = inproc_memory_used();
	while (steps-- > 0) {
		i = below(ENDS);
		switch (below(5)) {
		case 0:
			step_ask(i);
			break;
		case 1:
			good_traffic();
			break;
		default:
			if (!open_now[i])
				step_open(i);
			else if (below(3))
				step_use(i);
			else
				end_close(&e[i]), open_now[i] = false;
		}
		if (below(1000) == 0)
			inproc_clock_advance(below(100));
	}
	for (i = 0; i < ENDS; i++)
		if (open_now[i])
			end_close(&e[i]);
	persistent_remove_all();
	check(inproc_memory_used() == used);
	end_close(&good[0]);
	end_close(&good[1]);
	check(engine_teardown(NULL) == 0);
	printf("%u registrations granted, %u of them in external memory, %u refused, %u frames exchanged\n", granted, granted_external, refused, seq);
	return granted > 0 && granted_external > 0 && refused > 0 ? 0 : 1;
}
