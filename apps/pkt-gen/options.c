/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of pkt-gen. Everything a user may get wrong here is answered with the option and what it
 * takes.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define UDP_PORT_DEFAULT 1234

static const char usage[] =
	"usage: pkt-gen -i port [options]\n"
	"  -i port        netmap:IF, valeX:PORT, netmap:PIPE{N, IF, tapN (plain tap), pcap:FILE, null\n"
	"  -f mode        rx (default), tx, ping, pong, txseq, rxseq\n"
	"  -n count       packets, 0: no end (0)\n"
	"  -l bytes       frame size 16..65536 (60); given twice: random sizes between the two\n"
	"  -b packets     batch (512; ping and pong 1)\n"
	"  -4 | -6        IPv4 (default) or IPv6\n"
	"  -d, -s addr[:port[-addr:port]]   destination, source (IPv6 with a port: [addr]:port)\n"
	"  -D, -S mac[-mac]                 destination (broadcast), source (the interface's)\n"
	"  -z, -Z         random source, destination address and port\n"
	"  -p threads     (1), one ring each;  -c cpus (1, 0: all);  -a first cpu of the affinity\n"
	"  -R pps         rate of all threads together;  -T ms  time between reports (1000)\n"
	"  -w seconds     wait for the link (2; 0 for VALE ports and pipes)\n"
	"  -W             rx: end after a second without packets\n"
	"  -H 0|10|12     virtio-net header before each frame\n"
	"  -P file.pcap   tx: send the frames of the file, again and again\n"
	"  -F slots       1..63 slots a frame;  -M bytes  size of each\n"
	"  -C tx_slots[,rx_slots[,tx_rings[,rx_rings]]]\n"
	"  -I             indirect buffers;  -r  do not write the packets' contents\n"
	"  -X             hex dump;  -A  mean and deviation of 15 reports;  -B  count 24 bytes of framing\n"
	"  -N             plain numbers;  -v  say more;  -h  this text\n"
	"  -o bits        1 prefetch, 2 access, 4 copy, 8 memcpy, 16 timestamps, 32 -I, 64 -X,\n"
	"                 256 -r, 512 -z, 1024 -Z, 2048 -A, 4096 checksums (always right)\n";

struct parser {
	struct options *o;
	FILE *err;
	unsigned lengths;		/* how many -l were seen */
	unsigned len[2];
	/* Read once the family is known. */
	const char *src, *dst;
};

static int __attribute__((format(printf, 2, 3))) fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	fprintf(p->err, "pkt-gen: ");
	va_start(ap, fmt);
	vfprintf(p->err, fmt, ap);
	va_end(ap);
	fprintf(p->err, "\n");
	return -EINVAL;
}

static int number_parse(struct parser *p, int opt, const char *text, uint64_t min, uint64_t max,
			uint64_t *value)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || n < min || n > max)
		return fail(p, "-%c %s: must be a number from %llu to %llu", opt, text,
			    (unsigned long long)min, (unsigned long long)max);
	*value = n;
	return 0;
}

static int unsigned_parse(struct parser *p, int opt, const char *text, unsigned min, unsigned max,
			  unsigned *value)
{
	uint64_t n = 0;
	int rc = number_parse(p, opt, text, min, max, &n);

	if (rc == 0)
		*value = (unsigned)n;
	return rc;
}

static int mode_parse(struct parser *p, const char *text)
{
	static const char *const names[] = {
		[MODE_RX] = "rx", [MODE_TX] = "tx", [MODE_PING] = "ping", [MODE_PONG] = "pong",
		[MODE_TXSEQ] = "txseq", [MODE_RXSEQ] = "rxseq",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			p->o->mode = (enum pkt_gen_mode)i;
			return 0;
		}
	}
	return fail(p, "-f %s: must be rx, tx, ping, pong, txseq or rxseq", text);
}

static int length_parse(struct parser *p, const char *text)
{
	if (p->lengths == 2)
		return fail(p, "-l %s: the size can be given twice at most", text);
	return unsigned_parse(p, 'l', text, FRAME_LEN_MIN, FRAME_LEN_MAX, &p->len[p->lengths++]);
}

/*
 * tx_slots[,rx_slots[,tx_rings[,rx_rings]]]: one number is for both slot counts, three give both ring counts.
 */
static int config_parse(struct parser *p, const char *text)
{
	unsigned v[4] = { 0 }, n = 0;
	const char *s = text;

	for (;;) {
		char *end;
		unsigned long x = strtoul(s, &end, 10);

		if (*s < '0' || *s > '9' || x > UINT16_MAX || n == 4 || (*end && *end != ','))
			return fail(p, "-C %s: must be one to four numbers, each up to 65535", text);
		v[n++] = (unsigned)x;
		if (*end == '\0')
			break;
		s = end + 1;
	}
	p->o->tx_slots = v[0];
	p->o->rx_slots = n > 1 ? v[1] : v[0];
	p->o->tx_rings = v[2];
	p->o->rx_rings = n > 3 ? v[3] : v[2];
	return 0;
}

