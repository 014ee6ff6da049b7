/* SPDX-License-Identifier: BSD-2-Clause */
/* vale-ctl -T, -S, -R: forwarding tables. */
#ifndef VALE_CTL_TABLE_H
#define VALE_CTL_TABLE_H

#include <stdio.h>

#include "options.h"

/* Lists the table of o->name, or changes it. 0 or -errno. */
int table_run(const struct options *o, FILE *out);

#endif
