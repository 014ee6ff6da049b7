/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches: made with their first port, gone with their last, unless somebody owns them.
 */
#include "bytes.h"
#include "os.h"
#include "params.h"
#include "persistent.h"
#include "port.h"
#include "vale_worker.h"

static struct vale_switch *switches;		/* by rising index */

struct vale_switch *
vale_find(const char *name)
{
	struct vale_switch *sw;

	for (sw = switches; sw != NULL; sw = sw->next)
		if (str_equal(sw->name, name, sizeof(sw->name)))
			return sw;
	return NULL;
}

struct vale_switch *
vale_next(uint32_t index)
{
	struct vale_switch *sw;

	for (sw = switches; sw != NULL && sw->index < index; sw = sw->next)
		;
	return sw;
}

struct vale_switch *
vale_by_index(uint32_t index)
{
	struct vale_switch *sw = vale_next(index);

	return sw != NULL && sw->index == index ? sw : NULL;
}

struct vale_switch *
vale_create(const char *name)
{
	uint32_t buckets = engine_params.fdb_buckets;
	struct vale_switch *sw = os_shared_alloc(sizeof(*sw) + fdb_size(buckets)), **link = &switches;

	if (sw == NULL)
		return NULL;
	str_copy(sw->name, sizeof(sw->name), name, sizeof(sw->name));
	fdb_init(&sw->fdb, buckets, engine_root->vale_age);
	/* Lowest free index. */
	while (*link != NULL && (*link)->index == sw->index) {
		sw->index++;
		link = &(*link)->next;
	}
	sw->next = *link;
	*link = sw;
	return sw;
}

static void
switch_release(void *obj)
{
	struct vale_switch *sw = obj;

	os_shared_free(sw, sizeof(*sw) + fdb_entries(&sw->fdb) * sizeof(uint64_t));
}

void
vale_destroy(struct vale_switch *sw)
{
	struct vale_switch **link = &switches;

	vale_worker_end(sw);
	while (*link != sw)
		link = &(*link)->next;
	*link = sw->next;
	retire(switch_release, sw);
}

/* The index given back last is handed out first. */
static uint32_t
index_take(struct vale_switch *sw)
{
	return sw->free_count > 0 ? sw->free_next[--sw->free_count] : sw->fresh++;
}

static void
index_give_back(struct vale_switch *sw, uint32_t index)
{
	sw->free_next[sw->free_count++] = (uint8_t)index;
}

int
vale_attach(struct port *p, const char *switch_name, struct why *why)
{
	struct vale_switch *sw = vale_find(switch_name);
	int error;

	if (sw != NULL && sw->ports == VALE_PORTS) {
		os_format(why->text, sizeof(why->text), "port %s: switch %s has all %u ports in use", p->name, sw->name, VALE_PORTS);
		return -ENOMEM;
	}
	if (sw == NULL)
		sw = vale_create(switch_name);
	if (sw == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for switch %s", p->name, switch_name);
		return -ENOMEM;
	}
	/* Who finds the new number finds that the port has left its last switch. */
	store_release(&p->sw_index, (uint16_t)index_take(sw));
	error = vale_worker_port_up(sw, p, why);
	if (error != 0) {
		index_give_back(sw, p->sw_index);
		if (sw->ports == 0 && !sw->held)
			vale_destroy(sw);
		return error;
	}
	sw->ports++;
	store_release(&p->sw, sw);
	/* Senders that find the port find all of it. */
	store_release(&sw->port[p->sw_index], p);
	atomic_or(&sw->active[p->sw_index / 64], UINT64_C(1) << p->sw_index % 64);
	return 0;
}

void
vale_detach(struct port *p)
{
	struct vale_switch *sw = p->sw;

	if (sw == NULL)
		return;
	/* What was sent before is sent. */
	vale_worker_flush(sw);
	vale_worker_lock(sw);
	atomic_and(&sw->active[p->sw_index / 64], ~(UINT64_C(1) << p->sw_index % 64));
	store_release(&sw->port[p->sw_index], NULL);
	fdb_flush_port(&sw->fdb, p->sw_index);
	store_release(&p->sw, NULL);
	vale_worker_port_down(sw, p->sw_index);
	vale_worker_unlock(sw);
	index_give_back(sw, p->sw_index);
	if (--sw->ports == 0 && !sw->held)
		vale_destroy(sw);
}

int
vale_expire(void)
{
	struct vale_switch *sw;
	int wait = -1;

	for (sw = switches; sw != NULL; sw = sw->next) {
		uint32_t age = sw->fdb.age;

		fdb_expire(&sw->fdb, fdb_stamp(&sw->fdb, os_seconds()));
		/* Stamps are ambiguous after twice the age: look well before. */
		if (age != 0 && (wait < 0 || (int)(age * 500) < wait))
			wait = (int)(age * 500);
	}
	return wait;
}

void
vale_age_set(uint32_t age)
{
	struct vale_switch *sw;

	engine_root->vale_age = age;
	for (sw = switches; sw != NULL; sw = sw->next)
		fdb_age_set(&sw->fdb, age, os_seconds());
}

struct port *
vale_port_find(const char *name)
{
	struct port *p;

	for (p = port_first(); p != NULL; p = p->list_next)
		if (p->type == PORT_VALE && p->sw != NULL && port_has_name(p, name))
			break;
	return p;
}
