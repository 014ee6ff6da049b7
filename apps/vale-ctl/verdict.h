/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What follows from the facts about an interface: the mode that it would get, and what stands in the way of
 * it or of a better one.
 */
#ifndef VALE_CTL_VERDICT_H
#define VALE_CTL_VERDICT_H

#include <stdbool.h>

#include "../../drivers/probe.h"

enum finding_level {
	FINDING_GOOD,
	FINDING_NOTE,			/* to know */
	FINDING_WARNING,		/* a worse mode, or losses */
	FINDING_BLOCKER,		/* not usable */
};

struct finding {
	enum finding_level level;
	const char *check;		/* short name of what was looked at */
	char text[320];			/* a sentence */
	char remedy[160];		/* a command to type, or what to do; empty: nothing */
};

#define FINDINGS_MAX	32

struct verdict {
	bool usable;
	const char *mode;		/* afxdp-zerocopy, -native, -generic, afxdp, afpacket, tap, or none */
	char mode_text[160];		/* in words */
	unsigned n;
	struct finding finding[FINDINGS_MAX];
};

/* Who would open the interface. */
struct verdict_server {
	bool running;			/* a netmapd serves this user; else the user's own would be started */
	bool root;			/* it runs as root, whose rights the user's own need not be */
	bool holds;			/* it has a port of this name open now */
};

void verdict_make(struct verdict *v, const char *ifname, const struct probe *p,
	const struct verdict_server *server);

#endif
