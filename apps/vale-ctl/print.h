/* SPDX-License-Identifier: BSD-2-Clause */
/* Listings for people. */
#ifndef VALE_CTL_PRINT_H
#define VALE_CTL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "listing.h"

/* Copies a text that came from elsewhere, with '?' for what a terminal might obey. Cut to size, with a NUL. */
void text_clean(char *out, size_t size, const char *text);

/*
 * Who serves, the switches, then one port a line; below a port what is wrong with it (drops, rings held up), and
 * with `verbose` its memory and its rings.
 */
void print_listing(FILE *out, const struct listing *l, bool verbose);

#endif
