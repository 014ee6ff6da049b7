/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listings for people: a table whose columns are as wide as their widest cell, and lines below its rows.
 */
#include <inttypes.h>
#include <string.h>

#include "print.h"
#include "units.h"

#define CELL_SIZE	80

void
text_clean(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; n + 1 < size && text[n] != '\0'; n++)
		out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	out[n] = '\0';
}

/* --- cells --- */

struct column {
	const char *title;
	bool left;			/* aligned to the left */
	bool rate;			/* shown only with rates, or */
	bool total;			/* only without */
	void (*cell)(const struct listing_port *lp, char cell[CELL_SIZE]);
};

static void
number_cell(char cell[CELL_SIZE], uint64_t n)
{
	snprintf(cell, CELL_SIZE, "%" PRIu64, n);
}

static void
bytes_cell(char cell[CELL_SIZE], const struct traffic *t)
{
	if (traffic_sized(t))
		number_cell(cell, t->bytes);
	else
		strcpy(cell, "-");
}

static void
rate_cell(char cell[CELL_SIZE], bool known, double rate)
{
	size_t n;

	if (!known) {
		strcpy(cell, "-");
		return;
	}
	snprintf(cell, CELL_SIZE, "%s", units_format(rate, false).s);
	/* Whole numbers end in a blank, where a letter would stand. */
	n = strlen(cell);
	if (n > 0 && cell[n - 1] == ' ')
		cell[n - 1] = '\0';
}

static void
name_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	text_clean(cell, CELL_SIZE, lp->p->name);
}

static void
type_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	strcpy(cell, listing_type_name(lp->p->type));
}

static void
switch_index_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	if (lp->sw[0] != '\0')
		number_cell(cell, lp->p->switch_index);
	else
		strcpy(cell, "-");
}

static void
mem_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	number_cell(cell, lp->p->mem_id);
}

static void
users_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	number_cell(cell, lp->p->users);
}

static void
tx_packets_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	number_cell(cell, lp->tx.packets);
}

static void
tx_bytes_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	bytes_cell(cell, &lp->tx);
}

static void
rx_packets_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	number_cell(cell, lp->rx.packets);
}

static void
rx_bytes_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	bytes_cell(cell, &lp->rx);
}

static void
tx_pps_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	rate_cell(cell, lp->tx.rated, lp->tx.pps);
}

static void
tx_bps_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	rate_cell(cell, lp->tx.rated && traffic_sized(&lp->tx), lp->tx.bps);
}

static void
rx_pps_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	rate_cell(cell, lp->rx.rated, lp->rx.pps);
}

static void
rx_bps_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	rate_cell(cell, lp->rx.rated && traffic_sized(&lp->rx), lp->rx.bps);
}

static void
drops_cell(const struct listing_port *lp, char cell[CELL_SIZE])
{
	number_cell(cell, lp->drops);
}

static const struct column columns[] = {
	{ "PORT", true, false, false, name_cell },
	{ "TYPE", true, false, false, type_cell },
	{ "NO", false, false, false, switch_index_cell },
	{ "MEM", false, false, false, mem_cell },
	{ "USERS", false, false, false, users_cell },
	{ "TX PACKETS", false, false, false, tx_packets_cell },
	{ "TX BYTES", false, false, true, tx_bytes_cell },
	{ "TX PPS", false, true, false, tx_pps_cell },
	{ "TX BPS", false, true, false, tx_bps_cell },
	{ "RX PACKETS", false, false, false, rx_packets_cell },
	{ "RX BYTES", false, false, true, rx_bytes_cell },
	{ "RX PPS", false, true, false, rx_pps_cell },
	{ "RX BPS", false, true, false, rx_bps_cell },
	{ "DROPPED", false, false, false, drops_cell },
};

#define COLUMNS		(sizeof(columns) / sizeof(columns[0]))

static bool
column_shown(const struct listing *l, unsigned c)
{
	return l->before != NULL ? !columns[c].total : !columns[c].rate;
}

static void
widths_find(const struct listing *l, int width[COLUMNS])
{
	char cell[CELL_SIZE];

	for (unsigned c = 0; c < COLUMNS; c++) {
		width[c] = (int)strlen(columns[c].title);
		for (unsigned i = 0; i < l->n && column_shown(l, c); i++) {
			columns[c].cell(&l->ports[i], cell);
			if ((int)strlen(cell) > width[c])
				width[c] = (int)strlen(cell);
		}
	}
}

/* The row of a port; of the titles if lp is NULL. */
static void
row_print(FILE *out, const struct listing *l, const struct listing_port *lp, const int width[COLUMNS])
{
	char cell[CELL_SIZE];

	for (unsigned c = 0; c < COLUMNS; c++) {
		if (!column_shown(l, c))
			continue;
		if (lp != NULL)
			columns[c].cell(lp, cell);
		else
			snprintf(cell, sizeof(cell), "%s", columns[c].title);
		fprintf(out, "%s%*s", c == 0 ? "" : "  ", columns[c].left ? -width[c] : width[c], cell);
	}
	fputc('\n', out);
}

