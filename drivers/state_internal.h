/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of state files share. */
#ifndef DRIVERS_STATE_INTERNAL_H
#define DRIVERS_STATE_INTERNAL_H

#include <stdarg.h>

#include "state_file.h"

#define STATE_SUFFIX	".state"
#define STATE_FRESH	".new"		/* behind it: not complete yet */
#define STATE_TEXT_MAX	4096

/* Names the boot that the kernel is in. */
int state_boot_id(char *out, size_t size);

/* A directory that is ours and that nobody else can write to. -EPERM if it is not. */
int state_dir_open(const char *dir);

/* Change back what the record says. 0 or the first error. */
int state_restore(const struct ethtool *e, const struct state_record *r, char *text, size_t size);

/*
 * Restore what this file says and remove it. 1: restored; 0: there was nothing to restore, any more; -EBUSY:
 * its holder lives; other errors: it stays.
 */
int state_recover_file(int dir_fd, const char *file, state_file_log *log, void *arg);

#endif
