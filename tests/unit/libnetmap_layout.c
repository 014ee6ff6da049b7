/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes and offsets of the public structures of libnetmap.h, which binaries depend on. All checks are static.
 */
#include <stddef.h>

#define LIBNETMAP_NOTHREADSAFE
#include <libnetmap.h>

#define SIZE(type, n)		_Static_assert(sizeof(struct type) == (n), "size of " #type)
#define AT(type, field, n)	_Static_assert(offsetof(struct type, field) == (n), #type "." #field)

SIZE(nmport_d, 216);
AT(nmport_d, hdr, 0);
AT(nmport_d, reg, 88);
AT(nmport_d, mem, 144);
AT(nmport_d, ctx, 152);
AT(nmport_d, register_done, 160);
AT(nmport_d, mmap_done, 164);
AT(nmport_d, extmem, 168);
AT(nmport_d, fd, 176);
AT(nmport_d, nifp, 184);
AT(nmport_d, first_tx_ring, 192);
AT(nmport_d, last_tx_ring, 194);
AT(nmport_d, first_rx_ring, 196);
AT(nmport_d, last_rx_ring, 198);
AT(nmport_d, cur_tx_ring, 200);
AT(nmport_d, cur_rx_ring, 202);
AT(nmport_d, clist, 208);

SIZE(nmctx, 48);
AT(nmctx, verbose, 0);
AT(nmctx, error, 8);
AT(nmctx, malloc, 16);
AT(nmctx, free, 24);
AT(nmctx, lock, 32);
AT(nmctx, mem_descs, 40);

SIZE(nmem_d, 48);
AT(nmem_d, mem_id, 0);
AT(nmem_d, refcount, 4);
AT(nmem_d, mem, 8);
AT(nmem_d, size, 16);
AT(nmem_d, is_extmem, 24);
AT(nmem_d, next, 32);
AT(nmem_d, prev, 40);

SIZE(nmreq_opt_parser, 304);
_Static_assert(_Alignof(struct nmreq_opt_parser) == 16, "alignment of nmreq_opt_parser");
AT(nmreq_opt_parser, prefix, 0);
AT(nmreq_opt_parser, parse, 8);
AT(nmreq_opt_parser, default_key, 16);
AT(nmreq_opt_parser, nr_keys, 20);
AT(nmreq_opt_parser, flags, 24);
AT(nmreq_opt_parser, next, 32);
AT(nmreq_opt_parser, keys, 40);
SIZE(nmreq_opt_key, 16);

SIZE(nmreq_parse_ctx, 144);
AT(nmreq_parse_ctx, ctx, 0);
AT(nmreq_parse_ctx, token, 8);
AT(nmreq_parse_ctx, keys, 16);

_Static_assert(NMREQ_OPT_MAXKEYS == 16, "NMREQ_OPT_MAXKEYS");
_Static_assert(NMREQ_OPTK_ALLOWEMPTY == 1 && NMREQ_OPTK_MUSTSET == 2, "flags of a key");
_Static_assert(NMREQ_OPTK_DEFAULT == 4, "flags of a key");
_Static_assert(NMREQ_OPTF_DISABLED == 1 && NMREQ_OPTF_ALLOWEMPTY == 2, "flags of an option");

int
main(void)
{
	return 0;
}
