/* SPDX-License-Identifier: BSD-2-Clause */
/* What actors.h says. The table is as large as the engine's; only the part in use is ever touched. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "../engine/ctrl.h"
#include "../engine/os.h"
#include "../host/sys.h"
#include "actors.h"
#include "server.h"

static struct {
	uint32_t process;		/* 0: not given out */
	int event;			/* descriptor + 1; 0: none */
} actors[ACTOR_MAX + 1];

/* Guards the event descriptors: workers signal them while the control thread closes some. */
static pthread_mutex_t event_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t highest;		/* number ever given out */
static unsigned events;

int
actors_new(uint32_t process, int32_t pid, int32_t tid, uint32_t *id)
{
	struct actor *a;
	uint32_t no;
	int err;

	err = actor_alloc(process, pid, tid, &a);
	if (err != 0)
		return err;
	no = a - server_root()->actors;
	actors[no].process = process;
	if (no > highest)
		highest = no;
	*id = no;
	return 0;
}

bool
actors_owned(uint32_t id, uint32_t process)
{
	return id >= 1 && id <= ACTOR_MAX && actors[id].process == process;
}

bool
actors_any(uint32_t process)
{
	for (uint32_t id = 1; id <= highest; id++)
		if (actors[id].process == process)
			return true;
	return false;
}

/* `event` is a descriptor + 1, or 0. */
static void
event_set(uint32_t id, int event)
{
	int old;

	pthread_mutex_lock(&event_lock);
	old = actors[id].event;
	actors[id].event = event;
	pthread_mutex_unlock(&event_lock);
	if (old != 0)
		close(old - 1);
	events += (event != 0) - (old != 0);
}

static void
record_clear(uint32_t id)
{
	event_set(id, 0);
	actors[id].process = 0;
}

void
actors_free(uint32_t id)
{
	record_clear(id);
	actor_free(&server_root()->actors[id]);
}

void
actors_process_gone(uint32_t process)
{
	for (uint32_t id = 1; id <= highest; id++)
		if (actors[id].process == process)
			record_clear(id);
	engine_process_gone(process);
}

void
actors_set_event(uint32_t id, int fd)
{
	event_set(id, fd + 1);
}

unsigned
actors_with_event(void)
{
	return events;
}

void
actors_wake(uint32_t id)
{
	uint64_t one = 1;

	if (id < 1 || id > ACTOR_MAX)
		return;
	pthread_mutex_lock(&event_lock);
	/* A full counter is as good as a signal. */
	if (actors[id].event != 0)
		(void)sys_write(actors[id].event - 1, &one, sizeof(one));
	pthread_mutex_unlock(&event_lock);
}

void
actors_sweep(void)
{
	for (uint32_t id = 1; id <= highest; id++) {
		const struct actor *a = &server_root()->actors[id];

		if (actors[id].event != 0 && load_relaxed(&a->sleep) == ACTOR_SLEEP_FD && load_acquire(&a->wake) != 0)
			actors_wake(id);
	}
}

void
os_wake(struct actor *a)
{
	switch (load_relaxed(&a->sleep)) {
	case ACTOR_SLEEP_FUTEX:
		sys_futex_wake(&a->wake, INT_MAX, 1);
		break;
	case ACTOR_SLEEP_FD:
		actors_wake(a - server_root()->actors);
		break;
	}
}
