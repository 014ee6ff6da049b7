/* SPDX-License-Identifier: BSD-2-Clause */
/* vale-ctl doctor, see doctor.h. Nothing is changed, no netmapd is started, and no privilege is needed. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <netmap_stats.h>

#include "doctor.h"
#include "json.h"
#include "print.h"
#include "verdict.h"

#define TEXT_SIZE	400

static const char *const level_names[] = {
	[FINDING_GOOD] = "good", [FINDING_NOTE] = "note", [FINDING_WARNING] = "warning",
		[FINDING_BLOCKER] = "error",
};

struct diagnosis {
	const char *ifname;
	struct probe probe;
	struct verdict verdict;
	struct verdict_server server;
	char open_mode[TEXT_SIZE];	/* of the port of this name, as netmapd tells it; empty: none */
};

/* Who would open it, and has it done so? */
static void
server_ask(struct diagnosis *d)
{
	struct netmap_stats *s = NULL;
	const struct netmap_stats_port *port;

	if (netmap_stats_take(&s) != 0)
		return;
	d->server.running = true;
	d->server.root = netmap_stats_instance(s)->uid == 0;
	for (unsigned i = 0; (port = netmap_stats_port(s, i)) != NULL; i++) {
		if (port->type != NETMAP_STATS_NIC || strcmp(port->name, d->ifname) != 0)
			continue;
		d->server.holds = true;
		text_clean(d->open_mode, sizeof(d->open_mode), port->mode);
	}
	netmap_stats_free(s);
}

/* --- for people --- */

static void
finding_print(FILE *out, const struct finding *f)
{
	char clean[TEXT_SIZE];

	text_clean(clean, sizeof(clean), f->text);
	fprintf(out, "  %-8s %s\n", level_names[f->level], clean);
	if (f->remedy[0] != '\0') {
		text_clean(clean, sizeof(clean), f->remedy);
		fprintf(out, "           -> %s\n", clean);
	}
}

static void
diagnosis_print(FILE *out, const struct diagnosis *d, bool verbose)
{
	const struct verdict *v = &d->verdict;
	char name[TEXT_SIZE];

	text_clean(name, sizeof(name), d->ifname);
	fprintf(out, "%s: %s\n", name, v->mode_text);
	if (d->open_mode[0] != '\0')
		fprintf(out, "  open now: %s\n", d->open_mode);
	/* The worst first. */
	for (int level = FINDING_BLOCKER; level >= (verbose ? FINDING_GOOD : FINDING_NOTE); level--)
		for (unsigned i = 0; i < v->n; i++)
			if ((int)v->finding[i].level == level)
				finding_print(out, &v->finding[i]);
}

/* --- JSON --- */

static json_t *
text_json(const char *s)
{
	char clean[TEXT_SIZE];

	text_clean(clean, sizeof(clean), s);
	return json_string(clean);
}

static json_t *
optional_json(const char *s)
{
	return s[0] != '\0' ? text_json(s) : json_null();
}

static json_t *
findings_json(const struct verdict *v)
{
	json_t *all = json_array();

	for (unsigned i = 0; all != NULL && i < v->n; i++) {
		const struct finding *f = &v->finding[i];
		json_t *one = json_pack("{s:s, s:s, s:o, s:o}", "level", level_names[f->level], "check",
			f->check,
			"text", text_json(f->text), "remedy", optional_json(f->remedy));

		if (json_array_append_new(all, one) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static json_t *
answer_json(enum probe_answer answer)
{
	return answer == PROBE_UNKNOWN ? json_null() : json_boolean(answer == PROBE_YES);
}

static json_t *
xdp_json(const struct probe *p)
{
	uint32_t id = p->xdp.program_id;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "native", answer_json(p->xdp.native), "zerocopy",
		answer_json(p->xdp.zerocopy),
		"fragments", answer_json(p->xdp.fragments), "program_id", id ? json_integer(id) : json_null(),
		"program", optional_json(p->xdp.program));
}

static json_t *
facts_json(const struct probe *p)
{
	if (!p->exists)
		return json_null();
	return json_pack("{s:i, s:o, s:o, s:b, s:b, s:i, s:i, s:i, s:o}", "ifindex", p->link.ifindex,
		"kind", optional_json(p->link.kind),
		"driver", optional_json(p->identity.driver), "up", (p->link.flags & IFF_UP) != 0,
		"carrier", (p->link.flags & NETLINK_CARRIER) != 0, "mtu", p->link.mtu,
		"rx_queues", p->rx_queues, "tx_queues", p->tx_queues, "xdp", xdp_json(p));
}

static json_t *
diagnosis_json(const struct diagnosis *d)
{
	char kernel[32];

	snprintf(kernel, sizeof(kernel), "%u.%u", d->probe.kernel >> 16, d->probe.kernel & 0xffff);
	return json_pack("{s:o, s:b, s:s, s:s, s:o, s:s, s:o, s:o}", "interface", text_json(d->ifname),
		"usable", d->verdict.usable,
		"mode", d->verdict.mode, "mode_text", d->verdict.mode_text, "open_mode",
		optional_json(d->open_mode), "kernel", kernel,
		"facts", facts_json(&d->probe), "findings", findings_json(&d->verdict));
}

int
doctor_run(const struct options *o, FILE *out)
{
	struct diagnosis d = { .ifname = o->name };
	int err = probe_interface(-1, o->name, &d.probe);

	if (err != 0)
		return err;
	server_ask(&d);
	verdict_make(&d.verdict, d.ifname, &d.probe, &d.server);
	if (o->json) {
		err = json_print(out, diagnosis_json(&d));
		if (err != 0)
			return err;
	} else {
		diagnosis_print(out, &d, o->verbose);
	}
	return d.verdict.usable ? 0 : 1;
}
