/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of bridge. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

static const char usage[] =
	"usage: bridge [-v] [-c] [-L] [-b slots] [-w seconds] -i port [-i port]\n"
	"       bridge [options] port [port [slots]]\n"
	"  -i port     netmap:IF, valeX:PORT, a pipe, or IF; one port alone is bridged with its host rings\n"
	"  -L          one port: send back what it receives\n"
	"  -b slots    moved at a time, 1..8192 (1024)\n"
	"  -w seconds  wait for the links, 0..100 (4; 0 for VALE ports and pipes)\n"
	"  -c          copy packets, also where buffers could be exchanged\n"
	"  -v          a line of statistics each second, and what is opened\n"
	"  -h          this text\n";

static int number_parse(FILE *err, const char *opt, const char *text, unsigned min, unsigned max,
			unsigned *value)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max) {
		fprintf(err, "bridge: %s %s: must be a number from %u to %u\n", opt, text, min, max);
		return -EINVAL;
	}
	*value = (unsigned)n;
	return 0;
}

static int port_add(struct bridge_options *o, const char *name, FILE *err)
{
	unsigned i = o->port[0] ? 1 : 0;

	if (o->port[i]) {
		fprintf(err, "bridge: %s: a bridge has two ports at most\n", name);
		return -EINVAL;
	}
	o->port[i] = name;
	return 0;
}

static int option_take(struct bridge_options *o, int opt, const char *text, FILE *err)
{
	unsigned n = 0;
	int rc;

	switch (opt) {
	case 'i': return port_add(o, text, err);
	case 'b': return number_parse(err, "-b", text, 1, BURST_MAX, &o->burst);
	case 'w': rc = number_parse(err, "-w", text, 0, WAIT_MAX, &n); o->wait = (int)n; return rc;
	case 'c': o->copy = true; return 0;
	case 'L': o->loopback = true; return 0;
	case 'v': o->verbose++; return 0;
	case ':':
		fprintf(err, "bridge: -%c: needs a value (-h for help)\n", optopt);
		return -EINVAL;
	default:
		fprintf(err, "bridge: -%c: no such option (-h for help)\n", optopt);
		return -EINVAL;
	}
}

/* What -i and -b say may also stand without them: port, port, slots. */
static int positional_take(struct bridge_options *o, int argc, char *const argv[], FILE *err)
{
	for (int i = 0; i < argc; i++) {
		int rc = o->port[0] && o->port[1]
			? number_parse(err, "slots", argv[i], 1, BURST_MAX, &o->burst)
			: port_add(o, argv[i], err);

		if (rc)
			return rc;
	}
	return 0;
}

int bridge_options_parse(struct bridge_options *o, int argc, char *const argv[], FILE *out, FILE *err)
{
	int opt, rc;

	*o = (struct bridge_options){ .burst = BURST_DEFAULT, .wait = -1 };
	optind = 0;	/* start over, also in a process that has parsed before */
	opterr = 0;
	while ((opt = getopt(argc, argv, ":i:b:w:cLvh")) != -1) {
		if (opt == 'h') {
			fputs(usage, out);
			return 1;
		}
		rc = option_take(o, opt, optarg, err);
		if (rc)
			return rc;
	}
	rc = positional_take(o, argc - optind, argv + optind, err);
	if (rc)
		return rc;
	if (!o->port[0]) {
		fprintf(err, "bridge: no port: give one or two with -i (-h for help)\n");
		return -EINVAL;
	}
	/* The same port twice is the port and its host side. */
	if (o->port[1] && strcmp(o->port[0], o->port[1]) == 0)
		o->port[1] = NULL;
	if (o->loopback && o->port[1]) {
		fprintf(err, "bridge: -L: takes one port, not two\n");
		return -EINVAL;
	}
	return 0;
}
