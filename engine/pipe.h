/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes: two ports whose rings are linked pairwise, TX ring i of one with RX ring i of the other, slot by slot. Buffers change hands by index.
 */
#ifndef ENGINE_PIPE_H
#define ENGINE_PIPE_H

#include <stdint.h>

#include "ring.h"

/* Passes whole packets of [hwcur, head) on and takes back room that the other end returned. Must be called with the ring held. */
void pipe_txsync(struct arena_root *root, struct kring *kr, uint32_t head);

#endif /* ENGINE_PIPE_H */
