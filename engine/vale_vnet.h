/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames between VALE ports whose virtio-net headers have different lengths: headers made, cut and taken off,
 * checksums completed, large frames segmented; and frames packed anew.
 */
#ifndef ENGINE_VALE_VNET_H
#define ENGINE_VALE_VNET_H

#include "vale_batch.h"

#define VALE_ROOM_MIN	64u	/* bytes of each slot, below which no frame is packed into a ring's slots */

/*
 * Delivers the packets of the lists to a ring whose port has another header length than the sender's, or where they
 * need other slots than the sender's. What cannot be converted is dropped and counted on the sender's ring, what does
 * not fit on the receiver's.
 */
void vale_vnet_deliver(struct batch *b, struct kring *kr, struct packet_lists l);

#endif /* ENGINE_VALE_VNET_H */
