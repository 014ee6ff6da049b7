/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of vale-ctl. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <net/netmap.h>

#include "options.h"

#define INTERVAL_MIN	0.01
#define INTERVAL_MAX	86400.0
#define CPU_MAX		65535u

static const char usage[] =
	"usage: vale-ctl [-jv] [-i seconds] [-l name]\n"
	"       vale-ctl command [-C config] [-m region] [-jv]\n"
	"       vale-ctl doctor [-jv] interface\n"
	"without a command: list all ports\n"
	"  -l NAME       list one port, or the ports of one switch\n"
	"  -i SECONDS    with rates, measured for so long\n"
	"  -g NAME       rings, slots and memory of a port\n"
	"  -a vale0:IF   attach the interface IF to the switch vale0\n"
	"  -h vale0:IF   the same, with its host rings\n"
	"  -d vale0:IF   detach it\n"
	"  -n NAME       make a persistent port\n"
	"  -r NAME       remove it\n"
	"  -p vale0:IF   start polling an attached interface\n"
	"  -P vale0:IF   stop that\n"
	"  -o            list netmap's parameters; -o NAME: one; -o NAME=VALUE: set it\n"
	"  -T vale0      list a switch's forwarding table\n"
	"  -S vale0:a=MAC  a static entry: the address is behind this port\n"
	"  -R vale0=MAC    remove an address, static or learned\n"
	"  --switches    list switches: who owns them, and what decides there\n"
	"  --own vale0   make a switch that is yours; prints its token\n"
	"  --disown vale0  give it up (with --token)\n"
	"  --module vale0=NAME  put a module of netmapd's on a switch; without a name: it learns\n"
	"  --config vale0=TEXT  say something to the module, and print what it answers\n"
	"  --token T     --disown, --module, -a, -h, -d: the owner's token\n"
	"  -C CONFIG     -n, -a, -h: slots[,rx_slots[,rings[,rx_rings]]]\n"
	"                -p, -P: 0 for one CPU or 1 for a CPU each ring[,first cpu[,cpus]]\n"
	"  -m REGION     -n, -a, -h: use the memory region with this id, or that of the port with this name\n"
	"  -j            print JSON\n"
	"  -v            print more\n"
	"  --help        print this\n"
	"doctor: in what mode an interface would be opened, and what stands in the way; exits with 0 if it can\n";

static int
bad(FILE *err, int opt, const char *text, const char *what)
{
	fprintf(err, "vale-ctl: -%c %s: %s\n", opt, text, what);
	return -EINVAL;
}

static int
name_take(const char **name, int opt, const char *text, FILE *err)
{
	if (strncmp(text, "netmap:", 7) == 0)
		text += 7;
	if (text[0] == '\0')
		return bad(err, opt, text, "a name is missing");
	if (strlen(text) >= NETMAP_REQ_IFNAMSIZ)
		return bad(err, opt, text, "the name is too long (63 characters at most)");
	*name = text;
	return 0;
}

static int
command_take(struct options *o, int opt, const char *text, FILE *err)
{
	static const char letters[] = "lgahdnrpPT";
	static const enum command commands[] = {
		COMMAND_LIST, COMMAND_INFO, COMMAND_ATTACH, COMMAND_ATTACH_HOST, COMMAND_DETACH, COMMAND_NEW,
		COMMAND_REMOVE, COMMAND_POLLING_ON, COMMAND_POLLING_OFF, COMMAND_TABLE,
	};

	if (o->name != NULL || o->command != COMMAND_LIST)
		return bad(err, opt, text, "one command at a time");
	o->command = commands[strchr(letters, opt) - letters];
	return name_take(&o->name, opt, text, err);
}

/* Digits only: what strtoul allows besides has no place here. */
static bool
number_take(const char **p, unsigned long max, unsigned long *value)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*value = strtoul(*p, &end, 10);
	if (errno != 0 || *value > max)
		return false;
	*p = end;
	return true;
}

