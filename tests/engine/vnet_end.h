/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of virtio-net headers on a switch have in common: ports that have them, and packets of any
 * length in any number of slots. Functions fail the running test when something does not work.
 */
#ifndef TESTS_ENGINE_VNET_END_H
#define TESTS_ENGINE_VNET_END_H

#include "end.h"

#define PACKET_MAX	(64u * 2176)	/* what fits into the slots of one packet */

/* PORT_HDR_SET; returns its error. */
int vnet_set(struct end *e, const char *name, uint32_t hdr_len);
/* Opens a port of so many slots in each ring and gives it that header. */
void vnet_open(struct end *e, const char *name, uint32_t hdr_len, uint32_t slots);
/*
 * Puts a packet in TX ring 0: the first slot has `first` bytes (0: as many as the others), the others `cut`
 * each. No sync.
 */
void vnet_put(struct end *e, const void *data, uint32_t len, uint32_t first, uint32_t cut);
/*
 * Takes the next packet out of RX ring 0, at most PACKET_MAX bytes; 0 if there is none. *slots: how many it
 * had. Checks their flags.
 */
uint32_t vnet_take(struct end *e, uint8_t *buf, unsigned *slots);
/* The next packet consists of these bytes, in as few slots as it needs. */
void vnet_expect(struct end *e, const void *data, uint32_t len);

#endif /* TESTS_ENGINE_VNET_END_H */
