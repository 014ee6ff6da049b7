/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test programs that talk to a netmapd of their own. A program is a list of cases; each runs in a process of
 * its own, one after the other, all of them against one netmapd, which the library starts by itself (NETMAPD
 * names it) in a private directory. At the end the program waits until that netmapd has left, and fails if it
 * does not, if it logged something that the list of cases does not announce, or if a sanitizer found
 * something.
 *
 *	program [CASE ...]	run these cases, or all
 *
 * Checks end the process that makes them with a message. What a case starts with spawn() is over before the
 * case is.
 */
#ifndef CONFORMANCE_HARNESS_H
#define CONFORMANCE_HARNESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned seconds;		/* limit; 0: the usual one */
	bool entry;			/* not a case: what reexec(name) runs */
};

struct test_group {
	const struct test_case *cases;
	size_t n;
	const char *const *log;		/* parts of lines that netmapd may log besides the usual; ends with NULL */
};

int harness_main(int argc, char **argv, const struct test_group *group);

#define TEST_MAIN(cases_, log_) \
	int main(int argc, char **argv) \
	{ \
		const struct test_group group = { cases_, sizeof(cases_) / sizeof(cases_[0]), log_ }; \
		return harness_main(argc, argv, &group); \
	}

/* Ends the case as skipped. */
void skip(const char *why) __attribute__((noreturn));

void check_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4),
	noreturn));

#define check(cond) \
	do { \
		if (!(cond)) \
			check_failed(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* Two whole numbers; both are shown. */
#define check_eq(a_, b_) \
	do { \
		long long va_ = (long long)(a_), vb_ = (long long)(b_); \
		if (va_ != vb_) \
			check_failed(__FILE__, __LINE__, "%s is %lld, and %s is %lld", #a_, va_, #b_, vb_); \
	} while (0)

/* call returns -1 with this errno */
#define check_errno(call_, errno_) \
	do { \
		errno = 0; \
		long long vc_ = (long long)(call_); \
		int ve_ = errno; \
		if (vc_ != -1 || ve_ != (errno_)) \
			check_failed(__FILE__, __LINE__, "%s returned %lld with errno %d (%s), not -1 with %s", \
				#call_, vc_, ve_, strerror(ve_), #errno_); \
	} while (0)

/* call does not fail */
#define check_ok(call_) \
	do { \
		errno = 0; \
		if ((long long)(call_) < 0) \
			check_failed(__FILE__, __LINE__, "%s: %s", #call_, strerror(errno)); \
	} while (0)

/* Runs fn(arg) in a new process. It ends when fn returns; its failed checks are the case's at join(). */
pid_t spawn(void (*fn)(void *arg), void *arg);
/* Waits for it, and fails unless it ended well. */
void join(pid_t pid);
/* Ends it by a signal and takes its exit status. */
void stop_process(pid_t pid, int sig);
/* Becomes another image of this program, which runs entry `name` with these arguments. */
void reexec(const char *name, const char *arg1, const char *arg2) __attribute__((noreturn));
/* In an entry: its arguments. */
extern char **entry_args;

/* From now on SIGUSR1 is counted. flags: SA_RESTART or 0. */
void signals_count(int flags);
extern volatile sig_atomic_t signals_seen;
/* And this thread gets none until the old mask is back. */
void signals_block(sigset_t *before);

/* Memory that spawned processes share with the case; zeroed. */
void *shared_memory(size_t size);

/* Monotonic. */
uint64_t now_ms(void);
void sleep_ms(unsigned ms);

/* Calls done(arg) every millisecond until it is true; fails after ms. */
#define wait_until(cond_, ms_) \
	do { \
		uint64_t end_ = now_ms() + (ms_); \
		while (!(cond_)) { \
			if (now_ms() > end_) \
				check_failed(__FILE__, __LINE__, "not within %d ms: %s", \
					(int)(ms_), #cond_); \
			sleep_ms(1); \
		} \
	} while (0)

/* The private directory; the process number of its netmapd, 0 if none was started yet. */
const char *harness_dir(void);
pid_t harness_daemon(void);

#endif
