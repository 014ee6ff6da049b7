/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: how a name becomes one, and how long it lives. A port lives while something holds it: descriptors bound to it, pipes that hang off it, a
 * request that looks at it.
 */
#include "bytes.h"
#include "os.h"
#include "port.h"
#include "port_name.h"

#define VALE_SLOTS		1024u
#define VALE_SLOTS_MAX		4096u
#define VALE_RINGS_MAX		16u
#define PIPE_SLOTS_MAX		4096u
#define PIPE_RINGS_MAX		256u
#define EXTRA_BUFS_MAX		(128u * 4096u)
#define PIPES_RESERVED		128u		/* room in a port's region, twice the number that programs may count on */
#define NIC_REGION_ID		1u		/* interfaces share one region, so that buffers can be swapped between them */
#define NIC_REGION_RINGS	256u
#define NIC_REGION_BUFS		163840u

static uint32_t last_port_id;
static struct region *nic_region;

/* What port_open is working on. */
struct opening {
	void *caller;
	const char *name;		/* as asked for */
	const struct port_want *want;
	bool create;
	struct port_name pn;
	struct why *why;
};

/* --- list --- */

struct port *
port_first(void)
{
	return engine_root->ports;
}

static struct port *
port_find(const char *name, uint64_t nic_key)
{
	struct port *p;

	for (p = engine_root->ports; p != NULL; p = p->list_next)
		if (str_equal(p->name, name, sizeof(p->name)) && p->nic_key == nic_key && !p->gone)
			return p;
	return NULL;
}

static struct port *
port_new(enum port_type type, const char *name, size_t len)
{
	struct port *p = os_shared_alloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	str_copy(p->name, sizeof(p->name), name, len);
	p->type = (uint8_t)type;
	p->id = ++last_port_id;
	p->users = 1;
	return p;
}

static void
port_link(struct port *p)
{
	p->list_next = engine_root->ports;
	store_release(&engine_root->ports, p);
}

/* --- end of life --- */

static void
port_release(void *obj)
{
	struct port *p = obj;
	struct region *r = p->region;

	port_rings_destroy(p);
	os_shared_free(p, sizeof(*p));
	r->retiring--;
	region_sweep(r);
	region_put(r);
}

static void
port_destroy(struct port *p)
{
	struct port **link = &engine_root->ports;

	store_relaxed(&p->gone, true);
	while (*link != p)
		link = &(*link)->list_next;
	store_release(link, p->list_next);
	vale_detach(p);
	if (p->type == PORT_NIC)
		os_nic_close(p);
	p->region->retiring++;
	retire(port_release, p);
}

void
port_hold(struct port *p)
{
	p->users++;
}

void
port_drop(struct port *p)
{
	struct port *peer = p->pipe_peer, *parent = p->pipe_parent;

	if (--p->users > 0)
		return;
	if (peer != NULL) {
		/* Both ends stay until neither is held. */
		if (peer->users > 0)
			return;
		port_destroy(peer);
		parent->pipes--;
	}
	port_destroy(p);
	if (parent != NULL)
		port_drop(parent);
}

void
region_sweep(struct region *r)
{
	struct port *p;
	uint32_t i, j;

	/*
	 * While programs are bound, what no ring refers to may be in their hands: extra buffers, one of two that are just being swapped. Rings of a port
	 * that is not quite gone yet are no longer in the list.
	 */
	if (r->bound == 0 && r->retiring == 0)
		region_mark_begin(r);
	for (p = engine_root->ports; p != NULL; p = p->list_next) {
		if (p->region != r)
			continue;
		for (i = 0; i < (uint32_t)p->num_tx + p->num_rx; i++) {
			const struct kring *kr = i < p->num_tx ? p->tx[i] : p->rx[i - p->num_tx];

			for (j = 0; j < kr->num_slots; j++)
				region_mark(r, slot_idx(slot_load(&kr->uslot[j])));
		}
	}
}

/* --- numbers --- */

