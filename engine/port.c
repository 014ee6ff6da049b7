/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: how a name becomes one, and how long it lives. A port lives while something holds it: descriptors bound to it, pipes that hang off it, a
 * request that looks at it.
 */
#include "attach.h"
#include "bytes.h"
#include "extmem.h"
#include "join.h"
#include "monitor.h"
#include "null_port.h"
#include "os.h"
#include "params.h"
#include "persistent.h"
#include "port.h"
#include "port_name.h"
#include "sync.h"

#define VALE_SLOTS		1024u
#define VALE_SLOTS_MAX		4096u
#define VALE_RINGS_MAX		16u
#define PIPE_SLOTS_MAX		4096u
#define PIPE_RINGS_MAX		256u
#define PIPES_RESERVED		128u		/* room in a port's region, twice the number that programs may count on */
#define NIC_REGION_ID		1u		/* interfaces share one region, so that buffers can be swapped between them */
#define NIC_REGION_RINGS	256u
#define NIC_REGION_BUFS		163840u
#define NIC_REGION_BYTES	(UINT32_C(3) << 30)	/* of all its buffers, at most */
#define NIC_BUF_MIN		2048u		/* bytes */

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
		if (port_has_name(p, name) && p->nic_key == nic_key && !p->gone && p->type != PORT_NULL)
			return p;
	return NULL;
}

struct port *
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

bool
port_bound(const struct port *p)
{
	uint32_t i;

	for (i = 0; i < port_tx_rings(p); i++)
		if (p->tx[i]->users > 0)
			return true;
	for (i = 0; i < port_rx_rings(p); i++)
		if (p->rx[i]->users > 0)
			return true;
	return false;
}

void
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
	monitor_forget(p);
	if (p->type == PORT_NIC) {
		join_forget(p);
		os_nic_close(p);
	}
	p->region->retiring++;
	retire(port_release, p);
}

void
port_nic_gone(struct port *p)
{
	store_relaxed(&p->gone, true);
	monitor_port_closed(p);
	join_forget(p);
	attach_port_gone(p);
	sleepers_wake(engine_root, p);
}

int
port_host_hold(struct port *p, struct why *why)
{
	int error;

	/* A monitor's host rings show another port's, which may be closed. */
	if (p->type != PORT_NIC)
		return 0;
	if (p->host_users == 0) {
		error = os_nic_host_open(p, why->text, sizeof(why->text));
		if (error != 0)
			return error;
		/* Who finds it finds what it stands for. */
		store_release(&p->host_id, ++last_port_id);
	}
	p->host_users++;
	return 0;
}

