/* SPDX-License-Identifier: BSD-2-Clause */
/* Hex dump of a packet. */
#ifndef PKT_GEN_DUMP_H
#define PKT_GEN_DUMP_H

#include <stdint.h>
#include <stdio.h>

/* Prints title and len bytes, 16 a line, as numbers and as text. */
void dump_bytes(FILE *out, const char *title, const uint8_t *p, unsigned len);

#endif