static uint32_t
choose(uint32_t want, uint32_t least, uint32_t usual, uint32_t most)
{
	if (want < least)
		return usual;
	return want > most ? most : want;
}

static int
no_memory_for_port(struct opening *o)
{
	os_format(o->why->text, sizeof(o->why->text), "port %s: no memory for the description of a port", o->name);
	return -ENOMEM;
}

/* --- regions of ports --- */

static int
region_of_id(struct opening *o, struct region **out)
{
	*out = region_find(o->want->mem_id);
	if (*out == NULL) {
		os_format(o->why->text, sizeof(o->why->text), "port %s: there is no memory region %u", o->name, o->want->mem_id);
		return -EINVAL;
	}
	region_get(*out);
	return 0;
}

/* The region asked for, or a new one for this port. */
static int
region_for(struct opening *o, const struct port *p, uint32_t pipes, struct region **out)
{
	struct region_need need = {
		.rings = (uint32_t)p->num_tx + p->num_rx,
		.slots = p->num_tx * p->tx_slots + p->num_rx * p->rx_slots,
		.largest_ring = p->tx_slots > p->rx_slots ? p->tx_slots : p->rx_slots,
		.extra_bufs = o->want->extra_bufs < EXTRA_BUFS_MAX ? o->want->extra_bufs : EXTRA_BUFS_MAX,
		.pipes = pipes,
	};

	if (o->want->mem_id != 0)
		return region_of_id(o, out);
	return region_create(&need, p->name, out, o->why);
}

static int
region_for_nic(struct opening *o, struct region **out)
{
	static const struct region_need need = {
		.rings = NIC_REGION_RINGS,
		.slots = NIC_REGION_BUFS,
		.largest_ring = SLOTS_MAX / 8,
		/* What interfaces can use as the unit of their memory. */
		.buf_size = 2048,
	};
	int error;

	if (o->want->mem_id != 0 && o->want->mem_id != NIC_REGION_ID)
		return region_of_id(o, out);
	*out = region_find(NIC_REGION_ID);
	if (*out != NULL) {
		region_get(*out);
		return 0;
	}
	error = region_create(&need, "interfaces", &nic_region, o->why);
	if (error == 0) {
		nic_region->id = NIC_REGION_ID;
		nic_region->is_private = false;
		*out = nic_region;
	}
	return error;
}

/* --- VALE --- */

/* A port on a switch, or, with switch_name NULL, on none: the parent that a pipe gets if there is no port of its name. */
static int
vale_open(struct opening *o, const char *name, size_t len, const char *switch_name, struct port **out)
{
	struct port *p = port_new(PORT_VALE, name, len);
	int error;

	if (p == NULL)
		return no_memory_for_port(o);
	p->num_tx = (uint16_t)choose(o->want->tx_rings, 1, 1, VALE_RINGS_MAX);
	p->num_rx = (uint16_t)choose(o->want->rx_rings, 1, 1, VALE_RINGS_MAX);
	p->tx_slots = choose(o->want->tx_slots, SLOTS_MIN, VALE_SLOTS, VALE_SLOTS_MAX);
	p->rx_slots = choose(o->want->rx_slots, SLOTS_MIN, VALE_SLOTS, VALE_SLOTS_MAX);
	error = region_for(o, p, PIPES_RESERVED, &p->region);
	if (error != 0)
		goto err_port;
	p->max_frame = p->region->pool[POOL_BUF].obj_size;
	error = port_rings_create(p, true, o->why);
	if (error != 0)
		goto err_region;
	if (switch_name != NULL) {
		error = vale_attach(p, switch_name, o->why);
		if (error != 0)
			goto err_rings;
	}
	port_link(p);
	*out = p;
	return 0;

err_rings:
	port_rings_destroy(p);
err_region:
	region_put(p->region);
err_port:
	os_shared_free(p, sizeof(*p));
	return error;
}

static int
absent(struct opening *o, const char *what, int error)
{
	os_format(o->why->text, sizeof(o->why->text), "port %s: there is no %s of that name", o->name, what);
	return error;
}

