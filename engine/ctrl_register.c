/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REGISTER: binds a descriptor to rings of a port. Everything is checked before anything is taken.
 */
#include "bytes.h"
#include "csb.h"
#include "extmem.h"
#include "join.h"
#include "monitor.h"
#include "kloop.h"
#include "offsets.h"
#include "os.h"
#include "session.h"

/* Rings [first, last) of each direction. */
struct ring_choice {
	uint16_t first[2], last[2];		/* by enum ring_dir */
};

static int
refuse(struct why *why, const struct port *p, int error, const char *text)
{
	os_format(why->text, sizeof(why->text), "port %s: %s", p->name, text);
	return error;
}

/*
 * Ring `id` of the directions that have it, the host's or the interface's own; a direction without it gets its first ring, if the other one has it.
 */
static int
choose_one(const struct nmreq_register *reg, const struct port *p, bool host, struct ring_choice *c, struct why *why)
{
	const uint16_t base[2] = { [RING_RX] = host ? p->num_rx : 0, [RING_TX] = host ? p->num_tx : 0 };
	const uint16_t n[2] = { [RING_RX] = host ? p->num_host_rx : p->num_rx, [RING_TX] = host ? p->num_host_tx : p->num_tx };
	int dir;

	if (reg->nr_ringid >= n[RING_RX] && reg->nr_ringid >= n[RING_TX]) {
		os_format(why->text, sizeof(why->text), "port %s: there is no %sring %u: it has %u tx and %u rx %srings, numbered from 0", p->name,
			host ? "host " : "", reg->nr_ringid, n[RING_TX], n[RING_RX], host ? "host " : "");
		return -EINVAL;
	}
	for (dir = 0; dir < 2; dir++) {
		c->first[dir] = base[dir] + (reg->nr_ringid < n[dir] ? reg->nr_ringid : 0);
		c->last[dir] = c->first[dir] + 1;
	}
	return 0;
}

static bool
mode_has_host(uint32_t mode)
{
	return mode == NR_REG_SW || mode == NR_REG_NIC_SW || mode == NR_REG_ONE_SW;
}

static int
rings_choose(const struct nmreq_register *reg, const struct port *p, struct ring_choice *c, struct why *why)
{
	const struct ring_choice nic = { .last = { [RING_RX] = p->num_rx, [RING_TX] = p->num_tx } };
	const struct ring_choice host = {
		.first = { [RING_RX] = p->num_rx, [RING_TX] = p->num_tx },
		.last = { [RING_RX] = (uint16_t)port_rx_rings(p), [RING_TX] = (uint16_t)port_tx_rings(p) },
	};
	int error = 0;

	if (mode_has_host(reg->nr_mode) && p->num_host_tx == 0 && p->num_host_rx == 0)
		return refuse(why, p, -EINVAL, "this port has no host rings");
	switch (reg->nr_mode) {
	case NR_REG_ALL_NIC:
	case NR_REG_NULL:
		*c = nic;
		break;
	case NR_REG_SW:
		*c = host;
		break;
	case NR_REG_NIC_SW:
		*c = host;
		c->first[RING_RX] = c->first[RING_TX] = 0;
		break;
	case NR_REG_ONE_NIC:
	case NR_REG_ONE_SW:
		error = choose_one(reg, p, reg->nr_mode == NR_REG_ONE_SW, c, why);
		break;
	default:
		os_format(why->text, sizeof(why->text), "port %s: %u is not a registration mode that can be asked for", p->name, reg->nr_mode);
		error = -EINVAL;
	}
	if (error == 0 && (reg->nr_flags & NR_TX_RINGS_ONLY) != 0)
		c->first[RING_RX] = c->last[RING_RX] = 0;
	if (error == 0 && (reg->nr_flags & NR_RX_RINGS_ONLY) != 0)
		c->first[RING_TX] = c->last[RING_TX] = 0;
	return error;
}

static bool
choice_has_host(const struct port *p, const struct ring_choice *c)
{
	return c->last[RING_RX] > p->num_rx || c->last[RING_TX] > p->num_tx;
}

static struct kring *
port_ring(const struct port *p, int dir, uint16_t i)
{
	return dir == RING_TX ? p->tx[i] : p->rx[i];
}

static int
rings_check(const struct port *p, const struct ring_choice *c, bool exclusive, struct why *why)
{
	int dir;
	uint16_t i;

	for (dir = 0; dir < 2; dir++)
		for (i = c->first[dir]; i < c->last[dir]; i++) {
			const struct kring *kr = port_ring(p, dir, i);

			if (kr->exclusive == 0 && !(exclusive && kr->users > 0))
				continue;
			os_format(why->text, sizeof(why->text), "port %s: %s ring %u %s", p->name, dir == RING_TX ? "tx" : "rx", i,
				kr->exclusive ? "is held exclusively by another descriptor" :
				"has users already, so it cannot be had exclusively");
			return -EBUSY;
		}
	return 0;
}

