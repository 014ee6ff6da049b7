/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that are control requests. They return 0 or -errno. */
#ifndef VALE_CTL_REQUEST_H
#define VALE_CTL_REQUEST_H

#include <stdbool.h>
#include <stdio.h>

#include <net/netmap.h>

#include "options.h"

struct port_info {
	struct nmreq_port_info_get port;
	struct nmreq_pools_info pools;
	bool has_pools;			/* hosts may know the port and not tell about its pools */
};

/* PORT_INFO_GET and POOLS_INFO_GET. A port that nobody has open is made for the moment. */
int request_info(const char *name, struct port_info *info);

void info_print(FILE *out, const char *name, const struct port_info *info);

/* Attach, detach, new, remove, polling: whatever o->command is of these. With o->verbose it tells what came of it. */
int request_run(const struct options *o, FILE *out);

/*
 * Ports of switches by VALE_LIST, for hosts without statistics; `only` as in listing_make. -ENOENT if there is no such
 * port or switch.
 */
int request_list(const char *only, FILE *out);

#endif
