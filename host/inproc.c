/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See inproc.h.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "inproc.h"
#include "inproc_kloop.h"
#include "../engine/csb.h"
#include "../engine/forward.h"
#include "../engine/nic.h"
#include "../engine/os.h"
#include "../engine/vale_worker.h"

#define REGIONS		1024
#define NIC_SLOTS	64u
#define PAIRS_MAX	64u
#define SWITCHES_MAX	16u
#define CPUS		4u			/* that attached interfaces are told of */
#define SPACE		(UINT64_C(64) << 30)	/* address space for regions, bytes */
#define GUARD		((uint64_t)65536)	/* inaccessible bytes on both sides of a region */
#define PAGES_AT_ONCE	1024		/* looked at with one system call */
#define PRIVATE_HEADER	16			/* keeps the size of an os_alloc() block, and its alignment */

static struct {
	pthread_mutex_t lock;
	struct arena_root *root;
	struct {
		void *base;
		uint64_t size;		/* 0: the program's own memory */
	} region[REGIONS];
	uint64_t space;			/* bytes of address space left */
	uint64_t used;
	long fail_after;
	uint32_t clock_offset;
	struct inproc_hooks hooks;
	unsigned nic_hosts;		/* ports with an open host side */
	struct forward_pair *pair[PAIRS_MAX];
	int pair_cpu[PAIRS_MAX];
	struct vale_worker *worker[SWITCHES_MAX];
	unsigned modules_put;
	pthread_mutex_t log_lock;	/* the data path logs from any thread, also with `lock` held */
	unsigned log_lines;
	char log_last[512];
} host = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.space = SPACE,
	.fail_after = -1,
	.log_lock = PTHREAD_MUTEX_INITIALIZER,
};

static _Thread_local struct actor *this_actor;

/* --- os.h --- */

static bool
allocation_fails(void)
{
	if (host.fail_after < 0)
		return false;
	if (host.fail_after == 0)
		return true;
	host.fail_after--;
	return false;
}

void *
os_shared_alloc(size_t size)
{
	size_t rounded = (size + 127) & ~(size_t)127;
	void *p;

	if (allocation_fails())
		return NULL;
	p = aligned_alloc(128, rounded);
	if (p == NULL)
		return NULL;
	memset(p, 0, rounded);
	host.used += size;
	return p;
}

void
os_shared_free(void *p, size_t size)
{
	if (p != NULL)
		host.used -= size;
	free(p);
}

void *
os_alloc(size_t size)
{
	char *p;

	if (allocation_fails())
		return NULL;
	p = calloc(1, PRIVATE_HEADER + size);
	if (p == NULL)
		return NULL;
	memcpy(p, &size, sizeof(size));
	host.used += size;
	return p + PRIVATE_HEADER;
}

void
os_free(void *p)
{
	size_t size;

	if (p == NULL)
		return;
	memcpy(&size, (char *)p - PRIVATE_HEADER, sizeof(size));
	host.used -= size;
	free((char *)p - PRIVATE_HEADER);
}

int
os_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

void
os_log(enum os_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level == OS_LOG_DEBUG)
		return;
	pthread_mutex_lock(&host.log_lock);
	va_start(ap, fmt);
	vsnprintf(host.log_last, sizeof(host.log_last), fmt, ap);
	va_end(ap);
	host.log_lines++;
	if (getenv("INPROC_VERBOSE") != NULL)
		fprintf(stderr, "engine: %s\n", host.log_last);
	pthread_mutex_unlock(&host.log_lock);
}

int
os_region_create(uint32_t no, uint32_t generation, uint64_t size, void **base)
{
	char *p;

	if (no >= REGIONS || size > host.space || allocation_fails())
		return -ENOMEM;
	p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	if (mprotect(p + GUARD, size, PROT_READ | PROT_WRITE) != 0) {
		munmap(p, size + 2 * GUARD);
		return -ENOMEM;
	}
	host.region[no].base = p + GUARD;
	host.region[no].size = size;
	host.space -= size;
	*base = p + GUARD;
	return 0;
}

