/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets: the data of a slot begin in its buffer where the low bits of slot.ptr say. Each ring has them
 * or not.
 *
 * On a ring with offsets the engine finds data at slot_offset() and puts them where the slot that it fills
 * says, as the program left it; what it reads beyond the limit means the limit. Data never leave their
 * buffer. On a ring without offsets they begin where the buffer does, and ptr is the program's own. Any two
 * rings may meet: what comes from one to the other lies where the receiver's slot says.
 *
 * Where data are copied anyway this costs little. Where buffers change hands (pipes) data are moved within
 * their buffer if they do not lie well: see pipe.c. With NS_INDIRECT, on a switch, all of ptr is an address.
 * A veth pair's rings that have offsets are not joined.
 */
#ifndef ENGINE_OFFSETS_H
#define ENGINE_OFFSETS_H

#include "port.h"

/* What a registration asks for. */
struct offsets {
	uint64_t mask;			/* 0: none */
	uint32_t max, initial;		/* bytes */
	uint32_t gap;			/* bytes left free behind what is copied into a buffer */
};

/*
 * All of this is the control side's. offsets_parse: opt NULL is none. Errors are those of the option, also in
 * its status; *why says what is wrong. Nothing has to be undone.
 */
int offsets_parse(const struct port *p, struct nmreq_opt_offsets *opt, struct offsets *o, struct why *why);
/* May this ring have a further user with these offsets? One that asks for none may always. */
int offsets_check(const struct kring *kr, const struct offsets *o, struct why *why);
/*
 * For a ring without users, of which nothing else is to come that fails: gives it these offsets, or none.
 * What is in the ring stays, and is found where the slots then say. -EBUSY: some thread is not done with what
 * the ring was opened for before.
 */
int offsets_set(struct kring *kr, const struct offsets *o, struct why *why);
/* Tells in the option what ring kr has, if that is less than it says already. */
void offsets_tell(const struct kring *kr, struct nmreq_opt_offsets *opt);

#endif /* ENGINE_OFFSETS_H */
