/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes of one measurement, see crew.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cores.h"
#include "crew.h"

#define IDLE_SPINS	512
#define READY_NS	20000000000ull
#define STOP_NS		5000000000ull
#define TICK_NS		500000

int
crew_init(struct crew *crew)
{
	memset(crew, 0, sizeof(*crew));
	crew->shared = mmap(NULL, sizeof(*crew->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	if (crew->shared == MAP_FAILED) {
		snprintf(crew->message, sizeof(crew->message), "control block: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static void
member_run(struct crew_shared *shared, unsigned int index, crew_role *role, const void *arg, int cpu,
    enum crew_share share)
{
	struct crew_seat seat = {
		.shared = shared, .me = &shared->member[index], .arg = arg, .share = share,
	};
	int ret;

	if (cores_pin(cpu) != 0)
		ret = crew_fail(&seat, "cannot use CPU %d", cpu);
	else
		ret = role(&seat);
	if (seat.wall_at_go != 0) {
		seat.me->cpu_ns = clock_cpu_ns() - seat.cpu_at_go;
		seat.me->cpu_packets = seat.me->packets - seat.packets_at_go;
		seat.me->wall_ns = clock_ns() - seat.wall_at_go;
	}
	_exit(ret == 0 ? 0 : 1);
}

/* Takes over the message of member i, which has ended by itself. */
static int
member_ended(struct crew *crew, unsigned int i, int status)
{
	crew->pid[i] = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (crew->message[0] != '\0')
		return -ECHILD;
	if (WIFSIGNALED(status))
		snprintf(crew->message, sizeof(crew->message), "process %u: %s", i, strsignal(WTERMSIG(status)));
	else
		snprintf(crew->message, sizeof(crew->message), "%.*s", CREW_MESSAGE - 1,
		    crew->shared->member[i].message);
	return -ECHILD;
}

int
crew_check(struct crew *crew)
{
	int ret = 0;

	for (unsigned int i = 0; i < crew->n; i++) {
		int status;

		if (crew->pid[i] > 0 && waitpid(crew->pid[i], &status, WNOHANG) == crew->pid[i] &&
		    member_ended(crew, i, status) != 0)
			ret = -ECHILD;
	}
	return ret;
}

int
crew_add(struct crew *crew, crew_role *role, const void *arg, int cpu,
    enum crew_share share)
{
	unsigned int index = crew->n;
	uint64_t give_up = clock_ns() + READY_NS;
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		snprintf(crew->message, sizeof(crew->message), "fork: %s", strerror(errno));
		return -errno;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			member_run(crew->shared, index, role, arg, cpu, share);
		_exit(1);
	}
	crew->pid[index] = pid;
	crew->n++;
	while (!__atomic_load_n(&crew->shared->member[index].ready, __ATOMIC_ACQUIRE)) {
		if (crew_check(crew) != 0 || crew->pid[index] == 0)
			return -ECHILD;
		if (clock_ns() > give_up) {
			snprintf(crew->message, sizeof(crew->message), "process %u did not get ready", index);
			return -ETIMEDOUT;
		}
		clock_sleep_ns(TICK_NS);
	}
	return 0;
}

void
crew_go(struct crew *crew)
{
	__atomic_store_n(&crew->shared->go, 1, __ATOMIC_RELEASE);
}

int
crew_stop(struct crew *crew)
{
	uint64_t give_up = clock_ns() + STOP_NS;
	bool running = true;
	int ret = 0;

	__atomic_store_n(&crew->shared->stop, 1, __ATOMIC_RELEASE);
	/* release those that still wait for the start */
	crew_go(crew);
	while (running && clock_ns() < give_up) {
		if (crew_check(crew) != 0)
			ret = -ECHILD;
		running = false;
		for (unsigned int i = 0; i < crew->n; i++)
			running |= crew->pid[i] > 0;
		if (running)
			clock_sleep_ns(TICK_NS);
	}
	for (unsigned int i = 0; i < crew->n; i++) {
		if (crew->pid[i] <= 0)
			continue;
		kill(crew->pid[i], SIGKILL);
		waitpid(crew->pid[i], NULL, 0);
		crew->pid[i] = 0;
		if (crew->message[0] == '\0')
			snprintf(crew->message, sizeof(crew->message), "process %u did not stop", i);
		ret = -ETIMEDOUT;
	}
	return ret;
}

void
crew_fini(struct crew *crew)
{
	munmap(crew->shared, sizeof(*crew->shared));
}

void
crew_ready(struct crew_seat *seat)
{
	__atomic_store_n(&seat->me->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&seat->shared->go, __ATOMIC_ACQUIRE))
		clock_sleep_ns(TICK_NS);
	seat->cpu_at_go = clock_cpu_ns();
	seat->packets_at_go = seat->me->packets;
	seat->wall_at_go = clock_ns();
}

int
crew_fail(struct crew_seat *seat, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(seat->me->message, sizeof(seat->me->message), format, args);
	va_end(args);
	return -1;
}

void
crew_sample(struct crew_seat *seat, uint64_t ns)
{
	uint32_t n = seat->shared->samples;

	if (n < CREW_SAMPLES) {
		seat->shared->sample_ns[n] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
		__atomic_store_n(&seat->shared->samples, n + 1, __ATOMIC_RELEASE);
	}
}

void
crew_idle(struct crew_seat *seat)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
	if (seat->share == CREW_TURNS || (seat->share == CREW_YIELD && ++seat->spins >= IDLE_SPINS)) {
		seat->spins = 0;
		sched_yield();
	}
}

void
crew_turn(struct crew_seat *seat)
{
	if (seat->share == CREW_TURNS && ++seat->turns % 2 == 0)
		sched_yield();
}
