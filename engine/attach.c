/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See attach.h.
 */
#include "attach.h"
#include "bytes.h"
#include "forward.h"
#include "os.h"
#include "persistent.h"
#include "port_name.h"
#include "session.h"
#include "vale_worker.h"

struct attachment {
	struct session *nic, *vale, *host;	/* host: NULL without the host's side */
	struct forward_pair *pair;		/* the interface's ring pairs, then the host's */
	uint32_t pairs, nic_pairs;
	bool polling;
	struct attachment *next;
};

static struct attachment *attachments;
static unsigned attached;

unsigned
engine_attached(void)
{
	return attached;
}

static int
refuse(struct why *why, const char *name, int error, const char *text)
{
	os_format(why->text, sizeof(why->text), "port %s: %s", name, text);
	return error;
}

/* --- sessions of our own --- */

static int
session_open(struct attachment *at, void *caller, const char *name, const struct nmreq_register *reg, struct session **out, struct why *why)
{
	struct request_msg *msg = os_alloc(sizeof(*msg));
	struct session *s;
	int error = -ENOMEM;

	if (msg == NULL || session_create(&s) != 0) {
		refuse(why, name, error, "no memory for a session");
		goto out;
	}
	s->attachment = at;
	msg->hdr.nr_version = NETMAP_API;
	msg->hdr.nr_reqtype = NETMAP_REQ_REGISTER;
	str_copy(msg->hdr.nr_name, sizeof(msg->hdr.nr_name), name, sizeof(msg->hdr.nr_name));
	msg->body_size = sizeof(*reg);
	msg->len = (uint32_t)REQUEST_MSG_MIN + msg->body_size;
	bytes_copy(msg->data, reg, sizeof(*reg));
	error = session_register(s, caller, msg, why);
	if (error != 0) {
		session_close(s);
		goto out;
	}
	s->port->attachment = at;
	*out = s;
out:
	os_free(msg);
	return error;
}

static void
sessions_close(struct attachment *at)
{
	struct session *s[] = { at->host, at->vale, at->nic };
	uint32_t i;

	for (i = 0; i < sizeof(s) / sizeof(s[0]); i++) {
		if (s[i] == NULL)
			continue;
		/* A port that others hold, by pipes, stays. */
		s[i]->port->attachment = NULL;
		session_close(s[i]);
	}
}

/* The interface itself, for us alone. */
static int
nic_session_open(struct attachment *at, void *caller, const char *ifname, const struct nmreq_register *want, struct why *why)
{
	const struct nmreq_register reg = {
		.nr_mode = want->nr_mode,
		.nr_flags = NR_EXCLUSIVE,
		.nr_mem_id = want->nr_mem_id,
		.nr_host_tx_rings = want->nr_host_tx_rings,
		.nr_host_rx_rings = want->nr_host_rx_rings,
	};
	int error = session_open(at, caller, ifname, &reg, &at->nic, why);

	if (error == -ENXIO)
		return -EINVAL;
	if (error == 0 && at->nic->port->users > (at->nic->port->persistent ? 2 : 1))
		return refuse(why, ifname, -EBUSY, "programs have the interface, or pipes of its, open");
	return error;
}

/* A port of the switch for `tx` rings that the interface receives on, and `rx` that it sends on, with the same buffers. */
static int
vale_session_open(struct attachment *at, void *caller, const char *name, uint16_t tx, uint16_t rx, struct session **out, struct why *why)
{
	const struct port *nic = at->nic->port;
	const struct nmreq_register reg = {
		.nr_mode = NR_REG_ALL_NIC,
		.nr_flags = NR_EXCLUSIVE,
		.nr_mem_id = nic->region->id,
		.nr_tx_rings = tx,
		.nr_rx_rings = rx,
		.nr_tx_slots = nic->rx_slots,
		.nr_rx_slots = nic->tx_slots,
	};

	return session_open(at, caller, name, &reg, out, why);
}

/* --- pairs --- */

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Rings first + i, of n from `first` on; none if there are not so many. */
static void
range_narrow(uint16_t *from, uint16_t *to, uint32_t first, uint32_t n, uint32_t i)
{
	*from = (uint16_t)(first + i);
	*to = (uint16_t)(i < n ? *from + 1 : *from);
}

