/* SPDX-License-Identifier: BSD-2-Clause */
/* vale-ctl -o: parameters. */
#ifndef VALE_CTL_PARAMS_H
#define VALE_CTL_PARAMS_H

#include <stdio.h>

#include "options.h"

/* Lists all, or o->name alone, or sets it. 0; -ENOENT: no such parameter, or no instance; or another -errno. */
int params_run(const struct options *o, FILE *out);
#endif
