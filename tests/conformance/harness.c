/* SPDX-License-Identifier: BSD-2-Clause */
/* What harness.h says. The process that runs the cases never opens a netmap descriptor itself. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CASE_SECONDS	25
#define LEAVE_MS	10000
#define STATUS_SKIP	77

char **entry_args;
static char dir[64];
static pid_t runner;

static const char *const usual_log[] = {
	") serves ",			/* netmapd 0.1.0 (pid ...) serves ... */
	"leaving: no session for",
	NULL
};

/* --- for the cases --- */

void
check_failed(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "%s:%d: %s\n", base != NULL ? base + 1 : file, line, text);
	fflush(NULL);
	_exit(1);
}

void
skip(const char *why)
{
	printf("skipped: %s\n", why);
	fflush(NULL);
	_exit(STATUS_SKIP);
}

pid_t
spawn(void (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	fn(arg);
	fflush(NULL);
	_exit(0);
}

void
join(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		check_eq(errno, EINTR);
	if (WIFSIGNALED(status))
		check_failed(__FILE__, __LINE__, "process %d was ended by signal %d", (int)pid,
			WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		check_failed(__FILE__, __LINE__, "process %d failed", (int)pid);
}

void
stop_process(pid_t pid, int sig)
{
	int status;

	kill(pid, sig);
	while (waitpid(pid, &status, 0) < 0)
		check_eq(errno, EINTR);
}

void
reexec(const char *name, const char *arg1, const char *arg2)
{
	char *argv[] = { (char *)"self", (char *)"--entry", (char *)(uintptr_t)name, (char *)(uintptr_t)arg1,
		(char *)(uintptr_t)arg2, NULL };

	fflush(NULL);
	execv("/proc/self/exe", argv);
	check_failed(__FILE__, __LINE__, "exec: %s", strerror(errno));
}

volatile sig_atomic_t signals_seen;

static void
signal_seen(int sig)
{
	signals_seen++;
}

void
signals_count(int flags)
{
	struct sigaction sa = { .sa_handler = signal_seen, .sa_flags = flags };

	check_ok(sigaction(SIGUSR1, &sa, NULL));
}

void
signals_block(sigset_t *before)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	check_ok(sigprocmask(SIG_BLOCK, &usr1, before));
}

void *
shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
sleep_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

const char *
harness_dir(void)
{
	return getenv("XDG_RUNTIME_DIR");
}

/* --- netmapd --- */

static FILE *
log_file(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/netmap/netmapd.log", harness_dir());
	return fopen(path, "r");
}

pid_t
harness_daemon(void)
{
	FILE *f = log_file();
	char line[1024];
	int pid = 0, n;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *at = strstr(line, "(pid ");

		if (at != NULL && strstr(line, " serves ") != NULL && sscanf(at, "(pid %d", &n) == 1)
			pid = n;
	}
	if (f != NULL)
		fclose(f);
	return pid;
}

/* Running, and not just a zombie that nobody took. */
static bool
is_running(pid_t pid)
{
	char path[64], line[512] = "";
	const char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	state = strrchr(line, ')');
	return state != NULL && state[1] != '\0' && state[2] != 'Z';
}

static bool
daemon_left(void)
{
	uint64_t end = now_ms() + LEAVE_MS;
	pid_t pid = harness_daemon();

	if (pid == 0)
		return true;
	while (is_running(pid) && now_ms() < end)
		sleep_ms(10);
	if (!is_running(pid))
		return true;
	fprintf(stderr,
		"netmapd is left behind: it should leave a second after the last descriptor is closed\n");
	kill(pid, SIGTERM);
	sleep_ms(500);
	kill(pid, SIGKILL);
	return false;
}

static bool
line_is_known(const char *line, const char *const *known)
{
	for (; known != NULL && *known != NULL; known++)
		if (strstr(line, *known) != NULL)
			return true;
	return false;
}

static bool
log_is_clean(const struct test_group *group)
{
	FILE *f = log_file();
	char line[1024];
	bool clean = true;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (line_is_known(line, usual_log) || line_is_known(line, group->log))
			continue;
		fprintf(stderr, "unexpected in the log of netmapd: %s", line);
		clean = false;
	}
	if (f != NULL)
		fclose(f);
	return clean;
}

