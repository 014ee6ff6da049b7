/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners and modules of switches. */
#include "intercept.h"

#include <netmap_switch_ctl.h>
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "question.h"

#define SWITCHES_MAX	65536u

struct taken_switch {
	struct netmap_switch_info pub;
	struct proto_switch_info r;
};

struct netmap_switches {
	unsigned n;
	struct taken_switch *all;
};

/* --- changes --- */

struct change {
	struct proto_switch q;
	uint64_t token;
};

static int
change_ask(void *arg)
{
	struct change *c = arg;
	struct proto_switch_reply r = { 0 };
	size_t error_size = 0;
	const struct client_call call = {
		.type = PROTO_SWITCH, .body = &c->q, .body_size = sizeof(c->q), .reply = &r, .reply_size = sizeof(r),
		.error_size = &error_size,
	};
	int n = client_call(&call);

	c->token = r.token;
	if (n >= 0)
		return n == sizeof(r) ? 0 : -EPROTO;
	if (error_size == sizeof(r) && r.why.text[0] != '\0') {
		r.why.text[sizeof(r.why.text) - 1] = '\0';
		client_why_set("%s", r.why.text);
	}
	return n;
}

static int
change_put(struct change *c, const char *sw)
{
	int err = question_name(c->q.name, sizeof(c->q.name), sw);

	return err != 0 ? err : question_put(&(struct question){ change_ask, c });
}

int
netmap_switch_own(const char *sw, uint64_t *token)
{
	struct change c = { .q = { .op = PROTO_SWITCH_OWN } };
	int err = change_put(&c, sw);

	*token = err == 0 ? c.token : 0;
	return err;
}

int
netmap_switch_disown(const char *sw, uint64_t token)
{
	struct change c = { .q = { .op = PROTO_SWITCH_DISOWN, .token = token } };

	return change_put(&c, sw);
}

int
netmap_switch_module_set(const char *sw, const char *module, uint64_t token)
{
	struct change c = { .q = { .op = PROTO_SWITCH_MODULE, .token = token } };
	int err = module != NULL ? question_name(c.q.module, sizeof(c.q.module), module) : 0;

	return err != 0 ? err : change_put(&c, sw);
}

int
netmap_switch_token_use(int fd, uint64_t token)
{
	struct change c = { .q = { .op = PROTO_SWITCH_TOKEN, .token = token } };
	struct fd_entry *e;
	int err;

	if (!process_active)
		return -EOPNOTSUPP;
	process_enter();
	e = session_get(fd);
	if (e == NULL)
		return -EBADF;
	c.q.session = e->session->id;
	err = question_put(&(struct question){ change_ask, &c });
	fd_put(e);
	return err;
}

/* --- the list --- */

static int
switch_ask(uint32_t index, struct proto_switch_info *r)
{
	const struct proto_param_get q = { .index = index };
	const struct client_call call = { .type = PROTO_SWITCH_GET, .body = &q, .body_size = sizeof(q), .reply = r, .reply_size = sizeof(*r) };
	int n = client_call(&call);

	if (n < 0)
		return n;
	r->name[sizeof(r->name) - 1] = '\0';
	r->module[sizeof(r->module) - 1] = '\0';
	return n == sizeof(*r) ? 0 : -EPROTO;
}

static int
switches_ask(void *arg)
{
	struct netmap_switches *s = arg;
	int err = 0;

	while (s->n < SWITCHES_MAX) {
		struct taken_switch *more = realloc(s->all, (s->n + 1) * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		s->all = more;
		err = switch_ask(s->n, &s->all[s->n].r);
		if (err != 0)
			break;
		s->n++;
	}
	return err == -ENOENT ? 0 : err;
}

int
netmap_switches_take(struct netmap_switches **out)
{
	struct netmap_switches *s = calloc(1, sizeof(*s));
	int err;

	*out = NULL;
	if (s == NULL)
		return -ENOMEM;
	err = question_put(&(struct question){ switches_ask, s });
	if (err != 0) {
		netmap_switches_free(s);
		return err;
	}
	for (unsigned i = 0; i < s->n; i++) {
		struct taken_switch *t = &s->all[i];

		t->pub = (struct netmap_switch_info){
			.size = sizeof(t->pub), .name = t->r.name, .module = t->r.module, .ports = t->r.ports,
			.flags = (t->r.flags & PROTO_SWITCH_OWNED ? NETMAP_SWITCH_OWNED : 0) |
				(t->r.flags & PROTO_SWITCH_WORKER ? NETMAP_SWITCH_WORKER : 0),
		};
	}
	*out = s;
	return 0;
}

void
netmap_switches_free(struct netmap_switches *s)
{
	if (s != NULL)
		free(s->all);
	free(s);
}

unsigned int
netmap_switches_count(const struct netmap_switches *s)
{
	return s->n;
}

const struct netmap_switch_info *
netmap_switches_get(const struct netmap_switches *s, unsigned int i)
{
	return i < s->n ? &s->all[i].pub : NULL;
}
