/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ioctls from before NIOCCTRL: a struct nmreq becomes the request that means the same, with a body and no
 * options, and takes the same way from there; its outputs come back into the struct nmreq.
 *
 * Only the fields that the request answers are written; what told the request what to do (name, version,
 * ring id, command, flags) stays as the program wrote it. A region's size is cut to the 32 bits that the
 * struct has.
 */
#include "request.h"

#include "bytes.h"
#include "errno_abi.h"

_Static_assert(sizeof(struct nmreq) == 60, "ABI");
_Static_assert(sizeof(struct nm_ifreq) == 272, "ABI");

/* Appends "{12" or "}12": an end of a pipe, as the request knows it. id is at most NETMAP_RING_MASK. */
static void
name_append_pipe(char *name, size_t size, char bracket, uint32_t id)
{
	char text[8] = { bracket };
	size_t len = str_len(name, size);
	size_t n = 1;
	uint32_t unit = 1;

	while (id / unit >= 10)
		unit *= 10;
	for (; unit != 0; unit /= 10)
		text[n++] = (char)('0' + id / unit % 10);
	str_copy(name + len, size - len, text, n);
}

static uint32_t
mode_from_ringid(uint16_t ringid)
{
	if (ringid & NETMAP_SW_RING)
		return NR_REG_SW;
	if (ringid & NETMAP_HW_RING)
		return NR_REG_ONE_NIC;
	return NR_REG_ALL_NIC;
}

static void
register_from_legacy(const struct nmreq *nmr, struct request_msg *m, struct nmreq_register *reg)
{
	uint32_t mode = nmr->nr_flags & NR_REG_MASK;

	reg->nr_offset = nmr->nr_offset;
	reg->nr_memsize = nmr->nr_memsize;
	reg->nr_tx_slots = nmr->nr_tx_slots;
	reg->nr_rx_slots = nmr->nr_rx_slots;
	reg->nr_tx_rings = nmr->nr_tx_rings;
	reg->nr_rx_rings = nmr->nr_rx_rings;
	reg->nr_mem_id = nmr->nr_arg2;
	reg->nr_extra_bufs = nmr->nr_arg3;
	reg->nr_ringid = nmr->nr_ringid & NETMAP_RING_MASK;
	reg->nr_flags = nmr->nr_flags & ~(uint32_t)NR_REG_MASK;
	if (nmr->nr_ringid & NETMAP_NO_TX_POLL)
		reg->nr_flags |= NR_NO_TX_POLL;
	if (nmr->nr_ringid & NETMAP_DO_RX_POLL)
		reg->nr_flags |= NR_DO_RX_POLL;

	if (mode == NR_REG_DEFAULT) {
		mode = mode_from_ringid(nmr->nr_ringid);
	} else if (mode == NR_REG_PIPE_MASTER || mode == NR_REG_PIPE_SLAVE) {
		name_append_pipe(m->hdr.nr_name, sizeof(m->hdr.nr_name),
		    mode == NR_REG_PIPE_MASTER ? '{' : '}', reg->nr_ringid);
		reg->nr_ringid = 0;
		mode = NR_REG_ALL_NIC;
	}
	reg->nr_mode = mode;
}

static void
register_to_legacy(const struct nmreq_register *reg, struct nmreq *nmr)
{
	nmr->nr_offset = (uint32_t)reg->nr_offset;
	nmr->nr_memsize = (uint32_t)reg->nr_memsize;
	nmr->nr_tx_slots = reg->nr_tx_slots;
	nmr->nr_rx_slots = reg->nr_rx_slots;
	nmr->nr_tx_rings = reg->nr_tx_rings;
	nmr->nr_rx_rings = reg->nr_rx_rings;
	nmr->nr_arg2 = reg->nr_mem_id;
	nmr->nr_arg3 = reg->nr_extra_bufs;
}

static void
attach_from_legacy(const struct nmreq *nmr, struct request_msg *m, struct nmreq_vale_attach *att)
{
	register_from_legacy(nmr, m, &att->reg);
	att->reg.nr_mode = nmr->nr_arg1 & NETMAP_BDG_HOST ? NR_REG_NIC_SW : NR_REG_ALL_NIC;
}

static void
polling_from_legacy(const struct nmreq *nmr, struct nmreq_vale_polling *poll)
{
	uint32_t mode = nmr->nr_flags & NR_REG_MASK;

	/* One CPU for all rings, or a CPU for each; anything else stays 0, which no handler accepts. */
	if (mode == NR_REG_ONE_NIC)
		poll->nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU;
	else if (mode == NR_REG_ALL_NIC)
		poll->nr_mode = NETMAP_POLLING_MODE_MULTI_CPU;
	poll->nr_first_cpu_id = nmr->nr_ringid & NETMAP_RING_MASK;
	poll->nr_num_polling_cpus = nmr->nr_arg1;
}