/* Sanitizers write into files: netmapd has no standard error. */
static bool
sanitizers_silent(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool silent = true;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[512], line[1024];
		FILE *f;

		if (strncmp(e->d_name, "sanitizer", 9) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "r");
		fprintf(stderr, "%s:\n", e->d_name);
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			fputs(line, stderr);
		if (f != NULL)
			fclose(f);
		silent = false;
	}
	if (d != NULL)
		closedir(d);
	return silent;
}

/* --- surroundings --- */

static void
option_add(const char *variable, const char *option)
{
	const char *old = getenv(variable);
	char text[1024];

	snprintf(text, sizeof(text), "%s%slog_path=%s/sanitizer%s%s", old != NULL ? old : "",
		old != NULL ? ":" : "", dir,
		option[0] != '\0' ? ":" : "", option);
	setenv(variable, text, 1);
}

static bool
surroundings_make(void)
{
	strcpy(dir, "/tmp/netmap-test-XXXXXX");
	if (mkdtemp(dir) == NULL) {
		perror("mkdtemp");
		return false;
	}
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("NETMAP_HOST", "user", 1);
	unsetenv("NETMAP_SOCKET");
	option_add("ASAN_OPTIONS", "");
	option_add("TSAN_OPTIONS", "");
	option_add("UBSAN_OPTIONS", "print_stacktrace=1");
	return true;
}

static int
file_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* --- cases --- */

static void
case_process(const struct test_case *c)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != runner)
		_exit(1);
	alarm(c->seconds != 0 ? c->seconds : CASE_SECONDS);
	c->run();
	exit(0);
}

/* 0 passed, 1 failed, 77 skipped. */
static int
case_run(const struct test_case *c)
{
	uint64_t start = now_ms();
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (pid == 0)
		case_process(c);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* What it may have left. */
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: %s\n", c->name,
			WTERMSIG(status) == SIGALRM ? "took too long" : strsignal(WTERMSIG(status)));
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	printf("%-7s %s (%llu ms)\n", status == 0 ? "ok" : status == STATUS_SKIP ? "skipped" : "FAILED",
		c->name,
		(unsigned long long)(now_ms() - start));
	return status == 0 || status == STATUS_SKIP ? status : 1;
}

static bool
is_wanted(const struct test_case *c, int argc, char **argv)
{
	if (c->entry)
		return false;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], c->name) == 0)
			return true;
	return argc == 1;
}

static int
entry_run(const struct test_group *group, char **argv)
{
	for (size_t i = 0; i < group->n; i++) {
		if (!group->cases[i].entry || strcmp(group->cases[i].name, argv[2]) != 0)
			continue;
		entry_args = argv + 3;
		group->cases[i].run();
		fflush(NULL);
		_exit(0);
	}
	return 1;
}

int
harness_main(int argc, char **argv, const struct test_group *group)
{
	unsigned passed = 0, failed = 0, skipped = 0;

	if (argc >= 3 && strcmp(argv[1], "--entry") == 0)
		return entry_run(group, argv);
	if (getenv("NETMAPD") == NULL) {
		printf("skipped: NETMAPD does not name a netmapd\n");
		return STATUS_SKIP;
	}
	if (access("/run/netmap/netmapd.sock", F_OK) == 0) {
		printf("skipped: the system's netmapd runs, and would serve the test\n");
		return STATUS_SKIP;
	}
	runner = getpid();
	if (!surroundings_make())
		return 1;
	for (size_t i = 0; i < group->n; i++) {
		if (!is_wanted(&group->cases[i], argc, argv))
			continue;
		switch (case_run(&group->cases[i])) {
		case 0: passed++; break;
		case STATUS_SKIP: skipped++; break;
		default: failed++;
		}
	}
	failed += !daemon_left();
	failed += !log_is_clean(group);
	failed += !sanitizers_silent();
	nftw(dir, file_remove, 16, FTW_DEPTH | FTW_PHYS);
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed > 0 ? 1 : passed == 0 ? STATUS_SKIP : 0;
}
