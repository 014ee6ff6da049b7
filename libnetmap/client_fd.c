/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's own descriptors: high numbers, out of the way of programs that expect the lowest free one or close everything they do not know.
 */
#include <errno.h>
#include <sys/resource.h>

#include "../host/sys.h"
#include "client_internal.h"

#define OWN_MAX		65536u
#define WORDS		(OWN_MAX / 64)

static uint64_t own[WORDS], private[WORDS];

bool
client_owns_fd(int fd)
{
	return (unsigned)fd < OWN_MAX && (load_relaxed(&own[fd / 64]) >> (fd % 64) & 1) != 0;
}

/* Half of what the process may have, when that is less than the usual floor. */
static int
floor_of_process(void)
{
	struct rlimit rl;

	if (sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&rl, 0, 0) != 0 || rl.rlim_cur >= 2 * CLIENT_FD_FLOOR)
		return CLIENT_FD_FLOOR;
	return (int)(rl.rlim_cur / 2);
}

int
client_fd_own(int fd, enum client_fd_kind kind)
{
	int high = sys_fcntl(fd, F_DUPFD_CLOEXEC, floor_of_process());

	sys_close(fd);
	if (high < 0 || (unsigned)high >= OWN_MAX)
		return high;
	if (kind == CLIENT_FD_PRIVATE)
		atomic_or(&private[high / 64], UINT64_C(1) << (high % 64));
	atomic_or(&own[high / 64], UINT64_C(1) << (high % 64));
	return high;
}

void
client_fd_close(int fd)
{
	if (fd < 0)
		return;
	if ((unsigned)fd < OWN_MAX) {
		atomic_and(&own[fd / 64], ~(UINT64_C(1) << (fd % 64)));
		atomic_and(&private[fd / 64], ~(UINT64_C(1) << (fd % 64)));
	}
	sys_close(fd);
}

void
client_fds_forked(void)
{
	for (unsigned i = 0; i < WORDS; i++) {
		uint64_t bits = load_relaxed(&private[i]);

		for (; bits != 0; bits &= bits - 1)
			client_fd_close((int)(i * 64 + (unsigned)__builtin_ctzll(bits)));
	}
}
