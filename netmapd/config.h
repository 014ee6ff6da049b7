/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters: what the configuration file says, and what netmapd itself makes of them. */
#ifndef NETMAPD_CONFIG_H
#define NETMAPD_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "../engine/region.h"
#include "start.h"

/*
 * Reads parameters from the file: `path`, or if that is NULL the one that belongs to this instance, if it is there. The engine must have been started.
 * 0; or -errno with a sentence, which begins with the file's name and the line's number, in text.
 */
int config_load(const char *path, const struct start *s, char *text, size_t text_size);

/* param_set, and what netmapd does about it. */
int config_set(const char *name, uint64_t value, struct why *why);

#endif /* NETMAPD_CONFIG_H */
