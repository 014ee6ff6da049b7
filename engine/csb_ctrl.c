/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSB mode, the control side: what is checked before a program's arrays come into play, and what ends with a registration.
 */
#include "csb.h"
#include "kloop.h"
#include "os.h"
#include "session.h"

static int
refuse(struct nmreq_opt_csb *opt, int error, struct why *why, const char *name, const char *text)
{
	opt->nro_opt.nro_status = (uint32_t)-error;
	os_format(why->text, sizeof(why->text), "port %s: CSB mode: %s", name, text);
	return error;
}

int
csb_check(const char *name, struct nmreq_opt_csb *opt, const struct binding *b, uint64_t flags, struct why *why)
{
	if ((flags & NR_EXCLUSIVE) == 0)
		return refuse(opt, -EINVAL, why, name, "needs NR_EXCLUSIVE");
	if (opt->csb_atok % CSB_ALIGN != 0 || opt->csb_ktoa % CSB_ALIGN != 0)
		return refuse(opt, -EINVAL, why, name, "the arrays must begin at multiples of 64 bytes");
	if (kloop_runner(b) != 0)
		return refuse(opt, -EBUSY, why, name, "the sync loop is running");
	return 0;
}

int
request_csb_enable(const struct session *s, struct request_msg *msg, struct why *why)
{
	struct nmreq_opt_csb *opt = csb_option(msg);

	if (opt == NULL) {
		os_format(why->text, sizeof(why->text), "port %s: CSB mode needs the CSB option", msg->hdr.nr_name);
		return -EINVAL;
	}
	/* Without rings there is nothing to tell the arrays. */
	if (s->port == NULL)
		return 0;
	return csb_check(s->port->name, opt, s->binding, s->binding->flags, why);
}

/* --- undoing a registration --- */

static void
session_settled(void *obj)
{
	struct session *s = obj;

	s->settling = false;
}

void
session_undo(struct session *s)
{
	if (s->port == NULL)
		return;
	session_unregister(s);
	/* Threads that are inside may still read the binding: it is not bound to other rings before they have left. */
	s->settling = true;
	retire(session_settled, s);
}