void
port_host_drop(struct port *p)
{
	if (p->type != PORT_NIC || --p->host_users > 0)
		return;
	store_release(&p->host_id, 0);
	os_nic_host_close(p);
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
	 * that is not quite gone yet are no longer in the list. What drivers hold is in no ring, and changes.
	 */
	if (r->bound == 0 && r->retiring == 0 && r->lent == 0)
		region_mark_begin(r);
	for (p = engine_root->ports; p != NULL; p = p->list_next) {
		if (p->region != r)
			continue;
		for (i = 0; i < port_tx_rings(p) + port_rx_rings(p); i++) {
			const struct kring *kr = i < port_tx_rings(p) ? p->tx[i] : p->rx[i - port_tx_rings(p)];

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

	if (o->want->memory != NULL)
		return extmem_region(o->want->memory, &need, p->name, out, o->why);
	if (o->want->mem_id != 0)
		return region_of_id(o, out);
	return region_create(&need, p->name, out, o->why);
}

/*
 * An interface on a switch has a region for itself: nothing is gained by sharing, since the switch copies. It holds the interface's rings and those of
 * its ports on the switch. So has one in external memory.
 */
static int
region_for_own(struct opening *o, const char *ifname, struct region_need need, struct region **out)
{
	uint32_t host = o->want->host_tx_rings > o->want->host_rx_rings ? o->want->host_tx_rings : o->want->host_rx_rings;
	uint32_t pairs, slots;

	os_nic_size(o->caller, ifname, &pairs, &slots);
	/* Those of an interface on a switch, and of its two ports there; or of the interface alone. */
	need.rings = (o->want->memory != NULL ? 2 : 4) * (pairs + (host > 0 ? host : 1));
	need.slots = need.rings * slots;
	/* Drivers keep a stock of their own. */
	need.extra_bufs = 4 * pairs * slots;
	need.largest_ring = slots;
	if (o->want->memory != NULL) {
		need.pipes = 1;
		return extmem_region(o->want->memory, &need, ifname, out, o->why);
	}
	return region_create(&need, ifname, out, o->why);
}

static int
region_for_nic(struct opening *o, const char *ifname, struct region **out)
{
	const struct region_need need = {
		.rings = NIC_REGION_RINGS,
		.slots = NIC_REGION_BUFS < NIC_REGION_BYTES / engine_params.buf_size ? NIC_REGION_BUFS : NIC_REGION_BYTES / engine_params.buf_size,
		.largest_ring = SLOTS_MAX / 8,
		.buf_size = engine_params.buf_size,
		/* Where AF_XDP lets received data begin. */
		.headroom = 256,
	};
	int error;

	if (o->want->mem_id != 0 && o->want->mem_id != NIC_REGION_ID)
		return region_of_id(o, out);
	if (o->want->memory != NULL || (o->want->attached && o->want->mem_id == 0))
		return region_for_own(o, ifname, need, out);
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
	uint32_t rings_max = o->want->attached ? RINGS_MAX : VALE_RINGS_MAX;
	uint32_t slots_max = o->want->attached ? SLOTS_MAX : VALE_SLOTS_MAX;
	int error;

	if (p == NULL)
		return no_memory_for_port(o);
	p->num_tx = (uint16_t)choose(o->want->tx_rings, 1, 1, rings_max);
	p->num_rx = (uint16_t)choose(o->want->rx_rings, 1, 1, rings_max);
	p->tx_slots = choose(o->want->tx_slots, SLOTS_MIN, VALE_SLOTS, slots_max);
	p->rx_slots = choose(o->want->rx_slots, SLOTS_MIN, VALE_SLOTS, slots_max);
	error = region_for(o, p, PIPES_RESERVED, &p->region);
	if (error != 0)
		goto err_port;
	p->max_frame = VALE_FRAME_MAX;
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

int
port_create_vale(const char *name, const struct port_want *want, struct port **out, struct why *why)
{
	struct opening o = { .name = name, .want = want, .create = true, .why = why };

	return vale_open(&o, name, str_len(name, NETMAP_REQ_IFNAMSIZ), NULL, out);
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
	if (!o->want->attached && os_nic_key(o->caller, nic) != 0) {
		os_format(o->why->text, sizeof(o->why->text),
			"port %s: %s is a network interface, which must be attached to the switch before it is opened there", o->name, nic);
		return -EINVAL;
	}
	if (!o->want->attached && persistent_find(nic) != NULL) {
		os_format(o->why->text, sizeof(o->why->text),
			"port %s: %s is a persistent port, which must be attached to the switch before it is opened there", o->name, nic);
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
	error = region_for_nic(o, base, &p->region);
	if (error != 0)
		goto err_port;
	if (p->region->pool[POOL_BUF].obj_size < NIC_BUF_MIN) {
		os_format(o->why->text, sizeof(o->why->text), "port %s: an interface needs buffers of %u bytes, memory region %u has %u", base, NIC_BUF_MIN,
			p->region->id, p->region->pool[POOL_BUF].obj_size);
		error = -EINVAL;
		goto err_region;
	}
	params = (struct os_nic_params){
		.buf_size = p->region->pool[POOL_BUF].obj_size,
		.host_tx = o->want->host_tx_rings,
		.host_rx = o->want->host_rx_rings,
	};
	error = os_nic_open(o->caller, p, &params, o->why->text, sizeof(o->why->text));
	if (error != 0)
		goto err_region;
	error = port_rings_create(p, true, o->why);
	if (error != 0)
		goto err_nic;
	port_link(p);
	join_find(p);
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
	struct port_want want = { .mem_id = o->want->mem_id, .memory = o->want->memory };
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

static struct port *
pipe_find(const struct port *parent, const char *name)
{
	struct port *p;

	for (p = engine_root->ports; p != NULL; p = p->list_next)
		if (p->pipe_parent == parent && str_equal(p->name, name, sizeof(p->name)))
			return p;
	return NULL;
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
	if (parent->attachment != NULL) {
		os_format(o->why->text, sizeof(o->why->text), "port %s: its parent belongs to an interface that is attached to a switch", o->name);
		port_drop(parent);
		return -EBUSY;
	}
	p = pipe_find(parent, o->name);
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

/* A monitor of a port that is there. */
static int
monitor_resolve(struct opening *o, struct port **out)
{
	char base[NETMAP_REQ_IFNAMSIZ];
	struct port *p;
	uint64_t key;

	str_copy(base, sizeof(base), o->name, o->pn.base_len);
	key = o->pn.class == PORT_NAME_VALE ? 0 : os_nic_key(o->caller, base);
	p = port_find(base, key);
	if (p == NULL && key == 0 && o->pn.class != PORT_NAME_VALE && o->pn.pipe == PORT_NAME_NO_PIPE)
		return absent(o, "network interface", -ENXIO);
	if (p != NULL && o->pn.pipe != PORT_NAME_NO_PIPE)
		p = pipe_find(p, o->name);
	if (p == NULL)
		return absent(o, "open port", -EINVAL);
	return monitor_create(p, o->want, out, o->why);
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
		return null_port_create(name, want, out, why);
	if (o.pn.monitor)
		return monitor_resolve(&o, out);
	if (o.pn.pipe != PORT_NAME_NO_PIPE)
		return pipe_resolve(&o, out);
	if (o.pn.class == PORT_NAME_VALE)
		return vale_resolve(&o, out);
	error = nic_resolve(&o, out);
	/* "There is none" must not be said of what could not be looked for. Pipes' parents need no interface, and go on without. */
	if (error == -ENXIO) {
		int hidden = os_nic_hidden(caller, name, why->text, sizeof(why->text));

		error = hidden != 0 ? hidden : error;
	}
	return error;
}