static int
vale_resolve(struct opening *o, struct port **out)
{
	char base[NETMAP_REQ_IFNAMSIZ], sw[VALE_NAME_SIZE], nic[NETMAP_REQ_IFNAMSIZ];

	str_copy(base, sizeof(base), o->name, o->pn.base_len);
	*out = port_find(base, 0);
	if (*out != NULL) {
		port_hold(*out);
		return 0;
	}
	if (!o->create)
		return absent(o, "VALE port", -ENXIO);
	str_copy(nic, sizeof(nic), o->name + o->pn.port_off, o->pn.port_len);
	if (os_nic_key(o->caller, nic) != 0) {
		os_format(o->why->text, sizeof(o->why->text),
			"port %s: %s is a network interface, which must be attached to the switch before it is opened there", o->name, nic);
		return -EINVAL;
	}
	str_copy(sw, sizeof(sw), o->name, o->pn.switch_len);
	return vale_open(o, base, o->pn.base_len, sw, out);
}

/* --- interfaces --- */

static int
nic_open(struct opening *o, const char *base, uint64_t key, struct port **out)
{
	struct port *p = port_new(PORT_NIC, base, sizeof(p->name));
	struct os_nic_params params;
	int error;

	if (p == NULL)
		return no_memory_for_port(o);
	p->nic_key = key;
	error = region_for_nic(o, &p->region);
	if (error != 0)
		goto err_port;
	params.buf_size = p->region->pool[POOL_BUF].obj_size;
	error = os_nic_open(o->caller, p, &params, o->why->text, sizeof(o->why->text));
	if (error != 0)
		goto err_region;
	error = port_rings_create(p, true, o->why);
	if (error != 0)
		goto err_nic;
	port_link(p);
	*out = p;
	return 0;

err_nic:
	os_nic_close(p);
err_region:
	region_put(p->region);
err_port:
	os_shared_free(p, sizeof(*p));
	return error;
}

static int
nic_resolve(struct opening *o, struct port **out)
{
	char base[NETMAP_REQ_IFNAMSIZ];
	uint64_t key;

	str_copy(base, sizeof(base), o->name, o->pn.base_len);
	key = os_nic_key(o->caller, base);
	*out = port_find(base, key);
	if (*out != NULL) {
		port_hold(*out);
		return 0;
	}
	if (key == 0)
		return absent(o, "network interface", -ENXIO);
	if (!o->create)
		return absent(o, "open network interface", -ENXIO);
	return nic_open(o, base, key, out);
}

/* --- pipes --- */

static int
pipe_parent_open(struct opening *o, struct port **out)
{
	struct port_want want = { .mem_id = o->want->mem_id };
	struct opening parent = *o;
	char base[NETMAP_REQ_IFNAMSIZ];
	int error;

	parent.want = &want;
	if (o->pn.class == PORT_NAME_VALE)
		return vale_resolve(&parent, out);
	error = nic_resolve(&parent, out);
	if (error != -ENXIO)
		return error;
	/* No such interface: the pipe gets a parent for itself and its like. No network interface appears. */
	str_copy(base, sizeof(base), o->name, o->pn.base_len);
	error = vale_open(&parent, base, o->pn.base_len, NULL, out);
	if (error == 0)
		(*out)->auto_parent = true;
	return error;
}

static struct port *
pipe_end_new(struct opening *o, struct port *parent, bool master)
{
	struct port *p = port_new(PORT_PIPE, o->name, o->pn.len);

	if (p == NULL)
		return NULL;
	p->name[o->pn.base_len] = master ? '{' : '}';
	p->users = 0;
	p->pipe_parent = parent;
	p->region = parent->region;
	region_get(p->region);
	p->max_frame = p->region->pool[POOL_BUF].obj_size;
	return p;
}

static void
pipe_end_free(struct port *p)
{
	if (p == NULL)
		return;
	port_rings_destroy(p);
	region_put(p->region);
	os_shared_free(p, sizeof(*p));
}