static void
rings_take(const struct port *p, const struct ring_choice *c, bool exclusive)
{
	int dir;
	uint16_t i;

	for (dir = 0; dir < 2; dir++)
		for (i = c->first[dir]; i < c->last[dir]; i++) {
			struct kring *kr = port_ring(p, dir, i);

			kr->users++;
			kr->exclusive = exclusive;
			store_release(&kr->open, 1);
		}
}

static void
rings_give_back(const struct binding *b)
{
	const struct ring_choice c = {
		.first = { [RING_RX] = b->rx_first, [RING_TX] = b->tx_first },
		.last = { [RING_RX] = b->rx_last, [RING_TX] = b->tx_last },
	};
	int dir;
	uint16_t i;

	for (dir = 0; dir < 2; dir++)
		for (i = c.first[dir]; i < c.last[dir]; i++) {
			struct kring *kr = port_ring(b->port, dir, i);

			kr->exclusive = 0;
			if (--kr->users > 0)
				continue;
			store_release(&kr->open, 0);
			kr->closed_at = retire_mark();
		}
}

/* --- netmap_if --- */

static void
nifp_ring(struct netmap_if *nifp, uint32_t at, const struct kring *kr)
{
	nifp->ring_ofs[at] = (char *)kr->uring - (char *)nifp;
}

/* One host ring a direction is told even where there is none, with offset 0. */
static uint32_t
host_rings_told(uint16_t n)
{
	return n > 0 ? n : 1;
}

/* Rings that are not bound have offset 0: programs find their first and last ring by that. */
static int
nifp_create(struct session *s, struct port *p, const struct ring_choice *c, struct why *why)
{
	uint32_t tx_entries = p->num_tx + host_rings_told(p->num_host_tx);
	uint32_t entries = tx_entries + p->num_rx + host_rings_told(p->num_host_rx), i;
	struct netmap_if *nifp;

	s->nifp_size = (uint32_t)(sizeof(*nifp) + entries * sizeof(nifp->ring_ofs[0]));
	nifp = region_alloc(p->region, POOL_IF, s->nifp_size, p->name, why);
	if (nifp == NULL)
		return -ENOMEM;
	bytes_zero(nifp, s->nifp_size);
	str_copy(nifp->ni_name, sizeof(nifp->ni_name), p->name, sizeof(p->name));
	nifp->ni_version = NETMAP_API;
	nifp->ni_flags = p->region->is_private ? NI_PRIV_MEM : 0;
	nifp->ni_tx_rings = p->num_tx;
	nifp->ni_rx_rings = p->num_rx;
	nifp->ni_host_tx_rings = host_rings_told(p->num_host_tx);
	nifp->ni_host_rx_rings = host_rings_told(p->num_host_rx);
	for (i = c->first[RING_TX]; i < c->last[RING_TX]; i++)
		nifp_ring(nifp, i, p->tx[i]);
	for (i = c->first[RING_RX]; i < c->last[RING_RX]; i++)
		nifp_ring(nifp, tx_entries + i, p->rx[i]);
	s->nifp = nifp;
	return 0;
}

/* --- extra buffers --- */

static uint32_t *
buf_next(const struct region *r, uint32_t idx)
{
	const struct region_pool *p = &r->pool[POOL_BUF];

	return (uint32_t *)(void *)(r->base + p->offset + (uint64_t)idx * p->obj_size);
}

/* As many as there are, up to n: a list through the first word of each buffer. Returns how many. */
static uint32_t
extra_give(struct session *s, struct region *r, uint32_t n)
{
	uint32_t head = 0, given;

	for (given = 0; given < n; given++) {
		uint32_t idx = region_buf_alloc(r);

		if (idx == 0)
			break;
		store_relaxed(buf_next(r, idx), head);
		head = idx;
	}
	s->nifp->ni_bufs_head = head;
	return given;
}

/* The list is whatever the program left there: it ends at the first index that is wrong, and after as many steps as there are buffers. */
static void
extra_take_back(struct session *s, struct region *r)
{
	uint32_t idx = load_relaxed(&s->nifp->ni_bufs_head), steps;

	for (steps = 0; steps < r->pool[POOL_BUF].obj_total && idx >= 2 && idx < r->pool[POOL_BUF].obj_total; steps++) {
		uint32_t next = load_relaxed(buf_next(r, idx));

		region_buf_free(r, idx);
		idx = next;
	}
}

