/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters and forwarding tables: questions to the netmapd that serves this process, or would, if it runs. */
#include "intercept.h"

#include <netmap_params.h>
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "question.h"
#include "stats_snapshot.h"

#define PARAMS_MAX	1024u

struct taken_param {
	struct netmap_param pub;
	struct proto_param_reply r;
};

struct netmap_params {
	unsigned n;
	struct taken_param *all;
};

struct netmap_fdb {
	struct proto_fdb_reply r;
	struct proto_fdb_entry *records;
	struct netmap_fdb_entry *entries;
};

int
question_put(const struct question *q)
{
	int err, saved = errno;

	if (!process_active)
		return -EOPNOTSUPP;
	process_enter();
	client_enter();
	err = stats_connect();
	if (err == 0)
		err = q->ask(q->arg);
	client_leave();
	errno = saved;
	return err;
}

/* A request whose reply is a sentence, also when it fails. */
static int
change_ask(uint16_t type, const void *body, size_t size)
{
	struct why why = { .text = "" };
	size_t error_size = 0;
	const struct client_call call = {
		.type = type, .body = body, .body_size = size, .reply = &why, .reply_size = sizeof(why),
		.error_size = &error_size,
	};
	int n = client_call(&call);

	if (n >= 0)
		return n == sizeof(why) ? 0 : -EPROTO;
	if (error_size == sizeof(why) && why.text[0] != '\0') {
		why.text[sizeof(why.text) - 1] = '\0';
		client_why_set("%s", why.text);
	}
	return n;
}

int
question_name(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	if (n == size)
		return -ENAMETOOLONG;
	memcpy(to, from, n);
	return 0;
}

/* --- parameters --- */

static int
param_ask(uint32_t index, struct taken_param *t)
{
	const struct proto_param_get q = { .index = index };
	const struct client_call call = {
		.type = PROTO_PARAM_GET, .body = &q, .body_size = sizeof(q), .reply = &t->r, .reply_size = sizeof(t->r),
	};
	int n = client_call(&call);

	if (n < 0)
		return n;
	if (n != sizeof(t->r) || memchr(t->r.name, '\0', sizeof(t->r.name)) == NULL ||
	    memchr(t->r.note, '\0', sizeof(t->r.note)) == NULL)
		return -EPROTO;
	return 0;
}

