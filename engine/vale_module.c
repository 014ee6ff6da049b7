/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modules of switches, workers that forward for them, and who owns a switch. See vale_worker.h.
 */
#include "bytes.h"
#include "os.h"
#include "port.h"
#include "port_name.h"
#include "request.h"
#include "vale_worker.h"

static unsigned owned;

unsigned
engine_owned(void)
{
	return owned;
}

static int
refuse(struct why *why, const char *sw, int error, const char *text)
{
	os_format(why->text, sizeof(why->text), "switch %s: %s", sw, text);
	return error;
}

/* --- workers --- */

static int
worker_start(struct vale_switch *sw, struct why *why)
{
	struct vale_worker *w = os_alloc(sizeof(*w));
	int error = -ENOMEM;

	if (w == NULL)
		goto err;
	w->sw = sw;
	w->header = w->header_memory + (-(uintptr_t)w->header_memory & (NETMAP_SWITCH_HEADER_MAX - 1));
	w->lock = os_mutex_new();
	if (w->lock == NULL)
		goto err_worker;
	error = os_switch_start(w);
	if (error != 0)
		goto err_lock;
	sw->worker = w;
	return 0;

err_lock:
	os_mutex_free(w->lock);
err_worker:
	os_free(w);
err:
	os_format(why->text, sizeof(why->text), "switch %s: its packets find no worker (error %d)", sw->name, -error);
	return error;
}

/* From its next sync on. */
static void
port_defer(struct port *p)
{
	uint32_t i;

	for (i = 0; i < p->num_tx; i++)
		store_relaxed(&p->tx[i]->deferred, 1);
}

static bool
port_deferred(const struct port *p)
{
	return p->num_tx > 0 && p->tx[0]->deferred != 0;
}

static int
module_port_up(const struct vale_switch *sw, const struct netmap_switch_module *m, void *ctx, const struct port *p, uint32_t index)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	int error;

	if (m == NULL || m->port_up == NULL)
		return 0;
	if (p->persistent)
		os_format(name, sizeof(name), "%s:%s", sw->name, p->name);
	else
		str_copy(name, sizeof(name), p->name, sizeof(p->name));
	error = m->port_up(ctx, index, name, p->num_rx);
	return error > 0 ? -EINVAL : error;
}

static void
module_port_down(const struct netmap_switch_module *m, void *ctx, uint32_t index)
{
	if (m != NULL && m->port_down != NULL)
		m->port_down(ctx, index);
}

void
vale_worker_lock(struct vale_switch *sw)
{
	if (sw->worker != NULL)
		os_mutex_lock(sw->worker->lock);
}

void
vale_worker_unlock(struct vale_switch *sw)
{
	if (sw->worker != NULL)
		os_mutex_unlock(sw->worker->lock);
}

int
vale_worker_port_up(struct vale_switch *sw, struct port *p, struct why *why)
{
	struct vale_worker *w;
	int error = 0;

	/* What a worker has once taken from stays so: some switch's worker has to. */
	if (sw->worker == NULL && port_deferred(p))
		error = worker_start(sw, why);
	w = sw->worker;
	if (error != 0 || w == NULL)
		return error;
	os_mutex_lock(w->lock);
	error = module_port_up(sw, w->module, w->ctx, p, p->sw_index);
	os_mutex_unlock(w->lock);
	if (error == 0)
		port_defer(p);
	else
		os_format(why->text, sizeof(why->text), "port %s: module %s of switch %s does not take it (error %d)", p->name, w->name, sw->name, -error);
	return error;
}

void
vale_worker_port_down(struct vale_switch *sw, uint32_t index)
{
	if (sw->worker != NULL)
		module_port_down(sw->worker->module, sw->worker->ctx, index);
}

void
vale_worker_flush(struct vale_switch *sw)
{
	if (sw->worker != NULL)
		os_switch_flush(sw->worker);
}

static void
module_end(const struct netmap_switch_module *m, void *ctx)
{
	if (m == NULL)
		return;
	if (m->destroy != NULL)
		m->destroy(ctx);
	os_module_put(m);
}

