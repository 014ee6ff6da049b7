/* SPDX-License-Identifier: BSD-2-Clause */
/* select(2) with netmap descriptors among the bits: translated to poll, sets of any size. */
#include "intercept.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "poll_call.h"
#include "raw_syscall.h"

/* The kernel's translation between the two calls. */
#define SELECT_IN	(POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT	(POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX	POLLPRI

#define WORD_BITS	((int)(8 * sizeof(unsigned long)))

struct select_sets {
	int n;				/* bits to look at */
	unsigned long *set[3];		/* read, write, exceptional; may be NULL */
};

static const short select_events[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };

/*
 * The kernel looks at no more bits than its own table of the process's descriptors has, and programs that
 * pass getdtablesize() with an ordinary fd_set count on it.
 */
static int
select_bits_limit(void)
{
	char buf[1024], *at;
	long fd, n;

	fd = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return FD_SETSIZE;
	n = raw_syscall(SYS_read, fd, buf, sizeof(buf) - 1);
	raw_syscall(SYS_close, fd);
	buf[n > 0 ? n : 0] = '\0';
	at = strstr(buf, "\nFDSize:");
	return at ? atoi(at + strlen("\nFDSize:")) : FD_SETSIZE;
}

static unsigned long
select_word(const struct select_sets *s, int word)
{
	unsigned long bits = 0;

	for (int k = 0; k < 3; k++)
		bits |= s->set[k] ? s->set[k][word] : 0;
	if (s->n - word * WORD_BITS < WORD_BITS)
		bits &= (1UL << (s->n - word * WORD_BITS)) - 1;
	return bits;
}

static bool
select_has(const struct select_sets *s, int k, int fd)
{
	return s->set[k] && s->set[k][fd / WORD_BITS] >> (fd % WORD_BITS) & 1;
}

static int
select_words(const struct select_sets *s)
{
	return (s->n + WORD_BITS - 1) / WORD_BITS;
}

bool
select_concerned(int nfds, const void *rd, const void *wr, const void *ex)
{
	int highest = atomic_load_explicit(&fd_highest, memory_order_relaxed);
	int n = nfds <= highest ? nfds : highest + 1;
	struct select_sets s = { n, { (void *)rd, (void *)wr, (void *)ex } };

	for (int word = 0; word < select_words(&s); word++)
		for (unsigned long bits = select_word(&s, word); bits; bits &= bits - 1)
			if (fd_peek(word * WORD_BITS + __builtin_ctzl(bits)))
				return true;
	return false;
}

/* One pollfd for each descriptor that has a bit. How many, or -ENOMEM. */
static int
select_to_poll(const struct select_sets *s, struct wait_array *mem)
{
	int n = 0;

	for (int word = 0; word < select_words(s); word++) {
		for (unsigned long bits = select_word(s, word); bits; bits &= bits - 1) {
			int fd = word * WORD_BITS + __builtin_ctzl(bits);
			struct pollfd p = { .fd = fd };

			for (int k = 0; k < 3; k++)
				if (select_has(s, k, fd))
					p.events |= select_events[k] & ~(POLLHUP | POLLERR);
			if (!wait_array_reserve(mem, (size_t)(n + 1) * sizeof(p)))
				return -ENOMEM;
			((struct pollfd *)mem->at)[n++] = p;
		}
	}
	return n;
}

/*
 * How many bits the results make, -EBADF for a closed descriptor. What poll reports though select would not
 * (a hang-up on a descriptor of which only exceptional conditions were asked) is not asked about again.
 */
static int
select_count(const struct select_sets *s, struct pollfd *fds, int n)
{
	int bits = 0;

	for (int i = 0; i < n; i++) {
		int here = 0;

		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		if (fds[i].revents & POLLNVAL)
			return -EBADF;
		for (int k = 0; k < 3; k++)
			here += select_has(s, k, fds[i].fd) && fds[i].revents & select_events[k];
		if (!here)
			fds[i].fd = -1;
		bits += here;
	}
	return bits;
}