/* So many from `at` on, or up to the end. A byte of each is read, and written as it was. */
static bool
pages_accessible(uint64_t at, uint64_t end, uint64_t page)
{
	struct iovec theirs[PAGES_AT_ONCE], ours;
	char bytes[PAGES_AT_ONCE];
	ssize_t n = 0;

	for (; n < PAGES_AT_ONCE && at < end; at += page)
		theirs[n++] = (struct iovec){ (void *)(uintptr_t)at, 1 };
	ours = (struct iovec){ bytes, (size_t)n };
	return process_vm_readv(getpid(), &ours, 1, theirs, (size_t)n, 0) == n && process_vm_writev(getpid(), &ours, 1, theirs, (size_t)n, 0) == n;
}

/* The program's own memory is where it is, and so is what it is. */
int
os_memory_identify(void *caller, uint64_t where, uint64_t size, uint64_t id[3], char *why, size_t why_size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at;

	if (where == 0 || where % page != 0 || where + size < where) {
		snprintf(why, why_size, "external memory at %#llx: it must begin with a page", (unsigned long long)where);
		return where == 0 ? -EFAULT : -EINVAL;
	}
	for (at = where; at < where + size; at += page * PAGES_AT_ONCE)
		if (!pages_accessible(at, where + size, page)) {
			snprintf(why, why_size, "external memory: some of what is at %#llx cannot be read and written", (unsigned long long)at);
			return -EFAULT;
		}
	id[0] = id[1] = 0;
	id[2] = where;
	return 0;
}

int
os_region_adopt(void *caller, uint32_t no, uint32_t generation, uint64_t where, uint64_t size, uint32_t *failed, void **base, char *why,
	size_t why_size)
{
	if (no >= REGIONS || allocation_fails()) {
		snprintf(why, why_size, "no room for one more region");
		return -ENOMEM;
	}
	host.region[no].base = *base = (void *)(uintptr_t)where;
	host.region[no].size = 0;
	return 0;
}

bool
os_region_intact(uint32_t no)
{
	return host.hooks.region_intact == NULL || host.hooks.region_intact(no);
}

void
os_region_destroy(uint32_t no)
{
	if (host.region[no].size == 0)
		return;
	munmap((char *)host.region[no].base - GUARD, host.region[no].size + 2 * GUARD);
	host.space += host.region[no].size;
}

uint64_t
os_region_space(void)
{
	return host.space;
}

bool
os_region_ready(const struct region *r)
{
	return load_relaxed(&r->failed) == 0 && (host.hooks.region_ready == NULL || host.hooks.region_ready(r));
}

uint32_t
os_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec + __atomic_load_n(&host.clock_offset, __ATOMIC_RELAXED) + 1;
}

void
os_wall_clock(int64_t *sec, int64_t *usec)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*sec = ts.tv_sec;
	*usec = ts.tv_nsec / 1000;
}

