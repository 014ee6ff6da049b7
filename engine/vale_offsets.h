/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames between VALE ports of which at least one has offsets (offsets.h).
 */
#ifndef ENGINE_VALE_OFFSETS_H
#define ENGINE_VALE_OFFSETS_H

#include "vale_batch.h"

/*
 * Delivers the packets of the lists to a ring whose port has the sender's header length. Slot for slot, if
 * each fragment fits behind the offset of its slot; else they are packed anew. The slots' offsets stay as the
 * receiver left them.
 */
void vale_offsets_deliver(struct batch *b, struct kring *kr, struct packet_lists l);

#endif /* ENGINE_VALE_OFFSETS_H */