/* --- binding --- */

static void
binding_set(struct session *s, struct port *p, const struct ring_choice *c, const struct nmreq_register *reg)
{
	struct binding *b = s->binding;

	b->port = p;
	b->tx = p->tx;
	b->rx = p->rx;
	b->tx_first = c->first[RING_TX];
	b->tx_last = c->last[RING_TX];
	b->rx_first = c->first[RING_RX];
	b->rx_last = c->last[RING_RX];
	b->flags = reg->nr_flags;
	b->forwards = 0;
	b->mode = reg->nr_mode;
	b->region = p->region;
	/* Syncs that see it set see all of the above. */
	store_release(&b->registered, 1);
}

static void
register_tell(const struct session *s, const struct port *p, struct nmreq_register *reg)
{
	reg->nr_offset = (uint64_t)((char *)s->nifp - p->region->base);
	reg->nr_memsize = p->region->size;
	port_tell_numbers(p, &reg->nr_tx_slots, &reg->nr_rx_slots, &reg->nr_tx_rings, &reg->nr_rx_rings);
	reg->nr_host_tx_rings = p->num_host_tx;
	reg->nr_host_rx_rings = p->num_host_rx;
	reg->nr_mem_id = p->region->id;
	reg->nr_flags |= p->monitor_flags;
}

static int
register_check_mode(const struct session *s, const struct request_msg *msg, const struct nmreq_register *reg, struct why *why)
{
	const char *name = msg->hdr.nr_name;

	if (s->port != NULL) {
		os_format(why->text, sizeof(why->text), "port %s: this descriptor is registered already, for %s", name, s->port->name);
		return -EBUSY;
	}
	if (s->settling) {
		os_format(why->text, sizeof(why->text), "port %s: some thread is still syncing what this descriptor was registered for", name);
		return -EBUSY;
	}
	if (reg->nr_mode == NR_REG_DEFAULT || reg->nr_mode == NR_REG_PIPE_MASTER || reg->nr_mode == NR_REG_PIPE_SLAVE ||
	    reg->nr_mode > NR_REG_ONE_SW) {
		os_format(why->text, sizeof(why->text), "port %s: %u is not a registration mode that can be asked for", name, reg->nr_mode);
		return -EINVAL;
	}
	return 0;
}

/* Which option stands in the way. Asking for one claims it, so it is put back as it was. */
static const char *
option_refusal(struct request_msg *msg)
{
	static const struct {
		uint32_t type;
		const char *text;
	} known[] = {
		{ NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS, "the sync loop's eventfds option does not go with this request" },
		{ NETMAP_REQ_OPT_SYNC_KLOOP_MODE, "the sync loop's mode option does not go with this request" },
	};
	uint32_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct nmreq_option *opt = request_option(msg, known[i].type);

		if (opt == NULL)
			continue;
		opt->nro_status = EOPNOTSUPP;
		return known[i].text;
	}
	return "the request has an option of an unknown type";
}

/* Rings without users get the offsets that are asked for, or none; those of the others have to do. */
static int
rings_set_offsets(const struct port *p, const struct ring_choice *c, const struct offsets *o, struct nmreq_opt_offsets *opt, struct why *why)
{
	int dir, error = 0;
	uint16_t i;

	for (dir = 0; dir < 2 && error == 0; dir++)
		for (i = c->first[dir]; i < c->last[dir] && error == 0; i++)
			error = offsets_check(port_ring(p, dir, i), o, why);
	for (dir = 0; dir < 2 && error == 0; dir++)
		for (i = c->first[dir]; i < c->last[dir] && error == 0; i++) {
			error = offsets_set(port_ring(p, dir, i), o, why);
			if (opt != NULL)
				offsets_tell(port_ring(p, dir, i), opt);
		}
	if (error != 0 && opt != NULL)
		opt->nro_opt.nro_status = (uint32_t)-error;
	return error;
}

/* What else can stand in the way, once the rings can be had. */
static int
options_check(struct session *s, const struct port *p, const struct ring_choice *c, struct request_msg *msg, const struct nmreq_register *reg,
	struct why *why)
{
	struct nmreq_opt_csb *csb = csb_option(msg);
	struct nmreq_opt_offsets *opt = (struct nmreq_opt_offsets *)(void *)request_option(msg, NETMAP_REQ_OPT_OFFSETS);
	struct offsets offsets;
	int error = csb != NULL ? csb_check(p->name, csb, s->binding, reg->nr_flags, why) : 0;

