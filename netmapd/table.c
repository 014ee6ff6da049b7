/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding tables, listed while senders learn on, and changed by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../engine/os.h"
#include "../engine/port.h"
#include "arena.h"
#include "table.h"

/* NULL: there is no switch of that name, which need not end. */
static struct vale_switch *
switch_find(const char *name)
{
	char copy[VALE_NAME_SIZE] = "";
	size_t n = strnlen(name, NETMAP_REQ_IFNAMSIZ);

	if (n >= sizeof(copy))
		return NULL;
	memcpy(copy, name, n);
	return vale_find(copy);
}

static void
entry_describe(const struct vale_switch *sw, uint64_t word, uint32_t stamp, struct proto_fdb_entry *e)
{
	uint32_t index = (uint32_t)(word >> 48) & 0xff;
	const struct port *p = index < VALE_PORTS ? sw->port[index] : NULL;

	memset(e, 0, sizeof(*e));
	e->is_static = (word & FDB_STATIC) != 0;
	for (unsigned i = 0; i < sizeof(e->addr); i++)
		e->addr[i] = (uint8_t)((word & ~FDB_STATIC) >> 8 * i);
	e->port = (uint16_t)index;
	e->age_s = e->is_static ? 0 : fdb_entry_age(&sw->fdb, word, stamp);
	if (p != NULL)
		snprintf(e->port_name, sizeof(e->port_name), "%.*s", (int)sizeof(p->name) - 1, p->name);
}

/* Its entries. The caller frees it; NULL without memory. */
static struct proto_fdb_entry *
table_copy(const struct vale_switch *sw, uint32_t *count)
{
	uint32_t places = fdb_entries(&sw->fdb), stamp = fdb_stamp(&sw->fdb, os_seconds()), room = 64, n = 0;
	struct proto_fdb_entry *all = malloc(room * sizeof(*all));

	for (uint32_t i = 0; all != NULL && i < places; i++) {
		uint64_t word = load_relaxed(&sw->fdb.entry[i]);

		if (word == 0)
			continue;
		if (n == room) {
			struct proto_fdb_entry *more = realloc(all, 2 * (size_t)room * sizeof(*all));

			if (more == NULL) {
				free(all);
				return NULL;
			}
			all = more;
			room *= 2;
		}
		entry_describe(sw, word, stamp, &all[n++]);
	}
	*count = n;
	return all;
}

int
table_collect(const char *name, struct proto_fdb_reply *r)
{
	const struct vale_switch *sw = switch_find(name);
	struct proto_fdb_entry *all;
	int fd;

	memset(r, 0, sizeof(*r));
	if (sw == NULL)
		return -ENOENT;
	all = table_copy(sw, &r->entries);
	if (all == NULL)
		return -ENOMEM;
	r->size = (uint64_t)r->entries * sizeof(*all);
	r->places = fdb_entries(&sw->fdb);
	r->age = sw->fdb.age;
	fd = arena_memfd("netmap-fdb", r->size, F_SEAL_SHRINK | F_SEAL_GROW);
	if (fd >= 0 && (pwrite(fd, all, r->size, 0) != (ssize_t)r->size || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) != 0)) {
		int err = -errno;

		close(fd);
		fd = err;
	}
	free(all);
	return fd;
}

static int
entry_add(const char *name, uint64_t addr, struct why *why)
{
	char copy[NETMAP_REQ_IFNAMSIZ] = "";
	struct port *p;
	int err;

	memcpy(copy, name, strnlen(name, sizeof(copy) - 1));
	p = vale_port_find(copy);
	if (p == NULL) {
		snprintf(why->text, sizeof(why->text), "no switch has a port %s", copy);
		return -ENOENT;
	}
	err = fdb_static_set(&p->sw->fdb, addr, p->sw_index);
	if (err != 0)
		snprintf(why->text, sizeof(why->text), "switch %s has %u static entries that fall on the same place; a larger table (parameter "
			"fdb_buckets) of a new switch has room", p->sw->name, FDB_STATIC_MAX);
	return err;
}

static int
entry_remove(const char *name, uint64_t addr, struct why *why)
{
	struct vale_switch *sw = switch_find(name);
	int err = sw != NULL ? fdb_forget(&sw->fdb, addr) : -ENOENT;

	if (sw == NULL)
		snprintf(why->text, sizeof(why->text), "there is no switch %.*s", NETMAP_REQ_IFNAMSIZ - 1, name);
	else if (err != 0)
		snprintf(why->text, sizeof(why->text), "switch %s does not know that address", sw->name);
	return err;
}

int
table_change(const struct proto_fdb_set *q, struct why *why)
{
	uint64_t addr = 0;

	for (unsigned i = 0; i < sizeof(q->addr); i++)
		addr |= (uint64_t)q->addr[i] << 8 * i;
	if (addr == 0 || (addr & 1) != 0) {
		snprintf(why->text, sizeof(why->text), "it is the address of no single station");
		return -EINVAL;
	}
	switch (q->op) {
	case PROTO_FDB_ADD:
		return entry_add(q->name, addr, why);
	case PROTO_FDB_REMOVE:
		return entry_remove(q->name, addr, why);
	default:
		return -EPROTO;
	}
}
