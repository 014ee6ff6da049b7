/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of vale-ctl. */
#ifndef VALE_CTL_OPTIONS_H
#define VALE_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum command {
	COMMAND_LIST,			/* without a name: everything */
	COMMAND_INFO,
	COMMAND_ATTACH,
	COMMAND_ATTACH_HOST,
	COMMAND_DETACH,
	COMMAND_NEW,
	COMMAND_REMOVE,
	COMMAND_POLLING_ON,
	COMMAND_POLLING_OFF,
	COMMAND_DOCTOR,
	COMMAND_PARAMS,			/* without a name: all; with a value: set it */
	COMMAND_TABLE,
	COMMAND_TABLE_ADD,
	COMMAND_TABLE_REMOVE,
	COMMAND_SWITCHES,
	COMMAND_OWN,
	COMMAND_DISOWN,
	COMMAND_MODULE,
	COMMAND_CONFIG,
};

#define CONFIG_MAX	4

struct options {
	enum command command;
	const char *name;		/* of the command's argument, without "netmap:"; NULL: none */
	uint32_t config[CONFIG_MAX];	/* -C */
	unsigned configs;		/* how many of them were given */
	uint16_t mem_id;		/* -m; 0: not given as a number */
	const char *mem_port;		/* -m: take this port's region; NULL: not given as a name */
	char name_part[64];		/* -o, -S, -R: what stands before the = */
	bool has_value;			/* -o */
	uint64_t value;
	uint8_t addr[6];		/* -S, -R */
	const char *text;		/* --module, --config: what stands behind the = */
	uint64_t token;			/* --token; 0: not given */
	double interval_s;		/* -i; 0: no rates */
	bool json;
	bool verbose;
};

/* 0, 1 if help was asked for and printed on out, or -EINVAL with a message on err. The strings are argv's. */
int options_parse(struct options *o, int argc, char *const argv[], FILE *out, FILE *err);

/* What -C says for rings and slots: 0 where it says nothing. */
struct ring_config {
	uint32_t tx_slots, rx_slots;
	uint16_t tx_rings, rx_rings;
};

struct ring_config options_ring_config(const struct options *o);

/* What -C says for polling. */
struct polling_config {
	uint32_t mode;			/* NETMAP_POLLING_MODE_* */
	uint32_t first_cpu;
	uint32_t cpus;
};

struct polling_config options_polling_config(const struct options *o);

#endif
