/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches: made with their first port, gone with their last.
 */
#include "bytes.h"
#include "os.h"
#include "port.h"

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

static struct vale_switch *
switch_create(const char *name)
{
	struct vale_switch *sw = os_shared_alloc(sizeof(*sw)), **link = &switches;

	if (sw == NULL)
		return NULL;
	str_copy(sw->name, sizeof(sw->name), name, sizeof(sw->name));
	sw->fdb.age = engine_root->vale_age;
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
	os_shared_free(obj, sizeof(struct vale_switch));
}

/* The index given back last is handed out first. */
static uint32_t
index_take(struct vale_switch *sw)
{
	return sw->free_count > 0 ? sw->free_next[--sw->free_count] : sw->fresh++;
}

int
vale_attach(struct port *p, const char *switch_name, struct why *why)
{
	struct vale_switch *sw = vale_find(switch_name);

	if (sw != NULL && sw->ports == VALE_PORTS) {
		os_format(why->text, sizeof(why->text), "port %s: switch %s has all %u ports in use", p->name, sw->name, VALE_PORTS);
		return -ENOMEM;
	}
	if (sw == NULL)
		sw = switch_create(switch_name);
	if (sw == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: no memory for switch %s", p->name, switch_name);
		return -ENOMEM;
	}
	sw->ports++;
	p->sw_index = (uint16_t)index_take(sw);
	store_release(&p->sw, sw);
	/* Senders that find the port find all of it. */
	store_release(&sw->port[p->sw_index], p);
	atomic_or(&sw->active[p->sw_index / 64], UINT64_C(1) << p->sw_index % 64);
	return 0;
}

void
vale_detach(struct port *p)
{
	struct vale_switch *sw = p->sw, **link;

	if (sw == NULL)
		return;
	atomic_and(&sw->active[p->sw_index / 64], ~(UINT64_C(1) << p->sw_index % 64));
	store_release(&sw->port[p->sw_index], NULL);
	fdb_flush_port(&sw->fdb, p->sw_index);
	store_release(&p->sw, NULL);
	sw->free_next[sw->free_count++] = (uint8_t)p->sw_index;
	if (--sw->ports > 0)
		return;
	for (link = &switches; *link != sw; link = &(*link)->next)
		;
	*link = sw->next;
	retire(switch_release, sw);
}

int
vale_expire(void)
{
	struct vale_switch *sw;
	int wait = -1;

	for (sw = switches; sw != NULL; sw = sw->next) {
		if (sw->fdb.age == 0)
			continue;
		fdb_expire(&sw->fdb, fdb_stamp(&sw->fdb, os_seconds()));
		/* Stamps are ambiguous after twice the age: look well before. */
		if (wait < 0 || (int)(sw->fdb.age * 500) < wait)
			wait = (int)(sw->fdb.age * 500);
	}
	return wait;
}