/* Whole words, so the bits from n on in the last one are cleared, as the kernel does. */
static void
select_write_back(struct select_sets *s, const struct pollfd *fds, int n)
{
	for (int word = 0, i = 0; word < select_words(s); word++) {
		unsigned long result[3] = { 0, 0, 0 };

		for (; i < n && (fds[i].fd < 0 || fds[i].fd / WORD_BITS == word); i++)
			for (int k = 0; k < 3; k++)
				if (fds[i].fd >= 0 && select_has(s, k, fds[i].fd) &&
					fds[i].revents & select_events[k])
					result[k] |= 1UL << (fds[i].fd % WORD_BITS);
		for (int k = 0; k < 3; k++)
			if (s->set[k])
				s->set[k][word] = result[k];
	}
}

static void
select_cancelled(void *arg)
{
	wait_array_free(arg);
}

/*
 * Waits until some bit can be set, or the time is over. A function of its own: its frame may be left by
 * cancellation.
 */
static __attribute__((noinline)) int
select_wait(const struct select_sets *s, struct wait_array *mem, int n, struct timeout *timeout,
	const sigset_t *mask)
{
	int ret;

	pthread_cleanup_push(select_cancelled, mem);
	for (;;) {
		ret = poll_run(mem->at, (unsigned)n, timeout, mask);
		if (ret <= 0)
			break;
		ret = select_count(s, mem->at, n);
		if (ret != 0)
			break;
	}
	pthread_cleanup_pop(0);
	return ret;
}

static int
select_run(struct select_sets *s, struct timeout *timeout, const sigset_t *mask)
{
	struct pollfd first[32];
	struct wait_array mem = { first, sizeof(first), false };
	int n, ret;

	if (s->n > FD_SETSIZE) {
		int limit = select_bits_limit();

		s->n = s->n < limit ? s->n : limit;
	}
	n = select_to_poll(s, &mem);
	ret = n < 0 ? n : select_wait(s, &mem, n, timeout, mask);
	if (ret >= 0)
		select_write_back(s, mem.at, n);
	wait_array_free(&mem);
	return ret;
}

INTERCEPT int
select(int nfds, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *tv)
{
	struct select_sets s = { nfds, { (unsigned long *)rd, (unsigned long *)wr, (unsigned long *)ex } };
	struct timespec ts, *left;
	struct timeout t;
	int ret;

	if (!select_concerned(nfds, rd, wr, ex))
		return libc.select(nfds, rd, wr, ex, tv);
	if (tv && (tv->tv_sec < 0 || tv->tv_usec < 0))
		return result_errno(-EINVAL);
	if (tv)
		ts = (struct timespec){ tv->tv_sec + tv->tv_usec / 1000000, tv->tv_usec % 1000000 * 1000 };
	t = timeout_ts(tv ? &ts : NULL);
	pthread_testcancel();
	ret = select_run(&s, &t, NULL);
	/* As Linux has it: the caller's timeout becomes what is left. */
	left = tv && !t.forever ? timeout_left(&t, &ts) : NULL;
	if (left)
		*tv = (struct timeval){ left->tv_sec, left->tv_nsec / 1000 };
	return result_errno(ret);
}

INTERCEPT int
pselect(int nfds, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout, const sigset_t *mask)
{
	struct select_sets s = { nfds, { (unsigned long *)rd, (unsigned long *)wr, (unsigned long *)ex } };
	struct timeout t;

	if (!select_concerned(nfds, rd, wr, ex))
		return libc.pselect(nfds, rd, wr, ex, timeout, mask);
	if (!timeout_ts_valid(timeout))
		return result_errno(-EINVAL);
	t = timeout_ts(timeout);
	pthread_testcancel();
	return result_errno(select_run(&s, &t, mask));
}
