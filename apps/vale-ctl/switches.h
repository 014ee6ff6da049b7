/* SPDX-License-Identifier: BSD-2-Clause */
/* --switches, --own, --disown, --module, --config. */
#ifndef VALE_CTL_SWITCHES_H
#define VALE_CTL_SWITCHES_H

#include <stdio.h>

#include "options.h"

/* Whatever o->command is of these. 0 or -errno. */
int switches_run(const struct options *o, FILE *out);

#endif