/* `p` is the end that was asked for: the numbers are its own, the other's are their mirror image. */
static void
pipe_sizes(struct opening *o, struct port *p, struct port *peer)
{
	const struct port *parent = p->pipe_parent;

	p->num_tx = peer->num_rx = (uint16_t)choose(o->want->tx_rings, 1, 1, PIPE_RINGS_MAX);
	p->num_rx = peer->num_tx = (uint16_t)choose(o->want->rx_rings, 1, 1, PIPE_RINGS_MAX);
	p->tx_slots = peer->rx_slots = choose(o->want->tx_slots, SLOTS_MIN, parent->tx_slots, PIPE_SLOTS_MAX);
	p->rx_slots = peer->tx_slots = choose(o->want->rx_slots, SLOTS_MIN, parent->rx_slots, PIPE_SLOTS_MAX);
}

static int
pipe_create(struct opening *o, struct port *parent, struct port **out)
{
	bool master = o->pn.pipe == PORT_NAME_MASTER;
	struct port *p = pipe_end_new(o, parent, master);
	struct port *peer = pipe_end_new(o, parent, !master);
	int error = -ENOMEM;

	if (p == NULL || peer == NULL) {
		no_memory_for_port(o);
		goto err;
	}
	pipe_sizes(o, p, peer);
	error = port_rings_create(p, false, o->why);
	if (error == 0)
		error = port_rings_create(peer, false, o->why);
	if (error != 0)
		goto err;
	port_rings_link(p, peer);
	port_rings_link(peer, p);
	p->pipe_peer = peer;
	peer->pipe_peer = p;
	p->users = 1;
	parent->pipes++;
	port_link(p);
	port_link(peer);
	*out = p;
	return 0;
err:
	pipe_end_free(p);
	pipe_end_free(peer);
	return error;
}

static int
pipe_resolve(struct opening *o, struct port **out)
{
	struct port *parent, *p;
	int error;

	if (!o->create)
		return absent(o, "pipe that can be looked up", -ENODEV);
	error = pipe_parent_open(o, &parent);
	if (error != 0)
		return error;
	for (p = engine_root->ports; p != NULL; p = p->list_next)
		if (p->pipe_parent == parent && str_equal(p->name, o->name, sizeof(p->name)))
			break;
	if (p != NULL) {
		/* The pipe holds its parent already. */
		port_hold(p);
		*out = p;
		port_drop(parent);
		return 0;
	}
	error = pipe_create(o, parent, out);
	if (error != 0)
		port_drop(parent);
	return error;
}

/* --- any port --- */

static int
unsupported(struct opening *o, const char *what)
{
	os_format(o->why->text, sizeof(o->why->text), "port %s: %s not supported yet", o->name, what);
	return -EOPNOTSUPP;
}

int
port_open(void *caller, const char *name, const struct port_want *want, bool create, struct port **out, struct why *why)
{
	struct opening o = { .caller = caller, .name = name, .want = want, .create = create, .why = why };
	int error = port_name_parse(&o.pn, name, want->mode, want->flags, create);

	if (error != 0) {
		port_name_explain(&o.pn, name, why->text, sizeof(why->text));
		return error;
	}
	if (want->mem_id != 0 && region_find(want->mem_id) == NULL && want->mem_id != NIC_REGION_ID) {
		os_format(why->text, sizeof(why->text), "port %s: there is no memory region %u", name, want->mem_id);
		return -EINVAL;
	}
	if (o.pn.class == PORT_NAME_NULL)
		return unsupported(&o, "null ports are");
	if (o.pn.monitor)
		return unsupported(&o, "monitors are");
	if (o.pn.pipe != PORT_NAME_NO_PIPE)
		return pipe_resolve(&o, out);
	if (o.pn.class == PORT_NAME_VALE)
		return vale_resolve(&o, out);
	return nic_resolve(&o, out);
}