void
vale_worker_end(struct vale_switch *sw)
{
	struct vale_worker *w = sw->worker;

	if (w == NULL)
		return;
	os_switch_stop(w);
	sw->worker = NULL;
	module_end(w->module, w->ctx);
	os_mutex_free(w->lock);
	os_free(w);
}

/* --- modules --- */

static void
ports_down(const struct vale_switch *sw, const struct netmap_switch_module *m, void *ctx, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (sw->port[i] != NULL)
			module_port_down(m, ctx, i);
}

/* All ports, or none. */
static int
ports_up(const struct vale_switch *sw, const struct netmap_switch_module *m, void *ctx)
{
	uint32_t i;
	int error;

	for (i = 0; i < VALE_PORTS; i++) {
		error = sw->port[i] != NULL ? module_port_up(sw, m, ctx, sw->port[i], i) : 0;
		if (error == 0)
			continue;
		ports_down(sw, m, ctx, i);
		return error;
	}
	return 0;
}

static int
module_check(const struct netmap_switch_module *m)
{
	if (m->abi != NETMAP_SWITCH_ABI || m->size < sizeof(*m) || m->lookup == NULL || m->flags != 0)
		return -EINVAL;
	return m->header_len == 0 || (m->header_len >= ETH_HEADER && m->header_len <= NETMAP_SWITCH_HEADER_MAX) ? 0 : -EINVAL;
}

/* The new one takes over between two batches. */
static int
module_swap(struct vale_switch *sw, const struct netmap_switch_module *m, void *ctx, const char *name)
{
	struct vale_worker *w = sw->worker;
	const struct netmap_switch_module *old;
	void *old_ctx;
	uint32_t i;
	int error;

	os_mutex_lock(w->lock);
	error = ports_up(sw, m, ctx);
	if (error != 0) {
		os_mutex_unlock(w->lock);
		return error;
	}
	old = w->module;
	old_ctx = w->ctx;
	w->module = m;
	w->ctx = ctx;
	str_copy(w->name, sizeof(w->name), name, sizeof(w->name));
	w->header_len = m != NULL && m->header_len != 0 ? m->header_len : NETMAP_SWITCH_HEADER_DEFAULT;
	ports_down(sw, old, old_ctx, VALE_PORTS);
	/* What was learned before holds no more: addresses were not looked at meanwhile. */
	for (i = 0; i < VALE_PORTS; i++)
		fdb_flush_port(&sw->fdb, i);
	os_mutex_unlock(w->lock);
	module_end(old, old_ctx);
	return 0;
}

static int
switch_with_token(const char *name, uint64_t token, struct vale_switch **out, struct why *why)
{
	struct vale_switch *sw = vale_find(name);

	*out = sw;
	if (sw == NULL)
		return refuse(why, name, -ENXIO, "there is no switch of that name");
	return vale_token_check(name, token, why);
}

int
vale_module_set(const char *name, uint64_t token, const struct netmap_switch_module *m, const char *module_name, struct why *why)
{
	struct vale_switch *sw;
	void *ctx = NULL;
	uint32_t i;
	int error = switch_with_token(name, token, &sw, why);

	if (error != 0)
		return error;
	if (m == NULL && (sw->worker == NULL || sw->worker->module == NULL))
		return 0;
	if (m != NULL && module_check(m) != 0)
		return refuse(why, name, -EINVAL, "the module is made for another version of netmap, or describes itself wrongly");
	error = sw->worker == NULL ? worker_start(sw, why) : 0;
	if (error != 0)
		return error;
	error = m != NULL && m->create != NULL ? m->create(sw->name, &ctx) : 0;
	if (error != 0) {
		os_format(why->text, sizeof(why->text), "switch %s: module %s cannot be set up (error %d)", name, module_name, error < 0 ? -error : error);
		return error < 0 ? error : -EINVAL;
	}
	error = module_swap(sw, m, ctx, m != NULL ? module_name : "");
	if (error != 0) {
		os_format(why->text, sizeof(why->text), "switch %s: module %s does not take a port that is there (error %d)", name, module_name, -error);
		if (m->destroy != NULL)
			m->destroy(ctx);
		return error;
	}
	for (i = 0; i < VALE_PORTS; i++)
		if (sw->port[i] != NULL)
			port_defer(sw->port[i]);
	os_log(OS_LOG_INFO, "switch %s: %s%s", name, m != NULL ? "module " : "learning again", m != NULL ? module_name : "");
	return 0;
}