static int vnet_parse(struct parser *p, const char *text)
{
	unsigned n = 0;
	int rc = unsigned_parse(p, 'H', text, 0, 12, &n);

	if (rc)
		return rc;
	if (n != 0 && n != 10 && n != 12)
		return fail(p, "-H %s: the virtio-net header is 0, 10 or 12 bytes", text);
	p->o->vnet_len = (int)n;
	return 0;
}

static int bits_parse(struct parser *p, const char *text)
{
	unsigned bits = 0;
	int rc = unsigned_parse(p, 'o', text, 0, UINT_MAX, &bits);

	if (rc)
		return rc;
	if (bits & ~(unsigned)OPT_ALL)
		return fail(p, "-o %s: unknown bits %#x", text, bits & ~(unsigned)OPT_ALL);
	p->o->bits |= bits;
	return 0;
}

static int mac_option_parse(struct parser *p, int opt, const char *text, struct mac_range *r)
{
	if (mac_range_parse(r, text))
		return fail(p, "-%c %s: must be aa:bb:cc:dd:ee:ff, or first-last", opt, text);
	return 0;
}

/* Options without a value. Returns 1 if opt is none of them. */
static int flag_take(struct options *o, int opt)
{
	switch (opt) {
	case '4': o->family = 4; return 0;
	case '6': o->family = 6; return 0;
	case 'X': o->bits |= OPT_DUMP; return 0;
	case 'z': o->bits |= OPT_RANDOM_SRC; return 0;
	case 'Z': o->bits |= OPT_RANDOM_DST; return 0;
	case 'I': o->bits |= OPT_INDIRECT; return 0;
	case 'r': o->bits |= OPT_RUBBISH; return 0;
	case 'A': o->bits |= OPT_PPS_STATS; return 0;
	case 'N': o->raw_units = true; return 0;
	case 'W': o->exit_when_idle = true; return 0;
	case 'B': o->count_framing = true; return 0;
	case 'v': o->verbose++; return 0;
	default: return 1;
	}
}

static int value_take(struct parser *p, int opt, const char *text)
{
	struct options *o = p->o;
	unsigned n = 0;
	int rc;

	switch (opt) {
	case 'i': o->port = text; return 0;
	case 'f': return mode_parse(p, text);
	case 'n': return number_parse(p, opt, text, 0, INT64_MAX, &o->count);
	case 'l': return length_parse(p, text);
	case 'b': o->burst_given = true; return unsigned_parse(p, opt, text, 1, 65535, &o->burst);
	case 'd': p->dst = text; return 0;
	case 's': p->src = text; return 0;
	case 'D': return mac_option_parse(p, opt, text, &o->dst_mac);
	case 'S': o->src_mac_given = true; return mac_option_parse(p, opt, text, &o->src_mac);
	case 'a': rc = unsigned_parse(p, opt, text, 0, 65535, &n); o->cpu_first = (int)n; return rc;
	case 'c': return unsigned_parse(p, opt, text, 0, 65535, &o->cpus);
	case 'p': return unsigned_parse(p, opt, text, 1, THREADS_MAX, &o->threads);
	case 'T': return unsigned_parse(p, opt, text, 1, 86400000, &o->report_ms);
	case 'w': rc = unsigned_parse(p, opt, text, 0, 3600, &n); o->link_wait = (int)n; return rc;
	case 'R': return number_parse(p, opt, text, 0, 1000000000, &o->rate);
	case 'H': return vnet_parse(p, text);
	case 'P': o->payload_file = text; return 0;
	case 'F': return unsigned_parse(p, opt, text, 1, FRAGS_MAX, &o->frags);
	case 'M': return unsigned_parse(p, opt, text, 1, 65535, &o->frag_size);
	case 'C': return config_parse(p, text);
	case 'o': return bits_parse(p, text);
	default: return -EINVAL;
	}
}

static int addresses_finish(struct parser *p)
{
	struct options *o = p->o;
	const char *const hint = o->family == 4 ? "a.b.c.d[:port[-a.b.c.d:port]], or -6 for IPv6" :
		"addr, [addr]:port or [addr]:port-[addr]:port";
	const char *dst = p->dst ? p->dst : o->family == 4 ? "10.1.0.1" : "fd00:1::1";
	const char *src = p->src ? p->src : o->family == 4 ? "10.0.0.1" : "fd00::1";

	if (ip_range_parse(&o->dst, o->family, UDP_PORT_DEFAULT, dst))
		return fail(p, "-d %s: must be %s", dst, hint);
	if (ip_range_parse(&o->src, o->family, UDP_PORT_DEFAULT, src))
		return fail(p, "-s %s: must be %s", src, hint);
	return 0;
}