/* The value behind an = : a number, also in hexadecimal. */
static int
value_take(uint64_t *value, int opt, const char *text, FILE *err)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return bad(err, opt, text, "must be a number");
	return 0;
}

static int
addr_take(uint8_t addr[6], int opt, const char *text, FILE *err)
{
	unsigned b[6];
	int n = 0;

	if (strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
		sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) != 6 ||
		text[n] != '\0')
		return bad(err, opt, text, "must be an Ethernet address, as 02:00:00:00:00:01");
	for (unsigned i = 0; i < 6; i++)
		addr[i] = (uint8_t)b[i];
	return 0;
}

/* -o [name[=value]], -S port=MAC, -R switch=MAC. */
static int
setting_take(struct options *o, int opt, const char *text, FILE *err)
{
	const char *equals;
	size_t n;
	int rc;

	if (o->command != COMMAND_LIST || o->name != NULL)
		return bad(err, opt, text != NULL ? text : "", "one command at a time");
	o->command = opt == 'o' ? COMMAND_PARAMS : opt == 'S' ? COMMAND_TABLE_ADD : COMMAND_TABLE_REMOVE;
	if (text == NULL)
		return 0;
	equals = strchr(text, '=');
	if (equals == NULL && opt != 'o')
		return bad(err, opt, text, "must be of the form name=address");
	n = equals != NULL ? (size_t)(equals - text) : strlen(text);
	if (n >= sizeof(o->name_part))
		return bad(err, opt, text, "the name is too long (63 characters at most)");
	memcpy(o->name_part, text, n);
	rc = name_take(&o->name, opt, o->name_part, err);
	if (rc != 0 || equals == NULL)
		return rc;
	if (opt != 'o')
		return addr_take(o->addr, opt, equals + 1, err);
	o->has_value = true;
	return value_take(&o->value, opt, equals + 1, err);
}

/* Long options alone. */
enum {
	OPTION_SWITCHES = 256, OPTION_OWN, OPTION_DISOWN, OPTION_MODULE, OPTION_CONFIG, OPTION_TOKEN,
};

static int
bad_long(FILE *err, const char *option, const char *text, const char *what)
{
	fprintf(err, "vale-ctl: --%s %s: %s\n", option, text, what);
	return -EINVAL;
}

static int
token_take(struct options *o, const char *text, FILE *err)
{
	char *end;

	errno = 0;
	o->token = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || o->token == 0)
		return bad_long(err, "token", text, "must be the number that --own printed");
	return 0;
}

/* --own, --disown, --switches; --module switch=name, --config switch=text. */
static int
switch_take(struct options *o, int opt, const char *text, FILE *err)
{
	static const char *const names[] = { "switches", "own", "disown", "module", "config" };
	static const enum command commands[] = { COMMAND_SWITCHES, COMMAND_OWN, COMMAND_DISOWN, COMMAND_MODULE, COMMAND_CONFIG };
	const char *name = names[opt - OPTION_SWITCHES];
	size_t n;

	if (o->command != COMMAND_LIST || o->name != NULL)
		return bad_long(err, name, text != NULL ? text : "", "one command at a time");
	o->command = commands[opt - OPTION_SWITCHES];
	if (text == NULL)
		return 0;
	n = strcspn(text, opt == OPTION_MODULE || opt == OPTION_CONFIG ? "=" : "");
	if ((opt == OPTION_MODULE || opt == OPTION_CONFIG) && text[n] != '=')
		return bad_long(err, name, text, "must be of the form switch=...");
	if (n == 0 || n >= sizeof(o->name_part))
		return bad_long(err, name, text, "the name of a switch has 4 to 15 characters");
	memcpy(o->name_part, text, n);
	o->name = o->name_part;
	o->text = text[n] == '=' ? text + n + 1 : NULL;
	return 0;
}

