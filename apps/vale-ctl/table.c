/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarding tables: as text, as JSON, and changing one. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <netmap_params.h>

#include "json.h"
#include "print.h"
#include "table.h"

#define TEXT_SIZE	80

static void
addr_format(char text[18], const uint8_t addr[6])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", addr[0], addr[1], addr[2], addr[3], addr[4], addr[5]);
}

static int
entry_compare(const void *va, const void *vb)
{
	const struct netmap_fdb_entry *const *a = va, *const *b = vb;

	return memcmp((*a)->addr, (*b)->addr, sizeof((*a)->addr));
}

static void
entries_print(FILE *out, const struct netmap_fdb *t, const struct netmap_fdb_entry *const entries[],
	unsigned n)
{
	char addr[18], port[TEXT_SIZE], age[16];

	fprintf(out, "%u of %u entries, forgotten after ", n, netmap_fdb_places(t));
	if (netmap_fdb_age(t) != 0)
		fprintf(out, "%u s\n", netmap_fdb_age(t));
	else
		fputs("no time\n", out);
	fprintf(out, "%-17s  %4s %7s  %s\n", "ADDRESS", "NO", "AGE", "PORT");
	for (unsigned i = 0; i < n; i++) {
		const struct netmap_fdb_entry *e = entries[i];

		addr_format(addr, e->addr);
		text_clean(port, sizeof(port), e->port);
		if (e->is_static)
			strcpy(age, "static");
		else if (netmap_fdb_age(t) == 0)
			strcpy(age, "-");
		else
			snprintf(age, sizeof(age), "%u s", e->age_s);
		fprintf(out, "%-17s  %4u %7s  %s\n", addr, e->switch_index, age, port[0] != '\0' ? port : "-");
	}
}

static json_t *
entry_json(const struct netmap_fdb *t, const struct netmap_fdb_entry *e)
{
	bool aged = !e->is_static && netmap_fdb_age(t) != 0;
	char addr[18], port[TEXT_SIZE];

	addr_format(addr, e->addr);
	text_clean(port, sizeof(port), e->port);
	return json_pack("{s:s, s:o, s:i, s:o, s:b}", "address", addr,
		"port", port[0] != '\0' ? json_string(port) : json_null(), "switch_index", e->switch_index,
		"age_s", aged ? json_integer(e->age_s) : json_null(), "static", e->is_static != 0);
}

static json_t *
entries_json(const struct options *o, const struct netmap_fdb *t,
	const struct netmap_fdb_entry *const entries[], unsigned n)
{
	json_t *all = json_array();
	char name[TEXT_SIZE];

	for (unsigned i = 0; all != NULL && i < n; i++)
		if (json_array_append_new(all, entry_json(t, entries[i])) != 0) {
			json_decref(all);
			return NULL;
		}
	text_clean(name, sizeof(name), o->name);
	return json_pack("{s:s, s:i, s:i, s:o}", "switch", name, "age_s", netmap_fdb_age(t),
		"places", netmap_fdb_places(t), "entries", all);
}

static int
table_list(const struct options *o, FILE *out)
{
	const struct netmap_fdb_entry **entries;
	struct netmap_fdb *t;
	unsigned n;
	int err = netmap_fdb_take(o->name, &t);

	if (err != 0)
		return err;
	n = netmap_fdb_count(t);
	entries = calloc((size_t)n + 1, sizeof(*entries));
	if (entries == NULL) {
		netmap_fdb_free(t);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++)
		entries[i] = netmap_fdb_get(t, i);
	qsort(entries, n, sizeof(*entries), entry_compare);
	if (o->json)
		err = json_print(out, entries_json(o, t, entries, n));
	else
		entries_print(out, t, entries, n);
	free(entries);
	netmap_fdb_free(t);
	return err;
}

int
table_run(const struct options *o, FILE *out)
{
	switch (o->command) {
	case COMMAND_TABLE_ADD:
		return netmap_fdb_add(o->name, o->addr);
	case COMMAND_TABLE_REMOVE:
		return netmap_fdb_remove(o->name, o->addr);
	default:
		return table_list(o, out);
	}
}
