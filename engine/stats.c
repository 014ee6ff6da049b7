/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the drop reasons.
 */
#include "stats.h"

const char *
drop_reason_name(unsigned reason)
{
	static const char *const name[DROP_REASONS] = {
		[DROP_NO_ROOM] = "no-room",
		[DROP_RUNT] = "runt",
		[DROP_TOO_LONG] = "too-long",
		[DROP_BAD_SLOT] = "bad-slot",
		[DROP_BAD_CHAIN] = "bad-chain",
		[DROP_BAD_ADDRESS] = "bad-address",
		[DROP_FILTERED] = "filtered",
		[DROP_BAD_HEADER] = "bad-header",
		[DROP_CANCELLED] = "cancelled",
		[DROP_UNREACHABLE] = "unreachable",
		[DROP_DEVICE] = "device",
	};

	return reason < DROP_REASONS ? name[reason] : "unknown";
}
