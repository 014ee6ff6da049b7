/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control side's entry points: start and end of the engine, sessions, threads, and which handler a request goes to.
 */
#include "attach.h"
#include "bytes.h"
#include "extmem.h"
#include "kloop.h"
#include "os.h"
#include "persistent.h"
#include "params.h"
#include "session.h"
#include "sync.h"
#include "vale_worker.h"

/* What a port takes along when it goes: itself, its switch, and the driver's memory of its two sides. */
#define RETIRED_PER_PORT	4u
/* The most that one request makes: an interface and two ports on a switch, each with a session; a pipe's two ends and their parent. */
#define PORTS_PER_REQUEST	3u
#define ENDS_PER_REQUEST	(PORTS_PER_REQUEST * (RETIRED_PER_PORT + 1))

#define SESSIONS_CHUNK		256u	/* made at a time */

/* A binding on lines of its own. */
struct binding_place {
	struct binding b __attribute__((aligned(CACHE_LINE)));
};

struct session_chunk {
	struct session_chunk *next;
	struct binding_place *places;	/* SESSIONS_CHUNK of them, in the arena */
	struct session session[SESSIONS_CHUNK];
};

struct arena_root *engine_root;
static uint32_t actors_high;
static struct session_chunk *chunks;
static struct session *spares;
static uint32_t sessions_open;

static int chunk_make(void);
static void chunks_free(void);

int
engine_init(uint32_t generation, struct arena_root **root)
{
	struct arena_root *r = os_shared_alloc(sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->actors = os_shared_alloc((ACTOR_MAX + 1) * sizeof(*r->actors));
	if (r->actors == NULL)
		goto err_root;
	if (chunk_make() != 0)
		goto err_actors;
	if (!retire_reserve(ENDS_PER_REQUEST))
		goto err_chunk;
	actors_high = 0;
	retire_init(r, &actors_high);
	r->layout = ARENA_LAYOUT;
	r->generation = generation;
	r->epoch = 1;
	params_init(r);
	engine_root = r;
	/* Who finds the magic number finds the rest. */
	store_release(&r->magic, ARENA_MAGIC);
	*root = r;
	return 0;

err_chunk:
	retire_reserve(0);
	chunks_free();
err_actors:
	os_shared_free(r->actors, (ACTOR_MAX + 1) * sizeof(*r->actors));
err_root:
	os_shared_free(r, sizeof(*r));
	return -ENOMEM;
}

void
engine_fini(void)
{
	attach_close_all();
	persistent_close_all();
	vale_close_all();
	retire_run();
	retire_reserve(0);
	chunks_free();
	os_shared_free(engine_root->actors, (ACTOR_MAX + 1) * sizeof(*engine_root->actors));
	os_shared_free(engine_root, sizeof(*engine_root));
	engine_root = NULL;
}

int
engine_tick(void)
{
	bool waiting, look;
	int expire;

	attach_reap();
	look = extmem_tick();
	waiting = retire_run();
	expire = vale_expire();

	/* Somebody is inside the data path, for microseconds as a rule. */
	if (waiting)
		return 10;
	if (look && (expire < 0 || expire > EXTMEM_LOOK_MS))
		return EXTMEM_LOOK_MS;
	return expire;
}

/* --- sessions ---
 *
 * A client's thread may still have the address of a binding when another thread, or process, closes the descriptor. Therefore
 * - the memory of a binding is never anything else: bindings are made in chunks, used again for other sessions, and kept until the engine ends;
 * - each session has an id of its own, which its binding carries only while it is open. Who comes from outside the engine knows the id that he means, and
 *   compares after actor_enter. If it is there, the session is open, and its rings stay until actor_leave: closing takes the id away before it looks for
 *   threads inside. If not, the descriptor is closed.
 */

static int
chunk_make(void)
{
	struct session_chunk *c = os_alloc(sizeof(*c));
	uint32_t i;

	if (c == NULL)
		return -ENOMEM;
	c->places = os_shared_alloc(SESSIONS_CHUNK * sizeof(*c->places));
	if (c->places == NULL) {
		os_free(c);
		return -ENOMEM;
	}
	for (i = SESSIONS_CHUNK; i-- > 0; ) {
		c->session[i].binding = &c->places[i].b;
		c->session[i].next = spares;
		spares = &c->session[i];
	}
	c->next = chunks;
	chunks = c;
	return 0;
}

static void
chunks_free(void)
{
	struct session_chunk *c;

	while ((c = chunks) != NULL) {
		chunks = c->next;
		os_shared_free(c->places, SESSIONS_CHUNK * sizeof(*c->places));
		os_free(c);
	}
	spares = NULL;
	sessions_open = 0;
}

/* Records for the end of all sessions and ports there are, and of what a request makes. */
static bool
ends_reserve(void)
{
	uint32_t n = sessions_open + ENDS_PER_REQUEST;
	const struct port *p;

	for (p = engine_root->ports; p != NULL; p = p->list_next)
		n += RETIRED_PER_PORT;
	return retire_reserve(n);
}

static void
session_release(void *obj)
{
	struct session *s = obj;

	/*
	 * Not what a thread looks at that comes too late: id and registered, which say so, and the loop's words. A look at the type of the port that was
	 * overtaken finds memory of the arena there, not NULL.
	 */
	bytes_zero(&s->binding->tx, offsetof(struct binding, csb) - offsetof(struct binding, tx));
	s->next = spares;
	spares = s;
}

int
session_create(struct session **out)
{
	static uint32_t last_id;
	struct session *s;

	if (spares == NULL && chunk_make() != 0)
		return -ENOMEM;
	sessions_open++;
	if (!ends_reserve()) {
		sessions_open--;
		ends_reserve();
		return -ENOMEM;
	}
	s = spares;
	spares = s->next;
	*s = (struct session){ .binding = s->binding };
	if (++last_id == 0)
		last_id = 1;
	/* A STOP waits for a loop to come, registered or not. */
	store_relaxed(&s->binding->kloop, 0);
	/* Whatever else the binding says counts only once it is registered. */
	store_release(&s->binding->id, last_id);
	*out = s;
	return 0;
}

void
session_close(struct session *s)
{
	if (s->port != NULL)
		session_unregister(s);
	store_relaxed(&s->binding->id, 0);
	sessions_open--;
	retire(session_release, s);
	ends_reserve();
}

void
session_use_token(struct session *s, uint64_t token)
{
	s->token = token;
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
		[NETMAP_REQ_SYNC_KLOOP_START] = "the sync loop, but in a thread of the program, is",
		[NETMAP_REQ_SYNC_KLOOP_STOP] = "the sync loop, but in a thread of the program, is",
	};

	if (type >= sizeof(name) / sizeof(name[0]) || name[type] == NULL)
		return "this request is";
	return name[type];
}

