/* SPDX-License-Identifier: BSD-2-Clause */
/* What busy members of a crew do with netmap ports: the work of the bare loops, by the public API. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "bench.h"
#include "crew.h"
#include "port.h"

/* Sends frames with this header until the crew stops. Returns 0, or -1 after crew_fail(). */
int loop_send(struct crew_seat *seat, const struct bench_port *p, const struct bench_case *c,
    const uint8_t *header);

/* Takes what arrives at n ports in turn until the crew stops. Returns 0, or -1 after crew_fail(). */
int loop_receive(struct crew_seat *seat, struct bench_port *ports, unsigned int n,
    const struct bench_case *c);

/* Both, a batch in turn: the two ends in one process. What was received is counted. */
int loop_exchange(struct crew_seat *seat, const struct bench_port *tx, struct bench_port *rx,
    const struct bench_case *c, const uint8_t *header);

#endif
