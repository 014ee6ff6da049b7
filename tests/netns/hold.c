/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens a port, says so, and does nothing with it until it is killed.
 *
 *	hold PORT
 */
#include <stdio.h>
#include <unistd.h>

#include <libnetmap.h>

int
main(int argc, char **argv)
{
	if (argc != 2 || nmport_open(argv[1]) == NULL)
		return 1;
	puts("open");
	fflush(stdout);
	for (;;)
		pause();
}
