/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared object that is no module. */
int nothing_here(void);

int
nothing_here(void)
{
	return 0;
}
