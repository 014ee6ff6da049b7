/* SPDX-License-Identifier: BSD-2-Clause */
/* netmap_stats.h and netmap_params.h are C++ as well. It needs no instance: every outcome is fine but a crash. */
#include <cstdio>

#include <netmap_params.h>
#include <netmap_stats.h>

int
main()
{
	struct netmap_stats *s;
	int err = netmap_stats_take(&s);

	for (unsigned i = 0; err == 0 && i < netmap_stats_ports(s); i++)
		if (netmap_stats_has(netmap_stats_port(s, i), vnet_hdr_len))
			std::puts(netmap_stats_port(s, i)->name);
	netmap_stats_free(s);
	struct netmap_params *p;
	if (err == 0 && netmap_params_take(&p) == 0) {
		std::printf("%u\n", netmap_params_count(p));
		netmap_params_free(p);
	}
	std::printf("%d \"%s\"\n", err, netmap_last_error());
	return err <= 0 && netmap_stats_reasons() > 0 && netmap_stats_reason_name(0) != nullptr ? 0 : 1;
}