static int lengths_finish(struct parser *p)
{
	struct options *o = p->o;

	if (p->lengths == 0 && o->frags && o->frag_size) {
		/* Without -l, so many slots of that size are the frame. */
		if (o->frags * o->frag_size < FRAME_LEN_MIN || o->frags * o->frag_size > FRAME_LEN_MAX)
			return fail(p, "-F %u -M %u: %u bytes, a frame has %d to %d", o->frags, o->frag_size,
				    o->frags * o->frag_size, FRAME_LEN_MIN, FRAME_LEN_MAX);
		o->len_min = o->len_max = o->frags * o->frag_size;
	} else if (p->lengths) {
		o->len_max = p->len[0];
		o->len_min = p->lengths == 2 ? p->len[1] : p->len[0];
		if (o->len_min > o->len_max) {
			o->len_min = p->len[0];
			o->len_max = p->len[1];
		}
	}
	if (o->frags && o->frag_size && o->frags * o->frag_size < o->len_max)
		return fail(p, "-F %u -M %u: %u bytes, too few for a frame of %u", o->frags, o->frag_size,
			    o->frags * o->frag_size, o->len_max);
	return 0;
}

/* The shortest frame that holds what a mode puts in the payload. */
static unsigned stamped_min(const struct options *o)
{
	unsigned headers = o->family == 4 ? 42 : 62;

	return o->mode == MODE_PING ? headers + 12 : o->mode == MODE_TXSEQ ? headers + 4 : 0;
}

/* What only the whole command line shows. */
static int combinations_finish(struct parser *p)
{
	struct options *o = p->o;
	bool varying = o->len_min != o->len_max ||
		(o->bits & (OPT_RANDOM_SRC | OPT_RANDOM_DST | OPT_TIMESTAMP)) || o->payload_file ||
		o->mode == MODE_TXSEQ || o->mode == MODE_PING || !ip_range_is_single(&o->src) ||
		!ip_range_is_single(&o->dst) || o->src_mac.first != o->src_mac.last ||
		o->dst_mac.first != o->dst_mac.last;

	if (!o->port)
		return fail(p, "no port: give one with -i, for example -i vale0:a (-h for help)");
	if (options_is_sender(o) && (o->bits & OPT_INDIRECT) && varying)
		return fail(p, "-I: needs packets that are all alike: no ranges, random values or -P");
	if (o->len_min < stamped_min(o))
		return fail(p, "-l %u: too small for the numbers in the payload, which need %u bytes",
			    o->len_min, stamped_min(o));
	if (o->threads > 1 && o->mode != MODE_RX && o->mode != MODE_TX)
		return fail(p, "-p %u: only rx and tx run in several threads", o->threads);
	if ((o->count && o->count < o->threads) || (o->rate && o->rate < o->threads))
		return fail(p, "-p %u: more threads than packets to send (-n) or packets a second (-R)",
			    o->threads);
	if (o->payload_file && o->mode != MODE_TX)
		return fail(p, "-P %s: only with -f tx", o->payload_file);
	if ((o->mode == MODE_PING || o->mode == MODE_PONG) && !o->burst_given)
		o->burst = 1;
	return 0;
}

static void options_default(struct options *o)
{
	static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	*o = (struct options){
		.mode = MODE_RX, .len_min = 60, .len_max = 60, .burst = BURST_DEFAULT, .family = 4,
		.cpu_first = -1, .cpus = 1, .threads = 1, .report_ms = 1000, .link_wait = -1, .vnet_len = -1,
	};
	mac_range_set(&o->dst_mac, broadcast);
}

int options_parse(struct options *o, int argc, char *const argv[], FILE *out, FILE *err)
{
	struct parser p = { .o = o, .err = err };
	int opt, rc;

	options_default(o);
	optind = 0;	/* start over, also in a process that has parsed before */
	opterr = 0;
	while ((opt = getopt(argc, argv, ":46XzZIrANWBvhi:f:n:l:b:d:s:D:S:a:c:p:T:w:R:H:P:F:M:C:o:")) != -1) {
		if (opt == 'h') {
			fputs(usage, out);
			return 1;
		}
		if (opt == ':')
			return fail(&p, "-%c: needs a value (-h for help)", optopt);
		if (opt == '?')
			return fail(&p, "-%c: no such option (-h for help)", optopt);
		rc = flag_take(o, opt);
		if (rc > 0)
			rc = value_take(&p, opt, optarg);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return fail(&p, "%s: unexpected (-h for help)", argv[optind]);
	rc = lengths_finish(&p);
	if (rc == 0)
		rc = addresses_finish(&p);
	if (rc == 0)
		rc = combinations_finish(&p);
	return rc;
}
