/* SPDX-License-Identifier: BSD-2-Clause */
/* Port names as users type them, and advice on errors. Text only: nothing is opened here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "port_name.h"

static const char netmap_prefix[] = "netmap:";
static const char vale_prefix[] = "vale";
static const char tap_prefix[] = "tap:";

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

int port_name_complete(char *out, size_t size, const char *name)
{
	bool complete = has_prefix(name, netmap_prefix) || has_prefix(name, vale_prefix) ||
			has_prefix(name, tap_prefix);
	int n = snprintf(out, size, "%s%s", complete ? "" : netmap_prefix, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool port_name_is_virtual(const char *name)
{
	/* Brackets behind an '@' belong to another port's name. */
	size_t len = strcspn(name, "@");

	return has_prefix(name, vale_prefix) || memchr(name, '{', len) || memchr(name, '}', len);
}

int port_name_host(char *out, size_t size, const char *name)
{
	size_t len = strcspn(name, "*^/@");
	int n;

	if (port_name_is_virtual(name) || name[len] == '*' || name[len] == '^')
		return -EINVAL;
	n = snprintf(out, size, "%.*s^%s", (int)len, name, name + len);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

const char *port_open_advice(const char *name, int err)
{
	switch (err) {
	case ENXIO:
	case ENODEV:
		return "no such port: check the name with 'ip link', or use valeX:NAME for a switch port";
	case EINVAL:
		return strpbrk(name, "^*") ? "the port may have no host rings: leave ^ and * away"
					   : "check the name, the ring number behind '-', the flags behind "
					     "'/', and that the MTU fits a buffer";
	case EBUSY:
		return "another program holds these rings exclusively, or the interface is attached to a "
		       "switch";
	case EPERM:
	case EACCES:
		return "run as the user who owns the port, or as root";
	case ENOMEM:
		return "ask for fewer rings or slots, or close other ports";
	case EOPNOTSUPP:
		return "this kind of port or option is not available here: the log of netmapd names it";
	case ENOENT:
	case ECONNREFUSED:
		return "netmapd cannot be reached: start it, or check NETMAP_SOCKET";
	case EADDRINUSE:
		return "the address range of the shared arena is taken in this process: start the program "
		       "without preloaded libraries";
	default:
		return "the log of netmapd may say more";
	}
}
