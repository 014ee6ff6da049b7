/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options, of both kinds: the list of nmreq_option structures that hangs off a request, and the text at the
 * end of a portspec, "@name=value@name:key=value,key=value", which is decoded with a list of parsers.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nmport_internal.h"

/* ---- The list of a request ---- */

void
nmreq_push_option(struct nmreq_header *h, struct nmreq_option *o)
{
	o->nro_next = h->nr_options;
	h->nr_options = (uintptr_t)o;
}

void
nmreq_remove_option(struct nmreq_header *h, struct nmreq_option *o)
{
	uint64_t *link = &h->nr_options;

	while (*link != 0 && *link != (uintptr_t)o)
		link = &((struct nmreq_option *)(uintptr_t)*link)->nro_next;
	if (*link != 0) {
		*link = o->nro_next;
		o->nro_next = 0;
	}
}

struct nmreq_option *
nmreq_find_option(struct nmreq_header *h, uint32_t type)
{
	struct nmreq_option *o;

	nmreq_foreach_option(h, o) {
		if (o->nro_reqtype == type)
			break;
	}
	return o;
}

void
nmreq_free_options(struct nmreq_header *h)
{
	struct nmreq_option *o;

	while ((o = (struct nmreq_option *)(uintptr_t)h->nr_options) != NULL) {
		h->nr_options = o->nro_next;
		free(o);
	}
}

const char *
nmreq_option_name(uint32_t type)
{
	switch (type) {
	case NETMAP_REQ_OPT_EXTMEM: return "extmem";
	case NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS: return "sync-kloop-eventfds";
	case NETMAP_REQ_OPT_CSB: return "csb";
	case NETMAP_REQ_OPT_SYNC_KLOOP_MODE: return "sync-kloop-mode";
	case NETMAP_REQ_OPT_OFFSETS: return "offsets";
	default: return "unknown";
	}
}

/* ---- The text of a portspec ---- */

/*
 * The state of a decode. Options are cut into strings in a copy of the text; messages quote the original,
 * where the same character stands at the same distance from the start.
 */
struct option_scan {
	struct nmreq_parse_ctx	p;		/* what a parse function gets; must be first */
	const char		*whole;		/* the portspec, of which text is the end */
	const char		*text;
	char			*copy;
	struct nmreq_opt_parser	*parsers;
};

static const char *
scan_original(const struct option_scan *s, const char *in_copy)
{
	return s->text + (in_copy - s->copy);
}

#define scan_error(s, at, ...)	\
	nmreq_parse_error((s)->p.ctx, (s)->whole, scan_original((s), (at)), __VA_ARGS__)

int
nmreq_key_error(struct nmreq_parse_ctx *p, int id, const char *what)
{
	struct option_scan *s = (struct option_scan *)p;

	return scan_error(s, p->keys[id], "%s", what);
}

int
nmreq_key_number(struct nmreq_parse_ctx *p, int id, uint64_t max, uint64_t *out)
{
	struct option_scan *s = (struct option_scan *)p;
	const char *v = p->keys[id];
	const char *end;
	uint64_t n;

	if (v == NULL)
		return 0;
	v = scan_original(s, v);
	end = v;
	if (nmreq_parse_number(p->ctx, s->whole, &end, "a number", max, &n) < 0)
		return -1;
	if (*end != '\0' && *end != ',' && *end != '@')
		return nmreq_parse_error(p->ctx, s->whole, end, "expected ',', '@' or the end");
	*out = n;
	return 0;
}

static bool
key_equal(const char *key, const char *text, size_t len)
{
	size_t i;

	if (strlen(key) != len)
		return false;
	for (i = 0; i < len; i++) {
		bool dashes = i > 0 && strchr("-_", key[i]) != NULL && strchr("-_", text[i]) != NULL;

		if (key[i] != text[i] && !dashes)
			return false;
	}
	return true;
}

static struct nmreq_opt_key *
key_find(struct nmreq_opt_parser *parser, const char *text, size_t len)
{
	int i;

	for (i = 0; i < parser->nr_keys; i++) {
		if (key_equal(parser->keys[i].key, text, len))
			return &parser->keys[i];
	}
	return NULL;
}

static struct nmreq_opt_key *
key_find_default(struct nmreq_opt_parser *parser)
{
	int i;

	for (i = 0; i < parser->nr_keys; i++) {
		if (parser->default_key >= 0 && parser->keys[i].id == parser->default_key)
			return &parser->keys[i];
	}
	return NULL;
}

/*
 * Takes the value of key at *pos, where its "=" stands if there is a value, and ends it. name is where the
 * key stands. On success *pos is at the "," behind it or NULL if this was the last key of the option.
 */
static int
value_scan(struct option_scan *s, struct nmreq_opt_key *key, char *name, char **pos)
{
	char *value = *pos;

	if (s->p.keys[key->id] != NULL)
		return scan_error(s, name, "key '%s' is given twice", key->key);
	if (*value == '=')
		value++;
	*pos = value + strcspn(value, ",");
	if (*pos == value && !(key->flags & NMREQ_OPTK_ALLOWEMPTY))
		return scan_error(s, value, "expected a value for key '%s'", key->key);
	s->p.keys[key->id] = value;
	return 0;
}