/* n pairs of the interface's rings from `tx`, `rx` on, of which there are num_tx, num_rx, with the rings of a port. */
static void
pairs_init(struct forward_pair *pair, uint32_t n, const struct session *nic, uint32_t tx, uint32_t num_tx, uint32_t rx, uint32_t num_rx,
	const struct session *vale)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		pair[i].nic = *nic->binding;
		pair[i].vale = *vale->binding;
		range_narrow(&pair[i].nic.tx_first, &pair[i].nic.tx_last, tx, num_tx, i);
		range_narrow(&pair[i].nic.rx_first, &pair[i].nic.rx_last, rx, num_rx, i);
		range_narrow(&pair[i].vale.tx_first, &pair[i].vale.tx_last, 0, num_rx, i);
		range_narrow(&pair[i].vale.rx_first, &pair[i].vale.rx_last, 0, num_tx, i);
	}
}

static int
pairs_create(struct attachment *at)
{
	const struct port *nic = at->nic->port;
	uint32_t host_pairs = at->host != NULL ? larger(nic->num_host_tx, nic->num_host_rx) : 0;

	at->nic_pairs = larger(nic->num_tx, nic->num_rx);
	at->pairs = at->nic_pairs + host_pairs;
	at->pair = os_alloc(at->pairs * sizeof(*at->pair));
	if (at->pair == NULL)
		return -ENOMEM;
	pairs_init(at->pair, at->nic_pairs, at->nic, 0, nic->num_tx, 0, nic->num_rx, at->vale);
	if (host_pairs > 0)
		pairs_init(at->pair + at->nic_pairs, host_pairs, at->nic, nic->num_tx, nic->num_host_tx, nic->num_rx, nic->num_host_rx, at->host);
	return 0;
}

/* Gives pairs [from, to) to workers; takes them back if one cannot be given. */
static int
pairs_start(struct attachment *at, uint32_t from, uint32_t to, int cpu)
{
	uint32_t i;
	int error;

	for (i = from; i < to; i++) {
		error = os_worker_start(&at->pair[i], cpu);
		if (error == 0)
			continue;
		while (i-- > from)
			os_worker_stop(&at->pair[i]);
		return error;
	}
	return 0;
}

static void
pairs_stop(struct attachment *at, uint32_t from, uint32_t to)
{
	while (from < to)
		os_worker_stop(&at->pair[from++]);
}

static bool
attachment_gone(const struct attachment *at)
{
	uint32_t i;

	for (i = 0; i < at->pairs; i++)
		if (load_acquire(&at->pair[i].gone) != 0)
			return true;
	return false;
}

/* --- names --- */

/* What a request about a port of a switch calls it: a plain VALE name. */
static int
name_check(struct port_name *pn, const struct request_msg *msg, bool create, struct why *why)
{
	const char *name = msg->hdr.nr_name;
	int error = port_name_parse(pn, name, NR_REG_ALL_NIC, 0, create);

	if (error == 0 && (pn->class != PORT_NAME_VALE || pn->pipe != PORT_NAME_NO_PIPE))
		return refuse(why, name, -EINVAL, "a switch and an interface are wanted, as in vale0:eth0");
	if (error != 0) {
		port_name_explain(pn, name, why->text, sizeof(why->text));
		/* Without a switch's name it is a wrong name, not one that is not there. */
		if (pn->class != PORT_NAME_VALE)
			error = -EINVAL;
	}
	return error;
}

/* The port of that name, which is not held for the caller; -ENXIO. */
static int
port_lookup(void *caller, const char *name, struct port **out, struct why *why)
{
	const struct port_want want = { .mode = NR_REG_ALL_NIC };
	int error = port_open(caller, name, &want, false, out, why);

	if (error == 0)
		port_drop(*out);
	return error;
}

/* Does the caller have the token of the switch, if that is owned? */
static int
owner_check(const struct request_msg *msg, uint64_t token, struct why *why)
{
	size_t n = port_name_switch_len(msg->hdr.nr_name);
	char sw[VALE_NAME_SIZE];

	if (n == 0 || n >= sizeof(sw))
		return 0;
	str_copy(sw, sizeof(sw), msg->hdr.nr_name, n);
	return vale_token_check(sw, token, why);
}