/* --- below a row --- */

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
ring_name_print(FILE *out, const struct netmap_stats_ring *r)
{
	fprintf(out, "    %s ring %u: ", r->dir == NETMAP_STATS_TX ? "tx" : "rx", r->id);
}

static void
drops_print(FILE *out, const struct netmap_stats_ring *r)
{
	const char *separator = " (";

	if (r->drops_total == 0)
		return;
	ring_name_print(out, r);
	fprintf(out, "%" PRIu64 " dropped", r->drops_total);
	for (unsigned i = 0; i < netmap_stats_reasons(); i++) {
		if (r->drops[i] == 0)
			continue;
		fprintf(out, "%s%s %" PRIu64, separator, netmap_stats_reason_name(i), r->drops[i]);
		separator = ", ";
	}
	fputs(")\n", out);
}

static void
troubles_print(FILE *out, const struct netmap_stats_ring *r)
{
	drops_print(out, r);
	if (r->bad_rings != 0) {
		ring_name_print(out, r);
		fprintf(out, "head or cur was invalid %" PRIu64 " time%s: the ring was restored\n",
			r->bad_rings, plural(r->bad_rings));
	}
	if (r->held_s != 0) {
		ring_name_print(out, r);
		fprintf(out, "held up for %u s by process %d, which reserved room and does not go on\n",
			r->held_s, r->held_pid);
	}
}

static void
ring_print(FILE *out, const struct listing *l, const struct listing_port *lp, unsigned k)
{
	const struct netmap_stats_ring *r = netmap_stats_ring(l->now, lp->index, k);
	struct traffic t = listing_ring(l, lp, k);

	ring_name_print(out, r);
	fprintf(out, "%u slots, %u in use, %u user%s, %" PRIu64 " sync%s, %" PRIu64 " packet%s",
		r->slots, r->used, r->users, plural(r->users), r->syncs, plural(r->syncs), t.packets, plural(t.packets));
	if (traffic_sized(&t))
		fprintf(out, ", %" PRIu64 " bytes", t.bytes);
	if (t.rated)
		fprintf(out, ", %spps", units_format(t.pps, false).s);
	if (t.rated && traffic_sized(&t))
		fprintf(out, ", %sbps", units_format(t.bps, false).s);
	fputc('\n', out);
}

static void
port_details_print(FILE *out, const struct listing_port *lp)
{
	char mode[CELL_SIZE];

	text_clean(mode, sizeof(mode), lp->p->mode);
	fprintf(out, "    %s%sregion %u of %" PRIu64 " bytes", mode, mode[0] != '\0' ? ", " : "",
		lp->p->mem_id, lp->p->mem_size);
	if (lp->p->vnet_hdr_len != 0)
		fprintf(out, ", virtio-net header of %u bytes", lp->p->vnet_hdr_len);
	fputc('\n', out);
}

static void
port_print(FILE *out, const struct listing *l, const struct listing_port *lp, const int width[COLUMNS],
	bool verbose)
{
	row_print(out, l, lp, width);
	if (verbose)
		port_details_print(out, lp);
	for (unsigned r = 0; r < lp->p->rings; r++) {
		if (verbose)
			ring_print(out, l, lp, r);
		troubles_print(out, netmap_stats_ring(l->now, lp->index, r));
	}
}

/* --- above the table --- */

static void
instance_print(FILE *out, const struct netmap_stats_instance *in)
{
	char version[CELL_SIZE], path[2 * CELL_SIZE];

	text_clean(version, sizeof(version), in->version);
	text_clean(path, sizeof(path), in->socket);
	fprintf(out, "netmapd %s, pid %d, uid %u, at %s: %u descriptor%s open\n", version, in->pid, in->uid,
		path, in->sessions, plural(in->sessions));
}

/* What a port's mode says of its switch, if that is not what all switches do. */
static void
forwarder_print(FILE *out, const char *mode)
{
	char clean[200];
	const char *what = strstr(mode, "module ");

	if (what == NULL)
		what = strstr(mode, "learning, ");
	if (what == NULL)
		return;
	text_clean(clean, sizeof(clean), what);
	fprintf(out, " (%s)", clean);
}

static void
switches_print(FILE *out, const struct listing *l)
{
	char name[SWITCH_NAME_SIZE];
	const char *separator = "";

	for (unsigned i = 0, n; i < l->n && (n = listing_switch_ports(l, i)) > 0; i += n) {
		text_clean(name, sizeof(name), l->ports[i].sw);
		fprintf(out, "%s%s: %u port%s", separator, name, n, plural(n));
		forwarder_print(out, l->ports[i].p->mode);
		separator = ", ";
	}
	if (*separator != '\0')
		fputc('\n', out);
}

void
print_listing(FILE *out, const struct listing *l, bool verbose)
{
	int width[COLUMNS];

	instance_print(out, netmap_stats_instance(l->now));
	switches_print(out, l);
	if (l->n == 0) {
		fputs("no ports\n", out);
		return;
	}
	widths_find(l, width);
	row_print(out, l, NULL, width);
	for (unsigned i = 0; i < l->n; i++)
		port_print(out, l, &l->ports[i], width, verbose);
}