/* pos is at the first key, all up to the end of the string. */
static int
keys_scan(struct option_scan *s, struct nmreq_opt_parser *parser, char *pos)
{
	struct nmreq_opt_key *key;
	char *name;
	size_t len;

	for (;;) {
		name = pos;
		len = strcspn(name, "=,");
		if (len == 0)
			return scan_error(s, name, "expected a key of option '%s'", parser->prefix);
		key = key_find(parser, name, len);
		if (key == NULL)
			return scan_error(s, name, "option '%s' has no such key", parser->prefix);
		pos = name + len;
		if (value_scan(s, key, name, &pos) < 0)
			return -1;
		if (*pos == '\0')
			return 0;
		*pos++ = '\0';
	}
}

/* pos is behind the name of the option. */
static int
values_scan(struct option_scan *s, struct nmreq_opt_parser *parser, char *pos)
{
	struct nmreq_opt_key *key;

	if (*pos == '\0') {
		if (parser->flags & NMREQ_OPTF_ALLOWEMPTY)
			return 0;
		return scan_error(s, pos, "expected '=' or ':' after option '%s'", parser->prefix);
	}
	if (*pos == ':')
		return keys_scan(s, parser, pos + 1);
	key = key_find_default(parser);
	if (key == NULL)
		return scan_error(s, pos, "expected ':' and a key of option '%s'", parser->prefix);
	if (value_scan(s, key, pos, &pos) < 0)
		return -1;
	if (*pos == '\0')
		return 0;
	*pos = '\0';
	return keys_scan(s, parser, pos + 1);
}

static int
unknown_option(struct option_scan *s, const char *name)
{
	struct nmreq_opt_parser *parser;
	char known[128] = "";
	size_t len = 0;

	for (parser = s->parsers; parser != NULL && len < sizeof(known); parser = parser->next)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "",
			parser->prefix);
	return scan_error(s, name, "expected an option (%s)", known);
}

/* Decodes one option, name to the end of the string, and calls its parse function if apply is set. */
static int
option_scan(struct option_scan *s, char *name, bool apply)
{
	size_t len = strcspn(name, "=:");
	struct nmreq_opt_parser *parser = s->parsers;
	int i;

	while (parser != NULL && (strlen(parser->prefix) != len || memcmp(parser->prefix, name, len) != 0))
		parser = parser->next;
	if (parser == NULL)
		return unknown_option(s, name);
	if (parser->flags & NMREQ_OPTF_DISABLED) {
		scan_error(s, name, "option '%s' is disabled", parser->prefix);
		errno = EOPNOTSUPP;
		return -1;
	}
	memset(s->p.keys, 0, sizeof(s->p.keys));
	if (values_scan(s, parser, name + len) < 0)
		return -1;
	for (i = 0; i < parser->nr_keys; i++) {
		struct nmreq_opt_key *key = &parser->keys[i];

		if ((key->flags & NMREQ_OPTK_MUSTSET) && s->p.keys[key->id] == NULL)
			return scan_error(s, name, "option '%s' needs key '%s'", parser->prefix, key->key);
	}
	return apply ? parser->parse(&s->p) : 0;
}

/* One pass over all options. */
static int
options_scan(struct option_scan *s, bool apply)
{
	char *pos, *end;

	strcpy(s->copy, s->text);
	for (pos = s->copy; *pos != '\0'; pos = end) {
		char *name = pos + 1;
		char delimiter;

		end = name + strcspn(name, "@");
		delimiter = *end;
		*end = '\0';
		if (option_scan(s, name, apply) < 0)
			return -1;
		*end = delimiter;
	}
	return 0;
}

int
nmreq_options_decode_at(const char *whole, const char *opt, struct nmreq_opt_parser *parsers, void *token,
	struct nmctx *ctx)
{
	struct option_scan s = {
		.p = { .ctx = ctx, .token = token }, .whole = whole, .text = opt, .parsers = parsers,
	};
	int rc, saved;

	if (*opt == '\0')
		return 0;
	if (*opt != '@')
		return nmreq_parse_error(ctx, whole, opt, "expected '@' or the end");
	s.copy = nmctx_malloc(ctx, strlen(opt) + 1);
	if (s.copy == NULL) {
		nmctx_ferror(ctx, "out of memory for the options %.80s", opt);
		return -1;
	}
	rc = options_scan(&s, false);
	if (rc == 0)
		rc = options_scan(&s, true);
	saved = errno;
	nmctx_free(ctx, s.copy);
	errno = saved;
	return rc;
}

int
nmreq_options_decode(const char *opt, struct nmreq_opt_parser *parsers, void *token, struct nmctx *ctx)
{
	return nmreq_options_decode_at(opt, opt, parsers, token, ctx);
}