/* --- attaching --- */

/* What is attached is the interface of this name, or, with *persistent set, that port. */
static int
attach_check(void *caller, const struct request_msg *msg, const struct nmreq_register *reg, struct port_name *pn, char *ifname,
	struct port **persistent, struct why *why)
{
	const char *name = msg->hdr.nr_name;
	struct port *p;
	uint64_t key;
	int error = name_check(pn, msg, true, why);

	if (error != 0)
		return error;
	str_copy(ifname, NETMAP_REQ_IFNAMSIZ, name + pn->port_off, pn->port_len);
	if (port_lookup(caller, name, &p, why) == 0)
		return refuse(why, name, -EBUSY,
			p->attachment != NULL || p->persistent ? "it is attached already" : "programs have a port of that name open");
	key = os_nic_key(caller, ifname);
	error = key == 0 ? os_nic_hidden(caller, name, why->text, sizeof(why->text)) : 0;
	if (error != 0)
		return error;
	*persistent = key == 0 ? persistent_find(ifname) : NULL;
	if (key == 0 && *persistent == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: there is no network interface or persistent port %s", name, ifname);
		return -EINVAL;
	}
	if (reg->nr_mem_id > 1 && region_find(reg->nr_mem_id) == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: there is no memory region %u", name, reg->nr_mem_id);
		return -EINVAL;
	}
	return 0;
}

static int
attach_check_rings(const char *name, const struct nmreq_register *reg, struct why *why)
{
	if (reg->nr_mode != NR_REG_ALL_NIC && reg->nr_mode != NR_REG_NIC_SW)
		return refuse(why, name, -EINVAL, "an interface is attached with all its rings, or with all of them and the host's");
	if (reg->nr_ringid != 0)
		return refuse(why, name, -EINVAL, "an interface is attached with all its rings: the ring id must be 0");
	return 0;
}

/* All but the workers. What was opened before a failure is the caller's to close. */
static int
attachment_open(struct attachment *at, void *caller, const char *name, const char *ifname, const struct nmreq_register *reg, struct why *why)
{
	char host_name[NETMAP_REQ_IFNAMSIZ];
	const struct port *nic;
	int error = nic_session_open(at, caller, ifname, reg, why);

	if (error != 0)
		return error;
	nic = at->nic->port;
	error = vale_session_open(at, caller, name, nic->num_rx, nic->num_tx, &at->vale, why);
	if (error == 0 && reg->nr_mode == NR_REG_NIC_SW) {
		os_format(host_name, sizeof(host_name), "%s^", name);
		error = vale_session_open(at, caller, host_name, nic->num_host_rx, nic->num_host_tx, &at->host, why);
	}
	if (error == 0 && pairs_create(at) != 0)
		error = refuse(why, name, -ENOMEM, "no memory for its ring pairs");
	return error;
}

static int
interface_attach(void *caller, struct request_msg *msg, const char *ifname, struct why *why)
{
	struct nmreq_vale_attach *body = request_body(msg);
	struct attachment *at = os_alloc(sizeof(*at));
	int error;

	if (at == NULL)
		return refuse(why, msg->hdr.nr_name, -ENOMEM, "no memory for an attachment");
	error = attach_check_rings(msg->hdr.nr_name, &body->reg, why);
	if (error == 0)
		error = attachment_open(at, caller, msg->hdr.nr_name, ifname, &body->reg, why);
	if (error != 0)
		goto err;
	error = pairs_start(at, 0, at->pairs, -1);
	if (error != 0) {
		os_format(why->text, sizeof(why->text), "port %s: its packets find no worker (error %d)", msg->hdr.nr_name, -error);
		goto err;
	}
	at->next = attachments;
	attachments = at;
	attached++;
	body->port_index = at->vale->port->sw_index;
	os_log(OS_LOG_INFO, "port %s: interface attached, %u ring pairs%s", msg->hdr.nr_name, at->nic_pairs,
		at->host != NULL ? ", and the host's side" : "");
	return 0;

err:
	sessions_close(at);
	os_free(at->pair);
	os_free(at);
	return error;
}