static int
config_take(struct options *o, const char *text, FILE *err)
{
	static const char what[] = "must be one to four numbers with commas between them (--help for help)";
	const char *p = text;
	unsigned long n;

	o->configs = 0;
	for (;;) {
		/* The last two are rings. A CPU or a number of slots fits into as much. */
		if (o->configs == CONFIG_MAX || !number_take(&p, o->configs < 2 ? UINT32_MAX : UINT16_MAX, &n))
			return bad(err, 'C', text, what);
		o->config[o->configs++] = (uint32_t)n;
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return bad(err, 'C', text, what);
	}
}

static int
memory_take(struct options *o, const char *text, FILE *err)
{
	const char *p = text;
	unsigned long n;

	o->mem_id = 0;
	o->mem_port = NULL;
	if (text[strspn(text, "0123456789")] != '\0') {
		o->mem_port = text;
		return 0;
	}
	if (!number_take(&p, UINT16_MAX, &n) || n == 0)
		return bad(err, 'm', text, "must be the id of a region, 1 to 65535, or the name of a port");
	o->mem_id = (uint16_t)n;
	return 0;
}

static int
interval_take(struct options *o, const char *text, FILE *err)
{
	char *end;
	bool number = (*text >= '0' && *text <= '9') || *text == '.';

	o->interval_s = strtod(text, &end);
	if (!number || *end != '\0' || !(o->interval_s >= INTERVAL_MIN && o->interval_s <= INTERVAL_MAX))
		return bad(err, 'i', text, "must be a number of seconds, 0.01 to 86400");
	return 0;
}

static int
option_take(struct options *o, int opt, const char *text, FILE *err)
{
	switch (opt) {
	case 'o':
	case 'S':
	case 'R':
		return setting_take(o, opt, text, err);
	case 'C':
		return config_take(o, text, err);
	case 'm':
		return memory_take(o, text, err);
	case 'i':
		return interval_take(o, text, err);
	case 'j':
		o->json = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case OPTION_SWITCHES:
	case OPTION_OWN:
	case OPTION_DISOWN:
	case OPTION_MODULE:
	case OPTION_CONFIG:
		return switch_take(o, opt, text, err);
	case OPTION_TOKEN:
		return token_take(o, text, err);
	case ':':
		if (optopt > 255) {
			fputs("vale-ctl: an option needs a value (--help for help)\n", err);
			return -EINVAL;
		}
		fprintf(err, "vale-ctl: -%c: needs a value (--help for help)\n", optopt);
		return -EINVAL;
	case '?':
		fprintf(err, "vale-ctl: unknown option%s%c (--help for help)\n",
			optopt != 0 ? " -" : "", optopt != 0 ? optopt : ' ');
		return -EINVAL;
	default:
		return command_take(o, opt, text, err);
	}
}

static bool
is_polling(const struct options *o)
{
	return o->command == COMMAND_POLLING_ON || o->command == COMMAND_POLLING_OFF;
}

static bool
makes_rings(const struct options *o)
{
	return o->command == COMMAND_NEW || o->command == COMMAND_ATTACH || o->command == COMMAND_ATTACH_HOST;
}

/* Does everything that was given mean something together? */
static int
options_check(const struct options *o, FILE *err)
{
	const char *what = NULL;

	if (o->configs != 0 && !is_polling(o) && !makes_rings(o))
		what = "-C: goes with -n, -a, -h, -p or -P";
	else if (is_polling(o) && (o->configs > 3 || o->config[0] > 1 || o->config[1] > CPU_MAX))
		what = "-C: with -p and -P it is 0 or 1[,first cpu[,cpus]]";
	else if ((o->mem_id != 0 || o->mem_port != NULL) && !makes_rings(o))
		what = "-m: goes with -n, -a or -h";
	else if (o->token != 0 && o->command != COMMAND_DISOWN && o->command != COMMAND_MODULE && o->command != COMMAND_ATTACH &&
		o->command != COMMAND_ATTACH_HOST && o->command != COMMAND_DETACH)
		what = "--token: goes with --disown, --module, -a, -h or -d";
	else if (o->interval_s > 0 && o->command != COMMAND_LIST)
		what = "-i: goes with listings only";
	else if (o->json && o->command != COMMAND_LIST && o->command != COMMAND_INFO &&
		o->command != COMMAND_DOCTOR && o->command != COMMAND_TABLE &&
		!(o->command == COMMAND_PARAMS && !o->has_value))
		what = "-j: goes with listings, -g, -o, -T and doctor";
	if (what == NULL)
		return 0;
	fprintf(err, "vale-ctl: %s (--help for help)\n", what);
	return -EINVAL;
}

