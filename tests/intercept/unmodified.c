/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that knows nothing of libnetmap, built the way distributions build: fortified, with 64-bit file
 * offsets. Exits with 1 if there is no netmap.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>

int
main(int argc, char **argv)
{
	struct pollfd f[2] = { { .events = POLLIN }, { .fd = -1 } };
	int fd = open("/dev/netmap", O_RDWR + (argc > 5));
	char c = 'x';

	if (fd < 0) {
		perror("/dev/netmap");
		return 1;
	}
	f[0].fd = fd;
	if (ioctl(fd, NIOCTXSYNC) != -1 || poll(f, 2 - (argc > 5), 1000) != 1 || f[0].revents != POLLERR)
		return 2;
	if (read(fd, &c, (size_t)argc) != -1 || write(STDOUT_FILENO, &c, 0) != 0)
		return 3;
	return close(fd) == 0 ? 0 : 4;
}