/* A persistent port is put on its first switch as it is. A second one gets it as it would get an interface. */
int
request_vale_attach(void *caller, uint64_t token, struct request_msg *msg, struct why *why)
{
	struct nmreq_vale_attach *body = request_body(msg);
	char ifname[NETMAP_REQ_IFNAMSIZ], sw[VALE_NAME_SIZE];
	struct port *persistent;
	struct port_name pn;
	int error = owner_check(msg, token, why);

	if (error == 0)
		error = attach_check(caller, msg, &body->reg, &pn, ifname, &persistent, why);
	if (error != 0)
		return error;
	if (persistent == NULL || persistent->sw != NULL)
		return interface_attach(caller, msg, ifname, why);
	str_copy(sw, sizeof(sw), msg->hdr.nr_name, pn.switch_len);
	error = persistent_attach(persistent, sw, why);
	if (error == 0)
		body->port_index = persistent->sw_index;
	return error;
}

/* --- detaching --- */

static void
attachment_close(struct attachment *at, const char *reason)
{
	struct attachment **link = &attachments;
	uint32_t left = 0, i;

	pairs_stop(at, 0, at->pairs);
	for (i = 0; i < at->pairs; i++)
		left += forward_left(&at->pair[i]);
	os_log(OS_LOG_INFO, "port %s: interface detached%s, %u slots of packets in its rings dropped", at->vale->port->name, reason, left);
	while (*link != at)
		link = &(*link)->next;
	*link = at->next;
	attached--;
	sessions_close(at);
	os_free(at->pair);
	os_free(at);
}

/* The port of a switch that a request names. */
static int
attached_lookup(void *caller, const struct request_msg *msg, struct port **out, struct why *why)
{
	struct port_name pn;
	int error = name_check(&pn, msg, false, why);

	return error != 0 ? error : port_lookup(caller, msg->hdr.nr_name, out, why);
}

/* Its attachment; NULL, and which of the errors it is. */
static struct attachment *
attachment_of(const struct port *p, int not_attached, const char *text, int *error, struct why *why)
{
	if (p->attachment == NULL) {
		*error = refuse(why, p->name, not_attached, text);
		return NULL;
	}
	if (p != p->attachment->vale->port) {
		*error = refuse(why, p->name, not_attached, p->persistent ? "a persistent port: only its second switch has it as an interface" :
			"the host's side goes with the interface: name that");
		return NULL;
	}
	return p->attachment;
}

int
request_vale_detach(void *caller, uint64_t token, struct request_msg *msg, struct why *why)
{
	struct nmreq_vale_detach *body = request_body(msg);
	struct attachment *at;
	struct port *p;
	int error = owner_check(msg, token, why);

	if (error == 0)
		error = attached_lookup(caller, msg, &p, why);
	if (error != 0)
		return error;
	if (p->persistent) {
		body->port_index = p->sw_index;
		return persistent_detach(p, why);
	}
	at = attachment_of(p, -EBUSY, "not an attached interface: the port goes with the last program that has it open", &error, why);
	if (at == NULL)
		return error;
	if (at->polling)
		return refuse(why, msg->hdr.nr_name, -EBUSY, "the interface is being polled: stop that first");
	body->port_index = at->vale->port->sw_index;
	attachment_close(at, "");
	return 0;
}

void
attach_port_gone(const struct port *p)
{
	struct attachment *at;

	for (at = attachments; at != NULL; at = at->next)
		if (at->nic->port == p)
			store_release(&at->pair[0].gone, 1);
}

void
attach_reap(void)
{
	struct attachment *at = attachments, *next;

	for (; at != NULL; at = next) {
		next = at->next;
		if (attachment_gone(at))
			attachment_close(at, ", it is gone");
	}
}

void
attach_close_all(void)
{
	while (attachments != NULL)
		attachment_close(attachments, "");
}

/* --- polling --- */

