/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the nic cases are measured: network namespaces of our own, joined by
 * veth pairs, and processes in them. The namespaces have no names; they and
 * all that is in them go away with the descriptors of this process, however
 * it ends.
 */
#ifndef BENCH_BED_H
#define BENCH_BED_H

#include <stddef.h>
#include <sys/types.h>

#include "bench.h"

#define BED_SPACES_MAX	3

struct bed {
	int space[BED_SPACES_MAX];	/* descriptors of the namespaces */
	unsigned int n;
	char message[BENCH_MESSAGE_MAX];	/* why the last step failed */
};

/* One end of a veth pair. */
struct bed_end {
	unsigned int space;
	const char *ifname;
	uint32_t station;	/* its MAC address, see port.h */
};

/*
 * Functions that return an int return 0 or -errno and leave the reason in
 * bed->message. Commands are a shell's; programs of this build that they name
 * are those beside netmap-bench, see bed_program().
 */

/* n empty namespaces, IPv6 off so that nobody else sends in them. -EPERM without the privileges. */
int bed_make(struct bed *bed, unsigned int n);
void bed_remove(struct bed *bed);

/* A veth pair of one queue each, up. */
int bed_veth(struct bed *bed, const struct bed_end *a, const struct bed_end *b);

/* Runs a command in a namespace. -EIO if it fails; the reason is the first line of what it said. */
int bed_run(struct bed *bed, unsigned int space, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and keeps its standard output: *out is the caller's to free. */
int bed_read(struct bed *bed, unsigned int space, char **out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Starts a program in a namespace, without a shell, on a CPU (-1: on any), its
 * standard error in *err_fd, for bed_stop(). It ends with us. Returns its pid or -errno.
 */
pid_t bed_spawn(struct bed *bed, unsigned int space, int cpu, char *const argv[], int *err_fd);

/* Has it ended? Then bed->message is the first line of what it said. */
bool bed_ended(struct bed *bed, pid_t *pid, int err_fd);

/* Ends it if it runs still, and closes err_fd. */
void bed_stop(pid_t pid, int err_fd);

/*
 * What a case returns whose last step failed with err: BENCH_SKIPPED if
 * bed->message says that this build or this kernel cannot do it.
 */
int bed_verdict(const struct bed *bed, int err);

/* Moves the calling process into a namespace. */
int bed_enter(const struct bed *bed, unsigned int space);

/* The path of a program of this build: name is its path from the build folder. */
void bed_program(char *path, size_t size, const char *name);

#endif
