/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See persistent.h.
 */
#include "persistent.h"
#include "bytes.h"
#include "os.h"
#include "port_name.h"
#include "session.h"

static unsigned persistent_ports;

unsigned
engine_persistent(void)
{
	return persistent_ports;
}

static int
refuse(struct why *why, const char *name, int error, const char *text)
{
	os_format(why->text, sizeof(why->text), "port %s: %s", name, text);
	return error;
}

/* --- names --- */

void
port_full_name(const struct port *p, char name[NETMAP_REQ_IFNAMSIZ])
{
	if (p->persistent && p->sw != NULL)
		os_format(name, NETMAP_REQ_IFNAMSIZ, "%s:%s", p->sw->name, p->name);
	else
		str_copy(name, NETMAP_REQ_IFNAMSIZ, p->name, sizeof(p->name));
}

bool
port_has_name(const struct port *p, const char *name)
{
	char full[NETMAP_REQ_IFNAMSIZ];

	if (str_equal(p->name, name, sizeof(p->name)))
		return true;
	if (!p->persistent || p->sw == NULL)
		return false;
	port_full_name(p, full);
	return str_equal(full, name, sizeof(full));
}

/* A port of its own name that is on no interface: a persistent one, or the parent that pipes got. */
static struct port *
plain_find(const char *name)
{
	struct port *p;

	for (p = port_first(); p != NULL; p = p->list_next)
		if ((p->persistent || p->auto_parent) && str_equal(p->name, name, sizeof(p->name)))
			return p;
	return NULL;
}

struct port *
persistent_find(const char *name)
{
	struct port *p = plain_find(name);

	return p != NULL && p->persistent ? p : NULL;
}

static int
name_check(const char *name, struct why *why)
{
	struct port_name pn;

	if (bytes_equal(name, NM_BDG_NAME, sizeof(NM_BDG_NAME) - 1))
		return refuse(why, name, -EINVAL, "the name of a persistent port cannot begin with \"" NM_BDG_NAME "\"");
	if (str_len(name, NETMAP_REQ_IFNAMSIZ) > PORT_NAME_PORT_MAX)
		return refuse(why, name, -EINVAL, "the name of a persistent port has 15 characters at most");
	if (port_name_parse(&pn, name, NR_REG_ALL_NIC, 0, true) != 0) {
		port_name_explain(&pn, name, why->text, sizeof(why->text));
		return -EINVAL;
	}
	if (pn.pipe != PORT_NAME_NO_PIPE || bytes_equal(name, PORT_NAME_TAP, sizeof(PORT_NAME_TAP) - 1))
		return refuse(why, name, -EINVAL, "a persistent port has a plain name");
	return 0;
}

/* --- making and removing --- */

int
request_vale_newif(void *caller, struct request_msg *msg, struct why *why)
{
	struct nmreq_vale_newif *body = request_body(msg);
	const char *name = msg->hdr.nr_name;
	const struct port_want want = {
		.tx_slots = body->nr_tx_slots,
		.rx_slots = body->nr_rx_slots,
		.tx_rings = body->nr_tx_rings,
		.rx_rings = body->nr_rx_rings,
		.mem_id = body->nr_mem_id,
		.mode = NR_REG_ALL_NIC,
	};
	struct port *p;
	int error = name_check(name, why);

	if (error != 0)
		return error;
	if (os_nic_key(caller, name) != 0)
		return refuse(why, name, -EEXIST, "there is a network interface of that name");
	error = os_nic_hidden(caller, name, why->text, sizeof(why->text));
	if (error != 0)
		return error;
	if (plain_find(name) != NULL)
		return refuse(why, name, -EEXIST, "there is a port of that name");
	error = port_create_vale(name, &want, &p, why);
	if (error != 0)
		return error;
	p->persistent = true;
	persistent_ports++;
	port_tell_numbers(p, &body->nr_tx_slots, &body->nr_rx_slots, &body->nr_tx_rings, &body->nr_rx_rings);
	body->nr_mem_id = p->region->id;
	os_log(OS_LOG_INFO, "port %s: persistent port made", name);
	return 0;
}

static void
persistent_remove(struct port *p)
{
	vale_detach(p);
	p->persistent = false;
	persistent_ports--;
	port_drop(p);
}

int
request_vale_delif(void *caller, struct request_msg *msg, struct why *why)
{
	const char *name = msg->hdr.nr_name;
	struct port *p = plain_find(name);

	if (p == NULL) {
		if (os_nic_key(caller, name) != 0)
			return refuse(why, name, -EINVAL, "a network interface is not a persistent port");
		return refuse(why, name, -ENXIO, "there is no persistent port of that name");
	}
	if (!p->persistent)
		return refuse(why, name, -EINVAL, "it was made for the pipes that are named after it, and goes with them");
	if (p->sw != NULL) {
		os_format(why->text, sizeof(why->text), "port %s: it is attached to switch %s: detach it there first", name, p->sw->name);
		return -EBUSY;
	}
	if (p->users > 1)
		return refuse(why, name, -EBUSY, "programs have it, or pipes of its, open");
	persistent_remove(p);
	os_log(OS_LOG_INFO, "port %s: persistent port removed", name);
	return 0;
}

void
persistent_close_all(void)
{
	struct port *p = port_first(), *next;

	/* The one that is next may be a pipe's end, never one that goes together with this one: their parents are held. */
	for (; p != NULL; p = next) {
		next = p->list_next;
		if (p->persistent)
			persistent_remove(p);
	}
}

/* --- switches --- */

int
persistent_attach(struct port *p, const char *switch_name, struct why *why)
{
	int error;

	if (port_bound(p))
		return refuse(why, p->name, -EBUSY, "programs have it open");
	error = vale_attach(p, switch_name, why);
	if (error == 0)
		os_log(OS_LOG_INFO, "port %s: persistent port attached to %s", p->name, switch_name);
	return error;
}

int
persistent_detach(struct port *p, struct why *why)
{
	if (p->attachment != NULL)
		return refuse(why, p->name, -EBUSY, "it is attached to a second switch: detach it there first");
	os_log(OS_LOG_INFO, "port %s: persistent port detached from %s", p->name, p->sw->name);
	vale_detach(p);
	return 0;
}

bool
persistent_describe(const struct port *p, char *buf, size_t size)
{
	if (!p->persistent)
		return false;
	os_format(buf, size, "persistent port%s%s", p->sw == NULL ? " on no switch" : "",
		p->attachment != NULL ? ", attached to a second switch" : "");
	return true;
}
