/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port names as they reach the engine in nr_name (libnetmap has removed "netmap:" and everything from the
 * ring number on).
 *
 *	any name, mode NR_REG_NULL		null port
 *	BASE, with a monitor flag		monitor of BASE
 *	BASE{ID  BASE}ID			pipe's master, slave; split at the last { else the last }
 *	valeSWITCH:PORT				port of a switch: vale[A-Za-z0-9_]*: and nothing else
 *	tap:NAME				the device behind TAP interface NAME
 *	anything else				network interface
 */
#ifndef ENGINE_PORT_NAME_H
#define ENGINE_PORT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most characters of a switch's name ("vale" included, ":" not), and of the part after the ":". */
#define PORT_NAME_SWITCH_MAX	15
#define PORT_NAME_PORT_MAX	15

/* In front of an interface's name. */
#define PORT_NAME_TAP		"tap:"

enum port_name_class {
	PORT_NAME_IFACE,
	PORT_NAME_VALE,
	PORT_NAME_NULL,
};

enum port_name_pipe {
	PORT_NAME_NO_PIPE,
	PORT_NAME_MASTER,
	PORT_NAME_SLAVE,
};

/* Offsets and lengths are characters of the name that was parsed. */
struct port_name {
	uint8_t class;		/* enum port_name_class: of the port, or of the pipe's parent */
	uint8_t pipe;		/* enum port_name_pipe */
	bool monitor;		/* a monitor of what the rest describes */
	uint8_t len;		/* the whole name */
	uint8_t base_len;	/* the part before the bracket, or all of it if there is none; starts at 0 */
	uint8_t switch_len;	/* VALE: the switch's name without the ":"; starts at 0 */
	uint8_t port_off;	/* VALE: the port part, within the base */
	uint8_t port_len;
	uint8_t id_off;		/* pipe: its id */
	uint8_t id_len;
	uint8_t error_at;	/* where the parser stopped, from 0 */
	const char *reason;	/* why it stopped; NULL after success */
};

/*
 * Parses the string in the field name[NETMAP_REQ_IFNAMSIZ]. mode and flags are those of the REGISTER body;
 * for a request that has none they are NR_REG_ALL_NIC and 0. create: may the request make the port? It
 * decides between the errors of names that cannot exist.
 *
 * Returns 0; -EINVAL for a bad pipe name, a pipe in a mode it does not have, a bad port part; -ENOMEM
 * (create) or -ENXIO (look up) for a bad switch name; -ENXIO for a name that no interface can have, an
 * empty one included, and for every VALE name that cannot be when looking up. Then reason and error_at are
 * set and what was parsed before stays valid.
 */
int port_name_parse(struct port_name *pn, const char *name, uint32_t mode, uint64_t flags, bool create);

/* Length of the switch's name (without the ":") if name[NETMAP_REQ_IFNAMSIZ] is of class VALE, else 0. */
size_t port_name_switch_len(const char *name);

/* Room for any text that port_name_explain() makes. */
#define PORT_NAME_EXPLAIN_SIZE	160

/*
 * Writes why the last parse of name failed, for people: "port name 'vale0:': empty port part at character 7".
 * Characters that do not print come out as '?'. Cut to size, always ends in a NUL; "" if the parse succeeded.
 */
void port_name_explain(const struct port_name *pn, const char *name, char *buf, size_t size);

#endif