int
os_copy_from_caller(void *dst, uint64_t src, size_t n)
{
	struct iovec to = { dst, n }, from = { (void *)(uintptr_t)src, n };

	if (host.hooks.copy_from_caller != NULL)
		host.hooks.copy_from_caller(src, n);
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

void
os_wake(struct actor *a)
{
	switch (__atomic_load_n(&a->sleep, __ATOMIC_RELAXED)) {
	case ACTOR_SLEEP_FUTEX:
		syscall(SYS_futex, &a->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		break;
	case ACTOR_SLEEP_FD:
		inproc_event_wake(a);
		break;
	}
}

int
os_nic_open(void *caller, struct port *port, const struct os_nic_params *params, char *why, size_t why_size)
{
	if (host.hooks.nic_sync == NULL) {
		snprintf(why, why_size, "port %s: network interfaces are not served inside a program", port->name);
		return -EOPNOTSUPP;
	}
	port->num_tx = port->num_rx = host.hooks.nic_queues;
	port->num_host_tx = params->host_tx != 0 ? params->host_tx : 1;
	port->num_host_rx = params->host_rx != 0 ? params->host_rx : 1;
	port->tx_slots = port->rx_slots = NIC_SLOTS;
	port->max_frame = params->buf_size;
	return 0;
}

void
os_nic_close(struct port *port)
{
}

int
os_nic_host_open(struct port *port, char *why, size_t why_size)
{
	if (allocation_fails()) {
		snprintf(why, why_size, "port %s: its host rings cannot be opened", port->name);
		return -ENOMEM;
	}
	host.nic_hosts++;
	return 0;
}

void
os_nic_host_close(struct port *port)
{
	host.nic_hosts--;
}

uint64_t
os_nic_key(void *caller, const char *name)
{
	return host.hooks.nic_sync != NULL && strncmp(name, "nic", 3) == 0 ? 1 : 0;
}

int
os_nic_hidden(void *caller, const char *name, char *why, size_t why_size)
{
	return 0;
}

bool
os_nic_peers(const struct port *a, const struct port *b)
{
	return host.hooks.nic_peers != NULL && host.hooks.nic_peers(a, b);
}

int
os_nic_sync(struct kring *kr, struct nic_ring *ring)
{
	return host.hooks.nic_sync != NULL ? host.hooks.nic_sync(kr, ring) : -ENXIO;
}

/* --- workers: whoever calls inproc_work --- */

void
os_nic_size(void *caller, const char *name, uint32_t *pairs, uint32_t *slots)
{
	*pairs = host.hooks.nic_queues;
	*slots = NIC_SLOTS;
}

int
os_worker_start(struct forward_pair *pair, int cpu)
{
	unsigned i = 0;

	if (cpu >= (int)CPUS)
		return -EINVAL;
	while (i < PAIRS_MAX && host.pair[i] != NULL)
		i++;
	if (i == PAIRS_MAX || allocation_fails())
		return -ENOMEM;
	host.pair[i] = pair;
	host.pair_cpu[i] = cpu;
	return 0;
}

void
os_worker_stop(struct forward_pair *pair)
{
	for (unsigned i = 0; i < PAIRS_MAX; i++)
		if (host.pair[i] == pair)
			host.pair[i] = NULL;
}

uint32_t
os_worker_cpus(void)
{
	return CPUS;
}

int
os_switch_start(struct vale_worker *w)
{
	for (unsigned i = 0; i < SWITCHES_MAX; i++)
		if (host.worker[i] == NULL) {
			if (allocation_fails())
				break;
			host.worker[i] = w;
			return 0;
		}
	return -ENOMEM;
}

void
os_switch_stop(struct vale_worker *w)
{
	for (unsigned i = 0; i < SWITCHES_MAX; i++)
		if (host.worker[i] == w)
			host.worker[i] = NULL;
}

static struct actor *actor_of_thread(void);

/* With `lock` held, as in every request. */
void
os_switch_flush(struct vale_worker *w)
{
	vale_worker_step(host.root, actor_of_thread(), w);
}

void
os_module_put(const struct netmap_switch_module *module)
{
	host.modules_put++;
}

unsigned
inproc_modules_put(void)
{
	return host.modules_put;
}

void *
os_mutex_new(void)
{
	pthread_mutex_t *m = os_alloc(sizeof(*m));

	if (m != NULL)
		pthread_mutex_init(m, NULL);
	return m;
}

void
os_mutex_free(void *mutex)
{
	pthread_mutex_destroy(mutex);
	os_free(mutex);
}

void
os_mutex_lock(void *mutex)
{
	pthread_mutex_lock(mutex);
}

void
os_mutex_unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

/* The lock keeps requests away: no switch comes or goes. */
bool
inproc_work_switches(void)
{
	struct actor *self = inproc_actor();
	bool moved = false;

	pthread_mutex_lock(&host.lock);
	for (unsigned i = 0; i < SWITCHES_MAX; i++)
		if (host.worker[i] != NULL)
			moved |= vale_worker_step(host.root, self, host.worker[i]);
	pthread_mutex_unlock(&host.lock);
	return moved;
}

unsigned
inproc_work(void)
{
	struct actor *self = inproc_actor();
	unsigned got = 0, one;

	pthread_mutex_lock(&host.lock);
	for (unsigned i = 0; i < PAIRS_MAX; i++) {
		if (host.pair[i] == NULL || host.pair[i]->gone)
			continue;
		one = forward_step(host.root, self, host.pair[i]);
		if ((one & FORWARD_FAILED) != 0)
			host.pair[i]->gone = 1;
		got |= one;
	}
	engine_tick();
	pthread_mutex_unlock(&host.lock);
	return got;
}

unsigned
inproc_pairs(int cpu)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAIRS_MAX; i++)
		n += host.pair[i] != NULL && host.pair_cpu[i] == cpu;
	return n;
}

unsigned
inproc_nic_hosts(void)
{
	return host.nic_hosts;
}

/* --- start and end --- */

int
inproc_start(void)
{
	return engine_init(1, &host.root);
}

int
inproc_stop(void)
{
	inproc_thread_done();
	engine_tick();
	engine_fini();
	host.root = NULL;
	return host.used == 0 && host.space == SPACE ? 0 : -EBUSY;
}