/* Type of the request that nr_cmd of a NIOCREGIF asks for. */
static int
regif_reqtype(uint16_t cmd)
{
	switch (cmd) {
	case 0:
		return NETMAP_REQ_REGISTER;
	case NETMAP_BDG_ATTACH:
		return NETMAP_REQ_VALE_ATTACH;
	case NETMAP_BDG_DETACH:
		return NETMAP_REQ_VALE_DETACH;
	case NETMAP_BDG_VNET_HDR:
		return NETMAP_REQ_PORT_HDR_SET;
	case NETMAP_VNET_HDR_GET:
		return NETMAP_REQ_PORT_HDR_GET;
	case NETMAP_BDG_NEWIF:
		return NETMAP_REQ_VALE_NEWIF;
	case NETMAP_BDG_DELIF:
		return NETMAP_REQ_VALE_DELIF;
	case NETMAP_BDG_POLLING_ON:
		return NETMAP_REQ_VALE_POLLING_ENABLE;
	case NETMAP_BDG_POLLING_OFF:
		return NETMAP_REQ_VALE_POLLING_DISABLE;
	case NETMAP_PT_HOST_CREATE:
	case NETMAP_PT_HOST_DELETE:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

static void
body_from_legacy(const struct nmreq *nmr, struct request_msg *m)
{
	void *body = m->data;

	switch (m->hdr.nr_reqtype) {
	case NETMAP_REQ_REGISTER:
		register_from_legacy(nmr, m, body);
		break;
	case NETMAP_REQ_VALE_ATTACH:
		attach_from_legacy(nmr, m, body);
		break;
	case NETMAP_REQ_PORT_HDR_SET:
		((struct nmreq_port_hdr *)body)->nr_hdr_len = nmr->nr_arg1;
		break;
	case NETMAP_REQ_VALE_NEWIF: {
		struct nmreq_vale_newif *vi = body;

		vi->nr_tx_slots = nmr->nr_tx_slots;
		vi->nr_rx_slots = nmr->nr_rx_slots;
		vi->nr_tx_rings = nmr->nr_tx_rings;
		vi->nr_rx_rings = nmr->nr_rx_rings;
		vi->nr_mem_id = nmr->nr_arg2;
		break;
	}
	case NETMAP_REQ_VALE_POLLING_ENABLE:
	case NETMAP_REQ_VALE_POLLING_DISABLE:
		polling_from_legacy(nmr, body);
		break;
	case NETMAP_REQ_PORT_INFO_GET:
		((struct nmreq_port_info_get *)body)->nr_mem_id = nmr->nr_arg2;
		break;
	case NETMAP_REQ_VALE_LIST:
		((struct nmreq_vale_list *)body)->nr_bridge_idx = nmr->nr_arg1;
		((struct nmreq_vale_list *)body)->nr_port_idx = nmr->nr_arg2;
		break;
	}
}

int
legacy_to_msg(const struct nmreq *nmr, uint32_t cmd, struct request_msg *m)
{
	int reqtype;

	if (nmr->nr_version < NETMAP_MIN_API)
		return -EINVAL;
	if (cmd == NIOCREGIF)
		reqtype = regif_reqtype(nmr->nr_cmd);
	else if (nmr->nr_cmd == NETMAP_BDG_LIST)
		reqtype = NETMAP_REQ_VALE_LIST;
	else
		reqtype = NETMAP_REQ_PORT_INFO_GET;
	if (reqtype < 0)
		return reqtype;

	bytes_zero(m, REQUEST_MSG_MIN);
	m->kind = REQUEST_CTRL;
	m->hdr.nr_version = NETMAP_API;
	m->hdr.nr_reqtype = (uint16_t)reqtype;
	str_copy(m->hdr.nr_name, sizeof(m->hdr.nr_name), nmr->nr_name, sizeof(nmr->nr_name) - 1);
	m->body_size = (uint32_t)request_body_size((uint32_t)reqtype);
	m->len = (uint32_t)REQUEST_MSG_MIN + m->body_size;
	bytes_zero(m->data, m->body_size);
	body_from_legacy(nmr, m);
	return 0;
}

static void
info_to_legacy(const struct nmreq_port_info_get *info, struct nmreq *nmr)
{
	nmr->nr_memsize = (uint32_t)info->nr_memsize;
	nmr->nr_tx_slots = info->nr_tx_slots;
	nmr->nr_rx_slots = info->nr_rx_slots;
	nmr->nr_tx_rings = info->nr_tx_rings;
	nmr->nr_rx_rings = info->nr_rx_rings;
	nmr->nr_arg2 = info->nr_mem_id;
}

static void
newif_to_legacy(const struct nmreq_vale_newif *vi, struct nmreq *nmr)
{
	nmr->nr_tx_slots = vi->nr_tx_slots;
	nmr->nr_rx_slots = vi->nr_rx_slots;
	nmr->nr_tx_rings = vi->nr_tx_rings;
	nmr->nr_rx_rings = vi->nr_rx_rings;
	nmr->nr_arg2 = vi->nr_mem_id;
}

static void
list_to_legacy(const struct request_msg *m, const struct nmreq_vale_list *list, struct nmreq *nmr)
{
	str_copy(nmr->nr_name, sizeof(nmr->nr_name), m->hdr.nr_name, sizeof(m->hdr.nr_name));
	nmr->nr_arg1 = list->nr_bridge_idx;
	nmr->nr_arg2 = (uint16_t)list->nr_port_idx;
}

void
legacy_from_msg(struct nmreq *nmr, uint16_t reqtype, const struct request_msg *m)
{
	const void *body = m->data;

	switch (reqtype) {
	case NETMAP_REQ_REGISTER:
		register_to_legacy(body, nmr);
		break;
	case NETMAP_REQ_PORT_INFO_GET:
		info_to_legacy(body, nmr);
		break;
	case NETMAP_REQ_VALE_LIST:
		list_to_legacy(m, body, nmr);
		break;
	case NETMAP_REQ_PORT_HDR_GET:
		nmr->nr_arg1 = (uint16_t)((const struct nmreq_port_hdr *)body)->nr_hdr_len;
		break;
	case NETMAP_REQ_VALE_NEWIF:
		newif_to_legacy(body, nmr);
		break;
	}
}