int
request_config(struct request_msg *msg, struct why *why)
{
	char name[VALE_NAME_SIZE];
	const char *full = msg->hdr.nr_name;
	struct vale_worker *w = NULL;
	struct vale_switch *sw;
	uint32_t n = 0;
	int error;

	/* A port of the switch names it, too. */
	while (n < sizeof(name) - 1 && full[n] != '\0' && full[n] != ':')
		n++;
	str_copy(name, sizeof(name), full, n);
	sw = full[n] == '\0' || full[n] == ':' ? vale_find(name) : NULL;
	if (sw != NULL)
		w = sw->worker;
	if (w == NULL || w->module == NULL || w->module->config == NULL)
		return refuse(why, name, -EINVAL, sw == NULL ? "there is no switch of that name" : "it has no module that can be configured");
	os_mutex_lock(w->lock);
	error = w->module->config(w->ctx, request_body(msg));
	os_mutex_unlock(w->lock);
	if (error != 0)
		os_format(why->text, sizeof(why->text), "switch %s: module %s refuses the configuration (error %d)", name, w->name,
			error < 0 ? -error : error);
	return error > 0 ? -EINVAL : error;
}

/* --- owners --- */

int
vale_token_check(const char *name, uint64_t token, struct why *why)
{
	const struct vale_switch *sw = vale_find(name);

	if (sw == NULL || sw->token == 0 || sw->token == token)
		return 0;
	return refuse(why, name, -EACCES, "it is owned, and this is done with its token only");
}

int
vale_own(const char *name, uint64_t token, struct why *why)
{
	char full[NETMAP_REQ_IFNAMSIZ];
	struct vale_switch *sw;

	os_format(full, sizeof(full), "%s:x", name);
	if (port_name_switch_len(full) == 0 || port_name_switch_len(full) != str_len(name, NETMAP_REQ_IFNAMSIZ) ||
	    port_name_switch_len(full) > PORT_NAME_SWITCH_MAX)
		return refuse(why, name, -EINVAL, "the name of a switch is \"vale\" and up to 11 letters, digits or _");
	if (vale_find(name) != NULL)
		return refuse(why, name, -EEXIST, "there is a switch of that name");
	sw = vale_create(name);
	if (sw == NULL)
		return refuse(why, name, -ENOMEM, "no memory for a switch");
	sw->held = true;
	sw->token = token;
	owned += token != 0;
	return 0;
}

int
vale_disown(const char *name, uint64_t token, struct why *why)
{
	struct vale_switch *sw;
	int error = switch_with_token(name, token, &sw, why);

	if (error != 0)
		return error;
	if (sw->token == 0)
		return refuse(why, name, -EINVAL, "nobody owns it");
	if (sw->ports > 0) {
		os_format(why->text, sizeof(why->text), "switch %s: %u ports are on it: detach or close them first", name, sw->ports);
		return -EBUSY;
	}
	owned--;
	vale_destroy(sw);
	return 0;
}

void
vale_close_all(void)
{
	struct vale_switch *sw;

	while ((sw = vale_next(0)) != NULL)
		vale_destroy(sw);
	owned = 0;
}

void
vale_describe(const struct vale_switch *sw, char *buf, size_t size)
{
	const struct vale_worker *w = sw->worker;

	if (w == NULL)
		os_format(buf, size, "learning");
	else if (w->module == NULL)
		os_format(buf, size, "learning, forwarded by netmapd");
	else
		os_format(buf, size, "module %s, forwarded by netmapd", w->name);
}
