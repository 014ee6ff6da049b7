/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See csb.h.
 */
#include "csb.h"
#include "errno_abi.h"
#include "request.h"

struct nmreq_opt_csb *
csb_option(struct request_msg *msg)
{
	if (msg->kind != REQUEST_CTRL ||
	    (msg->hdr.nr_reqtype != NETMAP_REQ_REGISTER && msg->hdr.nr_reqtype != NETMAP_REQ_CSB_ENABLE))
		return NULL;
	return (struct nmreq_opt_csb *)(void *)request_option(msg, NETMAP_REQ_OPT_CSB);
}

/* An entry lies within a page: one word of it that can be read stands for all. */
static int
entries_probe(uint64_t addr, uint32_t n, const struct csb_access *access)
{
	uint64_t word;
	uint32_t i;

	if (addr > UINT64_MAX - (uint64_t)n * CSB_ALIGN)
		return -EFAULT;
	for (i = 0; i < n; i++)
		if (access->load(addr + i * CSB_ALIGN, &word) != 0)
			return -EFAULT;
	return 0;
}

struct word {
	uint64_t addr;
	uint32_t value;
};

static int
entry_fill(const struct kring *kr, uint64_t atok, uint64_t ktoa, const struct csb_access *access)
{
	const struct word words[] = {
		{ atok + offsetof(struct nm_csb_atok, head), kr->rhead },
		{ atok + offsetof(struct nm_csb_atok, cur), load_relaxed(&kr->rcur) },
		{ ktoa + offsetof(struct nm_csb_ktoa, hwcur), load_relaxed(&kr->hwcur) },
		{ ktoa + offsetof(struct nm_csb_ktoa, hwtail), kr->hwtail },
		{ atok + offsetof(struct nm_csb_atok, appl_need_kick), 1 },
		{ atok + offsetof(struct nm_csb_atok, sync_flags), 1 },
		{ ktoa + offsetof(struct nm_csb_ktoa, kern_need_kick), 1 },
	};
	uint32_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (access->store(words[i].addr, words[i].value) != 0)
			return -EFAULT;
	return 0;
}

int
csb_enable(struct binding *b, uint64_t atok, uint64_t ktoa, const struct csb_access *access)
{
	uint32_t n = binding_rings(b), i;

	if (entries_probe(atok, n, access) != 0 || entries_probe(ktoa, n, access) != 0)
		return -EFAULT;
	for (i = 0; i < n; i++)
		if (entry_fill(binding_ring(b, i), atok + i * CSB_ALIGN, ktoa + i * CSB_ALIGN, access) != 0)
			return -EFAULT;
	store_relaxed(&b->csb_atok, atok);
	store_relaxed(&b->csb_ktoa, ktoa);
	/* Who sees it set sees the addresses. */
	store_release(&b->csb, 1);
	return 0;
}

_Static_assert(sizeof(struct nm_csb_atok) == CSB_ALIGN && sizeof(struct nm_csb_ktoa) == CSB_ALIGN, "ABI");