struct arena_root *
inproc_root(void)
{
	return host.root;
}

uint64_t
inproc_memory_used(void)
{
	return host.used + (SPACE - host.space);
}

void
inproc_fail_after(long n)
{
	host.fail_after = n;
}

void
inproc_clock_advance(uint32_t seconds)
{
	__atomic_add_fetch(&host.clock_offset, seconds, __ATOMIC_RELAXED);
	pthread_mutex_lock(&host.lock);
	engine_tick();
	pthread_mutex_unlock(&host.lock);
}

void
inproc_hooks_set(const struct inproc_hooks *hooks)
{
	host.hooks = hooks != NULL ? *hooks : (struct inproc_hooks){ .nic_queues = 0 };
}

unsigned
inproc_log_lines(void)
{
	unsigned n;

	pthread_mutex_lock(&host.log_lock);
	n = host.log_lines;
	pthread_mutex_unlock(&host.log_lock);
	return n;
}

const char *
inproc_log_last(void)
{
	return host.log_last;
}

/* --- threads --- */

static pthread_key_t actor_key;
static pthread_once_t actor_once = PTHREAD_ONCE_INIT;

static void
actor_gone(void *arg)
{
	pthread_mutex_lock(&host.lock);
	actor_free(arg);
	pthread_mutex_unlock(&host.lock);
}

static void
actor_key_create(void)
{
	pthread_key_create(&actor_key, actor_gone);
}

/* With `lock` held. */
static struct actor *
actor_of_thread(void)
{
	if (this_actor != NULL)
		return this_actor;
	pthread_once(&actor_once, actor_key_create);
	if (actor_alloc(1, getpid(), (int)syscall(SYS_gettid), &this_actor) != 0)
		abort();
	pthread_setspecific(actor_key, this_actor);
	return this_actor;
}

struct actor *
inproc_actor(void)
{
	if (this_actor != NULL)
		return this_actor;
	pthread_mutex_lock(&host.lock);
	actor_of_thread();
	pthread_mutex_unlock(&host.lock);
	return this_actor;
}

/* --- switches --- */

int
inproc_own(const char *name, uint64_t token)
{
	struct why why;
	int error;

	pthread_mutex_lock(&host.lock);
	error = vale_own(name, token, &why);
	pthread_mutex_unlock(&host.lock);
	return error;
}

int
inproc_disown(const char *name, uint64_t token)
{
	struct why why;
	int error;

	pthread_mutex_lock(&host.lock);
	error = vale_disown(name, token, &why);
	engine_tick();
	pthread_mutex_unlock(&host.lock);
	return error;
}

int
inproc_module_set(const char *name, uint64_t token, const struct netmap_switch_module *module)
{
	struct why why;
	int error;

	pthread_mutex_lock(&host.lock);
	error = vale_module_set(name, token, module, module != NULL ? module->name : NULL, &why);
	pthread_mutex_unlock(&host.lock);
	return error;
}

void
inproc_thread_done(void)
{
	if (this_actor == NULL)
		return;
	pthread_setspecific(actor_key, NULL);
	actor_gone(this_actor);
	this_actor = NULL;
}

void
inproc_thread_die(void)
{
	inproc_thread_done();
}

/* --- descriptors --- */

int
inproc_open(struct inproc_fd *fd)
{
	int error;

	memset(fd, 0, sizeof(*fd));
	pthread_mutex_lock(&host.lock);
	error = session_create(&fd->session);
	if (error == 0)
		fd->binding = session_binding(fd->session);
	pthread_mutex_unlock(&host.lock);
	return error;
}

void
inproc_close(struct inproc_fd *fd)
{
	pthread_mutex_lock(&host.lock);
	session_close(fd->session);
	engine_tick();
	pthread_mutex_unlock(&host.lock);
	fd->session = NULL;
}

static int
copy_in(void *ctx, void *dst, uint64_t src, size_t n)
{
	return os_copy_from_caller(dst, src, n);
}

