/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs and their distance, see cores.h. In a virtual machine two CPUs may be
 * moved by the host at any time, so the distance is measured, not looked up.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cores.h"

#define TRIALS		7
#define TRIPS		4000
#define GIVE_UP_NS	2000000000

/* True if b is listed as a hardware thread of a's core. */
static bool
cpu_is_sibling(int a, int b)
{
	char path[96], list[128];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", a);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(list, sizeof(list), f) != NULL) {
		for (char *at = list; *at != '\0' && *at != '\n' && !found;) {
			char *end;
			long from = strtol(at, &end, 10), to = from;

			if (end == at)
				break;
			if (*end == '-')
				to = strtol(end + 1, &end, 10);
			found = b >= from && b <= to;
			at = *end == ',' ? end + 1 : end;
		}
	}
	fclose(f);
	return found;
}

int
cores_choose(struct cores *c)
{
	int chosen[CORES_MAX], n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int pass = 0; pass < 2 && n < CORES_MAX; pass++) {
		for (int cpu = 0; cpu < CPU_SETSIZE && n < CORES_MAX; cpu++) {
			bool skip = !CPU_ISSET(cpu, &set);

			for (int i = 0; i < n; i++)
				skip |= chosen[i] == cpu || (pass == 0 && cpu_is_sibling(chosen[i], cpu));
			if (!skip)
				chosen[n++] = cpu;
		}
	}
	if (n < 2)
		return -ENODEV;
	c->rx = chosen[0];
	c->tx[0] = chosen[1];
	c->tx[1] = n > 2 ? chosen[2] : chosen[1];
	return 0;
}

int
cores_parse(const char *list, struct cores *c)
{
	int n = sscanf(list, "%d,%d,%d", &c->rx, &c->tx[0], &c->tx[1]);

	if (n < 2 || c->rx < 0 || c->tx[0] < 0)
		return -EINVAL;
	if (n == 2)
		c->tx[1] = c->tx[0];
	return c->tx[1] < 0 ? -EINVAL : 0;
}

int
cores_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : -errno;
}

struct ping_line {
	_Alignas(128) uint32_t word;	/* odd: the far end's turn */
	_Alignas(128) uint32_t stop;
};

static void
far_end_run(struct ping_line *line)
{
	while (!__atomic_load_n(&line->stop, __ATOMIC_RELAXED)) {
		uint32_t v = __atomic_load_n(&line->word, __ATOMIC_ACQUIRE);

		if (v & 1)
			__atomic_store_n(&line->word, v + 1, __ATOMIC_RELEASE);
	}
}

/* One trial of TRIPS round trips; negative if the far end does not answer. */
static double
trial_run(struct ping_line *line)
{
	uint64_t start = clock_ns();
	uint32_t v = __atomic_load_n(&line->word, __ATOMIC_RELAXED);

	for (int i = 0; i < TRIPS; i++) {
		uint32_t spins = 0;

		__atomic_store_n(&line->word, ++v, __ATOMIC_RELEASE);
		v++;
		while (__atomic_load_n(&line->word, __ATOMIC_ACQUIRE) != v)
			if ((++spins & 0xfffff) == 0 && clock_ns() - start > GIVE_UP_NS)
				return -1;
	}
	return (double)(clock_ns() - start) / TRIPS;
}

static double
near_end_run(struct ping_line *line, int cpu)
{
	double trips[TRIALS];
	cpu_set_t before;
	double median = -1;

	if (sched_getaffinity(0, sizeof(before), &before) != 0 || cores_pin(cpu) != 0)
		return -1;
	trial_run(line);
	for (int i = 0; i < TRIALS; i++)
		trips[i] = trial_run(line);
	median = stats_median(trips, TRIALS);
	sched_setaffinity(0, sizeof(before), &before);
	return median;
}

double
cores_round_trip_ns(int cpu_a, int cpu_b)
{
	struct ping_line *line;
	pid_t parent = getpid(), pid;
	double ns = -1;

	line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (line == MAP_FAILED)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent && cores_pin(cpu_b) == 0)
			far_end_run(line);
		_exit(0);
	}
	if (pid > 0) {
		ns = near_end_run(line, cpu_a);
		__atomic_store_n(&line->stop, 1, __ATOMIC_RELAXED);
		waitpid(pid, NULL, 0);
	}
	munmap(line, sizeof(*line));
	return ns;
}

enum cores_distance
cores_distance(double before_ns, double after_ns)
{
	bool near_before = before_ns < CORES_NEAR_NS, near_after = after_ns < CORES_NEAR_NS;

	if (near_before != near_after)
		return CORES_MIXED;
	return near_before ? CORES_NEAR : CORES_FAR;
}

const char *
cores_distance_name(enum cores_distance d)
{
	static const char *const names[] = { "near", "far", "mixed" };

	return names[d];
}
