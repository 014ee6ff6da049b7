/* SPDX-License-Identifier: BSD-2-Clause */
/* Received packets with virtio-net headers into ring slots: for drivers that copy. Private to drivers/. */
#ifndef DRIVERS_DELIVER_H
#define DRIVERS_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/vnet_hdr.h"
#include "frame.h"

/*
 * Deliver the frames of one packet, segmented and with finished checksums, from number *segment on, which counts on.
 * src->max_frame is the longest that they should be. Returns true if the packet is done with (delivered, or dropped and
 * counted), false if there is no room for frame *segment.
 */
bool packet_deliver(struct nic_ring *r, struct vnet_source *src, uint32_t *segment);

#endif
