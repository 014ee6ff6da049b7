/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers for people: 14.881 M instead of 14880952. */
#ifndef APPS_COMMON_UNITS_H
#define APPS_COMMON_UNITS_H

#include <stdbool.h>

struct units_text {
	char s[40];
};

/*
 * The value with three decimals and K, M or G, and a blank before the letter, so that a unit can follow
 * ("14.881 M" "pps"). Below 1000, and always if raw is set, a whole number and a blank.
 */
struct units_text units_format(double value, bool raw);

#endif
