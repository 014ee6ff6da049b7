/* SPDX-License-Identifier: BSD-2-Clause */
/* vale-ctl doctor: what mode an interface would get, and what stands in the way. */
#ifndef VALE_CTL_DOCTOR_H
#define VALE_CTL_DOCTOR_H

#include <stdio.h>

#include "options.h"

/* Prints it. 0: the interface is usable; 1: it is not; -errno: nothing could be found out, or written. */
int doctor_run(const struct options *o, FILE *out);

#endif
