/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Client processes. A process that ends is noticed by its pidfd: its connection may live on in a child that inherited it. A connection that ends
 * while the process lives on says nothing about its threads, unless the process no longer has the arena mapped (exec).
 */
#ifndef NETMAPD_PROCESS_H
#define NETMAPD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct connection;
struct process;

/* The process at the other end of a connected socket, which is closed (connection_close) when the process ends. 0 or -errno. */
int process_new(int sock, struct connection *c, struct process **out);
/* Its connection is gone. The process is forgotten now, or when it ends. */
void process_disconnected(struct process *p);

uint32_t process_number(const struct process *p);
pid_t process_pid(const struct process *p);

/*
 * May this process run the data path itself? Same user, and same user and pid namespace. If not, why gets a sentence that says what to do.
 */
bool process_trusted(const struct process *p, char *why, size_t why_size);

void processes_close_all(void);

#endif /* NETMAPD_PROCESS_H */