static int
copy_out(void *ctx, uint64_t dst, const void *src, size_t n)
{
	struct iovec from = { (void *)(uintptr_t)src, n }, to = { (void *)(uintptr_t)dst, n };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static int
request_execute(struct inproc_fd *fd, struct request_msg *msg)
{
	struct why why = { "" };
	int error;

	pthread_mutex_lock(&host.lock);
	error = session_request(fd->session, NULL, msg, &why);
	engine_tick();
	pthread_mutex_unlock(&host.lock);
	memcpy(fd->why, why.text, sizeof(fd->why));
	return error;
}

/* The request, and what of it is its host's. */
static int
request_serve(struct inproc_fd *fd, struct request_msg *msg)
{
	struct nmreq_opt_csb *csb;
	int error;

	if (msg->kind == REQUEST_CTRL && msg->hdr.nr_reqtype == NETMAP_REQ_SYNC_KLOOP_START)
		return inproc_kloop_start(fd, msg);
	if (msg->kind == REQUEST_CTRL && msg->hdr.nr_reqtype == NETMAP_REQ_SYNC_KLOOP_STOP)
		return inproc_kloop_stop(fd);
	error = request_execute(fd, msg);
	if (error != 0)
		return error;
	csb = csb_option(msg);
	if (csb == NULL)
		return 0;
	error = inproc_csb_enable(fd, csb->csb_atok, csb->csb_ktoa);
	csb->nro_opt.nro_status = (uint32_t)-error;
	if (error != 0 && msg->hdr.nr_reqtype == NETMAP_REQ_REGISTER) {
		pthread_mutex_lock(&host.lock);
		session_undo(fd->session);
		engine_tick();
		pthread_mutex_unlock(&host.lock);
	}
	return error;
}

static int
control(struct inproc_fd *fd, unsigned long cmd, void *arg)
{
	static const struct request_io io = { .copy_in = copy_in, .copy_out = copy_out };
	struct request *r = calloc(1, sizeof(*r));
	int error;

	if (r == NULL)
		return -ENOMEM;
	error = request_gather_ioctl(&io, (uint32_t)cmd, (uint64_t)(uintptr_t)arg, r);
	if (error == 0)
		error = request_check(&r->msg, r->len);
	if (error == 0)
		error = request_serve(fd, &r->msg);
	error = request_writeback(&io, r, error);
	free(r);
	return error;
}

int
inproc_ioctl(struct inproc_fd *fd, unsigned long cmd, void *arg)
{
	if (cmd == NIOCTXSYNC)
		return binding_txsync(host.root, inproc_actor(), fd->binding);
	if (cmd == NIOCRXSYNC)
		return binding_rxsync(host.root, inproc_actor(), fd->binding);
	return control(fd, cmd, arg);
}

void *
inproc_memory(const struct inproc_fd *fd)
{
	struct region *r = session_region(fd->session);

	return r == NULL ? NULL : r->base;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Sleeps until the thread is woken or `ms` milliseconds have passed, -1: no limit. */
static void
actor_sleep(struct actor *a, int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (__atomic_load_n(&a->wake, __ATOMIC_ACQUIRE) == 0) {
		long error = syscall(SYS_futex, &a->wake, FUTEX_WAIT_PRIVATE, 0, ms < 0 ? NULL : &ts, NULL, 0);

		if (error != 0 && errno == ETIMEDOUT)
			break;
	}
}

/* One round: arm, look again, sleep, look again. */
static unsigned
poll_sleep(struct inproc_fd *fd, struct actor *a, unsigned events, int64_t ms)
{
	unsigned got;

	__atomic_store_n(&a->sleep, ACTOR_SLEEP_FUTEX, __ATOMIC_RELAXED);
	__atomic_store_n(&a->wake, 0, __ATOMIC_RELAXED);
	binding_arm(host.root, a, fd->binding, events);
	got = binding_poll(host.root, a, fd->binding, events);
	if (got == 0) {
		actor_sleep(a, ms);
		got = binding_poll(host.root, a, fd->binding, events);
	}
	binding_disarm(host.root, a, fd->binding, events);
	__atomic_store_n(&a->sleep, ACTOR_SLEEP_NONE, __ATOMIC_RELAXED);
	return got;
}

unsigned
inproc_poll(struct inproc_fd *fd, unsigned events, int timeout_ms)
{
	struct actor *a = inproc_actor();
	int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	unsigned got = binding_poll(host.root, a, fd->binding, events);

	while (got == 0 && timeout_ms != 0) {
		int64_t left = timeout_ms > 0 ? end - now_ms() : -1;

		if (timeout_ms > 0 && left <= 0)
			break;
		got = poll_sleep(fd, a, events, left);
	}
	return got;
}