static int
interface_take(const char **name, const char *text, FILE *err)
{
	if (strncmp(text, "netmap:", 7) == 0)
		text += 7;
	if (text[0] == '\0' || strlen(text) >= IFNAMSIZ) {
		fprintf(err, "vale-ctl: doctor: %s: the name of an interface has 1 to %d characters\n", text,
			IFNAMSIZ - 1);
		return -EINVAL;
	}
	*name = text;
	return 0;
}

/* Words that belong to no option: "doctor" and an interface. */
static int
words_take(struct options *o, char *const words[], int n, FILE *err)
{
	if (n == 0)
		return 0;
	if (strcmp(words[0], "doctor") != 0) {
		fprintf(err, "vale-ctl: %s: names follow an option (--help for help)\n", words[0]);
		return -EINVAL;
	}
	if (n != 2 || o->name != NULL || o->command != COMMAND_LIST) {
		fputs("vale-ctl: doctor: takes one interface and no other command (--help for help)\n", err);
		return -EINVAL;
	}
	o->command = COMMAND_DOCTOR;
	return interface_take(&o->name, words[1], err);
}

int
options_parse(struct options *o, int argc, char *const argv[], FILE *out, FILE *err)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'H' },
		{ "switches", no_argument, NULL, OPTION_SWITCHES },
		{ "own", required_argument, NULL, OPTION_OWN },
		{ "disown", required_argument, NULL, OPTION_DISOWN },
		{ "module", required_argument, NULL, OPTION_MODULE },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "token", required_argument, NULL, OPTION_TOKEN },
		{ NULL, 0, NULL, 0 },
	};
	int opt, rc;

	*o = (struct options){ .command = COMMAND_LIST };
	optind = 0;	/* start over, also in a process that has parsed before */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":a:h:d:n:r:g:l:p:P:T:S:R:o::C:m:i:jv", longopts, NULL)) != -1) {
		if (opt == 'H') {
			fputs(usage, out);
			return 1;
		}
		/* The argument that -o may have is the next word, as other options'. */
		if (opt == 'o' && optarg == NULL && optind < argc && argv[optind][0] != '-')
			optarg = argv[optind++];
		rc = option_take(o, opt, optarg, err);
		if (rc != 0)
			return rc;
	}
	rc = words_take(o, argv + optind, argc - optind, err);
	if (rc != 0)
		return rc;
	return options_check(o, err);
}

struct ring_config
options_ring_config(const struct options *o)
{
	struct ring_config c = { 0 };

	if (o->configs >= 1)
		c.tx_slots = c.rx_slots = o->config[0];
	if (o->configs >= 2)
		c.rx_slots = o->config[1];
	if (o->configs >= 3)
		c.tx_rings = c.rx_rings = (uint16_t)o->config[2];
	if (o->configs >= 4)
		c.rx_rings = (uint16_t)o->config[3];
	return c;
}

struct polling_config
options_polling_config(const struct options *o)
{
	return (struct polling_config){
		.mode = o->config[0] == 1 ? NETMAP_POLLING_MODE_MULTI_CPU : NETMAP_POLLING_MODE_SINGLE_CPU,
		.first_cpu = o->config[1],
		.cpus = o->configs >= 3 ? o->config[2] : 1,
	};
}