	if (error == 0)
		error = offsets_parse(p, opt, &offsets, why);
	if (error == 0 && !request_unclaimed(msg))
		error = rings_set_offsets(p, c, &offsets, opt, why);
	if (error == 0 && request_unclaimed(msg))
		error = refuse(why, p, -EOPNOTSUPP, option_refusal(msg));
	return error;
}

/* Takes rings, a netmap_if and extra buffers of a port that is held already. */
static int
port_bind(struct session *s, struct port *p, struct request_msg *msg, struct nmreq_register *reg, struct why *why)
{
	struct ring_choice c;
	int error = rings_choose(reg, p, &c, why);

	s->exclusive = (reg->nr_flags & NR_EXCLUSIVE) != 0;
	if (error == 0 && p->attachment != NULL)
		error = refuse(why, p, -EBUSY, "it belongs to an interface that is attached to a switch");
	if (error == 0)
		error = rings_check(p, &c, s->exclusive, why);
	if (error == 0 && p->hdr_len != 0 && (reg->nr_flags & NR_ACCEPT_VNET_HDR) == 0)
		error = refuse(why, p, -EIO, "frames carry a virtio-net header here, and NR_ACCEPT_VNET_HDR was not given");
	if (error == 0)
		error = options_check(s, p, &c, msg, reg, why);
	if (error == 0 && choice_has_host(p, &c))
		error = port_host_hold(p, why);
	if (error != 0)
		return error;
	error = nifp_create(s, p, &c, why);
	if (error != 0) {
		if (choice_has_host(p, &c))
			port_host_drop(p);
		return error;
	}
	reg->nr_extra_bufs = extra_give(s, p->region, reg->nr_extra_bufs);
	rings_take(p, &c, s->exclusive);
	join_update(p);
	monitor_start(p, c.first[RING_RX], c.last[RING_RX]);
	p->region->bound++;
	s->port = p;
	register_tell(s, p, reg);
	binding_set(s, p, &c, reg);
	return 0;
}

static int
memory_check(const struct port *p, const struct port_want *want, struct why *why)
{
	int error = want->memory != NULL ? extmem_check(p, want->memory, why) : 0;

	if (error == 0 && load_relaxed(&p->region->failed) != 0)
		error = refuse(why, p, -EIO, "its external memory has gone, or its file system is full; close all descriptors of that memory, and give other memory");
	return error;
}

int
session_register(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_register *reg = request_body(msg);
	struct nmreq_opt_extmem *ext = request_extmem(msg);
	struct region_memory memory;
	const struct port_want want = {
		.tx_slots = reg->nr_tx_slots,
		.rx_slots = reg->nr_rx_slots,
		.tx_rings = reg->nr_tx_rings,
		.rx_rings = reg->nr_rx_rings,
		.host_tx_rings = reg->nr_host_tx_rings,
		.host_rx_rings = reg->nr_host_rx_rings,
		.mem_id = ext == NULL ? reg->nr_mem_id : 0,
		.memory = ext != NULL ? &memory : NULL,
		.extra_bufs = reg->nr_extra_bufs,
		.mode = reg->nr_mode,
		.flags = reg->nr_flags,
		.attached = s->attachment != NULL,
	};
	struct port *p;
	int error = register_check_mode(s, msg, reg, why);

	if (error == 0 && ext != NULL)
		error = extmem_parse(caller, ext, &memory, why);
	if (error == 0)
		error = port_open(caller, msg->hdr.nr_name, &want, true, &p, why);
	if (error != 0)
		return error;
	error = memory_check(p, &want, why);
	if (error == 0)
		error = port_bind(s, p, msg, reg, why);
	if (error != 0)
		port_drop(p);
	else if (ext != NULL)
		region_tell(p->region, &ext->nro_info);
	return error;
}

void
session_unregister(struct session *s)
{
	struct port *p = s->port;
	struct region *r = p->region;

	/* Syncs that begin from now on find nothing; those under way keep port and rings until they leave. */
	store_release(&s->binding->registered, 0);
	store_relaxed(&s->binding->csb, 0);
	/* The loop is done when it looks. */
	if (kloop_runner(s->binding) != 0)
		kloop_stop(engine_root, s->binding);
	rings_give_back(s->binding);
	join_update(p);
	monitor_port_closed(p);
	if (binding_has_host(s->binding))
		port_host_drop(p);
	extra_take_back(s, r);
	region_free(r, POOL_IF, s->nifp, s->nifp_size);
	r->bound--;
	s->nifp = NULL;
	s->port = NULL;
	region_get(r);
	port_drop(p);
	region_sweep(r);
	region_put(r);
}
