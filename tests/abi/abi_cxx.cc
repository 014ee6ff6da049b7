/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All public headers as C++, with the same layout as in C, and each function of netmap_user.h instantiated
 * by a use. Exit 0 if the few that need no port do what they should.
 */
#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>
#include <net/netmap_virt.h>
#define LIBNETMAP_NOTHREADSAFE	/* nothing of the library itself is used */
#include <libnetmap.h>

#include "abi_layout.h"

static void
on_packet(u_char *user, const struct nm_pkthdr *hdr, const u_char *)
{
	*reinterpret_cast<uint32_t *>(user) += hdr->len;
}

/* What a program does with a port; never called, there is none here. */
int program(const char *name);

int
program(const char *name)
{
	struct nm_desc *d = nm_open(name, nullptr, NETMAP_NO_TX_POLL, nullptr);
	struct nm_pkthdr hdr;
	uint32_t bytes = 0;

	if (!IS_NETMAP_DESC(d))
		return NETMAP_FD(d);
	if (nm_nextpkt(d, &hdr) != nullptr)
		nm_inject(d, hdr.buf, hdr.len);
	nm_dispatch(d, -1, on_packet, reinterpret_cast<u_char *>(&bytes));
	for (uint16_t i = d->first_tx_ring; i <= d->last_tx_ring; i++) {
		struct netmap_ring *ring = NETMAP_TXRING(d->nifp, i);
		struct netmap_slot *slot = &ring->slot[ring->head];

		if (nm_tx_pending(ring) || nm_ring_empty(ring) || nm_ring_space(ring) == 0)
			continue;
		NETMAP_WOFFSET(ring, slot, 2);
		nm_pkt_copy("packet", NETMAP_BUF_OFFSET(ring, slot), 6);
		slot->buf_idx = static_cast<uint32_t>(NETMAP_BUF_IDX(ring, NETMAP_BUF(ring, slot->buf_idx)));
		RD(1, "ring %u", ring->ringid);
		ND("ring %u", ring->ringid);
	}
	return nm_close(d);
}

int
main()
{
	struct nm_csb_atok atok = {};
	struct nm_csb_ktoa ktoa = {};
	struct nm_desc d = {};
	uint32_t hwtail = 1, hwcur = 1;
	char err[MAXERRMSG];

	nm_sync_kloop_appl_write(&atok, 2, 1);
	nm_sync_kloop_appl_read(&ktoa, &hwtail, &hwcur);
	if (atok.head != 1 || atok.cur != 2 || hwtail != 0 || hwcur != 0)
		return 1;
	if (nm_parse("vale0:a-1", &d, err) != 0 || d.req.nr_ringid != 1)
		return 1;
	return 0;
}
