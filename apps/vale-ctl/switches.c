/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches: who owns them, and what decides there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <net/if.h>
#include <net/netmap.h>
#include <netmap_switch_ctl.h>

#include "print.h"
#include "switches.h"

#define TEXT_SIZE	300

static int
switches_list(FILE *out)
{
	const struct netmap_switch_info *s;
	char name[TEXT_SIZE], module[TEXT_SIZE];
	struct netmap_switches *all;
	int err = netmap_switches_take(&all);

	if (err != 0)
		return err;
	fprintf(out, "%-16s %5s  %-7s %-8s %s\n", "SWITCH", "PORTS", "OWNED", "BY", "MODULE");
	for (unsigned i = 0; (s = netmap_switches_get(all, i)) != NULL; i++) {
		text_clean(name, sizeof(name), s->name);
		text_clean(module, sizeof(module), s->module[0] != '\0' ? s->module : "learning");
		fprintf(out, "%-16s %5u  %-7s %-8s %s\n", name, s->ports, s->flags & NETMAP_SWITCH_OWNED ? "yes" : "no",
			s->flags & NETMAP_SWITCH_WORKER ? "netmapd" : "senders", module);
	}
	netmap_switches_free(all);
	return 0;
}

/* The module's answer is a text, if it is one that prints. */
static int
config_send(const struct options *o, FILE *out)
{
	struct nm_ifreq req = { .nifr_name = "" };
	char answer[NM_IFRDATA_LEN + 1] = "", clean[TEXT_SIZE];
	int fd, err = 0;

	if (strlen(o->name) >= sizeof(req.nifr_name) || strlen(o->text) >= sizeof(req.data))
		return -ENAMETOOLONG;
	memcpy(req.nifr_name, o->name, strlen(o->name));
	memcpy(req.data, o->text, strlen(o->text));
	fd = open("/dev/netmap", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	if (ioctl(fd, NIOCCONFIG, &req) != 0)
		err = -errno;
	close(fd);
	if (err != 0)
		return err;
	memcpy(answer, req.data, sizeof(req.data));
	text_clean(clean, sizeof(clean), answer);
	fprintf(out, "%s\n", clean);
	return 0;
}

int
switches_run(const struct options *o, FILE *out)
{
	uint64_t token;
	int err;

	switch (o->command) {
	case COMMAND_SWITCHES:
		return switches_list(out);
	case COMMAND_OWN:
		err = netmap_switch_own(o->name, &token);
		if (err == 0)
			fprintf(out, "0x%016" PRIx64 "\n", token);
		return err;
	case COMMAND_DISOWN:
		return netmap_switch_disown(o->name, o->token);
	case COMMAND_MODULE:
		return netmap_switch_module_set(o->name, o->text, o->token);
	default:
		return config_send(o, out);
	}
}
