/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libnetmap.h in a C++ program: it compiles, its functions link, and its context is the one with the mutex.
 */
#include <libnetmap.h>

int
main()
{
	struct nmport_d *d = nmport_prepare("netmap:eth0-1/R");
	struct nmreq_option *o;
	int n = 0;

	if (d == NULL || d->reg.nr_ringid != 1 || d->ctx->lock == NULL)
		return 1;
	nmreq_foreach_option(&d->hdr, o)
		n++;
	nmport_undo_prepare(d);
	return n == 0 && nmctx_threadsafe ? 0 : 1;
}
