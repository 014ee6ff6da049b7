/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters: a table, JSON, and setting one. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <netmap_params.h>

#include "json.h"
#include "params.h"
#include "print.h"

#define TEXT_SIZE	200

static const char *
effect(const struct netmap_param *p)
{
	if (p->flags & NETMAP_PARAM_NO_EFFECT)
		return "no effect: ";
	return p->flags & NETMAP_PARAM_READ_ONLY ? "read-only: " : "";
}

static void
params_print(FILE *out, const struct netmap_param *const params[], unsigned n)
{
	char name[TEXT_SIZE], note[TEXT_SIZE];

	fprintf(out, "%-17s %10s %10s  %s\n", "PARAMETER", "VALUE", "DEFAULT", "WHAT");
	for (unsigned i = 0; i < n; i++) {
		const struct netmap_param *p = params[i];

		text_clean(name, sizeof(name), p->name);
		text_clean(note, sizeof(note), p->note);
		fprintf(out, "%-17s %10" PRIu64 " %10" PRIu64 "  %s%s\n", name, p->value, p->default_value,
			effect(p), note);
	}
}

static json_t *
number(uint64_t n)
{
	return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static json_t *
param_json(const struct netmap_param *p)
{
	bool fixed = (p->flags & NETMAP_PARAM_READ_ONLY) != 0;
	char name[TEXT_SIZE], note[TEXT_SIZE];

	text_clean(name, sizeof(name), p->name);
	text_clean(note, sizeof(note), p->note);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:s}", "name", name, "value", number(p->value),
		"default", number(p->default_value), "min", fixed ? json_null() : number(p->min),
		"max", fixed ? json_null() : number(p->max), "read_only", fixed,
		"no_effect", (p->flags & NETMAP_PARAM_NO_EFFECT) != 0, "note", note);
}

static json_t *
params_json(const struct netmap_param *const params[], unsigned n)
{
	json_t *all = json_array();

	for (unsigned i = 0; all != NULL && i < n; i++)
		if (json_array_append_new(all, param_json(params[i])) != 0) {
			json_decref(all);
			return NULL;
		}
	return json_pack("{s:o}", "parameters", all);
}

static int
params_list(const struct options *o, const struct netmap_params *p, FILE *out)
{
	const struct netmap_param **wanted = calloc(netmap_params_count(p) + 1, sizeof(*wanted)), *one;
	unsigned n = 0;
	int err = 0;

	if (wanted == NULL)
		return -ENOMEM;
	for (unsigned i = 0; (one = netmap_params_get(p, i)) != NULL; i++)
		if (o->name == NULL || strcmp(one->name, o->name) == 0)
			wanted[n++] = one;
	if (o->name != NULL && n == 0)
		err = -ENOENT;
	else if (o->json)
		err = json_print(out, params_json(wanted, n));
	else
		params_print(out, wanted, n);
	free(wanted);
	return err;
}

int
params_run(const struct options *o, FILE *out)
{
	struct netmap_params *p;
	int err;

	if (o->has_value) {
		err = netmap_param_set(o->name, o->value);
		if (err == 0 && o->verbose)
			fprintf(out, "%s = %" PRIu64 "\n", o->name, o->value);
		return err;
	}
	err = netmap_params_take(&p);
	if (err != 0)
		return err;
	err = params_list(o, p, out);
	netmap_params_free(p);
	return err;
}
