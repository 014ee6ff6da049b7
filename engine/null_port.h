/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Null ports: rings that lead nowhere, or none at all. They hold a region, and extra buffers in it.
 */
#ifndef ENGINE_NULL_PORT_H
#define ENGINE_NULL_PORT_H

#include "port.h"

/*
 * A port of exactly the rings and slots that are asked for, in the existing region want->mem_id (-EINVAL if there is none). Every call makes another one,
 * whatever the name: nobody else finds it.
 */
int null_port_create(const char *name, const struct port_want *want, struct port **out, struct why *why);

#endif /* ENGINE_NULL_PORT_H */
