/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control side's entry points: start and end of the engine, sessions, threads, and which handler a request goes to.
 */
#include "bytes.h"
#include "os.h"
#include "session.h"
#include "sync.h"

#define VALE_AGE	300u		/* seconds, IEEE 802.1D's default */

struct arena_root *engine_root;
static uint32_t actors_high;

int
engine_init(uint32_t generation, struct arena_root **root)
{
	struct arena_root *r = os_shared_alloc(sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->actors = os_shared_alloc((ACTOR_MAX + 1) * sizeof(*r->actors));
	if (r->actors == NULL) {
		os_shared_free(r, sizeof(*r));
		return -ENOMEM;
	}
	r->layout = ARENA_LAYOUT;
	r->generation = generation;
	r->epoch = 1;
	r->vale_age = VALE_AGE;
	actors_high = 0;
	engine_root = r;
	retire_init(r, &actors_high);
	/* Who finds the magic number finds the rest. */
	store_release(&r->magic, ARENA_MAGIC);
	*root = r;
	return 0;
}

void
engine_fini(void)
{
	retire_run();
	os_shared_free(engine_root->actors, (ACTOR_MAX + 1) * sizeof(*engine_root->actors));
	os_shared_free(engine_root, sizeof(*engine_root));
	engine_root = NULL;
}

int
engine_tick(void)
{
	bool waiting = retire_run();
	int expire = vale_expire();

	/* Somebody is inside the data path, for microseconds as a rule. */
	if (waiting)
		return 10;
	return expire;
}

/* --- sessions --- */

static void
binding_release(void *obj)
{
	os_shared_free(obj, sizeof(struct binding));
}

int
session_create(struct session **out)
{
	static uint32_t last_id;
	struct session *s = os_alloc(sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->binding = os_shared_alloc(sizeof(*s->binding));
	if (s->binding == NULL) {
		os_free(s);
		return -ENOMEM;
	}
	s->binding->id = ++last_id;
	*out = s;
	return 0;
}

void
session_close(struct session *s)
{
	if (s->port != NULL)
		session_unregister(s);
	retire(binding_release, s->binding);
	os_free(s);
}

struct binding *
session_binding(const struct session *s)
{
	return s->binding;
}

struct region *
session_region(const struct session *s)
{
	return s->port == NULL ? NULL : s->port->region;
}

/* --- requests --- */

static const char *
request_name(uint16_t type)
{
	static const char *const name[] = {
		[NETMAP_REQ_VALE_ATTACH] = "attaching a port to a switch is",
		[NETMAP_REQ_VALE_DETACH] = "detaching a port from a switch is",
		[NETMAP_REQ_PORT_HDR_SET] = "setting a virtio-net header length is",
		[NETMAP_REQ_VALE_NEWIF] = "creating a persistent VALE port is",
		[NETMAP_REQ_VALE_DELIF] = "destroying a persistent VALE port is",
		[NETMAP_REQ_VALE_POLLING_ENABLE] = "polling of an attached port is",
		[NETMAP_REQ_VALE_POLLING_DISABLE] = "polling of an attached port is",
		[NETMAP_REQ_SYNC_KLOOP_START] = "the sync loop is",
		[NETMAP_REQ_SYNC_KLOOP_STOP] = "the sync loop is",
		[NETMAP_REQ_CSB_ENABLE] = "CSB mode is",
	};

	if (type >= sizeof(name) / sizeof(name[0]) || name[type] == NULL)
		return "this request is";
	return name[type];
}

static int
request_dispatch(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	if (msg->kind == REQUEST_CONFIG) {
		os_format(why->text, sizeof(why->text), "%s: no switch of that name has a configuration hook", msg->hdr.nr_name);
		return -EINVAL;
	}
	switch (msg->hdr.nr_reqtype) {
	case NETMAP_REQ_REGISTER:
		return session_register(s, caller, msg, why);
	case NETMAP_REQ_PORT_INFO_GET:
		return request_port_info(caller, msg, why);
	case NETMAP_REQ_POOLS_INFO_GET:
		return request_pools_info(caller, msg, why);
	case NETMAP_REQ_PORT_HDR_GET:
		return request_port_hdr_get(caller, msg, why);
	case NETMAP_REQ_VALE_LIST:
		return request_vale_list(msg, why);
	default:
		os_format(why->text, sizeof(why->text), "port %s: %s not supported yet (request %u)", msg->hdr.nr_name,
			request_name(msg->hdr.nr_reqtype), msg->hdr.nr_reqtype);
		return -EOPNOTSUPP;
	}
}

int
session_request(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	int error;

	why->text[0] = '\0';
	error = request_finish(msg, request_dispatch(s, caller, msg, why));
	if (error != 0 && why->text[0] != '\0')
		os_log(error == -EOPNOTSUPP ? OS_LOG_WARNING : OS_LOG_INFO, "%s (error %d)", why->text, -error);
	return error;
}

/* --- threads --- */

int
actor_alloc(uint32_t process, int32_t pid, int32_t tid, struct actor **out)
{
	uint32_t i;

	for (i = 1; i <= ACTOR_MAX; i++) {
		struct actor *a = &engine_root->actors[i];

		if (i <= actors_high && a->process != 0)
			continue;
		a->wake = 1;
		a->sleep = ACTOR_SLEEP_NONE;
		store_relaxed(&a->inside, 0);
		a->process = process;
		a->pid = pid;
		a->tid = tid;
		store_release(&a->id, i);
		if (i > actors_high)
			actors_high = i;
		*out = a;
		return 0;
	}
	return -EAGAIN;
}

void
actor_free(struct actor *a)
{
	unsigned leases = actor_recover(engine_root, a->id);

	if (leases > 0)
		os_log(OS_LOG_WARNING, "thread %d of process %d went with %u unfinished leases: their slots come out empty", a->tid, a->pid,
			leases);
	a->process = 0;
	store_release(&a->inside, 0);
}

void
engine_process_gone(uint32_t process)
{
	uint32_t i;

	for (i = 1; i <= actors_high; i++)
		if (engine_root->actors[i].process == process)
			actor_free(&engine_root->actors[i]);
}
