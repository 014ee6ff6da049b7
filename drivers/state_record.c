/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a state file, see state_file.h. What is read may have been cut by a crash: it is one whole
 * record or none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state_file.h"

/* --- writing --- */

struct writer {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3))) put(struct writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->at, w->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= w->left) {
		w->left = 0;
		return;
	}
	w->at += n;
	w->left -= (size_t)n;
}

int state_record_format(const struct state_record *r, char *text, size_t size)
{
	struct writer w = { .at = text, .left = size };

	put(&w, "netmap-state 1\nboot %s\nnetns %" PRIu64 " %" PRIu64 "\n", r->boot, r->netns_dev,
	    r->netns_inode);
	put(&w, "interface %" PRIu32 " %02x:%02x:%02x:%02x:%02x:%02x %s\n", r->ifindex, r->mac[0],
	    r->mac[1], r->mac[2],
	    r->mac[3], r->mac[4], r->mac[5], r->name);
	if (r->promisc)
		put(&w, "promisc\n");
	for (unsigned i = 0; i < r->offloads.n; i++)
		put(&w, "feature %s\n", r->offloads.name[i]);
	put(&w, "end\n");
	return w.left ? (int)(w.at - text) : -ENOSPC;
}

/* --- reading: each function moves the cursor over what it took, or says false --- */

static bool take(const char **p, const char *what)
{
	size_t len = strlen(what);

	if (strncmp(*p, what, len) != 0)
		return false;
	*p += len;
	return true;
}

static bool take_number(const char **p, uint64_t max, uint64_t *value)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*value = strtoull(*p, &end, 10);
	*p = end;
	return errno == 0 && *value <= max;
}

/* Up to the end of the line, which is taken as well. */
static bool take_word(const char **p, char *out, size_t size)
{
	size_t len = strcspn(*p, " \t\n");

	if (len == 0 || len >= size || (*p)[len] != '\n')
		return false;
	memcpy(out, *p, len);
	out[len] = '\0';
	*p += len + 1;
	return true;
}

static bool take_mac(const char **p, uint8_t mac[6])
{
	unsigned byte;
	int used;

	for (int i = 0; i < 6; i++) {
		used = 0;
		if (strspn(*p, "0123456789abcdef") != 2 || sscanf(*p, "%2x%n", &byte, &used) != 1 ||
		    used != 2)
			return false;
		mac[i] = (uint8_t)byte;
		*p += 2;
		if (!take(p, i < 5 ? ":" : " "))
			return false;
	}
	return true;
}

static bool take_features(const char **p, struct offloads_saved *o)
{
	while (take(p, "feature ")) {
		if (o->n == OFFLOADS_MAX || !take_word(p, o->name[o->n], sizeof(o->name[0])))
			return false;
		o->n++;
	}
	return true;
}

int state_record_parse(struct state_record *r, const char *text)
{
	const char *p = text;
	uint64_t ifindex;

	memset(r, 0, sizeof(*r));
	if (!take(&p, "netmap-state 1\nboot ") || !take_word(&p, r->boot, sizeof(r->boot)))
		return -EINVAL;
	if (!take(&p, "netns ") || !take_number(&p, UINT64_MAX, &r->netns_dev) || !take(&p, " ") ||
	    !take_number(&p, UINT64_MAX, &r->netns_inode) || !take(&p, "\n"))
		return -EINVAL;
	if (!take(&p, "interface ") || !take_number(&p, INT32_MAX, &ifindex) || ifindex == 0 || !take(&p,
												      " ") ||
	    !take_mac(&p, r->mac) || !take_word(&p, r->name, sizeof(r->name)))
		return -EINVAL;
	r->ifindex = (uint32_t)ifindex;
	r->promisc = take(&p, "promisc\n");
	if (!take_features(&p, &r->offloads) || !take(&p, "end\n") || *p != '\0')
		return -EINVAL;
	return 0;
}
