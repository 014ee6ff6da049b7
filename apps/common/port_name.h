/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs know about port names, and what they tell a user whose port cannot be opened. */
#ifndef APPS_COMMON_PORT_NAME_H
#define APPS_COMMON_PORT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define PORT_NAME_MAX 256

/*
 * Copies name to out, with "netmap:" before it unless it begins with "netmap:" or "vale". -ENAMETOOLONG if it
 * does not fit.
 */
int port_name_complete(char *out, size_t size, const char *name);

/* True for names without a link to wait for: VALE ports and pipes. The name is a complete one. */
bool port_name_is_virtual(const char *name);

/*
 * The host rings' name of a port: "netmap:eth0/x" gives "netmap:eth0^/x". -EINVAL if the name already chooses
 * rings or is virtual, -ENAMETOOLONG if it does not fit.
 */
int port_name_host(char *out, size_t size, const char *name);

/*
 * What a user can do when opening the port failed with the positive errno err. Never NULL, a sentence without
 * a full stop.
 */
const char *port_open_advice(const char *name, int err);

#endif
