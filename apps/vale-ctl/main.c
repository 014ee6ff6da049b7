/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vale-ctl: shows the ports of the instance that serves this user, and changes its switches.
 * Listing asks for statistics and starts no instance, nor does the doctor, who looks at interfaces; the other commands
 * are netmap requests on a descriptor, like any program's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netmap_stats.h>

#include "doctor.h"
#include "json.h"
#include "listing.h"
#include "options.h"
#include "params.h"
#include "print.h"
#include "request.h"
#include "switches.h"
#include "table.h"

#define WHY_SIZE	512

/* Says so and returns the exit status. `why`, what netmap knows about it, may be empty. */
static int
failed_why(const char *what, const char *name, int err, const char *why)
{
	char clean[WHY_SIZE];

	fprintf(stderr, "vale-ctl: %s%s%s: %s", what, name != NULL ? " " : "", name != NULL ? name : "",
		strerror(-err));
	if (why[0] != '\0') {
		text_clean(clean, sizeof(clean), why);
		fprintf(stderr, " (%s)", clean);
	} else if (err == -EOPNOTSUPP) {
		fputs(" (the instance of netmap that serves this program cannot do that)", stderr);
	}
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

static int
failed(const char *what, const char *name, int err)
{
	return failed_why(what, name, err, netmap_last_error());
}

static int
wrote(int err)
{
	return err != 0 ? failed_why("cannot write", NULL, err, "") : EXIT_SUCCESS;
}

/* --- listing --- */

static int
no_instance(const struct options *o)
{
	char why[WHY_SIZE];

	if (o->json)
		return wrote(json_print(stdout, json_listing_empty()));
	text_clean(why, sizeof(why), netmap_last_error());
	printf("no instance of netmapd is running%s%s%s\n", why[0] != '\0' ? " (" : "", why,
		why[0] != '\0' ? ")" : "");
	return EXIT_SUCCESS;
}

/* A real /dev/netmap counts nothing for us. */
static int
list_by_requests(const struct options *o)
{
	int err;

	if (o->json || o->interval_s > 0) {
		fputs("vale-ctl: -j, -i: a real /dev/netmap serves this program, which has no counters "
			"(NETMAP_HOST=user chooses netmapd)\n", stderr);
		return EXIT_FAILURE;
	}
	err = request_list(o->name, stdout);
	return err != 0 ? failed("cannot list", o->name, err) : EXIT_SUCCESS;
}

static int
listing_show(const struct options *o, const struct netmap_stats *now, const struct netmap_stats *before)
{
	struct listing l;
	int err = listing_make(&l, now, before, o->name);

	if (err != 0)
		return failed("cannot list", NULL, err);
	if (o->name != NULL && l.n == 0) {
		fprintf(stderr, "vale-ctl: %s: no such port or switch\n", o->name);
		listing_free(&l);
		return EXIT_FAILURE;
	}
	if (o->json)
		err = json_print(stdout, json_listing(&l));
	else
		print_listing(stdout, &l, o->verbose);
	listing_free(&l);
	return wrote(err);
}

static int
stats_failed(const struct options *o, int err)
{
	if (err == -ENOENT && o->name == NULL)
		return no_instance(o);
	if (err == -ENOENT) {
		fprintf(stderr, "vale-ctl: %s: no such port or switch: no instance of netmapd is running\n",
			o->name);
		return EXIT_FAILURE;
	}
	return err == -EOPNOTSUPP ? list_by_requests(o) : failed("cannot get statistics", NULL, err);
}

static void
pause_for(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds };

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static int
list(const struct options *o)
{
	struct netmap_stats *before = NULL, *now;
	int err = netmap_stats_take(&now), rc;

	if (err == 0 && o->interval_s > 0) {
		before = now;
		pause_for(o->interval_s);
		err = netmap_stats_take(&now);
	}
	rc = err != 0 ? stats_failed(o, err) : listing_show(o, now, before);
	netmap_stats_free(now);
	netmap_stats_free(before);
	return rc;
}

/* --- requests --- */

static int
info(const struct options *o)
{
	struct port_info i;
	int err = request_info(o->name, &i);

	if (err != 0)
		return failed("no information on", o->name, err);
	if (o->json)
		return wrote(json_print(stdout, json_info(o->name, &i)));
	info_print(stdout, o->name, &i);
	return EXIT_SUCCESS;
}

static int
change(const struct options *o)
{
	static const char *const what[] = {
		[COMMAND_ATTACH] = "cannot attach",
		[COMMAND_ATTACH_HOST] = "cannot attach, with host rings,",
		[COMMAND_DETACH] = "cannot detach",
		[COMMAND_NEW] = "cannot make the port",
		[COMMAND_REMOVE] = "cannot remove the port",
		[COMMAND_POLLING_ON] = "cannot start polling of",
		[COMMAND_POLLING_OFF] = "cannot stop polling of",
	};
	int err = request_run(o, stdout);

	return err != 0 ? failed(what[o->command], o->name, err) : EXIT_SUCCESS;
}

static int
doctor(const struct options *o)
{
	int rc = doctor_run(o, stdout);

	return rc < 0 ? failed_why("cannot look at", o->name, rc, "") : rc;
}

static int
settings(const struct options *o)
{
	const char *const what[] = {
		[COMMAND_PARAMS] = o->has_value ? "cannot set the parameter" : "cannot list parameters",
		[COMMAND_TABLE] = "cannot list the forwarding table of",
		[COMMAND_TABLE_ADD] = "cannot make a static entry for",
		[COMMAND_TABLE_REMOVE] = "cannot remove the address from",
	};
	int err = o->command == COMMAND_PARAMS ? params_run(o, stdout) : table_run(o, stdout);

	return err != 0 ? failed(what[o->command], o->name, err) : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct options o;
	int rc = options_parse(&o, argc, argv, stdout, stderr);

	if (rc != 0)
		return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	switch (o.command) {
	case COMMAND_LIST:
		rc = list(&o);
		break;
	case COMMAND_INFO:
		rc = info(&o);
		break;
	case COMMAND_DOCTOR:
		rc = doctor(&o);
		break;
	case COMMAND_PARAMS:
	case COMMAND_TABLE:
	case COMMAND_TABLE_ADD:
	case COMMAND_TABLE_REMOVE:
		rc = settings(&o);
		break;
	case COMMAND_SWITCHES:
	case COMMAND_OWN:
	case COMMAND_DISOWN:
	case COMMAND_MODULE:
	case COMMAND_CONFIG:
		rc = switches_run(&o, stdout);
		rc = rc != 0 ? failed("cannot change or list switches", o.name, rc) : EXIT_SUCCESS;
		break;
	default:
		rc = change(&o);
		break;
	}
	/* A listing that nobody got is no success. */
	if (fflush(stdout) != 0 && rc == EXIT_SUCCESS)
		rc = failed_why("cannot write", NULL, -errno, "");
	return rc;
}
