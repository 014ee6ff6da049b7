/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REGISTER: binds a descriptor to rings of a port. Everything is checked before anything is taken.
 */
#include "bytes.h"
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

/* Ring `id` of the directions that have it; a direction without it gets its first ring, if the other one has it. */
static int
choose_one(const struct nmreq_register *reg, const struct port *p, struct ring_choice *c, struct why *why)
{
	const uint16_t n[2] = { [RING_RX] = p->num_rx, [RING_TX] = p->num_tx };
	int dir;

	if (reg->nr_ringid >= n[RING_RX] && reg->nr_ringid >= n[RING_TX]) {
		os_format(why->text, sizeof(why->text), "port %s: there is no ring %u: it has %u tx and %u rx rings, numbered from 0", p->name,
			reg->nr_ringid, p->num_tx, p->num_rx);
		return -EINVAL;
	}
	for (dir = 0; dir < 2; dir++) {
		c->first[dir] = reg->nr_ringid < n[dir] ? reg->nr_ringid : 0;
		c->last[dir] = c->first[dir] + 1;
	}
	return 0;
}

static int
rings_choose(const struct nmreq_register *reg, const struct port *p, struct ring_choice *c, struct why *why)
{
	int error = 0;

	switch (reg->nr_mode) {
	case NR_REG_ALL_NIC:
		*c = (struct ring_choice){ .last = { [RING_RX] = p->num_rx, [RING_TX] = p->num_tx } };
		break;
	case NR_REG_ONE_NIC:
		error = choose_one(reg, p, c, why);
		break;
	case NR_REG_SW:
	case NR_REG_NIC_SW:
	case NR_REG_ONE_SW:
		error = refuse(why, p, -EINVAL, "this port has no host rings");
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
			if (--kr->users == 0)
				store_release(&kr->open, 0);
		}
}

/* --- netmap_if --- */

static void
nifp_ring(struct netmap_if *nifp, uint32_t at, const struct kring *kr)
{
	nifp->ring_ofs[at] = (char *)kr->uring - (char *)nifp;
}

/* Rings that are not bound have offset 0: programs find their first and last ring by that. */
static int
nifp_create(struct session *s, struct port *p, const struct ring_choice *c, struct why *why)
{
	/* One host ring a direction is told even where there is none, with offset 0. */
	uint32_t entries = p->num_tx + 1u + p->num_rx + 1u, i;
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
	nifp->ni_host_tx_rings = 1;
	nifp->ni_host_rx_rings = 1;
	for (i = c->first[RING_TX]; i < c->last[RING_TX]; i++)
		nifp_ring(nifp, i, p->tx[i]);
	for (i = c->first[RING_RX]; i < c->last[RING_RX]; i++)
		nifp_ring(nifp, p->num_tx + 1u + i, p->rx[i]);
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
	reg->nr_host_tx_rings = 0;
	reg->nr_host_rx_rings = 0;
	reg->nr_mem_id = p->region->id;
}

static int
register_check_mode(const struct session *s, const struct request_msg *msg, const struct nmreq_register *reg, struct why *why)
{
	const char *name = msg->hdr.nr_name;

	if (s->port != NULL) {
		os_format(why->text, sizeof(why->text), "port %s: this descriptor is registered already, for %s", name, s->port->name);
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
		{ NETMAP_REQ_OPT_EXTMEM, "the option for external memory is not supported yet" },
		{ NETMAP_REQ_OPT_CSB, "the option for CSB mode is not supported yet" },
		{ NETMAP_REQ_OPT_OFFSETS, "the option for offsets is not supported yet" },
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

/* Takes rings, a netmap_if and extra buffers of a port that is held already. */
static int
port_bind(struct session *s, struct port *p, struct request_msg *msg, struct nmreq_register *reg, struct why *why)
{
	struct ring_choice c;
	int error = rings_choose(reg, p, &c, why);

	s->exclusive = (reg->nr_flags & NR_EXCLUSIVE) != 0;
	if (error == 0)
		error = rings_check(p, &c, s->exclusive, why);
	if (error == 0 && p->hdr_len != 0 && (reg->nr_flags & NR_ACCEPT_VNET_HDR) == 0)
		error = refuse(why, p, -EIO, "frames carry a virtio-net header here, and NR_ACCEPT_VNET_HDR was not given");
	if (error == 0 && request_unclaimed(msg))
		error = refuse(why, p, -EOPNOTSUPP, option_refusal(msg));
	if (error == 0)
		error = nifp_create(s, p, &c, why);
	if (error != 0)
		return error;
	reg->nr_extra_bufs = extra_give(s, p->region, reg->nr_extra_bufs);
	rings_take(p, &c, s->exclusive);
	p->region->bound++;
	s->port = p;
	register_tell(s, p, reg);
	binding_set(s, p, &c, reg);
	return 0;
}

int
session_register(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_register *reg = request_body(msg);
	const struct port_want want = {
		.tx_slots = reg->nr_tx_slots,
		.rx_slots = reg->nr_rx_slots,
		.tx_rings = reg->nr_tx_rings,
		.rx_rings = reg->nr_rx_rings,
		.mem_id = reg->nr_mem_id,
		.extra_bufs = reg->nr_extra_bufs,
		.mode = reg->nr_mode,
		.flags = reg->nr_flags,
	};
	struct port *p;
	int error = register_check_mode(s, msg, reg, why);

	if (error == 0)
		error = port_open(caller, msg->hdr.nr_name, &want, true, &p, why);
	if (error != 0)
		return error;
	error = port_bind(s, p, msg, reg, why);
	if (error != 0)
		port_drop(p);
	return error;
}

void
session_unregister(struct session *s)
{
	struct port *p = s->port;
	struct region *r = p->region;

	/* Syncs that begin from now on find nothing; those under way keep port and rings until they leave. */
	store_release(&s->binding->registered, 0);
	rings_give_back(s->binding);
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
