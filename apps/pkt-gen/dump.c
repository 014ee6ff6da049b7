/* SPDX-License-Identifier: BSD-2-Clause */
/* Hex dump of a packet. */
#include "dump.h"

void dump_bytes(FILE *out, const char *title, const uint8_t *p, unsigned len)
{
	fprintf(out, "%s, %u bytes\n", title, len);
	for (unsigned ofs = 0; ofs < len; ofs += 16) {
		unsigned n = len - ofs < 16 ? len - ofs : 16;

		fprintf(out, "%5u: ", ofs);
		for (unsigned i = 0; i < 16; i++) {
			if (i < n)
				fprintf(out, "%02x ", p[ofs + i]);
			else
				fprintf(out, "   ");
		}
		for (unsigned i = 0; i < n; i++)
			fputc(p[ofs + i] >= 0x20 && p[ofs + i] < 0x7f ? p[ofs + i] : '.', out);
		fputc('\n', out);
	}
}
