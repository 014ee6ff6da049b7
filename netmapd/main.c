/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netmapd: options, and the order of the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../drivers/state_file.h"
#include "config.h"
#include "log.h"
#include "modules.h"
#include "server.h"
#include "start.h"

#define IDLE_PRIVATE_S	5

struct options {
	const char *socket;
	const char *config;		/* NULL: the file of this instance, if there is one */
	const char *module_dir;		/* NULL: where modules were installed */
	bool foreground;
	bool orphan;			/* started by libnetmap: nobody waits for us */
	bool verbose;
	bool idle_given;
	int idle_s;			/* -1: never */
};

static void
usage(FILE *to)
{
	fputs("usage: netmapd [options]\n"
		"  -f, --foreground    stay here, log to standard error, and do not leave when idle\n"
		"  -s, --socket PATH   serve this socket (default: netmapd.sock in the private directory,\n"
		"                      $XDG_RUNTIME_DIR/netmap or /tmp/netmap-UID)\n"
		"  -i, --idle SECONDS  leave when nothing was open for so long (default: 5 for a private\n"
		"                      instance in the background, else never)\n"
		"  -c, --config FILE   read parameters from this file (default: /etc/netmap/netmapd.conf for the\n"
		"                      system's instance, netmapd.conf in the private directory or\n"
		"                      $XDG_CONFIG_HOME/netmap/netmapd.conf for a private one, if there)\n"
		"  -m, --module-dir DIR  load switch modules from this directory (default:\n"
		"                      " MODULE_DIR ")\n"
		"      --orphan        used by libnetmap: go on in this process, which nobody waits for\n"
		"  -v, --verbose       log what every client does\n"
		"  -V, --version       print the version and leave\n"
		"  -h, --help          print this and leave\n", to);
}

/* -1: go on; else the exit status. */
static int
options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longopts[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "module-dir", required_argument, NULL, 'm' },
		{ "idle", required_argument, NULL, 'i' },
		{ "orphan", no_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long n;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "fs:c:m:i:vVh", longopts, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->foreground = true;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'm':
			if (optarg[0] != '/') {
				fprintf(stderr, "netmapd: --module-dir %s: not an absolute path\n", optarg);
				return 2;
			}
			o->module_dir = optarg;
			break;
		case 'o':
			o->orphan = true;
			break;
		case 'i':
			errno = 0;
			n = strtoul(optarg, &end, 10);
			if (end == optarg || *end != '\0' || optarg[0] == '-' || errno != 0 || n > INT_MAX / 1000) {
				fprintf(stderr, "netmapd: --idle %s: not a number of seconds from 0 to %d\n", optarg, INT_MAX / 1000);
				return 2;
			}
			o->idle_s = (int)n;
			o->idle_given = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			puts("netmapd " NETMAPD_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "netmapd: unexpected argument \"%s\"\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return -1;
}

/* What a program had open when it started us is none of our business, and would be kept open by us. Its signal handling neither. */
static void
inherited_drop(void)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	/* Numbers 0 to 2 are not for our sockets. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0) == 0)
		return;
	for (fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
}

/* A descriptor for each session, process, region and waiting thread. */
static void
limits_raise(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static void
log_open(const struct options *o, const struct start *s)
{
	char path[INSTANCE_PATH_MAX];

	struct why why;

	if (o->verbose)
		config_set("verbose", 1, &why);
	if (o->foreground)
		return;
	if (s->dir[0] == '\0' || instance_path(path, s->dir, INSTANCE_LOG_NAME) != 0 || log_to_file(path) != 0)
		log_to_syslog();
}

static void
recovery_log(void *arg, const char *text)
{
	os_log(OS_LOG_WARNING, "%s", text);
}

/* What one that was killed left changed at interfaces. */
static void
interfaces_recover(void)
{
	int n = state_file_recover(server_dir(), recovery_log, NULL);

	/* In a directory that others may write to there are no notes of ours. */
	if (n < 0 && n != -EPERM)
		os_log(OS_LOG_WARNING, "cannot look for interfaces that were left changed, in %s: %s", server_dir(), strerror(-n));
}

static int
fail(const char *text)
{
	fprintf(stderr, "netmapd: %s\n", text);
	return 1;
}

int
main(int argc, char **argv)
{
	struct options o = { .idle_s = -1 };
	struct server_options so = { 0 };
	struct start s;
	char text[512] = "";
	int status = options_parse(argc, argv, &o);

	if (status >= 0)
		return status;
	inherited_drop();
	umask(077);
	limits_raise();
	if (start_place(&s, o.socket, text, sizeof(text)) != 0 || start_listen(&s, text, sizeof(text)) != 0)
		return fail(text);
	if (!o.foreground && start_detach(&s, o.orphan) != 0)
		return fail(strerror(errno));
	if (!o.idle_given && !o.foreground && s.dir[0] != '\0')
		o.idle_s = IDLE_PRIVATE_S;
	if (o.module_dir != NULL)
		modules_set_dir(o.module_dir);
	so = (struct server_options){ .path = s.path, .listen_fd = s.listen_fd, .lock_fd = s.lock_fd, .idle_s = o.idle_s };
	if (server_init(&so, text, sizeof(text)) != 0 || config_load(o.config, &s, text, sizeof(text)) != 0) {
		unlink(s.path);
		return fail(text);
	}
	log_open(&o, &s);
	if (chdir("/") != 0)
		return fail(strerror(errno));
	os_log(OS_LOG_INFO, "netmapd " NETMAPD_VERSION " (pid %d, user %u) serves %s", (int)getpid(), (unsigned)geteuid(), s.path);
	interfaces_recover();
	start_done(&s);
	return server_run();
}
