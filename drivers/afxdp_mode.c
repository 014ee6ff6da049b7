/* SPDX-License-Identifier: BSD-2-Clause */
/* In which order the modes of AF_XDP are tried; contract in afxdp.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "afxdp.h"

/* What was tried, in order: zero-copy and native copy share the program's attachment. */
static const struct {
	enum driver_xdp_mode mode;
	const char *name;
	bool generic, zerocopy;
} steps[] = {
	{ XDP_MODE_ZEROCOPY, "zero-copy", false, true },
	{ XDP_MODE_NATIVE, "native", false, false },
	{ XDP_MODE_GENERIC, "generic", true, false },
};

static void reason_add(struct driver_error *err, const char *name, const struct driver_error *said)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, "%s%s: %s", used ? "; " : "", name, said->text);
}

int afxdp_mode_choose(const struct afxdp_attempt *ops, void *arg, enum driver_xdp_mode wish, bool generic,
		      enum driver_xdp_mode *mode, struct driver_error *err)
{
	struct driver_error said = { "" };
	bool attached = false, no_native = false;
	int rc = -EOPNOTSUPP;

	err->text[0] = '\0';
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (wish != XDP_MODE_BEST && wish != steps[i].mode)
			continue;
		if (steps[i].generic ? wish == XDP_MODE_BEST && !generic : no_native)
			continue;
		if (attached && steps[i].generic) {
			ops->detach(arg);
			attached = false;
		}
		if (!attached) {
			rc = ops->attach(arg, steps[i].generic, &said);
			if (rc) {
				reason_add(err, steps[i].generic ? "generic" : "native", &said);
				no_native = true;
				continue;
			}
			attached = true;
		}
		rc = ops->bind(arg, steps[i].zerocopy, &said);
		if (rc == 0) {
			*mode = steps[i].mode;
			return 0;
		}
		reason_add(err, steps[i].name, &said);
	}
	if (attached)
		ops->detach(arg);
	return rc;
}