static int
params_ask(void *arg)
{
	struct netmap_params *p = arg;
	int err = 0;

	while (p->n < PARAMS_MAX) {
		struct taken_param *more = realloc(p->all, (p->n + 1) * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		p->all = more;
		err = param_ask(p->n, &p->all[p->n]);
		if (err != 0)
			break;
		p->n++;
	}
	return err == -ENOENT && p->n > 0 ? 0 : err;
}

int
netmap_params_take(struct netmap_params **out)
{
	struct netmap_params *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (p == NULL)
		return -ENOMEM;
	err = question_put(&(struct question){ params_ask, p });
	if (err != 0) {
		netmap_params_free(p);
		return err;
	}
	for (unsigned i = 0; i < p->n; i++) {
		struct taken_param *t = &p->all[i];

		t->pub = (struct netmap_param){
			.size = sizeof(t->pub), .name = t->r.name, .note = t->r.note,
			.flags = (t->r.read_only != 0 ? NETMAP_PARAM_READ_ONLY : 0) | (t->r.no_effect != 0 ? NETMAP_PARAM_NO_EFFECT : 0),
			.value = t->r.value, .default_value = t->r.default_value, .min = t->r.min, .max = t->r.max,
		};
	}
	*out = p;
	return 0;
}

void
netmap_params_free(struct netmap_params *p)
{
	if (p != NULL)
		free(p->all);
	free(p);
}

unsigned int
netmap_params_count(const struct netmap_params *p)
{
	return p->n;
}

const struct netmap_param *
netmap_params_get(const struct netmap_params *p, unsigned int i)
{
	return i < p->n ? &p->all[i].pub : NULL;
}

static int
param_set_ask(void *arg)
{
	return change_ask(PROTO_PARAM_SET, arg, sizeof(struct proto_param_set));
}

int
netmap_param_set(const char *name, uint64_t value)
{
	struct proto_param_set q = { .value = value };

	/* No parameter has so long a name. */
	if (question_name(q.name, sizeof(q.name), name) != 0)
		return -ENOENT;
	return question_put(&(struct question){ param_set_ask, &q });
}

/* --- forwarding tables --- */

struct fdb_question {
	struct proto_fdb q;
	struct netmap_fdb *t;
};

static int
fdb_ask(void *arg)
{
	struct fdb_question *f = arg;
	struct message_fds fds = { 0 };
	const struct client_call call = {
		.type = PROTO_FDB, .body = &f->q, .body_size = sizeof(f->q), .reply = &f->t->r, .reply_size = sizeof(f->t->r), .in = &fds,
	};
	void *records = NULL;
	int n = client_call(&call), err = -EPROTO;

	if (n < 0) {
		if (n == -ENOENT)
			client_why_set("there is no switch %s", f->q.name);
		return n;
	}
	if (n == sizeof(f->t->r) && fds.n == 1 && f->t->r.size == (uint64_t)f->t->r.entries * sizeof(struct proto_fdb_entry))
		err = stats_records_copy(fds.fd[0], f->t->r.size, &records);
	message_fds_close(&fds);
	f->t->records = records;
	return err;
}

static int
entries_make(struct netmap_fdb *t)
{
	t->entries = calloc((size_t)t->r.entries + 1, sizeof(*t->entries));
	if (t->entries == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < t->r.entries; i++) {
		struct proto_fdb_entry *r = &t->records[i];
		struct netmap_fdb_entry *e = &t->entries[i];

		r->port_name[sizeof(r->port_name) - 1] = '\0';
		e->size = sizeof(*e);
		e->is_static = r->is_static != 0;
		memcpy(e->addr, r->addr, sizeof(e->addr));
		e->switch_index = r->port;
		e->age_s = r->age_s;
		e->port = r->port_name;
	}
	return 0;
}

int
netmap_fdb_take(const char *switch_name, struct netmap_fdb **out)
{
	struct netmap_fdb *t = calloc(1, sizeof(*t));
	struct fdb_question f = { .t = t };
	int err;

	*out = NULL;
	if (t == NULL)
		return -ENOMEM;
	err = question_name(f.q.name, sizeof(f.q.name), switch_name);
	if (err == 0)
		err = question_put(&(struct question){ fdb_ask, &f });
	if (err == 0)
		err = entries_make(t);
	if (err != 0) {
		netmap_fdb_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void
netmap_fdb_free(struct netmap_fdb *t)
{
	if (t != NULL) {
		free(t->entries);
		free(t->records);
	}
	free(t);
}

unsigned int
netmap_fdb_count(const struct netmap_fdb *t)
{
	return t->r.entries;
}

const struct netmap_fdb_entry *
netmap_fdb_get(const struct netmap_fdb *t, unsigned int i)
{
	return i < t->r.entries ? &t->entries[i] : NULL;
}

unsigned int
netmap_fdb_places(const struct netmap_fdb *t)
{
	return t->r.places;
}

unsigned int
netmap_fdb_age(const struct netmap_fdb *t)
{
	return t->r.age;
}

static int
fdb_set_ask(void *arg)
{
	return change_ask(PROTO_FDB_SET, arg, sizeof(struct proto_fdb_set));
}

static int
fdb_change(enum proto_fdb_op op, const char *name, const uint8_t addr[6])
{
	struct proto_fdb_set q = { .op = (uint16_t)op };
	int err = question_name(q.name, sizeof(q.name), name);

	if (err != 0)
		return err;
	memcpy(q.addr, addr, sizeof(q.addr));
	return question_put(&(struct question){ fdb_set_ask, &q });
}

int
netmap_fdb_add(const char *port, const uint8_t addr[6])
{
	return fdb_change(PROTO_FDB_ADD, port, addr);
}

int
netmap_fdb_remove(const char *switch_name, const uint8_t addr[6])
{
	return fdb_change(PROTO_FDB_REMOVE, switch_name, addr);
}
