/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers for people. */
#include <stdio.h>

#include "units.h"

struct units_text units_format(double value, bool raw)
{
	static const char letters[] = "KMG";
	struct units_text text;
	int i = -1;

	if (!raw) {
		/* 999.9996 would print as 1000.000 */
		while (value >= 999.9995 && i < 2) {
			value /= 1000;
			i++;
		}
	}
	if (i < 0)
		snprintf(text.s, sizeof(text.s), "%.0f ", value);
	else
		snprintf(text.s, sizeof(text.s), "%.3f %c", value, letters[i]);
	return text;
}