static int
polling_check(const struct attachment *at, const char *name, const struct nmreq_vale_polling *poll, struct why *why)
{
	if (poll->nr_mode != NETMAP_POLLING_MODE_SINGLE_CPU && poll->nr_mode != NETMAP_POLLING_MODE_MULTI_CPU)
		return refuse(why, name, -EINVAL, "polling is done by one CPU for all rings or by one for each: no other mode");
	if (poll->nr_num_polling_cpus == 0 || poll->nr_num_polling_cpus >= os_worker_cpus()) {
		os_format(why->text, sizeof(why->text), "port %s: %u CPUs cannot poll: at least one, and one fewer than the %u that there are", name,
			poll->nr_num_polling_cpus, os_worker_cpus());
		return -EINVAL;
	}
	if (poll->nr_mode == NETMAP_POLLING_MODE_SINGLE_CPU && poll->nr_num_polling_cpus != 1)
		return refuse(why, name, -EINVAL, "a single CPU cannot be more than one");
	if (poll->nr_mode == NETMAP_POLLING_MODE_MULTI_CPU && poll->nr_num_polling_cpus > at->nic_pairs) {
		os_format(why->text, sizeof(why->text), "port %s: %u CPUs for %u ring pairs", name, poll->nr_num_polling_cpus, at->nic_pairs);
		return -EINVAL;
	}
	return poll->nr_first_cpu_id > INT16_MAX ? refuse(why, name, -EINVAL, "there is no such CPU") : 0;
}

/* Back to workers that sleep. If there is none, nobody can serve the interface any more. */
static void
polling_end(struct attachment *at, uint32_t from, uint32_t to)
{
	if (pairs_start(at, from, to, -1) != 0)
		store_release(&at->pair[from].gone, 1);
}

/* One CPU has all rings; or ring i has CPU first + i, as many as there are CPUs, and the others stay where they are. */
static int
polling_begin(struct attachment *at, const struct nmreq_vale_polling *poll)
{
	bool single = poll->nr_mode == NETMAP_POLLING_MODE_SINGLE_CPU;
	uint32_t n = single ? at->pairs : poll->nr_num_polling_cpus, i;
	int error;

	for (i = 0; i < n; i++) {
		pairs_stop(at, i, i + 1);
		error = pairs_start(at, i, i + 1, (int)(poll->nr_first_cpu_id + (single ? 0 : i)));
		if (error != 0) {
			polling_end(at, i, i + 1);
			while (i-- > 0) {
				pairs_stop(at, i, i + 1);
				polling_end(at, i, i + 1);
			}
			return error;
		}
	}
	at->polling = true;
	return 0;
}

int
request_vale_polling(void *caller, struct request_msg *msg, bool enable, struct why *why)
{
	const struct nmreq_vale_polling *poll = request_body(msg);
	const char *name = msg->hdr.nr_name;
	struct attachment *at;
	struct port *p;
	uint32_t i;
	int error = attached_lookup(caller, msg, &p, why);

	if (error != 0)
		return error;
	at = attachment_of(p, -EOPNOTSUPP, "not an attached interface: there is nothing to poll", &error, why);
	if (at == NULL)
		return error;
	if (enable == at->polling)
		return refuse(why, name, -EFAULT, enable ? "the interface is being polled already" : "the interface is not being polled");
	if (!enable) {
		at->polling = false;
		for (i = 0; i < at->pairs; i++) {
			pairs_stop(at, i, i + 1);
			polling_end(at, i, i + 1);
		}
		return 0;
	}
	error = polling_check(at, name, poll, why);
	if (error == 0) {
		error = polling_begin(at, poll);
		if (error != 0)
			os_format(why->text, sizeof(why->text), "port %s: no thread can poll on CPU %u%s (error %d)", name, poll->nr_first_cpu_id,
				poll->nr_num_polling_cpus > 1 ? " and the following" : "", -error);
	}
	return error;
}

bool
attach_describe(const struct port *p, char *buf, size_t size)
{
	if (p->attachment == NULL || p->persistent)
		return false;
	os_format(buf, size, "%s%s", p == p->attachment->vale->port ? "attached interface" : "host side of an attached interface",
		p->attachment->polling ? ", polled" : "");
	return true;
}