static int
request_dispatch(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	if (msg->kind == REQUEST_CONFIG)
		return request_config(msg, why);
	switch (msg->hdr.nr_reqtype) {
	case NETMAP_REQ_REGISTER:
		return session_register(s, caller, msg, why);
	case NETMAP_REQ_PORT_INFO_GET:
		return request_port_info(caller, msg, why);
	case NETMAP_REQ_POOLS_INFO_GET:
		return request_pools_info(caller, msg, why);
	case NETMAP_REQ_PORT_HDR_GET:
		return request_port_hdr_get(caller, msg, why);
	case NETMAP_REQ_PORT_HDR_SET:
		return request_port_hdr_set(caller, msg, why);
	case NETMAP_REQ_VALE_LIST:
		return request_vale_list(msg, why);
	case NETMAP_REQ_VALE_NEWIF:
		return request_vale_newif(caller, msg, why);
	case NETMAP_REQ_VALE_DELIF:
		return request_vale_delif(caller, msg, why);
	case NETMAP_REQ_VALE_ATTACH:
		return request_vale_attach(caller, s->token, msg, why);
	case NETMAP_REQ_VALE_DETACH:
		return request_vale_detach(caller, s->token, msg, why);
	case NETMAP_REQ_VALE_POLLING_ENABLE:
	case NETMAP_REQ_VALE_POLLING_DISABLE:
		return request_vale_polling(caller, msg, msg->hdr.nr_reqtype == NETMAP_REQ_VALE_POLLING_ENABLE, why);
	case NETMAP_REQ_CSB_ENABLE:
		return request_csb_enable(s, msg, why);
	default:
		os_format(why->text, sizeof(why->text), "port %s: %s not supported yet (request %u)", msg->hdr.nr_name,
			request_name(msg->hdr.nr_reqtype), msg->hdr.nr_reqtype);
		return -EOPNOTSUPP;
	}
}

static int
request_execute(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	int error = -ENOMEM;

	if (ends_reserve())
		error = request_dispatch(s, caller, msg, why);
	else
		os_format(why->text, sizeof(why->text), "port %s: no memory to remember what has to be freed after it", msg->hdr.nr_name);
	/* If there is no memory for what was made just now, the next request will not begin. */
	ends_reserve();
	return error;
}

/* Programs look things up in order to hear that they are not there. */
static enum os_log_level
failure_level(const struct request_msg *msg, int error)
{
	if (error == -EOPNOTSUPP)
		return OS_LOG_WARNING;
	if (msg->kind != REQUEST_CTRL)
		return OS_LOG_INFO;
	switch (msg->hdr.nr_reqtype) {
	case NETMAP_REQ_PORT_INFO_GET:
	case NETMAP_REQ_POOLS_INFO_GET:
	case NETMAP_REQ_PORT_HDR_GET:
	case NETMAP_REQ_VALE_LIST:
		return OS_LOG_DEBUG;
	default:
		return OS_LOG_INFO;
	}
}

int
session_request(struct session *s, void *caller, struct request_msg *msg, struct why *why)
{
	int error;

	why->text[0] = '\0';
	error = request_finish(msg, request_execute(s, caller, msg, why));
	if (error != 0 && why->text[0] != '\0')
		os_log(failure_level(msg, error), "%s (error %d)", why->text, -error);
	return error;
}

/* --- threads --- */

static void
loops_recover(uint32_t id)
{
	struct session_chunk *c;
	uint32_t i;

	for (c = chunks; c != NULL; c = c->next)
		for (i = 0; i < SESSIONS_CHUNK; i++)
			kloop_recover(&c->places[i].b, id);
}

int
actor_alloc(uint32_t process, int32_t pid, int32_t tid, struct actor **out)
{
	uint32_t i;

	for (i = 1; i <= ACTOR_MAX; i++) {
		struct actor *a = &engine_root->actors[i];

		if (i <= actors_high && a->process != 0)
			continue;
		/* Who finds an earlier thread of this number among the sleepers may still be about to wake it. */
		store_relaxed(&a->wake, 1);
		store_relaxed(&a->sleep, ACTOR_SLEEP_NONE);
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
	loops_recover(a->id);
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
