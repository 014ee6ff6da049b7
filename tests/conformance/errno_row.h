/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the error tables of netmap's interface: one call each, what the established implementation answers, and what this one does. Each prints
 * a line, so that the log reads as a list; a case fails at its end if a row did.
 */
#ifndef CONFORMANCE_ERRNO_ROW_H
#define CONFORMANCE_ERRNO_ROW_H

#include <errno.h>
#include <stdint.h>

#include <libnetmap.h>

/* The errno of a call that returns -1 with one, 0 if it does not fail. */
#define ERRNO_OF(call_)	(errno = 0, (long long)(call_) < 0 ? errno : 0)

/* The same answer on both sides. */
#define ROW(text_, reference_, got_)	errno_row(text_, reference_, reference_, NULL, got_)
/* Another one here, and why. */
#define ROW_DIFFERS(text_, reference_, here_, why_, got_)	errno_row(text_, reference_, here_, why_, got_)

/* The same of what is no errno. */
#define VALUE(text_, reference_, got_)	errno_value(text_, reference_, reference_, NULL, got_)
#define VALUE_DIFFERS(text_, reference_, here_, why_, got_)	errno_value(text_, reference_, here_, why_, got_)

/* The rows that follow are of this section. */
void errno_section(const char *section);
void errno_row(const char *text, int reference, int here, const char *why, int got);
void errno_value(const char *text, long reference, long here, const char *why, long got);
/* A row that cannot be tried, and why. */
void errno_left_out(const char *text, const char *why);
/* Fails the case if a row of it did. */
void errno_end(void);

/* A request on `fd`, or on a descriptor of its own if that is -1: its errno, or 0. body may be NULL. */
int req(int fd, uint16_t type, const char *name, void *body);
/* The same with a list of options. */
int req_with(int fd, uint16_t type, const char *name, void *body, void *options);
/* REGISTER on a descriptor of its own, which is closed again. */
int reg_try(const char *name, struct nmreq_register reg);
#define REG(name_, ...)	reg_try(name_, (struct nmreq_register){ __VA_ARGS__ })

/* Cases: sections of the tables. */
void errno_ioctls(void);
void errno_envelope(void);
void errno_register(void);
void errno_requests(void);
void errno_options(void);
void errno_legacy(void);
void errno_descriptor(void);
void errno_interfaces(void);

#endif
