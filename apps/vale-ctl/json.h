/* SPDX-License-Identifier: BSD-2-Clause */
/* Listings for programs. The keys are documented in vale-ctl(8), and stay. */
#ifndef VALE_CTL_JSON_H
#define VALE_CTL_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "listing.h"
#include "request.h"

/* A new reference, NULL without memory. */
json_t *json_listing(const struct listing *l);
/* The listing when no instance runs. */
json_t *json_listing_empty(void);
json_t *json_info(const char *name, const struct port_info *info);

/* Prints it with a newline and drops the reference. 0; -ENOMEM if it is NULL; -EIO. */
int json_print(FILE *out, json_t *root);

#endif
